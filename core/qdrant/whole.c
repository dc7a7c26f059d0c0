/*
 * whole.c - hashes payloads that are really there.
 *
 * Numbers are read as doubles, which is what RFC 8785 has for all of them, so that 1e20 and
 * 100000000000000000000 are one. A payload that can't be read is none of ours. Owns nothing after it returns.
 */
#include "qdrant/whole.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/json_memory.h"

struct member {
    const char *key;
    size_t bytes;
    json_t *value;
};

static int by_key(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return json_key_compare(x->key, x->bytes, y->key, y->bytes);
}

static bool put(struct buf *out, json_t *value, int depth);

static bool put_object(struct buf *out, json_t *object, int depth)
{
    size_t count = 0;
    struct member *members = calloc(json_object_size(object) + 1, sizeof *members);
    if (!members) return false;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        members[count++] =
            (struct member){.key = key, .bytes = strlen(key), .value = json_object_iter_value(at)};
    }
    if (count > 1) qsort(members, count, sizeof *members, by_key);
    bool good = true;
    buf_putc(out, '{');
    for (size_t i = 0; i < count && good; i++) {
        if (i) buf_putc(out, ',');
        json_put_string(out, members[i].key, members[i].bytes);
        buf_putc(out, ':');
        good = put(out, members[i].value, depth + 1);
    }
    buf_putc(out, '}');
    free(members);
    return good;
}

static bool put_array(struct buf *out, const json_t *array, int depth)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i) buf_putc(out, ',');
        if (!put(out, json_array_get(array, i), depth + 1)) return false;
    }
    buf_putc(out, ']');
    return true;
}

static bool put(struct buf *out, json_t *value, int depth)
{
    if (depth > JSON_MAX_DEPTH) return false;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return put_object(out, value, depth);
    case JSON_ARRAY:
        return put_array(out, value, depth);
    case JSON_STRING:
        json_put_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        json_put_double(out, json_number_value(value));
        break;
    case JSON_TRUE:
        buf_puts(out, "true");
        break;
    case JSON_FALSE:
        buf_puts(out, "false");
        break;
    case JSON_NULL:
        buf_puts(out, "null");
        break;
    }
    return true;
}

static enum reply_state hash(json_t *object, char out[SHA256_HEX_BYTES])
{
    struct buf text;
    out[0] = '\0';
    buf_init(&text, 0);
    bool good = put(&text, object, 1), nomem = text.failed;
    struct hash_span span = {text.data, text.bytes};
    if (good && !nomem && !hash_sha256_hex(&span, 1, out)) nomem = true;
    buf_fini(&text);
    return nomem ? REPLY_NOMEM : REPLY_OK;
}

enum reply_state whole_is(const char *payload, size_t bytes, const char *expected, bool *same)
{
    char is[SHA256_HEX_BYTES];
    (void)json_memory_was_out();
    json_t *object = json_loadb(payload, bytes, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    enum reply_state state = json_memory_was_out() ? REPLY_NOMEM : REPLY_OK;
    *same = false;
    if (state == REPLY_OK && json_is_object(object)) {
        json_object_del(object, "_lockstep");
        state = hash(object, is);
        *same = strcmp(is, expected) == 0;
        if (state == REPLY_OK && !*same && json_object_del(object, "timestamp") == 0) {
            state = hash(object, is);
            *same = strcmp(is, expected) == 0;
        }
    }
    json_decref(object);
    return state;
}

/* One point of the result; the stamp of the same place in the list is its own. */
static enum reply_state check_point(struct scan *s, struct stamp *w)
{
    struct slice key, raw;
    bool same = false;
    enum reply_state state = REPLY_OK;
    if (!scan_object(s)) return REPLY_BROKEN;
    while (scan_member(s, &key)) {
        bool payload = slice_is(key, "payload");
        scan_skip(s, &raw);
        if (payload && w->ours && state == REPLY_OK)
            state = whole_is(raw.data, raw.bytes, w->payload_hash, &same);
    }
    if (w->ours && !same) w->payload_hash[0] = '\0';
    return state;
}

enum reply_state whole_check(struct slice result, struct stamp *items, size_t count)
{
    struct scan s;
    size_t i = 0;
    scan_init(&s, result.data, result.bytes);
    if (!scan_array(&s)) return REPLY_BROKEN;
    while (scan_element(&s)) {
        enum reply_state state = i < count ? check_point(&s, &items[i++]) : REPLY_BROKEN;
        if (state != REPLY_OK) return state;
    }
    return s.bad ? REPLY_BROKEN : REPLY_OK;
}
