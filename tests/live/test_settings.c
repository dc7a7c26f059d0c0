/* test_settings.c - what the INI file can ask for beyond the model case, each kept in step over the wire. */
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"

START_TEST(two_sources_are_kept_in_step_each_with_its_own_stream)
{
    struct live w = {.folder = ""};
    live_open(&w, "sources");
    live_set(&w, "source:people", "collection", "people");
    live_set(&w, "source:people", "database", "live");
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
    EXPECT_INT(&w, counters(&w).collection_payloads[0], 0);
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
    struct live w = {.folder = ""};
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
    };
    return live_main("settings", tests, sizeof tests / sizeof *tests);
}
