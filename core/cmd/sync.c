/* sync.c - `lockstep sync`: one pass over everything, shown as it goes; ends with what was done. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/loop.h"
#include "cmd/signals.h"

#define BAR_WIDTH 30

struct progress {
    bool terminal, json;
    time_t began;
    bool refused; /* somebody else has the lease */
    char holder[128];
    int64_t waiting_s;
};

/* "1:05" */
static void put_time(int64_t seconds)
{
    fprintf(stderr, "%lld:%02lld", (long long)(seconds / 60), (long long)(seconds % 60));
}

static void show_bar(const struct progress *p, const struct engine_snapshot *s)
{
    int64_t elapsed = (int64_t)(time(NULL) - p->began);
    double done = s->scan_total > 0 ? (double)s->scanned / (double)s->scan_total : 0;
    if (done > 1) done = 1;
    int filled = (int)(done * BAR_WIDTH);
    fprintf(stderr, "\r\033[K[%.*s%.*s] %llu", filled, "##############################", BAR_WIDTH - filled,
            "                              ", (unsigned long long)s->scanned);
    if (s->scan_total > 0) fprintf(stderr, " of %lld", (long long)s->scan_total);
    if (elapsed > 0) fprintf(stderr, ", %lld/s", (long long)((int64_t)s->scanned / elapsed));
    if (done > 0.01 && done < 1 && elapsed > 1) {
        fputs(", ", stderr);
        put_time((int64_t)((double)elapsed * (1 - done) / done));
        fputs(" left", stderr);
    }
}

static void show_line(const struct app_source *source, const struct engine_snapshot *s)
{
    fprintf(stderr, "%s: %llu documents seen, %zu in work\n", source->config->name,
            (unsigned long long)s->scanned, s->docs_in_work);
}

/* Somebody who holds the lease longer than it lasts without renewal is alive. */
static void look_for_holder(struct loop *loop, struct progress *p, const struct engine_snapshot *s)
{
    int64_t lease_s = loop->app->config->worker.lease_ms / 1000;
    if (s->phase != PHASE_LEASE || !s->lease_holder[0]) return;
    if (++p->waiting_s <= lease_s + 2) return;
    p->refused = true;
    snprintf(p->holder, sizeof p->holder, "%s", s->lease_holder);
    for (size_t i = 0; i < loop->count; i++) engine_stop(loop->engines[i].engine);
    loop->stop_by_ms = 0;
}

static void tick(struct loop *loop, void *context)
{
    struct progress *p = context;
    for (size_t i = 0; i < loop->count; i++) {
        struct engine_snapshot s;
        engine_snapshot(loop->engines[i].engine, &s);
        look_for_holder(loop, p, &s);
        if (p->refused || p->json || s.phase != PHASE_RUN) continue;
        if (p->terminal && loop->count == 1)
            show_bar(p, &s);
        else
            show_line(loop->engines[i].source, &s);
    }
}

/* The servers have to be there: a pass that waits for them for ever is no use to a person. */
static bool servers_answer(struct app *app)
{
    struct lks_err err;
    bool good = true;
    for (size_t i = 0; i < app->source_count; i++) {
        struct app_source *s = &app->sources[i];
        char *holder = NULL;
        if (s->count == 0) continue;
        if (mongo_lease_holder(s->mongo, &holder, &err) != LKS_E_OK) {
            fprintf(stderr, "lockstep: MongoDB: %s\n", err.text);
            good = false;
        }
        free(holder);
        if (qdrant_ping(s->qdrant, NULL, &err) != LKS_E_OK) {
            fprintf(stderr, "lockstep: Qdrant: %s\n", err.text);
            good = false;
        }
    }
    return good;
}

static uint64_t add_up(const struct loop *loop, json_t *out, bool json)
{
    uint64_t failed = 0;
    for (size_t i = 0; i < loop->count; i++) {
        const struct app_source *source = loop->engines[i].source;
        struct engine_snapshot s;
        engine_snapshot(loop->engines[i].engine, &s);
        json_t *collections = json_object();
        if (!json) printf("%s: %llu documents\n", source->config->name, (unsigned long long)s.scanned);
        for (size_t k = 0; k < s.collection_count; k++) {
            const struct collection_snapshot *c = &s.collections[k];
            failed += c->failed + c->parked;
            json_object_set_new(collections, source->names[k],
                                json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "embedded",
                                          (json_int_t)c->embedded, "upserted", (json_int_t)c->upserted,
                                          "payloads", (json_int_t)c->payloads, "deleted",
                                          (json_int_t)c->deleted, "unchanged", (json_int_t)c->unchanged,
                                          "failed", (json_int_t)c->failed, "waiting", (json_int_t)c->parked));
            if (json) continue;
            printf("  %-16s %llu embedded, %llu payloads rewritten, %llu deleted, %llu unchanged, %llu "
                   "failed, %llu waiting\n",
                   source->names[k], (unsigned long long)c->embedded, (unsigned long long)c->payloads,
                   (unsigned long long)c->deleted, (unsigned long long)c->unchanged,
                   (unsigned long long)c->failed, (unsigned long long)c->parked);
            if (c->circuit != CIRCUIT_CLOSED && c->error[0]) printf("  %-16s not ready: %s\n", "", c->error);
        }
        json_object_set_new(
            out, source->config->name,
            json_pack("{s:I,s:o}", "documents", (json_int_t)s.scanned, "collections", collections));
    }
    return failed;
}

static int one_pass(struct app *app, bool json)
{
    struct progress p = {.terminal = isatty(STDERR_FILENO), .json = json, .began = time(NULL)};
    struct loop loop = {.count = 0};
    struct lks_err err;
    int status = EXIT_FAILED;
    if (app_connect(app, &err) != LKS_E_OK || loop_open(&loop, app, true, &err) != LKS_E_OK ||
        signals_watch(&loop, &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        goto out;
    }
    if (!servers_answer(app)) goto out;
    loop.tick = tick;
    loop.context = &p;
    bool stopped = false;
    loop_run(&loop);
    stopped = loop.stop_by_ms != INT64_MAX;
    if (p.terminal && !json) fputs("\r\033[K", stderr);
    if (p.refused) {
        fprintf(stderr,
                "lockstep: %s holds the lease of this source and keeps it in step already; stop that daemon "
                "to do a pass by hand\n",
                p.holder);
        goto out;
    }
    json_t *sum = json_object();
    uint64_t failed = add_up(&loop, sum, json);
    if (json) json_dumpf(sum, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER), putchar('\n');
    json_decref(sum);
    if (stopped) fputs("lockstep: stopped before the end; the next pass goes on from here\n", stderr);
    if (failed)
        fprintf(stderr, "lockstep: %llu parts of documents are not in step; `lockstep status` says which\n",
                (unsigned long long)failed);
    status = stopped || failed ? EXIT_FAILED : EXIT_DONE;
out:
    signals_unwatch();
    loop_close(&loop);
    return status;
}

static int run(const struct invocation *inv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    bool json = false;
    optind = 1;
    for (int c; (c = getopt_long(inv->count, inv->arguments, "", options, NULL)) != -1;) {
        if (c != 'j') return usage_error(&command_sync, "that option is not known");
        json = true;
    }
    if (optind < inv->count) return usage_error(&command_sync, "what is `%s`?", inv->arguments[optind]);
    struct app *app = app_or_complaint(inv, 0);
    if (!app) return EXIT_USAGE;
    if (app->config->log.level < LOG_LEVEL_WARN)
        log_setup(LOG_LEVEL_WARN, app->config->log.format == CONFIG_LOG_JSON);
    int status = one_pass(app, json);
    app_free(app);
    return status;
}

const struct command command_sync = {
    .name = "sync", .usage = "[--json]", .summary = "one pass over everything, then the end", .run = run};
