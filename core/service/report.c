/* report.c - see report.h. */
#include "service/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "service/problems.h"

/* base/json repairs what is no UTF-8; jansson would refuse it. */
static json_t *taken(struct buf *text)
{
    json_t *out = text->failed ? NULL : json_loadb(text->data, text->bytes, JSON_DECODE_ANY, NULL);
    buf_fini(text);
    return out;
}

json_t *report_text(const char *text)
{
    struct buf quoted;
    if (!text) return json_null();
    buf_init(&quoted, 0);
    json_put_string(&quoted, text, strlen(text));
    return taken(&quoted);
}

json_t *report_date(int64_t wall_ms)
{
    struct buf text;
    if (wall_ms == NO_TIME) return json_null();
    buf_init(&text, 0);
    json_put_date(&text, wall_ms);
    return taken(&text);
}

/* ---- sync ---- */

static void put_count(json_t *out, const char *name, uint64_t after, uint64_t before)
{
    json_object_set_new(out, name, json_integer((json_int_t)(after - before)));
}

json_t *report_work(const char *const *names, const struct engine_snapshot *before,
                    const struct engine_snapshot *after, uint64_t only)
{
    json_t *collections = json_object();
    for (size_t i = 0; i < after->collection_count; i++) {
        static const struct collection_snapshot nothing = {.embedded = 0};
        const struct collection_snapshot *a = &after->collections[i];
        const struct collection_snapshot *b = before ? &before->collections[i] : &nothing;
        if (only && !(only >> i & 1)) continue;
        json_t *one = json_object();
        put_count(one, "embedded", a->embedded, b->embedded);
        put_count(one, "upserted", a->upserted, b->upserted);
        put_count(one, "payloads", a->payloads, b->payloads);
        put_count(one, "deleted", a->deleted, b->deleted);
        put_count(one, "unchanged", a->unchanged, b->unchanged);
        put_count(one, "failed", a->failed, b->failed);
        put_count(one, "waiting", a->deferred, b->deferred);
        if (a->held.orphans)
            json_object_set_new(one, "deletesHeld",
                                json_pack("{s:I,s:I}", "withoutDocument", (json_int_t)a->held.orphans,
                                          "points", (json_int_t)a->held.points));
        if (a->circuit != CIRCUIT_CLOSED && a->error[0])
            json_object_set_new(one, "notReady", report_text(a->error));
        json_object_set_new(collections, names[i], one);
    }
    return json_pack("{s:I,s:o}", "documents", (json_int_t)after->scanned, "collections", collections);
}

json_t *report_engine(const char *const *names, struct engine *e)
{
    struct engine_snapshot *s = malloc(sizeof *s);
    if (!s) return NULL;
    engine_snapshot(e, s);
    json_t *work = report_work(names, NULL, s, 0);
    free(s);
    return work;
}

uint64_t report_not_in_sync(const json_t *work)
{
    json_int_t sum = 0;
    const char *name;
    json_t *one;
    json_object_foreach(json_object_get(work, "collections"), name, one)
    {
        sum += json_integer_value(json_object_get(one, "failed"));
        sum += json_integer_value(json_object_get(one, "waiting"));
    }
    return (uint64_t)sum;
}

uint64_t report_held(const json_t *work)
{
    json_int_t most = 0;
    const char *name;
    json_t *one;
    json_object_foreach(json_object_get(work, "collections"), name, one)
    {
        json_int_t held =
            json_integer_value(json_object_get(json_object_get(one, "deletesHeld"), "withoutDocument"));
        if (held > most) most = held;
    }
    return (uint64_t)most;
}

/* ---- single documents ---- */

static const char *done_text(const struct engine_outcome *o, bool gone)
{
    if (gone) return "deleted";
    if (o->embedded) return "embedded";
    switch (o->action) {
    case ACTION_NONE:
        return "already in sync";
    case ACTION_PAYLOAD:
        return "payload rewritten";
    case ACTION_CLEAR:
        return "no point";
    case ACTION_EMBED:
        break;
    }
    return "written";
}

static json_t *outcome(const char *collection, const struct engine_outcome *o, bool gone)
{
    json_t *out = json_pack("{s:s,s:b,s:I}", "collection", collection, "success", o->success, "duration",
                            (json_int_t)o->duration_ms);
    if (o->success && o->action == ACTION_NONE && !gone) json_object_set_new(out, "skipped", json_true());
    if (o->success) {
        json_object_set_new(out, "reason", json_string(done_text(o, gone)));
    } else {
        json_object_set_new(out, "error", report_text(o->text ? o->text : "it was put aside"));
        json_object_set_new(out, "errorCode", json_string(lks_code_name(o->error)));
    }
    return out;
}

json_t *report_resynced(const char *const *names, const char *id, const struct engine_resynced *resynced)
{
    json_t *collections = json_array();
    int64_t longest = 0; /* they go side by side */
    bool success = true;
    for (size_t i = 0; i < resynced->count; i++) {
        const struct engine_outcome *o = &resynced->outcomes[i];
        if (!o->asked) continue;
        success &= o->success;
        if (o->duration_ms > longest) longest = o->duration_ms;
        json_array_append_new(collections, outcome(names[i], o, resynced->gone));
    }
    return json_pack("{s:o,s:b,s:I,s:s,s:o}", "toolId", report_text(id), "success", success, "totalDuration",
                     (json_int_t)longest, "overallStatus", sync_status_name(resynced->overall), "collections",
                     collections);
}

static const char *untouched_code(enum lks_code code)
{
    if (code == LKS_E_NOT_FOUND) return "NOT_FOUND";
    return code == LKS_E_AMBIGUOUS ? "AMBIGUOUS" : lks_code_name(code);
}

json_t *report_untouched(const char *id, const struct lks_err *err)
{
    return json_pack("{s:o,s:b,s:i,s:s,s:o,s:s,s:[]}", "toolId", report_text(id), "success", 0,
                     "totalDuration", 0, "overallStatus", sync_status_name(SYNC_FAILED), "error",
                     report_text(err->text), "errorCode", untouched_code(err->code), "collections");
}

/* ---- what would be done ---- */

static json_t *action(const struct plan_counts *c, enum plan_action a)
{
    json_t *reasons = json_object();
    for (size_t r = PLAN_NO_REASON + 1; r < PLAN_REASON_COUNT; r++)
        if (c->by_reason[a][r])
            json_object_set_new(reasons, plan_reason_name((enum plan_reason)r),
                                json_integer((json_int_t)c->by_reason[a][r]));
    return json_pack("{s:I,s:o}", "count", (json_int_t)c->by_action[a], "reasons", reasons);
}

json_t *report_id(const char *doc)
{
    struct docid *id = doc ? docid_parse(doc) : NULL;
    char *plain = id ? docid_plain(id) : NULL;
    json_t *out = report_text(plain ? plain : "?");
    free(plain);
    docid_free(id);
    return out;
}

static void put_refusals(json_t *out, const struct plan_counts *c)
{
    if (!c->refusal_count) return;
    json_t *list = json_array();
    for (size_t i = 0; i < c->refusal_count; i++)
        json_array_append_new(list, json_pack("{s:o,s:o}", "id", report_id(c->refusals[i].doc), "error",
                                              report_text(c->refusals[i].text)));
    json_object_set_new(out, "refusals", list);
}

json_t *report_plan(const struct compare_source *source, const struct plan *plan)
{
    json_t *collections = json_object();
    for (size_t i = 0; i < source->count; i++) {
        if (!compare_is_asked(source, i)) continue;
        json_t *one = json_object();
        for (size_t a = 0; a < PLAN_ACTION_COUNT; a++)
            json_object_set_new(one, plan_action_name((enum plan_action)a),
                                action(&plan->collections[i], (enum plan_action)a));
        put_refusals(one, &plan->collections[i]);
        if (plan->collections[i].misfit)
            json_object_set_new(one, "doesNotFit", report_text(plan->collections[i].misfit));
        json_object_set_new(collections, source->names[i], one);
    }
    return json_pack("{s:I,s:o}", "documents", (json_int_t)plan->documents, "collections", collections);
}

json_t *report_target(const char *collection, const char *doc, enum plan_action a, enum plan_reason reason,
                      const char *detail)
{
    json_t *out = json_pack("{s:o,s:s,s:s,s:s}", "id", report_id(doc), "collection", collection, "action",
                            plan_action_name(a), "reason", plan_reason_name(reason));
    if (detail) json_object_set_new(out, "error", report_text(detail));
    return out;
}

/* ---- verify ---- */

static json_t *counts(const struct verify_counts *c)
{
    json_t *out = json_pack("{s:I,s:I,s:I}", "inStep", (json_int_t)c->in_sync, "refused",
                            (json_int_t)c->refused, "pointsOfOthers", (json_int_t)c->others);
    for (size_t k = 0; k < VERIFY_KIND_COUNT; k++)
        json_object_set_new(out, verify_kind_name((enum verify_kind)k),
                            json_integer((json_int_t)c->found[k]));
    return out;
}

json_t *report_verify(const struct compare_source *source, const struct verify_report *report, json_t *list)
{
    json_t *collections = json_object();
    for (size_t i = 0; i < source->count; i++)
        if (compare_is_asked(source, i))
            json_object_set_new(collections, source->names[i], counts(&report->collections[i]));
    json_t *out = json_pack("{s:I,s:I,s:I,s:o}", "documents", (json_int_t)report->documents, "points",
                            (json_int_t)report->points, "findings", (json_int_t)report->findings,
                            "collections", collections);
    if (list) json_object_set(out, "list", list);
    return out;
}

json_t *report_finding(const char *collection, const struct verify_finding *f)
{
    return json_pack("{s:s,s:s,s:o,s:s,s:o}", "kind", verify_kind_name(f->kind), "collection", collection,
                     "id", report_text(f->id), "pointId", f->point_id, "detail", report_text(f->detail));
}

/* ---- forget ---- */

json_t *report_forget(const char *name, const struct forget_sum *done)
{
    char detail[400];
    bool kept = forget_keeps(done, detail, sizeof detail);
    return json_pack("{s:s,s:I,s:I,s:b,s:I,s:o}", "collection", name, "entries", (json_int_t)done->entries,
                     "points", (json_int_t)done->points, "collectionDeleted", done->exists, "pointsOfOthers",
                     (json_int_t)done->others, "kept", kept ? report_text(detail) : json_null());
}

/* ---- problems ---- */

json_t *report_problem(const struct problem *p)
{
    struct buf id;
    buf_init(&id, 0);
    buf_puts(&id, p->code);
    if (p->collection) buf_printf(&id, ":%s", p->collection);
    if (p->subject) buf_printf(&id, ":%s", p->subject);
    buf_putc(&id, '\0');
    json_t *out =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "severity", p->error ? "error" : "warning", "code",
                  p->code, "id", report_text(id.failed ? p->code : id.data), "collection",
                  p->collection ? json_string(p->collection) : json_null(), "since",
                  report_date(p->since_wall_ms), "text", report_text(p->text), "cure", report_text(p->cure));
    buf_fini(&id);
    return out;
}
