/*
 * update_apply.c - carrying an operation out. The collection is open for writing; all that can be refused is
 * refused before anything is written, as the server does.
 */
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/costs.h"
#include "qdrant_http/faults.h"
#include "qdrant_http/strict.h"
#include "qdrant_http/update.h"

const char *update_counter(enum update_type type)
{
    static const char *const names[] = {
        "upserted",        "deleted",         "payload_set",     "payload_overwritten",
        "payload_deleted", "payload_cleared", "vectors_updated", "vectors_deleted"};

    return names[type];
}

static void count(struct call *c, const struct update *u, size_t n)
{
    if (c->replica) return; /* counted with the first one */
    faults_count(c->server->faults, c->collection->name, "points", update_counter(u->type), n);
}

/* Finds the space each vector goes to, or answers. */
static bool place_vectors(struct call *c, const struct incoming_point *p, struct vector_write *out)
{
    for (size_t i = 0; i < p->vector_count; i++) {
        const struct incoming_vector *v = &p->vectors[i];
        const struct vector_space *s = collection_space(c->collection, v->name, v->name_bytes);

        if (!s) {
            call_error(c, 400, "Wrong input: Not existing vector name error: %s", v->name);
            return false;
        }
        if (s->sparse != v->sparse) {
            call_error(c, 400, "Wrong input: Conversion between sparse and regular vectors failed");
            return false;
        }
        if (v->multi) {
            call_error(c, 400, "Wrong input: Conversion between multi and regular vectors failed");
            return false;
        }
        if (!s->sparse && v->count != s->size) {
            bool named = v->name_bytes > 0;

            call_error(c, 400, "Wrong input: Vector dimension error: expected dim: %u, got %u%s%s%s", s->size,
                       v->count, named ? " for vector '" : "", named ? v->name : "", named ? "'" : "");
            return false;
        }
        memset(&out[i], 0, sizeof out[i]);
        out[i].space = s;
        out[i].values = v->values;
        out[i].sparse.count = v->count;
        out[i].sparse.indices = v->indices;
        out[i].sparse.values = v->values;
    }
    return true;
}

static struct vector_write **place_all(struct call *c, const struct update *u)
{
    struct vector_write **all = pool_take(&c->arena, (u->point_count + 1) * sizeof(struct vector_write *));

    for (size_t i = 0; i < u->point_count; i++) {
        all[i] = pool_take(&c->arena, (u->points[i].vector_count + 1) * sizeof **all);
        if (!place_vectors(c, &u->points[i], all[i])) return NULL;
    }
    return all;
}

/* Which points the guard lets through, by what is there before the first is written. */
static bool *guarded(struct call *c, struct update *u)
{
    bool *keep = pool_take(&c->arena, u->point_count + 1);
    struct pool a;

    pool_init(&a);
    select_bind(c->collection, u->update_filter);
    for (size_t i = 0; i < u->point_count; i++) {
        uint32_t slot = collection_find(c->collection, &u->points[i].id);

        keep[i] = slot == NO_SLOT ? u->mode != MODE_UPDATE_ONLY : u->mode != MODE_INSERT_ONLY;
        if (keep[i] && slot != NO_SLOT && u->update_filter)
            keep[i] = select_matches(c->collection, u->update_filter, slot, &a);
    }
    pool_fini(&a);
    return keep;
}

/* What a fault makes say that it is only acknowledged is no more than that. */
static bool waits(const struct call *c)
{
    return c->wait && !c->forced_status;
}

static void note(struct call *c, const struct pointid *id)
{
    if (!waits(c)) collection_note_undo(c->collection, id);
}

static bool empty_request(struct call *c)
{
    call_error(c, 400, "Bad request: Empty update request");
    return false;
}

/* What a real server takes for it. */
static void cost(struct call *c, const struct update *u)
{
    bool points = u->type == UPDATE_UPSERT || u->type == UPDATE_VECTORS;

    if (points)
        costs_add(c, u->update_filter ? COST_GUARDED_UPSERT : COST_UPSERT, u->point_count);
    else if (!u->by_ids)
        costs_add(c, COST_CHANGE_BY_FILTER, 1);
    else
        costs_add(c, u->type == UPDATE_DELETE ? COST_DELETE : COST_CHANGE_BY_ID, u->id_count);
}

static bool upsert(struct call *c, struct update *u)
{
    static const struct json nothing = {.type = JSON_OBJECT};
    struct vector_write **vectors;
    bool *keep;
    size_t written = 0;

    if (!strict_upsert(c, u)) return false;
    if (!u->point_count) return empty_request(c);
    vectors = place_all(c, u);
    if (!vectors) return false;
    keep = guarded(c, u);
    c->collection->operation++;
    for (size_t i = 0; i < u->point_count; i++) {
        const struct incoming_point *p = &u->points[i];

        if (!keep[i]) continue;
        note(c, &p->id);
        collection_put(c->collection, &p->id, vectors[i], p->vector_count,
                       p->payload ? p->payload : &nothing);
        written++;
    }
    count(c, u, written);
    return true;
}

static bool no_such_point(struct call *c, const struct pointid *id)
{
    char text[POINTID_TEXT_BYTES];

    pointid_text(id, text);
    call_error(c, 404, "Not found: No point with id %s found", text);
    return false;
}

static bool update_vectors(struct call *c, struct update *u)
{
    struct vector_write **vectors;
    const struct pointid *missing = NULL;
    size_t written = 0;
    bool *keep;

    if (!strict_update(c, u)) return false;
    vectors = place_all(c, u);
    if (!vectors) return false;
    keep = guarded(c, u);
    c->collection->operation++;
    for (size_t i = 0; i < u->point_count; i++) {
        const struct incoming_point *p = &u->points[i];
        uint32_t slot = collection_find(c->collection, &p->id);

        if (slot == NO_SLOT) {
            if (!missing && !u->update_filter) missing = &p->id;
            continue;
        }
        if (!keep[i]) continue;
        note(c, &p->id);
        for (size_t k = 0; k < p->vector_count; k++)
            collection_set_vector(c->collection, slot, &vectors[i][k]);
        written++;
    }
    count(c, u, written);
    return !missing || no_such_point(c, missing);
}

/* The slots an operation is about; ids that are not there are left out, the first of them in *missing. */
static void targets(struct call *c, struct update *u, struct slots *out, const struct pointid **missing)
{
    *missing = NULL;
    if (!u->by_ids) {
        select_bind(c->collection, u->filter);
        select_all(c->collection, u->filter, out);
        return;
    }
    for (size_t i = 0; i < u->id_count; i++) {
        uint32_t slot = collection_find(c->collection, &u->ids[i]);

        if (slot != NO_SLOT)
            slots_add(out, slot);
        else if (!*missing)
            *missing = &u->ids[i];
    }
}

static void change_payload(struct call *c, const struct update *u, uint32_t slot, struct pool *a)
{
    static const struct json nothing = {.type = JSON_OBJECT};
    struct json old;
    struct json changed;

    pool_reset(a);
    switch (u->type) {
    case UPDATE_OVERWRITE_PAYLOAD: /* a key beside it counts for nothing */
        collection_set_payload(c->collection, slot, u->payload);
        return;
    case UPDATE_SET_PAYLOAD:
        old = collection_payload(c->collection, slot, a);
        changed = payload_set(a, &old, u->payload, u->has_key ? &u->key : NULL);
        break;
    case UPDATE_DELETE_PAYLOAD:
        old = collection_payload(c->collection, slot, a);
        changed = payload_without(a, &old, u->keys, u->key_count);
        break;
    default:
        changed = nothing;
    }
    collection_set_payload(c->collection, slot, &changed);
}

static void drop_vectors(struct call *c, const struct update *u, uint32_t slot)
{
    for (uint32_t i = 0; i < u->names->count; i++) {
        const struct json *name = &u->names->u.items[i];

        collection_drop_vector(c->collection, slot,
                               collection_space(c->collection, name->u.string, name->count));
    }
}

static bool check_names(struct call *c, const struct update *u)
{
    for (uint32_t i = 0; u->names && i < u->names->count; i++) {
        const struct json *name = &u->names->u.items[i];

        if (collection_space(c->collection, name->u.string, name->count)) continue;
        call_error(c, 400, "Wrong input: Not existing vector name error: %s", name->u.string);
        return false;
    }
    return true;
}

/* Deletes, payload changes: what names its points by ids or by a filter. */
static bool change_targets(struct call *c, struct update *u)
{
    struct slots slots = {0};
    const struct pointid *missing;
    struct pool a;

    if (!strict_update(c, u) || !check_names(c, u)) return false;
    if (u->by_ids && !u->id_count) return empty_request(c);
    c->collection->operation++;
    targets(c, u, &slots, &missing);
    pool_init(&a);
    for (size_t i = 0; i < slots.count; i++) {
        struct pointid id = collection_id(c->collection, slots.list[i]);

        if (!collection_point(c->collection, slots.list[i])->used) continue; /* an id that was named twice */
        note(c, &id);
        if (u->type == UPDATE_DELETE)
            collection_remove(c->collection, slots.list[i]);
        else if (u->type == UPDATE_DELETE_VECTORS)
            drop_vectors(c, u, slots.list[i]);
        else
            change_payload(c, u, slots.list[i], &a);
    }
    pool_fini(&a);
    count(c, u, slots.count);
    free(slots.list);
    if (!missing || u->type == UPDATE_DELETE || u->type == UPDATE_DELETE_VECTORS) return true;
    return c->server->version_number < 1018 || no_such_point(c, missing);
}

bool update_apply(struct call *c, struct update *u)
{
    bool ok;

    cost(c, u);
    switch (u->type) {
    case UPDATE_UPSERT:
        ok = upsert(c, u);
        break;
    case UPDATE_VECTORS:
        ok = update_vectors(c, u);
        break;
    default:
        ok = change_targets(c, u);
    }
    if (waits(c)) collection_forget_undo(c->collection);
    return ok;
}
