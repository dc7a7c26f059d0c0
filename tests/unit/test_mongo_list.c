/* test_mongo_list.c - lists for people: filtered, searched and sorted, wherever records stand; and what is
 * asked to be tried again. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mongo_fixture.h"
#include "suite.h"

static struct fixture f;

/* Where the records of the documents below stand. */
enum place { IN_DOCUMENTS, BESIDE, SOME_REFUGED, PLACE_COUNT };

static const struct {
    const char *id, *name, *slug;
    const char *tools, *usecases; /* statuses; NULL: no record; "": no entry */
    int64_t updated_ms;
} given[] = {
    {"alpha", "Zebra", "first-one", "synced", "synced", 5000},
    {"beta", "Yak", "second.one", "failed", "pending", 4000},
    {"delta", "Wolf (grey)", "fourth", "synced", "stale", 2000},
    {"epsilon", "Viper", "fifth", NULL, NULL, 0},
    {"eta", "Tiger", "seventh", "pending", "synced", 1000},
    {"gamma", "Xerus", "third", "stale", "synced", 3000},
    {"theta", "Swan", "eighth", "synced", "", 6000},
    {"zeta", "Unicorn", "sixth", "synced", "failed", 7000},
};
#define GIVEN (sizeof given / sizeof *given)

static void append_record(bson_t *doc, size_t i)
{
    bson_t metadata, collections, entry, names;
    const char *const statuses[] = {given[i].tools, given[i].usecases};
    const char *const collection[] = {"tools", "usecases"};
    BSON_APPEND_DOCUMENT_BEGIN(doc, "syncMetadata", &metadata);
    BSON_APPEND_UTF8(&metadata, "overallStatus", "synced"); /* not to be believed */
    BSON_APPEND_DOCUMENT_BEGIN(&metadata, "collections", &collections);
    for (size_t c = 0; c < 2; c++) {
        if (!*statuses[c]) continue;
        BSON_APPEND_DOCUMENT_BEGIN(&collections, collection[c], &entry);
        BSON_APPEND_UTF8(&entry, "status", statuses[c]);
        BSON_APPEND_INT32(&entry, "retryCount", strcmp(statuses[c], "failed") ? 0 : 7);
        bson_append_document_end(&collections, &entry);
    }
    bson_append_document_end(&metadata, &collections);
    BSON_APPEND_ARRAY_BEGIN(&metadata, "lastModifiedFields", &names);
    BSON_APPEND_UTF8(&names, "0", given[i].slug);
    bson_append_array_end(&metadata, &names);
    BSON_APPEND_DATE_TIME(&metadata, "updatedAt", given[i].updated_ms);
    bson_append_document_end(doc, &metadata);
}

static void insert_into(const char *name, const bson_t *doc)
{
    bson_error_t error;
    mongoc_collection_t *c = mongoc_client_get_collection(f.client, f.database, name);
    ck_assert_msg(mongoc_collection_insert_one(c, doc, NULL, NULL, &error), "%s", error.message);
    mongoc_collection_destroy(c);
}

/* `_id`s run against the order of the business ids. */
static void insert_given(enum place place)
{
    for (size_t i = 0; i < GIVEN; i++) {
        bson_t doc = BSON_INITIALIZER, record = BSON_INITIALIZER;
        bool beside = place == BESIDE || (place == SOME_REFUGED && i % 2);
        int32_t id = (int32_t)(100 - i);
        BSON_APPEND_INT32(&doc, "_id", id);
        BSON_APPEND_UTF8(&doc, "id", given[i].id);
        BSON_APPEND_UTF8(&doc, "name", given[i].name);
        BSON_APPEND_UTF8(&doc, "slug", given[i].slug);
        BSON_APPEND_INT32(&doc, "weight", id);
        if (given[i].tools && !beside) append_record(&doc, i);
        insert_into("c", &doc);
        BSON_APPEND_INT32(&record, "_id", id);
        if (given[i].tools && beside) {
            append_record(&record, i);
            insert_into("c.lockstep", &record);
        }
        bson_destroy(&doc);
        bson_destroy(&record);
    }
}

static void open_place(int server, enum place place)
{
    fixture_start(&f, server, NULL);
    insert_given(place);
    f.config.metadata = place == BESIDE ? MONGO_SIDECAR : MONGO_EMBEDDED;
    fixture_open(&f);
}

/* The page's business ids with spaces between, and the total in front. A limit of 0 stands for 20, collection
 * 0 for all together, 1 for the first. */
static void check_list(const struct mongo_list_request *asked, const char *expected, int line)
{
    struct mongo_list_request request = *asked;
    struct mongo_list list;
    struct lks_err err;
    char seen[512];
    if (!request.limit) request.limit = 20;
    request.collection = asked->collection ? asked->collection - 1 : MONGO_OVERALL;
    ck_assert_msg(mongo_list(f.mongo, &request, &list, &err) == LKS_E_OK, "line %d: %s", line, err.text);
    int at = snprintf(seen, sizeof seen, "%d:", (int)list.total);
    for (size_t i = 0; i < list.count; i++) {
        bson_iter_t iter;
        ck_assert(bson_iter_init_find(&iter, list.docs[i].body, "id"));
        at += snprintf(seen + at, sizeof seen - (size_t)at, " %s", bson_iter_utf8(&iter, NULL));
        ck_assert(bson_iter_init_find(&iter, list.docs[i].body, "weight") == request.whole);
        ck_assert(!bson_iter_init_find(&iter, list.docs[i].body, "syncMetadata"));
    }
    ck_assert_msg(list.exact && strcmp(seen, expected) == 0, "line %d: %s instead of %s", line, seen,
                  expected);
    mongo_docs_free(list.docs, list.count);
}
#define LIST(expected, ...) check_list(&(struct mongo_list_request){__VA_ARGS__}, expected, __LINE__)

START_TEST(a_list_is_filtered_by_status_wherever_the_records_stand)
{
    int server = _i / PLACE_COUNT;
    open_place(server, (enum place)(_i % PLACE_COUNT));
    LIST("8: alpha beta delta epsilon eta gamma theta zeta", .sort = MONGO_SORT_ID);
    LIST("1: alpha", .filtered = true, .status = SYNC_SYNCED);
    LIST("3: epsilon eta theta", .filtered = true, .status = SYNC_PENDING);
    LIST("2: delta gamma", .filtered = true, .status = SYNC_STALE);
    LIST("2: beta zeta", .filtered = true, .status = SYNC_FAILED);
    LIST("4: alpha delta theta zeta", .filtered = true, .status = SYNC_SYNCED, .collection = 1);
    LIST("2: epsilon eta", .filtered = true, .status = SYNC_PENDING, .collection = 1);
    LIST("3: beta epsilon theta", .filtered = true, .status = SYNC_PENDING, .collection = 2);
    LIST("1: zeta", .filtered = true, .status = SYNC_FAILED, .collection = 2);
    LIST("1: zeta", .filtered = true, .status = SYNC_FAILED, .search = "UNI");
    LIST("0:", .filtered = true, .status = SYNC_FAILED, .search = "alpha");
    fixture_end(&f);
}
END_TEST

START_TEST(a_list_is_sorted_and_paged_wherever_the_records_stand)
{
    int server = _i / PLACE_COUNT;
    open_place(server, (enum place)(_i % PLACE_COUNT));
    LIST("8: zeta theta gamma", .sort = MONGO_SORT_ID, .descending = true, .limit = 3);
    LIST("8: epsilon eta gamma", .sort = MONGO_SORT_ID, .skip = 3, .limit = 3);
    LIST("8: theta zeta", .sort = MONGO_SORT_ID, .skip = 6, .limit = 3);
    LIST("8:", .sort = MONGO_SORT_ID, .skip = 9, .limit = 3);
    LIST("8: theta eta zeta", .sort = MONGO_SORT_NAME, .limit = 3);
    LIST("8: alpha beta gamma", .sort = MONGO_SORT_NAME, .descending = true, .limit = 3, .whole = true);
    LIST("8: epsilon eta delta gamma beta alpha theta zeta", .sort = MONGO_SORT_UPDATED);
    LIST("8: zeta theta alpha", .sort = MONGO_SORT_UPDATED, .descending = true, .limit = 3);
    LIST("3: eta theta", .sort = MONGO_SORT_UPDATED, .filtered = true, .status = SYNC_PENDING, .skip = 1);
    /* worst first */
    struct mongo_list_request request = {.collection = MONGO_OVERALL, .sort = MONGO_SORT_STATUS, .limit = 20};
    struct mongo_list list;
    struct lks_err err;
    static const enum sync_status order[] = {SYNC_FAILED,  SYNC_FAILED, SYNC_PENDING, SYNC_PENDING,
                                             SYNC_PENDING, SYNC_STALE,  SYNC_STALE,   SYNC_SYNCED};
    ck_assert_msg(mongo_list(f.mongo, &request, &list, &err) == LKS_E_OK, "%s", err.text);
    ck_assert_uint_eq(list.count, GIVEN);
    for (size_t i = 0; i < list.count; i++) ck_assert_int_eq(record_overall(&list.docs[i].record), order[i]);
    mongo_docs_free(list.docs, list.count);
    LIST("8: zeta", .sort = MONGO_SORT_STATUS, .collection = 2, .limit = 1);
    LIST("8: beta", .sort = MONGO_SORT_STATUS, .collection = 1, .limit = 1);
    fixture_end(&f);
}
END_TEST

START_TEST(a_search_takes_its_text_literally_and_whatever_its_case)
{
    open_place(_i, IN_DOCUMENTS);
    LIST("1: gamma", .search = "xErUs");
    LIST("4: beta eta theta zeta", .search = "ETA", .sort = MONGO_SORT_ID); /* in ids */
    LIST("1: delta", .search = "(GREY)");
    LIST("1: beta", .search = "D.O"); /* in a slug; no `.` that stands for any character */
    LIST("0:", .search = ".*");
    LIST("0:", .search = "a|b");
    LIST("0:", .search = "\\");
    LIST("1: alpha", .search = "100"); /* an `_id` that is a number */
    LIST("8: alpha", .search = "", .limit = 1);
    fixture_end(&f);
}
END_TEST

/* A document as mongo_find_readable() finds it: by id, slug or `_id`. */
static bool readable(const char *text, struct source_document *doc)
{
    struct lks_err err;
    return mongo_find_readable(f.mongo, text, doc, &err) == LKS_E_OK;
}

START_TEST(a_document_is_found_by_id_slug_and_underscore_id_in_that_order)
{
    struct source_document doc;
    struct lks_err err;
    open_place(_i / PLACE_COUNT, (enum place)(_i % PLACE_COUNT));
    fixture_insert(&f, "c", "{'_id':'fourth','id':'first-one','slug':'alpha'}");
    ck_assert(readable("first-one", &doc)); /* the id goes before the slug of `alpha` */
    fixture_assert_id(doc.id, "\"fourth\"");
    source_document_fini(&doc);
    ck_assert(readable("fourth", &doc)); /* the slug of `delta` goes before an `_id` */
    fixture_assert_id(doc.id, "{\"$numberInt\":\"98\"}");
    ck_assert_str_eq(doc.record.modified_fields[0], "fourth");
    ck_assert_int_eq(doc.record.updated_ms, 2000);
    ck_assert_int_eq(doc.record.created_ms, NO_TIME);
    source_document_fini(&doc);
    ck_assert(readable("93", &doc));
    source_document_fini(&doc);
    ck_assert(!readable("tenth", &doc));
    ck_assert_int_eq(mongo_find(f.mongo, "sixth", &doc, &err), LKS_E_NOT_FOUND); /* commands give the id */
    fixture_insert(&f, "c", "{'_id':'fifth','id':'second-one','slug':'fourth'}");
    ck_assert_int_eq(mongo_find_readable(f.mongo, "fourth", &doc, &err), LKS_E_AMBIGUOUS);
    ck_assert(strstr(err.text, "second-one") != NULL);
    fixture_end(&f);
}
END_TEST

START_TEST(counting_that_takes_too_long_is_no_failure)
{
    struct mongo_list_request request = {
        .collection = MONGO_OVERALL, .filtered = true, .status = SYNC_STALE, .limit = 1};
    struct mongo_list list;
    struct lks_err err;
    open_place(0, IN_DOCUMENTS);
    bson_t *reply = fixture_command(&f, "admin",
                                    "{'configureFailPoint':'failCommand','mode':{'times':1},'data':"
                                    "{'failCommands':['count'],'errorCode':50}}");
    bson_destroy(reply);
    ck_assert_msg(mongo_list(f.mongo, &request, &list, &err) == LKS_E_OK, "%s", err.text);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_int_eq(list.total, 2); /* this one, and at least another */
    ck_assert(!list.exact);
    mongo_docs_free(list.docs, list.count);
    reply = fixture_command(&f, "admin",
                            "{'configureFailPoint':'failCommand','mode':{'times':1},'data':"
                            "{'failCommands':['aggregate'],'errorCode':50}}");
    bson_destroy(reply);
    ck_assert_int_eq(mongo_list(f.mongo, &request, &list, &err), LKS_E_MONGO);
    fixture_end(&f);
}
END_TEST

START_TEST(what_failed_starts_over_and_is_due_at_once)
{
    struct lks_err err;
    struct source_document doc;
    open_place(_i / PLACE_COUNT, (enum place)(_i % PLACE_COUNT));
    ck_assert(readable("zeta", &doc)); /* and with it, whether there are records beside documents */
    source_document_fini(&doc);
    int64_t before = fixture_due_count(&f, 1000, false, NULL);
    ck_assert_msg(mongo_requeue(f.mongo, &err) == LKS_E_OK, "%s", err.text);
    ck_assert_int_eq(fixture_due_count(&f, INT64_C(4000000000000), false, NULL), before + 1); /* zeta */
    ck_assert(readable("zeta", &doc));
    ck_assert_int_eq(doc.record.entries[1].status, SYNC_FAILED);
    ck_assert_int_eq(doc.record.entries[1].retry_count, 0);
    ck_assert_int_gt(doc.record.entries[1].next_retry_ms, 1000);
    ck_assert_int_eq(doc.record.entries[0].next_retry_ms, NO_TIME);
    source_document_fini(&doc);
    fixture_end(&f);
}
END_TEST

START_TEST(one_record_is_written_only_if_nobody_wrote_it_meanwhile)
{
    struct lks_err err;
    struct source_document doc;
    struct record after;
    open_place(_i / PLACE_COUNT, (enum place)(_i % PLACE_COUNT));
    ck_assert(readable("alpha", &doc));
    ck_assert(record_copy(&after, &doc.record));
    after.entries[0].status = SYNC_PENDING;
    ck_assert_msg(mongo_write_record(f.mongo, doc.id, &doc.record, &after, &err) == LKS_E_OK, "%s", err.text);
    after.entries[0].status = SYNC_STALE;
    ck_assert_int_eq(mongo_write_record(f.mongo, doc.id, &doc.record, &after, &err), LKS_E_MISSED);
    record_fini(&after);
    source_document_fini(&doc);
    ck_assert(readable("alpha", &doc));
    ck_assert_int_eq(doc.record.entries[0].status, SYNC_PENDING);
    ck_assert_str_eq(doc.record.modified_fields[0], "first-one");
    source_document_fini(&doc);
    fixture_end(&f);
}
END_TEST

int main(void)
{
    int servers = fixture_server_count(), places = servers * PLACE_COUNT;
    Suite *suite = suite_create("mongo list");
    TCase *tc = tcase_create("list");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_list_is_filtered_by_status_wherever_the_records_stand, 0, places);
    tcase_add_loop_test(tc, a_list_is_sorted_and_paged_wherever_the_records_stand, 0, places);
    tcase_add_loop_test(tc, a_search_takes_its_text_literally_and_whatever_its_case, 0, servers);
    tcase_add_loop_test(tc, a_document_is_found_by_id_slug_and_underscore_id_in_that_order, 0, places);
    tcase_add_test(tc, counting_that_takes_too_long_is_no_failure);
    tcase_add_loop_test(tc, what_failed_starts_over_and_is_due_at_once, 0, places);
    tcase_add_loop_test(tc, one_record_is_written_only_if_nobody_wrote_it_meanwhile, 0, places);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
