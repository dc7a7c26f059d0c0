/* plan.c - see plan.h. Decides by the engine's own rules (engine/classify.h). */
#include "service/plan.h"

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
                                                         [PLAN_PAYLOAD] = "payload changed",
                                                         [PLAN_ID] = "id changed",
                                                         [PLAN_FAILED] = "failed before",
                                                         [PLAN_MISSING] = "point missing",
                                                         [PLAN_NO_COLLECTION] = "collection missing",
                                                         [PLAN_FOREIGN] = "somebody else's point",
                                                         [PLAN_FORCED] = "forced",
                                                         [PLAN_GONE] = "document gone",
                                                         [PLAN_STRAY] = "no longer its point",
                                                         [PLAN_INVALID] = "not valid"};
    return names[reason];
}

static void count(const struct plan_wish *wish, struct plan *plan, size_t collection, const char *doc,
                  enum plan_action action, enum plan_reason reason)
{
    struct plan_counts *c = &plan->collections[collection];
    c->by_action[action]++;
    c->by_reason[action][reason]++;
    if (wish->part && action != PLAN_UNCHANGED) wish->part(wish->self, collection, doc, action, reason);
}

/* ---- documents ---- */

static enum plan_reason why_embed(const struct compare_wanted *wanted, const struct entry *entry,
                                  const struct witness *point, bool looked, bool exists)
{
    if (!exists) return PLAN_NO_COLLECTION;
    if (!entry->present || (entry->status == SYNC_PENDING && !entry->point_id[0])) return PLAN_NEW;
    if (entry->point_id[0] && strcmp(entry->point_id, wanted->point_id) != 0) return PLAN_ID;
    if (entry->content_hash[0] && strcmp(entry->content_hash, wanted->content_hash) != 0) return PLAN_TEXT;
    if (looked && point && !point->ours) return PLAN_FOREIGN;
    if (entry->status != SYNC_SYNCED) return PLAN_FAILED;
    return looked && !point ? PLAN_MISSING : PLAN_TEXT;
}

static void judge(const struct plan_wish *wish, struct plan *plan, size_t collection,
                  const struct compare_wanted *wanted, const struct entry *entry, const struct witness *point,
                  bool exists)
{
    const struct wanted w = {.point = wanted->point,
                             .point_id = wanted->point_id,
                             .content_hash = wanted->content_hash,
                             .payload_hash = wanted->payload_hash,
                             .doc = wanted->doc};
    if (wanted->refused) {
        count(wish, plan, collection, wanted->doc, PLAN_REFUSED, PLAN_INVALID);
        return;
    }
    if (!wanted->point) { /* a point that it had is found among the points */
        count(wish, plan, collection, wanted->doc, PLAN_UNCHANGED, PLAN_NO_REASON);
        return;
    }
    bool looked = classify_needs_witness(&w, entry, wish->doubt || !exists);
    enum action action = looked ? classify_by_witness(&w, point) : classify_by_entry(&w, entry);
    if (action == ACTION_EMBED)
        count(wish, plan, collection, wanted->doc, PLAN_EMBED,
              why_embed(wanted, entry, point, looked, exists));
    else if (wish->force || classify_is_reset(entry))
        count(wish, plan, collection, wanted->doc, PLAN_EMBED, PLAN_FORCED);
    else if (action == ACTION_PAYLOAD)
        count(wish, plan, collection, wanted->doc, PLAN_REWRITE, PLAN_PAYLOAD);
    else
        count(wish, plan, collection, wanted->doc, PLAN_UNCHANGED, PLAN_NO_REASON);
}

static enum lks_code plan_documents_in(const struct plan_wish *wish, struct plan *plan, size_t collection,
                                       const struct source_doc *docs, size_t doc_count, struct lks_err *err)
{
    struct compare_wanted *wanted = calloc(doc_count + 1, sizeof *wanted);
    struct witness *found = NULL;
    size_t found_count = 0;
    bool exists = true;
    enum lks_code code = wanted ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < doc_count && !code; i++)
        if (!compare_want(&wish->source, collection, &docs[i], &wanted[i]))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (!code)
        code = compare_look(&wish->source, collection, wanted, doc_count, false, &found, &found_count,
                            &exists, err);
    for (size_t i = 0; i < doc_count && !code; i++)
        if (docs[i].body)
            judge(wish, plan, collection, &wanted[i], &docs[i].record.entries[collection],
                  compare_find(found, found_count, wanted[i].point_id), exists);
    qdrant_witnesses_free(found, found_count);
    compare_wanted_free(wanted, wanted ? doc_count : 0);
    return code;
}

static enum lks_code plan_documents(const struct plan_wish *wish, struct plan *plan,
                                    const struct source_doc *docs, size_t doc_count, struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    for (size_t i = 0; i < wish->source.count && !code; i++)
        if (compare_is_asked(&wish->source, i)) code = plan_documents_in(wish, plan, i, docs, doc_count, err);
    for (size_t i = 0; i < doc_count; i++)
        if (docs[i].body) plan->documents++;
    return code;
}

static enum lks_code go_on(const struct plan_wish *wish, const char *noun, uint64_t done, int64_t total,
                           struct lks_err *err)
{
    if (!wish->progress || wish->progress(wish->self, noun, done, total)) return LKS_E_OK;
    return lks_fail(err, LKS_E_CANCELLED, "stopped");
}

static enum lks_code all_documents(const struct plan_wish *wish, struct plan *plan, struct lks_err *err)
{
    struct docid *from = NULL;
    bool end = false;
    enum lks_code code = LKS_E_OK;
    while (!end && !code) {
        struct mongo_page page;
        code = mongo_page(wish->source.mongo, from, COMPARE_PAGE_DOCS, COMPARE_PAGE_BYTES, &page, err);
        if (code) break;
        code = plan_documents(wish, plan, page.docs, page.count, err);
        end = page.end || page.count == 0;
        docid_free(from);
        from = page.count ? docid_copy(page.docs[page.count - 1].id) : NULL;
        if (!end && !from && !code) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        mongo_docs_free(page.docs, page.count);
        if (!code) code = go_on(wish, "documents", plan->documents, page.total_estimate, err);
    }
    docid_free(from);
    return code;
}

/* ---- points ---- */

static enum lks_code plan_page(const struct plan_wish *wish, struct plan *plan, size_t collection,
                               const struct witness *found, size_t found_count, struct lks_err *err)
{
    enum compare_point *verdicts = calloc(found_count + 1, sizeof *verdicts);
    if (!verdicts) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code code = compare_points(&wish->source, collection, found, found_count, verdicts, err);
    for (size_t i = 0; i < found_count && !code; i++)
        if (verdicts[i] != COMPARE_POINT_RIGHT)
            count(wish, plan, collection, found[i].doc, PLAN_DELETE,
                  verdicts[i] == COMPARE_POINT_ORPHAN ? PLAN_GONE : PLAN_STRAY);
    free(verdicts);
    return code;
}

/* All points, or those made from `docs` (`_lockstep.doc`). */
static enum lks_code plan_points(const struct plan_wish *wish, struct plan *plan, size_t collection,
                                 const char *const *docs, size_t doc_count, struct lks_err *err)
{
    char next[POINT_ID_BYTES] = "";
    uint64_t seen = 0;
    enum lks_code code;
    do {
        struct witness *found;
        size_t found_count;
        code = qdrant_page(wish->source.qdrant, collection, docs, doc_count, next, COMPARE_PAGE_POINTS,
                           &found, &found_count, next, err);
        if (code == LKS_E_NOT_FOUND) return LKS_E_OK; /* no collection, no points */
        if (code) return code;
        code = plan_page(wish, plan, collection, found, found_count, err);
        seen += found_count;
        qdrant_witnesses_free(found, found_count);
        if (!code && !docs) code = go_on(wish, "points", seen, -1, err);
    } while (next[0] && !code);
    return code;
}

/* Those of the documents named, a few at a time. */
static enum lks_code named_documents(const struct plan_wish *wish, struct plan *plan, struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    for (size_t first = 0; first < wish->id_count && !code; first += COMPARE_PAGE_DOCS) {
        size_t n = wish->id_count - first < COMPARE_PAGE_DOCS ? wish->id_count - first : COMPARE_PAGE_DOCS;
        struct source_doc *docs = NULL;
        char **texts = calloc(n + 1, sizeof *texts);
        if (!texts) return lks_fail(err, LKS_E_NOMEM, "out of memory");
        for (size_t i = 0; i < n && !code; i++)
            if (!(texts[i] = docid_json(wish->ids[first + i])))
                code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        if (!code) code = mongo_read(wish->source.mongo, wish->ids + first, n, &docs, err);
        if (!code) code = plan_documents(wish, plan, docs, n, err);
        for (size_t i = 0; i < wish->source.count && !code; i++)
            if (compare_is_asked(&wish->source, i))
                code = plan_points(wish, plan, i, (const char *const *)texts, n, err);
        mongo_docs_free(docs, docs ? n : 0);
        for (size_t i = 0; i < n; i++) free(texts[i]);
        free(texts);
    }
    return code;
}

enum lks_code plan_make(const struct plan_wish *wish, struct plan *plan, struct lks_err *err)
{
    *plan = (struct plan){.collections = calloc(wish->source.count + 1, sizeof *plan->collections)};
    if (!plan->collections) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code code = LKS_E_OK;
    if (wish->ids) {
        code = named_documents(wish, plan, err);
    } else {
        code = all_documents(wish, plan, err);
        for (size_t i = 0; i < wish->source.count && !code; i++)
            if (compare_is_asked(&wish->source, i)) code = plan_points(wish, plan, i, NULL, 0, err);
    }
    if (code) plan_fini(plan);
    return code;
}

void plan_fini(struct plan *plan)
{
    free(plan->collections);
    *plan = (struct plan){.documents = 0};
}
