/*
 * metadata.h - syncMetadata as BSON: read whatever is there, match what was read, write
 * what follows. Pure: no server.
 *
 * The same shape is in a document and, under the same name, in a document of the sidecar collection.
 * `names` are the enabled collections, in the order of a record's entries.
 */
#ifndef LOCKSTEP_MONGO_METADATA_H
#define LOCKSTEP_MONGO_METADATA_H

#include <bson/bson.h>
#include <stdbool.h>

#include "model/record.h"

/*
 * What `doc` says. Anything may stand there: the record is present if syncMetadata and its `collections` are
 * documents, an entry if it is a document with a valid status; what has the wrong type elsewhere counts as
 * null or 0. False when memory is out (then `record` is empty).
 */
bool metadata_parse(const bson_t *doc, char *const *names, size_t count, struct record *record);

/*
 * Fills record->modified_fields, which metadata_parse() leaves alone, with what stands there: for a record
 * that is shown to a person. False when memory is out.
 */
bool metadata_parse_modified(const bson_t *doc, struct record *record);

/*
 * Appends to a filter the conditions under which a record is still `before`: each entry's status, hashes,
 * point id, version and retry count; for an absent entry that it has no status. Records with values that
 * metadata_parse() had to straighten may not match; see metadata_exact().
 */
void metadata_filter(bson_t *filter, const struct record *before, char *const *names);

/* Appends the condition that syncMetadata is exactly what `doc` has (or lacks). */
void metadata_exact(bson_t *filter, const bson_t *doc);

/*
 * The update that turns `before` into `after`: $set of the entries that differ, or of the whole syncMetadata
 * where `before` wasn't present. `now_ms` becomes updatedAt. With `basic` an errorCode is one of the six that
 * the original application's schema allows (UNKNOWN for all others), and errorReason has the precise one.
 */
void metadata_update(bson_t *update, const struct record *before, const struct record *after,
                     char *const *names, bool basic, int64_t now_ms);

/* True if all that is written of two entries is equal. */
bool metadata_entry_equal(const struct entry *a, const struct entry *b);
/* True if all entries are equal, which is what a reader can know of two records. */
bool metadata_equal(const struct record *a, const struct record *b);

/* Which entries are to be looked at; the members mean what those of REQ_DUE do. */
struct due_rule {
    const bool *wanted; /* borrowed; NULL: all collections */
    int64_t now_ms;
    bool recorded_only, rejected_too;
    bool failed_only; /* every failed entry, and nothing else */
};
/* The rule as one $or. False, and nothing appended, if it leaves out all collections. */
bool metadata_due(bson_t *filter, char *const *names, size_t count, const struct due_rule *rule);
/* Is this record due, by the same rule? Lowers *next_ms to the earliest later nextRetryAt. */
bool metadata_is_due(const struct record *record, const struct due_rule *rule, int64_t *next_ms);

#endif
