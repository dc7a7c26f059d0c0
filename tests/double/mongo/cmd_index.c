/* cmd_index.c - createIndexes, dropIndexes, listIndexes. */
#include "commands.h"
#include "text.h"

static const char *const create_fields[] = {"indexes", "ignoreUnknownIndexOptions", "commitQuorum", NULL};

static const char *const options[] = {"v",
                                      "key",
                                      "name",
                                      "unique",
                                      "sparse",
                                      "background",
                                      "partialFilterExpression",
                                      "expireAfterSeconds",
                                      "ns",
                                      "hidden",
                                      "collation",
                                      NULL};

static int check_key(struct req *r, struct val key)
{
    struct iter it;
    if (!val_is_doc(key))
        return merr_set(&r->err, MERR_TYPE_MISMATCH, "The field 'key' must be an object, but got %s",
                        val_type_name(key.t));
    if (doc_is_empty(key))
        return merr_set(&r->err, MERR_CANNOT_CREATE_INDEX, "Index keys cannot be an empty object");
    for (iter_init(&it, key); iter_next(&it);) {
        if (!it.keylen)
            return merr_set(&r->err, MERR_CANNOT_CREATE_INDEX,
                            "Index keys cannot contain an empty field name");
        if (val_is_str(it.v))
            return merr_set(&r->err, MERR_NOT_IMPLEMENTED, "the stand-in knows no index of the type %s",
                            val_str(it.v));
        if (!val_is_num(it.v) || val_ldouble(it.v) == 0)
            return merr_set(&r->err, MERR_CANNOT_CREATE_INDEX,
                            "Values in v:2 index key pattern cannot be of type %s. Only numbers > 0, numbers "
                            "< 0, and strings are allowed.",
                            val_type_name(it.v.t));
        if (it.key[0] == '$')
            return merr_set(&r->err, MERR_CANNOT_CREATE_INDEX,
                            "Index key contains an illegal field name: field name starts with '$'.");
    }
    return 0;
}

/* The specification as the server keeps it: v first, then options as given, key, name, and the collation,
 * which is the collection's if none is given. */
static int normalise(struct req *r, const struct coll *c, struct val given, struct val *out)
{
    const struct collation *ignored;
    struct val key = doc_get(given, "key"), name = doc_get(given, "name");
    struct iter it;
    struct bw w;
    if (val_missing(key))
        return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                        "The 'key' field is a required property of an index specification");
    if (check_key(r, key)) return r->err.code;
    if (val_missing(name))
        return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                        "The 'name' field is a required property of an index specification");
    if (!val_is_str(name))
        return merr_set(&r->err, MERR_TYPE_MISMATCH, "The field 'name' must be a string, but got %s",
                        val_type_name(name.t));
    if (!val_strlen(name))
        return merr_set(&r->err, MERR_CANNOT_CREATE_INDEX,
                        "Error in specification %s :: caused by :: index name cannot be empty",
                        text_of(&r->a, given, TEXT_BSON));
    for (iter_init(&it, given); iter_next(&it);) {
        size_t i = 0;
        while (options[i] && strcmp(options[i], it.key)) i++;
        if (!options[i])
            return merr_set(&r->err, MERR_INVALID_INDEX_SPEC,
                            "The field '%s' is not valid for an index specification. Specification: %s",
                            it.key, text_of(&r->a, given, TEXT_BSON));
        if (!strcmp(it.key, "collation") && collation_parse(&r->a, it.v, &ignored, &r->err))
            return r->err.code;
    }
    bw_init(&w, &r->a);
    bw_i32(&w, "v", 2);
    if (val_truthy(doc_get(given, "unique"))) bw_bool(&w, "unique", true);
    bw_put(&w, "key", key);
    bw_put(&w, "name", name);
    for (iter_init(&it, given); iter_next(&it);)
        if (strcmp(it.key, "v") && strcmp(it.key, "unique") && strcmp(it.key, "key") &&
            strcmp(it.key, "name") && strcmp(it.key, "ns") && strcmp(it.key, "collation"))
            bw_put(&w, it.key, it.v);
    struct val collation = doc_get(given, "collation");
    if (val_missing(collation) && c) collation = doc_get(c->options, "collation");
    bw_put(&w, "collation", collation_full(&r->a, collation));
    *out = bw_done(&w);
    return 0;
}

static bool same_options(const struct index *ix, struct val spec)
{
    return ix->unique == val_truthy(doc_get(spec, "unique")) &&
           ix->sparse == val_truthy(doc_get(spec, "sparse")) &&
           val_cmp(doc_get(ix->spec, "partialFilterExpression"), doc_get(spec, "partialFilterExpression")) ==
               0 &&
           val_cmp(doc_get(ix->spec, "expireAfterSeconds"), doc_get(spec, "expireAfterSeconds")) == 0;
}

/* Does the index exist? An index that is in its way is an error. */
static int existing(struct req *r, const struct coll *c, struct val spec, bool *exists)
{
    struct val key = doc_get(spec, "key"), name = doc_get(spec, "name");
    *exists = false;
    struct val id = doc_get(key, "_id");
    if (val_is_num(id) && doc_count(key) == 1) return *exists = true, 0;
    for (size_t i = 0; i < c->index_count; i++) {
        const struct index *ix = c->indexes[i];
        bool same_name = val_str_is(name, ix->name), same_key = val_cmp(ix->key, key) == 0,
             collated = val_cmp(doc_get(ix->spec, "collation"), doc_get(spec, "collation")) != 0;
        if (same_key && same_name && collated)
            return merr_set(&r->err, MERR_INDEX_OPTIONS_CONFLICT,
                            "An index with the same key pattern, but a different collation already exists "
                            "with the same name.  Try again with a unique name. Existing index: %s Requested "
                            "index: %s",
                            text_of(&r->a, ix->spec, TEXT_BSON), text_of(&r->a, spec, TEXT_BSON));
        same_key = same_key && !collated;
        if (same_key && same_name && same_options(ix, spec)) return *exists = true, 0;
        if (same_key && same_name)
            return merr_set(&r->err, MERR_INDEX_OPTIONS_CONFLICT,
                            "Index with name: %s already exists with different options", ix->name);
        if (same_name)
            return merr_set(&r->err, MERR_INDEX_KEY_SPECS_CONFLICT,
                            "Index must have unique name.The existing index: %s has the same name as the "
                            "requested index: %s",
                            text_of(&r->a, ix->spec, TEXT_BSON), text_of(&r->a, spec, TEXT_BSON));
        if (same_key && !same_options(ix, spec))
            return merr_set(&r->err, MERR_INDEX_OPTIONS_CONFLICT,
                            "Index: %s already exists with different options: %s",
                            text_of(&r->a, spec, TEXT_BSON), text_of(&r->a, ix->spec, TEXT_BSON));
        if (same_key)
            return merr_set(&r->err, MERR_INDEX_OPTIONS_CONFLICT,
                            "Index with name: %s already exists with a different name", val_str(name));
    }
    return 0;
}

static char *uuid_text(struct req *r, const uint8_t *uuid)
{
    uint8_t b[21] = {16, 0, 0, 0, BSON_SUBTYPE_UUID};
    memcpy(b + 5, uuid, 16);
    char *text = text_of(&r->a, (struct val){b, 21, BSON_TYPE_BINARY}, TEXT_BSON);
    text[strlen(text) - 2] = 0;
    return text + strlen("UUID(\"");
}

/* What is there refuses the index: the server names the build and the collection. */
static int build_failed(struct req *r, const struct coll *c)
{
    uint8_t build[16];
    if (r->err.code != MERR_DUPLICATE_KEY) return r->err.code;
    for (int i = 0; i < 2; i++) wr64(build + 8 * i, server_random(r->s));
    merr_prefix(&r->err, " ) :: caused by :: ");
    merr_prefix(&r->err, uuid_text(r, c->uuid));
    merr_prefix(&r->err, " ( ");
    merr_prefix(&r->err, c->ns);
    merr_prefix(&r->err, ": Collection ");
    merr_prefix(&r->err, uuid_text(r, build));
    merr_prefix(&r->err, "Index build failed: ");
    return r->err.code;
}

int cmd_create_indexes(struct req *r)
{
    struct val list = doc_get(r->body, "indexes"), spec;
    struct iter it;
    char *ns;
    if (request_fields(r, create_fields, UNKNOWN_IDL) || request_ns(r, &ns)) return r->err.code;
    if (!val_is_arr(list))
        return merr_set(&r->err, MERR_TYPE_MISMATCH, "The field 'indexes' must be an array, but got %s",
                        val_type_name(list.t));
    if (doc_is_empty(list))
        return merr_set(&r->err, MERR_BAD_VALUE, "Must specify at least one index to create");
    if (request_no_view(r, ns)) return r->err.code;
    struct coll *c = store_find(&r->s->store, ns);
    for (iter_init(&it, list); iter_next(&it);)
        if (normalise(r, c, it.v, &spec)) return r->err.code;
    bool made = !c;
    if (!c && write_create(r, ns, val_empty_doc(), &c)) return r->err.code;
    size_t before = c->index_count;
    for (iter_init(&it, list); iter_next(&it);) {
        bool exists;
        if (normalise(r, c, it.v, &spec) || existing(r, c, spec, &exists) ||
            (!exists && coll_add_index(c, spec, &r->err) && build_failed(r, c))) {
            if (c->index_count > before) write_other(r, c);
            return r->err.code;
        }
    }
    request_wrote(r);
    bool changed = c->index_count > before;
    if (changed) write_other(r, c);
    if (changed) bw_bool(&r->reply, "createdCollectionAutomatically", made);
    bw_int(&r->reply, "numIndexesBefore", (int64_t)before);
    bw_int(&r->reply, "numIndexesAfter", (int64_t)c->index_count);
    if (!changed) {
        bw_str(&r->reply, "note", "all indexes already exist");
    } else if (!r->s->opt.standalone) {
        bw_str(&r->reply, "commitQuorum", "votingMembers");
    }
    return 0;
}

static int drop_one(struct req *r, struct coll *c, struct val which)
{
    for (size_t i = 0; i < c->index_count; i++) {
        const struct index *ix = c->indexes[i];
        if (val_is_str(which) ? !val_str_is(which, ix->name) : val_cmp(which, ix->key) != 0) continue;
        if (i == 0) return merr_set(&r->err, MERR_INVALID_OPTIONS, "cannot drop _id index");
        coll_drop_index(c, i);
        return 0;
    }
    if (val_is_str(which))
        return merr_set(&r->err, MERR_INDEX_NOT_FOUND, "index not found with name [%s]", val_str(which));
    return merr_set(&r->err, MERR_INDEX_NOT_FOUND, "can't find index with key: %s",
                    text_of(&r->a, which, TEXT_BSON));
}

int cmd_drop_indexes(struct req *r)
{
    static const char *const fields[] = {"index", NULL};
    struct val which = doc_get(r->body, "index");
    struct iter it;
    char *ns;
    if (request_fields(r, fields, UNKNOWN_IDL) || request_ns(r, &ns)) return r->err.code;
    struct coll *c = store_find(&r->s->store, ns);
    if (!c) return merr_set(&r->err, MERR_NAMESPACE_NOT_FOUND, "ns not found");
    int64_t before = (int64_t)c->index_count;
    if (val_str_is(which, "*")) {
        while (c->index_count > 1) coll_drop_index(c, c->index_count - 1);
    } else if (val_is_arr(which)) {
        for (iter_init(&it, which); iter_next(&it);)
            if (drop_one(r, c, it.v)) return r->err.code;
    } else if (val_is_str(which) || val_is_doc(which)) {
        if (drop_one(r, c, which)) return r->err.code;
    } else {
        return merr_set(
            &r->err, MERR_TYPE_MISMATCH,
            "BSON field 'dropIndexes.index' is the wrong type '%s', expected types '[string, object]'",
            val_type_name(which.t));
    }
    bw_int(&r->reply, "nIndexesWas", before);
    if (val_str_is(which, "*")) bw_str(&r->reply, "msg", "non-_id indexes dropped for collection");
    write_other(r, c);
    return 0;
}

int cmd_list_indexes(struct req *r)
{
    static const char *const fields[] = {"cursor", "includeBuildUUIDs", NULL};
    char *ns;
    if (request_fields(r, fields, UNKNOWN_IDL) || request_ns(r, &ns) || request_no_view(r, ns))
        return r->err.code;
    const struct coll *c = store_find(&r->s->store, ns);
    if (!c) return merr_set(&r->err, MERR_NAMESPACE_NOT_FOUND, "ns does not exist: %s", ns);
    bw_doc(&r->reply, "cursor");
    bw_i64(&r->reply, "id", 0);
    bw_str(&r->reply, "ns", ns);
    bw_arr(&r->reply, "firstBatch");
    for (size_t i = 0; i < c->index_count; i++) bw_puti(&r->reply, i, c->indexes[i]->spec);
    bw_end(&r->reply);
    bw_end(&r->reply);
    return 0;
}
