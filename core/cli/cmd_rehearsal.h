/* cmd_rehearsal.h - `lockstep sync --dry-run`. */
#ifndef LOCKSTEP_CLI_CMD_REHEARSAL_H
#define LOCKSTEP_CLI_CMD_REHEARSAL_H

#include "cli/cmd_selection.h"
#include "service/compare.h"

struct rehearsal {
    const struct selection *selection;
    bool force, json;
};

/* Says per collection what would be done, and why. Writes nothing anywhere. The app is connected. An exit
 * status. */
int rehearse(const struct rehearsal *request, struct app *app);

/* A source as the services look at it. */
struct compare_source source_to_compare(const struct selection *selection, const struct app *app, size_t i);

#endif
