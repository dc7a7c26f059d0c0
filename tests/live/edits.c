/* edits.c - see edits.h. */
#include "live/edits.h"

#include <stdio.h>
#include <stdlib.h>

uint64_t chance_seed(uint64_t by_default)
{
    const char *asked = getenv("LOCKSTEP_TEST_SEED");
    return asked ? strtoull(asked, NULL, 10) : by_default;
}

/* splitmix64 */
uint64_t chance_draw(struct chance *c, uint64_t below)
{
    uint64_t z = (c->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

bool random_edit(mongoc_collection_t *collection, struct chance *c, uint64_t ids)
{
    char filter[64], change[300];
    unsigned long long key = chance_draw(c, ids), id = chance_draw(c, ids), n = chance_draw(c, 1000);
    bson_error_t error;
    snprintf(filter, sizeof filter, "{\"_id\":%llu}", key);
    snprintf(change, sizeof change,
             "{\"$set\":{\"id\":\"x-%llu\",\"name\":\"Name %llu\",\"categories\":[\"C "
             "%llu\"],\"interface\":\"Web\"}}",
             id, n, n % 5);
    switch (chance_draw(c, 8)) {
    case 0:
        break; /* id and all */
    case 1:
        snprintf(change, sizeof change, "{\"$set\":{\"website\":\"https://%llu.example\"}}", n);
        break;
    case 2:
        snprintf(change, sizeof change, "{\"$set\":{\"categories\":[\"C %llu\",\"D\"]}}", n % 5);
        break;
    case 3:
        snprintf(change, sizeof change, "{\"$unset\":{\"name\":\"\",\"interface\":\"\"}}");
        break;
    case 4:
        snprintf(change, sizeof change, "{\"$set\":{\"id\":\"x-%llu\"}}", id);
        break;
    case 5:
        snprintf(change, sizeof change, "{\"_id\":%llu,\"id\":\"x-%llu\",\"name\":\"Replaced %llu\"}", key,
                 id, n);
        break;
    case 6:
        snprintf(change, sizeof change, "{\"$set\":{\"contributor\":\"somebody %llu\"}}", n);
        break;
    default:
        *change = '\0'; /* delete */
    }
    bson_t *which = bson_new_from_json((const uint8_t *)filter, -1, &error), opts = BSON_INITIALIZER;
    bson_t *what = *change ? bson_new_from_json((const uint8_t *)change, -1, &error) : NULL;
    BSON_APPEND_BOOL(&opts, "upsert", true);
    bool done;
    if (!what)
        done = mongoc_collection_delete_one(collection, which, NULL, NULL, NULL);
    else if (change[2] == '$')
        done = mongoc_collection_update_one(collection, which, what, chance_draw(c, 2) ? &opts : NULL, NULL,
                                            NULL);
    else
        done = mongoc_collection_replace_one(collection, which, what, &opts, NULL, NULL);
    bson_destroy(which);
    bson_destroy(what);
    bson_destroy(&opts);
    return done;
}
