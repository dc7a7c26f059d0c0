/* about.c - what the server says of itself. It never looks at collections. */
#include <string.h>

#include "qdrant_http/cluster.h"
#include "qdrant_http/handlers.h"

static void text(struct call *c, const char *message)
{
    c->response->status = 200;
    c->response->content_type = "text/plain; charset=utf-8";
    buf_puts(&c->response->body, message);
    c->answered = true;
}

void about_root(struct call *c)
{
    c->response->content_type = "application/json";
    buf_puts(&c->response->body, "{\"title\":\"qdrant - vector search engine\",\"version\":");
    json_write_string(&c->response->body, c->server->version, strlen(c->server->version));
    if (c->server->version_number < 1018) buf_puts(&c->response->body, ",\"commit\":\"\"");
    buf_putc(&c->response->body, '}');
    c->answered = true;
}

void about_health(struct call *c)
{
    text(c, "healthz check passed");
}

void about_ready(struct call *c)
{
    bool ready = cluster_ready(c->server, c->request->node);

    text(c, ready ? "all shards are ready" : "some shards are not ready");
    if (!ready) c->response->status = 503;
}

void about_cluster(struct call *c)
{
    struct buf *out = call_begin(c);

    if (c->server->cluster.nodes < 2)
        buf_puts(out, "{\"status\":\"disabled\"}");
    else
        cluster_write_peers(c, out);
    call_end(c);
}

void about_telemetry(struct call *c)
{
    struct buf *out = call_begin(c);

    pthread_rwlock_rdlock(&c->server->lock);
    buf_puts(out, "{\"id\":\"stand-in\",\"app\":{\"name\":\"qdrant\",\"version\":");
    json_write_string(out, c->server->version, strlen(c->server->version));
    buf_printf(out, "},\"collections\":{\"number_of_collections\":%zu}}", c->server->collection_count);
    pthread_rwlock_unlock(&c->server->lock);
    call_end(c);
}

void about_metrics(struct call *c)
{
    pthread_rwlock_rdlock(&c->server->lock);
    c->response->content_type = "text/plain";
    buf_printf(&c->response->body,
               "# HELP app_info information about qdrant server\n# TYPE app_info gauge\n"
               "app_info{name=\"qdrant\",version=\"%s\"} 1\n"
               "# HELP collections_total number of collections\n# TYPE collections_total gauge\n"
               "collections_total %zu\n",
               c->server->version, c->server->collection_count);
    pthread_rwlock_unlock(&c->server->lock);
    c->answered = true;
}

void about_issues(struct call *c)
{
    buf_puts(call_begin(c), "{\"issues\":[]}");
    call_end(c);
}
