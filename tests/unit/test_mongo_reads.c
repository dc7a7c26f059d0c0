/* test_mongo_reads.c - documents over the wire: scans, reads, business ids and who owns them. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "mongo_fixture.h"
#include "suite.h"

static struct fixture f;

START_TEST(a_scan_covers_all_types_of_ids_in_order)
{
    fixture_start(&f, _i, NULL);
    fixture_insert_mixed(&f);
    fixture_open(&f);
    struct docid *from = NULL;
    size_t seen = 0;
    bool end = false;
    while (!end) {
        struct req *req = req_new(REQ_SCAN, NULL);
        req->scan.from = from;
        req->scan.max_docs = 3;
        fixture_ok(&f, req);
        ck_assert_uint_le(req->scan.count, 3);
        ck_assert_uint_eq((size_t)req->scan.total_estimate, fixture_mixed_count);
        docid_free(from);
        from = NULL;
        for (size_t i = 0; i < req->scan.count; i++) {
            ck_assert_uint_lt(seen, fixture_mixed_count);
            fixture_assert_id(req->scan.docs[i].id, fixture_mixed_ids[seen++]);
            ck_assert_ptr_nonnull(req->scan.docs[i].body);
            ck_assert(!req->scan.docs[i].record.present);
            ck_assert_uint_eq(req->scan.docs[i].record.entry_count, 2);
        }
        if (req->scan.count) from = docid_copy(req->scan.docs[req->scan.count - 1].id);
        end = req->scan.end;
        ck_assert(end || from);
        req_free(req);
    }
    docid_free(from);
    ck_assert_uint_eq(seen, fixture_mixed_count);
    fixture_end(&f);
}
END_TEST

START_TEST(a_scan_of_nothing_is_at_its_end)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct req *req = req_new(REQ_SCAN, NULL);
    req->scan.max_docs = 10;
    fixture_ok(&f, req);
    ck_assert_uint_eq(req->scan.count, 0);
    ck_assert(req->scan.end);
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(a_page_ends_when_its_bytes_are_reached)
{
    fixture_start(&f, _i, NULL);
    char *big = malloc(40001);
    memset(big, 'x', 40000);
    big[40000] = '\0';
    for (int i = 0; i < 4; i++) {
        char *text = bson_strdup_printf("{'_id':%d,'name':'%s'}", i, big);
        fixture_insert(&f, "c", text);
        bson_free(text);
    }
    free(big);
    fixture_open(&f);
    struct req *req = req_new(REQ_SCAN, NULL);
    req->scan.max_docs = 10;
    req->scan.max_bytes = 60000;
    fixture_ok(&f, req);
    ck_assert_uint_eq(req->scan.count, 2);
    ck_assert(!req->scan.end);
    ck_assert_uint_gt(req->scan.docs[0].bytes, 40000);
    req_free(req);
    fixture_end(&f);
}
END_TEST

/* The ids of a whole scan, page by page, as text: "1 2 3". Before its second page, `late` (or nothing) is
 * inserted. */
static char *scan_ids(bool recent_only, const char *late)
{
    struct docid *from = NULL;
    char *ids = strdup("");
    for (bool end = false; !end;) {
        struct req *req = req_new(REQ_SCAN, NULL);
        req->scan.from = from;
        req->scan.max_docs = 2;
        req->scan.recent_only = recent_only;
        fixture_ok(&f, req);
        for (size_t i = 0; i < req->scan.count; i++) {
            char *id = docid_plain(req->scan.docs[i].id);
            char *more = bson_strdup_printf("%s%s%s", ids, *ids ? " " : "", id);
            free(id);
            free(ids);
            ids = strdup(more);
            bson_free(more);
        }
        docid_free(from);
        from = req->scan.count ? docid_copy(req->scan.docs[req->scan.count - 1].id) : NULL;
        end = req->scan.end || !from;
        req_free(req);
        if (late) fixture_insert(&f, "c", late);
        late = NULL;
    }
    docid_free(from);
    return ids;
}

#define DATED(id, ms) "{'_id':'" id "','at':{'$date':{'$numberLong':'" ms "'}}}"

START_TEST(polling_by_a_date_brings_what_is_newer_or_has_no_date)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c",
                   DATED("a", "1600000000000") "," DATED(
                       "b", "1600009000000") ",{'_id':'c','at':'yesterday'},"
                                             "{'_id':'d'}," DATED("e", "4000000000000"));
    f.config.poll_field = "at";
    fixture_open(&f);
    char *ids = scan_ids(true, NULL); /* nothing seen yet: everything */
    ck_assert_str_eq(ids, "a b c d e");
    free(ids);
    bson_destroy(fixture_command(&f, NULL, "{'delete':'c','deletes':[{'q':{'_id':'e'},'limit':1}]}"));
    fixture_open(&f);
    free(scan_ids(false, NULL));
    fixture_insert(&f, "c", DATED("bb", "1600009000001") "," DATED("aa", "1600000000001"));
    ids = scan_ids(true, NULL); /* b is within the overlap */
    ck_assert_str_eq(ids, "b bb c d");
    free(ids);
    ids = scan_ids(false, NULL);
    ck_assert_str_eq(ids, "a aa b bb c d");
    free(ids);
    fixture_end(&f);
}
END_TEST

START_TEST(a_date_seen_early_in_a_poll_hides_nothing_behind_it)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", DATED("a", "1600000000000") "," DATED("z", "1600000000000"));
    f.config.poll_field = "at";
    fixture_open(&f);
    free(scan_ids(false, NULL));
    fixture_insert(
        &f, "c", DATED("b", "1600900000000") "," DATED("c", "1600900000000") "," DATED("d", "1600400000000"));
    char *ids = scan_ids(true, NULL);
    ck_assert_str_eq(ids, "a b c d z");
    free(ids);
    fixture_end(&f);
}
END_TEST

/* ---- jobs, which page through the same collection from a thread of their own ---- */

static void page_all(void)
{
    struct docid *from = NULL;
    for (bool end = false; !end;) {
        struct mongo_page page;
        struct lks_err err;
        ck_assert_msg(mongo_page(f.mongo, from, 2, 0, &page, &err) == LKS_E_OK, "%s", err.text);
        docid_free(from);
        from = page.count ? docid_copy(page.docs[page.count - 1].id) : NULL;
        end = page.end || !from;
        mongo_docs_free(page.docs, page.count);
    }
    docid_free(from);
}

START_TEST(a_job_does_not_move_where_polling_is)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", DATED("a", "1600000000000") "," DATED("b", "1600009000000"));
    f.config.poll_field = "at";
    fixture_open(&f);
    free(scan_ids(false, NULL));
    fixture_insert(&f, "c", DATED("late", "1600000000001") "," DATED("z", "1700000000000"));
    page_all(); /* has seen z, and all of the collection */
    char *ids = scan_ids(true, NULL);
    ck_assert_str_eq(ids,
                     "b z"); /* newer than b, less the overlap; what the job saw is not taken for polled */
    free(ids);
    fixture_end(&f);
}
END_TEST

static void *page_on(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) page_all();
    return NULL;
}

/* For the thread sanitizer. */
START_TEST(a_job_and_polling_go_on_at_the_same_time)
{
    pthread_t job;
    atomic_bool stop = false;
    fixture_start(&f, _i, NULL);
    fixture_insert(
        &f, "c", DATED("a", "1600000000000") "," DATED("b", "1600000000000") "," DATED("c", "1600009000000"));
    f.config.poll_field = "at";
    fixture_open(&f);
    ck_assert_int_eq(pthread_create(&job, NULL, page_on, &stop), 0);
    for (int i = 0; i < 20; i++) free(scan_ids(i % 2, NULL));
    atomic_store(&stop, true);
    pthread_join(job, NULL);
    fixture_end(&f);
}
END_TEST

START_TEST(documents_are_read_in_the_order_asked_for)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c",
                   "{'_id':1,'id':'one','name':'N','secret':'s','syncMetadata':{'collections':{'tools':"
                   "{'status':'synced','contentHash':'h'}}}},{'_id':'1','id':'two'}");
    fixture_open(&f);
    struct docid *ids[] = {fixture_id("'1'"), fixture_id("{'$numberDouble':'1.0'}"), fixture_id("99"),
                           fixture_id("1"), fixture_id("'1'")};
    struct req *req = fixture_read(&f, (const struct docid **)ids, 5);
    static const bool there[] = {true, true, false, true, true}; /* 1.0 is 1 */
    for (size_t i = 0; i < 5; i++) {
        ck_assert(docid_equal(req->read.docs[i].id, ids[i]));
        ck_assert_msg((req->read.docs[i].body != NULL) == there[i], "document %zu", i);
        ck_assert_uint_eq(req->read.docs[i].record.entry_count, 2);
    }
    const struct source_document *doc = &req->read.docs[3];
    ck_assert(bson_has_field(doc->body, "name") && bson_has_field(doc->body, "id"));
    ck_assert(!bson_has_field(doc->body, "syncMetadata")); /* it is the record */
    ck_assert(!bson_has_field(doc->body, "secret"));       /* no collection reads it */
    ck_assert(doc->record.present && doc->record.entries[0].present);
    ck_assert_int_eq(doc->record.entries[0].status, SYNC_SYNCED);
    ck_assert_str_eq(doc->record.entries[0].content_hash, "h");
    ck_assert(!req->read.docs[0].record.present);
    req_free(req);
    for (size_t i = 0; i < 5; i++) docid_free(ids[i]);
    fixture_end(&f);
}
END_TEST

/* Wherever it stands, and however often: what is around it stays, whole and in its order. */
START_TEST(the_record_is_cut_out_of_the_document)
{
    static const char *const docs[] = {
        "{'_id':1,'id':'one','name':'N','website':'W'}",
        "{'_id':2,'id':'one','name':'N','website':'W','syncMetadata':{'x':1}}",
        "{'_id':3,'id':'one','syncMetadata':{'collections':{'tools':{}}},'name':'N','website':'W'}",
        "{'_id':4,'syncMetadata':null,'id':'one','name':'N','website':'W'}"};
    fixture_start(&f, 0, NULL);
    for (size_t i = 0; i < sizeof docs / sizeof *docs; i++) fixture_insert(&f, "c", docs[i]);
    fixture_open(&f);
    struct docid *ids[] = {fixture_id("1"), fixture_id("2"), fixture_id("3"), fixture_id("4")};
    struct req *req = fixture_read(&f, (const struct docid **)ids, 4);
    for (size_t i = 0; i < 4; i++) {
        bson_iter_t iter;
        const bson_t *body = req->read.docs[i].body;
        char keys[64] = "";
        ck_assert(bson_validate(body, BSON_VALIDATE_NONE, NULL));
        ck_assert(bson_iter_init(&iter, body));
        while (bson_iter_next(&iter)) strcat(strcat(keys, bson_iter_key(&iter)), " ");
        ck_assert_str_eq(keys, "_id id name website ");
        ck_assert(bson_iter_init_find(&iter, body, "name"));
        ck_assert_str_eq(bson_iter_utf8(&iter, NULL), "N");
        docid_free(ids[i]);
    }
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(a_read_is_no_older_than_the_event_it_answers)
{
    bson_iter_t iter;
    fixture_start(&f, 0, NULL);
    fixture_insert(&f, "c", "{'_id':1,'name':'old'}");
    fixture_open(&f);
    bson_destroy(fixture_command(&f, "admin", "{'lockstepDouble':'freezeMajority'}"));
    bson_t *reply =
        fixture_command(&f, NULL, "{'update':'c','updates':[{'q':{'_id':1},'u':{'$set':{'name':'new'}}}]}");
    uint32_t seconds = 0, increment = 0;
    ck_assert(bson_iter_init_find(&iter, reply, "operationTime"));
    bson_iter_timestamp(&iter, &seconds, &increment);
    bson_destroy(reply);
    struct req *early = fixture_read_one(&f, "1"); /* what a majority has */
    ck_assert(bson_iter_init_find(&iter, early->read.docs[0].body, "name"));
    ck_assert_str_eq(bson_iter_utf8(&iter, NULL), "old");
    req_free(early);
    struct docid *id = fixture_id("1");
    struct req *req = req_new(REQ_READ, NULL);
    req->read.ids = calloc(1, sizeof *req->read.ids);
    req->read.ids[0] = id;
    req->read.count = 1;
    req->read.after = (cluster_time)seconds << 32 | increment;
    struct port port = mongo_source_port(f.mongo);
    port.submit(port.self, req);
    bson_destroy(fixture_command(&f, "admin", "{'lockstepDouble':'thawMajority'}"));
    ck_assert_ptr_eq(queue_take(&f.done, -1), req);
    ck_assert_msg(req->err.code == LKS_E_OK, "%s", req->err.text);
    ck_assert(bson_iter_init_find(&iter, req->read.docs[0].body, "name"));
    ck_assert_str_eq(bson_iter_utf8(&iter, NULL), "new");
    req_free(req);
    docid_free(id);
    fixture_end(&f);
}
END_TEST

START_TEST(of_equal_business_ids_the_lowest_document_is_the_owner)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(
        &f, "c",
        "{'_id':1,'id':'a'},{'_id':2,'id':'a'},{'_id':'x','id':'a'},{'_id':4,'id':'b'},"
        "{'_id':5,'id':['a']},{'_id':6,'id':5},{'_id':7,'id':null},{'_id':8},"
        "{'_id':9,'id':{'$numberDouble':'5.0'}},{'_id':10,'id':5},{'_id':11,'id':' '},{'_id':12,'id':' '}");
    fixture_open(&f);
    struct req *req = req_new(REQ_SCAN, NULL);
    req->scan.max_docs = 20;
    fixture_ok(&f, req);
    ck_assert_uint_eq(req->scan.count, 12);
    static const char *const owners[12] = {[1] = "1", [7] = "6", [8] = "6", [11] = "1"}; /* 2, 9, 10, 'x' */
    static const bool contested[12] = {true, true, [4] = true, [7] = true};              /* 1, 2, 6, 9 */
    for (size_t i = 0; i < 12; i++) {
        ck_assert_msg((req->scan.docs[i].owner != NULL) == (owners[i] != NULL), "document %zu", i);
        if (owners[i]) fixture_assert_id(req->scan.docs[i].owner, owners[i]);
        ck_assert_msg(req->scan.docs[i].contested == contested[i], "document %zu", i);
    }
    req_free(req);
    fixture_end(&f);
}
END_TEST

/* Every way to write one number, and a string that has the key of another value. */
START_TEST(business_ids_are_equal_as_mongodb_holds_them_equal)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(
        &f, "c",
        "{'_id':1,'id':{'$numberLong':'5'}},{'_id':2,'id':{'$numberDecimal':'5.00'}},"
        "{'_id':3,'id':0},{'_id':4,'id':{'$numberDouble':'-0.0'}},"
        "{'_id':5,'id':'{\\u0022$numberInt\\u0022:\\u00225\\u0022}'},{'_id':6,'id':{'$numberDouble':'NaN'}},"
        "{'_id':7,'id':{'$numberDecimal':'NaN'}},{'_id':"
        "8,'id':'a'},{'_id':9,'id':'A'},"
        "{'_id':10,'id':{'$symbol':'a'}}");
    fixture_open(&f);
    struct req *req = req_new(REQ_SCAN, NULL);
    req->scan.max_docs = 20;
    fixture_ok(&f, req);
    static const char *const owners[10] = {NULL, "1", NULL, "3", "1", NULL, NULL, NULL, NULL, "8"};
    ck_assert_uint_eq(req->scan.count, 10);
    for (size_t i = 0; i < 10; i++) {
        ck_assert_msg((req->scan.docs[i].owner != NULL) == (owners[i] != NULL), "document %zu", i + 1);
        if (owners[i]) fixture_assert_id(req->scan.docs[i].owner, owners[i]);
    }
    req_free(req);
    fixture_end(&f);
}
END_TEST

static void collated(const char *documents)
{
    fixture_start(&f, 0, NULL);
    bson_destroy(fixture_command(&f, NULL, "{'create':'c','collation':{'locale':'en','strength':2}}"));
    fixture_insert(&f, "c", documents);
}

START_TEST(a_collation_of_the_collection_makes_no_ids_equal)
{
    collated("{'_id':'k','id':'a'},{'_id':'l','id':'A'},{'_id':'m','id':'b'}");
    fixture_open(&f);
    struct docid *ids[] = {fixture_id("'k'"), fixture_id("'K'"), fixture_id("'l'")};
    struct req *req = fixture_read(&f, (const struct docid **)ids, 3);
    ck_assert_ptr_nonnull(req->read.docs[0].body);
    ck_assert_ptr_null(req->read.docs[1].body); /* k is another one */
    ck_assert_ptr_nonnull(req->read.docs[2].body);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_null(req->read.docs[i].owner);
        ck_assert(!req->read.docs[i].contested);
        docid_free(ids[i]);
    }
    req_free(req);
    fixture_end(&f);
}
END_TEST

/* Page by page, with and without an index that serves; a document comes once. */
START_TEST(a_collated_collection_is_scanned_in_the_order_of_the_simple_collation)
{
    collated("{'_id':'b'},{'_id':'A'},{'_id':'C'},{'_id':1},{'_id':'d'}");
    f.config.create_indexes = _i;
    fixture_open(&f);
    char *ids = scan_ids(false, NULL);
    ck_assert_str_eq(ids, "1 A C b d");
    free(ids);
    fixture_end(&f);
}
END_TEST

/* Views take no bounds of an index; capped collections do. */
START_TEST(a_view_and_a_capped_collection_are_scanned_whole)
{
    static const char *const made[] = {"{'create':'c','viewOn':'base','pipeline':[{'$match':{'x':1}}]}",
                                       "{'create':'c','capped':true,'size':100000,'max':5}"};
    fixture_start(&f, 0, NULL);
    bson_destroy(fixture_command(&f, NULL, made[_i]));
    fixture_insert(
        &f, _i ? "c" : "base",
        "{'_id':0},{'_id':1,'x':1},{'_id':'a','x':1},{'_id':2,'x':1},{'_id':3,'x':1},{'_id':4,'x':1}");
    f.config.metadata = MONGO_SIDECAR;
    fixture_open(&f);
    char *ids = scan_ids(false, NULL);
    ck_assert_str_eq(ids, "1 2 3 4 a");
    free(ids);
    struct req *req = req_new(REQ_STREAM_OPEN, NULL);
    ck_assert_int_eq(fixture_run(&f, req)->err.code, LKS_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(req->err.text, _i ? "a capped collection" : "a view"));
    req_free(req);
    ck_assert_int_eq(fixture_due_count(&f, 1, false, &(int64_t){0}), 5);
    fixture_end(&f);
}
END_TEST

/* With records in documents neither can be a source, and the first request says so. */
START_TEST(a_view_without_the_sidecar_is_refused_with_what_to_do)
{
    fixture_start(&f, 0, NULL);
    bson_destroy(fixture_command(&f, NULL, "{'create':'c','viewOn':'base','pipeline':[]}"));
    fixture_open(&f);
    struct req *req = fixture_run(&f, req_new(REQ_STATE_LOAD, NULL));
    ck_assert_int_eq(req->err.code, LKS_E_MONGO);
    ck_assert_ptr_nonnull(strstr(req->err.text, "metadata = sidecar"));
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(where_mongodb_keeps_business_ids_apart_no_owner_is_looked_for)
{
    fixture_start(&f, _i, NULL);
    bson_destroy(
        fixture_command(&f, NULL,
                        "{'createIndexes':'c','indexes':[{'key':{'id':1},'name':'mine','unique':true,"
                        "'partialFilterExpression':{'id':{'$gt':'m'}}}]}"));
    fixture_insert(&f, "c", "{'_id':1,'id':'a'},{'_id':2,'id':'a'}");
    fixture_open(&f);
    struct req *req = fixture_read_one(&f, "2");
    ck_assert_ptr_nonnull(req->read.docs[0].owner); /* a partial index keeps nothing apart */
    req_free(req);
    bson_destroy(fixture_command(&f, NULL, "{'dropIndexes':'c','index':'mine'}"));
    bson_destroy(fixture_command(&f, NULL, "{'delete':'c','deletes':[{'q':{'_id':1},'limit':1}]}"));
    bson_destroy(fixture_command(
        &f, NULL, "{'createIndexes':'c','indexes':[{'key':{'id':1},'name':'mine','unique':true}]}"));
    fixture_open(&f);
    req = fixture_read_one(&f, "2");
    ck_assert_ptr_null(req->read.docs[0].owner);
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(holders_of_a_business_id_are_found_by_how_it_is_shown)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c",
                   "{'_id':1,'id':'5'},{'_id':2,'id':5},{'_id':3,'id':{'$numberDouble':'5.0'}},"
                   "{'_id':4,'id':'x'},{'_id':5,'id':true},{'_id':6,"
                   "'id':{'$oid':'0123456789abcdef01234567'}},{'_id':7,'id':'other'}");
    fixture_open(&f);
    struct req *req = req_new(REQ_DUPLICATES, NULL);
    static const char *const keys[] = {"5", "{\"$oid\":\"0123456789abcdef01234567\"}",
                                       "{\"$numberInt\":\"5\"}", "nobody"};
    req->duplicates.keys = calloc(4, sizeof *req->duplicates.keys);
    memcpy(req->duplicates.keys, keys, sizeof keys);
    req->duplicates.count = 4;
    req->duplicates.max_ids = 10;
    fixture_ok(&f, req);
    ck_assert_uint_eq(req->duplicates.id_count, 4); /* 2 and 3 are equal to MongoDB */
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(holders_come_in_pages_across_all_types_of_id)
{
    static const char *const pages[][2] = {
        {"1", "3"}, {"{\"a\":{\"$numberInt\":\"1\"}}", "{\"$oid\":\"0123456789abcdef01234567\"}"}};
    static const char *const key = "x";
    fixture_start(&f, _i, NULL);
    fixture_insert(
        &f, "c",
        "{'_id':{'$oid':'0123456789abcdef01234567'},'id':'x'},{'_id':3,'id':'x'},{'_id':1,'id':'x'},"
        "{'_id':2,'id':'y'},{'_id':{'a':1},'id':'x'}");
    fixture_open(&f);
    struct docid *from = NULL;
    for (int page = 0; page < 3; page++) {
        struct req *req = req_new(REQ_DUPLICATES, NULL);
        req->duplicates.keys = calloc(1, sizeof *req->duplicates.keys);
        req->duplicates.keys[0] = key;
        req->duplicates.count = 1;
        req->duplicates.max_ids = 2;
        req->duplicates.from = from;
        fixture_ok(&f, req);
        ck_assert_uint_eq(req->duplicates.id_count, page < 2 ? 2 : 0);
        for (size_t i = 0; i < req->duplicates.id_count; i++)
            fixture_assert_id(req->duplicates.ids[i], pages[page][i]);
        docid_free(from);
        from = page < 2 ? docid_copy(req->duplicates.ids[1]) : NULL;
        req_free(req);
    }
    fixture_end(&f);
}
END_TEST

START_TEST(a_document_is_found_by_what_a_person_writes)
{
    struct source_document doc;
    struct lks_err err = {0};
    fixture_start(&f, _i, NULL);
    fixture_insert(
        &f, "c",
        "{'_id':{'$oid':'0123456789abcdef01234567'},'id':'figma','contributor':'x',"
        "'syncMetadata':{'collections':{}}},{'_id':5,'id':'five'},{'_id':6,'id':7},{'_id':7,'id':8}");
    fixture_open(&f);
    static const struct {
        const char *text, *id;
    } cases[] = {{"figma", "{'$oid':'0123456789abcdef01234567'}"},
                 {"0123456789abcdef01234567", "{'$oid':'0123456789abcdef01234567'}"},
                 {"{\"$oid\":\"0123456789abcdef01234567\"}", "{'$oid':'0123456789abcdef01234567'}"},
                 {"5", "5"},
                 {"7", "6"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(mongo_find(f.mongo, cases[i].text, &doc, &err) == LKS_E_OK, "%s: %s", cases[i].text,
                      err.text);
        fixture_assert_id(doc.id, cases[i].id);
        if (!i) ck_assert(bson_has_field(doc.body, "contributor") && doc.record.present);
        source_document_fini(&doc);
    }
    ck_assert_int_eq(mongo_find(f.mongo, "nobody", &doc, &err), LKS_E_NOT_FOUND);
    fixture_end(&f);
}
END_TEST

/* Ids that read the same are distinguished by Extended JSON, which finds each of them. */
START_TEST(of_two_ids_that_read_the_same_neither_is_meant)
{
    static const char *const pairs[][3] = {
        {"5", "\"5\"", "{\"$numberInt\":\"5\"}"},
        {"0.1", "{\"$numberDouble\":\"0.1\"}", "{\"$numberDecimal\":\"0.1\"}"},
        {"0123456789abcdef01234567", "\"0123456789abcdef01234567\"",
         "{\"$oid\":\"0123456789abcdef01234567\"}"},
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c8",
         "{\"$binary\":{\"base64\":\"a6e4EJ2tEdGAtADAT9QwyA==\",\"subType\":\"04\"}}",
         "{\"$binary\":{\"base64\":\"a6e4EJ2tEdGAtADAT9QwyA==\",\"subType\":\"03\"}}"}};
    struct source_document doc;
    struct lks_err err = {0};
    fixture_start(&f, 0, NULL);
    for (int i = 0; i < 8; i++) {
        char *text = bson_strdup_printf("{\"_id\":%d,\"id\":%s}", i, pairs[i / 2][1 + i % 2]);
        fixture_insert(&f, "c", text);
        bson_free(text);
    }
    fixture_insert(&f, "c", "{'_id':8,'id':'9'},{'_id':9,'id':{'$numberDecimal':'11.0'}}");
    fixture_open(&f);
    for (int i = 0; i < 8; i++) {
        const char *const *pair = pairs[i / 2];
        char expected[16];
        ck_assert_int_eq(mongo_find(f.mongo, pair[0], &doc, &err), LKS_E_AMBIGUOUS);
        ck_assert_msg(strstr(err.text, pair[1]) && strstr(err.text, pair[2]), "%s", err.text);
        ck_assert_msg(mongo_find(f.mongo, pair[1 + i % 2], &doc, &err) == LKS_E_OK, "%s", err.text);
        snprintf(expected, sizeof expected, "%d", i);
        fixture_assert_id(doc.id, expected);
        source_document_fini(&doc);
    }
    ck_assert_int_eq(mongo_find(f.mongo, "9", &doc, &err), LKS_E_OK);
    source_document_fini(&doc);
    ck_assert_int_eq(mongo_find(f.mongo, "11", &doc, &err), LKS_E_OK);
    source_document_fini(&doc);
    fixture_end(&f);
}
END_TEST

int main(void)
{
    int servers = fixture_server_count();
    Suite *suite = suite_create("mongo reads");
    TCase *tc = tcase_create("reads");
    tcase_add_loop_test(tc, a_scan_covers_all_types_of_ids_in_order, 0, servers);
    tcase_add_loop_test(tc, a_scan_of_nothing_is_at_its_end, 0, servers);
    tcase_add_loop_test(tc, a_page_ends_when_its_bytes_are_reached, 0, servers);
    tcase_add_loop_test(tc, polling_by_a_date_brings_what_is_newer_or_has_no_date, 0, servers);
    tcase_add_loop_test(tc, a_date_seen_early_in_a_poll_hides_nothing_behind_it, 0, servers);
    tcase_add_loop_test(tc, a_job_does_not_move_where_polling_is, 0, servers);
    tcase_add_loop_test(tc, a_job_and_polling_go_on_at_the_same_time, 0, servers);
    tcase_add_loop_test(tc, documents_are_read_in_the_order_asked_for, 0, servers);
    tcase_add_test(tc, the_record_is_cut_out_of_the_document);
    tcase_add_test(tc, a_read_is_no_older_than_the_event_it_answers);
    tcase_add_loop_test(tc, of_equal_business_ids_the_lowest_document_is_the_owner, 0, servers);
    tcase_add_loop_test(tc, business_ids_are_equal_as_mongodb_holds_them_equal, 0, servers);
    tcase_add_test(tc, a_collation_of_the_collection_makes_no_ids_equal);
    tcase_add_loop_test(tc, a_collated_collection_is_scanned_in_the_order_of_the_simple_collation, 0, 2);
    tcase_add_loop_test(tc, a_view_and_a_capped_collection_are_scanned_whole, 0, 2);
    tcase_add_test(tc, a_view_without_the_sidecar_is_refused_with_what_to_do);
    tcase_add_loop_test(tc, where_mongodb_keeps_business_ids_apart_no_owner_is_looked_for, 0, servers);
    tcase_add_loop_test(tc, holders_of_a_business_id_are_found_by_how_it_is_shown, 0, servers);
    tcase_add_loop_test(tc, holders_come_in_pages_across_all_types_of_id, 0, servers);
    tcase_add_loop_test(tc, a_document_is_found_by_what_a_person_writes, 0, servers);
    tcase_add_test(tc, of_two_ids_that_read_the_same_neither_is_meant);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
