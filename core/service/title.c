/* title.c - see title.h. Owns nothing between calls. */
#include "service/title.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

#define MOST_TITLE_BYTES 300
#define MOST_SNIPPET_BYTES 240

static const char *const usual[] = {"name", "title", "headline", "subject", "label"};
#define USUAL (sizeof usual / sizeof *usual)

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* At most this many bytes, cut at a character. */
static char *copy_cut(const char *text, size_t most)
{
    size_t bytes = strlen(text);
    if (bytes > most)
        for (bytes = most; bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80;) bytes--;
    return strndup(text, bytes);
}

/* ---- of a document ---- */

static const char *text_in(const bson_t *body, const char *path)
{
    bson_iter_t iter, value;
    uint32_t bytes = 0;
    if (!body || !*path || !bson_iter_init(&iter, body) || !bson_iter_find_descendant(&iter, path, &value) ||
        !BSON_ITER_HOLDS_UTF8(&value))
        return NULL;
    const char *text = bson_iter_utf8(&value, &bytes);
    return is_blank(text) || !utf8_valid(text, strlen(text)) ? NULL : text;
}

char *title_of(const char *field, const struct docid *id, const bson_t *body)
{
    const char *text = text_in(body, field);
    for (size_t i = 0; i < USUAL && !text; i++) text = text_in(body, usual[i]);
    return text ? copy_cut(text, MOST_TITLE_BYTES) : docid_plain(id);
}

/* ---- of a payload ---- */

/* The value at a dotted path: under the whole path as its name, or in the objects on the way. */
static const json_t *value_at(const json_t *payload, const char *path)
{
    const json_t *at = json_object_get(payload, path);
    for (at = at ? at : payload; at != json_object_get(payload, path) && *path;) {
        size_t bytes = strcspn(path, ".");
        at = json_object_getn(at, path, bytes);
        path += bytes + (path[bytes] == '.');
        if (!at) return NULL;
    }
    return at;
}

static const char *payload_text(const json_t *payload, const char *path)
{
    const char *text = *path ? json_string_value(value_at(payload, path)) : NULL;
    return text && !is_blank(text) ? text : NULL;
}

/* With a field of its own a source's title is that field, which the payload may lack. */
static const char *payload_title(const json_t *payload, const char *field)
{
    const char *text = payload_text(payload, field);
    for (size_t i = 0; i < USUAL && !text && !*field; i++) text = payload_text(payload, usual[i]);
    return text;
}

static void put_texts(struct buf *out, const json_t *value, const char *title)
{
    size_t i;
    json_t *item;
    const char *text = json_string_value(value);
    if (text && !is_blank(text) && (!title || strcmp(text, title) != 0) && out->bytes < MOST_SNIPPET_BYTES)
        buf_printf(out, "%s%s", out->bytes ? "; " : "", text);
    json_array_foreach(value, i, item) put_texts(out, item, title);
}

static char *snippet_of(const struct declaration *d, const json_t *payload, const char *title)
{
    struct buf text;
    buf_init(&text, 0);
    for (size_t i = 0; i < d->watched_count; i++)
        put_texts(&text, value_at(payload, d->watched[i].path), title);
    buf_putc(&text, '\0');
    char *out = text.failed ? NULL : copy_cut(text.data, MOST_SNIPPET_BYTES);
    buf_fini(&text);
    return out;
}

/* ---- of hits ---- */

/* Hits whose payload has no title, and their documents' ids. */
struct untitled {
    const char *field;
    struct search_hit **hits;
    struct docid **ids;
    size_t count;
};

static bool fill_hit(const struct declaration *d, const char *field, struct search_hit *hit,
                     struct untitled *untitled)
{
    json_t *payload = json_loads(hit->payload, JSON_ALLOW_NUL, NULL);
    const char *title = payload_title(payload, field);
    hit->title = title ? copy_cut(title, MOST_TITLE_BYTES) : NULL;
    hit->snippet = snippet_of(d, payload, title);
    bool whole = hit->snippet && (hit->title || !title);
    json_decref(payload);
    if (!title && hit->doc) untitled->ids[untitled->count] = docid_parse(hit->doc);
    if (!title && untitled->ids[untitled->count]) untitled->hits[untitled->count++] = hit;
    return whole;
}

static void take_document(void *self, const bson_t *row)
{
    const struct untitled *u = self;
    struct docid *id = docid_of(row);
    for (size_t i = 0; id && i < u->count; i++)
        if (!u->hits[i]->title && docid_equal(u->ids[i], id)) u->hits[i]->title = title_of(u->field, id, row);
    docid_free(id);
}

static void ask_documents(const struct compare_source *source, struct untitled *u)
{
    const char *fields[USUAL + 2] = {NULL};
    struct lks_err err;
    memcpy(fields, usual, sizeof usual);
    if (*u->field) fields[USUAL] = u->field;
    if (u->count > 0) (void)mongo_find_many(source->mongo, u->ids, u->count, fields, take_document, u, &err);
    for (size_t i = 0; i < u->count; i++) {
        if (!u->hits[i]->title) u->hits[i]->title = docid_plain(u->ids[i]);
        docid_free(u->ids[i]);
    }
}

static const struct declaration *declaration_of(const struct compare_source *source, const char *name)
{
    size_t i = 0;
    while (i + 1 < source->count && strcmp(source->names[i], name) != 0) i++;
    return source->collections[i]->declaration;
}

/* A fused hit is one of those of the collections. */
static bool copy_to_fused(struct search_results *out)
{
    for (size_t f = 0; f < out->fused_count; f++) {
        struct search_hit *fused = &out->fused[f];
        for (size_t i = 0; i < out->count && !fused->title; i++)
            for (size_t k = 0; k < out->collections[i].count && !fused->title; k++) {
                const struct search_hit *hit = &out->collections[i].hits[k];
                if (strcmp(hit->key, fused->key) != 0) continue;
                fused->title = strdup(hit->title);
                fused->snippet = strdup(hit->snippet);
                if (!fused->title || !fused->snippet) return false;
            }
    }
    return true;
}

enum lks_code titles_fill(const struct compare_source *source, const char *field, struct search_results *out,
                          struct lks_err *err)
{
    size_t hits = 0;
    for (size_t i = 0; i < out->count; i++) hits += out->collections[i].count;
    struct untitled untitled = {.field = field,
                                .hits = calloc(hits + 1, sizeof *untitled.hits),
                                .ids = calloc(hits + 1, sizeof *untitled.ids)};
    bool whole = untitled.hits && untitled.ids;
    for (size_t i = 0; whole && i < out->count; i++) {
        const struct declaration *d = declaration_of(source, out->collections[i].collection);
        for (size_t k = 0; k < out->collections[i].count; k++)
            whole = fill_hit(d, field, &out->collections[i].hits[k], &untitled) && whole;
    }
    if (untitled.ids) ask_documents(source, &untitled);
    for (size_t i = 0; whole && i < out->count; i++)
        for (size_t k = 0; k < out->collections[i].count; k++) {
            struct search_hit *hit = &out->collections[i].hits[k];
            if (!hit->title) hit->title = strdup(hit->id);
            whole = whole && hit->title;
        }
    whole = whole && copy_to_fused(out);
    free(untitled.hits);
    free(untitled.ids);
    return whole ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
}
