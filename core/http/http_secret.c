/* http_secret.c - see http_secret.h. */
#include "http/http_secret.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define EVERY_MS 60000
#define REFUSED_MS 1000
#define MOST_BYTES 4096

struct secret {
    pthread_mutex_t lock;
    char *text, *file; /* owned */
    int64_t read_ms;   /* when the file was read last */
};

struct secret *secret_new(const char *text, const char *file)
{
    struct secret *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    (void)pthread_mutex_init(&s->lock, NULL);
    s->text = strdup(text ? text : "");
    s->file = strdup(file ? file : "");
    s->read_ms = clock_ms();
    if (s->text && s->file) return s;
    secret_free(s);
    return NULL;
}

void secret_end(char *copy)
{
    if (copy) explicit_bzero(copy, strlen(copy));
    free(copy);
}

void secret_free(struct secret *s)
{
    if (!s) return;
    secret_end(s->text);
    free(s->file);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* The file's only line; NULL if it is not that. */
static char *read_line(const char *path)
{
    char text[MOST_BYTES];
    FILE *file = fopen(path, "re");
    if (!file) return NULL;
    size_t bytes = fread(text, 1, sizeof text - 1, file);
    bool ok = feof(file) && !ferror(file);
    (void)fclose(file);
    while (bytes > 0 && (text[bytes - 1] == '\n' || text[bytes - 1] == '\r')) bytes--;
    text[bytes] = '\0';
    ok = ok && bytes > 0 && strlen(text) == bytes;
    for (size_t i = 0; i < bytes; i++) ok = ok && text[i] > ' ' && text[i] < 127;
    char *line = ok ? strdup(text) : NULL;
    explicit_bzero(text, sizeof text);
    return line;
}

/* With the lock held. */
static void read_again(struct secret *s)
{
    s->read_ms = clock_ms();
    char *line = read_line(s->file);
    if (!line || strcmp(line, s->text) == 0) {
        secret_end(line);
        return;
    }
    secret_end(s->text);
    s->text = line;
    log_info("the key file holds another key now, which is used from here on", LOG_STR("file", s->file));
}

char *secret_take(struct secret *s)
{
    pthread_mutex_lock(&s->lock);
    if (*s->file && clock_ms() - s->read_ms >= EVERY_MS) read_again(s);
    char *copy = strdup(s->text);
    pthread_mutex_unlock(&s->lock);
    return copy;
}

void secret_refused(struct secret *s)
{
    pthread_mutex_lock(&s->lock);
    if (*s->file && clock_ms() - s->read_ms >= REFUSED_MS) read_again(s);
    pthread_mutex_unlock(&s->lock);
}
