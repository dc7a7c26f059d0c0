/* reader.c - complaints and typed members. It owns nothing but what it puts into the caller's arena. */
#include "qdrant_store/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void reader_init(struct reader *r, struct pool *a, const char *text, size_t bytes, enum reader_place place)
{
    memset(r, 0, sizeof *r);
    r->arena = a;
    r->text = text;
    r->bytes = bytes;
    r->place = place;
    r->pin = bytes;
}

bool reader_ok(const struct reader *r)
{
    return !r->error && !r->invalid;
}

__attribute__((format(printf, 2, 0))) static char *format_in_arena(struct pool *a, const char *format,
                                                                   va_list args)
{
    va_list again;
    char *text;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    text = pool_take(a, (size_t)(n < 0 ? 0 : n) + 1);
    vsnprintf(text, (size_t)(n < 0 ? 0 : n) + 1, format, again);
    va_end(again);
    return text;
}

bool reader_fail(struct reader *r, size_t offset, const char *format, ...)
{
    char position[64] = "";
    va_list args;

    if (r->error) return false;
    va_start(args, format);
    r->error = format_in_arena(r->arena, format, args);
    va_end(args);
    if (r->place != READER_NOWHERE)
        json_position(r->text, r->bytes, r->place == READER_PINNED ? r->pin : offset, position,
                      sizeof position);
    r->located = pool_printf(r->arena, "%s%s", r->error, position);
    return false;
}

static size_t skip_space(const struct reader *r, size_t at)
{
    while (at < r->bytes &&
           (r->text[at] == ' ' || r->text[at] == '\n' || r->text[at] == '\t' || r->text[at] == '\r'))
        at++;
    return at;
}

size_t reader_after_member(const struct reader *r, const struct json *v)
{
    size_t at = skip_space(r, v->end);

    return at < r->bytes && r->text[at] == '}' ? at + 1 : at;
}

size_t reader_after_element(const struct reader *r, const struct json *v)
{
    size_t at = skip_space(r, v->end);

    if (at < r->bytes && r->text[at] == ']') return at + 1;
    return at < r->bytes && r->text[at] == ',' ? skip_space(r, at + 1) : at;
}

bool reader_mismatch(struct reader *r, const struct json *v, const char *expected)
{
    struct buf found;
    size_t at = v->end;

    buf_init(&found, 0);
    switch (v->type) {
    case JSON_NULL:
        buf_puts(&found, "null");
        break;
    case JSON_BOOL:
        buf_printf(&found, "boolean `%s`", v->u.boolean ? "true" : "false");
        break;
    case JSON_INT:
        buf_printf(&found, "integer `%lld`", (long long)v->u.integer);
        break;
    case JSON_UINT:
        buf_printf(&found, "integer `%llu`", (unsigned long long)v->u.uinteger);
        break;
    case JSON_FLOAT:
        buf_puts(&found, "floating point `");
        json_write_f64(&found, v->u.number);
        buf_putc(&found, '`');
        break;
    case JSON_STRING:
        buf_puts(&found, "string ");
        json_write_string(&found, v->u.string, v->count);
        break;
    case JSON_ARRAY:
        buf_puts(&found, "sequence");
        at = v->start;
        break;
    case JSON_OBJECT:
        buf_puts(&found, "map");
        at = v->start;
        break;
    }
    reader_fail(r, at, "invalid type: %s, expected %s", found.data, expected);
    buf_fini(&found);
    return false;
}

void reader_invalid(struct reader *r, const char *field, const char *format, ...)
{
    va_list args;
    const char *text;

    va_start(args, format);
    text = format_in_arena(r->arena, format, args);
    va_end(args);
    if (r->invalid)
        r->invalid = pool_printf(r->arena, "%s; %s: %s", r->invalid, field, text);
    else
        r->invalid = pool_printf(r->arena, "%s: %s", field, text);
}

static const struct json *member(const struct json *object, const char *key, bool *given)
{
    const struct json *v = json_get(object, key);

    if (v && v->type == JSON_NULL) v = NULL;
    if (given) *given = v != NULL;
    return v;
}

bool reader_bool(struct reader *r, const struct json *object, const char *key, bool *out, bool *given)
{
    const struct json *v = member(object, key, given);

    if (!v) return true;
    if (v->type != JSON_BOOL) return reader_mismatch(r, v, "a boolean");
    *out = v->u.boolean;
    return true;
}

bool reader_usize(struct reader *r, const struct json *object, const char *key, uint64_t *out, bool *given)
{
    const struct json *v = member(object, key, given);

    if (!v) return true;
    if (v->type == JSON_INT && v->u.integer < 0)
        return reader_fail(r, v->end, "invalid value: integer `%lld`, expected usize",
                           (long long)v->u.integer);
    if (v->type != JSON_INT && v->type != JSON_UINT) return reader_mismatch(r, v, "usize");
    *out = v->u.uinteger;
    return true;
}

bool reader_f64(struct reader *r, const struct json *object, const char *key, double *out, bool *given)
{
    const struct json *v = member(object, key, given);

    if (!v) return true;
    if (!json_is_number(v)) return reader_mismatch(r, v, "f32");
    *out = json_number(v);
    return true;
}

bool reader_string(struct reader *r, const struct json *object, const char *key, const struct json **out)
{
    const struct json *v = member(object, key, NULL);

    *out = NULL;
    if (!v) return true;
    if (v->type != JSON_STRING) return reader_mismatch(r, v, "a string");
    *out = v;
    return true;
}

bool reader_need(struct reader *r, const struct json *object, const char *key, const struct json **out)
{
    *out = json_get(object, key);
    if (*out) return true;
    return reader_fail(r, object->end, "missing field `%s`", key);
}
