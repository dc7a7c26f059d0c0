/*
 * test_history.c - servers that lose what they had, while an application goes on writing: MongoDB by an
 * election that undoes writes, by an oplog that forgets, by stepping down; Qdrant by a restart without what
 * it had only acknowledged, or with the data of an earlier day.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault/network.h"
#include "fault/writer.h"

#define IDS 30
#define ROUNDS 6

static void wait_a_little(struct chance *c, uint64_t most_pauses)
{
    for (uint64_t pauses = 1 + chance_draw(c, most_pauses); pauses > 0; pauses--) live_pause();
}

static void open_world(struct live *w, const char *test)
{
    live_open(w, test);
    live_set(w, "worker", "lease_ms", "1000");
    live_set(w, "qdrant", "timeout_ms", "400");
    live_set(w, "embedding", "batch_size", "5");
    daemon_start(w);
}

static void close_world(struct live *w)
{
    EXPECT(w, process_runs(&w->daemon));
    live_in_sync(w);
    daemon_stop(w);
    live_close(w);
}

/* ---- MongoDB ---- */

/* What the application wrote and no majority had is gone; some of it the daemon's own records. */
START_TEST(elections_that_undo_writes_leave_what_is_left_in_sync)
{
    struct live w = {.folder = "", .stand_ins = true};
    struct chance c = {chance_seed(1)};
    open_world(&w, "undone");
    struct writer *writer = writer_start(&w, 1, IDS, 8);
    for (int i = 0; i < ROUNDS; i++) {
        wait_a_little(&c, 60);
        admin(&w, J("lockstepDouble" : "freezeMajority"));
        wait_a_little(&c, 60);
        if (i % 3 == 2) daemon_kill(&w);
        admin(&w, J("lockstepDouble" : "rollback"));
        if (i % 3 == 2) daemon_start(&w);
    }
    writer_stop(writer);
    close_world(&w);
}
END_TEST

START_TEST(a_primary_that_steps_down_again_and_again_loses_nothing)
{
    struct live w = {.folder = ""};
    struct chance c = {chance_seed(2)};
    open_world(&w, "stepping-down");
    struct writer *writer = writer_start(&w, 2, IDS, 8);
    for (int i = 0; i < ROUNDS; i++) {
        wait_a_little(&c, 60);
        admin(&w, J("replSetStepDown" : 1, "force" : true));
        for (int pauses = 0; pauses < 80; pauses++) live_pause(); /* until it is a primary again */
    }
    writer_stop(writer);
    close_world(&w);
}
END_TEST

/* The stream's place is gone when it looks again, after a pause, a cut or an end. */
START_TEST(history_that_is_lost_under_a_reader_that_was_away_loses_nothing)
{
    struct live w = {.folder = "", .stand_ins = true};
    struct chance c = {chance_seed(3)};
    open_world(&w, "forgotten");
    struct writer *writer = writer_start(&w, 3, IDS, 8);
    for (int i = 0; i < ROUNDS; i++) {
        wait_a_little(&c, 60);
        if (i % 3 == 0)
            process_signal(&w.daemon, SIGSTOP);
        else if (i % 3 == 1)
            daemon_kill(&w);
        wait_a_little(&c, 60);
        admin(&w, J("lockstepDouble" : "truncateOplog"));
        if (i % 3 == 0)
            process_signal(&w.daemon, SIGCONT);
        else if (i % 3 == 1)
            daemon_start(&w);
        else
            admin(&w, J("lockstepDouble" : "dropConnections"));
    }
    writer_stop(writer);
    close_world(&w);
}
END_TEST

/* ---- Qdrant ---- */

/* For a while it says only that it will write, then it restarts and has not. */
START_TEST(a_qdrant_that_loses_what_it_only_acknowledged_is_written_again)
{
    static const char *const kinds[] = {"upsert", "batch", "delete"};
    struct live w = {.folder = "", .stand_ins = true};
    struct chance c = {chance_seed(4)};
    open_world(&w, "acknowledged");
    struct writer *writer = writer_start(&w, 4, IDS, 8);
    for (size_t i = 0; i < ROUNDS; i++) {
        char rule[120];
        snprintf(rule, sizeof rule, "{\"kind\":\"%s\",\"count\":0,\"result_status\":\"%s\"}", kinds[i % 3],
                 i < 3 ? "acknowledged" : "wait_timeout");
        wait_a_little(&c, 60);
        fault(&w, &w.qdrant, rule);
        wait_a_little(&c, 60);
        EXPECT_INT(&w, ask(&w, &w.qdrant, "POST", "/__double/restart", NULL, NULL), 200);
        faults_clear_all(&w, &w.qdrant);
    }
    writer_stop(writer);
    close_world(&w);
}
END_TEST

START_TEST(a_qdrant_that_is_killed_again_and_again_loses_nothing)
{
    struct live w = {.folder = "", .keep_data = true};
    struct chance c = {chance_seed(5)};
    open_world(&w, "killed-qdrant");
    struct writer *writer = writer_start(&w, 5, IDS, 8);
    for (int i = 0; i < ROUNDS; i++) {
        wait_a_little(&c, 60);
        process_kill(&w.qdrant);
        wait_a_little(&c, 30);
        qdrant_start(&w);
    }
    writer_stop(writer);
    close_world(&w);
}
END_TEST

/* The stand-in appends every write to its file: a shorter file is an earlier day. */
static void put_back(struct live *w, off_t bytes)
{
    char path[640];
    snprintf(path, sizeof path, "%s/qdrant.data", w->folder);
    process_kill(&w->qdrant);
    if (truncate(path, bytes) != 0) FAIL(w, "%s can't be made shorter", path);
    qdrant_start(w);
}

static off_t file_bytes(struct live *w)
{
    struct stat about;
    char path[640];
    snprintf(path, sizeof path, "%s/qdrant.data", w->folder);
    if (stat(path, &about) != 0) FAIL(w, "%s is not there", path);
    return about.st_size;
}

/* Points that are older than their records say, and as many as there should be, only a repair can find. */
START_TEST(a_qdrant_of_an_earlier_day_is_put_right_by_a_repair)
{
    struct live w = {.folder = "", .keep_data = true};
    open_world(&w, "earlier-day");
    insert_made(&w, 0, 20);
    live_in_sync(&w);
    off_t bytes = file_bytes(&w);
    struct writer *writer = writer_start(&w, 6, IDS, 8);
    for (int pauses = 0; pauses < 100; pauses++) live_pause();
    update(&w, J("id" : "made-1"), J("$set" : {"categories" : ["Of today"]}));
    update(&w, J("id" : "made-2"), J("$set" : {"website" : "https://today.example"}));
    delete_one(&w, J("id" : "made-3"));
    writer_stop(writer);
    live_in_sync(&w);
    daemon_stop(&w);
    put_back(&w, bytes);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", "--repair", NULL), 0);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        elections_that_undo_writes_leave_what_is_left_in_sync,
        a_primary_that_steps_down_again_and_again_loses_nothing,
        history_that_is_lost_under_a_reader_that_was_away_loses_nothing,
        a_qdrant_that_loses_what_it_only_acknowledged_is_written_again,
        a_qdrant_that_is_killed_again_and_again_loses_nothing,
        a_qdrant_of_an_earlier_day_is_put_right_by_a_repair,
    };
    return live_main("history", tests, sizeof tests / sizeof *tests);
}
