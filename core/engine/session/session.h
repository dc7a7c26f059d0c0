/*
 * session.h - when: the lease, the saved state, the phases, the epochs, and the pause while MongoDB is away.
 */
#ifndef LOCKSTEP_ENGINE_SESSION_SESSION_H
#define LOCKSTEP_ENGINE_SESSION_SESSION_H

#include "engine/feeds/feeds.h"

struct session {
    bool stopping, hurry, lease_lost, start_refused;

    /*
     * Is any point of our source known to have an epoch above the lease's? A guarded write that such a point
     * makes the server skip is invisible. epochs.c:
     *
     *     clean <-> suspected -> raising -> clean
     *                   \-> another -> clean
     */
    struct {
        enum { EPOCHS_CLEAN, EPOCHS_SUSPECTED, EPOCHS_RAISING, EPOCHS_ANOTHER } state;
        bool requested;    /* the count of a collection is under way */
        bool round;        /* collections are being counted, one after the other */
        size_t collection; /* the next one in this round */
        bool skipped;      /* this round passed over one, or could not count it */
        bool again;        /* this round found a rise above an epoch that had been clean within the hour */
        bool raise_sent;   /* and whether it took place is not known */
        bool proven;       /* every collection was clean, or is being compared: the lease is to know */
        uint64_t floor;    /* what points have above it is not from our lease */
        uint64_t found;    /* the highest such epoch since the last raise; 0: none */
        uint64_t raise_to;
        uint64_t raised_from, raised_over; /* the last raise: our epoch before it, the one that was found */
        int64_t next_ms;                   /* the next round */
        int64_t raised_ms, raised_wall_ms; /* NO_TIME: never */
        int64_t seen_ms, another_wall_ms;  /* ANOTHER: a higher epoch was there last; it was found first */
    } epochs;

    struct { /* MongoDB is not answering: everything that needs it waits */
        int failures;
        int64_t since_wall_ms; /* of the first failure */
        char error[256];
    } pause;

    struct {
        uint64_t epoch;
        int64_t until_ms; /* ours until then */
        int64_t next_ms;  /* when to take or renew */
        int64_t settle_ms;
        int64_t asked_ms; /* when the last take or renewal was sent: the lease counts from there */
        bool requested, held;
        enum lease_op op; /* what is asked for next */
        bool was_expired; /* the last holder did not give it back */
        bool clean_start; /* it did, and left nothing unknown */
        char lease_holder[128];
    } lease;

    struct {
        bool requested, dirty, final_done;
        int64_t last_ms;
        uint64_t events; /* stream.events at the last save */
    } save;
    bool state_loaded;
    int64_t first_look_until_ms; /* PHASE_PROBE ends by then, whoever has not answered */
    int64_t started_wall_ms;
};

/* ---- io, store_pause.c, lease ---- */
/* MongoDB did not answer / answered. */
void mongo_failed(struct engine *e, const struct lks_err *err, const char *what);
void mongo_answered(struct engine *e);
/* The lease outlasts a request to Qdrant that is sent now. */
bool lease_covers_request(struct engine *e);

/* ---- epochs.c ---- */
void epochs_run(struct engine *e);
void epochs_counted(struct engine *e, size_t collection, uint64_t own, int64_t points, uint64_t highest);
void epochs_not_counted(struct engine *e, size_t collection, const struct lks_err *err);
/* The lease was taken; `floor` as in the request. */
void epochs_begin(struct engine *e, uint64_t floor);
/* Points were seen with an epoch above the lease's: a reason to count. */
void epochs_take_seen(struct engine *e);
/* Nothing is written or deleted until it is known what a higher epoch means. */
bool epochs_hold(const struct engine *e);
/* Another installation writes points of our source. */
bool epochs_another(const struct engine *e);
/* A person asks for a repair: another installation is taken for gone. */
void epochs_forgive(struct engine *e);
/* Every collection that is well was counted under this lease, and nothing is open. */
bool epochs_known(const struct engine *e);
/* What follows for the lease: whether a raise may be sent, what to put into it, and its success. */
bool epochs_raise_due(const struct engine *e);
void epochs_raised(struct engine *e);

/* ---- phases.c, lease_keep.c, checkpoint.c, shutdown.c ---- */
void session_run(struct engine *e);
/* Takes nothing new, finishes what is in work, saves, gives the lease back. */
void session_stop(struct engine *e);
/* That is over as soon as nothing is in work. */
void session_drain(struct engine *e);
/* `sync`: everything was seen, nothing is in work, and the stream has nothing more to say. */
bool session_round_done(const struct engine *e);
void lease_keep(struct engine *e);
void lease_ask(struct engine *e, enum lease_op op);
/* Nothing is unknown: what this run did is recorded, and what it inherited in doubt has been looked at. */
bool session_leaves_clean(const struct engine *e);
void session_refused(struct engine *e, const struct lks_err *err);
void session_loaded(struct engine *e, struct engine_state *state);
void lease_taken(struct engine *e, uint64_t epoch, uint64_t floor, bool previous_expired);
void lease_refused(struct engine *e, const char *lease_holder, int64_t remaining_ms);
void lease_renewed(struct engine *e, bool raised);
void lease_released(struct engine *e);
void lease_lost(struct engine *e);
void lease_failed(struct engine *e);
/* What may be saved now. False when memory is out. */
bool checkpoint_fill(struct engine *e, struct engine_state *state);
void checkpoint_sent(struct engine *e);
void checkpoint_saved(struct engine *e, bool clean);
void checkpoint_failed(struct engine *e);
void checkpoint_run(struct engine *e);

#endif
