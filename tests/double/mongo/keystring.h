/*
 * keystring.h - values as bytes whose order under memcmp is the server's order of values.
 *
 * Index keys, sort keys and resume tokens are made of these. For the types that occur in resume tokens the
 * bytes are those of MongoDB's KeyString format, version 1; fractions and decimals use an encoding of ours.
 */
#ifndef DOUBLE_MONGO_KEYSTRING_H
#define DOUBLE_MONGO_KEYSTRING_H

#include "bval.h"

struct kbuf {
    uint8_t *p; /* owned, malloc */
    size_t n, cap;
};

void kbuf_init(struct kbuf *k);
void kbuf_fini(struct kbuf *k);
void kbuf_raw(struct kbuf *k, const void *data, size_t bytes);
/* Appends one value; VAL_NONE encodes as undefined. `descending` inverts every bit of it. */
void keystring_put(struct kbuf *k, struct val v, bool descending);
/* Appends 64 bits so that greater numbers sort later. */
void keystring_u64(struct kbuf *k, uint64_t n);

/* First byte of encoded values, for those who take keys apart. */
enum {
    KS_END = 4,
    KS_UNDEFINED = 15,
    KS_NULL = 20,
    KS_ZERO = 41,
    KS_STRING = 60,
    KS_OBJECT = 70,
    KS_ARRAY = 80,
    KS_BINARY = 90,
    KS_OID = 100,
    KS_FALSE = 110,
    KS_TRUE = 111,
    KS_DATE = 120,
    KS_TIMESTAMP = 130
};

#endif
