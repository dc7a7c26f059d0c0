/*
 * pass.h - a command that does the daemon's work once, by itself: engines over the sources it is about,
 * watched by a person. Where a daemon holds the lease, it says so and ends.
 */
#ifndef LOCKSTEP_CMD_PASS_H
#define LOCKSTEP_CMD_PASS_H

#include "cmd/loop.h"
#include "cmd/progress.h"

struct pass {
    /* what for; all of it borrowed */
    bool quiet;        /* no progress (for --json) */
    const char *why;   /* the holder of a lease could not be asked to do it; NULL or "": it was not tried */
    const char *label; /* of the progress; NULL: the source's name */
    const struct engine_errand *errands; /* one for each of the app's sources; NULL: a whole pass over all */
    void (*feed)(struct loop *loop, struct loop_engine *le, void *context);
    void (*touched)(struct loop_engine *le, const struct engine_touched *touched, void *context);
    void *context;
    /* out */
    struct loop loop; /* open until pass_close(), for its engines' snapshots */
    bool stopped;     /* by a signal, before its end */
    /* its own */
    struct progress progress;
    int64_t waiting_s;
    bool refused; /* somebody else has the lease */
    char holder[128];
};

/* The app is connected. False if nothing could be done; a person was told why. In any case pass_close() it.
 */
bool pass_run(struct pass *p, struct app *app);
void pass_close(struct pass *p);

/* MongoDB and Qdrant of the sources that `errands` (NULL: all) are about must answer; says which don't. */
bool servers_answer(struct app *app, const struct engine_errand *errands);

/* True, and a person was told, if a daemon is at work on this source: somebody who has the lease longer than
 * it lasts without renewal is alive. Blocks that long. */
bool daemon_at_work(struct app_source *source, const char *why);

#endif
