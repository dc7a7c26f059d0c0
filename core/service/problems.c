/*
 * problems.c - see problems.h. All wording is in two tables: what is wrong, and what to do where
 * documents failed.
 */
#include "service/problems.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "service/fields.h"

#define LAG_MIN_MS 60000 /* a change may take this long without being worth a word */

enum kind {
    MONGODB_UNAVAILABLE,
    SOURCE_UNSUPPORTED,
    LEASE_ELSEWHERE,
    ANOTHER_WRITER,
    EPOCH_RAISED,
    NOT_AT_WORK_YET,
    STREAM_CLOSED,
    STREAM_UNSUPPORTED,
    SOURCE_POLLED,
    STREAM_UNPROVEN,
    WATCH_OFF_KIND,
    WORKER_DISABLED,
    PLUGIN_STOPPED,
    EMBEDDER_DOWN,
    QDRANT_DOWN,
    EMBEDDER_KEY,
    QDRANT_KEY,
    DOCUMENTS_FAILED,
    CHANGES_WAIT,
    NO_POINTS,
    DELETES_HELD,
    RECORDS_REFUSED,
    RECORDS_REMAIN,
    NO_DOCUMENTS,
    FIELD_MISSING
};

/* In text and cure, {c} is the collection, {s} the source, {d} the detail and {n} the number. */
static const struct wording {
    bool error;
    const char *code, *text, *cure;
} wordings[] = {
    [MONGODB_UNAVAILABLE] =
        {true, "MONGODB_UNAVAILABLE", "MongoDB does not do what it is asked: {d}",
         "Start MongoDB or restore the connection; check `uri` in [mongodb] and the user's "
         "privileges. Nothing is lost: changes are followed from the saved position."},
    [SOURCE_UNSUPPORTED] = {true, "SOURCE_UNSUPPORTED", "`{s}` cannot be followed: it is {d}",
                            "Change the source's section as it says, or name another collection."},
    [LEASE_ELSEWHERE] = {false, "LEASE_ELSEWHERE", "Another process keeps this source in sync: {d}",
                         "Nothing to do if this daemon is meant to stand by: it takes over when the other "
                         "ends. Otherwise stop one of the two."},
    [ANOTHER_WRITER] =
        {true, "ANOTHER_WRITER",
         "Another installation writes points of the same source to the same Qdrant collections: {d}. Nothing "
         "is swept, no write is believed without a look, and what the other wrote last stays.",
         "Find the other installation (another MongoDB server with the same database and collection name, "
         "pointing to this Qdrant) and stop it, or give one of the two another `collection_prefix` in "
         "[qdrant]. Then `lockstep verify --repair`; without it this ends when no point has had a higher "
         "epoch "
         "for an hour."},
    [EPOCH_RAISED] =
        {false, "EPOCH_RAISED", "Points of this source had a higher epoch than its lease: {d}.",
         "Nothing to do if a Qdrant snapshot of another installation was restored: the lease was raised and "
         "everything is compared with the points. Otherwise another installation writes to the same Qdrant "
         "collections: stop it, or give one of the two another `collection_prefix` in [qdrant]."},
    [NOT_AT_WORK_YET] =
        {false, "NOT_AT_WORK_YET", "The daemon is not at work yet: {d}",
         "Wait a moment: it begins by itself. If this stays, the log says what it waits for."},
    [STREAM_CLOSED] = {true, "STREAM_CLOSED", "The change stream is not open: {d}",
                       "It is opened again by itself. If this stays, check that the user may read the "
                       "collection's change stream and that the server is a replica set."},
    [STREAM_UNSUPPORTED] =
        {false, "STREAM_UNSUPPORTED",
         "The server has no change streams: everything is compared at intervals instead. {d}",
         "Make the server a replica set (one member is enough), or set `watch = poll` in "
         "the source's section to say that this is meant."},
    [SOURCE_POLLED] =
        {false, "SOURCE_POLLED",
         "`{s}` is {d}: its changes and deletes are found by comparing everything at intervals.",
         "Set `watch = poll` in the source's section to say that this is meant; "
         "`poll_interval_ms` says how often."},
    [STREAM_UNPROVEN] = {false, "STREAM_UNPROVEN",
                         "It is not known yet whether the history since the saved position is complete.",
                         "The next change in the collection shows it. If history is missing, everything is "
                         "compared by itself."},
    [WATCH_OFF_KIND] = {false, "WATCH_OFF", "Changes are not followed: `watch` is `off`.",
                        "Set `watch = auto` in the source's section, or run `lockstep sync` when changes "
                        "shall reach Qdrant."},
    [WORKER_DISABLED] = {false, "WORKER_DISABLED",
                         "The worker is switched off: what failed or waits is not tried again.",
                         "Set `enabled = yes` in [worker], or retry documents by hand."},
    [PLUGIN_STOPPED] =
        {true, "PLUGIN_STOPPED", "The plugin of `{c}` can't go on: {d}",
         "Repair the plugin or its options and restart the daemon; the other collections go on "
         "meanwhile."},
    [EMBEDDER_DOWN] =
        {true, "EMBEDDER_DOWN", "The embedder {d}",
         "Start the embedding server or restore the connection; check `url`, `model` and `api_key` "
         "in [embedding]. Documents wait and go on by themselves."},
    [QDRANT_DOWN] = {true, "QDRANT_DOWN", "Qdrant does not take points for `{c}`: {d}",
                     "Start Qdrant or restore the connection; check `url` and `api_key` in [qdrant], and the "
                     "collection's vector size. Documents wait and go on by themselves."},
    [EMBEDDER_KEY] = {true, "EMBEDDER_DOWN", "The embedder {d}",
                      "Put a valid key into `api_key_file` of [embedding]: it is read again by itself. With "
                      "`api_key`, change it and send SIGHUP. Documents wait and go on by themselves."},
    [QDRANT_KEY] =
        {true, "QDRANT_DOWN", "Qdrant does not take points for `{c}`: {d}",
         "Put a valid key, which may write, into `api_key_file` of [qdrant]: it is read again by "
         "itself. With `api_key`, change it and send SIGHUP. Documents wait and go on by themselves."},
    [DOCUMENTS_FAILED] = {true, "DOCUMENTS_FAILED", "{n} of the documents failed in `{c}` with {d}.", ""},
    [CHANGES_WAIT] = {false, "CHANGES_WAIT",
                      "The oldest change that has not reached its points has waited for {n} seconds.",
                      "Look at the other problems first. If there are none, the embedder or Qdrant is slower "
                      "than changes come: see throughput and queues."},
    [NO_POINTS] = {false, "NO_POINTS",
                   "`{c}` has no points although there are {n} documents: none of them gives it a text.",
                   "Compare the fields that it watches with a document: `lockstep preview --id ID`."},
    [RECORDS_REFUSED] =
        {true, "RECORDS_REFUSED",
         "The records of {n} documents can be written neither into them nor into the sidecar "
         "collection; one of them is {d}.",
         "Their points are right, but their status is not known. Look for a validator, a quota "
         "or a missing privilege on the sidecar collection; the log names the server's error. "
         "They are tried again every five minutes, and at each start."},
    [RECORDS_REMAIN] =
        {false, "RECORDS_REMAIN",
         "Records of deleted documents stay in the sidecar collection: the user may neither remove nor "
         "update them there.",
         "Grant `remove` (or at least `update`) on the sidecar collection. Points are deleted all the same. "
         "The "
         "records that are left go with the next sweep (`lockstep sync`)."},
    [DELETES_HELD] =
        {true, "DELETES_HELD", "{d} points of `{c}` have no document in MongoDB. None of them is deleted.",
         "See whether `uri`, `database` and `collection` in [mongodb] lead to the right data, and "
         "restore what is missing: this ends by itself. If the documents are really gone, run "
         "`lockstep sync --allow-deletes`."},
    [NO_DOCUMENTS] =
        {false, "NO_DOCUMENTS", "The source `{s}` has no documents: {d} is empty or does not exist.",
         "Is the name right? Check `database` and `collection` in the source's section. If it is, "
         "nothing is to be done: the first document is synced when it is there."},
    [FIELD_MISSING] = {false, "FIELD_MISSING", "No document has the field `{d}`, which `{c}` watches.",
                       "Is the name right? Compare `watched` in the collection's section, or the plugin's "
                       "fields (`lockstep plugins`), with a document."},
};

/* What to do about documents that failed, by error code. */
static const char *const failure_cures[MONGO_FAILURE_CODES] = {
    [LKS_E_EMBEDDING_TIMEOUT] =
        "They are tried again by themselves. If it goes on, the embedding server is too "
        "slow: lower `batch_size` or `concurrency` in [embedding].",
    [LKS_E_EMBEDDING_RATE_LIMIT] =
        "They are tried again by themselves. Lower `concurrency` in [embedding], or "
        "raise the provider's limit.",
    [LKS_E_EMBEDDING_UNAVAILABLE] = "They are tried again by themselves once the embedding server answers; "
                                    "check it, and `url` and `api_key` in [embedding].",
    [LKS_E_EMBEDDING_REJECTED] = "The model will never take these texts: change the documents, or lower "
                                 "`max_text_bytes`; each document's error says more.",
    [LKS_E_QDRANT_UNAVAILABLE] =
        "They are tried again by themselves once Qdrant answers; check it, and `url` "
        "in [qdrant].",
    [LKS_E_QDRANT_TIMEOUT] =
        "They are tried again by themselves. If it goes on, raise `timeout_ms` in [qdrant] "
        "or give Qdrant more room.",
    [LKS_E_QDRANT_REJECTED] = "Each document's error says what Qdrant refused (vector size, quota, strict "
                              "mode); repair that, then retry them.",
    [LKS_E_VALIDATION] =
        "Each document's error says what is wrong with it (a business id that another holds, "
        "or the plugin's own rules); correct the documents.",
    [LKS_E_PLUGIN] =
        "The plugin failed on them: each document's error and the log say where. Repair it, restart, "
        "then retry them.",
    [LKS_E_UNKNOWN] = "Each document's error says more; when the cause is gone, retry them.",
};

/* What a problem's words are filled with. */
struct filling {
    const char *collection, *source, *detail;
    int64_t number;
};

static void fill(const char *words, const struct filling *with, char out[PROBLEM_TEXT_BYTES])
{
    struct buf text;
    buf_init(&text, 0);
    for (const char *at = words; *at; at++) {
        bool slot = at[0] == '{' && at[1] && at[2] == '}';
        if (!slot) {
            buf_put(&text, at, 1);
            continue;
        }
        if (at[1] == 'n')
            buf_printf(&text, "%" PRId64, with->number);
        else
            buf_puts(&text, at[1] == 'c' ? with->collection : at[1] == 's' ? with->source : with->detail);
        at += 2;
    }
    while (text.bytes > 0 && text.data[text.bytes - 1] == ' ') text.bytes--; /* an empty detail */
    snprintf(out, PROBLEM_TEXT_BYTES, "%.*s", (int)text.bytes, text.failed ? "" : text.data);
    buf_fini(&text);
}

/* ---- one problem more ---- */

struct finding {
    const struct service_source *source;
    const struct engine_snapshot *engine; /* NULL: only MongoDB is asked */
    struct fields *fields;                /* NULL: nothing is remembered */
    size_t index;                         /* of the source */
    struct problems *out;
    bool failed; /* memory was out */
};

static struct problem *add(struct finding *f, enum kind kind, size_t collection, const char *detail,
                           int64_t number, int64_t since)
{
    const struct wording *w = &wordings[kind];
    struct problem *all = realloc(f->out->all, (f->out->count + 1) * sizeof *all);
    if (!all) {
        f->failed = true;
        return NULL;
    }
    struct problem *p = &all[f->out->count++];
    f->out->all = all;
    *p = (struct problem){.error = w->error, .code = w->code, .since_wall_ms = since};
    if (collection != SIZE_MAX) p->collection = f->source->all.names[collection];
    struct filling with = {.collection = p->collection ? p->collection : "",
                           .source = f->source->all.name,
                           .detail = detail,
                           .number = number};
    fill(w->text, &with, p->text);
    fill(w->cure, &with, p->cure);
    return p;
}

/* ---- what the engine knows ---- */

static const char *phase_words(enum engine_phase phase)
{
    switch (phase) {
    case PHASE_LEASE:
        return "it asks for the lease";
    case PHASE_SETTLE:
        return "it waits until requests of the last process are over";
    case PHASE_LOAD:
        return "it reads the saved state";
    case PHASE_PROBE:
        return "it looks at embedders and Qdrant collections";
    default:
        return "it is ending";
    }
}

static const char *polled_as(const struct finding *f)
{
    struct mongo_facts facts;
    mongo_facts_known(f->source->all.mongo, &facts);
    return mongo_facts_polled(&facts);
}

/* The collection is one that nothing can follow, or not as it is configured: what else is wrong follows from
 * that. */
static bool find_refusal(struct finding *f)
{
    struct mongo_facts facts;
    mongo_facts_known(f->source->all.mongo, &facts);
    const char *reason = mongo_facts_refused(f->source->all.mongo, &facts);
    if (reason) add(f, SOURCE_UNSUPPORTED, SIZE_MAX, reason, 0, f->engine->mongo_broke_wall_ms);
    return reason;
}

static void find_stream(struct finding *f)
{
    const struct engine_snapshot *s = f->engine;
    if (s->watch == WATCH_POLL) return;
    if (s->watch == WATCH_OFF)
        add(f, WATCH_OFF_KIND, SIZE_MAX, "", 0, NO_TIME);
    else if (s->stream_unsupported && polled_as(f))
        add(f, SOURCE_POLLED, SIZE_MAX, polled_as(f), 0, NO_TIME);
    else if (s->stream_unsupported)
        add(f, STREAM_UNSUPPORTED, SIZE_MAX, s->stream_error, 0, NO_TIME);
    else if (!s->stream_open && s->stream_error[0])
        add(f, STREAM_CLOSED, SIZE_MAX, s->stream_error, 0, s->stream_broke_wall_ms);
    else if (s->stream_open && !s->stream_proven)
        add(f, STREAM_UNPROVEN, SIZE_MAX, "", 0, NO_TIME);
}

#define RAISED_SHOWN_MS 3600000

/* Both see that they share the collections: one rises above the other, until one of them does not any more.
 */
static void find_epochs(struct finding *f)
{
    const struct engine_snapshot *s = f->engine;
    char detail[120];
    if (s->another_epoch == UINT64_MAX)
        snprintf(detail, sizeof detail, "its epoch is no number that a lease can have, ours is %" PRIu64,
                 s->epoch);
    else
        snprintf(detail, sizeof detail, "its epoch is %" PRIu64 ", ours is %" PRIu64, s->another_epoch,
                 s->epoch);
    if (s->another_epoch) {
        add(f, ANOTHER_WRITER, SIZE_MAX, detail, 0, s->another_wall_ms);
        return;
    }
    if (s->raised_wall_ms == NO_TIME || clock_wall_ms() > s->raised_wall_ms + RAISED_SHOWN_MS) return;
    snprintf(detail, sizeof detail, "theirs was %" PRIu64 ", ours %" PRIu64 " and is %" PRIu64 " now",
             s->raised_over, s->raised_from, s->epoch);
    add(f, EPOCH_RAISED, SIZE_MAX, detail, 0, s->raised_wall_ms);
}

static bool reported_of_embedder(const struct engine_snapshot *s, size_t collection)
{
    for (size_t i = 0; i < collection; i++)
        if (s->collections[i].embedder == s->collections[collection].embedder) return true;
    return false;
}

static void find_providers(struct finding *f, const struct service *service)
{
    const struct engine_snapshot *s = f->engine;
    for (size_t i = 0; i < s->collection_count; i++) {
        const struct collection_snapshot *c = &s->collections[i];
        char detail[PROBLEM_TEXT_BYTES];
        if (c->held.orphans > 0) {
            snprintf(detail, sizeof detail, "%" PRIu64 " of %" PRIu64, c->held.orphans, c->held.points);
            add(f, DELETES_HELD, i, detail, 0, NO_TIME);
        }
        if (c->fatal) add(f, PLUGIN_STOPPED, i, c->fatal_error, 0, NO_TIME);
        if (c->embedder_circuit != CIRCUIT_CLOSED && !reported_of_embedder(s, i)) {
            snprintf(detail, sizeof detail, "`%s` does not answer as it should: %s",
                     service->embedder_names[c->embedder], c->embedder_error);
            struct problem *p = add(f, c->embedder_key_refused ? EMBEDDER_KEY : EMBEDDER_DOWN, SIZE_MAX,
                                    detail, 0, c->embedder_open_wall_ms);
            if (p) p->subject = service->embedder_names[c->embedder];
        }
        /* before its embedder has reported the vectors' size, nobody looks at a collection */
        if (c->circuit != CIRCUIT_CLOSED && (c->looked || c->embedder_circuit == CIRCUIT_CLOSED))
            add(f, c->key_refused ? QDRANT_KEY : QDRANT_DOWN, i, c->error, 0, c->open_wall_ms);
    }
}

static void find_in_engine(struct finding *f, const struct service *service)
{
    const struct engine_snapshot *s = f->engine;
    int64_t patience = service->interval_ms * 2 > LAG_MIN_MS ? service->interval_ms * 2 : LAG_MIN_MS;
    int64_t waited = s->lag_since_wall_ms == NO_TIME ? 0 : clock_wall_ms() - s->lag_since_wall_ms;
    if (find_refusal(f)) return;
    if (s->mongo_error[0]) add(f, MONGODB_UNAVAILABLE, SIZE_MAX, s->mongo_error, 0, s->mongo_broke_wall_ms);
    if (!service->worker_enabled) add(f, WORKER_DISABLED, SIZE_MAX, "", 0, NO_TIME);
    if (s->phase == PHASE_LEASE && s->lease_holder[0]) {
        add(f, LEASE_ELSEWHERE, SIZE_MAX, s->lease_holder, 0, NO_TIME);
        return;
    }
    if (s->phase != PHASE_RUN) {
        if (!s->mongo_error[0]) add(f, NOT_AT_WORK_YET, SIZE_MAX, phase_words(s->phase), 0, NO_TIME);
        return;
    }
    find_epochs(f);
    find_stream(f);
    find_providers(f, service);
    if (s->refused_records > 0)
        add(f, RECORDS_REFUSED, SIZE_MAX, s->refused_doc, (int64_t)s->refused_records, NO_TIME);
    if (mongo_records_remain(f->source->all.mongo)) add(f, RECORDS_REMAIN, SIZE_MAX, "", 0, NO_TIME);
    if (waited > patience) add(f, CHANGES_WAIT, SIZE_MAX, "", waited / 1000, s->lag_since_wall_ms);
}

/* ---- what MongoDB counts ---- */

static void find_failures(struct finding *f, size_t collection)
{
    int64_t by_code[MONGO_FAILURE_CODES];
    struct lks_err err;
    if (mongo_failures(f->source->all.mongo, f->source->all.names[collection], by_code, &err) != LKS_E_OK) {
        add(f, MONGODB_UNAVAILABLE, SIZE_MAX, err.text, 0, NO_TIME);
        return;
    }
    for (size_t code = 0; code < MONGO_FAILURE_CODES; code++) {
        if (by_code[code] == 0) continue;
        struct problem *p =
            add(f, DOCUMENTS_FAILED, collection, lks_code_name((enum lks_code)code), by_code[code], NO_TIME);
        if (!p) return;
        p->subject = lks_code_name((enum lks_code)code);
        snprintf(p->cure, sizeof p->cure, "%s", failure_cures[code] ? failure_cures[code] : "");
    }
}

static void add_missing_field(void *self, size_t collection, const char *field)
{
    struct problem *p = add(self, FIELD_MISSING, collection, field, 0, NO_TIME);
    if (p) p->subject = field;
}

static void find_in_counts(struct finding *f, const struct mongo_counts *counts)
{
    for (size_t i = 0; i < counts->collection_count; i++) {
        const int64_t *by_status = counts->per_collection[i];
        if (by_status[SYNC_FAILED] > 0) find_failures(f, i);
        if (counts->total > 0 && by_status[SYNC_SYNCED] == counts->total && counts->with_point[i] == 0)
            add(f, NO_POINTS, i, "", counts->total, NO_TIME);
    }
    if (counts->total == 0)
        add(f, NO_DOCUMENTS, SIZE_MAX, f->source->all.collections[0]->source, 0, NO_TIME);
    else
        fields_missing(f->fields, f->index, &f->source->all, add_missing_field, f);
}

static void count_and_find(struct finding *f, const struct service *service, size_t source)
{
    struct mongo_counts counts;
    struct lks_err err;
    if (counts_get(service->counts, source, &counts, &err) != LKS_E_OK) {
        add(f, MONGODB_UNAVAILABLE, SIZE_MAX, err.text, 0, NO_TIME);
        return;
    }
    find_in_counts(f, &counts);
    mongo_counts_fini(&counts);
}

/* Errors first; within them in the order they were found in. */
static void errors_first(struct problems *p)
{
    size_t errors = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (!p->all[i].error) continue;
        struct problem error = p->all[i];
        memmove(&p->all[errors + 1], &p->all[errors], (i - errors) * sizeof error);
        p->all[errors++] = error;
    }
}

static enum lks_code finish(struct finding *f, struct lks_err *err)
{
    errors_first(f->out);
    if (!f->failed) return LKS_E_OK;
    problems_fini(f->out);
    return lks_fail(err, LKS_E_NOMEM, "out of memory");
}

enum lks_code problems_find(const struct service *service, size_t source, struct problems *out,
                            struct lks_err *err)
{
    struct engine_snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct finding f = {.source = &service->sources[source],
                        .engine = snapshot,
                        .fields = service->fields,
                        .index = source,
                        .out = out};
    *out = (struct problems){.count = 0};
    if (!snapshot) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (control_snapshot(service->control, source, snapshot))
        find_in_engine(&f, service);
    else
        add(&f, NOT_AT_WORK_YET, SIZE_MAX, "it has only just started", 0, NO_TIME);
    if (!snapshot->mongo_error[0]) count_and_find(&f, service, source);
    free(snapshot);
    return finish(&f, err);
}

enum lks_code problems_find_stored(const struct service_source *source, const struct mongo_counts *counts,
                                   struct problems *out, struct lks_err *err)
{
    struct finding f = {.source = source, .out = out};
    *out = (struct problems){.count = 0};
    find_in_counts(&f, counts);
    return finish(&f, err);
}

void problems_fini(struct problems *p)
{
    free(p->all);
    *p = (struct problems){.count = 0};
}
