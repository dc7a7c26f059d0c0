/* answer.h - reading vectors out of JSON. Private to the providers of embed/. */
#ifndef LOCKSTEP_EMBED_ANSWER_H
#define LOCKSTEP_EMBED_ANSWER_H

#include <jansson.h>

#include "embed/provider.h"

/* Parses a reply; NULL after setting `err`. Numbers that JSON can't hold make it fail. */
json_t *answer_parse(const char *reply, size_t bytes, struct lks_err *err);

/*
 * Puts one vector (an array of numbers, or base64 of little-endian float32) in its place. A NaN, an infinity
 * or a null in it leaves the place NULL: that is the text's trouble. False, with `err`: it is no vector, its
 * length is not that of the others, its place is taken, or memory is out.
 */
bool answer_place(struct answer *answer, size_t place, const json_t *vector, struct lks_err *err);

/* That there was one for each text. */
enum lks_code answer_complete(const struct answer *answer, size_t got, struct lks_err *err);

#endif
