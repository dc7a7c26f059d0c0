/* expr_int.h - the tree of an expression, shared by its parser and its evaluators. */
#ifndef DOUBLE_MONGO_EXPR_INT_H
#define DOUBLE_MONGO_EXPR_INT_H

#include "expr.h"
#include "path.h"
#include "regexp.h"

/* No honest expression needs as much; values that double in a loop do. */
#define EXPR_MAX_BYTES ((size_t)512 << 20)

enum expr_kind { E_LITERAL, E_PATH, E_OBJECT, E_ARRAY, E_CALL };

enum expr_var { VAR_ROOT = -1, VAR_NOW = -2, VAR_CLUSTER_TIME = -3, VAR_REMOVE = -4 };

struct expr_call;
typedef struct val expr_fn(const struct expr *e, struct ectx *c);

struct expr {
    enum expr_kind kind;
    const char *name; /* E_CALL: "$add" */
    expr_fn *fn;
    int code; /* E_CALL: distinguishes operators that share a function */
    struct val lit;
    int var;            /* E_PATH: slot, or one of enum expr_var */
    struct path *path;  /* E_PATH: what to look up in it, NULL: the variable itself */
    struct expr **args; /* entries may be NULL where an optional argument is missing */
    const char **names; /* E_OBJECT */
    size_t arg_count;
    int slots[2];      /* variables that the operator binds */
    struct regexp *re; /* compiled when pattern and options are literals */
};

struct expr_op {
    const char *name;
    expr_fn *fn;
    int code;
    int min_args, max_args;   /* max -1: any number */
    const char *const *named; /* operators that take an object: names of the arguments, NULL-terminated */
    int required;             /* how many of the named ones must be there */
};

/* Finds an operator by name; NULL if there is none. */
const struct expr_op *expr_op_find(const char *name);

/* Groups of operators, each table ending with a NULL name. */
extern const struct expr_op expr_ops_arith[];
extern const struct expr_op expr_ops_array[];
extern const struct expr_op expr_ops_string[];
extern const struct expr_op expr_ops_logic[];
extern const struct expr_op expr_ops_convert[];

/* Reports an error and gives VAL_NONE. */
struct val expr_error(struct ectx *c, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Evaluates argument `i`; VAL_NONE if it is not there or an error has happened. */
struct val expr_arg(const struct expr *e, size_t i, struct ectx *c);
bool expr_failed(const struct ectx *c);
/* A value with `v` at an array's or document's dotted path, as field paths see it. */
struct val expr_path_value(const struct path *p, uint32_t at, struct val v, struct pool *a);
/* Text that $toString and date formats share. */
struct val expr_date_text(struct ectx *c, int64_t ms, const char *format);

#endif
