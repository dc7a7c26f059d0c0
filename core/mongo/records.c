/*
 * records.c - writing records by compare-and-set, in bulk; with a sidecar fallback for those whose document
 * refuses.
 *
 * A bulk reports how many updates matched, not which, so when the number is short the records are read back:
 * one that is as it should be was written (by a try whose reply was lost), one that is as it was before had
 * values the filter could not express and is tried once more against exactly what is there, any other missed.
 * It never touches a field but syncMetadata.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mongo/metadata.h"
#include "mongo/mongo_internal.h"

static const char what[] = "writing records";

/* What became of one write so far. */
enum fate {
    FATE_TODO,
    FATE_CHECK,   /* matched, or not: unknown which */
    FATE_REFUSED, /* the document can't take it */
    FATE_DONE     /* write->code says */
};

/* One write on its way. */
struct job {
    struct record_write *write;
    const struct record *before; /* what is in the collection it goes to */
    bool sidecar;                /* it goes to the sidecar collection */
    enum fate fate;
    uint32_t error; /* MongoDB's code, with FATE_REFUSED */
};

static void settle(struct job *job, enum lks_code code)
{
    job->fate = FATE_DONE;
    job->write->code = code;
}

/* ---- one bulk ---- */

/* Errors of the moment; any other belongs to this document. */
static bool is_passing(uint32_t code)
{
    static const uint32_t codes[] = {6,     7,     11,    24,    46,    50,    64,    79,    89,  91,   100,
                                     112,   133,   189,   202,   225,   251,   262,   290,   314, 9001, 10058,
                                     10107, 11600, 11601, 11602, 13388, 13435, 13436, 14031, 13,  18};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code) return true;
    return false;
}

/* False if the driver itself refuses the update. */
static bool add_update(struct mongo *m, mongoc_bulk_operation_t *bulk, const struct job *job, int64_t now_ms)
{
    bson_t filter = BSON_INITIALIZER, update = BSON_INITIALIZER, opts = BSON_INITIALIZER;
    bson_error_t error;
    docid_append(job->write->id, &filter, "_id");
    metadata_filter(&filter, job->before, m->names);
    metadata_update(&update, job->before, job->write->after, m->names, m->basic_codes, now_ms);
    /* The update is our own making, of cleaned text and names from the configuration: the driver's reading it
       through would cost as much as making it. */
    BSON_APPEND_BOOL(&opts, "validate", false);
    mongo_append_simple(&opts);
    /* a document is never made; a record beside it is */
    if (job->sidecar && !job->before->present) BSON_APPEND_BOOL(&opts, "upsert", true);
    bool ok = mongoc_bulk_operation_update_one_with_opts(bulk, &filter, &update, &opts, &error);
    bson_destroy(&filter);
    bson_destroy(&update);
    bson_destroy(&opts);
    return ok;
}

/* Fills the bulk; jobs that can't be in it are taken out of the list, whose order is the bulk's. */
static size_t add_updates(struct mongo *m, mongoc_bulk_operation_t *bulk, struct job **jobs, size_t count)
{
    int64_t now_ms = clock_wall_ms();
    size_t added = 0;
    for (size_t i = 0; i < count; i++) {
        struct job *job = jobs[i];
        if (add_update(m, bulk, job, now_ms))
            jobs[added++] = job;
        else
            job->fate = FATE_REFUSED;
    }
    return added;
}

static int64_t reply_count(const bson_t *reply, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, reply, key) && BSON_ITER_HOLDS_NUMBER(&iter) ? bson_iter_as_int64(&iter)
                                                                                   : 0;
}

/* Sorts out the bulk's writeErrors; returns how many there were. */
static size_t take_errors(const bson_t *reply, struct job **jobs, size_t count)
{
    bson_iter_t iter, list, field;
    size_t errors = 0;
    if (!bson_iter_init_find(&iter, reply, "writeErrors") || !bson_iter_recurse(&iter, &list)) return 0;
    while (bson_iter_next(&list)) {
        int64_t index = -1, code = 0;
        if (!bson_iter_recurse(&list, &field)) continue;
        while (bson_iter_next(&field)) {
            if (!strcmp(bson_iter_key(&field), "index")) index = bson_iter_as_int64(&field);
            if (!strcmp(bson_iter_key(&field), "code")) code = bson_iter_as_int64(&field);
        }
        if (index < 0 || (size_t)index >= count || jobs[index]->fate != FATE_TODO) continue;
        errors++;
        jobs[index]->error = (uint32_t)code;
        if (code == 11000) /* an upsert that found other values */
            jobs[index]->fate = FATE_CHECK;
        else if (is_passing((uint32_t)code))
            settle(jobs[index], LKS_E_MONGO);
        else
            jobs[index]->fate = FATE_REFUSED;
    }
    return errors;
}

static bool has_items(const bson_t *reply, const char *key)
{
    bson_iter_t iter, list;
    return bson_iter_init_find(&iter, reply, key) && bson_iter_recurse(&iter, &list) && bson_iter_next(&list);
}

/* True if the reply accounts for all updates: nothing was cut short by the network or a concern not met. */
static bool is_whole(const bson_t *reply, bool ok, const bson_error_t *error)
{
    if (ok) return true;
    if (has_items(reply, "writeConcernErrors")) return false;
    return has_items(reply, "writeErrors") && error->domain != MONGOC_ERROR_STREAM &&
           error->domain != MONGOC_ERROR_SERVER_SELECTION;
}

/* Runs the jobs that are still to do in one collection. All leave FATE_TODO. The list is changed. */
static enum lks_code run_bulk(struct mongo *m, mongoc_client_t *client, const char *name, struct job **jobs,
                              size_t *job_count, struct lks_err *err)
{
    bson_t opts = BSON_INITIALIZER, reply;
    bson_error_t error = {0};
    size_t count = *job_count;
    enum lks_code code = LKS_E_OK;
    BSON_APPEND_BOOL(&opts, "ordered", false);
    mongo_append_majority(&opts);
    mongoc_collection_t *collection = mongoc_client_get_collection(client, m->database, name);
    mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(collection, &opts);
    *job_count = count = add_updates(m, bulk, jobs, count);
    bool ok = true;
    if (count)
        ok = mongoc_bulk_operation_execute(bulk, &reply, &error) != 0;
    else
        bson_init(&reply);
    size_t errors = take_errors(&reply, jobs, count);
    if (!is_whole(&reply, ok, &error)) {
        code = mongo_fail(err, &error, what);
        for (size_t i = 0; i < count; i++)
            if (jobs[i]->fate != FATE_DONE) settle(jobs[i], LKS_E_MONGO);
    }
    int64_t hits = reply_count(&reply, "nMatched") + reply_count(&reply, "nUpserted");
    bool all = hits >= (int64_t)(count - errors);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i]->fate != FATE_TODO) continue;
        if (all)
            settle(jobs[i], LKS_E_OK);
        else
            jobs[i]->fate = FATE_CHECK;
    }
    mongoc_bulk_operation_destroy(bulk);
    mongoc_collection_destroy(collection);
    bson_destroy(&opts);
    bson_destroy(&reply);
    return code;
}

/* ---- reading back ---- */

/* A second try, against exactly what was read back. */
static enum lks_code write_exactly(struct mongo *m, mongoc_client_t *client, const char *name,
                                   struct job *job, const bson_t *row, struct lks_err *err)
{
    bson_t filter = BSON_INITIALIZER, update = BSON_INITIALIZER, opts = BSON_INITIALIZER, reply;
    bson_error_t error = {0};
    enum lks_code code = LKS_E_OK;
    docid_append(job->write->id, &filter, "_id");
    metadata_exact(&filter, row);
    metadata_update(&update, job->before, job->write->after, m->names, m->basic_codes, clock_wall_ms());
    mongo_append_majority(&opts);
    mongo_append_simple(&opts);
    mongoc_collection_t *collection = mongoc_client_get_collection(client, m->database, name);
    if (mongoc_collection_update_one(collection, &filter, &update, &opts, &reply, &error)) {
        settle(job, reply_count(&reply, "matchedCount") ? LKS_E_OK : LKS_E_MISSED);
    } else if (has_items(&reply, "writeErrors") && !is_passing(error.code)) {
        job->fate = FATE_REFUSED;
        job->error = error.code;
    } else {
        code = mongo_fail(err, &error, what);
        settle(job, LKS_E_MONGO);
    }
    mongoc_collection_destroy(collection);
    bson_destroy(&filter);
    bson_destroy(&update);
    bson_destroy(&opts);
    bson_destroy(&reply);
    return code;
}

static enum lks_code judge(struct mongo *m, mongoc_client_t *client, const char *name, struct job *job,
                           const bson_t *row, struct lks_err *err)
{
    struct record now;
    enum lks_code code = LKS_E_OK;
    if (!metadata_parse(row, m->names, m->name_count, &now))
        return lks_fail(err, LKS_E_NOMEM, "out of memory");
    const struct record *after = job->write->after;
    bool named = !after->modified_fields || record_names_hash(after->modified_fields) == now.modified_hash;
    if (metadata_equal(&now, after) && !now.contradicts && named)
        settle(job, LKS_E_OK);
    else if (now.present == job->before->present && metadata_equal(&now, job->before))
        code = write_exactly(m, client, name, job, row, err);
    else
        settle(job, LKS_E_MISSED);
    record_fini(&now);
    return code;
}

static struct job *job_of(struct job **jobs, size_t count, const struct docid *id)
{
    for (size_t i = 0; i < count; i++)
        if (jobs[i]->fate == FATE_CHECK && docid_equal(jobs[i]->write->id, id)) return jobs[i];
    return NULL;
}

/* The ids of the jobs with this fate. */
static size_t ids_with(struct job **jobs, size_t count, enum fate fate, const struct docid **ids)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (jobs[i]->fate == fate) ids[n++] = jobs[i]->write->id;
    return n;
}

/* Judges all jobs that must be checked by what a collection has now: the newest, not what a majority has. */
static enum lks_code check(struct mongo *m, mongoc_client_t *client, const char *name, struct job **jobs,
                           size_t count, struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    const struct docid **ids = calloc(count, sizeof *ids);
    if (!ids) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    size_t n = ids_with(jobs, count, FATE_CHECK, ids);
    bson_t command = BSON_INITIALIZER;
    reads_by_id_command(&command, name, ids, n, m->only_record);
    enum lks_code code = LKS_E_OK;
    if (n) {
        code = rows_open(m, client, &rows, &command, LEVEL_LOCAL, 0, "reading records back", err);
        while (!code && rows_next(&rows, &row)) {
            struct docid *id = docid_of(row);
            struct job *job = id ? job_of(jobs, count, id) : NULL;
            if (job) code = judge(m, client, name, job, row, err);
            docid_free(id);
        }
        enum lks_code closed = rows_close(&rows, "reading records back", code ? NULL : err);
        if (!code) code = closed;
    }
    bson_destroy(&command);
    free(ids);
    return code;
}

/* Jobs whose record wasn't found: is the document gone, or only the record? */
static enum lks_code check_gone(struct mongo *m, mongoc_client_t *client, struct job **jobs, size_t count,
                                struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    const struct docid **ids = calloc(count, sizeof *ids);
    if (!ids) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    size_t n = ids_with(jobs, count, FATE_CHECK, ids);
    bson_t command = BSON_INITIALIZER;
    reads_by_id_command(&command, m->collection, ids, n, m->only_id);
    enum lks_code code = LKS_E_OK;
    if (n) {
        code = rows_open(m, client, &rows, &command, LEVEL_LOCAL, 0, "looking for documents", err);
        while (!code && rows_next(&rows, &row)) {
            struct docid *id = docid_of(row);
            struct job *job = id ? job_of(jobs, count, id) : NULL;
            if (job) settle(job, LKS_E_MISSED);
            docid_free(id);
        }
        enum lks_code closed = rows_close(&rows, "looking for documents", code ? NULL : err);
        if (!code) code = closed;
    }
    for (size_t i = 0; !code && i < count; i++)
        if (jobs[i]->fate == FATE_CHECK) settle(jobs[i], LKS_E_NOT_FOUND);
    bson_destroy(&command);
    free(ids);
    return code;
}

/* ---- all together ---- */

/* Writes the jobs that go to one of the two collections and finds out what became of each. */
static enum lks_code write_to(struct mongo *m, mongoc_client_t *client, bool sidecar, struct job *all,
                              size_t all_count, struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    const char *name = sidecar ? m->sidecar : m->collection;
    struct job **jobs = calloc(all_count, sizeof *jobs);
    size_t count = 0;
    if (!jobs) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < all_count; i++)
        if (all[i].fate == FATE_TODO && all[i].sidecar == sidecar) jobs[count++] = &all[i];
    if (count) {
        code = run_bulk(m, client, name, jobs, &count, err);
        if (!code) code = check(m, client, name, jobs, count, err);
        if (!code) code = check_gone(m, client, jobs, count, err);
    }
    free(jobs);
    return code;
}

/*
 * A record that was made beside a document which is gone by now, as by a process that was paused with it in
 * its hands, goes again: nothing else would come back to it.
 */
static enum lks_code take_back(struct mongo *m, mongoc_client_t *client, struct job *jobs, size_t count,
                               struct lks_err *err)
{
    const struct docid **ids = calloc(count, sizeof *ids);
    size_t made = 0, gone;
    if (!ids) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (jobs[i].sidecar && !jobs[i].before->present && jobs[i].fate == FATE_DONE && !jobs[i].write->code)
            ids[made++] = jobs[i].write->id;
    gone = made;
    enum lks_code code = beside_without_document(m, client, ids, &gone, err);
    if (!code) code = beside_remove(m, client, ids, gone, err);
    for (size_t i = 0; !code && i < count; i++)
        for (size_t k = 0; k < gone; k++)
            if (jobs[i].write->id == ids[k]) settle(&jobs[i], LKS_E_NOT_FOUND);
    free(ids);
    return code;
}

/* Documents that refuse their record have it in the sidecar collection. */
static void fall_back_to_sidecar(struct mongo *m, struct job *jobs, size_t count, const struct record *none)
{
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].fate != FATE_REFUSED || jobs[i].sidecar) continue;
        char *id = docid_json(jobs[i].write->id);
        log_warn("a document can't take its record, which goes to the sidecar collection",
                 LOG_STR("collection", m->collection), LOG_STR("id", id), LOG_INT("code", jobs[i].error));
        free(id);
        atomic_store(&m->sidecar_fallbacks, true);
        jobs[i].sidecar = true;
        jobs[i].before = none;
        jobs[i].fate = FATE_TODO;
    }
}

static void finish(struct job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (jobs[i].fate != FATE_DONE)
            settle(&jobs[i], jobs[i].fate == FATE_REFUSED ? LKS_E_REFUSED : LKS_E_MONGO);
}

enum lks_code records_write(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    struct record none = {0};
    size_t count = req->record.count;
    if (!count) return LKS_E_OK;
    struct job *jobs = calloc(count, sizeof *jobs);
    if (!jobs || !record_init(&none, m->name_count)) {
        for (size_t i = 0; i < count; i++) req->record.writes[i].code = LKS_E_MONGO;
        free(jobs);
        return lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        struct record_write *write = &req->record.writes[i];
        jobs[i] = (struct job){.write = write, .before = write->before};
        jobs[i].sidecar = m->metadata == MONGO_SIDECAR || write->before->sidecar;
    }
    enum lks_code code = write_to(m, client, false, jobs, count, &req->err);
    if (!code) fall_back_to_sidecar(m, jobs, count, &none);
    if (!code) code = write_to(m, client, true, jobs, count, &req->err);
    if (!code) code = take_back(m, client, jobs, count, &req->err);
    finish(jobs, count);
    record_fini(&none);
    free(jobs);
    return code;
}
