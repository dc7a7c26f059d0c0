/*
 * health_probes.c - looks at embedders and Qdrant collections with requests of their own: first at start,
 * later when a circuit is open. Documents are never used to find out whether a provider is up.
 *
 * While the source has no document, a Qdrant collection that is missing is not made: the source's name may be
 * a mistake. It is `absent`, its circuit stays open, which is no failure, and it is made when the first
 * document is in work.
 */
#include "base/log.h"
#include "engine/feeds/feeds.h"
#include "engine/rules/retry.h"

bool probe_embedder_due(struct engine *e, size_t embedder)
{
    bool phase = e->phase == PHASE_PROBE || e->phase == PHASE_RUN;
    return phase && circuit_probe_due(&e->embedders[embedder].circuit, now_ms(e));
}

bool probe_collection_due(struct engine *e, size_t collection)
{
    const struct collection_state *c = &e->collections[collection];
    bool phase = e->phase == PHASE_PROBE || e->phase == PHASE_RUN;
    bool wanted = c->absent && !e->no_documents && c->circuit.state == CIRCUIT_OPEN;
    /* the size of a collection's vectors is the model's to say */
    return phase && e->embedders[c->config->embedder].dimensions &&
           (wanted || circuit_probe_due(&c->circuit, now_ms(e)));
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

void probe_embedder_back(struct engine *e, size_t embedder, const struct lks_err *err, size_t dimensions)
{
    struct embedder_state *em = &e->embedders[embedder];
    if (err->code != LKS_E_OK) {
        probe_failed(e, &em->circuit, "embedder", em->name, err);
        return;
    }
    em->dimensions = dimensions;
    circuit_success(&em->circuit, now_ms(e));
    e->feeds->worker.wanted = true;
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

void probe_collection_failed(struct engine *e, size_t collection, const struct lks_err *err, bool look_only)
{
    struct collection_state *c = &e->collections[collection];
    if (err->code == LKS_E_NOT_FOUND && look_only)
        collection_absent(e, c, err);
    else
        probe_failed(e, &c->circuit, "collection", c->config->name, err);
}

void probe_collection_back(struct engine *e, size_t collection, bool created, bool empty)
{
    struct collection_state *c = &e->collections[collection];
    circuit_success(&c->circuit, now_ms(e));
    e->feeds->worker.wanted = true;
    log_info(created ? "Qdrant collection was made" : "Qdrant collection is ready",
             LOG_STR("collection", c->config->name), LOG_INT("guarded", c->guarded));
    c->epochs_counted = false; /* it may have been restored meanwhile */
    c->known_empty = !c->looked && empty;
    c->looked = true;
    c->absent = false;
    /* At start the scan is phases.c's to decide. Later, a collection that had to be made was dropped behind
     * our back. */
    if (!created) return;
    if (e->phase == PHASE_RUN)
        scan_start(e, true);
    else
        e->feeds->scan.wanted = e->feeds->scan.verify_points = true;
}
