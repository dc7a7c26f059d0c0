/* sortkey.h - sort patterns, and the bytes by which documents sort under them. */
#ifndef DOUBLE_MONGO_SORTKEY_H
#define DOUBLE_MONGO_SORTKEY_H

#include "keystring.h"
#include "path.h"

struct sort_piece {
    struct path *path;
    bool descending;
};
struct sort_spec {
    size_t n;
    struct sort_piece pieces[];
};

/* Parses {a: 1, "b.c": -1}. */
int sort_parse(struct pool *a, struct val spec, struct sort_spec **out, struct merr *err);
/* Appends the document's key: of arrays the least element, or the greatest if descending. */
void sort_key(const struct sort_spec *s, struct val doc, struct kbuf *out);
/* memcmp with lengths. */
int key_cmp(const uint8_t *a, size_t an, const uint8_t *b, size_t bn);

#endif
