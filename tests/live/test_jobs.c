/* test_jobs.c - long work that somebody asks the daemon for: /api/jobs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live/calls.h"

#define DOCS 12

/* The daemon that was started last, when it is at work. */
static struct live_process at_work(struct live *w)
{
    struct live_process server = {.port = 0};
    json_t *state = NULL;
    WAIT_UNTIL(w, (json_decref(state), state = NULL, server = api(w),
                   ask(w, &server, "GET", "/api/sync/worker/state", NULL, &state) == 200 &&
                       strcmp(text(state, "phase"), "run") == 0));
    json_decref(state);
    return server;
}

/* What is embedded by force has to be asked for, as no text is remembered. */
static struct live_process open_forgetful(struct live *w, const char *test, size_t count)
{
    live_open(w, test);
    live_set(w, "api", "listen", "127.0.0.1:0");
    live_set(w, "embedding", "cache_mb", "0");
    insert_made(w, 0, count);
    daemon_start(w);
    struct live_process server = at_work(w);
    live_in_step(w);
    return server;
}

static struct live_process open_in_step(struct live *w, const char *test)
{
    struct live_process server = open_with_api(w, test);
    insert_made(w, 0, DOCS);
    live_in_step(w);
    counters_reset(w);
    return server;
}

static void job_path(char out[80], const json_t *job)
{
    snprintf(out, 80, "/api/jobs/%s", text(job, "id"));
}

static bool is_over(const json_t *job)
{
    const char *state = text(job, "state");
    return strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
}

/* Its object when it is over. Takes the one it had at first. */
static json_t *over(struct live *w, const struct live_process *server, json_t *job)
{
    char path[80];
    job_path(path, job);
    for (int64_t until_ms = live_now_ms() + LIVE_PATIENCE_MS; !is_over(job); live_pause()) {
        if (live_now_ms() > until_ms) FAIL(w, "job %s is not over: %s", path, text(job, "state"));
        json_decref(job);
        job = answer(w, server, 200, "GET", path, NULL);
    }
    return job;
}

/* Asks for a job, waits for its end; it must be in this state then. */
static json_t *do_job(struct live *w, const struct live_process *server, const char *state, const char *path,
                      const char *body)
{
    json_t *job = over(w, server, answer(w, server, 202, "POST", path, body));
    if (strcmp(text(job, "state"), state) != 0)
        FAIL(w, "%s is %s, not %s: %s", body, text(job, "state"), state, text(job, "error"));
    return job;
}

static void spoil_payload(struct live *w, const char *filter)
{
    char body[200], *id = document_text(w, filter, "syncMetadata.collections.tools.pointId");
    snprintf(body, sizeof body, "{\"points\":[\"%s\"],\"payload\":{\"name\":\"Spoilt\"}}", id);
    EXPECT_INT(w, ask(w, &w->qdrant, "POST", "/collections/tools/points/payload?wait=true", body, NULL), 200);
    free(id);
}

START_TEST(a_sync_compares_everything_and_says_what_it_did)
{
    struct live w = {.folder = ""};
    struct live_process server = open_in_step(&w, "job-sync");
    struct buf reply;
    buf_init(&reply, 0);
    const char request[] = "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n"
                           "Connection: close\r\n\r\n{\"job\":\"sync\"}";
    EXPECT_INT(&w, raw_call(&w, &server, request, sizeof request - 1, &reply), 202);
    EXPECT(&w, strstr(reply.data, "Location: /api/jobs/") != NULL);
    json_t *job = over(&w, &server, raw_json(&reply));
    EXPECT(&w, strcmp(text(job, "state"), "done") == 0);
    EXPECT(&w, strcmp(text(job, "source"), "tools") == 0);
    EXPECT_INT(&w, number_at(job, "result.documents"), DOCS);
    EXPECT_INT(&w, number_at(job, "result.collections.tools.unchanged"), DOCS);
    EXPECT_INT(&w, number_at(job, "result.collections.usecases.embedded"), 0);
    EXPECT(&w, *text(job, "createdAt") && *text(job, "startedAt") && *text(job, "endedAt"));
    EXPECT(&w, json_is_null(json_object_get(job, "error")));
    json_decref(job);
    buf_fini(&reply);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_forced_sync_of_one_collection_embeds_that_one_alone)
{
    struct live w = {.folder = ""};
    struct live_process server = open_in_step(&w, "job-force");
    json_t *job = do_job(&w, &server, "done", "/api/jobs",
                         "{\"job\":\"sync\",\"options\":{\"collections\":[\"usecases\"],\"force\":true}}");
    EXPECT_INT(&w, number_at(job, "result.collections.usecases.embedded"), DOCS);
    EXPECT(&w, value_at(job, "result.collections.tools") == NULL);
    json_decref(job);
    EXPECT_INT(&w, counters(&w).collection_upserted[2], DOCS);
    EXPECT_INT(&w, counters(&w).upserted, DOCS);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_sync_of_ids_tells_of_each_of_them)
{
    struct live w = {.folder = ""};
    struct live_process server = open_in_step(&w, "job-ids");
    json_t *job = do_job(&w, &server, "done", "/api/jobs",
                         "{\"job\":\"sync\",\"options\":{\"ids\":[\"made-1\",\"made-2\"],\"force\":true,"
                         "\"collections\":[\"tools\"]}}");
    EXPECT_INT(&w, number_at(job, "result.documents"), 2);
    EXPECT_INT(&w, json_array_size(value_at(job, "result.results")), 2);
    EXPECT(&w, strcmp(text_at(job, "result.results.0.collections.0.reason"), "embedded") == 0);
    json_decref(job);
    EXPECT_INT(&w, counters(&w).upserted, 2);
    job = do_job(&w, &server, "failed", "/api/jobs",
                 "{\"job\":\"sync\",\"options\":{\"ids\":[\"made-3\",\"nobody\"]}}");
    EXPECT_INT(&w, number_at(job, "result.documents"), 2);
    EXPECT_INT(&w, number_at(job, "result.failed"), 1);
    EXPECT(&w, strcmp(text_at(job, "result.results.0.errorCode"), "NOT_FOUND") == 0);
    EXPECT(&w, strcmp(text(job, "errorCode"), "NOT_IN_STEP") == 0);
    json_decref(job);
    live_close(&w);
}
END_TEST

/* With the records of all documents beside them, so that the index of that place answers. */
static void retries_what_failed(const char *test, const char *metadata)
{
    struct live w = {.folder = ""};
    live_open(&w, test);
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "mongodb", "metadata", metadata);
    live_set(&w, "worker", "base_backoff_ms", "86400000");
    live_set(&w, "worker", "max_backoff_ms", "86400000");
    insert_made(&w, 0, DOCS);
    daemon_start(&w);
    struct live_process server = at_work(&w);
    live_in_step(&w);
    fault(&w, &w.qdrant, J("collection" : "interface*", "kind" : "upsert", "count" : 0, "status" : 400));
    update(&w, J("id" : "made-1"), J("$set" : {"interface" : ["Anew"]}));
    update(&w, J("id" : "made-7"), J("$set" : {"interface" : ["Anew"]}));
    json_t *status = NULL;
    WAIT_UNTIL(&w, (json_decref(status), status = answer(&w, &server, 200, "GET", "/api/sync/status", NULL),
                    number(status, "failed") == 2));
    json_decref(status);
    faults_clear_all(&w, &w.qdrant);
    counters_reset(&w);
    json_t *job =
        do_job(&w, &server, "done", "/api/jobs", "{\"job\":\"sync\",\"options\":{\"failed\":true}}");
    EXPECT_INT(&w, number_at(job, "result.documents"), 2);
    json_decref(job);
    EXPECT_INT(&w, counters(&w).upserted, 2);
    live_in_step(&w);
    job = do_job(&w, &server, "done", "/api/jobs", "{\"job\":\"sync\",\"options\":{\"failed\":true}}");
    EXPECT_INT(&w, number_at(job, "result.documents"), 0);
    json_decref(job);
    live_close(&w);
}

START_TEST(a_sync_of_what_failed_takes_all_of_that_and_nothing_else)
{
    retries_what_failed("job-failed", "embedded");
}
END_TEST

START_TEST(a_sync_of_what_failed_finds_records_in_the_sidecar)
{
    retries_what_failed("job-failed-sidecar", "sidecar");
}
END_TEST

START_TEST(a_rehearsal_writes_nothing)
{
    struct live w = {.folder = ""};
    struct live_process server = open_in_step(&w, "job-dry-run");
    json_t *job = do_job(&w, &server, "done", "/api/jobs",
                         "{\"job\":\"sync\",\"options\":{\"dryRun\":true,\"force\":true}}");
    EXPECT_INT(&w, number_at(job, "result.collections.tools.embed.count"), DOCS);
    json_decref(job);
    EXPECT_INT(&w, counters(&w).upserted, 0);
    live_close(&w);
}
END_TEST

static void verifies(const char *test, const char *metadata)
{
    struct live w = {.folder = ""};
    live_open(&w, test);
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "mongodb", "metadata", metadata);
    insert_made(&w, 0, DOCS);
    daemon_start(&w);
    struct live_process server = at_work(&w);
    live_in_step(&w);
    json_t *job = do_job(&w, &server, "done", "/api/jobs", "{\"job\":\"verify\"}");
    EXPECT(&w, json_is_true(value_at(job, "result.inStep")));
    EXPECT_INT(&w, number_at(job, "result.found.documents"), DOCS);
    json_decref(job);
    char body[300];
    json_t *entry = answer(&w, &server, 200, "GET", "/api/sync/tools/made-4", NULL);
    snprintf(body, sizeof body, "{\"points\":[\"%s\"],\"payload\":{\"name\":\"Spoilt\"}}",
             text_at(entry, "syncMetadata.collections.tools.pointId"));
    json_decref(entry);
    EXPECT_INT(&w, ask(&w, &w.qdrant, "POST", "/collections/tools/points/payload?wait=true", body, NULL),
               200);
    job = do_job(&w, &server, "done", "/api/jobs", "{\"job\":\"verify\"}");
    EXPECT(&w, json_is_false(value_at(job, "result.inStep")));
    EXPECT_INT(&w, number_at(job, "result.found.collections.tools.wrong-payload"), 1);
    EXPECT(&w, strcmp(text_at(job, "result.found.list.0.id"), "") != 0);
    json_decref(job);
    counters_reset(&w);
    job = do_job(&w, &server, "done", "/api/jobs", "{\"job\":\"verify\",\"options\":{\"repair\":true}}");
    EXPECT(&w, json_is_true(value_at(job, "result.inStep")));
    EXPECT_INT(&w, number_at(job, "result.found.findings"), 1);
    EXPECT_INT(&w, number_at(job, "result.left.findings"), 0);
    json_decref(job);
    EXPECT_INT(&w, counters(&w).texts, 0);
    EXPECT_INT(&w, counters(&w).upserted, 1);
    live_in_step(&w);
    live_close(&w);
}

START_TEST(a_verification_finds_and_repairs)
{
    verifies("job-verify", "embedded");
}
END_TEST

START_TEST(a_verification_reads_records_in_the_sidecar)
{
    verifies("job-verify-sidecar", "sidecar");
}
END_TEST

START_TEST(a_sample_looks_at_so_many_documents)
{
    struct live w = {.folder = ""};
    struct live_process server = open_in_step(&w, "job-sample");
    spoil_payload(&w, J("id" : "made-3"));
    json_t *job =
        do_job(&w, &server, "done", "/api/jobs",
               "{\"job\":\"verify\",\"options\":{\"sample\":5,\"collections\":[\"functionality\"]}}");
    EXPECT_INT(&w, number_at(job, "result.found.documents"), 5);
    EXPECT(&w, json_is_true(value_at(job, "result.inStep"))); /* what is wrong is in another collection */
    json_decref(job);
    live_close(&w);
}
END_TEST

static void forgets(const char *test, const char *metadata)
{
    struct live w = {.folder = ""};
    live_open(&w, test);
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "mongodb", "metadata", metadata);
    insert_made(&w, 0, DOCS);
    daemon_start(&w);
    live_in_step(&w);
    daemon_stop(&w);
    live_set(&w, "collection:usecases", "enabled", "no");
    daemon_start(&w);
    struct live_process server = at_work(&w);
    live_in_step(&w);
    json_t *job = answer(&w, &server, 400, "POST", "/api/jobs",
                         "{\"job\":\"forget\",\"options\":{\"collection\":\"usecases\"}}");
    EXPECT(&w, strstr(text(job, "error"), "confirm") != NULL);
    json_decref(job);
    EXPECT_INT(&w, points(&w, "usecases"), DOCS);
    job = do_job(&w, &server, "done", "/api/jobs",
                 "{\"job\":\"forget\",\"options\":{\"collection\":\"usecases\",\"confirm\":true}}");
    EXPECT_INT(&w, number_at(job, "result.entries"), DOCS);
    EXPECT_INT(&w, number_at(job, "result.points"), DOCS);
    EXPECT(&w, json_is_true(value_at(job, "result.collectionDeleted")));
    json_decref(job);
    EXPECT_INT(&w, points(&w, "usecases"), -1);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.collections.usecases" : {"$exists" : true})), 0);
    EXPECT_INT(&w, points(&w, "tools"), DOCS);
    live_in_step(&w);
    live_close(&w);
}

START_TEST(a_collection_that_was_switched_off_is_forgotten)
{
    forgets("job-forget", "embedded");
}
END_TEST

START_TEST(a_collection_is_forgotten_in_the_sidecar_too)
{
    forgets("job-forget-sidecar", "sidecar");
}
END_TEST

START_TEST(bad_options_are_named_with_what_is_valid)
{
    static const struct {
        const char *body, *code, *says;
    } cases[] = {
        {"{", "BAD_REQUEST", ""},
        {"[]", "BAD_REQUEST", ""},
        {"{}", "BAD_REQUEST", "sync, verify, forget"},
        {"{\"job\":7}", "BAD_REQUEST", "`job`"},
        {"{\"job\":\"dance\"}", "BAD_REQUEST", "dance; valid ones are: sync, verify, forget"},
        {"{\"job\":\"migrate\"}", "NOT_AVAILABLE", "not there yet"},
        {"{\"job\":\"sync\",\"option\":{}}", "BAD_REQUEST", "`option` is no field"},
        {"{\"job\":\"sync\",\"options\":[]}", "BAD_REQUEST", "`options` is no object"},
        {"{\"job\":\"sync\",\"options\":{\"dryrun\":true}}", "BAD_REQUEST", "ids, failed, collections"},
        {"{\"job\":\"sync\",\"options\":{\"force\":1}}", "BAD_REQUEST",
         "`options.force` takes true or false"},
        {"{\"job\":\"sync\",\"options\":{\"ids\":[]}}", "BAD_REQUEST", "`options.ids` takes a list"},
        {"{\"job\":\"sync\",\"options\":{\"ids\":[\"a\",2]}}", "BAD_REQUEST", "options.ids[1]"},
        {"{\"job\":\"sync\",\"options\":{\"failed\":true,\"ids\":[\"a\"]}}", "BAD_REQUEST", "neither"},
        {"{\"job\":\"sync\",\"options\":{\"collections\":[\"toolz\"]}}", "INVALID_COLLECTION",
         "toolz; valid ones are: tools"},
        {"{\"job\":\"verify\",\"options\":{\"sample\":0}}", "BAD_REQUEST", "from 1 to 1000000"},
        {"{\"job\":\"verify\",\"options\":{\"force\":true}}", "BAD_REQUEST", "repair, sample, collections"},
        {"{\"job\":\"forget\"}", "BAD_REQUEST", "`options.collection`"},
        {"{\"job\":\"forget\",\"options\":{\"collection\":\"tools\",\"confirm\":true}}", "INVALID_COLLECTION",
         "is enabled"},
        {"{\"job\":\"forget\",\"options\":{\"collection\":\"none\",\"confirm\":true}}", "INVALID_COLLECTION",
         "invalid collection: none"},
    };
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "job-options");
    json_t *status = NULL;
    WAIT_UNTIL(&w,
               (json_decref(status), ask(&w, &server, "POST", "/api/sync/worker/run", "", &status) == 200));
    json_decref(status);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *reply = answer(&w, &server, 400, "POST", "/api/jobs", cases[i].body);
        if (strcmp(text(reply, "code"), cases[i].code) != 0 || !strstr(text(reply, "error"), cases[i].says))
            FAIL(&w, "%s: %s, %s", cases[i].body, text(reply, "code"), text(reply, "error"));
        json_decref(reply);
    }
    json_decref(answer(&w, &server, 404, "POST", "/api/jobs?source=none", "{\"job\":\"sync\"}"));
    json_decref(answer(&w, &server, 404, "GET", "/api/jobs/none", NULL));
    json_decref(answer(&w, &server, 404, "DELETE", "/api/jobs/none", NULL));
    json_decref(answer(&w, &server, 405, "PUT", "/api/jobs", "{}"));
    json_t *list = answer(&w, &server, 200, "GET", "/api/jobs", NULL);
    EXPECT_INT(&w, json_array_size(json_object_get(list, "jobs")), 0);
    json_decref(list);
    live_close(&w);
}
END_TEST

START_TEST(jobs_of_a_source_wait_for_each_other_and_are_stopped)
{
    struct live w = {.folder = ""};
    struct live_process server = open_forgetful(&w, "job-stop", DOCS);
    char first[80], second[80];
    fault(&w, &w.embedder, J("count" : 0, "hang" : true));
    json_t *job = answer(&w, &server, 202, "POST", "/api/jobs",
                         "{\"job\":\"sync\",\"options\":{\"ids\":[\"made-1\"],\"force\":true}}");
    job_path(first, job);
    json_decref(job);
    job = answer(&w, &server, 202, "POST", "/api/jobs", "{\"job\":\"verify\"}");
    job_path(second, job);
    EXPECT(&w, strcmp(text(job, "state"), "queued") == 0);
    json_decref(job);
    job = NULL;
    WAIT_UNTIL(&w, (json_decref(job), job = answer(&w, &server, 200, "GET", first, NULL),
                    strcmp(text(job, "state"), "running") == 0));
    json_decref(job);
    json_t *list = answer(&w, &server, 200, "GET", "/api/jobs", NULL);
    EXPECT_INT(&w, json_array_size(json_object_get(list, "jobs")), 2);
    EXPECT(&w, strcmp(text_at(list, "jobs.0.job"), "verify") == 0); /* newest first */
    EXPECT(&w, strcmp(text_at(list, "jobs.0.state"), "queued") == 0);
    json_decref(list);
    job = answer(&w, &server, 200, "DELETE", second, NULL);
    EXPECT(&w, strcmp(text(job, "state"), "stopped") == 0);
    EXPECT(&w, json_is_null(json_object_get(job, "startedAt")));
    json_decref(job);
    job = over(&w, &server, answer(&w, &server, 200, "DELETE", first, NULL));
    EXPECT(&w, strcmp(text(job, "state"), "stopped") == 0);
    json_decref(job);
    job = answer(&w, &server, 200, "DELETE", first, NULL); /* once more is harmless */
    EXPECT(&w, strcmp(text(job, "state"), "stopped") == 0);
    json_decref(job);
    faults_clear_all(&w, &w.embedder);
    /* what hung was answered with nothing at all, which the record may say, and who comes early hears */
    job = NULL;
    WAIT_UNTIL(&w, (json_decref(job),
                    job = over(&w, &server,
                               answer(&w, &server, 202, "POST", "/api/jobs",
                                      "{\"job\":\"sync\",\"options\":{\"ids\":[\"made-1\"]}}")),
                    strcmp(text(job, "state"), "done") == 0));
    json_decref(job);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* What waits behind a comparison that was stopped begins at the first document again. */
START_TEST(a_comparison_is_stopped_in_the_middle_and_made_anew)
{
    struct live w = {.folder = ""};
    struct live_process server = open_forgetful(&w, "job-stop-scan", 1500);
    fault(&w, &w.embedder, J("count" : 0, "hang" : true));
    char path[80];
    json_t *job = answer(&w, &server, 202, "POST", "/api/jobs",
                         "{\"job\":\"sync\",\"options\":{\"force\":true,\"collections\":[\"tools\"]}}");
    job_path(path, job);
    EXPECT(&w, *text(job, "id"));
    WAIT_UNTIL(&w, (json_decref(job), job = answer(&w, &server, 200, "GET", path, NULL),
                    number_at(job, "progress.done") > 0 || is_over(job)));
    EXPECT(&w, strcmp(text(job, "state"), "running") == 0);
    json_decref(job);
    job = over(&w, &server, answer(&w, &server, 200, "DELETE", path, NULL));
    EXPECT(&w, strcmp(text(job, "state"), "stopped") == 0);
    json_decref(job);
    faults_clear_all(&w, &w.embedder);
    job = do_job(&w, &server, "done", "/api/jobs", "{\"job\":\"sync\"}");
    EXPECT_INT(&w, number_at(job, "result.documents"), 1500);
    json_decref(job);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_sync_that_leaves_something_out_of_step_fails)
{
    struct live w = {.folder = ""};
    struct live_process server = open_in_step(&w, "job-fails");
    fault(&w, &w.qdrant, J("collection" : "interface*", "kind" : "upsert", "count" : 0, "status" : 400));
    json_t *job =
        do_job(&w, &server, "failed", "/api/jobs", "{\"job\":\"sync\",\"options\":{\"force\":true}}");
    EXPECT(&w, strcmp(text(job, "errorCode"), "NOT_IN_STEP") == 0);
    EXPECT(&w, number_at(job, "result.collections.interface.failed") > 0);
    EXPECT_INT(&w, number_at(job, "result.collections.tools.failed"), 0);
    json_decref(job);
    faults_clear_all(&w, &w.qdrant);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(each_source_has_jobs_of_its_own)
{
    struct live w = {.folder = ""};
    live_open(&w, "job-sources");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "source:people", "collection", "people");
    live_set(&w, "source:people", "database", w.database);
    live_set(&w, "source:people", "metadata", "sidecar");
    live_set(&w, "collection:skills", "plugin", "fields");
    live_set(&w, "collection:skills", "source", "people");
    live_set(&w, "collection:skills", "watched", "name 2, skills");
    live_set(&w, "collection:skills", "payload", "name");
    insert_made(&w, 0, DOCS);
    on_database(&w, J("insert"
                      : "people", "documents"
                      : [ {"_id" : 1, "id" : "ada", "name" : "Ada", "skills" : ["engines"]} ]));
    daemon_start(&w);
    struct live_process server = at_work(&w);
    live_in_step(&w);
    counters_reset(&w);
    json_t *job = do_job(&w, &server, "done", "/api/jobs?source=people",
                         "{\"job\":\"sync\",\"options\":{\"force\":true}}");
    EXPECT_INT(&w, number_at(job, "result.documents"), 1);
    EXPECT(&w, strcmp(text(job, "source"), "people") == 0);
    json_decref(job);
    EXPECT_INT(&w, counters(&w).upserted, 1);
    json_t *reply = answer(&w, &server, 400, "POST", "/api/jobs?source=people",
                           "{\"job\":\"sync\",\"options\":{\"collections\":[\"tools\"]}}");
    EXPECT(&w, strstr(text(reply, "error"), "skills") != NULL);
    json_decref(reply);
    job = do_job(&w, &server, "done", "/api/jobs?source=people", "{\"job\":\"verify\"}");
    EXPECT_INT(&w, number_at(job, "result.found.documents"), 1);
    json_decref(job);
    json_decref(do_job(&w, &server, "done", "/api/jobs", "{\"job\":\"verify\"}"));
    json_t *list = answer(&w, &server, 200, "GET", "/api/jobs?source=people", NULL);
    EXPECT_INT(&w, json_array_size(json_object_get(list, "jobs")), 2);
    json_decref(list);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(who_does_not_have_the_lease_takes_no_jobs)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "job-lease");
    second_start(&w);
    struct live_process server = api_of(&w, &w.second);
    json_t *reply = NULL;
    WAIT_UNTIL(&w, (json_decref(reply),
                    reply = answer(&w, &server, 503, "POST", "/api/jobs", "{\"job\":\"sync\"}"),
                    strstr(text(reply, "error"), "another process") != NULL));
    EXPECT(&w, strcmp(text(reply, "code"), "NOT_AT_WORK") == 0);
    json_decref(reply);
    live_close(&w);
}
END_TEST

START_TEST(a_daemon_that_ends_stops_its_jobs_and_says_so)
{
    struct live w = {.folder = ""};
    struct live_process server = open_in_step(&w, "job-ending");
    fault(&w, &w.qdrant, J("kind" : "retrieve", "count" : 0, "hang" : true));
    char path[80];
    json_t *job = answer(&w, &server, 202, "POST", "/api/jobs", "{\"job\":\"verify\"}");
    job_path(path, job);
    WAIT_UNTIL(&w, (json_decref(job), job = answer(&w, &server, 200, "GET", path, NULL),
                    strcmp(text(job, "state"), "running") == 0));
    json_decref(job);
    process_signal(&w.daemon, 15);
    WAIT_UNTIL(&w, !process_runs(&w.daemon));
    EXPECT(&w, log_has(&w.daemon, "job stopped"));
    faults_clear_all(&w, &w.qdrant);
    live_close(&w);
}
END_TEST

static void read_until(struct live *w, int fd, struct buf *came, const char *part)
{
    char some[4096];
    while (!came->data || !strstr(came->data, part)) {
        ssize_t bytes = recv(fd, some, sizeof some, 0);
        if (bytes <= 0) FAIL(w, "%s never came: %s", part, came->data ? came->data : "");
        buf_put(came, some, (size_t)bytes);
    }
}

START_TEST(jobs_are_told_as_events)
{
    struct live w = {.folder = ""};
    struct live_process server = open_in_step(&w, "job-events");
    const char request[] = "GET /api/sync/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int fd = raw_open(&w, &server);
    raw_send(fd, request, sizeof request - 1);
    struct buf came;
    buf_init(&came, 0);
    read_until(&w, fd, &came, "\r\n\r\n"); /* told is what comes after the listener */
    json_decref(do_job(&w, &server, "done", "/api/jobs", "{\"job\":\"verify\"}"));
    read_until(&w, fd, &came, "\"state\":\"done\"");
    EXPECT(&w, strstr(came.data, "event: job") != NULL);
    close(fd);
    buf_fini(&came);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_sync_compares_everything_and_says_what_it_did,
        a_forced_sync_of_one_collection_embeds_that_one_alone,
        a_sync_of_ids_tells_of_each_of_them,
        a_sync_of_what_failed_takes_all_of_that_and_nothing_else,
        a_sync_of_what_failed_finds_records_in_the_sidecar,
        a_rehearsal_writes_nothing,
        a_verification_finds_and_repairs,
        a_verification_reads_records_in_the_sidecar,
        a_sample_looks_at_so_many_documents,
        a_collection_that_was_switched_off_is_forgotten,
        a_collection_is_forgotten_in_the_sidecar_too,
        bad_options_are_named_with_what_is_valid,
        jobs_of_a_source_wait_for_each_other_and_are_stopped,
        a_comparison_is_stopped_in_the_middle_and_made_anew,
        a_sync_that_leaves_something_out_of_step_fails,
        each_source_has_jobs_of_its_own,
        who_does_not_have_the_lease_takes_no_jobs,
        a_daemon_that_ends_stops_its_jobs_and_says_so,
        jobs_are_told_as_events,
    };
    return live_main("jobs", tests, sizeof tests / sizeof *tests);
}
