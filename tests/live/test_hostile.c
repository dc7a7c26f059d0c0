/* test_hostile.c - documents as nobody would wish them: each with a defined outcome, the others undisturbed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/hostile.h"

/* ---- every type in every field ---- */

static const char *const watched[] = {"name",          "description", "longDescription", "tagline",
                                      "functionality", "categories",  "industries",      "userTypes",
                                      "deployment",    "interface",   "pricingModel",    "status"};
#define WATCHED (sizeof watched / sizeof *watched)

static const char *const values[] = {
    "{\"$numberDouble\":\"1.5\"}",
    "{\"$numberDouble\":\"NaN\"}",
    "{\"$numberDouble\":\"-Infinity\"}",
    "\"text\"",
    "\"\"",
    "{\"a\":{\"b\":[1]}}",
    "{}",
    "[]",
    "[[],[[\"deep\",[7]],null,{\"a\":1}]]",
    "{\"$binary\":{\"base64\":\"AAH/\",\"subType\":\"00\"}}",
    "{\"$binary\":{\"base64\":\"AAECAwQFBgcICQoLDA0ODw==\",\"subType\":\"04\"}}",
    "{\"$undefined\":true}",
    "{\"$oid\":\"0123456789abcdef01234567\"}",
    "true",
    "{\"$date\":{\"$numberLong\":\"-62135596800001\"}}",
    "{\"$date\":{\"$numberLong\":\"9223372036854775807\"}}",
    "null",
    "{\"$regularExpression\":{\"pattern\":\"a\",\"options\":\"i\"}}",
    "{\"$dbPointer\":{\"$ref\":\"a.b\",\"$id\":{\"$oid\":\"0123456789abcdef01234567\"}}}",
    "{\"$code\":\"f()\"}",
    "{\"$symbol\":\"symbol\"}",
    "{\"$code\":\"f()\",\"$scope\":{\"x\":1}}",
    "{\"$numberInt\":\"-2147483648\"}",
    "{\"$timestamp\":{\"t\":4294967295,\"i\":1}}",
    "{\"$numberLong\":\"9223372036854775807\"}",
    "{\"$numberDecimal\":\"1E+6144\"}",
    "{\"$numberDecimal\":\"NaN\"}",
    "{\"$minKey\":1}",
    "{\"$maxKey\":1}",
};
#define VALUES (sizeof values / sizeof *values)

START_TEST(every_type_in_every_watched_field_is_in_sync)
{
    struct live w = {.folder = ""};
    char text[300];
    open_among_neighbours(&w, "types");
    for (size_t v = 0; v < VALUES; v++)
        for (size_t f = 0; f < WATCHED; f++) {
            snprintf(text, sizeof text,
                     "{\"_id\":\"t-%zu-%zu\",\"id\":\"t-%zu-%zu\",\"slug\":\"t\",\"%s\":%s}", v, f, v, f,
                     watched[f], values[v]);
            insert(&w, text);
        }
    run_among_neighbours(&w);
    EXPECT_INT(&w,
               count_documents(&w, J("syncMetadata.overallStatus"
                                     : "synced")),
               VALUES * WATCHED + NEIGHBOURS);
    neighbours_are_undisturbed(&w);
    for (size_t v = 0; v < VALUES; v++) { /* and when a good one becomes such a one */
        snprintf(text, sizeof text, "{\"$set\":{\"name\":%s,\"categories\":%s,\"website\":%s}}", values[v],
                 values[v], values[v]);
        char filter[64];
        snprintf(filter, sizeof filter, "{\"_id\":\"t-%zu-1\"}", v);
        update(&w, filter, text);
    }
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

/* ---- sizes ---- */

/* A document with these fields; `fill` bytes of 'x' (or of a control character) in the one called so. */
static void insert_filled(struct live *w, const char *id, const char *field, size_t bytes, int fill)
{
    char *text = malloc(bytes + 1);
    bson_t doc = BSON_INITIALIZER;
    EXPECT(w, text != NULL);
    memset(text, fill, bytes);
    text[bytes] = '\0';
    BSON_APPEND_UTF8(&doc, "_id", id);
    BSON_APPEND_UTF8(&doc, "id", id);
    if (strcmp(field, "name") != 0) BSON_APPEND_UTF8(&doc, "name", id);
    EXPECT(w, BSON_APPEND_UTF8(&doc, field, text));
    insert_bson(w, &doc);
    bson_destroy(&doc);
    free(text);
}

START_TEST(documents_of_16_megabytes_are_synced_with_their_record_beside_them)
{
    struct live w = {.folder = ""};
    open_among_neighbours(&w, "16-mb");
    live_set(&w, "qdrant", "timeout_ms", "3500"); /* much to send */
    /* all that MongoDB allows, in a field that is nobody's; and in one that is embedded */
    insert_filled(&w, "full", "notes", 16 * MEGABYTE - 200, 'x');
    insert_filled(&w, "full-text", "description", 16 * MEGABYTE - 200, 'x');
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    says(&w, "full", "syncMetadata.overallStatus", ""); /* no room for it */
    EXPECT_INT(&w,
               count_in(&w, "tools.lockstep",
                        J("_id"
                          : {"$in" : [ "full", "full-text" ]}, "syncMetadata.overallStatus"
                          : "synced")),
               2);
    update(&w, J("_id" : "full"), J("$set" : {"name" : "fuller"}));
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_payload_that_qdrant_could_not_take_is_refused_before_it_is_sent)
{
    struct live w = {.folder = ""};
    open_among_neighbours(&w, "payload");
    insert_filled(&w, "escapes", "description", 5 * MEGABYTE, '\001'); /* six bytes each in JSON */
    insert_filled(&w, "long", "name", MEGABYTE, 'x');
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    says(&w, "escapes", ENTRY("tools", "errorCode"), "VALIDATION_ERROR");
    says(&w, "escapes", ENTRY("tools", "status"), "failed");
    says(&w, "escapes", ENTRY("usecases", "status"), "synced");
    says(&w, "long", "syncMetadata.overallStatus", "synced");
    update(&w, J("_id" : "escapes"), J("$set" : {"description" : "short by now"}));
    live_in_sync(&w);
    says(&w, "escapes", "syncMetadata.overallStatus", "synced");
    live_close(&w);
}
END_TEST

static void insert_elements(struct live *w, const char *id, const char *field, size_t count)
{
    bson_t doc = BSON_INITIALIZER, list;
    char key[24], text[40];
    BSON_APPEND_UTF8(&doc, "_id", id);
    BSON_APPEND_UTF8(&doc, "id", id);
    BSON_APPEND_UTF8(&doc, "name", id);
    BSON_APPEND_ARRAY_BEGIN(&doc, field, &list);
    for (size_t i = 0; i < count; i++) {
        snprintf(key, sizeof key, "%zu", i);
        snprintf(text, sizeof text, "element %zu", i);
        BSON_APPEND_UTF8(&list, key, text);
    }
    bson_append_array_end(&doc, &list);
    insert_bson(w, &doc);
    bson_destroy(&doc);
}

/* Levels of arrays, or of documents, in `field`. */
static void insert_nested(struct live *w, const char *id, const char *field, int levels, bool arrays)
{
    bson_t *inner = BCON_NEW("0", "at the bottom");
    for (int i = 0; i < levels; i++) {
        bson_t *outer = bson_new();
        if (arrays)
            BSON_APPEND_ARRAY(outer, "0", inner);
        else
            BSON_APPEND_DOCUMENT(outer, "in", inner);
        bson_destroy(inner);
        inner = outer;
    }
    bson_t *doc = BCON_NEW("_id", id, "id", id, "name", id);
    if (arrays)
        BSON_APPEND_ARRAY(doc, field, inner);
    else
        BSON_APPEND_DOCUMENT(doc, field, inner);
    insert_bson(w, doc);
    bson_destroy(inner);
    bson_destroy(doc);
}

START_TEST(long_lists_and_deep_ones_are_synced)
{
    struct live w = {.folder = ""};
    open_among_neighbours(&w, "lists");
    insert_elements(&w, "long-list", "categories", 10000);
    insert_elements(&w, "long-payload", "pricing", 10000);
    insert_nested(&w, "deep-list", "categories", 90, true);
    insert_nested(&w, "deep-document", "pricing", 90, false);
    insert_nested(&w, "deep-nothing", "categories", 90, false);
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")), NEIGHBOURS + 5);
    says(&w, "deep-nothing", ENTRY("functionality", "pointId"), ""); /* a document adds nothing to a text */
    EXPECT_INT(&w, points(&w, "functionality"), NEIGHBOURS + 2);
    live_close(&w);
}
END_TEST

START_TEST(what_is_huge_is_synced_whichever_watched_field_it_is_in)
{
    struct live w = {.folder = ""};
    char id[40];
    open_among_neighbours(&w, "huge");
    live_set(&w, "qdrant", "timeout_ms", "3500");
    for (size_t f = 0; f < WATCHED; f++) {
        snprintf(id, sizeof id, "list-%zu", f);
        if (strcmp(watched[f], "name") != 0) insert_elements(&w, id, watched[f], 10000);
        snprintf(id, sizeof id, "deep-%zu", f);
        if (strcmp(watched[f], "name") != 0) insert_nested(&w, id, watched[f], 90, true);
        snprintf(id, sizeof id, "long-%zu", f);
        insert_filled(&w, id, watched[f], MEGABYTE, 'x');
    }
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    EXPECT_INT(&w,
               count_documents(&w, J("syncMetadata.overallStatus"
                                     : "synced")),
               NEIGHBOURS + 3 * (int64_t)WATCHED - 2);
    update(&w, J("_id" : "list-5"), J("$set" : {"categories" : ["short by now"]}));
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

/* ---- bytes ---- */

/* Everything a string may hold that is no text, in every field; and every such field twice. */
START_TEST(bytes_that_are_no_text_in_any_watched_field_are_synced_and_so_is_a_field_twice)
{
    static const char bad[] = "a\xff\xc3(\xed\xa0\x80z";
    struct live w = {.folder = ""};
    open_among_neighbours(&w, "bad-bytes");
    for (size_t f = 0; f < WATCHED; f++) {
        char id[40], other[40];
        bson_t doc = BSON_INITIALIZER, twice = BSON_INITIALIZER;
        snprintf(id, sizeof id, "bytes-%zu", f);
        snprintf(other, sizeof other, "twice-%zu", f);
        BSON_APPEND_UTF8(&doc, "_id", id);
        BSON_APPEND_UTF8(&doc, "id", id);
        bson_append_utf8(&doc, watched[f], -1, bad, (int)sizeof bad - 1);
        insert_bson(&w, &doc);
        BSON_APPEND_UTF8(&twice, "_id", other);
        BSON_APPEND_UTF8(&twice, "id", other);
        BSON_APPEND_INT32(&twice, watched[f], 7);
        BSON_APPEND_UTF8(&twice, watched[f], "the second");
        bson_append_utf8(&twice, watched[f], -1, bad, (int)sizeof bad - 1);
        insert_bson(&w, &twice);
        bson_destroy(&doc);
        bson_destroy(&twice);
    }
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    EXPECT_INT(&w,
               count_documents(&w, J("syncMetadata.overallStatus"
                                     : "synced")),
               NEIGHBOURS + 2 * (int64_t)WATCHED);
    live_close(&w);
}
END_TEST

static void insert_pricing(struct live *w, const char *id)
{
    bson_t doc = BSON_INITIALIZER, names;
    BSON_APPEND_UTF8(&doc, "_id", id);
    BSON_APPEND_UTF8(&doc, "id", id);
    BSON_APPEND_UTF8(&doc, "name", id);
    BSON_APPEND_DOCUMENT_BEGIN(&doc, "pricing", &names);
    BSON_APPEND_INT32(&names, "", 1);
    BSON_APPEND_INT32(&names, "a.b", 2);
    BSON_APPEND_INT32(&names, "\"quoted\\", 3);
    BSON_APPEND_INT32(&names, "\xff\xfe", 4);
    BSON_APPEND_INT32(&names, "same", 5);
    BSON_APPEND_INT32(&names, "same", 6);
    BSON_APPEND_INT32(&names, "_lockstep", 7);
    bson_append_document_end(&doc, &names);
    insert_bson(w, &doc);
    bson_destroy(&doc);
}

START_TEST(names_of_fields_may_be_anything)
{
    struct live w = {.folder = ""};
    open_among_neighbours(&w, "names");
    insert_pricing(&w, "odd-names");
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    says(&w, "odd-names", "syncMetadata.overallStatus", "synced");
    live_close(&w);
}
END_TEST

static void insert_bytes(struct live *w, const char *id, const char *name, int bytes)
{
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&doc, "_id", id);
    BSON_APPEND_UTF8(&doc, "id", id);
    bson_append_utf8(&doc, "name", -1, name, bytes);
    bson_append_utf8(&doc, "website", -1, name, bytes);
    insert_bson(w, &doc);
    bson_destroy(&doc);
}

START_TEST(bytes_that_are_no_text_and_keys_that_come_twice_are_synced)
{
    struct live w = {.folder = ""};
    open_among_neighbours(&w, "bytes");
    insert_bytes(&w, "invalid", "a\xff\xc3(\xed\xa0\x80z",
                 8); /* a stale point byte, a cut pair, a surrogate */
    insert_bytes(&w, "nul", "a\0b", 3);
    insert_bytes(&w, "controls", "\001\t\n\x7f\xc2\x80", 6);
    bson_t twice = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&twice, "_id", "twice");
    BSON_APPEND_UTF8(&twice, "id", "twice");
    BSON_APPEND_UTF8(&twice, "name", "the first");
    BSON_APPEND_UTF8(&twice, "name", "the second");
    insert_bson(&w, &twice);
    bson_destroy(&twice);
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")), NEIGHBOURS + 4);
    live_close(&w);
}
END_TEST

START_TEST(something_under_sync_metadata_that_is_no_record_is_replaced)
{
    static const char *const messes[] = {
        "7",
        "\"synced\"",
        "[]",
        "{}",
        "{\"overallStatus\":7}",
        "{\"collections\":[1,2]}",
        "{\"overallStatus\":\"synced\",\"collections\":{\"tools\":7}}",
        "{\"overallStatus\":\"synced\",\"collections\":{\"tools\":{\"status\":\"synced\",\"contentHash\":"
        "\"somebody's\"}}}",
        "{\"collections\":{\"tools\":{\"status\":\"failed\",\"retryCount\":\"many\",\"nextRetryAt\":"
        "\"never\"}}}",
    };
    struct live w = {.folder = ""};
    char text[400];
    open_among_neighbours(&w, "messes");
    live_set(&w, "mongodb", "adopt_metadata", "yes"); /* or the first start is refused */
    for (size_t i = 0; i < sizeof messes / sizeof *messes; i++) {
        snprintf(text, sizeof text, "{\"_id\":\"m-%zu\",\"id\":\"m-%zu\",\"name\":\"M\",\"syncMetadata\":%s}",
                 i, i, messes[i]);
        insert(&w, text);
    }
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    for (size_t i = 0; i < sizeof messes / sizeof *messes; i++) { /* and when it comes later */
        snprintf(text, sizeof text, "{\"$set\":{\"syncMetadata\":%s,\"name\":\"Later\"}}", messes[i]);
        char filter[64];
        snprintf(filter, sizeof filter, "{\"_id\":\"m-%zu\"}", i);
        update(&w, filter, text);
    }
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

/* ---- all at once ---- */

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
    live_in_sync(&w);
    for (size_t i = sizeof messy / sizeof *messy / 2; i < sizeof messy / sizeof *messy; i++)
        insert(&w, messy[i]);
    insert_monsters(&w);
    insert_made(&w, 10, 10);
    live_in_sync(&w);
    EXPECT(&w, document_says(&w,
                             J("name"
                               : "No id"),
                             "syncMetadata.collections.tools.errorCode", "VALIDATION_ERROR"));
    EXPECT(&w, document_says(&w, J("id" : "large"), "syncMetadata.overallStatus", "synced"));
    daemon_stop(&w);
    daemon_start(&w);
    insert_made(&w, 20, 1);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_type_in_every_watched_field_is_in_sync,
        documents_of_16_megabytes_are_synced_with_their_record_beside_them,
        a_payload_that_qdrant_could_not_take_is_refused_before_it_is_sent,
        long_lists_and_deep_ones_are_synced,
        what_is_huge_is_synced_whichever_watched_field_it_is_in,
        bytes_that_are_no_text_and_keys_that_come_twice_are_synced,
        bytes_that_are_no_text_in_any_watched_field_are_synced_and_so_is_a_field_twice,
        names_of_fields_may_be_anything,
        something_under_sync_metadata_that_is_no_record_is_replaced,
    };
    const TTest *const both[] = {messy_documents_neither_crash_nor_block_the_others};
    return live_main_both("hostile", both, sizeof both / sizeof *both, tests, sizeof tests / sizeof *tests);
}
