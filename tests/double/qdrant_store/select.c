/*
 * select.c - choosing candidates by the index that leaves fewest, and checking each. It owns the lists it
 * collects; it never changes a collection.
 */
#include "qdrant_store/select.h"

#include <stdlib.h>
#include <string.h>

#define NO_INDEX SIZE_MAX

void slots_add(struct slots *s, uint32_t slot)
{
    if (s->count == s->space) {
        s->space = s->space ? s->space * 2 : 256;
        s->list = must_realloc(s->list, s->space * sizeof *s->list);
    }
    s->list[s->count++] = slot;
}

static void bind(void *user, struct condition *c, const struct jsonpath *outer)
{
    const struct collection *collection = user;
    const struct field_index *x;

    if (c->type != CONDITION_FIELD || c->match == MATCH_NONE || outer) return;
    x = collection_index(collection, &c->path);
    c->tokens = x && x->type == INDEX_TEXT;
}

void select_bind(const struct collection *c, struct filter *f)
{
    if (f) filter_each(f, bind, (void *)(uintptr_t)c);
}

struct looked_at {
    const struct collection *collection;
    uint32_t slot;
};

static bool has_vector(const struct filter_subject *s, const char *name)
{
    const struct looked_at *at = s->user;
    const struct vector_space *space = collection_space(at->collection, name, strlen(name));

    return space && vector_present(space, at->slot);
}

bool select_matches(const struct collection *c, const struct filter *f, uint32_t slot, struct pool *a)
{
    struct looked_at at = {c, slot};
    struct pointid id = collection_id(c, slot);
    struct json payload;
    struct filter_subject subject = {.id = &id, .payload = &payload, .has_vector = has_vector, .user = &at};

    if (!f) return true;
    pool_reset(a);
    payload = collection_payload(c, slot, a);
    return filter_matches(f, &subject);
}

/* The index that knows all points a match can hit, or NULL. */
static const struct field_index *answering(const struct collection *c, const struct condition *cond)
{
    const struct field_index *x;

    if (cond->type != CONDITION_FIELD || (cond->match != MATCH_VALUE && cond->match != MATCH_ANY))
        return NULL;
    if (cond->range.type != RANGE_NONE || cond->values_count.type != RANGE_NONE ||
        cond->geo.type != GEO_NONE || cond->has_is_empty || cond->has_is_null)
        return NULL; /* tests of one condition are alternatives */
    x = collection_index(c, &cond->path);
    if (!x) return NULL;
    for (size_t i = 0; i < cond->value_count; i++)
        if (!index_answers(x, &cond->values[i])) return NULL;
    return x;
}

static size_t estimate(const struct collection *c, const struct filter *f);

/* At most how many points pass, or NO_INDEX if no index says. */
static size_t estimate_condition(const struct collection *c, const struct condition *cond)
{
    const struct field_index *x;
    size_t sum = 0;

    if (cond->type == CONDITION_HAS_ID) return cond->id_count;
    if (cond->type == CONDITION_FILTER) return estimate(c, cond->filter);
    x = answering(c, cond);
    if (!x) return NO_INDEX;
    for (size_t i = 0; i < cond->value_count; i++) sum += index_count(x, &cond->values[i]);
    return sum;
}

static size_t estimate_should(const struct collection *c, const struct filter *f)
{
    size_t sum = 0;

    if (!f->should_count) return NO_INDEX;
    for (size_t i = 0; i < f->should_count; i++) {
        size_t n = estimate_condition(c, &f->should[i]);

        if (n == NO_INDEX) return NO_INDEX;
        sum += n;
    }
    return sum;
}

static size_t estimate(const struct collection *c, const struct filter *f)
{
    size_t best = estimate_should(c, f);

    for (size_t i = 0; i < f->must_count; i++) {
        size_t n = estimate_condition(c, &f->must[i]);

        if (n < best) best = n;
    }
    return best;
}

static void add_slot(void *user, uint32_t slot)
{
    slots_add(user, slot);
}

static void gather(const struct collection *c, const struct filter *f, struct slots *out);

static void gather_condition(const struct collection *c, const struct condition *cond, struct slots *out)
{
    const struct field_index *x;

    if (cond->type == CONDITION_FILTER) {
        gather(c, cond->filter, out);
        return;
    }
    if (cond->type == CONDITION_HAS_ID) {
        for (size_t i = 0; i < cond->id_count; i++) {
            uint32_t slot = collection_find(c, &cond->ids[i]);

            if (slot != NO_SLOT) slots_add(out, slot);
        }
        return;
    }
    x = answering(c, cond);
    for (size_t i = 0; i < cond->value_count; i++) index_each(x, &cond->values[i], add_slot, out);
}

/* Collects the candidates of the part that `estimate` found best; that one is known to be answerable. */
static void gather(const struct collection *c, const struct filter *f, struct slots *out)
{
    size_t best = estimate_should(c, f);
    const struct condition *chosen = NULL;

    for (size_t i = 0; i < f->must_count; i++) {
        size_t n = estimate_condition(c, &f->must[i]);

        if (n >= best) continue;
        best = n;
        chosen = &f->must[i];
    }
    if (chosen) {
        gather_condition(c, chosen, out);
        return;
    }
    for (size_t i = 0; i < f->should_count; i++) gather_condition(c, &f->should[i], out);
}

static int by_slot(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void unique(struct slots *s)
{
    size_t n = 0;

    if (s->count < 2) return;
    qsort(s->list, s->count, sizeof *s->list, by_slot);
    for (size_t i = 0; i < s->count; i++)
        if (i == 0 || s->list[i] != s->list[i - 1]) s->list[n++] = s->list[i];
    s->count = n;
}

static void keep_passing(const struct collection *c, const struct filter *f, struct slots *s)
{
    struct pool a;
    size_t n = 0;

    pool_init(&a);
    for (size_t i = 0; i < s->count; i++)
        if (select_matches(c, f, s->list[i], &a)) s->list[n++] = s->list[i];
    s->count = n;
    pool_fini(&a);
}

void select_all(const struct collection *c, const struct filter *f, struct slots *out)
{
    if (f && estimate(c, f) != NO_INDEX) {
        gather(c, f, out);
        unique(out);
    } else {
        for (uint32_t slot = 0; slot < c->slots; slot++)
            if (collection_point(c, slot)->used) slots_add(out, slot);
    }
    if (f) keep_passing(c, f, out);
}

struct keyed {
    struct pointid id;
    uint32_t slot;
};

static int by_id(const void *a, const void *b)
{
    return pointid_compare(&((const struct keyed *)a)->id, &((const struct keyed *)b)->id);
}

/* Few candidates: sort them by id first, so that no more than `limit` are checked. */
static void from_candidates(const struct collection *c, const struct filter *f, const struct pointid *from,
                            size_t limit, struct slots *out)
{
    struct slots found = {0};
    struct keyed *keyed;
    struct pool a;
    size_t n = 0;

    gather(c, f, &found);
    unique(&found);
    keyed = must_alloc(found.count * sizeof *keyed);
    for (size_t i = 0; i < found.count; i++) {
        struct pointid id = collection_id(c, found.list[i]);

        if (from && pointid_compare(&id, from) < 0) continue;
        keyed[n].id = id;
        keyed[n++].slot = found.list[i];
    }
    qsort(keyed, n, sizeof *keyed, by_id);
    pool_init(&a);
    for (size_t i = 0; i < n && out->count < limit; i++)
        if (select_matches(c, f, keyed[i].slot, &a)) slots_add(out, keyed[i].slot);
    pool_fini(&a);
    free(keyed);
    free(found.list);
}

void select_ordered(const struct collection *c, const struct filter *f, const struct pointid *from,
                    size_t limit, struct slots *out)
{
    struct order_place place;
    struct pool a;
    uint32_t slot;

    if (f && estimate(c, f) < c->points / 8 + 1000) {
        from_candidates(c, f, from, limit, out);
        return;
    }
    pool_init(&a);
    place = order_seek(&c->order, from);
    while (out->count < limit && order_next(&c->order, &place, &slot))
        if (select_matches(c, f, slot, &a)) slots_add(out, slot);
    pool_fini(&a);
}

size_t select_count(const struct collection *c, const struct filter *f)
{
    struct slots found = {0};
    size_t n;

    if (!f) return c->points;
    /* one match on one value: the index has the number */
    if (f->must_count == 1 && !f->should_count && !f->must_not_count && !f->has_min_should &&
        f->must[0].match == MATCH_VALUE && answering(c, &f->must[0]))
        return estimate_condition(c, &f->must[0]);
    select_all(c, f, &found);
    n = found.count;
    free(found.list);
    return n;
}
