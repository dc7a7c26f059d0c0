/*
 * health_probes.c - looks at embedders and Qdrant collections with requests of their own: first at start,
 * later when a circuit is open. Documents are never used to find out whether a provider is up.
 *
 * While the source has no document, a Qdrant collection that is missing is not made: the source's name may be
 * a mistake. It is `absent`, its circuit stays open, which is no failure, and it is made when the first
 * document is in work.
 */
#include "base/log.h"
#include "engine/internal.h"
#include "engine/rules/retry.h"

static void probe_embedder(struct engine *e, size_t i)
{
    struct req *req = req_new(REQ_EMBED_PROBE, NULL);
    if (!req) return;
    req->embed_probe.embedder = i;
    circuit_probing(&e->embedders[i].circuit);
    submit(e, &e->ports.embedder, req);
}

static void probe_collection(struct engine *e, size_t i)
{
    struct req *req = req_new(REQ_ENSURE, NULL);
    if (!req) return;
    req->ensure.collection = i;
    req->ensure.look_only = e->no_documents;
    req->ensure.dimensions = e->embedders[e->collections[i].config->embedder].dimensions;
    circuit_probing(&e->collections[i].circuit);
    submit_to_index(e, req);
}

static bool probe_due(const struct engine *e, const struct collection_state *c)
{
    bool wanted = c->absent && !e->no_documents && c->circuit.state == CIRCUIT_OPEN;
    return wanted || circuit_probe_due(&c->circuit, now_ms(e));
}

void circuits_run(struct engine *e)
{
    int64_t now = now_ms(e);
    if (e->phase != PHASE_PROBE && e->phase != PHASE_RUN) return;
    for (size_t i = 0; i < e->config->embedder_count; i++)
        if (circuit_probe_due(&e->embedders[i].circuit, now)) probe_embedder(e, i);
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct embedder_state *em = &e->embedders[e->collections[i].config->embedder];
        /* the size of a collection's vectors is the model's to say */
        if (em->dimensions && probe_due(e, &e->collections[i]) && lease_covers_request(e))
            probe_collection(e, i);
    }
}

struct lks_err retry_capped(const struct engine *e, const struct lks_err *err)
{
    struct lks_err capped = *err;
    if (capped.retry_after_ms > e->config->retry.max_ms) capped.retry_after_ms = e->config->retry.max_ms;
    return capped;
}

/* Counts a failure for a circuit; one that is certainly the provider's opens it at once. True if it opened.
 */
static bool provider_failed(struct engine *e, struct circuit *circuit, const struct lks_err *err)
{
    bool closed = circuit_closed(circuit);
    if (!retry_trips_circuit(err->code) || err->blame == LKS_BLAME_CONTENT) return false;
    if (!lks_err_of_provider(err)) return circuit_failure(circuit, err, now_ms(e));
    circuit_trip(circuit, err, now_ms(e));
    return closed;
}

/* Errors of embedding count for the endpoint's circuit by the request, not by the text. */
void embedder_failed(struct engine *e, struct embedder_state *em, const struct lks_err *err)
{
    struct lks_err capped = retry_capped(e, err);
    if (provider_failed(e, &em->circuit, &capped))
        log_warn("embedding endpoint set aside until a probe succeeds", LOG_STR("embedder", em->name),
                 LOG_STR("code", lks_code_name(err->code)), LOG_STR("error", err->text));
}

void collection_failed(struct engine *e, struct collection_state *c, const struct lks_err *err)
{
    bool opened = false;
    if (err->code == LKS_E_NOT_FOUND) {
        opened = circuit_closed(&c->circuit);
        circuit_trip(&c->circuit, err, now_ms(e));
    } else {
        struct lks_err capped = retry_capped(e, err);
        opened = provider_failed(e, &c->circuit, &capped);
    }
    if (opened)
        log_warn("Qdrant collection set aside until a probe succeeds", LOG_STR("source", e->config->source),
                 LOG_STR("collection", c->config->name), LOG_STR("code", lks_code_name(err->code)),
                 LOG_STR("error", err->text));
}

/* An open circuit is closed by its probe alone: a late success of an earlier request proves less. */
void collection_succeeded(struct collection_state *c)
{
    if (circuit_closed(&c->circuit)) c->circuit.failures = 0;
}

static void probe_failed(struct engine *e, struct circuit *circuit, const char *kind, const char *name,
                         const struct lks_err *err)
{
    bool first = !circuit->ever_probed || circuit->reason.code != err->code;
    struct lks_err capped = retry_capped(e, err);
    circuit_failure(circuit, &capped, now_ms(e));
    LOG_WITH(first ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "not ready; what needs it waits", LOG_STR(kind, name),
             LOG_STR("code", lks_code_name(err->code)), LOG_STR("error", err->text));
}

static void embedder_back(struct engine *e, struct req *req)
{
    struct embedder_state *em = &e->embedders[req->embed_probe.embedder];
    if (req->err.code != LKS_E_OK) {
        probe_failed(e, &em->circuit, "embedder", em->name, &req->err);
        return;
    }
    em->dimensions = req->embed_probe.dimensions;
    circuit_success(&em->circuit, now_ms(e));
    e->worker.wanted = true;
    log_info("embedder is ready", LOG_STR("embedder", em->name), LOG_INT("dimensions", em->dimensions));
}

static void collection_absent(struct engine *e, struct collection_state *c, const struct lks_err *err)
{
    LOG_WITH(c->absent ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
             "the source has no document yet; the Qdrant collection is made when the first one is there",
             LOG_STR("source", e->config->source), LOG_STR("collection", c->config->name));
    c->absent = true;
    (void)circuit_failure(&c->circuit, err, now_ms(e));
}

static void collection_back(struct engine *e, struct req *req)
{
    struct collection_state *c = &e->collections[req->ensure.collection];
    if (req->err.code == LKS_E_NOT_FOUND && req->ensure.look_only) {
        collection_absent(e, c, &req->err);
        return;
    }
    if (req->err.code != LKS_E_OK) {
        probe_failed(e, &c->circuit, "collection", c->config->name, &req->err);
        return;
    }
    circuit_success(&c->circuit, now_ms(e));
    c->absent = false;
    e->worker.wanted = true;
    log_info(req->ensure.created ? "Qdrant collection was made" : "Qdrant collection is ready",
             LOG_STR("collection", c->config->name), LOG_INT("guarded", req->ensure.guarded));
    c->further = req->ensure.further;
    replicas_seen(e, req);
    bool first = !c->looked;
    c->looked = true;
    c->cosine = req->ensure.cosine;
    c->most = req->ensure.most;
    c->guarded = req->ensure.guarded;
    c->epochs_counted = false; /* it may have been restored meanwhile */
    c->known_empty = first && req->ensure.empty;
    /* At start the scan is start.c's to decide. Later, a collection that had to be made was dropped behind
     * our back. */
    if (!req->ensure.created) return;
    if (e->phase == PHASE_RUN)
        scan_start(e, true);
    else
        e->scan.wanted = e->scan.verify_points = true;
}

void circuits_handle(struct engine *e, struct req *req)
{
    if (req->kind == REQ_EMBED_PROBE)
        embedder_back(e, req);
    else
        collection_back(e, req);
}
