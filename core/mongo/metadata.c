/*
 * metadata.c - records to BSON and back, with the filters that find them.
 *
 * Whatever an application, an older version or a person with a shell left in syncMetadata is read without
 * complaint. It writes nothing but syncMetadata.
 */
#include "mongo/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define ROOT "syncMetadata"
/* "syncMetadata.collections." NAME "." FIELD: names have at most 38 characters */
#define PATH_BYTES 128

/* ---- reading ---- */

/* A string of at most `bytes` - 1 bytes without a NUL; anything else is "". */
static void read_text(const bson_iter_t *iter, char *to, size_t bytes)
{
    uint32_t length;
    to[0] = '\0';
    if (!BSON_ITER_HOLDS_UTF8(iter)) return;
    const char *text = bson_iter_utf8(iter, &length);
    if (length >= bytes || strlen(text) != length) return;
    memcpy(to, text, length + 1);
}

/* A whole number of 0 or more; anything else is 0. */
static int64_t read_count(const bson_iter_t *iter, int64_t max)
{
    int64_t value = 0;
    if (BSON_ITER_HOLDS_INT32(iter)) value = bson_iter_int32(iter);
    if (BSON_ITER_HOLDS_INT64(iter)) value = bson_iter_int64(iter);
    if (BSON_ITER_HOLDS_DOUBLE(iter)) {
        double number = bson_iter_double(iter);
        value = number >= 0 && number <= 9007199254740992.0 ? (int64_t)number : 0;
    }
    return value < 0 ? 0 : value > max ? max : value;
}

static int64_t read_time(const bson_iter_t *iter)
{
    return BSON_ITER_HOLDS_DATE_TIME(iter) ? bson_iter_date_time(iter) : NO_TIME;
}

static bool read_error(const bson_iter_t *iter, struct entry *e)
{
    if (!BSON_ITER_HOLDS_UTF8(iter)) return true;
    return entry_set_error(e, e->error, bson_iter_utf8(iter, NULL));
}

static bool read_field(const bson_iter_t *iter, struct entry *e)
{
    const char *key = bson_iter_key(iter);
    char name[32];
    if (!strcmp(key, "status")) {
        read_text(iter, name, sizeof name);
        e->present = sync_status_parse(name, &e->status);
    } else if (!strcmp(key, "lastSyncedAt")) {
        e->last_synced_ms = read_time(iter);
    } else if (!strcmp(key, "lastSyncAttemptAt")) {
        e->last_attempt_ms = read_time(iter);
    } else if (!strcmp(key, "lastError")) {
        return read_error(iter, e);
    } else if (!strcmp(key, "errorCode")) {
        read_text(iter, name, sizeof name);
        e->error = BSON_ITER_HOLDS_UTF8(iter) ? lks_code_parse(name) : LKS_E_OK;
    } else if (!strcmp(key, "retryCount")) {
        e->retry_count = (int32_t)read_count(iter, INT32_MAX);
    } else if (!strcmp(key, "nextRetryAt")) {
        e->next_retry_ms = read_time(iter);
    } else if (!strcmp(key, "contentHash")) {
        read_text(iter, e->content_hash, sizeof e->content_hash);
    } else if (!strcmp(key, "payloadHash")) {
        read_text(iter, e->payload_hash, sizeof e->payload_hash);
    } else if (!strcmp(key, "pointId")) {
        read_text(iter, e->point_id, sizeof e->point_id);
    } else if (!strcmp(key, "vectorVersion")) {
        e->vector_version = read_count(iter, INT64_MAX);
    }
    return true;
}

static bool read_entry(bson_iter_t *fields, struct entry *e)
{
    bson_iter_t reason = *fields;
    char name[32];
    while (bson_iter_next(fields))
        if (!read_field(fields, e)) return false;
    if (e->error && bson_iter_find(&reason, "errorReason") && BSON_ITER_HOLDS_UTF8(&reason)) {
        read_text(&reason, name, sizeof name); /* the precise code, where errorCode had to be a basic one */
        e->error = lks_code_parse(name);
    }
    if (e->present) return true;
    entry_fini(e); /* without a valid status it is as if it weren't there */
    return true;
}

static bool read_entries(bson_iter_t *collections, char *const *names, struct record *record)
{
    bson_iter_t fields;
    while (bson_iter_next(collections)) {
        for (size_t i = 0; i < record->entry_count; i++) {
            if (strcmp(names[i], bson_iter_key(collections)) != 0) continue;
            if (!BSON_ITER_HOLDS_DOCUMENT(collections) || !bson_iter_recurse(collections, &fields)) continue;
            entry_fini(&record->entries[i]); /* of two keys of one name the last is read */
            if (!read_entry(&fields, &record->entries[i])) return false;
        }
    }
    return true;
}

/* The overallStatus is that of the entries. Applications write it, too. */
static bool overall_fits(const bson_iter_t *record_at, const struct record *record)
{
    bson_iter_t metadata;
    char name[32] = "";
    enum sync_status status;
    if (bson_iter_recurse(record_at, &metadata) && bson_iter_find(&metadata, "overallStatus"))
        read_text(&metadata, name, sizeof name);
    return sync_status_parse(name, &status) && status == record_overall(record);
}

/* Of what lastModifiedFields says; what stands there besides texts makes it another one. */
static uint64_t modified_hash(const bson_iter_t *record_at)
{
    bson_iter_t metadata, list;
    uint32_t bytes;
    uint64_t hash = 0;
    if (!bson_iter_recurse(record_at, &metadata) || !bson_iter_find(&metadata, "lastModifiedFields") ||
        !BSON_ITER_HOLDS_ARRAY(&metadata) || !bson_iter_recurse(&metadata, &list))
        return 0;
    while (bson_iter_next(&list)) {
        const char *name = BSON_ITER_HOLDS_UTF8(&list) ? bson_iter_utf8(&list, &bytes) : NULL;
        hash = name ? record_name_add(hash, name, bytes) : hash + 1;
    }
    return hash;
}

bool metadata_parse(const bson_t *doc, char *const *names, size_t count, struct record *record)
{
    bson_iter_t iter, metadata, collections;
    if (!record_init(record, count)) return false;
    if (!bson_iter_init_find(&iter, doc, ROOT) || !BSON_ITER_HOLDS_DOCUMENT(&iter) ||
        !bson_iter_recurse(&iter, &metadata) || !bson_iter_find(&metadata, "collections") ||
        !BSON_ITER_HOLDS_DOCUMENT(&metadata) || !bson_iter_recurse(&metadata, &collections))
        return true;
    record->present = true;
    if (bson_iter_recurse(&iter, &metadata) && bson_iter_find(&metadata, "createdAt"))
        record->created_ms = read_time(&metadata);
    if (bson_iter_recurse(&iter, &metadata) && bson_iter_find(&metadata, "updatedAt"))
        record->updated_ms = read_time(&metadata);
    if (!read_entries(&collections, names, record)) {
        record_fini(record);
        return false;
    }
    record->contradicts = !overall_fits(&iter, record);
    record->modified_hash = modified_hash(&iter);
    return true;
}

static bool read_names(bson_iter_t *list, char **names, size_t capacity)
{
    size_t count = 0;
    while (count < capacity && bson_iter_next(list)) {
        if (!BSON_ITER_HOLDS_UTF8(list)) continue;
        names[count] = strdup(bson_iter_utf8(list, NULL));
        if (!names[count++]) return false;
    }
    return true;
}

bool metadata_parse_modified(const bson_t *doc, struct record *record)
{
    bson_iter_t iter, at, list;
    size_t count = 0;
    if (record->modified_fields || !bson_iter_init(&iter, doc) ||
        !bson_iter_find_descendant(&iter, ROOT ".lastModifiedFields", &at) || !BSON_ITER_HOLDS_ARRAY(&at) ||
        !bson_iter_recurse(&at, &list))
        return true;
    while (bson_iter_next(&list)) count++;
    record->modified_fields = calloc(count + 1, sizeof *record->modified_fields);
    return record->modified_fields && bson_iter_recurse(&at, &list) &&
           read_names(&list, record->modified_fields, count);
}

/* ---- comparing ---- */

/* Codes that a record can't show are all written as UNKNOWN. */
static bool same_error(enum lks_code a, enum lks_code b)
{
    if (!a || !b) return a == b;
    return strcmp(lks_code_name(a), lks_code_name(b)) == 0;
}

bool metadata_entry_equal(const struct entry *a, const struct entry *b)
{
    if (!a->present || !b->present) return a->present == b->present;
    const char *left = a->last_error ? a->last_error : "", *right = b->last_error ? b->last_error : "";
    return a->status == b->status && same_error(a->error, b->error) && a->retry_count == b->retry_count &&
           a->last_synced_ms == b->last_synced_ms && a->last_attempt_ms == b->last_attempt_ms &&
           a->next_retry_ms == b->next_retry_ms && a->vector_version == b->vector_version &&
           !strcmp(a->content_hash, b->content_hash) && !strcmp(a->payload_hash, b->payload_hash) &&
           !strcmp(a->point_id, b->point_id) && !strcmp(left, right);
}

bool metadata_equal(const struct record *a, const struct record *b)
{
    if (a->entry_count != b->entry_count) return false;
    for (size_t i = 0; i < a->entry_count; i++)
        if (!metadata_entry_equal(&a->entries[i], &b->entries[i])) return false;
    return true;
}

/* ---- filters ---- */

static const char *entry_path(char path[PATH_BYTES], const char *name, const char *field)
{
    snprintf(path, PATH_BYTES, ROOT ".collections.%s%s%s", name, field ? "." : "", field ? field : "");
    return path;
}

static void filter_text(bson_t *filter, const char *path, const char *text)
{
    if (text[0])
        BSON_APPEND_UTF8(filter, path, text);
    else
        BSON_APPEND_NULL(filter, path); /* also matches a missing field */
}

/* 0 stands for a missing number, too. */
static void filter_count(bson_t *filter, const char *path, int64_t count)
{
    bson_t in, values;
    if (count) {
        BSON_APPEND_INT64(filter, path, count);
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(filter, path, &in);
    BSON_APPEND_ARRAY_BEGIN(&in, "$in", &values);
    BSON_APPEND_INT32(&values, "0", 0);
    BSON_APPEND_NULL(&values, "1");
    bson_append_array_end(&in, &values);
    bson_append_document_end(filter, &in);
}

static void append_time(bson_t *to, const char *key, int64_t time_ms)
{
    if (time_ms == NO_TIME)
        BSON_APPEND_NULL(to, key);
    else
        BSON_APPEND_DATE_TIME(to, key, time_ms);
}

void metadata_filter(bson_t *filter, const struct record *before, char *const *names)
{
    char path[PATH_BYTES];
    for (size_t i = 0; i < before->entry_count; i++) {
        const struct entry *e = &before->entries[i];
        if (!e->present) {
            BSON_APPEND_NULL(filter, entry_path(path, names[i], "status"));
            continue;
        }
        BSON_APPEND_UTF8(filter, entry_path(path, names[i], "status"), sync_status_name(e->status));
        filter_text(filter, entry_path(path, names[i], "contentHash"), e->content_hash);
        filter_text(filter, entry_path(path, names[i], "payloadHash"), e->payload_hash);
        filter_text(filter, entry_path(path, names[i], "pointId"), e->point_id);
        filter_count(filter, entry_path(path, names[i], "vectorVersion"), e->vector_version);
        filter_count(filter, entry_path(path, names[i], "retryCount"), e->retry_count);
        /* Values may have gone to others and come back meanwhile; a time
         * doesn't. */
        append_time(filter, entry_path(path, names[i], "lastSyncedAt"), e->last_synced_ms);
        append_time(filter, entry_path(path, names[i], "lastSyncAttemptAt"), e->last_attempt_ms);
    }
}

void metadata_exact(bson_t *filter, const bson_t *doc)
{
    bson_iter_t iter;
    bson_t condition;
    BSON_APPEND_DOCUMENT_BEGIN(filter, ROOT, &condition);
    if (bson_iter_init_find(&iter, doc, ROOT))
        bson_append_iter(&condition, "$eq", -1, &iter);
    else
        BSON_APPEND_BOOL(&condition, "$exists", false);
    bson_append_document_end(filter, &condition);
}

/* ---- updates ---- */

static void append_text(bson_t *to, const char *key, const char *text)
{
    if (text && text[0])
        BSON_APPEND_UTF8(to, key, text);
    else
        BSON_APPEND_NULL(to, key);
}

/* Any bytes as valid UTF-8 of at most 1000 bytes, or null. */
static void append_message(bson_t *to, const char *key, const char *text)
{
    char clean[LKS_ERR_TEXT_BYTES];
    if (text) clean[utf8_clean(clean, sizeof clean - 1, text, strlen(text))] = '\0';
    append_text(to, key, text ? clean : NULL);
}

/* One of the six codes that the original application's schema allows. */
static enum lks_code basic_code(enum lks_code code)
{
    switch (code) {
    case LKS_E_OK:
    case LKS_E_EMBEDDING_TIMEOUT:
    case LKS_E_EMBEDDING_RATE_LIMIT:
    case LKS_E_QDRANT_UNAVAILABLE:
    case LKS_E_QDRANT_TIMEOUT:
    case LKS_E_VALIDATION:
        return code;
    default:
        return LKS_E_UNKNOWN;
    }
}

static void append_error(bson_t *to, enum lks_code code, bool basic)
{
    enum lks_code shown = basic ? basic_code(code) : code;
    append_text(to, "errorCode", shown ? lks_code_name(shown) : NULL);
    if (basic) append_text(to, "errorReason", code ? lks_code_name(code) : NULL);
}

static void append_entry(bson_t *to, const char *key, const struct entry *e, bool basic)
{
    bson_t fields;
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &fields);
    BSON_APPEND_UTF8(&fields, "status", sync_status_name(e->status));
    append_time(&fields, "lastSyncedAt", e->last_synced_ms);
    append_time(&fields, "lastSyncAttemptAt", e->last_attempt_ms);
    append_message(&fields, "lastError", e->last_error);
    append_error(&fields, e->error, basic);
    BSON_APPEND_INT32(&fields, "retryCount", e->retry_count);
    append_time(&fields, "nextRetryAt", e->next_retry_ms);
    append_text(&fields, "contentHash", e->content_hash);
    append_text(&fields, "payloadHash", e->payload_hash);
    append_text(&fields, "pointId", e->point_id);
    BSON_APPEND_INT64(&fields, "vectorVersion", e->vector_version);
    bson_append_document_end(to, &fields);
}

static void append_names(bson_t *to, const char *key, char *const *names)
{
    bson_t array;
    char buffer[16], clean[LKS_ERR_TEXT_BYTES];
    const char *index;
    BSON_APPEND_ARRAY_BEGIN(to, key, &array);
    for (uint32_t i = 0; names && names[i]; i++) {
        size_t index_bytes = bson_uint32_to_string(i, &index, buffer, sizeof buffer);
        size_t bytes = utf8_clean(clean, sizeof clean, names[i], strlen(names[i]));
        bson_append_utf8(&array, index, (int)index_bytes, clean, (int)bytes);
    }
    bson_append_array_end(to, &array);
}

static void append_whole(bson_t *set, const struct record *after, char *const *names, bool basic,
                         int64_t now_ms)
{
    bson_t metadata, collections;
    BSON_APPEND_DOCUMENT_BEGIN(set, ROOT, &metadata);
    BSON_APPEND_UTF8(&metadata, "overallStatus", sync_status_name(record_overall(after)));
    BSON_APPEND_DOCUMENT_BEGIN(&metadata, "collections", &collections);
    for (size_t i = 0; i < after->entry_count; i++)
        if (after->entries[i].present) append_entry(&collections, names[i], &after->entries[i], basic);
    bson_append_document_end(&metadata, &collections);
    append_names(&metadata, "lastModifiedFields", after->modified_fields);
    BSON_APPEND_DATE_TIME(&metadata, "createdAt", now_ms);
    BSON_APPEND_DATE_TIME(&metadata, "updatedAt", now_ms);
    bson_append_document_end(set, &metadata);
}

static void append_changes(bson_t *set, const struct record *before, const struct record *after,
                           char *const *names, bool basic, int64_t now_ms)
{
    char path[PATH_BYTES];
    BSON_APPEND_UTF8(set, ROOT ".overallStatus", sync_status_name(record_overall(after)));
    for (size_t i = 0; i < after->entry_count; i++)
        if (after->entries[i].present && !metadata_entry_equal(&before->entries[i], &after->entries[i]))
            append_entry(set, entry_path(path, names[i], NULL), &after->entries[i], basic);
    if (after->modified_fields) append_names(set, ROOT ".lastModifiedFields", after->modified_fields);
    BSON_APPEND_DATE_TIME(set, ROOT ".updatedAt", now_ms);
}

/* Entries that are gone in `after`: a reset to "never synced". */
static void append_removals(bson_t *update, const struct record *before, const struct record *after,
                            char *const *names)
{
    bson_t unset = BSON_INITIALIZER;
    char path[PATH_BYTES];
    for (size_t i = 0; i < after->entry_count; i++)
        if (before->entries[i].present && !after->entries[i].present)
            BSON_APPEND_UTF8(&unset, entry_path(path, names[i], NULL), "");
    if (!bson_empty(&unset)) BSON_APPEND_DOCUMENT(update, "$unset", &unset);
    bson_destroy(&unset);
}

void metadata_update(bson_t *update, const struct record *before, const struct record *after,
                     char *const *names, bool basic, int64_t now_ms)
{
    bson_t set;
    BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
    if (before->present)
        append_changes(&set, before, after, names, basic, now_ms);
    else
        append_whole(&set, after, names, basic, now_ms);
    bson_append_document_end(update, &set);
    if (before->present) append_removals(update, before, after, names);
}

/* ---- what is due ---- */

/* An array of alternatives being built. */
struct choices {
    bson_t array;
    uint32_t count;
};

static bson_t *choice_begin(struct choices *choices, bson_t *choice)
{
    char buffer[16];
    const char *index;
    size_t bytes = bson_uint32_to_string(choices->count++, &index, buffer, sizeof buffer);
    bson_append_document_begin(&choices->array, index, (int)bytes, choice);
    return choice;
}

/* {path: {$in: [statuses]}}, or $nin */
static void append_statuses(bson_t *to, const char *path, const char *operator, const enum sync_status * list,
                            size_t count)
{
    bson_t condition, values;
    char buffer[16];
    const char *index;
    BSON_APPEND_DOCUMENT_BEGIN(to, path, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, operator, & values);
    for (uint32_t i = 0; i < count; i++) {
        bson_uint32_to_string(i, &index, buffer, sizeof buffer);
        BSON_APPEND_UTF8(&values, index, sync_status_name(list[i]));
    }
    bson_append_array_end(&condition, &values);
    bson_append_document_end(to, &condition);
}

/* {status: ..., nextRetryAt: null or no date} */
static void append_without_retry(bson_t *choice, const char *status, const char *retry, enum sync_status is)
{
    bson_t condition, inner;
    BSON_APPEND_UTF8(choice, status, sync_status_name(is));
    BSON_APPEND_DOCUMENT_BEGIN(choice, retry, &condition);
    BSON_APPEND_DOCUMENT_BEGIN(&condition, "$not", &inner);
    BSON_APPEND_UTF8(&inner, "$type", "date");
    bson_append_document_end(&condition, &inner);
    bson_append_document_end(choice, &condition);
}

/* The alternatives for one collection, each a range of its index on status and nextRetryAt. */
static void append_due(struct choices *choices, const char *name, const struct due_rule *rule)
{
    static const enum sync_status retried[] = {SYNC_STALE, SYNC_FAILED};
    static const enum sync_status known[] = {SYNC_SYNCED, SYNC_STALE, SYNC_FAILED};
    char status[PATH_BYTES], retry[PATH_BYTES], code[PATH_BYTES];
    bson_t choice, condition;
    entry_path(status, name, "status");
    entry_path(retry, name, "nextRetryAt");

    if (rule->failed_only) {
        choice_begin(choices, &choice);
        BSON_APPEND_UTF8(&choice, status, sync_status_name(SYNC_FAILED));
        bson_append_document_end(&choices->array, &choice);
        return;
    }
    choice_begin(choices, &choice); /* never synced, or nothing that can be read: pending */
    if (rule->recorded_only)
        BSON_APPEND_UTF8(&choice, status, sync_status_name(SYNC_PENDING));
    else
        append_statuses(&choice, status, "$nin", known, 3);
    bson_append_document_end(&choices->array, &choice);

    choice_begin(choices, &choice);
    append_statuses(&choice, status, "$in", retried, 2);
    BSON_APPEND_DOCUMENT_BEGIN(&choice, retry, &condition);
    BSON_APPEND_DATE_TIME(&condition, "$lte", rule->now_ms);
    bson_append_document_end(&choice, &condition);
    bson_append_document_end(&choices->array, &choice);

    choice_begin(choices, &choice); /* stale at once */
    append_without_retry(&choice, status, retry, SYNC_STALE);
    bson_append_document_end(&choices->array, &choice);

    if (!rule->rejected_too) return;
    choice_begin(choices, &choice); /* waits for a change, which may be another document's */
    append_without_retry(&choice, status, retry, SYNC_FAILED);
    BSON_APPEND_UTF8(&choice, entry_path(code, name, "errorCode"), lks_code_name(LKS_E_VALIDATION));
    bson_append_document_end(&choices->array, &choice);
}

bool metadata_due(bson_t *filter, char *const *names, size_t count, const struct due_rule *rule)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) any = any || !rule->wanted || rule->wanted[i];
    if (!any) return false;
    struct choices choices = {.count = 0};
    BSON_APPEND_ARRAY_BEGIN(filter, "$or", &choices.array);
    for (size_t i = 0; i < count; i++)
        if (!rule->wanted || rule->wanted[i]) append_due(&choices, names[i], rule);
    bson_append_array_end(filter, &choices.array);
    return true;
}

static bool entry_is_due(const struct entry *e, const struct due_rule *rule, int64_t *next_ms)
{
    if (rule->failed_only) return e->present && e->status == SYNC_FAILED;
    if (!e->present) return !rule->recorded_only;
    if (e->status == SYNC_PENDING) return true;
    if (e->status == SYNC_SYNCED) return false;
    if (e->next_retry_ms == NO_TIME)
        return e->status == SYNC_STALE || (rule->rejected_too && e->error == LKS_E_VALIDATION);
    if (e->next_retry_ms <= rule->now_ms) return true;
    if (*next_ms == NO_TIME || e->next_retry_ms < *next_ms) *next_ms = e->next_retry_ms;
    return false;
}

bool metadata_is_due(const struct record *record, const struct due_rule *rule, int64_t *next_ms)
{
    bool due = false;
    for (size_t i = 0; i < record->entry_count; i++)
        if (!rule->wanted || rule->wanted[i]) due = entry_is_due(&record->entries[i], rule, next_ms) || due;
    return due;
}
