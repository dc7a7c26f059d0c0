/*
 * refused.c - the documents whose record can be written nowhere, for whoever asks what is wrong. What brings
 * anybody back to them is their tombstone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/documents/documents.h"

#define MOST_REFUSED 10000 /* the others are not counted */

struct refused {
    struct refused *next;
    struct docid *id; /* owned */
};

static struct refused **find(struct engine *e, const struct docid *id)
{
    struct refused **at = &e->refused;
    while (*at && !docid_equal((*at)->id, id)) at = &(*at)->next;
    return at;
}

void refused_note(struct engine *e, const struct document *doc)
{
    if (*find(e, doc->id) || e->refused_count >= MOST_REFUSED) return;
    struct refused *one = calloc(1, sizeof *one);
    if (one && (one->id = docid_copy(doc->id)) != NULL) {
        one->next = e->refused;
        e->refused = one;
        e->refused_count++;
        snprintf(e->stats.refused_doc, sizeof e->stats.refused_doc, "%s", doc->json);
        log_error("a document's record can't be written, not even beside it; it is tried again every five "
                  "minutes",
                  LOG_STR("source", e->config->source), LOG_STR("doc", doc->json));
        return;
    }
    free(one);
}

void refused_forget(struct engine *e, const struct document *doc)
{
    struct refused **at = e->refused ? find(e, doc->id) : NULL, *one = at ? *at : NULL;
    if (!one) return;
    *at = one->next;
    docid_free(one->id);
    free(one);
    e->refused_count--;
    char *json = e->refused ? docid_json(e->refused->id) : NULL;
    snprintf(e->stats.refused_doc, sizeof e->stats.refused_doc, "%s", json ? json : "");
    free(json);
}

bool refused_is(struct engine *e, const struct document *doc)
{
    return e->refused && *find(e, doc->id);
}

void refused_fini(struct engine *e)
{
    for (struct refused *one = e->refused, *next; one; one = next) {
        next = one->next;
        docid_free(one->id);
        free(one);
    }
    e->refused = NULL;
}
