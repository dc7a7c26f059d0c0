/* collections.c - making, showing, changing and dropping collections and their payload indexes. */
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/cluster.h"
#include "qdrant_http/handlers.h"
#include "qdrant_http/strict.h"
#include "qdrant_store/settings.h"

void collections_list(struct call *c)
{
    struct buf *out = call_begin(c);

    pthread_rwlock_rdlock(&c->server->lock);
    buf_puts(out, "{\"collections\":[");
    for (size_t i = 0; i < c->server->collection_count; i++) {
        const char *name = c->server->collections[i]->name;

        buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
        json_write_string(out, name, strlen(name));
        buf_putc(out, '}');
    }
    pthread_rwlock_unlock(&c->server->lock);
    buf_puts(out, "]}");
    call_end(c);
}

static void write_schema(struct buf *out, const struct collection *c)
{
    buf_putc(out, '{');
    for (const struct field_index *x = c->indexes; x; x = x->next) {
        if (x != c->indexes) buf_putc(out, ',');
        json_write_string(out, x->field, strlen(x->field));
        buf_printf(out, ":{\"data_type\":\"%s\"", index_type_name(x->type));
        if (x->params) buf_printf(out, ",\"params\":%s", x->params);
        buf_printf(out, ",\"points\":%llu}", (unsigned long long)x->points);
    }
    buf_putc(out, '}');
}

void collections_get(struct call *c)
{
    struct buf *out;

    if (!call_open(c, false)) return;
    out = call_begin(c);
    buf_printf(
        out,
        "{\"status\":\"green\",\"optimizer_status\":\"ok\",\"indexed_vectors_count\":0,\"points_count\":%u,"
        "\"segments_count\":2,\"config\":",
        c->collection->points);
    settings_write(out, c->collection);
    buf_puts(out, ",\"payload_schema\":");
    write_schema(out, c->collection);
    if (c->server->version_number >= 1017) buf_puts(out, ",\"update_queue\":{\"length\":0}");
    buf_putc(out, '}');
    call_close(c);
    call_end(c);
}

void collections_exists(struct call *c)
{
    bool exists;

    pthread_rwlock_rdlock(&c->server->lock);
    exists = server_resolve(c->server, c->name) != NULL;
    pthread_rwlock_unlock(&c->server->lock);
    buf_printf(call_begin(c), "{\"exists\":%s}", exists ? "true" : "false");
    call_end(c);
}

void collections_cluster(struct call *c)
{
    uint32_t points;

    if (!call_open(c, false)) return;
    if (c->server->cluster.nodes > 1) {
        cluster_write_shards(c, c->first, call_begin(c));
        call_close(c);
        call_end(c);
        return;
    }
    points = c->collection->points;
    call_close(c);
    buf_printf(call_begin(c),
               "{\"peer_id\":1,\"shard_count\":1,\"local_shards\":[{\"shard_id\":0,\"points_count\":%u,"
               "\"state\":\"Active\"}],\"remote_shards\":[],\"shard_transfers\":[]}",
               points);
    call_end(c);
}

/* What a new collection may not be called. */
static bool check_name(struct call *c)
{
    static const char forbidden[] = "<>:\"/\\|?*\x1f";
    const char *bad = strpbrk(c->name, forbidden);

    if (bad) {
        call_reject(c, 422,
                    "Validation error in path parameters: [collection_name: collection name cannot contain "
                    "\"%c\" char]",
                    *bad);
    } else if (strlen(c->name) > 255) {
        call_reject(c, 422,
                    "Validation error in path parameters: [name: value %zu invalid, must be from 1 to 255 "
                    "characters]",
                    strlen(c->name));
    }
    return !bad && !c->answered;
}

static bool name_taken(struct call *c)
{
    if (server_collection(c->server, c->name))
        call_error(c, 409, "Wrong input: Collection `%s` already exists!", c->name);
    else if (server_alias(c->server, c->name))
        call_error(
            c, 400,
            "Wrong input: Can't create collection with name %s. Alias with the same name already exists",
            c->name);
    return c->answered;
}

void collections_create(struct call *c)
{
    struct collection *made;
    const char *refused;

    if (!check_name(c) || !call_parse(c, READER_EXACT)) return;
    made = collection_new(c->name);
    settings_create(&c->reader, &c->body, made, &refused);
    if (call_readable(c) && call_wait_timeout(c) && refused)
        call_error(c, 400, "Wrong input: %s are not known to this stand-in for Qdrant", refused);
    if (!c->answered) {
        cluster_place(c, made);
        pthread_rwlock_wrlock(&c->server->lock);
        if (!name_taken(c)) {
            server_add(c->server, made);
            made = NULL;
        }
        pthread_rwlock_unlock(&c->server->lock);
    }
    if (made) collection_free(made);
    if (!c->answered) call_true(c, true);
}

void collections_patch(struct call *c)
{
    if (!call_parse(c, READER_EXACT) || !call_wait_timeout(c)) return;
    if (!call_open(c, true)) return;
    settings_patch(&c->reader, &c->body, c->collection);
    call_close(c);
    if (call_readable(c)) call_true(c, true);
}

void collections_delete(struct call *c)
{
    struct collection *old;

    if (!call_wait_timeout(c)) return;
    pthread_rwlock_wrlock(&c->server->lock);
    old = server_collection(c->server, c->name);
    if (old) server_remove(c->server, old);
    pthread_rwlock_unlock(&c->server->lock);
    call_true(c, old != NULL);
}

#define NO_SCHEMA "data did not match any variant of untagged enum PayloadFieldSchema"

/* The type of a schema: a word, or an object whose "type" is one. */
static bool read_schema(struct call *c, const struct json *v, enum index_type *type, char **params)
{
    const struct json *word = v->type == JSON_OBJECT ? json_get(v, "type") : v;

    *params = NULL;
    *type = word ? index_type_parse(word) : INDEX_TYPES;
    if (*type == INDEX_TYPES) {
        return reader_fail(&c->reader, reader_after_member(&c->reader, v), NO_SCHEMA);
    }
    if (v->type == JSON_OBJECT) {
        struct buf text;

        buf_init(&text, 0);
        json_write(&text, v);
        *params = pool_text(&c->arena, text.data, text.bytes);
        buf_fini(&text);
    }
    return true;
}

static bool read_index(struct call *c, struct jsonpath *path, enum index_type *type, char **params)
{
    const struct json *field;
    const struct json *schema;

    if (c->body.type != JSON_OBJECT) return reader_mismatch(&c->reader, &c->body, "struct CreateFieldIndex");
    if (!reader_need(&c->reader, &c->body, "field_name", &field)) return false;
    if (field->type != JSON_STRING) return reader_mismatch(&c->reader, field, "a string");
    if (!jsonpath_parse(&c->arena, field->u.string, field->count, path))
        return reader_fail(&c->reader, reader_after_member(&c->reader, field), "Invalid json path: '%s'",
                           field->u.string);
    schema = json_get(&c->body, "field_schema");
    if (!schema || schema->type == JSON_NULL) schema = json_get(&c->body, "field_type");
    if (!schema || schema->type == JSON_NULL) {
        *type = INDEX_TYPES;
        return true;
    }
    return read_schema(c, schema, type, params);
}

static void apply_params(struct collection *c, const struct jsonpath *path, const struct json *schema)
{
    struct field_index *x = collection_index(c, path);
    const struct json *lookup = json_get(schema, "lookup");
    const struct json *range = json_get(schema, "range");

    if (!x || x->type != INDEX_INTEGER) return;
    if (lookup && lookup->type == JSON_BOOL) x->lookup = lookup->u.boolean;
    if (range && range->type == JSON_BOOL) x->range = range->u.boolean;
}

void index_create(struct call *c)
{
    struct jsonpath path;
    enum index_type type = INDEX_TYPES;
    char *params = NULL;
    uint64_t operation;

    if (!call_parse(c, READER_EXACT)) return;
    read_index(c, &path, &type, &params);
    if (!call_readable(c) || !call_update_parameters(c) || !call_open(c, true)) return;
    if (type == INDEX_TYPES) {
        call_error(c, 400, "Wrong input: cannot auto-detect index type, please specify `field_schema`");
    } else if (strict_index(c, &path)) {
        collection_add_index(c->collection, path.text, type, params);
        apply_params(c->collection, &path, json_get(&c->body, "field_schema"));
        c->collection->operation += 2; /* the server counts the schema change and the build */
    }
    operation = c->collection->operation;
    call_close(c);
    if (c->answered) return;
    call_write_update(c, call_begin(c), operation);
    call_end(c);
}

void index_delete(struct call *c)
{
    struct jsonpath path;
    uint64_t operation;

    if (!jsonpath_parse(&c->arena, c->segments[3], strlen(c->segments[3]), &path)) {
        call_reject(c, 400, "Deserialize error in path parameters: Invalid json path: '%s'", c->segments[3]);
        return;
    }
    if (!call_update_parameters(c) || !call_open(c, true)) return;
    collection_drop_index(c->collection, path.text);
    c->collection->operation += 2;
    operation = c->collection->operation;
    call_close(c);
    call_write_update(c, call_begin(c), operation);
    call_end(c);
}
