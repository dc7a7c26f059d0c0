/*
 * view.c - reading views: a find becomes a pipeline behind the view's own, over the collection it shows.
 * Also what is refused on views.
 */
#include "agg.h"
#include "commands.h"
#include "text.h"

int request_no_view(struct req *r, const char *ns)
{
    const struct coll *c = store_find(&r->s->store, ns);
    if (!c || !c->view) return 0;
    return merr_set(&r->err, MERR_COMMAND_NOT_SUPPORTED_ON_VIEW, "Namespace %s is a view, not a collection",
                    ns);
}

int request_collation_of(struct req *r, struct val given, const struct coll *c)
{
    const struct collation *use = NULL;
    if (collation_parse(&r->a, given, &use, &r->err)) return r->err.code;
    if (c && c->view && val_is_doc(given) &&
        (use ? use->strength : 0) != (c->collation ? c->collation->strength : 0))
        return merr_set(&r->err, MERR_OPTION_NOT_SUPPORTED_ON_VIEW,
                        "Cannot override a view's default collation");
    if (c && (val_missing(given) || (val_is_doc(given) && doc_is_empty(given)))) use = c->collation;
    collation_use(use);
    return 0;
}

int request_collation(struct req *r, const struct coll *c)
{
    return request_collation_of(r, doc_get(r->body, "collation"), c);
}

struct coll *view_base(struct req *r, struct coll *view, struct val *stages)
{
    while (view && view->view) {
        struct bw w;
        struct iter it;
        struct coll *snapshot;
        size_t n = 0;
        bw_init(&w, &r->a);
        for (iter_init(&it, doc_get(view->options, "pipeline")); iter_next(&it);) bw_puti(&w, n++, it.v);
        for (iter_init(&it, *stages); iter_next(&it);) bw_puti(&w, n++, it.v);
        *stages = bw_done(&w);
        stages->t = BSON_TYPE_ARRAY;
        struct val on = doc_get(view->options, "viewOn");
        char *ns = pool_alloc(&r->a, strlen(view->db) + val_strlen(on) + 2);
        memcpy(ns, view->db, strlen(view->db));
        ns[strlen(view->db)] = '.';
        memcpy(ns + strlen(view->db) + 1, val_str(on), val_strlen(on) + 1);
        view = request_view(r, ns, &snapshot);
    }
    return view;
}

static void put_stage(struct bw *w, size_t *n, const char *name, struct val v)
{
    struct bw stage;
    if (val_missing(v) || (val_is_doc(v) && doc_is_empty(v))) return;
    bw_init(&stage, w->pool);
    bw_put(&stage, name, v);
    bw_puti(w, (*n)++, bw_done(&stage));
}

int view_stages(struct req *r, const struct query_spec *spec, struct val *stages)
{
    struct bw w;
    size_t n = 0;
    if (!val_missing(spec->min) || !val_missing(spec->max))
        return merr_set(&r->err, MERR_INVALID_PIPELINE_OPERATOR, "Option %s not supported in aggregation.",
                        val_missing(spec->min) ? "max" : "min");
    bw_init(&w, &r->a);
    put_stage(&w, &n, "$match", spec->filter);
    put_stage(&w, &n, "$sort", spec->sort);
    if (spec->skip) put_stage(&w, &n, "$skip", val_new_i64(&r->a, spec->skip));
    if (spec->limit) put_stage(&w, &n, "$limit", val_new_i64(&r->a, spec->limit));
    put_stage(&w, &n, "$project", spec->projection);
    *stages = bw_done(&w);
    stages->t = BSON_TYPE_ARRAY;
    return 0;
}
