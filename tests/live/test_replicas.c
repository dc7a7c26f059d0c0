/*
 * test_replicas.c - collections with two replicas in a cluster of three nodes, one of which goes and comes
 * back: what is written meanwhile is refused, and done all the same on the replica that is there. In the end
 * each node says what the documents call for.
 */
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"

#define STRICT 2 /* replicas that a write must reach */

static void node(struct live *w, int number, const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "/__double/nodes/%d/%s", number, what);
    EXPECT_INT(w, ask(w, &w->qdrant, "POST", path, NULL, NULL), 200);
}

static int port_of(struct live *w, size_t number)
{
    json_t *reply;
    EXPECT_INT(w, ask(w, &w->qdrant, "GET", "/__double/nodes", NULL, &reply), 200);
    json_t *list = json_object_get(reply, "nodes");
    int port = (int)json_integer_value(json_object_get(json_array_get(list, number), "port"));
    json_decref(reply);
    return port;
}

static void make_collections(struct live *w, int needed)
{
    char path[64], body[200];
    snprintf(body, sizeof body,
             "{\"vectors\":{\"size\":64,\"distance\":\"Cosine\"},\"replication_factor\":2,"
             "\"write_consistency_factor\":%d}",
             needed);
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) {
        snprintf(path, sizeof path, "/collections/%s", live_collections[i]);
        EXPECT_INT(w, ask(w, &w->qdrant, "PUT", path, body, NULL), 200);
    }
}

/* The daemon asks the node of this number. */
static void open_cluster(struct live *w, const char *test, int needed, size_t asked)
{
    char url[64];
    *w = (struct live){.stand_ins = true, .qdrant_nodes = "3"};
    live_open(w, test);
    make_collections(w, needed);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port_of(w, asked));
    live_set(w, "qdrant", "url", url);
    insert_made(w, 0, 30);
    daemon_start(w);
    live_in_sync(w);
}

static void in_sync_everywhere(struct live *w)
{
    int ports[3], first = w->qdrant.port;
    for (size_t i = 0; i < 3; i++) ports[i] = port_of(w, i);
    for (size_t i = 0; i < 3; i++) {
        w->qdrant.port = ports[i];
        live_in_sync(w);
    }
    w->qdrant.port = first;
}

/* One of each: embedded again, payload alone, another id, no point any more, deleted, inserted. */
static void write_a_little(struct live *w, int round)
{
    char change[200], filter[64];
    snprintf(filter, sizeof filter, "{\"id\":\"made-%d\"}", round);
    snprintf(change, sizeof change, "{\"$set\":{\"categories\":[\"Round %d\"]}}", round);
    update(w, filter, change);
    snprintf(filter, sizeof filter, "{\"id\":\"made-%d\"}", round + 5);
    snprintf(change, sizeof change, "{\"$set\":{\"website\":\"https://round-%d.example\"}}", round);
    update(w, filter, change);
    snprintf(filter, sizeof filter, "{\"id\":\"made-%d\"}", round + 10);
    snprintf(change, sizeof change, "{\"$set\":{\"id\":\"moved-%d\"}}", round);
    update(w, filter, change);
    snprintf(filter, sizeof filter, "{\"id\":\"made-%d\"}", round + 15);
    update(w, filter, J("$unset" : {"industries" : 1, "userTypes" : 1, "deployment" : 1}));
    snprintf(filter, sizeof filter, "{\"id\":\"made-%d\"}", round + 20);
    delete_one(w, filter);
    insert_made(w, (size_t)(100 + round), 1);
}

static void some_refused(struct live *w)
{
    WAIT_UNTIL(w, count_documents(w, J("syncMetadata.overallStatus" : "failed")) > 0);
    WAIT_UNTIL(w, log_has(&w->daemon, "shards failed to apply operation"));
}

/* What was refused is written down: no tombstone came for a while. One that dies before that may leave a
 * deleted document's point on a replica, as docs/explanation/replicas.md says. */
static void wait_for_tombstones(struct live *w)
{
    size_t before = SIZE_MAX, now = 0;
    for (int same = 0; same < 100; same++, live_pause()) {
        now = count_in(w, "lockstep.state", J("points" : {"$exists" : true}));
        if (now != before) same = 0;
        before = now;
    }
    EXPECT(w, now > 0);
}

static void a_node_goes_and_comes(size_t asked, bool killed)
{
    struct live w;
    open_cluster(&w, "replicas", STRICT, asked);
    for (int round = 0; round < 3; round++) {
        node(&w, 1, "stop");
        write_a_little(&w, round);
        some_refused(&w);
        if (killed) {
            wait_for_tombstones(&w);
            daemon_kill(&w);
            daemon_start(&w);
        }
        node(&w, 1, "start");
        in_sync_everywhere(&w);
    }
    live_close(&w);
}

START_TEST(what_a_node_missed_is_written_again_and_deleted_again)
{
    a_node_goes_and_comes(0, false);
}
END_TEST

START_TEST(what_is_seen_of_the_replica_that_missed_it_proves_nothing)
{
    a_node_goes_and_comes(2, false);
}
END_TEST

START_TEST(a_daemon_that_dies_meanwhile_leaves_no_replica_behind)
{
    a_node_goes_and_comes(0, true);
}
END_TEST

START_TEST(replicas_that_were_not_all_active_are_compared_when_they_are)
{
    struct live w;
    open_cluster(&w, "replicas-dead", 1, 0);
    node(&w, 1, "stop");
    write_a_little(&w, 0);
    live_in_sync(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "not all replicas of a Qdrant collection are active"));
    EXPECT(&w, !log_has(&w.daemon, "everything is compared on all of them"));
    node(&w, 1, "start");
    WAIT_UNTIL(&w, log_has(&w.daemon, "everything is compared on all of them"));
    in_sync_everywhere(&w);
    live_close(&w);
}
END_TEST

/* A point goes from the replica of node 0 alone. Its id. */
static char *take_from_one(struct live *w)
{
    char body[128];
    json_t *reply;
    EXPECT_INT(w, ask(w, &w->qdrant, "POST", "/collections/tools/points/scroll", "{\"limit\":1}", &reply),
               200);
    json_t *points = json_object_get(json_object_get(reply, "result"), "points");
    char *id = strdup(json_string_value(json_object_get(json_array_get(points, 0), "id")));
    json_decref(reply);
    node(w, 1, "stop");
    snprintf(body, sizeof body, "{\"points\":[\"%s\"]}", id);
    EXPECT_INT(w, ask(w, &w->qdrant, "POST", "/collections/tools/points/delete?wait=true", body, NULL), 500);
    node(w, 1, "start");
    return id;
}

START_TEST(verify_asks_all_replicas_and_repairs_where_they_differ)
{
    struct live w;
    struct buf out;
    open_cluster(&w, "replicas-verify", STRICT, 2);
    daemon_stop(&w);
    char *id = take_from_one(&w); /* node 2 reads that of node 1, where it still is */
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "verify", NULL), 1);
    EXPECT(&w, out.data && strstr(out.data, "do not agree on the point"));
    buf_fini(&out);
    counters_reset(&w);
    buf_init(&out, 0);
    if (live_command(&w, NULL, &out, &out, "verify", "--repair", NULL) != 0) FAIL(&w, "%s", out.data);
    buf_fini(&out);
    EXPECT_INT(&w, counters(&w).texts, 0); /* its vector was there */
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", NULL), 0);
    in_sync_everywhere(&w);
    free(id);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_a_node_missed_is_written_again_and_deleted_again,
        what_is_seen_of_the_replica_that_missed_it_proves_nothing,
        a_daemon_that_dies_meanwhile_leaves_no_replica_behind,
        replicas_that_were_not_all_active_are_compared_when_they_are,
        verify_asks_all_replicas_and_repairs_where_they_differ,
    };
    return live_main("replicas", tests, sizeof tests / sizeof *tests);
}
