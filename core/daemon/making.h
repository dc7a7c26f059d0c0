/* making.h - what the daemon's collections make of a document, for threads other than the engines': by the
 * makers that the engines use, so that no plugin is called in a way it doesn't expect. */
#ifndef LOCKSTEP_DAEMON_MAKING_H
#define LOCKSTEP_DAEMON_MAKING_H

#include "daemon/app.h"

/* For service_source.make: `source` is a struct app_source. Waits for the maker, some seconds at most. */
void making_make(void *source, size_t collection, const struct source_document *doc, struct made *out);
/* On the loop's thread: a request of ours came back. Takes it over. */
void making_done(struct req *req);

#endif
