/* agg_int.h - a pipeline's stages, shared by parser and runner. */
#ifndef DOUBLE_MONGO_AGG_INT_H
#define DOUBLE_MONGO_AGG_INT_H

#include "agg.h"
#include "path.h"
#include "project.h"
#include "sortkey.h"

enum stage_kind {
    S_MATCH,
    S_PROJECT,
    S_REPLACE,
    S_SORT,
    S_SKIP,
    S_LIMIT,
    S_COUNT,
    S_GROUP,
    S_UNWIND,
    S_FACET,
    S_COLL_STATS,
    S_SAMPLE,
    S_REDACT
};

enum acc_kind {
    ACC_SUM,
    ACC_AVG,
    ACC_MIN,
    ACC_MAX,
    ACC_FIRST,
    ACC_LAST,
    ACC_PUSH,
    ACC_ADD_TO_SET,
    ACC_MERGE
};

struct accumulator {
    const char *name;
    enum acc_kind kind;
    struct expr *expr;
};

/* What a facet has collected so far. */
struct facet_result {
    struct bw w;
    size_t n;
};

struct group;
struct sort_item {
    uint8_t *key;
    size_t key_bytes;
    struct val doc;
    size_t seq;
};

struct stage {
    enum stage_kind kind;
    struct match *match;
    struct projection *projection;
    struct expr *expr; /* S_REPLACE, S_GROUP's _id, S_REDACT */
    const char *name;  /* as written; S_COUNT: the field */
    struct sort_spec *sort;
    int64_t number; /* S_SKIP, S_LIMIT, S_SAMPLE */
    struct accumulator *accs;
    size_t acc_count;
    struct path *unwind;
    const char *index_field;
    bool keep_empty;
    struct pipeline **facets;
    const char **facet_names;
    size_t facet_count;
    /* while running */
    int64_t seen;
    struct sort_item *items;
    size_t item_count, item_cap;
    struct group **buckets;
    struct group *first, **last;
    size_t group_count, bucket_count;
    struct facet_result *facet_results;
};

struct pipeline {
    struct stage *stages;
    size_t n;
    struct pool *keep;
    struct ectx *c;
    pipeline_sink *sink;
    void *sink_ctx;
    bool stopped;
};

/* agg_group.c: one document into its group; handing the groups on. */
void group_push(struct stage *s, struct val doc, struct pipeline *p);
struct val group_result(struct stage *s, struct group *g, struct ectx *c);
struct group *group_next(struct group *g);
int group_parse(struct pool *a, struct val spec, struct stage *s, struct merr *err);

#endif
