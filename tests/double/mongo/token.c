/* token.c - makes and reads resume tokens. The layout is that of MongoDB 4.4's tokens, version 1. Pure. */
#include "token.h"
#include "keystring.h"
#include "text.h"

#include <ctype.h>

enum { VERSION = 1, TYPE_HIGH_WATER = 0, TYPE_EVENT = 128 };

static char *hex(struct pool *a, struct kbuf *k)
{
    static const char digits[] = "0123456789ABCDEF";
    char *text = pool_alloc(a, 2 * k->n + 1);
    for (size_t i = 0; i < k->n; i++) {
        text[2 * i] = digits[k->p[i] >> 4];
        text[2 * i + 1] = digits[k->p[i] & 15];
    }
    text[2 * k->n] = 0;
    kbuf_fini(k);
    return text;
}

static void put_int(struct kbuf *k, int32_t n)
{
    uint8_t b[4];
    wr32(b, (uint32_t)n);
    keystring_put(k, (struct val){b, 4, BSON_TYPE_INT32}, false);
}

static void put_head(struct kbuf *k, uint64_t ts, int32_t type, uint32_t txn_index, bool from_invalidate)
{
    uint8_t b[8];
    wr64(b, ts);
    kbuf_init(k);
    keystring_put(k, (struct val){b, 8, BSON_TYPE_TIMESTAMP}, false);
    put_int(k, VERSION);
    put_int(k, type);
    put_int(k, (int32_t)txn_index);
    keystring_put(k, val_bool(from_invalidate), false);
}

char *token_high_water(struct pool *a, uint64_t ts)
{
    static const uint8_t end = KS_END;
    struct kbuf k;
    put_head(&k, ts, TYPE_HIGH_WATER, 0, false);
    kbuf_raw(&k, &end, 1);
    return hex(a, &k);
}

char *token_event(struct pool *a, uint64_t ts, uint32_t txn_index, bool from_invalidate, const uint8_t *uuid,
                  struct val document_key)
{
    static const uint8_t end = KS_END;
    struct kbuf k;
    put_head(&k, ts, TYPE_EVENT, txn_index, from_invalidate);
    if (uuid) {
        uint8_t b[21] = {16, 0, 0, 0, BSON_SUBTYPE_UUID};
        memcpy(b + 5, uuid, 16);
        keystring_put(&k, (struct val){b, 21, BSON_TYPE_BINARY}, false);
    }
    if (!val_missing(document_key)) keystring_put(&k, document_key, false);
    kbuf_raw(&k, &end, 1);
    return hex(a, &k);
}

/* Steps over an encoded integer and gives its value; false if there is none. */
static bool read_int(const uint8_t **p, const uint8_t *end, int64_t *n)
{
    if (*p >= end) return false;
    int type = *(*p)++;
    if (type == KS_ZERO) return *n = 0, true;
    if (type < 43 || type > 50 || end - *p < type - 42) return false;
    uint64_t v = 0;
    for (int i = 0; i < type - 42; i++) v = v << 8 | *(*p)++;
    return *n = (int64_t)(v >> 1), true;
}

static int bad_token(struct merr *err)
{
    return merr_set(err, 50811, "resume token has invalid format");
}

int token_parse(struct pool *a, struct val v, struct token *out, struct merr *err)
{
    struct val data = doc_get(v, "_data");
    if (!val_is_str(data))
        return merr_set(err, 40647,
                        "Bad resume token: _data of missing or of wrong type. Expected string, got %s",
                        text_of(a, v, TEXT_VALUE));
    size_t n = val_strlen(data);
    const char *s = val_str(data);
    if (!n) return merr_set(err, 40649, "invalid empty resume token");
    for (size_t i = 0; i < n; i++)
        if (!isxdigit((uint8_t)s[i]) || n % 2)
            return merr_set(err, MERR_FAILED_TO_PARSE, "resume token string was not a valid hex string");
    uint8_t *b = pool_alloc(a, n / 2 + 1);
    memset(out, 0, sizeof *out);
    out->text = pool_strndup(a, s, n);
    for (size_t i = 0; i < n; i++) {
        out->text[i] = (char)toupper((uint8_t)s[i]);
        uint8_t d = (uint8_t)(out->text[i] <= '9' ? out->text[i] - '0' : out->text[i] - 'A' + 10);
        b[i / 2] = (uint8_t)(i % 2 ? b[i / 2] << 4 | d : d);
    }
    const uint8_t *p = b, *end = b + n / 2;
    int64_t version, type, index;
    if (end - p < 9 || *p++ != KS_TIMESTAMP) return bad_token(err);
    for (int i = 0; i < 8; i++) out->ts = out->ts << 8 | *p++;
    if (!read_int(&p, end, &version) || !read_int(&p, end, &type) || !read_int(&p, end, &index) || p >= end)
        return bad_token(err);
    if (version != VERSION) return merr_set(err, 50795, "Invalid Resume Token: only supports version 0 or 1");
    if (*p != KS_FALSE && *p != KS_TRUE) return bad_token(err);
    out->from_invalidate = *p == KS_TRUE;
    out->event = type == TYPE_EVENT;
    return 0;
}
