/*
 * qdrant_scan.c - a cursor over JSON text.
 *
 * Owns nothing. Never recurses: values are stepped over by counting brackets outside of strings.
 */
#include "qdrant/qdrant_scan.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

void scan_init(struct scan *s, const char *text, size_t bytes)
{
    *s = (struct scan){.at = text, .end = text + bytes};
}

static bool scan_fail(struct scan *s)
{
    s->bad = true;
    s->at = s->end;
    return false;
}

char scan_peek(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r')) s->at++;
    return s->at < s->end ? *s->at : '\0';
}

static bool step_into(struct scan *s, char bracket)
{
    if (scan_peek(s) != bracket) {
        scan_skip(s, NULL);
        return false;
    }
    s->at++;
    return true;
}

/* Past a comma, or past the closing bracket: then false. */
static bool step_on(struct scan *s, char closing)
{
    char c = scan_peek(s);
    if (c == closing) {
        s->at++;
        return false;
    }
    if (c == ',') {
        s->at++;
        c = scan_peek(s);
    }
    return c ? true : scan_fail(s);
}

/* Past a string; false if it does not end. */
static bool skip_string(struct scan *s)
{
    for (s->at++; s->at < s->end; s->at++) {
        if (*s->at == '"') {
            s->at++;
            return true;
        }
        if (*s->at == '\\') s->at++;
    }
    return scan_fail(s);
}

bool scan_object(struct scan *s)
{
    return step_into(s, '{');
}

bool scan_member(struct scan *s, struct slice *key)
{
    if (s->bad || !step_on(s, '}')) return false;
    if (*s->at != '"') return scan_fail(s);
    key->data = s->at + 1;
    if (!skip_string(s)) return false;
    key->bytes = (size_t)(s->at - 1 - key->data);
    if (scan_peek(s) != ':') return scan_fail(s);
    s->at++;
    return true;
}

bool scan_array(struct scan *s)
{
    return step_into(s, '[');
}

bool scan_element(struct scan *s)
{
    return !s->bad && step_on(s, ']');
}

static void skip_scalar(struct scan *s)
{
    const char *from = s->at;
    while (s->at < s->end && !strchr(",]} \n\t\r", *s->at)) s->at++;
    if (s->at == from) scan_fail(s);
}

void scan_skip(struct scan *s, struct slice *raw)
{
    scan_peek(s);
    const char *from = s->at;
    size_t depth = 0;
    do {
        switch (scan_peek(s)) {
        case '\0':
            scan_fail(s);
            break;
        case '"':
            skip_string(s);
            break;
        case '{':
        case '[':
            depth++;
            s->at++;
            break;
        case '}':
        case ']':
            if (!depth)
                scan_fail(s);
            else
                s->at++;
            if (depth) depth--;
            break;
        case ',':
        case ':':
            if (!depth)
                scan_fail(s);
            else
                s->at++;
            break;
        default:
            skip_scalar(s);
        }
    } while (depth && !s->bad);
    if (raw) *raw = s->bad ? (struct slice){s->end, 0} : (struct slice){from, (size_t)(s->at - from)};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Four hex digits at `p`; -1 if they are none. */
static int32_t read_hex4(const char *p, const char *end)
{
    int32_t value = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[more] | c >> (6 * more));
    for (size_t i = 1; i <= more; i++) out[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

/* Decodes the \u escape whose digits begin at *p, a pair if it is one; lone halves become U+FFFD. */
static int32_t read_unicode(const char **p, const char *end)
{
    int32_t c = read_hex4(*p, end);
    if (c < 0) return -1;
    *p += 4;
    if (c >= 0xd800 && c < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        int32_t low = read_hex4(*p + 2, end);
        if (low >= 0xdc00 && low < 0xe000) {
            *p += 6;
            return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return c >= 0xd800 && c < 0xe000 ? 0xfffd : c;
}

/* Decodes what stands between the quotes; `out` has room for all of it. -1: not a string we can hold. */
static ptrdiff_t decode(struct slice raw, char *out)
{
    const char *p = raw.data, *end = raw.data + raw.bytes;
    char *to = out;
    while (p < end) {
        if (*p != '\\') {
            if (!*p) return -1;
            *to++ = *p++;
            continue;
        }
        if (++p == end) return -1;
        static const char from_letter[] = "\"\\/bfnrt", to_byte[] = "\"\\/\b\f\n\r\t";
        char letter = *p++;
        const char *known = letter ? strchr(from_letter, letter) : NULL;
        if (known) {
            *to++ = to_byte[known - from_letter];
        } else if (letter == 'u') {
            int32_t c = read_unicode(&p, end);
            if (c <= 0) return -1;
            to += put_utf8(to, (uint32_t)c);
        } else {
            return -1;
        }
    }
    *to = '\0';
    return to - out;
}

/* The text between the quotes of the string ahead; false, with the value consumed, if it is none. */
static bool string_ahead(struct scan *s, struct slice *inner)
{
    bool is_string = scan_peek(s) == '"';
    struct slice raw;
    scan_skip(s, &raw);
    if (!is_string || s->bad) return false;
    *inner = (struct slice){raw.data + 1, raw.bytes - 2};
    return true;
}

char *scan_string(struct scan *s)
{
    struct slice inner;
    if (!string_ahead(s, &inner)) return NULL;
    char *out = malloc(inner.bytes + 1);
    if (!out) s->nomem = true;
    if (out && decode(inner, out) < 0) {
        free(out);
        out = NULL;
    }
    return out;
}

bool scan_text(struct scan *s, char *out, size_t out_bytes)
{
    struct slice inner;
    out[0] = '\0';
    if (!string_ahead(s, &inner)) return false;
    if (inner.bytes < out_bytes) { /* decoding never makes it longer */
        if (decode(inner, out) >= 0) return true;
        out[0] = '\0';
        return false;
    }
    char *whole = malloc(inner.bytes + 1);
    if (!whole) s->nomem = true;
    ptrdiff_t bytes = whole ? decode(inner, whole) : -1;
    bool fits = bytes >= 0 && (size_t)bytes < out_bytes;
    if (fits) memcpy(out, whole, (size_t)bytes + 1);
    free(whole);
    return fits;
}

bool scan_double(struct scan *s, double *out)
{
    struct slice raw;
    char text[64];
    scan_skip(s, &raw);
    if (s->bad || !raw.bytes || raw.bytes >= sizeof text) return false;
    if (raw.data[0] != '-' && (raw.data[0] < '0' || raw.data[0] > '9')) return false;
    memcpy(text, raw.data, raw.bytes);
    text[raw.bytes] = '\0';
    char *end;
    *out = strtod(text, &end);
    return !*end;
}

/* Digits at `*at` into `mantissa`, as long as it stays exact in a double. False if it can't. */
static bool exact_digits(const char **at, const char *end, uint64_t *mantissa, int *count)
{
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, (*count)++) {
        if (*mantissa > ((UINT64_C(1) << 53) - 9) / 10) return false;
        *mantissa = *mantissa * 10 + (uint64_t)(**at - '0');
    }
    return true;
}

/* A plain decimal of few digits: both numbers are exact, so their quotient is rounded once. */
static bool plain_float(struct scan *s, float *out)
{
    static const double tens[] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *at = s->at;
    uint64_t mantissa = 0;
    int whole = 0, fraction = 0;
    bool negative = at < s->end && *at == '-';
    at += negative;
    if (!exact_digits(&at, s->end, &mantissa, &whole) || !whole) return false;
    if (at < s->end && *at == '.') {
        at++;
        if (!exact_digits(&at, s->end, &mantissa, &fraction) || !fraction || fraction > 22) return false;
    }
    if (at == s->end || (*at != ',' && *at != ']')) return false;
    double value = (double)mantissa / tens[fraction];
    *out = (float)(negative ? -value : value);
    s->at = at;
    return true;
}

bool scan_float(struct scan *s, float *out)
{
    double value;
    scan_peek(s);
    if (plain_float(s, out)) return true;
    if (!scan_double(s, &value) || !(value >= -FLT_MAX && value <= FLT_MAX)) return false;
    *out = (float)value;
    return true;
}

bool scan_uint(struct scan *s, uint64_t *out)
{
    struct scan again = *s;
    struct slice raw;
    scan_skip(s, &raw);
    uint64_t value = 0;
    size_t i = 0;
    while (i < raw.bytes && i < 18 && raw.data[i] >= '0' && raw.data[i] <= '9')
        value = value * 10 + (uint64_t)(raw.data[i++] - '0');
    if (i && i == raw.bytes) {
        *out = value;
        return true;
    }
    double number;
    if (!scan_double(&again, &number) || !(number >= 0 && number < 9223372036854775808.0)) return false;
    *out = (uint64_t)number;
    return true;
}

bool scan_bool(struct scan *s, bool *out)
{
    struct slice raw;
    scan_skip(s, &raw);
    *out = slice_is(raw, "true");
    return *out || slice_is(raw, "false");
}

bool slice_is(struct slice slice, const char *text)
{
    return slice.bytes == strlen(text) && !memcmp(slice.data, text, slice.bytes);
}
