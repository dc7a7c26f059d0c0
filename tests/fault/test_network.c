/*
 * test_network.c - what networks do to connections, one thing at a time, to each server: while it lasts the
 * daemon lives on, and when it is over everything is in sync.
 */
#include <stdio.h>

#include "fault/network.h"
#include "fault/writer.h"
#include "live/ends.h"

#define IDS 30
#define FAULT_MS 2500 /* longer than every time-out that network_open() sets but one */

struct fault {
    enum proxy_mode mode;
    uint64_t amount;
};

/* It runs; where libmongoc has ended it for a garbled heartbeat (ends.h), it is started again, as systemd
 * would. */
static bool lives_on(struct live *w)
{
    unsigned before = ends_by_driver();
    if (process_runs(&w->daemon)) return true;
    if (ends_by_driver() == before) return false;
    daemon_start(w);
    return true;
}

static void suffer(struct live *w, struct network *n, enum network_server server, const struct fault *fault)
{
    uint64_t hits = proxy_hits(n->to[server]);
    proxy_set(n->to[server], fault->mode, fault->amount);
    int64_t until_ms = live_now_ms() + FAULT_MS;
    while (live_now_ms() < until_ms || proxy_hits(n->to[server]) == hits) {
        if (!lives_on(w))
            FAIL(w, "the daemon ended when %s met with: %s", network_names[server],
                 proxy_mode_name(fault->mode));
        if (live_now_ms() > until_ms + LIVE_PATIENCE_MS)
            FAIL(w, "nothing came to %s that could be broken by: %s", network_names[server],
                 proxy_mode_name(fault->mode));
        live_pause();
    }
    network_restore(n);
    for (int pauses = 0; pauses < 20; pauses++) live_pause(); /* what is garbled and still on its way */
    if (!lives_on(w)) FAIL(w, "the daemon ended after %s", proxy_mode_name(fault->mode));
}

static void try_all(enum network_server server, const char *name)
{
    static const struct fault faults[] = {{PROXY_DELAY, 150}, {PROXY_CUT, 0},   {PROXY_CUT, 3000},
                                          {PROXY_RESET, 700}, {PROXY_HOLE, 0},  {PROXY_REFUSE, 0},
                                          {PROXY_GARBLE, 3},  {PROXY_GARBLE, 1}};
    struct live w = {.folder = ""};
    struct network n;
    live_open(&w, name);
    network_open(&n, &w);
    daemon_start(&w);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct writer *writer = writer_start(&w, 100 + i, IDS, 8);
        suffer(&w, &n, server, &faults[i]);
        writer_stop(writer);
        live_in_sync(&w);
    }
    daemon_stop(&w);
    network_close(&n);
    live_close(&w);
}

START_TEST(whatever_the_network_does_to_mongodb_ends_in_sync)
{
    try_all(TO_MONGODB, "network-mongodb");
}
END_TEST

START_TEST(whatever_the_network_does_to_qdrant_ends_in_sync)
{
    try_all(TO_QDRANT, "network-qdrant");
}
END_TEST

START_TEST(whatever_the_network_does_to_the_embedder_ends_in_sync)
{
    try_all(TO_EMBEDDER, "network-embedder");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        whatever_the_network_does_to_mongodb_ends_in_sync,
        whatever_the_network_does_to_qdrant_ends_in_sync,
        whatever_the_network_does_to_the_embedder_ends_in_sync,
    };
    return live_main("network", tests, sizeof tests / sizeof *tests);
}
