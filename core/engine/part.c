/*
 * part.c - one document in one collection: which stage comes next, and what the record says in the end.
 *
 * Owns the contents of struct part. Decides by classify.c and retry.c; never talks to a port.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

#define MAX_ROUNDS 5 /* of going back a stage before it counts as a failure */

static struct collection_state *collection_of(struct engine *e, const struct part *part)
{
    return &e->collections[part->collection];
}

static struct entry *entry_of(struct part *part)
{
    return &part->doc->after.entries[part->collection];
}

static void give_turn_back(struct engine *e, struct part *part)
{
    if (!part->turn.has && !part->turn.waits) return;
    struct turn_ticket *next = turn_give_back(&e->turns, &part->turn);
    if (!next) return;
    part_turn_come(e, (struct part *)((char *)next - offsetof(struct part, turn)));
}

void part_fini(struct engine *e, struct part *part)
{
    lane_remove(&part->node);
    give_turn_back(e, part);
    made_fini(&part->made);
    vector_drop(e, part);
    docid_free(part->claimed);
    free(part->unconfirmed);
    free(part->strays);
    *part = (struct part){.doc = part->doc, .collection = part->collection, .stage = PART_SETTLED};
}

static void settled(struct engine *e, struct part *part)
{
    part->stage = PART_SETTLED;
    part->settled_ms = now_ms(e);
    give_turn_back(e, part);
    vector_drop(e, part);
    free(part->made.text);
    part->made.text = NULL;
    doc_part_settled(e, part->doc);
}

/* ---- the ends ---- */

static void clear_hashes(struct entry *entry)
{
    entry->content_hash[0] = entry->payload_hash[0] = entry->point_id[0] = '\0';
}

/*
 * The last holder did not end well: it may be paused with a record in its hands that was read when the
 * document was another. Its compare-and-set must miss, so whatever a change comes to leaves a trace. (Scans
 * follow no change, and rivals only one of another document, which matters if it is replayed.)
 */
static bool must_leave_trace(const struct engine *e, const struct doc *doc)
{
    bool replayed = doc->work.after && doc->work.after <= e->stream.doubt_until;
    return !e->lease.clean_start && !doc->work.scanned && (!doc->work.rival || replayed);
}

/*
 * What is not synced leaves one after every change, and after a scan that compares, which may come by a
 * change that nobody told of: a holder that was paused may have a later attempt's record in its hands, and
 * who came in between may have ended well without a look at this document.
 */
static bool unsynced_leaves_trace(const struct engine *e, const struct doc *doc)
{
    return doc->work.happened_ms || (doc->work.doubt && !doc->work.rival) || must_leave_trace(e, doc);
}

static void settle_synced(struct engine *e, struct part *part)
{
    struct collection_state *c = collection_of(e, part);
    struct entry *entry = entry_of(part);
    if (part->doc->gone) {
        settled(e, part);
        return;
    }
    const struct entry *before = &part->doc->src.record.entries[part->collection];
    bool as_before = !part->wrote && before->present && before->status == SYNC_SYNCED;
    if (part->wanted.point) {
        as_before = as_before && strcmp(before->content_hash, part->wanted.content_hash) == 0 &&
                    strcmp(before->payload_hash, part->wanted.payload_hash) == 0 &&
                    strcmp(before->point_id, part->wanted.point_id) == 0;
        memcpy(entry->content_hash, part->made.content_hash, sizeof entry->content_hash);
        memcpy(entry->payload_hash, part->made.payload_hash, sizeof entry->payload_hash);
        memcpy(entry->point_id, part->made.point_id, sizeof entry->point_id);
        owed_done(&part->doc->work.owed, part->collection, part->made.point_id);
    } else {
        as_before = as_before && !before->point_id[0];
        clear_hashes(entry);
    }
    if (part->doc->work.doubt && must_leave_trace(e, part->doc)) as_before = false;
    if (as_before) {
        c->stats.unchanged++;
    } else {
        entry->present = true;
        entry->status = SYNC_SYNCED;
        entry->retry_count = 0;
        entry->next_retry_ms = NO_TIME;
        entry->last_synced_ms = entry->last_attempt_ms = wall_ms(e);
        entry_set_error(entry, LKS_E_OK, NULL);
        if (part->embedded || (part->wanted.point && entry->vector_version == 0)) entry_add_vector(entry);
    }
    settled(e, part);
}

static void warn_of_failure(struct engine *e, struct part *part, const struct lks_err *err)
{
    struct collection_state *c = collection_of(e, part);
    int64_t now = now_ms(e);
    bool quiet = c->last_warning_ms &&
                 now - c->last_warning_ms < 1000; /* a batch that fails is one line, not a hundred */
    if (!quiet) c->last_warning_ms = now;
    LOG_WITH(quiet ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, "a document could not be synced",
             LOG_STR("source", e->config->source), LOG_STR("collection", c->config->name),
             LOG_STR("doc", part->doc->json), LOG_STR("code", lks_code_name(err->code)),
             LOG_STR("error", err->text));
}

void part_failed(struct engine *e, struct part *part, const struct lks_err *err)
{
    struct collection_state *c = collection_of(e, part);
    struct entry *entry = entry_of(part);
    part->failed = true;
    c->stats.failed++;
    if (part->doc->gone) { /* its tomb remembers */
        warn_of_failure(e, part, err);
        settled(e, part);
        return;
    }
    bool waits_as_before = retry_kind_of(err->code) == RETRY_ON_CHANGE && entry->status == SYNC_FAILED &&
                           entry->error == err->code && entry->last_error &&
                           strcmp(entry->last_error, err->text) == 0 && entry->next_retry_ms == NO_TIME;
    if (waits_as_before && !part->wrote && !part->doc->work.explicit_ask &&
        !unsynced_leaves_trace(e, part->doc)) {
        settled(e, part);
        return;
    }
    warn_of_failure(e, part, err);
    entry->present = true;
    entry->status = SYNC_FAILED;
    if (!lks_err_of_provider(err)) entry_add_attempt(entry); /* a refused key is none of the document's */
    entry->last_attempt_ms = wall_ms(e);
    entry_set_error(entry, err->code, err->text);
    int64_t delay =
        retry_next_ms(&e->config->retry, err->code, entry->retry_count, err->retry_after_ms, chance(e));
    entry->next_retry_ms = delay < 0 ? NO_TIME : entry->last_attempt_ms + delay;
    if (delay >= 0) worker_note_retry(e, entry->next_retry_ms);
    settled(e, part);
}

void part_park(struct engine *e, struct part *part)
{
    struct collection_state *c = collection_of(e, part);
    struct entry *entry = entry_of(part);
    part->failed = true;
    c->parked = true;
    c->stats.parked++;
    if (!part->doc->gone) {
        entry->status = entry->last_synced_ms != NO_TIME || entry->point_id[0] ? SYNC_STALE : SYNC_PENDING;
        entry->present = true;
        entry->next_retry_ms = NO_TIME;
        /* A rival, too: it may have owned its business id when it was put aside. */
        if (part->doc->work.doubt || unsynced_leaves_trace(e, part->doc)) entry->last_attempt_ms = wall_ms(e);
    }
    settled(e, part);
}

/* ---- on the way ---- */

/* The lane of the stage it is in. */
static struct lane *lane_of(struct engine *e, struct part *part)
{
    struct collection_state *c = collection_of(e, part);
    switch (part->stage) {
    case PART_MAKE:
        return &c->make;
    case PART_LOOK:
    case PART_FETCH:
    case PART_BORROW:
    case PART_STRAY_LOOK:
        return &c->look;
    case PART_CLAIM:
        return &e->claims;
    case PART_EMBED:
        return &e->embedders[c->config->embedder].embed;
    case PART_UPSERT:
        return &c->upsert;
    case PART_STRAY_DELETE:
        return &c->del;
    case PART_SETTLED:
        break;
    }
    return NULL;
}

/* Into the lane of its stage, unless the provider's circuit is open. */
static void queue(struct engine *e, struct part *part)
{
    struct collection_state *c = collection_of(e, part);
    bool open = !circuit_closed(&c->circuit) ||
                (part->stage == PART_EMBED && !circuit_closed(&e->embedders[c->config->embedder].circuit));
    if (part->stage != PART_MAKE && open && !part->doc->work.explicit_ask) {
        part_park(e, part);
        return;
    }
    lane_push(lane_of(e, part), &part->node);
}

void part_turn_come(struct engine *e, struct part *part)
{
    bool alone = part->stage == PART_EMBED || part->stage == PART_UPSERT || part->stage == PART_FETCH;
    if (alone && !part->looked && part->doc->work.doubt) part->stage = PART_LOOK; /* of late: see claim() */
    queue(e, part);
}

/*
 * What is written while the stream tells of every change needn't be asked for by the first scan: if the
 * document goes, or comes back as another, its event raises the doubt. What was written before that, or after
 * its history was lost, can't be told from what was not.
 */
static void note_write(struct engine *e, struct part *part)
{
    bool tells = e->stream.ever_opened &&
                 (e->stream.received.token || e->stream.received.at); /* or did, and goes on there */
    if (!tells && !part->doc->work.scanned) collection_of(e, part)->virgin = false;
}

/* To a stage that reads or writes this point: in its turn. */
static void go_in_turn(struct engine *e, struct part *part, enum part_stage stage, const char *point_id)
{
    part->stage = stage;
    if (stage == PART_UPSERT) note_write(e, part);
    if (part->turn.has || turn_take(&e->turns, &part->turn, part->collection, point_id)) queue(e, part);
}

/* It has failed before, and what brings us here now is not about that. */
static void fail_or_leave(struct engine *e, struct part *part, const struct lks_err *err)
{
    if (!part->leaves) {
        part_failed(e, part, err);
        return;
    }
    part->failed = true;
    settled(e, part);
}

static void next_stray(struct engine *e, struct part *part)
{
    give_turn_back(e, part);
    if (part->stray_count > 0) {
        go_in_turn(e, part, PART_STRAY_LOOK, part->strays[part->stray_count - 1]);
        return;
    }
    if (!part->doc->gone && (part->made.kind == MADE_FAILED || part->leaves)) {
        if (strcmp(entry_of(part)->point_id, part->made.point_id) != 0) clear_hashes(entry_of(part));
        fail_or_leave(e, part, part->made.err);
        return;
    }
    settle_synced(e, part);
}

static bool add_stray(struct part *part, const char *point_id)
{
    char(*strays)[POINT_ID_BYTES] = realloc(part->strays, (part->stray_count + 1) * sizeof *strays);
    if (!strays) return false;
    part->strays = strays;
    memcpy(strays[part->stray_count++], point_id, POINT_ID_BYTES);
    return true;
}

static void act(struct engine *e, struct part *part, enum action action)
{
    enum part_stage without = action == ACTION_PAYLOAD ? PART_FETCH : PART_EMBED;
    part->action = action;
    if (action == ACTION_NONE || action == ACTION_CLEAR)
        next_stray(e, part);
    else
        go_in_turn(e, part, part->vector ? PART_UPSERT : without, part->made.point_id);
}

/*
 * What comes next makes the record of document `id` (taken) untrue, so it is first written down that somebody
 * has to come back to it, whatever becomes of us: the reason that brings us here may be done with before that
 * record is. True once that is so; false: it is under way, and then the point is looked at once more.
 */
static bool claim(struct engine *e, struct part *part, struct docid *id)
{
    bool again = part->claimed && docid_equal(part->claimed, id);
    struct doc *other = docs_find(e, id);
    docid_free(part->claimed);
    part->claimed = id;
    if (again) return true;
    if (other) other->work.doubt = true; /* if it is at work, what it has read is out of date */
    part->after_claim = part->stage;
    part->stage = PART_CLAIM;
    queue(e, part);
    return false;
}

void part_claimed(struct engine *e, struct part *part)
{
    if (part->unconfirmed) { /* it is written down which point that was */
        part_failed(e, part, part->unconfirmed);
        return;
    }
    bool stray = part->after_claim == PART_STRAY_LOOK;
    go_in_turn(e, part, part->after_claim, stray ? part->strays[part->stray_count - 1] : part->made.point_id);
}

/* Asks the points: its own, in its turn, and all that were made from this document. */
static void look(struct engine *e, struct part *part)
{
    part->wants_vector = vector_expected(e, part);
    if (part->wanted.point) {
        go_in_turn(e, part, PART_LOOK, part->made.point_id);
    } else {
        part->stage = PART_LOOK;
        queue(e, part);
    }
}

static void out_of_memory(struct engine *e, struct part *part)
{
    struct lks_err err;
    lks_fail(&err, LKS_E_UNKNOWN, "out of memory");
    part_failed(e, part, &err);
}

static void decide(struct engine *e, struct part *part)
{
    struct doc *doc = part->doc;
    struct collection_state *c = collection_of(e, part);
    const struct entry *entry = &doc->src.record.entries[part->collection];
    if (!rival_refuse(part)) {
        out_of_memory(e, part);
        return;
    }
    if (part->made.key && doc->src.owner) rival_lost(e, doc, part->made.key);
    if (part->made.key && doc->src.contested && !doc->work.rival) doc_add_freed(e, doc, part->made.key);
    if (part->made.kind == MADE_FATAL && !c->fatal) {
        c->fatal = true;
        snprintf(c->stats.fatal_error, sizeof c->stats.fatal_error, "%.250s",
                 part->made.err ? part->made.err->text : "");
        log_error("a plugin can't go on; its collection stops, the others don't",
                  LOG_STR("collection", c->config->name),
                  LOG_STR("error", part->made.err ? part->made.err->text : NULL));
    }
    if (part->made.kind == MADE_FATAL || (part->made.kind == MADE_FAILED && part->made.point_id[0])) {
        fail_or_leave(e, part, part->made.err); /* what it had stays */
        return;
    }
    part->wanted = (struct wanted){.point = part->made.kind == MADE_POINT,
                                   .point_id = part->made.point_id,
                                   .content_hash = part->made.content_hash,
                                   .payload_hash = part->made.payload_hash,
                                   .doc = doc->json};
    /* A first scan into a collection that was empty when we came needn't ask for what nobody has written. */
    bool first = c->virgin && doc->work.scanned && !entry->present && !doc->src.contested;
    if (first ? part->wanted.point || !doc->gone
              : !classify_needs_witness(&part->wanted, entry, part_in_doubt(e, part))) {
        enum action action = classify_by_entry(&part->wanted, entry);
        if (action == ACTION_CLEAR && !add_stray(part, entry->point_id)) {
            out_of_memory(e, part);
            return;
        }
        if (doc->work.force && part->wanted.point) action = ACTION_EMBED;
        /* What is written with the vector that is there has to be seen in the point's own turn: another
           document may have come to the point since this one was read. And so has what a write would drop. */
        part->wants_vector = action == ACTION_PAYLOAD || (c->further && action == ACTION_EMBED && !first);
        if (part->wants_vector)
            go_in_turn(e, part, PART_FETCH, part->made.point_id);
        else
            act(e, part, action);
        return;
    }
    look(e, part);
}

void part_start(struct engine *e, struct part *part)
{
    part->failed = part->wrote = part->embedded = false;
    part->leaves = replicas_strays_only(part) && !refused_is(e, part->doc);
    part->twin[0] = '\0';
    part->stage = PART_MAKE;
    if (entry_of(part)->status == SYNC_FAILED && entry_of(part)->present)
        collection_of(e, part)->stats.retried++;
    if (part->doc->gone) {
        part->made.kind = MADE_NOTHING;
        decide(e, part);
    } else if (collection_of(e, part)->fatal) {
        part_park(e, part);
    } else {
        queue(e, part);
    }
}

void part_made(struct engine *e, struct part *part, struct made *made)
{
    part->made = *made;
    memset(made, 0, sizeof *made);
    decide(e, part);
}

/*
 * Its record says of this point that it is synced. If it must go because its document changed, that change
 * brings us back; but not if another document has come to hold the business id, which may be gone by then.
 */
static bool needs_claim(const struct part *part, const char *stray)
{
    const struct entry *entry = &part->doc->src.record.entries[part->collection];
    return !part->doc->gone && part->doc->src.owner && entry->present && entry->status == SYNC_SYNCED &&
           strcmp(entry->point_id, stray) == 0;
}

static void delete_stray(struct engine *e, struct part *part, const struct witness *stray)
{
    if (!epochs_may_delete(e, part, stray)) {
        epochs_leave(e, part, "a point that no document of ours calls for is left");
        return;
    }
    bool claims = needs_claim(part, stray->point_id);
    struct docid *id = claims ? docid_copy(part->doc->id) : NULL;
    if (claims && !id) {
        out_of_memory(e, part);
        return;
    }
    doc_add_freed(e, part->doc, stray->key);
    part->blind = false;
    if (!claims || claim(e, part, id)) go_in_turn(e, part, PART_STRAY_DELETE, stray->point_id);
}

/* Is this stray still ours to delete? It was read in its turn. */
static void stray_looked(struct engine *e, struct part *part, const struct witness *found, size_t count)
{
    const char *stray = part->strays[part->stray_count - 1];
    const struct witness *seen = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct witness *w = &found[i];
        if (strcmp(w->point_id, stray) != 0) continue;
        seen = w;
        if (!w->ours || !w->doc || strcmp(w->doc, part->doc->json) != 0) continue;
        delete_stray(e, part, w);
        return;
    }
    struct lks_err err;
    switch (replicas_judge_stray(part, stray, seen, &err)) {
    case STRAY_DELETE:
        if (seen) doc_add_freed(e, part->doc, seen->key);
        part->blind = true;
        go_in_turn(e, part, PART_STRAY_DELETE, stray);
        return;
    case STRAY_UNKNOWN:
        part_failed(e, part, &err);
        return;
    case STRAY_GONE:
        break;
    }
    part->stray_count--;
    next_stray(e, part);
}

/* Its own point will not be written: what one replica has of it and another has not must go, then. */
static bool add_owed_own(struct part *part)
{
    const char *own = part->made.point_id;
    return !owed_has(&part->doc->work.owed, part->collection, own) || add_stray(part, own);
}

/* With the vector of its former point, if that has the same content. The point's own turn is held. */
static void act_or_borrow(struct engine *e, struct part *part, enum action action, const struct witness *twin)
{
    bool may = action == ACTION_EMBED && !part_embeds_anew(part) && !part->twin[0];
    const char *former = may ? part_former_point(part, twin) : NULL;
    if (!former) {
        act(e, part, action);
        return;
    }
    memcpy(part->twin, former, sizeof part->twin);
    part->wants_vector = true;
    go_in_turn(e, part, PART_BORROW, part->made.point_id);
}

/*
 * Takes the point of another document over. That one's record may say that it is synced, and from the first
 * write on it isn't.
 */
static void take_over(struct engine *e, struct part *part, const struct witness *own, enum action action,
                      const struct witness *twin)
{
    struct docid *id = NULL;
    if (own->doc && !docid_read(own->doc, &id)) {
        out_of_memory(e, part);
        return;
    }
    doc_add_freed(e, part->doc, part->made.key);
    if (!id || claim(e, part, id)) act_or_borrow(e, part, action, twin); /* no id: no document has it */
}

static bool must_write(const struct engine *e, const struct part *part, const struct witness *own)
{
    return part_needs_stamp(e, part, own) || replicas_want_write(e, part, own);
}

/* What has to follow from what its point says now; `twin`: a point under another id with the wanted content.
 */
static void own_looked(struct engine *e, struct part *part, const struct witness *own,
                       const struct witness *twin)
{
    part_note_point(part, own);
    part->keeps = own && own->further;
    if (part->vector_credit) vector_drop(e, part); /* of an earlier look */
    bool force = part_embeds_anew(part) && part->wanted.point && !part->embedded;
    bool takes_over = classify_takes_over(&part->wanted, own);
    enum action action = force ? ACTION_EMBED : classify_by_witness(&part->wanted, own);
    if (action == ACTION_NONE && !takes_over && must_write(e, part, own)) action = ACTION_PAYLOAD;
    if (own && action != ACTION_NONE && epochs_kept_out(e, part->collection, own)) {
        epochs_leave(e, part, "its point stays as the other wrote it");
        return;
    }
    if (action == ACTION_PAYLOAD && !part->vector) {
        if (!vector_take(e, part, own)) {
            out_of_memory(e, part);
            return;
        }
        if (!part->vector && part->asked_vector) action = ACTION_EMBED; /* it can't be used */
        part->wants_vector = true;
    }
    if (part->leaves && action == ACTION_EMBED) {
        if (add_owed_own(part))
            next_stray(e, part);
        else
            out_of_memory(e, part);
        return;
    }
    part->leaves &= part->made.kind == MADE_FAILED;
    if (takes_over)
        take_over(e, part, own, action, twin);
    else
        act_or_borrow(e, part, action, twin);
}

/* The twin's vector and what it is of came in one piece: whatever became of that point, they fit each other.
 */
static void borrowed(struct engine *e, struct part *part, const struct witness *twin)
{
    if (twin && part_is_twin(part, twin) && !vector_take(e, part, twin)) {
        out_of_memory(e, part);
        return;
    }
    act(e, part, part->vector ? ACTION_PAYLOAD : ACTION_EMBED);
}

/* Points that may be on a replica which was not read are strays, too. */
static bool add_owed(const struct engine *e, struct part *part)
{
    const struct owed_points *owed = &part->doc->work.owed;
    size_t seen = part->stray_count;
    if (!replicas_owe_former(e, part)) return false;
    for (size_t i = 0; i < owed->count; i++) {
        const char *id = owed->items[i].id;
        bool other = owed->items[i].collection == part->collection &&
                     !(part->wanted.point && strcmp(id, part->made.point_id) == 0);
        for (size_t k = 0; k < seen && other; k++) other = strcmp(part->strays[k], id) != 0;
        if (other && !add_stray(part, id)) return false;
    }
    return true;
}

void part_looked(struct engine *e, struct part *part, const struct witness *found, size_t count)
{
    for (size_t i = 0; i < count; i++) epochs_note(e, part->collection, &found[i]);
    if (part->stage == PART_FETCH) {
        own_looked(e, part, count ? found : NULL, NULL);
        return;
    }
    if (part->stage == PART_BORROW) {
        borrowed(e, part, count ? found : NULL);
        return;
    }
    if (part->stage == PART_STRAY_LOOK) {
        stray_looked(e, part, found, count);
        return;
    }
    const struct witness *own = NULL, *twin = NULL;
    part->looked = true;
    part->stray_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct witness *w = &found[i];
        if (part->wanted.point && strcmp(w->point_id, part->made.point_id) == 0) {
            own = w;
        } else if (w->ours && w->doc && strcmp(w->doc, part->doc->json) == 0 &&
                   !add_stray(part, w->point_id)) {
            out_of_memory(e, part);
            return;
        }
        if (w != own && part_is_twin(part, w)) twin = w;
    }
    if (!add_owed(e, part)) {
        out_of_memory(e, part);
        return;
    }
    own_looked(e, part, own, twin);
}

void part_embedded(struct engine *e, struct part *part, float *vector, size_t dimensions)
{
    part->vector = vector;
    part->dimensions = dimensions;
    part->embedded = true;
    collection_of(e, part)->stats.embedded++;
    free(part->made.text);
    part->made.text = NULL;
    go_in_turn(e, part, PART_UPSERT, part->made.point_id);
}

void part_not_embedded(struct engine *e, struct part *part, const struct lks_err *err)
{
    bool for_good = retry_kind_of(err->code) == RETRY_ON_CHANGE;
    if (for_good && !add_owed_own(part)) {
        out_of_memory(e, part);
        return;
    }
    if (!for_good || part->stray_count == 0) {
        part_failed(e, part, err);
        return;
    }
    if (!part->made.err && !(part->made.err = malloc(sizeof *err))) {
        out_of_memory(e, part);
        return;
    }
    *part->made.err = *err;
    part->made.kind = MADE_FAILED; /* once what it had under other ids is gone */
    next_stray(e, part);
}

/* The outcome of one write: `part->node` is in no lane; the code stands in what was sent. */
void part_written(struct engine *e, struct part *part)
{
    struct collection_state *c = collection_of(e, part);
    part->wrote = true;
    if (part->vector_credit)
        c->stats.payloads++;
    else
        c->stats.upserted++;
    /* Whether it was still there, and let itself be written, nobody has said. */
    if (part->keeps && part->rounds++ < MAX_ROUNDS) {
        look(e, part);
        return;
    }
    if (part->keeps) {
        struct lks_err err;
        lks_fail(&err, LKS_E_QDRANT_REJECTED,
                 "point %s has vectors under further names and does not take what is written beside them",
                 part->made.point_id);
        part_failed(e, part, &err);
        return;
    }
    /* A reply that came after the lease's end proves nothing: another writer may have been there meanwhile.
     */
    bool doubt = now_ms(e) > e->lease.until_ms || epochs_another(e); /* nor does one that was skipped */
    if (doubt && part->rounds++ < MAX_ROUNDS)
        look(e, part);
    else if (epochs_another(e))
        epochs_leave(e, part, "its point is written over again and again");
    else
        next_stray(e, part);
}

void part_stray_again(struct engine *e, struct part *part)
{
    go_in_turn(e, part, PART_STRAY_LOOK, part->strays[part->stray_count - 1]);
}

void part_deleted(struct engine *e, struct part *part)
{
    if (!part->blind) part->wrote = true;
    collection_of(e, part)->stats.deleted += !part->blind;
    owed_done(&part->doc->work.owed, part->collection, part->strays[part->stray_count - 1]);
    part->stray_count--;
    next_stray(e, part);
}
