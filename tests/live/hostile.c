/* hostile.c - see hostile.h. */
#include "live/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void open_among_neighbours(struct live *w, const char *test)
{
    live_open(w, test);
    insert_made(w, 0, NEIGHBOURS / 2);
}

void run_among_neighbours(struct live *w)
{
    insert_made(w, NEIGHBOURS / 2, NEIGHBOURS / 2);
    daemon_start(w);
    live_in_sync(w);
    EXPECT(w, process_runs(&w->daemon));
}

void neighbours_are_undisturbed(struct live *w)
{
    EXPECT_INT(w,
               count_documents(w, J("slug"
                                    : {"$regex" : "^made-"}, "syncMetadata.overallStatus"
                                    : "synced", "syncMetadata.collections.tools.vectorVersion" : 1,
                                      "syncMetadata.collections.usecases.vectorVersion" : 1,
                                      "syncMetadata.collections.tools.retryCount" : 0)),
               NEIGHBOURS);
}

void says(struct live *w, const char *id, const char *path, const char *text)
{
    char filter[100];
    snprintf(filter, sizeof filter, "{\"_id\":\"%s\"}", id);
    char *found = document_text(w, filter, path);
    if (strcmp(found, text) != 0) FAIL(w, "%s of %s is \"%.300s\", not \"%s\"", path, id, found, text);
    free(found);
}

void mentions(struct live *w, const char *id, const char *path, const char *target)
{
    char filter[100];
    snprintf(filter, sizeof filter, "{\"_id\":\"%s\"}", id);
    char *found = document_text(w, filter, path);
    if (!strstr(found, target))
        FAIL(w, "%s of %s is \"%.300s\": not a word of \"%s\"", path, id, found, target);
    free(found);
}
