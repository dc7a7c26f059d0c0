/*
 * verify.c - see verify.h.
 *
 * First every document is asked for its points, then every point for its document. What looks wrong goes on a
 * list of bounded length; when that is full, or in the end, it is looked at again before it is reported.
 */
#include "service/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define MOST_SUSPECTS 4096

/* What looked wrong once: a document, or a point, in one collection. */
struct suspect {
    size_t collection;
    struct docid *id;              /* of a document; NULL: it is a point */
    char point_id[POINT_ID_BYTES]; /* of a point */
};

struct check {
    const struct verify_request *request;
    struct verify_report *report;
    struct suspect suspects[MOST_SUSPECTS];
    size_t suspect_count;
    int64_t newest_ms; /* when the last of them was put on the list */
    bool again;        /* this is the second look: what is wrong is reported */
};

const char *verify_kind_name(enum verify_kind kind)
{
    static const char *const names[VERIFY_KIND_COUNT] = {"missing", "stale",  "wrong-payload", "foreign",
                                                         "orphan",  "record", "epoch"};
    return names[kind];
}

static enum lks_code out_of_memory(struct lks_err *err)
{
    return lks_fail(err, LKS_E_NOMEM, "out of memory");
}

static enum lks_code go_on(const struct check *c, const char *noun, uint64_t done, int64_t total,
                           struct lks_err *err)
{
    if (!c->request->progress || c->request->progress(c->request->self, noun, done, total)) return LKS_E_OK;
    return lks_fail(err, LKS_E_CANCELLED, "stopped");
}

/* ---- what is wrong ---- */

/* What is wrong with one document in one collection, for a person. */
struct fault {
    bool wrong;
    enum verify_kind kind;
    char detail[400];
};

static void __attribute__((format(printf, 3, 4)))
wrong(struct fault *f, enum verify_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    f->wrong = true;
    f->kind = kind;
    vsnprintf(f->detail, sizeof f->detail, format, args);
    va_end(args);
}

static const char *entry_says(const struct entry *entry)
{
    return entry->present ? sync_status_name(entry->status) : "nothing";
}

static void judge_missing(struct fault *f, const struct entry *entry)
{
    if (entry->present && entry->status == SYNC_FAILED)
        wrong(f, VERIFY_MISSING, "failed, %s: %.250s", lks_code_name(entry->error),
              entry->last_error ? entry->last_error : "");
    else
        wrong(f, VERIFY_MISSING, "the record says %s", entry_says(entry));
}

static void judge_record(struct fault *f, const struct compare_wanted *w, const struct entry *entry)
{
    bool good = entry->present && entry->status == SYNC_SYNCED;
    if (w->point)
        good = good && strcmp(entry->point_id, w->point_id) == 0 &&
               strcmp(entry->content_hash, w->content_hash) == 0 &&
               strcmp(entry->payload_hash, w->payload_hash) == 0;
    else
        good = good && !entry->point_id[0];
    if (good) return;
    if (entry->present && entry->status == SYNC_SYNCED)
        wrong(f, VERIFY_RECORD, "the record says synced, of another point or content");
    else
        wrong(f, VERIFY_RECORD, "the record says %s", entry_says(entry));
}

static void judge(struct fault *f, const struct compare_wanted *w, const struct entry *entry,
                  const struct stamp *point)
{
    f->wrong = false;
    if (w->refused) {
        if (!entry->present || entry->status != SYNC_FAILED)
            wrong(f, VERIFY_RECORD, "it is refused (%.250s), and the record says %s", w->err.text,
                  entry_says(entry));
    } else if (!w->point) {
        judge_record(f, w, entry);
    } else if (!point) {
        judge_missing(f, entry);
    } else if (!point->ours) {
        wrong(f, VERIFY_FOREIGN, "the point there is not ours");
    } else if (!point->doc || strcmp(point->doc, w->doc) != 0) {
        wrong(f, VERIFY_STALE, "the point there was made from document %.200s",
              point->doc ? point->doc : "?");
    } else if (point->differs) {
        wrong(f, VERIFY_STALE, "the replicas of the collection do not agree on the point; the record says %s",
              entry_says(entry));
    } else if (strcmp(point->content_hash, w->content_hash) != 0) {
        wrong(f, VERIFY_STALE, "made from another text or by another model; the record says %s",
              entry_says(entry));
    } else if (!point->payload_hash[0]) {
        wrong(f, VERIFY_PAYLOAD, "the payload is not what its _lockstep says: somebody changed it");
    } else if (strcmp(point->payload_hash, w->payload_hash) != 0) {
        wrong(f, VERIFY_PAYLOAD, "made from other fields; the record says %s", entry_says(entry));
    } else {
        judge_record(f, w, entry);
    }
}

/* Of a record as a whole, which is reported for the first collection that was asked for. */
static void judge_overall(struct fault *f, const struct compare_source *s, size_t collection,
                          const struct record *record)
{
    size_t first = 0;
    while (first < s->count && !compare_is_asked(s, first)) first++;
    if (collection == first && record->contradicts)
        wrong(f, VERIFY_RECORD, "overallStatus is not \"%s\", which is what the record's entries make",
              sync_status_name(record_overall(record)));
}

/* ---- suspects ---- */

static void notify(struct check *c, size_t collection, enum verify_kind kind, const char *id,
                   const char *point_id, const char *detail)
{
    struct verify_finding finding = {
        .kind = kind, .collection = collection, .id = id ? id : "?", .point_id = point_id, .detail = detail};
    c->report->collections[collection].found[kind]++;
    c->report->findings++;
    if (c->request->found) c->request->found(c->request->self, &finding);
}

static bool suspect(struct check *c, size_t collection, const struct docid *id, const char *point_id)
{
    struct suspect *s = &c->suspects[c->suspect_count];
    *s = (struct suspect){.collection = collection};
    if (id && !(s->id = docid_copy(id))) return false;
    if (point_id) snprintf(s->point_id, sizeof s->point_id, "%s", point_id);
    c->suspect_count++;
    c->newest_ms = clock_ms();
    return true;
}

/* ---- documents ---- */

static enum lks_code take_verdict(struct check *c, size_t collection, const struct source_document *doc,
                                  const struct compare_wanted *w, const struct stamp *point,
                                  struct lks_err *err)
{
    struct fault f;
    struct verify_counts *counts = &c->report->collections[collection];
    judge(&f, w, &doc->record.entries[collection], point);
    if (!f.wrong) judge_overall(&f, &c->request->source, collection, &doc->record);
    if (!f.wrong) {
        if (w->refused)
            counts->refused++;
        else
            counts->in_sync++;
        return LKS_E_OK;
    }
    if (!c->again) return suspect(c, collection, doc->id, NULL) ? LKS_E_OK : out_of_memory(err);
    char *plain = docid_plain(doc->id);
    notify(c, collection, f.kind, plain, w->point ? w->point_id : "", f.detail);
    free(plain);
    return LKS_E_OK;
}

static enum lks_code check_documents_in(struct check *c, size_t collection,
                                        const struct source_document *docs, size_t count, struct lks_err *err)
{
    const struct compare_source *s = &c->request->source;
    struct compare_wanted *wanted = calloc(count + 1, sizeof *wanted);
    struct stamp *found = NULL;
    size_t found_count = 0;
    enum lks_code code = wanted ? LKS_E_OK : out_of_memory(err);
    for (size_t i = 0; i < count && !code; i++)
        if (!compare_want(s, collection, &docs[i], &wanted[i])) code = out_of_memory(err);
    if (!code) code = compare_look(s, collection, wanted, count, true, &found, &found_count, NULL, err);
    for (size_t i = 0; i < count && !code; i++)
        if (docs[i].body) /* else it is gone, and its points are found among the points */
            code = take_verdict(c, collection, &docs[i], &wanted[i],
                                compare_find(found, found_count, wanted[i].point_id), err);
    qdrant_stamps_free(found, found_count);
    compare_wanted_free(wanted, wanted ? count : 0);
    return code;
}

/* ---- points ---- */

static enum lks_code check_points_in(struct check *c, size_t collection, const struct stamp *found,
                                     size_t count, struct lks_err *err)
{
    enum compare_point *verdicts = calloc(count + 1, sizeof *verdicts);
    if (!verdicts) return out_of_memory(err);
    enum lks_code code = compare_points(&c->request->source, collection, found, count, verdicts, err);
    for (size_t i = 0; i < count && !code; i++) {
        if (verdicts[i] == COMPARE_POINT_RIGHT) continue;
        if (!c->again) {
            if (!suspect(c, collection, NULL, found[i].point_id)) code = out_of_memory(err);
            continue;
        }
        char *plain = compare_plain_doc(&found[i]);
        notify(c, collection, VERIFY_ORPHAN, plain, found[i].point_id,
               verdicts[i] == COMPARE_POINT_ORPHAN ? "its document is gone"
                                                   : "its document has its point elsewhere, or needs none");
        free(plain);
    }
    free(verdicts);
    return code;
}

/* ---- epochs ---- */

/* A guarded write to such a point is skipped without a word. Older servers skip nothing. */
static enum lks_code check_epochs_in(struct check *c, size_t collection, uint64_t *points, char detail[200],
                                     struct lks_err *err)
{
    const struct compare_source *s = &c->request->source;
    uint64_t epoch, floor, highest;
    int64_t found = 0;
    enum lks_code code = mongo_lease_epochs(s->mongo, &epoch, &floor, err);
    *points = 0;
    if (code || !epoch) return code;
    code = qdrant_epochs(s->qdrant, collection, floor, epoch, &found, &highest, err);
    if (code == LKS_E_NOT_FOUND) return LKS_E_OK; /* no collection, no points */
    *points = (uint64_t)found;
    snprintf(detail, 200,
             "%" PRId64 " points have epochs up to %" PRIu64 ", above the lease's %" PRIu64
             ": changes of their documents do not reach them",
             found, highest, floor);
    return code;
}

static enum lks_code wait_for_others(const struct check *c, struct lks_err *err);

static enum lks_code check_epochs(struct check *c, struct lks_err *err)
{
    const struct compare_source *s = &c->request->source;
    int version = 0;
    enum lks_code code = qdrant_ping(s->qdrant, &version, err);
    for (size_t i = 0; i < s->count && !code && version >= QDRANT_GUARDS; i++) {
        char detail[200];
        uint64_t points;
        if (!compare_is_asked(s, i)) continue;
        code = check_epochs_in(c, i, &points, detail, err);
        if (!points || code) continue;
        c->newest_ms = clock_ms(); /* a daemon may be about to raise its lease */
        code = wait_for_others(c, err);
        if (!code) code = check_epochs_in(c, i, &points, detail, err);
        if (!points || code) continue;
        notify(c, i, VERIFY_EPOCH, "", "", detail);
        c->report->collections[i].found[VERIFY_EPOCH] += points - 1;
        c->report->findings += points - 1;
    }
    return code;
}

/* ---- the second look ---- */

static enum lks_code wait_for_others(const struct check *c, struct lks_err *err)
{
    int64_t until_ms = c->newest_ms + c->request->settle_ms;
    while (c->request->settle_ms > 0 && clock_ms() < until_ms) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        enum lks_code code = go_on(c, "suspects", 0, (int64_t)c->suspect_count, err);
        if (code) return code;
    }
    return LKS_E_OK;
}

/* Suspects that stand behind each other, of one collection and one sort: as many as make a page. */
static size_t run_length(const struct check *c, size_t first)
{
    const struct suspect *a = &c->suspects[first];
    size_t n = 1;
    while (first + n < c->suspect_count && n < COMPARE_PAGE_DOCS) {
        const struct suspect *b = &c->suspects[first + n];
        if (b->collection != a->collection || !b->id != !a->id) break;
        n++;
    }
    return n;
}

static enum lks_code documents_again(struct check *c, const struct suspect *suspects, size_t count,
                                     struct lks_err *err)
{
    const struct docid *ids[COMPARE_PAGE_DOCS];
    struct source_document *docs = NULL;
    for (size_t i = 0; i < count; i++) ids[i] = suspects[i].id;
    enum lks_code code = mongo_read(c->request->source.mongo, ids, count, &docs, err);
    if (!code) code = check_documents_in(c, suspects[0].collection, docs, count, err);
    mongo_docs_free(docs, docs ? count : 0);
    return code;
}

static enum lks_code points_again(struct check *c, const struct suspect *suspects, size_t count,
                                  struct lks_err *err)
{
    const char *ids[COMPARE_PAGE_DOCS];
    struct stamp *found;
    size_t found_count, ours = 0;
    for (size_t i = 0; i < count; i++) ids[i] = suspects[i].point_id;
    enum lks_code code = qdrant_look(c->request->source.qdrant, suspects[0].collection, ids, count, false,
                                     &found, &found_count, err);
    if (code == LKS_E_NOT_FOUND) return LKS_E_OK;
    for (size_t i = 0; i < found_count && !code; i++) { /* somebody else's by now: no longer our matter */
        struct stamp w = found[i];
        if (!w.ours) continue;
        found[i] = found[ours];
        found[ours++] = w;
    }
    if (!code && ours) code = check_points_in(c, suspects[0].collection, found, ours, err);
    qdrant_stamps_free(found, found_count);
    return code;
}

static enum lks_code look_again(struct check *c, struct lks_err *err)
{
    if (c->suspect_count == 0) return LKS_E_OK;
    enum lks_code code = wait_for_others(c, err);
    c->again = true;
    for (size_t i = 0, n; i < c->suspect_count && !code; i += n) {
        n = run_length(c, i);
        code = c->suspects[i].id ? documents_again(c, &c->suspects[i], n, err)
                                 : points_again(c, &c->suspects[i], n, err);
        if (!code) code = go_on(c, "suspects", i + n, (int64_t)c->suspect_count, err);
    }
    c->again = false;
    while (c->suspect_count > 0) docid_free(c->suspects[--c->suspect_count].id);
    return code;
}

/* So that a page finds room for whatever it finds. */
static enum lks_code make_space(struct check *c, size_t count, struct lks_err *err)
{
    return c->suspect_count + count > MOST_SUSPECTS ? look_again(c, err) : LKS_E_OK;
}

/* ---- all together ---- */

static enum lks_code check_documents(struct check *c, const struct source_document *docs, size_t count,
                                     int64_t total, struct lks_err *err)
{
    const struct compare_source *s = &c->request->source;
    enum lks_code code = LKS_E_OK;
    for (size_t i = 0; i < s->count && !code; i++) {
        if (!compare_is_asked(s, i)) continue;
        code = make_space(c, count, err);
        if (!code) code = check_documents_in(c, i, docs, count, err);
    }
    for (size_t i = 0; i < count; i++)
        if (docs[i].body) c->report->documents++;
    return code ? code : go_on(c, "documents", c->report->documents, total, err);
}

static enum lks_code all_documents(struct check *c, struct lks_err *err)
{
    struct docid *from = NULL;
    bool end = false;
    enum lks_code code = LKS_E_OK;
    while (!end && !code) {
        struct mongo_page page;
        code = mongo_page(c->request->source.mongo, from, COMPARE_PAGE_DOCS, COMPARE_PAGE_BYTES, &page, err);
        if (code) break;
        code = check_documents(c, page.docs, page.count, page.total_estimate, err);
        end = page.end || page.count == 0;
        docid_free(from);
        from = page.count ? docid_copy(page.docs[page.count - 1].id) : NULL;
        if (!end && !from && !code) code = out_of_memory(err);
        mongo_docs_free(page.docs, page.count);
    }
    docid_free(from);
    return code;
}

/* All points of a collection, or those made from `docs` (`_lockstep.doc`). */
static enum lks_code check_points(struct check *c, size_t collection, const char *const *docs,
                                  size_t doc_count, int64_t total, struct lks_err *err)
{
    char next[POINT_ID_BYTES] = "";
    uint64_t seen = 0;
    enum lks_code code;
    do {
        struct stamp *found;
        size_t found_count;
        code = make_space(c, COMPARE_PAGE_POINTS, err);
        if (code) return code;
        code = qdrant_page(c->request->source.qdrant, collection, docs, doc_count, next, COMPARE_PAGE_POINTS,
                           &found, &found_count, next, err);
        if (code == LKS_E_NOT_FOUND) return LKS_E_OK; /* no collection, no points */
        if (code) return code;
        code = check_points_in(c, collection, found, found_count, err);
        qdrant_stamps_free(found, found_count);
        seen += found_count;
        c->report->points += found_count;
        if (!code && !docs) code = go_on(c, "points", seen, total, err);
    } while (next[0] && !code);
    return code;
}

static enum lks_code count_others(struct check *c, size_t collection, struct lks_err *err)
{
    int64_t all = 0, ours = 0;
    enum lks_code code = qdrant_count(c->request->source.qdrant, collection, NULL, &all, err);
    if (!code) code = qdrant_count(c->request->source.qdrant, collection, "", &ours, err);
    if (!code && all > ours) c->report->collections[collection].others = (uint64_t)(all - ours);
    return code == LKS_E_NOT_FOUND ? LKS_E_OK : code;
}

static enum lks_code all_points(struct check *c, struct lks_err *err)
{
    const struct compare_source *s = &c->request->source;
    enum lks_code code = LKS_E_OK;
    for (size_t i = 0; i < s->count && !code; i++) {
        struct qdrant_info info;
        if (!compare_is_asked(s, i)) continue;
        code = qdrant_info(s->qdrant, i, &info, err);
        if (!code && info.exists) code = check_points(c, i, NULL, 0, info.points, err);
        if (!code && info.exists) code = count_others(c, i, err);
        qdrant_info_fini(&info);
    }
    return code;
}

static enum lks_code check_some(struct check *c, struct docid **ids, size_t count, int64_t total,
                                struct lks_err *err)
{
    const struct compare_source *s = &c->request->source;
    char *texts[COMPARE_PAGE_DOCS] = {NULL};
    struct source_document *docs = NULL;
    enum lks_code code = mongo_read(s->mongo, (const struct docid *const *)ids, count, &docs, err);
    if (!code) code = check_documents(c, docs, count, total, err);
    for (size_t i = 0; i < count && !code; i++)
        if (!(texts[i] = docid_json(ids[i]))) code = out_of_memory(err);
    for (size_t i = 0; i < s->count && !code; i++)
        if (compare_is_asked(s, i)) code = check_points(c, i, (const char *const *)texts, count, -1, err);
    for (size_t i = 0; i < count; i++) free(texts[i]);
    mongo_docs_free(docs, docs ? count : 0);
    return code;
}

static enum lks_code sample(struct check *c, struct lks_err *err)
{
    struct docid **ids;
    size_t count;
    enum lks_code code = mongo_sample(c->request->source.mongo, c->request->sample, &ids, &count, err);
    if (code) return code;
    for (size_t first = 0; first < count && !code; first += COMPARE_PAGE_DOCS) {
        size_t n = count - first < COMPARE_PAGE_DOCS ? count - first : COMPARE_PAGE_DOCS;
        code = check_some(c, ids + first, n, (int64_t)count, err);
    }
    mongo_ids_free(ids, count);
    return code;
}

enum lks_code verify(const struct verify_request *request, struct verify_report *report, struct lks_err *err)
{
    *report = (struct verify_report){.documents = 0};
    report->collections = calloc(request->source.count + 1, sizeof *report->collections);
    struct check *c = calloc(1, sizeof *c);
    enum lks_code code = report->collections && c ? LKS_E_OK : out_of_memory(err);
    if (code) goto out;
    c->request = request;
    c->report = report;
    if (request->sample) {
        code = sample(c, err);
    } else {
        code = all_documents(c, err);
        if (!code) code = all_points(c, err);
    }
    if (!code) code = look_again(c, err);
    if (!code) code = check_epochs(c, err);
    while (c->suspect_count > 0) docid_free(c->suspects[--c->suspect_count].id);
out:
    free(c);
    return code;
}

void verify_report_fini(struct verify_report *report)
{
    free(report->collections);
    *report = (struct verify_report){.documents = 0};
}
