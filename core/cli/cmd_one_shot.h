/*
 * cmd_one_shot.h - a command that does the daemon's work once, by itself: engines over the sources it is
 * about, watched by a person. Where a daemon holds the lease, it says so and ends.
 */
#ifndef LOCKSTEP_CLI_CMD_ONE_SHOT_H
#define LOCKSTEP_CLI_CMD_ONE_SHOT_H

#include "cli/cmd_progress.h"
#include "daemon/loop.h"

struct one_shot {
    /* what for; all of it borrowed */
    bool quiet;         /* no progress (for --json) */
    const char *reason; /* the holder of a lease could not be asked to do it; NULL or "": it was not tried */
    const char *label;  /* of the progress; NULL: the source's name */
    const struct engine_one_shot
        *one_shots; /* one for each of the app's sources; NULL: a whole pass over all */
    void (*feed)(struct loop *loop, struct loop_engine *le, void *context);
    void (*resynced)(struct loop_engine *le, const struct engine_resynced *resynced, void *context);
    void *context;
    /* out */
    struct loop loop; /* open until one_shot_close(), for its engines' snapshots */
    bool stopped;     /* by a signal, before its end */
    /* its own */
    struct progress progress;
    int64_t waiting_s;
    bool refused; /* somebody else has the lease */
    char lease_holder[128];
};

/* The app is connected. False if nothing could be done; a message said why. In any case one_shot_close()
 * it.
 */
bool one_shot_run(struct one_shot *p, struct app *app);
void one_shot_close(struct one_shot *p);

/* MongoDB and Qdrant of the sources that `one-shot runs` (NULL: all) are about must answer; says which don't.
 */
bool servers_answer(struct app *app, const struct engine_one_shot *one_shots);

/* True, and a message was printed, if a daemon is at work on this source: somebody who has the lease longer
 * than it lasts without renewal is alive. Blocks that long. */
bool daemon_at_work(struct app_source *source, const char *reason);

#endif
