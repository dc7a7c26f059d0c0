/*
 * index.c - the hash tables of index.h. It owns the tables and the lists of slots in them; slots belong to
 * the collection.
 *
 * A value with few points keeps them in a small array, one with many in a bitmap, so that a key that all
 * points share (a source) can still lose a point at once.
 */
#include "qdrant_store/index.h"

#include <stdlib.h>
#include <string.h>

#define MANY 64

struct index_entry {
    uint64_t hash; /* 0: free */
    uint32_t count;
    uint32_t space; /* of the array, or words of the bitmap */
    bool bitmap;
    union {
        uint32_t one; /* room 0 */
        uint32_t *slots;
        uint64_t *bits;
    } u;
};

static const char *const names[] = {"keyword", "integer", "float", "geo", "text", "bool", "datetime", "uuid"};

enum index_type index_type_parse(const struct json *v)
{
    for (int i = 0; i < INDEX_TYPES; i++)
        if (json_string_is(v, names[i])) return (enum index_type)i;
    return INDEX_TYPES;
}

const char *index_type_name(enum index_type type)
{
    return names[type];
}

struct field_index *index_new(const char *field, enum index_type type, const char *params)
{
    struct field_index *x = must_alloc(sizeof *x);

    memset(x, 0, sizeof *x);
    pool_init(&x->arena);
    x->type = type;
    x->lookup = true;
    x->range = type == INDEX_INTEGER || type == INDEX_FLOAT || type == INDEX_DATETIME || type == INDEX_UUID;
    x->params = params ? strdup(params) : NULL;
    if (!jsonpath_parse(&x->arena, field, strlen(field), &x->path)) {
        index_free(x);
        return NULL;
    }
    x->field = strdup(x->path.text);
    return x;
}

static void entry_clear(struct index_entry *e)
{
    if (e->space) free(e->bitmap ? (void *)e->u.bits : (void *)e->u.slots);
    memset(e, 0, sizeof *e);
}

void index_free(struct field_index *x)
{
    if (!x) return;
    for (size_t i = 0; i < x->capacity; i++) entry_clear(&x->entries[i]);
    free(x->entries);
    free(x->field);
    free(x->params);
    pool_fini(&x->arena);
    free(x);
}

/* 0 if the index holds no such value. */
static uint64_t value_hash(const struct field_index *x, const struct json *v)
{
    struct pointid id;
    uint64_t h = 0;

    if (x->type == INDEX_KEYWORD && v->type == JSON_STRING)
        h = hash_bytes(v->u.string, v->count, 1);
    else if (x->type == INDEX_INTEGER && v->type == JSON_INT)
        h = hash_bytes(&v->u.integer, sizeof v->u.integer, 2);
    else if (x->type == INDEX_BOOL && v->type == JSON_BOOL)
        h = v->u.boolean ? 3 : 4;
    else if (x->type == INDEX_UUID && v->type == JSON_STRING && pointid_parse(v, &id))
        h = pointid_hash(&id);
    else
        return 0;
    return h ? h : 1;
}

/* Does the value count for an index that keeps no table? */
static bool fits(const struct field_index *x, const struct json *v)
{
    double a;
    double b;

    switch (x->type) {
    case INDEX_FLOAT:
        return json_is_number(v);
    case INDEX_TEXT:
        return v->type == JSON_STRING;
    case INDEX_DATETIME:
        return v->type == JSON_STRING && filter_datetime(v->u.string, v->count, &a);
    case INDEX_GEO:
        return filter_geo_point(v, &a, &b);
    default:
        return value_hash(x, v) != 0;
    }
}

static size_t find(const struct field_index *x, uint64_t hash)
{
    size_t mask = x->capacity - 1;
    size_t i = (size_t)mix64(hash) & mask;

    while (x->entries[i].hash && x->entries[i].hash != hash) i = (i + 1) & mask;
    return i;
}

static void grow(struct field_index *x)
{
    struct index_entry *old = x->entries;
    size_t old_capacity = x->capacity;

    x->capacity = old_capacity ? old_capacity * 2 : 64;
    x->entries = must_alloc(x->capacity * sizeof *x->entries);
    memset(x->entries, 0, x->capacity * sizeof *x->entries);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].hash) x->entries[find(x, old[i].hash)] = old[i];
    free(old);
}

static void set_bit(struct index_entry *e, uint32_t slot)
{
    uint32_t words = slot / 64 + 1;

    if (words > e->space) {
        uint32_t space = words + words / 2 + 16;

        e->u.bits = must_realloc(e->u.bits, space * sizeof *e->u.bits);
        memset(e->u.bits + e->space, 0, (space - e->space) * sizeof *e->u.bits);
        e->space = space;
    }
    if (e->u.bits[slot / 64] >> (slot % 64) & 1) return;
    e->u.bits[slot / 64] |= UINT64_C(1) << (slot % 64);
    e->count++;
}

static void to_bitmap(struct index_entry *e)
{
    uint32_t *slots = e->u.slots;
    uint32_t count = e->count;

    e->bitmap = true;
    e->count = 0;
    e->space = 0;
    e->u.bits = NULL;
    for (uint32_t i = 0; i < count; i++) set_bit(e, slots[i]);
    free(slots);
}

static void entry_add(struct index_entry *e, uint32_t slot)
{
    if (e->bitmap) {
        set_bit(e, slot);
        return;
    }
    if (e->count == 0 && e->space == 0) {
        e->u.one = slot;
        e->count = 1;
        return;
    }
    if (e->space == 0) {
        uint32_t first = e->u.one;

        if (first == slot) return;
        e->u.slots = must_alloc(4 * sizeof *e->u.slots);
        e->space = 4;
        e->u.slots[0] = first;
    }
    for (uint32_t i = 0; i < e->count; i++)
        if (e->u.slots[i] == slot) return;
    if (e->count == MANY) {
        to_bitmap(e);
        set_bit(e, slot);
        return;
    }
    if (e->count == e->space) {
        e->space *= 2;
        e->u.slots = must_realloc(e->u.slots, e->space * sizeof *e->u.slots);
    }
    e->u.slots[e->count++] = slot;
}

static void entry_remove(struct index_entry *e, uint32_t slot)
{
    if (e->bitmap) {
        uint64_t bit = UINT64_C(1) << (slot % 64);

        if (slot / 64 >= e->space || !(e->u.bits[slot / 64] & bit)) return;
        e->u.bits[slot / 64] &= ~bit;
        e->count--;
        return;
    }
    if (e->space == 0) {
        if (e->count && e->u.one == slot) e->count = 0;
        return;
    }
    for (uint32_t i = 0; i < e->count; i++) {
        if (e->u.slots[i] != slot) continue;
        e->u.slots[i] = e->u.slots[--e->count];
        return;
    }
}

/* Closes the gap that a freed entry leaves, so that probing needs no tombstones. */
static void entry_delete(struct field_index *x, size_t i)
{
    size_t mask = x->capacity - 1;
    size_t j = i;

    entry_clear(&x->entries[i]);
    x->used--;
    for (;;) {
        size_t home;

        j = (j + 1) & mask;
        if (!x->entries[j].hash) return;
        home = (size_t)mix64(x->entries[j].hash) & mask;
        if (((j - home) & mask) < ((j - i) & mask)) continue;
        x->entries[i] = x->entries[j];
        memset(&x->entries[j], 0, sizeof x->entries[j]);
        i = j;
    }
}

struct change {
    struct field_index *x;
    uint32_t slot;
    bool add;
    bool any;
};

static void change_value(struct change *c, const struct json *v)
{
    struct field_index *x = c->x;
    uint64_t hash;
    size_t i;

    if (!fits(x, v)) return;
    c->any = true;
    hash = value_hash(x, v);
    if (!hash) return;
    if (c->add) {
        if (x->used * 4 >= x->capacity * 3) grow(x);
        i = find(x, hash);
        if (!x->entries[i].hash) {
            x->entries[i].hash = hash;
            x->used++;
        }
        entry_add(&x->entries[i], c->slot);
        return;
    }
    if (!x->capacity) return;
    i = find(x, hash);
    if (!x->entries[i].hash) return;
    entry_remove(&x->entries[i], c->slot);
    if (!x->entries[i].count) entry_delete(x, i);
}

static bool visit_value(void *user, const struct json *v)
{
    if (v->type == JSON_ARRAY) {
        for (uint32_t i = 0; i < v->count; i++) change_value(user, &v->u.items[i]);
    } else {
        change_value(user, v);
    }
    return true;
}

void index_add(struct field_index *x, uint32_t slot, const struct json *payload)
{
    struct change c = {.x = x, .slot = slot, .add = true};

    jsonpath_walk(&x->path, 0, payload, visit_value, &c);
    if (c.any) x->points++;
}

void index_remove(struct field_index *x, uint32_t slot, const struct json *payload)
{
    struct change c = {.x = x, .slot = slot, .add = false};

    jsonpath_walk(&x->path, 0, payload, visit_value, &c);
    if (c.any) x->points--;
}

bool index_answers(const struct field_index *x, const struct json *value)
{
    return x->lookup && value_hash(x, value) != 0;
}

static const struct index_entry *lookup(const struct field_index *x, const struct json *value)
{
    uint64_t hash = value_hash(x, value);
    size_t i;

    if (!hash || !x->capacity) return NULL;
    i = find(x, hash);
    return x->entries[i].hash ? &x->entries[i] : NULL;
}

size_t index_count(const struct field_index *x, const struct json *value)
{
    const struct index_entry *e = lookup(x, value);

    return e ? e->count : 0;
}

void index_each(const struct field_index *x, const struct json *value,
                void (*visit)(void *user, uint32_t slot), void *user)
{
    const struct index_entry *e = lookup(x, value);

    if (!e || !e->count) return;
    if (e->bitmap) {
        for (uint32_t w = 0; w < e->space; w++)
            for (uint64_t bits = e->u.bits[w]; bits; bits &= bits - 1)
                visit(user, w * 64 + (uint32_t)__builtin_ctzll(bits));
        return;
    }
    if (e->space == 0) {
        visit(user, e->u.one);
        return;
    }
    for (uint32_t i = 0; i < e->count; i++) visit(user, e->u.slots[i]);
}

static bool serves_match(const struct field_index *x, const struct condition *c)
{
    switch (c->match) {
    case MATCH_NONE:
        return false;
    case MATCH_TEXT:
    case MATCH_TEXT_ANY:
    case MATCH_PHRASE:
        return x->type == INDEX_TEXT;
    default:
        break;
    }
    if (c->value_count == 0) return true;
    switch (c->values[0].type) {
    case JSON_STRING:
        return x->type == INDEX_KEYWORD || x->type == INDEX_UUID;
    case JSON_INT:
        return x->type == INDEX_INTEGER && x->lookup;
    case JSON_BOOL:
        return x->type == INDEX_BOOL;
    default:
        return false;
    }
}

bool index_serves(const struct field_index *x, const struct condition *c)
{
    if (c->match != MATCH_NONE) return serves_match(x, c);
    if (c->range.type == RANGE_NUMBER)
        return x->type == INDEX_FLOAT || (x->type == INDEX_INTEGER && x->range);
    if (c->range.type == RANGE_DATETIME) return x->type == INDEX_DATETIME;
    if (c->geo.type != GEO_NONE) return x->type == INDEX_GEO;
    return true; /* counts, empty and null: any index will do */
}
