/*
 * test_double_cluster.c - several nodes of the Qdrant stand-in: what a cluster of three was recorded to do
 * with writes while a node is down, and what its replicas say afterwards.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/cluster.h"
#include "suite.h"

#define ONE "00000000-0000-5000-8000-000000000001"
#define TWO "00000000-0000-5000-8000-000000000002"
#define POINTS "/collections/c/points"
#define WRITE POINTS "?wait=true"

static struct server *server;
static struct response response;

static const char *ask(size_t node, const char *method, const char *target, const char *body)
{
    const struct request request = {
        .method = method, .target = target, .body = body, .body_bytes = strlen(body), .node = node};

    response_fini(&response);
    server_handle(server, &request, &response);
    return response.body.data ? response.body.data : "";
}

static void ok(size_t node, const char *method, const char *target, const char *body)
{
    ask(node, method, target, body);
    ck_assert_msg(response.status == 200, "%s %s: %d %s", method, target, response.status,
                  response.body.data);
}

static void make(const char *factors)
{
    char body[200];

    snprintf(body, sizeof body, "{\"vectors\":{\"size\":2,\"distance\":\"Dot\"},%s}", factors);
    ok(0, "PUT", "/collections/c", body);
}

static void setup(void)
{
    server = server_new("1.18.3");
    server->cluster.nodes = 3;
    response_init(&response);
}

static void teardown(void)
{
    response_fini(&response);
    server_free(server);
}

static void upsert(const char *id, int k)
{
    char body[200];

    snprintf(body, sizeof body, "{\"points\":[{\"id\":\"%s\",\"vector\":[1,%d],\"payload\":{\"k\":%d}}]}", id,
             k, k);
    ask(0, "PUT", WRITE, body);
}

static void delete_point(const char *id)
{
    char body[100];

    snprintf(body, sizeof body, "{\"points\":[\"%s\"]}", id);
    ask(0, "POST", POINTS "/delete?wait=true", body);
}

/* What a point says when this node is asked; -1: it is not there. */
static int says(size_t node, const char *target, const char *id)
{
    char body[200];
    const char *at;

    snprintf(body, sizeof body, "{\"ids\":[\"%s\"],\"with_payload\":true,\"with_vector\":true}", id);
    at = strstr(ask(node, "POST", target, body), "\"k\":");
    ck_assert_int_eq(response.status, 200);
    return at ? atoi(at + 4) : -1;
}

static void back(size_t node, int64_t ms_ago)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    server->cluster.down[node] = false;
    server->cluster.back_ms[node] = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - ms_ago;
}

START_TEST(a_write_that_a_node_misses_is_refused_and_yet_applied_and_replicas_differ_for_ever)
{
    make("\"replication_factor\":2,\"write_consistency_factor\":2");
    upsert(ONE, 1);
    server->cluster.down[1] = true;
    upsert(ONE, 2);
    ck_assert_int_eq(response.status, 500);
    ck_assert_ptr_nonnull(strstr(response.body.data,
                                 "Service internal error: 1 out of 1 shards failed to apply operation. "
                                 "First error captured: Service internal error: Tonic status error"));
    ck_assert_int_eq(says(0, POINTS, ONE), 2);
    ask(0, "POST", POINTS "?consistency=all", "{\"ids\":[\"" ONE "\"]}");
    ck_assert_int_eq(response.status, 500);
    back(1, 60000);
    ck_assert_ptr_null(strstr(ask(0, "GET", "/collections/c/cluster", ""), "Dead"));
    ck_assert_int_eq(says(0, POINTS, ONE), 2); /* for ever */
    ck_assert_int_eq(says(1, POINTS, ONE), 1);
    ck_assert_int_eq(says(0, POINTS "?consistency=all", ONE), -1);
    upsert(ONE, 3);
    ck_assert_int_eq(says(1, POINTS "?consistency=all", ONE), 3);
}
END_TEST

START_TEST(a_refused_delete_leaves_a_point_that_only_another_delete_takes_away)
{
    make("\"replication_factor\":2,\"write_consistency_factor\":2");
    upsert(ONE, 1);
    server->cluster.down[1] = true;
    delete_point(ONE);
    ck_assert_int_eq(response.status, 500);
    back(1, 60000);
    ck_assert_int_eq(says(0, POINTS, ONE), -1);
    ck_assert_int_eq(says(1, POINTS, ONE), 1);
    ask(1, "POST", POINTS "/scroll?consistency=all", "{\"limit\":5}");
    ck_assert_ptr_nonnull(strstr(response.body.data, "\"points\":[]"));
    delete_point(ONE); /* of what node 0 does not have */
    ck_assert_int_eq(response.status, 200);
    ck_assert_int_eq(says(1, POINTS, ONE), -1);
}
END_TEST

START_TEST(a_replica_that_was_marked_dead_is_made_anew_after_a_while)
{
    make("\"replication_factor\":2,\"write_consistency_factor\":1");
    upsert(ONE, 1);
    upsert(TWO, 1);
    server->cluster.down[1] = true;
    upsert(ONE, 2);
    ck_assert_int_eq(response.status, 200);
    delete_point(TWO);
    ck_assert_int_eq(response.status, 200);
    ck_assert_ptr_nonnull(strstr(ask(0, "GET", "/collections/c/cluster", ""), "\"state\":\"Dead\""));
    ask(0, "POST", POINTS "?consistency=all", "{\"ids\":[\"" ONE "\"]}");
    ck_assert_int_eq(response.status, 500);
    ck_assert_ptr_nonnull(strstr(response.body.data, "does not have enough active replicas"));
    back(1, 0); /* from its old replica at first */
    ck_assert_int_eq(says(1, POINTS, ONE), 1);
    ck_assert_int_eq(says(1, POINTS, TWO), 1);
    ask(1, "GET", "/readyz", "");
    ck_assert_int_eq(response.status, 503);
    back(1, 60000);
    ck_assert_int_eq(says(1, POINTS, ONE), 2);
    ck_assert_int_eq(says(1, POINTS "?consistency=all", ONE), 2);
    ck_assert_int_eq(says(1, POINTS, TWO), -1);
    ask(1, "GET", "/readyz", "");
    ck_assert_int_eq(response.status, 200);
    ck_assert_ptr_null(strstr(ask(0, "GET", "/collections/c/cluster", ""), "Dead"));
}
END_TEST

START_TEST(a_node_without_a_replica_reads_through_one_that_lives)
{
    make("\"replication_factor\":2,\"write_consistency_factor\":2");
    upsert(ONE, 1);
    server->cluster.down[1] = true;
    upsert(ONE, 2);
    ck_assert_int_eq(says(2, POINTS, ONE), 2); /* the one that lives */
    back(1, 60000);
    ck_assert_int_eq(says(2, POINTS, ONE), 1); /* the other one */
    ck_assert_ptr_nonnull(strstr(ask(2, "GET", "/collections/c", ""), "\"replication_factor\":2"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("a cluster of the Qdrant stand-in");
    TCase *t = tcase_create("replicas");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_write_that_a_node_misses_is_refused_and_yet_applied_and_replicas_differ_for_ever);
    tcase_add_test(t, a_refused_delete_leaves_a_point_that_only_another_delete_takes_away);
    tcase_add_test(t, a_replica_that_was_marked_dead_is_made_anew_after_a_while);
    tcase_add_test(t, a_node_without_a_replica_reads_through_one_that_lives);
    suite_add_tcase(s, t);
    return suite_run(s);
}
