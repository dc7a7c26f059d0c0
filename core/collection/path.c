/* path.c - walking dotted paths. Pure; owns nothing. */
#include "collection/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *path_problem(const char *path)
{
    if (!*path) return "is empty";
    if (*path == '$') return "begins with a dollar sign";
    if (strlen(path) > 1000) return "is longer than 1000 bytes";
    if (!bson_utf8_validate(path, strlen(path), false)) return "is not valid UTF-8";
    for (const char *at = path; *at; at += *at == '.') {
        size_t bytes = path_head(at);
        if (!bytes) return "has an empty part between its dots";
        at += bytes;
        if (*at == '.' && !at[1]) return "ends with a dot";
    }
    for (const char *at = path; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == '{' || *at == '}' || *at == '|' || *at == ',')
            return "has a space, comma, brace or bar in it";
    return NULL;
}

size_t path_head(const char *path)
{
    return strcspn(path, ".");
}

static bool is_index(const char *text, size_t bytes)
{
    if (!bytes || bytes > 9 || (bytes > 1 && *text == '0')) return false;
    for (size_t i = 0; i < bytes; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    return true;
}

static const char *after_head(const char *path)
{
    const char *dot = path + path_head(path);
    return *dot ? dot + 1 : NULL;
}

/* Puts `child` on its member named as the first component of `path`; of equal names the last one. */
static bool find(bson_iter_t *child, const char *path)
{
    size_t bytes = path_head(path);
    bson_iter_t found;
    bool any = false;
    while (bson_iter_next(child)) {
        const char *key = bson_iter_key(child);
        if (strncmp(key, path, bytes) != 0 || key[bytes]) continue;
        found = *child;
        any = true;
    }
    if (any) *child = found;
    return any;
}

struct walk {
    path_visit visit;
    void *context;
    bool *spread;
    int depth;
};

static bool walk(struct walk *w, const bson_iter_t *iter, const char *rest);

static bool walk_array(struct walk *w, const bson_iter_t *iter, const char *rest)
{
    bson_iter_t child;
    if (!bson_iter_recurse(iter, &child)) return true;
    if (is_index(rest, path_head(rest))) return !find(&child, rest) || walk(w, &child, after_head(rest));
    *w->spread = true;
    while (bson_iter_next(&child)) {
        bson_iter_t member;
        if (!BSON_ITER_HOLDS_DOCUMENT(&child) || !bson_iter_recurse(&child, &member)) continue;
        if (find(&member, rest) && !walk(w, &member, after_head(rest))) return false;
    }
    return true;
}

static bool walk(struct walk *w, const bson_iter_t *iter, const char *rest)
{
    bson_iter_t child;
    if (!rest) return w->visit(w->context, iter);
    if (w->depth == PATH_MAX_DEPTH) return true;
    w->depth++;
    bool more = true;
    if (BSON_ITER_HOLDS_ARRAY(iter)) {
        more = walk_array(w, iter, rest);
    } else if (BSON_ITER_HOLDS_DOCUMENT(iter) && bson_iter_recurse(iter, &child) && find(&child, rest)) {
        more = walk(w, &child, after_head(rest));
    }
    w->depth--;
    return more;
}

bool path_each(const bson_iter_t *iter, const char *rest, bool *spread, path_visit visit, void *context)
{
    struct walk w = {.visit = visit, .context = context, .spread = spread};
    *spread = false;
    return walk(&w, iter, rest);
}

bool path_resynced(const char *path, const char *changed)
{
    while (path && *path && changed && *changed) {
        size_t p = path_head(path), c = path_head(changed);
        if (p == c && memcmp(path, changed, p) == 0) {
            path = after_head(path);
        } else if (!is_index(changed, c)) {
            return false;
        } /* else an array's element, over which the path passes */
        changed = after_head(changed);
    }
    return true;
}

/* Those of `paths` that begin with `key`, without it, into `out`. Sets *whole if one ends there. */
static size_t below(const char *const *paths, size_t count, const char *key, const char **out, bool *whole)
{
    size_t bytes = strlen(key), found = 0;
    *whole = false;
    for (size_t i = 0; i < count; i++) {
        if (path_head(paths[i]) != bytes || memcmp(paths[i], key, bytes) != 0) continue;
        const char *rest = after_head(paths[i]);
        if (rest) {
            out[found++] = rest;
        } else {
            *whole = true;
        }
    }
    return found;
}

/* An element keeps its place: what the paths don't reach of it is null. */
static bool project_element(bson_iter_t *iter, const char *const *paths, size_t count, bool whole, bson_t *to)
{
    bson_iter_t member;
    bson_t piece;
    const char *key = bson_iter_key(iter);
    if (whole) return bson_append_iter(to, NULL, -1, iter);
    if (!BSON_ITER_HOLDS_DOCUMENT(iter) || !bson_iter_recurse(iter, &member))
        return bson_append_null(to, key, -1);
    return bson_append_document_begin(to, key, -1, &piece) && path_project(&member, paths, count, &piece) &&
           bson_append_document_end(to, &piece);
}

static bool project_array(bson_iter_t *child, const char *const *paths, size_t count, bson_t *to)
{
    const char **rest = malloc((count + 1) * sizeof *rest);
    bool ok = rest != NULL;
    while (ok && bson_iter_next(child)) {
        bool whole;
        size_t indexed = below(paths, count, bson_iter_key(child), rest, &whole);
        ok = project_element(child, paths, count, whole || indexed, to);
    }
    free(rest);
    return ok;
}

static bool project_member(bson_iter_t *iter, const char *const *paths, size_t count, bson_t *to)
{
    bson_iter_t child;
    bson_t piece;
    const char *key = bson_iter_key(iter);
    if (BSON_ITER_HOLDS_ARRAY(iter) && bson_iter_recurse(iter, &child))
        return bson_append_array_begin(to, key, -1, &piece) && project_array(&child, paths, count, &piece) &&
               bson_append_array_end(to, &piece);
    if (BSON_ITER_HOLDS_DOCUMENT(iter) && bson_iter_recurse(iter, &child))
        return bson_append_document_begin(to, key, -1, &piece) &&
               path_project(&child, paths, count, &piece) && bson_append_document_end(to, &piece);
    return true; /* a scalar: the path leads nowhere */
}

bool path_project(bson_iter_t *iter, const char *const *paths, size_t count, bson_t *to)
{
    const char **rest = malloc((count + 1) * sizeof *rest);
    bool ok = rest != NULL;
    while (ok && bson_iter_next(iter)) {
        bool whole;
        size_t found = below(paths, count, bson_iter_key(iter), rest, &whole);
        if (whole) {
            ok = bson_append_iter(to, NULL, -1, iter);
        } else if (found) {
            ok = project_member(iter, rest, found, to);
        }
    }
    free(rest);
    return ok;
}

/* ---- path_nest() ---- */

struct nest {
    const char *const *rests;
    size_t count;
    int depth;
};

/* The rests that go on below the member or element `key`, into `out`. Sets *whole if one ends there. */
static size_t rests_below(const struct nest *n, const char *key, bool through_array, const char **out,
                          bool *whole)
{
    size_t found = below(n->rests, n->count, key, out, whole);
    for (size_t i = 0; through_array && i < n->count; i++)
        if (!is_index(n->rests[i], path_head(n->rests[i]))) out[found++] = n->rests[i];
    return found;
}

static bool nest_value(const bson_iter_t *iter, const char *key, const struct nest *n, bson_t *to);

/* A member of a document, or an element of an array that becomes the next one of `to`. */
static bool nest_child(const bson_iter_t *child, const struct nest *n, bool element, bson_t *to)
{
    char number[16];
    const char *key = bson_iter_key(child);
    const char **rests = malloc((2 * n->count + 1) * sizeof *rests);
    bool whole, ok = rests != NULL;
    if (!ok) return false;
    struct nest inner = {.rests = rests, .depth = n->depth + 1};
    inner.count = rests_below(n, key, element && BSON_ITER_HOLDS_DOCUMENT(child), rests, &whole);
    if (element) {
        snprintf(number, sizeof number, "%u", bson_count_keys(to));
        key = number;
    }
    if (whole)
        ok = bson_append_iter(to, key, -1, child);
    else if (inner.count)
        ok = nest_value(child, key, &inner, to);
    free(rests);
    return ok;
}

static bool nest_value(const bson_iter_t *iter, const char *key, const struct nest *n, bson_t *to)
{
    bson_iter_t child;
    bool array = BSON_ITER_HOLDS_ARRAY(iter), ok = true;
    if ((!array && !BSON_ITER_HOLDS_DOCUMENT(iter)) || n->depth > PATH_MAX_DEPTH) return true;
    if (!bson_iter_recurse(iter, &child)) return true;
    bson_t *piece = bson_new();
    while (ok && bson_iter_next(&child)) ok = nest_child(&child, n, array, piece);
    if (ok && !bson_empty(piece))
        ok = array ? bson_append_array(to, key, -1, piece) : bson_append_document(to, key, -1, piece);
    bson_destroy(piece);
    return ok;
}

bool path_nest(const bson_iter_t *iter, const char *const *rests, size_t count, bson_t *to)
{
    struct nest n = {.rests = rests, .count = count};
    return nest_value(iter, bson_iter_key(iter), &n, to);
}
