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

#include "engine/internal.h"
#include "engine/usable.h"

/*
 * While everything is compared there is a reason not to believe records, whatever brings us here; and so
 * there is while another installation writes to the same points. The point of a business id that another
 * document holds too may be that one's by now.
 */
bool part_in_doubt(struct engine *e, const struct part *part)
{
    const struct doc *doc = part->doc;
    bool compares = e->scan.doubt && (e->scan.wanted || e->scan.running);
    bool sweeps = e->sweep.running && (e->sweep.left >> part->collection & 1);
    return doc->work.doubt || doc->gone || doc->src.contested || compares || sweeps || refused_is(e, doc) ||
           epochs_another(e);
}

bool vector_expected(const struct engine *e, const struct part *part)
{
    const struct entry *before = &part->doc->src.record.entries[part->collection];
    if (!part->wanted.point) return false;
    if (e->collections[part->collection].further) return true; /* which vectors it has is to be known */
    if (!before->present || strcmp(before->content_hash, part->wanted.content_hash) != 0) return false;
    bool stamped = !e->lease.clean_start || before->status != SYNC_SYNCED;
    return stamped || strcmp(before->payload_hash, part->wanted.payload_hash) != 0;
}

bool vector_take(struct engine *e, struct part *part, const struct witness *own)
{
    const struct collection_state *c = &e->collections[part->collection];
    size_t wanted = e->embedders[c->config->embedder].dimensions;
    struct lks_err err;
    if (!own->vector || !own->dimensions || (wanted && own->dimensions != wanted)) return true;
    if (!usable_vector(own->vector, own->dimensions, c->cosine, c->most, &err)) return true;
    part->vector = malloc(own->dimensions * sizeof *part->vector);
    if (!part->vector) return false;
    memcpy(part->vector, own->vector, own->dimensions * sizeof *part->vector);
    part->dimensions = own->dimensions;
    part->vector_credit = own->dimensions * sizeof *part->vector;
    e->bytes_in_work += part->vector_credit;
    return true;
}

bool part_is_twin(const struct part *part, const struct witness *w)
{
    return part->wanted.point && w->ours && !w->differs && w->doc && strcmp(w->doc, part->doc->json) == 0 &&
           w->content_hash[0] && strcmp(w->content_hash, part->wanted.content_hash) == 0;
}

bool part_embeds_anew(const struct part *part)
{
    return part->doc->work.force || classify_is_reset(&part->doc->src.record.entries[part->collection]);
}

const char *part_former_point(const struct part *part, const struct witness *twin)
{
    const struct entry *before = &part->doc->src.record.entries[part->collection];
    bool said = before->point_id[0] && strcmp(before->point_id, part->made.point_id) != 0 &&
                strcmp(before->content_hash, part->wanted.content_hash) == 0;
    return twin ? twin->point_id : said ? before->point_id : NULL;
}

void vector_drop(struct engine *e, struct part *part)
{
    e->bytes_in_work -= part->vector_credit;
    part->vector_credit = 0;
    free(part->vector);
    part->vector = NULL;
}

/* The record says what was seen, also if nothing better comes of it. */
void part_note_point(struct part *part, const struct witness *own)
{
    struct entry *entry = &part->doc->after.entries[part->collection];
    if (part->doc->gone || !part->wanted.point || classify_is_reset(entry)) return;
    if (own && own->ours && own->doc && strcmp(own->doc, part->doc->json) == 0) {
        memcpy(entry->content_hash, own->content_hash, sizeof entry->content_hash);
        memcpy(entry->payload_hash, own->payload_hash, sizeof entry->payload_hash);
        memcpy(entry->point_id, own->point_id, sizeof entry->point_id);
    } else if (strcmp(entry->point_id, part->made.point_id) == 0) {
        entry->content_hash[0] = entry->payload_hash[0] = entry->point_id[0] = '\0';
    }
}

/*
 * The point is right, but for its epoch. A lower one lets in what an earlier holder may still send: it was
 * paused with a write in its hands, perhaps. The last one may not have ended well; or somebody since then,
 * who ended well, left this document for later, and its record says so.
 */
bool part_needs_stamp(const struct engine *e, const struct part *part, const struct witness *own)
{
    const struct entry *before = &part->doc->src.record.entries[part->collection];
    bool left = before->present && before->status != SYNC_SYNCED;
    if (!own || !own->ours) return false;
    return (!e->lease.clean_start || left) && own->epoch < e->lease.epoch;
}
