/*
 * test_promises.c - what must always be true, one at a time, where no other file has it: doubt after a lost
 * reply, deletes through outages, crashes and lost history, records that applications take away.
 */
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"

static void open_in_step(struct live *w, const char *test)
{
    live_open(w, test);
    insert_made(w, 0, 40);
    daemon_start(w);
    live_in_step(w);
    counters_reset(w);
}

START_TEST(a_change_that_was_written_unheard_and_taken_back_is_taken_back_in_qdrant)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "back-again");
    char *before = document_text(&w, J("id" : "made-1"), "name");
    fault(&w, &w.qdrant, J("kind" : "upsert", "collection" : "tools*", "apply" : true, "reset" : true));
    update(&w, J("id" : "made-1"), J("$set" : {"name" : "Written and not heard of"}));
    WAIT_UNTIL(&w,
               counters(&w).collection_upserted[0] >= 1); /* the point has it, and the record does not know */
    char *change = bson_strdup_printf("{\"$set\":{\"name\":\"%s\"}}", before);
    update(&w, J("id" : "made-1"), change);
    live_in_step(&w);
    bson_free(change);
    free(before);
    live_close(&w);
}
END_TEST

START_TEST(the_same_when_the_daemon_dies_before_it_knows)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "back-dead");
    char *before = document_text(&w, J("id" : "made-1"), "name");
    fault(&w, &w.qdrant,
          J("kind"
            : "upsert", "collection"
            : "tools*", "count" : 0, "apply"
            : true, "hang"
            : true));
    update(&w, J("id" : "made-1"), J("$set" : {"name" : "Written and not heard of"}));
    WAIT_UNTIL(&w, counters(&w).collection_upserted[0] >= 1);
    daemon_kill(&w);
    faults_clear_all(&w, &w.qdrant);
    char *change = bson_strdup_printf("{\"$set\":{\"name\":\"%s\"}}", before);
    update(&w, J("id" : "made-1"), change);
    daemon_start(&w);
    live_in_step(&w);
    bson_free(change);
    free(before);
    live_close(&w);
}
END_TEST

START_TEST(deletes_during_an_outage_outlive_the_daemon)
{
    struct live w = {.folder = "", .keep_data = true};
    open_in_step(&w, "dead-deletes");
    process_kill(&w.qdrant);
    for (size_t i = 0; i < 5; i++) {
        char filter[64];
        snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", i);
        delete_one(&w, filter);
    }
    update(&w, J("id" : "made-9"), J("$set" : {"categories" : ["Behind the deletes"]}));
    WAIT_UNTIL(&w, count_in(&w, "lockstep.state",
                            J("_id"
                              : {"$exists" : true})) >= 6); /* the tombs are durable */
    daemon_kill(&w);
    admin(&w, J("lockstepDouble" : "truncateOplog")); /* nobody will be told of them again */
    qdrant_start(&w);
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 35);
    live_close(&w);
}
END_TEST

START_TEST(what_is_deleted_and_moved_during_the_first_scan_leaves_no_ghost)
{
    struct live w = {.folder = ""};
    live_open(&w, "scan-deletes");
    live_set(&w, "embedding", "batch_size", "10");
    insert_made(&w, 0, 300);
    fault(&w, &w.embedder, J("count" : 0, "delay_ms" : 20));
    daemon_start(&w);
    for (size_t i = 0; i < 40; i++) {
        char filter[64], change[64];
        WAIT_UNTIL(&w, points(&w, "tools") >= (int64_t)(4 * i));
        snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", 5 * i);
        delete_one(&w, filter);
        snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", 299 - 2 * i);
        snprintf(change, sizeof change, "{\"$set\":{\"id\":\"moved-%zu\"}}", i);
        if (count_documents(&w, filter)) update(&w, filter, change);
    }
    faults_clear_all(&w, &w.embedder);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 260);
    live_close(&w);
}
END_TEST

START_TEST(an_id_that_moved_while_history_was_lost_leaves_no_ghost)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "lost-move");
    daemon_stop(&w);
    update(&w, J("id" : "made-1"), J("$set" : {"id" : "moved"}));
    delete_one(&w, J("id" : "made-2"));
    insert(&w, J("id" : "made-2", "name" : "Another of that name", "status" : "beta"));
    admin(&w, J("lockstepDouble" : "truncateOplog"));
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 40);
    EXPECT_INT(&w, points(&w, "usecases"), 39);
    live_close(&w);
}
END_TEST

START_TEST(records_that_an_application_takes_away_come_back_without_an_embedding)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "no-records");
    on_database(
        &w, J("update"
              : "tools", "updates"
              : [ {"q" : {"status" : "beta"}, "u" : {"$unset" : {"syncMetadata" : 1}}, "multi" : true} ]));
    on_database(&w, J("update"
                      : "tools", "updates"
                      : [ {
                          "q" : {"status" : "active"},
                          "u" : {"$set" : {"syncMetadata.collections.tools.contentHash" : "of somebody"}},
                          "multi" : true
                      } ]));
    update(&w, J("id" : "made-1"), J("$set" : {"website" : "https://and-a-change.example"}));
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 40);
    EXPECT_INT(&w, counters(&w).texts, 0);
    daemon_stop(&w);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", "--repair", NULL), 0);
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 0);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_change_that_was_written_unheard_and_taken_back_is_taken_back_in_qdrant,
        the_same_when_the_daemon_dies_before_it_knows,
        deletes_during_an_outage_outlive_the_daemon,
        what_is_deleted_and_moved_during_the_first_scan_leaves_no_ghost,
        an_id_that_moved_while_history_was_lost_leaves_no_ghost,
        records_that_an_application_takes_away_come_back_without_an_embedding,
    };
    return live_main_both("promises", tests, sizeof tests / sizeof *tests, NULL, 0);
}
