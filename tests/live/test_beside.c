/*
 * test_beside.c - records beside documents (`metadata = sidecar`): none outlives its document, whichever way
 * that goes, and whatever the user may do in MongoDB.
 */
#include <string.h>

#include "live/calls.h"
#include "live/harness.h"

#define RECORDS "tools.lockstep"

static void open_beside(struct live *w, const char *test)
{
    *w = (struct live){.stand_ins = true};
    live_open(w, test);
    live_set(w, "mongodb", "metadata", "sidecar");
    insert_made(w, 0, 30);
}

static size_t records(struct live *w)
{
    return count_in(w, RECORDS, J("syncMetadata" : {"$exists" : true}));
}

/* Two that have no point anywhere: one as it is not valid, one as it has no text. */
static void insert_without_points(struct live *w)
{
    insert(w, J("_id" : "no-id", "name" : "Without a business id"));
    insert(w, J("_id" : "no-text", "id" : "no-text"));
}

static void on_admin_rename(struct live *w, const char *from, const char *to)
{
    char command[300];
    snprintf(command, sizeof command, "{\"renameCollection\":\"%s.%s\",\"to\":\"%s.%s\",\"dropTarget\":true}",
             w->database, from, w->database, to);
    admin(w, command);
}

START_TEST(a_collection_that_is_renamed_over_leaves_no_record_of_what_was_there)
{
    struct live w;
    open_beside(&w, "renamed-over");
    insert_without_points(&w);
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, records(&w), 32);
    on_database(&w, J("insert"
                      : "next", "documents"
                      : [
                          {"_id" : "no-id", "id" : "valid-now", "name" : "It is another document"},
                          {"_id" : "new", "id" : "new", "name" : "New"}
                      ]));
    on_admin_rename(&w, "next", "tools");
    live_in_step(&w);
    EXPECT_INT(&w, records(&w), 2);
    EXPECT_INT(&w, points(&w, "tools"), 2);
    live_close(&w);
}
END_TEST

START_TEST(a_collection_that_is_dropped_and_filled_again_leaves_no_record_of_what_was_there)
{
    struct live w;
    open_beside(&w, "refilled");
    insert_without_points(&w);
    daemon_start(&w);
    live_in_step(&w);
    daemon_stop(&w); /* and nothing tells which documents went */
    on_database(&w, J("drop" : "tools"));
    insert_made(&w, 25, 10);
    admin(&w, J("lockstepDouble" : "truncateOplog"));
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, records(&w), 10);
    live_close(&w);
}
END_TEST

START_TEST(documents_that_left_a_capped_collection_leave_no_record)
{
    struct live w = {.stand_ins = true};
    char document[100];
    live_open(&w, "left");
    live_set(&w, "mongodb", "metadata", "sidecar");
    live_set(&w, "mongodb", "poll_interval_ms", "200");
    on_database(&w, J("create" : "tools", "capped" : true, "size" : 1000000, "max" : 20));
    for (int i = 0; i < 20; i++) { /* every other one has no text, and so no point */
        snprintf(document, sizeof document, "{\"_id\":%d,\"id\":\"n-%d\"%s}", i, i,
                 i % 2 ? ",\"name\":\"N\"" : "");
        insert(&w, document);
    }
    daemon_start(&w);
    live_in_step(&w);
    for (int i = 20; i < 26; i++) {
        snprintf(document, sizeof document, "{\"_id\":%d,\"id\":\"n-%d\"}", i, i);
        insert(&w, document);
    }
    WAIT_UNTIL(&w, points(&w, "tools") == 7);
    live_in_step(&w);
    EXPECT_INT(&w, records(&w), 20);
    live_close(&w);
}
END_TEST

START_TEST(records_of_points_whose_deletes_are_held_are_held_too)
{
    struct live w;
    open_beside(&w, "held-records");
    insert_made(&w, 30, 170);
    live_set(&w, "api", "listen", "127.0.0.1:0");
    daemon_start(&w);
    live_in_step(&w);
    daemon_stop(&w);
    on_database(&w, J("delete" : "tools", "deletes" : [ {"q" : {"id" : {"$ne" : "made-7"}}, "limit" : 0} ]));
    admin(&w, J("lockstepDouble" : "truncateOplog"));
    daemon_start(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "too many points have no document"));
    update(&w, J("id" : "made-7"), J("$set" : {"name" : "After it was held"}));
    WAIT_UNTIL(&w, count_in(&w, RECORDS, J("syncMetadata.collections.tools.vectorVersion" : 2)) == 1);
    daemon_stop(&w);
    EXPECT_INT(&w, records(&w), 200);
    EXPECT_INT(&w, points(&w, "tools"), 200);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "sync", "--allow-deletes", NULL), 0);
    live_in_step(&w);
    EXPECT_INT(&w, records(&w), 1);
    live_close(&w);
}
END_TEST

/* ---- privileges ---- */

static void forbid(struct live *w, const char *commands)
{
    char command[300];
    snprintf(command, sizeof command,
             "{\"configureFailPoint\":\"failCommand\",\"mode\":\"alwaysOn\",\"data\":{\"failCommands\":%s,"
             "\"appName\":\"lockstep\",\"namespace\":\"%s." RECORDS "\",\"errorCode\":13}}",
             commands, w->database);
    admin(w, command);
}

START_TEST(a_user_who_may_not_remove_records_empties_them)
{
    struct live w;
    open_beside(&w, "no-remove");
    daemon_start(&w);
    live_in_step(&w);
    forbid(&w, "[\"delete\"]");
    delete_one(&w, J("id" : "made-3"));
    delete_one(&w, J("id" : "made-4"));
    WAIT_UNTIL(&w, points(&w, "tools") == 28);
    live_in_step(&w);
    EXPECT_INT(&w, records(&w), 28);
    EXPECT_INT(&w, count_in(&w, RECORDS, "{}"), 30);
    bson_t *again = BCON_NEW("_id", "again", "id", "again", "name", "Again");
    insert_bson(&w, again);
    live_in_step(&w);
    delete_one(&w, J("_id" : "again"));
    WAIT_UNTIL(&w, points(&w, "tools") == 28);
    insert_bson(&w, again); /* what is left of its record says nothing */
    bson_destroy(again);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 29);
    live_close(&w);
}
END_TEST

START_TEST(records_that_can_not_go_are_a_problem_and_hold_nothing_up)
{
    struct live w;
    open_beside(&w, "no-right");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    daemon_start(&w);
    live_in_step(&w);
    forbid(&w, "[\"delete\",\"update\"]");
    delete_one(&w, J("id" : "made-3"));
    WAIT_UNTIL(&w, points(&w, "tools") == 29);
    WAIT_UNTIL(&w, shows_problem(&w, "RECORDS_REMAIN"));
    admin(&w, J("configureFailPoint" : "failCommand", "mode" : "off"));
    delete_one(&w, J("id" : "made-4"));
    WAIT_UNTIL(&w, points(&w, "tools") == 28);
    WAIT_UNTIL(&w, !shows_problem(&w, "RECORDS_REMAIN"));
    update(&w, J("id" : "made-5"), J("$set" : {"name" : "Right again"}));
    daemon_stop(&w);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", "--repair", NULL), 0);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "sync", "--force", NULL), 0);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_collection_that_is_renamed_over_leaves_no_record_of_what_was_there,
        a_collection_that_is_dropped_and_filled_again_leaves_no_record_of_what_was_there,
        documents_that_left_a_capped_collection_leave_no_record,
        records_of_points_whose_deletes_are_held_are_held_too,
        a_user_who_may_not_remove_records_empties_them,
        records_that_can_not_go_are_a_problem_and_hold_nothing_up};
    return live_main("beside", tests, sizeof tests / sizeof tests[0]);
}
