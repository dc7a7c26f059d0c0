/*
 * list_filter.c - what a person asks for in a list, as MongoDB's filters and expressions; and the same
 * questions put to a record that was read. Pure: no server.
 *
 * The stored overallStatus is not asked, since it doesn't know of collections that were switched on later.
 */
#include <stdio.h>
#include <string.h>

#include "mongo/list.h"

#define PATH_BYTES                                                                                           \
    128 /* METADATA ".collections." NAME ".status" with a `$`: names have at most 38 characters */

static const enum sync_status known[] = {SYNC_SYNCED, SYNC_STALE, SYNC_FAILED};

static const char *status_path(char path[PATH_BYTES], const char *name)
{
    snprintf(path, PATH_BYTES, "$" METADATA ".collections.%s.status", name);
    return path;
}

/* An array whose members are appended one after the other. */
struct list {
    bson_t array;
    uint32_t count;
    char buffer[16];
};

static const char *next(struct list *list)
{
    const char *index;
    bson_uint32_to_string(list->count++, &index, list->buffer, sizeof list->buffer);
    return index;
}

static void append_known(bson_t *to, const char *key)
{
    struct list list = {.count = 0};
    BSON_APPEND_ARRAY_BEGIN(to, key, &list.array);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        BSON_APPEND_UTF8(&list.array, next(&list), sync_status_name(known[i]));
    bson_append_array_end(to, &list.array);
}

/* {path: status}; pending is whatever is no other status. */
static void append_is(bson_t *to, const char *name, enum sync_status status)
{
    char path[PATH_BYTES];
    bson_t condition;
    status_path(path, name);
    if (status != SYNC_PENDING) {
        BSON_APPEND_UTF8(to, path + 1, sync_status_name(status));
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(to, path + 1, &condition);
    append_known(&condition, "$nin");
    bson_append_document_end(to, &condition);
}

/* {operator: [one condition for each collection]} */
static void append_each(bson_t *filter, const char *operator, char * const * names, size_t count,
                        enum sync_status status)
{
    struct list list = {.count = 0};
    bson_t one;
    BSON_APPEND_ARRAY_BEGIN(filter, operator, & list.array);
    for (size_t i = 0; i < count; i++) {
        BSON_APPEND_DOCUMENT_BEGIN(&list.array, next(&list), &one);
        append_is(&one, names[i], status);
        bson_append_document_end(&list.array, &one);
    }
    bson_append_array_end(filter, &list.array);
}

/* {$nor: [each is failed, and with `and_pending` each is pending]}: nothing worse than stale. */
static void append_none(bson_t *filter, char *const *names, size_t count, bool and_pending)
{
    struct list list = {.count = 0};
    bson_t one;
    BSON_APPEND_ARRAY_BEGIN(filter, "$nor", &list.array);
    for (size_t i = 0; i < count * (and_pending ? 2 : 1); i++) {
        BSON_APPEND_DOCUMENT_BEGIN(&list.array, next(&list), &one);
        append_is(&one, names[i % count], i < count ? SYNC_FAILED : SYNC_PENDING);
        bson_append_document_end(&list.array, &one);
    }
    bson_append_array_end(filter, &list.array);
}

void list_match_status(bson_t *filter, const struct mongo_list_request *request, char *const *names,
                       size_t count)
{
    if (!request->filtered || !count) return;
    if (request->collection != MONGO_OVERALL) {
        append_is(filter, names[request->collection], request->status);
    } else if (request->status == SYNC_SYNCED) {
        append_each(filter, "$and", names, count, SYNC_SYNCED);
    } else {
        append_each(filter, "$or", names, count, request->status);
        if (request->status != SYNC_FAILED) append_none(filter, names, count, request->status == SYNC_STALE);
    }
}

/* ---- search ---- */

/* {field: {$regex: text, $options: "i"}}, the text taken literally */
static void append_contains(struct list *list, const char *field, const char *text)
{
    char pattern[1024];
    size_t at = 0;
    bson_t one;
    for (; *text && at + 3 < sizeof pattern; text++) {
        if (strchr("\\^$.|?*+()[]{}", *text)) pattern[at++] = '\\';
        pattern[at++] = *text;
    }
    pattern[at] = '\0';
    BSON_APPEND_DOCUMENT_BEGIN(&list->array, next(list), &one);
    BSON_APPEND_REGEX(&one, field, pattern, "i");
    bson_append_document_end(&list->array, &one);
}

/* {field: {$in: [what the text may mean as an id]}}: numbers and ObjectIds have no letters to look in. False
 * when memory is out. */
static bool append_is_id(struct list *list, const char *field, const char *text)
{
    bson_t one, condition, in;
    BSON_APPEND_DOCUMENT_BEGIN(&list->array, next(list), &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, field, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$in", &in);
    bool whole = keys_guesses(&in, text);
    bson_append_array_end(&condition, &in);
    bson_append_document_end(&one, &condition);
    bson_append_document_end(&list->array, &one);
    return whole;
}

bool list_match_search(bson_t *filter, const struct mongo_list_request *request, const char *id_field)
{
    struct list list = {.count = 0};
    if (!request->search || !*request->search) return true;
    BSON_APPEND_ARRAY_BEGIN(filter, "$or", &list.array);
    append_contains(&list, id_field, request->search);
    append_contains(&list, "name", request->search);
    append_contains(&list, "slug", request->search);
    bool whole = append_is_id(&list, id_field, request->search);
    if (strcmp(id_field, "_id") != 0) whole &= append_is_id(&list, "_id", request->search);
    bson_append_array_end(filter, &list.array);
    return whole;
}

/* ---- sorting by status ---- */

/* {$in: [status of a collection, [all but pending]]} */
static void append_status_known(bson_t *to, const char *key, const char *name)
{
    char path[PATH_BYTES];
    bson_t expr;
    struct list args = {.count = 0};
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &expr);
    BSON_APPEND_ARRAY_BEGIN(&expr, "$in", &args.array);
    BSON_APPEND_UTF8(&args.array, next(&args), status_path(path, name));
    append_known(&args.array, next(&args));
    bson_append_array_end(&expr, &args.array);
    bson_append_document_end(to, &expr);
}

/* True if the collection has this status, as an expression. */
static void append_status_is(bson_t *to, const char *key, const char *name, enum sync_status status)
{
    char path[PATH_BYTES];
    bson_t expr;
    struct list args = {.count = 0};
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &expr);
    BSON_APPEND_ARRAY_BEGIN(&expr, status == SYNC_PENDING ? "$not" : "$eq", &args.array);
    if (status == SYNC_PENDING) {
        append_status_known(&args.array, next(&args), name);
    } else {
        BSON_APPEND_UTF8(&args.array, next(&args), status_path(path, name));
        BSON_APPEND_UTF8(&args.array, next(&args), sync_status_name(status));
    }
    bson_append_array_end(&expr, &args.array);
    bson_append_document_end(to, &expr);
}

/* True if any of the collections has this status. */
static void append_any(bson_t *to, const char *key, char *const *names, size_t count, enum sync_status status)
{
    bson_t expr;
    struct list any = {.count = 0};
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &expr);
    BSON_APPEND_ARRAY_BEGIN(&expr, "$or", &any.array);
    for (size_t i = 0; i < count; i++) append_status_is(&any.array, next(&any), names[i], status);
    bson_append_array_end(&expr, &any.array);
    bson_append_document_end(to, &expr);
}

static const enum sync_status worst_first[] = {SYNC_FAILED, SYNC_PENDING, SYNC_STALE};

/* {$cond: [any is failed, 0, {$cond: [any is pending, 1, ...]}]} */
static void append_rank(bson_t *to, const char *key, char *const *names, size_t count, size_t rank)
{
    bson_t expr;
    struct list args = {.count = 0};
    if (rank == sizeof worst_first / sizeof *worst_first) {
        BSON_APPEND_INT32(to, key, (int32_t)rank);
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &expr);
    BSON_APPEND_ARRAY_BEGIN(&expr, "$cond", &args.array);
    append_any(&args.array, next(&args), names, count, worst_first[rank]);
    BSON_APPEND_INT32(&args.array, next(&args), (int32_t)rank);
    append_rank(&args.array, next(&args), names, count, rank + 1);
    bson_append_array_end(&expr, &args.array);
    bson_append_document_end(to, &expr);
}

void list_rank(bson_t *to, const char *key, const struct mongo_list_request *request, char *const *names,
               size_t count)
{
    if (request->collection != MONGO_OVERALL)
        append_rank(to, key, &names[request->collection], 1, 0);
    else
        append_rank(to, key, names, count, 0);
}

/* ---- of a record that was read ---- */

static enum sync_status status_of(const struct record *record, const struct mongo_list_request *request)
{
    if (request->collection == MONGO_OVERALL) return record_overall(record);
    const struct entry *e = &record->entries[request->collection];
    return e->present ? e->status : SYNC_PENDING;
}

bool list_has_status(const struct record *record, const struct mongo_list_request *request)
{
    return !request->filtered || status_of(record, request) == request->status;
}

int list_rank_of(const struct record *record, const struct mongo_list_request *request)
{
    enum sync_status status = status_of(record, request);
    int rank = 0;
    while (rank < 3 && worst_first[rank] != status) rank++;
    return rank;
}

void list_sort(struct mongo *m, bson_t *stage, const struct mongo_list_request *request)
{
    static const char *const fields[] = {[MONGO_SORT_NAME] = "name",
                                         [MONGO_SORT_UPDATED] = METADATA ".updatedAt",
                                         [MONGO_SORT_STATUS] = LIST_RANK};
    const char *field = request->sort == MONGO_SORT_ID ? m->id_field : fields[request->sort];
    int32_t way = request->descending ? -1 : 1;
    bson_t sort;
    BSON_APPEND_DOCUMENT_BEGIN(stage, "$sort", &sort);
    BSON_APPEND_INT32(&sort, field, way);
    /* the index on the business id gives this order as it is, but not with a second key */
    if (request->sort != MONGO_SORT_ID) BSON_APPEND_INT32(&sort, "_id", way);
    bson_append_document_end(stage, &sort);
}
