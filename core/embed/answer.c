/* answer.c - see answer.h and provider.h. Trusts nothing that a server sends: counts, lengths and numbers are
 * checked. */
#include "embed/answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_memory.h"

#define DIMENSIONS_MAX 65536 /* Qdrant's own limit */

bool answer_init(struct answer *a, size_t count)
{
    *a = (struct answer){.count = count};
    a->vectors = calloc(count ? count : 1, sizeof(float *));
    a->taken = calloc(count ? count : 1, sizeof *a->taken);
    if (a->vectors && a->taken) return true;
    answer_fini(a);
    return false;
}

void answer_fini(struct answer *a)
{
    for (size_t i = 0; a->vectors && i < a->count; i++) free(a->vectors[i]);
    free(a->vectors);
    free(a->taken);
    *a = (struct answer){0};
}

/* ---- what goes out ---- */

static void escape(struct buf *out, const char *text, size_t bytes)
{
    size_t plain = 0; /* begin of what needs no escape */
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 32 && c != '"' && c != '\\') continue;
        buf_put(out, text + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\')
            buf_putc(out, '\\'), buf_putc(out, (char)c);
        else if (c == '\n')
            buf_puts(out, "\\n");
        else if (c == '\t')
            buf_puts(out, "\\t");
        else
            buf_printf(out, "\\u%04x", c);
    }
    buf_put(out, text + plain, bytes - plain);
}

void body_string(struct buf *out, const char *text, size_t bytes)
{
    buf_putc(out, '"');
    escape(out, text, bytes);
    buf_putc(out, '"');
}

void body_texts(struct buf *out, const struct ask *ask)
{
    size_t prefix = strlen(ask->prefix);
    for (size_t i = 0; i < ask->count; i++) {
        buf_puts(out, i ? ",\"" : "[\"");
        escape(out, ask->prefix, prefix);
        escape(out, ask->texts[i], ask->text_bytes[i]);
        buf_putc(out, '"');
    }
    buf_puts(out, ask->count ? "]" : "[]");
}

/* ---- what comes back ---- */

static bool memory_is_out(struct lks_err *err)
{
    (void)lks_fail(err, LKS_E_NOMEM, "out of memory for the embedding server's answer");
    return false;
}

/* Numbers that JSON can't hold, as Python and others write them. */
static const char *no_number(const char *at, const char *end, size_t *bytes)
{
    static const char *const names[] = {"NaN", "-Infinity", "Infinity"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        *bytes = strlen(names[i]);
        if ((size_t)(end - at) >= *bytes && memcmp(at, names[i], *bytes) == 0) return names[i];
    }
    return NULL;
}

/* The reply with quotes around such numbers, so that they can be read, and named; empty if there are none. */
static void quote_no_numbers(const char *reply, size_t bytes, struct buf *out)
{
    const char *end = reply + bytes, *plain = reply;
    bool text = false;
    for (const char *at = reply; at < end; at++) {
        size_t length;
        if (*at == '"') text = !text;
        if (text && *at == '\\') at++;
        const char *name = text || at >= end ? NULL : no_number(at, end, &length);
        if (!name) continue;
        buf_put(out, plain, (size_t)(at - plain));
        body_string(out, name, length);
        at += length - 1;
        plain = at + 1;
    }
    if (out->bytes > 0 && plain < end) buf_put(out, plain, (size_t)(end - plain));
}

static json_t *load(const char *reply, size_t bytes, json_error_t *reason)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF"; /* RFC 8259: may be ignored */
    if (bytes >= 3 && memcmp(reply, byte_order_mark, 3) == 0) reply += 3, bytes -= 3;
    json_t *root = json_loadb(reply, bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, reason);
    struct buf quoted;
    buf_init(&quoted, 0);
    if (!root) quote_no_numbers(reply, bytes, &quoted);
    if (quoted.bytes && !quoted.failed)
        root = json_loadb(quoted.data, quoted.bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, reason);
    buf_fini(&quoted);
    return root;
}

json_t *answer_parse(const char *reply, size_t bytes, struct lks_err *err)
{
    json_error_t reason;
    (void)json_memory_was_out();
    json_t *root = load(reply ? reply : "", reply ? bytes : 0, &reason);
    if (json_memory_was_out()) { /* jansson may have left out a digit */
        json_decref(root);
        (void)memory_is_out(err);
        return NULL;
    }
    if (root) return root;
    char *quote = strstr(reason.text, " near "); /* from here on it repeats the answer, whatever is in that */
    if (quote) *quote = '\0';
    (void)lks_fail(err, LKS_E_EMBEDDING_UNAVAILABLE,
                   "the embedding server's answer is no JSON (%s at byte %d): check `url` of the embedding",
                   reason.text, reason.position);
    return NULL;
}

static bool not_ours(struct lks_err *err, const char *what)
{
    (void)lks_fail(err, LKS_E_EMBEDDING_UNAVAILABLE, "the embedding server's answer makes no sense: %s",
                   what);
    return false;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Decodes to floats; NULL if it is no base64 of whole floats, with a count of 0, or memory is out. */
static float *base64_floats(const char *text, size_t bytes, size_t *count)
{
    *count = 0;
    while (bytes > 0 && text[bytes - 1] == '=') bytes--;
    size_t total = bytes * 3 / 4;
    if (total == 0 || total % 4 != 0 || total / 4 > DIMENSIONS_MAX) return NULL;
    unsigned char *raw = malloc(total + 3);
    float *out = raw ? malloc(total) : NULL;
    uint32_t bits = 0;
    size_t have = 0, n = 0;
    bool ok = out != NULL;
    *count = total / 4;
    for (size_t i = 0; ok && i < bytes; i++) {
        int digit = base64_digit(text[i]);
        ok = digit >= 0;
        bits = bits << 6 | (uint32_t)(digit & 63);
        have += 6;
        if (have >= 8) have -= 8, raw[n++] = (unsigned char)(bits >> have);
    }
    for (size_t i = 0; ok && i < total / 4; i++) {
        const unsigned char *b = raw + 4 * i;
        uint32_t word = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&out[i], &word, sizeof word);
    }
    free(raw);
    if (ok || !out) return out;
    *count = 0;
    free(out);
    return NULL;
}

/* Numbers as they stand; anything else as NaN. NULL if there are none or too many, with a count of 0, or
 * memory is out. */
static float *number_floats(const json_t *array, size_t *count)
{
    *count = json_array_size(array);
    if (*count > DIMENSIONS_MAX) *count = 0;
    float *out = *count ? malloc(*count * sizeof *out) : NULL;
    for (size_t i = 0; out && i < *count; i++) {
        const json_t *number = json_array_get(array, i);
        out[i] = json_is_number(number) ? (float)json_number_value(number) : NAN;
    }
    return out;
}

/* Notes what is wrong with a vector that holds something else than finite numbers. */
static void note_flaw(struct answer *a, const float *vector, size_t count, const json_t *given)
{
    size_t at = 0;
    while (at < count && isfinite(vector[at])) at++;
    const json_t *number = json_array_get(given, at);
    const char *name = json_is_string(number) ? json_string_value(number)
                       : json_is_null(number) ? "null"
                       : isnan(vector[at])    ? "NaN"
                                              : "infinite as a 32-bit float";
    (void)snprintf(a->flaw, sizeof a->flaw, "element %zu of %zu is %.40s", at, count, name);
}

static bool all_finite(const float *vector, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(vector[i])) return false;
    return true;
}

bool answer_place(struct answer *a, size_t place, const json_t *vector, struct lks_err *err)
{
    size_t count = 0;
    float *floats = NULL;
    if (place >= a->count) return not_ours(err, "there are more vectors than texts");
    if (a->taken[place]) return not_ours(err, "there are two vectors for one text");
    a->taken[place] = true;
    if (json_is_string(vector))
        floats = base64_floats(json_string_value(vector), json_string_length(vector), &count);
    else if (json_is_array(vector))
        floats = number_floats(vector, &count);
    if (!floats && count) return memory_is_out(err);
    if (!floats) return not_ours(err, "there is something else where a vector belongs");
    if (a->dimensions && a->dimensions != count) {
        free(floats);
        return not_ours(err, "vectors of different length");
    }
    a->dimensions = count;
    if (all_finite(floats, count)) {
        a->vectors[place] = floats;
    } else {
        note_flaw(a, floats, count, vector);
        free(floats);
    }
    return true;
}

enum lks_code answer_complete(const struct answer *a, size_t got, struct lks_err *err)
{
    if (got == a->count) return LKS_E_OK;
    return lks_fail(err, LKS_E_EMBEDDING_UNAVAILABLE,
                    "the embedding server answered %zu texts with %zu vectors", a->count, got);
}
