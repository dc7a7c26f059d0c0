/* making.c - see making.h. What waits and the request share one piece of memory; whoever comes last frees it.
 */
#include "daemon/making.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "plugin/maker.h"

#define WAIT_MS 10000 /* a call that hangs is given up by the maker before that */

struct making {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, given_up;
    struct source_document doc; /* a copy: the caller may have gone */
    struct made made;
};

static void making_free(struct making *m)
{
    source_document_fini(&m->doc);
    made_fini(&m->made);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static struct making *making_new(const struct source_document *doc)
{
    struct making *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    pthread_mutex_init(&m->lock, NULL);
    clock_cond_init(&m->changed);
    m->doc.id = docid_copy(doc->id);
    m->doc.body = doc->body ? bson_copy(doc->body) : NULL;
    if (m->doc.id) return m;
    making_free(m);
    return NULL;
}

static struct req *request(struct making *m, size_t collection)
{
    struct req *req = req_new(REQ_MAKE, m);
    if (!req) return NULL;
    req->make.collection = collection;
    req->make.docs = calloc(1, sizeof *req->make.docs);
    if (!req->make.docs) {
        req_free(req);
        return NULL;
    }
    req->make.docs[0] = &m->doc;
    req->make.count = 1;
    return req;
}

static void fail(struct made *out, const char *reason)
{
    *out = (struct made){.kind = MADE_FAILED, .err = malloc(sizeof *out->err)};
    if (out->err) lks_fail(out->err, LKS_E_UNKNOWN, "%s", reason);
}

void making_make(void *source, size_t collection, const struct source_document *doc, struct made *out)
{
    struct app_source *s = source;
    struct making *m = making_new(doc);
    struct req *req = m ? request(m, collection) : NULL;
    struct timespec until = clock_in_ms(WAIT_MS);
    if (!req) {
        if (m) making_free(m);
        fail(out, "out of memory");
        return;
    }
    struct port maker = maker_port(s->maker);
    maker.submit(maker.self, req);
    pthread_mutex_lock(&m->lock);
    while (!m->done)
        if (pthread_cond_timedwait(&m->changed, &m->lock, &until) == ETIMEDOUT) break;
    bool done = m->done;
    m->given_up = !done;
    if (done) {
        *out = m->made;
        m->made = (struct made){.kind = MADE_NOTHING};
    }
    pthread_mutex_unlock(&m->lock);
    if (done)
        making_free(m);
    else
        fail(out, "the collection's plugin is busy; nothing was made in time");
}

void making_done(struct req *req)
{
    struct making *m = req->context;
    pthread_mutex_lock(&m->lock);
    if (req->err.code == LKS_E_OK && req->make.made) {
        m->made = req->make.made[0];
        req->make.made[0] = (struct made){.kind = MADE_NOTHING};
    } else {
        fail(&m->made, req->err.text);
    }
    m->done = true;
    bool nobody = m->given_up;
    pthread_cond_signal(&m->changed);
    pthread_mutex_unlock(&m->lock);
    req_free(req);
    if (nobody) making_free(m);
}
