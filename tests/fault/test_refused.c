/*
 * test_refused.c - MongoDB refuses: each command that the daemon uses fails by itself, in every way in which
 * commands fail, while an application goes on writing; when it is over everything is in sync.
 *
 * Which commands these are is not left to memory: the stand-in counts them, and the list here must be theirs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault/network.h"
#include "fault/writer.h"
#include "live/calls.h"

#define IDS 30
#define TIMES 4 /* in a row: more often than any repetition within the driver */

static const struct command {
    const char *name;
    bool at_end; /* it comes when a daemon stops; else it comes in its life, or when it starts */
    bool writes;
    bool unknown_source; /* only where nothing is known of the source */
} commands[] = {
    {.name = "isMaster"},
    {.name = "ping", .unknown_source = true},
    {.name = "aggregate"},
    {.name = "getMore"},
    {.name = "find"},
    {.name = "count", .unknown_source = true},
    {.name = "update", .writes = true},
    {.name = "findAndModify", .writes = true},
    {.name = "delete", .writes = true}, /* of tombstones */
    {.name = "listCollections"},
    {.name = "listIndexes"},
    {.name = "createIndexes", .writes = true},
    {.name = "killCursors"},
    {.name = "endSessions", .at_end = true},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void open_world(struct live *w, const char *test)
{
    live_open(w, test);
    live_set(w, "worker", "lease_ms", "1000");
    live_set(w, "qdrant", "timeout_ms", "400");
    live_set(w, "embedding", "batch_size", "5");
}

/* ---- the list ---- */

#define MOST_NAMES 40

struct record_counts {
    char names[MOST_NAMES][32];
    size_t count;
};

static bool is_asked(const struct record_counts *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->names[i], name) == 0) return true;
    return false;
}

/* Adds what was asked for since the counters began. */
static void add_asked(struct live *w, struct record_counts *t)
{
    bson_t reply, *what = BCON_NEW("lockstepDouble", "counters");
    bson_error_t error;
    bson_iter_t at, each;
    if (!mongoc_client_command_simple(w->client, "admin", what, NULL, &reply, &error) ||
        !bson_iter_init_find(&at, &reply, "counters") || !bson_iter_recurse(&at, &each))
        FAIL(w, "no counters");
    while (bson_iter_next(&each))
        if (!is_asked(t, bson_iter_key(&each)) && t->count < MOST_NAMES)
            snprintf(t->names[t->count++], sizeof t->names[0], "%s", bson_iter_key(&each));
    bson_destroy(&reply);
    bson_destroy(what);
}

static bool is_asked_now(struct live *w, const char *name)
{
    struct record_counts t = {.count = 0};
    add_asked(w, &t);
    return is_asked(&t, name);
}

/* What a daemon has to do in its life, before it starts: it finds all of that in the stream. */
static void prepare_work(struct live *w)
{
    for (size_t i = 0; i < 3; i++) {
        char id[40];
        snprintf(id, sizeof id, "{\"id\":\"made-%zu\"}", i);
        delete_one(w, id);
    }
    insert_made(w, 100, 5);
    update(w, J("id" : "made-5"), J("$set" : {"id" : "moved"}));
    update(w, J("id" : "made-6"), J("$set" : {"id" : "made-7"}));
    update(w, J("id" : "made-8"), J("$unset" : {"syncMetadata" : ""}));
}

/* Two lives, in which the test itself writes nothing. */
static void record_counts_lives(struct live *w, struct record_counts *t)
{
    insert_made(w, 0, 30);
    admin(w, J("lockstepDouble" : "resetCounters"));
    daemon_start(w);
    live_in_sync(w);
    daemon_stop(w);
    add_asked(w, t);
    prepare_work(w);
    admin(w, J("lockstepDouble" : "resetCounters"));
    daemon_start(w);
    live_in_sync(w);
    WAIT_UNTIL(w, is_asked_now(w, "delete")); /* the tombstones are over */
    daemon_stop(w);
    add_asked(w, t);
}

START_TEST(the_commands_that_are_made_to_fail_are_all_that_the_daemon_uses)
{
    struct live w = {.folder = "", .stand_ins = true};
    struct record_counts asked = {.count = 0};
    open_world(&w, "commands-used");
    record_counts_lives(&w, &asked);
    for (size_t i = 0; i < asked.count; i++) {
        bool known = strcmp(asked.names[i], "lockstepDouble") == 0;
        for (size_t k = 0; k < COMMANDS; k++) known |= strcmp(commands[k].name, asked.names[i]) == 0;
        if (!known) FAIL(&w, "%s is nowhere made to fail", asked.names[i]);
    }
    for (size_t k = 0; k < COMMANDS; k++)
        if (!is_asked(&asked, commands[k].name)) FAIL(&w, "%s is never asked for", commands[k].name);
    live_close(&w);
}
END_TEST

/* ---- each of them fails ---- */

/* Sets the fail point to what `fault` says (members of `data`), or off. How often it was entered before. */
static int64_t set_fail_point(struct live *w, const char *command, const char *fault)
{
    char text[400] = J("configureFailPoint" : "failCommand", "mode" : "off");
    bson_t reply;
    bson_error_t error;
    bson_iter_t at;
    if (command)
        snprintf(text, sizeof text,
                 "{\"configureFailPoint\":\"failCommand\",\"mode\":{\"times\":%d},\"data\":{"
                 "\"failCommands\":[\"%s\"%s],\"appName\":\"lockstep\",%s}}",
                 TIMES, command, strcmp(command, "isMaster") == 0 ? ",\"hello\"" : "", fault);
    bson_t *what = bson_new_from_json((const uint8_t *)text, -1, &error);
    if (!what || !mongoc_client_command_simple(w->client, "admin", what, NULL, &reply, &error))
        FAIL(w, "%s: %s", text, error.message);
    int64_t entered = bson_iter_init_find(&at, &reply, "count") ? bson_iter_as_int64(&at) : 0;
    bson_destroy(&reply);
    bson_destroy(what);
    return entered;
}

static bool is_hit(struct live *w, int64_t before, const char *command, const char *fault)
{
    return set_fail_point(w, command, fault) > before;
}

/* One life of the daemon in which this command fails. */
static void refuse(struct live *w, const struct command *command, const char *fault, uint64_t seed)
{
    printf("# %s: %s\n", command->name, fault);
    struct writer *writer = writer_start(w, seed, IDS, 8);
    int64_t before = set_fail_point(w, NULL, NULL);
    if (command->unknown_source)
        on_database(w, J("delete" : "lockstep.state", "deletes" : [ {"q" : {}, "limit" : 0} ]));
    if (command->at_end) {
        daemon_start(w);
        for (int pauses = 0; pauses < 40; pauses++) live_pause();
        set_fail_point(w, command->name, fault);
    } else {
        set_fail_point(w, command->name, fault);
        daemon_start(w);
        for (int pauses = 0; pauses < 40; pauses++) live_pause();
        /* set again and again until it was met: what is rare may take a while */
        WAIT_UNTIL(w, is_hit(w, before, command->name, fault));
        for (int pauses = 0; pauses < 40; pauses++) live_pause();
        set_fail_point(w, NULL, NULL);
        writer_stop(writer);
        EXPECT(w, process_runs(&w->daemon));
        live_in_sync(w);
        writer = writer_start(w, seed + 1000, IDS, 8);
    }
    daemon_stop(w);
    if (command->at_end && set_fail_point(w, NULL, NULL) == before)
        FAIL(w, "%s did not come at the end", command->name);
    set_fail_point(w, NULL, NULL);
    writer_stop(writer);
}

static void refuse_each(const char *name, const char *fault, bool writes_only)
{
    struct live w = {.folder = ""};
    open_world(&w, name);
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].writes || !writes_only) refuse(&w, &commands[i], fault, 100 + i);
    daemon_start(&w);
    live_in_sync(&w);
    daemon_stop(&w);
    live_close(&w);
}

START_TEST(each_command_may_meet_a_connection_that_ends)
{
    refuse_each("refused-closed", "\"closeConnection\":true", false);
}
END_TEST

START_TEST(each_command_may_be_refused_by_a_server_that_goes_away)
{
    refuse_each("refused-shutdown", "\"errorCode\":91", false); /* ShutdownInProgress */
}
END_TEST

START_TEST(each_command_may_be_refused_by_one_that_is_no_primary_any_more)
{
    refuse_each("refused-stepdown", "\"errorCode\":10107", false); /* NotWritablePrimary */
}
END_TEST

START_TEST(each_command_may_be_refused_for_a_reason_that_no_repetition_cures)
{
    refuse_each("refused-unknown", "\"errorCode\":8", false); /* UnknownError */
}
END_TEST

START_TEST(each_write_may_be_done_without_a_majority_that_confirms_it)
{
    refuse_each("refused-concern",
                "\"writeConcernError\":{\"code\":64,\"errmsg\":\"waiting for replication timed out\"}", true);
}
END_TEST

/* ---- what a person asks for ---- */

START_TEST(a_document_that_cannot_be_inserted_is_reported_so_and_a_later_one_is)
{
    static const char *const faults[] = {"\"closeConnection\":true", "\"errorCode\":91", "\"errorCode\":8"};
    struct live w = {.folder = ""};
    open_world(&w, "refused-insert");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    daemon_start(&w);
    live_in_sync(&w);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char body[100];
        struct live_process server = api(&w);
        snprintf(body, sizeof body, "{\"id\":\"asked-%zu\",\"name\":\"By hand\"}", i);
        set_fail_point(&w, "insert", faults[i]);
        EXPECT_INT(&w, ask(&w, &server, "POST", "/api/tools", body, NULL), 503);
        EXPECT_INT(&w, count_documents(&w, body), 0);
        set_fail_point(&w, NULL, NULL);
        EXPECT_INT(&w, ask(&w, &server, "POST", "/api/tools", body, NULL), 201);
    }
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "tools"), 3);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_commands_that_are_made_to_fail_are_all_that_the_daemon_uses,
        each_command_may_meet_a_connection_that_ends,
        each_command_may_be_refused_by_a_server_that_goes_away,
        each_command_may_be_refused_by_one_that_is_no_primary_any_more,
        each_command_may_be_refused_for_a_reason_that_no_repetition_cures,
        each_write_may_be_done_without_a_majority_that_confirms_it,
        a_document_that_cannot_be_inserted_is_reported_so_and_a_later_one_is,
    };
    return live_main("refused", tests, sizeof tests / sizeof *tests);
}
