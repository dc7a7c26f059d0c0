/*
 * facts.c - what kind of collection the source is: only some can be followed, and an index serves queries by
 * the simple collation only where it has that itself.
 *
 * One listCollections, remembered for a minute. A user who may not list collections gets the usual answer: a
 * plain collection.
 */
#include <string.h>

#include "base/clock.h"
#include "mongo/mongo_internal.h"

#define FACTS_FOR_MS 60000

static const char what[] = "looking at the collection";

static bool is_simple(const bson_iter_t *collation)
{
    bson_iter_t locale;
    return !BSON_ITER_HOLDS_DOCUMENT(collation) || !bson_iter_recurse(collation, &locale) ||
           !bson_iter_find(&locale, "locale") || !BSON_ITER_HOLDS_UTF8(&locale) ||
           !strcmp(bson_iter_utf8(&locale, NULL), "simple");
}

static void read_row(const bson_t *row, struct mongo_facts *facts)
{
    bson_iter_t iter, option;
    *facts = (struct mongo_facts){.exists = true};
    if (bson_iter_init_find(&iter, row, "type") && BSON_ITER_HOLDS_UTF8(&iter)) {
        const char *type = bson_iter_utf8(&iter, NULL);
        facts->view = !strcmp(type, "view");
        facts->time_series = !strcmp(type, "timeseries");
    }
    if (bson_iter_init(&iter, row) && bson_iter_find_descendant(&iter, "options.capped", &option))
        facts->capped = bson_iter_as_bool(&option);
    if (bson_iter_init(&iter, row) && bson_iter_find_descendant(&iter, "options.collation", &option))
        facts->collated = !is_simple(&option);
}

static bool ask(struct mongo *m, mongoc_client_t *client, struct mongo_facts *facts)
{
    bson_t command = BSON_INITIALIZER, inner;
    struct rows rows;
    const bson_t *row;
    struct lks_err ignored;
    *facts = (struct mongo_facts){.exists = false};
    BSON_APPEND_INT32(&command, "listCollections", 1);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &inner);
    BSON_APPEND_UTF8(&inner, "name", m->collection);
    bson_append_document_end(&command, &inner);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_NONE, 0, what, &ignored);
    if (!code && rows_next(&rows, &row)) read_row(row, facts);
    if (rows_close(&rows, what, NULL)) code = LKS_E_MONGO;
    bson_destroy(&command);
    return !code;
}

/* Leaves it as it is where the indexes cannot be listed. */
static void look_for_id_index(struct mongo *m, mongoc_client_t *client, struct mongo_facts *facts)
{
    bson_t command = BSON_INITIALIZER;
    bson_iter_t name;
    struct rows rows;
    const bson_t *row;
    struct lks_err ignored;
    BSON_APPEND_UTF8(&command, "listIndexes", m->collection);
    if (!rows_open(m, client, &rows, &command, LEVEL_NONE, 0, what, &ignored))
        while (rows_next(&rows, &row))
            if (bson_iter_init_find(&name, row, "name") && BSON_ITER_HOLDS_UTF8(&name) &&
                !strcmp(bson_iter_utf8(&name, NULL), SIMPLE_ID_INDEX))
                facts->id_index = true;
    rows_close(&rows, what, NULL);
    bson_destroy(&command);
}

void facts_of(struct mongo *m, mongoc_client_t *client, struct mongo_facts *out)
{
    pthread_mutex_lock(&m->lock);
    *out = m->facts;
    bool fresh = clock_ms() < m->facts_until_ms;
    pthread_mutex_unlock(&m->lock);
    if (fresh) return;
    struct mongo_facts now;
    bool answered = ask(m, client, &now);
    if (answered && now.collated && !now.view) look_for_id_index(m, client, &now);
    pthread_mutex_lock(&m->lock);
    if (answered) m->facts = now; /* else what was known */
    *out = m->facts;
    /* what is not there yet may be made as anything, at any time */
    m->facts_until_ms = answered && !now.exists ? 0 : clock_ms() + FACTS_FOR_MS;
    pthread_mutex_unlock(&m->lock);
}

void facts_forget(struct mongo *m)
{
    pthread_mutex_lock(&m->lock);
    m->facts_until_ms = 0;
    pthread_mutex_unlock(&m->lock);
}

void mongo_facts(struct mongo *m, struct mongo_facts *out)
{
    mongoc_client_t *client = mongo_pop(m);
    facts_of(m, client, out);
    mongo_push(m, client);
}

void mongo_facts_known(struct mongo *m, struct mongo_facts *out)
{
    pthread_mutex_lock(&m->lock);
    *out = m->facts;
    pthread_mutex_unlock(&m->lock);
}

const char *mongo_facts_polled(const struct mongo_facts *facts)
{
    return facts->view ? "a view" : facts->capped ? "a capped collection" : NULL;
}

const char *mongo_facts_refused(struct mongo *m, const struct mongo_facts *facts)
{
    bool beside = m->metadata == MONGO_SIDECAR;
    if (facts->time_series)
        return "a time-series collection, whose documents have no unique `_id` and report no changes: it "
               "cannot "
               "be a source; keep the documents that are to be found in a collection of their own";
    if (facts->view && facts->collated)
        return "a view with a collation of its own, which no query can replace by the simple one that ids "
               "are "
               "compared by: make the view without a collation";
    if (facts->view && !beside)
        return "a view, which holds no records: set `metadata = sidecar` in the source's section; it is then "
               "polled";
    if (facts->capped && !beside)
        return "a capped collection, whose documents cannot grow by a record: set `metadata = sidecar` in "
               "the "
               "source's section; it is then polled";
    return NULL;
}
