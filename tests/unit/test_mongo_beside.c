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
    return suite_run(suite);
}
