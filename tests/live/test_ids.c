/* test_ids.c - business ids that move, return and collide; and more than one daemon. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"
#include "live/harness.h"

static void open_in_step(struct live *w, const char *test)
{
    live_open(w, test);
    insert_made(w, 0, 40);
    daemon_start(w);
    live_in_step(w);
    counters_reset(w);
}

START_TEST(an_id_deleted_and_created_again_many_times_ends_as_the_last_document_has_it)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "recreate");
    for (int i = 0; i < 25; i++) {
        char document[200];
        delete_one(&w, J("id" : "made-5"));
        snprintf(
            document, sizeof document,
            "{\"id\":\"made-5\",\"name\":\"Reborn %d\",\"categories\":[\"Round %d\"],\"interface\":\"Web\"}",
            i, i);
        insert(&w, document);
        if (i % 5 == 0)
            update(&w, J("id" : "made-6"), J("$inc" : {"round" : 1}, "$set" : {"status" : "beta"}));
    }
    live_in_step(&w);
    delete_one(&w, J("id" : "made-5"));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 39);
    live_close(&w);
}
END_TEST

START_TEST(an_id_that_moves_and_moves_back_leaves_no_ghost)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "move");
    update(&w, J("id" : "made-5"), J("$set" : {"id" : "moved"}));
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 0); /* the vector moves along */
    update(&w, J("id" : "moved"), J("$set" : {"id" : "made-5"}));
    live_in_step(&w);
    for (int i = 0; i < 10; i++) {
        update(&w, J("id" : "made-5"), J("$set" : {"id" : "moved"}));
        update(&w, J("id" : "moved"), J("$set" : {"id" : "made-5"}));
    }
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 40);
    live_close(&w);
}
END_TEST

START_TEST(a_document_that_takes_over_another_ones_id_brings_its_vector_along)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "overtake");
    insert(&w, J("_id" : "a", "id" : "one", "name" : "First", "categories" : ["One"]));
    insert(&w, J("_id" : "b", "id" : "two", "name" : "Second", "categories" : ["Two"]));
    live_in_step(&w);
    counters_reset(&w);
    update(&w, J("id" : "one"), J("$set" : {"id" : "two"})); /* the lower _id owns it */
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 0);
    EXPECT_INT(&w, points(&w, "tools"), 41);
    live_close(&w);
}
END_TEST

START_TEST(two_documents_that_swap_their_ids_swap_their_points)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "swap");
    update(&w, J("id" : "made-5"), J("$set" : {"id" : "between"}));
    update(&w, J("id" : "made-6"), J("$set" : {"id" : "made-5"}));
    update(&w, J("id" : "between"), J("$set" : {"id" : "made-6"}));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 40);
    live_close(&w);
}
END_TEST

START_TEST(of_two_documents_with_one_id_the_lower_owns_the_point_and_the_other_follows)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "duplicate");
    insert(&w, J("_id" : "b", "id" : "twice", "name" : "Second", "categories" : ["Two"]));
    live_in_step(&w);
    insert(&w, J("_id" : "a", "id" : "twice", "name" : "First", "categories" : ["One"]));
    live_in_step(&w);
    EXPECT(&w, document_says(&w,
                             J("_id"
                               : "b"),
                             "syncMetadata.collections.tools.errorCode", "VALIDATION_ERROR"));
    char *error = document_text(&w, J("_id" : "b"), "syncMetadata.collections.tools.lastError");
    EXPECT(&w, strstr(error, "a") != NULL);
    free(error);
    delete_one(&w, J("_id" : "a"));
    live_in_step(&w);
    EXPECT(&w, document_says(&w, J("_id" : "b"), "syncMetadata.overallStatus", "synced"));
    insert(&w, J("_id" : "c", "id" : "twice", "name" : "Third"));
    live_in_step(&w);
    update(&w, J("_id" : "b"), J("$set" : {"id" : "alone"}));
    live_in_step(&w);
    EXPECT(&w, document_says(&w, J("_id" : "c"), "syncMetadata.overallStatus", "synced"));
    live_close(&w);
}
END_TEST

START_TEST(duplicates_that_were_there_before_the_first_start_are_told_apart)
{
    struct live w = {.folder = ""};
    live_open(&w, "duplicates-first");
    for (int i = 0; i < 30; i++) {
        char document[120];
        snprintf(document, sizeof document, "{\"_id\":%d,\"id\":\"twin-%d\",\"name\":\"Twin %d\"}", i, i % 10,
                 i);
        insert(&w, document);
    }
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 10);
    live_close(&w);
}
END_TEST

START_TEST(id_field_may_be_the_documents_own_key)
{
    struct live w = {.folder = ""};
    live_open(&w, "own-key");
    live_set(&w, "mongodb", "id_field", "_id");
    insert_made(&w, 0, 10);
    insert(&w, J("_id" : "6500000010c57e9a11003a40", "name" : "Text"));
    insert(&w, J("_id" : {"$oid" : "6500000010c57e9a11003a40"}, "name" : "ObjectId"));
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 12);
    live_close(&w);
}
END_TEST

START_TEST(points_of_others_are_left_alone)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "others");
    struct buf body;
    buf_init(&body, 0);
    buf_puts(&body, "{\"points\":[{\"id\":7,\"payload\":{\"whose\":\"mine\"},\"vector\":[1");
    for (int i = 1; i < 64; i++) buf_puts(&body, ",0");
    buf_puts(&body, "]}]}");
    EXPECT_INT(&w, ask(&w, &w.qdrant, "PUT", "/collections/tools/points?wait=true", body.data, NULL), 200);
    buf_fini(&body);
    daemon_stop(&w);
    daemon_start(&w);
    delete_one(&w, J("id" : "made-1"));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 39 + 1);
    live_close(&w);
}
END_TEST

/* ---- two daemons ---- */

START_TEST(a_second_daemon_waits_and_takes_over_when_the_first_is_killed)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "takeover");
    second_start(&w);
    WAIT_UNTIL(&w, log_has(&w.second, "another process holds the lease"));
    update(&w, J("id" : "made-1"), J("$set" : {"categories" : ["Before"]}));
    live_in_step(&w);
    daemon_kill(&w);
    update(&w, J("id" : "made-1"), J("$set" : {"categories" : ["After"]}));
    delete_one(&w, J("id" : "made-2"));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_daemon_that_slept_through_its_lease_does_no_harm_when_it_wakes)
{
    struct live w = {.folder = ""};
    live_open(&w, "sleeper");
    live_set(&w, "worker", "lease_ms", "2000");
    live_set(&w, "qdrant", "timeout_ms", "500");
    live_set(&w, "embedding", "batch_size", "4");
    insert_made(&w, 0, 300);
    fault(&w, &w.embedder, J("count" : 0, "delay_ms" : 30));
    daemon_start(&w);
    WAIT_UNTIL(&w, points(&w, "tools") > 10);
    second_start(&w);
    process_signal(&w.daemon, SIGSTOP);
    WAIT_UNTIL(&w, log_has(&w.second, "lease taken"));
    update(&w, J("id" : "made-1"), J("$set" : {"categories" : ["While it slept"]}));
    delete_one(&w, J("id" : "made-2"));
    process_signal(&w.daemon, SIGCONT);
    WAIT_UNTIL(&w,
               log_has(&w.daemon, "lease was lost") || log_has(&w.daemon, "another process holds the lease"));
    faults_clear_all(&w, &w.embedder);
    live_in_step(&w);
    EXPECT(&w, process_runs(&w.daemon));
    update(&w, J("id" : "made-3"), J("$set" : {"categories" : ["At the end"]}));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_daemon_that_stops_hands_over_at_once)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "handover");
    live_set(&w, "worker", "lease_ms", "600000"); /* nobody waits for that */
    second_start(&w);
    daemon_stop(&w);
    WAIT_UNTIL(&w, log_has(&w.second, "lease taken"));
    update(&w, J("id" : "made-1"), J("$set" : {"categories" : ["Handed over"]}));
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 1);
    live_close(&w);
}
END_TEST

START_TEST(sighup_takes_up_a_new_configuration_and_a_bad_one_is_refused)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "reload");
    live_set(&w, "worker", "nonsense", "1");
    live_ini(&w);
    process_signal(&w.daemon, SIGHUP);
    WAIT_UNTIL(&w, log_has(&w.daemon, "refused"));
    live_set(&w, "worker", "nonsense", NULL);
    live_set(&w, "collection:interface", "payload", "slug");
    live_ini(&w);
    process_signal(&w.daemon, SIGHUP);
    live_in_step(&w);
    EXPECT(&w, process_runs(&w.daemon));
    EXPECT_INT(&w, counters(&w).texts, 0);
    EXPECT_INT(&w, counters(&w).collection_upserted[3], 40);
    EXPECT_INT(&w, counters(&w).collection_upserted[0], 0);
    live_close(&w);
}
END_TEST

START_TEST(a_collection_switched_off_and_on_again_catches_up)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "off-on");
    daemon_stop(&w);
    live_set(&w, "collection:usecases", "enabled", "no");
    daemon_start(&w);
    update(&w, J("id" : "made-1"), J("$set" : {"industries" : ["While it was off"]}));
    delete_one(&w, J("id" : "made-2"));
    live_in_step(&w);
    daemon_stop(&w);
    live_set(&w, "collection:usecases", "enabled", "yes");
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 1);
    live_close(&w);
}
END_TEST

START_TEST(a_model_that_changes_embeds_everything_again)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "model");
    daemon_stop(&w);
    live_set(&w, "embedding", "model", "another");
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 160);
    EXPECT_INT(&w, document_int(&w, J("id" : "made-1"), "syncMetadata.collections.tools.vectorVersion"), 2);
    live_close(&w);
}
END_TEST

/* Case, and the types of numbers: the application's collation holds more equal than we do. */
START_TEST(ids_are_equal_by_the_simple_collation_whatever_the_collections_own)
{
    struct live w = {.folder = ""};
    live_open(&w, "collation");
    on_database(&w, J("create" : "tools", "collation" : {"locale" : "en", "strength" : 2}));
    insert_made(&w, 0, 5);
    insert(&w, J("_id" : "a", "id" : "figma", "name" : "Lower"));
    insert(&w, J("_id" : "B", "id" : "FIGMA", "name" : "Upper"));
    insert(&w, J("_id" : "c", "id" : {"$numberLong" : "5"}, "name" : "Long"));
    insert(&w, J("_id" : "D", "id" : {"$numberDecimal" : "5.0"}, "name" : "Decimal"));
    insert(&w, J("_id" : "e", "id" : {"$numberDouble" : "-0.0"}, "name" : "Negative zero"));
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 9);
    EXPECT(&w, document_says(&w,
                             J("name"
                               : "Long"),
                             "syncMetadata.collections.tools.errorCode", "VALIDATION_ERROR"));
    delete_one(&w, J("name" : "Decimal")); /* its _id is the lower one */ /* D comes before c */
    insert(&w, J("_id" : "f", "id" : 0, "name" : "Zero"));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 9);
    update(&w, J("name" : "Upper"), J("$set" : {"name" : "Upper case"}));
    delete_one(&w, J("name" : "Lower"));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 8);
    live_close(&w);
}
END_TEST

START_TEST(a_key_that_comes_back_as_another_type_of_number_keeps_its_point)
{
    struct live w = {.folder = ""};
    live_open(&w, "retyped");
    live_set(&w, "mongodb", "id_field", "_id");
    insert(&w, J("_id" : 7, "name" : "Seven", "categories" : ["Numbers"]));
    daemon_start(&w);
    live_in_step(&w);
    counters_reset(&w);
    delete_one(&w, J("_id" : 7));
    insert(&w, J("_id" : {"$numberDouble" : "7.0"}, "name" : "Seven", "categories" : ["Numbers"]));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 1);
    delete_one(&w, J("_id" : 7));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 0);
    live_close(&w);
}
END_TEST

/* Points as version 0.1.0 wrote them: the id in its own type. */
START_TEST(a_point_with_the_id_in_a_wider_type_is_rewritten_and_not_embedded)
{
    struct live w = {.folder = ""};
    json_t *reply = NULL;
    live_open(&w, "respelled");
    insert(&w, J("_id" : {"$numberLong" : "7"}, "id" : "seven", "name" : "Seven"));
    daemon_start(&w);
    live_in_step(&w);
    daemon_stop(&w);
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "POST", "/collections/tools/points/payload?wait=true",
                   "{\"payload\":{\"doc\":\"{\\\"$numberLong\\\":\\\"7\\\"}\"},"
                   "\"key\":\"_lockstep\",\"filter\":{}}",
                   &reply),
               200);
    json_decref(reply);
    counters_reset(&w);
    daemon_start(&w);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", "--repair", NULL), 0);
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 0);
    EXPECT_INT(&w, points(&w, "tools"), 1);
    live_close(&w);
}
END_TEST

static void insert_into(struct live *w, const char *collection, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        char text[200];
        snprintf(
            text, sizeof text,
            "{\"insert\":\"%s\",\"documents\":[{\"_id\":%d,\"id\":\"n-%d\",\"name\":\"N %d\",\"shown\":1}]}",
            collection, i, i, i);
        on_database(w, text);
    }
}

START_TEST(a_view_is_polled_with_records_beside_it)
{
    struct live w = {.folder = ""};
    live_open(&w, "view");
    live_set(&w, "mongodb", "metadata", "sidecar");
    live_set(&w, "mongodb", "poll_interval_ms", "200");
    on_database(&w, J("create" : "tools", "viewOn" : "base", "pipeline" : [ {"$match" : {"shown" : 1}} ]));
    insert_into(&w, "base", 0, 300); /* more than one page */
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "tools"), 300);
    on_database(&w, "{\"update\":\"base\",\"updates\":[{\"q\":{\"_id\":7},\"u\":{\"$set\":{\"shown\":0}}},"
                    "{\"q\":{\"_id\":8},\"u\":{\"$set\":{\"name\":\"Changed\"}}}]}");
    WAIT_UNTIL(&w, points(&w, "tools") == 299);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_capped_collection_is_polled_and_loses_the_points_of_what_fell_out)
{
    struct live w = {.folder = ""};
    live_open(&w, "capped");
    live_set(&w, "mongodb", "metadata", "sidecar");
    live_set(&w, "mongodb", "poll_interval_ms", "200");
    on_database(&w, J("create" : "tools", "capped" : true, "size" : 1000000, "max" : 20));
    insert_into(&w, "tools", 0, 20);
    daemon_start(&w);
    live_in_step(&w);
    insert_into(&w, "tools", 20, 5);
    WAIT_UNTIL(&w, points(&w, "tools") == 20);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_view_without_the_sidecar_is_a_problem_that_says_what_to_do)
{
    struct live w = {.folder = ""};
    live_open(&w, "view-embedded");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    on_database(&w, J("create" : "tools", "viewOn" : "base", "pipeline" : []));
    insert_into(&w, "base", 0, 3);
    daemon_start(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "set `metadata = sidecar`"));
    struct live_process server = api(&w);
    json_t *reply = answer(&w, &server, 200, "GET", "/api/sync/worker/problems", NULL);
    char *problems = json_dumps(reply, JSON_COMPACT);
    EXPECT(&w, strstr(problems, "SOURCE_UNSUPPORTED") != NULL);
    EXPECT(&w, strstr(problems, "MONGODB_UNAVAILABLE") == NULL);
    free(problems);
    json_decref(reply);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {an_id_deleted_and_created_again_many_times_ends_as_the_last_document_has_it,
                                  an_id_that_moves_and_moves_back_leaves_no_ghost,
                                  a_document_that_takes_over_another_ones_id_brings_its_vector_along,
                                  two_documents_that_swap_their_ids_swap_their_points,
                                  of_two_documents_with_one_id_the_lower_owns_the_point_and_the_other_follows,
                                  duplicates_that_were_there_before_the_first_start_are_told_apart,
                                  id_field_may_be_the_documents_own_key,
                                  a_second_daemon_waits_and_takes_over_when_the_first_is_killed,
                                  a_collection_switched_off_and_on_again_catches_up};
    const TTest *const embedded[] = {points_of_others_are_left_alone,
                                     ids_are_equal_by_the_simple_collation_whatever_the_collections_own,
                                     a_key_that_comes_back_as_another_type_of_number_keeps_its_point,
                                     a_point_with_the_id_in_a_wider_type_is_rewritten_and_not_embedded,
                                     a_view_is_polled_with_records_beside_it,
                                     a_capped_collection_is_polled_and_loses_the_points_of_what_fell_out,
                                     a_view_without_the_sidecar_is_a_problem_that_says_what_to_do,
                                     a_daemon_that_slept_through_its_lease_does_no_harm_when_it_wakes,
                                     a_daemon_that_stops_hands_over_at_once,
                                     sighup_takes_up_a_new_configuration_and_a_bad_one_is_refused,
                                     a_model_that_changes_embeds_everything_again};
    return live_main_both("ids", tests, sizeof tests / sizeof *tests, embedded,
                          sizeof embedded / sizeof *embedded);
}
