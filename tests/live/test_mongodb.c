/* test_mongodb.c - what MongoDB and applications do there: transactions, renames, elections, lag, polling. */
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"

#define ENTRY(collection, key) "syncMetadata.collections." collection "." key

static void open_in_step(struct live *w, const char *test)
{
    live_open(w, test);
    insert_made(w, 0, 40);
    daemon_start(w);
    live_in_step(w);
    counters_reset(w);
}

/* Something after all that came before: what was to be done with that is done when this is in step. */
static void mark(struct live *w, size_t n)
{
    insert_made(w, 9000 + n, 1);
    live_in_step(w);
}

/* Over another of that name, if there is one. */
static void rename_tools(struct live *w, const char *from, const char *to)
{
    char command[200];
    snprintf(command, sizeof command, "{\"renameCollection\":\"%s.%s\",\"to\":\"%s.%s\",\"dropTarget\":true}",
             w->database, from, w->database, to);
    admin(w, command);
}

/* An insert that the primary has and no majority: nobody waits for one. */
static void unacknowledged(struct live *w, const char *document)
{
    char command[300];
    snprintf(command, sizeof command, "{\"insert\":\"tools\",\"documents\":[%s],\"writeConcern\":{\"w\":1}}",
             document);
    on_database(w, command);
}

/* ---- transactions ---- */

static void good(struct live *w, bool done, const bson_error_t *error, const char *what)
{
    if (!done) FAIL(w, "%s: %s", what, error->message);
}

/* An insert, an update and a delete by an application that means all or nothing. */
static mongoc_client_session_t *begin_writes(struct live *w)
{
    bson_error_t error;
    bson_t opts = BSON_INITIALIZER, *document = BCON_NEW("_id", "in-transaction", "id", "in-transaction",
                                                         "name", "In a transaction", "status", "beta");
    bson_t *second = BCON_NEW("id", "made-2"), *first = BCON_NEW("id", "made-1");
    bson_t *change = BCON_NEW("$set", "{", "categories", "[", "Of the transaction", "]", "}");
    mongoc_client_session_t *session = mongoc_client_start_session(w->client, NULL, &error);
    good(w, session != NULL, &error, "session");
    good(w, mongoc_client_session_start_transaction(session, NULL, &error), &error, "transaction");
    good(w, mongoc_client_session_append(session, &opts, &error), &error, "session");
    good(w, mongoc_collection_insert_one(w->tools, document, &opts, NULL, &error), &error, "insert");
    good(w, mongoc_collection_update_one(w->tools, first, change, &opts, NULL, &error), &error, "update");
    good(w, mongoc_collection_delete_one(w->tools, second, &opts, NULL, &error), &error, "delete");
    bson_destroy(&opts);
    bson_destroy(document);
    bson_destroy(first);
    bson_destroy(second);
    bson_destroy(change);
    return session;
}

START_TEST(a_transaction_is_followed_when_it_commits_and_not_before)
{
    struct live w = {.folder = ""};
    bson_error_t error;
    open_in_step(&w, "transaction");
    mongoc_client_session_t *session = begin_writes(&w);
    mark(&w, 0);
    EXPECT_INT(&w, points(&w, "tools"), 41);
    EXPECT_INT(&w, counters(&w).texts, 4);
    good(&w, mongoc_client_session_commit_transaction(session, NULL, &error), &error, "commit");
    mongoc_client_session_destroy(session);
    live_in_step(&w);
    EXPECT(&w, document_says(&w, J("id" : "in-transaction"), "syncMetadata.overallStatus", "synced"));
    EXPECT_INT(&w, counters(&w).texts, 4 + 1 + 2); /* functionality of one; tools and interface of the new */
    EXPECT_INT(&w, counters(&w).deleted, 4);
    live_close(&w);
}
END_TEST

START_TEST(a_transaction_that_is_given_up_reaches_nothing)
{
    struct live w = {.folder = ""};
    bson_error_t error;
    open_in_step(&w, "aborted");
    mongoc_client_session_t *session = begin_writes(&w);
    good(&w, mongoc_client_session_abort_transaction(session, &error), &error, "abort");
    mongoc_client_session_destroy(session);
    mark(&w, 0);
    EXPECT_INT(&w, counters(&w).texts, 4);
    EXPECT_INT(&w, counters(&w).deleted, 0);
    live_close(&w);
}
END_TEST

/* ---- the collection goes and comes ---- */

START_TEST(a_collection_renamed_away_leaves_no_point_and_comes_back_with_all)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "rename");
    rename_tools(&w, "tools", "elsewhere");
    WAIT_UNTIL(&w, points(&w, "tools") == 0 && points(&w, "interface") == 0);
    EXPECT(&w, log_has(&w.daemon, "dropped or renamed"));
    rename_tools(&w, "elsewhere", "tools");
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 40);
    update(&w, J("id" : "made-3"), J("$set" : {"categories" : ["After the rename"]}));
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 1); /* the rest is known, and the points that went cost no embedding */
    live_close(&w);
}
END_TEST

START_TEST(another_collection_renamed_over_ours_is_what_counts)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "rename-over");
    on_database(&w, J("insert"
                      : "next", "documents"
                      : [ {"_id" : 1, "id" : "made-1", "name" : "Of the next", "status" : "beta"} ]));
    rename_tools(&w, "next", "tools");
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 1);
    EXPECT_INT(&w, points(&w, "usecases"), 0);
    live_close(&w);
}
END_TEST

START_TEST(a_database_that_is_dropped_leaves_no_point_and_is_followed_again)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "drop-database");
    on_database(&w, J("dropDatabase" : 1));
    WAIT_UNTIL(&w, points(&w, "tools") == 0 && points(&w, "interface") == 0);
    insert_made(&w, 0, 10);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* ---- a majority that is late, or changes its mind ---- */

START_TEST(what_no_majority_has_is_not_written_and_what_it_never_gets_never_is)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "majority");
    admin(&w, J("lockstepDouble" : "freezeMajority"));
    unacknowledged(&w, J("_id" : "undone", "id" : "undone", "name" : "Undone", "status" : "beta"));
    admin(&w, J("lockstepDouble" : "rollback"));
    mark(&w, 0);
    EXPECT_INT(&w, counters(&w).texts, 4);
    admin(&w, J("lockstepDouble" : "freezeMajority"));
    unacknowledged(&w, J("_id" : "late", "id" : "late", "name" : "Late", "status" : "beta"));
    EXPECT_INT(&w, counters(&w).texts, 4);
    admin(&w, J("lockstepDouble" : "thawMajority"));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 42);
    live_close(&w);
}
END_TEST

START_TEST(elections_in_the_middle_of_the_first_scan_lose_nothing)
{
    struct live w = {.folder = ""};
    live_open(&w, "step-down");
    live_set(&w, "embedding", "batch_size", "20");
    insert_made(&w, 0, 400);
    fault(&w, &w.embedder, J("count" : 0, "delay_ms" : 20));
    daemon_start(&w);
    for (int i = 1; i <= 3; i++) {
        WAIT_UNTIL(&w, points(&w, "tools") >= 60 * i);
        admin(&w, J("replSetStepDown" : 1, "force" : true));
        insert_made(&w, 1000 + 10 * (size_t)i, 2);
    }
    faults_clear_all(&w, &w.embedder);
    live_in_step(&w);
    EXPECT(&w, process_runs(&w.daemon));
    live_close(&w);
}
END_TEST

/* ---- privileges ---- */

START_TEST(a_privilege_that_is_missing_is_named_and_waited_for)
{
    static const struct {
        const char *command, *collection, *words;
    } cases[] = {
        {"update", "tools", "the privilege update on the collection tools"},
        {"find", "tools", "the privilege find on the collection tools"},
        {"aggregate", "tools", "the privilege changeStream and find on the collection tools"},
        {"findAndModify", "lockstep.state",
         "the privilege find, insert and update on the collection lockstep.state"},
    };
    struct live w = {.folder = ""};
    live_open(&w, "privilege");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char fail[300];
        snprintf(fail, sizeof fail,
                 "{\"configureFailPoint\":\"failCommand\",\"mode\":\"alwaysOn\",\"data\":{\"failCommands\":"
                 "[\"%s\"],\"appName\":\"lockstep\",\"namespace\":\"%s.%s\",\"errorCode\":13}}",
                 cases[i].command, w.database, cases[i].collection);
        insert_made(&w, 10 * i, 10);
        admin(&w, fail);
        daemon_start(&w);
        WAIT_UNTIL(&w, log_has(&w.daemon, cases[i].words));
        EXPECT(&w, process_runs(&w.daemon));
        EXPECT(&w, !log_has(&w.daemon, "made-")); /* MongoDB's message quotes the whole command */
        admin(&w, J("configureFailPoint" : "failCommand", "mode" : "off"));
        live_in_step(&w);
        daemon_stop(&w);
    }
    live_close(&w);
}
END_TEST

/* ---- without change streams ---- */

#define NOW "{\"$date\":{\"$numberLong\":\"4102444800000\"}}"
#define LONG_AGO "{\"$date\":{\"$numberLong\":\"1000000000000\"}}"

START_TEST(polling_by_a_date_reads_what_is_recent_and_what_has_no_date)
{
    struct live w = {.folder = "", .standalone = true};
    live_open(&w, "poll-field");
    live_set(&w, "mongodb", "watch", "poll");
    live_set(&w, "mongodb", "poll_interval_ms", "200");
    live_set(&w, "mongodb", "poll_field", "updatedAt");
    insert_made(&w, 0, 40);
    on_database(&w, "{\"update\":\"tools\",\"updates\":[{\"q\":{},\"u\":{\"$set\":{\"updatedAt\":" LONG_AGO
                    "}},\"multi\":true}]}");
    update(&w, J("id" : "made-1"), J("$set" : {"updatedAt" : "on a Monday"}));
    update(&w, J("id" : "made-2"), J("$unset" : {"updatedAt" : ""}));
    update(&w, J("id" : "made-5"), "{\"$set\":{\"updatedAt\":" NOW "}}"); /* or all would be recent */
    daemon_start(&w);
    live_in_step(&w);
    counters_reset(&w);
    /* a date, no date, none at all; and one whose application keeps the old date */
    update(&w, J("id" : "made-0"), "{\"$set\":{\"categories\":[\"Dated\"],\"updatedAt\":" NOW "}}");
    update(&w, J("id" : "made-1"), J("$set" : {"categories" : ["Text for a date"]}));
    update(&w, J("id" : "made-2"), J("$set" : {"categories" : ["Dateless"]}));
    update(&w, J("id" : "made-3"), J("$set" : {"categories" : ["Unnoticed"]}));
    delete_one(&w, J("id" : "made-4"));
    WAIT_UNTIL(&w, counters(&w).texts == 3);
    WAIT_UNTIL(&w, points(&w, "tools") == 39);
    for (size_t i = 0; i < 3; i++) { /* polls that follow find nothing more */
        char id[32];
        snprintf(id, sizeof id, "{\"id\":\"made-%zu\"}", 10 + i);
        update(&w, id, "{\"$set\":{\"categories\":[\"Later\"],\"updatedAt\":" NOW "}}");
        WAIT_UNTIL(&w, counters(&w).texts == (int64_t)(4 + i));
    }
    char *difference = live_difference(&w);
    EXPECT(&w, difference != NULL); /* made-3 */
    free(difference);
    daemon_stop(&w);
    daemon_start(&w); /* the first scan is a full one */
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 7);
    live_close(&w);
}
END_TEST

START_TEST(with_watch_off_nothing_is_followed_and_a_sync_brings_everything)
{
    struct live w = {.folder = ""};
    live_open(&w, "watch-off");
    live_set(&w, "mongodb", "watch", "off");
    insert_made(&w, 0, 20);
    daemon_start(&w);
    live_in_step(&w);
    counters_reset(&w);
    update(&w, J("id" : "made-3"), J("$set" : {"categories" : ["Unseen"]}));
    insert_made(&w, 20, 1); /* pending, which the worker finds */
    for (size_t c = 0; c < LIVE_COLLECTIONS; c++) WAIT_UNTIL(&w, points(&w, live_collections[c]) == 21);
    EXPECT_INT(&w, counters(&w).texts, 4);
    daemon_stop(&w);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "sync", NULL), 0);
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 5);
    live_close(&w);
}
END_TEST

/* An application whose schema allows the original six codes only can save a document whose record failed. */
START_TEST(basic_error_codes_show_the_original_six_and_keep_the_precise_one)
{
    struct live w = {.folder = ""};
    live_open(&w, "basic-codes");
    live_set(&w, "mongodb", "error_codes", "basic");
    fault(&w, &w.embedder,
          J("text"
            : "arsenic", "count" : 0, "status" : 400, "body"
            : {"error" : {"message" : "no"}}));
    insert_made(&w, 0, 5);
    insert(&w, J("id" : "bad", "name" : "Of arsenic"));
    daemon_start(&w);
    WAIT_UNTIL(&w, document_says(&w,
                                 J("id"
                                   : "bad"),
                                 "syncMetadata.collections.tools.errorReason", "EMBEDDING_REJECTED"));
    EXPECT(&w, document_says(&w, J("id" : "bad"), "syncMetadata.collections.tools.errorCode", "UNKNOWN"));
    /* it waits for a change, as the precise code says, and not for a retry, as UNKNOWN would */
    EXPECT(&w, document_says(&w, J("id" : "bad"), "syncMetadata.collections.tools.nextRetryAt", ""));
    faults_clear_all(&w, &w.embedder);
    update(&w, J("id" : "bad"), J("$set" : {"name" : "Of sugar"}));
    live_in_step(&w);
    EXPECT(&w, document_says(&w, J("id" : "bad"), "syncMetadata.collections.tools.errorReason", ""));
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_transaction_is_followed_when_it_commits_and_not_before,
                                  a_collection_renamed_away_leaves_no_point_and_comes_back_with_all,
                                  another_collection_renamed_over_ours_is_what_counts,
                                  a_database_that_is_dropped_leaves_no_point_and_is_followed_again,
                                  what_no_majority_has_is_not_written_and_what_it_never_gets_never_is,
                                  with_watch_off_nothing_is_followed_and_a_sync_brings_everything,
                                  basic_error_codes_show_the_original_six_and_keep_the_precise_one};
    const TTest *const embedded[] = {a_transaction_that_is_given_up_reaches_nothing,
                                     elections_in_the_middle_of_the_first_scan_lose_nothing,
                                     a_privilege_that_is_missing_is_named_and_waited_for,
                                     polling_by_a_date_reads_what_is_recent_and_what_has_no_date};
    return live_main_both("mongodb", tests, sizeof tests / sizeof *tests, embedded,
                          sizeof embedded / sizeof *embedded);
}
