/* test_settings.c - what the INI file can ask for beyond the model case, each kept in step over the wire. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

START_TEST(two_sources_are_kept_in_step_each_with_its_own_stream)
{
    struct live w = {.folder = ""};
    live_open(&w, "sources");
    live_set(&w, "source:people", "collection", "people");
    live_set(&w, "source:people", "database", w.database);
    live_set(&w, "collection:skills", "plugin", "fields");
    live_set(&w, "collection:skills", "source", "people");
    live_set(&w, "collection:skills", "watched", "name 2, skills");
    live_set(&w, "collection:skills", "payload", "name");
    insert_made(&w, 0, 10);
    on_database(&w, J("insert"
                      : "people", "documents"
                      : [ {"_id" : 1, "id" : "ada", "name" : "Ada", "skills" : ["engines"]} ]));
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "skills"), 1);
    counters_reset(&w);
    on_database(&w, J("insert"
                      : "people", "documents"
                      : [ {"_id" : 2, "id" : "made-1", "name" : "Grace", "skills" : ["compilers"]} ]));
    on_database(&w, J("update"
                      : "people", "updates"
                      : [ {"q" : {"_id" : 1}, "u" : {"$set" : {"skills" : ["poetry"]}}} ]));
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 2);
    EXPECT_INT(&w, counters(&w).collection_upserted[0], 0);
    delete_one(&w, J("id" : "made-1")); /* of the other source */
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "skills"), 2);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(two_collections_with_one_name_in_qdrant_are_refused)
{
    struct live w = {.folder = ""};
    struct buf err;
    live_open(&w, "shared-name");
    live_set(&w, "collection:usecases", "qdrant_collection", "tools");
    buf_init(&err, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &err, &err, "config", "check", NULL), 2);
    EXPECT(&w, strstr(err.data, "tools") != NULL);
    buf_fini(&err);
    live_close(&w);
}
END_TEST

START_TEST(point_ids_of_an_earlier_system_are_taken_up)
{
    struct live w = {.folder = ""};
    live_open(&w, "prefixed-sha1");
    live_set(&w, "qdrant", "point_id", "prefixed-sha1");
    live_set(&w, "qdrant", "point_id_prefix", "codiesvibe-tools");
    live_set(&w, "qdrant", "collection_prefix", "old-");
    insert_made(&w, 0, 10);
    daemon_start(&w);
    live_in_step(&w);
    daemon_stop(&w);
    live_set(&w, "qdrant", "point_id", "uuidv5"); /* every point moves */
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "old-tools"), 10);
    live_close(&w);
}
END_TEST

START_TEST(a_black_holed_embedder_of_one_collection_delays_no_other)
{
    struct live w = {.folder = ""};
    char url[64];
    live_open(&w, "embedder-hole");
    oracle_start(&w);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", w.oracle.port);
    live_set(&w, "collection:usecases", "embedding.url", url);
    int hole = fault(&w, &w.oracle, J("model" : "elsewhere", "count" : 0, "hang" : true));
    live_set(&w, "collection:usecases", "embedding.model", "elsewhere");
    insert_made(&w, 0, 150);
    daemon_start(&w);
    WAIT_UNTIL(&w, points(&w, "tools") == 150 && points(&w, "interface") == 150);
    EXPECT(&w, points(&w, "usecases") <= 0);
    char path[64];
    snprintf(path, sizeof path, "/__double/faults/%d", hole);
    EXPECT_INT(&w, ask(&w, &w.oracle, "DELETE", path, NULL, NULL), 200);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(an_existing_collection_under_the_name_itself_is_used_as_it_is)
{
    struct live w = {.folder = ""};
    live_open(&w, "existing");
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "PUT", "/collections/tools",
                   J("vectors"
                     : {"size" : 64, "distance" : "Cosine"}),
                   NULL),
               200);
    insert_made(&w, 0, 10);
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, ask(&w, &w.qdrant, "GET", "/collections/tools_v1", NULL, NULL), 404);
    live_close(&w);
}
END_TEST

START_TEST(a_collection_of_another_size_fails_alone_and_says_so)
{
    struct live w = {.folder = ""};
    live_open(&w, "other-size");
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "PUT", "/collections/usecases",
                   J("vectors"
                     : {"size" : 3, "distance" : "Cosine"}),
                   NULL),
               200);
    insert_made(&w, 0, 20);
    daemon_start(&w);
    WAIT_UNTIL(&w, points(&w, "tools") == 20 && points(&w, "functionality") == 20 &&
                       points(&w, "interface") == 20);
    WAIT_UNTIL(&w, log_has(&w.daemon, "64"));
    EXPECT_INT(&w, points(&w, "usecases"), 0);
    EXPECT_INT(&w, ask(&w, &w.qdrant, "DELETE", "/collections/usecases", NULL, NULL), 200);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(variables_of_the_environment_win_over_the_file)
{
    struct live w = {.folder = "", .stand_ins = true};
    struct buf out;
    live_open(&w, "environment");
    buf_init(&out, 0);
    setenv("LOCKSTEP_QDRANT_COLLECTION_PREFIX", "from-outside-", 1);
    setenv("SYNC_WORKER_BATCH_SIZE", "7", 1);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "config", "show", NULL), 0);
    EXPECT(&w, strstr(out.data, "from-outside-") && strstr(out.data, "batch_size = 7"));
    insert_made(&w, 0, 5);
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "from-outside-tools"), 5);
    buf_fini(&out);
    live_close(&w);
}
END_TEST

/* ---- plugins from outside ---- */

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
             "PKG_CONFIG_PATH=\"$PWD:$PKG_CONFIG_PATH\" && export PKG_CONFIG_PATH && "
             "${CC:-cc} -shared -fPIC $(pkg-config --cflags lockstep) -o %s.so %s.c >build.log 2>&1",
             w->folder, srcdir, builddir, name, name);
    if (system(command) != 0) FAIL(w, "%s does not build; `%s`", name, command);
    snprintf(path, sizeof path, "%s, %s/plugins", w->folder, builddir);
    live_set(w, "plugins", "path", path);
}

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
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "outside"), 10);
    update(&w, J("id" : "made-1"), J("$set" : {"status" : "deprecated"}));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* The API tells of a plugin that can't go on. */
static bool told_of_stopped(struct live *w, const struct live_process *server)
{
    json_t *problems = answer(w, server, 200, "GET", "/api/sync/worker/problems", NULL), *p;
    size_t i;
    bool told = false;
    json_array_foreach(value_at(problems, "problems"), i, p) told |=
        strcmp(text(p, "code"), "PLUGIN_STOPPED") == 0 && strcmp(text(p, "collection"), "hanging") == 0 &&
        *text(p, "cure");
    json_decref(problems);
    return told;
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
    WAIT_UNTIL(&w, told_of_stopped(&w, &server));
    daemon_stop(&w);
    live_set(&w, "collection:hanging", "enabled", "no");
    daemon_start(&w);
    insert_made(&w, 70, 1);
    WAIT_UNTIL(&w, points(&w, "interface") == 71);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        two_sources_are_kept_in_step_each_with_its_own_stream,
        two_collections_with_one_name_in_qdrant_are_refused,
        point_ids_of_an_earlier_system_are_taken_up,
        a_black_holed_embedder_of_one_collection_delays_no_other,
        an_existing_collection_under_the_name_itself_is_used_as_it_is,
        a_collection_of_another_size_fails_alone_and_says_so,
        variables_of_the_environment_win_over_the_file,
        a_plugin_built_outside_of_the_tree_is_loaded_by_one_section,
        a_plugin_that_hangs_stops_its_own_collection_alone,
    };
    return live_main("settings", tests, sizeof tests / sizeof *tests);
}
