/*
 * words.h - the built-in embedder that ranks by meaning: the sum of the vectors of a text's words.
 *
 * The file (core/embed/words.vec; NOTICE says where it is from): a text header of lines `lockstep-words 1`,
 * `words N`, `dims D`, others, and an empty line; then N records: a byte L, L bytes of a lower-case ASCII
 * word, a little-endian float32 scale, D signed bytes. A word's vector is scale times bytes; weights by
 * frequency are in it already.
 */
#ifndef LOCKSTEP_EMBED_WORDS_H
#define LOCKSTEP_EMBED_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct words;

/* Maps the file (its pages are shared and can be dropped by the system) and indexes it in some 20 bytes a
 * word. LKS_E_CONFIG: it can't be read or is no such file. */
enum lks_code words_open(const char *path, struct words **out, struct lks_err *err);
/* NULL is fine. */
void words_close(struct words *words);

size_t words_dimensions(const struct words *words);
/* The same for the same contents. */
uint32_t words_checksum(const struct words *words);

/*
 * Writes the unit vector of `text` to `out`. An unknown word with `'`, `+` or `#` in it is tried by its
 * parts; a text without a known word is hashed into the same dimensions (embed/hash.h). Thread-safe.
 */
void words_embed(const struct words *words, const char *text, size_t bytes, float *out);

/* The file that is installed. */
#define WORDS_INSTALLED PKGDATADIR "/words.vec"

#endif
