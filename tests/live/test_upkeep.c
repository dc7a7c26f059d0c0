/*
 * test_upkeep.c - what an operator changes and meets: TLS, reloads, upgrades of plugins, memory through an
 * outage, what `config show` says.
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
    live_in_step(&w);
    update(&w, J("id" : "made-3"), J("$set" : {"categories" : ["Through TLS"]}));
    live_in_step(&w);
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
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* ---- reloads ---- */

START_TEST(a_reload_takes_up_everything_that_may_change)
{
    struct live w = {.folder = ""};
    live_open(&w, "reload-all");
    insert_made(&w, 0, 40);
    daemon_start(&w);
    live_in_step(&w);
    pid_t before = w.daemon.pid;
    /* bad in what only a check of everything finds: a plugin that isn't there */
    live_set(&w, "collection:more", "plugin", "missing");
    live_ini(&w);
    process_signal(&w.daemon, SIGHUP);
    WAIT_UNTIL(&w, log_has(&w.daemon, "the new configuration is refused"));
    EXPECT(&w, log_has(&w.daemon, "missing"));
    live_set(&w, "collection:more", NULL, NULL);
    update(&w, J("id" : "made-1"), J("$set" : {"categories" : ["Goes on as before"]}));
    live_in_step(&w);
    /* and good: a collection more, one less, another embedder, another prefix */
    oracle_start(&w);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", w.oracle.port);
    live_set(&w, "collection:interface", "enabled", "no");
    live_set(&w, "collection:names", "plugin", "fields");
    live_set(&w, "collection:names", "watched", "name");
    live_set(&w, "collection:names", "embedding.url", url);
    live_ini(&w);
    process_signal(&w.daemon, SIGHUP);
    WAIT_UNTIL(&w, points(&w, "names") == 40);
    live_in_step(&w);
    EXPECT_INT(&w, w.daemon.pid, before); /* it executed itself again */
    EXPECT(&w, process_runs(&w.daemon));
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

/* ---- a plugin's version ---- */

static void build_plugin(struct live *w, const char *version, const char *payload)
{
    const char *srcdir = getenv("top_srcdir"), *builddir = getenv("top_builddir");
    char path[700], command[4000];
    snprintf(path, sizeof path, "%s/growing.c", w->folder);
    FILE *file = fopen(path, "we");
    EXPECT(w, file != NULL);
    fprintf(file,
            "#include <lockstep/plugin.h>\n"
            "const struct lks_plugin lks_plugin = {\n"
            "    LKS_PLUGIN_ABI, .name = \"growing\", .version = \"%s\", .summary = \"grows\",\n"
            "    .watched = LKS_LIST(\"name\"), .payload = LKS_LIST(\"%s\")};\n",
            version, payload);
    fclose(file);
    snprintf(
        command, sizeof command,
        "cd '%s' && sed 's|^includedir=.*|includedir=%s/include|' '%s/etc/lockstep.pc' >lockstep.pc && "
        "PKG_CONFIG_PATH=\"$PWD:$PKG_CONFIG_PATH\" && export PKG_CONFIG_PATH && rm -f growing.so && "
        "${CC:-cc} -shared -fPIC $(pkg-config --cflags lockstep) -o growing.so growing.c >build.log 2>&1",
        w->folder, srcdir, builddir);
    if (system(command) != 0) FAIL(w, "the plugin does not build; `%s`", command);
}

START_TEST(a_raised_version_of_a_plugin_compares_every_document_and_embeds_nothing_equal)
{
    struct live w = {.folder = ""};
    char path[1200];
    live_open(&w, "version");
    build_plugin(&w, "1", "slug");
    snprintf(path, sizeof path, "%s, %s/plugins", w.folder, getenv("top_builddir"));
    live_set(&w, "plugins", "path", path);
    live_set(&w, "collection:growing", "plugin", "growing");
    insert_made(&w, 0, 30);
    daemon_start(&w);
    live_in_step(&w);
    counters_reset(&w);
    /* somebody meddled with a point; only a comparison with the points themselves finds that */
    char *id = document_text(&w, J("id" : "made-3"), "syncMetadata.collections.growing.pointId"), body[200];
    snprintf(body, sizeof body, "{\"points\":[\"%s\"]}", id);
    daemon_stop(&w);
    build_plugin(&w, "2", "slug");
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "POST", "/collections/growing/points/payload/clear?wait=true", body, NULL),
               200);
    daemon_start(&w);
    live_in_step(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "declaration changed"));
    EXPECT_INT(&w, counters(&w).collection_upserted[0], 0);
    EXPECT(&w, counters(&w).texts <= 1);
    /* and a new payload, by SIGHUP: everything is rewritten, nothing embedded */
    counters_reset(&w);
    build_plugin(&w, "3", "website");
    process_signal(&w.daemon, SIGHUP);
    WAIT_UNTIL(&w, counters(&w).upserted == 30);
    EXPECT_INT(&w, counters(&w).texts, 0);
    free(id);
    live_close(&w);
}
END_TEST

/* ---- a plugin given up for a declaration ---- */

START_TEST(the_model_collections_declared_in_the_ini_file_have_the_same_hashes)
{
    static const char *const declared[LIVE_COLLECTIONS][2] = {
        {"name 3, description 2, longDescription 1.5, tagline 1", NULL},
        {"functionality 2.5, categories 2", "Features: {functionality}, Categories: {categories}"},
        {"industries 2, userTypes 2, deployment 1.5",
         "\"Designed for {userTypes| and } in {industries} industries\", Deployment options: {deployment}"},
        {"interface 2, pricingModel 1.5, status 1",
         "Available interfaces: {interface}, Pricing model: {pricingModel}, Current status: {status}"},
    };
    struct live w = {.folder = ""};
    live_open(&w, "declared");
    insert_sample(&w);
    daemon_start(&w);
    live_in_step(&w);
    daemon_stop(&w);
    counters_reset(&w);
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) {
        char section[64];
        snprintf(section, sizeof section, "collection:%s", live_collections[i]);
        live_set(&w, section, "plugin", "fields");
        live_set(&w, section, "watched", declared[i][0]);
        live_set(&w, section, "sentences", declared[i][1]);
        live_set(&w, section, "payload",
                 "id as toolId, name, slug, categories, functionality, interface, industries, userTypes, "
                 "deployment, pricingModel, status, pricing, pricingUrl, website, documentation, logoUrl");
    }
    daemon_start(&w);
    live_in_step(&w); /* whose payloads and hashes are by now those of the declarations */
    insert_made(&w, 0, 1);
    live_in_step(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "declaration changed")); /* all were compared */
    EXPECT_INT(&w, counters(&w).texts, 4);
    EXPECT_INT(&w, counters(&w).upserted, 4);
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
    live_in_step(&w);
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
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* ---- config show ---- */

static bool says(const struct buf *text, const char *part)
{
    return text->data && strstr(text->data, part) != NULL;
}

START_TEST(config_show_says_where_each_value_comes_from)
{
    struct live w = {.folder = ""};
    struct buf out;
    char path[640];
    live_open(&w, "origins");
    snprintf(path, sizeof path, "%s/key", w.folder);
    FILE *file = fopen(path, "we");
    EXPECT(&w, file && fputs("hush-in-a-file\n", file) >= 0 && fclose(file) == 0);
    live_set(&w, "qdrant", "api_key_file", path);
    live_set(&w, "embedding", "api_key", "hush-in-the-file");
    setenv("LOCKSTEP_API_TOKEN", "hush-in-the-environment", 1);
    setenv("SYNC_WORKER_BATCH_SIZE", "7", 1);
    setenv("LOCKSTEP_COLLECTION_TOOLS_EMBEDDING_MODEL", "of-tools", 1);
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, &out, "config", "show", NULL), 0);
    printf("# %zu bytes\n", out.bytes);
    EXPECT(&w, !says(&out, "hush"));
    EXPECT(&w, says(&out, "SYNC_WORKER_BATCH_SIZE") && says(&out, "LOCKSTEP_API_TOKEN"));
    EXPECT(&w, says(&out, "LOCKSTEP_COLLECTION_TOOLS_EMBEDDING_MODEL") && says(&out, "of-tools"));
    EXPECT(&w, says(&out, "lockstep.ini:") && says(&out, "default"));
    buf_fini(&out);
    live_close(&w);
}
END_TEST

START_TEST(a_variable_that_fits_nothing_is_refused)
{
    struct live w = {.folder = ""};
    struct buf err;
    live_open(&w, "no-such-variable");
    setenv("LOCKSTEP_QDRANT_FLAVOUR", "vanilla", 1);
    setenv("LOCKSTEP_TEST_ANYTHING", "is left alone", 1);
    buf_init(&err, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &err, &err, "config", "check", NULL), 2);
    EXPECT(&w, says(&err, "LOCKSTEP_QDRANT_FLAVOUR") && !says(&err, "LOCKSTEP_TEST_ANYTHING"));
    buf_fini(&err);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        qdrant_is_reached_by_tls_and_only_with_a_certificate_that_is_trusted,
        an_embedder_is_reached_by_tls,
        a_reload_takes_up_everything_that_may_change,
        a_raised_version_of_a_plugin_compares_every_document_and_embeds_nothing_equal,
        the_model_collections_declared_in_the_ini_file_have_the_same_hashes,
        a_backlog_of_an_outage_waits_in_mongodb_and_not_in_memory,
        config_show_says_where_each_value_comes_from,
        a_variable_that_fits_nothing_is_refused,
    };
    return live_main("upkeep", tests, sizeof tests / sizeof *tests);
}
