/*
 * compare_json.c - Qdrant's answers compared member by member. Owns nothing.
 *
 * Order of keys means nothing in JSON. Numbers came through single precision and through another program's
 * printing (1.0 may stand as 1), so integers are compared exactly and everything else to five digits.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden/compare.h"
#include "golden/mask.h"

#define SHOWN_BYTES 300
#define EXACT_MAX 9007199254740992.0 /* 2^53: up to here a double holds every integer */

static void compare_at(const json_t *recorded, const json_t *got, bool in_payload, struct diffs *out);

static char *show(const json_t *v)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

    if (text && strlen(text) > SHOWN_BYTES) memcpy(text + SHOWN_BYTES - 3, "...", 4);
    return text;
}

static void add_values(const json_t *recorded, const json_t *got, struct diffs *out)
{
    char *r = show(recorded), *g = show(got);

    diffs_add(out, "expected %s, got %s", r ? r : "?", g ? g : "?");
    free(r);
    free(g);
}

static void add_one(const char *key, const char *what, const json_t *v, struct diffs *out)
{
    size_t mark = diffs_down(out, key);
    char *text = show(v);

    diffs_add(out, "%s %s", what, text ? text : "?");
    free(text);
    diffs_up(out, mark);
}

/* Values that name a moment or an instance. In a payload these names are the user's own. */
static bool is_volatile(const char *key)
{
    static const char *const names[] = {"time", "usage", "version", "commit", "operation_id"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(key, names[i]) == 0) return true;
    return false;
}

/* The kind of a value: both kinds of number are one, and so are true and false. */
static json_type kind(const json_t *v)
{
    json_type type = json_typeof(v);

    if (type == JSON_REAL) return JSON_INTEGER;
    return type == JSON_FALSE ? JSON_TRUE : type;
}

static bool same_number(const json_t *recorded, const json_t *got)
{
    double r = json_number_value(recorded), g = json_number_value(got);

    if (json_is_integer(recorded) && json_is_integer(got) && fabs(r) <= EXACT_MAX)
        return json_integer_value(recorded) == json_integer_value(got);
    return fabs(r - g) <= 1e-5 * fmax(1, fabs(r));
}

static void compare_objects(const json_t *recorded, const json_t *got, bool in_payload, struct diffs *out)
{
    const char *key;
    json_t *r, *g;

    json_object_foreach((json_t *)got, key, g)
    {
        if (!json_object_get(recorded, key)) add_one(key, "not expected, got", g, out);
    }
    json_object_foreach((json_t *)recorded, key, r)
    {
        size_t mark;

        g = json_object_get(got, key);
        if (!g) {
            add_one(key, "missing, expected", r, out);
            continue;
        }
        mark = diffs_down(out, key);
        if (!in_payload && is_volatile(key)) {
            /* `usage` is null or an object, as the server's settings are */
            if (kind(r) != kind(g) && strcmp(key, "usage") != 0) add_values(r, g, out);
        } else {
            compare_at(r, g, in_payload || strcmp(key, "payload") == 0, out);
        }
        diffs_up(out, mark);
    }
}

static void compare_arrays(const json_t *recorded, const json_t *got, bool in_payload, struct diffs *out)
{
    size_t r_count = json_array_size(recorded), g_count = json_array_size(got);

    if (r_count != g_count) {
        char *text = show(got);

        diffs_add(out, "expected %zu elements, got %zu: %s", r_count, g_count, text ? text : "?");
        free(text);
    }
    for (size_t i = 0; i < r_count && i < g_count; i++) {
        char index[24];
        size_t mark;

        snprintf(index, sizeof index, "%zu", i);
        mark = diffs_down(out, index);
        compare_at(json_array_get(recorded, i), json_array_get(got, i), in_payload, out);
        diffs_up(out, mark);
    }
}

static void compare_at(const json_t *recorded, const json_t *got, bool in_payload, struct diffs *out)
{
    bool same;

    if (kind(recorded) != kind(got)) {
        add_values(recorded, got, out);
        return;
    }
    switch (json_typeof(recorded)) {
    case JSON_OBJECT:
        compare_objects(recorded, got, in_payload, out);
        return;
    case JSON_ARRAY:
        compare_arrays(recorded, got, in_payload, out);
        return;
    case JSON_INTEGER:
    case JSON_REAL:
        same = same_number(recorded, got);
        break;
    case JSON_STRING:
        same = in_payload ? json_equal(recorded, got)
                          : mask_equal(MASK_HTTP, json_string_value(recorded), json_string_value(got));
        break;
    default:
        same = json_typeof(recorded) == json_typeof(got);
        break;
    }
    if (!same) add_values(recorded, got, out);
}

void compare_json(const json_t *recorded, const json_t *got, struct diffs *out)
{
    compare_at(recorded, got, false, out);
}
