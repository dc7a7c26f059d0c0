/* writer.c - see writer.h. Owns its connection to MongoDB, which no proxy comes between. */
#include "fault/writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "live/edits.h"

struct writer {
    pthread_t thread;
    atomic_bool ending;
    mongoc_client_t *client;
    mongoc_collection_t *collection;
    struct chance chance;
    uint64_t ids, writes;
    int pause_ms;
};

static void *run(void *self)
{
    struct writer *writer = self;
    while (!atomic_load(&writer->ending)) {
        writer->writes += random_edit(writer->collection, &writer->chance, writer->ids);
        uint64_t pause_ms = chance_draw(&writer->chance, (uint64_t)writer->pause_ms * 2 + 1);
        const struct timespec pause = {.tv_sec = (time_t)(pause_ms / 1000),
                                       .tv_nsec = (long)(pause_ms % 1000) * 1000000};
        nanosleep(&pause, NULL);
    }
    return NULL;
}

struct writer *writer_start(struct live *w, uint64_t seed, uint64_t ids, int pause_ms)
{
    struct writer *writer = calloc(1, sizeof *writer);
    writer->client = live_connect(w, "writer", 3000);
    writer->collection = mongoc_client_get_collection(writer->client, w->database, "tools");
    writer->chance.state = seed;
    writer->ids = ids;
    writer->pause_ms = pause_ms;
    if (pthread_create(&writer->thread, NULL, run, writer) != 0) FAIL(w, "no thread for the writer");
    return writer;
}

uint64_t writer_stop(struct writer *writer)
{
    atomic_store(&writer->ending, true);
    pthread_join(writer->thread, NULL);
    uint64_t writes = writer->writes;
    mongoc_collection_destroy(writer->collection);
    mongoc_client_destroy(writer->client);
    free(writer);
    return writes;
}
