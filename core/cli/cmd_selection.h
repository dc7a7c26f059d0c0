/* cmd_selection.h - which documents and collections a command is about: --id, --collection, --source. */
#ifndef LOCKSTEP_CLI_CMD_SELECTION_H
#define LOCKSTEP_CLI_CMD_SELECTION_H

#include "cli/cmd_arguments.h"

struct selection {
    struct name_list ids, collections;
    const char *source; /* NULL: not said */
    /* what selection_resolve() makes of it */
    uint64_t *masks; /* owned; per source of the app: set of its enabled collections; 0: not this source */
    bool narrow;     /* fewer than all enabled collections */
};

/* EXIT_DONE, or after saying so EXIT_USAGE (a name that is none, with those there are) or EXIT_FAILED. */
int selection_resolve(struct selection *s, const struct app *app);
/* The source whose documents --id names: the first one selected. */
struct app_source *selection_source(const struct selection *s, struct app *app);
/* One one-shot run per source of the app, off where nothing is selected; to be free()d. NULL, after saying
 * so, when memory is out. */
struct engine_one_shot *selection_one_shots(const struct selection *s, const struct app *app,
                                            struct engine_one_shot one_shot);
/* This source is somebody else's matter from now on. */
void selection_drop(struct selection *s, size_t source);
bool selection_any(const struct selection *s, const struct app *app);
void selection_fini(struct selection *s);

/* Loads the app, resolves the selection, connects, and does `work`. Nothing of that if `status`, the outcome
 * of reading the arguments, is not EXIT_DONE. Says what goes wrong; an exit status. The selection is finished
 * in any case. */
int selection_run(struct selection *s, const struct invocation *inv, int status,
                  int (*work)(void *request, struct app *app), void *request);

#endif
