/*
 * routes.c - from method and path to a handler: who may call it, what it is called in counters and faults.
 *
 * What no line of the table fits is answered as the server answers it: 404 and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/cluster.h"
#include "qdrant_http/costs.h"
#include "qdrant_http/fault_answer.h"
#include "qdrant_http/handlers.h"
#include "qdrant_http/journal.h"

enum access { OPEN, READ, WRITE, CONTROL };

struct route {
    const char *method;
    const char *path; /* * stands for one segment; the first is the collection's name */
    enum access access;
    const char *kind;
    handler *handle;
};

static const struct route routes[] = {
    {"GET", "/", OPEN, "about", about_root},
    {"GET", "/healthz", OPEN, "health", about_health},
    {"GET", "/livez", OPEN, "health", about_health},
    {"GET", "/readyz", OPEN, "health", about_ready},
    {"GET", "/telemetry", READ, "about", about_telemetry},
    {"GET", "/metrics", READ, "about", about_metrics},
    {"GET", "/cluster", READ, "about", about_cluster},
    {"GET", "/issues", READ, "about", about_issues},
    {"GET", "/aliases", READ, "alias_list", aliases_list},
    {"POST", "/collections/aliases", WRITE, "alias_update", aliases_update},
    {"GET", "/collections", READ, "collection_list", collections_list},
    {"GET", "/collections/*", READ, "collection_get", collections_get},
    {"PUT", "/collections/*", WRITE, "collection_create", collections_create},
    {"PATCH", "/collections/*", WRITE, "collection_patch", collections_patch},
    {"DELETE", "/collections/*", WRITE, "collection_delete", collections_delete},
    {"GET", "/collections/*/exists", READ, "collection_exists", collections_exists},
    {"GET", "/collections/*/aliases", READ, "alias_list", aliases_of},
    {"GET", "/collections/*/cluster", READ, "collection_get", collections_cluster},
    {"PUT", "/collections/*/index", WRITE, "index_create", index_create},
    {"DELETE", "/collections/*/index/*", WRITE, "index_delete", index_delete},
    {"PUT", "/collections/*/points", WRITE, "upsert", points_upsert},
    {"POST", "/collections/*/points", READ, "retrieve", points_retrieve},
    {"POST", "/collections/*/points/delete", WRITE, "delete", points_delete},
    {"POST", "/collections/*/points/payload", WRITE, "set_payload", points_set_payload},
    {"PUT", "/collections/*/points/payload", WRITE, "overwrite_payload", points_overwrite_payload},
    {"POST", "/collections/*/points/payload/delete", WRITE, "delete_payload", points_delete_payload},
    {"POST", "/collections/*/points/payload/clear", WRITE, "clear_payload", points_clear_payload},
    {"PUT", "/collections/*/points/vectors", WRITE, "update_vectors", points_update_vectors},
    {"POST", "/collections/*/points/vectors/delete", WRITE, "delete_vectors", points_delete_vectors},
    {"POST", "/collections/*/points/batch", WRITE, "batch", points_batch},
    {"POST", "/collections/*/points/scroll", READ, "scroll", points_scroll},
    {"POST", "/collections/*/points/count", READ, "count", points_count},
    {"POST", "/collections/*/facet", READ, "facet", points_facet},
    {"POST", "/collections/*/points/query", READ, "query", points_query},
    {"POST", "/collections/*/points/query/batch", READ, "query", points_query_batch},
    {"POST", "/collections/*/points/query/groups", READ, "query", points_query_groups},
    {"POST", "/collections/*/points/search", READ, "search", points_search},
    {"POST", "/collections/*/points/search/batch", READ, "search", points_search_batch},
    {"POST", "/collections/*/points/search/groups", READ, "search", points_search_groups},
    {"POST", "/collections/*/points/search/matrix/pairs", READ, "search", points_refuse},
    {"POST", "/collections/*/points/search/matrix/offsets", READ, "search", points_refuse},
    {"POST", "/collections/*/points/recommend", READ, "search", points_recommend},
    {"POST", "/collections/*/points/recommend/batch", READ, "search", points_recommend_batch},
    {"POST", "/collections/*/points/recommend/groups", READ, "search", points_refuse},
    {"POST", "/collections/*/points/discover", READ, "search", points_discover},
    {"POST", "/collections/*/points/discover/batch", READ, "search", points_discover_batch},
    {"GET", "/collections/*/points/*", READ, "retrieve", points_get},
    {"GET", "/__double/faults", CONTROL, "control", control_list_faults},
    {"POST", "/__double/faults", CONTROL, "control", control_add_fault},
    {"DELETE", "/__double/faults", CONTROL, "control", control_clear_faults},
    {"DELETE", "/__double/faults/*", CONTROL, "control", control_clear_fault},
    {"GET", "/__double/counters", CONTROL, "control", control_counters},
    {"POST", "/__double/reset", CONTROL, "control", control_reset},
    {"POST", "/__double/restart", CONTROL, "control", control_restart},
    {"GET", "/__double/nodes", CONTROL, "control", control_nodes},
    {"POST", "/__double/nodes/*/stop", CONTROL, "control", control_stop_node},
    {"POST", "/__double/nodes/*/start", CONTROL, "control", control_start_node},
};

/* Cuts the path at slashes before undoing escapes, so that %2F stays inside its segment. */
static bool split_path(struct call *c)
{
    const char *at = c->request->target;
    size_t bytes = strcspn(at, "?#");
    const char *end = at + bytes;

    c->query = *end == '?' ? end + 1 : "";
    if (bytes == 0 || *at != '/') return false;
    while (at < end) {
        size_t segment = 0;

        at++; /* the slash */
        while (at + segment < end && at[segment] != '/') segment++;
        if (c->segment_count == sizeof c->segments / sizeof *c->segments) return false;
        c->segments[c->segment_count] = call_unescape(&c->arena, at, segment, false);
        if (!c->segments[c->segment_count++]) return false;
        at += segment;
    }
    return true;
}

static bool fits(const struct route *r, const struct call *c)
{
    const char *at = r->path;

    if (strcmp(r->method, c->request->method) != 0) return false;
    for (size_t i = 0; i < c->segment_count; i++) {
        size_t segment;

        if (*at != '/') return false;
        segment = strcspn(at + 1, "/");
        if (segment == 1 && at[1] == '*') {
            if (!*c->segments[i]) return false;
        } else if (strlen(c->segments[i]) != segment || memcmp(c->segments[i], at + 1, segment) != 0) {
            return false;
        }
        at += 1 + segment;
    }
    return !*at;
}

static void plain(struct response *r, int status, const char *text)
{
    r->status = status;
    r->content_type = NULL;
    buf_puts(&r->body, text);
}

static const char *given_key(const struct request *r)
{
    if (r->api_key) return r->api_key;
    if (r->authorization && strncmp(r->authorization, "Bearer ", 7) == 0) return r->authorization + 7;
    return NULL;
}

/* 401 as plain text, as recorded. *may_write says what the key is good for. */
static bool admit(const struct server *s, const struct request *request, struct response *out,
                  bool *may_write)
{
    const char *key = given_key(request);

    *may_write = true;
    if (!s->api_key && !s->read_only_key) return true;
    if (!key) {
        plain(out, 401, "Must provide an API key or an Authorization bearer token");
        return false;
    }
    if (s->api_key && strcmp(key, s->api_key) == 0) return true;
    *may_write = false;
    if (s->read_only_key && strcmp(key, s->read_only_key) == 0) return true;
    plain(out, 401, "Invalid API key or JWT");
    return false;
}

static void run(struct call *c, const struct route *r, bool may_write)
{
    bool kept = c->server->journal && r->access == WRITE;

    if (r->access == WRITE && !may_write) {
        call_error(c, 403, "Forbidden: Global manage access is required");
        return;
    }
    if (kept) journal_lock(c->server->journal);
    if (r->access == WRITE && r->handle != collections_create && r->handle != collections_delete)
        cluster_write(c, r->handle);
    else
        r->handle(c);
    if (kept) journal_append(c->server->journal, c->request, c->response);
}

/* The collection a name stands for, so that counters and rules know it by one name. */
static const char *real_name(struct call *c)
{
    const struct alias *a;
    const char *name = c->name;

    if (!name) return NULL;
    pthread_rwlock_rdlock(&c->server->lock);
    a = server_alias(c->server, name);
    if (a) name = pool_text(&c->arena, a->collection, strlen(a->collection));
    pthread_rwlock_unlock(&c->server->lock);
    return name;
}

static void dispatch(struct call *c, const struct route *r, bool may_write)
{
    struct server *s = c->server;
    const char *name = real_name(c);
    struct fault_request about = {.method = r->method,
                                  .kind = r->kind,
                                  .collection = name ? name : "",
                                  .path = c->request->target,
                                  .body = c->request->body,
                                  .body_bytes = c->request->body_bytes};
    struct fault fault;

    cluster_recover(s);
    if (r->access == CONTROL) {
        r->handle(c);
        return;
    }
    faults_count(s->faults, name, "requests", r->kind, 1);
    faults_take(s->faults, &about, &fault);
    if (*fault.update_status) c->forced_status = fault.update_status;
    if (!fault.hit || fault.apply || (!fault.status && !fault.reset && !fault.hang)) run(c, r, may_write);
    if (fault.hit)
        fault_answer(s->faults, &fault, c->response,
                     "{\"status\":{\"error\":\"Service internal error: asked for by a test\"},\"time\":0.0}");
    fault_fini(&fault);
    if (c->response->status >= 400 || c->response->twist)
        faults_count(s->faults, name, "failures", r->kind, 1);
}

void server_handle(struct server *s, const struct request *request, struct response *out)
{
    struct call c = {.server = s, .request = request, .response = out};
    const struct route *found = NULL;
    bool may_write = true;
    bool split;

    response_init(out);
    pool_init(&c.arena);
    clock_gettime(CLOCK_MONOTONIC, &c.began);
    split = split_path(&c);
    for (size_t i = 0; split && i < sizeof routes / sizeof *routes && !found; i++)
        if (fits(&routes[i], &c)) found = &routes[i];
    if (found && strchr(found->path, '*') && found->access != CONTROL) c.name = c.segments[1];
    if (found && (found->access == OPEN || found->access == CONTROL))
        dispatch(&c, found, true);
    else if (!admit(s, request, out, &may_write))
        faults_count(s->faults, NULL, "failures", "unauthorized", 1);
    else if (found)
        dispatch(&c, found, may_write);
    else
        plain(out, 404, "");
    costs_pay(&c);
    pool_fini(&c.arena);
}
