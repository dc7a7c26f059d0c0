/*
 * cluster.c - see cluster.h. Owns nothing: replicas belong to their collection, states to the server.
 *
 * As a cluster of three was recorded: a write that reaches fewer replicas than write_consistency_factor is
 * refused, and yet applied where it arrived, and no replica is marked; one that reaches enough marks the
 * others dead, and they are made again when their node is back.
 */
#include "qdrant_http/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "qdrant_store/settings.h"

#define UNREACHABLE                                                                                          \
    "Tonic status error: code: 'The service is currently unavailable', message: \"tcp connect error\", "     \
    "source: tonic::transport::Error(Transport, ConnectError(ConnectError(\"tcp connect error\", "           \
    "127.0.0.1:%u, Os { code: 111, kind: ConnectionRefused, message: \"Connection refused\" })))"

void cluster_init(struct cluster *k)
{
    memset(k, 0, sizeof *k);
    k->nodes = 1;
    pthread_mutex_init(&k->mutex, NULL);
}

void cluster_fini(struct cluster *k)
{
    pthread_mutex_destroy(&k->mutex);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Node numbers are easier to read than the server's random ids. */
static unsigned long long peer_id(size_t node)
{
    return 1000ULL + node;
}

static struct collection *replica(const struct collection *first, size_t i)
{
    return i ? first->replicas[i - 1] : (struct collection *)(uintptr_t)first;
}

void cluster_place(struct call *c, struct collection *made)
{
    uint64_t factor = settings_param(made, "replication_factor");
    size_t nodes = c->server->cluster.nodes;
    const char *refused;

    made->replica_count = factor < nodes ? (size_t)factor : nodes;
    if (!made->replica_count) made->replica_count = 1;
    made->replicas = must_alloc(made->replica_count * sizeof(struct collection *));
    for (size_t i = 1; i < made->replica_count; i++) {
        made->replicas[i - 1] = collection_new(made->name);
        settings_create(&c->reader, &c->body, made->replicas[i - 1], &refused);
    }
}

/* ---- reading ---- */

/* The last that lives, so that who asks a node without a replica can be shown an old one. */
static size_t living(const struct server *s, const struct collection *first)
{
    for (size_t i = first->replica_count; i-- > 0;)
        if (!s->cluster.down[i] && !replica(first, i)->dead) return i;
    return first->replica_count;
}

static bool enough(struct call *c, const struct collection *first)
{
    const struct cluster *k = &c->server->cluster;

    for (size_t i = 0; i < first->replica_count && c->consistency > 1; i++) {
        if (replica(first, i)->dead) {
            call_error(c, 500,
                       "Service internal error: The replica set for shard 0 on peer %llu does not have "
                       "enough active replicas",
                       peer_id(c->request->node));
            return false;
        }
        if (k->down[i]) {
            call_error(c, 500,
                       "Service internal error: 1 of %zu read operations failed:\n  Service internal "
                       "error: " UNREACHABLE,
                       first->replica_count, k->ports[i]);
            return false;
        }
    }
    return true;
}

bool cluster_choose(struct call *c, bool writing)
{
    struct collection *first = c->collection;
    size_t node = c->request->node, i = c->replica;

    c->first = first;
    if (first->replica_count < 2) return true;
    if (!writing) {
        if (!enough(c, first)) return false;
        i = node < first->replica_count ? node : living(c->server, first);
        if (i == first->replica_count) {
            call_error(c, 500,
                       "Service internal error: %zu of %zu read operations failed:\n  Service internal "
                       "error: " UNREACHABLE,
                       i, i, c->server->cluster.ports[i - 1]);
            return false;
        }
    }
    c->collection = replica(first, i);
    return true;
}

static void shown(struct buf *out, const struct collection *c, uint32_t slot, const struct show *show)
{
    struct pool scratch;

    pool_init(&scratch);
    show_record(out, c, slot, show, &scratch);
    pool_fini(&scratch);
}

bool cluster_agrees(const struct call *c, uint32_t slot, const struct show *show)
{
    const struct pointid id = collection_id(c->collection, slot);
    size_t same = 1;
    struct buf mine, other;

    if (c->consistency < 2 || c->first->replica_count < 2) return true;
    buf_init(&mine, 0);
    buf_init(&other, 0);
    shown(&mine, c->collection, slot, show);
    for (size_t i = 0; i < c->first->replica_count; i++) {
        struct collection *r = replica(c->first, i);
        uint32_t at;

        if (r == c->collection) continue;
        pthread_rwlock_rdlock(&r->lock);
        at = collection_find(r, &id);
        buf_clear(&other);
        if (at != NO_SLOT) shown(&other, r, at, show);
        pthread_rwlock_unlock(&r->lock);
        same += other.bytes == mine.bytes && memcmp(other.data, mine.data, mine.bytes) == 0;
    }
    buf_fini(&mine);
    buf_fini(&other);
    return same >= c->first->replica_count || same >= c->consistency;
}

/* ---- writing ---- */

static void keep_worst(struct response *kept, struct response *fresh)
{
    struct response old = *kept;

    if (kept->status >= 400 || (kept->status && fresh->status < 400)) {
        response_fini(fresh);
        *fresh = old;
    } else {
        response_fini(&old);
    }
    *kept = *fresh;
}

/* What the cluster says of a write that these replicas did not get. The caller holds the mutex. */
static void settle(struct call *c, struct collection *first, size_t reached, const bool *missed)
{
    uint64_t needed = settings_param(first, "write_consistency_factor");
    size_t last = 0;

    if (needed > first->replica_count) needed = first->replica_count;
    for (size_t i = 0; i < first->replica_count; i++)
        if (missed[i]) last = i;
    for (size_t i = 0; i < first->replica_count && reached >= needed; i++)
        if (missed[i]) replica(first, i)->dead = true;
    if (reached < needed)
        call_error(c, 500,
                   "Service internal error: 1 out of 1 shards failed to apply operation. First error "
                   "captured: Service internal error: " UNREACHABLE,
                   c->server->cluster.ports[last]);
}

static struct collection *find_first(struct call *c)
{
    struct collection *first;

    pthread_rwlock_rdlock(&c->server->lock);
    first = c->name ? server_resolve(c->server, c->name) : NULL;
    pthread_rwlock_unlock(&c->server->lock);
    return first;
}

void cluster_write(struct call *c, void (*handle)(struct call *))
{
    struct cluster *k = &c->server->cluster;
    struct collection *first = find_first(c);
    bool missed[CLUSTER_NODES_MAX] = {false},
         points = c->segment_count > 2 && !strcmp(c->segments[2], "points");
    size_t reached = 0;
    struct response kept;

    if (!first || first->replica_count < 2) {
        handle(c);
        return;
    }
    response_init(&kept);
    kept.status = 0;
    pthread_mutex_lock(&k->mutex);
    for (size_t i = 0; i < first->replica_count; i++) {
        bool dead = replica(first, i)->dead;

        if (points && (k->down[i] || dead)) { /* what is dead is made again later; indexes are everywhere */
            missed[i] = !dead;
            continue;
        }
        c->replica = i;
        c->answered = false;
        handle(c);
        keep_worst(&kept, c->response);
        response_init(c->response);
        reached++;
    }
    response_fini(c->response);
    *c->response = kept;
    settle(c, first, reached, missed);
    pthread_mutex_unlock(&k->mutex);
}

/* ---- coming back ---- */

static void make_anew(struct collection *to, struct collection *from)
{
    pthread_rwlock_rdlock(&from->lock);
    pthread_rwlock_wrlock(&to->lock);
    collection_copy(to, from);
    to->dead = false;
    pthread_rwlock_unlock(&to->lock);
    pthread_rwlock_unlock(&from->lock);
}

void cluster_recover(struct server *s)
{
    struct cluster *k = &s->cluster;
    int64_t now = now_ms();

    if (k->nodes < 2) return;
    pthread_rwlock_rdlock(&s->lock);
    pthread_mutex_lock(&k->mutex);
    for (size_t i = 0; i < s->collection_count; i++) {
        struct collection *first = s->collections[i];
        size_t from = living(s, first);

        for (size_t n = 0; n < first->replica_count && from < first->replica_count; n++)
            if (replica(first, n)->dead && !k->down[n] && now >= k->back_ms[n] + CLUSTER_RECOVERY_MS)
                make_anew(replica(first, n), replica(first, from));
    }
    pthread_mutex_unlock(&k->mutex);
    pthread_rwlock_unlock(&s->lock);
}

bool cluster_ready(struct server *s, size_t node)
{
    bool ready = !s->cluster.back_ms[node] || now_ms() >= s->cluster.back_ms[node] + CLUSTER_RECOVERY_MS;

    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < s->collection_count; i++)
        ready =
            ready && (node >= s->collections[i]->replica_count || !replica(s->collections[i], node)->dead);
    pthread_rwlock_unlock(&s->lock);
    return ready;
}

/* ---- showing ---- */

void cluster_write_peers(const struct call *c, struct buf *out)
{
    const struct cluster *k = &c->server->cluster;

    buf_printf(out, "{\"status\":\"enabled\",\"peer_id\":%llu,\"peers\":{", peer_id(c->request->node));
    for (size_t i = 0; i < k->nodes; i++)
        buf_printf(out, "%s\"%llu\":{\"uri\":\"http://127.0.0.1:%u/\"}", i ? "," : "", peer_id(i),
                   k->ports[i]);
    buf_printf(out,
               "},\"raft_info\":{\"term\":1,\"commit\":%zu,\"pending_operations\":0,\"leader\":%llu,"
               "\"role\":\"%s\",\"is_voter\":true},\"consensus_thread_status\":{"
               "\"consensus_thread_status\":\"working\",\"last_update\":\"2026-01-01T00:00:00Z\"},"
               "\"message_send_failures\":{}}",
               c->server->collection_count, peer_id(0), c->request->node ? "Follower" : "Leader");
}

void cluster_write_shards(const struct call *c, const struct collection *first, struct buf *out)
{
    size_t node = c->request->node;
    bool any = false;

    buf_printf(out, "{\"peer_id\":%llu,\"shard_count\":1,\"local_shards\":[", peer_id(node));
    if (node < first->replica_count)
        buf_printf(out, "{\"shard_id\":0,\"points_count\":%u,\"state\":\"%s\"}", replica(first, node)->points,
                   replica(first, node)->dead ? "Dead" : "Active");
    buf_puts(out, "],\"remote_shards\":[");
    for (size_t i = 0; i < first->replica_count; i++) {
        if (i == node) continue;
        buf_printf(out, "%s{\"shard_id\":0,\"peer_id\":%llu,\"state\":\"%s\"}", any ? "," : "", peer_id(i),
                   replica(first, i)->dead ? "Dead" : "Active");
        any = true;
    }
    buf_puts(out, "],\"shard_transfers\":[]}");
}
