/*
 * journal.c - see journal.h. It owns the file. A record is a line "METHOD TARGET_BYTES BODY_BYTES", then the
 * two; a torn record at the end, left by a crash, is dropped.
 */
#include "qdrant_http/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/faults.h"
#include "qdrant_http/show.h"
#include "qdrant_store/settings.h"

#define BATCH_POINTS 500
#define MOST_BYTES ((size_t)1 << 30)

struct journal {
    char *path;
    FILE *file;
    pthread_mutex_t mutex;
};

static void put_record(FILE *out, const char *method, const char *target, const char *body, size_t body_bytes)
{
    fprintf(out, "%s %zu %zu\n%s", method, strlen(target), body_bytes, target);
    if (body_bytes) fwrite(body, 1, body_bytes, out);
}

static void put_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.", c))
            buf_putc(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static void write_points(FILE *file, const struct collection *c, const char *target)
{
    const struct show show = {.payload = {.show = PAYLOAD_ALL}, .all_vectors = true};
    struct order_place place = order_seek(&c->order, NULL);
    struct pool scratch;
    struct buf body;
    uint32_t slot;
    size_t n = 0;

    pool_init(&scratch);
    buf_init(&body, 0);
    while (order_next(&c->order, &place, &slot)) {
        buf_puts(&body, n ? "," : "{\"points\":[");
        show_record(&body, c, slot, &show, &scratch);
        if (++n < BATCH_POINTS) continue;
        buf_puts(&body, "]}");
        put_record(file, "PUT", target, body.data, body.bytes);
        buf_clear(&body);
        n = 0;
    }
    if (n) {
        buf_puts(&body, "]}");
        put_record(file, "PUT", target, body.data, body.bytes);
    }
    buf_fini(&body);
    pool_fini(&scratch);
}

static void write_collection(FILE *file, const struct collection *c)
{
    struct buf target;
    struct buf body;

    buf_init(&target, 0);
    buf_init(&body, 0);
    buf_puts(&target, "/collections/");
    put_text(&target, c->name);
    settings_write_create(&body, c);
    put_record(file, "PUT", target.data, body.data, body.bytes);
    for (const struct field_index *x = c->indexes; x; x = x->next) {
        char *path;

        buf_clear(&body);
        buf_puts(&body, "{\"field_name\":");
        json_write_string(&body, x->field, strlen(x->field));
        if (x->params)
            buf_printf(&body, ",\"field_schema\":%s}", x->params);
        else
            buf_printf(&body, ",\"field_schema\":\"%s\"}", index_type_name(x->type));
        path = must_alloc(target.bytes + 32);
        snprintf(path, target.bytes + 32, "%s/index?wait=true", target.data);
        put_record(file, "PUT", path, body.data, body.bytes);
        free(path);
    }
    buf_puts(&target, "/points?wait=true");
    write_points(file, c, target.data);
    buf_fini(&target);
    buf_fini(&body);
}

static void write_alias(FILE *file, const struct alias *a)
{
    struct buf body;

    buf_init(&body, 0);
    buf_puts(&body, "{\"actions\":[{\"create_alias\":{\"collection_name\":");
    json_write_string(&body, a->collection, strlen(a->collection));
    buf_puts(&body, ",\"alias_name\":");
    json_write_string(&body, a->name, strlen(a->name));
    buf_puts(&body, "}}]}");
    put_record(file, "POST", "/collections/aliases", body.data, body.bytes);
    buf_fini(&body);
}

void journal_rewrite(struct server *s)
{
    struct journal *j = s->journal;
    char *path = must_alloc(strlen(j->path) + 5);
    FILE *file;

    snprintf(path, strlen(j->path) + 5, "%s.new", j->path);
    pthread_mutex_lock(&j->mutex);
    pthread_rwlock_rdlock(&s->lock);
    file = fopen(path, "wb");
    if (file) {
        for (size_t i = 0; i < s->collection_count; i++) {
            pthread_rwlock_rdlock(&s->collections[i]->lock);
            write_collection(file, s->collections[i]);
            pthread_rwlock_unlock(&s->collections[i]->lock);
        }
        for (size_t i = 0; i < s->alias_count; i++) write_alias(file, &s->aliases[i]);
    }
    if (!file || fflush(file) != 0 || rename(path, j->path) != 0) {
        fprintf(stderr, "cannot rewrite %s: %s\n", j->path, strerror(errno));
        if (file) fclose(file);
    } else {
        if (j->file) fclose(j->file);
        j->file = file;
    }
    pthread_rwlock_unlock(&s->lock);
    pthread_mutex_unlock(&j->mutex);
    free(path);
}

/* One record; false at the end or where the rest is torn. */
static bool replay_one(struct server *s, FILE *file)
{
    char method[16];
    size_t target_bytes;
    size_t body_bytes;
    struct request request = {0};
    struct response response;
    char line[80];
    char *target;
    char *body;
    bool ok;

    if (!fgets(line, sizeof line, file)) return false;
    if (sscanf(line, "%15s %zu %zu", method, &target_bytes, &body_bytes) != 3 || target_bytes > MOST_BYTES ||
        body_bytes > MOST_BYTES)
        return false;
    target = must_alloc(target_bytes + 1);
    body = must_alloc(body_bytes + 1);
    ok = fread(target, 1, target_bytes, file) == target_bytes &&
         fread(body, 1, body_bytes, file) == body_bytes;
    target[ok ? target_bytes : 0] = '\0';
    if (ok) {
        request.method = method;
        request.target = target;
        request.api_key = s->api_key;
        request.body = body;
        request.body_bytes = body_bytes;
        server_handle(s, &request, &response);
        response_fini(&response);
    }
    free(target);
    free(body);
    return ok;
}

bool journal_open(struct server *s, const char *path)
{
    struct journal *j;
    FILE *file = fopen(path, "rb");

    if (!file && errno != ENOENT) {
        fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        return false;
    }
    if (file) {
        while (replay_one(s, file))
            ;
        fclose(file);
    }
    for (size_t i = 0; i < s->collection_count; i++) collection_forget_undo(s->collections[i]);
    faults_reset_counters(s->faults);
    j = must_alloc(sizeof *j);
    j->path = strdup(path);
    j->file = NULL;
    pthread_mutex_init(&j->mutex, NULL);
    s->journal = j;
    journal_rewrite(s);
    if (j->file) return true;
    journal_close(s);
    return false;
}

void journal_close(struct server *s)
{
    struct journal *j = s->journal;

    if (!j) return;
    if (j->file && fclose(j->file) != 0) fprintf(stderr, "cannot write %s: %s\n", j->path, strerror(errno));
    pthread_mutex_destroy(&j->mutex);
    free(j->path);
    free(j);
    s->journal = NULL;
}

void journal_lock(struct journal *j)
{
    pthread_mutex_lock(&j->mutex);
}

void journal_append(struct journal *j, const struct request *request, const struct response *response)
{
    if (response->status == 200) {
        put_record(j->file, request->method, request->target, request->body, request->body_bytes);
        if (fflush(j->file) != 0) fprintf(stderr, "cannot write %s: %s\n", j->path, strerror(errno));
    }
    pthread_mutex_unlock(&j->mutex);
}
