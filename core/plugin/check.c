/* check.c - the refusals: each descriptor is read as far as it goes and no further. Runs nothing of a plugin.
 */
#include "plugin/check.h"

#include <string.h>

#include "plugin/plugin_options.h"

#define SELF_MAX_BYTES ((size_t)1 << 20)
#define OPTIONS_MAX 256

/*
 * Plugins that were built once are loaded for as long as the major version stands, so no member moves and
 * none changes its size. New members go to the end; they are added here, too.
 */
enum { P = sizeof(void *) };
#define LAYOUT(type, member, at, size)                                                                       \
    _Static_assert(offsetof(type, member) == (at) && sizeof(((type *)0)->member) == (size),                  \
                   #type "." #member ": the plugin ABI changed")

LAYOUT(struct lks_plugin, magic, 0, 4);
LAYOUT(struct lks_plugin, size, 4, 4);
LAYOUT(struct lks_plugin, abi_major, 8, 2);
LAYOUT(struct lks_plugin, abi_minor, 10, 2);
LAYOUT(struct lks_plugin, bson_major, 12, 4);
LAYOUT(struct lks_plugin, name, 16, P);
LAYOUT(struct lks_plugin, version, 16 + P, P);
LAYOUT(struct lks_plugin, summary, 16 + 2 * P, P);
LAYOUT(struct lks_plugin, watched, 16 + 3 * P, P);
LAYOUT(struct lks_plugin, sentences, 16 + 4 * P, P);
LAYOUT(struct lks_plugin, payload, 16 + 5 * P, P);
LAYOUT(struct lks_plugin, reads, 16 + 6 * P, P);
LAYOUT(struct lks_plugin, options, 16 + 7 * P, P);
LAYOUT(struct lks_plugin, self_size, 16 + 8 * P, P);
LAYOUT(struct lks_plugin, flags, 16 + 9 * P, 4);
LAYOUT(struct lks_plugin, open, 16 + 10 * P, P);
LAYOUT(struct lks_plugin, close, 16 + 11 * P, P);
LAYOUT(struct lks_plugin, text, 16 + 12 * P, P);
LAYOUT(struct lks_plugin, payload_more, 16 + 13 * P, P);

LAYOUT(struct lks_host, size, 0, P);
LAYOUT(struct lks_host, string, P, P);
LAYOUT(struct lks_host, strings, 2 * P, P);
LAYOUT(struct lks_host, alloc, 3 * P, P);
LAYOUT(struct lks_host, weighted, 4 * P, P);
LAYOUT(struct lks_host, sentence, 5 * P, P);
LAYOUT(struct lks_host, write, 6 * P, P);
LAYOUT(struct lks_host, put, 7 * P, P);
LAYOUT(struct lks_host, put_string, 8 * P, P);
LAYOUT(struct lks_host, why, 9 * P, P);

LAYOUT(struct lks_call, host, 0, P);
LAYOUT(struct lks_call, collection, P, P);
LAYOUT(struct lks_call, doc, 2 * P, P);

LAYOUT(struct lks_option, key, 0, P);
LAYOUT(struct lks_option, type, P, 4);
LAYOUT(struct lks_option, offset, 2 * P, P);
LAYOUT(struct lks_option, fallback, 3 * P, P);
LAYOUT(struct lks_option, allowed, 4 * P, P);
LAYOUT(struct lks_option, help, 5 * P, P);
/* an element of an array: it never grows */
_Static_assert(sizeof(struct lks_option) == 6 * P, "struct lks_option: the plugin ABI changed");

struct checked {
    const char *file;
    struct plugin_problems *problems;
    bool ok;
};

static void refuse(struct checked *c)
{
    c->ok = false;
}

size_t option_size(lks_type type)
{
    switch (type) {
    case LKS_STRING:
        return sizeof(const char *);
    case LKS_INT:
        return sizeof(int64_t);
    case LKS_REAL:
        return sizeof(double);
    case LKS_BOOL:
        return sizeof(bool);
    case LKS_STRINGS:
        return sizeof(const char *const *);
    default:
        return 0;
    }
}

/* What must be right before anything else can be read. */
static bool check_abi(struct checked *c, const struct lks_plugin *theirs)
{
    const char *file = c->file;
    if (theirs->magic != LKS_MAGIC) {
        problem(c->problems, "%s: `lks_plugin` is no plugin descriptor; begin it with LKS_PLUGIN_ABI", file);
    } else if (theirs->abi_major != LKS_ABI_MAJOR) {
        problem(c->problems,
                "%s: is made for plugin interface %u, this Lockstep has %d; build it with this one's header",
                file, theirs->abi_major, LKS_ABI_MAJOR);
    } else if (theirs->abi_minor > LKS_ABI_MINOR) {
        problem(c->problems,
                "%s: needs plugin interface %u.%u, this Lockstep has %d.%d; update Lockstep, or build the "
                "plugin with "
                "this one's header",
                file, theirs->abi_major, theirs->abi_minor, LKS_ABI_MAJOR, LKS_ABI_MINOR);
    } else if (theirs->bson_major != BSON_MAJOR_VERSION) {
        problem(c->problems,
                "%s: is built with libbson %u, this Lockstep with libbson %d, and the two can't share a "
                "process; build "
                "the plugin with libbson %d",
                file, theirs->bson_major, BSON_MAJOR_VERSION, BSON_MAJOR_VERSION);
    } else if (theirs->size < offsetof(struct lks_plugin, version) + sizeof theirs->version) {
        problem(c->problems,
                "%s: its descriptor says it has %u bytes, too few for a name and a version; set `size` to "
                "sizeof(struct lks_plugin), as LKS_PLUGIN_ABI does",
                file, theirs->size);
    } else {
        return true;
    }
    return false;
}

static void require(struct checked *c, const char *member, const char *value)
{
    if (value && *value) return;
    problem(c->problems, "%s: its descriptor has no `%s`; every plugin needs one", c->file, member);
    refuse(c);
}

static void check_names(struct checked *c, const struct lks_plugin *p, const char *name)
{
    require(c, "name", p->name);
    require(c, "version", p->version);
    require(c, "summary", p->summary);
    if (p->name && *p->name && strcmp(p->name, name) != 0) {
        problem(c->problems, "%s: calls itself `%s`; a plugin's name must be that of its file, `%s`", c->file,
                p->name, name);
        refuse(c);
    }
}

static void check_flags(struct checked *c, const struct lks_plugin *p)
{
    uint32_t unknown = p->flags & ~(uint32_t)LKS_SERIAL;
    if (!unknown) return;
    problem(c->problems, "%s: sets flags this Lockstep doesn't know (0x%x); build it with this one's header",
            c->file, unknown);
    refuse(c);
}

static bool is_key(const char *key)
{
    if (*key < 'a' || *key > 'z') return false;
    size_t bytes = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return !key[bytes] && bytes <= 64;
}

/* Keys of [collection:*] that are the program's own. */
static bool is_taken(const char *key)
{
    static const char *const taken[] = {"enabled", "plugin",    "source",  "qdrant_collection", "distance",
                                        "watched", "sentences", "payload", "embedding"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(key, taken[i]) == 0) return true;
    return false;
}

static void check_option(struct checked *c, const struct lks_plugin *p, const struct lks_option *o)
{
    size_t size = option_size(o->type);
    size_t before = c->problems->count;
    if (!is_key(o->key))
        problem(c->problems,
                "%s: the option `%s` can't be called so: lower-case letters, digits and _, a letter first",
                c->file, o->key);
    else if (is_taken(o->key))
        problem(c->problems, "%s: the option `%s` has the name of one of Lockstep's own; choose another",
                c->file, o->key);
    for (const struct lks_option *other = p->options; other < o; other++)
        if (strcmp(other->key, o->key) == 0)
            problem(c->problems, "%s: the option `%s` is declared twice", c->file, o->key);
    if (!size)
        problem(c->problems, "%s: the option `%s` has an unknown type (%d)", c->file, o->key, (int)o->type);
    else if (o->offset > p->self_size || size > p->self_size - o->offset || o->offset % size)
        problem(
            c->problems,
            "%s: the option `%s` lies outside of `self` (or is misaligned); use offsetof() and set self_size",
            c->file, o->key);
    else
        option_check_default(c->file, o, c->problems);
    if (c->problems->count != before) refuse(c);
}

static void check_options(struct checked *c, const struct lks_plugin *p)
{
    if (p->self_size > SELF_MAX_BYTES) {
        problem(c->problems, "%s: its self_size of %zu bytes is more than %zu", c->file, p->self_size,
                SELF_MAX_BYTES);
        refuse(c);
        return;
    }
    size_t count = 0;
    for (const struct lks_option *o = p->options; o && o->key; o++, count++) {
        if (count == OPTIONS_MAX) {
            problem(c->problems, "%s: its options don't end with a zero key (LKS_OPTIONS adds it)", c->file);
            refuse(c);
            return;
        }
        check_option(c, p, o);
    }
}

static void check_callbacks(struct checked *c, const struct lks_plugin *p)
{
    if (!p->close || p->open) return;
    problem(c->problems,
            "%s: has a close() without an open(); close() is only called after an open() that went well",
            c->file);
    refuse(c);
}

bool plugin_check(const struct lks_plugin *theirs, const char *file, const char *name, struct lks_plugin *out,
                  struct plugin_problems *problems)
{
    struct checked c = {.file = file, .problems = problems, .ok = true};
    if (!check_abi(&c, theirs)) return false;
    size_t bytes = theirs->size < sizeof *out ? theirs->size : sizeof *out;
    *out = (struct lks_plugin){0};
    memcpy(out, theirs, bytes);
    check_names(&c, out, name);
    check_flags(&c, out);
    check_options(&c, out);
    check_callbacks(&c, out);
    return c.ok;
}
