/*
 * test_starved.c - the daemon without what the system should give it: a log that can be written, file
 * descriptors, processor time.
 */
#define _GNU_SOURCE /* prlimit */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "fault/network.h"
#include "fault/writer.h"

#define IDS 30

START_TEST(a_log_that_cannot_be_written_stops_nothing)
{
    struct live w = {.folder = "", .daemon_log = "/dev/full"};
    live_open(&w, "full-log");
    daemon_start(&w);
    struct writer *writer = writer_start(&w, 1, IDS, 4);
    fault(&w, &w.qdrant, "{\"kind\": \"upsert\", \"count\": 5, \"status\": 500, \"body\": \"no\"}");
    WAIT_UNTIL(&w, points(&w, "tools") > 3);
    writer_stop(writer);
    live_in_sync(&w);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

static void limit_files(const struct live_process *p, rlim_t count)
{
    struct rlimit limit;
    prlimit(p->pid, RLIMIT_NOFILE, NULL, &limit);
    limit.rlim_cur = count;
    prlimit(p->pid, RLIMIT_NOFILE, &limit, NULL);
}

/* What is open stays open; connections that break meanwhile can't be made again until there are descriptors.
 */
START_TEST(without_file_descriptors_it_waits_until_there_are_some)
{
    struct live w = {.folder = ""};
    struct network n;
    live_open(&w, "no-files");
    network_open(&n, &w);
    insert_sample(&w);
    daemon_start(&w);
    live_in_sync(&w);
    limit_files(&w.daemon, 5);
    for (int i = 0; i < NETWORK_SERVERS; i++) proxy_set(n.to[i], PROXY_REFUSE, 0);
    struct writer *writer = writer_start(&w, 2, IDS, 8);
    WAIT_UNTIL(&w, log_has(&w.daemon, "change stream broke"));
    network_restore(&n); /* now it is the descriptors alone */
    for (int pauses = 0; pauses < 100; pauses++) live_pause();
    writer_stop(writer);
    EXPECT(&w, process_runs(&w.daemon));
    limit_files(&w.daemon, 256);
    live_in_sync(&w);
    daemon_stop(&w);
    network_close(&n);
    live_close(&w);
}
END_TEST

START_TEST(stopped_and_continued_again_and_again_it_goes_on)
{
    struct live w = {.folder = ""};
    struct network n;
    live_open(&w, "stopped");
    network_open(&n, &w);
    daemon_start(&w);
    struct writer *writer = writer_start(&w, 3, IDS, 8);
    for (int i = 0; i < 4; i++) {
        for (int pauses = 0; pauses < 30; pauses++) live_pause();
        process_signal(&w.daemon, SIGSTOP);
        for (int pauses = 0; pauses < 90; pauses++) live_pause(); /* longer than its lease */
        process_signal(&w.daemon, SIGCONT);
    }
    writer_stop(writer);
    live_in_sync(&w);
    daemon_stop(&w);
    network_close(&n);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_log_that_cannot_be_written_stops_nothing,
        without_file_descriptors_it_waits_until_there_are_some,
        stopped_and_continued_again_and_again_it_goes_on,
    };
    return live_main("starved", tests, sizeof tests / sizeof *tests);
}
