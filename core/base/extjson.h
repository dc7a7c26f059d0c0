/* extjson.h - BSON values as canonical Extended JSON (version 2), for ids. */
#ifndef LOCKSTEP_BASE_EXTJSON_H
#define LOCKSTEP_BASE_EXTJSON_H

#include <bson/bson.h>
#include <stdbool.h>

#include "base/buf.h"

/*
 * The value `iter` stands on, without spaces, keys of documents in their order, strings escaped as RFC 8785
 * does, invalid UTF-8 as U+FFFD, whole doubles below 1e21 in full ("1.0"), others by their shortest digits
 * ("0.1", "1e+25", "NaN"). False (and out->failed) when memory is out or the value is nested deeper than
 * MongoDB takes.
 */
bool extjson_put(struct buf *out, const bson_iter_t *iter);

#endif
