/*
 * loop.h - the engines' thread: completions in, requests out, one engine per source.
 */
#ifndef LOCKSTEP_DAEMON_LOOP_H
#define LOCKSTEP_DAEMON_LOOP_H

#include <stdatomic.h>

#include "daemon/app.h"

struct loop;

/* One engine and what it needs to know which requests are its own. */
struct loop_engine {
    struct loop *loop;
    struct app_source *source;
    struct engine_config config;
    struct ports ports; /* as the adapters gave them */
    struct engine *engine;
    int64_t next_ms; /* when it wants to be run again */
};

struct loop {
    struct app *app;
    struct loop_engine *engines;
    size_t count;
    atomic_int signal;  /* the last of SIGTERM, SIGINT, SIGHUP that came; 0: none */
    bool once;          /* one pass, then the end */
    int64_t asked_ms;   /* when the last wish to stop came */
    bool refused;       /* out: a source may not start as it is configured; the log says why */
    int64_t stop_by_ms; /* monotonic; drained or not, we end */
    void (*tick)(struct loop *loop, void *context); /* about once a second; may be NULL */
    /* SIGHUP came. NULL: as SIGTERM */
    void (*on_hangup)(struct loop *loop, void *context);
    /* Each turn, for an engine on a one-shot run that runs: the place for engine_resync() and engine_stop().
     */
    void (*feed)(struct loop *loop, struct loop_engine *le, void *context);
    /* A document that was touched is done. */
    void (*resynced)(struct loop_engine *le, const struct engine_resynced *resynced, void *context);
    /* A document's record was written, or the document is gone. */
    void (*recorded)(struct loop_engine *le, const struct engine_recorded *recorded, void *context);
    void *context;
};

/* An engine for each source that has enabled collections. `once`: each makes one pass and drains by itself.
 */
enum lks_code loop_open(struct loop *loop, struct app *app, bool once, struct lks_err *err);
/* One for each source whose one-shot run is on; `one-shot runs` has one for each of the app's sources. The
 * loop must not move in memory from then on. */
enum lks_code loop_open_one_shots(struct loop *loop, struct app *app, const struct engine_one_shot *one_shots,
                                  struct lks_err *err);
/* Runs until every engine is done: after a signal, or after the pass. On SIGTERM and SIGINT it drains; a
 * second one hurries. */
void loop_run(struct loop *loop);
/* As a signal to stop does. On the loop's thread. */
void loop_stop(struct loop *loop, int64_t now);
void loop_close(struct loop *loop);

#endif
