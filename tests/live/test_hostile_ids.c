/* test_hostile_ids.c - ids as nobody would wish them, business ids and MongoDB's own: each with a defined
 * outcome, the others undisturbed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/hostile.h"

/* ---- business ids ---- */

static const struct {
    const char *id, *field; /* as a member of the document, with its comma; "" where there is none */
    const char *complaint;  /* NULL: it has points */
} ids[] = {
    {"missing", "", "missing"},
    {"null", "\"id\":null,", "null"},
    {"undefined", "\"id\":{\"$undefined\":true},", "null"},
    {"array", "\"id\":[\"a\",\"b\"],", "array"},
    {"list-of-one", "\"id\":[\"a\"],", "array"},
    {"document", "\"id\":{\"a\":1},", "document"},
    {"empty", "\"id\":\"\",", "blank"},
    {"blank", "\"id\":\" \\t\",", "blank"},
    {"with-nul", "\"id\":\"a\\u0000b\",", "NUL"},
    {"number", "\"id\":42,", NULL},
    {"nan", "\"id\":{\"$numberDouble\":\"NaN\"},", "is NaN"},
    {"nan-decimal", "\"id\":{\"$numberDecimal\":\"NaN\"},", "is NaN"},
    {"decimal", "\"id\":{\"$numberDecimal\":\"42.50\"},", NULL},
    {"the-same-number", "\"id\":{\"$numberDecimal\":\"42.0\"},", "is also held by"},
    {"object-id", "\"id\":{\"$oid\":\"0123456789abcdef01234567\"},", NULL},
    {"its-digits", "\"id\":\"0123456789abcdef01234567\",", NULL},
    {"date", "\"id\":{\"$date\":{\"$numberLong\":\"0\"}},", NULL},
    {"boolean", "\"id\":false,", NULL},
};
#define IDS (sizeof ids / sizeof *ids)

START_TEST(ids_that_are_none_are_refused_and_others_of_any_type_are_ids)
{
    struct live w = {.folder = ""};
    char text[300];
    int64_t good = 0;
    open_among_neighbours(&w, "business-ids");
    for (size_t i = 0; i < IDS; i++) {
        snprintf(text, sizeof text, "{\"_id\":\"%s\",%s\"name\":\"Of %s\",\"status\":\"beta\"}", ids[i].id,
                 ids[i].field, ids[i].id);
        insert(&w, text);
    }
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    for (size_t i = 0; i < IDS; i++) {
        says(&w, ids[i].id, ENTRY("tools", "errorCode"), ids[i].complaint ? "VALIDATION_ERROR" : "");
        if (ids[i].complaint) mentions(&w, ids[i].id, ENTRY("tools", "lastError"), ids[i].complaint);
        good += ids[i].complaint == NULL;
    }
    EXPECT_INT(&w, points(&w, "tools"), NEIGHBOURS + good);
    for (size_t i = 0; i < IDS; i++) { /* each gets a good one, and gives it up again */
        char filter[64];
        snprintf(filter, sizeof filter, "{\"_id\":\"%s\"}", ids[i].id);
        snprintf(text, sizeof text, "{\"$set\":{\"id\":\"good-%zu\"}}", i);
        update(&w, filter, text);
    }
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "tools"), NEIGHBOURS + IDS);
    for (size_t i = 0; i < IDS; i++) {
        char filter[64];
        snprintf(filter, sizeof filter, "{\"_id\":\"%s\"}", ids[i].id);
        snprintf(text, sizeof text, i % 2 ? "{\"$unset\":{\"id\":1}}" : "{\"$set\":{\"id\":[%zu]}}", i);
        update(&w, filter, text);
    }
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "tools"), NEIGHBOURS); /* the point of an id that is none is no orphan */
    live_close(&w);
}
END_TEST

static void insert_with_ids(struct live *w, const char *key, const char *const *business, size_t count,
                            int bytes)
{
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&doc, "_id", key);
    for (size_t i = 0; i < count; i++) bson_append_utf8(&doc, "id", -1, business[i], bytes);
    BSON_APPEND_UTF8(&doc, "name", key);
    insert_bson(w, &doc);
    bson_destroy(&doc);
}

/* An id is its own bytes, however many and whatever they are. */
START_TEST(an_id_that_is_no_text_or_huge_or_there_twice_is_an_id)
{
    struct live w = {.folder = ""};
    const char *invalid[] = {"id-\xff"}, *other[] = {"id-\xfe"}, *twice[] = {"first", "other"};
    char *long_id = malloc(MEGABYTE + 1);
    memset(long_id, 'i', MEGABYTE);
    long_id[MEGABYTE] = '\0';
    const char *huge[] = {long_id};
    open_among_neighbours(&w, "odd-ids");
    live_set(&w, "qdrant", "timeout_ms", "3500");
    insert_with_ids(&w, "invalid", invalid, 1, -1);
    insert_with_ids(&w, "also-invalid", other, 1, -1); /* shown alike, but another id */
    insert_with_ids(&w, "huge", huge, 1, -1);
    insert_with_ids(&w, "twice", twice, 2, -1);
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    EXPECT_INT(&w, points(&w, "tools"), NEIGHBOURS + 4);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")), NEIGHBOURS + 4);
    for (int i = 0; i < 2; i++) { /* they go, and come back */
        delete_one(&w, J("_id" : "invalid"));
        delete_one(&w, J("_id" : "huge"));
        delete_one(&w, J("_id" : "twice"));
        live_in_sync(&w);
        EXPECT_INT(&w, points(&w, "tools"), NEIGHBOURS + 1);
        insert_with_ids(&w, "invalid", invalid, 1, -1);
        insert_with_ids(&w, "huge", huge, 1, -1);
        insert_with_ids(&w, "twice", twice, 2, -1);
        live_in_sync(&w);
    }
    free(long_id);
    live_close(&w);
}
END_TEST

/* MongoDB itself sees the first of two fields with one name, so only that can be distinguished from others'
 * ids. */
START_TEST(of_an_id_that_is_there_twice_the_first_one_counts)
{
    struct live w = {.folder = ""};
    const char *twice[] = {"first", "second"}, *first[] = {"first"}, *second[] = {"second"};
    open_among_neighbours(&w, "twice-ids");
    insert_with_ids(&w, "a", twice, 2, -1);
    insert_with_ids(&w, "b", first, 1, -1);
    insert_with_ids(&w, "c", second, 1, -1);
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    EXPECT_INT(&w, points(&w, "tools"), NEIGHBOURS + 2);
    says(&w, "a", "syncMetadata.overallStatus", "synced");
    mentions(&w, "b", ENTRY("tools", "lastError"), "also held by document a");
    says(&w, "c", "syncMetadata.overallStatus", "synced");
    delete_one(&w, J("_id" : "a"));
    live_in_sync(&w);
    says(&w, "b", "syncMetadata.overallStatus", "synced");
    live_close(&w);
}
END_TEST

/* MongoDB's own key may be of any type but an array, a regular expression or undefined. */
static const char *const keys[] = {
    "null",
    "{}",
    "{\"a\":{\"b\":[1,{\"$numberDouble\":\"NaN\"}]}}",
    "{\"$binary\":{\"base64\":\"AAH/\",\"subType\":\"00\"}}",
    "{\"$numberDouble\":\"NaN\"}",
    "{\"$numberDouble\":\"-0.0\"}",
    "{\"$numberDouble\":\"1e300\"}",
    "{\"$numberDecimal\":\"1.50\"}",
    "{\"$numberLong\":\"9223372036854775807\"}",
    "true",
    "{\"$date\":{\"$numberLong\":\"-1\"}}",
    "{\"$timestamp\":{\"t\":4294967295,\"i\":1}}",
    "{\"$minKey\":1}",
    "{\"$maxKey\":1}",
    "{\"$code\":\"f()\"}",
    "{\"$symbol\":\"symbol\"}",
    "{\"$oid\":\"0123456789abcdef01234567\"}",
    "\"\"",
    "\"with \\u0000 in it\"",
    "\"\\\"$quoted\\\"\"",
};
#define KEYS (sizeof keys / sizeof *keys)

START_TEST(documents_with_keys_of_any_type_are_synced_changed_and_deleted)
{
    struct live w = {.folder = ""};
    char text[300], filter[200];
    open_among_neighbours(&w, "keys");
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(text, sizeof text, "{\"_id\":%s,\"id\":\"k-%zu\",\"name\":\"K\",\"slug\":\"k\"}", keys[i],
                 i);
        insert(&w, text);
    }
    run_among_neighbours(&w);
    neighbours_are_undisturbed(&w);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")), NEIGHBOURS + KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(filter, sizeof filter, "{\"id\":\"k-%zu\"}", i);
        snprintf(text, sizeof text, "{\"$set\":{\"id\":\"other-%zu\",\"name\":\"Other\"}}", i);
        update(&w, filter, text);
    }
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "tools"), NEIGHBOURS + KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(filter, sizeof filter, "{\"id\":\"other-%zu\"}", i);
        delete_one(&w, filter);
    }
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "tools"), NEIGHBOURS);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        ids_that_are_none_are_refused_and_others_of_any_type_are_ids,
        an_id_that_is_no_text_or_huge_or_there_twice_is_an_id,
        of_an_id_that_is_there_twice_the_first_one_counts,
        documents_with_keys_of_any_type_are_synced_changed_and_deleted,
    };
    return live_main("hostile_ids", tests, sizeof tests / sizeof *tests);
}
