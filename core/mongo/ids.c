/*
 * ids.c - lists of `_id`s, and the condition that continues after one of them.
 */
#include <stdlib.h>

#include "base/canonical.h"
#include "mongo/mongo_internal.h"

void mongo_ids_free(struct docid **ids, size_t count)
{
    for (size_t i = 0; ids && i < count; i++) docid_free(ids[i]);
    free(ids);
}

bool ids_add(struct docid ***ids, size_t *count, size_t *capacity, struct docid *id)
{
    if (!id) return false;
    if (*count == *capacity) {
        size_t more = *capacity ? *capacity * 2 : 16;
        struct docid **grown = realloc(*ids, more * sizeof *grown);
        if (!grown) {
            docid_free(id);
            return false;
        }
        *ids = grown;
        *capacity = more;
    }
    (*ids)[(*count)++] = id;
    return true;
}

/* Types in the order in which MongoDB sorts them; those of one rank are compared by value. */
static const struct {
    int rank;
    int32_t type; /* as $type takes it */
    bool bounded; /* {$gt: value} finds all greater ones of its rank */
} id_types[] = {
    {0, -1, false},  {1, 6, false},   {2, 10, false},   {3, 1, true},   {3, 16, true},   {3, 18, true},
    {3, 19, true},   {4, 2, true},    {4, 14, true},    {5, 3, true},   {6, 4, false},   {7, 5, true},
    {8, 7, true},    {9, 8, true},    {10, 9, true},    {11, 17, true}, {12, 11, false}, {13, 12, false},
    {14, 13, false}, {15, 15, false}, {16, 127, false},
};

#define ID_TYPES (sizeof id_types / sizeof *id_types)

static size_t type_of_id(const bson_iter_t *id)
{
    int32_t type = bson_iter_type(id) == BSON_TYPE_MINKEY ? -1 : (int32_t)bson_iter_type(id);
    size_t at = 0;
    while (at < ID_TYPES - 1 && id_types[at].type != type) at++;
    return at;
}

/*
 * {$or: [{_id: {$gt: from}}, {_id: {$type: [types that sort after it]}}]}: what a server of version 4.4 makes
 * bounds of an index from, as it does not from {$expr: {$gt: ...}}. It may let through a little more than
 * that.
 */
static void append_bounds(bson_t *to, const bson_iter_t *from)
{
    bson_t either, one, condition, types;
    char buffer[16];
    const char *index;
    uint32_t count = 0;
    size_t own = type_of_id(from);
    bool bounded =
        id_types[own].bounded && !canonical_is_nan(from); /* nothing is greater than NaN, which sorts first */
    BSON_APPEND_ARRAY_BEGIN(to, "$or", &either);
    if (bounded) {
        BSON_APPEND_DOCUMENT_BEGIN(&either, "0", &one);
        BSON_APPEND_DOCUMENT_BEGIN(&one, "_id", &condition);
        bson_append_iter(&condition, "$gt", -1, from);
        bson_append_document_end(&one, &condition);
        bson_append_document_end(&either, &one);
    }
    BSON_APPEND_DOCUMENT_BEGIN(&either, bounded ? "1" : "0", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "_id", &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$type", &types);
    for (size_t i = 0; i < ID_TYPES; i++) {
        if (id_types[i].rank < id_types[own].rank + (bounded ? 1 : 0)) continue;
        bson_uint32_to_string(count++, &index, buffer, sizeof buffer);
        BSON_APPEND_INT32(&types, index, id_types[i].type);
    }
    bson_append_array_end(&condition, &types);
    bson_append_document_end(&one, &condition);
    bson_append_document_end(&either, &one);
    bson_append_array_end(to, &either);
}

/* {$and: [{bounds}, {$expr: {$gt: ["$_id", from]}}]} */
void ids_after(bson_t *filter, const struct docid *from)
{
    bson_t both, one, expr, pair, literal, value = BSON_INITIALIZER;
    bson_iter_t iter;
    docid_append(from, &value, "_id");
    BSON_APPEND_ARRAY_BEGIN(filter, "$and", &both);
    BSON_APPEND_DOCUMENT_BEGIN(&both, "0", &one);
    if (bson_iter_init_find(&iter, &value, "_id")) append_bounds(&one, &iter);
    bson_append_document_end(&both, &one);
    BSON_APPEND_DOCUMENT_BEGIN(&both, "1", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "$expr", &expr);
    BSON_APPEND_ARRAY_BEGIN(&expr, "$gt", &pair);
    BSON_APPEND_UTF8(&pair, "0", "$_id");
    BSON_APPEND_DOCUMENT_BEGIN(&pair, "1", &literal);
    docid_append(from, &literal, "$literal");
    bson_append_document_end(&pair, &literal);
    bson_append_array_end(&expr, &pair);
    bson_append_document_end(&one, &expr);
    bson_append_document_end(&both, &one);
    bson_append_array_end(filter, &both);
    bson_destroy(&value);
}
