/* answers_document.c - one document's state, and the retry of one or several. */
#include <stdlib.h>

#include "api/call.h"
#include "api/shape.h"
#include "base/clock.h"
#include "service/lookup.h"
#include "service/report.h"

#define RETRY_WAIT_MS 60000 /* for one, or all of a batch */
#define MOST_IDS 50

/* `/api/sync/SOURCE/ID...`: the source, and the document (to be freed) by what stands after it. NULL:
 * answered.
 */
static const struct service_source *find(struct call *call, struct source_document *doc)
{
    const struct service_source *source = call_source_segment(call, 2);
    struct lks_err err;
    if (!source) return NULL;
    if (lookup_document(source, call->segments[3], doc, &err) == LKS_E_OK) return source;
    call_fail_err(call, &err);
    return NULL;
}

void answer_entry(struct call *call)
{
    const struct service_source *source = call_source_segment(call, 2);
    struct source_document doc;
    struct lks_err err;
    if (!source) return;
    if (lookup_document(source, call->segments[3], &doc, &err) != LKS_E_OK) {
        call_fail_err(call, &err);
        return;
    }
    call_json(call, 200, shape_entry(source, &doc));
    source_document_fini(&doc);
}

/* ---- retry ---- */

struct retry_request {
    uint64_t collections;
    bool force;
};

static bool read_request(struct call *call, const json_t *body, const struct service_source *source,
                         struct retry_request *request)
{
    const json_t *force = json_object_get(body, "force");
    if (!call_collections(call, source, json_object_get(body, "collections"), &request->collections))
        return false;
    request->force = json_is_true(force);
    if (!force || json_is_boolean(force)) return true;
    call_fail(call, 400, "BAD_REQUEST", "`force` takes true or false");
    return false;
}

/* Waits for what becomes of one document; NULL: it could not be done, and `err` says why. */
static json_t *resync(struct call *call, const struct service_source *source,
                      const struct source_document *doc, const struct retry_request *request, int64_t wait_ms,
                      struct lks_err *err)
{
    struct control_answer answer;
    json_t *out = NULL;
    enum lks_code code = control_resync(call->service->control, call_source_index(call, source), doc->id,
                                        request->collections, request->force, wait_ms, &answer, err);
    if (code == LKS_E_OK && answer.gone) {
        lks_fail(err, LKS_E_NOT_FOUND, "the document was deleted meanwhile");
    } else if (code == LKS_E_OK) {
        char *id = lookup_id(source, doc);
        struct engine_resynced resynced = {
            .id = doc->id, .overall = answer.overall, .outcomes = answer.outcomes, .count = answer.count};
        out = report_resynced(source->all.names, id, &resynced);
        free(id);
    }
    control_answer_fini(&answer);
    return out;
}

void answer_retry(struct call *call)
{
    struct source_document doc;
    struct retry_request request;
    struct lks_err err;
    const struct service_source *source = find(call, &doc);
    if (!source) return;
    json_t *body = call_object(call);
    if (body && read_request(call, body, source, &request)) {
        json_t *answer = resync(call, source, &doc, &request, RETRY_WAIT_MS, &err);
        if (answer)
            call_json(call, 200, answer);
        else
            call_fail_err(call, &err);
    }
    json_decref(body);
    source_document_fini(&doc);
}

/* ---- several ---- */

static bool read_ids(struct call *call, const json_t *ids)
{
    size_t i;
    json_t *id;
    if (json_array_size(ids) < 1 || json_array_size(ids) > MOST_IDS) {
        call_fail(call, 400, "BAD_REQUEST", "`toolIds` takes a list of 1 to %d ids", MOST_IDS);
        return false;
    }
    json_array_foreach(ids, i, id)
    {
        if (json_is_string(id)) continue;
        call_fail(call, 400, "BAD_REQUEST", "toolIds[%zu] is no string", i);
        return false;
    }
    return true;
}

/* One of several: what is wrong with it is in its own result, and stops no other. */
static json_t *resync_one(struct call *call, const struct service_source *source, const char *id,
                          const struct retry_request *request, int64_t until_ms)
{
    struct source_document doc;
    struct lks_err err;
    json_t *out = NULL;
    int64_t left = until_ms - clock_ms();
    if (lookup_document(source, id, &doc, &err) == LKS_E_OK) {
        out = resync(call, source, &doc, request, left > 0 ? left : 0, &err);
        source_document_fini(&doc);
    }
    return out ? out : report_untouched(id, &err);
}

void answer_batch(struct call *call)
{
    const struct service_source *source = call_source(call);
    struct retry_request request;
    json_t *body = source ? call_object(call) : NULL, *id;
    const json_t *ids = json_object_get(body, "toolIds");
    size_t i;
    if (body && read_ids(call, ids) && read_request(call, body, source, &request)) {
        json_t *results = json_array();
        int64_t until_ms = clock_ms() + RETRY_WAIT_MS;
        json_array_foreach(ids, i, id) json_array_append_new(
            results, resync_one(call, source, json_string_value(id), &request, until_ms));
        call_json(call, 200, json_pack("{s:o}", "results", results));
    }
    json_decref(body);
}
