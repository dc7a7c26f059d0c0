/* cmd_handover.h - a command's work handed to the daemon that holds the lease, and watched as it is done
 * there.
 */
#ifndef LOCKSTEP_CLI_CMD_HANDOVER_H
#define LOCKSTEP_CLI_CMD_HANDOVER_H

#include <jansson.h>

#include "cli/cmd_selection.h"

struct handover {
    struct app *app;   /* connected */
    const char *url;   /* where the daemon answers; NULL: as [api] listen says */
    bool quiet;        /* no progress */
    char reason[1024]; /* out: why the holder could not be asked; "" if it was not tried */
};

enum handed {
    HANDED_NOT,  /* nobody holds the lease, or it can't be asked: `why` */
    HANDED_OVER, /* and over: `*job` is its object */
    HANDED_BADLY /* the daemon refused, or was lost on the way; a message was printed */
};

/*
 * Asks whoever holds the lease of this source to do a job (docs/reference/api.md), taking `options` over, and
 * waits for its end. SIGINT and SIGTERM stop the job; a second one gives up watching it.
 */
enum handed hand_over(struct handover *h, const struct app_source *source, const char *kind, json_t *options,
                      json_t **job);
/* Says what a job came to that did not end well. True if it did. */
bool handed_well(const json_t *job);
/* The names of the selected collections of a source in `options`, unless it is all of them. */
void handover_put_collections(json_t *options, const struct selection *selection, const struct app *app,
                              size_t source);

#endif
