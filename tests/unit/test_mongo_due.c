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
    fixture_assert_tally(&f, 2);
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
    ck_assert_int_eq(count, 8); /* _id, mine, overallStatus twice, one per collection */
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
    tcase_add_loop_test(tc, counts_take_what_is_missing_as_pending, 0, servers);
    tcase_add_loop_test(tc, indexes_are_made_beside_those_that_are_there, 0, servers);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
