/*
 * embedder.c - the three interfaces, each refusing as its server does: OpenAI's error objects, Ollama's plain
 * "error", TEI's "error" with "error_type". It owns nothing but the answer it is making.
 */
#include "embedder_http/embedder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/fault_answer.h"

enum dialect { OPENAI, OLLAMA, TEI };

static const char *const kinds[] = {"openai", "ollama", "tei"};

struct embedding {
    struct embedder *e;
    enum dialect dialect;
    const struct request *request;
    struct response *out;
    struct pool arena;
    struct json body;
    const struct json *inputs; /* strings */
    uint32_t count;
    uint32_t dimensions;
    bool base64;
    const char *model;
    struct fault fault;
};

void embedder_init(struct embedder *e, uint32_t dimensions)
{
    memset(e, 0, sizeof *e);
    e->dimensions = dimensions;
    e->most_inputs_tei = 32;
    e->faults = faults_new("texts");
    e->log = embedder_log_new();
}

void embedder_fini(struct embedder *e)
{
    faults_free(e->faults);
    embedder_log_free(e->log);
}

static bool refuse(struct embedding *m, int status, const char *type, const char *message)
{
    struct buf *out = &m->out->body;

    buf_clear(out);
    m->out->status = status;
    m->out->content_type = "application/json";
    buf_puts(out, m->dialect == OPENAI ? "{\"error\":{\"message\":" : "{\"error\":");
    json_write_string(out, message, strlen(message));
    if (m->dialect == OPENAI)
        buf_printf(out, ",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"%s\"}}", type);
    else if (m->dialect == TEI)
        buf_printf(out, ",\"error_type\":\"%s\"}", type);
    else
        buf_putc(out, '}');
    return false;
}

static bool read_inputs(struct embedding *m)
{
    const struct json *v = json_get(&m->body, m->dialect == TEI ? "inputs" : "input");

    if (m->dialect == OLLAMA && (!v || (v->type == JSON_STRING && !v->count)))
        return true; /* no embeddings */
    if (!v) return refuse(m, m->dialect == TEI ? 422 : 400, "Validation", "you must provide an input");
    m->inputs = v;
    m->count = 1;
    if (v->type == JSON_ARRAY) {
        m->inputs = v->u.items;
        m->count = v->count;
    }
    for (uint32_t i = 0; i < m->count; i++)
        if (m->inputs[i].type != JSON_STRING)
            return refuse(m, m->dialect == TEI ? 422 : 400, "Validation",
                          "inputs are strings or arrays of strings");
    return true;
}

static bool check_inputs(struct embedding *m)
{
    if (m->dialect == OPENAI) {
        if (!m->count || m->count > EMBEDDER_MOST_INPUTS)
            return refuse(m, 400, "invalid_value", "'$.input' is invalid: 1 to 2048 inputs are allowed");
        for (uint32_t i = 0; i < m->count; i++)
            if (!m->inputs[i].count)
                return refuse(m, 400, "invalid_value", "'$.input' is invalid: an input is an empty string");
    }
    if (m->dialect == TEI) {
        if (!m->count) return refuse(m, 422, "Empty", "`inputs` cannot be empty");
        if (m->count > m->e->most_inputs_tei)
            return refuse(m, 422, "Validation",
                          pool_printf(&m->arena, "batch size %u > maximum allowed batch size %u", m->count,
                                      m->e->most_inputs_tei));
    }
    return true;
}

static bool read_options(struct embedding *m)
{
    const struct json *dimensions = json_get(&m->body, "dimensions");
    const struct json *format = json_get(&m->body, "encoding_format");

    m->dimensions = m->e->dimensions;
    if (dimensions && dimensions->type != JSON_NULL) {
        if (dimensions->type != JSON_INT || dimensions->u.integer < 1 || dimensions->u.integer > 65536)
            return refuse(m, 400, "invalid_value", "dimensions must be from 1 to 65536");
        m->dimensions = (uint32_t)dimensions->u.integer;
    }
    m->base64 = m->dialect == OPENAI && json_string_is(format, "base64");
    if (m->dialect == OPENAI && format && format->type != JSON_NULL && !m->base64 &&
        !json_string_is(format, "float"))
        return refuse(m, 400, "invalid_value", "encoding_format is float or base64");
    if (m->dialect == TEI) return true;
    if (!*m->model) return refuse(m, 400, "missing_model", "you must provide a model parameter");
    if (m->e->model && strcmp(m->e->model, m->model) != 0)
        return refuse(m, 404, "model_not_found",
                      pool_printf(&m->arena,
                                  m->dialect == OLLAMA
                                      ? "model \"%s\" not found, try pulling it first"
                                      : "The model `%s` does not exist or you do not have access to it.",
                                  m->model));
    return true;
}

static void write_base64(struct buf *out, const float *values, uint32_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)values;
    size_t bytes = count * sizeof *values;

    buf_putc(out, '"');
    for (size_t i = 0; i < bytes; i += 3) {
        unsigned v = (unsigned)at[i] << 16;

        if (i + 1 < bytes) v |= (unsigned)at[i + 1] << 8;
        if (i + 2 < bytes) v |= at[i + 2];
        buf_putc(out, digits[v >> 18]);
        buf_putc(out, digits[v >> 12 & 63]);
        buf_putc(out, i + 1 < bytes ? digits[v >> 6 & 63] : '=');
        buf_putc(out, i + 2 < bytes ? digits[v & 63] : '=');
    }
    buf_putc(out, '"');
}

static bool distorts(const struct embedding *m, const char *how)
{
    return strcmp(m->fault.distort, how) == 0;
}

static void write_vector(struct embedding *m, uint32_t i)
{
    struct buf *out = &m->out->body;
    float *values = pool_take(&m->arena, m->dimensions * sizeof *values);
    uint32_t count = m->dimensions;

    embedder_vector(m->inputs[i].u.string, m->inputs[i].count, m->dimensions, values);
    if (i == m->count - 1 && distorts(m, "dimension")) count--;
    if (i == m->count - 1 && distorts(m, "nan")) values[0] = NAN;
    if (i == m->count - 1 && distorts(m, "zeros")) memset(values, 0, count * sizeof *values);
    if (i == m->count - 1 && distorts(m, "large")) values[0] = 70000;
    if (m->base64) {
        write_base64(out, values, count);
        return;
    }
    buf_putc(out, '[');
    for (uint32_t k = 0; k < count; k++) {
        if (k) buf_putc(out, ',');
        if (isnan(values[k]) && m->dialect == OPENAI)
            buf_puts(out, "NaN"); /* as Python's json writes it */
        else
            json_write_f32(out, values[k]);
    }
    buf_putc(out, ']');
}

static void write_all(struct embedding *m)
{
    struct buf *out = &m->out->body;
    uint32_t shown = m->count && distorts(m, "count") ? m->count - 1 : m->count;

    for (uint32_t i = 0; i < shown; i++) {
        uint32_t k = distorts(m, "shuffle") ? (i + m->count - 1) % m->count : i;

        if (i) buf_putc(out, ',');
        if (m->dialect == OPENAI) buf_puts(out, "{\"object\":\"embedding\",\"embedding\":");
        write_vector(m, k);
        if (m->dialect == OPENAI) buf_printf(out, ",\"index\":%u}", distorts(m, "index") && k == 1 ? 0 : k);
    }
}

static void write_answer(struct embedding *m)
{
    struct buf *out = &m->out->body;
    unsigned long long tokens = 0;

    for (uint32_t i = 0; i < m->count; i++) {
        tokens += embedder_tokens(m->inputs[i].u.string, m->inputs[i].count);
        embedder_log_add(m->e->log, m->inputs[i].u.string, m->inputs[i].count);
    }
    faults_count(m->e->faults, m->model, "texts", "embedded", m->count);
    m->out->content_type = "application/json";
    if (m->dialect == TEI) {
        buf_putc(out, '[');
        write_all(m);
        buf_putc(out, ']');
        return;
    }
    buf_puts(out, m->dialect == OPENAI ? "{\"object\":\"list\",\"data\":[" : "{\"model\":");
    if (m->dialect == OLLAMA) {
        json_write_string(out, m->model, strlen(m->model));
        buf_puts(out, ",\"embeddings\":[");
    }
    write_all(m);
    buf_putc(out, ']');
    if (m->dialect == OLLAMA) {
        buf_printf(out, ",\"total_duration\":1000000,\"load_duration\":1000,\"prompt_eval_count\":%llu}",
                   tokens);
        return;
    }
    buf_puts(out, ",\"model\":");
    json_write_string(out, m->model, strlen(m->model));
    buf_printf(out, ",\"usage\":{\"prompt_tokens\":%llu,\"total_tokens\":%llu}}", tokens, tokens);
}

static bool admitted(struct embedding *m)
{
    const char *key = m->request->authorization;

    if (!m->e->api_key) return true;
    if (key && strncmp(key, "Bearer ", 7) == 0 && strcmp(key + 7, m->e->api_key) == 0) return true;
    return refuse(m, 401, "invalid_api_key", "Incorrect API key provided.");
}

static void serve(struct embedding *m)
{
    struct json_error err;

    if (!admitted(m)) return;
    if (m->body.type != JSON_OBJECT) {
        if (json_parse(&m->arena, m->request->body, m->request->body_bytes, &m->body, &err))
            refuse(m, 400, "Validation", "the body is not an object");
        else
            refuse(m, 400, "Validation", err.text);
        return;
    }
    if (read_inputs(m) && check_inputs(m) && read_options(m)) write_answer(m);
}

static void embed(struct embedder *e, enum dialect dialect, const struct request *request,
                  struct response *out)
{
    struct embedding m = {.e = e, .dialect = dialect, .request = request, .out = out, .model = ""};
    struct fault_request about = {.method = request->method,
                                  .kind = kinds[dialect],
                                  .path = request->target,
                                  .body = request->body,
                                  .body_bytes = request->body_bytes};

    pool_init(&m.arena);
    if (!json_parse(&m.arena, request->body, request->body_bytes, &m.body, NULL))
        memset(&m.body, 0, sizeof m.body);
    if (json_get(&m.body, "model") && json_get(&m.body, "model")->type == JSON_STRING)
        m.model = json_get(&m.body, "model")->u.string;
    if (dialect == TEI) m.model = e->model ? e->model : "tei";
    about.collection = m.model;
    faults_count(e->faults, *m.model ? m.model : NULL, "requests", kinds[dialect], 1);
    faults_take(e->faults, &about, &m.fault);
    if (!m.fault.hit || m.fault.apply || (!m.fault.status && !m.fault.reset && !m.fault.hang)) serve(&m);
    if (m.fault.hit)
        fault_answer(
            e->faults, &m.fault, out,
            "{\"error\":{\"message\":\"asked for by a test\",\"type\":\"server_error\",\"code\":null}}");
    if (out->status >= 400 || out->twist)
        faults_count(e->faults, *m.model ? m.model : NULL, "failures", kinds[dialect], 1);
    fault_fini(&m.fault);
    pool_fini(&m.arena);
}

static void text(struct response *out, const char *body)
{
    out->content_type = "application/json";
    buf_puts(&out->body, body);
}

static void models(struct embedder *e, struct response *out)
{
    const char *model = e->model ? e->model : "hashing";

    text(out, "{\"object\":\"list\",\"data\":[{\"object\":\"model\",\"owned_by\":\"stand-in\",\"id\":");
    json_write_string(&out->body, model, strlen(model));
    buf_puts(&out->body, "}]}");
}

static void info(struct embedder *e, struct response *out)
{
    const char *model = e->model ? e->model : "hashing";

    text(out, "{\"model_id\":");
    json_write_string(&out->body, model, strlen(model));
    buf_printf(&out->body,
               ",\"model_sha\":null,\"model_dtype\":\"float32\",\"model_type\":{\"embedding\":{\"pooling\":"
               "\"mean\"}},"
               "\"max_concurrent_requests\":512,\"max_input_length\":512,\"max_batch_tokens\":16384,"
               "\"max_batch_requests\":null,\"max_client_batch_size\":%u,\"auto_truncate\":false,"
               "\"tokenization_workers\":1,\"version\":\"1.8.0\",\"sha\":null,\"docker_label\":null}",
               e->most_inputs_tei);
}

void embedder_handle(struct embedder *e, const struct request *request, struct response *out)
{
    const char *path = request->target;
    bool post = strcmp(request->method, "POST") == 0;
    bool get = strcmp(request->method, "GET") == 0;

    response_init(out);
    if (embedder_control(e, request, out)) return;
    if (post && (strcmp(path, "/v1/embeddings") == 0 || strcmp(path, "/embeddings") == 0))
        embed(e, OPENAI, request, out);
    else if (post && strcmp(path, "/api/embed") == 0)
        embed(e, OLLAMA, request, out);
    else if (post && strcmp(path, "/embed") == 0)
        embed(e, TEI, request, out);
    else if (get && strcmp(path, "/v1/models") == 0)
        models(e, out);
    else if (get && strcmp(path, "/info") == 0)
        info(e, out);
    else if (get && strcmp(path, "/api/version") == 0)
        text(out, "{\"version\":\"0.12.0\"}");
    else if (get && (strcmp(path, "/health") == 0 || strcmp(path, "/") == 0))
        out->status = 200;
    else
        out->status = 404;
}
