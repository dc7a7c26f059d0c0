/* wire.c - Qdrant and the embedder asked by HTTP: contents, faults, counters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embed/batch.h"
#include "http/http.h"
#include "live/harness.h"
#include "live/real.h"

const char *const live_collections[LIVE_COLLECTIONS] = {"tools", "functionality", "usecases", "interface"};

long ask(struct live *w, const struct live_process *server, const char *method, const char *path,
         const char *body, json_t **reply)
{
    struct http_header headers[2] = {{"Content-Type", "application/json"}};
    size_t count = body ? 1 : 0;
    char url[512];
    if (server == &w->qdrant && w->qdrant_api_key)
        headers[count++] = (struct http_header){"api-key", w->qdrant_api_key};
    char full[400], base[64];
    snprintf(base, sizeof base, "http://127.0.0.1:%d", server->port);
    snprintf(url, sizeof url, "%s%s", server->real ? server->real : base,
             real_path(w, server, path, full, sizeof full));
    struct http_call call = {.method = method,
                             .url = url,
                             .headers = headers,
                             .header_count = count,
                             .body = body,
                             .body_bytes = body ? strlen(body) : 0,
                             .timeout_ms = (int)LIVE_PATIENCE_MS,
                             .max_reply_bytes = (size_t)512 << 20};
    http_perform(w->http, &call);
    long status = call.failure ? 0 : call.status;
    if (reply) *reply = status ? json_loadb(call.reply.data, call.reply.bytes, JSON_ALLOW_NUL, NULL) : NULL;
    http_call_fini(&call);
    return status;
}

int fault(struct live *w, const struct live_process *server, const char *rule)
{
    json_t *reply;
    if (server->real) real_skip("a fault");
    if (ask(w, server, "POST", "/__double/faults", rule, &reply) != 200) FAIL(w, "no such fault: %s", rule);
    int number = (int)json_integer_value(json_object_get(reply, "number"));
    json_decref(reply);
    return number;
}

void faults_clear_all(struct live *w, const struct live_process *server)
{
    if (ask(w, server, "DELETE", "/__double/faults", NULL, NULL) != 200) FAIL(w, "faults can't be cleared");
}

static int64_t number_at(const json_t *from, const char *group, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(from, group), name));
}

struct counters counters(struct live *w)
{
    struct counters c = {.texts = 0};
    json_t *qdrant, *texts, *text;
    size_t at;
    if (w->qdrant.real) real_skip("counting what was written");
    if (ask(w, &w->qdrant, "GET", "/__double/counters", NULL, &qdrant) != 200 ||
        ask(w, &w->embedder, "GET", "/__double/texts", NULL, &texts) != 200)
        FAIL(w, "no counters");
    const json_t *list = json_is_array(texts) ? texts : json_object_get(texts, "texts");
    json_array_foreach(list, at, text) if (strcmp(json_string_value(text), PROBE_TEXT) != 0) c.texts++;
    c.upserted = number_at(qdrant, "points", "upserted");
    c.payloads = number_at(qdrant, "points", "payload_overwritten");
    c.deleted = number_at(qdrant, "points", "deleted");
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) {
        /* made by us, so that the name is an alias */
        char name[64];
        snprintf(name, sizeof name, "%s_v1", live_collections[i]);
        const json_t *all = json_object_get(qdrant, "collections");
        for (int k = 0; k < 2; k++) {
            const json_t *of = json_object_get(all, k ? name : live_collections[i]);
            c.collection_upserted[i] += number_at(of, "points", "upserted");
            c.collection_payloads[i] += number_at(of, "points", "payload_overwritten");
        }
    }
    json_decref(qdrant);
    json_decref(texts);
    return c;
}

void counters_reset(struct live *w)
{
    if ((!w->qdrant.real && ask(w, &w->qdrant, "POST", "/__double/reset", NULL, NULL) != 200) ||
        ask(w, &w->embedder, "POST", "/__double/reset", NULL, NULL) != 200)
        FAIL(w, "counters can't be reset");
}

int64_t points(struct live *w, const char *collection)
{
    char path[128];
    json_t *reply = NULL;
    int64_t count = -1;
    snprintf(path, sizeof path, "/collections/%s/points/count", collection);
    if (ask(w, &w->qdrant, "POST", path, "{\"exact\":true}", &reply) == 200)
        count = json_integer_value(json_object_get(json_object_get(reply, "result"), "count"));
    json_decref(reply);
    return count;
}
