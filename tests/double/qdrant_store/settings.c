/*
 * settings.c - reading and showing the configuration. Most of it changes nothing here and is only kept, so
 * that clients see what they set. It owns nothing; the texts are the collection's.
 */
#include "qdrant_store/settings.h"

#include <stdlib.h>
#include <string.h>

#include "qdrant_store/payload.h"

#define NO_VECTORS "data did not match any variant of untagged enum VectorsConfig"

static const char params_default[] =
    "{\"shard_number\":1,\"replication_factor\":1,\"write_consistency_factor\":1,\"on_disk_payload\":true}";
static const char hnsw_default[] = "{\"m\":16,\"ef_construct\":100,\"full_scan_threshold\":10000,"
                                   "\"max_indexing_threads\":0,\"on_disk\":false}";
static const char optimizers_default[] =
    "{\"deleted_threshold\":0.2,\"vacuum_min_vector_number\":1000,\"default_segment_number\":0,"
    "\"max_segment_size\":null,\"memmap_threshold\":null,\"indexing_threshold\":10000,\"flush_interval_sec\":"
    "5,"
    "\"max_optimization_threads\":null,\"prevent_unoptimized\":null}";
static const char wal_default[] = "{\"wal_capacity_mb\":32,\"wal_segments_ahead\":0,\"wal_retain_closed\":1}";

static const char *const params_keys[] = {"shard_number",
                                          "sharding_method",
                                          "replication_factor",
                                          "on_disk_payload",
                                          "read_fan_out_factor",
                                          "write_consistency_factor",
                                          NULL};
static const char *const hnsw_keys[] = {
    "m",       "ef_construct", "full_scan_threshold", "max_indexing_threads",
    "on_disk", "payload_m",    "inline_storage",      NULL};
static const char *const optimizers_keys[] = {"deleted_threshold",      "vacuum_min_vector_number",
                                              "default_segment_number", "max_segment_size",
                                              "memmap_threshold",       "indexing_threshold",
                                              "flush_interval_sec",     "max_optimization_threads",
                                              "prevent_unoptimized",    NULL};
static const char *const wal_keys[] = {"wal_capacity_mb", "wal_segments_ahead", "wal_retain_closed", NULL};
static const char *const strict_keys[] = {"enabled",
                                          "max_query_limit",
                                          "max_timeout",
                                          "unindexed_filtering_retrieve",
                                          "unindexed_filtering_update",
                                          "search_max_hnsw_ef",
                                          "search_allow_exact",
                                          "search_max_oversampling",
                                          "upsert_max_batchsize",
                                          "search_max_batchsize",
                                          "max_collection_vector_size_bytes",
                                          "read_rate_limit",
                                          "write_rate_limit",
                                          "max_collection_payload_size_bytes",
                                          "max_points_count",
                                          "filter_max_conditions",
                                          "condition_max_size",
                                          "multivector_config",
                                          "sparse_config",
                                          "max_payload_index_count",
                                          "max_resident_memory_percent",
                                          NULL};
static const char *const vector_keys[] = {"size",    "distance", "hnsw_config",        "quantization_config",
                                          "on_disk", "datatype", "multivector_config", NULL};

static const char *const distances[] = {"Cosine", "Euclid", "Dot", "Manhattan"};

static bool known(const char *key, const char *const keys[])
{
    for (; *keys; keys++)
        if (strcmp(key, *keys) == 0) return true;
    return false;
}

static char *text_of(const struct json *v)
{
    struct buf out;

    buf_init(&out, 0);
    json_write(&out, v);
    return buf_take(&out, NULL);
}

/* `diff`'s known members that are not null, written over the object in `old`. */
static char *merged(struct pool *a, const char *old, const struct json *diff, const char *const keys[])
{
    struct json base = {.type = JSON_OBJECT};
    struct json add = {.type = JSON_OBJECT};

    if (old && !json_parse(a, old, strlen(old), &base, NULL)) base.count = 0;
    if (diff && diff->type == JSON_OBJECT) {
        add.u.members = pool_take(a, ((size_t)diff->count + 1) * sizeof *add.u.members);
        for (uint32_t i = 0; i < diff->count; i++)
            if (known(diff->u.members[i].key, keys) && diff->u.members[i].value.type != JSON_NULL)
                add.u.members[add.count++] = diff->u.members[i];
    }
    base = payload_set(a, &base, &add, NULL);
    return text_of(&base);
}

static void replace(char **old, char *text)
{
    free(*old);
    *old = text;
}

/* One set of vector parameters; false if it is none. */
static bool read_vector(const struct json *v, const char *name, struct vector_space *out)
{
    const struct json *size = json_get(v, "size");
    const struct json *distance = json_get(v, "distance");

    memset(out, 0, sizeof *out);
    if (!size || size->type != JSON_INT || size->u.integer < 1 || !distance) return false;
    out->size = size->u.integer > UINT32_MAX ? UINT32_MAX : (uint32_t)size->u.integer;
    if (json_string_is(json_get(v, "datatype"), "float16")) out->datatype = DATATYPE_FLOAT16;
    if (json_string_is(json_get(v, "datatype"), "uint8")) out->datatype = DATATYPE_UINT8;
    for (int i = 0; i < 4; i++) {
        if (!json_string_is(distance, distances[i])) continue;
        out->distance = (enum distance)i;
        out->name = strdup(name);
        return true;
    }
    return false;
}

static struct vector_space *add_space(struct collection *c)
{
    c->spaces = must_realloc(c->spaces, (c->space_count + 1) * sizeof *c->spaces);
    return &c->spaces[c->space_count++];
}

/* The body's numbers are shown as sent; only known keys are. */
static void write_vector(struct pool *a, struct buf *out, const struct json *v)
{
    char *text = merged(a, NULL, v, vector_keys);

    buf_puts(out, text);
    free(text);
}

static void check_size(struct reader *r, const struct json *v, const char *field)
{
    const struct json *size = json_get(v, "size");

    if (size->u.integer > 65536)
        reader_invalid(r, field, "value %lld invalid, must be from 1 to 65536", (long long)size->u.integer);
}

static bool read_vectors(struct reader *r, const struct json *v, struct collection *c, const char **refused)
{
    struct vector_space space;
    struct buf text;
    bool ok = true;

    buf_init(&text, 0);
    if (v->type != JSON_OBJECT) {
        ok = reader_fail(r, reader_after_member(r, v), NO_VECTORS);
    } else if (read_vector(v, "", &space)) {
        *add_space(c) = space;
        check_size(r, v, "vectors.size");
        if (json_get(v, "multivector_config")) *refused = "multivectors";
        write_vector(r->arena, &text, v);
    } else {
        buf_putc(&text, '{');
        for (uint32_t i = 0; i < v->count && ok; i++) {
            const struct json_member *m = &v->u.members[i];

            if (m->value.type != JSON_OBJECT || !read_vector(&m->value, m->key, &space)) {
                ok = reader_fail(r, reader_after_member(r, v), NO_VECTORS);
                break;
            }
            *add_space(c) = space;
            check_size(r, &m->value, pool_printf(r->arena, "vectors.%s.size", m->key));
            if (json_get(&m->value, "multivector_config")) *refused = "multivectors";
            if (i) buf_putc(&text, ',');
            json_write_string(&text, m->key, m->key_bytes);
            buf_putc(&text, ':');
            write_vector(r->arena, &text, &m->value);
        }
        buf_putc(&text, '}');
    }
    if (ok) replace(&c->vectors_json, buf_take(&text, NULL));
    buf_fini(&text);
    return ok;
}

static bool read_sparse(struct reader *r, const struct json *v, struct collection *c)
{
    if (v->type != JSON_OBJECT) return reader_mismatch(r, v, "a map");
    for (uint32_t i = 0; i < v->count; i++) {
        const struct json_member *m = &v->u.members[i];
        struct vector_space *s;

        if (m->value.type != JSON_OBJECT) return reader_mismatch(r, &m->value, "struct SparseVectorParams");
        s = add_space(c);
        memset(s, 0, sizeof *s);
        s->name = strdup(m->key);
        s->sparse = true;
        s->distance = DISTANCE_DOT;
    }
    replace(&c->sparse_json, text_of(v));
    return true;
}

static void strict_number(const struct json *v, const char *key, bool *has, uint64_t *out)
{
    const struct json *n = json_get(v, key);

    if (!n || n->type != JSON_INT || n->u.integer < 0) return;
    *has = true;
    *out = n->u.uinteger;
}

static bool strict_flag(const struct json *v, const char *key, bool want)
{
    const struct json *b = json_get(v, key);

    return b && b->type == JSON_BOOL && b->u.boolean == want;
}

static void read_strict(struct pool *a, struct collection *c)
{
    struct strict_mode *s = &c->strict;
    struct json v;

    memset(s, 0, sizeof *s);
    if (!c->strict_json || !json_parse(a, c->strict_json, strlen(c->strict_json), &v, NULL)) return;
    s->enabled = strict_flag(&v, "enabled", true);
    s->no_unindexed_retrieve = strict_flag(&v, "unindexed_filtering_retrieve", false);
    s->no_unindexed_update = strict_flag(&v, "unindexed_filtering_update", false);
    s->no_exact = strict_flag(&v, "search_allow_exact", false);
    strict_number(&v, "max_query_limit", &s->has_max_query_limit, &s->max_query_limit);
    strict_number(&v, "max_timeout", &s->has_max_timeout, &s->max_timeout);
    strict_number(&v, "upsert_max_batchsize", &s->has_upsert_max_batchsize, &s->upsert_max_batchsize);
    strict_number(&v, "search_max_batchsize", &s->has_search_max_batchsize, &s->search_max_batchsize);
    strict_number(&v, "filter_max_conditions", &s->has_filter_max_conditions, &s->filter_max_conditions);
    strict_number(&v, "condition_max_size", &s->has_condition_max_size, &s->condition_max_size);
    strict_number(&v, "search_max_hnsw_ef", &s->has_search_max_hnsw_ef, &s->search_max_hnsw_ef);
    strict_number(&v, "max_payload_index_count", &s->has_max_payload_index_count,
                  &s->max_payload_index_count);
    strict_number(&v, "max_points_count", &s->has_max_points_count, &s->max_points_count);
}

struct piece {
    const char *key;
    const char *type; /* as serde names it */
    const char *const *keys;
    char **text;
};

static bool read_pieces(struct reader *r, const struct json *body, struct collection *c, bool change)
{
    struct piece pieces[] = {
        {"hnsw_config", "struct HnswConfigDiff", hnsw_keys, &c->hnsw_json},
        {"optimizers_config", "struct OptimizersConfigDiff", optimizers_keys, &c->optimizers_json},
        {"wal_config", "struct WalConfigDiff", wal_keys, &c->wal_json},
        {"strict_mode_config", "struct StrictModeConfig", strict_keys, &c->strict_json}};

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const struct json *v = json_get(body, pieces[i].key);

        if (!v || v->type == JSON_NULL) continue;
        if (v->type != JSON_OBJECT) return reader_mismatch(r, v, pieces[i].type);
        if (change) replace(pieces[i].text, merged(r->arena, *pieces[i].text, v, pieces[i].keys));
    }
    return true;
}

static void keep_plain(const struct json *body, const char *key, char **text)
{
    const struct json *v = json_get(body, key);

    if (v && v->type != JSON_NULL) replace(text, text_of(v));
}

bool settings_create(struct reader *r, const struct json *body, struct collection *c, const char **refused)
{
    const struct json *vectors = json_get(body, "vectors");
    const struct json *sparse = json_get(body, "sparse_vectors");

    *refused = NULL;
    if (body->type != JSON_OBJECT) return reader_mismatch(r, body, "struct CreateCollection");
    c->vectors_json = strdup("{}");
    c->hnsw_json = strdup(hnsw_default);
    c->optimizers_json = strdup(optimizers_default);
    c->wal_json = strdup(wal_default);
    if (vectors && vectors->type != JSON_NULL && !read_vectors(r, vectors, c, refused)) return false;
    if (sparse && sparse->type != JSON_NULL && !read_sparse(r, sparse, c)) return false;
    c->params_json = merged(r->arena, params_default, body, params_keys);
    if (!read_pieces(r, body, c, true)) return false;
    keep_plain(body, "quantization_config", &c->quantization_json);
    keep_plain(body, "metadata", &c->metadata_json);
    read_strict(r->arena, c);
    return true;
}

bool settings_patch(struct reader *r, const struct json *body, struct collection *c)
{
    const struct json *params = json_get(body, "params");

    if (body->type != JSON_OBJECT) return reader_mismatch(r, body, "struct UpdateCollection");
    if (params && params->type != JSON_NULL && params->type != JSON_OBJECT)
        return reader_mismatch(r, params, "struct CollectionParamsDiff");
    if (!read_pieces(r, body, c, false)) return false;
    read_pieces(r, body, c, true);
    if (params && params->type == JSON_OBJECT)
        replace(&c->params_json, merged(r->arena, c->params_json, params, params_keys));
    keep_plain(body, "quantization_config", &c->quantization_json);
    if (json_get(body, "metadata") && json_get(body, "metadata")->type == JSON_OBJECT) {
        struct json old = {.type = JSON_OBJECT};
        struct json merged_metadata;

        if (c->metadata_json && !json_parse(r->arena, c->metadata_json, strlen(c->metadata_json), &old, NULL))
            old.count = 0;
        merged_metadata = payload_set(r->arena, &old, json_get(body, "metadata"), NULL);
        replace(&c->metadata_json, text_of(&merged_metadata));
    }
    read_strict(r->arena, c);
    return true;
}

static void write_rest(struct buf *out, const char *object)
{
    /* the members of an object that is not empty, without its opening brace */
    buf_putc(out, ',');
    buf_puts(out, object + 1);
}

static void write_optional(struct buf *out, const char *key, const char *text)
{
    if (text) buf_printf(out, ",\"%s\":%s", key, text);
}

void settings_write(struct buf *out, const struct collection *c)
{
    buf_printf(out, "{\"params\":{\"vectors\":%s", c->vectors_json);
    write_optional(out, "sparse_vectors", c->sparse_json);
    write_rest(out, c->params_json);
    buf_printf(
        out, ",\"hnsw_config\":%s,\"optimizer_config\":%s,\"wal_config\":%s,\"quantization_config\":%s",
        c->hnsw_json, c->optimizers_json, c->wal_json, c->quantization_json ? c->quantization_json : "null");
    write_optional(out, "strict_mode_config", c->strict_json);
    write_optional(out, "metadata", c->metadata_json);
    buf_putc(out, '}');
}

void settings_write_create(struct buf *out, const struct collection *c)
{
    buf_printf(out, "{\"vectors\":%s", c->vectors_json);
    write_optional(out, "sparse_vectors", c->sparse_json);
    write_rest(out, c->params_json);
    out->bytes--; /* its closing brace */
    buf_printf(out, ",\"hnsw_config\":%s,\"optimizers_config\":%s,\"wal_config\":%s", c->hnsw_json,
               c->optimizers_json, c->wal_json);
    write_optional(out, "quantization_config", c->quantization_json);
    write_optional(out, "strict_mode_config", c->strict_json);
    write_optional(out, "metadata", c->metadata_json);
    buf_putc(out, '}');
}

uint64_t settings_param(const struct collection *c, const char *key)
{
    struct pool a;
    struct json params;
    const struct json *v;
    uint64_t value = 0;

    pool_init(&a);
    if (c->params_json && json_parse(&a, c->params_json, strlen(c->params_json), &params, NULL) &&
        (v = json_get(&params, key)) && v->type == JSON_INT && v->u.integer > 0)
        value = (uint64_t)v->u.integer;
    pool_fini(&a);
    return value;
}
