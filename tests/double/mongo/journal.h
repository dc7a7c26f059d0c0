/*
 * journal.h - the optional file that keeps data over a restart: one BSON document for each oplog entry, in
 * order, read back at the start. It keeps the oplog too, so that resume tokens stay good.
 */
#ifndef DOUBLE_MONGO_JOURNAL_H
#define DOUBLE_MONGO_JOURNAL_H

#include "oplog.h"

struct journal;
struct server;

/* Opens (or makes) the file and replays it into the server. NULL and a message on failure. */
struct journal *journal_open(struct server *s, const char *path, struct merr *err);
void journal_close(struct journal *j);
/* Every function takes NULL for `no file`. */
void journal_write(struct journal *j, const struct oplog_entry *e);
/* The whole new version of the document that the next entry updates. */
void journal_after_image(struct journal *j, const struct rec *now);
/* Entries from `ts` on never happened. */
void journal_rollback(struct journal *j, uint64_t from_ts);

#endif
