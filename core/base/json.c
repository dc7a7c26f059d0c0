/*
 * json.c - BSON values in RFC 8785 form.
 *
 * Objects are sorted by collecting where their members stand, in one growing list that all levels share.
 * Reads borrowed BSON, owns only that list, never trusts the data to be valid UTF-8 nor keys to be unique.
 */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/uuid.h"

#define EXACT_INTEGER (INT64_C(1) << 53)

/* A member of an object that is being sorted. `key` is valid UTF-8; `owned` if it had to be made so. */
struct member {
    const char *key;
    char *owned;
    size_t key_bytes;
    uint32_t raw_key_bytes;
    uint32_t
        offset; /* in the document; iterators themselves are large, and want more alignment than malloc's */
};

struct writer {
    struct buf *out;
    struct member *members; /* those of all open objects, innermost last */
    size_t count, capacity;
    int depth;
};

/* A document's raw BSON. */
struct object {
    const uint8_t *data;
    uint32_t bytes;
};

static bool write_value(struct writer *w, const bson_iter_t *iter);

/* Writes what needs escaping; false if `c` stands for itself. */
static bool put_escape(struct buf *out, unsigned char c)
{
    static const char shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    if (c >= 0x20 && c != '"' && c != '\\') return false;
    for (size_t i = 0; i + 1 < sizeof shorts; i += 2) {
        if ((unsigned char)shorts[i] != c) continue;
        char text[2] = {'\\', shorts[i + 1]};
        buf_put(out, text, 2);
        return true;
    }
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
    buf_put(out, text, 6);
    return true;
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not 0 if a byte of the word is 0: only a byte that borrows, or is above 0x80, sets its highest bit. */
static uint64_t zero_byte(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* True if each of the eight bytes at `text` stands for itself. */
static bool plain_word(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    uint64_t special = zero_byte(word & EACH_BYTE(0xE0)) /* below 0x20 */
                       | zero_byte(word ^ EACH_BYTE('"')) | zero_byte(word ^ EACH_BYTE('\\'));
    return !(special | (word & EACH_BYTE(0x80)));
}

/* Length of the beginning that stands for itself: ASCII without anything to escape. By words, as most bytes
 * of a payload come through here. */
static size_t plain_bytes(const char *text, size_t bytes)
{
    size_t i = 0;
    while (bytes - i >= sizeof(uint64_t) && plain_word(text + i)) i += sizeof(uint64_t);
    while (i < bytes) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') break;
        i++;
    }
    return i;
}

void json_put_string(struct buf *out, const char *text, size_t bytes)
{
    if (!buf_reserve(out, bytes + 2)) return;
    size_t start = 0, i = plain_bytes(text, bytes); /* text[start..i) is fine as it is and not written yet */
    if (i == bytes) {
        char *at = out->data + out->bytes;
        *at++ = '"';
        if (bytes) memcpy(at, text, bytes);
        at[bytes] = '"';
        at[bytes + 1] = '\0';
        out->bytes += bytes + 2;
        return;
    }
    buf_putc(out, '"');
    while (i < bytes) {
        unsigned char c = (unsigned char)text[i];
        size_t skip = 1, length = 1;
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            i++;
            continue;
        }
        if (c >= 0x80) {
            length = utf8_step(text + i, bytes - i, &skip);
            if (length) {
                i += length;
                continue;
            }
        }
        buf_put(out, text + start, i - start);
        if (!put_escape(out, c)) buf_put(out, "\xEF\xBF\xBD", 3);
        i += skip;
        start = i;
    }
    buf_put(out, text + start, bytes - start);
    buf_putc(out, '"');
}

void json_put_int(struct buf *out, int64_t value)
{
    char text[JSON_NUMBER_BYTES];
    buf_put(out, text, json_digits(value, text));
}

void json_put_double(struct buf *out, double value)
{
    if (!isfinite(value)) {
        buf_put(out, "null", 4);
        return;
    }
    char text[JSON_NUMBER_BYTES];
    buf_put(out, text, json_number(value, text));
}

/* Days since 1970 to a date of the proleptic Gregorian calendar: years begin in March, eras have 400 years.
 */
static void civil(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * from_march + 2) / 5 + 1);
    *month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

void json_put_date(struct buf *out, int64_t ms)
{
    const int64_t day_ms = 86400000;
    int64_t days = ms / day_ms - (ms % day_ms < 0);
    int64_t rest = ms % day_ms < 0 ? ms % day_ms + day_ms : ms % day_ms; /* days * day_ms may overflow */
    int64_t year;
    int month, day;
    char text[64];
    civil(days, &year, &month, &day);
    snprintf(text, sizeof text,
             year < 0      ? "\"-%06lld"
             : year > 9999 ? "\"+%06lld"
                           : "\"%04lld",
             (long long)(year < 0 ? -year : year));
    buf_puts(out, text);
    snprintf(text, sizeof text, "-%02d-%02dT%02d:%02d:%02d.%03dZ\"", month, day, (int)(rest / 3600000),
             (int)(rest / 60000 % 60), (int)(rest / 1000 % 60), (int)(rest % 1000));
    buf_puts(out, text);
}

void json_put_base64(struct buf *out, const uint8_t *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (!buf_reserve(out, bytes / 3 * 4 + 6)) return;
    buf_putc(out, '"');
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        unsigned group = (unsigned)data[i] << 16;
        if (left > 1) group |= (unsigned)data[i + 1] << 8;
        if (left > 2) group |= data[i + 2];
        char text[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        left > 1 ? digits[group >> 6 & 63] : '=', left > 2 ? digits[group & 63] : '='};
        buf_put(out, text, 4);
    }
    buf_putc(out, '"');
}

/* UTF-8 sorts by code points; UTF-16 puts those from U+10000 on, as surrogates, before U+E000 to U+FFFF. */
static unsigned utf16_rank(unsigned char lead)
{
    return lead >= 0xF0 ? lead - 2u : lead >= 0xEE ? lead + 0x10u : lead;
}

int json_key_compare(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t least = a_bytes < b_bytes ? a_bytes : b_bytes;
    for (size_t i = 0; i < least; i++) {
        if (a[i] == b[i]) continue;
        return utf16_rank((unsigned char)a[i]) < utf16_rank((unsigned char)b[i]) ? -1 : 1;
    }
    return (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int order = json_key_compare(x->key, x->key_bytes, y->key, y->key_bytes);
    return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

static struct member *push(struct writer *w)
{
    if (w->count == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 32;
        struct member *members = realloc(w->members, capacity * sizeof *members);
        if (!members) {
            w->out->failed = true;
            return NULL;
        }
        w->members = members;
        w->capacity = capacity;
    }
    return &w->members[w->count++];
}

static bool collect(struct writer *w, bson_iter_t *child)
{
    while (bson_iter_next(child)) {
        struct member *m = push(w);
        if (!m) return false;
        *m = (struct member){.key = bson_iter_key(child), .offset = bson_iter_offset(child)};
        m->raw_key_bytes = bson_iter_key_len(child);
        m->key_bytes = m->raw_key_bytes;
        if (utf8_valid(m->key, m->key_bytes)) continue;
        m->owned = malloc(3 * m->key_bytes);
        if (!m->owned) {
            w->out->failed = true;
            return false;
        }
        m->key_bytes = utf8_clean(m->owned, 3 * m->key_bytes, m->key, m->key_bytes);
        m->key = m->owned;
    }
    return true;
}

static bool write_members(struct writer *w, const struct object *object, size_t from, size_t to)
{
    bool first = true;
    for (size_t i = from; i < to; i++) {
        const struct member *m = &w->members[i], *next = m + 1;
        if (i + 1 < to && json_key_compare(m->key, m->key_bytes, next->key, next->key_bytes) == 0) continue;
        if (!first) buf_putc(w->out, ',');
        first = false;
        json_put_string(w->out, m->key, m->key_bytes);
        buf_putc(w->out, ':');
        bson_iter_t value;
        if (!bson_iter_init_from_data_at_offset(&value, object->data, object->bytes, m->offset,
                                                m->raw_key_bytes) ||
            !write_value(w, &value))
            return false;
    }
    return true;
}

static bool write_object(struct writer *w, const struct object *object)
{
    size_t from = w->count;
    bson_iter_t child;
    bool ok =
        !object->data || !bson_iter_init_from_data(&child, object->data, object->bytes) || collect(w, &child);
    size_t to = w->count;
    if (ok && to > from + 1) qsort(w->members + from, to - from, sizeof *w->members, compare_members);
    buf_putc(w->out, '{');
    ok = ok && write_members(w, object, from, to);
    buf_putc(w->out, '}');
    for (size_t i = from; i < to; i++) free(w->members[i].owned);
    w->count = from;
    return ok;
}

static bool write_array(struct writer *w, bson_iter_t *child)
{
    bool first = true;
    buf_putc(w->out, '[');
    while (bson_iter_next(child)) {
        if (!first) buf_putc(w->out, ',');
        first = false;
        if (!write_value(w, child)) return false;
    }
    buf_putc(w->out, ']');
    return true;
}

static bool write_nested(struct writer *w, const bson_iter_t *iter)
{
    struct object object = {NULL, 0};
    bson_iter_t child;
    bool ok = true;
    if (w->depth == JSON_MAX_DEPTH) return false;
    w->depth++;
    if (BSON_ITER_HOLDS_DOCUMENT(iter)) {
        bson_iter_document(iter, &object.bytes, &object.data);
        ok = write_object(w, &object);
    } else if (bson_iter_recurse(iter, &child)) {
        ok = write_array(w, &child);
    } else {
        buf_puts(w->out, "[]");
    }
    w->depth--;
    return ok;
}

static void put_text(struct buf *out, const char *text)
{
    json_put_string(out, text, strlen(text));
}

static void write_regex(struct buf *out, const bson_iter_t *iter)
{
    const char *options = "", *pattern = bson_iter_regex(iter, &options);
    buf_puts(out, "{\"$regularExpression\":{\"options\":");
    put_text(out, options);
    buf_puts(out, ",\"pattern\":");
    put_text(out, pattern ? pattern : "");
    buf_puts(out, "}}");
}

static void write_dbpointer(struct buf *out, const bson_iter_t *iter)
{
    uint32_t bytes = 0;
    const char *collection = NULL;
    const bson_oid_t *oid = NULL;
    char hex[25] = "";
    bson_iter_dbpointer(iter, &bytes, &collection, &oid);
    if (oid) bson_oid_to_string(oid, hex);
    buf_printf(out, "{\"$dbPointer\":{\"$id\":\"%s\",\"$ref\":", hex);
    json_put_string(out, collection ? collection : "", collection ? bytes : 0);
    buf_puts(out, "}}");
}

static bool write_code_with_scope(struct writer *w, const bson_iter_t *iter)
{
    uint32_t bytes = 0;
    struct object scope = {NULL, 0};
    const char *code = bson_iter_codewscope(iter, &bytes, &scope.bytes, &scope.data);
    if (w->depth == JSON_MAX_DEPTH) return false;
    buf_puts(w->out, "{\"$code\":");
    json_put_string(w->out, code ? code : "", code ? bytes : 0);
    buf_puts(w->out, ",\"$scope\":");
    w->depth++;
    bool ok = write_object(w, &scope);
    w->depth--;
    buf_putc(w->out, '}');
    return ok;
}

static void write_rare(struct buf *out, const bson_iter_t *iter)
{
    uint32_t bytes = 0, t = 0, i = 0;
    const char *text;
    switch (bson_iter_type(iter)) {
    case BSON_TYPE_TIMESTAMP:
        bson_iter_timestamp(iter, &t, &i);
        buf_printf(out, "{\"$timestamp\":{\"i\":%u,\"t\":%u}}", i, t);
        break;
    case BSON_TYPE_REGEX:
        write_regex(out, iter);
        break;
    case BSON_TYPE_CODE:
        text = bson_iter_code(iter, &bytes);
        buf_puts(out, "{\"$code\":");
        json_put_string(out, text ? text : "", text ? bytes : 0);
        buf_putc(out, '}');
        break;
    case BSON_TYPE_DBPOINTER:
        write_dbpointer(out, iter);
        break;
    case BSON_TYPE_MINKEY:
        buf_puts(out, "{\"$minKey\":1}");
        break;
    case BSON_TYPE_MAXKEY:
        buf_puts(out, "{\"$maxKey\":1}");
        break;
    default: /* null, undefined */
        buf_put(out, "null", 4);
    }
}

static void write_integer(struct buf *out, int64_t value)
{
    bool quoted = value > EXACT_INTEGER || value < -EXACT_INTEGER;
    if (quoted) buf_putc(out, '"');
    json_put_int(out, value);
    if (quoted) buf_putc(out, '"');
}

static void write_text(struct buf *out, const bson_iter_t *iter)
{
    uint32_t bytes = 0;
    const char *text =
        BSON_ITER_HOLDS_UTF8(iter) ? bson_iter_utf8(iter, &bytes) : bson_iter_symbol(iter, &bytes);
    json_put_string(out, text ? text : "", text ? bytes : 0);
}

static void write_decimal(struct buf *out, const bson_iter_t *iter)
{
    bson_decimal128_t value;
    char text[BSON_DECIMAL128_STRING];
    if (!bson_iter_decimal128(iter, &value)) return;
    bson_decimal128_to_string(&value, text);
    put_text(out, text);
}

static void write_oid(struct buf *out, const bson_iter_t *iter)
{
    char hex[25];
    bson_oid_to_string(bson_iter_oid(iter), hex);
    put_text(out, hex);
}

static void write_binary(struct buf *out, const bson_iter_t *iter)
{
    bson_subtype_t subtype;
    uint32_t bytes = 0;
    const uint8_t *data = NULL;
    char uuid[UUID_TEXT_BYTES];
    if (uuid_of_value(iter, uuid)) {
        json_put_string(out, uuid, strlen(uuid));
        return;
    }
    bson_iter_binary(iter, &subtype, &bytes, &data);
    json_put_base64(out, data, data ? bytes : 0);
}

static bool write_value(struct writer *w, const bson_iter_t *iter)
{
    switch (bson_iter_type(iter)) {
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
        write_text(w->out, iter);
        break;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        write_integer(w->out, bson_iter_as_int64(iter));
        break;
    case BSON_TYPE_DOUBLE:
        json_put_double(w->out, bson_iter_double(iter));
        break;
    case BSON_TYPE_BOOL:
        buf_puts(w->out, bson_iter_bool(iter) ? "true" : "false");
        break;
    case BSON_TYPE_DATE_TIME:
        json_put_date(w->out, bson_iter_date_time(iter));
        break;
    case BSON_TYPE_OID:
        write_oid(w->out, iter);
        break;
    case BSON_TYPE_DECIMAL128:
        write_decimal(w->out, iter);
        break;
    case BSON_TYPE_BINARY:
        write_binary(w->out, iter);
        break;
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        return write_nested(w, iter);
    case BSON_TYPE_CODEWSCOPE:
        return write_code_with_scope(w, iter);
    default:
        write_rare(w->out, iter);
    }
    return !w->out->failed;
}

bool json_put_value(struct buf *out, const bson_iter_t *iter)
{
    struct writer w = {.out = out};
    bool ok = write_value(&w, iter);
    free(w.members);
    return ok && !out->failed;
}
