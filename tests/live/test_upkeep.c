/*
 * test_upkeep.c - what an operator changes and meets: TLS, plugins from outside and their upgrades, memory
 * through an outage.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/calls.h"
#include "live/tls.h"

/* ---- TLS ---- */

static void through_tls(struct live *w, const char *section, const struct live_process *server,
                        const char *name)
{
    char url[64];
    struct tls_front *front = tls_front_open(w, server->port, name);
    snprintf(url, sizeof url, "https://127.0.0.1:%d", tls_front_port(front));
    live_set(w, section, "url", url);
    setenv("SSL_CERT_FILE", tls_front_certificate(front), 1);
}

START_TEST(qdrant_is_reached_by_tls_and_only_with_a_certificate_that_is_trusted)
{
    struct live w = {.folder = "", .qdrant_api_key = "hush"};
    live_open(&w, "tls");
    insert_made(&w, 0, 60);
    live_set(&w, "qdrant", "api_key", "hush");
    through_tls(&w, "qdrant", &w.qdrant, "qdrant.pem");
    unsetenv("SSL_CERT_FILE");
    daemon_start(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "certificate"));
    EXPECT(&w, points(&w, "tools") <= 0 && process_runs(&w.daemon));
    daemon_stop(&w);
    char path[640];
    snprintf(path, sizeof path, "%s/qdrant.pem", w.folder);
    setenv("SSL_CERT_FILE", path, 1);
    daemon_start(&w);
    live_in_sync(&w);
    update(&w, J("id" : "made-3"), J("$set" : {"categories" : ["Through TLS"]}));
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

START_TEST(an_embedder_is_reached_by_tls)
{
    struct live w = {.folder = "", .embedder_api_key = "hush"};
    live_open(&w, "embedder-tls");
    insert_made(&w, 0, 60);
    live_set(&w, "embedding", "api_key", "hush");
    through_tls(&w, "embedding", &w.embedder, "embedder.pem");
    daemon_start(&w);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

/* ---- plugins from outside, and their versions ---- */

/* Builds FOLDER/NAME.so with nothing but what an installed pkg-config file says, and lets it be found. */
static void build_plugin(struct live *w, const char *name, const char *source)
{
    const char *srcdir = getenv("top_srcdir"), *builddir = getenv("top_builddir");
    char path[700], command[4000];
    snprintf(path, sizeof path, "%s/%s.c", w->folder, name);
    FILE *file = fopen(path, "we");
    if (!file || fputs(source, file) < 0 || fclose(file)) FAIL(w, "%s can't be written", path);
    snprintf(command, sizeof command,
             "cd '%s' && sed 's|^includedir=.*|includedir=%s/include|' '%s/etc/lockstep.pc' >lockstep.pc && "
             "PKG_CONFIG_PATH=\"$PWD:$PKG_CONFIG_PATH\" && export PKG_CONFIG_PATH && rm -f %s.so && "
             "${CC:-cc} -shared -fPIC $(pkg-config --cflags lockstep) -o %s.so %s.c >build.log 2>&1",
             w->folder, srcdir, builddir, name, name, name);
    if (system(command) != 0) FAIL(w, "%s does not build; `%s`", name, command);
    snprintf(path, sizeof path, "%s, %s/plugins", w->folder, builddir);
    live_set(w, "plugins", "path", path);
}

static void build_growing(struct live *w, const char *version, const char *payload)
{
    char source[600];
    snprintf(source, sizeof source,
             "#include <lockstep/plugin.h>\n"
             "const struct lks_plugin lks_plugin = {\n"
             "    LKS_PLUGIN_ABI, .name = \"growing\", .version = \"%s\", .summary = \"grows\",\n"
             "    .watched = LKS_LIST(\"name\"), .payload = LKS_LIST(\"%s\")};\n",
             version, payload);
    build_plugin(w, "growing", source);
}

START_TEST(a_raised_version_of_a_plugin_compares_every_document_and_embeds_nothing_equal)
{
    struct live w = {.folder = ""};
    live_open(&w, "version");
    build_growing(&w, "1", "slug");
    live_set(&w, "collection:growing", "plugin", "growing");
    insert_made(&w, 0, 30);
    daemon_start(&w);
    live_in_sync(&w);
    counters_reset(&w);
    /* somebody meddled with a point; only a comparison with the points themselves finds that */
    char *id = document_text(&w, J("id" : "made-3"), "syncMetadata.collections.growing.pointId"), body[200];
    snprintf(body, sizeof body, "{\"points\":[\"%s\"]}", id);
    daemon_stop(&w);
    build_growing(&w, "2", "slug");
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "POST", "/collections/growing/points/payload/clear?wait=true", body, NULL),
               200);
    daemon_start(&w);
    live_in_sync(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "declaration changed"));
    EXPECT_INT(&w, counters(&w).collection_upserted[0], 0);
    EXPECT(&w, counters(&w).texts <= 1);
    /* and a new payload, by SIGHUP: everything is rewritten, nothing embedded */
    counters_reset(&w);
    build_growing(&w, "3", "website");
    process_signal(&w.daemon, SIGHUP);
    WAIT_UNTIL(&w, counters(&w).upserted == 30);
    EXPECT_INT(&w, counters(&w).texts, 0);
    free(id);
    live_close(&w);
}
END_TEST

START_TEST(a_plugin_built_outside_of_the_tree_is_loaded_by_one_section)
{
    static const char source[] =
        "#include <lockstep/plugin.h>\n"
        "const struct lks_plugin lks_plugin = {\n"
        "    LKS_PLUGIN_ABI, .name = \"outside\", .version = \"1\", .summary = \"from outside\",\n"
        "    .watched = LKS_LIST(\"name 2\", \"status\"), .payload = LKS_LIST(\"slug\")};\n";
    struct live w = {.folder = ""};
    live_open(&w, "outside");
    build_plugin(&w, "outside", source);
    live_set(&w, "collection:outside", "plugin", "outside");
    insert_made(&w, 0, 10);
    daemon_start(&w);
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "outside"), 10);
    update(&w, J("id" : "made-1"), J("$set" : {"status" : "deprecated"}));
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

/* The API reports a plugin that can't go on. */
static bool reported_of_stopped(struct live *w, const struct live_process *server)
{
    json_t *problems = answer(w, server, 200, "GET", "/api/sync/worker/problems", NULL), *p;
    size_t i;
    bool reported = false;
    json_array_foreach(value_at(problems, "problems"), i, p) reported |=
        strcmp(text(p, "code"), "PLUGIN_STOPPED") == 0 && strcmp(text(p, "collection"), "hanging") == 0 &&
        *text(p, "cure");
    json_decref(problems);
    return reported;
}

START_TEST(a_plugin_that_hangs_stops_its_own_collection_alone)
{
    static const char source[] =
        "#include <lockstep/plugin.h>\n"
        "#include <string.h>\n"
        "static lks_verdict text(struct lks_call *call, void *self) {\n"
        "    (void)self;\n"
        "    volatile int hung = strcmp(call->host->string(call, \"name\"), \"Made 7\") == 0;\n"
        "    while (hung) {}\n"
        "    call->host->weighted(call);\n"
        "    return LKS_OK;\n"
        "}\n"
        "const struct lks_plugin lks_plugin = {\n"
        "    LKS_PLUGIN_ABI, .name = \"hanging\", .version = \"1\", .summary = \"hangs\",\n"
        "    .watched = LKS_LIST(\"name\"), .text = text};\n";
    struct live w = {.folder = ""};
    live_open(&w, "hanging");
    build_plugin(&w, "hanging", source);
    live_set(&w, "collection:hanging", "plugin", "hanging");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    insert_made(&w, 0, 60);
    daemon_start(&w);
    struct live_process server = api(&w);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.collections.tools.status" : "synced")) == 60);
    WAIT_UNTIL(&w, log_has(&w.daemon, "hanging") && log_has(&w.daemon, "text"));
    update(&w, J("id" : "made-7"), J("$set" : {"website" : "https://goes-on.example"}));
    insert_made(&w, 60, 10);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.collections.tools.status" : "synced")) == 70);
    WAIT_UNTIL(&w, reported_of_stopped(&w, &server));
    daemon_stop(&w);
    live_set(&w, "collection:hanging", "enabled", "no");
    daemon_start(&w);
    insert_made(&w, 70, 1);
    WAIT_UNTIL(&w, points(&w, "interface") == 71);
    live_close(&w);
}
END_TEST

/* ---- memory ---- */

#define ROUNDS 10

static int64_t resident_kb(pid_t pid)
{
    char path[64], line[200];
    long long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) sscanf(line, "VmRSS: %lld", &kb);
    if (file) fclose(file);
    return kb;
}

START_TEST(a_backlog_of_an_outage_waits_in_mongodb_and_not_in_memory)
{
    struct live w = {.folder = "", .keep_data = true};
    live_open(&w, "backlog");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    insert_made(&w, 0, 200);
    daemon_start(&w);
    live_in_sync(&w);
    struct live_process server = api(&w);
    int64_t before = resident_kb(w.daemon.pid), most_docs = 0, most_bytes = 0, most_kb = 0;
    process_kill(&w.qdrant);
    for (size_t round = 0; round < ROUNDS; round++) {
        char *change;
        insert_made(&w, 1000 + 1000 * round, 1000);
        change =
            bson_strdup_printf("{\"update\":\"tools\",\"updates\":[{\"q\":{\"slug\":{\"$lt\":\"made-3\"}},"
                               "\"u\":{\"$set\":{\"tagline\":\"Round %zu\"}},\"multi\":true}]}",
                               round);
        on_database(&w, change);
        bson_free(change);
        json_t *state = answer(&w, &server, 200, "GET", "/api/sync/worker/state", NULL);
        int64_t docs = number_at(state, "documentsInWork"), bytes = number_at(state, "bytesInWork");
        EXPECT(&w, docs <= number_at(state, "creditsDocuments"));
        EXPECT(&w, bytes <= number_at(state, "creditsBytes"));
        if (docs > most_docs) most_docs = docs;
        if (bytes > most_bytes) most_bytes = bytes;
        if (resident_kb(w.daemon.pid) > most_kb) most_kb = resident_kb(w.daemon.pid);
        json_decref(state);
    }
    /* all of it is written down, and the daemon has let go of it */
    WAIT_UNTIL(&w, count_documents(&w, J("tagline"
                                         : "Round 9", "syncMetadata.overallStatus"
                                         : "synced")) == 0);
    WAIT_UNTIL(&w, count_documents(&w, J("tagline"
                                         : null, "syncMetadata.overallStatus"
                                         : {"$exists" : false})) == 0);
    EXPECT(&w, process_runs(&w.daemon));
    printf("# %d documents changed during the outage: at most %lld documents and %lld bytes in work; "
           "resident "
           "%lld KB before, at most %lld KB\n",
           200 + 1000 * ROUNDS, (long long)most_docs, (long long)most_bytes, (long long)before,
           (long long)most_kb);
    qdrant_start(&w);
    WAIT_UNTIL(&w, points(&w, "tools") == 200 + 1000 * ROUNDS);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        qdrant_is_reached_by_tls_and_only_with_a_certificate_that_is_trusted,
        an_embedder_is_reached_by_tls,
        a_raised_version_of_a_plugin_compares_every_document_and_embeds_nothing_equal,
        a_plugin_built_outside_of_the_tree_is_loaded_by_one_section,
        a_plugin_that_hangs_stops_its_own_collection_alone,
        a_backlog_of_an_outage_waits_in_mongodb_and_not_in_memory,
    };
    return live_main("upkeep", tests, sizeof tests / sizeof *tests);
}
