/* test_changes.c - what each kind of change costs and does, by the stand-ins' counters. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"

#define FIGMA J("id" : "figma")

static const char *const figma = J("_id"
                                   : "f1", "id"
                                   : "figma", "slug"
                                   : "figma", "name"
                                   : "Figma", "description"
                                   : "Design together", "tagline"
                                   : "Made for teams", "functionality"
                                   : [ "Wireframing", "Prototyping" ], "categories"
                                   : ["Design"], "userTypes"
                                   : [ "Designers", "Developers" ], "industries"
                                   : [ "Software", "Media" ], "deployment"
                                   : ["Cloud"], "interface"
                                   : [ "Web", "Desktop" ], "pricingModel"
                                   : [ "Free", "Paid" ], "status"
                                   : "active", "website"
                                   : "https://figma.example", "contributor"
                                   : "ada");

/* The sample, a few made documents and the one above; all in step; counters from zero. */
static void open_in_step(struct live *w, const char *test)
{
    live_open(w, test);
    insert_sample(w);
    insert_made(w, 0, 20);
    delete_one(w, FIGMA); /* the sample has one of its own */
    insert(w, figma);
    daemon_start(w);
    live_in_step(w);
    counters_reset(w);
}

static int64_t version(struct live *w, const char *collection)
{
    char path[100];
    snprintf(path, sizeof path, "syncMetadata.collections.%s.vectorVersion", collection);
    return document_int(w, FIGMA, path);
}

/* Something else, later, that must come through: what was to happen before it has happened then. */
static void marker(struct live *w, const char *site)
{
    char change[200];
    snprintf(change, sizeof change, "{\"$set\":{\"website\":\"%s\"}}", site);
    update(w, J("id" : "made-7"), change);
    live_in_step(w);
}

START_TEST(an_edit_of_categories_embeds_one_text_and_writes_every_point)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "categories");
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) EXPECT_INT(&w, version(&w, live_collections[i]), 1);
    update(&w, FIGMA, J("$set" : {"categories" : [ "Design", "Collaboration" ]}));
    live_in_step(&w);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts, 1);
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) EXPECT_INT(&w, c.collection_upserted[i], 1);
    EXPECT_INT(&w, c.payloads, 0); /* a new payload goes with the vector that the point has */
    EXPECT_INT(&w, c.deleted, 0);
    EXPECT_INT(&w, version(&w, "functionality"), 2);
    EXPECT_INT(&w, version(&w, "tools"), 1);
    EXPECT_INT(&w, version(&w, "usecases"), 1);
    EXPECT_INT(&w, version(&w, "interface"), 1);
    live_close(&w);
}
END_TEST

START_TEST(an_edit_of_the_website_embeds_nothing_and_writes_every_point)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "website");
    update(&w, FIGMA, J("$set" : {"website" : "https://elsewhere.example"}));
    live_in_step(&w);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts, 0);
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) EXPECT_INT(&w, c.collection_upserted[i], 1);
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) EXPECT_INT(&w, version(&w, live_collections[i]), 1);
    live_close(&w);
}
END_TEST

START_TEST(an_edit_of_the_contributor_reaches_nothing)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "contributor");
    char *before = document_text(&w, FIGMA, "syncMetadata.collections.tools.payloadHash");
    update(&w, FIGMA, J("$set" : {"contributor" : "grace", "lastUpdated" : "2026-01-01"}));
    update(&w, FIGMA, J("$unset" : {"contributor" : ""}));
    marker(&w, "https://after.example");
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts, 0);
    EXPECT_INT(&w, c.upserted, 4); /* the marker's */
    EXPECT(&w, document_says(&w, FIGMA, "syncMetadata.collections.tools.payloadHash", before));
    free(before);
    live_close(&w);
}
END_TEST

START_TEST(a_restart_embeds_nothing_and_writes_nothing)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "restart");
    for (int i = 0; i < 2; i++) {
        daemon_stop(&w);
        daemon_start(&w);
        marker(&w, i ? "https://second.example" : "https://first.example");
    }
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts, 0);
    EXPECT_INT(&w, c.upserted, 8); /* the markers' */
    EXPECT_INT(&w, c.deleted, 0);
    live_close(&w);
}
END_TEST

START_TEST(what_changed_while_the_daemon_was_away_is_brought_over_and_nothing_else)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "away");
    daemon_stop(&w);
    update(&w, FIGMA, J("$set" : {"categories" : ["Drawing"]}));
    delete_one(&w, J("id" : "made-3"));
    insert_made(&w, 100, 1);
    daemon_start(&w);
    live_in_step(&w);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts, 1 + 4);
    EXPECT_INT(&w, c.upserted, 1 + 4 + 3);
    EXPECT_INT(&w, c.deleted, 4);
    live_close(&w);
}
END_TEST

START_TEST(a_kill_in_the_middle_of_the_first_scan_and_a_restart_end_in_the_right_state)
{
    struct live w = {.folder = ""};
    live_open(&w, "kill");
    insert_sample(&w);
    insert_made(&w, 0, 400);
    live_set(&w, "embedding", "batch_size", "8");
    fault(&w, &w.embedder, J("kind" : "openai", "count" : 0, "delay_ms" : 20));
    daemon_start(&w);
    WAIT_UNTIL(&w, points(&w, "tools") > 20);
    daemon_kill(&w);
    EXPECT(&w, points(&w, "tools") < 400);
    faults_clear_all(&w, &w.embedder);
    daemon_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_delete_removes_the_four_points)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "delete");
    int64_t before[LIVE_COLLECTIONS];
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) before[i] = points(&w, live_collections[i]);
    delete_one(&w, FIGMA);
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++)
        WAIT_UNTIL(&w, points(&w, live_collections[i]) == before[i] - 1);
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).deleted, 4);
    EXPECT_INT(&w, counters(&w).texts, 0);
    live_close(&w);
}
END_TEST

START_TEST(a_document_whose_text_becomes_empty_loses_its_point_and_is_synced)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "empty");
    int64_t before = points(&w, "usecases");
    update(&w, FIGMA, J("$unset" : {"industries" : "", "deployment" : ""}, "$set" : {"userTypes" : []}));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "usecases"), before - 1);
    EXPECT(&w, document_says(&w, FIGMA, "syncMetadata.collections.usecases.status", "synced"));
    EXPECT(&w, document_says(&w, FIGMA, "syncMetadata.overallStatus", "synced"));
    update(&w, FIGMA, J("$set" : {"userTypes" : ["Everybody"]}));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "usecases"), before);
    live_close(&w);
}
END_TEST

START_TEST(a_replaced_document_keeps_its_points_without_a_text_embedded)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "replace");
    replace(&w, FIGMA, figma); /* wipes the metadata too */
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 0);
    EXPECT_INT(&w, counters(&w).upserted, 0);
    live_close(&w);
}
END_TEST

/* A string of a megabyte, invalid UTF-8, and a name that is nested fifty levels deep. */
static void insert_monsters(struct live *w)
{
    size_t bytes = (size_t)1 << 20;
    char *large = malloc(bytes);
    bson_t doc = BSON_INITIALIZER, list;
    if (!large) FAIL(w, "no memory");
    memset(large, 'x', bytes);
    for (size_t i = 7; i < bytes; i += 8) large[i] = ' ';
    BSON_APPEND_UTF8(&doc, "id", "large");
    BSON_APPEND_UTF8(&doc, "name", "Large");
    bson_append_utf8(&doc, "longDescription", -1, large, (int)bytes);
    BSON_APPEND_ARRAY_BEGIN(&doc, "categories", &list);
    bson_append_utf8(&list, "0", -1, large, (int)bytes);
    bson_append_array_end(&doc, &list);
    insert_bson(w, &doc);
    bson_reinit(&doc);
    BSON_APPEND_UTF8(&doc, "id", "broken");
    BSON_APPEND_UTF8(&doc, "name", "caf\xe9 \xff\xfe");
    BSON_APPEND_UTF8(&doc, "description", "half a character: \xf0\x9f");
    insert_bson(w, &doc);
    bson_reinit(&doc);
    BSON_APPEND_UTF8(&doc, "id", "caf\xe9");
    BSON_APPEND_UTF8(&doc, "name", "An id that is no UTF-8");
    insert_bson(w, &doc);
    bson_destroy(&doc);
    free(large);
}

START_TEST(messy_documents_neither_crash_nor_block_the_others)
{
    static const char *const messy[] = {
        J("name"
          : "No id"),
        J("id"
          : null, "name"
          : "Null for an id"),
        J("id" : 42, "name"
          : "A number for an id"),
        J("id"
          : {"$numberLong" : "42"}, "name"
          : "The same number in another type"),
        J("id" : 42.5, "name"
          : "A fraction for an id"),
        J("id"
          : [ "a", "b" ], "name"
          : "A list for an id"),
        J("id"
          : {"a" : 1}, "name"
          : "A document for an id"),
        J("id"
          : "", "name"
          : "An empty id"),
        J("id"
          : true, "name"
          : "A boolean for an id"),
        J("id"
          : "nulls", "name"
          : null, "categories"
          : null, "interface"
          : [ null, "" ], "status"
          : null),
        J("id"
          : "numbers", "name" : 7, "description" : 1.5, "categories" : 12, "status"
          : false),
        J("id"
          : "nested", "name"
          : [ "a", [ "b", [ "c", {"d" : 1} ] ] ], "categories"
          : [ ["x"], [], [ "y", ["z"] ] ]),
        J("id"
          : "objects", "name"
          : {"en" : "An object"}, "functionality"
          : {"0" : "list"}, "industries"
          : [ {"a" : 1} ]),
        J("id"
          : "odd", "name"
          : "Odd", "pricing"
          : {"$numberDecimal" : "1.50"}, "website"
          : {"$binary" : {"base64" : "AQI=", "subType" : "00"}}, "logoUrl"
          : {"$date" : {"$numberLong" : "-1"}}, "documentation"
          : {"$minKey" : 1}, "pricingUrl"
          : {"$numberDouble" : "NaN"}),
        J("id"
          : "blank", "name"
          : "   ", "tagline"
          : "\t"),
        J("_id"
          : {"a" : 1, "b" : "x"}, "id"
          : "keyed", "name"
          : "An object for a key"),
        J("_id" : 3.5, "id"
          : "half", "name"
          : "A double for a key"),
        J("id"
          : "with \"quotes\" \\ and \u0001", "name"
          : "Line\nbreaks \u2028 and \ud83d\ude00"),
        J("id"
          : "many", "name"
          : "Many", "syncMetadata"
          : "not ours"),
        J("id"
          : "much", "name"
          : "Much", "syncMetadata"
          : {"overallStatus" : 5, "collections" : ["no"]}),
    };
    struct live w = {.folder = ""};
    live_open(&w, "messy");
    for (size_t i = 0; i < sizeof messy / sizeof *messy / 2; i++) insert(&w, messy[i]);
    insert_made(&w, 0, 10);
    daemon_start(&w);
    live_in_step(&w);
    for (size_t i = sizeof messy / sizeof *messy / 2; i < sizeof messy / sizeof *messy; i++)
        insert(&w, messy[i]);
    insert_monsters(&w);
    insert_made(&w, 10, 10);
    live_in_step(&w);
    EXPECT(&w, document_says(&w,
                             J("name"
                               : "No id"),
                             "syncMetadata.collections.tools.errorCode", "VALIDATION_ERROR"));
    EXPECT(&w, document_says(&w, J("id" : "large"), "syncMetadata.overallStatus", "synced"));
    daemon_stop(&w);
    daemon_start(&w);
    insert_made(&w, 20, 1);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_edit_of_categories_embeds_one_text_and_writes_every_point,
        an_edit_of_the_website_embeds_nothing_and_writes_every_point,
        an_edit_of_the_contributor_reaches_nothing,
        a_restart_embeds_nothing_and_writes_nothing,
        what_changed_while_the_daemon_was_away_is_brought_over_and_nothing_else,
        a_kill_in_the_middle_of_the_first_scan_and_a_restart_end_in_the_right_state,
        a_delete_removes_the_four_points,
        a_document_whose_text_becomes_empty_loses_its_point_and_is_synced,
        a_replaced_document_keeps_its_points_without_a_text_embedded,
        messy_documents_neither_crash_nor_block_the_others,
    };
    return live_main_both("changes", tests, sizeof tests / sizeof *tests, NULL, 0);
}
