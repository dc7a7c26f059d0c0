/*
 * own_point.c - the point that a part writes, as it is there: whether it must be asked at all, what its
 * record learns from it, whether it needs our epoch, and the vector that it has, or that the point has under
 * whose id the same content was before.
 *
 * What changes a payload or an epoch is written with the vector that is there, in one piece, so that vector
 * and payload always fit each other. Such a vector never goes where embeddings are cached.
 */
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "engine/documents/documents.h"
#include "engine/rules/usable.h"

/*
 * While everything is compared there is a reason not to believe records, whatever brings us here; and so
 * there is while another installation writes to the same points. The point of a business id that another
 * document holds too may be that one's by now.
 */
bool target_verifies_point(struct engine *e, const struct target *target)
{
    const struct document *doc = target->doc;
    return doc->work.verify_points || doc->gone || doc->src.contested || e->facts.compares ||
           (e->facts.swept >> target->collection & 1) || refused_is(e, doc) || e->facts.another_epoch;
}

bool vector_expected(const struct engine *e, const struct target *target)
{
    const struct entry *before = &target->doc->src.record.entries[target->collection];
    if (!target->wanted.point) return false;
    if (e->collections[target->collection].further) return true; /* which vectors it has is to be known */
    if (!before->present || strcmp(before->content_hash, target->wanted.content_hash) != 0) return false;
    bool stamped = !e->facts.clean_start || before->status != SYNC_SYNCED;
    return stamped || strcmp(before->payload_hash, target->wanted.payload_hash) != 0;
}

bool vector_take(struct engine *e, struct target *target, const struct stamp *own)
{
    const struct collection_state *c = &e->collections[target->collection];
    size_t wanted = e->embedders[c->config->embedder].dimensions;
    struct lks_err err;
    if (!own->vector || !own->dimensions || (wanted && own->dimensions != wanted)) return true;
    if (!usable_vector(own->vector, own->dimensions, c->cosine, c->most, &err)) return true;
    target->vector = malloc(own->dimensions * sizeof *target->vector);
    if (!target->vector) return false;
    memcpy(target->vector, own->vector, own->dimensions * sizeof *target->vector);
    target->dimensions = own->dimensions;
    target->vector_credit = own->dimensions * sizeof *target->vector;
    e->bytes_in_work += target->vector_credit;
    return true;
}

bool target_is_twin(const struct target *target, const struct stamp *w)
{
    return target->wanted.point && w->ours && !w->differs && w->doc &&
           strcmp(w->doc, target->doc->json) == 0 && w->content_hash[0] &&
           strcmp(w->content_hash, target->wanted.content_hash) == 0;
}

bool target_embeds_anew(const struct target *target)
{
    return target->doc->work.force || classify_is_reset(&target->doc->src.record.entries[target->collection]);
}

const char *target_former_point(const struct target *target, const struct stamp *twin)
{
    const struct entry *before = &target->doc->src.record.entries[target->collection];
    bool said = before->point_id[0] && strcmp(before->point_id, target->made.point_id) != 0 &&
                strcmp(before->content_hash, target->wanted.content_hash) == 0;
    return twin ? twin->point_id : said ? before->point_id : NULL;
}

void vector_drop(struct engine *e, struct target *target)
{
    invariant(e->bytes_in_work >= target->vector_credit, "a vector returns no more bytes than are counted");
    e->bytes_in_work -= target->vector_credit;
    target->vector_credit = 0;
    free(target->vector);
    target->vector = NULL;
}

/* The record says what was seen, also if nothing better comes of it. */
void target_note_point(struct target *target, const struct stamp *own)
{
    struct entry *entry = &target->doc->after.entries[target->collection];
    if (target->doc->gone || !target->wanted.point || classify_is_reset(entry)) return;
    if (own && own->ours && own->doc && strcmp(own->doc, target->doc->json) == 0) {
        memcpy(entry->content_hash, own->content_hash, sizeof entry->content_hash);
        memcpy(entry->payload_hash, own->payload_hash, sizeof entry->payload_hash);
        memcpy(entry->point_id, own->point_id, sizeof entry->point_id);
    } else if (strcmp(entry->point_id, target->made.point_id) == 0) {
        entry->content_hash[0] = entry->payload_hash[0] = entry->point_id[0] = '\0';
    }
}

/*
 * The point is right, but for its epoch. A lower one lets in what an earlier holder may still send: it was
 * paused with a write in its hands, perhaps. The last one may not have ended well; or somebody since then,
 * who ended well, left this document for later, and its record says so.
 */
bool target_needs_stamp(const struct engine *e, const struct target *target, const struct stamp *own)
{
    const struct entry *before = &target->doc->src.record.entries[target->collection];
    bool left = before->present && before->status != SYNC_SYNCED;
    if (!own || !own->ours) return false;
    return (!e->facts.clean_start || left) && own->epoch < e->facts.epoch;
}

void epoch_seen(struct engine *e, size_t collection, const struct stamp *seen)
{
    struct collection_state *c = &e->collections[collection];
    bool matters = c->guarded || !c->looked; /* until the first ensure the server may guard */
    bool above = matters && seen->ours && seen->epoch > e->facts.epoch;
    if (above && now_ms(e) <= e->facts.lease_until_ms && seen->epoch > c->epoch_seen)
        c->epoch_seen = seen->epoch;
}

bool target_kept_out(const struct engine *e, const struct target *target, const struct stamp *point)
{
    return e->facts.another_epoch && e->collections[target->collection].guarded && point->ours &&
           point->epoch > e->facts.epoch;
}

bool target_may_delete(const struct engine *e, const struct target *target, const struct stamp *stale_point)
{
    const struct dirty_reason *reason = &target->doc->work;
    if (!e->facts.another_epoch) return true;
    return (reason->happened_ms || reason->tombstone || reason->explicit_ask) &&
           stale_point->epoch <= e->facts.epoch;
}
