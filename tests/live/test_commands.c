/* test_commands.c - the command line over the wire: what it does, prints, and exits with. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/harness.h"

static bool has(const struct buf *text, const char *part)
{
    return text->data && strstr(text->data, part) != NULL;
}

static int64_t member(struct live *w, const json_t *from, const char *a, const char *b, const char *c)
{
    const json_t *value = json_object_get(from, a);
    if (b) value = json_object_get(value, b);
    if (c) value = json_object_get(value, c);
    if (!json_is_integer(value)) FAIL(w, "no number at %s %s %s", a, b ? b : "", c ? c : "");
    return json_integer_value(value);
}

static json_t *parsed(struct live *w, const struct buf *text)
{
    json_error_t error;
    json_t *value = json_loadb(text->data, text->bytes, JSON_ALLOW_NUL, &error);
    if (!value) FAIL(w, "not JSON (%s): %.500s", error.text, text->data ? text->data : "");
    return value;
}

static int64_t embedded_by_sync(struct live *w, const char *collection)
{
    struct buf out, err;
    buf_init(&out, 0);
    buf_init(&err, 0);
    int status = live_command(w, NULL, &out, &err, "sync", "--json", NULL);
    if (status != 0) FAIL(w, "sync ended with %d: %s", status, err.data ? err.data : "");
    json_t *said = parsed(w, &out);
    int64_t embedded = json_integer_value(json_object_get(
        json_object_get(json_object_get(json_object_get(said, "tools"), "collections"), collection),
        "embedded"));
    json_decref(said);
    buf_fini(&out);
    buf_fini(&err);
    return embedded;
}

START_TEST(a_second_sync_embeds_nothing_and_writes_nothing)
{
    struct live w = {.folder = ""};
    live_open(&w, "sync");
    size_t count = insert_sample(&w);
    insert_made(&w, 0, 10);
    EXPECT(&w, embedded_by_sync(&w, "tools") > 10);
    live_in_step(&w);
    EXPECT(&w, counters(&w).upserted > (int64_t)count);
    counters_reset(&w);
    EXPECT_INT(&w, embedded_by_sync(&w, "tools"), 0);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts, 0);
    EXPECT_INT(&w, c.upserted, 0);
    EXPECT_INT(&w, c.deleted, 0);
    delete_one(&w, J("id" : "made-1"));
    update(&w, J("id" : "made-2"), J("$set" : {"categories" : ["Between two"]}));
    EXPECT_INT(&w, embedded_by_sync(&w, "functionality"), 1);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(sync_beside_a_daemon_says_who_has_the_lease)
{
    struct live w = {.folder = ""};
    struct buf err;
    live_open(&w, "sync-beside");
    live_set(&w, "worker", "lease_ms", "2000");
    insert_made(&w, 0, 5);
    daemon_start(&w);
    live_in_step(&w);
    buf_init(&err, 0);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, &err, "sync", NULL), 1);
    EXPECT(&w, has(&err, "lease"));
    buf_fini(&err);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(status_counts_documents_as_the_api_will)
{
    struct live w = {.folder = ""};
    struct buf out;
    live_open(&w, "status");
    insert_made(&w, 0, 12);
    insert(&w, J("name" : "No id"));
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "status", "--json", NULL), 0);
    json_t *said = parsed(&w, &out);
    EXPECT_INT(&w, member(&w, said, "total", NULL, NULL), 13);
    EXPECT_INT(&w, member(&w, said, "pending", NULL, NULL), 13);
    EXPECT_INT(&w, member(&w, said, "perCollection", "usecases", "pending"), 13);
    json_decref(said);
    daemon_start(&w);
    live_in_step(&w);
    buf_clear(&out);
    /* the failed document is a problem, and an error */
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "status", "--json", NULL), 1);
    said = parsed(&w, &out);
    EXPECT_INT(&w, member(&w, said, "synced", NULL, NULL), 12);
    EXPECT_INT(&w, member(&w, said, "failed", NULL, NULL), 1);
    EXPECT_INT(&w, member(&w, said, "stale", NULL, NULL), 0);
    EXPECT_INT(&w, member(&w, said, "perCollection", "tools", "failed"), 1);
    json_decref(said);
    buf_clear(&out);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "status", NULL), 1);
    EXPECT(&w, has(&out, "usecases"));
    EXPECT(&w, has(&out, "DOCUMENTS_FAILED"));
    buf_fini(&out);
    live_close(&w);
}
END_TEST

START_TEST(preview_of_a_file_needs_no_server)
{
    static const char *const figma = J("id"
                                       : "figma", "name"
                                       : "Figma", "description"
                                       : "Design together", "tagline"
                                       : "Made for teams", "functionality"
                                       : [ "Wireframing", "Prototyping" ], "categories"
                                       : ["Design"]);
    struct live w = {.folder = ""};
    struct buf out;
    live_open(&w, "preview");
    process_kill(&w.mongod);
    process_kill(&w.qdrant);
    process_kill(&w.embedder);
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, figma, &out, NULL, "preview", "--json", NULL), 0);
    json_t *said = parsed(&w, &out);
    const json_t *of = json_object_get(json_object_get(said, "collections"), "functionality");
    ck_assert_str_eq(json_string_value(json_object_get(of, "text")),
                     "Wireframing Wireframing Wireframing Prototyping Prototyping Prototyping Design Design "
                     "Features: Wireframing, Prototyping Categories: Design");
    of = json_object_get(json_object_get(said, "collections"), "usecases");
    ck_assert_str_eq(json_string_value(json_object_get(of, "result")), "nothing");
    json_decref(said);
    EXPECT_INT(&w, live_command(&w, "{\"id\":", NULL, NULL, "preview", NULL), 1);
    EXPECT_INT(&w, live_command(&w, figma, NULL, NULL, "preview", "--collection", "none", NULL), 2);
    buf_fini(&out);
    live_close(&w);
}
END_TEST

START_TEST(preview_of_an_id_says_what_is_in_qdrant_then)
{
    struct live w = {.folder = ""};
    struct buf out;
    live_open(&w, "preview-id");
    insert_made(&w, 0, 3);
    daemon_start(&w);
    live_in_step(&w);
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "preview", "--id", "made-1", NULL), 0);
    char *point = document_text(&w, J("id" : "made-1"), "syncMetadata.collections.tools.pointId");
    char *hash = document_text(&w, J("id" : "made-1"), "syncMetadata.collections.tools.contentHash");
    EXPECT(&w, *point && has(&out, point) && *hash && has(&out, hash));
    free(point);
    free(hash);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "preview", "--id", "nobody", NULL), 1);
    buf_fini(&out);
    live_close(&w);
}
END_TEST

START_TEST(search_finds_by_the_text_of_each_collection)
{
    struct live w = {.folder = ""};
    struct buf out;
    live_open(&w, "search");
    insert_made(&w, 0, 30);
    insert(&w, J("id" : "quill", "name" : "Quill", "description" : "Writes letters with feathers"));
    daemon_start(&w);
    live_in_step(&w);
    buf_init(&out, 0);
    EXPECT_INT(
        &w,
        live_command(&w, NULL, &out, NULL, "search", "--json", "--limit", "3", "letters with feathers", NULL),
        0);
    json_t *said = parsed(&w, &out);
    const json_t *hits = json_object_get(json_object_get(said, "collections"), "tools");
    EXPECT_INT(&w, json_array_size(hits), 3);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(hits, 0), "id")), "quill");
    EXPECT(&w, !has(&out, "_lockstep") && !has(&out, "syncMetadata"));
    json_decref(said);
    buf_clear(&out);
    EXPECT_INT(&w,
               live_command(&w, NULL, &out, NULL, "search", "--json", "--limit", "100", "--collection",
                            "tools", "--filter", "status:beta", "--filter", "categories:categories 2",
                            "--filter", "categories:categories 3", "letters", NULL),
               0);
    said = parsed(&w, &out);
    hits = json_object_get(json_object_get(said, "collections"), "tools");
    EXPECT_INT(&w, json_array_size(hits), 3); /* 2, 14 and 24: even, and 2 or 3 more than a multiple of 11 */
    json_decref(said);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "search", "--filter", "status", "text", NULL), 2);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "search", NULL), 2);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "search", "--collection", "none", "text", NULL), 2);
    process_kill(&w.qdrant);
    buf_clear(&out);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, &out, "search", "text", NULL), 1);
    EXPECT(&w, has(&out, "127.0.0.1"));
    buf_fini(&out);
    live_close(&w);
}
END_TEST

START_TEST(everything_wrong_in_the_configuration_is_said_at_once)
{
    struct live w = {.folder = ""};
    struct buf err;
    live_open(&w, "bad-config");
    live_set(&w, "worker", "interval_ms", "soon");
    live_set(&w, "qdrant", "flavour", "vanilla");
    live_set(&w, "nonsense", "key", "1");
    live_set(&w, "collection:tools", "distance", "far");
    for (int i = 0; i < 2; i++) {
        buf_init(&err, 0);
        EXPECT_INT(&w,
                   i ? live_command(&w, NULL, NULL, &err, "run", NULL)
                     : live_command(&w, NULL, &err, &err, "config", "check", NULL),
                   2);
        EXPECT(&w, has(&err, "interval_ms") && has(&err, "flavour") && has(&err, "nonsense") &&
                       has(&err, "distance"));
        EXPECT(&w, has(&err, "lockstep.ini:"));
        buf_fini(&err);
    }
    live_close(&w);
}
END_TEST

START_TEST(a_configuration_that_is_not_there_is_named_by_each_command)
{
    static const char *const commands[][2] = {
        {"run"},     {"sync"},    {"status"},          {"verify"},
        {"plugins"}, {"preview"}, {"config", "check"}, {"config", "show"}};
    struct live w = {.folder = ""};
    struct buf err;
    live_open(&w, "no-config");
    unlink(live_ini(&w));
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        buf_init(&err, 0);
        EXPECT_INT(&w, live_command(&w, NULL, NULL, &err, commands[i][0], commands[i][1], NULL), 2);
        EXPECT(&w, has(&err, "lockstep.ini: can't be read: No such file or directory; name another file"));
        buf_fini(&err);
    }
    live_close(&w);
}
END_TEST

START_TEST(config_show_hides_secrets)
{
    struct live w = {.folder = ""};
    struct buf out;
    live_open(&w, "config-show");
    live_set(&w, "qdrant", "api_key", "hush-qdrant");
    live_set(&w, "embedding", "api_key", "hush-embedder");
    live_set(&w, "mongodb", "uri", "mongodb://me:hush-mongodb@127.0.0.1:1/");
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, &out, "config", "show", NULL), 0);
    EXPECT(&w, has(&out, "timeout_ms") && !has(&out, "hush"));
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "config", "check", NULL), 0);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "config", "frobnicate", NULL), 2);
    buf_fini(&out);
    live_close(&w);
}
END_TEST

START_TEST(plugins_are_listed_with_what_they_watch)
{
    struct live w = {.folder = ""};
    struct buf out;
    live_open(&w, "plugins");
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "plugins", NULL), 0);
    EXPECT(&w, has(&out, "functionality") && has(&out, "longDescription") && has(&out, ".so"));
    EXPECT(&w, !has(&out, "fields "));
    live_set(&w, "collection:more", "plugin", "missing");
    buf_clear(&out);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, &out, "plugins", NULL), 2);
    EXPECT(&w, has(&out, "missing"));
    /* what could be used is shown whatever the sections name */
    buf_clear(&out);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "plugins", "--all", "--json", NULL), 0);
    EXPECT(&w, has(&out, "\"fields\"") && has(&out, "\"usecases\"") && has(&out, "\"options\""));
    buf_fini(&out);
    live_close(&w);
}
END_TEST

START_TEST(a_collection_declared_in_the_ini_file_alone_is_kept_in_step)
{
    struct live w = {.folder = ""};
    live_open(&w, "fields");
    live_set(&w, "collection:names", "plugin", "fields");
    live_set(&w, "collection:names", "watched", "name 2, status");
    live_set(&w, "collection:names", "sentences", "Known as {name}");
    live_set(&w, "collection:names", "payload", "slug, website as site");
    insert_made(&w, 0, 10);
    daemon_start(&w);
    live_in_step(&w);
    update(&w, J("id" : "made-1"), J("$set" : {"name" : "Renamed"}));
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "names"), 10);
    live_close(&w);
}
END_TEST

START_TEST(servers_that_cannot_be_reached_are_named)
{
    struct live w = {.folder = ""};
    struct buf err;
    live_open(&w, "unreachable");
    live_set(&w, "mongodb", "uri", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500");
    buf_init(&err, 0);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, &err, "status", NULL), 1);
    EXPECT(&w, has(&err, "127.0.0.1:1"));
    buf_clear(&err);
    live_set(&w, "qdrant", "url", "http://127.0.0.1:2");
    EXPECT_INT(&w, live_command(&w, NULL, NULL, &err, "sync", NULL), 1);
    EXPECT(&w, has(&err, "127.0.0.1:1") && has(&err, "127.0.0.1:2"));
    buf_fini(&err);
    live_close(&w);
}
END_TEST

/* Each says what is wrong, how the command is used, and exits with 2 before any server is asked. */
START_TEST(a_wrong_option_is_named_with_the_usage)
{
    static const struct {
        const char *arguments[4], *says;
    } cases[] = {
        {{"sync", "--dance"}, "the option --dance is not known"},
        {{"sync", "--id"}, "--id needs a value"},
        {{"sync", "--force=much"}, "the option --force=much"},
        {{"retry"}, "either --id or --failed"},
        {{"retry", "--failed", "--id", "figma"}, "either --id or --failed"},
        {{"verify", "--sample", "few"}, "--sample takes a number from 1 to 1000000"},
        {{"verify", "--sample", "0"}, "--sample takes a number from 1 to 1000000"},
        {{"search", "--limit", "-3", "text"}, "--limit takes a number from 1 to 100"},
        {{"search", "two", "texts"}, "what is `texts`?"},
        {{"forget"}, "say which collection"},
        {{"preview", "--id", "figma", "file"}, "either a file or --id"},
        {{"plugins", "all"}, "what is `all`?"},
    };
    struct live w = {.folder = ""};
    live_open(&w, "wrong-options");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *a = cases[i].arguments;
        struct buf err, usage;
        buf_init(&err, 0);
        buf_init(&usage, 0);
        buf_printf(&usage, "usage: lockstep [--config FILE] %s ", a[0]);
        int status = live_command(&w, NULL, NULL, &err, a[0], a[1], a[2], a[3], NULL);
        if (status != 2 || !has(&err, cases[i].says) || !has(&err, usage.data))
            FAIL(&w, "case %zu ended with %d: %s", i, status, err.data ? err.data : "");
        buf_fini(&err);
        buf_fini(&usage);
    }
    live_close(&w);
}
END_TEST

START_TEST(wrong_usage_exits_with_two_and_help_with_none)
{
    struct live w = {.folder = ""};
    struct buf out;
    live_open(&w, "usage");
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "--help", NULL), 0);
    EXPECT(&w, has(&out, "  run ") && !has(&out, " \n"));
    buf_fini(&out);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "--version", NULL), 0);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "dance", NULL), 2);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "run", "away", NULL), 2);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "status", "--colour", NULL), 2);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "sync", "--dance", NULL), 2);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_second_sync_embeds_nothing_and_writes_nothing,
        sync_beside_a_daemon_says_who_has_the_lease,
        status_counts_documents_as_the_api_will,
        preview_of_a_file_needs_no_server,
        preview_of_an_id_says_what_is_in_qdrant_then,
        search_finds_by_the_text_of_each_collection,
        everything_wrong_in_the_configuration_is_said_at_once,
        a_configuration_that_is_not_there_is_named_by_each_command,
        config_show_hides_secrets,
        plugins_are_listed_with_what_they_watch,
        a_collection_declared_in_the_ini_file_alone_is_kept_in_step,
        servers_that_cannot_be_reached_are_named,
        a_wrong_option_is_named_with_the_usage,
        wrong_usage_exits_with_two_and_help_with_none,
    };
    return live_main("commands", tests, sizeof tests / sizeof *tests);
}
