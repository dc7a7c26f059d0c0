/* test_others.c - two installations that share the Qdrant collections by mistake. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "live/calls.h"
#include "live/harness.h"

/* How often its daemon said this. */
static size_t reported(struct live *w, const char *text)
{
    struct buf log;
    size_t count = 0;
    buf_init(&log, 0);
    log_text(&w->daemon, &log);
    for (const char *at = log.data; (at = strstr(at, text)) != NULL; at++) count++;
    buf_fini(&log);
    return count;
}

/* The same Qdrant, and the same name of database and collection on another MongoDB server. */
static void share(struct live *b, struct live *a)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", a->qdrant.port);
    live_set(b, "qdrant", "url", url);
    b->qdrant.port = a->qdrant.port;
    snprintf(b->database, sizeof b->database, "%s", a->database);
    live_set(b, "mongodb", "database", b->database);
    mongoc_collection_destroy(b->tools);
    b->tools = mongoc_client_get_collection(b->client, b->database, "tools");
}

/* Both change what they have until one of them sees that it is not alone. */
static struct live *write_until_noticed(struct live *a, struct live *b)
{
    int64_t until_ms = live_now_ms() + LIVE_PATIENCE_MS;
    for (int i = 0; live_now_ms() < until_ms; i++) {
        char filter[64], change[96];
        snprintf(filter, sizeof filter, "{\"id\":\"made-%d\"}", 10 + i % 10);
        snprintf(change, sizeof change, "{\"$set\":{\"tagline\":\"Edited for the %dth time\"}}", i);
        update(i % 2 ? a : b, filter, change);
        if (shows_problem(a, "ANOTHER_WRITER")) return a;
        if (shows_problem(b, "ANOTHER_WRITER")) return b;
        for (int k = 0; k < 5; k++) live_pause();
    }
    FAIL(a, "neither saw the other");
}

/* Is there a point of this business id? */
static bool has_point(struct live *w, const char *id)
{
    char body[160];
    json_t *reply;
    snprintf(body, sizeof body,
             "{\"exact\":true,\"filter\":{\"must\":[{\"key\":\"toolId\",\"match\":{\"value\":\"%s\"}}]}}",
             id);
    EXPECT_INT(w, ask(w, &w->qdrant, "POST", "/collections/tools/points/count", body, &reply), 200);
    bool found = number_at(reply, "result.count") > 0;
    json_decref(reply);
    return found;
}

START_TEST(two_installations_on_one_qdrant_notice_each_other)
{
    struct live a = {.folder = "", .stand_ins = true}, b = {.folder = "", .stand_ins = true};
    live_open(&a, "two-a");
    live_set(&a, "api", "listen", "127.0.0.1:0");
    insert_made(&a, 0, 20);
    daemon_start(&a);
    live_in_sync(&a);
    live_open(&b, "two-b");
    live_set(&b, "api", "listen", "127.0.0.1:0");
    share(&b, &a);
    insert_made(&b, 10, 20); /* half of the ids are those of the other */
    for (time_t now = time(NULL); time(NULL) == now;)
        live_pause(); /* in one second both get the same epoch */
    daemon_start(&b);
    struct live *knows = write_until_noticed(&a, &b), *other = knows == &a ? &b : &a;
    WAIT_UNTIL(&a, shows_problem(other, "EPOCH_RAISED"));
    size_t scans = reported(knows, "scan done"), sweeps = reported(knows, "sweep done");
    insert(other, J("id" : "new", "name" : "New, and no document of the first one"));
    WAIT_UNTIL(&a, has_point(&a, "new"));
    WAIT_UNTIL(&a, reported(knows, "scan done") > scans);  /* everything is compared, */
    EXPECT_INT(&a, reported(knows, "sweep done"), sweeps); /* and nothing swept */
    EXPECT(&a, has_point(&a, "new"));
    EXPECT(&a, shows_problem(knows, "ANOTHER_WRITER"));
    daemon_kill(other); /* found, and stopped */
    daemon_stop(knows);
    EXPECT_INT(&a, live_command(knows, NULL, NULL, NULL, "verify", "--repair", NULL), 0);
    daemon_start(knows);
    live_in_sync(knows);
    live_close(&b);
    live_close(&a);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {two_installations_on_one_qdrant_notice_each_other};
    return live_main("others", tests, sizeof tests / sizeof tests[0]);
}
