/* test_tombstones.c - what it costs that deleted documents are come back to. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

#define DOCS 600
#define ROUNDS 5

/* The value of a metric of this source; -1: it isn't there. */
static double metric(struct live *w, const struct live_process *server, const char *name)
{
    struct buf out;
    char request[200];
    double value = -1;
    buf_init(&out, 0);
    snprintf(request, sizeof request,
             "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    int fd = raw_open(w, server);
    raw_send(fd, request, strlen(request));
    raw_read_all(fd, &out);
    char *at = out.bytes ? strstr(out.data, name) : NULL;
    if (at && (at = strchr(at, '}')) != NULL) value = strtod(at + 1, NULL);
    buf_fini(&out);
    return value;
}

/* How often the daemon has taken its lease: its counters begin at 0 each time. */
static size_t leases_taken(const struct live *w)
{
    static const char text[] = "lease taken";
    struct buf log;
    size_t count = 0;
    buf_init(&log, 0);
    log_text(&w->daemon, &log);
    for (const char *at = log.data; at && (at = strstr(at, text)); at++) count++;
    buf_fini(&log);
    return count;
}

/* All documents are deleted, and come back to. False if the daemon lost its lease meanwhile, as on a machine
 * that is very busy: then its counters say nothing. */
static bool delete_all(struct live *w, const struct live_process *server)
{
    static const char processed[] = "lockstep_documents_processed_total{source=\"tools\"}";
    insert_made(w, 0, DOCS);
    live_in_sync(w);
    double before = metric(w, server, processed);
    size_t leases = leases_taken(w);
    EXPECT(w, leases >= 1);
    on_database(w, J("delete" : "tools", "deletes" : [ {"q" : {}, "limit" : 0} ]));
    /* The delete itself, and the check: the points are gone before the tombstones are there, so these say
     * nothing yet if there are none. */
    WAIT_UNTIL(w, leases_taken(w) != leases || metric(w, server, processed) - before >= 2 * DOCS);
    WAIT_UNTIL(w, count_in(w, "lockstep.state", J("since" : {"$exists" : true})) == 0);
    double checks = metric(w, server, processed) - before;
    if (leases_taken(w) != leases) return false;
    EXPECT(w, points(w, "tools") == 0 && points(w, "interface") == 0);
    EXPECT(w, checks >= 2 * DOCS);
    EXPECT(w, checks <= 2 * DOCS + DOCS / 10);
    return true;
}

START_TEST(each_of_many_deletes_is_checked_once)
{
    struct live w = {.folder = ""};
    int rounds = 0;
    live_open(&w, "tombstones");
    listen_on_free_port(&w);
    daemon_start(&w);
    struct live_process server = api(&w);
    while (!delete_all(&w, &server))
        if (++rounds == ROUNDS) FAIL(&w, "the daemon lost its lease in each of %d rounds", ROUNDS);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {each_of_many_deletes_is_checked_once};
    return live_main_both("tombstones", tests, sizeof tests / sizeof *tests, NULL, 0);
}
