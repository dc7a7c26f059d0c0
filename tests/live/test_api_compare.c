/* test_api_compare.c - what each collection makes of a document, beside what Qdrant has: in sync and not. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

static json_t *compare(struct live *w, const struct live_process *server, const char *id)
{
    char path[128];
    snprintf(path, sizeof path, "/api/sync/tools/%s/compare", id);
    return answer(w, server, 200, "GET", path, NULL);
}

static const json_t *target(const json_t *reply, const char *collection)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(reply, "collections"), i, one)
    {
        if (strcmp(text(one, "collection"), collection) == 0) return one;
    }
    return NULL;
}

/* The names of what differs, with spaces between. */
static bool differs(const json_t *one, const char *expected)
{
    char seen[600] = "";
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(one, "differences"), i, name)
    {
        if (*seen) strcat(seen, " ");
        strncat(seen, json_string_value(name), 80);
    }
    if (strcmp(seen, expected) != 0) fprintf(stderr, "%s: %s\n", text(one, "collection"), seen);
    return strcmp(seen, expected) == 0;
}

START_TEST(a_document_in_sync_differs_in_nothing)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "compare");
    insert(&w, J("_id" : 1, "id"
                 : "figma", "slug"
                 : "fig", "name"
                 : "Figma", "categories"
                 : ["Design"], "n" : 1.5));
    live_in_sync(&w);
    json_t *reply = compare(&w, &server, "fig");
    EXPECT(&w, strcmp(text(reply, "id"), "figma") == 0 && strcmp(text(reply, "name"), "Figma") == 0);
    EXPECT(&w, json_is_object(json_object_get(reply, "syncMetadata")));
    EXPECT_INT(&w, json_array_size(json_object_get(reply, "collections")), 4);
    const json_t *tools = target(reply, "tools"), *usecases = target(reply, "usecases");
    EXPECT(&w, strcmp(text(tools, "result"), "point") == 0 && differs(tools, ""));
    EXPECT(&w, strcmp(text(tools, "text"), "Figma Figma Figma") == 0 && number(tools, "textBytes") == 17);
    const json_t *point = json_object_get(tools, "point");
    EXPECT(&w, strcmp(text(point, "id"), text(tools, "pointId")) == 0);
    EXPECT(&w, json_equal(json_object_get(point, "payload"), json_object_get(tools, "payload")));
    const json_t *lockstep = json_object_get(point, "lockstep");
    EXPECT(&w, strcmp(text(lockstep, "hash"), text(tools, "contentHash")) == 0);
    EXPECT(&w, strcmp(text(lockstep, "payload"), text(tools, "payloadHash")) == 0);
    EXPECT(&w, strcmp(text(usecases, "result"), "none") == 0 && differs(usecases, ""));
    EXPECT(&w, json_is_null(json_object_get(usecases, "point")) &&
                   json_is_null(json_object_get(usecases, "error")));
    json_decref(reply);
    json_decref(answer(&w, &server, 404, "GET", "/api/sync/tools/nobody/compare", NULL));
    json_decref(answer(&w, &server, 404, "GET", "/api/sync/toolz/figma/compare", NULL));
    json_decref(answer(&w, &server, 405, "POST", "/api/sync/tools/figma/compare", NULL));
    live_close(&w);
}
END_TEST

START_TEST(what_is_not_in_sync_is_named)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "compare-differs");
    insert(&w, J("id" : "a", "name" : "First name", "interface" : ["Web"], "pricingModel" : "Free"));
    live_in_sync(&w);
    process_kill(&w.embedder);
    update(&w, J("id" : "a"), J("$set" : {"name" : "Another name", "industries" : ["Media"]}));
    WAIT_UNTIL(&w, document_says(&w, J("id" : "a"), "syncMetadata.overallStatus", "failed"));
    json_t *reply = compare(&w, &server, "a");
    EXPECT(&w, differs(target(reply, "tools"), "text payload.industries payload.name"));
    EXPECT(&w, differs(target(reply, "usecases"), "point")); /* it should have one by now */
    EXPECT(&w, json_is_null(json_object_get(target(reply, "usecases"), "point")));
    EXPECT(&w, *text(target(reply, "usecases"), "pointId"));
    json_decref(reply);
    embedder_start(&w);
    json_decref(answer(&w, &server, 200, "POST", "/api/sync/all-pending", NULL));
    live_in_sync(&w);
    reply = compare(&w, &server, "a");
    EXPECT(&w, differs(target(reply, "tools"), "") && differs(target(reply, "usecases"), ""));
    /* somebody's hand in Qdrant */
    char body[400];
    snprintf(body, sizeof body,
             "{\"points\": [\"%s\"], \"payload\": {\"pricingModel\": \"Paid\", \"mine\": 1}}",
             text(target(reply, "interface"), "pointId"));
    json_decref(reply);
    EXPECT_INT(&w, ask(&w, &w.qdrant, "POST", "/collections/interface/points/payload?wait=true", body, NULL),
               200);
    reply = compare(&w, &server, "a");
    EXPECT(&w, differs(target(reply, "interface"), "payload.pricingModel payload.mine"));
    json_decref(reply);
    process_kill(&w.qdrant);
    reply = compare(&w, &server, "a");
    EXPECT(&w, *text(target(reply, "tools"), "pointError") && differs(target(reply, "tools"), ""));
    EXPECT(&w, strncmp(text(target(reply, "tools"), "text"), "Another name", 12) == 0);
    json_decref(reply);
    live_close(&w);
}
END_TEST

START_TEST(what_can_have_no_point_says_why)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "compare-refused");
    insert(&w, J("_id" : 1, "id" : "same", "name" : "The owner"));
    insert(&w, J("_id" : 2, "id" : "same", "slug" : "second", "name" : "The other"));
    insert(&w, J("_id" : 3, "name" : "Without an id"));
    live_in_sync(&w);
    json_t *reply = compare(&w, &server, "second");
    const json_t *tools = target(reply, "tools");
    EXPECT(&w, strcmp(text(tools, "result"), "error") == 0);
    EXPECT(&w,
           strcmp(text(tools, "errorCode"), "VALIDATION_ERROR") == 0 && strstr(text(tools, "error"), "1"));
    EXPECT(&w, differs(tools, ""));
    json_decref(reply);
    reply = compare(&w, &server, "3");
    EXPECT(&w, strcmp(text(target(reply, "tools"), "result"), "error") == 0);
    EXPECT(&w, strcmp(text(target(reply, "interface"), "result"), "none") == 0); /* no text, no point */
    json_decref(reply);
    live_close(&w);
}
END_TEST

START_TEST(a_process_without_the_lease_compares_as_well)
{
    struct live w = {.folder = ""};
    live_open(&w, "compare-follower");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    insert_made(&w, 0, 2);
    daemon_start(&w);
    live_in_sync(&w);
    second_start(&w);
    struct live_process second = api_of(&w, &w.second);
    json_t *reply = compare(&w, &second, "made-1");
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) EXPECT(&w, differs(target(reply, live_collections[i]), ""));
    json_decref(reply);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_document_in_sync_differs_in_nothing,
        what_is_not_in_sync_is_named,
        what_can_have_no_point_says_why,
        a_process_without_the_lease_compares_as_well,
    };
    return live_main("api compare", tests, sizeof tests / sizeof *tests);
}
