/* server.c - the server's own state: time, randomness, elections, noops. */
#include "server.h"
#include "conn.h"
#include "cursor.h"
#include "journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOOP_EVERY_MS 10000 /* an idle primary writes a noop this often */

int64_t now_monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t now_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t server_random(struct server *s)
{
    /* splitmix64: cursor ids must not repeat, nothing here is a secret */
    uint64_t z = (s->rng += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void server_init(struct server *s, const struct options *opt)
{
    memset(s, 0, sizeof *s);
    s->opt = *opt;
    if (s->opt.auth) s->opt.standalone = true; /* as the server that was recorded */
    store_init(&s->store);
    oplog_init(&s->oplog, opt->oplog_bytes ? opt->oplog_bytes : (size_t)256 << 20);
    bson_oid_t oid;
    bson_oid_init(&oid, NULL);
    memcpy(s->process_id, oid.bytes, 12);
    s->rng = (uint64_t)now_wall_ms() * 1000003u ^ (uint64_t)(uintptr_t)s;
    s->started_ms = now_monotonic_ms();
    snprintf(s->host, sizeof s->host, "127.0.0.1:27017");
    if (!s->opt.standalone) s->topology_counter = 6;
    oplog_noop(&s->oplog);
}

void server_fini(struct server *s)
{
    while (s->conn_count) conn_free(s->conns[0]);
    cursors_kill_all(s);
    sessions_fini(&s->sessions);
    oplog_fini(&s->oplog);
    store_fini(&s->store);
    pool_fini(&s->fail.a);
    journal_close(s->journal);
    free(s->cursors);
    free(s->conns);
    free(s->counters);
}

void server_topology_changed(struct server *s)
{
    s->topology_counter++;
}

bool server_is_secondary(const struct server *s, const struct conn *c)
{
    return s->secondary || (c && c->second) != s->second_leads;
}

void server_elect_other(struct server *s)
{
    s->second_leads = !s->second_leads;
    s->oplog.term++;
    server_topology_changed(s);
    oplog_noop(&s->oplog);
}

int64_t server_tick(struct server *s)
{
    int64_t now = now_monotonic_ms();
    if (s->opt.standalone) return 0;
    if (s->secondary && now >= s->step_up_at_ms) {
        s->secondary = false;
        s->oplog.term++;
        server_topology_changed(s);
        oplog_noop(&s->oplog);
    }
    if (s->secondary) return s->step_up_at_ms;
    int64_t idle = now_wall_ms() - s->oplog.last_write_ms;
    if (idle >= NOOP_EVERY_MS) {
        oplog_noop(&s->oplog);
        idle = 0;
    }
    return now + NOOP_EVERY_MS - (idle > 0 ? idle : 0);
}
