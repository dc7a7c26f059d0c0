/* test_api_documents.c - documents written and read over the HTTP API, while the servers are well and while
 * they are not: MongoDB alone decides, and the points follow. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/calls.h"

/* A whole answer: status, headers, body. */
struct reply {
    int status;
    struct buf text;
    json_t *json; /* NULL: none */
};

static struct reply call(struct live *w, const struct live_process *server, const char *method,
                         const char *path, const char *headers, const char *body)
{
    struct reply reply = {.json = NULL};
    struct buf request;
    buf_init(&request, 0);
    buf_init(&reply.text, 0);
    buf_printf(&request,
               "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n",
               method, path, headers ? headers : "", body ? strlen(body) : 0);
    if (body) buf_puts(&request, body);
    reply.status = raw_call(w, server, request.data, request.bytes, &reply.text);
    buf_putc(&reply.text, '\0');
    reply.text.bytes--;
    reply.json = raw_json(&reply.text);
    buf_fini(&request);
    return reply;
}

static void reply_fini(struct reply *reply)
{
    buf_fini(&reply->text);
    json_decref(reply->json);
}

/* True if the answer has this header, "Name: value". */
static bool has_header(const struct reply *reply, const char *header)
{
    char line[256];
    const char *end = strstr(reply->text.data, "\r\n\r\n");
    snprintf(line, sizeof line, "\r\n%s\r\n", header);
    const char *at = strstr(reply->text.data, line);
    return at && at <= end;
}

static bool names_header(const struct reply *reply, const char *name)
{
    char line[256];
    snprintf(line, sizeof line, "\r\n%s:", name);
    return strstr(reply->text.data, line) != NULL;
}

/* Status, and a header that must be there; NULL: `Lockstep-Affects` must not. */
static void expect_at(struct live *w, int line, struct reply reply, int status, const char *header)
{
    bool good = reply.status == status &&
                (header ? has_header(&reply, header) : !names_header(&reply, "Lockstep-Affects"));
    if (!good) FAIL(w, "line %d: not %d with %s: %s", line, status, header ? header : "-", reply.text.data);
    reply_fini(&reply);
}
#define EXPECT_REPLY(w, status, header, ...) expect_at(w, __LINE__, call(w, __VA_ARGS__), status, header)

static const char figma[] = J("id"
                              : "figma", "slug"
                              : "figma-tool", "name"
                              : "Figma", "description"
                              : "Design together", "categories"
                              : ["Design"], "interface"
                              : [ "Web", "Desktop" ], "pricingModel"
                              : "Free", "website"
                              : "https://figma.example");

START_TEST(a_document_is_created_read_changed_and_deleted)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud");
    struct reply reply = call(&w, &server, "POST", "/api/tools", NULL, figma);
    EXPECT_INT(&w, reply.status, 201);
    EXPECT(&w, has_header(&reply, "Location: /api/tools/figma"));
    EXPECT(&w, has_header(&reply, "Lockstep-Affects: tools, functionality, interface"));
    EXPECT(&w, strcmp(text(reply.json, "name"), "Figma") == 0 && strlen(text(reply.json, "_id")) == 24);
    reply_fini(&reply);
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "interface"), 1);
    EXPECT_INT(&w, points(&w, "usecases"), 0);
    /* read: by id, by slug, by _id; without what is Lockstep's */
    reply = call(&w, &server, "GET", "/api/tools/figma", NULL, NULL);
    EXPECT(&w, reply.status == 200 && !strstr(reply.text.data, "syncMetadata"));
    EXPECT(&w, strcmp(text(reply.json, "website"), "https://figma.example") == 0);
    char path[64];
    snprintf(path, sizeof path, "/api/tools/%s", text(reply.json, "_id"));
    reply_fini(&reply);
    EXPECT_REPLY(&w, 200, NULL, &server, "GET", path, NULL, NULL);
    EXPECT_REPLY(&w, 200, NULL, &server, "GET", "/api/tools/figma-tool", NULL, NULL);
    /* changed: what has to be embedded again is reported, a payload alone is not */
    EXPECT_REPLY(&w, 200, "Lockstep-Affects: functionality", &server, "PATCH", "/api/tools/figma", NULL,
                 J("categories"
                   : [ "Design", "Drawing" ]));
    EXPECT_REPLY(&w, 200, NULL, &server, "PATCH", "/api/tools/figma", NULL,
                 J("website"
                   : "https://f.example"));
    EXPECT_REPLY(&w, 200, NULL, &server, "PATCH", "/api/tools/figma", NULL,
                 J("description"
                   : "Design together"));
    EXPECT_REPLY(&w, 200, "Lockstep-Affects: tools", &server, "PATCH", "/api/tools/figma", NULL,
                 J("description"
                   : null, "contributor"
                   : "me"));
    bson_t *doc = find_one(&w, J("id" : "figma"));
    EXPECT(&w, doc && !bson_has_field(doc, "description") && bson_has_field(doc, "contributor"));
    bson_destroy(doc);
    live_in_sync(&w);
    /* deleted: a lost point is reported */
    EXPECT_REPLY(&w, 204, "Lockstep-Affects: tools, functionality, interface", &server, "DELETE",
                 "/api/tools/figma", NULL, NULL);
    EXPECT_REPLY(&w, 404, NULL, &server, "DELETE", "/api/tools/figma", NULL, NULL);
    EXPECT_REPLY(&w, 404, NULL, &server, "GET", "/api/tools/figma", NULL, NULL);
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "tools"), 0);
    live_close(&w);
}
END_TEST

START_TEST(a_write_waits_for_nobody_but_mongodb)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud-down");
    insert_made(&w, 0, 3);
    live_in_sync(&w);
    process_kill(&w.qdrant);
    process_kill(&w.embedder);
    EXPECT_REPLY(&w, 201, "Location: /api/tools/figma", &server, "POST", "/api/tools", NULL, figma);
    EXPECT_REPLY(&w, 200, "Lockstep-Affects: tools", &server, "PATCH", "/api/tools/made-1", NULL,
                 J("name"
                   : "Another"));
    EXPECT_REPLY(&w, 204, "Lockstep-Affects: tools, functionality, usecases, interface", &server, "DELETE",
                 "/api/tools/made-2", NULL, NULL);
    EXPECT_INT(&w, count_documents(&w, J("name" : {"$in" : [ "Figma", "Another" ]})), 2);
    EXPECT_INT(&w, count_documents(&w, J("id" : "made-2")), 0);
    EXPECT_REPLY(&w, 200, NULL, &server, "GET", "/api/tools/figma", NULL, NULL);
    qdrant_start(&w);
    embedder_start(&w);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_write_that_asks_to_wait_is_reported_whether_the_points_are_there)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud-wait");
    insert_made(&w, 0, 1);
    live_in_sync(&w);
    struct reply reply = call(&w, &server, "POST", "/api/tools", "Prefer: respond-async, wait=40\r\n", figma);
    EXPECT(&w, reply.status == 201 && has_header(&reply, "Lockstep-Synced: yes"));
    EXPECT(&w, has_header(&reply, "Preference-Applied: wait=40"));
    EXPECT_INT(&w, points(&w, "interface"), 2); /* read your own write */
    reply_fini(&reply);
    reply = call(&w, &server, "PATCH", "/api/tools/figma?wait=40000", NULL, J("interface" : ["Phone"]));
    EXPECT(&w, reply.status == 200 && has_header(&reply, "Lockstep-Synced: yes"));
    EXPECT(&w, !names_header(&reply, "Preference-Applied"));
    reply_fini(&reply);
    reply = call(&w, &server, "DELETE", "/api/tools/figma?wait=40000", NULL, NULL);
    EXPECT(&w, reply.status == 204 && has_header(&reply, "Lockstep-Synced: yes"));
    EXPECT_INT(&w, points(&w, "interface"), 1);
    reply_fini(&reply);
    process_kill(&w.embedder);
    reply = call(&w, &server, "POST", "/api/tools?wait=40000", NULL,
                 J("id"
                   : "sketch", "name"
                   : "Never embedded before"));
    EXPECT(&w, reply.status == 201 && has_header(&reply, "Lockstep-Synced: no"));
    reply_fini(&reply);
    embedder_start(&w);
    reply = call(&w, &server, "POST", "/api/tools", "Prefer: wait=soon\r\n", J("id" : "other")); /* ignored */
    EXPECT(&w, reply.status == 201 && !names_header(&reply, "Lockstep-Synced"));
    reply_fini(&reply);
    EXPECT_REPLY(&w, 400, NULL, &server, "POST", "/api/tools?wait=soon", NULL, J("id" : "third"));
    EXPECT_INT(&w, count_documents(&w, J("id" : "third")), 0);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

static const struct {
    const char *method, *path, *body;
    int status;
    const char *code, *names;
} bad[] = {
    {"POST", "/api/tools", "{\"id\": ", 400, "BAD_REQUEST", "JSON"},
    {"POST", "/api/tools", "", 400, "BAD_REQUEST", "body"},
    {"POST", "/api/tools", "[]", 400, "BAD_REQUEST", "object"},
    {"POST", "/api/tools", "{}", 400, "BAD_REQUEST", "`id`"},
    {"POST", "/api/tools", "{\"id\": null}", 400, "BAD_REQUEST", "`id`"},
    {"POST", "/api/tools", "{\"id\": \" \"}", 400, "BAD_REQUEST", "`id`"},
    {"POST", "/api/tools", "{\"id\": [\"a\"]}", 400, "BAD_REQUEST", "`id`"},
    {"POST", "/api/tools", "{\"id\": true}", 400, "BAD_REQUEST", "`id`"},
    {"POST", "/api/tools", "{\"id\": \"x\", \"id\": \"y\"}", 400, "BAD_REQUEST", "duplicate"},
    {"POST", "/api/tools", "{\"id\": \"x\", \"n\": 99999999999999999999}", 400, "BAD_REQUEST", "JSON"},
    {"POST", "/api/tools", "{\"id\": \"x\", \"n\": \"\xff\"}", 400, "BAD_REQUEST", "JSON"},
    {"POST", "/api/tools", "{\"id\": \"x\", \"name\": 5}", 400, "BAD_REQUEST", "`name`"},
    {"POST", "/api/tools", "{\"id\": \"x\", \"_id\": {}}", 400, "BAD_REQUEST", "`_id`"},
    {"POST", "/api/tools", "{\"id\": \"x\", \"syncMetadata\": {}}", 400, "BAD_REQUEST", "`syncMetadata`"},
    {"POST", "/api/tools", "{\"id\": \"x\", \"_lockstep\": 1}", 400, "BAD_REQUEST", "`_lockstep`"},
    {"POST", "/api/tools", "{\"id\": \"x\", \"a\": {\"$oid\": \"1\"}}", 400, "BAD_REQUEST", "`a.$oid`"},
    {"POST", "/api/tools", "{\"id\": \"x\", \"a.b\": 1}", 400, "BAD_REQUEST", "`a.b`"},
    {"POST", "/api/tools", "{\"id\": \"made-1\"}", 409, "EXISTS", "`id`"},
    {"POST", "/api/tools", "{\"id\": \"x\", \"_id\": 77}", 409, "EXISTS", "_id_"},
    {"POST", "/api/toolz", "{\"id\": \"x\"}", 404, "UNKNOWN_SOURCE", "source"},
    {"PATCH", "/api/tools/nobody", "{\"a\": 1}", 404, "NOT_FOUND", "nobody"},
    {"PATCH", "/api/tools/made-1", "{\"id\": \"made-9\"}", 400, "BAD_REQUEST", "`id`"},
    {"PATCH", "/api/tools/made-1", "{\"id\": null}", 400, "BAD_REQUEST", "`id`"},
    {"PATCH", "/api/tools/made-1", "{\"_id\": 5}", 400, "BAD_REQUEST", "`_id`"},
    {"PATCH", "/api/tools/made-1", "{\"_id\": null}", 400, "BAD_REQUEST", "`_id`"},
    {"PATCH", "/api/tools/made-1", "{\"$set\": {\"a\": 1}}", 400, "BAD_REQUEST", "`$set`"},
    {"PATCH", "/api/tools/made-1", "{\"a.b\": 1}", 400, "BAD_REQUEST", "`a.b`"},
    {"PATCH", "/api/tools/made-1", "{\"syncMetadata\": null}", 400, "BAD_REQUEST", "`syncMetadata`"},
    {"PATCH", "/api/tools/made-1", "{\"slug\": []}", 400, "BAD_REQUEST", "`slug`"},
    {"PATCH", "/api/tools/made-1", "nonsense", 400, "BAD_REQUEST", "JSON"},
    {"PATCH", "/api/tools", "{}", 405, "METHOD_NOT_ALLOWED", "GET"},
    {"PUT", "/api/tools/made-1", "{}", 405, "METHOD_NOT_ALLOWED", "PATCH"},
    {"DELETE", "/api/tools/no-such-slug", NULL, 404, "NOT_FOUND", "no-such-slug"},
    {"DELETE", "/api/tools/shared", NULL, 409, "AMBIGUOUS", "nine, eight"},
    {"PATCH", "/api/tools/shared", "{\"tagline\":\"x\"}", 409, "AMBIGUOUS", "nine, eight"},
    {"GET", "/api/tools/shared", NULL, 409, "AMBIGUOUS", "nine, eight"},
    {"GET", "/api/tools?limit=ten", NULL, 400, "BAD_REQUEST", "limit"},
    {"GET", "/api/tools?limit=", NULL, 400, "BAD_REQUEST", "limit"},
    {"GET", "/api/tools?status=active", NULL, 400, "BAD_REQUEST", "`status`"},
    {"GET", "/api/tools?page=1&sort=name", NULL, 400, "BAD_REQUEST", "`sort`"},
    {"GET", "/api/tools?Search=x", NULL, 400, "BAD_REQUEST", "`Search`"},
};

START_TEST(bad_writes_are_refused_with_the_field_named_and_change_nothing)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud-bad");
    insert_made(&w, 0, 3);
    insert(&w, J("_id" : 77, "id" : "seven", "slug" : "slug-only"));
    insert(&w, J("id" : "nine", "slug" : "shared"));
    insert(&w, J("id" : "eight", "slug" : "shared"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reply reply = call(&w, &server, bad[i].method, bad[i].path, NULL, bad[i].body);
        if (reply.status != bad[i].status || strcmp(text(reply.json, "code"), bad[i].code) != 0 ||
            !strstr(text(reply.json, "error"), bad[i].names))
            FAIL(&w, "%s %s %s: %s", bad[i].method, bad[i].path, bad[i].body, reply.text.data);
        reply_fini(&reply);
    }
    EXPECT_INT(&w, count_documents(&w, J()), 6);
    EXPECT_INT(&w, count_documents(&w, J("tagline" : "x")), 0);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_slug_is_taken_for_an_id_that_no_document_has)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud-slug");
    insert(&w, J("_id" : 1, "id" : "one", "slug" : "first"));
    insert(&w, J("_id" : 2, "id" : "two", "slug" : "second"));
    insert(&w, J("_id" : 3, "id" : "second", "slug" : "third"));
    insert(&w, J("_id" : "first", "id" : "four", "slug" : "fourth"));
    EXPECT_REPLY(&w, 200, NULL, &server, "PATCH", "/api/tools/first", NULL, J("contributor" : "a"));
    EXPECT_INT(&w, document_says(&w, J("_id" : 1), "contributor", "a"), true); /* not the `_id` first */
    EXPECT_REPLY(&w, 200, NULL, &server, "PATCH", "/api/tools/second", NULL, J("contributor" : "b"));
    EXPECT_INT(&w, document_says(&w, J("_id" : 3), "contributor", "b"), true); /* the id before the slug */
    EXPECT_REPLY(&w, 200, NULL, &server, "PATCH", "/api/tools/_id:%22first%22", NULL, J("contributor" : "c"));
    EXPECT_INT(&w, document_says(&w, J("_id" : "first"), "contributor", "c"), true);
    struct reply reply = call(&w, &server, "DELETE", "/api/tools/third", NULL, NULL);
    EXPECT_INT(&w, reply.status, 204);
    reply_fini(&reply);
    EXPECT_INT(&w, count_documents(&w, J("_id" : 3)), 0);
    EXPECT_REPLY(&w, 404, NULL, &server, "GET", "/api/tools/_id:%7B%22$numberInt%22:%223%22%7D", NULL, NULL);
    EXPECT_REPLY(&w, 200, NULL, &server, "GET", "/api/tools/_id:%7B%22$numberInt%22:%222%22%7D", NULL, NULL);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

/* Extended JSON in a path. */
#define TEXT_FIVE "%225%22"
#define NUMBER_FIVE "%7B%22$numberInt%22:%225%22%7D"

START_TEST(a_plain_id_that_two_documents_have_means_neither)
{
    static const char *const asked[][3] = {{"GET", "/api/tools/5", NULL},
                                           {"PATCH", "/api/tools/5", "{\"tagline\":\"x\"}"},
                                           {"DELETE", "/api/tools/5", NULL},
                                           {"GET", "/api/sync/tools/5", NULL},
                                           {"GET", "/api/sync/tools/5/compare", NULL},
                                           {"POST", "/api/sync/tools/5/retry", "{}"},
                                           {"POST", "/api/sync/reset/5", "{}"}};
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud-ambiguous");
    insert(&w, J("_id" : "a", "id" : 5, "name" : "A number"));
    insert(&w, J("_id" : "b", "id" : "5", "name" : "A text"));
    live_in_sync(&w);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct reply reply = call(&w, &server, asked[i][0], asked[i][1], NULL, asked[i][2]);
        if (reply.status != 409 || strcmp(text(reply.json, "code"), "AMBIGUOUS") != 0 ||
            !strstr(text(reply.json, "error"), "\"5\"") ||
            !strstr(text(reply.json, "error"), "{\"$numberInt\":\"5\"}"))
            FAIL(&w, "%s %s: %d %s", asked[i][0], asked[i][1], reply.status, reply.text.data);
        reply_fini(&reply);
    }
    EXPECT_INT(&w, count_documents(&w, J("tagline" : {"$exists" : false})), 2); /* nothing was written */
    struct reply batch = call(&w, &server, "POST", "/api/sync/batch", NULL, J("toolIds" : [ "5", "\"5\"" ]));
    EXPECT(&w, strcmp(text_at(batch.json, "results.0.errorCode"), "AMBIGUOUS") == 0);
    EXPECT(&w, strstr(text_at(batch.json, "results.0.error"), "{\"$numberInt\":\"5\"}") != NULL);
    EXPECT(&w, json_is_true(value_at(batch.json, "results.1.success")));
    reply_fini(&batch);
    EXPECT_REPLY(&w, 200, "Lockstep-Affects: tools", &server, "PATCH", "/api/tools/" TEXT_FIVE, NULL,
                 J("tagline"
                   : "text"));
    EXPECT_REPLY(&w, 200, "Lockstep-Affects: tools", &server, "PATCH", "/api/tools/" NUMBER_FIVE, NULL,
                 J("tagline"
                   : "number"));
    EXPECT(&w, document_says(&w, J("_id" : "a"), "tagline", "number"));
    EXPECT(&w, document_says(&w, J("_id" : "b"), "tagline", "text"));
    EXPECT_REPLY(&w, 200, NULL, &server, "GET", "/api/sync/tools/" TEXT_FIVE, NULL, NULL);
    EXPECT_REPLY(&w, 200, NULL, &server, "GET", "/api/sync/tools/" NUMBER_FIVE "/compare", NULL, NULL);
    EXPECT_REPLY(&w, 200, NULL, &server, "POST", "/api/sync/tools/" NUMBER_FIVE "/retry", NULL, "{}");
    EXPECT_REPLY(&w, 200, NULL, &server, "POST", "/api/sync/reset/" TEXT_FIVE, NULL, "{}");
    EXPECT_REPLY(&w, 204, "Lockstep-Affects: tools", &server, "DELETE", "/api/tools/" TEXT_FIVE, NULL, NULL);
    EXPECT_REPLY(&w, 200, NULL, &server, "GET", "/api/tools/5", NULL, NULL); /* one is left */
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_patch_leaves_alone_what_it_does_not_name_also_when_it_was_read_before)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud-types");
    insert(&w, J("_id"
                 : {"$oid" : "0123456789abcdef01234567"}, "id"
                 : "a", "name"
                 : "A", "dateAdded"
                 : {"$date" : "2026-01-01T00:00:00Z"}, "by"
                 : {"who" : {"$oid" : "0123456789abcdef01234568"}, "note" : "x"}));
    struct reply reply = call(&w, &server, "GET", "/api/tools/a", NULL, NULL);
    json_object_set_new(reply.json, "name", json_string("B"));
    char *body = json_dumps(reply.json, JSON_COMPACT);
    EXPECT_REPLY(&w, 200, "Lockstep-Affects: tools", &server, "PATCH", "/api/tools/a", NULL, body);
    EXPECT_REPLY(&w, 200, NULL, &server, "PATCH", "/api/tools/a", NULL, J("by" : {"note" : "y", "at" : 5}));
    free(body);
    reply_fini(&reply);
    EXPECT_INT(
        &w,
        count_documents(&w, J("_id"
                              : {"$oid" : "0123456789abcdef01234567"}, "name"
                              : "B", "dateAdded"
                              : {"$date" : "2026-01-01T00:00:00Z"}, "by"
                              : {"who" : {"$oid" : "0123456789abcdef01234568"}, "note" : "y", "at" : 5})),
        1);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

START_TEST(ids_of_any_kind_have_their_place)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud-ids");
    EXPECT_REPLY(&w, 201, "Location: /api/tools/a%2Fb%20%C3%BC%3F", &server, "POST", "/api/tools", NULL,
                 "{\"id\": \"a/b \xc3\xbc?\", \"name\": \"Odd\"}");
    EXPECT_REPLY(&w, 200, NULL, &server, "GET", "/api/tools/a%2Fb%20%C3%BC%3F", NULL, NULL);
    EXPECT_REPLY(&w, 201, "Location: /api/tools/42", &server, "POST", "/api/tools", NULL,
                 J("_id"
                   : "mine", "id" : 42, "name"
                   : "Number"));
    EXPECT_REPLY(&w, 409, NULL, &server, "POST", "/api/tools", NULL, J("id" : 42.0));
    EXPECT_REPLY(&w, 200, "Lockstep-Affects: tools", &server, "PATCH", "/api/tools/42", NULL,
                 J("id" : 42, "name"
                   : "Still"));
    EXPECT_REPLY(&w, 204, "Lockstep-Affects: tools", &server, "DELETE", "/api/tools/mine", NULL, NULL);
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "tools"), 1);
    live_close(&w);
}
END_TEST

START_TEST(documents_are_listed_whole_and_without_what_is_lockstep_s)
{
    struct live w = {.folder = ""};
    live_open(&w, "crud-list");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    insert_made(&w, 0, 25);
    insert(&w, J("id" : "odd", "_lockstep" : 1, "name" : "Odd"));
    daemon_start(&w);
    live_in_sync(&w);
    struct live_process server = api(&w);
    struct reply reply = call(&w, &server, "GET", "/api/tools?page=2", NULL, NULL);
    EXPECT_INT(&w, json_array_size(json_object_get(reply.json, "data")), 6);
    EXPECT_INT(&w, number(json_object_get(reply.json, "pagination"), "total"), 26);
    EXPECT(&w, !strstr(reply.text.data, "syncMetadata") && !strstr(reply.text.data, "_lockstep"));
    reply_fini(&reply);
    reply = call(&w, &server, "GET", "/api/tools?search=made%2012", NULL, NULL);
    const json_t *first = json_array_get(json_object_get(reply.json, "data"), 0);
    EXPECT_INT(&w, json_array_size(json_object_get(reply.json, "data")), 1);
    EXPECT(&w, strcmp(text(first, "description"), "A tool for task 12 of department 5") == 0);
    reply_fini(&reply);
    live_close(&w);
}
END_TEST

START_TEST(unique_indexes_and_validators_of_the_collection_are_obeyed)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud-refused");
    insert_made(&w, 0, 2);
    on_database(&w, J("createIndexes"
                      : "tools", "indexes"
                      : [ {"key" : {"slug" : 1}, "name" : "slug_once", "unique" : true} ]));
    on_database(&w, J("collMod"
                      : "tools", "validationLevel"
                      : "strict", "validator"
                      : {"status" : {"$ne" : "odd"}}));
    EXPECT_REPLY(&w, 409, NULL, &server, "PATCH", "/api/tools/made-1", NULL, J("slug" : "made-0"));
    EXPECT_REPLY(&w, 409, NULL, &server, "POST", "/api/tools", NULL, J("id" : "x", "slug" : "made-0"));
    EXPECT_REPLY(&w, 400, NULL, &server, "POST", "/api/tools", NULL,
                 J("id"
                   : "x", "slug"
                   : "x", "status"
                   : "odd"));
    struct reply reply = call(&w, &server, "PATCH", "/api/tools/made-1", NULL, J("status" : "odd"));
    EXPECT(&w, reply.status == 400 && strcmp(text(reply.json, "code"), "REFUSED") == 0);
    reply_fini(&reply);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_document_that_is_too_large_is_refused)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud-large");
    struct buf body;
    buf_init(&body, 0);
    buf_puts(&body, "{\"id\": \"large\", \"numbers\": [1");
    for (int i = 0; i < 2000000; i++) buf_puts(&body, ",1"); /* 4 MB of JSON, more than 16 of BSON */
    buf_puts(&body, "]}");
    buf_putc(&body, '\0');
    struct reply reply = call(&w, &server, "POST", "/api/tools", NULL, body.data);
    EXPECT(&w, reply.status == 400 && strcmp(text(reply.json, "code"), "REFUSED") == 0);
    EXPECT_INT(&w, count_documents(&w, J()), 0);
    reply_fini(&reply);
    buf_fini(&body);
    live_close(&w);
}
END_TEST

START_TEST(a_process_without_the_lease_writes_as_well)
{
    struct live w = {.folder = ""};
    live_open(&w, "crud-follower");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "mongodb", "metadata", "sidecar");
    insert_made(&w, 0, 3);
    daemon_start(&w);
    live_in_sync(&w);
    second_start(&w);
    struct live_process second = api_of(&w, &w.second);
    struct reply reply = call(&w, &second, "POST", "/api/tools?wait=10", NULL, figma);
    EXPECT(&w, reply.status == 201 && has_header(&reply, "Lockstep-Synced: no"));
    reply_fini(&reply);
    EXPECT_REPLY(&w, 204, "Lockstep-Affects: tools, functionality, usecases, interface", &second, "DELETE",
                 "/api/tools/made-0", NULL, NULL);
    EXPECT_REPLY(&w, 200, "Lockstep-Affects: tools", &second, "PATCH", "/api/tools/made-1", NULL,
                 J("name"
                   : "Another"));
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "tools"), 3);
    live_close(&w);
}
END_TEST

START_TEST(patches_that_meet_lose_nothing)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "crud-race");
    char request[200];
    int fds[6];
    insert(&w, J("id" : "a", "name" : "A"));
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < 6; i++) { /* all at once, each its own member of one object */
            char body[64];
            snprintf(body, sizeof body, "{\"marks\": {\"m%d\": 1}}", round * 6 + i);
            snprintf(request, sizeof request,
                     "PATCH /api/tools/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     strlen(body), body);
            fds[i] = raw_open(&w, &server);
            raw_send(fds[i], request, strlen(request));
        }
        for (int i = 0; i < 6; i++) {
            struct buf out;
            buf_init(&out, 0);
            raw_read_all(fds[i], &out);
            EXPECT(&w, out.bytes > 12 && memcmp(out.data, "HTTP/1.1 200", 12) == 0);
            buf_fini(&out);
            close(fds[i]);
        }
    }
    bson_t *doc = find_one(&w, J("id" : "a"));
    bson_iter_t iter;
    bson_t marks;
    uint32_t bytes = 0;
    const uint8_t *data = NULL;
    EXPECT(&w, bson_iter_init_find(&iter, doc, "marks"));
    bson_iter_document(&iter, &bytes, &data);
    EXPECT(&w, bson_init_static(&marks, data, bytes) && bson_count_keys(&marks) == 48);
    bson_destroy(doc);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_document_is_created_read_changed_and_deleted,
        a_write_waits_for_nobody_but_mongodb,
        a_write_that_asks_to_wait_is_reported_whether_the_points_are_there,
        bad_writes_are_refused_with_the_field_named_and_change_nothing,
        a_slug_is_taken_for_an_id_that_no_document_has,
        a_plain_id_that_two_documents_have_means_neither,
        a_patch_leaves_alone_what_it_does_not_name_also_when_it_was_read_before,
        ids_of_any_kind_have_their_place,
        documents_are_listed_whole_and_without_what_is_lockstep_s,
        unique_indexes_and_validators_of_the_collection_are_obeyed,
        a_document_that_is_too_large_is_refused,
        a_process_without_the_lease_writes_as_well,
        patches_that_meet_lose_nothing,
    };
    return live_main("api documents", tests, sizeof tests / sizeof *tests);
}
