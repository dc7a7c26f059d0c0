/* classify.h - what has to be done so that a point says what its document says. Pure. */
#ifndef LOCKSTEP_ENGINE_RULES_CLASSIFY_H
#define LOCKSTEP_ENGINE_RULES_CLASSIFY_H

#include <stdbool.h>

#include "model/record.h"
#include "ports/ports.h"

enum action {
    ACTION_NONE,    /* the point is right */
    ACTION_PAYLOAD, /* the vector is right, the payload isn't */
    ACTION_EMBED,   /* embed and write the whole point */
    ACTION_CLEAR    /* there must be no point of this document */
};

/* What a document should have in one collection. */
struct wanted {
    bool point; /* false: no point */
    const char *point_id, *content_hash, *payload_hash, *doc;
};

/*
 * True if the record does not decide, and the points have to be read: the entry isn't `synced`, the point id
 * changed, or the caller has doubts of its own (a lost reply, a replayed event, a lost token, a wiped
 * record).
 */
bool classify_needs_stamp(const struct wanted *wanted, const struct entry *entry, bool verify_points);

/* A person reset it: the record knows its point but denies what that holds. It is embedded again, whatever
 * the point says. */
bool classify_is_reset(const struct entry *entry);

/* By what metadata says the point holds. Only when no stamp is needed. */
enum action classify_by_entry(const struct wanted *wanted, const struct entry *entry);

/* By what the point itself says; `point` is the one with wanted->point_id, or NULL if there is none. */
enum action classify_by_stamp(const struct wanted *wanted, const struct stamp *point);

/* The point is ours but was made from another document: writing it changes its owner. */
bool classify_takes_over(const struct wanted *wanted, const struct stamp *point);

#endif
