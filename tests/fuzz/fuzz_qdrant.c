/*
 * fuzz_qdrant.c - throws garbage at the Qdrant stand-in's request handling (libFuzzer).
 *
 * An input is a conversation: requests separated by the byte 0x1e, each "METHOD TARGET", a newline and a
 * body. Every conversation meets a server with one collection that has points, vectors and indexes. Nothing
 * may crash, leak, hang, or answer with a body of the JSON kind that is no JSON. Seeds: qdrant_seeds.mjs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/faults.h"
#include "qdrant_http/server.h"

#define MOST_REQUESTS 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(const struct response *out)
{
    struct pool a;
    struct json v;
    struct json_error err;

    if (!out->content_type || strcmp(out->content_type, "application/json") != 0) return;
    pool_init(&a);
    if (!json_parse(&a, out->body.data, out->body.bytes, &v, &err)) {
        fprintf(stderr, "not JSON (%s): %.*s\n", err.text, (int)out->body.bytes, out->body.data);
        abort();
    }
    pool_fini(&a);
}

static void ask(struct server *s, const char *method, const char *target, const char *body, size_t bytes)
{
    const struct request request = {.method = method, .target = target, .body = body, .body_bytes = bytes};
    struct response out;

    server_handle(s, &request, &out);
    check(&out);
    response_fini(&out);
}

static void furnish(struct server *s)
{
    static const char *const requests[][3] = {
        {"PUT", "/collections/c",
         "{\"vectors\":{\"size\":4,\"distance\":\"Cosine\"},\"sparse_vectors\":{\"s\":{}}}"},
        {"PUT", "/collections/c/index?wait=true", "{\"field_name\":\"k\",\"field_schema\":\"keyword\"}"},
        {"PUT", "/collections/c/index?wait=true", "{\"field_name\":\"n\",\"field_schema\":\"integer\"}"},
        {"PUT", "/collections/c/index?wait=true", "{\"field_name\":\"d\",\"field_schema\":\"datetime\"}"},
        {"PUT", "/collections/c/points?wait=true",
         "{\"points\":[{\"id\":1,\"vector\":[1,2,3,4],\"payload\":{\"k\":\"a\",\"n\":1,\"d\":\"2024-01-01T00:"
         "00:00Z\","
         "\"t\":[{\"x\":1},{\"x\":2}]}},{\"id\":2,\"vector\":{\"\":[4,3,2,1],\"s\":{\"indices\":[1,5],"
         "\"values\":[1,2]}},"
         "\"payload\":{\"k\":[\"a\",\"b\"],\"n\":2.5}},{\"id\":\"00000000-0000-5000-8000-000000000003\","
         "\"vector\":[0,0,0,0]}]}"},
        {"POST", "/collections/aliases",
         "{\"actions\":[{\"create_alias\":{\"collection_name\":\"c\",\"alias_name\":\"live\"}}]}"}};

    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        ask(s, requests[i][0], requests[i][1], requests[i][2], strlen(requests[i][2]));
}

/* Takes one request apart; pieces that are missing are empty. */
static void play(struct server *s, const char *text, size_t bytes)
{
    const char *newline = memchr(text, '\n', bytes);
    size_t head = newline ? (size_t)(newline - text) : bytes;
    char *line = must_alloc(head + 1);
    char *body = must_alloc(newline ? bytes - head : 1);
    size_t body_bytes = newline ? bytes - head - 1 : 0;
    char *target;

    memcpy(line, text, head);
    line[head] = '\0';
    if (body_bytes) memcpy(body, newline + 1, body_bytes);
    target = strchr(line, ' ');
    if (target) *target++ = '\0';
    /* what waits until it is cleared would wait for ever here */
    if (target && strncmp(target, "/__double", 9) != 0) ask(s, line, target, body, body_bytes);
    free(line);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct server *s;
    const char *at = (const char *)data;
    const char *end = at + bytes;

    if (!s) s = server_new("1.18.3");
    server_clear(s);
    faults_reset_counters(s->faults);
    furnish(s);
    for (int i = 0; i < MOST_REQUESTS && at < end; i++) {
        const char *stop = memchr(at, 0x1e, (size_t)(end - at));

        if (!stop) stop = end;
        play(s, at, (size_t)(stop - at));
        at = stop + 1;
    }
    return 0;
}
