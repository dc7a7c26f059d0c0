/*
 * qdrant_scan.h - walking over a JSON reply without building a tree of it.
 *
 * Points in Qdrant hold whatever somebody put there: numbers beyond 64 bits, NUL characters, any nesting.
 * Only what is asked for is decoded, everything else is stepped over by counting brackets, so no foreign
 * content can make a reply unreadable. The text must outlive the scan; a broken one ends the walk with `bad`
 * set.
 */
#ifndef LOCKSTEP_QDRANT_QDRANT_SCAN_H
#define LOCKSTEP_QDRANT_QDRANT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan {
    const char *at, *end;
    bool bad;   /* the text is broken; the walk is over */
    bool nomem; /* some string was lost because memory was out */
};

/* A piece of the text. */
struct slice {
    const char *data;
    size_t bytes;
};

void scan_init(struct scan *s, const char *text, size_t bytes);

/* The first character of the value ahead ('{', '[', '"', a digit, 't', 'n', ...); 0 at the end. */
char scan_peek(struct scan *s);

/* Steps into an object; false (the value is stepped over) if it is none. Then scan_member() until false. */
bool scan_object(struct scan *s);
/* Moves to the next member's value and gives its key, as written. The value must be consumed, by any call. */
bool scan_member(struct scan *s, struct slice *key);
/* The same for arrays. */
bool scan_array(struct scan *s);
bool scan_element(struct scan *s);

/* Steps over a value; `raw` (may be NULL) is its text. */
void scan_skip(struct scan *s, struct slice *raw);

/* Decodes a string into `out` with a NUL; false if it is none, does not fit or holds a NUL itself. The value
 * is consumed in any case. */
bool scan_text(struct scan *s, char *out, size_t out_bytes);
/* The same into memory to be freed by free(); NULL if it is none, holds a NUL, or memory is out. */
char *scan_string(struct scan *s);
/* A number that is not negative; fractions are cut off. False if it is none or beyond 2^63. */
bool scan_uint(struct scan *s, uint64_t *out);
bool scan_double(struct scan *s, double *out);
/* A number as the float nearest to it, fast: vectors are read by it. False if it is none, or beyond a float.
 */
bool scan_float(struct scan *s, float *out);
bool scan_bool(struct scan *s, bool *out);

bool slice_is(struct slice slice, const char *text);

#endif
