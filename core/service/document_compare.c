/* document_compare.c - see document_compare.h. Reads only. */
#include "service/document_compare.h"

#include <stdlib.h>
#include <string.h>

enum lks_code document_compare_read(const struct service_source *source, const struct docid *id,
                                    struct source_document **doc, struct lks_err *err)
{
    enum lks_code code = mongo_read(source->all.mongo, &id, 1, doc, err);
    if (code || (*doc)->body) return code;
    mongo_docs_free(*doc, 1);
    *doc = NULL;
    return lks_fail(err, LKS_E_NOT_FOUND, "the document was deleted meanwhile");
}

/* ---- differences ---- */

static void say(json_t *list, const char *what, const char *field)
{
    char text[300];
    snprintf(text, sizeof text, "%s%s%.200s", what, field ? "." : "", field ? field : "");
    json_array_append_new(list, json_string(text));
}

static bool text_is(const json_t *in, const char *name, const char *value)
{
    const char *is = json_string_value(json_object_get(in, name));
    return is && strcmp(is, value) == 0;
}

static bool compare_fields(json_t *list, const json_t *wanted, const json_t *payload)
{
    const char *name;
    json_t *value;
    bool equal = true;
    json_object_foreach((json_t *)wanted, name, value)
    {
        const json_t *is = json_object_get(payload, name);
        if (is && json_equal(is, value)) continue;
        say(list, "payload", name);
        equal = false;
    }
    json_object_foreach((json_t *)payload, name, value)
    {
        if (json_object_get(wanted, name)) continue;
        say(list, "payload", name);
        equal = false;
    }
    return equal;
}

json_t *document_differences(const struct compare_wanted *wanted, const char *wanted_payload,
                             const char *source, bool there, const json_t *payload, const json_t *lockstep)
{
    json_t *list = json_array();
    if (wanted->refused) return list; /* what is there stays as it is */
    if (wanted->point != there) say(list, "point", NULL);
    if (!wanted->point || !there) return list;
    json_t *fields = wanted_payload ? json_loads(wanted_payload, JSON_ALLOW_NUL, NULL) : NULL;
    if (!text_is(lockstep, "source", source) || !text_is(lockstep, "doc", wanted->doc))
        say(list, "owner", NULL);
    if (!text_is(lockstep, "hash", wanted->content_hash)) say(list, "text", NULL);
    bool equal = compare_fields(list, fields, payload);
    /* it says of itself that it holds another payload */
    if (equal && !text_is(lockstep, "payload", wanted->payload_hash)) say(list, "payload", NULL);
    json_decref(fields);
    return list;
}

/* ---- one collection ---- */

/* Where to look: where the point should be, else where the record says that one is. */
static void find_place(const struct source_document *doc, size_t collection, struct document_compare *out)
{
    const struct record *r = &doc->record;
    memcpy(out->point_id, out->wanted.point_id, sizeof out->point_id);
    if (!out->wanted.point && collection < r->entry_count && r->entries[collection].point_id[0])
        memcpy(out->point_id, r->entries[collection].point_id, sizeof out->point_id);
}

static void look(const struct service_source *source, size_t collection, struct document_compare *out)
{
    struct qdrant_points points = {.items = NULL};
    const char *id = out->point_id;
    if (!*id) return;
    enum lks_code code =
        qdrant_retrieve(source->all.qdrant, collection, &id, 1, false, &points, &out->point_err);
    if (code == LKS_E_NOT_FOUND) lks_err_clear(&out->point_err); /* no collection, no point */
    if (code) return;
    if (points.count) {
        out->point = json_loads(points.items[0].payload, JSON_ALLOW_NUL, NULL);
        out->lockstep = json_incref(json_object_get(out->point, "_lockstep"));
        json_object_del(out->point, "_lockstep");
    }
    qdrant_points_fini(&points);
}

/* When the point was written says nothing about its content. */
static void drop_timestamp(struct document_compare *out)
{
    json_t *wanted = out->made.payload ? json_loads(out->made.payload, JSON_ALLOW_NUL, NULL) : NULL;
    if (out->wanted.point && !json_object_get(wanted, "timestamp")) json_object_del(out->point, "timestamp");
    json_decref(wanted);
}

bool document_compare(const struct service_source *source, size_t collection,
                      const struct source_document *doc, struct document_compare *out)
{
    *out = (struct document_compare){.point = NULL};
    source->make(source->make_self, collection, doc, &out->made);
    if (!compare_judge(doc, &out->made, &out->wanted)) return false;
    find_place(doc, collection, out);
    look(source, collection, out);
    drop_timestamp(out);
    out->differences = out->point_err.code
                           ? json_array()
                           : document_differences(&out->wanted, out->made.payload,
                                                  source->all.collections[collection]->source,
                                                  out->point != NULL, out->point, out->lockstep);
    return out->differences != NULL;
}

void document_compare_fini(struct document_compare *compare)
{
    made_fini(&compare->made);
    free(compare->wanted.doc);
    json_decref(compare->point);
    json_decref(compare->lockstep);
    json_decref(compare->differences);
    *compare = (struct document_compare){.point = NULL};
}
