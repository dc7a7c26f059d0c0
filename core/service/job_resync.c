/*
 * job_resync.c - see job_touch.h. Keeps a bounded number of documents with the engine at a time; those that
 * are with it when the job is stopped go on.
 */
#include "service/job_touch.h"

#include <stdlib.h>

#include "service/lookup.h"
#include "service/report.h"

#define AT_A_TIME 64
#define PAGE_IDS 256
#define WAIT_MS 50

/* A document that the engine has. */
struct slot {
    bool used;
    struct docid *id;
    char *name; /* as a person calls it */
    struct control_order order;
};

struct touching {
    struct job *job;
    const struct service_source *source;
    struct slot slots[AT_A_TIME];
    size_t used;
    size_t next;         /* of the ids that were named */
    struct docid **page; /* owned: of those that failed, the next ones */
    size_t page_count, page_next;
    struct docid *from; /* the next page begins after it */
    bool end;           /* there are no more */
    uint64_t done, failed;
    json_t *good, *bad; /* outcomes */
    struct lks_err err; /* with a code: it can't go on */
};

static void note(struct touching *t, json_t *outcome)
{
    bool success = json_is_true(json_object_get(outcome, "success"));
    json_t *list = success ? t->good : t->bad;
    t->done++;
    t->failed += !success;
    if (json_array_size(list) < JOBS_LISTED)
        json_array_append_new(list, outcome);
    else
        json_decref(outcome);
}

static void note_error(struct touching *t, const char *name, const struct lks_err *err)
{
    note(t, report_untouched(name, err));
}

/* ---- in ---- */

static struct slot *free_slot(struct touching *t)
{
    for (size_t i = 0; i < AT_A_TIME; i++)
        if (!t->slots[i].used) return &t->slots[i];
    return NULL;
}

/* Takes the strings over. */
static void hand_over(struct touching *t, struct docid *id, char *name)
{
    const struct job_request *request = &t->job->request;
    struct slot *slot = free_slot(t);
    if (!slot || !id || !name) {
        docid_free(id);
        free(name);
        lks_fail(&t->err, LKS_E_NOMEM, "out of memory");
        return;
    }
    slot->used = true;
    slot->id = id;
    slot->name = name;
    t->used++;
    control_order_resync(job_config(t->job)->service->control, &slot->order, request->source, id,
                         request->collections, request->force);
}

static bool is_with_engine(const struct touching *t, const struct docid *id)
{
    for (size_t i = 0; i < AT_A_TIME; i++)
        if (t->slots[i].used && docid_equal(t->slots[i].id, id)) return true;
    return false;
}

/* The next one that was named. What is named twice in a row is done once. */
static void feed_named(struct touching *t)
{
    const char *name = json_string_value(json_array_get(t->job->request.ids, t->next++));
    struct source_document doc;
    struct lks_err err;
    if (t->next == json_array_size(t->job->request.ids)) t->end = true;
    enum lks_code code = lookup_document(t->source, name, &doc, &err);
    if (code == LKS_E_NOT_FOUND || code == LKS_E_AMBIGUOUS) {
        note_error(t, name, &err);
    } else if (code) {
        t->err = err;
    } else {
        if (!is_with_engine(t, doc.id)) hand_over(t, docid_copy(doc.id), lookup_id(t->source, &doc));
        source_document_fini(&doc);
    }
}

static void next_page(struct touching *t)
{
    bool wanted[ENGINE_MAX_COLLECTIONS], end = false;
    uint64_t only = t->job->request.collections;
    for (size_t i = 0; i < t->source->all.count; i++) wanted[i] = !only || (only >> i & 1);
    mongo_ids_free(t->page, t->page_count);
    t->page = NULL;
    t->page_next = t->page_count = 0;
    if (mongo_failed_ids(t->source->all.mongo, wanted, t->from, PAGE_IDS, &t->page, &t->page_count, &end,
                         &t->err) != LKS_E_OK)
        return;
    t->end = t->page_count == 0;
    if (t->end) return;
    docid_free(t->from);
    t->from = docid_copy(t->page[t->page_count - 1]);
    if (!t->from) lks_fail(&t->err, LKS_E_NOMEM, "out of memory");
}

static void feed_failed(struct touching *t)
{
    if (t->page_next == t->page_count) next_page(t);
    if (t->end || t->err.code) return;
    const struct docid *id = t->page[t->page_next++];
    struct source_document *doc = NULL;
    if (mongo_read(t->source->all.mongo, &id, 1, &doc, &t->err) != LKS_E_OK) return;
    hand_over(t, docid_copy(id), lookup_id(t->source, doc));
    mongo_docs_free(doc, 1);
}

/* ---- out ---- */

static void take_back(struct touching *t, struct slot *slot, bool over)
{
    struct control *control = job_config(t->job)->service->control;
    const struct control_order *o = &slot->order;
    if (over && o->err.code == LKS_E_LEASE) {
        t->err = o->err;
    } else if (over && o->err.code) {
        note_error(t, slot->name, &o->err);
    } else if (over) {
        struct engine_resynced resynced = {.id = slot->id,
                                           .gone = o->answer.gone,
                                           .overall = o->answer.overall,
                                           .outcomes = o->answer.outcomes,
                                           .count = o->answer.count};
        note(t, report_resynced(t->source->all.names, slot->name, &resynced));
    }
    control_order_fini(control, &slot->order);
    docid_free(slot->id);
    free(slot->name);
    *slot = (struct slot){.used = false};
    t->used--;
}

static void harvest(struct touching *t)
{
    struct control *control = job_config(t->job)->service->control;
    int64_t wait_ms = WAIT_MS; /* for the first one; the others are over or not */
    for (size_t i = 0; i < AT_A_TIME; i++) {
        if (!t->slots[i].used) continue;
        if (control_ordered(control, &t->slots[i].order, wait_ms)) take_back(t, &t->slots[i], true);
        wait_ms = 0;
    }
}

/* ---- all together ---- */

static void fini(struct touching *t)
{
    for (size_t i = 0; i < AT_A_TIME; i++)
        if (t->slots[i].used) take_back(t, &t->slots[i], false);
    mongo_ids_free(t->page, t->page_count);
    docid_free(t->from);
    json_decref(t->good);
    json_decref(t->bad);
    free(t);
}

static json_t *sum_up(struct touching *t)
{
    json_t *results = json_array(), *one;
    size_t i;
    json_array_extend(results, t->bad);
    json_array_foreach(t->good, i, one)
    {
        if (json_array_size(results) < JOBS_LISTED) json_array_append(results, one);
    }
    return json_pack("{s:I, s:I, s:o}", "documents", (json_int_t)t->done, "failed", (json_int_t)t->failed,
                     "results", results);
}

enum lks_code job_resync(struct job *job, json_t **result, const char **named, struct lks_err *err)
{
    struct touching *t = calloc(1, sizeof *t);
    if (!t) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    t->job = job;
    t->source = &job_config(job)->service->sources[job->request.source];
    t->good = json_array();
    t->bad = json_array();
    int64_t total = job->request.ids ? (int64_t)json_array_size(job->request.ids) : -1;
    bool go_on = true;
    while (go_on && !t->err.code && (!t->end || t->used)) {
        while (!t->end && !t->err.code && t->used < AT_A_TIME) {
            if (job->request.ids)
                feed_named(t);
            else
                feed_failed(t);
        }
        harvest(t);
        go_on = job_progress(job, "documents", t->done, total);
    }
    *result = sum_up(t);
    *err = t->err;
    if (!err->code && !go_on) job_ended(job, err);
    if (!err->code && t->failed) {
        *named = "NOT_IN_STEP";
        lks_fail(err, LKS_E_UNKNOWN, "%llu documents failed", (unsigned long long)t->failed);
    }
    fini(t);
    return err->code;
}
