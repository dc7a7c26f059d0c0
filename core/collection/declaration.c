/*
 * declaration.c - reading watched fields, payload lists and what follows from them.
 *
 * Everything is checked and reported before anything fails, so that a person sees all mistakes at once. Owns
 * the declaration's arena; sentences are read in sentence.c.
 */
#include "collection/declaration.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

#define WEIGHT_MAX 100

struct reader {
    struct declaration *d;
    declaration_report report;
    void *context;
    size_t problems;
};

static void problem(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void problem(struct reader *r, const char *format, ...)
{
    char text[LKS_ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->problems++;
    if (r->report) r->report(r->context, text);
}

static size_t list_length(const char *const *list)
{
    size_t count = 0;
    while (list && list[count]) count++;
    return count;
}

/* The next word of *at, as arena text; NULL at the end. */
static char *word(struct reader *r, const char **at)
{
    *at += strspn(*at, " \t\n");
    size_t bytes = strcspn(*at, " \t\n");
    if (!bytes) return NULL;
    char *text = arena_text(&r->d->arena, *at, bytes);
    *at += bytes;
    return text;
}

/* Lockstep writes these itself: a collection that depends on them would never come to rest. */
static bool is_own_field(const char *path)
{
    size_t bytes = path_head(path);
    return (bytes == 12 && memcmp(path, "syncMetadata", 12) == 0) ||
           (bytes == 9 && memcmp(path, "_lockstep", 9) == 0);
}

static bool check_field(struct reader *r, const char *list, const char *field)
{
    const char *reason = path_problem(field);
    if (reason) problem(r, "%s: the field `%s` %s", list, field, reason);
    if (!reason && is_own_field(field)) {
        reason = "own";
        problem(r, "%s: `%s` is Lockstep's own record, which no collection can be made of", list, field);
    }
    return !reason;
}

/* Digits with an optional fraction, whatever the locale; -1 for anything else. */
static double read_weight(const char *text)
{
    double value = 0, scale = 1;
    bool fraction = false, digits = false;
    for (; *text; text++) {
        if (*text == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (*text < '0' || *text > '9' || value > 1e6 || scale < 1e-9) return -1;
        digits = true;
        if (fraction) scale /= 10;
        value = fraction ? value + (*text - '0') * scale : value * 10 + (*text - '0');
    }
    return digits ? value : -1;
}

static void read_watched_item(struct reader *r, const char *item)
{
    const char *at = item;
    struct declaration *d = r->d;
    char *field = word(r, &at), *weight = word(r, &at), *more = word(r, &at);
    double times = weight ? read_weight(weight) : 1;
    if (d->arena.failed) return;
    if (!field) {
        problem(r, "watched: there is an empty entry");
        return;
    }
    if (more) problem(r, "watched: `%s`: expected a field and a weight, and nothing after them", item);
    if (!check_field(r, "watched", field)) return;
    if (times < 0 || times > WEIGHT_MAX)
        problem(r, "watched: `%s`: the weight `%s` must be a number from 0 to %d", item, weight, WEIGHT_MAX);
    for (size_t i = 0; i < d->watched_count; i++) {
        if (strcmp(d->watched[i].path, field) != 0) continue;
        problem(r, "watched: `%s` is there twice", field);
        return;
    }
    d->watched[d->watched_count++] = (struct watched_field){field, (unsigned)ceil(times < 0 ? 0 : times)};
}

static void read_watched(struct reader *r, const char *const *list)
{
    size_t count = list_length(list);
    r->d->watched = arena_alloc(&r->d->arena, (count + 1) * sizeof *r->d->watched);
    if (!count) problem(r, "watched: at least one field must make the text (watched = name 3, description)");
    for (size_t i = 0; i < count && !r->d->arena.failed; i++) read_watched_item(r, list[i]);
}

static bool is_watched(const struct declaration *d, const char *field)
{
    for (size_t i = 0; i < d->watched_count; i++)
        if (strcmp(d->watched[i].path, field) == 0) return true;
    return false;
}

static void read_sentences(struct reader *r, const char *const *list)
{
    struct declaration *d = r->d;
    size_t count = list_length(list);
    d->sentences = arena_alloc(&d->arena, (count + 1) * sizeof *d->sentences);
    for (size_t i = 0; i < count && !d->arena.failed; i++) {
        struct sentence *s = &d->sentences[d->sentence_count];
        size_t fields = 0;
        const char *reason = sentence_read(&d->arena, list[i], s);
        if (reason) {
            problem(r, "sentences: `%s` %s", list[i], reason);
            continue;
        }
        for (size_t piece = 0; piece < s->piece_count; piece++) {
            const char *field = s->pieces[piece].field;
            fields += field != NULL;
            if (field && !is_watched(d, field))
                problem(
                    r,
                    "sentences: `%s`: `%s` is not watched; add it to `watched`, with weight 0 if it is for "
                    "this sentence alone",
                    list[i], field);
        }
        if (!fields) problem(r, "sentences: `%s` names no {field}", list[i]);
        d->sentence_count++;
    }
}

bool payload_name_reserved(const char *name)
{
    return strcmp(name, "id") == 0 || strcmp(name, "collection") == 0 || strcmp(name, "_lockstep") == 0;
}

/* `path` under `name`, or, without a name, where it lies in the document. */
static void add_payload(struct reader *r, enum payload_kind kind, const char *name, const char *path)
{
    struct declaration *d = r->d;
    struct payload_field *field = &d->payload[d->payload_count];
    size_t head = name ? strlen(name) : path_head(path);
    struct buf key;
    buf_init(&key, 0);
    *field = (struct payload_field){.kind = kind, .path = path, .name_bytes = head, .group = 1};
    field->nested = !name && path[head];
    field->name = name ? name : arena_text(&d->arena, path, head);
    json_put_string(&key, name ? name : path, head);
    buf_putc(&key, ':');
    if (key.failed) d->arena.failed = true;
    field->json_key = arena_text(&d->arena, key.data ? key.data : "", key.bytes);
    field->json_key_bytes = key.bytes;
    if (!d->arena.failed) d->payload_count++;
    buf_fini(&key);
}

/* The member of that name that does not only lead to nested ones. */
static const struct payload_field *payload_named(const struct declaration *d, const char *name, size_t bytes)
{
    for (size_t i = 0; i < d->payload_count; i++)
        if (!d->payload[i].nested && d->payload[i].name_bytes == bytes &&
            memcmp(d->payload[i].name, name, bytes) == 0)
            return &d->payload[i];
    return NULL;
}

static const struct payload_field *payload_leading_to(const struct declaration *d, const char *name)
{
    for (size_t i = 0; i < d->payload_count; i++)
        if (d->payload[i].nested && strcmp(d->payload[i].name, name) == 0) return &d->payload[i];
    return NULL;
}

/* A field without a name of its own: whole, or nested in objects. */
static void read_payload_path(struct reader *r, const char *field)
{
    size_t head = path_head(field);
    const struct payload_field *there = payload_named(r->d, field, head);
    if (there && !there->path)
        problem(r, "payload: `%.*s` is a name Lockstep fills itself; give the field another (`%s as NAME`)",
                (int)head, field, field);
    else if (there && (strlen(there->path) != head || memcmp(there->path, field, head) != 0))
        problem(r, "payload: the name `%.*s` is given to two fields", (int)head, field);
    else
        add_payload(r, PAYLOAD_FIELD, NULL, field);
}

static void read_payload_named(struct reader *r, const char *field, const char *name)
{
    const struct payload_field *there = payload_named(r->d, name, strlen(name));
    if (!utf8_valid(name, strlen(name)))
        problem(r, "payload: the name `%s` is not valid UTF-8", name);
    else if (name[path_head(name)])
        problem(r, "payload: the name `%s` has a dot in it, which Qdrant's filters take for a path", name);
    else if (payload_name_reserved(name))
        problem(r, "payload: `%s` is a name Lockstep fills itself; give the field another (`%s as NAME`)",
                name, field);
    else if (there ? strcmp(there->path, field) != 0 : payload_leading_to(r->d, name) != NULL)
        problem(r, "payload: the name `%s` is given to two fields", name);
    else if (!there)
        add_payload(r, PAYLOAD_FIELD, name, field);
}

static void read_payload_item(struct reader *r, const char *item)
{
    const char *at = item;
    char *field = word(r, &at), *as = word(r, &at), *name = word(r, &at), *more = word(r, &at);
    if (r->d->arena.failed) return;
    if (!field || (as && (strcmp(as, "as") != 0 || !name)) || more)
        problem(r, "payload: `%s`: expected FIELD or FIELD as NAME", item);
    else if (!check_field(r, "payload", field))
        return;
    else if (name)
        read_payload_named(r, field, name);
    else
        read_payload_path(r, field);
}

/* By name; a whole field before what is nested in it. */
static int compare_payload(const void *a, const void *b)
{
    const struct payload_field *x = a, *y = b;
    int order = json_key_compare(x->name, x->name_bytes, y->name, y->name_bytes);
    return order || !x->path || !y->path ? order : strcmp(x->path, y->path);
}

/* Drops what is there twice, or nested in a field that is there whole; counts the groups. The list is sorted.
 */
static void group_payload(struct declaration *d)
{
    size_t kept = 0, first = 0;
    for (size_t i = 0; i < d->payload_count; i++) {
        const struct payload_field *field = &d->payload[i];
        bool same = kept && strcmp(d->payload[first].name, field->name) == 0;
        if (same && (!d->payload[first].nested || strcmp(d->payload[kept - 1].path, field->path) == 0))
            continue;
        if (same)
            d->payload[first].group++;
        else
            first = kept;
        d->payload[kept++] = *field;
    }
    d->payload_count = kept;
}

static void read_payload(struct reader *r, const char *const *list)
{
    struct declaration *d = r->d;
    size_t count = list_length(list);
    d->payload = arena_alloc(&d->arena, (count + d->watched_count + 2) * sizeof *d->payload);
    if (!d->payload) return;
    add_payload(r, PAYLOAD_ID, "id", NULL);
    add_payload(r, PAYLOAD_COLLECTION, "collection", NULL);
    for (size_t i = 0; i < count && !d->arena.failed; i++) read_payload_item(r, list[i]);
    for (size_t i = 0; i < d->watched_count && !d->arena.failed; i++) {
        const char *field = d->watched[i].path;
        const struct payload_field *there = payload_named(d, field, path_head(field));
        /* a listed NAME wins over a watched field that happens to be called so */
        if (!there) add_payload(r, PAYLOAD_FIELD, NULL, field);
    }
    if (d->arena.failed) return;
    qsort(d->payload, d->payload_count, sizeof *d->payload, compare_payload);
    group_payload(d);
}

static void read_reads(struct reader *r, const char *const *list)
{
    struct declaration *d = r->d;
    size_t count = list_length(list);
    d->reads = arena_alloc(&d->arena, (count + 1) * sizeof *d->reads);
    for (size_t i = 0; i < count && !d->arena.failed; i++) {
        const char *at = list[i];
        char *field = word(r, &at), *more = word(r, &at);
        if (d->arena.failed) return;
        if (!field || more) {
            problem(r, "reads: `%s`: expected one field", list[i]);
        } else if (check_field(r, "reads", field)) {
            d->reads[d->read_count++] = field;
        }
    }
}

static bool collect_paths(struct declaration *d, const char *id_field)
{
    size_t most = d->watched_count + d->payload_count + d->read_count + 2, count = 0;
    d->text_paths = arena_alloc(&d->arena, (d->watched_count + 1) * sizeof *d->text_paths);
    d->all_paths = arena_alloc(&d->arena, most * sizeof *d->all_paths);
    d->payload_rests = arena_alloc(&d->arena, (d->payload_count + 1) * sizeof *d->payload_rests);
    char *id = arena_text(&d->arena, id_field, strlen(id_field));
    if (d->arena.failed) return false;
    d->all_paths[count++] = "_id";
    d->all_paths[count++] = id;
    for (size_t i = 0; i < d->watched_count; i++)
        d->all_paths[count++] = d->text_paths[i] = d->watched[i].path;
    for (size_t i = 0; i < d->payload_count; i++)
        if (d->payload[i].path) d->all_paths[count++] = d->payload[i].path;
    for (size_t i = 0; i < d->read_count; i++) d->all_paths[count++] = d->reads[i];
    d->all_count = count;
    if (!names_init(&d->names, d->all_paths, count)) return false;
    for (size_t i = 0; i < d->payload_count; i++) {
        struct payload_field *field = &d->payload[i];
        if (!field->path) continue;
        size_t bytes = path_head(field->path);
        field->place = (size_t)names_find(&d->names, field->path, bytes);
        field->rest = d->payload_rests[i] = field->path[bytes] ? field->path + bytes + 1 : NULL;
    }
    return true;
}

static void put_item(struct buf *out, const char *text)
{
    buf_printf(out, "%zu:", strlen(text));
    buf_puts(out, text);
}

/* Lengths before the texts: no two declarations read the same. */
static bool make_digest(struct declaration *d)
{
    struct buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < d->watched_count; i++) {
        put_item(&out, d->watched[i].path);
        buf_printf(&out, "w%u,", d->watched[i].times);
    }
    for (size_t i = 0; i < d->sentence_count; i++) {
        for (size_t p = 0; p < d->sentences[i].piece_count; p++) {
            const struct sentence_piece *piece = &d->sentences[i].pieces[p];
            put_item(&out, piece->field ? piece->field : piece->literal);
            put_item(&out, piece->field ? piece->joiner : "");
            buf_putc(&out, piece->field ? 'f' : 'l');
        }
        buf_putc(&out, ';');
    }
    for (size_t i = 0; i < d->payload_count; i++) {
        put_item(&out, d->payload[i].name);
        put_item(&out, d->payload[i].path ? d->payload[i].path : "");
    }
    bool ok = !out.failed && hash_sha256_hex(&(struct hash_span){out.data, out.bytes}, 1, d->digest);
    buf_fini(&out);
    return ok;
}

static void check_limits(struct reader *r, const struct declaration_lists *lists, const char *id_field,
                         bool text_by_plugin)
{
    const struct declaration *d = r->d;
    size_t count = list_length(lists->watched) + list_length(lists->payload) + list_length(lists->reads);
    if (count > NAMES_MAX - 2) problem(r, "more than %d fields are declared", NAMES_MAX - 2);
    const char *reason = path_problem(id_field);
    if (reason) problem(r, "id_field: the field `%s` %s", id_field, reason);
    bool written = d->sentence_count > 0 || text_by_plugin || r->problems;
    for (size_t i = 0; i < d->watched_count; i++) written = written || d->watched[i].times;
    if (!written)
        problem(r, "watched: all weights are 0 and there is no sentence, so the text is always empty");
}

enum lks_code declaration_new(struct declaration **out, const struct declaration_lists *lists,
                              const char *id_field, bool text_by_plugin, declaration_report report,
                              void *context)
{
    struct declaration *d = calloc(1, sizeof *d);
    struct reader r = {.d = d, .report = report, .context = context};
    enum lks_code code = LKS_E_NOMEM;
    *out = NULL;
    if (!d) return code;
    arena_init(&d->arena, 0);
    read_watched(&r, lists->watched);
    read_sentences(&r, lists->sentences);
    read_payload(&r, lists->payload);
    read_reads(&r, lists->reads);
    if (d->arena.failed) goto out; /* what was read is not all there is */
    check_limits(&r, lists, id_field, text_by_plugin);
    code = r.problems ? LKS_E_CONFIG : LKS_E_OK;
    if (!code && (!collect_paths(d, id_field) || !make_digest(d))) code = LKS_E_NOMEM;
out:
    if (code) {
        declaration_free(d);
    } else {
        *out = d;
    }
    return code;
}

void declaration_free(struct declaration *d)
{
    if (!d) return;
    names_fini(&d->names);
    arena_fini(&d->arena);
    free(d);
}
