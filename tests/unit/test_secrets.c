/* test_secrets.c - no part of a credential is shown: generated credentials, with whatever characters, in the
 * addresses and keys of the configuration, and in what servers repeat. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "config/config.h"
#include "http/http.h"
#include "mongo/mongo.h"
#include "suite.h"

#define ROUNDS 3000
#define WINDOW 3 /* this many of these characters in a row are in no message of ours */

static const char marks[] = "QXZJVW789";
static const char specials[] = ":/?#[]@%&;=+,.~!$'()*-_";

static uint64_t seed = 20231101;

static size_t pick(size_t count)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % count;
}

/* Four to sixteen characters, mostly marks. */
static void make_secret(char out[32], bool with_specials)
{
    size_t count = 4 + pick(13);
    for (size_t i = 0; i < count; i++)
        out[i] = with_specials && pick(4) == 0 ? specials[pick(sizeof specials - 1)]
                                               : marks[pick(sizeof marks - 1)];
    out[count] = '\0';
}

static void drop_colons(char *secret)
{
    for (char *c = secret; *c; c++)
        if (*c == ':') *c = 'Q';
}

static void escape(const char *secret, char out[128])
{
    size_t at = 0;
    for (const char *c = secret; *c; c++)
        at += (size_t)snprintf(out + at, 128 - at, strchr(marks, *c) ? "%c" : "%%%02X", (unsigned char)*c);
    out[at] = '\0';
}

/* `form` with each `{}` as the text. */
static void fill(char *out, size_t bytes, const char *form, const char *text)
{
    size_t at = 0;
    for (; *form && at + 1 < bytes; form++) {
        if (strncmp(form, "{}", 2) != 0) {
            out[at++] = *form;
            continue;
        }
        at += (size_t)snprintf(out + at, bytes - at, "%s", text);
        form++;
    }
    out[at < bytes ? at : bytes - 1] = '\0';
}

/* Nothing of `secret` that is longer than two marks in a row may be in `text`. */
static void expect_hidden(const char *text, const char *secret, const char *where)
{
    char piece[WINDOW + 1] = "";
    for (const char *c = secret; text && strlen(c) >= WINDOW; c++) {
        if (strspn(c, marks) < WINDOW) continue;
        memcpy(piece, c, WINDOW);
        ck_assert_msg(!strstr(text, piece), "%s shows %s of %s: %s", where, piece, secret, text);
    }
}

/* ---- the configuration ---- */

static char folder[] = "/tmp/lockstep-secrets-XXXXXX";

static void put_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void enter_folder(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave_folder(void)
{
    (void)unlink("t.ini");
    (void)rmdir(folder);
}

/* The configuration, if it is one; what is said of it and what it shows hides the secret. */
static struct config *load_hidden(const char *ini, const char *secret)
{
    static char *const none[] = {NULL};
    struct config *config = NULL;
    struct config_problems problems;
    struct lks_err err;
    struct buf shown;
    lks_err_clear(&err);
    put_file("t.ini", ini);
    if (config_load(&config, "t.ini", none, 0, &problems, &err) != LKS_E_OK) config = NULL;
    expect_hidden(err.text, secret, "the error");
    for (size_t i = 0; i < problems.count; i++) expect_hidden(problems.texts[i], secret, "a problem");
    config_problems_fini(&problems);
    if (!config) return NULL;
    buf_init(&shown, 0);
    config_show(config, &shown);
    buf_putc(&shown, '\0');
    expect_hidden(shown.data, secret, "`config show`");
    buf_fini(&shown);
    return config;
}

static void expect_hidden_by_driver(const struct config *config, const char *secret)
{
    static const char *const names[] = {"a"};
    const struct config_source *source = &config->sources[0];
    struct mongo_config settings = {.uri = source->uri,
                                    .database = source->database,
                                    .collection = source->collection,
                                    .source = source->ns,
                                    .id_field = "id",
                                    .collections = names,
                                    .collection_count = 1,
                                    .owner = "test"};
    struct mongo *mongo = NULL;
    struct lks_err err;
    lks_err_clear(&err);
    if (mongo_open(&settings, (struct inbox){.self = NULL}, &mongo, &err) == LKS_E_OK) mongo_close(mongo);
    expect_hidden(err.text, secret, "MongoDB's driver");
    expect_hidden(source->database, secret, "the database");
    expect_hidden(source->ns, secret, "the namespace");
}

static const char *const uris[] = {
    "mongodb://me:{}@db.example:27017/shop",
    "mongodb://me:{}@db.example,other.example/shop?w=1",
    "mongodb://me:{}@db.example",
    "mongodb://{}@db.example/shop",
    "mongodb://db.example/shop?tlsCertificateKeyFilePassword={}&w=1",
    "mongodb://db.example/shop?w=1;authMechanismProperties=AWS_SESSION_TOKEN:{}",
    "mongodb+srv://me:{}@db.example/shop?authSource=admin",
};

START_TEST(a_mongodb_uri_shows_nothing_of_its_password)
{
    char secret[32], escaped[128], uri[256], ini[512];
    size_t taken = 0;
    enter_folder();
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t form = pick(COUNT(uris));
        bool escapes = pick(2) == 0;
        make_secret(secret, true);
        if (form == 3) drop_colons(secret); /* `name:password` is what one with a colon is */
        escape(secret, escaped);
        fill(uri, sizeof uri, uris[form], escapes ? escaped : secret);
        (void)snprintf(ini, sizeof ini,
                       "[mongodb]\nuri = %s\ndatabase = shop\ncollection = c\n[collection:a]\n", uri);
        if (pick(3) == 0)
            (void)snprintf(ini, sizeof ini, "[mongodb]\nuri = %s\ncollection = c\n[collection:a]\n", uri);
        struct config *config = load_hidden(ini, secret);
        taken += config != NULL;
        if (config && form < 6) expect_hidden_by_driver(config, secret); /* srv asks a name server */
        config_free(config);
    }
    ck_assert_uint_gt(taken, ROUNDS / 3);
    leave_folder();
}
END_TEST

static const char *const urls[] = {"http://me:{}@q.example:6333", "https://{}@q.example/qdrant",
                                   "https://me:{}@q.example"};

START_TEST(an_http_address_shows_nothing_of_its_password)
{
    char secret[32], escaped[128], url[256], ini[512], plain[256];
    size_t taken = 0;
    enter_folder();
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t form = pick(COUNT(urls));
        make_secret(secret, true);
        if (form == 1) drop_colons(secret);
        escape(secret, escaped);
        fill(url, sizeof url, urls[form], pick(2) ? escaped : secret);
        (void)snprintf(ini, sizeof ini,
                       "[mongodb]\ndatabase = d\ncollection = c\n[qdrant]\nurl = %s\n[collection:a]\n", url);
        struct config *config = load_hidden(ini, secret);
        if (config) {
            http_url_plain(config->qdrant.url, plain, sizeof plain);
            expect_hidden(plain, secret, "an address in a message");
            ck_assert_msg(strstr(plain, "q.example") != NULL, "%s reads as %s", url, plain);
        }
        taken += config != NULL;
        config_free(config);
    }
    ck_assert_uint_gt(taken, ROUNDS / 3);
    leave_folder();
}
END_TEST

START_TEST(a_key_is_not_shown_wherever_it_is_set)
{
    static const char *const inis[] = {
        "[mongodb]\ndatabase = d\ncollection = c\n[qdrant]\napi_key = {}\n[collection:a]\n",
        ("[mongodb]\ndatabase = d\ncollection = c\n[embedding]\nprovider = openai\nmodel = m\napi_key = "
         "{}\n[collection:a]\n"),
        "[mongodb]\ndatabase = d\ncollection = c\n[api]\ntoken = {}\n[collection:a]\n",
        "[mongodb]\ndatabase = d\ncollection = c\n[api]\ntoken = {}9\nread_token = {}\n[collection:a]\n",
        "[mongodb]\ndatabase = d\ncollection = c\n[collection:a]\nembedding.api_key = {}\n",
        "[mongodb]\ndatabase = d\ncollection = c\n[collection:a]\nplugin_token = {}\n",
        "[mongodb]\ndatabase = d\ncollection = c\n[qdrant]\napi_keyy = {}\n[collection:a]\n",
    };
    char secret[32], ini[512];
    enter_folder();
    for (size_t i = 0; i < ROUNDS; i++) {
        make_secret(secret, true);
        fill(ini, sizeof ini, inis[pick(COUNT(inis))], secret);
        config_free(load_hidden(ini, secret));
    }
    leave_folder();
}
END_TEST

/* ---- what servers repeat ---- */

START_TEST(what_a_server_repeats_of_a_key_is_hidden)
{
    char secret[32], text[900];
    for (size_t i = 0; i < ROUNDS; i++) {
        make_secret(secret, true);
        size_t bytes = strlen(secret);
        if (bytes < 8) continue;
        (void)snprintf(text, sizeof text, "bad key: %s. Find yours at https://h/keys", secret);
        secret_hide(text, secret);
        expect_hidden(text, secret, "the whole key");
        ck_assert_ptr_nonnull(strstr(text, "bad key: ***. Find yours at https://h/keys"));
        (void)snprintf(text, sizeof text, "bad key: %.4s****%s", secret, secret + bytes - 4);
        secret_hide(text, secret);
        expect_hidden(text, secret, "a masked key");
        (void)snprintf(text, sizeof text, "%600sbad key: %.*s", "", (int)(bytes - 2), secret);
        secret_hide(text, secret);
        expect_hidden(text, secret, "a key that is cut off");
        (void)snprintf(text, sizeof text, "bad key: %.3s...%s", secret, secret + bytes - 3);
        secret_hide(text, secret);
        expect_hidden(text, secret, "a key left out in the middle");
    }
}
END_TEST

START_TEST(what_a_server_repeats_of_an_address_is_hidden)
{
    char text[300] = "no such user: me, QXZ@789; Basic bWU6UVhaQDc4OQ== or QXZ%40789";
    secret_hide_url(text, "http://me:QXZ%40789@h:1/x");
    expect_hidden(text, "QXZ@789", "the address");
    ck_assert_str_eq(text, "no such user: me, ***; Basic *** or ***");
    (void)snprintf(text, sizeof text, "nothing of it");
    secret_hide_url(text, "http://h:1/x");
    secret_hide(text, "");
    secret_hide(text, NULL);
    ck_assert_str_eq(text, "nothing of it");
    secret_hide(text, "of"); /* too short to be one */
    ck_assert_str_eq(text, "nothing of it");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("secrets");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_mongodb_uri_shows_nothing_of_its_password);
    tcase_add_test(tc, an_http_address_shows_nothing_of_its_password);
    tcase_add_test(tc, a_key_is_not_shown_wherever_it_is_set);
    tcase_add_test(tc, what_a_server_repeats_of_a_key_is_hidden);
    tcase_add_test(tc, what_a_server_repeats_of_an_address_is_hidden);
    Suite *suite = suite_create("secrets");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
