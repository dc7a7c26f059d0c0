/*
 * play_http.c - a conversation over HTTP. Owns one libcurl handle for the conversation; sends exactly the
 * recorded bytes, with no header beyond what the recording and HTTP itself ask for, and nothing beside the
 * recording but what makes the collections that an earlier conversation had left.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "golden/compare.h"
#include "golden/described.h"
#include "golden/mask.h"
#include "golden/play.h"
#include "golden/wire.h"

#define REPLY_TIMEOUT_MS 60000L
#define REPLY_MAX_BYTES ((size_t)256 << 20)
#define RECORDED_TEXT_BYTES 4000 /* longer answers that are no JSON were cut here */
#define SHOWN_BYTES 200

struct answer {
    long status;
    struct buf body;
    const char *content_type; /* borrowed from the handle */
};

static size_t take_body(char *data, size_t size, size_t count, void *to)
{
    struct buf *body = to;

    buf_put(body, data, size * count);
    return body->failed ? 0 : size * count;
}

/* The body to send: the recorded one byte by byte, or what its words stand for. NULL without error: none. */
static char *body_of(const struct step *step, size_t *bytes, struct lks_err *err)
{
    const json_t *text = json_object_get(step->line, "body_text");
    const char *raw;
    char *copy;

    if (described_is_words(json_string_value(text)))
        return described_body(json_string_value(text), bytes, err);
    if (text) {
        raw = json_string_value(text);
        *bytes = json_string_length(text);
    } else {
        raw = step_raw(step, "body", bytes);
    }
    if (!raw) return NULL;
    copy = malloc(*bytes + 1);
    if (!copy) {
        lks_fail(err, LKS_E_NOMEM, "out of memory");
        return NULL;
    }
    memcpy(copy, raw, *bytes);
    copy[*bytes] = '\0';
    return copy;
}

static struct curl_slist *headers_of(const struct step *step, bool has_body)
{
    /* no "100 Continue": a server may refuse a large body before it is sent */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    bool typed = false;
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(step->line, "headers"), name, value)
    {
        struct buf line;

        buf_init(&line, 0);
        buf_printf(&line, "%s: %s", name, json_string_value(value) ? json_string_value(value) : "");
        list = curl_slist_append(list, line.data);
        typed |= strcasecmp(name, "content-type") == 0;
        buf_fini(&line);
    }
    return typed ? list
                 : curl_slist_append(list, has_body ? "Content-Type: application/json" : "Content-Type:");
}

static enum lks_code request(CURL *curl, const struct play *p, const struct step *step, struct answer *answer,
                             struct lks_err *err)
{
    const char *method = step_text(step, "method"), *path = step_text(step, "path");
    struct curl_slist *headers;
    size_t body_bytes = 0;
    char *body = body_of(step, &body_bytes, err);
    struct buf url;
    CURLcode result;

    if (err->code != LKS_E_OK) return err->code;
    headers = headers_of(step, body != NULL);
    buf_init(&url, 0);
    buf_printf(&url, "%s%s", p->url, path ? path : "/");
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url.data);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, REPLY_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
    if (body || (method && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body ? body : "");
    }
    if (method && strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method ? method : "GET");
    result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &answer->content_type);
    curl_slist_free_all(headers);
    buf_fini(&url);
    free(body);
    /* an early refusal of a large body is an answer, even if the rest of the body found no reader */
    if (result != CURLE_OK && !(result == CURLE_SEND_ERROR && answer->status != 0))
        return lks_fail(err, LKS_E_IO, "no answer: %s", curl_easy_strerror(result));
    return LKS_E_OK;
}

static void compare_text(const char *recorded, const struct answer *answer, struct diffs *found)
{
    char *got = strndup(answer->body.data ? answer->body.data : "", RECORDED_TEXT_BYTES);

    if (!got || !mask_equal(MASK_HTTP, recorded, got))
        diffs_add(found, "expected %.*s, got %.*s", SHOWN_BYTES, recorded, SHOWN_BYTES, got ? got : "?");
    free(got);
}

static void compare_content_type(const struct step *step, const struct answer *answer, struct diffs *found)
{
    const char *recorded =
        json_string_value(json_object_get(json_object_get(step->line, "headers_in"), "content-type"));

    if (recorded && (!answer->content_type || strcasecmp(recorded, answer->content_type) != 0))
        diffs_add(found, "expected content-type %s, got %s", recorded,
                  answer->content_type ? answer->content_type : "none");
}

static void compare_answer(const struct step *step, bool first_drop, const struct answer *answer,
                           struct diffs *found)
{
    const json_t *recorded = json_object_get(step->line, "response");
    const char *recorded_text = step_text(step, "response_text");
    const char *text = answer->body.data ? answer->body.data : "";
    long status = (long)json_integer_value(json_object_get(step->line, "status"));
    size_t mark;

    if (answer->status != status) {
        mark = diffs_down(found, "status");
        diffs_add(found, "expected %ld, got %ld %.*s", status, answer->status, SHOWN_BYTES, text);
        diffs_up(found, mark);
    }
    if (first_drop) return;
    compare_content_type(step, answer, found);
    mark = diffs_down(found, "body");
    if (recorded) {
        json_t *got = json_parse(text, answer->body.bytes);

        if (got)
            compare_json(recorded, got, found);
        else
            diffs_add(found, "expected JSON, got %.*s", SHOWN_BYTES, text);
        json_decref(got);
    } else if (recorded_text) {
        compare_text(recorded_text, answer, found);
    }
    diffs_up(found, mark);
}

static void play_step(CURL *curl, const struct play *p, const struct recording *r, size_t i)
{
    const struct step *step = &r->steps[i];
    const char *reason = skips_reason(p->skips, r->name, step->name, p->is_standin);
    struct lks_err err = {0};
    struct answer answer = {0};
    struct diffs found;
    int64_t sent_ms;

    if (reason) {
        tap_skip(p->tap, r->name, step->name, reason);
        return;
    }
    diffs_init(&found, "response");
    buf_init(&answer.body, REPLY_MAX_BYTES);
    sent_ms = wire_now_ms();
    if (request(curl, p, step, &answer, &err) == LKS_E_OK) {
        play_compare_elapsed(step, wire_now_ms() - sent_ms, &found);
        if (json_object_get(step->line, "error"))
            diffs_add(&found, "expected the connection to be closed, got status %ld", answer.status);
        else
            compare_answer(step, play_is_first_drop(r, i), &answer, &found);
    } else if (!json_object_get(step->line, "error")) {
        diffs_add(&found, "%s", err.text);
    }
    tap_step(p->tap, r->name, step->name, &found);
    buf_fini(&answer.body);
    diffs_fini(&found);
}

/* Makes a collection beside the recording; that it is there already is as well. */
static void make_collection(CURL *curl, const struct play *p, const char *name)
{
    json_t *line =
        json_pack("{s:s, s:s+, s:s}", "method", "PUT", "path", "/collections/", name, "body_text", "{}");
    struct step step = {.line = line};
    struct answer answer = {0};
    struct lks_err err = {0};

    buf_init(&answer.body, REPLY_MAX_BYTES);
    if (line) request(curl, p, &step, &answer, &err);
    buf_fini(&answer.body);
    json_decref(line);
}

/* The name of the collection that a step makes, or NULL. */
static const char *made_by(const struct step *step)
{
    static const char prefix[] = "/collections/";
    const char *method = step_text(step, "method"), *path = step_text(step, "path");

    if (!method || strcmp(method, "PUT") != 0 || !path || strncmp(path, prefix, sizeof prefix - 1) != 0)
        return NULL;
    path += sizeof prefix - 1;
    return strpbrk(path, "/?%") ? NULL : path;
}

/*
 * Makes the collections that the recording met without having made them, because an earlier conversation had
 * left them: they are listed, or refused as already there.
 */
static void make_leftovers(CURL *curl, const struct play *p, const struct recording *r)
{
    json_t *made = json_object();

    for (size_t i = 0; i < r->count; i++) {
        const struct step *step = &r->steps[i];
        json_int_t status = json_integer_value(json_object_get(step->line, "status"));
        const json_t *result = json_object_get(json_object_get(step->line, "response"), "result");
        const char *name = made_by(step);

        if (name && status == 409 && !json_object_get(made, name)) make_collection(curl, p, name);
        if (name && (status == 200 || status == 409)) json_object_set_new(made, name, json_true());
        for (size_t n = 0; n < json_array_size(json_object_get(result, "collections")); n++) {
            const json_t *listed = json_array_get(json_object_get(result, "collections"), n);

            name = json_string_value(json_object_get(listed, "name"));
            if (name && !json_object_get(made, name)) make_collection(curl, p, name);
        }
    }
    json_decref(made);
}

void play_http(const struct play *p, const struct recording *r)
{
    CURL *curl = curl_easy_init();

    if (!curl) {
        tap_fail(p->tap, r->name, "libcurl does not start");
        return;
    }
    make_leftovers(curl, p, r);
    for (size_t i = 0; i < r->count; i++) {
        if (r->steps[i].name)
            play_step(curl, p, r, i);
        else if (step_ms(&r->steps[i], "sleep_ms") >= 0)
            play_sleep_ms(step_ms(&r->steps[i], "sleep_ms"));
        else
            tap_fail(p->tap, r->name, "a line that is neither a step nor a pause");
    }
    curl_easy_cleanup(curl);
}
