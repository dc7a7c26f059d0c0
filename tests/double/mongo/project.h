/* project.h - projections: of find, and of the stages $project, $addFields and $unset. */
#ifndef DOUBLE_MONGO_PROJECT_H
#define DOUBLE_MONGO_PROJECT_H

#include "expr.h"

enum project_kind {
    PROJECT_FIND,  /* a find's projection: knows $slice and $elemMatch */
    PROJECT_STAGE, /* $project */
    PROJECT_ADD    /* $addFields and $set */
};

struct projection;
/* Parses; refers to the bytes of `spec`. */
int projection_parse(struct pool *a, struct val spec, enum project_kind kind, struct expr_scope *scope,
                     struct projection **out, struct merr *err);
/* $unset: a name or an array of names. */
int projection_parse_unset(struct pool *a, struct val spec, struct projection **out, struct merr *err);
/* The projected document, in the context's pool; check the context's error. */
struct val projection_apply(const struct projection *p, struct val doc, struct ectx *c);

#endif
