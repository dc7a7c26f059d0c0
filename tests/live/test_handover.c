/* test_handover.c - commands beside a daemon that holds the lease: they ask it, and show what it does. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live/calls.h"

#define DOCS 12

/* A daemon at work, and where it answers, for --url. */
struct beside {
    struct live w;
    struct live_process server;
    char url[64];
};

static void at_work(struct beside *b)
{
    json_t *state = NULL;
    WAIT_UNTIL(&b->w, (json_decref(state), state = NULL, b->server = api(&b->w),
                       ask(&b->w, &b->server, "GET", "/api/sync/worker/state", NULL, &state) == 200 &&
                           strcmp(text(state, "phase"), "run") == 0));
    json_decref(state);
    snprintf(b->url, sizeof b->url, "http://127.0.0.1:%d", b->server.port);
}

static void prepare(struct beside *b, const char *test)
{
    live_open(&b->w, test);
    live_set(&b->w, "api", "listen", "127.0.0.1:0");
    live_set(&b->w, "worker", "lease_ms", "2000");
    insert_made(&b->w, 0, DOCS);
}

static void start(struct beside *b)
{
    daemon_start(&b->w);
    at_work(b);
    live_in_step(&b->w);
    counters_reset(&b->w);
}

/* Runs a command; its JSON, if it prints any, in *out. */
static void run(struct beside *b, int expected, const char *says, json_t **out, const char *const a[8])
{
    struct buf printed, err;
    buf_init(&printed, 0);
    buf_init(&err, 0);
    int status =
        live_command(&b->w, "yes\n", &printed, &err, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], NULL);
    const char *p = printed.data ? printed.data : "", *e = err.data ? err.data : "";
    if (status != expected || (says && !strstr(p, says) && !strstr(e, says)))
        FAIL(&b->w, "%s ended with %d, not %d, or didn't say %s:\n%.1500s\n%.1500s", a[0], status, expected,
             says ? says : "", p, e);
    if (out && !(*out = json_loads(p, 0, NULL))) FAIL(&b->w, "%s printed no JSON: %s", a[0], p);
    buf_fini(&printed);
    buf_fini(&err);
}
#define RUN(b, expected, says, out, ...) run(b, expected, says, out, (const char *const[8]){__VA_ARGS__})

static int64_t jobs_of(struct beside *b)
{
    json_t *list = answer(&b->w, &b->server, 200, "GET", "/api/jobs", NULL);
    int64_t count = (int64_t)json_array_size(json_object_get(list, "jobs"));
    json_decref(list);
    return count;
}

START_TEST(a_sync_is_done_by_the_daemon)
{
    struct beside b = {.server = {.port = 0}};
    json_t *out;
    prepare(&b, "hand-sync");
    start(&b);
    RUN(&b, 0, "12 documents", NULL, "sync", "--url", b.url);
    RUN(&b, 0, NULL, &out, "sync", "--url", b.url, "--force", "--collection", "usecases", "--json");
    EXPECT_INT(&b.w, number_at(out, "tools.collections.usecases.embedded"), DOCS);
    json_decref(out);
    EXPECT_INT(&b.w, counters(&b.w).upserted, DOCS);
    EXPECT_INT(&b.w, jobs_of(&b), 2);
    RUN(&b, 0, "embedded", NULL, "sync", "--url", b.url, "--id", "made-1", "--force");
    EXPECT_INT(&b.w, jobs_of(&b), 3);
    RUN(&b, 2, "toolz", NULL, "sync", "--url", b.url, "--collection", "toolz");
    live_in_step(&b.w);
    live_close(&b.w);
}
END_TEST

START_TEST(retries_are_done_by_the_daemon)
{
    struct beside b = {.server = {.port = 0}};
    json_t *out;
    prepare(&b, "hand-retry");
    live_set(&b.w, "mongodb", "metadata", "sidecar");
    live_set(&b.w, "worker", "base_backoff_ms", "86400000");
    live_set(&b.w, "worker", "max_backoff_ms", "86400000");
    start(&b);
    RUN(&b, 0, "already in step", NULL, "retry", "--id", "made-2", "--url", b.url);
    RUN(&b, 1, "nobody", NULL, "retry", "--id", "nobody", "--url", b.url);
    fault(&b.w, &b.w.qdrant, J("collection" : "interface*", "kind" : "upsert", "count" : 0, "status" : 400));
    RUN(&b, 1, "QDRANT_REJECTED", NULL, "retry", "--id", "made-3", "--force", "--url", b.url);
    faults_clear_all(&b.w, &b.w.qdrant);
    counters_reset(&b.w);
    RUN(&b, 0, NULL, &out, "retry", "--failed", "--url", b.url, "--json");
    EXPECT_INT(&b.w, json_array_size(out), 1);
    EXPECT(&b.w, strcmp(text_at(out, "0.toolId"), "made-3") == 0);
    json_decref(out);
    RUN(&b, 0, "nothing has failed", NULL, "retry", "--failed", "--url", b.url);
    live_in_step(&b.w);
    live_close(&b.w);
}
END_TEST

START_TEST(a_repair_is_done_by_the_daemon)
{
    struct beside b = {.server = {.port = 0}};
    char body[200];
    prepare(&b, "hand-verify");
    start(&b);
    char *id = document_text(&b.w, J("id" : "made-4"), "syncMetadata.collections.tools.pointId");
    snprintf(body, sizeof body, "{\"points\":[\"%s\"],\"payload\":{\"name\":\"Spoilt\"}}", id);
    free(id);
    EXPECT_INT(
        &b.w, ask(&b.w, &b.w.qdrant, "POST", "/collections/tools/points/payload?wait=true", body, NULL), 200);
    RUN(&b, 1, "1 findings", NULL, "verify", "--url", b.url);
    RUN(&b, 0, "tools repaired: 0 embedded, 1 payloads rewritten", NULL, "verify", "--repair", "--url",
        b.url);
    EXPECT_INT(&b.w, jobs_of(&b), 1); /* looking alone needs no daemon */
    live_in_step(&b.w);
    live_close(&b.w);
}
END_TEST

START_TEST(a_collection_is_forgotten_by_the_daemon)
{
    struct beside b = {.server = {.port = 0}};
    prepare(&b, "hand-forget");
    daemon_start(&b.w);
    live_in_step(&b.w);
    daemon_stop(&b.w);
    live_set(&b.w, "collection:usecases", "enabled", "no");
    start(&b);
    RUN(&b, 0, "12 entries and 12 points deleted, with the Qdrant collection", NULL, "forget", "--url", b.url,
        "usecases");
    EXPECT_INT(&b.w, jobs_of(&b), 1);
    EXPECT_INT(&b.w, points(&b.w, "usecases"), -1);
    live_in_step(&b.w);
    live_close(&b.w);
}
END_TEST

START_TEST(each_source_is_asked_for_by_itself)
{
    struct beside b = {.server = {.port = 0}};
    json_t *out;
    prepare(&b, "hand-sources");
    live_set(&b.w, "source:people", "collection", "people");
    live_set(&b.w, "source:people", "database", "live");
    live_set(&b.w, "collection:skills", "plugin", "fields");
    live_set(&b.w, "collection:skills", "source", "people");
    live_set(&b.w, "collection:skills", "watched", "name 2, skills");
    live_set(&b.w, "collection:skills", "payload", "name");
    on_database(&b.w, J("insert"
                        : "people", "documents"
                        : [ {"_id" : 1, "id" : "ada", "name" : "Ada", "skills" : ["engines"]} ]));
    start(&b);
    RUN(&b, 0, NULL, &out, "sync", "--url", b.url, "--json");
    EXPECT_INT(&b.w, number_at(out, "tools.documents"), DOCS);
    EXPECT_INT(&b.w, number_at(out, "people.documents"), 1);
    json_decref(out);
    RUN(&b, 0, "people: 1 documents", NULL, "sync", "--url", b.url, "--source", "people");
    EXPECT_INT(&b.w, jobs_of(&b), 3);
    live_close(&b.w);
}
END_TEST

START_TEST(a_token_is_shown_and_a_wrong_one_is_said)
{
    struct beside b = {.server = {.port = 0}};
    prepare(&b, "hand-token");
    live_set(&b.w, "api", "token", "open-sesame");
    live_set(&b.w, "api", "public_status", "all");
    daemon_start(&b.w);
    live_in_step(&b.w);
    b.server = api(&b.w);
    snprintf(b.url, sizeof b.url, "http://127.0.0.1:%d", b.server.port);
    RUN(&b, 0, "12 documents", NULL, "sync", "--url", b.url);
    live_set(&b.w, "api", "token", "close-sesame");
    RUN(&b, 1, "LOCKSTEP_API_TOKEN", NULL, "sync", "--url", b.url);
    live_close(&b.w);
}
END_TEST

START_TEST(a_daemon_is_asked_over_its_unix_socket)
{
    struct beside b = {.server = {.port = 0}};
    char listen[600];
    prepare(&b, "hand-socket");
    snprintf(listen, sizeof listen, "unix:%s/api.sock", b.w.folder);
    live_set(&b.w, "api", "listen", listen);
    daemon_start(&b.w);
    live_in_step(&b.w);
    RUN(&b, 0, "12 documents", NULL, "sync");
    RUN(&b, 0, "the daemon does it", NULL, "sync");
    live_close(&b.w);
}
END_TEST

START_TEST(a_holder_that_cannot_be_reached_is_named_with_what_to_do)
{
    struct beside b = {.server = {.port = 0}};
    prepare(&b, "hand-nobody");
    start(&b);
    RUN(&b, 1, "holds the lease", NULL, "sync", "--url", "http://127.0.0.1:1");
    RUN(&b, 1, "--url", NULL, "retry", "--id", "made-1", "--url", "http://127.0.0.1:1");
    live_set(&b.w, "api", "listen", "off");
    RUN(&b, 1, "[api] listen is off", NULL, "sync");
    EXPECT_INT(&b.w, jobs_of(&b), 0);
    live_close(&b.w);
}
END_TEST

/* As a person at a terminal would: the command is under way when the signal comes. */
START_TEST(an_interrupt_stops_the_job)
{
    struct beside b = {.server = {.port = 0}};
    prepare(&b, "hand-interrupt");
    live_set(&b.w, "embedding", "cache_mb", "0"); /* so that what is forced has to be asked for */
    start(&b);
    fault(&b.w, &b.w.embedder, J("count" : 0, "hang" : true));
    const char *top = getenv("top_builddir"), *ini = live_ini(&b.w);
    char program[600];
    snprintf(program, sizeof program, "%s/lockstep", top ? top : ".");
    pid_t child = fork();
    if (child == 0) {
        execl(program, "lockstep", "--config", ini, "sync", "--id", "made-1", "--force", "--url", b.url,
              (char *)NULL);
        _exit(127);
    }
    json_t *list = NULL;
    WAIT_UNTIL(&b.w, (json_decref(list), list = answer(&b.w, &b.server, 200, "GET", "/api/jobs", NULL),
                      strcmp(text_at(list, "jobs.0.state"), "running") == 0));
    kill(child, SIGINT);
    WAIT_UNTIL(&b.w, (json_decref(list), list = answer(&b.w, &b.server, 200, "GET", "/api/jobs", NULL),
                      strcmp(text_at(list, "jobs.0.state"), "stopped") == 0));
    json_decref(list);
    int status = 0;
    EXPECT(&b.w, waitpid(child, &status, 0) == child);
    EXPECT_INT(&b.w, WIFEXITED(status) ? WEXITSTATUS(status) : -1, 1);
    faults_clear_all(&b.w, &b.w.embedder);
    /* what hung had no good answer, and who comes early hears of that */
    WAIT_UNTIL(&b.w,
               live_command(&b.w, "", NULL, NULL, "retry", "--id", "made-1", "--url", b.url, NULL) == 0);
    live_in_step(&b.w);
    live_close(&b.w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_sync_is_done_by_the_daemon,
        retries_are_done_by_the_daemon,
        a_repair_is_done_by_the_daemon,
        a_collection_is_forgotten_by_the_daemon,
        each_source_is_asked_for_by_itself,
        a_token_is_shown_and_a_wrong_one_is_said,
        a_daemon_is_asked_over_its_unix_socket,
        a_holder_that_cannot_be_reached_is_named_with_what_to_do,
        an_interrupt_stops_the_job,
    };
    return live_main("handover", tests, sizeof tests / sizeof *tests);
}
