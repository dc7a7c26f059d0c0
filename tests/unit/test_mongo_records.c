/*
 * test_mongo_records.c - records over the wire: compare-and-set, sidecar fallback for documents that refuse,
 * metadata beside the documents.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mongo_fixture.h"
#include "suite.h"

static struct fixture f;

/* A record whose first entry says `status`, and `hash` is in the point. */
static void set_entry(struct record *r, enum sync_status status, const char *hash)
{
    r->present = true;
    r->entries[0].present = true;
    r->entries[0].status = status;
    snprintf(r->entries[0].content_hash, sizeof r->entries[0].content_hash, "%s", hash);
    snprintf(r->entries[0].point_id, sizeof r->entries[0].point_id, "%s", hash[0] ? "p" : "");
}

/* Writes one record and returns its outcome. */
static enum lks_code write_one(const char *id, const struct record *before, const struct record *after)
{
    struct docid *one = fixture_id(id);
    struct req *req = req_new(REQ_RECORD, NULL);
    req->record.writes = calloc(1, sizeof *req->record.writes);
    req->record.count = 1;
    req->record.writes[0] = (struct record_write){.id = one, .before = before, .after = after};
    fixture_ok(&f, req);
    enum lks_code code = req->record.writes[0].code;
    req_free(req);
    docid_free(one);
    return code;
}

static void records_init(struct record *before, struct record *after)
{
    ck_assert(record_init(before, 2));
    ck_assert(record_init(after, 2));
}

/* Nothing but overallStatus is wrong: an application wrote it, in the first try and between read and write.
 */
START_TEST(an_overall_status_alone_is_put_right)
{
    struct record none, synced;
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", "{'_id':1},{'_id':2}");
    fixture_open(&f);
    records_init(&none, &synced);
    set_entry(&synced, SYNC_SYNCED, "one");
    synced.entries[1].present = true;
    synced.entries[1].status = SYNC_SYNCED;
    ck_assert_int_eq(write_one("1", &none, &synced), LKS_E_OK);
    fixture_update(&f, "1", "{'$set':{'syncMetadata.overallStatus':'pending'}}");
    struct req *req = fixture_read_one(&f, "1");
    ck_assert(req->read.docs[0].record.contradicts);
    req_free(req);
    ck_assert_int_eq(write_one("1", &synced, &synced), LKS_E_OK);
    req = fixture_read_one(&f, "1");
    ck_assert(!req->read.docs[0].record.contradicts);
    req_free(req);
    /* a number that no filter of ours matches: the record is read back, and written against what is there */
    fixture_update(&f, "1",
                   "{'$set':{'syncMetadata.overallStatus':'pending',"
                   "'syncMetadata.collections.tools.retryCount':'odd'}}");
    ck_assert_int_eq(write_one("1", &synced, &synced), LKS_E_OK);
    req = fixture_read_one(&f, "1");
    ck_assert(!req->read.docs[0].record.contradicts);
    req_free(req);
    /* and the names of fields alone, likewise */
    struct record named;
    ck_assert(record_copy(&named, &synced));
    named.modified_fields = calloc(2, sizeof(char *));
    named.modified_fields[0] = strdup("name");
    fixture_update(&f, "1", "{'$set':{'syncMetadata.collections.tools.retryCount':'odd'}}");
    ck_assert_int_eq(write_one("1", &synced, &named), LKS_E_OK);
    req = fixture_read_one(&f, "1");
    ck_assert(req->read.docs[0].record.modified_hash == record_names_hash(named.modified_fields));
    req_free(req);
    record_fini(&named);
    record_fini(&none);
    record_fini(&synced);
    fixture_end(&f);
}
END_TEST

START_TEST(a_record_is_written_if_it_still_is_what_was_read)
{
    struct record none, first, second;
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", "{'_id':1,'name':'n'}");
    fixture_open(&f);
    records_init(&none, &first);
    ck_assert(record_init(&second, 2));
    set_entry(&first, SYNC_SYNCED, "one");
    set_entry(&second, SYNC_STALE, "one");
    ck_assert_int_eq(write_one("1", &none, &first), LKS_E_OK);
    ck_assert_int_eq(write_one("1", &first, &second), LKS_E_OK);
    ck_assert_int_eq(write_one("1", &first, &second), LKS_E_OK); /* done already: a repeated try */
    ck_assert_int_eq(write_one("1", &none, &first), LKS_E_MISSED);
    ck_assert_int_eq(write_one("2", &none, &first), LKS_E_NOT_FOUND);
    struct req *req = fixture_read_one(&f, "1");
    const struct record *r = &req->read.docs[0].record;
    ck_assert(r->present && !r->sidecar);
    ck_assert_int_eq(r->entries[0].status, SYNC_STALE);
    ck_assert_str_eq(r->entries[0].content_hash, "one");
    ck_assert(!r->entries[1].present);
    req_free(req);
    bson_t *doc = fixture_find(&f, "c", "1");
    ck_assert(bson_has_field(doc, "name") && bson_has_field(doc, "syncMetadata.createdAt") &&
              bson_has_field(doc, "syncMetadata.updatedAt") &&
              bson_has_field(doc, "syncMetadata.overallStatus"));
    bson_destroy(doc);
    record_fini(&none);
    record_fini(&first);
    record_fini(&second);
    fixture_end(&f);
}
END_TEST

START_TEST(in_a_bulk_each_write_has_its_own_outcome)
{
    struct record none, after, other;
    fixture_start(&f, _i, NULL);
    fixture_insert(
        &f, "c",
        "{'_id':1},{'_id':2,'syncMetadata':{'collections':{'tools':{'status':'failed'}}}},{'_id':4}");
    fixture_open(&f);
    records_init(&none, &after);
    ck_assert(record_init(&other, 2));
    set_entry(&after, SYNC_SYNCED, "h");
    set_entry(&other, SYNC_FAILED, "");
    struct docid *ids[] = {fixture_id("1"), fixture_id("2"), fixture_id("3"), fixture_id("4"),
                           fixture_id("2")};
    const struct record *befores[] = {&none, &none, &none, &none, &other};
    static const enum lks_code expected[] = {LKS_E_OK, LKS_E_MISSED, LKS_E_NOT_FOUND, LKS_E_OK};
    struct req *req = req_new(REQ_RECORD, NULL);
    req->record.writes = calloc(4, sizeof *req->record.writes);
    req->record.count = 4;
    for (size_t i = 0; i < 4; i++)
        req->record.writes[i] = (struct record_write){.id = ids[i], .before = befores[i], .after = &after};
    fixture_ok(&f, req);
    for (size_t i = 0; i < 4; i++) ck_assert_int_eq(req->record.writes[i].code, expected[i]);
    req_free(req);
    ck_assert_int_eq(write_one("2", &other, &after), LKS_E_OK);
    for (size_t i = 0; i < 5; i++) docid_free(ids[i]);
    record_fini(&none);
    record_fini(&after);
    record_fini(&other);
    fixture_end(&f);
}
END_TEST

#define FAIL_UPDATES                                                                                         \
    "{'configureFailPoint':'failCommand','mode':{'times':%d},'data':{'failCommands':['update'],"             \
    "'closeConnection':true,'appName':'lockstep'}}"

START_TEST(a_lost_connection_is_tried_once_more_and_then_told_as_unknown)
{
    struct record none, after;
    fixture_start(&f, 0, NULL);
    fixture_insert(&f, "c", "{'_id':1}");
    fixture_open(&f);
    records_init(&none, &after);
    set_entry(&after, SYNC_STALE, "h");
    struct docid *id = fixture_id("1");
    for (int times = 2; times >= 1; times--) {
        char *fail = bson_strdup_printf(FAIL_UPDATES, times);
        bson_destroy(fixture_command(&f, "admin", fail));
        bson_free(fail);
        struct req *req = req_new(REQ_RECORD, NULL);
        req->record.writes = calloc(1, sizeof *req->record.writes);
        req->record.count = 1;
        req->record.writes[0] = (struct record_write){.id = id, .before = &none, .after = &after};
        fixture_run(&f, req);
        ck_assert_int_eq(req->err.code, times == 2 ? LKS_E_MONGO : LKS_E_OK);
        ck_assert_int_eq(req->record.writes[0].code, times == 2 ? LKS_E_MONGO : LKS_E_OK);
        req_free(req);
    }
    docid_free(id);
    record_fini(&none);
    record_fini(&after);
    fixture_end(&f);
}
END_TEST

/* Whatever is in syncMetadata: what was read can be replaced, once. */
static const char *const messes[] = {
    "null",
    "5",
    "'x'",
    "[]",
    "[{'collections':{'tools':{'status':'synced'}}}]",
    "{'collections':7}",
    "{'collections':{'tools':'synced'}}",
    "{'collections':{'tools':{'status':3}}}",
    "{'collections':{'tools':{'status':'odd'}}}",
    "{'collections':{'tools':{'status':'synced','contentHash':5,'pointId':['p'],'retryCount':-1,"
    "'vectorVersion':'7'}}}",
    "{'collections':{'tools':{'status':'failed','retryCount':{'$numberDouble':'2.0'},"
    "'contentHash':'0123456789012345678901234567890123456789012345678901234567890123456789'}}}",
};
#define MESS_COUNT ((int)(sizeof messes / sizeof *messes))

START_TEST(a_messy_record_can_be_replaced)
{
    struct record after;
    fixture_start(&f, 0, NULL);
    char *text = bson_strdup_printf("{'_id':1,'name':'n','syncMetadata':%s}", messes[_i]);
    fixture_insert(&f, "c", text);
    bson_free(text);
    fixture_open(&f);
    struct req *req = fixture_read_one(&f, "1");
    ck_assert(record_init(&after, 2));
    set_entry(&after, SYNC_STALE, "h");
    ck_assert_int_eq(write_one("1", &req->read.docs[0].record, &after), LKS_E_OK);
    struct req *again = fixture_read_one(&f, "1");
    ck_assert(again->read.docs[0].record.present);
    ck_assert_int_eq(again->read.docs[0].record.entries[0].status, SYNC_STALE);
    ck_assert_str_eq(again->read.docs[0].record.entries[0].content_hash, "h");
    set_entry(&after, SYNC_FAILED, "h");
    ck_assert_int_eq(write_one("1", &req->read.docs[0].record, &after), LKS_E_MISSED);
    req_free(req);
    req_free(again);
    record_fini(&after);
    fixture_end(&f);
}
END_TEST

START_TEST(a_document_that_refuses_its_record_has_it_beside_it)
{
    struct record none, first, second;
    fixture_start(&f, _i, NULL);
    bson_destroy(fixture_command(
        &f, NULL,
        "{'create':'c','validator':{'$jsonSchema':{'bsonType':'object','properties':{'_id':{},"
        "'name':{'bsonType':'string'}},'additionalProperties':false}}}"));
    fixture_insert(&f, "c", "{'_id':1,'name':'n'},{'_id':2,'name':'m'}");
    fixture_open(&f);
    records_init(&none, &first);
    ck_assert(record_init(&second, 2));
    set_entry(&first, SYNC_STALE, "h");
    set_entry(&second, SYNC_SYNCED, "h");
    second.entries[1] = (struct entry){.present = true,
                                       .status = SYNC_SYNCED,
                                       .next_retry_ms = NO_TIME,
                                       .last_synced_ms = NO_TIME,
                                       .last_attempt_ms = NO_TIME};
    ck_assert_int_eq(fixture_due_count(&f, 1000, false, NULL), 2);
    ck_assert_int_eq(write_one("1", &none, &first), LKS_E_OK);
    struct req *req = fixture_read_one(&f, "1");
    ck_assert(req->read.docs[0].record.present && req->read.docs[0].record.sidecar);
    ck_assert_int_eq(fixture_due_count(&f, 1000, false, NULL), 2);
    ck_assert_int_eq(fixture_due_count(&f, 1000, true, NULL), 1);
    ck_assert_int_eq(write_one("1", &none, &second), LKS_E_MISSED);
    ck_assert_int_eq(write_one("1", &req->read.docs[0].record, &second), LKS_E_OK);
    ck_assert_int_eq(fixture_due_count(&f, 1000, false, NULL), 1);
    fixture_assert_record_counts(&f, 1);
    bson_t *doc = fixture_find(&f, "c", "1");
    ck_assert(!bson_has_field(doc, "syncMetadata"));
    bson_destroy(doc);
    fixture_open(&f); /* who comes later knows of it, too */
    req_free(fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL)));
    struct req *later = fixture_read_one(&f, "1");
    ck_assert(later->read.docs[0].record.sidecar);
    ck_assert_int_eq(later->read.docs[0].record.entries[0].status, SYNC_SYNCED);
    req_free(req);
    req_free(later);
    record_fini(&none);
    record_fini(&first);
    record_fini(&second);
    fixture_end(&f);
}
END_TEST

START_TEST(with_metadata_beside_the_documents_these_stay_untouched)
{
    struct record none, after, second;
    int64_t next_ms;
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", "{'_id':1,'syncMetadata':'mine'},{'_id':'b'},{'_id':{'$numberDouble':'3.0'}}");
    f.config.metadata = MONGO_SIDECAR;
    fixture_open(&f);
    records_init(&none, &after);
    ck_assert(record_init(&second, 2));
    ck_assert_int_eq(fixture_due_count(&f, 1000, false, NULL), 3);
    ck_assert_int_eq(fixture_due_count(&f, 1000, true, NULL), 0);
    set_entry(&after, SYNC_SYNCED, "h");
    set_entry(&second, SYNC_FAILED, "h");
    after.entries[1] = second.entries[1] = (struct entry){.present = true,
                                                          .status = SYNC_SYNCED,
                                                          .next_retry_ms = NO_TIME,
                                                          .last_synced_ms = NO_TIME,
                                                          .last_attempt_ms = NO_TIME};
    second.entries[0].next_retry_ms = 2000;
    ck_assert_int_eq(write_one("1", &none, &after), LKS_E_OK);
    ck_assert_int_eq(write_one("1", &none, &after), LKS_E_OK); /* a repeated try */
    ck_assert_int_eq(write_one("1", &none, &second), LKS_E_MISSED);
    ck_assert_int_eq(write_one("1", &after, &second), LKS_E_OK);
    ck_assert_int_eq(write_one("'b'", &after, &second), LKS_E_MISSED);
    ck_assert_int_eq(write_one("'c'", &after, &second), LKS_E_NOT_FOUND);
    ck_assert_int_eq(write_one("'c'", &none, &second),
                     LKS_E_NOT_FOUND);                         /* nor is one made of a document that */
    ck_assert_ptr_null(fixture_find(&f, "c.lockstep", "'c'")); /* is gone */
    struct req *req = fixture_read_one(&f, "1");
    ck_assert(req->read.docs[0].record.present && !req->read.docs[0].record.sidecar);
    ck_assert_int_eq(req->read.docs[0].record.entries[0].status, SYNC_FAILED);
    req_free(req);
    bson_t *doc = fixture_find(&f, "c", "1");
    ck_assert_int_eq(bson_count_keys(doc), 2);
    bson_destroy(doc);
    ck_assert_int_eq(fixture_due_count(&f, 1000, false, &next_ms), 2);
    ck_assert_int_eq(next_ms, 2000);
    ck_assert_int_eq(fixture_due_count(&f, 2000, false, NULL), 3);
    ck_assert_int_eq(fixture_due_count(&f, 2000, true, NULL), 1);
    fixture_assert_record_counts(&f, 1);
    record_fini(&none);
    record_fini(&after);
    record_fini(&second);
    fixture_end(&f);
}
END_TEST

int main(void)
{
    int servers = fixture_server_count();
    Suite *suite = suite_create("mongo records");
    TCase *tc = tcase_create("records");
    tcase_add_loop_test(tc, a_record_is_written_if_it_still_is_what_was_read, 0, servers);
    tcase_add_loop_test(tc, an_overall_status_alone_is_put_right, 0, servers);
    tcase_add_loop_test(tc, in_a_bulk_each_write_has_its_own_outcome, 0, servers);
    tcase_add_test(tc, a_lost_connection_is_tried_once_more_and_then_told_as_unknown);
    tcase_add_loop_test(tc, a_messy_record_can_be_replaced, 0, MESS_COUNT);
    tcase_add_loop_test(tc, a_document_that_refuses_its_record_has_it_beside_it, 0, servers);
    tcase_add_loop_test(tc, with_metadata_beside_the_documents_these_stay_untouched, 0, servers);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
