/* order.h - MongoDB's order of BSON values across types, in which indexes (and so scans by `_id`) run. */
#ifndef LOCKSTEP_BASE_ORDER_H
#define LOCKSTEP_BASE_ORDER_H

#include <bson/bson.h>

/*
 * <0, 0, >0, by the simple collation: MinKey, undefined, null, numbers (by value, whatever their type; NaN
 * first), strings and symbols, objects, arrays, binary, ObjectId, booleans, dates, timestamps, regular
 * expressions, DBPointers, code, code with scope, MaxKey.
 * https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
 */
int order_compare(const bson_iter_t *a, const bson_iter_t *b);

#endif
