/* test_outages.c - servers that stop, refuse, hang, forget and step down while the daemon is at work. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"

#define ENTRY(collection, key) "syncMetadata.collections." collection "." key

static void open_in_step(struct live *w, const char *test)
{
    live_open(w, test);
    insert_made(w, 0, 60);
    daemon_start(w);
    live_in_step(w);
    counters_reset(w);
}

/* A change for every collection, an edit, and a delete: what is to arrive in spite of all. */
static void make_changes(struct live *w, size_t round)
{
    char filter[64];
    insert_made(w, 1000 + 10 * round, 5);
    snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", 10 + round);
    update(w, filter, J("$set" : {"categories" : ["Changed"], "website" : "https://changed.example"}));
    snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", 20 + round);
    delete_one(w, filter);
}

/* ---- Qdrant ---- */

START_TEST(qdrant_is_stopped_and_comes_back)
{
    struct live w = {.folder = "", .keep_data = true};
    open_in_step(&w, "qdrant-stops");
    process_kill(&w.qdrant);
    make_changes(&w, 0);
    WAIT_UNTIL(&w, !document_says(&w, J("id" : "made-1000"), "syncMetadata.overallStatus", "synced"));
    WAIT_UNTIL(&w, log_has(&w.daemon, "QDRANT_UNAVAILABLE") || log_has(&w.daemon, "not ready"));
    make_changes(&w, 1);
    qdrant_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(qdrant_comes_back_with_nothing_and_is_filled_again)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "qdrant-empty");
    process_kill(&w.qdrant);
    make_changes(&w, 0);
    qdrant_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_collection_dropped_behind_our_back_is_made_and_filled_again)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "drop");
    EXPECT_INT(&w, ask(&w, &w.qdrant, "DELETE", "/collections/usecases_v1", NULL, NULL), 200);
    update(&w, J("id" : "made-3"), J("$set" : {"website" : "https://notices.example"}));
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).collection_upserted[0], 1); /* the others got the change alone */
    live_close(&w);
}
END_TEST

START_TEST(a_collection_dropped_while_the_daemon_is_away_is_filled_again)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "drop-away");
    daemon_stop(&w);
    EXPECT_INT(&w, ask(&w, &w.qdrant, "DELETE", "/collections/tools_v1", NULL, NULL), 200);
    daemon_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(points_lost_behind_our_back_are_noticed_by_their_number)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "lost-points");
    char *id = document_text(&w, J("id" : "made-3"), ENTRY("tools", "pointId")), body[128];
    snprintf(body, sizeof body, "{\"points\":[\"%s\"]}", id);
    free(id);
    EXPECT_INT(&w, ask(&w, &w.qdrant, "POST", "/collections/tools/points/delete?wait=true", body, NULL), 200);
    /* they are counted after something happened; on a quiet source every five minutes */
    update(&w, J("id" : "made-9"), J("$set" : {"categories" : ["Something else"]}));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_black_holed_collection_delays_no_other_and_heals)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "black-hole");
    fault(&w, &w.qdrant, J("collection" : "interface*", "count" : 0, "hang" : true));
    int64_t before = points(&w, "tools");
    insert_made(&w, 2000, 300);
    WAIT_UNTIL(&w, points(&w, "tools") == before + 300 && points(&w, "usecases") == before + 300);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.collections.tools.status" : "synced")) == 360);
    EXPECT(&w, count_documents(&w, J("syncMetadata.collections.interface.status" : "synced")) < 360);
    faults_clear_all(&w, &w.qdrant);
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).collection_upserted[0], 300);
    live_close(&w);
}
END_TEST

START_TEST(replies_of_qdrant_that_are_lost_late_or_garbled_do_no_harm)
{
    static const char *const ways[] = {
        J("kind"
          : "upsert", "count" : 3, "reset"
          : true, "apply"
          : true),
        J("kind"
          : "upsert", "count" : 2, "delay_ms" : 2500, "apply"
          : true),
        J("kind"
          : "*", "count" : 4, "garble"
          : "truncate"),
        J("kind"
          : "*", "count" : 4, "garble"
          : "noise"),
        J("kind"
          : "*", "count" : 4, "status" : 500, "body"
          : "Internal Server Error"),
        J("kind"
          : "upsert", "count" : 2, "result_status"
          : "acknowledged"),
        J("kind"
          : "*", "count" : 3, "status" : 429, "headers"
          : {"Retry-After" : 1}),
        J("kind"
          : "delete", "count" : 2, "reset"
          : true, "apply"
          : true),
    };
    struct live w = {.folder = ""};
    open_in_step(&w, "lost-replies");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        fault(&w, &w.qdrant, ways[i]);
        make_changes(&w, i);
    }
    WAIT_UNTIL(&w, process_runs(&w.daemon));
    faults_clear_all(&w, &w.qdrant);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* ---- the embedder ---- */

START_TEST(an_embedder_that_is_down_delays_only_what_needs_it)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "embedder-down");
    fault(&w, &w.embedder, J("count" : 0, "status" : 503, "body" : "busy"));
    make_changes(&w, 0);
    update(&w, J("id" : "made-3"), J("$set" : {"website" : "https://payload.example"}));
    /* a payload needs no embedder */
    WAIT_UNTIL(&w, counters(&w).collection_upserted[0] >= 1);
    WAIT_UNTIL(&w, document_says(&w, J("id" : "made-3"), "syncMetadata.overallStatus", "synced"));
    EXPECT(&w, !document_says(&w, J("id" : "made-1000"), "syncMetadata.overallStatus", "synced"));
    faults_clear_all(&w, &w.embedder);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(an_embedder_that_asks_for_patience_is_given_it)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "retry-after");
    fault(&w, &w.embedder,
          J("count" : 2, "status" : 429, "headers"
            : {"Retry-After" : 1}, "body"
            : "slow down"));
    make_changes(&w, 0);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_poisonous_text_fails_alone)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "poison");
    fault(&w, &w.embedder,
          J("text"
            : "arsenic", "count" : 0, "status" : 400, "body"
            : {"error" : {"message" : "this input can't be embedded"}}));
    insert_made(&w, 2000, 20);
    insert(&w, J("id" : "poison", "name" : "Of arsenic", "categories" : ["Harmless"]));
    insert_made(&w, 2020, 20);
    WAIT_UNTIL(&w, document_says(&w, J("id" : "poison"), ENTRY("tools", "errorCode"), "EMBEDDING_REJECTED"));
    WAIT_UNTIL(&w, document_says(&w, J("id" : "poison"), ENTRY("functionality", "status"), "synced"));
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 100);
    EXPECT(&w, document_says(&w, J("id" : "poison"), "syncMetadata.overallStatus", "failed"));
    update(&w, J("id" : "poison"), J("$set" : {"name" : "Of sugar"}));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* A text for which no vector came twice when it was alone is given up until its document changes. */
static bool in_step_after_the_rejected_have_changed(struct live *w)
{
    static const char *const fields[][2] = {{"tools", "tagline"},
                                            {"functionality", "categories"},
                                            {"usecases", "userTypes"},
                                            {"interface", "status"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char command[400];
        bool list = strcmp(fields[i][1], "categories") == 0 || strcmp(fields[i][1], "userTypes") == 0;
        snprintf(command, sizeof command,
                 J("update"
                   : "tools", "updates"
                   : [ {
                       "q" : {"syncMetadata.collections.%s.errorCode" : "EMBEDDING_REJECTED"},
                       "u" : {"%s" : {"%s" : "Again"}},
                       "multi" : true
                   } ]),
                 fields[i][0], list ? "$push" : "$set", fields[i][1]);
        on_database(w, command);
    }
    char *difference = live_difference(w);
    bool none = !difference;
    free(difference);
    return none;
}

START_TEST(vectors_that_are_none_or_too_few_are_not_written)
{
    static const char *const ways[] = {J("count" : 2, "distort"
                                         : "count"),
                                       J("count" : 2, "distort"
                                         : "nan"),
                                       J("count" : 2, "distort"
                                         : "dimension"),
                                       J("count" : 2, "distort"
                                         : "index"),
                                       J("count" : 2, "distort"
                                         : "shuffle")};
    struct live w = {.folder = ""};
    open_in_step(&w, "distort");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        fault(&w, &w.embedder, ways[i]);
        make_changes(&w, i);
    }
    WAIT_UNTIL(&w, in_step_after_the_rejected_have_changed(&w));
    live_close(&w);
}
END_TEST

/* ---- MongoDB ---- */

START_TEST(mongodb_is_stopped_and_comes_back)
{
    struct live w = {.folder = "", .keep_data = true};
    open_in_step(&w, "mongod-stops");
    process_kill(&w.mongod);
    WAIT_UNTIL(&w, log_has(&w.daemon, "change stream") && process_runs(&w.daemon));
    mongod_start(&w);
    make_changes(&w, 0);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(elections_and_cut_connections_lose_nothing)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "elections");
    admin(&w, J("lockstepDouble" : "dropConnections"));
    make_changes(&w, 0);
    admin(&w, J("replSetStepDown" : 1, "force" : true));
    make_changes(&w, 1);
    live_in_step(&w);
    admin(&w, J("lockstepDouble" : "dropConnections"));
    make_changes(&w, 2);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(commands_that_fail_or_are_cut_are_repeated)
{
    static const char *const commands[] = {"find",          "getMore", "update", "aggregate",
                                           "findAndModify", "insert",  "delete"};
    struct live w = {.folder = ""};
    open_in_step(&w, "fail-command");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char fail[300];
        snprintf(fail, sizeof fail,
                 "{\"configureFailPoint\":\"failCommand\",\"mode\":{\"times\":3},\"data\":{\"failCommands\":"
                 "[\"%s\"],\"appName\":\"lockstep\",%s}}",
                 commands[i], i % 2 ? "\"errorCode\":91" : "\"closeConnection\":true");
        admin(&w, fail);
        make_changes(&w, i);
    }
    admin(&w, J("configureFailPoint" : "failCommand", "mode" : "off"));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_lost_token_on_a_quiet_collection_is_noticed_and_everything_compared)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "lost-token");
    daemon_stop(&w);
    make_changes(&w, 0);
    admin(&w, J("lockstepDouble" : "truncateOplog"));
    counters_reset(&w);
    daemon_start(&w);
    live_in_step(&w);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.upserted, 5 * 4 + 1 + 3); /* only what had changed; three in their payloads alone */
    EXPECT_INT(&w, c.texts, 5 * 4 + 1);
    EXPECT_INT(&w, c.deleted, 4);
    live_close(&w);
}
END_TEST

START_TEST(a_collection_dropped_in_mongodb_leaves_no_point)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "drop-source");
    on_database(&w, J("drop" : "tools"));
    WAIT_UNTIL(&w, points(&w, "tools") == 0 && points(&w, "interface") == 0);
    insert_made(&w, 0, 10);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(without_change_streams_changes_and_deletes_are_found_by_comparing)
{
    struct live w = {.folder = "", .standalone = true};
    live_open(&w, "poll");
    live_set(&w, "mongodb", "poll_interval_ms", "300");
    insert_made(&w, 0, 60);
    daemon_start(&w);
    live_in_step(&w);
    make_changes(&w, 0);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_daemon_started_before_its_servers_says_so_and_heals_when_they_come)
{
    struct live w = {.folder = "", .keep_data = true};
    live_open(&w, "late-servers");
    insert_made(&w, 0, 20);
    process_kill(&w.mongod);
    process_kill(&w.qdrant);
    process_kill(&w.embedder);
    daemon_start(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "127.0.0.1"));
    EXPECT(&w, process_runs(&w.daemon));
    mongod_start(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "lease taken"));
    EXPECT(&w, process_runs(&w.daemon));
    qdrant_start(&w);
    embedder_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_document_that_refuses_its_metadata_is_synced_all_the_same)
{
    struct live w = {.folder = ""};
    live_open(&w, "validator");
    insert_made(&w, 0, 20);
    on_database(&w, J("collMod"
                      : "tools", "validationLevel"
                      : "strict", "validator"
                      : {"$or" : [ {"id" : {"$ne" : "made-3"}}, {"syncMetadata" : {"$exists" : false}} ]}));
    daemon_start(&w);
    live_in_step(&w);
    EXPECT(&w, count_documents(&w, J("id" : "made-3", "syncMetadata" : {"$exists" : true})) == 0);
    update(&w, J("id" : "made-3"), J("$set" : {"categories" : ["Refused"]}));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(metadata_beside_the_documents_leaves_them_untouched)
{
    struct live w = {.folder = ""};
    live_open(&w, "sidecar");
    live_set(&w, "mongodb", "metadata", "sidecar");
    insert_made(&w, 0, 40);
    daemon_start(&w);
    live_in_step(&w);
    make_changes(&w, 0);
    live_in_step(&w);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata" : {"$exists" : true})), 0);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {qdrant_is_stopped_and_comes_back,
                                  a_black_holed_collection_delays_no_other_and_heals,
                                  a_poisonous_text_fails_alone,
                                  mongodb_is_stopped_and_comes_back,
                                  elections_and_cut_connections_lose_nothing,
                                  commands_that_fail_or_are_cut_are_repeated,
                                  a_lost_token_on_a_quiet_collection_is_noticed_and_everything_compared,
                                  a_collection_dropped_in_mongodb_leaves_no_point,
                                  without_change_streams_changes_and_deletes_are_found_by_comparing};
    const TTest *const embedded[] = {qdrant_comes_back_with_nothing_and_is_filled_again,
                                     a_collection_dropped_behind_our_back_is_made_and_filled_again,
                                     a_collection_dropped_while_the_daemon_is_away_is_filled_again,
                                     points_lost_behind_our_back_are_noticed_by_their_number,
                                     replies_of_qdrant_that_are_lost_late_or_garbled_do_no_harm,
                                     an_embedder_that_is_down_delays_only_what_needs_it,
                                     an_embedder_that_asks_for_patience_is_given_it,
                                     vectors_that_are_none_or_too_few_are_not_written,
                                     a_daemon_started_before_its_servers_says_so_and_heals_when_they_come,
                                     a_document_that_refuses_its_metadata_is_synced_all_the_same,
                                     metadata_beside_the_documents_leaves_them_untouched};
    return live_main_both("outages", tests, sizeof tests / sizeof *tests, embedded,
                          sizeof embedded / sizeof *embedded);
}
