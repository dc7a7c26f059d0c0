/* test_handover.c - a command beside a daemon that holds the lease is interrupted, and the daemon's job
 * stops. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live/calls.h"

/* Documents of a world whose daemon is at work, with where it answers. */
static struct live_process open_at_work(struct live *w, const char *test)
{
    struct live_process server;
    json_t *state = NULL;
    live_open(w, test);
    live_set(w, "api", "listen", "127.0.0.1:0");
    live_set(w, "worker", "lease_ms", "2000");
    live_set(w, "embedding", "cache_mb", "0"); /* so that what is forced has to be asked for */
    insert_made(w, 0, 12);
    daemon_start(w);
    WAIT_UNTIL(w, (json_decref(state), state = NULL, server = api(w),
                   ask(w, &server, "GET", "/api/sync/worker/state", NULL, &state) == 200 &&
                       strcmp(text(state, "phase"), "run") == 0));
    json_decref(state);
    live_in_sync(w);
    return server;
}

/* As a person at a terminal would: the command is under way when the signal comes. */
START_TEST(an_interrupt_stops_the_job)
{
    struct live w = {.folder = ""};
    struct live_process server = open_at_work(&w, "hand-interrupt");
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
    fault(&w, &w.embedder, J("count" : 0, "hang" : true));
    const char *top = getenv("top_builddir"), *ini = live_ini(&w);
    char program[600];
    snprintf(program, sizeof program, "%s/lockstep", top ? top : ".");
    pid_t child = fork();
    if (child == 0) {
        execl(program, "lockstep", "--config", ini, "sync", "--id", "made-1", "--force", "--url", url,
              (char *)NULL);
        _exit(127);
    }
    json_t *list = NULL;
    WAIT_UNTIL(&w, (json_decref(list), list = answer(&w, &server, 200, "GET", "/api/jobs", NULL),
                    strcmp(text_at(list, "jobs.0.state"), "running") == 0));
    kill(child, SIGINT);
    WAIT_UNTIL(&w, (json_decref(list), list = answer(&w, &server, 200, "GET", "/api/jobs", NULL),
                    strcmp(text_at(list, "jobs.0.state"), "stopped") == 0));
    json_decref(list);
    int status = 0;
    EXPECT(&w, waitpid(child, &status, 0) == child);
    EXPECT_INT(&w, WIFEXITED(status) ? WEXITSTATUS(status) : -1, 1);
    faults_clear_all(&w, &w.embedder);
    /* what hung had no good answer, and who comes early hears of that */
    WAIT_UNTIL(&w, live_command(&w, "", NULL, NULL, "retry", "--id", "made-1", "--url", url, NULL) == 0);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {an_interrupt_stops_the_job};
    return live_main("handover", tests, sizeof tests / sizeof *tests);
}
