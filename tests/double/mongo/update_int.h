/* update_int.h - the tree of an operator update, shared by its parser and the code that applies it. */
#ifndef DOUBLE_MONGO_UPDATE_INT_H
#define DOUBLE_MONGO_UPDATE_INT_H

#include "agg.h"
#include "path.h"
#include "update.h"

enum update_kind { UPDATE_REPLACE, UPDATE_MODIFY, UPDATE_PIPELINE };

enum update_op {
    U_TREE,
    U_SET,
    U_SET_ON_INSERT,
    U_UNSET,
    U_INC,
    U_MUL,
    U_MIN,
    U_MAX,
    U_CURRENT_DATE,
    U_PUSH,
    U_PULL,
    U_PULL_ALL,
    U_ADD_TO_SET,
    U_POP,
    U_BIT,
    U_RENAME_TO,  /* takes the value of another path */
    U_RENAME_FROM /* and this one loses it */
};

struct unode {
    const char *name; /* one part of the path */
    uint32_t n;
    enum update_op op;
    struct val arg;
    const char *path;  /* leaves: the whole path as given */
    struct path *from; /* U_RENAME_TO, U_RENAME_FROM: where the value comes from */
    struct val each;   /* U_PUSH, U_ADD_TO_SET: an array, or none */
    bool has_slice, has_position;
    int64_t slice, position;
    struct val sort;     /* U_PUSH: none, a number or a pattern */
    struct match *match; /* U_PULL */
    bool match_doc;      /* U_PULL: the filter looks inside documents */
    struct unode **kids; /* U_TREE: sorted by name */
    size_t kid_count, kid_cap;
};

struct array_filter {
    const char *name;
    uint32_t n;
    struct match *match;
};

struct update {
    enum update_kind kind;
    struct val replacement;
    struct unode root;
    struct array_filter *filters;
    size_t filter_count;
    struct pipeline *pipeline;
};

/* State of one application. */
struct apply {
    const struct update *u;
    struct ectx *c;
    struct val doc; /* the document as it was */
    bool insert;
    int64_t array_index;
    struct bw set, unset; /* the log */
    size_t unset_count;
    struct buf path; /* where we are */
};

/* Gives the new value of the field that `old` is (VAL_NONE: there is none); the same bytes if unchanged. */
struct val update_leaf(struct apply *ap, const struct unode *n, struct val old);
/* Notes the value at the current path in the log. */
void update_log_set(struct apply *ap, struct val v);
/* Sets the error, gives VAL_NONE. */
struct val update_error(struct apply *ap, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
