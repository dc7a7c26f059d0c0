/*
 * control.c - the endpoints that tests use, under /__double/, as the Qdrant stand-in has them.
 *
 * POST /__double/faults adds a rule (keys as in qdrant_http/control.c; `kind` is openai, ollama or tei,
 * `model` a pattern of the model's name, `text` must occur in the body: a rule with text, status 400 and
 * count 0 is a poisonous input). `distort` keeps the status but spoils the vectors: "count" (one is missing),
 * "dimension" (one is short of a number), "nan" (one has a NaN, in TEI's and Ollama's form null), "shuffle"
 * (the last comes first; OpenAI's form says so by `index`), "index" (two claim the same one), "zeros",
 * "large" (one of nothing but zeros, or with 70000 in it). GET, DELETE
 * /__double/faults[/N]; GET /__double/counters: {"requests": {KIND: n}, "failures": {KIND: n}, "texts":
 * {"embedded": n}, "collections": {MODEL: the same}}; GET /__double/texts: the texts embedded, oldest first,
 * the newest 10,000; POST /__double/reset forgets faults, counters and texts.
 */
#include <stdlib.h>
#include <string.h>

#include "embedder_http/embedder.h"

static void add_fault(struct embedder *e, const struct request *request, struct response *out)
{
    struct pool a;
    struct json rule;
    struct json_error err;
    const char *problem = err.text;
    uint64_t number = 0;

    pool_init(&a);
    if (json_parse(&a, request->body, request->body_bytes, &rule, &err))
        number = faults_add(e->faults, &rule, &problem);
    if (number) {
        buf_printf(&out->body, "{\"number\":%llu}", (unsigned long long)number);
    } else {
        out->status = 400;
        buf_puts(&out->body, "{\"error\":");
        json_write_string(&out->body, problem, strlen(problem));
        buf_putc(&out->body, '}');
    }
    pool_fini(&a);
}

static void reset(struct embedder *e)
{
    faults_clear(e->faults, 0);
    faults_reset_counters(e->faults);
    embedder_log_clear(e->log);
}

bool embedder_control(struct embedder *e, const struct request *request, struct response *out)
{
    static const char prefix[] = "/__double/";
    const char *what = request->target + sizeof prefix - 1;
    bool get = strcmp(request->method, "GET") == 0;
    bool post = strcmp(request->method, "POST") == 0;

    if (strncmp(request->target, prefix, sizeof prefix - 1) != 0) return false;
    out->content_type = "application/json";
    if (strcmp(what, "faults") == 0 && post) {
        add_fault(e, request, out);
    } else if (strcmp(what, "faults") == 0 && get) {
        faults_write(e->faults, &out->body);
    } else if (strncmp(what, "faults", 6) == 0 && strcmp(request->method, "DELETE") == 0) {
        bool found = faults_clear(e->faults, what[6] == '/' ? strtoull(what + 7, NULL, 10) : 0);

        out->status = found ? 200 : 404;
        buf_puts(&out->body, found ? "{}" : "{\"error\":\"there is no such fault\"}");
    } else if (strcmp(what, "counters") == 0 && get) {
        faults_write_counters(e->faults, &out->body);
    } else if (strcmp(what, "texts") == 0 && get) {
        embedder_log_write(e->log, &out->body);
    } else if (strcmp(what, "reset") == 0 && post) {
        reset(e);
        buf_puts(&out->body, "{}");
    } else {
        out->status = 404;
        buf_puts(&out->body, "{\"error\":\"no such control\"}");
    }
    return true;
}
