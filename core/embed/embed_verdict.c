/*
 * embed_verdict.c - see embed_verdict.h.
 *
 * Servers differ in what a status means, and in how they say why:
 *   OpenAI     {"error": {"message", "type", "code"}}; 429 also for a used-up quota, which no waiting cures
 *   vLLM       the same, or {"object": "error", "message"}
 *   llama.cpp  the same; 400 or 500 "input is too large" for a text above its batch
 *   Ollama     {"error": "..."}; 400 also when its own backend failed, 404 for a missing model
 *   TEI        {"error", "error_type"}; 413 and 422 for its limits, 424 when its backend failed, 429
 * overloaded FastAPI    {"detail": ...} A server's words are shown (cut), without anything of the key.
 */
#include "config.h" /* strcasestr() is no standard */

#include "embed/embed_verdict.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/utf8.h"

#define SAID_BYTES 301

/* What the server said, for messages and for recognising it. */
struct said {
    char message[SAID_BYTES]; /* "" if nothing */
    char code[64];
    long status; /* that an error in the reply names, or 500; 0: there is no error in it */
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

static void read_object(const json_t *root, struct said *out)
{
    const json_t *error = json_object_get(root, "error");
    if (!error) error = json_object_get(root, "errors");
    if (json_is_array(error)) error = json_array_get(error, 0);
    take_text(json_object_get(error, "message"), out->message, sizeof out->message);
    take_text(json_object_get(error, "code"), out->code, sizeof out->code);
    take_text(json_object_get(error, "status"), out->code, sizeof out->code);
    take_text(json_object_get(error, "type"), out->code, sizeof out->code);
    take_text(error, out->message, sizeof out->message);
    take_text(json_object_get(root, "error_type"), out->code, sizeof out->code);
    take_text(json_object_get(root, "message"), out->message, sizeof out->message);
    take_text(json_object_get(root, "detail"), out->message, sizeof out->message);
    const json_t *first = json_array_get(json_object_get(root, "detail"), 0);
    take_text(json_object_get(first, "msg"), out->message, sizeof out->message);
    const json_t *status = json_object_get(error, "code");
    if (!json_is_integer(status)) status = json_object_get(error, "status");
    if (json_is_object(error) || json_is_string(error)) out->status = 500;
    if (json_is_integer(status) && json_integer_value(status) >= 400 && json_integer_value(status) < 600)
        out->status = (long)json_integer_value(status);
}

/* A key, or a part of one that the server has left readable: words of a name's characters that share four in
 * a row with it. */
static void hide_key(const char *key, char *text)
{
    static const char inner[] = "-_.*/+=";
    char *to = text;
    for (const char *at = text; *at;) {
        size_t bytes = 0;
        while (isalnum((unsigned char)at[bytes]) || (at[bytes] && strchr(inner, at[bytes]))) bytes++;
        bool hide = false;
        for (size_t i = 0; !hide && i + 4 <= bytes; i++) {
            char four[5];
            memcpy(four, at + i, 4);
            four[4] = '\0';
            hide = strstr(key, four) != NULL;
        }
        size_t shown = hide ? 3 : bytes ? bytes : 1;
        memmove(to, hide ? "***" : at, shown);
        to += shown;
        at += bytes ? bytes : 1;
    }
    *to = '\0';
}

static void read_said(const char *key, const struct http_call *call, struct said *out)
{
    *out = (struct said){.message = ""};
    const char *reply = call->reply.data ? call->reply.data : "";
    size_t bytes = call->reply.bytes;
    if (bytes >= 3 && memcmp(reply, "\xEF\xBB\xBF", 3) == 0) reply += 3, bytes -= 3;
    json_t *root = bytes ? json_loadb(reply, bytes, 0, NULL) : NULL;
    read_object(json_is_array(root) ? json_array_get(root, 0) : root, out);
    json_decref(root);
    if (!root && bytes && strcmp(call->content_type, "text/plain") == 0) {
        size_t clean = utf8_clean(out->message, sizeof out->message - 1, reply, bytes);
        out->message[clean] = '\0';
        for (char *c = out->message; *c; c++)
            if ((unsigned char)*c < 32) *c = ' ';
    }
    hide_key(key, out->message);
    secret_hide_url(out->message, call->url);
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
           says(said, "array too long") || says(said, "tokens per request") ||
           says(said, "max_tokens_per_request");
}

static void set(struct verdict *out, const struct http_call *call, const struct said *said,
                enum verdict_kind kind, enum lks_code code, const char *what)
{
    char url[256];
    http_url_plain(call->url, url, sizeof url);
    out->kind = kind;
    bool text = code == LKS_E_EMBEDDING_REJECTED;
    const char *colon = said && *said->message ? ": " : "";
    (void)lks_fail(&out->err, code, "%s%s%s (status %ld from %s)%s%s",
                   text ? "the embedding server refuses this text" : "", text && *what ? ", " : "", what,
                   call->status, url, colon, said ? said->message : "");
}

static void no_reply(const struct http_call *call, struct verdict *out)
{
    bool cut = call->failure == HTTP_CUT && call->sent;
    out->kind = cut ? VERDICT_TEXT : VERDICT_SERVER;
    out->passing = cut;
    out->busy = out->slow = call->failure == HTTP_TIMEOUT && call->sent;
    enum lks_code code = call->failure == HTTP_TIMEOUT     ? LKS_E_EMBEDDING_TIMEOUT
                         : call->failure == HTTP_CANCELLED ? LKS_E_CANCELLED
                                                           : LKS_E_EMBEDDING_UNAVAILABLE;
    (void)lks_fail(&out->err, code, "%s", call->error);
}

/* The provider's own failure, whatever the texts are. */
static void of_provider(struct verdict *out, const struct http_call *call, const struct said *said,
                        const char *what)
{
    set(out, call, said, VERDICT_SERVER, LKS_E_EMBEDDING_UNAVAILABLE, what);
    out->err.blame = LKS_BLAME_PROVIDER;
}

static void client_error(const struct embed_config *config, const struct http_call *call,
                         const struct said *said, bool asked_base64, struct verdict *out)
{
    enum lks_code down = LKS_E_EMBEDDING_UNAVAILABLE;
    bool ollama = config->provider == EMBED_OLLAMA;
    if (asked_base64 && says(said, "encoding_format")) {
        set(out, call, said, VERDICT_PLAIN, down, "the server does not know encoding_format");
    } else if (config->dimensions && says(said, "dimensions")) {
        of_provider(out, call, said,
                    "the model can't give the dimensions that `dimensions` of the embedding asks for");
    } else if (says(said, "model") &&
               (says(said, "not found") || says(said, "not exist") || says(said, "no such"))) {
        of_provider(out, call, said, "the server does not have the model: check `model` of the embedding");
    } else if (ollama && !says_too_long(said)) {
        /* its own backend failed, and it says so with 400 */
        out->passing = true;
        set(out, call, said, VERDICT_TEXT, down, "the embedding server failed");
    } else {
        out->crowded = says_too_many(said);
        out->heavy = call->status == 413;
        set(out, call, said, VERDICT_TEXT, LKS_E_EMBEDDING_REJECTED,
            says_too_long(said) ? "it is too long" : "");
    }
}

/* Used up for good, and not just for this minute, as some providers say with the same words. */
static bool quota_is_used_up(const struct http_call *call, const struct said *said)
{
    if (strstr(said->code, "insufficient_quota") || says(said, "insufficient_quota")) return true;
    return says(said, "exceeded your current quota") && !call->retry_after_ms && !says(said, "per minute") &&
           !says(said, "PerMinute") && !says(said, "retry in") && !strstr(said->code, "RESOURCE_EXHAUSTED");
}

static void too_many(const struct http_call *call, const struct said *said, struct verdict *out)
{
    out->busy = !quota_is_used_up(call, said);
    if (!out->busy) {
        of_provider(out, call, said, "the account's quota is used up: see to its plan and billing");
        return;
    }
    set(out, call, said, VERDICT_SERVER, LKS_E_EMBEDDING_RATE_LIMIT,
        "the embedding server asks for fewer requests");
    out->err.retry_after_ms = call->retry_after_ms;
}

static void server_error(const struct http_call *call, const struct said *said, struct verdict *out)
{
    enum lks_code down = LKS_E_EMBEDDING_UNAVAILABLE;
    out->passing = true;
    if (call->status == 504) {
        out->slow = true;
        set(out, call, said, VERDICT_SERVER, LKS_E_EMBEDDING_TIMEOUT,
            "the embedding server's own time was over");
    } else if (call->status == 500 && says_too_long(said)) {
        out->passing = false;
        set(out, call, said, VERDICT_TEXT, LKS_E_EMBEDDING_REJECTED, "it is too long");
    } else {
        out->busy = call->status == 503 || call->status == 529;
        bool waits = out->busy && call->retry_after_ms > 0;
        set(out, call, said, waits ? VERDICT_SERVER : VERDICT_TEXT, down,
            out->busy ? "the embedding server is not available" : "the embedding server failed");
    }
    out->err.retry_after_ms = call->retry_after_ms;
}

/* Refused whoever asks, or a text that a filter does not let through: a probe that follows decides which. */
static void refused(const struct embed_config *config, const char *key, const struct http_call *call,
                    const struct said *said, struct verdict *out)
{
    out->reprobe = true;
    out->passing = true;
    out->key = call->status != 404 && call->status != 405;
    out->rejects = call->status == 403;
    const char *what = "the embedding server refuses the key: check `api_key` of the embedding";
    if (call->status == 407)
        what = "a proxy wants to know who asks: check `url` of the embedding and the proxy's settings";
    else if (call->status == 404 && config->provider == EMBED_OLLAMA && says(said, "model"))
        what = "Ollama does not have the model: `ollama pull` it, or check `model` of the embedding";
    else if (!out->key)
        what = "nothing there: check `url` and `model` of the embedding";
    else if (!*key)
        what = "the embedding server wants a key: set `api_key` or `api_key_file` of the embedding";
    else if (call->status == 403)
        what =
            "the embedding server refuses the key or what it may do: check `api_key` of the embedding, and "
            "the account's region, quota and access to the model";
    set(out, call, said, VERDICT_TEXT, LKS_E_EMBEDDING_UNAVAILABLE, what);
}

static bool judged_by_status(const struct embed_config *config, const char *key, const struct http_call *call,
                             const struct said *said, bool asked_base64, struct verdict *out)
{
    switch (call->status) {
    case 401:
    case 403:
    case 404:
    case 405:
    case 407:
        refused(config, key, call, said, out);
        return true;
    case 400:
    case 413:
    case 422:
        client_error(config, call, said, asked_base64, out);
        return true;
    case 402:
        of_provider(out, call, said,
                    "the provider wants to be paid first: see to the account's plan and billing");
        return true;
    case 408:
        set(out, call, said, VERDICT_SERVER, LKS_E_EMBEDDING_TIMEOUT, "the embedding server gave up waiting");
        return true;
    case 424:
        out->passing = true;
        set(out, call, said, VERDICT_TEXT, LKS_E_EMBEDDING_UNAVAILABLE,
            "the embedding server's backend failed");
        return true;
    case 429:
        too_many(call, said, out);
        return true;
    default:
        return false;
    }
}

/* A reply with 200 that is an error all the same: it is judged as if it had the status it names. */
static bool is_error(const char *key, struct http_call *call, struct said *said)
{
    size_t bytes = call->reply.bytes < 512 ? call->reply.bytes : 512;
    if (!bytes || !memmem(call->reply.data, bytes, "\"error", 6)) return false;
    read_said(key, call, said);
    if (!said->status) return false;
    call->status = said->status;
    return true;
}

void verdict_of_call(const struct embed_config *config, const char *key, const struct http_call *given,
                     bool asked_base64, struct verdict *out)
{
    struct http_call call = *given; /* shallow: for another status */
    struct said said = {.message = ""};
    *out = (struct verdict){.kind = VERDICT_OK};
    lks_err_clear(&out->err);
    if (call.failure == HTTP_TOO_LARGE) {
        set(out, &call, NULL, VERDICT_SERVER, LKS_E_EMBEDDING_UNAVAILABLE,
            "the embedding server's reply is too large: lower `batch_size`");
        out->slow = true;
        return;
    }
    if (call.failure) {
        no_reply(&call, out);
        return;
    }
    if (call.status / 100 == 2 && !is_error(key, &call, &said)) return;
    if (given->status == call.status) read_said(key, &call, &said);
    if (judged_by_status(config, key, &call, &said, asked_base64, out)) return;
    if (call.status >= 500)
        server_error(&call, &said, out);
    else if (call.status >= 300 && call.status < 400)
        of_provider(out, &call, NULL,
                    "it points elsewhere, and is not followed: check `url` of the embedding");
    else
        of_provider(out, &call, &said, "that is no embedding server's answer: check `url` of the embedding");
}

void verdict_name_address(struct lks_err *err, const struct http_call *call)
{
    char url[256];
    http_url_plain(call->url, url, sizeof url);
    int64_t wait = err->retry_after_ms;
    if (err->code == LKS_E_NOMEM || strstr(err->text, url)) return;
    (void)lks_fail(err, err->code, "%s (from %s)", err->text, url);
    err->retry_after_ms = wait;
}
