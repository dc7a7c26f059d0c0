/*
 * record.c - making, copying and freeing records, and the names of their statuses.
 *
 * Pure data: no BSON, no rule on when an entry changes.
 */
#include "model/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* lastError holds at most this many bytes. */
#define MAX_ERROR_BYTES 1000

static const char *const status_names[] = {
    [SYNC_SYNCED] = "synced",
    [SYNC_PENDING] = "pending",
    [SYNC_STALE] = "stale",
    [SYNC_FAILED] = "failed",
};

const char *sync_status_name(enum sync_status status)
{
    size_t at = (size_t)status;
    return at < sizeof status_names / sizeof *status_names ? status_names[at] : "pending";
}

bool sync_status_parse(const char *name, enum sync_status *status)
{
    for (size_t i = 0; i < sizeof status_names / sizeof *status_names; i++) {
        if (strcmp(status_names[i], name) != 0) continue;
        *status = (enum sync_status)i;
        return true;
    }
    return false;
}

void entry_init(struct entry *e)
{
    *e = (struct entry){
        .status = SYNC_PENDING,
        .last_synced_ms = NO_TIME,
        .last_attempt_ms = NO_TIME,
        .next_retry_ms = NO_TIME,
    };
}

void entry_fini(struct entry *e)
{
    free(e->last_error);
    entry_init(e);
}

bool entry_copy(struct entry *to, const struct entry *from)
{
    *to = *from;
    if (!from->last_error) return true;
    to->last_error = strdup(from->last_error);
    if (to->last_error) return true;
    entry_init(to);
    return false;
}

void entry_add_attempt(struct entry *e)
{
    if (e->retry_count < INT32_MAX) e->retry_count++;
}

void entry_add_vector(struct entry *e)
{
    if (e->vector_version < INT64_MAX) e->vector_version++;
}

bool entry_set_error(struct entry *e, enum lks_code code, const char *text)
{
    char *copy = text ? malloc(MAX_ERROR_BYTES + 1) : NULL;
    if (copy) copy[utf8_clean(copy, MAX_ERROR_BYTES, text, strlen(text))] = '\0';
    free(e->last_error);
    e->last_error = copy;
    e->error = code;
    return copy || !text;
}

bool record_init(struct record *r, size_t entry_count)
{
    *r = (struct record){.created_ms = NO_TIME, .updated_ms = NO_TIME};
    if (!entry_count) return true;
    r->entries = calloc(entry_count, sizeof *r->entries);
    if (!r->entries) return false;
    r->entry_count = entry_count;
    for (size_t i = 0; i < entry_count; i++) entry_init(&r->entries[i]);
    return true;
}

static void names_free(char **names)
{
    if (!names) return;
    for (char **name = names; *name; name++) free(*name);
    free(names);
}

/* A copy of a NULL-terminated list; NULL when memory is out. */
static char **names_copy(char *const *names)
{
    size_t count = 0;
    while (names[count]) count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(names[i]);
        if (copy[i]) continue;
        names_free(copy);
        return NULL;
    }
    return copy;
}

bool record_copy(struct record *to, const struct record *from)
{
    if (!record_init(to, from->entry_count)) return false;
    to->present = from->present;
    to->sidecar = from->sidecar;
    to->contradicts = from->contradicts;
    to->modified_hash = from->modified_hash;
    to->created_ms = from->created_ms;
    to->updated_ms = from->updated_ms;
    for (size_t i = 0; i < from->entry_count; i++)
        if (!entry_copy(&to->entries[i], &from->entries[i])) goto fail;
    if (from->modified_fields) {
        to->modified_fields = names_copy(from->modified_fields);
        if (!to->modified_fields) goto fail;
    }
    return true;
fail:
    record_fini(to);
    return false;
}

void record_fini(struct record *r)
{
    for (size_t i = 0; i < r->entry_count; i++) entry_fini(&r->entries[i]);
    free(r->entries);
    names_free(r->modified_fields);
    *r = (struct record){0};
}

/* failed > pending > stale > synced. */
static int badness(enum sync_status status)
{
    switch (status) {
    case SYNC_SYNCED:
        return 0;
    case SYNC_STALE:
        return 1;
    case SYNC_PENDING:
        return 2;
    case SYNC_FAILED:
        return 3;
    }
    return 2;
}

enum sync_status record_overall(const struct record *r)
{
    enum sync_status worst = SYNC_SYNCED;
    for (size_t i = 0; i < r->entry_count; i++) {
        enum sync_status status = r->entries[i].present ? r->entries[i].status : SYNC_PENDING;
        if (badness(status) > badness(worst)) worst = status;
    }
    return worst;
}

uint64_t record_name_add(uint64_t hash, const char *name, size_t bytes)
{
    uint64_t one = UINT64_C(0xcbf29ce484222325); /* FNV-1a; a sum of them knows no order */
    for (size_t i = 0; i < bytes; i++) one = (one ^ (uint8_t)name[i]) * UINT64_C(0x100000001b3);
    return hash + one;
}

uint64_t record_names_hash(char *const *names)
{
    uint64_t hash = 0;
    for (; names && *names; names++) hash = record_name_add(hash, *names, strlen(*names));
    return hash;
}
