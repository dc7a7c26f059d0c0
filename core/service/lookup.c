/* lookup.c - see lookup.h. */
#include "service/lookup.h"

#include <stdlib.h>
#include <string.h>

enum lks_code lookup_servers(const struct service_source *source, struct lks_err *err)
{
    char *lease_holder = NULL;
    enum lks_code code = mongo_lease_holder(source->all.mongo, &lease_holder, err);
    free(lease_holder);
    if (code != LKS_E_OK) {
        lks_err_prefix(err, "MongoDB");
        return code;
    }
    code = qdrant_ping(source->all.qdrant, NULL, err);
    if (code != LKS_E_OK) lks_err_prefix(err, "Qdrant");
    return code;
}

enum lks_code lookup_document(const struct service_source *source, const char *text,
                              struct source_document *doc, struct lks_err *err)
{
    struct docid *id = NULL;
    if (strncmp(text, LOOKUP_BY_ID, sizeof LOOKUP_BY_ID - 1) == 0 &&
        !docid_read(text + sizeof LOOKUP_BY_ID - 1, &id))
        return lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (!id) return mongo_find_readable(source->all.mongo, text, doc, err);
    enum lks_code code = mongo_find_by_id(source->all.mongo, id, doc, err);
    docid_free(id);
    return code;
}

enum lks_code lookup_list(const struct service_source *source, const struct mongo_list_request *request,
                          struct mongo_list *list, struct lks_err *err)
{
    return mongo_list(source->all.mongo, request, list, err);
}

const char *lookup_text(const struct source_document *doc, const char *field)
{
    bson_iter_t iter;
    if (!doc->body || !bson_iter_init_find(&iter, doc->body, field) || !BSON_ITER_HOLDS_UTF8(&iter))
        return NULL;
    return bson_iter_utf8(&iter, NULL);
}

char *lookup_id(const struct service_source *source, const struct source_document *doc)
{
    bson_iter_t iter, value;
    if (doc->body && bson_iter_init(&iter, doc->body) &&
        bson_iter_find_descendant(&iter, source->id_field, &value) && !BSON_ITER_HOLDS_NULL(&value) &&
        !BSON_ITER_HOLDS_ARRAY(&value) && !BSON_ITER_HOLDS_DOCUMENT(&value)) {
        struct docid *id = docid_new(&value);
        char *plain = id ? docid_plain(id) : NULL;
        docid_free(id);
        return plain;
    }
    return docid_plain(doc->id);
}
