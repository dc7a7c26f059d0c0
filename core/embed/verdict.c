/*
 * verdict.c - see verdict.h.
 *
 * Servers differ in what a status means, and in how they say why:
 *   OpenAI     {"error": {"message", "type", "code"}}; 429 also for a used-up quota, which no waiting cures
 *   vLLM       the same, or {"object": "error", "message"}
 *   llama.cpp  the same; 400 or 500 "input is too large" for a text above its batch
 *   Ollama     {"error": "..."}; 400 also when its own backend failed, 404 for a missing model
 *   TEI        {"error", "error_type"}; 413 and 422 for its limits, 424 when its backend failed, 429
 * overloaded FastAPI    {"detail": ...} A server's words are shown (cut), except with 401 and 403, where they
 * may quote the key.
 */
#include "config.h" /* strcasestr() is no standard */

#include "embed/verdict.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define SAID_BYTES 301

/* What the server said, for messages and for recognising it. */
struct said {
    char message[SAID_BYTES]; /* "" if nothing */
    char code[64];
};

static void take_text(const json_t *value, char *out, size_t out_bytes)
{
    const char *text = json_string_value(value);
    if (!text || *out) return;
    size_t bytes = utf8_clean(out, out_bytes - 1, text, strlen(text));
    out[bytes] = '\0';
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 32) *c = ' ';
}

static void read_said(const struct http_call *call, struct said *out)
{
    *out = (struct said){.message = ""};
    json_t *root = call->reply.bytes ? json_loadb(call->reply.data, call->reply.bytes, 0, NULL) : NULL;
    const json_t *error = json_object_get(root, "error");
    take_text(json_object_get(error, "message"), out->message, sizeof out->message);
    take_text(json_object_get(error, "code"), out->code, sizeof out->code);
    take_text(json_object_get(error, "type"), out->code, sizeof out->code);
    take_text(error, out->message, sizeof out->message);
    take_text(json_object_get(root, "error_type"), out->code, sizeof out->code);
    take_text(json_object_get(root, "message"), out->message, sizeof out->message);
    take_text(json_object_get(root, "detail"), out->message, sizeof out->message);
    const json_t *first = json_array_get(json_object_get(root, "detail"), 0);
    take_text(json_object_get(first, "msg"), out->message, sizeof out->message);
    json_decref(root);
    if (!root && call->reply.bytes && strcmp(call->content_type, "text/plain") == 0) {
        size_t bytes = utf8_clean(out->message, sizeof out->message - 1, call->reply.data, call->reply.bytes);
        out->message[bytes] = '\0';
        for (char *c = out->message; *c; c++)
            if ((unsigned char)*c < 32) *c = ' ';
    }
}

static bool says(const struct said *said, const char *words)
{
    return strcasestr(said->message, words) != NULL;
}

/* It complains about the length of a text. */
static bool says_too_long(const struct said *said)
{
    return says(said, "too large") || says(said, "too long") || says(said, "context length") ||
           says(said, "input length") || says(said, "maximum context") || says(said, "must have less than") ||
           says(said, "max_tokens") || says(said, "maximum sequence");
}

/* It complains about the number of texts. */
static bool says_too_many(const struct said *said)
{
    return says(said, "batch size") || says(said, "too many inputs") || says(said, "maximum batch") ||
           says(said, "array too long");
}

static void set(struct verdict *out, const struct http_call *call, const struct said *said,
                enum verdict_kind kind, enum lks_code code, const char *what)
{
    char url[256];
    http_url_plain(call->url, url, sizeof url);
    out->kind = kind;
    bool text = code == LKS_E_EMBEDDING_REJECTED || code == LKS_E_UNKNOWN;
    const char *colon = said && *said->message ? ": " : "";
    (void)lks_fail(&out->err, code, "%s%s%s (status %ld from %s)%s%s",
                   text ? "the embedding server refuses this text" : "", text && *what ? ", " : "", what,
                   call->status, url, colon, said ? said->message : "");
}

static void no_reply(const struct http_call *call, struct verdict *out)
{
    out->kind = VERDICT_SERVER;
    out->busy = out->slow = call->failure == HTTP_TIMEOUT && call->sent;
    enum lks_code code = call->failure == HTTP_TIMEOUT     ? LKS_E_EMBEDDING_TIMEOUT
                         : call->failure == HTTP_CANCELLED ? LKS_E_CANCELLED
                                                           : LKS_E_EMBEDDING_UNAVAILABLE;
    (void)lks_fail(&out->err, code, "%s", call->error);
}

static void client_error(const struct embed_config *config, const struct http_call *call,
                         const struct said *said, bool asked_base64, struct verdict *out)
{
    enum lks_code down = LKS_E_EMBEDDING_UNAVAILABLE;
    bool ollama = config->provider == EMBED_OLLAMA;
    if (asked_base64 && says(said, "encoding_format")) {
        set(out, call, said, VERDICT_PLAIN, down, "the server does not know encoding_format");
    } else if (config->dimensions && says(said, "dimensions")) {
        set(out, call, said, VERDICT_SERVER, down,
            "the model can't give the dimensions that `dimensions` of the embedding asks for");
    } else if (says(said, "model") &&
               (says(said, "not found") || says(said, "not exist") || says(said, "no such"))) {
        set(out, call, said, VERDICT_SERVER, down,
            "the server does not have the model: check `model` of the embedding");
    } else if (ollama && !says_too_long(said)) {
        /* its own backend failed, and it says so with 400 */
        set(out, call, said, VERDICT_SERVER, down, "the embedding server failed");
    } else {
        out->crowded = says_too_many(said);
        set(out, call, said, VERDICT_TEXT, LKS_E_EMBEDDING_REJECTED,
            says_too_long(said) ? "it is too long" : "");
    }
}

static void too_many(const struct http_call *call, const struct said *said, struct verdict *out)
{
    bool quota = strstr(said->code, "insufficient_quota") || says(said, "insufficient_quota") ||
                 says(said, "exceeded your current quota");
    out->busy = !quota;
    if (quota) {
        set(out, call, said, VERDICT_SERVER, LKS_E_EMBEDDING_UNAVAILABLE,
            "the account's quota is used up: see to its plan and billing");
        return;
    }
    set(out, call, said, VERDICT_SERVER, LKS_E_EMBEDDING_RATE_LIMIT,
        "the embedding server asks for fewer requests");
    out->err.retry_after_ms = call->retry_after_ms;
}

static void server_error(const struct http_call *call, const struct said *said, struct verdict *out)
{
    enum lks_code down = LKS_E_EMBEDDING_UNAVAILABLE;
    if (call->status == 504) {
        out->slow = true;
        set(out, call, said, VERDICT_SERVER, LKS_E_EMBEDDING_TIMEOUT,
            "the embedding server's own time was over");
    } else if (call->status == 500 && says_too_long(said)) {
        set(out, call, said, VERDICT_TEXT, LKS_E_EMBEDDING_REJECTED, "it is too long");
    } else if (call->status == 500) {
        /* the server, or a text that it stumbles over: only others can tell */
        set(out, call, said, VERDICT_TEXT, LKS_E_UNKNOWN, "it fails over it");
    } else {
        out->busy = call->status == 503 || call->status == 529;
        set(out, call, said, VERDICT_SERVER, down, "the embedding server is not available");
    }
    if (out->kind == VERDICT_SERVER) out->err.retry_after_ms = call->retry_after_ms;
}

/* A server may quote the key it was shown. */
static void hide_key(const struct embed_config *config, struct lks_err *err)
{
    size_t bytes = strlen(config->api_key);
    if (bytes < 4) return;
    for (char *at; (at = strstr(err->text, config->api_key)) != NULL;) {
        memcpy(at, "***", 3);
        memmove(at + 3, at + bytes, strlen(at + bytes) + 1);
    }
}

static void judge(const struct embed_config *config, const struct http_call *call, bool asked_base64,
                  struct verdict *out)
{
    static const struct said nothing;
    struct said said;
    enum lks_code down = LKS_E_EMBEDDING_UNAVAILABLE;
    *out = (struct verdict){.kind = VERDICT_OK};
    lks_err_clear(&out->err);
    if (call->failure == HTTP_TOO_LARGE) {
        set(out, call, NULL, VERDICT_SERVER, down,
            "the embedding server's reply is too large: lower `batch_size`");
        out->slow = true;
        return;
    }
    if (call->failure) {
        no_reply(call, out);
        return;
    }
    if (call->status == 200) return;
    read_said(call, &said);
    switch (call->status) {
    case 401:
    case 403:
        set(out, call, &nothing, VERDICT_SERVER, down,
            *config->api_key
                ? "the embedding server refuses the key: check `api_key` of the embedding"
                : "the embedding server wants a key: set `api_key` or `api_key_file` of the embedding");
        return;
    case 404:
        set(out, call, &said, VERDICT_SERVER, down,
            config->provider == EMBED_OLLAMA && says(&said, "model")
                ? "Ollama does not have the model: `ollama pull` it, or check `model` of the embedding"
                : "nothing there: check `url` and `model` of the embedding");
        return;
    case 400:
    case 413:
    case 422:
        client_error(config, call, &said, asked_base64, out);
        return;
    case 408:
        set(out, call, &said, VERDICT_SERVER, LKS_E_EMBEDDING_TIMEOUT,
            "the embedding server gave up waiting");
        return;
    case 424:
        set(out, call, &said, VERDICT_SERVER, down, "the embedding server's backend failed");
        return;
    case 429:
        too_many(call, &said, out);
        return;
    default:
        break;
    }
    if (call->status >= 500)
        server_error(call, &said, out);
    else if (call->status >= 300 && call->status < 400)
        set(out, call, &nothing, VERDICT_SERVER, down,
            "it points elsewhere, and is not followed: check `url` of the embedding");
    else
        set(out, call, &said, VERDICT_SERVER, down,
            "that is no embedding server's answer: check `url` of the embedding");
}

void verdict_of_call(const struct embed_config *config, const struct http_call *call, bool asked_base64,
                     struct verdict *out)
{
    judge(config, call, asked_base64, out);
    hide_key(config, &out->err);
}
