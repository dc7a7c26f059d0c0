/*
 * contradictions.c - records whose overallStatus is not what their entries make: the filter that finds them,
 * and the index that makes it cheap.
 *
 * Applications write overallStatus, and no event reports that. The filter is a list of alternatives, each of
 * which begins with a value of overallStatus and goes on with one condition for each entry's status, in the
 * order of the index. So the index leads to the contradictions alone, however many records are in order. An
 * entry without a valid status counts as pending, as it does everywhere.
 *
 * An entry that failed, names no error and has no nextRetryAt is not of our writing either, and would wait
 * for ever. The index on status and nextRetryAt leads to those that have none, which are few.
 */
#include "mongo/contradictions.h"

#include <stdio.h>

#include "model/record.h"
#include "mongo/mongo_internal.h"

#define OVERALL METADATA ".overallStatus"

/* A set of statuses; with OTHER also whatever is none, a missing field among it. */
enum {
    IS_SYNCED = 1 << SYNC_SYNCED,
    IS_PENDING = 1 << SYNC_PENDING,
    IS_STALE = 1 << SYNC_STALE,
    IS_FAILED = 1 << SYNC_FAILED,
    IS_VALID = IS_SYNCED | IS_PENDING | IS_STALE | IS_FAILED,
    IS_OTHER = 1 << 4
};

/* {path: {$in: [...]}}; {path: {$nin: [...]}} for a set with OTHER. */
static void append_set(bson_t *to, const char *path, int set)
{
    static const enum sync_status all[] = {SYNC_SYNCED, SYNC_PENDING, SYNC_STALE, SYNC_FAILED};
    bson_t condition, list;
    char index[2] = "0";
    int listed = set & IS_OTHER ? IS_VALID & ~set : set;
    BSON_APPEND_DOCUMENT_BEGIN(to, path, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, set & IS_OTHER ? "$nin" : "$in", &list);
    for (size_t i = 0; i < 4; i++)
        if (listed >> all[i] & 1) {
            BSON_APPEND_UTF8(&list, index, sync_status_name(all[i]));
            index[0]++;
        }
    bson_append_array_end(&condition, &list);
    bson_append_document_end(to, &condition);
}

struct alternatives {
    bson_t *array;
    char *const *names;
    size_t name_count;
    uint32_t count;
};

/*
 * overallStatus in `overall`, the entries before number `n` in `before`, that one in `at`. With `n` beyond
 * the last: all of them in `before`.
 */
static void append_alternative(struct alternatives *to, int overall, int before, size_t n, int at)
{
    bson_t one;
    char buffer[16], path[CONTRADICTIONS_PATH_BYTES];
    const char *index;
    bson_uint32_to_string(to->count++, &index, buffer, sizeof buffer);
    BSON_APPEND_DOCUMENT_BEGIN(to->array, index, &one);
    append_set(&one, OVERALL, overall);
    for (size_t i = 0; i < to->name_count && i <= n; i++) {
        snprintf(path, sizeof path, METADATA ".collections.%s.status", to->names[i]);
        append_set(&one, path, i < n ? before : at);
    }
    bson_append_document_end(to->array, &one);
}

/* One of the entries is in `at`, by the first that is: the alternatives exclude each other. */
static void append_any(struct alternatives *to, int overall, int at)
{
    for (size_t i = 0; i < to->name_count; i++)
        append_alternative(to, overall, (IS_VALID | IS_OTHER) & ~at, i, at);
}

static void append_all(struct alternatives *to, int overall, int each)
{
    append_alternative(to, overall, each, SIZE_MAX, 0);
}

/* failed, without errorCode and nextRetryAt */
static void append_unfounded(struct alternatives *to)
{
    bson_t one, condition, inner;
    char buffer[16], path[CONTRADICTIONS_PATH_BYTES];
    const char *index;
    for (size_t i = 0; i < to->name_count; i++) {
        bson_uint32_to_string(to->count++, &index, buffer, sizeof buffer);
        BSON_APPEND_DOCUMENT_BEGIN(to->array, index, &one);
        snprintf(path, sizeof path, METADATA ".collections.%s.status", to->names[i]);
        BSON_APPEND_UTF8(&one, path, sync_status_name(SYNC_FAILED));
        snprintf(path, sizeof path, METADATA ".collections.%s.nextRetryAt", to->names[i]);
        BSON_APPEND_DOCUMENT_BEGIN(&one, path, &condition);
        BSON_APPEND_DOCUMENT_BEGIN(&condition, "$not", &inner);
        BSON_APPEND_UTF8(&inner, "$type", "date");
        bson_append_document_end(&condition, &inner);
        bson_append_document_end(&one, &condition);
        snprintf(path, sizeof path, METADATA ".collections.%s.errorCode", to->names[i]);
        BSON_APPEND_NULL(&one, path); /* a missing field, too */
        bson_append_document_end(to->array, &one);
    }
}

bool contradictions_filter(bson_t *filter, char *const *names, size_t count)
{
    bson_t array;
    struct alternatives to = {.array = &array, .names = names, .name_count = count};
    if (!count) return false;
    BSON_APPEND_ARRAY_BEGIN(filter, "$or", &array);
    append_any(&to, IS_SYNCED, IS_STALE | IS_PENDING | IS_FAILED | IS_OTHER);
    append_all(&to, IS_STALE, IS_SYNCED);
    append_any(&to, IS_STALE, IS_PENDING | IS_FAILED | IS_OTHER);
    append_all(&to, IS_PENDING, IS_SYNCED | IS_STALE);
    append_any(&to, IS_PENDING, IS_FAILED);
    append_all(&to, IS_FAILED, IS_SYNCED | IS_STALE | IS_PENDING | IS_OTHER);
    append_any(&to, IS_OTHER, IS_VALID); /* without any valid entry it is pending, and due */
    append_unfounded(&to);
    bson_append_array_end(filter, &array);
    return true;
}

void contradictions_index_key(bson_t *key, char *const *names, size_t count)
{
    char path[CONTRADICTIONS_PATH_BYTES];
    BSON_APPEND_INT32(key, OVERALL, 1);
    for (size_t i = 0; i < count && i < CONTRADICTIONS_MOST; i++) {
        snprintf(path, sizeof path, METADATA ".collections.%s.status", names[i]);
        BSON_APPEND_INT32(key, path, 1);
    }
}
