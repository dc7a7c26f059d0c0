/* contradictions.h - how records are found whose overallStatus is not what their entries make. Pure. */
#ifndef LOCKSTEP_MONGO_CONTRADICTIONS_H
#define LOCKSTEP_MONGO_CONTRADICTIONS_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>

/* The index that serves the filter; MongoDB allows 32 fields in one, the first of which is overallStatus. */
#define CONTRADICTIONS_INDEX "lockstep_overall"
#define CONTRADICTIONS_MOST 31
#define CONTRADICTIONS_PATH_BYTES 128 /* names have at most 38 characters */

/* Appends {$or: [...]}. False, and nothing appended, without collections. */
bool contradictions_filter(bson_t *filter, char *const *names, size_t count);
/* Appends the fields of the index to its key. */
void contradictions_index_key(bson_t *key, char *const *names, size_t count);

#endif
