/*
 * reply.c - reading results: points and their `_lockstep`, counts, what a collection is.
 *
 * Hands everything it allocates to its caller. Never trusts a shape: what isn't as we write it is foreign.
 */
#include "qdrant/reply.h"

#include <stdlib.h>
#include <string.h>

#include "base/docid.h"

const struct reply_index reply_indexes[4] = {
    {"_lockstep.doc", "keyword"},
    {"_lockstep.key", "keyword"},
    {"_lockstep.source", "keyword"},
    {"_lockstep.epoch", "integer"},
};

static void one_fini(struct stamp *w)
{
    free(w->doc);
    free(w->key);
    free(w->vector);
    w->doc = w->key = NULL;
    w->vector = NULL;
    w->dimensions = 0;
}

void stamps_fini(struct stamps *list)
{
    for (size_t i = 0; i < list->count; i++) one_fini(&list->items[i]);
    free(list->items);
    *list = (struct stamps){0};
}

/* Of two that describe one point, the one with its vector comes first and stays, so that what it says fits
 * that; else the one whose payload was found to be another (it has no
 * hash); else the one that replicas do not agree on. */
static int by_id(const void *a, const void *b)
{
    const struct stamp *x = a, *y = b;
    int order = stamp_compare(x, y);
    if (!order) order = (y->vector || y->further) - (x->vector || x->further);
    if (!order) order = strcmp(x->payload_hash, y->payload_hash);
    return order ? order : (int)y->differs - (int)x->differs;
}

void stamps_unique(struct stamps *list)
{
    if (list->count < 2) return;
    qsort(list->items, list->count, sizeof *list->items, by_id);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++) {
        if (strcmp(list->items[i].point_id, list->items[kept - 1].point_id) != 0)
            list->items[kept++] = list->items[i];
        else
            one_fini(&list->items[i]);
    }
    list->count = kept;
}

static struct stamp *stamp_add(struct stamps *list)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        struct stamp *items = realloc(list->items, capacity * sizeof *items);
        if (!items) return NULL;
        list->items = items;
        list->capacity = capacity;
    }
    struct stamp *w = &list->items[list->count++];
    *w = (struct stamp){0};
    return w;
}

/* A point id as text: a string, or a number as it is written. */
static bool read_id(struct scan *s, char id[POINT_ID_BYTES])
{
    if (scan_peek(s) == '"') return scan_text(s, id, POINT_ID_BYTES);
    struct slice raw;
    scan_skip(s, &raw);
    id[0] = '\0';
    if (!raw.bytes || raw.bytes >= POINT_ID_BYTES || raw.data[0] < '0' || raw.data[0] > '9') return false;
    memcpy(id, raw.data, raw.bytes);
    id[raw.bytes] = '\0';
    return true;
}

static void read_lockstep(struct scan *s, const char *source, struct stamp *w)
{
    struct slice key;
    bool same_source = false;
    if (!scan_object(s)) return;
    while (scan_member(s, &key)) {
        if (slice_is(key, "source")) {
            char *text = scan_string(s);
            same_source = text && !strcmp(text, source);
            free(text);
        } else if (slice_is(key, "doc")) {
            free(w->doc);
            w->doc = scan_string(s);
        } else if (slice_is(key, "key")) {
            free(w->key);
            w->key = scan_string(s);
        } else if (slice_is(key, "hash")) {
            scan_text(s, w->content_hash, sizeof w->content_hash);
        } else if (slice_is(key, "payload")) {
            scan_text(s, w->payload_hash, sizeof w->payload_hash);
        } else if (slice_is(key, "epoch")) {
            if (!scan_uint(s, &w->epoch)) w->epoch = 0;
        } else {
            scan_skip(s, NULL);
        }
    }
    if (!w->key && !(w->key = strdup(""))) s->nomem = true;
    w->ours = same_source && w->doc && w->key;
    bool ignored;
    if (w->ours && (!docid_respell(&w->doc, &w->respelled) || !docid_respell(&w->key, &ignored)))
        s->nomem = true;
}

static void read_payload(struct scan *s, const char *source, struct stamp *w)
{
    struct slice key;
    if (!scan_object(s)) return;
    while (scan_member(s, &key)) {
        if (slice_is(key, "_lockstep"))
            read_lockstep(s, source, w);
        else
            scan_skip(s, NULL);
    }
}

/* A plain vector. One that holds what is no number can't be written again: none then. */
static void read_floats(struct scan *s, struct stamp *w)
{
    size_t capacity = 0, count = 0;
    bool usable = true;
    if (!scan_array(s)) return;
    while (scan_element(s)) {
        float value;
        usable = scan_float(s, &value) && usable;
        if (!usable || s->nomem) continue;
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 512;
            float *grown = realloc(w->vector, capacity * sizeof *grown);
            s->nomem = !grown;
            if (!grown) continue;
            w->vector = grown;
        }
        w->vector[count++] = value;
    }
    if (usable && count && !s->nomem) {
        w->dimensions = count;
        return;
    }
    free(w->vector);
    w->vector = NULL;
    w->dimensions = 0;
}

/* `[1,2]`, or one of several: `{"": [1,2], "image": [3]}`. */
static void read_vector(struct scan *s, struct stamp *w)
{
    struct slice key;
    if (scan_peek(s) == '[') {
        read_floats(s, w);
        return;
    }
    if (!scan_object(s)) return;
    while (scan_member(s, &key)) {
        if (!key.bytes && scan_peek(s) == '[') {
            read_floats(s, w);
        } else {
            w->further = true;
            scan_skip(s, NULL);
        }
    }
}

static enum reply_state read_points(struct scan *s, const char *source, struct stamps *list)
{
    struct slice key;
    if (!scan_array(s)) return REPLY_BROKEN;
    while (scan_element(s)) {
        bool has_id = false;
        struct stamp *w = stamp_add(list);
        if (!w) return REPLY_NOMEM;
        if (!scan_object(s)) return REPLY_BROKEN;
        while (scan_member(s, &key)) {
            if (slice_is(key, "id"))
                has_id = read_id(s, w->point_id);
            else if (slice_is(key, "payload"))
                read_payload(s, source, w);
            else if (slice_is(key, "vector") && !w->vector)
                read_vector(s, w);
            else
                scan_skip(s, NULL);
        }
        if (s->nomem) return REPLY_NOMEM; /* what is lost must not make a point of ours a foreign one */
        if (!has_id) return REPLY_BROKEN;
        if (!w->ours) {
            one_fini(w);
            w->content_hash[0] = w->payload_hash[0] = '\0';
            w->epoch = 0;
            w->foreign = true;
        }
    }
    return s->bad ? REPLY_BROKEN : REPLY_OK;
}

enum reply_state reply_stamps(struct slice result, const char *source, struct stamps *list, char *next)
{
    struct scan s;
    struct slice key;
    scan_init(&s, result.data, result.bytes);
    if (next) next[0] = '\0';
    if (scan_peek(&s) == '[') return read_points(&s, source, list);
    enum reply_state state = REPLY_BROKEN;
    if (!scan_object(&s)) return state;
    while (scan_member(&s, &key)) {
        if (slice_is(key, "points")) {
            state = read_points(&s, source, list);
            if (state != REPLY_OK) return state;
        } else if (slice_is(key, "next_page_offset") && next && scan_peek(&s) != 'n') {
            if (!read_id(&s, next)) return REPLY_BROKEN;
        } else {
            scan_skip(&s, NULL);
        }
    }
    return s.bad ? REPLY_BROKEN : state;
}

enum reply_state reply_count(struct slice result, int64_t *count)
{
    struct scan s;
    struct slice key;
    uint64_t value = 0;
    bool found = false;
    scan_init(&s, result.data, result.bytes);
    if (!scan_object(&s)) return REPLY_BROKEN;
    while (scan_member(&s, &key)) {
        if (slice_is(key, "count"))
            found = scan_uint(&s, &value);
        else
            scan_skip(&s, NULL);
    }
    if (!found || s.bad || value > INT64_MAX) return REPLY_BROKEN;
    *count = (int64_t)value;
    return REPLY_OK;
}

static bool first_order_value(struct scan *s, uint64_t *highest)
{
    struct slice key;
    bool found = false;
    if (!scan_array(s)) return false;
    for (bool first = true; scan_element(s); first = false) {
        if (!first) {
            scan_skip(s, NULL);
            continue;
        }
        if (!scan_object(s)) return false;
        while (scan_member(s, &key)) {
            if (slice_is(key, "order_value")) {
                found = true;
                if (!scan_uint(s, highest)) *highest = UINT64_MAX;
            } else {
                scan_skip(s, NULL);
            }
        }
        if (!found) return false;
    }
    return true;
}

enum reply_state reply_highest(struct slice result, uint64_t *highest)
{
    struct scan s;
    struct slice key;
    bool found = false;
    *highest = 0;
    scan_init(&s, result.data, result.bytes);
    if (!scan_object(&s)) return REPLY_BROKEN;
    while (scan_member(&s, &key)) {
        if (slice_is(key, "points"))
            found = first_order_value(&s, highest);
        else
            scan_skip(&s, NULL);
    }
    return found && !s.bad ? REPLY_OK : REPLY_BROKEN;
}

/* `{"size":4,"distance":"Cosine"}`. */
static void read_single(struct scan *s, struct reply_info *info)
{
    struct slice key;
    if (!scan_object(s)) return;
    while (scan_member(s, &key)) {
        if (slice_is(key, "size") && scan_peek(s) >= '0' && scan_peek(s) <= '9')
            info->single = scan_uint(s, &info->size);
        else if (slice_is(key, "distance") && scan_peek(s) == '"')
            scan_text(s, info->distance, sizeof info->distance);
        else if (slice_is(key, "datatype") && scan_peek(s) == '"')
            scan_text(s, info->datatype, sizeof info->datatype);
        else if (slice_is(key, "multivector_config") && scan_peek(s) == '{') {
            info->multivector = true;
            scan_skip(s, NULL);
        } else
            scan_skip(s, NULL);
    }
}

/* Walks down into the member `name` of the object ahead; everything behind it is left unread. */
static bool descend(struct scan *s, const char *name)
{
    struct slice key;
    if (!scan_object(s)) return false;
    while (scan_member(s, &key)) {
        if (slice_is(key, name)) return true;
        scan_skip(s, NULL);
    }
    return false;
}

/* One vector, or several by name, of which the empty name is the one without. */
static void read_vectors(struct scan *s, struct reply_info *info)
{
    struct slice key, raw;
    struct scan one, size;
    scan_skip(s, &raw);
    scan_init(&one, raw.data, raw.bytes);
    size = one;
    if (descend(&size, "size") && scan_peek(&size) >= '0' && scan_peek(&size) <= '9') {
        read_single(&one, info);
        return;
    }
    if (!scan_object(&one)) return;
    while (scan_member(&one, &key)) {
        if (!key.bytes) {
            read_single(&one, info);
        } else {
            info->further = true;
            scan_skip(&one, NULL);
        }
    }
}

static void read_params(struct scan *s, struct reply_info *info)
{
    struct slice key, raw;
    uint64_t replicas;
    if (!scan_object(s)) return;
    while (scan_member(s, &key)) {
        if (slice_is(key, "vectors")) {
            read_vectors(s, info);
        } else if (slice_is(key, "sparse_vectors") && scan_peek(s) == '{') {
            struct scan names;
            scan_skip(s, &raw);
            scan_init(&names, raw.data, raw.bytes);
            if (scan_object(&names) && scan_member(&names, &key)) info->further = true;
        } else if (slice_is(key, "replication_factor") && scan_peek(s) >= '0' && scan_peek(s) <= '9') {
            if (scan_uint(s, &replicas) && replicas > 0 && replicas < 1000)
                info->replicas = (unsigned)replicas;
        } else {
            scan_skip(s, NULL);
        }
    }
}

static void read_schema(struct scan *s, struct reply_info *info)
{
    struct slice key;
    if (!scan_object(s)) return;
    while (scan_member(s, &key)) {
        struct slice raw;
        struct scan entry;
        char type[32];
        scan_skip(s, &raw);
        scan_init(&entry, raw.data, raw.bytes);
        if (!descend(&entry, "data_type") || !scan_text(&entry, type, sizeof type)) continue;
        for (size_t i = 0; i < sizeof reply_indexes / sizeof *reply_indexes; i++)
            if (slice_is(key, reply_indexes[i].field))
                info->indexed[i] = !strcmp(type, reply_indexes[i].schema);
    }
}

enum reply_state reply_info(struct slice result, struct reply_info *info)
{
    struct scan s;
    struct slice key, raw;
    bool has_config = false;
    memset(info, 0, sizeof *info);
    info->replicas = 1;
    scan_init(&s, result.data, result.bytes);
    if (!scan_object(&s)) return REPLY_BROKEN;
    while (scan_member(&s, &key)) {
        if (slice_is(key, "config")) {
            struct scan config;
            scan_skip(&s, &raw);
            scan_init(&config, raw.data, raw.bytes);
            has_config = descend(&config, "params") && scan_peek(&config) == '{';
            if (has_config) read_params(&config, info);
        } else if (slice_is(key, "payload_schema")) {
            read_schema(&s, info);
        } else if (slice_is(key, "points_count")) {
            if (!scan_uint(&s, &info->points)) info->points = 0;
        } else if (slice_is(key, "status")) {
            scan_text(&s, info->status, sizeof info->status);
        } else {
            scan_skip(&s, NULL);
        }
    }
    return s.bad || !has_config ? REPLY_BROKEN : REPLY_OK;
}

static bool read_shards(struct scan *s)
{
    struct slice key;
    bool active = true;
    if (!scan_array(s)) return false;
    while (scan_element(s)) {
        char state[32] = "";
        if (!scan_object(s)) return false;
        while (scan_member(s, &key)) {
            if (slice_is(key, "state"))
                scan_text(s, state, sizeof state);
            else
                scan_skip(s, NULL);
        }
        active = active && !strcmp(state, "Active");
    }
    return active;
}

enum reply_state reply_replicas(struct slice result, bool *active)
{
    struct scan s;
    struct slice key;
    *active = true;
    scan_init(&s, result.data, result.bytes);
    if (!scan_object(&s)) return REPLY_BROKEN;
    while (scan_member(&s, &key)) {
        if (slice_is(key, "local_shards") || slice_is(key, "remote_shards"))
            *active = read_shards(&s) && *active;
        else
            scan_skip(&s, NULL);
    }
    return s.bad ? REPLY_BROKEN : REPLY_OK;
}

int reply_version(const char *body, size_t bytes)
{
    struct scan s;
    char text[64];
    scan_init(&s, body, bytes);
    if (scan_peek(&s) != '{' || !descend(&s, "version") || !scan_text(&s, text, sizeof text)) return 0;
    char *end, *minor_text;
    unsigned long major = strtoul(text, &end, 10);
    if (end == text || *end != '.') return 0;
    minor_text = end + 1;
    unsigned long minor = strtoul(minor_text, &end, 10);
    if (end == minor_text || (*end && *end != '.' && *end != '-' && *end != '+')) return 0;
    return major > 999 || minor > 999 ? 0 : (int)(major * 1000 + minor);
}

/* The next alias of the list and what it leads to, both owned by the caller, NULL where the reply lacks one.
 */
static bool next_alias(struct scan *s, char **name, char **target)
{
    struct slice key;
    *name = *target = NULL;
    if (!scan_element(s)) return false;
    if (!scan_object(s)) return true;
    while (scan_member(s, &key)) {
        char **to = slice_is(key, "alias_name") ? name : slice_is(key, "collection_name") ? target : NULL;
        if (!to) {
            scan_skip(s, NULL);
            continue;
        }
        free(*to);
        *to = scan_string(s);
    }
    return true;
}

char *reply_alias_target(struct slice result, const char *alias)
{
    struct scan s;
    char *name, *target;
    scan_init(&s, result.data, result.bytes);
    if (!descend(&s, "aliases") || !scan_array(&s)) return NULL;
    while (next_alias(&s, &name, &target)) {
        bool match = name && target && !strcmp(name, alias);
        free(name);
        if (match) return target;
        free(target);
    }
    return NULL;
}

char *reply_alias_beside(struct slice result, const char *collection, const char *alias)
{
    struct scan s;
    char *name, *target;
    scan_init(&s, result.data, result.bytes);
    if (!descend(&s, "aliases") || !scan_array(&s)) return NULL;
    while (next_alias(&s, &name, &target)) {
        bool match = name && target && !strcmp(target, collection) && strcmp(name, alias) != 0;
        free(target);
        if (match) return name;
        free(name);
    }
    return NULL;
}
