/* test_held.c - points whose documents are gone all at once: a sweep deletes none until that is allowed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

#define DOCS 120

static bool held(struct live *w, const struct live_process *server)
{
    json_t *reply = NULL, *p;
    size_t i;
    bool found = false;
    if (ask(w, server, "GET", "/api/sync/worker/problems", NULL, &reply) != 200) return false;
    json_array_foreach(value_at(reply, "problems"), i, p)
    {
        if (strcmp(text_at(p, "code"), "DELETES_HELD") != 0 || strcmp(text_at(p, "collection"), "tools") != 0)
            continue;
        EXPECT(w, strstr(text_at(p, "text"), "120 of 120 points of `tools`") != NULL);
        found = true;
    }
    json_decref(reply);
    return found;
}

/* The servers are in step, and then an empty MongoDB listens where the right one did. */
static struct live_process open_emptied(struct live *w, const char *test)
{
    live_open(w, test);
    listen_on_free_port(w);
    insert_made(w, 0, DOCS);
    daemon_start(w);
    live_in_step(w);
    daemon_stop(w);
    process_kill(&w->mongod);
    mongod_start(w);
    daemon_start(w);
    struct live_process server = api(w);
    WAIT_UNTIL(w, held(w, &server));
    EXPECT_INT(w, points(w, "tools"), DOCS);
    return server;
}

START_TEST(an_empty_mongodb_behind_the_right_uri_deletes_nothing_and_is_forgiven_when_the_documents_are_back)
{
    struct live w = {.folder = ""};
    struct live_process server = open_emptied(&w, "held-back");
    daemon_stop(&w);
    daemon_start(&w); /* it is not forgotten */
    server = api(&w);
    WAIT_UNTIL(&w, held(&w, &server));
    counters_reset(&w);
    insert_made(&w, 0, DOCS);
    WAIT_UNTIL(&w, !held(&w, &server));
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).deleted, 0);
    EXPECT_INT(&w, counters(&w).texts, 0);
    live_close(&w);
}
END_TEST

START_TEST(held_deletes_are_released_by_a_person)
{
    struct live w = {.folder = ""};
    struct live_process server = open_emptied(&w, "held-released");
    struct buf err;
    buf_init(&err, 0);
    EXPECT_INT(&w, live_command(&w, "", NULL, &err, "sync", NULL), 1);
    EXPECT(&w, strstr(err.data, "allowDeletes") != NULL);
    EXPECT_INT(&w, points(&w, "tools"), DOCS);
    EXPECT(&w, held(&w, &server));
    EXPECT_INT(&w, live_command(&w, "", NULL, NULL, "sync", "--allow-deletes", NULL), 0);
    EXPECT_INT(&w, points(&w, "tools"), 0);
    EXPECT_INT(&w, points(&w, "usecases"), 0);
    EXPECT(&w, !held(&w, &server));
    buf_fini(&err);
    live_close(&w);
}
END_TEST

START_TEST(the_command_alone_holds_and_releases_too)
{
    struct live w = {.folder = ""};
    open_emptied(&w, "held-alone");
    struct buf out;
    buf_init(&out, 0);
    daemon_stop(&w);
    EXPECT_INT(&w, live_command(&w, "", &out, NULL, "sync", NULL), 1);
    EXPECT(&w, strstr(out.data, "120 of 120 points have no document") != NULL);
    EXPECT_INT(&w, points(&w, "tools"), DOCS);
    EXPECT_INT(&w, live_command(&w, "", NULL, NULL, "verify", "--repair", NULL), 1);
    EXPECT_INT(&w, points(&w, "tools"), DOCS);
    EXPECT_INT(&w, live_command(&w, "", NULL, NULL, "sync", "--allow-deletes", "--dry-run", NULL), 2);
    EXPECT_INT(&w, live_command(&w, "", NULL, NULL, "sync", "--allow-deletes", NULL), 0);
    EXPECT_INT(&w, points(&w, "tools"), 0);
    buf_fini(&out);
    live_close(&w);
}
END_TEST

START_TEST(deletes_that_the_stream_reports_are_not_held)
{
    struct live w = {.folder = ""};
    live_open(&w, "held-not");
    listen_on_free_port(&w);
    insert_made(&w, 0, DOCS);
    daemon_start(&w);
    live_in_step(&w);
    on_database(&w, J("drop" : "tools"));
    WAIT_UNTIL(&w, points(&w, "tools") == 0 && points(&w, "interface") == 0);
    insert_made(&w, 0, DOCS);
    live_in_step(&w);
    on_database(&w, J("delete" : "tools", "deletes" : [ {"q" : {}, "limit" : 0} ]));
    WAIT_UNTIL(&w, points(&w, "tools") == 0 && points(&w, "interface") == 0);
    live_close(&w);
}
END_TEST

START_TEST(a_polled_source_holds_all_deletes_above_the_limit)
{
    struct live w = {.folder = ""};
    live_open(&w, "held-polled");
    live_set(&w, "mongodb", "watch", "poll");
    live_set(&w, "mongodb", "poll_interval_ms", "300");
    listen_on_free_port(&w);
    insert_made(&w, 0, DOCS);
    daemon_start(&w);
    struct live_process server = api(&w);
    live_in_step(&w);
    on_database(&w, J("delete" : "tools", "deletes" : [ {"q" : {}, "limit" : 0} ]));
    WAIT_UNTIL(&w, held(&w, &server));
    EXPECT_INT(&w, points(&w, "tools"), DOCS);
    EXPECT_INT(&w, live_command(&w, "", NULL, NULL, "sync", "--allow-deletes", NULL), 0);
    EXPECT_INT(&w, points(&w, "tools"), 0);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_empty_mongodb_behind_the_right_uri_deletes_nothing_and_is_forgiven_when_the_documents_are_back,
        held_deletes_are_released_by_a_person,
        the_command_alone_holds_and_releases_too,
        deletes_that_the_stream_reports_are_not_held,
        a_polled_source_holds_all_deletes_above_the_limit,
    };
    return live_main_both("held", tests, sizeof tests / sizeof *tests, NULL, 0);
}
