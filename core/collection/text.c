/* text.c - values as text, and parts joined by spaces. Pure; owns only the text under construction. */
#include "collection/text.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "collection/declaration.h"
#include "collection/view.h"

void text_init(struct text *t, size_t max_bytes)
{
    buf_init(&t->out, 0);
    t->max_bytes = max_bytes;
    t->full = false;
}

void text_fini(struct text *t)
{
    buf_fini(&t->out);
}

void text_put(struct text *t, const char *bytes, size_t count)
{
    size_t space = t->max_bytes - t->out.bytes;
    if (t->full) return;
    if (count <= space && utf8_valid(bytes, count)) {
        buf_put(&t->out, bytes, count);
        return;
    }
    /* at worst each byte becomes one character of three */
    size_t most = count < space / 3 ? count * 3 : space;
    if (!buf_reserve(&t->out, most)) return;
    size_t taken = 0;
    while (taken < count) {
        size_t skip = 0, length = utf8_step(bytes + taken, count - taken, &skip);
        const char *from = length ? bytes + taken : "\xEF\xBF\xBD";
        size_t put = length ? length : 3;
        if (put > t->max_bytes - t->out.bytes) {
            t->full = true;
            return;
        }
        buf_put(&t->out, from, put);
        taken += length ? length : skip;
    }
}

void text_piece(struct text *t)
{
    if (t->out.bytes) text_put(t, " ", 1);
}

/* Length of the white-space character at `s`, or 0: Unicode's, and the byte order mark, which JavaScript
 * trims as well. */
static size_t space(const unsigned char *s, size_t bytes)
{
    if (s[0] == ' ' || (s[0] >= '\t' && s[0] <= '\r')) return 1;
    if (bytes >= 2 && s[0] == 0xC2 && (s[1] == 0xA0 || s[1] == 0x85)) return 2;
    if (bytes < 3) return 0;
    if (s[0] == 0xE1 && s[1] == 0x9A && s[2] == 0x80) return 3;
    if (s[0] == 0xE2 && s[1] == 0x80 && (s[2] <= 0x8A || s[2] == 0xA8 || s[2] == 0xA9 || s[2] == 0xAF) &&
        s[2] >= 0x80)
        return 3;
    if (s[0] == 0xE2 && s[1] == 0x81 && s[2] == 0x9F) return 3;
    if (s[0] == 0xE3 && s[1] == 0x80 && s[2] == 0x80) return 3;
    if (s[0] == 0xEF && s[1] == 0xBB && s[2] == 0xBF) return 3;
    return 0;
}

static bool blank(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t length = space((const unsigned char *)text + i, bytes - i);
        if (!length) return false;
        i += length;
    }
    return true;
}

struct values {
    text_visit visit;
    void *context;
    int depth;
};

static bool visit_string(const struct values *v, const bson_iter_t *iter)
{
    uint32_t bytes = 0;
    const char *text =
        BSON_ITER_HOLDS_UTF8(iter) ? bson_iter_utf8(iter, &bytes) : bson_iter_symbol(iter, &bytes);
    return !text || blank(text, bytes) || v->visit(v->context, text, bytes);
}

static bool visit_date(const struct values *v, const bson_iter_t *iter)
{
    struct buf out;
    buf_init(&out, 0);
    json_put_date(&out, bson_iter_date_time(iter));
    bool more = out.failed || v->visit(v->context, out.data + 1, out.bytes - 2); /* without its quotes */
    buf_fini(&out);
    return more;
}

static bool visit_decimal(const struct values *v, const bson_iter_t *iter)
{
    bson_decimal128_t value;
    char text[BSON_DECIMAL128_STRING];
    if (!bson_iter_decimal128(iter, &value)) return true;
    bson_decimal128_to_string(&value, text);
    if (strpbrk(text, "Nn")) return true; /* NaN, Infinity */
    return v->visit(v->context, text, strlen(text));
}

static bool visit_number(const struct values *v, const bson_iter_t *iter)
{
    char text[JSON_NUMBER_BYTES];
    size_t bytes;
    if (BSON_ITER_HOLDS_DOUBLE(iter)) {
        if (!isfinite(bson_iter_double(iter))) return true;
        bytes = json_number(bson_iter_double(iter), text);
    } else {
        bytes = json_digits(bson_iter_as_int64(iter), text);
    }
    return v->visit(v->context, text, bytes);
}

static bool visit_oid(const struct values *v, const bson_iter_t *iter)
{
    char hex[25];
    bson_oid_to_string(bson_iter_oid(iter), hex);
    return v->visit(v->context, hex, 24);
}

static bool visit_value(void *context, const bson_iter_t *iter);

static bool visit_elements(struct values *v, const bson_iter_t *iter)
{
    bson_iter_t child;
    bool more = true;
    if (v->depth == PATH_MAX_DEPTH || !bson_iter_recurse(iter, &child)) return true;
    v->depth++;
    while (more && bson_iter_next(&child)) more = visit_value(v, &child);
    v->depth--;
    return more;
}

static bool visit_value(void *context, const bson_iter_t *iter)
{
    struct values *v = context;
    switch (bson_iter_type(iter)) {
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
        return visit_string(v, iter);
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
        return visit_number(v, iter);
    case BSON_TYPE_BOOL:
        return bson_iter_bool(iter) ? v->visit(v->context, "true", 4) : v->visit(v->context, "false", 5);
    case BSON_TYPE_DECIMAL128:
        return visit_decimal(v, iter);
    case BSON_TYPE_DATE_TIME:
        return visit_date(v, iter);
    case BSON_TYPE_OID:
        return visit_oid(v, iter);
    case BSON_TYPE_ARRAY:
        return visit_elements(v, iter);
    default:
        return true;
    }
}

bool text_each(const struct view *view, const char *path, text_visit visit, void *context)
{
    struct values v = {.visit = visit, .context = context};
    bool spread;
    return view_each(view, path, &spread, visit_value, &v);
}

static bool stop(void *context, const char *bytes, size_t count)
{
    (void)context, (void)bytes, (void)count;
    return false;
}

bool text_any(const struct view *view, const char *path)
{
    return !text_each(view, path, stop, NULL);
}

struct repeat {
    struct text *text;
    unsigned times;
};

static bool put_repeated(void *context, const char *bytes, size_t count)
{
    const struct repeat *r = context;
    for (unsigned i = 0; i < r->times && !r->text->full; i++) {
        text_piece(r->text);
        text_put(r->text, bytes, count);
    }
    return !r->text->full;
}

void text_weighted(struct text *t, const struct view *view, const char *path, unsigned times)
{
    struct repeat r = {t, times};
    if (times) text_each(view, path, put_repeated, &r);
}

struct joined {
    struct text *text;
    const struct sentence_piece *piece;
    bool first;
};

static bool put_joined(void *context, const char *bytes, size_t count)
{
    struct joined *j = context;
    if (!j->first) text_put(j->text, j->piece->joiner, j->piece->joiner_bytes);
    j->first = false;
    text_put(j->text, bytes, count);
    return !j->text->full;
}

void text_sentence(struct text *t, const struct view *view, const struct sentence *sentence)
{
    for (size_t i = 0; i < sentence->piece_count; i++)
        if (sentence->pieces[i].field && !text_any(view, sentence->pieces[i].field)) return;
    text_piece(t);
    for (size_t i = 0; i < sentence->piece_count && !t->full; i++) {
        const struct sentence_piece *piece = &sentence->pieces[i];
        struct joined j = {t, piece, true};
        if (piece->field) {
            text_each(view, piece->field, put_joined, &j);
        } else {
            text_put(t, piece->literal, piece->literal_bytes);
        }
    }
}
