/* list.h - what the files that make lists share. Private to this room. */
#ifndef LOCKSTEP_MONGO_LIST_H
#define LOCKSTEP_MONGO_LIST_H

#include "mongo/mongo_internal.h"

#define LIST_PAGE_MS 10000       /* the server gives up then */
#define LIST_RANK "lockstepRank" /* what a sort by status adds to rows meanwhile */
#define LIST_COUNT_MS 2000       /* counting gives up then, and the total is not exact */

/* ---- list_filter.c: pure ---- */

/* Appends conditions on a document's own record to a filter: the status that the wish asks for. */
void list_match_status(bson_t *filter, const struct mongo_list_request *request, char *const *names,
                       size_t count);
/* Appends the condition of the search; nothing without one. False when memory is out. */
bool list_match_search(bson_t *filter, const struct mongo_list_request *request, const char *id_field);
/* Appends an expression: 0 failed, 1 pending, 2 stale, 3 synced, by a document's own record. */
void list_rank(bson_t *to, const char *key, const struct mongo_list_request *request, char *const *names,
               size_t count);
/* The same of a record that was read. */
int list_rank_of(const struct record *record, const struct mongo_list_request *request);
bool list_has_status(const struct record *record, const struct mongo_list_request *request);
/* Appends {$sort: ...} to a stage. */
void list_sort(struct mongo *m, bson_t *stage, const struct mongo_list_request *request);

/* ---- list.c ---- */

/* Replaces records by those in the sidecar collection, modified_fields and all. */
enum lks_code list_records(struct mongo *m, mongoc_client_t *client, struct source_document *docs,
                           size_t count, struct lks_err *err);

/* ---- list_join.c ---- */

/* The ids of a page, where records are in the sidecar collection and the wish asks for what they say. */
struct list_ids {
    struct docid **ids; /* owned */
    size_t count, capacity;
    int64_t total;
    bool exact;
};
enum lks_code list_join(struct mongo *m, mongoc_client_t *client, const struct mongo_list_request *request,
                        struct list_ids *out, struct lks_err *err);

#endif
