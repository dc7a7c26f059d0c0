/* test_refused.c - a record that can be written neither into its document nor beside it. */
#include <string.h>

#include "live/calls.h"

static bool refused(struct live *w, const struct live_process *server)
{
    json_t *reply = NULL, *p;
    size_t i;
    bool found = false;
    if (ask(w, server, "GET", "/api/sync/worker/problems", NULL, &reply) != 200) return false;
    json_array_foreach(value_at(reply, "problems"), i, p)
    {
        if (strcmp(text_at(p, "code"), "RECORDS_REFUSED") == 0) found = true;
    }
    json_decref(reply);
    return found;
}

START_TEST(a_record_that_is_refused_everywhere_is_reported_and_tried_again_at_the_next_start)
{
    struct live w = {.folder = ""};
    live_open(&w, "refused");
    listen_on_free_port(&w);
    insert_made(&w, 0, 20);
    on_database(&w, J("collMod"
                      : "tools", "validationLevel"
                      : "strict", "validator"
                      : {"$or" : [ {"id" : {"$ne" : "made-3"}}, {"syncMetadata" : {"$exists" : false}} ]}));
    on_database(&w, J("create" : "tools.lockstep", "validator" : {"never" : {"$exists" : true}}));
    daemon_start(&w);
    struct live_process server = api(&w);
    WAIT_UNTIL(&w, refused(&w, &server));
    WAIT_UNTIL(&w, points(&w, "tools") == 20);
    EXPECT_INT(&w, count_in(&w, "lockstep.state", J("refused" : true)), 1);
    daemon_stop(&w);
    daemon_start(&w); /* it is not forgotten */
    server = api(&w);
    WAIT_UNTIL(&w, refused(&w, &server));
    daemon_stop(&w);
    on_database(&w, J("collMod" : "tools.lockstep", "validator" : {}));
    counters_reset(&w);
    daemon_start(&w);
    server = api(&w);
    live_in_step(&w);
    WAIT_UNTIL(&w, count_in(&w, "lockstep.state", J("refused" : true)) == 0);
    WAIT_UNTIL(&w, !refused(&w, &server));
    EXPECT_INT(&w, counters(&w).texts, 0);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_record_that_is_refused_everywhere_is_reported_and_tried_again_at_the_next_start};
    return live_main("refused", tests, sizeof tests / sizeof *tests);
}
