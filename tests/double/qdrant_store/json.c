/*
 * json.c - the parser of json.h. It owns the stacks it collects elements on; the values go to the caller's
 * arena. It never looks at what the values mean.
 *
 * Error offsets follow serde_json: `error` stands at what was read, `peek_error` one byte further.
 */
#include "qdrant_store/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "qdrant_store/pointid.h"

#define MAX_DEPTH 128
#define NARROW_OBJECT 32

struct parser {
    struct pool *arena;
    const char *text;
    size_t bytes;
    size_t at;
    int depth_left;
    struct json *items; /* elements of the arrays that are open, innermost last */
    size_t items_used;
    size_t items_capacity;
    struct json_member *members;
    size_t members_used;
    size_t members_capacity;
    const char *complaint;
    size_t complaint_at;
};

static bool parse_value(struct parser *p, struct json *out);

void json_position(const char *text, size_t bytes, size_t offset, char *out, size_t out_bytes)
{
    size_t line = 1;
    size_t start = 0;

    if (offset > bytes) offset = bytes;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] != '\n') continue;
        line++;
        start = i + 1;
    }
    snprintf(out, out_bytes, " at line %zu column %zu", line, offset - start);
}

static bool error(struct parser *p, const char *complaint)
{
    p->complaint = complaint;
    p->complaint_at = p->at;
    return false;
}

static bool peek_error(struct parser *p, const char *complaint)
{
    p->complaint = complaint;
    p->complaint_at = p->at < p->bytes ? p->at + 1 : p->bytes;
    return false;
}

/* The next byte that is not white space, or -1 at the end. */
static int peek_token(struct parser *p)
{
    while (p->at < p->bytes) {
        char c = p->text[p->at];

        if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return (unsigned char)c;
        p->at++;
    }
    return -1;
}

static bool parse_ident(struct parser *p, const char *rest)
{
    p->at++;
    for (; *rest; rest++) {
        if (p->at >= p->bytes) return error(p, "EOF while parsing a value");
        if (p->text[p->at++] != *rest) return error(p, "expected ident");
    }
    return true;
}

static bool hex4(struct parser *p, unsigned *out)
{
    unsigned v = 0;

    if (p->bytes - p->at < 4) {
        p->at = p->bytes;
        return error(p, "EOF while parsing a string");
    }
    for (int i = 0; i < 4; i++) {
        char c = p->text[p->at + (size_t)i];
        unsigned d;

        if (c >= '0' && c <= '9')
            d = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            d = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            d = (unsigned)(c - 'A') + 10;
        else {
            p->at += 4;
            return error(p, "invalid escape");
        }
        v = v << 4 | d;
    }
    p->at += 4;
    *out = v;
    return true;
}

static char *put_char(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

static bool parse_unicode(struct parser *p, char **out)
{
    unsigned lead;
    unsigned trail;

    if (!hex4(p, &lead)) return false;
    if (lead >= 0xdc00 && lead <= 0xdfff) return error(p, "lone leading surrogate in hex escape");
    if (lead < 0xd800 || lead > 0xdbff) {
        *out = put_char(*out, lead);
        return true;
    }
    for (const char *want = "\\u"; *want; want++) {
        bool there = p->at < p->bytes && p->text[p->at] == *want;

        if (p->at < p->bytes) p->at++;
        if (!there) return error(p, "unexpected end of hex escape");
    }
    if (!hex4(p, &trail)) return false;
    if (trail < 0xdc00 || trail > 0xdfff) return error(p, "lone leading surrogate in hex escape");
    *out = put_char(*out, 0x10000 + ((lead - 0xd800) << 10) + (trail - 0xdc00));
    return true;
}

static bool parse_escape(struct parser *p, char **out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const char *found;
    char c;

    if (p->at >= p->bytes) return error(p, "EOF while parsing a string");
    c = p->text[p->at++];
    if (c == 'u') return parse_unicode(p, out);
    found = c ? strchr(from, c) : NULL;
    if (!found) return error(p, "invalid escape");
    *(*out)++ = to[found - from];
    return true;
}

/* Reads the rest of a string whose opening quote is behind us. */
static bool parse_string(struct parser *p, const char **text, uint32_t *bytes)
{
    size_t start = p->at;
    size_t end = start;
    bool ascii = true;
    char *copy;
    char *out;

    while (end < p->bytes && p->text[end] != '"' && p->text[end] != '\\' &&
           (unsigned char)p->text[end] >= 0x20) {
        if ((unsigned char)p->text[end] >= 0x80) ascii = false;
        end++;
    }
    if (end < p->bytes && p->text[end] == '"') { /* nothing to unescape */
        p->at = end + 1;
        if (!ascii && !utf8_valid(p->text + start, end - start))
            return error(p, "invalid unicode code point");
        *text = pool_text(p->arena, p->text + start, end - start);
        *bytes = (uint32_t)(end - start);
        return true;
    }
    while (end < p->bytes && p->text[end] != '"') end += p->text[end] == '\\' && end + 1 < p->bytes ? 2 : 1;
    copy = out = pool_take(p->arena, end - start + 8);
    for (;;) {
        char c;

        if (p->at >= p->bytes) return error(p, "EOF while parsing a string");
        c = p->text[p->at++];
        if (c == '"') break;
        if (c == '\\') {
            if (!parse_escape(p, &out)) return false;
        } else if ((unsigned char)c < 0x20) {
            return error(p, "control character (\\u0000-\\u001F) found while parsing a string");
        } else {
            *out++ = c;
        }
    }
    *out = '\0';
    if (!utf8_valid(copy, (size_t)(out - copy))) return error(p, "invalid unicode code point");
    *text = copy;
    *bytes = (uint32_t)(out - copy);
    return true;
}

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* A float from its digits; small ones exactly and fast, the rest by strtod. */
static bool make_float(struct parser *p, size_t start, uint64_t digits, bool exact, int exponent,
                       bool negative, struct json *out)
{
    double v;

    out->type = JSON_FLOAT;
    if (exact && digits <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 22) {
        v = (double)digits;
        v = exponent < 0 ? v / powers[-exponent] : v * powers[exponent];
        out->u.number = negative ? -v : v;
        return true;
    }
    char *copy = pool_text(p->arena, p->text + start, p->at - start);

    v = strtod(copy, NULL);
    if (isinf(v)) return error(p, "number out of range");
    out->u.number = v;
    return true;
}

static bool is_digit(const struct parser *p)
{
    return p->at < p->bytes && p->text[p->at] >= '0' && p->text[p->at] <= '9';
}

static bool parse_exponent(struct parser *p, int *exponent)
{
    bool negative = false;
    int v = 0;

    p->at++;
    if (p->at < p->bytes && (p->text[p->at] == '+' || p->text[p->at] == '-'))
        negative = p->text[p->at++] == '-';
    if (p->at >= p->bytes) return error(p, "EOF while parsing a value");
    if (!is_digit(p)) {
        p->at++;
        return error(p, "invalid number");
    }
    for (; is_digit(p); p->at++)
        if (v < 100000) v = v * 10 + (p->text[p->at] - '0');
    *exponent += negative ? -v : v;
    return true;
}

static bool parse_number(struct parser *p, struct json *out)
{
    size_t start = p->at;
    bool negative = p->text[p->at] == '-';
    bool exact = true; /* `digits` holds them all */
    bool real = false;
    uint64_t digits = 0;
    int exponent = 0;

    if (negative) p->at++;
    if (p->at >= p->bytes) return error(p, "EOF while parsing a value");
    if (!is_digit(p)) {
        p->at++;
        return error(p, "invalid number");
    }
    if (p->text[p->at] == '0') {
        p->at++;
        if (is_digit(p)) return peek_error(p, "invalid number");
    }
    for (; is_digit(p); p->at++) {
        unsigned d = (unsigned)(p->text[p->at] - '0');

        if (digits > (UINT64_MAX - d) / 10) exact = false;
        if (exact) digits = digits * 10 + d;
    }
    if (!exact) real = true;
    if (p->at < p->bytes && p->text[p->at] == '.') {
        real = true;
        p->at++;
        if (p->at >= p->bytes) return peek_error(p, "EOF while parsing a value");
        if (!is_digit(p)) return peek_error(p, "invalid number");
        for (; is_digit(p); p->at++) {
            unsigned d = (unsigned)(p->text[p->at] - '0');

            if (digits > (UINT64_MAX - d) / 10) exact = false;
            if (!exact) continue;
            digits = digits * 10 + d;
            exponent--;
        }
    }
    if (p->at < p->bytes && (p->text[p->at] == 'e' || p->text[p->at] == 'E')) {
        real = true;
        if (!parse_exponent(p, &exponent)) return false;
    }
    if (real) return make_float(p, start, digits, exact, exponent, negative, out);
    if (!negative) {
        out->type = digits > INT64_MAX ? JSON_UINT : JSON_INT;
        out->u.uinteger = digits;
    } else if (digits == 0 || digits > (uint64_t)INT64_MAX + 1) {
        out->type = JSON_FLOAT; /* -0, and what is below the smallest integer */
        out->u.number = -(double)digits;
    } else {
        out->type = JSON_INT;
        out->u.integer = (int64_t)(~digits + 1);
    }
    return true;
}

static void push_item(struct parser *p, const struct json *v)
{
    if (p->items_used == p->items_capacity) {
        p->items_capacity = p->items_capacity ? p->items_capacity * 2 : 64;
        p->items = must_realloc(p->items, p->items_capacity * sizeof *p->items);
    }
    p->items[p->items_used++] = *v;
}

static bool parse_array(struct parser *p, struct json *out)
{
    size_t base = p->items_used;
    int c;

    out->type = JSON_ARRAY;
    p->at++;
    c = peek_token(p);
    if (c == ']') goto done;
    for (;;) {
        struct json v;

        if (c < 0) return peek_error(p, "EOF while parsing a list");
        if (!parse_value(p, &v)) return false;
        push_item(p, &v);
        c = peek_token(p);
        if (c == ']') break;
        if (c < 0) return peek_error(p, "EOF while parsing a list");
        if (c != ',') return peek_error(p, "expected `,` or `]`");
        p->at++;
        c = peek_token(p);
        if (c == ']') return peek_error(p, "trailing comma");
        if (c < 0) return peek_error(p, "EOF while parsing a value");
    }
done:
    p->at++;
    out->count = (uint32_t)(p->items_used - base);
    out->u.items = NULL;
    if (out->count) {
        out->u.items = pool_take(p->arena, out->count * sizeof *out->u.items);
        memcpy(out->u.items, p->items + base, out->count * sizeof *out->u.items);
    }
    p->items_used = base;
    return true;
}

static bool same_key(const struct json_member *a, const struct json_member *b)
{
    return a->key_bytes == b->key_bytes && memcmp(a->key, b->key, a->key_bytes) == 0;
}

/* Adds a member; a key that is there keeps its place and takes the new value. Wide objects are looked through
 * at their end, by `drop_doubles`. */
static void push_member(struct parser *p, size_t base, const struct json_member *m)
{
    if (p->members_used - base < NARROW_OBJECT) {
        for (size_t i = base; i < p->members_used; i++) {
            if (!same_key(&p->members[i], m)) continue;
            p->members[i].value = m->value;
            return;
        }
    }
    if (p->members_used == p->members_capacity) {
        p->members_capacity = p->members_capacity ? p->members_capacity * 2 : 64;
        p->members = must_realloc(p->members, p->members_capacity * sizeof *p->members);
    }
    p->members[p->members_used++] = *m;
}

static void drop_doubles(struct parser *p, size_t base)
{
    struct json_member *list;
    size_t count = p->members_used - base;
    size_t capacity = 64;
    size_t kept = 0;
    uint32_t *table; /* index + 1 of a member, 0 if free */

    if (count <= NARROW_OBJECT) return;
    list = p->members + base;
    while (capacity < count * 2) capacity *= 2;
    table = must_alloc(capacity * sizeof *table);
    memset(table, 0, capacity * sizeof *table);
    for (size_t i = 0; i < count; i++) {
        size_t at = (size_t)hash_bytes(list[i].key, list[i].key_bytes, 0) & (capacity - 1);

        while (table[at] && !same_key(&list[table[at] - 1], &list[i])) at = (at + 1) & (capacity - 1);
        if (table[at]) {
            list[table[at] - 1].value = list[i].value;
            continue;
        }
        list[kept] = list[i];
        table[at] = (uint32_t)++kept;
    }
    p->members_used = base + kept;
    free(table);
}

static bool parse_object(struct parser *p, struct json *out)
{
    size_t base = p->members_used;
    int c;

    out->type = JSON_OBJECT;
    p->at++;
    c = peek_token(p);
    if (c == '}') goto done;
    for (;;) {
        struct json_member m;

        if (c < 0) return peek_error(p, "EOF while parsing an object");
        if (c != '"') return peek_error(p, "key must be a string");
        p->at++;
        if (!parse_string(p, &m.key, &m.key_bytes)) return false;
        c = peek_token(p);
        if (c < 0) return peek_error(p, "EOF while parsing an object");
        if (c != ':') return peek_error(p, "expected `:`");
        p->at++;
        if (!parse_value(p, &m.value)) return false;
        push_member(p, base, &m);
        c = peek_token(p);
        if (c == '}') break;
        if (c < 0) return peek_error(p, "EOF while parsing an object");
        if (c != ',') return peek_error(p, "expected `,` or `}`");
        p->at++;
        c = peek_token(p);
        if (c == '}') return peek_error(p, "trailing comma");
        if (c < 0) return peek_error(p, "EOF while parsing a value");
    }
done:
    p->at++;
    drop_doubles(p, base);
    out->count = (uint32_t)(p->members_used - base);
    out->u.members = NULL;
    if (out->count) {
        out->u.members = pool_take(p->arena, out->count * sizeof *out->u.members);
        memcpy(out->u.members, p->members + base, out->count * sizeof *out->u.members);
    }
    p->members_used = base;
    return true;
}

static bool parse_nested(struct parser *p, struct json *out, bool (*parse)(struct parser *, struct json *))
{
    bool ok;

    if (--p->depth_left == 0) return peek_error(p, "recursion limit exceeded");
    ok = parse(p, out);
    p->depth_left++;
    return ok;
}

static bool parse_value(struct parser *p, struct json *out)
{
    int c = peek_token(p);
    bool ok;

    out->count = 0;
    out->start = (uint32_t)p->at;
    switch (c) {
    case -1:
        return peek_error(p, "EOF while parsing a value");
    case 'n':
        out->type = JSON_NULL;
        ok = parse_ident(p, "ull");
        break;
    case 't':
        out->type = JSON_BOOL;
        out->u.boolean = true;
        ok = parse_ident(p, "rue");
        break;
    case 'f':
        out->type = JSON_BOOL;
        out->u.boolean = false;
        ok = parse_ident(p, "alse");
        break;
    case '"':
        p->at++;
        out->type = JSON_STRING;
        ok = parse_string(p, &out->u.string, &out->count);
        break;
    case '[':
        ok = parse_nested(p, out, parse_array);
        break;
    case '{':
        ok = parse_nested(p, out, parse_object);
        break;
    default:
        if (c != '-' && (c < '0' || c > '9')) return peek_error(p, "expected value");
        ok = parse_number(p, out);
    }
    out->end = (uint32_t)p->at;
    return ok;
}

bool json_parse(struct pool *a, const char *text, size_t bytes, struct json *out, struct json_error *err)
{
    struct parser p = {.arena = a, .text = text, .bytes = bytes, .depth_left = MAX_DEPTH};
    char position[64];
    bool ok = parse_value(&p, out);

    if (ok && peek_token(&p) >= 0) ok = peek_error(&p, "trailing characters");
    if (!ok && err) {
        json_position(text, bytes, p.complaint_at, position, sizeof position);
        snprintf(err->text, sizeof err->text, "%s%s", p.complaint, position);
    }
    free(p.items);
    free(p.members);
    return ok;
}
