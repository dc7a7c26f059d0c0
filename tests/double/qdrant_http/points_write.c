/* points_write.c - the routes that change points: each reads its operation and applies it. */
#include <string.h>

#include "qdrant_http/handlers.h"
#include "qdrant_http/update.h"

static void single(struct call *c, enum update_type type, enum reader_place place)
{
    struct update u;
    uint64_t operation;
    bool ok;

    if (!call_parse(c, place)) return;
    update_read(c, type, &c->body, "", &u);
    if (!call_readable(c) || !call_update_parameters(c) || !call_open(c, true)) return;
    ok = update_apply(c, &u);
    operation = c->collection->operation;
    call_close(c);
    if (!ok) return;
    call_write_update(c, call_begin(c), operation);
    call_end(c);
}

void points_upsert(struct call *c)
{
    single(c, UPDATE_UPSERT, READER_NOWHERE);
}

void points_delete(struct call *c)
{
    single(c, UPDATE_DELETE, READER_NOWHERE);
}

void points_set_payload(struct call *c)
{
    single(c, UPDATE_SET_PAYLOAD, READER_EXACT);
}

void points_overwrite_payload(struct call *c)
{
    single(c, UPDATE_OVERWRITE_PAYLOAD, READER_EXACT);
}

void points_delete_payload(struct call *c)
{
    single(c, UPDATE_DELETE_PAYLOAD, READER_EXACT);
}

void points_clear_payload(struct call *c)
{
    single(c, UPDATE_CLEAR_PAYLOAD, READER_NOWHERE);
}

void points_update_vectors(struct call *c)
{
    single(c, UPDATE_VECTORS, READER_EXACT);
}

void points_delete_vectors(struct call *c)
{
    single(c, UPDATE_DELETE_VECTORS, READER_EXACT);
}

static const struct {
    const char *key;
    enum update_type type;
} operations[] = {{"upsert", UPDATE_UPSERT},
                  {"delete", UPDATE_DELETE},
                  {"set_payload", UPDATE_SET_PAYLOAD},
                  {"overwrite_payload", UPDATE_OVERWRITE_PAYLOAD},
                  {"delete_payload", UPDATE_DELETE_PAYLOAD},
                  {"clear_payload", UPDATE_CLEAR_PAYLOAD},
                  {"update_vectors", UPDATE_VECTORS},
                  {"delete_vectors", UPDATE_DELETE_VECTORS}};

#define NO_OPERATION "data did not match any variant of untagged enum UpdateOperation"

static bool read_operation(struct call *c, const struct json *v, size_t number, struct update *out)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        const struct json *segment = json_get(v, operations[i].key);
        const char *field = pool_printf(&c->arena, "operations[%zu].%s", number, operations[i].key);

        if (!segment) continue;
        if (update_read(c, operations[i].type, segment, field, out)) return true;
        break;
    }
    /* what is wrong inside stays hidden: the enum's variants are tried one after another */
    c->reader.error = NULL;
    c->reader.place = READER_EXACT;
    return reader_fail(&c->reader, reader_after_element(&c->reader, v), NO_OPERATION);
}

static bool read_operations(struct call *c, struct update **out, size_t *count)
{
    const struct json *list;

    if (c->body.type != JSON_OBJECT) return reader_mismatch(&c->reader, &c->body, "struct UpdateOperations");
    if (!reader_need(&c->reader, &c->body, "operations", &list)) return false;
    if (list->type != JSON_ARRAY) return reader_mismatch(&c->reader, list, "a sequence");
    *out = pool_take(&c->arena, ((size_t)list->count + 1) * sizeof **out);
    *count = list->count;
    for (uint32_t i = 0; i < list->count; i++)
        if (!read_operation(c, &list->u.items[i], i, &(*out)[i])) return false;
    return true;
}

/* One after another; the first error ends it, and what stood before it stays written. */
void points_batch(struct call *c)
{
    struct update *list = NULL;
    uint64_t *numbers;
    size_t count = 0;
    size_t done = 0;
    struct buf *out;

    if (!call_parse(c, READER_EXACT)) return;
    read_operations(c, &list, &count);
    if (!call_readable(c) || !call_update_parameters(c) || !call_open(c, true)) return;
    numbers = pool_take(&c->arena, (count + 1) * sizeof *numbers);
    for (; done < count && update_apply(c, &list[done]); done++) numbers[done] = c->collection->operation;
    call_close(c);
    if (done < count) return;
    out = call_begin(c);
    buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i) buf_putc(out, ',');
        call_write_update(c, out, numbers[i]);
    }
    buf_putc(out, ']');
    call_end(c);
}
