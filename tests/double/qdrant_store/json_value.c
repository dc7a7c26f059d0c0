/*
 * json_value.c - looking into parsed values and writing them as serde_json does. It owns nothing; it never
 * reads JSON text.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_store/json.h"

const struct json *json_get_n(const struct json *object, const char *key, size_t key_bytes)
{
    if (!object || object->type != JSON_OBJECT) return NULL;
    for (uint32_t i = 0; i < object->count; i++) {
        const struct json_member *m = &object->u.members[i];

        if (m->key_bytes == key_bytes && memcmp(m->key, key, key_bytes) == 0) return &m->value;
    }
    return NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
    return json_get_n(object, key, strlen(key));
}

bool json_is_number(const struct json *v)
{
    return v->type == JSON_INT || v->type == JSON_UINT || v->type == JSON_FLOAT;
}

double json_number(const struct json *v)
{
    switch (v->type) {
    case JSON_INT:
        return (double)v->u.integer;
    case JSON_UINT:
        return (double)v->u.uinteger;
    case JSON_FLOAT:
        return v->u.number;
    default:
        return 0;
    }
}

bool json_string_is(const struct json *v, const char *text)
{
    return v && v->type == JSON_STRING && v->count == strlen(text) &&
           memcmp(v->u.string, text, v->count) == 0;
}

static bool objects_equal(const struct json *a, const struct json *b)
{
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct json_member *m = &a->u.members[i];
        const struct json *other = json_get_n(b, m->key, m->key_bytes);

        if (!other || !json_equal(&m->value, other)) return false;
    }
    return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (a->type != b->type) return false;
    switch (a->type) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return a->u.boolean == b->u.boolean;
    case JSON_INT:
    case JSON_UINT:
        return a->u.uinteger == b->u.uinteger;
    case JSON_FLOAT:
        return !(a->u.number < b->u.number) && !(a->u.number > b->u.number);
    case JSON_STRING:
        return a->count == b->count && memcmp(a->u.string, b->u.string, a->count) == 0;
    case JSON_ARRAY:
        if (a->count != b->count) return false;
        for (uint32_t i = 0; i < a->count; i++)
            if (!json_equal(&a->u.items[i], &b->u.items[i])) return false;
        return true;
    case JSON_OBJECT:
        return objects_equal(a, b);
    }
    return false;
}

struct json json_make_string(const char *text, size_t bytes)
{
    struct json v = {.type = JSON_STRING, .count = (uint32_t)bytes};

    v.u.string = text;
    return v;
}

struct json json_make_int(int64_t n)
{
    struct json v = {.type = JSON_INT};

    v.u.integer = n;
    return v;
}

void json_write_string(struct buf *out, const char *text, size_t bytes)
{
    size_t from = 0;

    buf_putc(out, '"');
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        char escape[8];

        if (c >= 0x20 && c != '"' && c != '\\') continue;
        buf_put(out, text + from, i - from);
        from = i + 1;
        switch (c) {
        case '"':
            buf_put(out, "\\\"", 2);
            break;
        case '\\':
            buf_put(out, "\\\\", 2);
            break;
        case '\b':
            buf_put(out, "\\b", 2);
            break;
        case '\f':
            buf_put(out, "\\f", 2);
            break;
        case '\n':
            buf_put(out, "\\n", 2);
            break;
        case '\r':
            buf_put(out, "\\r", 2);
            break;
        case '\t':
            buf_put(out, "\\t", 2);
            break;
        default:
            snprintf(escape, sizeof escape, "\\u%04x", c);
            buf_put(out, escape, 6);
        }
    }
    buf_put(out, text + from, bytes - from);
    buf_putc(out, '"');
}

/* Lays out `digits` (no trailing zeros) times 10^`exponent` (of the first digit): plain between the two
 * limits, else with an exponent. */
static void write_decimal(struct buf *out, const char *digits, int count, int exponent, int smallest,
                          int largest)
{
    char text[64];
    int n = 0;

    if (exponent >= smallest && exponent < 0) {
        text[n++] = '0';
        text[n++] = '.';
        for (int i = -1; i > exponent; i--) text[n++] = '0';
        for (int i = 0; i < count; i++) text[n++] = digits[i];
    } else if (exponent >= 0 && exponent <= largest) {
        for (int i = 0; i < count || i <= exponent; i++) {
            if (i == exponent + 1) text[n++] = '.';
            text[n++] = i < count ? digits[i] : '0';
        }
        if (count <= exponent + 1) {
            text[n++] = '.';
            text[n++] = '0';
        }
    } else {
        text[n++] = digits[0];
        if (count > 1) text[n++] = '.';
        for (int i = 1; i < count; i++) text[n++] = digits[i];
        n += snprintf(text + n, sizeof text - (size_t)n, "e%c%d", exponent < 0 ? '-' : '+', abs(exponent));
    }
    buf_put(out, text, (size_t)n);
}

/* Takes "d.ddde+XX" apart and writes it. */
static void write_scientific(struct buf *out, const char *text, int smallest, int largest)
{
    char digits[32];
    int count = 0;
    const char *at = text;

    for (; *at && *at != 'e'; at++)
        if (*at != '.' && count < 31) digits[count++] = *at;
    while (count > 1 && digits[count - 1] == '0') count--;
    write_decimal(out, digits, count, *at == 'e' ? (int)strtol(at + 1, NULL, 10) : 0, smallest, largest);
}

void json_write_f64(struct buf *out, double v)
{
    char text[40];

    if (!isfinite(v)) {
        buf_puts(out, "null");
        return;
    }
    if (signbit(v)) buf_putc(out, '-');
    v = fabs(v);
    if (v <= 0) {
        buf_puts(out, "0.0");
        return;
    }
    for (int precision = 14; precision <= 16; precision++) {
        double back;

        snprintf(text, sizeof text, "%.*e", precision, v);
        back = strtod(text, NULL);
        if (!(back < v) && !(back > v)) break;
    }
    write_scientific(out, text, -5, 15);
}

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static double scale(double v, int exponent)
{
    return exponent < 0 ? v / powers[-exponent] : v * powers[exponent];
}

/*
 * The shortest digits of an ordinary float, by trying 1 to 9 of them in double arithmetic: exact enough for a
 * float's 24 bits, and checked by reading back. False if none did, or if the exponent leaves the table.
 */
static bool shortest_f32(float v, char *digits, int *count, int *exponent)
{
    double d = (double)v;
    int e = (int)floor(log10(d));

    if (e < -13 || e > 20) return false;
    if (scale(d, -e) >= 10) e++;
    for (int n = 1; n <= 9; n++) {
        long long m = llround(scale(d, n - 1 - e));
        float back = (float)scale((double)m, e - (n - 1));

        if (back < v || back > v) continue;
        if (m >= (long long)powers[n]) {
            m /= 10;
            e++;
        }
        *count = snprintf(digits, 16, "%lld", m);
        while (*count > 1 && digits[*count - 1] == '0') (*count)--;
        *exponent = e;
        return true;
    }
    return false;
}

void json_write_f32(struct buf *out, float v)
{
    char text[40];
    char digits[16];
    int count;
    int exponent;

    if (!isfinite(v)) {
        buf_puts(out, "null");
        return;
    }
    if (signbit(v)) buf_putc(out, '-');
    v = fabsf(v);
    if (v <= 0) {
        buf_puts(out, "0.0");
        return;
    }
    if (shortest_f32(v, digits, &count, &exponent)) {
        write_decimal(out, digits, count, exponent, -6, 12);
        return;
    }
    for (int precision = 0; precision <= 8; precision++) {
        float back;

        snprintf(text, sizeof text, "%.*e", precision, (double)v);
        back = strtof(text, NULL);
        if (!(back < v) && !(back > v)) break;
    }
    write_scientific(out, text, -6, 12);
}

void json_write(struct buf *out, const struct json *v)
{
    switch (v->type) {
    case JSON_NULL:
        buf_put(out, "null", 4);
        break;
    case JSON_BOOL:
        buf_puts(out, v->u.boolean ? "true" : "false");
        break;
    case JSON_INT:
        buf_printf(out, "%lld", (long long)v->u.integer);
        break;
    case JSON_UINT:
        buf_printf(out, "%llu", (unsigned long long)v->u.uinteger);
        break;
    case JSON_FLOAT:
        json_write_f64(out, v->u.number);
        break;
    case JSON_STRING:
        json_write_string(out, v->u.string, v->count);
        break;
    case JSON_ARRAY:
        buf_putc(out, '[');
        for (uint32_t i = 0; i < v->count; i++) {
            if (i) buf_putc(out, ',');
            json_write(out, &v->u.items[i]);
        }
        buf_putc(out, ']');
        break;
    case JSON_OBJECT:
        buf_putc(out, '{');
        for (uint32_t i = 0; i < v->count; i++) {
            const struct json_member *m = &v->u.members[i];

            if (i) buf_putc(out, ',');
            json_write_string(out, m->key, m->key_bytes);
            buf_putc(out, ':');
            json_write(out, &m->value);
        }
        buf_putc(out, '}');
        break;
    }
}
