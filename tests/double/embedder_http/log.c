/* log.c - what was embedded, so that tests can say what was not. It owns copies of the texts. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "embedder_http/embedder.h"

#define MOST_TEXTS 10000

struct embedder_log {
    pthread_mutex_t mutex;
    char *texts[MOST_TEXTS]; /* a ring */
    size_t bytes[MOST_TEXTS];
    size_t first;
    size_t count;
};

struct embedder_log *embedder_log_new(void)
{
    struct embedder_log *log = must_alloc(sizeof *log);

    memset(log, 0, sizeof *log);
    pthread_mutex_init(&log->mutex, NULL);
    return log;
}

void embedder_log_clear(struct embedder_log *log)
{
    pthread_mutex_lock(&log->mutex);
    for (size_t i = 0; i < log->count; i++) free(log->texts[(log->first + i) % MOST_TEXTS]);
    log->first = 0;
    log->count = 0;
    pthread_mutex_unlock(&log->mutex);
}

void embedder_log_free(struct embedder_log *log)
{
    embedder_log_clear(log);
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

void embedder_log_add(struct embedder_log *log, const char *text, size_t bytes)
{
    size_t at;

    pthread_mutex_lock(&log->mutex);
    if (log->count == MOST_TEXTS) {
        free(log->texts[log->first]);
        log->first = (log->first + 1) % MOST_TEXTS;
        log->count--;
    }
    at = (log->first + log->count++) % MOST_TEXTS;
    log->texts[at] = must_alloc(bytes + 1);
    memcpy(log->texts[at], text, bytes);
    log->bytes[at] = bytes;
    pthread_mutex_unlock(&log->mutex);
}

void embedder_log_write(struct embedder_log *log, struct buf *out)
{
    pthread_mutex_lock(&log->mutex);
    buf_putc(out, '[');
    for (size_t i = 0; i < log->count; i++) {
        size_t at = (log->first + i) % MOST_TEXTS;

        if (i) buf_putc(out, ',');
        json_write_string(out, log->texts[at], log->bytes[at]);
    }
    buf_putc(out, ']');
    pthread_mutex_unlock(&log->mutex);
}
