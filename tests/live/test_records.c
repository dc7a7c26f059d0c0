/* test_records.c - what an application, or a person, does to records, and what they say afterwards. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

#define FIRST J("id" : "made-1")

static void open_in_step(struct live *w, const char *test)
{
    live_open(w, test);
    insert_made(w, 0, 10);
    daemon_start(w);
    live_in_step(w);
    counters_reset(w);
}

/* ---- overallStatus ---- */

/* An application that approves and rejects documents. No event tells of it. */
START_TEST(an_overall_status_that_an_application_wrote_is_put_right_once)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "overall");
    update(&w, FIRST, J("$set" : {"syncMetadata.overallStatus" : "pending"}));
    live_in_step(&w);
    int64_t corrected = document_int(&w, FIRST, "syncMetadata.updatedAt");
    char *when = document_text(&w, FIRST, "syncMetadata.updatedAt");
    /* each is found in a cycle of its own: what a correction leads to has happened by then */
    update(&w, J("id" : "made-2"), J("$set" : {"syncMetadata.overallStatus" : "failed"}));
    live_in_step(&w);
    update(&w, J("id" : "made-3"), J("$unset" : {"syncMetadata.overallStatus" : ""}));
    live_in_step(&w);
    EXPECT_INT(&w, document_int(&w, FIRST, "syncMetadata.updatedAt"), corrected);
    EXPECT(&w, document_says(&w, FIRST, "syncMetadata.updatedAt", when));
    free(when);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts + c.upserted + c.payloads + c.deleted, 0);
    live_close(&w);
}
END_TEST

START_TEST(a_status_that_an_application_wrote_is_looked_into)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "status");
    /* neither is ever due, and the second does not even contradict itself */
    update(&w, FIRST, J("$set" : {"syncMetadata.collections.tools.status" : "failed"}));
    update(
        &w,
        J("id"
          : "made-2"),
        J("$set"
          : {"syncMetadata.overallStatus" : "failed", "syncMetadata.collections.tools.status" : "failed"}));
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 0);
    live_close(&w);
}
END_TEST

/* A whole document, as it was read once, is set field by field: its record no longer knows its points. */
START_TEST(a_record_that_is_written_together_with_other_fields_is_not_believed)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "beside");
    bson_t *old = find_one(&w, FIRST), change = BSON_INITIALIZER, set;
    bson_iter_t iter;
    update(&w, FIRST, J("$set" : {"name" : "Another name", "website" : "https://other.example"}));
    live_in_step(&w);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &set);
    ck_assert(bson_iter_init(&iter, old));
    while (bson_iter_next(&iter))
        if (strcmp(bson_iter_key(&iter), "_id") != 0) bson_append_iter(&set, bson_iter_key(&iter), -1, &iter);
    bson_append_document_end(&change, &set);
    char *text = bson_as_canonical_extended_json(&change, NULL);
    update(&w, FIRST, text);
    live_in_step(&w);
    /* and one that changes nothing that any collection reads */
    update(&w, FIRST, J("$set" : {"contributor" : "eve", "syncMetadata.overallStatus" : "stale"}));
    live_in_step(&w);
    bson_free(text);
    bson_destroy(&change);
    bson_destroy(old);
    live_close(&w);
}
END_TEST

START_TEST(beside_documents_too_an_overall_status_is_put_right)
{
    struct live w = {.folder = ""};
    live_open(&w, "overall-sidecar");
    live_set(&w, "mongodb", "metadata", "sidecar");
    insert_made(&w, 0, 10);
    daemon_start(&w);
    live_in_step(&w);
    on_database(
        &w, J("update"
              : "tools.lockstep", "updates"
              : [ {"q" : {}, "u" : {"$set" : {"syncMetadata.overallStatus" : "stale"}}, "multi" : true} ]));
    WAIT_UNTIL(&w, count_in(&w, "tools.lockstep", J("syncMetadata.overallStatus" : "synced")) == 10);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(verify_tells_of_an_overall_status_and_repairs_it)
{
    struct live w = {.folder = ""};
    struct buf out;
    open_in_step(&w, "verify-overall");
    daemon_stop(&w);
    update(&w, FIRST, J("$set" : {"syncMetadata.overallStatus" : "stale"}));
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "verify", NULL), 1);
    EXPECT(&w, out.data && strstr(out.data, "overallStatus is not \"synced\""));
    EXPECT(&w, document_says(&w, FIRST, "syncMetadata.overallStatus", "stale"));
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", "--repair", NULL), 0);
    EXPECT(&w, document_says(&w, FIRST, "syncMetadata.overallStatus", "synced"));
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", NULL), 0);
    buf_fini(&out);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_overall_status_that_an_application_wrote_is_put_right_once,
        a_status_that_an_application_wrote_is_looked_into,
        a_record_that_is_written_together_with_other_fields_is_not_believed,
        beside_documents_too_an_overall_status_is_put_right,
        verify_tells_of_an_overall_status_and_repairs_it,
    };
    return live_main("records", tests, sizeof tests / sizeof *tests);
}
