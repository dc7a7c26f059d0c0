/*
 * collection.c - the steps from a document to a point: id, text, payload, hashes.
 *
 * Pure; owns nothing beyond one call. It never decides what happens to a failure, only says what it was.
 */
#include "collection/collection.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "collection/making.h"

static bool content_hash(const struct collection *c, struct made *out)
{
    char length[JSON_NUMBER_BYTES];
    size_t bytes = strlen(c->fingerprint);
    size_t digits = json_digits((int64_t)bytes, length);
    /* the length keeps fingerprint and text apart */
    struct hash_span spans[] = {
        {length, digits}, {":", 1}, {c->fingerprint, bytes}, {out->text, out->text_bytes}};
    return hash_sha256_hex(spans, 4, out->content_hash);
}

static bool payload_hash(struct made *out)
{
    return hash_sha256_hex(&(struct hash_span){out->payload, out->payload_bytes}, 1, out->payload_hash);
}

/* The message is kept only where there is one, for it is large. */
static void fail(struct made *out, enum made_kind kind, const struct lks_err *err)
{
    out->kind = kind;
    if (!out->err) out->err = malloc(sizeof *out->err);
    if (!out->err) return;
    *out->err = *err;
    if (err->code == LKS_E_NOMEM) out->err->code = LKS_E_UNKNOWN;
}

/* The one place that turns a verdict into what becomes of the document. True to go on. */
static bool accept(struct made *out, lks_verdict verdict, const char *call, struct lks_err *err)
{
    switch (verdict) {
    case LKS_OK:
        return true;
    case LKS_SKIP:
        out->kind = MADE_NOTHING;
        return false;
    case LKS_RETRY:
        err->code = LKS_E_PLUGIN;
        break;
    case LKS_REJECT:
        err->code = LKS_E_VALIDATION;
        break;
    case LKS_FATAL:
        err->code = LKS_E_PLUGIN;
        fail(out, MADE_FATAL, err);
        return false;
    default:
        lks_fail(err, LKS_E_PLUGIN, "%s() answered %d, which is no verdict", call, (int)verdict);
    }
    if (!err->text[0]) lks_fail(err, err->code, "%s() gave no reason", call);
    fail(out, MADE_FAILED, err);
    return false;
}

static lks_verdict call_shown(struct making *m, bool text, struct lks_err *err)
{
    const struct collection *c = m->collection;
    const struct declaration *d = c->declaration;
    lks_verdict verdict = LKS_RETRY;
    bson_t doc = BSON_INITIALIZER;
    bson_iter_t iter;
    struct view shown;
    const char *const *paths = text ? d->text_paths : d->all_paths;
    size_t count = text ? d->watched_count : d->all_count;
    bool ok = bson_iter_init(&iter, m->view.doc) && path_project(&iter, paths, count, &doc) &&
              view_init(&shown, &d->names, &doc);
    if (!ok) {
        lks_fail(err, LKS_E_NOMEM, "out of memory, or the document can't be read");
        goto out;
    }
    m->shown = &shown;
    verdict = text ? c->callbacks.text(c->callbacks.self, m, &doc, err)
                   : c->callbacks.payload_more(c->callbacks.self, m, &doc, err);
    m->shown = &m->view;
    view_fini(&shown);
out:
    bson_destroy(&doc);
    return verdict;
}

static void write_declared_text(struct making *m)
{
    const struct declaration *d = m->collection->declaration;
    making_weighted(m);
    for (size_t i = 0; i < d->sentence_count && !m->text.full; i++)
        text_sentence(&m->text, m->shown, &d->sentences[i]);
}

/* False if the document is done with. */
static bool make_text(struct making *m, struct made *out, struct lks_err *err)
{
    if (!m->collection->callbacks.text) {
        write_declared_text(m);
    } else if (!accept(out, call_shown(m, true, err), "text", err)) {
        return false;
    }
    if (m->text.out.failed) {
        lks_fail(err, LKS_E_NOMEM, "out of memory");
        fail(out, MADE_FAILED, err);
        return false;
    }
    if (!m->text.out.bytes) {
        out->kind = MADE_NOTHING;
        return false;
    }
    out->text = buf_take(&m->text.out, &out->text_bytes);
    return true;
}

static bool make_payload(struct making *m, struct made *out, struct lks_err *err)
{
    struct buf json;
    if (m->collection->callbacks.payload_more && !accept(out, call_shown(m, false, err), "payload_more", err))
        return false;
    buf_init(&json, COLLECTION_MAX_PAYLOAD_BYTES);
    enum lks_code code = payload_write(m, &json, err);
    if (!code) out->payload = buf_take(&json, &out->payload_bytes);
    buf_fini(&json);
    if (code) fail(out, MADE_FAILED, err);
    return !code;
}

static void make_all(struct making *m, struct made *out)
{
    struct lks_err err, id_err;
    lks_err_clear(&err);
    lks_err_clear(&id_err);
    enum lks_code id_code = point_id_write(m, out, &id_err);
    if (!make_text(m, out, &err)) return; /* a document with nothing to say needs no id */
    if (id_code) {
        fail(out, MADE_FAILED, &id_err);
        return;
    }
    if (!make_payload(m, out, &err)) return;
    if (content_hash(m->collection, out) && payload_hash(out)) {
        out->kind = MADE_POINT;
        return;
    }
    lks_fail(&err, LKS_E_UNKNOWN, "SHA-256 can't be computed: out of memory, or switched off");
    fail(out, MADE_FAILED, &err);
}

/* A point has all its parts, anything else none but the id. */
static void drop_pieces(struct made *out)
{
    free(out->text);
    free(out->payload);
    out->text = out->payload = NULL;
    out->text_bytes = out->payload_bytes = 0;
    out->content_hash[0] = out->payload_hash[0] = '\0';
}

void collection_make(const struct collection *c, const bson_t *doc, struct made *out)
{
    struct making m = {.collection = c};
    *out = (struct made){.kind = MADE_FAILED};
    if (!view_init(&m.view, &c->declaration->names, doc)) {
        struct lks_err err;
        lks_fail(&err, LKS_E_UNKNOWN, "out of memory");
        fail(out, MADE_FAILED, &err);
        return;
    }
    m.shown = &m.view;
    text_init(&m.text, c->max_text_bytes);
    /* most texts are shorter than their documents: one allocation instead of one for each doubling */
    buf_reserve(&m.text.out, doc->len < c->max_text_bytes ? doc->len : c->max_text_bytes);
    arena_init(&m.arena, 0);
    make_all(&m, out);
    if (out->kind != MADE_POINT) drop_pieces(out);
    arena_fini(&m.arena);
    text_fini(&m.text);
    view_fini(&m.view);
}

void making_weighted(struct making *m)
{
    const struct declaration *d = m->collection->declaration;
    for (size_t i = 0; i < d->watched_count && !m->text.full; i++)
        text_weighted(&m->text, m->shown, d->watched[i].path, d->watched[i].times);
}

bool making_sentence(struct making *m, const char *pattern, const char **reason)
{
    struct arena arena;
    struct sentence sentence;
    arena_init(&arena, 0);
    const char *problem = sentence_read(&arena, pattern, &sentence);
    if (!problem) text_sentence(&m->text, m->shown, &sentence);
    arena_fini(&arena);
    if (reason) *reason = problem;
    return !problem;
}

void making_write(struct making *m, const char *text, size_t bytes)
{
    if (!bytes) return;
    text_piece(&m->text);
    text_put(&m->text, text, bytes);
}

bool making_may_read(const struct making *m, const char *field)
{
    const struct declaration *d = m->collection->declaration;
    for (size_t i = 0; i < d->all_count; i++) {
        size_t bytes = strlen(d->all_paths[i]);
        if (strncmp(d->all_paths[i], field, bytes) == 0 && (!field[bytes] || field[bytes] == '.'))
            return true;
    }
    return false;
}

void making_values(struct making *m, const char *field,
                   bool (*visit)(void *context, const char *bytes, size_t count), void *context)
{
    if (!path_problem(field)) text_each(m->shown, field, visit, context);
}

enum collection_resync collection_touches(const struct collection *c, const char *changed)
{
    const struct declaration *d = c->declaration;
    enum collection_resync resync = COLLECTION_UNTOUCHED;
    if (path_resynced("_id", changed) || path_resynced(c->id_field, changed)) return COLLECTION_TOUCHES_TEXT;
    for (size_t i = 0; i < d->watched_count; i++)
        if (path_resynced(d->watched[i].path, changed)) return COLLECTION_TOUCHES_TEXT;
    for (size_t i = 0; i < d->all_count && !resync; i++)
        if (path_resynced(d->all_paths[i], changed)) resync = COLLECTION_TOUCHES_PAYLOAD;
    return resync;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **collection_fields(const struct collection *const *collections, size_t count)
{
    size_t most = 1, bytes = 4;
    for (size_t c = 0; c < count; c++) {
        const struct names *n = &collections[c]->declaration->names;
        most += n->count;
        for (size_t i = 0; i < n->count; i++) bytes += n->lengths[i] + 1;
    }
    char **out = malloc((most + 1) * sizeof *out + bytes);
    if (!out) return NULL;
    char *text = (char *)(out + most + 1);
    size_t used = 0, kept = 0;
    memcpy(text, "_id", 4);
    out[used++] = text;
    text += 4;
    for (size_t c = 0; c < count; c++) {
        const struct names *n = &collections[c]->declaration->names;
        for (size_t i = 0; i < n->count; i++) {
            memcpy(text, n->names[i], n->lengths[i]);
            text[n->lengths[i]] = '\0';
            out[used++] = text;
            text += n->lengths[i] + 1;
        }
    }
    qsort(out, used, sizeof *out, compare_names);
    for (size_t i = 0; i < used; i++)
        if (!kept || strcmp(out[kept - 1], out[i]) != 0) out[kept++] = out[i];
    out[kept] = NULL;
    return out;
}

static void put_item(struct buf *out, const char *text)
{
    buf_printf(out, "%zu:", strlen(text));
    buf_puts(out, text);
}

bool collection_digest(const struct collection *c, char out[SHA256_HEX_BYTES])
{
    struct buf all;
    char space[UUID_TEXT_BYTES];
    buf_init(&all, 0);
    uuid_to_text(c->id_namespace, space);
    put_item(&all, c->name);
    put_item(&all, c->source);
    put_item(&all, c->plugin);
    put_item(&all, c->plugin_version);
    put_item(&all, c->declaration->digest);
    put_item(&all, c->fingerprint);
    put_item(&all, c->id_field);
    put_item(&all, c->id_scheme == COLLECTION_PREFIXED_SHA1 ? c->id_prefix : space);
    put_item(&all,
             "canonical ids"); /* points of before may be under other ids: everything is compared once */
    buf_printf(&all, "%d %zu", (int)c->id_scheme, c->max_text_bytes);
    for (size_t i = 0; c->options && c->options[i]; i++) put_item(&all, c->options[i]);
    bool ok = !all.failed && hash_sha256_hex(&(struct hash_span){all.data, all.bytes}, 1, out);
    buf_fini(&all);
    return ok;
}
