/*
 * control.c - the endpoints that tests use beside Qdrant's own, under /__double/.
 *
 * POST /__double/faults adds a rule and answers {"number": N}. Keys, all optional:
 *   which requests   kind (upsert, delete, scroll, query, ...; the names are those of the counters), method,
 * path and collection (an alias counts as its collection): shell patterns; text: occurs in the body; skip:
 * how many of them go by first; count: how many it hits (1; 0: until cleared) what happens     status, with
 * body (text, or JSON that is sent as such), content_type and headers
 *                    ({"Retry-After": 3}); reset: the connection breaks; hang: no answer until the rule is
 * cleared; delay_ms: the answer comes late; garble: "truncate" (half the body), "noise" (not UTF-8), "cut"
 * (the connection breaks in the middle of the body); result_status: what an update says of itself
 * ("acknowledged", "wait_timeout"); apply: do what was asked before failing. Without status, reset and hang
 * the request is carried out anyway. GET /__double/faults lists them; DELETE /__double/faults[/N] clears them
 * and wakes what hangs. GET /__double/counters answers {"requests": {KIND: n}, "failures": {KIND: n},
 * "points": {"upserted": n, "payload_overwritten": n, "deleted": n, ...}, "collections": {NAME: the same
 * three}}. POST /__double/reset clears faults and counters; {"data": true} also drops all collections. POST
 * /__double/restart undoes the writes that did not wait, or that a result_status called less than completed,
 * as a crash may: in each collection those after the last one that waited. GET /__double/nodes shows each
 * node's port and whether it is up; POST /__double/nodes/N/stop and start end it and bring it back (not node
 * 0).
 */
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/faults.h"
#include "qdrant_http/handlers.h"
#include "qdrant_http/journal.h"

static struct buf *json_answer(struct call *c)
{
    c->response->content_type = "application/json";
    c->answered = true;
    return &c->response->body;
}

void control_add_fault(struct call *c)
{
    const char *problem;
    uint64_t number;

    if (!call_parse(c, READER_EXACT)) return;
    number = faults_add(c->server->faults, &c->body, &problem);
    if (!number) {
        call_reject(c, 400, "%s", problem);
        return;
    }
    buf_printf(json_answer(c), "{\"number\":%llu}", (unsigned long long)number);
}

void control_list_faults(struct call *c)
{
    faults_write(c->server->faults, json_answer(c));
}

void control_clear_faults(struct call *c)
{
    faults_clear(c->server->faults, 0);
    buf_puts(json_answer(c), "{}");
}

void control_clear_fault(struct call *c)
{
    uint64_t number = strtoull(c->segments[2], NULL, 10);

    if (!number || !faults_clear(c->server->faults, number))
        call_reject(c, 404, "there is no fault %s", c->segments[2]);
    else
        buf_puts(json_answer(c), "{}");
}

void control_counters(struct call *c)
{
    faults_write_counters(c->server->faults, json_answer(c));
}

void control_reset(struct call *c)
{
    const struct json *data = NULL;

    if (c->request->body_bytes) {
        if (!call_parse(c, READER_EXACT)) return;
        data = json_get(&c->body, "data");
    }
    faults_clear(c->server->faults, 0);
    faults_reset_counters(c->server->faults);
    if (data && data->type == JSON_BOOL && data->u.boolean) {
        pthread_rwlock_wrlock(&c->server->lock);
        server_clear(c->server);
        pthread_rwlock_unlock(&c->server->lock);
        if (c->server->journal) journal_rewrite(c->server);
    }
    buf_puts(json_answer(c), "{}");
}

void control_restart(struct call *c)
{
    pthread_rwlock_wrlock(&c->server->lock);
    for (size_t i = 0; i < c->server->collection_count; i++) collection_undo(c->server->collections[i]);
    pthread_rwlock_unlock(&c->server->lock);
    if (c->server->journal) journal_rewrite(c->server);
    buf_puts(json_answer(c), "{}");
}

void control_nodes(struct call *c)
{
    const struct cluster *k = &c->server->cluster;
    struct buf *out = json_answer(c);

    buf_puts(out, "{\"nodes\":[");
    for (size_t i = 0; i < k->nodes; i++)
        buf_printf(out, "%s{\"port\":%u,\"up\":%s}", i ? "," : "", k->ports[i],
                   k->down[i] ? "false" : "true");
    buf_puts(out, "]}");
}

/* False if it has answered. */
static bool set_node(struct call *c, bool up)
{
    struct cluster *k = &c->server->cluster;
    char *end;
    unsigned long node = strtoul(c->segments[2], &end, 10);
    struct timespec now;

    if (*end || node == 0 || node >= k->nodes || node == c->request->node) {
        call_reject(c, 404, "there is no node %s that can be stopped and started here", c->segments[2]);
        return false;
    }
    if (!up) k->down[node] = true; /* first, so that nothing reaches it any more */
    if (!k->set(k->user, node, up)) {
        call_reject(c, 500, "node %s cannot listen on its port", c->segments[2]);
        return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (up && k->down[node]) {
        k->back_ms[node] = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
        k->down[node] = false;
    }
    buf_puts(json_answer(c), "{}");
    return true;
}

void control_stop_node(struct call *c)
{
    set_node(c, false);
}

void control_start_node(struct call *c)
{
    set_node(c, true);
}
