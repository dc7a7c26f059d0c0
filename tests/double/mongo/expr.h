/* expr.h - aggregation expressions: parsed once into a tree, evaluated against documents. */
#ifndef DOUBLE_MONGO_EXPR_H
#define DOUBLE_MONGO_EXPR_H

#include "err.h"

#define EXPR_MAX_VARS 64

/* Names of the variables in sight while parsing. */
struct expr_scope {
    const struct expr_scope *up;
    const char *name;
    int slot;
};

/* What an evaluation needs. Results live in `a`, or point into the documents. */
struct ectx {
    struct pool *a;
    struct val root;
    int64_t now_ms;
    uint64_t cluster_time; /* 0: none, as on a standalone */
    struct val vars[EXPR_MAX_VARS];
    struct merr *err; /* set by the first failure; everything is VAL_NONE from then on */
};

struct expr;
/* Parses `spec` ("$a.b", {$add: [...]}, literals). Refers to the bytes of `spec`. */
int expr_parse(struct pool *a, struct val spec, const struct expr_scope *scope, struct expr **out,
               struct merr *err);
struct val expr_eval(const struct expr *e, struct ectx *c);
/* Truth as expressions see it: false, null, undefined, missing and 0 are false. */
bool expr_truthy(struct val v);

/* Sum and product of two numbers, promoted as the server does. */
struct val expr_add(struct ectx *c, struct val a, struct val b);
struct val expr_multiply(struct ectx *c, struct val a, struct val b);

#endif
