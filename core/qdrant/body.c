/*
 * body.c - JSON by appending text.
 *
 * Owns nothing. Our `_lockstep` is written behind the payload's own members: of two equal keys Qdrant takes
 * the last.
 */
#include "qdrant/body.h"

#include <inttypes.h>
#include <string.h>

#include "base/float.h"
#include "base/json.h"
#include "qdrant/qdrant_scan.h"

static void put_text(struct buf *to, const char *text)
{
    json_put_string(to, text, strlen(text));
}

void body_id(struct buf *to, const char *id)
{
    size_t digits = strspn(id, "0123456789");
    if (digits && !id[digits] && digits <= 20)
        buf_put(to, id, digits);
    else
        put_text(to, id);
}

static void put_ids(struct buf *to, const char *const *ids, size_t count)
{
    buf_putc(to, '[');
    for (size_t i = 0; i < count; i++) {
        if (i) buf_putc(to, ',');
        body_id(to, ids[i]);
    }
    buf_putc(to, ']');
}

bool body_payload_usable(const char *payload, size_t bytes)
{
    return payload && bytes >= 2 && payload[0] == '{' && payload[bytes - 1] == '}';
}

static void put_member(struct buf *to, const char *key, const char *text)
{
    buf_puts(to, key);
    put_text(to, text ? text : "");
}

static bool has_timestamp(const char *payload, size_t bytes)
{
    struct scan s;
    struct slice key;
    scan_init(&s, payload, bytes);
    if (!scan_object(&s)) return false;
    while (scan_member(&s, &key)) {
        if (slice_is(key, "timestamp")) return true;
        scan_skip(&s, NULL);
    }
    return false;
}

/* The payload with `_lockstep` in it, and with `timestamp`, which no hash is over. */
static void put_payload(struct buf *to, const struct stamp_fields *stamp, const struct point_write *p,
                        bool hashed)
{
    buf_put(to, p->payload, p->payload_bytes - 1);
    if (p->payload_bytes > 2) buf_putc(to, ',');
    if (stamp->written_ms && !has_timestamp(p->payload, p->payload_bytes)) {
        buf_puts(to, "\"timestamp\":");
        json_put_date(to, stamp->written_ms);
        buf_putc(to, ',');
    }
    put_member(to, "\"_lockstep\":{\"source\":", stamp->source);
    put_member(to, ",\"doc\":", p->doc);
    put_member(to, ",\"key\":", p->key);
    put_member(to, ",\"hash\":", hashed ? p->content_hash : "");
    put_member(to, ",\"payload\":", p->payload_hash);
    put_member(to, ",\"model\":", stamp->model);
    buf_puts(to, ",\"epoch\":");
    json_put_int(to, (int64_t)p->epoch); /* below 2^53 */
    buf_puts(to, "}}");
}

/* The condition that lets a write pass: nobody with a greater epoch wrote the point. A range alone would keep
 * points without an epoch from ever being taken over. */
static void put_guard(struct buf *to, uint64_t epoch)
{
    buf_printf(to, "{\"should\":[{\"key\":\"_lockstep.epoch\",\"range\":{\"lte\":%" PRIu64 "}},", epoch);
    buf_puts(to, "{\"is_empty\":{\"key\":\"_lockstep.epoch\"}}]}");
}

/* Takes back what was appended since `bytes`. */
static void cut_back(struct buf *to, size_t bytes)
{
    if (to->failed) return;
    to->bytes = bytes;
    to->data[bytes] = '\0';
}

static void end_points(struct buf *to, const struct point_write *points, bool guarded)
{
    buf_putc(to, ']');
    if (guarded) {
        buf_puts(to, ",\"update_filter\":");
        put_guard(to, points[0].epoch);
    }
    buf_putc(to, '}');
}

size_t body_upsert(struct buf *to, const struct stamp_fields *stamp, const struct point_write *points,
                   size_t count, bool guarded, size_t max_bytes)
{
    size_t i;
    buf_puts(to, "{\"points\":[");
    for (i = 0; i < count; i++) {
        const struct point_write *p = &points[i];
        size_t before = to->bytes;
        if (i) buf_putc(to, ',');
        buf_puts(to, "{\"id\":");
        body_id(to, p->point_id);
        buf_puts(to, ",\"vector\":");
        float_put_array(to, p->vector, p->dimensions);
        buf_puts(to, ",\"payload\":");
        put_payload(to, stamp, p, true);
        buf_putc(to, '}');
        if (i && to->bytes > max_bytes) {
            cut_back(to, before);
            break;
        }
    }
    end_points(to, points, guarded);
    return i;
}

size_t body_vectors(struct buf *to, const struct point_write *points, size_t count, bool guarded,
                    size_t max_bytes)
{
    size_t i;
    buf_puts(to, "{\"points\":[");
    for (i = 0; i < count; i++) {
        size_t before = to->bytes;
        if (i) buf_putc(to, ',');
        buf_puts(to, "{\"id\":");
        body_id(to, points[i].point_id);
        buf_puts(to, ",\"vector\":");
        float_put_array(to, points[i].vector, points[i].dimensions);
        buf_putc(to, '}');
        if (i && to->bytes > max_bytes) {
            cut_back(to, before);
            break;
        }
    }
    end_points(to, points, guarded);
    return i;
}

size_t body_payload(struct buf *to, const struct stamp_fields *stamp, const struct point_write *points,
                    size_t count, bool guarded, bool hashed, size_t max_bytes)
{
    size_t i;
    buf_puts(to, "{\"operations\":[");
    for (i = 0; i < count; i++) {
        const struct point_write *p = &points[i];
        size_t before = to->bytes;
        if (i) buf_putc(to, ',');
        buf_puts(to, "{\"overwrite_payload\":{\"payload\":");
        put_payload(to, stamp, p, hashed);
        buf_puts(to, ",\"filter\":{\"must\":[{\"has_id\":[");
        body_id(to, p->point_id);
        buf_puts(to, "]}");
        if (guarded) {
            buf_putc(to, ',');
            put_guard(to, p->epoch);
        }
        buf_puts(to, "]}}}");
        if (i && to->bytes > max_bytes) {
            cut_back(to, before);
            break;
        }
    }
    buf_puts(to, "]}");
    return i;
}

void body_delete(struct buf *to, const char *const *ids, size_t count)
{
    buf_puts(to, "{\"points\":");
    put_ids(to, ids, count);
    buf_putc(to, '}');
}

void body_retrieve(struct buf *to, const char *const *ids, size_t count, const char *payload, bool vector)
{
    buf_puts(to, "{\"ids\":");
    put_ids(to, ids, count);
    buf_printf(to, ",\"with_payload\":%s,\"with_vector\":%s}", payload, vector ? "true" : "false");
}

static void put_source_condition(struct buf *to, const char *source)
{
    buf_puts(to, "{\"key\":\"_lockstep.source\",\"match\":{\"value\":");
    put_text(to, source);
    buf_puts(to, "}}");
}

/* `{"$numberInt":"7"}` also as earlier versions wrote the same id where MongoDB had it in a wider type. */
static void put_spellings(struct buf *to, const char *doc)
{
    static const char integer[] = "{\"$numberInt\":\"", wide[] = "{\"$numberLong\":\"";
    struct buf other;
    bool narrow = !strncmp(doc, integer, sizeof integer - 1);
    put_text(to, doc);
    if (!narrow && strncmp(doc, wide, sizeof wide - 1) != 0) return;
    const char *digits = doc + (narrow ? sizeof integer : sizeof wide) - 1;
    int count = (int)strcspn(digits, "\"");
    buf_init(&other, 0);
    for (int i = narrow ? 0 : 1; i < 3; i++) {
        if (i == 2 && strncmp(digits, "0\"", 2) != 0) break;
        buf_clear(&other);
        if (i == 0) buf_printf(&other, "{\"$numberLong\":\"%.*s\"}", count, digits);
        if (i == 1) buf_printf(&other, "{\"$numberDouble\":\"%.*s.0\"}", count, digits);
        if (i == 2) buf_puts(&other, "{\"$numberDouble\":\"-0.0\"}");
        buf_putc(to, ',');
        put_text(to, other.data ? other.data : "");
    }
    if (other.failed) to->failed = true;
    buf_fini(&other);
}

void body_scroll(struct buf *to, const char *source, const char *const *docs, size_t doc_count,
                 const char *from, size_t limit)
{
    buf_puts(to, "{\"filter\":{\"must\":[");
    put_source_condition(to, source);
    if (doc_count) {
        buf_puts(to, ",{\"key\":\"_lockstep.doc\",\"match\":{\"any\":[");
        for (size_t i = 0; i < doc_count; i++) {
            if (i) buf_putc(to, ',');
            put_spellings(to, docs[i]);
        }
        buf_puts(to, "]}}");
    }
    buf_printf(to, "]},\"limit\":%zu,", limit);
    if (from[0]) {
        buf_puts(to, "\"offset\":");
        body_id(to, from);
        buf_putc(to, ',');
    }
    buf_puts(to, "\"with_payload\":[\"_lockstep\"],\"with_vector\":false}");
}

void body_source_filter(struct buf *to, const char *source)
{
    buf_puts(to, "{\"must\":[");
    put_source_condition(to, source);
    buf_puts(to, "]}");
}

void body_epoch_filter(struct buf *to, const char *source, uint64_t floor, uint64_t own)
{
    buf_puts(to, "{\"must\":[");
    put_source_condition(to, source);
    buf_printf(to, ",{\"key\":\"_lockstep.epoch\",\"range\":{\"gt\":%" PRIu64 "}}]", floor);
    if (own > floor)
        buf_printf(to, ",\"must_not\":[{\"key\":\"_lockstep.epoch\",\"match\":{\"value\":%" PRIu64 "}}]",
                   own);
    buf_putc(to, '}');
}

void body_highest_epoch(struct buf *to, const char *filter)
{
    buf_printf(to, "{\"filter\":%s,\"limit\":1,", filter);
    buf_puts(to, "\"order_by\":{\"key\":\"_lockstep.epoch\",\"direction\":\"desc\"},");
    buf_puts(to, "\"with_payload\":[\"_lockstep.epoch\"],\"with_vector\":false}");
}

void body_count(struct buf *to, const char *filter)
{
    buf_putc(to, '{');
    if (filter) buf_printf(to, "\"filter\":%s,", filter);
    buf_puts(to, "\"exact\":true}");
}

void body_create(struct buf *to, size_t dimensions, const char *distance)
{
    buf_printf(to, "{\"vectors\":{\"size\":%zu,\"distance\":", dimensions);
    put_text(to, distance);
    buf_puts(to, "}}");
}

void body_alias(struct buf *to, const char *collection, const char *alias)
{
    buf_puts(to, "{\"actions\":[{\"create_alias\":{\"collection_name\":");
    put_text(to, collection);
    buf_puts(to, ",\"alias_name\":");
    put_text(to, alias);
    buf_puts(to, "}}]}");
}

void body_index(struct buf *to, const char *field, const char *schema)
{
    buf_puts(to, "{\"field_name\":");
    put_text(to, field);
    buf_puts(to, ",\"field_schema\":");
    put_text(to, schema);
    buf_putc(to, '}');
}

void body_query(struct buf *to, const float *vector, size_t dimensions, size_t limit, const char *filter)
{
    buf_puts(to, "{\"query\":");
    float_put_array(to, vector, dimensions);
    buf_printf(to, ",\"limit\":%zu,", limit);
    if (filter) buf_printf(to, "\"filter\":%s,", filter);
    buf_puts(to, "\"with_payload\":true}");
}
