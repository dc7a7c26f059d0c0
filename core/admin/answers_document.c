/* answers_document.c - one document's state, and its retry. */
#include <stdlib.h>

#include "admin/call.h"
#include "admin/shape.h"
#include "service/lookup.h"

#define RETRY_WAIT_MS 60000

/* `/api/sync/SOURCE/ID...`: the source, and the document (to be freed) by what stands after it. NULL:
 * answered.
 */
static const struct service_source *find(struct call *call, struct source_doc *doc)
{
    const struct service_source *source = call_source_part(call, 2);
    struct lks_err err;
    if (!source) return NULL;
    if (lookup_document(source, call->parts[3], doc, &err) == LKS_E_OK) return source;
    call_fail_err(call, &err);
    return NULL;
}

void answer_entry(struct call *call)
{
    struct source_doc doc;
    const struct service_source *source = find(call, &doc);
    if (!source) return;
    call_json(call, 200, shape_entry(source, &doc));
    source_doc_fini(&doc);
}

/* ---- retry ---- */

struct retry_wish {
    uint64_t collections;
    bool force;
};

static bool read_wish(struct call *call, const struct service_source *source, struct retry_wish *wish)
{
    json_t *body = call_object(call);
    if (!body) return false;
    const json_t *force = json_object_get(body, "force");
    bool good = call_collections(call, source, json_object_get(body, "collections"), &wish->collections);
    if (good && force && !json_is_boolean(force)) {
        call_fail(call, 400, "BAD_REQUEST", "`force` takes true or false");
        good = false;
    }
    wish->force = json_is_true(force);
    json_decref(body);
    return good;
}

static json_t *shape_outcome(const char *name, const struct engine_outcome *o)
{
    json_t *out = json_pack("{s:s, s:b, s:I}", "collection", name, "success", o->success, "duration",
                            (json_int_t)o->duration_ms);
    if (o->success && o->action == ACTION_NONE) {
        json_object_set_new(out, "skipped", json_true());
        json_object_set_new(out, "reason", json_string("the point is what the document calls for"));
    }
    if (!o->success) {
        json_object_set_new(out, "error", o->text ? shape_text(o->text) : json_string("not done"));
        json_object_set_new(out, "errorCode", json_string(lks_code_name(o->error)));
    }
    return out;
}

static json_t *shape_answer(const struct service_source *source, const char *id,
                            const struct control_answer *answer)
{
    json_t *collections = json_array();
    int64_t total = 0;
    bool success = true;
    for (size_t i = 0; i < answer->count; i++) {
        const struct engine_outcome *o = &answer->outcomes[i];
        if (!o->asked) continue;
        success &= o->success;
        if (o->duration_ms > total) total = o->duration_ms; /* they go side by side */
        json_array_append_new(collections, shape_outcome(source->all.names[i], o));
    }
    return json_pack("{s:o, s:b, s:I, s:s, s:o}", "toolId", shape_text(id), "success", success,
                     "totalDuration", (json_int_t)total, "overallStatus", sync_status_name(answer->overall),
                     "collections", collections);
}

static void retry(struct call *call, const struct service_source *source, const struct source_doc *doc)
{
    struct retry_wish wish;
    struct control_answer answer;
    struct lks_err err;
    if (!read_wish(call, source, &wish)) return;
    if (control_touch(call->service->control, call_source_index(call, source), doc->id, wish.collections,
                      wish.force, RETRY_WAIT_MS, &answer, &err) != LKS_E_OK) {
        call_fail_err(call, &err);
    } else if (answer.gone) {
        call_fail(call, 404, "NOT_FOUND", "the document was deleted meanwhile");
    } else {
        char *id = lookup_id(source, doc);
        call_json(call, 200, shape_answer(source, id, &answer));
        free(id);
    }
    control_answer_fini(&answer);
}

void answer_retry(struct call *call)
{
    struct source_doc doc;
    const struct service_source *source = find(call, &doc);
    if (!source) return;
    retry(call, source, &doc);
    source_doc_fini(&doc);
}
