/* answers_document_compare.c - what each collection makes of a document, beside what Qdrant has of it. */
#include "api/call.h"
#include "api/shape.h"
#include "service/document_compare.h"
#include "service/lookup.h"

static const char *result_name(const struct document_compare *c)
{
    if (c->wanted.refused) return "error";
    return c->wanted.point ? "point" : "none";
}

static json_t *shape_point(const struct document_compare *c)
{
    if (!c->point) return json_null();
    return json_pack("{s:s, s:O, s:O?}", "id", c->point_id, "payload", c->point, "lockstep", c->lockstep);
}

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static json_t *shape_compare(const char *name, const struct document_compare *c)
{
    json_t *payload =
        c->made.payload ? json_loadb(c->made.payload, c->made.payload_bytes, JSON_ALLOW_NUL, NULL) : NULL;
    const struct lks_err *err = c->wanted.refused ? &c->wanted.err : NULL;
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "collection", name, "result",
        result_name(c), "error", err ? shape_text(err->text) : json_null(), "errorCode",
        err ? json_string(lks_code_name(err->code)) : json_null(), "text", shape_text(c->made.text),
        "textBytes", (json_int_t)c->made.text_bytes, "payload", payload ? payload : json_null(),
        "contentHash", text_or_null(c->made.content_hash), "payloadHash", text_or_null(c->made.payload_hash),
        "pointId", text_or_null(c->made.point_id), "point", shape_point(c), "pointError",
        c->point_err.code ? shape_text(c->point_err.text) : json_null(), "differences", c->differences);
}

/* `doc` was read as the engine reads it: with what collections need of it, and with its owner. */
static json_t *compare_all(const struct service_source *source, const struct source_document *doc)
{
    json_t *list = json_array();
    for (size_t i = 0; i < source->all.count; i++) {
        struct document_compare compare;
        if (document_compare(source, i, doc, &compare))
            json_array_append_new(list, shape_compare(source->all.names[i], &compare));
        document_compare_fini(&compare);
    }
    return list;
}

void answer_compare(struct call *call)
{
    const struct service_source *source = call_source_segment(call, 2);
    struct source_document doc, *read = NULL;
    struct lks_err err;
    if (!source) return;
    enum lks_code code = lookup_document(source, call->segments[3], &doc, &err);
    if (code == LKS_E_OK) code = document_compare_read(source, doc.id, &read, &err);
    if (code != LKS_E_OK) {
        call_fail_err(call, &err);
    } else {
        json_t *out = shape_entry(source, &doc);
        json_object_set_new(out, "collections", compare_all(source, read));
        call_json(call, 200, out);
    }
    mongo_docs_free(read, read ? 1 : 0);
    source_document_fini(&doc);
}
