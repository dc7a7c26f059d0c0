/* cmd_resync.h - documents that a person asks for, one by one: done at once, and shown as they are done. */
#ifndef LOCKSTEP_CLI_CMD_RESYNC_H
#define LOCKSTEP_CLI_CMD_RESYNC_H

#include <jansson.h>

#include "cli/cmd_selection.h"

struct resync {
    const struct selection *selection;
    const char *url; /* where a daemon answers that holds the lease; NULL: as [api] listen says */
    bool failed;     /* all documents that have a failed entry in the selected collections, instead of --id */
    bool force;      /* embed even what is equal */
    bool json;
};

/* Compares the documents with the points themselves, whatever backoff, retry counts, circuits and records
 * say, and does what follows. The app is connected. An exit status. */
int resync_documents(const struct resync *request, struct app *app);
/* A document's outcome, as report_resynced() has it, for a person or as the next item of a list. */
void resync_print(const json_t *document, bool json, bool first);

#endif
