/* test_metrics.c - `/metrics`: is it well formed, and does it say what happened? And do the dashboard and the
 * alerts ask for what is there? */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"
#include "live/exposition.h"

/* The text of an answer. free() it. */
static char *metrics_text(struct live *w, const struct live_process *server)
{
    char url[96];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/metrics", server->port);
    struct http_call call = {.method = "GET", .url = url, .timeout_ms = (int)LIVE_PATIENCE_MS};
    http_perform(w->http, &call);
    if (call.failure || call.status != 200) FAIL(w, "/metrics: %ld %s", call.status, call.error);
    EXPECT(w, strcmp(call.content_type, "text/plain") == 0);
    char *text = strndup(call.reply.data, call.reply.bytes);
    http_call_fini(&call);
    return text;
}

/* Reads and checks them. exposition_fini() them. */
static struct exposition metrics(struct live *w, const struct live_process *server)
{
    struct exposition e;
    char *text = metrics_text(w, server);
    if (!exposition_read(&e, text)) FAIL(w, "metrics: %s", e.wrong);
    free(text);
    return e;
}

static double value(struct live *w, const struct live_process *server, const char *name, const char *labels)
{
    struct exposition e = metrics(w, server);
    double v = exposition_value(&e, name, labels);
    exposition_fini(&e);
    return v;
}

START_TEST(what_happened_is_counted)
{
    static const struct {
        const char *name, *labels;
        double least, most;
    } expected[] = {
        {"lockstep_documents", "source=\"tools\",collection=\"usecases\",status=\"synced\"", 30, 30},
        {"lockstep_documents", "collection=\"usecases\",status=\"failed\"", 0, 0},
        {"lockstep_lease_held", "source=\"tools\"", 1, 1},
        {"lockstep_mongodb_up", "source=\"tools\"", 1, 1},
        {"lockstep_stream_open", "source=\"tools\"", 1, 1},
        {"lockstep_events_total", "source=\"tools\"", 30, 1e9},
        {"lockstep_documents_settled_total", "source=\"tools\"", 30, 1e9},
        {"lockstep_oldest_unsynced_seconds", "source=\"tools\"", 0, 0},
        {"lockstep_in_work_documents", "source=\"tools\"", 0, 0},
        {"lockstep_in_work_documents_limit", "source=\"tools\"", 1, 1e9},
        {"lockstep_points_upserted_total", "collection=\"interface\"", 30, 30},
        {"lockstep_circuit_open", "collection=\"interface\"", 0, 0},
        {"lockstep_sync_latency_seconds_count", "source=\"tools\"", 30, 1e9},
        {"lockstep_embedding_texts_total", "", 120, 1e9},
        {"lockstep_embedding_requests_total", "result=\"ok\"", 1, 1e9},
        {"lockstep_embedding_requests_total", "result=\"timeout\"", 0, 0},
        {"lockstep_embedding_request_duration_seconds_count", "", 1, 1e9},
        {"lockstep_embedding_estimated_tokens_total", "", 120, 1e9},
        {"lockstep_qdrant_requests_total", "kind=\"upsert\",result=\"ok\"", 4, 1e9},
        {"lockstep_qdrant_requests_total", "kind=\"manage\",result=\"ok\"", 4, 1e9},
        {"lockstep_qdrant_requests_total", "kind=\"upsert\",result=\"rejected\"", 0, 0},
        {"lockstep_qdrant_request_duration_seconds_count", "kind=\"upsert\"", 4, 1e9},
        {"lockstep_mongodb_requests_total", "kind=\"record\",result=\"ok\"", 1, 1e9},
        {"lockstep_mongodb_request_seconds_total", "kind=\"stream_next\"", 1e-6, 1e9},
        {"lockstep_http_requests_total", "method=\"GET\",route=\"/api/sync/{source}/{id}\",status=\"404\"", 2,
         2},
        {"lockstep_http_requests_total", "method=\"\",route=\"none\",status=\"404\"", 1, 1},
        {"lockstep_http_requests_total", "method=\"POST\",route=\"/api/sync/reset/{id}\",status=\"404\"", 1,
         1},
        {"lockstep_http_request_duration_seconds_count", "route=\"/api/sync/status\"", 1, 1e9},
        {"lockstep_build_info", "version=\"", 1, 1},
        {"process_cpu_seconds_total", "", 1e-3, 1e6},
        {"process_resident_memory_bytes", "", 1 << 20, 1e12},
        {"process_open_fds", "", 3, 1e6},
        {"process_max_fds", "", 3, 1e12},
        {"process_start_time_seconds", "", 1.7e9, 1e11},
    };
    struct live w = {.folder = ""};
    live_open(&w, "metrics");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "embedding", "model", "an \"odd\\name");
    daemon_start(&w);
    struct live_process server = api(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "following the change stream"));
    insert_made(&w, 0, 30);
    live_in_sync(&w);
    WAIT_UNTIL(&w,
               value(&w, &server, "lockstep_documents", "collection=\"usecases\",status=\"synced\"") == 30);
    WAIT_UNTIL(&w, value(&w, &server, "lockstep_in_work_documents", "") == 0);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/api/sync/tools/not-there", NULL, NULL), 404);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/api/sync/tools/nor-here", NULL, NULL), 404);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/some/where/else", NULL, NULL), 404);
    EXPECT_INT(&w, ask(&w, &server, "POST", "/api/sync/reset/not-there", NULL, NULL), 404);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/api/sync/status", NULL, NULL), 200);
    struct exposition e = metrics(&w, &server);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        double v = exposition_value(&e, expected[i].name, expected[i].labels);
        if (v < expected[i].least || v > expected[i].most)
            FAIL(&w, "%s{%s} is %g", expected[i].name, expected[i].labels, v);
    }
    for (size_t i = 0; i < e.sample_count; i++)
        EXPECT(&w, !strstr(e.samples[i].labels, "not-there") && !strstr(e.samples[i].labels, "where"));
    EXPECT(&w, exposition_value(&e, "lockstep_embedding_texts_total", "an \\\"odd\\\\name") >= 120);
    exposition_fini(&e);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(counters_only_rise)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "metrics-rise");
    insert_made(&w, 0, 10);
    live_in_sync(&w);
    struct exposition before = metrics(&w, &server);
    insert_made(&w, 10, 10);
    update(&w, J("id" : "made-1"), J("$set" : {"website" : "https://new.example"}));
    live_in_sync(&w);
    WAIT_UNTIL(&w, value(&w, &server, "lockstep_payloads_written_total", "collection=\"tools\"") == 1);
    struct exposition after = metrics(&w, &server);
    size_t compared = 0;
    for (size_t f = 0; f < before.family_count; f++) {
        const struct exposition_family *family = &before.families[f];
        if (strcmp(family->type, "counter") != 0) continue;
        for (size_t i = family->first; i < family->first + family->count; i++, compared++) {
            const struct exposition_sample *s = &before.samples[i];
            if (exposition_value(&after, s->name, s->labels) < s->value)
                FAIL(&w, "%s{%s} fell", s->name, s->labels);
        }
    }
    EXPECT(&w, compared > 100);
    exposition_fini(&before);
    exposition_fini(&after);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(what_fails_is_seen_and_metrics_answer_all_the_same)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "metrics-fails");
    insert_made(&w, 0, 5);
    live_in_sync(&w);
    fault(&w, &w.embedder, J("count" : 0, "status" : 503, "body" : "busy"));
    update(&w, J("id" : "made-1"), J("$set" : {"description" : "another one altogether"}));
    WAIT_UNTIL(&w, value(&w, &server, "lockstep_oldest_unsynced_seconds", "") > 0);
    WAIT_UNTIL(&w, value(&w, &server, "lockstep_embedding_requests_total", "result=\"unavailable\"") > 0);
    WAIT_UNTIL(&w, value(&w, &server, "lockstep_failures_total", "collection=\"tools\"") > 0);
    WAIT_UNTIL(&w, value(&w, &server, "lockstep_documents", "collection=\"tools\",status=\"failed\"") == 1);
    faults_clear_all(&w, &w.embedder);
    live_in_sync(&w);
    WAIT_UNTIL(&w, value(&w, &server, "lockstep_oldest_unsynced_seconds", "") == 0);
    WAIT_UNTIL(&w, value(&w, &server, "lockstep_retries_total", "collection=\"tools\"") > 0);
    process_kill(&w.mongod);
    WAIT_UNTIL(&w, value(&w, &server, "lockstep_mongodb_up", "") == 0);
    EXPECT(&w, value(&w, &server, "process_cpu_seconds_total", "") > 0);
    live_close(&w);
}
END_TEST

/* ---- who asks for them ---- */

static char *read_file(struct live *w, const char *name)
{
    const char *top = getenv("top_srcdir");
    char path[600];
    struct buf text;
    snprintf(path, sizeof path, "%s/%s", top ? top : ".", name);
    FILE *f = fopen(path, "re");
    if (!f) FAIL(w, "%s can't be read", path);
    buf_init(&text, 0);
    char target[4096];
    for (size_t n; (n = fread(target, 1, sizeof target, f)) > 0;) buf_put(&text, target, n);
    fclose(f);
    buf_putc(&text, '\0');
    return buf_take(&text, NULL);
}

static bool there(const struct exposition *e, const char *name)
{
    static const char *const ends[] = {"_bucket", "_sum", "_count"};
    char family[EXPOSITION_NAME_BYTES];
    if (exposition_family(e, name)) return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t bytes = strlen(name), end = strlen(ends[i]);
        if (bytes <= end || strcmp(name + bytes - end, ends[i]) != 0) continue;
        snprintf(family, sizeof family, "%.*s", (int)(bytes - end), name);
        const struct exposition_family *f = exposition_family(e, family);
        if (f && strcmp(f->type, "histogram") == 0) return true;
    }
    return false;
}

/* Every word of the text that looks like a metric of ours must be one. How many different ones there are. */
static size_t check_names(struct live *w, const struct exposition *e, const char *file)
{
    static const char *const begins[] = {"lockstep_", "process_"};
    char *text = read_file(w, file), seen[64][EXPOSITION_NAME_BYTES];
    size_t count = 0;
    for (size_t b = 0; b < 2; b++)
        for (const char *at = text; (at = strstr(at, begins[b])) != NULL;) {
            size_t bytes = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_"), known = 0;
            char name[EXPOSITION_NAME_BYTES];
            snprintf(name, sizeof name, "%.*s", (int)bytes, at);
            if ((at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_')) && !there(e, name))
                FAIL(w, "%s asks for %s, which the daemon doesn't have", file, name);
            while (known < count && strcmp(seen[known], name) != 0) known++;
            if (known == count && count < 64) memcpy(seen[count++], name, sizeof name);
            at += bytes;
        }
    free(text);
    return count;
}

START_TEST(the_dashboard_and_the_alerts_ask_for_what_is_there)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "metrics-names");
    insert_made(&w, 0, 1);
    live_in_sync(&w);
    struct exposition e = metrics(&w, &server);
    EXPECT(&w, check_names(&w, &e, "etc/grafana-dashboard.json") > 15);
    EXPECT(&w, check_names(&w, &e, "etc/alerts.yml") > 5);
    EXPECT(&w, check_names(&w, &e, "docs/reference/metrics.md") > 50);
    json_error_t error;
    char *text = read_file(&w, "etc/grafana-dashboard.json");
    json_t *dashboard = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!dashboard) FAIL(&w, "etc/grafana-dashboard.json: line %d: %s", error.line, error.text);
    json_decref(dashboard);
    free(text);
    exposition_fini(&e);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

/* promtool.sh gives the file's name, and hands it to promtool. */
START_TEST(the_metrics_are_written_to_a_file)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "metrics-file");
    insert_made(&w, 0, 3);
    live_in_sync(&w);
    char *text = metrics_text(&w, &server);
    FILE *f = fopen(getenv("LOCKSTEP_TEST_METRICS_FILE"), "we");
    EXPECT(&w, f && fputs(text, f) >= 0 && fclose(f) == 0);
    free(text);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_happened_is_counted, counters_only_rise,
                                  what_fails_is_seen_and_metrics_answer_all_the_same,
                                  the_dashboard_and_the_alerts_ask_for_what_is_there};
    const TTest *const file_only[] = {the_metrics_are_written_to_a_file};
    if (getenv("LOCKSTEP_TEST_METRICS_FILE")) return live_main("metrics", file_only, 1);
    return live_main("metrics", tests, sizeof tests / sizeof *tests);
}
