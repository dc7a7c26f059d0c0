/*
 * test_openapi.c - is docs/reference/openapi.json what the daemon really does? Every route is in it and
 * nothing else is; and every answer of a walk through all of them, asked well and badly, fits its schema.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/call.h"
#include "config/config.h"
#include "live/calls.h"
#include "live/openapi.h"
#include "live/schema.h"

/* ---- document and routes ---- */

/* "/a/{b}/c" and "/a/ * /c": segments that stand for any. */
static bool same_path(const char *template, const char *route)
{
    while (*template || *route) {
        if (*template ++ != '/' || *route++ != '/') return false;
        size_t t = strcspn(template, "/"), r = strcspn(route, "/");
        bool any = *route == '*';
        if (any != (*template == '{')) return false;
        if (!any && (t != r || strncmp(template, route, t) != 0)) return false;
        template += t;
        route += r;
    }
    return true;
}

static bool has_route(const char *template, const char *method)
{
    for (size_t i = 0; i < route_count; i++)
        if (same_path(template, routes[i].path) && strcasecmp(method, routes[i].method) == 0) return true;
    return strcmp(template, "/") == 0; /* the page is no route of the table */
}

static bool has_operation(const struct openapi *o, const struct route *route)
{
    const char *template;
    json_t *item;
    json_object_foreach(json_object_get(o->document, "paths"), template, item)
    {
        if (same_path(template, route->path) && openapi_operation(o, template, route->method)) return true;
    }
    return false;
}

/* What `security` must say of a route that this access is needed for. */
static bool right_security(const json_t *operation, enum access access)
{
    const json_t *security = json_object_get(operation, "security");
    if (access == ACCESS_OPEN) return json_is_array(security) && json_array_size(security) == 0;
    if (access == ACCESS_COUNTS || access == ACCESS_LISTS) return json_array_size(security) == 2;
    return security == NULL;
}

START_TEST(every_route_is_documented_and_nothing_else)
{
    struct live w = {.folder = ""};
    struct openapi o;
    openapi_open(&w, &o);
    const char *template, *method;
    json_t *item, *operation;
    for (size_t i = 0; i < route_count; i++)
        if (!has_operation(&o, &routes[i]))
            FAIL(&w, "%s %s is not in docs/reference/openapi.json", routes[i].method, routes[i].path);
    json_object_foreach(json_object_get(o.document, "paths"), template, item)
    {
        json_object_foreach(item, method, operation)
        {
            if (strcmp(method, "parameters") == 0) continue;
            if (!has_route(template, method)) FAIL(&w, "there is no %s %s", method, template);
            if (!json_object_get(operation, "operationId")) FAIL(&w, "%s %s has no id", method, template);
            for (size_t i = 0; i < route_count; i++)
                if (same_path(template, routes[i].path) && strcasecmp(method, routes[i].method) == 0 &&
                    !right_security(operation, routes[i].access))
                    FAIL(&w, "%s %s: its `security` is not what the route asks for", method, template);
        }
    }
    openapi_close(&o);
}
END_TEST

/* Each template's braces have a parameter, and each parameter a schema. */
static void check_parameters(struct live *w, const struct openapi *o, const char *template,
                             const json_t *item, const json_t *operation)
{
    const json_t *lists[] = {json_object_get(item, "parameters"), json_object_get(operation, "parameters")};
    char reason[600];
    size_t braces = 0, in_path = 0;
    for (const char *at = template; (at = strchr(at, '{')) != NULL; at++) braces++;
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < json_array_size(lists[l]); i++) {
            json_t *p = (json_t *)schema_resolve(o->document, json_array_get(lists[l], i));
            if (!p) FAIL(w, "%s: a parameter leads nowhere", template);
            char brace[64];
            snprintf(brace, sizeof brace, "{%s}", text(p, "name"));
            if (strcmp(text(p, "in"), "path") == 0) {
                in_path++;
                if (!strstr(template, brace)) FAIL(w, "%s has no %s", template, brace);
            }
            if (!schema_sound(o->document, json_object_get(p, "schema"), reason, sizeof reason))
                FAIL(w, "%s, parameter %s: %s", template, text(p, "name"), reason);
        }
    if (braces != in_path) FAIL(w, "%s: not every part has its parameter", template);
}

static void check_contents(struct live *w, const struct openapi *o, const char *where, const json_t *content)
{
    const char *type;
    json_t *media;
    char reason[600];
    json_object_foreach((json_t *)content, type, media)
    {
        if (!schema_sound(o->document, json_object_get(media, "schema"), reason, sizeof reason))
            FAIL(w, "%s, %s: %s", where, type, reason);
    }
}

START_TEST(the_document_is_sound)
{
    struct live w = {.folder = ""};
    struct openapi o;
    const char *name, *method, *status;
    json_t *item, *operation, *response;
    char reason[600];
    openapi_open(&w, &o);
    EXPECT(&w, strncmp(text(o.document, "openapi"), "3.1", 3) == 0);
    json_object_foreach(value_at(o.document, "components.schemas"), name, item)
    {
        if (!schema_sound(o.document, item, reason, sizeof reason)) FAIL(&w, "%s%s", name, reason);
    }
    json_object_foreach(json_object_get(o.document, "paths"), name, item)
    {
        json_object_foreach(item, method, operation)
        {
            if (strcmp(method, "parameters") == 0) continue;
            check_parameters(&w, &o, name, item, operation);
            check_contents(&w, &o, name, value_at(operation, "requestBody.content"));
            json_object_foreach(json_object_get(operation, "responses"), status, response)
            {
                const json_t *r = schema_resolve(o.document, response);
                if (!r || !*text(r, "description")) FAIL(&w, "%s %s %s says nothing", method, name, status);
                check_contents(&w, &o, name, json_object_get(r, "content"));
            }
        }
    }
    openapi_close(&o);
}
END_TEST

/* ---- the validator itself ---- */

START_TEST(the_schemas_refuse_what_does_not_fit)
{
    static const struct {
        const char *schema, *good, *bad;
    } cases[] = {
        {"{\"type\":\"integer\"}", "3", "3.5"},
        {"{\"type\":\"integer\"}", "-3", "\"3\""},
        {"{\"type\":[\"string\",\"null\"]}", "null", "0"},
        {"{\"type\":\"integer\",\"minimum\":0,\"maximum\":9}", "9", "10"},
        {"{\"type\":\"integer\",\"minimum\":0}", "0", "-1"},
        {"{\"enum\":[\"a\",\"b\"]}", "\"b\"", "\"c\""},
        {"{\"type\":\"string\",\"format\":\"date-time\"}", "\"2026-01-31T12:00:00.000Z\"",
         "\"2026-01-31 12:00\""},
        {"{\"type\":\"array\",\"items\":{\"type\":\"boolean\"}}", "[true,false]", "[true,1]"},
        {"{\"type\":\"array\",\"minItems\":1}", "[1]", "[]"},
        {"{\"type\":\"array\",\"maxItems\":1}", "[1]", "[1,2]"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}},\"required\":[\"a\"]}",
         "{\"a\":null}", "{}"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1}",
         "{\"b\":1}"},
        {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}", "{\"x\":\"y\"}",
         "{\"x\":1}"},
        {"{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "null", "1"},
        {"{\"oneOf\":[{\"type\":\"number\"},{\"type\":\"integer\"}]}", "1.5", "1"},
        {"{\"$ref\":\"#/defs/x\"}", "\"text\"", "1"},
    };
    json_t *document = json_pack("{s:{s:{s:s}}}", "defs", "x", "type", "string");
    char reason[300];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *schema = json_loads(cases[i].schema, 0, NULL);
        json_t *good = json_loads(cases[i].good, JSON_DECODE_ANY, NULL);
        json_t *bad = json_loads(cases[i].bad, JSON_DECODE_ANY, NULL);
        ck_assert_msg(schema_fits(document, schema, good, reason, sizeof reason), "case %zu: %s", i, reason);
        ck_assert_msg(!schema_fits(document, schema, bad, reason, sizeof reason),
                      "case %zu: nothing was said", i);
        json_decref(schema);
        json_decref(good);
        json_decref(bad);
    }
    json_t *odd = json_loads("{\"type\":\"string\",\"pattern\":\"^a\"}", 0, NULL);
    json_t *nowhere = json_loads("{\"$ref\":\"#/defs/y\"}", 0, NULL);
    ck_assert(!schema_sound(document, odd, reason, sizeof reason));
    ck_assert(!schema_sound(document, nowhere, reason, sizeof reason));
    json_decref(odd);
    json_decref(nowhere);
    json_decref(document);
}
END_TEST

/* ---- the walk ---- */

static void walk(struct live *w, struct openapi *o, const struct live_process *server,
                 const struct openapi_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) json_decref(openapi_ask(w, o, server, &calls[i]));
}
#define WALK(w, o, server, calls) walk(w, o, server, calls, sizeof(calls) / sizeof *(calls))

/* Takes the next word off a line. */
static char *word(char **line)
{
    char *begin = *line, *end = begin + strcspn(begin, " ");
    *line = end + (*end == ' ');
    *end = '\0';
    return begin;
}

/* Lines of status, method, path and perhaps a body. */
static void walk_file(struct live *w, struct openapi *o, const struct live_process *server, const char *name)
{
    const char *top = getenv("top_srcdir");
    char path[600], line[4096];
    snprintf(path, sizeof path, "%s/%s", top ? top : ".", name);
    FILE *f = fopen(path, "re");
    if (!f) FAIL(w, "%s can't be read", path);
    while (fgets(line, sizeof line, f)) {
        char *at = line;
        line[strcspn(line, "\n")] = '\0';
        if (!*line || *line == '#') continue;
        struct openapi_call call = {.status = strtol(word(&at), NULL, 10)};
        call.method = word(&at);
        call.path = word(&at);
        if (*at) call.body = at;
        json_decref(openapi_ask(w, o, server, &call));
    }
    fclose(f);
}

/* Every operation was answered well at least once. */
static void expect_all_seen(struct live *w, const struct openapi *o, const char *const *left_out)
{
    const char *path, *method, *status;
    json_t *item, *operation, *response;
    json_object_foreach(json_object_get(o->document, "paths"), path, item)
    {
        json_object_foreach(item, method, operation)
        {
            bool seen = strcmp(method, "parameters") == 0;
            const char *id = text(operation, "operationId");
            for (size_t i = 0; left_out[i]; i++) seen |= strcmp(left_out[i], id) == 0;
            json_object_foreach(json_object_get(operation, "responses"), status, response)
            {
                char key[256] = "";
                for (size_t i = 0; method[i] && i < 8; i++) key[i] = (char)(method[i] - 'a' + 'A');
                size_t at = strlen(key);
                snprintf(key + at, sizeof key - at, " %s %s", path, status);
                seen |= *status == '2' && json_object_get(o->seen, key);
            }
            if (!seen) FAIL(w, "the walk never saw %s %s answered well", method, path);
        }
    }
}

/* A job's path is known when it is there. */
static void walk_job(struct live *w, struct openapi *o, const struct live_process *server)
{
    char path[80];
    json_t *job = openapi_ask(
        w, o, server,
        &(struct openapi_call){
            .status = 202, .method = "POST", .path = "/api/jobs", .body = "{\"job\":\"verify\"}"});
    snprintf(path, sizeof path, "/api/jobs/%s", text(job, "id"));
    json_decref(job);
    json_decref(
        openapi_ask(w, o, server, &(struct openapi_call){.status = 200, .method = "GET", .path = path}));
    json_decref(
        openapi_ask(w, o, server, &(struct openapi_call){.status = 200, .method = "DELETE", .path = path}));
}

/* A path of `bytes` bytes. */
static const char *long_path(char *out, size_t bytes)
{
    snprintf(out, bytes, "/api/sync/status?source=");
    memset(out + strlen(out), 'x', bytes - 1 - strlen(out));
    out[bytes - 1] = '\0';
    return out;
}

/* 409 as long as a cycle runs, and on a slow machine one may always run just then. */
static bool ran_a_cycle(struct live *w, struct openapi *o, const struct live_process *server)
{
    const struct openapi_call call = {.method = "POST", .path = "/api/sync/worker/run"};
    json_decref(openapi_ask(w, o, server, &call));
    return json_object_get(o->seen, "POST /api/sync/worker/run 200") != NULL;
}

START_TEST(every_answer_of_a_walk_is_as_documented)
{
    static const struct http_header foreign = {"Host", "evil.example"},
                                    elsewhere = {"Origin", "https://evil.example"};
    char far[8500], wide[20000];
    memset(wide, 'w', sizeof wide);
    wide[sizeof wide - 1] = '\0';
    const struct http_header heavy = {"X-Heavy", wide};
    const struct openapi_call bad[] = {
        {414, "GET", long_path(far, sizeof far), NULL, NULL, 0},
        {431, "GET", "/api/sync/status", NULL, &heavy, 1},
        {403, "GET", "/api/sync/status", NULL, &foreign, 1},
        {403, "POST", "/api/sync/worker/run", NULL, &elsewhere, 1},
    };
    static const char *const left_out[] = {"events", NULL}; /* it doesn't end: see below */
    struct live w = {.folder = ""};
    struct openapi o;
    struct live_process server = open_with_api(&w, "openapi");
    openapi_open(&w, &o);
    insert_made(&w, 0, 12);
    live_in_sync(&w);
    fault(&w, &w.qdrant, J("collection" : "interface*", "count" : 0, "status" : 400));
    update(&w, J("id" : "made-3"), J("$set" : {"interface" : ["Telepathy"]}));
    WAIT_UNTIL(&w, document_says(&w, J("id" : "made-3"), "syncMetadata.overallStatus", "failed"));
    walk_file(&w, &o, &server, "tests/data/api-walk.txt");
    WAIT_UNTIL(&w, ran_a_cycle(&w, &o, &server));
    walk_job(&w, &o, &server);
    WALK(&w, &o, &server, bad);
    expect_all_seen(&w, &o, left_out);
    openapi_close(&o);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(answers_without_servers_and_without_the_right_are_as_documented)
{
    static const struct http_header reads = {"Authorization", "Bearer only-look"},
                                    whole = {"Authorization", "Bearer open-sesame"};
    struct live w = {.folder = ""};
    struct openapi o;
    live_open(&w, "openapi-down");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "api", "token", "open-sesame");
    live_set(&w, "api", "read_token", "only-look");
    live_set(&w, "api", "public_status", "no");
    daemon_start(&w);
    struct live_process server = api(&w);
    openapi_open(&w, &o);
    insert_made(&w, 0, 2);
    live_in_sync(&w);
    for (size_t i = 0; i < route_count; i++) { /* each route, without and with too little */
        char path[256] = "";
        for (const char *at = routes[i].path; *at; at++)
            snprintf(path + strlen(path), sizeof path - strlen(path), *at == '*' ? "tools" : "%c", *at);
        bool writes = routes[i].access == ACCESS_WRITE;
        const struct openapi_call calls[] = {
            {routes[i].access == ACCESS_OPEN ? 0 : 401, routes[i].method, path, NULL, NULL, 0},
            {writes ? 403 : 0, routes[i].method, path, NULL, &reads, 1},
        };
        bool endless = strcmp(routes[i].path, "/api/sync/events") == 0;
        walk(&w, &o, &server, calls, endless ? 1 : 2);
    }
    process_kill(&w.qdrant);
    const struct openapi_call without_qdrant[] = {
        {503, "GET", "/readyz", NULL, NULL, 0},
        {0, "GET", "/api/search?q=made", NULL, &whole, 1},
        {0, "GET", "/api/sync/worker/problems", NULL, &whole, 1},
        {200, "POST", "/api/sync/tools/made-1/retry", "{\"force\":true}", &whole, 1},
    };
    WALK(&w, &o, &server, without_qdrant);
    process_kill(&w.mongod);
    const struct openapi_call without_mongodb[] = {
        {503, "GET", "/readyz", NULL, &whole, 1},
        {0, "GET", "/api/sync/status", NULL, &whole, 1},
        {0, "GET", "/api/sync/tools/made-1", NULL, &whole, 1},
        {200, "GET", "/api/sync/worker/state", NULL, &whole, 1},
        {200, "GET", "/api/sync/worker/problems", NULL, &whole, 1},
        {200, "GET", "/metrics", NULL, &whole, 1},
    };
    WALK(&w, &o, &server, without_mongodb);
    openapi_close(&o);
    live_close(&w);
}
END_TEST

/* The segment of a fixed path where others have a source's name: "jobs" of /api/jobs, "worker" of
 * /api/sync/worker/status; 0 bytes where there is none. */
static size_t fixed_segment(const char *path, size_t place, const char **out)
{
    static const char *const before[] = {"/api/", "/api/sync/"};
    size_t skip = strlen(before[place]);
    if (strncmp(path, before[place], skip) != 0 || path[skip] == '*') return 0;
    *out = path + skip;
    return strcspn(*out, "/");
}

static bool is_taken(const char *name, size_t bytes)
{
    for (size_t i = 0; config_names_taken[i]; i++)
        if (strlen(config_names_taken[i]) == bytes && strncmp(config_names_taken[i], name, bytes) == 0)
            return true;
    return false;
}

/* The routes are the one list and the names that are refused the other: neither may be forgotten. */
START_TEST(no_source_has_the_name_of_a_fixed_path)
{
    struct live w = {.folder = ""};
    live_open(&w, "openapi-names");
    const char *name;
    for (size_t i = 0; i < route_count; i++)
        for (size_t place = 0; place < 2; place++) {
            size_t bytes = fixed_segment(routes[i].path, place, &name);
            if (bytes && !is_taken(name, bytes))
                FAIL(&w, "a source named %.*s hides behind %s", (int)bytes, name, routes[i].path);
        }
    for (size_t k = 0; config_names_taken[k]; k++) {
        bool there = false;
        for (size_t i = 0; i < 2 * route_count; i++) {
            size_t bytes = fixed_segment(routes[i / 2].path, i % 2, &name);
            there |= bytes == strlen(config_names_taken[k]) && !strncmp(name, config_names_taken[k], bytes);
        }
        if (!there) FAIL(&w, "no path has %s", config_names_taken[k]);
        live_set(&w, "mongodb", "name", config_names_taken[k]);
        EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "config", "check", NULL), 2);
    }
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_route_is_documented_and_nothing_else,
        no_source_has_the_name_of_a_fixed_path,
        the_document_is_sound,
        the_schemas_refuse_what_does_not_fit,
        every_answer_of_a_walk_is_as_documented,
        answers_without_servers_and_without_the_right_are_as_documented,
    };
    return live_main("openapi", tests, sizeof tests / sizeof *tests);
}
