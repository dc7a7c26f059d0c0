/*
 * collection.c - the points of a collection and what finds them: slots, the id table, the order of ids, the
 * payload indexes. It owns all of that; locking is the caller's.
 */
#include "qdrant_store/collection.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_SHIFT 12
#define CHUNK_POINTS (1U << CHUNK_SHIFT)

struct undo {
    struct undo *next;
    struct pointid id;
    bool existed;
    uint64_t version;
    char *payload;
    struct vector_write *vectors; /* with copies of their values */
    size_t vector_count;
};

struct point *collection_point(const struct collection *c, uint32_t slot)
{
    return &c->chunks[slot >> CHUNK_SHIFT][slot & (CHUNK_POINTS - 1)];
}

struct pointid collection_id(const struct collection *c, uint32_t slot)
{
    const struct point *p = collection_point(c, slot);
    struct pointid id = {.high = p->high, .low = p->low, .uuid = p->uuid};

    return id;
}

static struct pointid id_of(const void *user, uint32_t slot)
{
    return collection_id(user, slot);
}

struct collection *collection_new(const char *name)
{
    struct collection *c = must_alloc(sizeof *c);
    pthread_rwlockattr_t attributes;

    memset(c, 0, sizeof *c);
    c->name = strdup(name);
    pthread_rwlockattr_init(&attributes);
    pthread_rwlock_init(&c->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    order_init(&c->order, id_of, c);
    return c;
}

void collection_free(struct collection *c)
{
    char **texts[] = {&c->vectors_json,      &c->sparse_json,     &c->params_json,
                      &c->hnsw_json,         &c->optimizers_json, &c->wal_json,
                      &c->quantization_json, &c->strict_json,     &c->metadata_json};

    for (size_t i = 1; i < c->replica_count; i++) collection_free(c->replicas[i - 1]);
    free(c->replicas);
    collection_forget_undo(c);
    for (uint32_t i = 0; i < c->slots; i++) free(collection_point(c, i)->payload);
    for (size_t i = 0; i < c->chunk_count; i++) free(c->chunks[i]);
    for (size_t i = 0; i < c->space_count; i++) vector_space_fini(&c->spaces[i]);
    while (c->indexes) {
        struct field_index *next = c->indexes->next;

        index_free(c->indexes);
        c->indexes = next;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(*texts[i]);
    order_fini(&c->order);
    free(c->chunks);
    free(c->spaces);
    free(c->free_slots);
    free(c->table);
    pthread_rwlock_destroy(&c->lock);
    free(c->name);
    free(c);
}

/* The place in the table where the id is, or where it would go. */
static size_t probe(const struct collection *c, const struct pointid *id)
{
    size_t mask = c->table_capacity - 1;
    size_t i = (size_t)pointid_hash(id) & mask;

    while (c->table[i] != NO_SLOT) {
        struct pointid other = collection_id(c, c->table[i]);

        if (pointid_compare(&other, id) == 0) break;
        i = (i + 1) & mask;
    }
    return i;
}

uint32_t collection_find(const struct collection *c, const struct pointid *id)
{
    return c->table_capacity ? c->table[probe(c, id)] : NO_SLOT;
}

static void grow_table(struct collection *c)
{
    c->table_capacity = c->table_capacity ? c->table_capacity * 2 : 1024;
    c->table = must_realloc(c->table, c->table_capacity * sizeof *c->table);
    memset(c->table, 0xff, c->table_capacity * sizeof *c->table);
    for (uint32_t slot = 0; slot < c->slots; slot++) {
        struct pointid id;

        if (!collection_point(c, slot)->used) continue;
        id = collection_id(c, slot);
        c->table[probe(c, &id)] = slot;
    }
}

static uint32_t take_slot(struct collection *c)
{
    if (c->free_count) return c->free_slots[--c->free_count];
    if (c->slots >> CHUNK_SHIFT == c->chunk_count) {
        c->chunks = must_realloc(c->chunks, (c->chunk_count + 1) * sizeof(struct point *));
        c->chunks[c->chunk_count] = must_alloc(CHUNK_POINTS * sizeof **c->chunks);
        memset(c->chunks[c->chunk_count], 0, CHUNK_POINTS * sizeof **c->chunks);
        c->chunk_count++;
    }
    return c->slots++;
}

static uint32_t new_point(struct collection *c, const struct pointid *id)
{
    struct point *p;
    uint32_t slot;

    if ((size_t)(c->points + 1) * 4 > c->table_capacity * 3) grow_table(c);
    slot = take_slot(c);
    p = collection_point(c, slot);
    p->high = id->high;
    p->low = id->low;
    p->uuid = id->uuid;
    p->used = true;
    c->table[probe(c, id)] = slot;
    c->points++;
    order_insert(&c->order, slot);
    return slot;
}

struct json collection_payload(const struct collection *c, uint32_t slot, struct pool *a)
{
    const struct point *p = collection_point(c, slot);
    struct json v = {.type = JSON_OBJECT};

    if (p->payload && !json_parse(a, p->payload, p->payload_bytes, &v, NULL)) {
        memset(&v, 0, sizeof v); /* cannot be: it was written by json_write */
        v.type = JSON_OBJECT;
    }
    return v;
}

static void unindex(struct collection *c, uint32_t slot)
{
    struct pool a;
    struct json old;

    if (!c->indexes || !collection_point(c, slot)->payload) return;
    pool_init(&a);
    old = collection_payload(c, slot, &a);
    for (struct field_index *x = c->indexes; x; x = x->next) index_remove(x, slot, &old);
    pool_fini(&a);
}

void collection_set_payload(struct collection *c, uint32_t slot, const struct json *payload)
{
    struct point *p = collection_point(c, slot);
    struct buf text;

    unindex(c, slot);
    free(p->payload);
    p->payload = NULL;
    p->payload_bytes = 0;
    p->version = c->operation;
    if (!payload->count) return;
    buf_init(&text, 0);
    json_write(&text, payload);
    p->payload = must_alloc(text.bytes + 1); /* exactly as much as it needs */
    memcpy(p->payload, text.data, text.bytes + 1);
    p->payload_bytes = (uint32_t)text.bytes;
    buf_fini(&text);
    for (struct field_index *x = c->indexes; x; x = x->next) index_add(x, slot, payload);
}

void collection_set_vector(struct collection *c, uint32_t slot, const struct vector_write *v)
{
    vector_set(&c->spaces[v->space - c->spaces], slot, v);
    collection_point(c, slot)->version = c->operation;
}

void collection_drop_vector(struct collection *c, uint32_t slot, const struct vector_space *space)
{
    vector_clear(&c->spaces[space - c->spaces], slot);
    collection_point(c, slot)->version = c->operation;
}

void collection_put(struct collection *c, const struct pointid *id, const struct vector_write *vectors,
                    size_t vector_count, const struct json *payload)
{
    uint32_t slot = collection_find(c, id);

    if (slot == NO_SLOT)
        slot = new_point(c, id);
    else
        for (size_t i = 0; i < c->space_count; i++) vector_clear(&c->spaces[i], slot);
    for (size_t i = 0; i < vector_count; i++) collection_set_vector(c, slot, &vectors[i]);
    collection_set_payload(c, slot, payload);
}

/* Takes an id out of the table, closing the gap it leaves. */
static void table_remove(struct collection *c, const struct pointid *id)
{
    size_t mask = c->table_capacity - 1;
    size_t i = probe(c, id);
    size_t j = i;

    c->table[i] = NO_SLOT;
    for (;;) {
        struct pointid other;

        j = (j + 1) & mask;
        if (c->table[j] == NO_SLOT) return;
        other = collection_id(c, c->table[j]);
        if (((j - (size_t)pointid_hash(&other)) & mask) < ((j - i) & mask)) continue;
        c->table[i] = c->table[j];
        c->table[j] = NO_SLOT;
        i = j;
    }
}

void collection_remove(struct collection *c, uint32_t slot)
{
    struct pointid id = collection_id(c, slot);
    struct point *p = collection_point(c, slot);

    unindex(c, slot);
    order_remove(&c->order, &id);
    table_remove(c, &id);
    for (size_t i = 0; i < c->space_count; i++) vector_clear(&c->spaces[i], slot);
    free(p->payload);
    memset(p, 0, sizeof *p);
    c->points--;
    if (c->free_count == c->free_capacity) {
        c->free_capacity = c->free_capacity ? c->free_capacity * 2 : 64;
        c->free_slots = must_realloc(c->free_slots, c->free_capacity * sizeof *c->free_slots);
    }
    c->free_slots[c->free_count++] = slot;
}

struct vector_space *collection_space(const struct collection *c, const char *name, size_t bytes)
{
    for (size_t i = 0; i < c->space_count; i++)
        if (strlen(c->spaces[i].name) == bytes && memcmp(c->spaces[i].name, name, bytes) == 0)
            return &c->spaces[i];
    return NULL;
}

struct field_index *collection_index(const struct collection *c, const struct jsonpath *path)
{
    for (struct field_index *x = c->indexes; x; x = x->next)
        if (strcmp(x->field, path->text) == 0) return x;
    return NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool collection_add_index(struct collection *c, const char *field, enum index_type type, const char *params)
{
    struct field_index *x = index_new(field, type, params);
    struct field_index *old;
    struct pool a;

    if (!x) return false;
    old = collection_index(c, &x->path);
    if (old && old->type == type && same_text(old->params, params)) {
        index_free(x);
        return true;
    }
    if (old) collection_drop_index(c, x->field);
    pool_init(&a);
    for (uint32_t slot = 0; slot < c->slots; slot++) {
        struct json payload;

        if (!collection_point(c, slot)->payload) continue;
        pool_reset(&a);
        payload = collection_payload(c, slot, &a);
        index_add(x, slot, &payload);
    }
    pool_fini(&a);
    x->next = c->indexes;
    c->indexes = x;
    return true;
}

void collection_drop_index(struct collection *c, const char *field)
{
    for (struct field_index **at = &c->indexes; *at; at = &(*at)->next) {
        struct field_index *x = *at;

        if (strcmp(x->field, field) != 0) continue;
        *at = x->next;
        index_free(x);
        return;
    }
}

static void free_vectors(const struct undo *u)
{
    for (size_t i = 0; i < u->vector_count; i++) {
        free(u->vectors[i].sparse.indices);
        free(u->vectors[i].sparse.values);
        free((void *)(uintptr_t)u->vectors[i].values);
    }
    free(u->vectors);
}

static void free_undo(struct undo *u)
{
    free_vectors(u);
    free(u->payload);
    free(u);
}

static void *copy_of(const void *data, size_t bytes)
{
    void *copy = must_alloc(bytes);

    if (bytes) memcpy(copy, data, bytes);
    return copy;
}

static void note_vectors(const struct collection *c, uint32_t slot, struct undo *u)
{
    u->vectors = must_alloc((c->space_count + 1) * sizeof *u->vectors);
    for (size_t i = 0; i < c->space_count; i++) {
        const struct vector_space *s = &c->spaces[i];
        struct vector_write *v = &u->vectors[u->vector_count];
        const struct sparse_vector *sparse;

        if (!vector_present(s, slot)) continue;
        memset(v, 0, sizeof *v);
        v->space = s;
        u->vector_count++;
        if (!s->sparse) {
            v->values = copy_of(vector_dense(s, slot), s->size * sizeof(float));
            continue;
        }
        sparse = vector_sparse(s, slot);
        v->sparse.count = sparse->count;
        v->sparse.indices = copy_of(sparse->indices, sparse->count * sizeof(uint32_t));
        v->sparse.values = copy_of(sparse->values, sparse->count * sizeof(float));
    }
}

void collection_note_undo(struct collection *c, const struct pointid *id)
{
    struct undo *u = must_alloc(sizeof *u);
    uint32_t slot = collection_find(c, id);

    memset(u, 0, sizeof *u);
    u->id = *id;
    u->existed = slot != NO_SLOT;
    if (u->existed) {
        const struct point *p = collection_point(c, slot);

        u->version = p->version;
        if (p->payload) u->payload = strdup(p->payload);
        note_vectors(c, slot, u);
    }
    u->next = c->undo;
    c->undo = u;
}

void collection_forget_undo(struct collection *c)
{
    while (c->undo) {
        struct undo *next = c->undo->next;

        free_undo(c->undo);
        c->undo = next;
    }
}

static void undo_one(struct collection *c, const struct undo *u)
{
    uint32_t slot = collection_find(c, &u->id);
    struct json payload = {.type = JSON_OBJECT};
    struct pool a;

    if (!u->existed) {
        if (slot != NO_SLOT) collection_remove(c, slot);
        return;
    }
    pool_init(&a);
    if (u->payload && !json_parse(&a, u->payload, strlen(u->payload), &payload, NULL)) payload.count = 0;
    collection_put(c, &u->id, u->vectors, u->vector_count, &payload);
    collection_point(c, collection_find(c, &u->id))->version = u->version;
    pool_fini(&a);
}

void collection_undo(struct collection *c)
{
    for (const struct undo *u = c->undo; u; u = u->next) undo_one(c, u);
    collection_forget_undo(c);
}

void collection_copy(struct collection *to, const struct collection *from)
{
    collection_forget_undo(to);
    for (uint32_t slot = 0; slot < to->slots; slot++)
        if (collection_point(to, slot)->used) collection_remove(to, slot);
    to->operation = from->operation;
    for (uint32_t slot = 0; slot < from->slots; slot++) {
        struct undo u = {.existed = true};
        struct vector_write *vectors;
        struct json payload;
        struct pool a;

        if (!collection_point(from, slot)->used) continue;
        u.id = collection_id(from, slot);
        note_vectors(from, slot, &u);
        vectors = u.vectors;
        for (size_t i = 0; i < u.vector_count; i++)
            vectors[i].space = &to->spaces[vectors[i].space - from->spaces];
        pool_init(&a);
        payload = collection_payload(from, slot, &a);
        collection_put(to, &u.id, vectors, u.vector_count, &payload);
        pool_fini(&a);
        free_vectors(&u);
    }
}
