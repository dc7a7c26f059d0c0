/* payload.c - see payload.h. It owns nothing; results point into the arena and into what they were made of.
 */
#include "qdrant_store/payload.h"

#include <string.h>

/* A copy of an object with room for `more` members. */
static struct json copy_object(struct pool *a, const struct json *old, uint32_t more)
{
    struct json copy = {.type = JSON_OBJECT};

    if (old && old->type == JSON_OBJECT) copy.count = old->count;
    copy.u.members = pool_take(a, (copy.count + (size_t)more) * sizeof *copy.u.members);
    if (copy.count) memcpy(copy.u.members, old->u.members, copy.count * sizeof *copy.u.members);
    return copy;
}

static struct json_member *find(struct json *object, const char *key, size_t key_bytes)
{
    for (uint32_t i = 0; i < object->count; i++) {
        struct json_member *m = &object->u.members[i];

        if (m->key_bytes == key_bytes && memcmp(m->key, key, key_bytes) == 0) return m;
    }
    return NULL;
}

/* As serde_json's ordered map removes: the last member takes the place. */
static void remove_member(struct json *object, const char *key, size_t key_bytes)
{
    struct json_member *m = find(object, key, key_bytes);

    if (!m) return;
    *m = object->u.members[object->count - 1];
    object->count--;
}

static void put_member(struct json *object, const char *key, size_t key_bytes, const struct json *value)
{
    struct json_member *m = find(object, key, key_bytes);

    if (!m) {
        m = &object->u.members[object->count++];
        m->key = key;
        m->key_bytes = (uint32_t)key_bytes;
    }
    m->value = *value;
}

static struct json merge(struct pool *a, const struct json *old, const struct json *add)
{
    struct json out = copy_object(a, old, add->count);

    for (uint32_t i = 0; i < add->count; i++) {
        const struct json_member *m = &add->u.members[i];

        if (m->value.type == JSON_NULL)
            remove_member(&out, m->key, m->key_bytes);
        else
            put_member(&out, m->key, m->key_bytes, &m->value);
    }
    return out;
}

static struct json set_at(struct pool *a, const struct json *old, const struct json *add,
                          const struct jsonpath *path, size_t from)
{
    const struct jsonpath_step *step;
    struct json out;

    if (from == path->count) return merge(a, old, add);
    step = &path->steps[from];
    if (step->type == JSONPATH_KEY) {
        struct json child = set_at(a, json_get_n(old, step->key, step->key_bytes), add, path, from + 1);

        out = copy_object(a, old, 1);
        put_member(&out, step->key, step->key_bytes, &child);
        return out;
    }
    if (!old || old->type != JSON_ARRAY) {
        struct json empty = {.type = JSON_ARRAY};

        return empty;
    }
    out = *old;
    out.u.items = pool_take(a, old->count * sizeof *out.u.items);
    for (uint32_t i = 0; i < old->count; i++) {
        bool hit = step->type == JSONPATH_ANY || step->index == i;

        out.u.items[i] = hit ? set_at(a, &old->u.items[i], add, path, from + 1) : old->u.items[i];
    }
    return out;
}

struct json payload_set(struct pool *a, const struct json *old, const struct json *add,
                        const struct jsonpath *path)
{
    return path ? set_at(a, old, add, path, 0) : merge(a, old, add);
}

static struct json without(struct pool *a, const struct json *old, const struct jsonpath *path, size_t from)
{
    const struct jsonpath_step *step = &path->steps[from];
    bool last = from + 1 == path->count;
    struct json out = *old;

    if (step->type == JSONPATH_KEY) {
        struct json_member *m;

        if (old->type != JSON_OBJECT || !json_get_n(old, step->key, step->key_bytes)) return out;
        out = copy_object(a, old, 0);
        m = find(&out, step->key, step->key_bytes);
        if (last)
            remove_member(&out, step->key, step->key_bytes);
        else if (m)
            m->value = without(a, &m->value, path, from + 1);
        return out;
    }
    if (old->type != JSON_ARRAY) return out;
    if (last && step->type == JSONPATH_ANY) {
        out.count = 0;
        return out;
    }
    out.u.items = pool_take(a, (size_t)old->count * sizeof *out.u.items);
    out.count = 0;
    for (uint32_t i = 0; i < old->count; i++) {
        bool hit = step->type == JSONPATH_ANY || step->index == i;

        if (hit && last) continue;
        out.u.items[out.count++] = hit ? without(a, &old->u.items[i], path, from + 1) : old->u.items[i];
    }
    return out;
}

struct json payload_without(struct pool *a, const struct json *old, const struct jsonpath *paths,
                            size_t count)
{
    struct json out = *old;

    for (size_t i = 0; i < count; i++) out = without(a, &out, &paths[i], 0);
    return out;
}

/* Where the writer is in the payload. */
struct place {
    const struct place *outer;
    struct jsonpath_step step;
    size_t depth;
};

static bool step_fits(const struct jsonpath_step *pattern, const struct jsonpath_step *at)
{
    if (pattern->type == JSONPATH_ANY) return at->type == JSONPATH_INDEX;
    if (pattern->type != at->type) return false;
    if (pattern->type == JSONPATH_INDEX) return pattern->index == at->index;
    return pattern->key_bytes == at->key_bytes && memcmp(pattern->key, at->key, at->key_bytes) == 0;
}

/* True if the two agree as far as both go. */
static bool same_way(const struct jsonpath *pattern, const struct place *at)
{
    for (; at; at = at->outer)
        if (at->depth <= pattern->count && !step_fits(&pattern->steps[at->depth - 1], &at->step))
            return false;
    return true;
}

static bool shown(const struct payload_selector *s, const struct place *at)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!same_way(&s->paths[i], at)) continue;
        if (s->show == PAYLOAD_INCLUDE) return true;
        if (s->paths[i].count <= at->depth) return false;
    }
    return s->show == PAYLOAD_EXCLUDE;
}

static void write_shown(struct buf *out, const struct json *v, const struct payload_selector *s,
                        const struct place *outer)
{
    struct place at = {.outer = outer, .depth = outer ? outer->depth + 1 : 1};
    bool first = true;

    if (v->type != JSON_OBJECT && v->type != JSON_ARRAY) {
        json_write(out, v);
        return;
    }
    buf_putc(out, v->type == JSON_OBJECT ? '{' : '[');
    for (uint32_t i = 0; i < v->count; i++) {
        const struct json *child;

        if (v->type == JSON_OBJECT) {
            at.step.type = JSONPATH_KEY;
            at.step.key = v->u.members[i].key;
            at.step.key_bytes = v->u.members[i].key_bytes;
            child = &v->u.members[i].value;
        } else {
            at.step.type = JSONPATH_INDEX;
            at.step.index = i;
            child = &v->u.items[i];
        }
        if (!shown(s, &at)) continue;
        if (!first) buf_putc(out, ',');
        first = false;
        if (v->type == JSON_OBJECT) {
            json_write_string(out, at.step.key, at.step.key_bytes);
            buf_putc(out, ':');
        }
        write_shown(out, child, s, &at);
    }
    buf_putc(out, v->type == JSON_OBJECT ? '}' : ']');
}

void payload_write(struct buf *out, const struct json *payload, const struct payload_selector *selector)
{
    if (selector->show == PAYLOAD_ALL)
        json_write(out, payload);
    else
        write_shown(out, payload, selector, NULL);
}
