/*
 * qdrant_verdict.c - from curl's failure, the HTTP status, the body and Qdrant's own words to one error code.
 *
 * Owns nothing, asks nobody. Rules, each from Qdrant's behaviour (1.10 to 1.19) as recorded:
 * - 400 serves for nearly everything, 422 for validation: refused for what is in the request.
 * - 404 in JSON that names a collection: it was dropped. 404 that isn't JSON: somebody else answered.
 * - 401, 403 (the key), 402, 405, 407, 507 and whatever else is said of no contents: the provider's failure.
 * - errors below 500 mean nothing was written; at 500 and above, and after a cut, nobody knows.
 */
#include "qdrant/qdrant_verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/utf8.h"

#define SAID_BYTES 601

/* A foreign text as one line of clean UTF-8. */
static void one_line(char *out, size_t out_bytes, const char *text, size_t bytes)
{
    size_t n = utf8_clean(out, out_bytes - 1, text, bytes);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] < ' ' || out[i] == 0x7f) out[i] = ' ';
}

/* What the reply's `status` says: true for "ok"; else its `error` goes into `said`. */
struct answer {
    bool json; /* it is an object with a `status` */
    bool ok;
    bool nomem; /* `said` is not known */
    struct slice result;
    char said[SAID_BYTES];
};

static void read_status(struct scan *s, struct answer *a)
{
    struct slice key;
    if (scan_peek(s) == '"') {
        char text[16];
        a->ok = scan_text(s, text, sizeof text) && !strcmp(text, "ok");
        return;
    }
    if (!scan_object(s)) return;
    while (scan_member(s, &key)) {
        char *error = slice_is(key, "error") ? scan_string(s) : (scan_skip(s, NULL), NULL);
        if (error) one_line(a->said, sizeof a->said, error, strlen(error));
        free(error);
    }
}

static void read_answer(struct answer *a, const struct http_call *call)
{
    struct scan s;
    struct slice key;
    memset(a, 0, sizeof *a);
    scan_init(&s, call->reply.data ? call->reply.data : "", call->reply.bytes);
    if (scan_peek(&s) == '{' && scan_object(&s)) {
        while (scan_member(&s, &key)) {
            if (slice_is(key, "status")) {
                read_status(&s, a);
                a->json = true;
            } else if (slice_is(key, "result")) {
                scan_skip(&s, &a->result);
            } else {
                scan_skip(&s, NULL);
            }
        }
        if (s.bad) a->json = a->ok = false;
        a->nomem = s.nomem;
    }
    if (!a->json && call->reply.bytes) /* a page or plain text: its beginning may help a person */
        one_line(a->said, 121, call->reply.data, call->reply.bytes);
}

/* `Limit exceeded 3 > 2 for "upsert limit"` (strict mode) gives 2. */
static size_t limit_named(const char *said)
{
    static const char words[] = "Limit exceeded ";
    const char *p = strstr(said, words);
    if (!p) return 0;
    unsigned long asked, allowed;
    char *end;
    asked = strtoul(p + sizeof words - 1, &end, 10);
    if (strncmp(end, " > ", 3) != 0) return 0;
    allowed = strtoul(end + 3, NULL, 10);
    return allowed < asked ? allowed : 0;
}

static void judge_failure(struct qdrant_verdict *v, const struct http_call *call)
{
    v->unknown = call->sent;
    switch (call->failure) {
    case HTTP_TIMEOUT:
        v->code = LKS_E_QDRANT_TIMEOUT;
        break;
    case HTTP_BAD_CALL:
        v->code = LKS_E_QDRANT_REJECTED;
        break;
    case HTTP_TOO_LARGE:
        v->code = call->status >= 500 ? LKS_E_QDRANT_UNAVAILABLE : LKS_E_QDRANT_REJECTED;
        break;
    case HTTP_CANCELLED:
        v->code = LKS_E_CANCELLED;
        break;
    case HTTP_NOMEM:
        v->code = LKS_E_NOMEM;
        break;
    default: /* not connected, no trust, cut */
        v->code = LKS_E_QDRANT_UNAVAILABLE;
    }
}

static void judge_refusal(struct qdrant_verdict *v, long status, const struct answer *a, const char **hint)
{
    /* what is said of neither the collection nor the contents would be said of any request */
    v->code = LKS_E_QDRANT_UNAVAILABLE;
    v->err.blame = LKS_BLAME_PROVIDER;
    switch (status) {
    case 401:
    case 403:
        v->err.blame = LKS_BLAME_KEY;
        *hint =
            ": the server refuses the key or what it may do, check `api_key` or `api_key_file` in [qdrant]";
        break;
    case 404:
        if (a->json) {
            bool collection = strstr(a->said, "ollection") != NULL;
            v->code = collection ? LKS_E_NOT_FOUND : LKS_E_QDRANT_REJECTED;
            v->err.blame = LKS_BLAME_OPEN;
            v->missing = !collection && strstr(a->said, "No point with id") != NULL;
        } else {
            *hint = ": nothing of Qdrant there, check `url` in [qdrant]";
        }
        break;
    case 409:
        v->code = LKS_E_QDRANT_REJECTED;
        v->err.blame = LKS_BLAME_OPEN;
        v->exists = true;
        break;
    case 400:
    case 413:
    case 422:
        v->code = LKS_E_QDRANT_REJECTED;
        v->err.blame = LKS_BLAME_OPEN;
        v->content = true;
        v->limit = limit_named(a->said);
        break;
    case 402:
        *hint = ": the account's quota or payment, see to its plan and billing";
        break;
    case 407:
        v->err.blame = LKS_BLAME_KEY;
        *hint = ": a proxy wants to know who asks, check `url` in [qdrant] and the proxy's settings";
        break;
    case 425:
    case 429:
        v->err.blame = LKS_BLAME_OPEN;
        break;
    case 408:
        v->code = LKS_E_QDRANT_TIMEOUT;
        v->err.blame = LKS_BLAME_OPEN;
        v->unknown = true;
        break;
    default:
        *hint = ": that is not about what was asked, check `url` in [qdrant] and what stands before Qdrant";
        break;
    }
}

static void judge_status(struct qdrant_verdict *v, const struct http_call *call, const struct answer *a,
                         const char **hint)
{
    long status = call->status;
    v->code = LKS_E_QDRANT_UNAVAILABLE;
    if (status == 200 && a->ok && a->result.data) {
        v->code = LKS_E_OK;
        v->result = a->result;
    } else if (status == 200 && a->json) {
        v->unknown = true;
    } else if (status < 400) { /* a redirect, or a page from something before Qdrant */
        v->unknown = status < 300;
        if (status >= 300) v->err.blame = LKS_BLAME_PROVIDER;
        *hint = ": that is not Qdrant's answer, check url";
    } else if (status < 500) {
        judge_refusal(v, status, a, hint);
    } else if (status == 501 || status == 505 || status == 507) {
        v->err.blame = LKS_BLAME_PROVIDER; /* not done, and no other request would be */
    } else {
        v->code = status == 504 ? LKS_E_QDRANT_TIMEOUT : LKS_E_QDRANT_UNAVAILABLE;
        v->unknown = true;
    }
}

void verdict_read(struct qdrant_verdict *v, const struct http_call *call, const char *what,
                  const char *secret)
{
    struct answer a;
    const char *hint = "";
    memset(v, 0, sizeof *v);
    lks_err_clear(&v->err);
    if (call->failure) {
        judge_failure(v, call);
        lks_fail(&v->err, v->code, "%s: %s", what, call->error);
    } else {
        read_answer(&a, call);
        judge_status(v, call, &a, &hint);
        if (!v->code) return;
        enum lks_blame blame = v->err.blame;
        if (a.nomem) { /* what kind of refusal it is is in the words */
            v->code = LKS_E_NOMEM;
            v->content = false;
            hint = ": memory is out for its words";
        }
        secret_hide(a.said, secret);
        secret_hide_url(a.said, call->url);
        lks_fail(&v->err, v->code, "%s: HTTP %ld%s%s%s", what, call->status, a.said[0] ? " " : "", a.said,
                 hint);
        if (!a.nomem) v->err.blame = blame;
    }
    v->err.retry_after_ms = call->retry_after_ms;
}

/* 0: completed; 1: not yet; 2: something else. */
static int operation_state(struct scan *s)
{
    struct slice key;
    int state = 2;
    if (!scan_object(s)) return state;
    while (scan_member(s, &key)) {
        char status[32];
        if (!slice_is(key, "status")) {
            scan_skip(s, NULL);
        } else if (scan_text(s, status, sizeof status)) {
            if (!strcmp(status, "completed")) state = 0;
            if (!strcmp(status, "acknowledged") || !strcmp(status, "wait_timeout")) state = 1;
        }
    }
    return state;
}

static void operations_end(struct qdrant_verdict *v, bool well, int worst, const char *what)
{
    if (!worst && well) return;
    v->unknown = true;
    if (worst == 1)
        v->code = lks_fail(&v->err, LKS_E_QDRANT_TIMEOUT, "%s: accepted, but not completed in time", what);
    else
        v->code =
            lks_fail(&v->err, LKS_E_QDRANT_UNAVAILABLE, "%s: the reply does not say what became of it", what);
}

void verdict_operation(struct qdrant_verdict *v, const char *what)
{
    struct scan s;
    if (v->code) return;
    scan_init(&s, v->result.data, v->result.bytes);
    int state = operation_state(&s);
    operations_end(v, !s.bad, state, what);
}

void verdict_operations(struct qdrant_verdict *v, size_t expected, const char *what)
{
    struct scan s;
    size_t count = 0;
    int worst = 0, state;
    if (v->code) return;
    scan_init(&s, v->result.data, v->result.bytes);
    for (scan_array(&s); scan_element(&s); count++)
        if ((state = operation_state(&s)) > worst) worst = state;
    operations_end(v, !s.bad && count == expected, worst, what);
}
