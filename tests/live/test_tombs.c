/* test_tombs.c - what it costs that deleted documents are come back to. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

#define DOCS 600

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

START_TEST(each_of_many_deletes_is_checked_once)
{
    static const char processed[] = "lockstep_documents_processed_total{source=\"tools\"}";
    struct live w = {.folder = ""};
    live_open(&w, "tombs");
    listen_on_free_port(&w);
    insert_made(&w, 0, DOCS);
    daemon_start(&w);
    struct live_process server = api(&w);
    live_in_step(&w);
    double before = metric(&w, &server, processed);
    EXPECT(&w, before >= DOCS);
    on_database(&w, J("delete" : "tools", "deletes" : [ {"q" : {}, "limit" : 0} ]));
    WAIT_UNTIL(&w, points(&w, "tools") == 0 && points(&w, "interface") == 0);
    WAIT_UNTIL(&w, count_in(&w, "lockstep.state", J("since" : {"$exists" : true})) == 0);
    /* the delete itself, and the check; less if the daemon has lost its lease and begun anew */
    EXPECT(&w, metric(&w, &server, processed) - before <= 2 * DOCS + DOCS / 10);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {each_of_many_deletes_is_checked_once};
    return live_main("tombs", tests, sizeof tests / sizeof *tests);
}
