/*
 * test_kill.c - the daemon is killed with SIGKILL again and again: at each step whose effect lasts, before it
 * is sent, while it is on its way and when the server has done it, and at random moments, over a network that
 * breaks at random, while an application keeps changing documents. What Qdrant holds is compared every so
 * often.
 *
 * LOCKSTEP_TEST_KILLS says how often (tests/fault/run), LOCKSTEP_TEST_SEED which.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fault/network.h"
#include "fault/writer.h"
#include "live/ends.h"

#define IDS 30
#define STEP_PATIENCE_MS 2500 /* a step that is not reached then is not waited for: any moment will do */
#define KILLS_PER_LOOK 8

/* Steps that leave something behind, and those that others rest on. */
static const char *const kinds[] = {"record",     "state_save", "upsert",     "delete", "tombs_put",
                                    "tombs_drop", "lease",      "ensure",     "embed",  "lookup",
                                    "read",       "scan",       "stream_open"};
static const char *const moments[] = {"submit", "sent", "reply"};

#define KINDS (sizeof kinds / sizeof *kinds)
#define MOMENTS (sizeof moments / sizeof *moments)
#define STEPS (KINDS * MOMENTS)
#define LASTING_KINDS 7 /* of `kinds`, the first */

struct campaign {
    struct live w;
    struct network network;
    struct chance chance;
    unsigned reached[STEPS], kills, by_hand, by_driver;
};

static unsigned kills_wanted(void)
{
    const char *asked = getenv("LOCKSTEP_TEST_KILLS");
    return asked ? (unsigned)strtoul(asked, NULL, 10) : (unsigned)(LASTING_KINDS * MOMENTS);
}

/* One life of the daemon, to its end at this step. */
static void kill_at(struct campaign *c, size_t step)
{
    char request[80];
    snprintf(request, sizeof request, "%s:%s:%llu", kinds[step / MOMENTS], moments[step % MOMENTS],
             1 + (unsigned long long)chance_draw(&c->chance, 3));
    setenv("LOCKSTEP_TEST_CRASH", request, 1);
    daemon_start(&c->w);
    unsetenv("LOCKSTEP_TEST_CRASH");
    int64_t until_ms = live_now_ms() + STEP_PATIENCE_MS + (int64_t)chance_draw(&c->chance, 500);
    unsigned by_driver = ends_by_driver();
    while (process_runs(&c->w.daemon) && live_now_ms() < until_ms) live_pause();
    if (process_runs(&c->w.daemon)) {
        daemon_kill(&c->w);
        c->by_hand++;
    } else if (ends_by_driver() > by_driver) {
        c->by_driver++;
    } else {
        c->reached[step]++;
    }
    c->kills++;
}

/* The first round takes each step in turn, so that none is left to luck. */
static size_t next_step(struct campaign *c)
{
    return c->kills < STEPS ? c->kills : chance_draw(&c->chance, STEPS);
}

static void compare(struct campaign *c)
{
    network_restore(&c->network);
    daemon_start(&c->w);
    live_in_sync(&c->w);
    daemon_kill(&c->w);
}

static void report(const struct campaign *c)
{
    printf("# %u kills, %u of them at a moment of ours, %u by libmongoc (ends.h); steps reached:\n", c->kills,
           c->by_hand, c->by_driver);
    for (size_t k = 0; k < KINDS; k++)
        printf("# %-12s submit %u, sent %u, reply %u\n", kinds[k], c->reached[k * MOMENTS],
               c->reached[k * MOMENTS + 1], c->reached[k * MOMENTS + 2]);
}

/* The daemon dies at each step, and what it left is made good by the next one. */
START_TEST(killed_at_every_step_it_loses_nothing)
{
    static struct campaign c;
    unsigned wanted = kills_wanted();
    c.chance.state = chance_seed(1);
    printf("# seed %llu\n", (unsigned long long)c.chance.state);
    live_open(&c.w, "kill");
    c.w.program = "tests/fault/lockstep";
    network_open(&c.network, &c.w);
    while (c.kills < wanted) {
        struct writer *writer = writer_start(&c.w, chance_draw(&c.chance, 1u << 30), IDS, 8);
        for (unsigned i = 0; i < KILLS_PER_LOOK && c.kills < wanted; i++) {
            if (chance_draw(&c.chance, 3) == 0) network_break(&c.network, &c.chance);
            kill_at(&c, next_step(&c));
            network_restore(&c.network);
        }
        writer_stop(writer);
        compare(&c);
    }
    report(&c);
    for (size_t step = 0; step < LASTING_KINDS * MOMENTS && wanted >= LASTING_KINDS * MOMENTS;
         step += MOMENTS)
        if (c.reached[step] + c.reached[step + 1] + c.reached[step + 2] == 0)
            FAIL(&c.w, "no life ended at a %s: the test has no way to it", kinds[step / MOMENTS]);
    network_close(&c.network);
    live_close(&c.w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {killed_at_every_step_it_loses_nothing};
    return live_main("kill", tests, sizeof tests / sizeof *tests);
}
