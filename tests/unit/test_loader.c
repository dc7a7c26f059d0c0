/* test_loader.c - plugins that load, plugins that are refused and why, options, and what open() may answer.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "plugin/plugin.h"
#include "suite.h"

static char build_plugins[1000], test_plugins[1000], scratch[1000];
static char said[8000]; /* all problems, a line each */
static size_t said_count;

static void report(void *context, const char *problem)
{
    (void)context;
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s\n", problem);
    said_count++;
}

static void setup(void)
{
    const char *top = getenv("top_builddir");
    if (!top) top = ".";
    char *absolute = realpath(top, NULL);
    ck_assert_ptr_nonnull(absolute);
    snprintf(build_plugins, sizeof build_plugins, "%s/plugins", absolute);
    snprintf(test_plugins, sizeof test_plugins, "%s/tests/unit", absolute);
    free(absolute);
    snprintf(scratch, sizeof scratch, "/tmp/lockstep-loader-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scratch));
    said[0] = '\0';
    said_count = 0;
}

/* Files the tests put into the scratch folder. */
static void teardown(void)
{
    static const char *const files[] = {"text.so", "empty.so", "locked.so", "tools.so", "mark"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[1100];
        snprintf(path, sizeof path, "%s/%s", scratch, files[i]);
        unlink(path);
    }
    rmdir(scratch);
}

static void put_file(const char *name, const char *contents, mode_t mode)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(contents, file);
    fclose(file);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static enum lks_code load(const char *folder, const char *name, struct plugin_set **set)
{
    struct lks_err err;
    return plugins_load(LIST(folder), LIST(name), 1, set, report, NULL, &err);
}

START_TEST(the_model_plugins_load_and_make_the_texts_of_the_contract)
{
    struct plugin_set *set;
    struct binding *b;
    struct lks_err err;
    ck_assert_msg(plugins_load(LIST(build_plugins), model_names, MODEL_COUNT, &set, report, NULL, &err) ==
                      LKS_E_OK,
                  "%s", said);
    ck_assert_uint_eq(plugins_count(set), MODEL_COUNT);
    for (int i = 0; i < MODEL_COUNT; i++) {
        struct binding_settings s = {.name = model_names[i],
                                     .plugin = model_names[i],
                                     .where = "test.ini:1",
                                     .source = "catalogue.tools",
                                     .id_field = "id",
                                     .id_namespace = "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
                                     .max_text_bytes = 32768,
                                     .fingerprint = "test"};
        struct collection *declared = fixture_collection(model_names[i], &model_lists[i]);
        ck_assert_msg(binding_open(set, &s, &b, report, NULL, &err) == LKS_E_OK, "%s", said);
        struct made made = fixture_make(binding_collection(b), figma), same = fixture_make(declared, figma);
        ck_assert_str_eq(made.text, figma_texts[i]);
        /* a compiled plugin and the same lists in the INI file give the same bytes */
        ck_assert_str_eq(made.content_hash, same.content_hash);
        ck_assert_str_eq(made.payload, same.payload);
        ck_assert_str_eq(made.payload_hash, same.payload_hash);
        ck_assert_str_eq(made.point_id, same.point_id);
        made_fini(&made);
        made_fini(&same);
        fixture_free(declared);
        binding_close(b);
    }
    plugins_free(set);
}
END_TEST

/* Names of fixtures, and words their refusal must have. */
static const struct {
    const char *name, *says[3];
} refused[] = {
    {"bad_magic", {"no plugin descriptor", "LKS_PLUGIN_ABI"}},
    {"bad_major", {"interface 2", "this Lockstep has 1"}},
    {"bad_minor", {"interface 1.1", "this Lockstep has 1.0", "update Lockstep"}},
    {"bad_bson", {"is built with libbson", "can't share a process"}},
    {"bad_size", {"20 bytes"}},
    {"bad_name", {"`another`", "`bad_name`"}},
    {"bad_version", {"`version`", "`summary`"}},
    {"bad_flags", {"0x80"}},
    {"bad_symbol", {"exports no `lks_plugin`"}},
    {"bad_undefined", {"undefined symbol: nobody_defines_this", "-z,defs"}},
    {"not_there", {"no plugin `not_there`", "`path` in [plugins]"}},
    {"../tools", {"can't be a plugin's name"}},
    {"bad_options",
     {"`Upper` can't be called so", "`watched` has the name of one of Lockstep's own",
      "`twice` is declared twice"}},
    {"bad_options",
     {"`outside` lies outside", "`misaligned` lies outside", "`typeless` has an unknown type"}},
    {"bad_options",
     {"the default `many`", "the default `11` of the option `out_of_range`",
      "`one to ten`, which is no range"}},
    {"bad_options", {"the default `c` of the option `no_word`"}},
};

START_TEST(a_plugin_that_can_not_be_used_is_refused_with_file_and_cure)
{
    struct plugin_set *set;
    ck_assert_int_eq(load(test_plugins, refused[_i].name, &set), LKS_E_CONFIG);
    ck_assert_ptr_null(set);
    for (size_t i = 0; i < 3 && refused[_i].says[i]; i++)
        ck_assert_msg(strstr(said, refused[_i].says[i]) != NULL, "`%s` is missing in: %s",
                      refused[_i].says[i], said);
    if (strncmp(refused[_i].name, "bad_", 4) == 0) {
        ck_assert_ptr_nonnull(strstr(said, refused[_i].name));
        ck_assert_ptr_nonnull(strstr(said, ".so: "));
    }
}
END_TEST

START_TEST(an_older_smaller_descriptor_loads_and_nothing_beyond_it_is_read)
{
    struct plugin_set *set;
    ck_assert_msg(load(test_plugins, "old_size", &set) == LKS_E_OK, "%s", said);
    ck_assert_uint_eq(plugins_at(set, 0)->descriptor.flags, 0);
    ck_assert_str_eq(plugins_at(set, 0)->descriptor.watched[0], "name 2");
    plugins_free(set);
}
END_TEST

START_TEST(a_text_file_called_so_is_refused_with_what_the_linker_says)
{
    struct plugin_set *set;
    put_file("text.so",
             "This is a text, long enough to look like something that could be a header of a file.\n", 0644);
    put_file("empty.so", "", 0644);
    ck_assert_int_eq(load(scratch, "text", &set), LKS_E_CONFIG);
    ck_assert_ptr_nonnull(
        strstr(said, "text.so: can't be loaded: invalid ELF header; this is no shared object"));
    ck_assert_int_eq(load(scratch, "empty", &set), LKS_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(said, "empty.so: can't be loaded: file too short"));
}
END_TEST

START_TEST(a_file_that_can_not_be_read_is_refused)
{
    struct plugin_set *set;
    if (geteuid() == 0) return; /* root reads everything */
    put_file("locked.so", "", 0);
    ck_assert_int_eq(load(scratch, "locked", &set), LKS_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(said, "locked.so: can't be read"));
}
END_TEST

START_TEST(two_different_files_of_one_name_are_refused)
{
    struct plugin_set *set;
    struct lks_err err;
    put_file("tools.so", "not the same file", 0644);
    ck_assert_int_eq(plugins_load(LIST(build_plugins, scratch), LIST("tools"), 1, &set, report, NULL, &err),
                     LKS_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(said, "tools.so: the plugin `tools` is also in"));
    /* the same folder named twice is no mistake */
    ck_assert_int_eq(
        plugins_load(LIST(build_plugins, build_plugins), LIST("tools", "tools"), 2, &set, report, NULL, &err),
        LKS_E_OK);
    ck_assert_uint_eq(plugins_count(set), 1);
    plugins_free(set);
}
END_TEST

START_TEST(a_relative_folder_is_refused)
{
    struct plugin_set *set;
    ck_assert_int_eq(load("plugins", "tools", &set), LKS_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(said, "relative path"));
}
END_TEST

START_TEST(all_problems_are_reported_together)
{
    struct plugin_set *set;
    struct lks_err err;
    ck_assert_int_eq(plugins_load(LIST(test_plugins),
                                  LIST("bad_magic", "not_there", "bad_major", "not_there"), 4, &set, report,
                                  NULL, &err),
                     LKS_E_CONFIG);
    ck_assert_uint_eq(said_count, 3);
}
END_TEST

START_TEST(what_is_there_can_be_listed)
{
    char **names = plugins_available(LIST(build_plugins, build_plugins));
    size_t found = 0;
    ck_assert_ptr_nonnull(names);
    for (size_t i = 0; names[i]; i++) {
        found += strcmp(names[i], "fields") == 0 || strcmp(names[i], "usecases") == 0;
        if (i) ck_assert_int_lt(strcmp(names[i - 1], names[i]), 0);
    }
    ck_assert_uint_eq(found, 2);
    free(names);
}
END_TEST

/* ---- bindings ---- */

#define SET(k, v) ((struct plugin_setting){.key = (k), .value = (v), .where = "test.ini:9"})

static struct plugin_set *probe_set(void)
{
    struct plugin_set *set;
    ck_assert_msg(load(test_plugins, "probe", &set) == LKS_E_OK, "%s", said);
    return set;
}

static enum lks_code bind(const struct plugin_set *set, const struct plugin_setting *settings, size_t count,
                          struct binding **b)
{
    struct lks_err err;
    struct binding_settings s = {.name = "c",
                                 .plugin = "probe",
                                 .where = "test.ini:1",
                                 .settings = settings,
                                 .setting_count = count,
                                 .source = "d.c",
                                 .id_field = "id",
                                 .id_namespace = "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
                                 .max_text_bytes = 1000,
                                 .fingerprint = "f",
                                 .deadline_ms = 200};
    return binding_open(set, &s, b, report, NULL, &err);
}

START_TEST(options_reach_the_plugin_in_their_types)
{
    struct plugin_set *set = probe_set();
    struct binding *b;
    struct plugin_setting words = SET("words", "c, a");
    words.items = LIST("c", "a");
    struct plugin_setting given[] = {SET("mode", "options"), SET("needed", "here"), SET("count", "-3"),
                                     SET("ratio", "0.25"),   SET("flag", "off"),    words};
    ck_assert_msg(bind(set, given, 6, &b) == LKS_E_OK, "%s", said);
    struct made made = fixture_make(binding_collection(b), "{\"id\":\"i\",\"name\":\"n\"}");
    ck_assert_str_eq(made.text, "here -3 0.25 0 c a n n");
    made_fini(&made);
    const char *const *texts = binding_collection(b)->options;
    ck_assert_str_eq(texts[0], "mode=options");
    ck_assert_str_eq(texts[5], "words=c, a");
    ck_assert_ptr_null(texts[6]);
    binding_close(b);
    struct plugin_setting least[] = {SET("mode", "options"), SET("needed", "x")};
    ck_assert_int_eq(bind(set, least, 2, &b), LKS_E_OK);
    made = fixture_make(binding_collection(b), "{\"id\":\"i\",\"name\":\"n\"}");
    ck_assert_str_eq(made.text, "x 5 0.5 1 a b n n");
    made_fini(&made);
    binding_close(b);
    plugins_free(set);
}
END_TEST

START_TEST(bad_options_are_all_reported_where_they_stand)
{
    struct plugin_set *set = probe_set();
    struct binding *b;
    struct plugin_setting words = SET("words", "a, x");
    words.items = LIST("a", "x");
    struct plugin_setting given[] = {SET("count", "101"), SET("ratio", "half"), SET("flag", "maybe"), words,
                                     SET("typo", "1")};
    ck_assert_int_eq(bind(set, given, 5, &b), LKS_E_CONFIG);
    ck_assert_uint_eq(said_count, 6);
    static const char *const expected[] = {"test.ini:9: `count` is not in the range -10..100",
                                           "test.ini:9: `ratio` must be a number",
                                           "test.ini:9: `flag` must be yes or no",
                                           "test.ini:9: `words` has an item that is not one of a|b|c",
                                           "test.ini:9: unknown key `typo`",
                                           "test.ini:1: [collection:c] needs `needed`"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        ck_assert_msg(strstr(said, expected[i]) != NULL, "`%s` is missing in: %s", expected[i], said);
    plugins_free(set);
}
END_TEST

START_TEST(lists_of_the_ini_file_replace_those_of_the_plugin)
{
    struct plugin_set *set;
    struct binding *b;
    struct lks_err err;
    ck_assert_int_eq(load(build_plugins, "tools", &set), LKS_E_OK);
    struct binding_settings s = {.name = "c",
                                 .plugin = "tools",
                                 .where = "test.ini:1",
                                 .watched = LIST("tagline"),
                                 .payload = LIST("slug"),
                                 .source = "d.c",
                                 .id_field = "id",
                                 .id_namespace = "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
                                 .max_text_bytes = 1000,
                                 .fingerprint = "f"};
    ck_assert_int_eq(binding_open(set, &s, &b, report, NULL, &err), LKS_E_OK);
    struct made made = fixture_make(binding_collection(b), figma);
    ck_assert_str_eq(made.text, "Made for teams");
    ck_assert_str_eq(
        made.payload,
        "{\"collection\":\"c\",\"id\":\"507f1f77bcf86cd799439011\",\"tagline\":\"Made for teams\"}");
    made_fini(&made);
    binding_close(b);
    s.watched = LIST("tagline heavy");
    s.id_namespace = "nonsense";
    ck_assert_int_eq(binding_open(set, &s, &b, report, NULL, &err), LKS_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(said, "test.ini:1: [collection:c]: watched: `tagline heavy`"));
    plugins_free(set);
}
END_TEST

START_TEST(open_rejects_options_or_stops_its_own_collection)
{
    struct plugin_set *set = probe_set();
    struct binding *b;
    struct plugin_setting reject[] = {SET("needed", "x"), SET("mode", "open-reject")};
    ck_assert_int_eq(bind(set, reject, 2, &b), LKS_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(said, "collection `c`, plugin `probe`, open(): mode open-reject"));
    static const char *const modes[] = {"open-fatal", "open-string"};
    for (size_t i = 0; i < 2; i++) {
        struct plugin_setting fatal[] = {SET("needed", "x"), SET("mode", modes[i])};
        ck_assert_int_eq(bind(set, fatal, 2, &b), LKS_E_OK);
        struct made made = fixture_make(binding_collection(b), "{\"id\":\"i\",\"name\":\"n\"}");
        ck_assert_int_eq(made.kind, MADE_FATAL);
        ck_assert_ptr_nonnull(strstr(made.err->text, "open()"));
        made_fini(&made);
        binding_close(b);
    }
    plugins_free(set);
}
END_TEST

START_TEST(an_open_that_hangs_is_given_up)
{
    struct plugin_set *set = probe_set();
    struct binding *b;
    char mark[1100];
    snprintf(mark, sizeof mark, "%s/mark", scratch);
    struct plugin_setting given[] = {SET("needed", mark), SET("mode", "open-hang")};
    ck_assert_int_eq(bind(set, given, 2, &b), LKS_E_OK);
    struct made made = fixture_make(binding_collection(b), "{\"id\":\"i\",\"name\":\"n\"}");
    ck_assert_int_eq(made.kind, MADE_FATAL);
    ck_assert_ptr_nonnull(strstr(made.err->text, "collection `c`, plugin `probe`, open(): did not return"));
    made_fini(&made);
    binding_close(b);
    plugins_free(set);
    put_file("mark", "", 0644); /* lets the thread go */
}
END_TEST

START_TEST(close_is_called_after_an_open_that_went_well)
{
    struct plugin_set *set = probe_set();
    struct binding *b;
    char mark[1100];
    snprintf(mark, sizeof mark, "%s/mark", scratch);
    struct plugin_setting given[] = {SET("needed", mark), SET("mode", "close-mark")};
    ck_assert_int_eq(bind(set, given, 2, &b), LKS_E_OK);
    ck_assert_int_ne(access(mark, F_OK), 0);
    binding_close(b);
    ck_assert_int_eq(access(mark, F_OK), 0);
    plugins_free(set);
}
END_TEST

static const struct {
    const char *mode, *count;
    enum made_kind kind;
    enum lks_code code;
    const char *says;
} calls[] = {
    {"plain", "0", MADE_POINT, LKS_E_OK, NULL},
    {"verdict", "1", MADE_NOTHING, LKS_E_OK, NULL},
    {"verdict", "2", MADE_FAILED, LKS_E_PLUGIN, "text(), document d1: the count is 2"},
    {"verdict", "3", MADE_FAILED, LKS_E_VALIDATION, "text(), document d1: the count is 3"},
    {"verdict", "4", MADE_FATAL, LKS_E_PLUGIN, "text(), document d1: the count is 4"},
    {"verdict", "99", MADE_FAILED, LKS_E_PLUGIN, "99, which is no verdict"},
    {"greedy", "0", MADE_FAILED, LKS_E_VALIDATION, "more than 16 MB"},
    {"bad-sentence", "0", MADE_FAILED, LKS_E_PLUGIN, "the sentence `{name`"},
    {"undeclared", "0", MADE_FAILED, LKS_E_PLUGIN, "the field `colour`, which is not declared"},
    {"put-in-text", "0", MADE_FAILED, LKS_E_PLUGIN, "put() can't be used in text()"},
    {"text-in-put", "0", MADE_FAILED, LKS_E_PLUGIN, "write() can't be used in payload_more()"},
    {"bad-put", "0", MADE_FAILED, LKS_E_PLUGIN, "payload_more(), document d1: put() was given a name"},
};

START_TEST(a_call_ends_in_its_verdict_or_in_what_the_host_refused_first)
{
    struct plugin_set *set = probe_set();
    struct binding *b;
    struct plugin_setting given[] = {SET("needed", "x"), SET("mode", calls[_i].mode),
                                     SET("count", calls[_i].count)};
    ck_assert_msg(bind(set, given, 3, &b) == LKS_E_OK, "%s", said);
    struct made made = fixture_make(binding_collection(b), "{\"_id\":\"d1\",\"id\":\"i\",\"name\":\"n\"}");
    ck_assert_int_eq(made.kind, calls[_i].kind);
    ck_assert_int_eq(made.err ? made.err->code : LKS_E_OK, calls[_i].code);
    if (calls[_i].says) ck_assert_msg(strstr(made.err->text, calls[_i].says) != NULL, "%s", made.err->text);
    made_fini(&made);
    binding_close(b);
    plugins_free(set);
}
END_TEST

START_TEST(text_sees_the_watched_fields_alone_and_payload_more_what_is_declared)
{
    struct plugin_set *set = probe_set();
    struct binding *b;
    struct plugin_setting given[] = {SET("needed", "x"), SET("mode", "fields")};
    ck_assert_int_eq(bind(set, given, 2, &b), LKS_E_OK);
    struct made made =
        fixture_make(binding_collection(b), "{\"_id\":\"d1\",\"id\":\"i\",\"name\":\"n\",\"tags\":[\"a\",["
                                            "\"b\",3]],\"hidden\":\"h\",\"other\":\"o\"}");
    ck_assert_str_eq(made.text, "n n a, b, 3 a b 3 <n> c n n");
    ck_assert_str_eq(made.payload,
                     "{\"collection\":\"c\",\"extra\":\"h\",\"id\":\"d1\",\"name\":\"n\",\"nothing\":null,"
                     "\"tags\":[\"a\",[\"b\",3]]}");
    made_fini(&made);
    binding_close(b);
    plugins_free(set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader");
    TCase *tc = tcase_create("loader");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_model_plugins_load_and_make_the_texts_of_the_contract);
    tcase_add_loop_test(tc, a_plugin_that_can_not_be_used_is_refused_with_file_and_cure, 0, COUNT(refused));
    tcase_add_test(tc, an_older_smaller_descriptor_loads_and_nothing_beyond_it_is_read);
    tcase_add_test(tc, a_text_file_called_so_is_refused_with_what_the_linker_says);
    tcase_add_test(tc, a_file_that_can_not_be_read_is_refused);
    tcase_add_test(tc, two_different_files_of_one_name_are_refused);
    tcase_add_test(tc, a_relative_folder_is_refused);
    tcase_add_test(tc, all_problems_are_reported_together);
    tcase_add_test(tc, what_is_there_can_be_listed);
    tcase_add_test(tc, options_reach_the_plugin_in_their_types);
    tcase_add_test(tc, bad_options_are_all_reported_where_they_stand);
    tcase_add_test(tc, lists_of_the_ini_file_replace_those_of_the_plugin);
    tcase_add_test(tc, open_rejects_options_or_stops_its_own_collection);
    tcase_add_test(tc, an_open_that_hangs_is_given_up);
    tcase_add_test(tc, close_is_called_after_an_open_that_went_well);
    tcase_add_loop_test(tc, a_call_ends_in_its_verdict_or_in_what_the_host_refused_first, 0, COUNT(calls));
    tcase_add_test(tc, text_sees_the_watched_fields_alone_and_payload_more_what_is_declared);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
