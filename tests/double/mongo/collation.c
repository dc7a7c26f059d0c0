/* collation.c - see collation.h. Owns nothing but the note of which collation is in force. */
#include "collation.h"
#include "sortkey.h"

#include <ctype.h>

/* Weights as ICU 57 has them: letters begin at 'a', two apart. */
enum { WEIGHT_A = 0x29, WEIGHT_0 = 0x14, WEIGHT_OTHER = 0x05, LEVEL_END = 0x01, COMMON = 0x05, UPPER = 0x9C };

static const struct collation *in_force;

static bool is_simple(struct val given)
{
    return !val_is_doc(given) || doc_is_empty(given) || val_str_is(doc_get(given, "locale"), "simple");
}

int collation_parse(struct pool *a, struct val given, const struct collation **out, struct merr *err)
{
    static const char *const refused[] = {"caseLevel", "numericOrdering", "normalization", "backwards"};
    struct val strength = doc_get(given, "strength");
    *out = NULL;
    if (is_simple(given)) return 0;
    if (!val_is_str(doc_get(given, "locale")))
        return merr_set(err, 40414, "BSON field 'Collation.locale' is missing but a required field");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (val_truthy(doc_get(given, refused[i])))
            return merr_set(err, MERR_NOT_IMPLEMENTED, "the stand-in does not know collations with %s",
                            refused[i]);
    struct collation *c = pool_alloc(a, sizeof *c);
    c->strength = val_missing(strength) ? 3 : (int)val_int(strength);
    *out = c;
    return 0;
}

struct val collation_full(struct pool *a, struct val given)
{
    static const char *const off[] = {"numericOrdering", "normalization", "backwards"};
    struct val strength = doc_get(given, "strength");
    struct bw w;
    if (is_simple(given)) return VAL_NONE;
    bw_init(&w, a);
    bw_put(&w, "locale", doc_get(given, "locale"));
    bw_bool(&w, "caseLevel", false);
    bw_str(&w, "caseFirst", "off");
    bw_i32(&w, "strength", val_missing(strength) ? 3 : (int32_t)val_int(strength));
    bw_bool(&w, off[0], false);
    bw_str(&w, "alternate", "non-ignorable");
    bw_str(&w, "maxVariable", "punct");
    bw_bool(&w, off[1], false);
    bw_bool(&w, off[2], false);
    bw_str(&w, "version", "57.1");
    return bw_done(&w);
}

const struct collation *collation_use(const struct collation *c)
{
    const struct collation *before = in_force;
    in_force = c;
    return before;
}

const struct collation *collation_used(void)
{
    return in_force;
}

static void put(struct kbuf *out, int b)
{
    uint8_t byte = (uint8_t)b;
    kbuf_raw(out, &byte, 1);
}

static void put_primary(struct kbuf *out, unsigned char c)
{
    if (c < 0x80 && isalpha(c)) {
        put(out, WEIGHT_A + 2 * (tolower(c) - 'a'));
    } else if (c < 0x80 && isdigit(c)) {
        put(out, WEIGHT_0 + (c - '0'));
    } else {
        put(out, c < 0x80 ? WEIGHT_OTHER : 0xE0);
        put(out, c);
    }
}

void collation_key(struct kbuf *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) put_primary(out, (unsigned char)text[i]);
    if (in_force->strength < 2) return;
    put(out, LEVEL_END);
    if (bytes) put(out, COMMON + (bytes < 33 ? (int)bytes - 1 : 32)); /* this many common weights in a row */
    if (in_force->strength < 3) return;
    put(out, LEVEL_END);
    for (size_t i = 0; i < bytes; i++) put(out, isupper((unsigned char)text[i]) ? UPPER : COMMON);
}

int collation_compare(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    struct kbuf x, y;
    kbuf_init(&x);
    kbuf_init(&y);
    collation_key(&x, a, a_bytes);
    collation_key(&y, b, b_bytes);
    int order = key_cmp(x.p, x.n, y.p, y.n);
    kbuf_fini(&x);
    kbuf_fini(&y);
    return order;
}
