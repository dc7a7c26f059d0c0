/* plan.c - see plan.h. Decides by the engine's own rules (engine/rules/classify.h). */
#include "service/plan.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *plan_action_name(enum plan_action action)
{
    static const char *const names[PLAN_ACTION_COUNT] = {"embed", "rewrite", "delete", "unchanged",
                                                         "refused"};
    return names[action];
}

const char *plan_reason_name(enum plan_reason reason)
{
    static const char *const names[PLAN_REASON_COUNT] = {[PLAN_NO_REASON] = "",
                                                         [PLAN_NEW] = "new",
                                                         [PLAN_TEXT] = "text changed",
                                                         [PLAN_MODEL] = "model changed",
                                                         [PLAN_PAYLOAD] = "payload changed",
                                                         [PLAN_ID] = "id changed",
                                                         [PLAN_FAILED] = "failed before",
                                                         [PLAN_MISSING] = "point missing",
                                                         [PLAN_NO_COLLECTION] = "collection missing",
                                                         [PLAN_FOREIGN] = "somebody else's point",
                                                         [PLAN_FORCED] = "forced",
                                                         [PLAN_GONE] = "document gone",
                                                         [PLAN_STALE_POINT] = "no longer its point",
                                                         [PLAN_INVALID] = "not valid"};
    return names[reason];
}

static void count(const struct plan_request *request, struct plan *plan, size_t collection, const char *doc,
                  enum plan_action action, enum plan_reason reason)
{
    struct plan_counts *c = &plan->collections[collection];
    c->by_action[action]++;
    c->by_reason[action][reason]++;
    if (request->target && action != PLAN_UNCHANGED)
        request->target(request->self, collection, doc, action, reason, NULL);
}

static void count_refused(const struct plan_request *request, struct plan *plan, size_t collection,
                          const struct compare_wanted *wanted)
{
    struct plan_counts *c = &plan->collections[collection];
    c->by_action[PLAN_REFUSED]++;
    c->by_reason[PLAN_REFUSED][PLAN_INVALID]++;
    if (request->target)
        request->target(request->self, collection, wanted->doc, PLAN_REFUSED, PLAN_INVALID, wanted->err.text);
    if (c->refusal_count == PLAN_REFUSALS) return;
    struct plan_refusal refusal = {.doc = strdup(wanted->doc), .text = strdup(wanted->err.text)};
    if (refusal.doc && refusal.text) {
        c->refusals[c->refusal_count++] = refusal;
        return;
    }
    free(refusal.doc);
    free(refusal.text);
}

/* ---- documents ---- */

/* The record's hash is another one than the document and the model make. */
static bool is_other_content(const struct compare_wanted *wanted, const struct entry *entry)
{
    return entry->present && entry->content_hash[0] && wanted->point &&
           strcmp(entry->content_hash, wanted->content_hash) != 0;
}

static enum plan_reason embed_reason(const struct compare_wanted *wanted, const struct entry *entry,
                                     const struct stamp *point, bool looked, bool exists, bool other_model)
{
    if (!exists) return PLAN_NO_COLLECTION;
    if (!entry->present || (entry->status == SYNC_PENDING && !entry->point_id[0])) return PLAN_NEW;
    if (entry->point_id[0] && strcmp(entry->point_id, wanted->point_id) != 0) return PLAN_ID;
    if (is_other_content(wanted, entry)) return other_model ? PLAN_MODEL : PLAN_TEXT;
    if (looked && point && !point->ours) return PLAN_FOREIGN;
    if (entry->status != SYNC_SYNCED) return PLAN_FAILED;
    return looked && !point ? PLAN_MISSING : PLAN_TEXT;
}

static void judge(const struct plan_request *request, struct plan *plan, size_t collection,
                  const struct compare_wanted *wanted, const struct entry *entry, const struct stamp *point,
                  bool exists, bool other_model)
{
    const struct wanted w = {.point = wanted->point,
                             .point_id = wanted->point_id,
                             .content_hash = wanted->content_hash,
                             .payload_hash = wanted->payload_hash,
                             .doc = wanted->doc};
    if (wanted->refused) {
        count_refused(request, plan, collection, wanted);
        return;
    }
    if (!wanted->point) { /* a point that it had is found among the points */
        count(request, plan, collection, wanted->doc, PLAN_UNCHANGED, PLAN_NO_REASON);
        return;
    }
    bool looked = classify_needs_stamp(&w, entry, request->verify_points || !exists);
    enum action action = looked ? classify_by_stamp(&w, point) : classify_by_entry(&w, entry);
    if (action == ACTION_EMBED)
        count(request, plan, collection, wanted->doc, PLAN_EMBED,
              embed_reason(wanted, entry, point, looked, exists, other_model));
    else if (request->force || classify_is_reset(entry))
        count(request, plan, collection, wanted->doc, PLAN_EMBED, PLAN_FORCED);
    else if (action == ACTION_PAYLOAD)
        count(request, plan, collection, wanted->doc, PLAN_REWRITE, PLAN_PAYLOAD);
    else
        count(request, plan, collection, wanted->doc, PLAN_UNCHANGED, PLAN_NO_REASON);
}

/* A point says which model its vector is of. */
static bool is_of_other_model(const struct qdrant_point *point, const char *fingerprint)
{
    json_t *payload = json_loads(point->payload, 0, NULL);
    const char *model = json_string_value(json_object_get(json_object_get(payload, "_lockstep"), "model"));
    bool other = model && strcmp(model, fingerprint) != 0;
    json_decref(payload);
    return other;
}

/* Of which documents with another content is the vector of another model? Where the text changed as well, it
 * would be embedded all the same, so that is what is reported. */
static enum lks_code find_models(const struct plan_request *request, size_t collection,
                                 const struct source_document *docs, const struct compare_wanted *wanted,
                                 size_t doc_count, bool *other_model, struct lks_err *err)
{
    const char **ids = calloc(doc_count + 1, sizeof *ids);
    size_t id_count = 0;
    struct qdrant_points found = {.count = 0};
    if (!ids) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < doc_count; i++) {
        if (!docs[i].body) continue;
        const struct entry *entry = &docs[i].record.entries[collection];
        if (entry->point_id[0] && is_other_content(&wanted[i], entry)) ids[id_count++] = entry->point_id;
    }
    enum lks_code code = LKS_E_OK;
    if (id_count)
        code = qdrant_retrieve(request->source.qdrant, collection, ids, id_count, false, &found, err);
    const char *fingerprint = request->source.collections[collection]->fingerprint;
    for (size_t k = 0; k < found.count && !code; k++) {
        if (!is_of_other_model(&found.items[k], fingerprint)) continue;
        for (size_t i = 0; i < doc_count; i++)
            if (docs[i].body && !strcmp(docs[i].record.entries[collection].point_id, found.items[k].id))
                other_model[i] = true;
    }
    qdrant_points_fini(&found);
    free(ids);
    return code == LKS_E_NOT_FOUND ? LKS_E_OK : code;
}

static enum lks_code plan_documents_in(const struct plan_request *request, struct plan *plan,
                                       size_t collection, const struct source_document *docs,
                                       size_t doc_count, struct lks_err *err)
{
    struct compare_wanted *wanted = calloc(doc_count + 1, sizeof *wanted);
    bool *other_model = calloc(doc_count + 1, sizeof *other_model);
    struct stamp *found = NULL;
    size_t found_count = 0;
    bool exists = true;
    enum lks_code code = wanted && other_model ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < doc_count && !code; i++)
        if (!compare_want(&request->source, collection, &docs[i], &wanted[i]))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (!code)
        code = compare_look(&request->source, collection, wanted, doc_count, false, &found, &found_count,
                            &exists, err);
    if (!code && exists) code = find_models(request, collection, docs, wanted, doc_count, other_model, err);
    for (size_t i = 0; i < doc_count && !code; i++)
        if (docs[i].body)
            judge(request, plan, collection, &wanted[i], &docs[i].record.entries[collection],
                  compare_find(found, found_count, wanted[i].point_id), exists, other_model[i]);
    qdrant_stamps_free(found, found_count);
    compare_wanted_free(wanted, wanted ? doc_count : 0);
    free(other_model);
    return code;
}

static enum lks_code plan_documents(const struct plan_request *request, struct plan *plan,
                                    const struct source_document *docs, size_t doc_count, struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    for (size_t i = 0; i < request->source.count && !code; i++)
        if (compare_is_asked(&request->source, i))
            code = plan_documents_in(request, plan, i, docs, doc_count, err);
    for (size_t i = 0; i < doc_count; i++)
        if (docs[i].body) plan->documents++;
    return code;
}

static enum lks_code go_on(const struct plan_request *request, const char *noun, uint64_t done, int64_t total,
                           struct lks_err *err)
{
    if (!request->progress || request->progress(request->self, noun, done, total)) return LKS_E_OK;
    return lks_fail(err, LKS_E_CANCELLED, "stopped");
}

static enum lks_code all_documents(const struct plan_request *request, struct plan *plan, struct lks_err *err)
{
    struct docid *from = NULL;
    bool end = false;
    enum lks_code code = LKS_E_OK;
    while (!end && !code) {
        struct mongo_page page;
        code = mongo_page(request->source.mongo, from, COMPARE_PAGE_DOCS, COMPARE_PAGE_BYTES, &page, err);
        if (code) break;
        code = plan_documents(request, plan, page.docs, page.count, err);
        end = page.end || page.count == 0;
        docid_free(from);
        from = page.count ? docid_copy(page.docs[page.count - 1].id) : NULL;
        if (!end && !from && !code) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        mongo_docs_free(page.docs, page.count);
        if (!code) code = go_on(request, "documents", plan->documents, page.total_estimate, err);
    }
    docid_free(from);
    return code;
}

/* ---- points ---- */

static enum lks_code plan_page(const struct plan_request *request, struct plan *plan, size_t collection,
                               const struct stamp *found, size_t found_count, struct lks_err *err)
{
    enum compare_point *verdicts = calloc(found_count + 1, sizeof *verdicts);
    if (!verdicts) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code code = compare_points(&request->source, collection, found, found_count, verdicts, err);
    for (size_t i = 0; i < found_count && !code; i++)
        if (verdicts[i] != COMPARE_POINT_RIGHT)
            count(request, plan, collection, found[i].doc, PLAN_DELETE,
                  verdicts[i] == COMPARE_POINT_ORPHAN ? PLAN_GONE : PLAN_STALE_POINT);
    free(verdicts);
    return code;
}

/* All points, or those made from `docs` (`_lockstep.doc`). */
static enum lks_code plan_points(const struct plan_request *request, struct plan *plan, size_t collection,
                                 const char *const *docs, size_t doc_count, struct lks_err *err)
{
    char next[POINT_ID_BYTES] = "";
    uint64_t seen = 0;
    enum lks_code code;
    do {
        struct stamp *found;
        size_t found_count;
        code = qdrant_page(request->source.qdrant, collection, docs, doc_count, next, COMPARE_PAGE_POINTS,
                           &found, &found_count, next, err);
        if (code == LKS_E_NOT_FOUND) return LKS_E_OK; /* no collection, no points */
        if (code) return code;
        code = plan_page(request, plan, collection, found, found_count, err);
        seen += found_count;
        qdrant_stamps_free(found, found_count);
        if (!code && !docs) code = go_on(request, "points", seen, -1, err);
    } while (next[0] && !code);
    return code;
}

/* Those of the documents named, a few at a time. */
static enum lks_code named_documents(const struct plan_request *request, struct plan *plan,
                                     struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    for (size_t first = 0; first < request->id_count && !code; first += COMPARE_PAGE_DOCS) {
        size_t n =
            request->id_count - first < COMPARE_PAGE_DOCS ? request->id_count - first : COMPARE_PAGE_DOCS;
        struct source_document *docs = NULL;
        char **texts = calloc(n + 1, sizeof *texts);
        if (!texts) return lks_fail(err, LKS_E_NOMEM, "out of memory");
        for (size_t i = 0; i < n && !code; i++)
            if (!(texts[i] = docid_json(request->ids[first + i])))
                code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        if (!code) code = mongo_read(request->source.mongo, request->ids + first, n, &docs, err);
        if (!code) code = plan_documents(request, plan, docs, n, err);
        for (size_t i = 0; i < request->source.count && !code; i++)
            if (compare_is_asked(&request->source, i))
                code = plan_points(request, plan, i, (const char *const *)texts, n, err);
        mongo_docs_free(docs, docs ? n : 0);
        for (size_t i = 0; i < n; i++) free(texts[i]);
        free(texts);
    }
    return code;
}

/* ---- sizes ---- */

/* Would Qdrant take the vectors? A model that cannot be asked is no reason to plan nothing. */
static enum lks_code find_misfit(const struct plan_request *request, struct plan *plan, size_t collection,
                                 struct lks_err *err)
{
    struct lks_err ignored;
    size_t dimensions = 0;
    if (!request->embedders ||
        embed_dimensions(request->embedders, request->embedder_of[collection], &dimensions, &ignored))
        return LKS_E_OK;
    enum lks_code code = qdrant_fits(request->source.qdrant, collection, dimensions, err);
    if (code != LKS_E_QDRANT_REJECTED) return code;
    plan->collections[collection].misfit = strdup(err->text);
    return plan->collections[collection].misfit ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
}

enum lks_code plan_make(const struct plan_request *request, struct plan *plan, struct lks_err *err)
{
    *plan = (struct plan){.collections = calloc(request->source.count + 1, sizeof *plan->collections)};
    if (!plan->collections) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    plan->collection_count = request->source.count;
    enum lks_code code = LKS_E_OK;
    for (size_t i = 0; i < request->source.count && !code; i++)
        if (compare_is_asked(&request->source, i)) code = find_misfit(request, plan, i, err);
    if (code) {
        plan_fini(plan);
        return code;
    }
    if (request->ids) {
        code = named_documents(request, plan, err);
    } else {
        code = all_documents(request, plan, err);
        for (size_t i = 0; i < request->source.count && !code; i++)
            if (compare_is_asked(&request->source, i)) code = plan_points(request, plan, i, NULL, 0, err);
    }
    if (code) plan_fini(plan);
    return code;
}

void plan_fini(struct plan *plan)
{
    for (size_t i = 0; i < plan->collection_count; i++) {
        struct plan_counts *c = &plan->collections[i];
        for (size_t k = 0; k < c->refusal_count; k++) {
            free(c->refusals[k].doc);
            free(c->refusals[k].text);
        }
        free(c->misfit);
    }
    free(plan->collections);
    *plan = (struct plan){.documents = 0};
}
