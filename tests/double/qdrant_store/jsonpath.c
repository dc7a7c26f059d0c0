/* jsonpath.c - parsing and walking payload keys. It owns nothing. */
#include "qdrant_store/jsonpath.h"

#include <string.h>

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || (unsigned char)c >= 0x80;
}

static bool read_key(const char **at, const char *end, struct jsonpath_step *step)
{
    const char *start = *at;

    step->type = JSONPATH_KEY;
    if (start < end && *start == '"') {
        const char *close = memchr(start + 1, '"', (size_t)(end - start - 1));

        if (!close) return false;
        step->key = start + 1;
        step->key_bytes = (size_t)(close - start - 1);
        *at = close + 1;
        return true;
    }
    while (*at < end && plain(**at)) (*at)++;
    step->key = start;
    step->key_bytes = (size_t)(*at - start);
    return step->key_bytes > 0;
}

static bool read_bracket(const char **at, const char *end, struct jsonpath_step *step)
{
    (*at)++;
    step->type = JSONPATH_ANY;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        if (step->index > UINT64_MAX / 20) return false;
        step->type = JSONPATH_INDEX;
        step->index = step->index * 10 + (uint64_t)(**at - '0');
    }
    if (*at >= end || **at != ']') return false;
    (*at)++;
    return true;
}

static const char *canonical(struct pool *a, const struct jsonpath *path)
{
    struct buf text;
    char *out;

    buf_init(&text, 0);
    for (size_t i = 0; i < path->count; i++) {
        const struct jsonpath_step *s = &path->steps[i];
        bool quoted = s->key_bytes == 0;

        if (s->type == JSONPATH_ANY) {
            buf_puts(&text, "[]");
            continue;
        }
        if (s->type == JSONPATH_INDEX) {
            buf_printf(&text, "[%llu]", (unsigned long long)s->index);
            continue;
        }
        for (size_t k = 0; k < s->key_bytes; k++)
            if (!plain(s->key[k])) quoted = true;
        if (i) buf_putc(&text, '.');
        if (quoted) buf_putc(&text, '"');
        buf_put(&text, s->key, s->key_bytes);
        if (quoted) buf_putc(&text, '"');
    }
    out = pool_text(a, text.data, text.bytes);
    buf_fini(&text);
    return out;
}

bool jsonpath_parse(struct pool *a, const char *text, size_t bytes, struct jsonpath *out)
{
    const char *at = pool_text(a, text, bytes);
    const char *end = at + bytes;
    size_t space = 1;

    for (size_t i = 0; i < bytes; i++)
        if (text[i] == '.' || text[i] == '[') space++;
    out->steps = pool_zero(a, space * sizeof *out->steps);
    out->count = 0;
    for (;;) {
        if (!read_key(&at, end, &out->steps[out->count])) return false;
        out->count++;
        while (at < end && *at == '[') {
            if (!read_bracket(&at, end, &out->steps[out->count])) return false;
            out->count++;
        }
        if (at == end) break;
        if (*at != '.') return false;
        at++;
    }
    out->text = canonical(a, out);
    return true;
}

bool jsonpath_walk(const struct jsonpath *path, size_t from, const struct json *value, jsonpath_visit *visit,
                   void *user)
{
    const struct jsonpath_step *step;

    if (!value) return true;
    if (from == path->count) return visit(user, value);
    step = &path->steps[from];
    if (step->type == JSONPATH_KEY)
        return jsonpath_walk(path, from + 1, json_get_n(value, step->key, step->key_bytes), visit, user);
    if (value->type != JSON_ARRAY) return true;
    if (step->type == JSONPATH_INDEX)
        return step->index >= value->count ||
               jsonpath_walk(path, from + 1, &value->u.items[step->index], visit, user);
    for (uint32_t i = 0; i < value->count; i++)
        if (!jsonpath_walk(path, from + 1, &value->u.items[i], visit, user)) return false;
    return true;
}
