/*
 * store_pause.c - while MongoDB does not answer, everything that needs it waits, longer after each failure.
 */
#include <stdio.h>

#include "base/log.h"
#include "engine/session/session.h"

#define MONGO_PAUSE_MIN_MS 100
#define MONGO_PAUSE_MAX_MS 5000

void mongo_failed(struct engine *e, const struct lks_err *err, const char *what)
{
    int64_t wait = MONGO_PAUSE_MIN_MS;
    for (int i = 0; i < e->session->pause.failures && wait < MONGO_PAUSE_MAX_MS; i++) wait *= 2;
    if (wait > MONGO_PAUSE_MAX_MS) wait = MONGO_PAUSE_MAX_MS;
    if (err->code == LKS_E_CANCELLED) return;
    if (!e->session->pause.failures) e->session->pause.since_wall_ms = wall_ms(e);
    snprintf(e->session->pause.error, sizeof e->session->pause.error, "%.250s", err->text);
    LOG_WITH(e->session->pause.failures++ ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
             "MongoDB did not do what was asked; trying again", LOG_STR("source", e->config->source),
             LOG_STR("request", what), LOG_STR("error", err->text));
    e->facts.mongo_until_ms = now_ms(e) + wait;
}

void mongo_answered(struct engine *e)
{
    if (e->session->pause.failures)
        log_info("MongoDB answers again", LOG_STR("source", e->config->source),
                 LOG_INT("failures", e->session->pause.failures));
    e->session->pause.failures = 0;
    e->facts.mongo_until_ms = 0;
}
