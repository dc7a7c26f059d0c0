/*
 * control.h - between the engines' thread and everybody else: snapshots go out, commands go in.
 *
 * Who runs the engines calls the functions of the first part on that thread; all others may be called from
 * any thread. A slow reader delays no engine: nothing here is held while an answer is written.
 */
#ifndef LOCKSTEP_SERVICE_CONTROL_H
#define LOCKSTEP_SERVICE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

struct control;

/* For this many sources, in the order of the configuration. `wake` makes the engines' thread run soon; it
 * may be called from any thread. NULL when memory is out. */
struct control *control_new(size_t source_count, void (*wake)(void *self), void *self);
/* Nobody waits any more and the engines have ended. NULL is fine. */
void control_free(struct control *c);

/* ---- on the engines' thread ---- */

/* Gives the engine what is asked of it, and makes its state known. To be called often, whether `e` runs
 * (PHASE_RUN) or not; costs nearly nothing where nobody asks. */
void control_serve(struct control *c, size_t source, struct engine *e);
/* For engine_config.on_touched. */
void control_resynced(struct control *c, size_t source, const struct engine_resynced *what);
/* All who wait get the result that nothing will come any more (LKS_E_CANCELLED). */
void control_close(struct control *c);

/* ---- on any thread ---- */

/* The engine as it was a moment ago. False if it has not said anything yet, or the source has none. */
bool control_snapshot(struct control *c, size_t source, struct engine_snapshot *out);

/* What became of a document that was asked for. To be freed by control_answer_fini(). */
struct control_answer {
    bool gone; /* there is no such document any more: its points were deleted */
    enum sync_status overall;
    struct engine_outcome *outcomes; /* owned, also their texts; one per collection of the source */
    size_t count;
};

/*
 * Compares a document with its points at once and does what follows, whatever backoff, retry counts and
 * circuits say; waits for the end. `collections` is a set; 0: all. LKS_E_LEASE if this process doesn't keep
 * the source in sync now, LKS_E_CANCELLED if it took longer than `wait_ms` (it goes on) or the daemon ends.
 */
enum lks_code control_resync(struct control *c, size_t source, const struct docid *id, uint64_t collections,
                             bool force, int64_t wait_ms, struct control_answer *answer, struct lks_err *err);
void control_answer_fini(struct control_answer *answer);

/* LKS_E_OK if this process keeps the source in sync now; else LKS_E_LEASE, saying who does. `epoch` is that
 * of the lease: another one says that it was lost meanwhile. */
enum lks_code control_at_work(struct control *c, size_t source, uint64_t *epoch, struct lks_err *err);

/*
 * The same without waiting, for who asks for many things at once. An order is open until
 * control_order_fini(); what it borrows must live as long. Once control_ordered() says that it is over, `err`
 * and `answer` are its.
 */
struct control_order {
    struct control_order *next; /* control's own from here */
    enum { ORDER_RESYNC, ORDER_CYCLE, ORDER_COMPARE } kind;
    enum { ORDER_NEW, ORDER_HANDED, ORDER_DONE } state;
    size_t source;
    const struct docid *id; /* borrowed */
    uint64_t collections;
    bool force;
    struct engine_compare compare;
    struct engine_snapshot *begin, *end; /* of ORDER_COMPARE; borrowed */
    bool stop;
    uint64_t epoch, count; /* of the engine when it was handed over */
    struct lks_err err;
    struct control_answer answer;
};
void control_order_resync(struct control *c, struct control_order *order, size_t source,
                          const struct docid *id, uint64_t collections, bool force);
/* engine_compare(); one of another order is waited for. What lies between `span[0]` and `span[1]` was done
 * while it ran; both are left as they are where it did not begin, and may be read when it is over. */
void control_order_compare(struct control *c, struct control_order *order, size_t source,
                           const struct engine_compare *request, struct engine_snapshot span[2]);
/* Soon over, with LKS_E_CANCELLED. Not for a document, which goes on. */
void control_order_stop(struct control *c, struct control_order *order);
/* Waits until it is over, at most so long. True if it is. */
bool control_ordered(struct control *c, struct control_order *order, int64_t wait_ms);
/* Also of one that isn't over: nobody asks for its outcome any more. Frees its answer. */
void control_order_fini(struct control *c, struct control_order *order);

/*
 * The same without waiting: a document (NULL: whatever is due, by a cycle that begins now or after the one
 * that runs). Nothing happens if this process doesn't keep the source in sync: who does comes to what is due.
 */
void control_hint(struct control *c, size_t source, const struct docid *id);

/*
 * A worker cycle now; waits for its end. LKS_E_MISSED while one is running, LKS_E_LEASE and LKS_E_CANCELLED
 * as above. `after` is the engine's state at the end.
 */
enum lks_code control_cycle(struct control *c, size_t source, int64_t wait_ms, struct engine_snapshot *after,
                            struct lks_err *err);

#endif
