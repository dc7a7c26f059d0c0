/*
 * machines.c - the state machines of documents and targets: which moves there are.
 *
 * A document:
 *
 *     queued -> reading -> working [-> duplicates] [-> recording] [-> put or drop tombstone] -> (freed)
 *       ^         |           |                                                                  or linger
 *       '---------'-----------'------ from each of these, when something new came meanwhile
 *
 * A scanned document begins at work at once. A target in it:
 *
 *     settled -> make -> look -> embed -> upsert -> stale look <-> stale delete -> settled
 *                  |      |      ^  |      ^  |
 *                  |      |-> borrow ------'  '-> look, when the reply proves nothing
 *                  '-> fetch -'   '-> look, when the point is doubted by the time it may be written
 *
 * From look, fetch and stale look it goes to takeover and back when another document's tombstone has to be
 * there first; from a write without a reply to takeover and to the end. From anywhere it settles as failed or
 * put off.
 */
#include "base/invariant.h"
#include "base/machine.h"
#include "engine/documents/documents.h"

#define TO STATE_BIT

static const struct machine_state stages[] = {
    [TARGET_MAKE] = {"make", TO(TARGET_LOOK) | TO(TARGET_FETCH) | TO(TARGET_EMBED) | TO(TARGET_STALE_LOOK) |
                                 TO(TARGET_SETTLED)},
    [TARGET_LOOK] = {"look", TO(TARGET_FETCH) | TO(TARGET_BORROW) | TO(TARGET_TAKEOVER) | TO(TARGET_EMBED) |
                                 TO(TARGET_UPSERT) | TO(TARGET_STALE_LOOK) | TO(TARGET_SETTLED)},
    [TARGET_FETCH] = {"fetch", TO(TARGET_LOOK) | TO(TARGET_BORROW) | TO(TARGET_TAKEOVER) | TO(TARGET_EMBED) |
                                   TO(TARGET_UPSERT) | TO(TARGET_STALE_LOOK) | TO(TARGET_SETTLED)},
    [TARGET_BORROW] = {"borrow", TO(TARGET_EMBED) | TO(TARGET_UPSERT) | TO(TARGET_SETTLED)},
    [TARGET_TAKEOVER] = {"takeover",
                         TO(TARGET_LOOK) | TO(TARGET_FETCH) | TO(TARGET_STALE_LOOK) | TO(TARGET_SETTLED)},
    [TARGET_EMBED] = {"embed",
                      TO(TARGET_LOOK) | TO(TARGET_UPSERT) | TO(TARGET_STALE_LOOK) | TO(TARGET_SETTLED)},
    [TARGET_UPSERT] = {"upsert",
                       TO(TARGET_LOOK) | TO(TARGET_TAKEOVER) | TO(TARGET_STALE_LOOK) | TO(TARGET_SETTLED)},
    [TARGET_STALE_LOOK] = {"stale look", TO(TARGET_STALE_LOOK) | TO(TARGET_STALE_DELETE) |
                                             TO(TARGET_TAKEOVER) | TO(TARGET_SETTLED)},
    [TARGET_STALE_DELETE] = {"stale delete",
                             TO(TARGET_STALE_LOOK) | TO(TARGET_TAKEOVER) | TO(TARGET_SETTLED)},
    [TARGET_SETTLED] = {"settled", TO(TARGET_MAKE)}};

static const struct machine target_machine = {"target", sizeof stages / sizeof *stages, stages};

void target_move(const struct engine *e, struct target *target, enum target_stage to)
{
    machine_move(&target_machine, target->stage, to, target->doc->json,
                 e->collections[target->collection].config->name);
    invariant(!target->node.batch_queue, "a target that moves waits in no queue");
    target->stage = to;
}

#define OVER (TO(DOCUMENT_QUEUED) | TO(DOCUMENT_LINGER))

static const struct machine_state states[] = {
    [DOCUMENT_QUEUED] = {"queued", OVER | TO(DOCUMENT_READING) | TO(DOCUMENT_WORKING)},
    [DOCUMENT_READING] = {"reading", TO(DOCUMENT_QUEUED) | TO(DOCUMENT_WORKING)},
    [DOCUMENT_WORKING] = {"working", OVER | TO(DOCUMENT_DUPLICATES) | TO(DOCUMENT_PUT_TOMBSTONE) |
                                         TO(DOCUMENT_RECORDING) | TO(DOCUMENT_DROP_TOMBSTONE)},
    [DOCUMENT_DUPLICATES] = {"duplicates", OVER | TO(DOCUMENT_PUT_TOMBSTONE) | TO(DOCUMENT_RECORDING) |
                                               TO(DOCUMENT_DROP_TOMBSTONE)},
    [DOCUMENT_PUT_TOMBSTONE] = {"put tombstone", OVER},
    [DOCUMENT_RECORDING] = {"recording", OVER | TO(DOCUMENT_PUT_TOMBSTONE) | TO(DOCUMENT_DROP_TOMBSTONE)},
    [DOCUMENT_DROP_TOMBSTONE] = {"drop tombstone", OVER},
    [DOCUMENT_LINGER] = {"linger", TO(DOCUMENT_QUEUED)}};

static const struct machine document_machine = {"document", sizeof states / sizeof *states, states};

void document_move(struct document *doc, enum document_state to)
{
    machine_move(&document_machine, doc->state, to, doc->json, NULL);
    invariant(!doc->node.batch_queue, "a document that moves waits in no queue");
    doc->state = to;
}
