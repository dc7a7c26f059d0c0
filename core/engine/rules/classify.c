/* classify.c - the one place that compares what is wanted with what is there. */
#include "engine/rules/classify.h"

#include <string.h>

bool classify_needs_stamp(const struct wanted *wanted, const struct entry *entry, bool verify_points)
{
    if (verify_points || !entry->present) return true;
    if (!wanted->point) /* a failed attempt may have left a point that metadata doesn't know of */
        return entry->status != SYNC_SYNCED &&
               (entry->point_id[0] || entry->status == SYNC_STALE || entry->status == SYNC_PENDING ||
                entry->error != LKS_E_VALIDATION);
    return entry->status != SYNC_SYNCED ||
           (entry->point_id[0] && strcmp(entry->point_id, wanted->point_id) != 0);
}

bool classify_is_reset(const struct entry *entry)
{
    return entry->present && entry->status != SYNC_SYNCED && entry->point_id[0] && !entry->content_hash[0];
}

enum action classify_by_entry(const struct wanted *wanted, const struct entry *entry)
{
    if (!wanted->point) return entry->point_id[0] ? ACTION_CLEAR : ACTION_NONE;
    if (strcmp(entry->point_id, wanted->point_id) != 0 ||
        strcmp(entry->content_hash, wanted->content_hash) != 0)
        return ACTION_EMBED;
    return strcmp(entry->payload_hash, wanted->payload_hash) == 0 ? ACTION_NONE : ACTION_PAYLOAD;
}

enum action classify_by_stamp(const struct wanted *wanted, const struct stamp *point)
{
    if (!wanted->point) return ACTION_CLEAR;
    if (!point || !point->ours || strcmp(point->content_hash, wanted->content_hash) != 0) return ACTION_EMBED;
    if (strcmp(point->payload_hash, wanted->payload_hash) != 0 || point->respelled ||
        classify_takes_over(wanted, point))
        return ACTION_PAYLOAD;
    return ACTION_NONE;
}

bool classify_takes_over(const struct wanted *wanted, const struct stamp *point)
{
    return wanted->point && point && point->ours && (!point->doc || strcmp(point->doc, wanted->doc) != 0);
}
