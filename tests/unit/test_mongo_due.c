/* test_mongo_due.c - what is due, what is counted, and the indexes for both. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mongo_fixture.h"
#include "suite.h"

static struct fixture f;

START_TEST(what_is_due_comes_in_the_order_of_ids_page_by_page)
{
    fixture_start(&f, _i, NULL);
    fixture_insert_mixed(&f);
    fixture_insert(&f, "c",
                   "{'_id':'synced','syncMetadata':{'collections':{'tools':{'status':'synced'},"
                   "'usecases':{'status':'synced'}}}}");
    fixture_open(&f);
    struct docid *from = NULL;
    size_t seen = 0;
    bool end = false;
    while (!end) {
        struct req *req = req_new(REQ_DUE, NULL);
        req->due.from = from;
        req->due.now_ms = 1000;
        req->due.max_docs = 3;
        fixture_ok(&f, req);
        docid_free(from);
        from = NULL;
        for (size_t i = 0; i < req->due.count; i++)
            fixture_assert_id(req->due.ids[i], fixture_mixed_ids[seen++]);
        if (req->due.count) from = docid_copy(req->due.ids[req->due.count - 1]);
        end = req->due.end;
        ck_assert(end || from);
        req_free(req);
    }
    docid_free(from);
    ck_assert_uint_eq(seen, fixture_mixed_count);
    fixture_end(&f);
}
END_TEST

/* A document's entries, as JSON; NULL for a document without a record. */
struct entries {
    const char *tools, *usecases;
};

/* Documents 1, 2, ... with these entries. */
static void insert_entries(const struct entries *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = list[i].tools ? bson_strdup_printf("{'_id':%zu,'syncMetadata':{'overallStatus':'synced',"
                                                        "'collections':{'tools':%s,'usecases':%s}}}",
                                                        i + 1, list[i].tools, list[i].usecases)
                                   : bson_strdup_printf("{'_id':%zu,'syncMetadata':7}", i + 1);
        fixture_insert(&f, "c", text);
        bson_free(text);
    }
}

#define SYNCED "{'status':'synced'}"
#define AT(status, ms) "{'status':'" status "','nextRetryAt':{'$date':{'$numberLong':'" #ms "'}}}"

START_TEST(due_is_what_is_pending_or_whose_time_has_come)
{
    static const bool first_only[] = {true, false};
    static const struct entries list[] = {
        {SYNCED, SYNCED},
        {"{'status':'stale','nextRetryAt':null}", SYNCED},
        {"{'status':'failed','nextRetryAt':null}", SYNCED},
        {AT("failed", 1500), SYNCED},
        {SYNCED, AT("stale", 1200)},
        {SYNCED, "{'status':'pending'}"},
        {SYNCED, "null"},
        {"{'status':'failed','errorCode':'VALIDATION_ERROR','nextRetryAt':null}", SYNCED},
    };
    int64_t next_ms;
    fixture_start(&f, _i, NULL);
    insert_entries(list, sizeof list / sizeof *list);
    fixture_open(&f);
    ck_assert_int_eq(fixture_due_count(&f, 1000, false, &next_ms), 3); /* 2, 6, 7 */
    ck_assert_int_eq(next_ms, 1200);
    ck_assert_int_eq(fixture_due_count(&f, 1000, true, NULL), 2); /* 2, 6 */
    ck_assert_int_eq(fixture_due_count(&f, 1200, false, &next_ms), 4);
    ck_assert_int_eq(next_ms, 1500);
    ck_assert_int_eq(fixture_due_count(&f, 1500, false, &next_ms), 5);
    ck_assert(next_ms == NO_TIME);
    struct req *req = req_new(REQ_DUE, NULL);
    req->due.now_ms = 1000;
    req->due.collections = first_only;
    req->due.rejected_too = true;
    req->due.max_docs = 10;
    fixture_ok(&f, req);
    ck_assert_uint_eq(req->due.count, 2);
    fixture_assert_id(req->due.ids[0], "2");
    fixture_assert_id(req->due.ids[1], "8");
    ck_assert_int_eq(req->due.next_ms, 1500);
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(beside_documents_too_the_rejected_are_found_when_asked_for)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", "{'_id':1},{'_id':2}");
    fixture_insert(&f, "c.lockstep",
                   "{'_id':2,'syncMetadata':{'collections':{'tools':{'status':'failed','errorCode':"
                   "'VALIDATION_ERROR'},'usecases':{'status':'synced'}}}}");
    f.config.metadata = MONGO_SIDECAR;
    fixture_open(&f);
    for (int recorded_only = 0; recorded_only < 2; recorded_only++) {
        struct req *req = req_new(REQ_DUE, NULL);
        req->due.recorded_only = recorded_only;
        req->due.rejected_too = true;
        req->due.max_docs = 10;
        fixture_ok(&f, req);
        ck_assert_uint_eq(req->due.count, recorded_only ? 1 : 2);
        fixture_assert_id(req->due.ids[req->due.count - 1], "2");
        ck_assert(req->due.end);
        req_free(req);
    }
    fixture_end(&f);
}
END_TEST

/* ---- records that contradict themselves ---- */

#define WORDS 6
static const char *const words[WORDS] = {"synced", "stale", "pending", "failed", "odd", NULL};

/* From best to worst; what is no status counts as pending. */
static int word_rank(int word)
{
    return word > 3 ? 2 : word;
}

static bool contradicts(int overall, int tools, int usecases)
{
    int worst = word_rank(tools) > word_rank(usecases) ? word_rank(tools) : word_rank(usecases);
    if (overall > 3) return tools <= 3 || usecases <= 3; /* without any entry it is due */
    return overall != worst;
}

static void append_entry(bson_t *collections, const char *name, int word)
{
    bson_t entry;
    if (!words[word]) return;
    BSON_APPEND_DOCUMENT_BEGIN(collections, name, &entry);
    BSON_APPEND_UTF8(&entry, "status", words[word]);
    if (!strcmp(words[word], "failed")) BSON_APPEND_UTF8(&entry, "errorCode", "UNKNOWN");
    bson_append_document_end(collections, &entry);
}

/* Every overallStatus over every two entries: document overall * 36 + tools * 6 + usecases. */
static void insert_all_records(const char *collection)
{
    bson_t command = BSON_INITIALIZER, list, doc, metadata, collections;
    char index[16];
    bson_error_t error;
    BSON_APPEND_UTF8(&command, "insert", collection);
    BSON_APPEND_ARRAY_BEGIN(&command, "documents", &list);
    for (int i = 0; i < WORDS * WORDS * WORDS; i++) {
        snprintf(index, sizeof index, "%d", i);
        BSON_APPEND_DOCUMENT_BEGIN(&list, index, &doc);
        BSON_APPEND_INT32(&doc, "_id", i);
        BSON_APPEND_DOCUMENT_BEGIN(&doc, "syncMetadata", &metadata);
        if (words[i / 36]) BSON_APPEND_UTF8(&metadata, "overallStatus", words[i / 36]);
        BSON_APPEND_DOCUMENT_BEGIN(&metadata, "collections", &collections);
        append_entry(&collections, "tools", i / 6 % 6);
        append_entry(&collections, "usecases", i % 6);
        bson_append_document_end(&metadata, &collections);
        bson_append_document_end(&doc, &metadata);
        bson_append_document_end(&list, &doc);
    }
    bson_append_array_end(&command, &list);
    ck_assert(mongoc_client_command_simple(f.client, f.database, &command, NULL, NULL, &error));
    bson_destroy(&command);
}

/* All that are found, page by page. */
static void find_contradictions(bool found[WORDS * WORDS * WORDS])
{
    struct docid *from = NULL;
    bool end = false;
    while (!end) {
        struct req *req = req_new(REQ_DUE, NULL);
        bson_iter_t id;
        req->due.contradicting = true;
        req->due.from = from;
        req->due.max_docs = 20;
        fixture_ok(&f, req);
        docid_free(from);
        from = NULL;
        for (size_t i = 0; i < req->due.count; i++) {
            docid_iter(req->due.ids[i], &id);
            found[bson_iter_int32(&id)] = true;
        }
        if (req->due.count) from = docid_copy(req->due.ids[req->due.count - 1]);
        end = req->due.end;
        ck_assert(end || from);
        ck_assert(req->due.next_ms == NO_TIME);
        req_free(req);
    }
    docid_free(from);
}

static void every_contradiction_is_found(int server, enum mongo_metadata metadata)
{
    bool found[WORDS * WORDS * WORDS] = {false};
    fixture_start(&f, server, NULL);
    insert_all_records("c");
    if (metadata == MONGO_SIDECAR) insert_all_records("c.lockstep");
    f.config.metadata = metadata;
    fixture_open(&f);
    find_contradictions(found);
    for (int i = 0; i < WORDS * WORDS * WORDS; i++)
        ck_assert_msg(found[i] == contradicts(i / 36, i / 6 % 6, i % 6), "%s over %s and %s is %sfound",
                      words[i / 36], words[i / 6 % 6], words[i % 6], found[i] ? "" : "not ");
    fixture_end(&f);
}

START_TEST(every_record_that_contradicts_itself_is_found_and_no_other)
{
    every_contradiction_is_found(_i, MONGO_EMBEDDED);
}
END_TEST

START_TEST(beside_documents_too_every_record_that_contradicts_itself_is_found)
{
    every_contradiction_is_found(_i, MONGO_SIDECAR);
}
END_TEST

/* An application wrote `failed`, and nothing would ever try it again. */
START_TEST(an_entry_that_failed_without_an_error_is_found_with_the_contradictions)
{
    bool found[WORDS * WORDS * WORDS] = {false};
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c",
                   "{'_id':1,'syncMetadata':{'overallStatus':'failed','collections':{'tools':{'status':"
                   "'failed'},'usecases':{'status':'synced'}}}},"
                   "{'_id':2,'syncMetadata':{'overallStatus':'failed','collections':{'tools':{'status':"
                   "'failed','errorCode':null,'nextRetryAt':{'$date':{'$numberLong':'5'}}},"
                   "'usecases':{'status':'synced'}}}},"
                   "{'_id':3,'syncMetadata':{'overallStatus':'failed','collections':{'tools':{'status':"
                   "'failed','errorCode':'UNKNOWN','nextRetryAt':null},'usecases':{'status':'synced'}}}}");
    fixture_open(&f);
    find_contradictions(found);
    ck_assert(found[1] && !found[2] && !found[3]);
    fixture_end(&f);
}
END_TEST

/* The key of the index on overallStatus and the entries' statuses, as its fields one after the other. */
static void overall_index(char *fields, size_t bytes)
{
    bson_t *reply = fixture_command(&f, NULL, "{'listIndexes':'c'}");
    bson_iter_t iter, batch, index, name, key;
    fields[0] = '\0';
    ck_assert(bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch", &batch) &&
              bson_iter_recurse(&batch, &iter));
    while (bson_iter_next(&iter)) {
        ck_assert(bson_iter_recurse(&iter, &name) && bson_iter_find(&name, "name"));
        if (strcmp(bson_iter_utf8(&name, NULL), "lockstep_overall") != 0) continue;
        ck_assert(bson_iter_recurse(&iter, &index) && bson_iter_find(&index, "key") &&
                  bson_iter_recurse(&index, &key));
        for (size_t used = 0; bson_iter_next(&key) && used < bytes;)
            used += (size_t)snprintf(fields + used, bytes - used, "%s ", bson_iter_key(&key));
    }
    bson_destroy(reply);
}

START_TEST(the_index_on_statuses_is_that_of_the_collections_that_are_on)
{
    static const char *const one[] = {"tools"};
    struct lks_err err = {0};
    char fields[400];
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", "{'_id':1}");
    fixture_open(&f);
    ck_assert_msg(mongo_prepare(f.mongo, &err) == LKS_E_OK, "%s", err.text);
    overall_index(fields, sizeof fields);
    ck_assert_str_eq(fields, "syncMetadata.overallStatus syncMetadata.collections.tools.status "
                             "syncMetadata.collections.usecases.status ");
    f.config.collections = one;
    f.config.collection_count = 1;
    fixture_open(&f);
    ck_assert_msg(mongo_prepare(f.mongo, &err) == LKS_E_OK, "%s", err.text);
    ck_assert_msg(mongo_prepare(f.mongo, &err) == LKS_E_OK, "%s", err.text);
    overall_index(fields, sizeof fields);
    ck_assert_str_eq(fields, "syncMetadata.overallStatus syncMetadata.collections.tools.status ");
    fixture_end(&f);
}
END_TEST

START_TEST(counts_take_what_is_missing_as_pending)
{
    static const struct entries list[] = {
        {"{'status':'synced','pointId':'p'}", "{'status':'synced','pointId':null}"},
        {"{'status':'stale','pointId':'p'}", SYNCED},
        {"{'status':'failed'}", "{'status':'stale'}"},
        {NULL, NULL},
        {NULL, NULL},
        {SYNCED, "null"},
    };
    struct mongo_counts counts;
    struct lks_err err = {0};
    fixture_start(&f, _i, NULL);
    insert_entries(list, sizeof list / sizeof *list);
    fixture_open(&f);
    ck_assert_msg(mongo_count(f.mongo, &counts, &err) == LKS_E_OK, "%s", err.text);
    ck_assert_int_eq(counts.total, 6);
    ck_assert_int_eq(counts.by_status[SYNC_SYNCED], 1);
    ck_assert_int_eq(counts.by_status[SYNC_STALE], 1);
    ck_assert_int_eq(counts.by_status[SYNC_FAILED], 1);
    ck_assert_int_eq(counts.by_status[SYNC_PENDING], 3);
    ck_assert_int_eq(counts.per_collection[0][SYNC_SYNCED], 2);
    ck_assert_int_eq(counts.per_collection[0][SYNC_PENDING], 2);
    ck_assert_int_eq(counts.per_collection[1][SYNC_SYNCED], 2);
    ck_assert_int_eq(counts.per_collection[1][SYNC_PENDING], 3);
    ck_assert_int_eq(counts.with_point[0], 2);
    ck_assert_int_eq(counts.with_point[1], 0);
    mongo_counts_fini(&counts);
    fixture_assert_record_counts(&f, 2);
    fixture_end(&f);
}
END_TEST

START_TEST(indexes_are_made_beside_those_that_are_there)
{
    struct lks_err err = {0};
    fixture_start(&f, _i, NULL);
    bson_destroy(fixture_command(
        &f, NULL, "{'createIndexes':'c','indexes':[{'key':{'id':1},'name':'mine','unique':true}]}"));
    fixture_open(&f);
    ck_assert_msg(mongo_prepare(f.mongo, &err) == LKS_E_OK, "%s", err.text);
    ck_assert_msg(mongo_prepare(f.mongo, &err) == LKS_E_OK, "%s", err.text);
    bson_t *reply = fixture_command(&f, NULL, "{'listIndexes':'c'}");
    bson_iter_t iter, batch;
    int count = 0;
    ck_assert(bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch", &batch) &&
              bson_iter_recurse(&batch, &iter));
    while (bson_iter_next(&iter)) count++;
    ck_assert_int_eq(count, 9); /* _id, mine, overallStatus three times, two per collection */
    bson_destroy(reply);
    fixture_end(&f);
}
END_TEST

int main(void)
{
    int servers = fixture_server_count();
    Suite *suite = suite_create("mongo due");
    TCase *tc = tcase_create("due");
    tcase_add_loop_test(tc, what_is_due_comes_in_the_order_of_ids_page_by_page, 0, servers);
    tcase_add_loop_test(tc, due_is_what_is_pending_or_whose_time_has_come, 0, servers);
    tcase_add_loop_test(tc, beside_documents_too_the_rejected_are_found_when_asked_for, 0, servers);
    tcase_add_loop_test(tc, every_record_that_contradicts_itself_is_found_and_no_other, 0, servers);
    tcase_add_loop_test(tc, beside_documents_too_every_record_that_contradicts_itself_is_found, 0, servers);
    tcase_add_loop_test(tc, an_entry_that_failed_without_an_error_is_found_with_the_contradictions, 0,
                        servers);
    tcase_add_loop_test(tc, the_index_on_statuses_is_that_of_the_collections_that_are_on, 0, servers);
    tcase_add_loop_test(tc, counts_take_what_is_missing_as_pending, 0, servers);
    tcase_add_loop_test(tc, indexes_are_made_beside_those_that_are_there, 0, servers);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
