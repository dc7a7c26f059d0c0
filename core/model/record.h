/*
 * record.h - what a document's syncMetadata says, as the engine sees it: one entry per enabled collection.
 *
 * Pure data. The store adapter turns it into BSON and back; the rules for what goes in are the engine's.
 */
#ifndef LOCKSTEP_MODEL_RECORD_H
#define LOCKSTEP_MODEL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HASH_HEX_BYTES 65 /* SHA-256 in lower-case hex and a NUL; "" for none */
#define POINT_ID_BYTES 37 /* a UUID in lower-case text and a NUL; "" for none */
#define NO_TIME INT64_MIN /* null where a BSON date stands */

enum sync_status { SYNC_SYNCED = 0, SYNC_PENDING, SYNC_STALE, SYNC_FAILED };

/* One collection's part of a record. All zero but the times (NO_TIME) and status (pending) when it isn't
 * there. */
struct entry {
    bool present;
    enum sync_status status;
    enum lks_code error;    /* LKS_E_OK: null */
    int32_t retry_count;    /* consecutive failed attempts */
    int64_t last_synced_ms; /* milliseconds since 1970 UTC, or NO_TIME */
    int64_t last_attempt_ms;
    int64_t next_retry_ms;
    int64_t vector_version;            /* +1 each time an embedding is regenerated */
    char content_hash[HASH_HEX_BYTES]; /* what the point holds; written only after Qdrant confirmed it */
    char payload_hash[HASH_HEX_BYTES];
    char point_id[POINT_ID_BYTES];
    char *last_error; /* owned, valid UTF-8, at most 1000 bytes; NULL: null */
};

/* A document's record: entries in the order of the source's enabled collections. */
struct record {
    bool present; /* the document (or its sidecar) has a usable syncMetadata */
    bool
        sidecar; /* it was found in the sidecar collection although metadata is embedded (sidecar fallback) */
    bool contradicts; /* as read: its overallStatus is not what its entries make */
    size_t entry_count;
    struct entry *entries;  /* owned */
    char **modified_fields; /* owned, NULL-terminated: lastModifiedFields to write; NULL: leave as it is */
    uint64_t modified_hash; /* as read: record_names_hash() of lastModifiedFields */
    int64_t created_ms;     /* of the record, as read; NO_TIME: null. Never written from here */
    int64_t updated_ms;
};

/* An absent record with `entry_count` absent entries. False when memory is out. */
bool record_init(struct record *r, size_t entry_count);
bool record_copy(struct record *to, const struct record *from);
void record_fini(struct record *r);

void entry_init(struct entry *e);
bool entry_copy(struct entry *to, const struct entry *from);
void entry_fini(struct entry *e);
/* Applications write records, too, and may write the highest number: it stays. */
void entry_add_attempt(struct entry *e);
void entry_add_vector(struct entry *e);
/* Replaces the error and its message (copied; NULL for null). False when memory is out: then it has none. */
bool entry_set_error(struct entry *e, enum lks_code code, const char *text);

/* The worst of the entries: failed > pending > stale > synced (absent counts as pending). With none: synced.
 */
enum sync_status record_overall(const struct record *r);

/* The same for the same names in any order. 0: none. */
uint64_t record_names_hash(char *const *names);
/* Adds one name, of this many bytes, to such a hash. */
uint64_t record_name_add(uint64_t hash, const char *name, size_t bytes);

/* "synced", ... Static storage. */
const char *sync_status_name(enum sync_status status);
/* False for a name that is none. */
bool sync_status_parse(const char *name, enum sync_status *status);

#endif
