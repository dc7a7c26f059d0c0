/*
 * json.h - writing JSON: RFC 8785 (JCS) form of BSON values, and its parts for whoever writes JSON by hand.
 *
 * What a BSON value becomes (also the form of every payload):
 *   string, symbol     a string; invalid UTF-8 becomes U+FFFD, NUL stays as \u0000
 *   int32, int64       a number; a string of digits beyond ±2^53
 *   double             the shortest number that reads back as the same (ECMAScript's Number::toString, -0 as
 * 0); NaN and the infinities are null Decimal128         a string ("1.50", "1E+6144", "NaN") ObjectId 24 hex
 * digits date               "2024-05-01T12:00:00.000Z"; years outside 0 to 9999 as ECMAScript's "+012345-..."
 * and
 *                      "-000001-...", with more digits where six don't do
 *   binary             the text of a UUID (subtypes 3 and 4), else standard base64 of its bytes
 *   null, undefined    null
 *   object             keys sorted by UTF-16 code units; of equal keys the last one counts
 *   the rest           as in Extended JSON, keys sorted: {"$timestamp":{"i":1,"t":2}},
 * {"$regularExpression":...},
 *                      {"$code":...}, {"$dbPointer":...}, {"$minKey":1}, {"$maxKey":1}
 */
#ifndef LOCKSTEP_BASE_JSON_H
#define LOCKSTEP_BASE_JSON_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Levels of objects and arrays that are written. MongoDB takes 100; Qdrant's reader gives up at 128, of which
 * a request around a payload needs a few. */
#define JSON_MAX_DEPTH 110

/* A JSON string with its quotes, as RFC 8785 section 3.2.2.2 has it. */
void json_put_string(struct buf *out, const char *text, size_t bytes);
/* Digits; no quoting of large ones. */
void json_put_int(struct buf *out, int64_t value);
/* RFC 8785 section 3.2.2.3; "null" for NaN and infinities. */
void json_put_double(struct buf *out, double value);
/* A date's text with its quotes; `ms` since 1970 UTC. */
void json_put_date(struct buf *out, int64_t ms);
/* Base64 with its quotes. */
void json_put_base64(struct buf *out, const uint8_t *data, size_t bytes);

/*
 * The value `iter` stands on, as listed above. False if it is nested deeper than JSON_MAX_DEPTH or memory is
 * out (then out->failed is set); what was written is then useless.
 */
bool json_put_value(struct buf *out, const bson_iter_t *iter);

/* The order RFC 8785 sorts keys by: that of their UTF-16 code units. Both are valid UTF-8. <0, 0, >0 */
int json_key_compare(const char *a, size_t a_bytes, const char *b, size_t b_bytes);

/* ECMAScript's Number::toString of a finite number, without a NUL; returns the bytes written. */
#define JSON_NUMBER_BYTES 32
size_t json_number(double value, char out[JSON_NUMBER_BYTES]);
/* Decimal digits of an integer, without a NUL; returns the bytes written. Not json_integer(): that is
 * jansson's, and programs have both. */
size_t json_digits(int64_t value, char out[JSON_NUMBER_BYTES]);

#endif
