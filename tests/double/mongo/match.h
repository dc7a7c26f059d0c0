/* match.h - the query language of find: parsing a filter once, asking it about documents often. */
#ifndef DOUBLE_MONGO_MATCH_H
#define DOUBLE_MONGO_MATCH_H

#include "expr.h"
#include "path.h"
#include "regexp.h"
#include "schema.h"

enum match_op {
    M_AND,
    M_OR,
    M_NOR,
    M_NOT,
    M_TRUE,
    M_FALSE,
    M_EQ,
    M_LT,
    M_LTE,
    M_GT,
    M_GTE,
    M_IN,
    M_EXISTS,
    M_TYPE,
    M_MOD,
    M_REGEX,
    M_SIZE,
    M_ELEM_DOC,
    M_ELEM_VALUE,
    M_BITS,
    M_EXPR,
    M_SCHEMA
};

struct match {
    enum match_op op;
    const struct path *path; /* NULL: the value itself, inside an elemMatch */
    struct val arg;
    struct val *list; /* M_IN: sorted */
    size_t list_count;
    bool list_null;
    struct regexp **regexes;
    size_t regex_count;
    struct match **kids;
    size_t kid_count;
    uint64_t type_mask; /* M_TYPE: bit (type & 63) */
    int64_t divisor, remainder;
    bool bits_set, bits_all;
    struct expr *expr;
    struct schema *schema;
};

struct match_vars {
    struct ectx *ectx;   /* for $expr; its error is the match's error */
    int64_t array_index; /* out: where the positional operator points, -1 if nowhere */
};

/* Parses `filter`; values in it are referred to, not copied, so its bytes must live as long as `out`. */
int match_parse(struct pool *a, struct val filter, struct expr_scope *scope, struct match **out,
                struct merr *err);
bool match_eval(const struct match *m, struct val doc, struct match_vars *vars);
/* For $pull, array filters and $elemMatch: matches the value itself, by a filter made by match_parse_value.
 */
int match_parse_value(struct pool *a, struct val spec, struct expr_scope *scope, struct match **out,
                      struct merr *err);
bool match_eval_value(const struct match *m, struct val v, struct match_vars *vars);
/* The filter as the server's planner prints it, one line for each node. */
char *match_text(struct pool *a, const struct match *m);
/* True for a document whose first field begins with '$' (and is not a DBRef). */
bool match_is_operators(struct val v);

#endif
