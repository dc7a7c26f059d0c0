/* text.h - values as the server prints them in messages. */
#ifndef DOUBLE_MONGO_TEXT_H
#define DOUBLE_MONGO_TEXT_H

#include "base/buf.h"
#include "bval.h"

enum text_style {
    TEXT_BSON, /* { a: 1, b: [ "x" ] }, as BSONObj prints itself */
    TEXT_VALUE /* {a: 1, b: ["x"]}, as values of the aggregation print themselves */
};

void text_val(struct buf *out, struct val v, enum text_style style);
/* The same as a string in the pool. */
char *text_of(struct pool *a, struct val v, enum text_style style);
/* One field with its name: `name: "Tool 2"`. */
char *text_field(struct pool *a, const char *name, struct val v);

#endif
