/*
 * compare_bson.c - MongoDB replies compared member by member. Owns nothing; notes ids and tokens in `known`.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden/compare.h"
#include "golden/ejson.h"
#include "golden/mask.h"

struct comparison {
    struct known *known;
    enum compare_extent extent;
    struct diffs *out;
};

static void compare_documents(struct comparison *c, const char *name, const bson_iter_t *recorded,
                              const bson_iter_t *got);

/* Names of values that name a moment or an instance: only their type counts. */
static bool is_volatile(const char *key)
{
    static const char *const names[] = {
        "$clusterTime", "operationTime", "clusterTime",     "opTime",       "lastWrite",  "localTime",
        "date",         "electionId",    "topologyVersion", "connectionId", "setVersion", "hosts",
        "me",           "primary",       "setName",         "keyId",
    };
    size_t bytes = strlen(key);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(key, names[i]) == 0) return true;
    return strncmp(key, "wall", 4) == 0 || (bytes > 4 && strcmp(key + bytes - 4, "Date") == 0);
}

static const char *type_name(const bson_iter_t *v)
{
    static const struct {
        bson_type_t type;
        const char *name;
    } names[] = {
        {BSON_TYPE_DOUBLE, "double"},
        {BSON_TYPE_UTF8, "string"},
        {BSON_TYPE_DOCUMENT, "document"},
        {BSON_TYPE_ARRAY, "array"},
        {BSON_TYPE_BINARY, "binary"},
        {BSON_TYPE_UNDEFINED, "undefined"},
        {BSON_TYPE_OID, "ObjectId"},
        {BSON_TYPE_BOOL, "bool"},
        {BSON_TYPE_DATE_TIME, "date"},
        {BSON_TYPE_NULL, "null"},
        {BSON_TYPE_REGEX, "regex"},
        {BSON_TYPE_CODE, "code"},
        {BSON_TYPE_INT32, "int32"},
        {BSON_TYPE_TIMESTAMP, "timestamp"},
        {BSON_TYPE_INT64, "int64"},
        {BSON_TYPE_MINKEY, "minKey"},
        {BSON_TYPE_DECIMAL128, "decimal128"},
        {BSON_TYPE_MAXKEY, "maxKey"},
        {BSON_TYPE_CODEWSCOPE, "code with scope"},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].type == bson_iter_type(v)) return names[i].name;
    return "other type";
}

static void add_values(struct comparison *c, const char *reason, const bson_iter_t *recorded,
                       const bson_iter_t *got)
{
    char *r = ejson_show(recorded), *g = ejson_show(got);

    diffs_add(c->out, "%s%sexpected %s, got %s", reason, *reason ? ": " : "", r ? r : "?", g ? g : "?");
    free(r);
    free(g);
}

static void add_one(struct comparison *c, const char *key, const char *what, const bson_iter_t *v)
{
    size_t mark = diffs_down(c->out, key);
    char *text = ejson_show(v);

    diffs_add(c->out, "%s %s", what, text ? text : "?");
    free(text);
    diffs_up(c->out, mark);
}

/* Same bytes, so same value: true of every type but double, whose NaNs and zeroes have several forms. */
static bool same_value(const bson_iter_t *a, const bson_iter_t *b)
{
    bson_t one = BSON_INITIALIZER, other = BSON_INITIALIZER;
    bool same;

    if (BSON_ITER_HOLDS_DOUBLE(a)) {
        double x = bson_iter_double(a), y = bson_iter_double(b);

        return (isnan(x) && isnan(y)) || (x <= y && x >= y && signbit(x) == signbit(y));
    }
    bson_append_iter(&one, "v", 1, a);
    bson_append_iter(&other, "v", 1, b);
    same = bson_equal(&one, &other);
    bson_destroy(&one);
    bson_destroy(&other);
    return same;
}

static void compare_token(struct comparison *c, const char *parent, const bson_iter_t *r,
                          const bson_iter_t *g)
{
    bool is_event = strcmp(parent, "_id") == 0;
    const char *reason = known_token(c->known, bson_iter_utf8(r, NULL), bson_iter_utf8(g, NULL), is_event);

    if (reason) add_values(c, reason, r, g);
}

static void compare_int64(struct comparison *c, const char *parent, const bson_iter_t *r,
                          const bson_iter_t *g)
{
    int64_t recorded = bson_iter_int64(r), got = bson_iter_int64(g), now;

    if (strcmp(bson_iter_key(r), "id") == 0 && strcmp(parent, "cursor") == 0) {
        if ((recorded == 0) != (got == 0))
            diffs_add(c->out, "expected %s cursor", recorded == 0 ? "a closed" : "an open");
        if (recorded == 0 || got == 0) return;
    }
    if (known_cursor(c->known, recorded, &now) ? got != now : got != recorded) add_values(c, "", r, g);
}

/* `parent` is the name of the document they are members of. */
static void compare_values(struct comparison *c, const char *parent, const bson_iter_t *r,
                           const bson_iter_t *g)
{
    const char *key = bson_iter_key(r), *reason;
    bson_iter_t r_inner, g_inner;

    if (bson_iter_type(r) != bson_iter_type(g)) {
        char *recorded = ejson_show(r), *got = ejson_show(g);

        diffs_add(c->out, "expected %s %s, got %s %s", type_name(r), recorded ? recorded : "?", type_name(g),
                  got ? got : "?");
        free(recorded);
        free(got);
    } else if (is_volatile(key)) {
        return;
    } else if (BSON_ITER_HOLDS_DOCUMENT(r) || BSON_ITER_HOLDS_ARRAY(r)) {
        if (BSON_ITER_HOLDS_ARRAY(r) && c->extent == COMPARE_SHAPE) return;
        if (bson_iter_recurse(r, &r_inner) && bson_iter_recurse(g, &g_inner))
            compare_documents(c, key, &r_inner, &g_inner);
    } else if (BSON_ITER_HOLDS_UTF8(r) && strcmp(key, "_data") == 0) {
        compare_token(c, parent, r, g);
    } else if (BSON_ITER_HOLDS_UTF8(r) && strcmp(key, "errmsg") == 0) {
        if (!mask_equal(MASK_MONGODB, bson_iter_utf8(r, NULL), bson_iter_utf8(g, NULL)))
            add_values(c, "", r, g);
    } else if (BSON_ITER_HOLDS_INT64(r)) {
        compare_int64(c, parent, r, g);
    } else if (known_judges(r) && known_judges(g)) {
        if ((reason = known_value(c->known, r, g))) add_values(c, reason, r, g);
    } else if ((c->extent == COMPARE_ALL || strcmp(key, "ok") == 0) && !same_value(r, g)) {
        add_values(c, "", r, g);
    }
}

static bool same_keys(bson_iter_t r, bson_iter_t g)
{
    for (;;) {
        bool more_r = bson_iter_next(&r), more_g = bson_iter_next(&g);

        if (!more_r || !more_g) return more_r == more_g;
        if (strcmp(bson_iter_key(&r), bson_iter_key(&g)) != 0) return false;
    }
}

/* Names keys that one side has alone, and another order of those that both have. */
static void compare_keys(struct comparison *c, bson_iter_t recorded, bson_iter_t got)
{
    bson_iter_t r = recorded, g = got, other;
    struct buf r_keys, g_keys;

    buf_init(&r_keys, 0);
    buf_init(&g_keys, 0);
    while (bson_iter_next(&r)) {
        other = got;
        if (!bson_iter_find(&other, bson_iter_key(&r)))
            add_one(c, bson_iter_key(&r), "missing, expected", &r);
        else
            buf_printf(&r_keys, " %s", bson_iter_key(&r));
    }
    while (bson_iter_next(&g)) {
        other = recorded;
        if (!bson_iter_find(&other, bson_iter_key(&g)))
            add_one(c, bson_iter_key(&g), "not expected, got", &g);
        else
            buf_printf(&g_keys, " %s", bson_iter_key(&g));
    }
    if (r_keys.data && g_keys.data && strcmp(r_keys.data, g_keys.data) != 0)
        diffs_add(c->out, "keys in another order: expected%s, got%s", r_keys.data, g_keys.data);
    buf_fini(&r_keys);
    buf_fini(&g_keys);
}

static void compare_documents(struct comparison *c, const char *name, const bson_iter_t *recorded,
                              const bson_iter_t *got)
{
    bool same = same_keys(*recorded, *got);
    bson_iter_t r = *recorded, g = *got;

    if (!same) compare_keys(c, *recorded, *got);
    while (bson_iter_next(&r)) {
        size_t mark;

        if (same) { /* in sync, so that keys that stand there twice meet their own kind */
            bson_iter_next(&g);
        } else {
            g = *got;
            if (!bson_iter_find(&g, bson_iter_key(&r))) continue;
        }
        mark = diffs_down(c->out, bson_iter_key(&r));
        compare_values(c, name, &r, &g);
        diffs_up(c->out, mark);
    }
}

void compare_bson(struct known *known, const bson_t *recorded, const bson_t *got, enum compare_extent extent,
                  struct diffs *out)
{
    struct comparison c = {known, extent, out};
    bson_iter_t r, g;

    if (extent == COMPARE_OK) {
        bool r_ok = bson_iter_init_find(&r, recorded, "ok"), g_ok = bson_iter_init_find(&g, got, "ok");
        size_t mark = diffs_down(out, "ok");

        if (r_ok && g_ok)
            compare_values(&c, "", &r, &g);
        else if (r_ok != g_ok)
            diffs_add(out, r_ok ? "missing" : "not expected");
        diffs_up(out, mark);
        return;
    }
    if (bson_iter_init(&r, recorded) && bson_iter_init(&g, got)) compare_documents(&c, "", &r, &g);
}

enum compare_extent compare_extent_of(const char *command)
{
    static const struct {
        const char *command;
        enum compare_extent extent;
    } extents[] = {
        {"replSetGetStatus", COMPARE_OK},
        {"buildInfo", COMPARE_OK},
        {"buildinfo", COMPARE_OK},
        {"serverStatus", COMPARE_OK},
        {"listDatabases", COMPARE_SHAPE},
        {"listCollections", COMPARE_SHAPE},
        {"configureFailPoint", COMPARE_SHAPE},
    };

    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++)
        if (strcmp(command, extents[i].command) == 0) return extents[i].extent;
    return COMPARE_ALL;
}
