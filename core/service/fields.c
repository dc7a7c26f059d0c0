/* fields.c - see fields.h. Owns the answers, and a lock that is held while MongoDB is asked. */
#include "service/fields.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/engine.h"

#define REMEMBER_MS 300000
#define MOST_FIELDS 64 /* of a collection: further ones are taken as there */

struct answers {
    bool known;
    int64_t asked_ms;
    uint64_t missing[ENGINE_MAX_COLLECTIONS]; /* by collection, the places of its watched fields */
};

struct fields {
    pthread_mutex_t lock;
    struct answers *answers;
};

struct fields *fields_new(size_t source_count)
{
    struct fields *f = calloc(1, sizeof *f);
    if (f) f->answers = calloc(source_count + 1, sizeof *f->answers);
    if (f && f->answers && pthread_mutex_init(&f->lock, NULL) == 0) return f;
    if (f) free(f->answers);
    free(f);
    return NULL;
}

void fields_free(struct fields *f)
{
    if (!f) return;
    pthread_mutex_destroy(&f->lock);
    free(f->answers);
    free(f);
}

/* The same field is watched by several collections as a rule, and asked for once. */
static bool is_missing_before(const struct compare_source *all, const struct answers *a, size_t collection,
                              const char *path, bool *missing)
{
    for (size_t i = 0; i < collection; i++) {
        const struct declaration *d = all->collections[i]->declaration;
        for (size_t k = 0; k < d->watched_count && k < MOST_FIELDS; k++) {
            if (strcmp(d->watched[k].path, path) != 0) continue;
            *missing = a->missing[i] >> k & 1;
            return true;
        }
    }
    return false;
}

static void ask(const struct compare_source *all, struct answers *a)
{
    for (size_t i = 0; i < all->count && i < ENGINE_MAX_COLLECTIONS; i++) {
        const struct declaration *d = all->collections[i]->declaration;
        a->missing[i] = 0;
        for (size_t k = 0; k < d->watched_count && k < MOST_FIELDS; k++) {
            const char *path = d->watched[k].path;
            bool missing = false;
            if (!is_missing_before(all, a, i, path, &missing)) missing = mongo_lacks_field(all->mongo, path);
            if (missing) a->missing[i] |= UINT64_C(1) << k;
        }
    }
    a->asked_ms = clock_ms();
    a->known = true;
}

void fields_missing(struct fields *f, size_t source, const struct compare_source *all,
                    void (*notify)(void *self, size_t collection, const char *field), void *self)
{
    struct answers once = {.known = false}, *a = f ? &f->answers[source] : &once;
    if (f) pthread_mutex_lock(&f->lock);
    if (!a->known || clock_ms() - a->asked_ms > REMEMBER_MS) ask(all, a);
    once = *a;
    if (f) pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; i < all->count && i < ENGINE_MAX_COLLECTIONS; i++)
        for (size_t k = 0; k < MOST_FIELDS; k++)
            if (once.missing[i] >> k & 1) notify(self, i, all->collections[i]->declaration->watched[k].path);
}
