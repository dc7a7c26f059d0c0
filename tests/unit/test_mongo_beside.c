/*
 * test_mongo_beside.c - `syncMetadata` of other programs, which the first start must not overwrite, and
 * records beside documents, which must not outlive them.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mongo_fixture.h"
#include "suite.h"

static struct fixture f;

/* ---- records of another program ---- */

static enum lks_code load(char *text, size_t bytes)
{
    struct req *req = fixture_run(&f, req_new(REQ_STATE_LOAD, NULL));
    enum lks_code code = req->err.code;
    snprintf(text, bytes, "%s", req->err.text);
    req_free(req);
    return code;
}

/* As the engine does when it has begun. */
static void take_and_save(void)
{
    struct req *lease = req_new(REQ_LEASE, NULL), *save = req_new(REQ_STATE_SAVE, NULL);
    lease->lease.op = LEASE_TAKE;
    lease->lease.lease_ms = 60000;
    fixture_ok(&f, lease);
    save->state_save.epoch = lease->lease.epoch;
    save->state_save.state.digests = calloc(1, sizeof(char *));
    req_free(fixture_ok(&f, save));
    req_free(lease);
}

#define OURS "{'status':'synced','payloadHash':null}"

static const struct {
    const char *record;
    bool refused;
} cases[] = {{"{'overallStatus':'pending','collections':{'tools':{'status':'pending'}}}", true},
             {"{'collections':{'tools':{'contentHash':'x'},'usecases':{'contentHash':'y'}}}", true},
             {"{'collections':{}}", true},
             {"{'lastSync':{'$date':{'$numberLong':'5'}}}", true},
             {"{'collections':[{'payloadHash':null}]}", true},
             {"{'collections':'none'}", true},
             {"'synced'", true},
             {"null", false},
             {"{'collections':{'tools':" OURS "}}", false},
             {"{'collections':{'older':{'status':'synced'},'tools':" OURS "}}", false}};
#define CASES (int)(sizeof cases / sizeof *cases)

START_TEST(a_first_start_over_the_records_of_another_program_is_refused)
{
    char text[LKS_ERR_TEXT_BYTES], documents[400];
    int i = _i % CASES;
    fixture_start(&f, _i / CASES, NULL);
    snprintf(documents, sizeof documents,
             "{'_id':1},{'_id':2,'syncMetadata':{'collections':{'tools':" OURS
             "}}},{'_id':3,'syncMetadata':%s}",
             cases[i].record);
    fixture_insert(&f, "c", documents);
    fixture_open(&f);
    ck_assert_msg(load(text, sizeof text) == (cases[i].refused ? LKS_E_CONFIG : LKS_E_OK), "%s: %s",
                  cases[i].record, text);
    if (cases[i].refused) {
        ck_assert_ptr_nonnull(strstr(text, "document 3 of"));
        ck_assert_ptr_nonnull(strstr(text, "metadata = sidecar"));
        ck_assert_ptr_nonnull(strstr(text, "adopt_metadata = yes"));
    }
    fixture_end(&f);
}
END_TEST

START_TEST(records_of_another_program_are_taken_over_if_allowed_and_left_alone_by_the_sidecar)
{
    char text[LKS_ERR_TEXT_BYTES];
    for (int beside = 0; beside < 2; beside++) {
        fixture_start(&f, _i, NULL);
        fixture_insert(&f, "c", "{'_id':1,'syncMetadata':{'status':'done'}}");
        f.config.metadata = beside ? MONGO_SIDECAR : MONGO_EMBEDDED;
        f.config.adopt_metadata = !beside;
        fixture_open(&f);
        ck_assert_int_eq(load(text, sizeof text), LKS_E_OK);
        fixture_end(&f);
    }
}
END_TEST

START_TEST(only_the_first_start_on_a_collection_is_refused)
{
    char text[LKS_ERR_TEXT_BYTES];
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    take_and_save();
    fixture_insert(&f, "c", "{'_id':1,'syncMetadata':{'status':'done'}}");
    ck_assert_int_eq(load(text, sizeof text), LKS_E_OK);
    f.config.collection = "other"; /* nothing was saved about this one */
    fixture_insert(&f, "other", "{'_id':1,'syncMetadata':{'status':'done'}}");
    fixture_open(&f);
    ck_assert_int_eq(load(text, sizeof text), LKS_E_CONFIG);
    fixture_end(&f);
}
END_TEST

START_TEST(a_search_for_them_that_takes_too_long_is_no_reason_to_refuse)
{
    char text[LKS_ERR_TEXT_BYTES];
    fixture_start(&f, 0, NULL);
    fixture_insert(&f, "c", "{'_id':1,'syncMetadata':{'status':'done'}}");
    fixture_open(&f);
    for (int code = 0; code < 2; code++) { /* the time limit, and anything else */
        char *fail = bson_strdup_printf("{'configureFailPoint':'failCommand','mode':{'times':%d},'data':{"
                                        "'failCommands':['find'],'namespace':'%s.c','errorCode':%d}}",
                                        code ? 2 : 1, f.database, code ? 8 : 50);
        bson_destroy(fixture_command(&f, "admin", fail));
        bson_free(fail);
        ck_assert_int_eq(load(text, sizeof text), code ? LKS_E_MONGO : LKS_E_OK);
    }
    fixture_end(&f);
}
END_TEST

/* ---- records beside documents ---- */

/* The ids of all records without a document, by pages of this size. */
static const char *orphans(size_t page)
{
    static char text[400];
    struct docid *from = NULL;
    size_t used = 0;
    text[0] = '\0';
    do {
        struct req *req = req_new(REQ_ORPHAN_RECORDS, NULL);
        req->orphan_records.max_records = page;
        req->orphan_records.from = from;
        fixture_ok(&f, req);
        for (size_t i = 0; i < req->orphan_records.count; i++) {
            char *plain = docid_plain(req->orphan_records.ids[i]);
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? " " : "", plain);
            free(plain);
        }
        from = req->orphan_records.next ? docid_copy(req->orphan_records.next) : NULL;
        req_free(req);
    } while (from);
    return text;
}

START_TEST(records_without_a_document_are_found_whatever_their_ids_are)
{
    fixture_start(&f, _i, NULL);
    f.config.metadata = MONGO_SIDECAR;
    fixture_open(&f);
    ck_assert_str_eq(orphans(3), "");
    fixture_insert(&f, "c.lockstep",
                   "{'_id':1,'syncMetadata':{}},{'_id':2,'syncMetadata':{}},{'_id':{'$numberLong':'3'},"
                   "'syncMetadata':{}},{'_id':4},{'_id':'a','syncMetadata':{}},{'_id':'b','syncMetadata':{}},"
                   "{'_id':{'x':1},'syncMetadata':{}},{'_id':true,'syncMetadata':{}}");
    fixture_insert(&f, "c", "{'_id':2},{'_id':3.0},{'_id':'b'},{'_id':7}");
    for (size_t page = 1; page < 12; page++) {
        ck_assert_str_eq(orphans(page), "1 a {\"x\":{\"$numberInt\":\"1\"}} true");
    }
    fixture_end(&f);
}
END_TEST

static enum lks_code put_tombstone(int id)
{
    struct req *req = req_new(REQ_TOMBSTONES_PUT, NULL);
    char text[16];
    snprintf(text, sizeof text, "%d", id);
    req->tombstones.tombstones = calloc(1, sizeof *req->tombstones.tombstones);
    req->tombstones.tombstones[0].id = fixture_id(text);
    req->tombstones.count = 1;
    fixture_run(&f, req);
    enum lks_code code = req->err.code;
    req_free(req);
    return code;
}

static void forbid(const char *commands, int code)
{
    char *fail = bson_strdup_printf("{'configureFailPoint':'failCommand','mode':'alwaysOn','data':{"
                                    "'failCommands':%s,'namespace':'%s.c.lockstep','errorCode':%d}}",
                                    commands, f.database, code);
    bson_destroy(fixture_command(&f, "admin", fail));
    bson_free(fail);
}

#define HAS_POINT "{'status':'synced','pointId':'p','contentHash':'h','payloadHash':'h'}"
#define RECORD "{'overallStatus':'synced','collections':{'tools':" HAS_POINT ",'usecases':" HAS_POINT "}}"

START_TEST(without_the_right_to_remove_it_a_record_is_emptied_and_counts_as_none)
{
    struct mongo_counts counts;
    struct lks_err err;
    fixture_start(&f, 0, NULL);
    f.config.metadata = MONGO_SIDECAR;
    fixture_insert(&f, "c", "{'_id':2},{'_id':3}");
    fixture_insert(&f, "c.lockstep",
                   "{'_id':1,'syncMetadata':" RECORD "},{'_id':2,'syncMetadata':" RECORD "}");
    fixture_open(&f);
    forbid("['delete']", 13);
    ck_assert_int_eq(put_tombstone(1), LKS_E_OK);
    ck_assert(!mongo_records_remain(f.mongo));
    bson_t *left = fixture_find(&f, "c.lockstep", "1");
    ck_assert(left && !bson_has_field(left, "syncMetadata"));
    bson_destroy(left);
    ck_assert_str_eq(orphans(5), "");
    ck_assert_int_eq(mongo_count(f.mongo, &counts, &err), LKS_E_OK);
    ck_assert_int_eq(counts.total, 2);
    ck_assert_int_eq(counts.by_status[SYNC_SYNCED], 1);
    ck_assert_int_eq(counts.by_status[SYNC_PENDING], 1);
    ck_assert_int_eq(counts.with_point[0], 1);
    mongo_counts_fini(&counts);
    fixture_end(&f);
}
END_TEST

START_TEST(a_record_that_may_not_be_touched_stays_and_holds_no_tombstone_up)
{
    fixture_start(&f, 0, NULL);
    f.config.metadata = MONGO_SIDECAR;
    fixture_insert(&f, "c.lockstep", "{'_id':1,'syncMetadata':" RECORD "}");
    fixture_open(&f);
    forbid("['delete','update']", 13);
    ck_assert_int_eq(put_tombstone(1), LKS_E_OK);
    ck_assert(mongo_records_remain(f.mongo));
    forbid("['delete']", 8); /* anything else is tried again */
    ck_assert_int_eq(put_tombstone(1), LKS_E_MONGO);
    forbid("[]", 13);
    ck_assert_int_eq(put_tombstone(1), LKS_E_OK);
    ck_assert(!mongo_records_remain(f.mongo));
    fixture_end(&f);
}
END_TEST

START_TEST(a_record_beside_no_document_is_not_due)
{
    fixture_start(&f, _i, NULL);
    f.config.metadata = MONGO_SIDECAR;
    fixture_insert(&f, "c", "{'_id':2},{'_id':5}");
    fixture_insert(&f, "c.lockstep",
                   "{'_id':1,'syncMetadata':{'collections':{'tools':{'status':'stale'}}}},"
                   "{'_id':2,'syncMetadata':{'collections':{'tools':{'status':'stale'}}}},"
                   "{'_id':3,'syncMetadata':{'collections':{'tools':{'status':'stale'}}}},"
                   "{'_id':4,'syncMetadata':{'collections':{'tools':{'status':'stale'}}}},"
                   "{'_id':5,'syncMetadata':{'collections':{'tools':{'status':'stale'}}}}");
    fixture_open(&f);
    ck_assert_int_eq(fixture_due_count(&f, 1000, true, NULL), 2);
    for (size_t max = 1; max < 4; max++) {
        struct req *req = req_new(REQ_DUE, NULL);
        req->due.now_ms = 1000;
        req->due.recorded_only = true;
        req->due.max_docs = max;
        fixture_ok(&f, req);
        ck_assert_uint_eq(req->due.count, max < 2 ? max : 2);
        fixture_assert_id(req->due.ids[0], "2");
        req_free(req);
    }
    fixture_end(&f);
}
END_TEST

START_TEST(an_emptied_record_hides_no_document_that_has_its_own)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c.lockstep", "{'_id':1}");
    fixture_insert(
        &f, "c", "{'_id':1,'syncMetadata':{'collections':{'tools':{'status':'stale','payloadHash':null}}}}");
    fixture_open(&f);
    req_free(fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL)));
    ck_assert_int_eq(fixture_due_count(&f, 1000, true, NULL), 1);
    fixture_end(&f);
}
END_TEST

int main(void)
{
    int servers = fixture_server_count();
    Suite *suite = suite_create("mongo beside");
    TCase *tc = tcase_create("records of another program");
    tcase_add_loop_test(tc, a_first_start_over_the_records_of_another_program_is_refused, 0, servers * CASES);
    tcase_add_loop_test(
        tc, records_of_another_program_are_taken_over_if_allowed_and_left_alone_by_the_sidecar, 0, servers);
    tcase_add_loop_test(tc, only_the_first_start_on_a_collection_is_refused, 0, servers);
    tcase_add_test(tc, a_search_for_them_that_takes_too_long_is_no_reason_to_refuse);
    suite_add_tcase(suite, tc);
    tc = tcase_create("records beside documents");
    tcase_add_loop_test(tc, records_without_a_document_are_found_whatever_their_ids_are, 0, servers);
    tcase_add_test(tc, without_the_right_to_remove_it_a_record_is_emptied_and_counts_as_none);
    tcase_add_test(tc, a_record_that_may_not_be_touched_stays_and_holds_no_tombstone_up);
    tcase_add_loop_test(tc, a_record_beside_no_document_is_not_due, 0, servers);
    tcase_add_loop_test(tc, an_emptied_record_hides_no_document_that_has_its_own, 0, servers);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
