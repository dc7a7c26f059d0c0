/*
 * test_mongo_commands.c - what goes to the server: bounds that it can use an index for, limits of time, and a
 * client for every command.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mongo_fixture.h"
#include "suite.h"
#include "wiretap.h"

static struct fixture f;

/* The adapter's connections go through the tap. */
static struct wiretap *open_tapped(const char *options)
{
    fixture_start(&f, 0, NULL);
    struct wiretap *tap = wiretap_open((int)strtol(strrchr(f.server.address, ':') + 1, NULL, 10));
    ck_assert_ptr_nonnull(tap);
    snprintf(f.uri, sizeof f.uri, "mongodb://127.0.0.1:%d/?directConnection=true%s", wiretap_port(tap),
             options);
    fixture_open(&f);
    return tap;
}

static size_t count_of(const char *text, const char *piece)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, piece)); at += strlen(piece)) count++;
    return count;
}

START_TEST(an_id_is_looked_for_with_a_limit_of_time)
{
    struct source_document doc;
    struct lks_err err;
    struct wiretap *tap = open_tapped("");
    fixture_insert(&f, "c", "{'_id':1,'id':'7','slug':'seven'}");
    ck_assert_int_eq(mongo_find_readable(f.mongo, "nothing", &doc, &err), LKS_E_NOT_FOUND);
    ck_assert_int_eq(mongo_find_readable(f.mongo, "{\"$numberInt\":\"5\"}", &doc, &err), LKS_E_NOT_FOUND);
    ck_assert_int_eq(mongo_find(f.mongo, "7", &doc, &err), LKS_E_OK); /* and whether that is the only one */
    source_document_fini(&doc);
    struct docid *id = fixture_id("2");
    ck_assert_int_eq(mongo_find_by_id(f.mongo, id, &doc, &err), LKS_E_NOT_FOUND);
    docid_free(id);
    bson_t *made = fixture_doc("{'_id':3,'id':'three'}");
    ck_assert_int_eq(mongo_insert(f.mongo, made, &err), LKS_E_OK); /* unless its id is taken */
    bson_destroy(made);
    char *text = wiretap_commands(tap, "find");
    size_t finds = count_of(text, "\"find\" : \"c\"");
    ck_assert_uint_ge(finds, 9);
    ck_assert_msg(count_of(text, "maxTimeMS") >= finds, "one of these has no limit:\n%.2000s", text);
    free(text);
    fixture_end(&f);
    wiretap_close(tap);
}
END_TEST

static void take_due(void)
{
    bool end = false;
    struct docid *from = NULL;
    while (!end) {
        struct req *req = req_new(REQ_DUE, NULL);
        req->due.from = from;
        req->due.now_ms = 1000;
        req->due.max_docs = 2;
        fixture_ok(&f, req);
        docid_free(from);
        from = req->due.count ? docid_copy(req->due.ids[req->due.count - 1]) : NULL;
        end = req->due.end;
        req_free(req);
    }
    docid_free(from);
}

START_TEST(a_further_page_has_bounds_that_an_index_on_ids_serves)
{
    struct wiretap *tap = open_tapped("");
    fixture_insert_mixed(&f);
    take_due();
    char *text = wiretap_commands(tap, "find");
    size_t pages = count_of(text, "$expr");
    ck_assert_uint_ge(pages, fixture_mixed_count / 2 - 1);
    /* $expr compares all types alike, but has no bounds before version 5.0 */
    ck_assert_msg(count_of(text, "{ \"_id\" : { \"$type\" : [") == pages, "a page has no bounds:\n%.2000s",
                  text);
    ck_assert_uint_gt(count_of(text, "{ \"$or\" : [ { \"_id\" : { \"$gt\" : "), pages / 2);
    free(text);
    fixture_end(&f);
    wiretap_close(tap);
}
END_TEST

#define CALLERS 24 /* more than the pool has clients */

static void *count_documents(void *failed)
{
    struct mongo_counts counts;
    struct lks_err err;
    for (int i = 0; i < 3; i++) {
        if (mongo_count(f.mongo, &counts, &err))
            *(bool *)failed = true;
        else
            mongo_counts_fini(&counts);
    }
    return NULL;
}

START_TEST(a_client_that_is_late_is_waited_for_whatever_the_uri_says)
{
    pthread_t threads[CALLERS];
    bool failed[CALLERS] = {false};
    struct wiretap *tap = open_tapped("&waitQueueTimeoutMS=1");
    bson_t *reply =
        fixture_command(&f, "admin",
                        "{'configureFailPoint':'failCommand','mode':'alwaysOn','data':"
                        "{'failCommands':['aggregate'],'blockConnection':true,'blockTimeMS':50}}");
    bson_destroy(reply);
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_documents, &failed[i]), 0);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(!failed[i]);
    }
    fixture_end(&f);
    wiretap_close(tap);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mongo commands");
    TCase *tc = tcase_create("commands");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, an_id_is_looked_for_with_a_limit_of_time);
    tcase_add_test(tc, a_further_page_has_bounds_that_an_index_on_ids_serves);
    tcase_add_test(tc, a_client_that_is_late_is_waited_for_whatever_the_uri_says);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
