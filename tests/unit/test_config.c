/* test_config.c - the configuration: what it comes to, every problem that is reported, and what
 * is shown. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "config/options.h"
#include "suite.h"

#define ENOUGH "[mongodb]\ndatabase = shop\ncollection = goods\n[collection:a]\n"

static char folder[] = "/tmp/lockstep-config-XXXXXX";

static void put_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* A fresh folder to are in, so that messages name t.ini and nothing else. */
static void enter_folder(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    put_file("key", "s3cret-from-file\n");
    put_file("two", "one\ntwo\n");
    put_file("none", "\n");
    ck_assert_int_eq(mkdir("plugins", 0700), 0);
}

static void leave_folder(void)
{
    static const char *const names[] = {"key", "two", "none", "t.ini"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) (void)unlink(names[i]);
    (void)rmdir("plugins");
    (void)rmdir(folder);
}

/* Loads `text` with the variables `environment` ("A=1 B=2"); all problems, one a line, in `problems`. */
static struct config *load(const char *text, const char *environment, unsigned flags, struct buf *problems)
{
    put_file("t.ini", text);
    char words[600], *variables[20] = {NULL};
    size_t count = 0;
    (void)snprintf(words, sizeof words, "%s", environment ? environment : "");
    char *rest = words;
    for (char *word; (word = strsep(&rest, " ")) != NULL && count < 19;)
        if (*word) variables[count++] = word;
    struct config *config = NULL;
    struct config_problems reported;
    struct lks_err err;
    lks_err_clear(&err);
    enum lks_code code = config_load(&config, "t.ini", variables, flags, &reported, &err);
    ck_assert_int_eq(code, reported.count ? LKS_E_CONFIG : LKS_E_OK);
    ck_assert_int_eq(config == NULL, code != LKS_E_OK);
    buf_init(problems, 0);
    buf_puts(problems, "");
    for (size_t i = 0; i < reported.count; i++) buf_printf(problems, "%s\n", reported.texts[i]);
    config_problems_fini(&reported);
    return config;
}

static struct config *load_well(const char *text, const char *environment)
{
    struct buf problems;
    struct config *config = load(text, environment, 0, &problems);
    ck_assert_str_eq(problems.bytes ? problems.data : "", "");
    ck_assert_ptr_nonnull(config);
    buf_fini(&problems);
    return config;
}

/* ---- what is wrong ---- */

static const struct {
    const char *text, *environment, *problems;
} wrong[] = {
    {"", NULL, "t.ini: [mongodb] database: it must be set\nt.ini: [mongodb] collection: it must be set\n"},
    {"[mongodb]\n[qdrant]\n[collection:a]\n", NULL,
     "t.ini:1: [mongodb] database: it must be set\nt.ini:1: [mongodb] collection: it must be set\n"},
    {"[mongodb]\ndatabase = d\ncollection = c\n", NULL,
     "t.ini: there is no [collection:NAME], so there is nothing to do\n"},
    /* all at once, in the order of the file */
    {"[mongodb]\nuri = http://x\ndatabase = a/b\ncollection = c\nid_feld = id\n[worker]\ninterval_ms = soon\n"
     "max_retries = -1\njitter = 1.5\nenabled = perhaps\n[quadrant]\nurl = x\n[log]\nlevel = "
     "loud\n[collection:a]\n",
     NULL,
     "t.ini:2: [mongodb] uri: the address must begin with mongodb:// or mongodb+srv://\n"
     "t.ini:3: [mongodb] database: \"a/b\" is no name of a MongoDB database\n"
     "t.ini:5: [mongodb] has no key id_feld; did you mean id_field?\n"
     "t.ini:7: [worker] interval_ms: \"soon\" is no whole number of milliseconds\n"
     "t.ini:8: [worker] max_retries: -1 is out of range: 0 to 1000\n"
     "t.ini:9: [worker] jitter: 1.5 is out of range: 0 to 1\n"
     "t.ini:10: [worker] enabled: \"perhaps\" is neither yes nor no\n"
     "t.ini:11: there is no section [quadrant]; did you mean [qdrant]?\n"
     "t.ini:14: [log] level: \"loud\" is none of debug|info|warn|error|off\n"},
    {"x = 1\n" ENOUGH "enabled = yes\n  more\n", NULL,
     "t.ini:1: x stands before the first [section]\nt.ini:6: [collection:a] enabled: it takes one line "
     "only\n"},
    {ENOUGH "[collection:]\n[collection:a b]\n[source:123456789012345678901234567890123456789]\n", NULL,
     "t.ini:5: [collection:]: a name is 1 to 38 letters, digits, - and _\n"
     "t.ini:6: [collection:a b]: a name is 1 to 38 letters, digits, - and _\n"
     "t.ini:7: [source:123456789012345678901234567890123456789]: a name is 1 to 38 letters, digits, - and "
     "_\n"},
    {ENOUGH "embedding.modle = x\nMyOption = 1\nfine = 1\n", NULL,
     "t.ini:5: [collection:a] has no key embedding.modle; did you mean embedding.model?\n"
     "t.ini:6: [collection:a] has no key MyOption\n"},
    {ENOUGH "distance =\nplugin =\n[qdrant]\nurl =\ntimeout_ms =\n", NULL,
     "t.ini:5: [collection:a] distance: it needs a value\nt.ini:8: [qdrant] url: it needs a value\n"
     "t.ini:9: [qdrant] timeout_ms: it needs a value\n"},
    {ENOUGH "[qdrant]\nurl = localhost:6333\n", NULL,
     "t.ini:6: [qdrant] url: the address must begin with http:// or https://\n"},
    {ENOUGH "[qdrant]\nurl = http://:6333\n", NULL,
     "t.ini:6: [qdrant] url: the address has no valid host and port\n"},
    {ENOUGH "[qdrant]\nurl = http://h:99999/\n", NULL,
     "t.ini:6: [qdrant] url: the address has no valid host and port\n"},
    {ENOUGH "[qdrant]\nurl = http://h/?a=b\n", NULL,
     "t.ini:6: [qdrant] url: the address must not have a ? or #\n"},
    {ENOUGH "[embedding]\nurl = http://h/x?api-version=1#y\n", NULL,
     "t.ini:6: [embedding] url: the address must not have a #\n"},
    {ENOUGH "[qdrant]\nnamespace = 6ba7b811\n", NULL,
     "t.ini:6: [qdrant] namespace: \"6ba7b811\" is no UUID\n"},
    {ENOUGH "[qdrant]\npoint_id = prefixed-sha1\n", NULL,
     "t.ini:5: [qdrant] point_id_prefix: it must be set with point_id = prefixed-sha1\n"},
    /* relations */
    {ENOUGH "[worker]\nbase_backoff_ms = 400000\n", NULL,
     "t.ini:6: [worker] base_backoff_ms: base_backoff_ms must not be above max_backoff_ms\n"},
    {ENOUGH "[worker]\nlease_ms = 5000\n", NULL,
     "t.ini:6: [worker] lease_ms: lease_ms of [worker] must be above timeout_ms of [qdrant]\n"},
    {ENOUGH "[qdrant]\ntimeout_ms = 10000\n", NULL,
     "t.ini:6: [qdrant] timeout_ms: lease_ms of [worker] must be above timeout_ms of [qdrant]\n"},
    /* the API */
    {ENOUGH "[api]\nlisten = 0.0.0.0:4003\n", NULL,
     "t.ini:6: [api] listen: an address other than loopback needs a token (token or token_file)\n"},
    {ENOUGH "[api]\nlisten = 127.evil.example:1\n", NULL,
     "t.ini:6: [api] listen: an address other than loopback needs a token (token or token_file)\n"},
    {ENOUGH "[api]\nlisten = 4003\n", NULL, "t.ini:6: [api] listen: \"4003\" is no ADDRESS:PORT\n"},
    {ENOUGH "[api]\nlisten = ::1:4003\n", NULL,
     "t.ini:6: [api] listen: an IPv6 address is written [ADDRESS]:PORT\n"},
    {ENOUGH "[api]\nlisten = localhost:70000\n", NULL,
     "t.ini:6: [api] listen: \"localhost:70000\" is no ADDRESS:PORT\n"},
    /* secrets: never quoted */
    {ENOUGH "[api]\ntoken = a b\n[qdrant]\napi_key_file = nowhere\n[embedding]\napi_key_file = two\n", NULL,
     "t.ini:6: [api] token: it has spaces or characters that are not ASCII\n"
     "t.ini:8: [qdrant] api_key_file: can't read @/nowhere: No such file or directory\n"
     "t.ini:10: [embedding] api_key_file: @/two must hold one line without spaces\n"},
    {ENOUGH "[api]\nlisten = unix:api.sock\n", NULL,
     "t.ini:6: [api] listen: a Unix socket is written unix:/PATH\n"},
    {ENOUGH "[api]\ntls_key = key\n", NULL,
     "t.ini:6: [api] tls_key: it needs its certificate (tls_certificate)\n"},
    {ENOUGH "[api]\nallow_origins = https://a.example, https://b.example/path\n", NULL,
     "t.ini:6: [api] allow_origins: an origin is written https://HOST or https://HOST:PORT, without a "
     "path\n"},
    {ENOUGH "[api]\nallow_origins = *\n", NULL,
     "t.ini:6: [api] allow_origins: an origin is written https://HOST or https://HOST:PORT, without a "
     "path\n"},
    {ENOUGH "[api]\nread_token = abc\n", NULL,
     "t.ini:6: [api] read_token: without a token everybody may do everything; set token too\n"},
    {ENOUGH "[api]\ntoken = abc\nread_token = abc\n", NULL,
     "t.ini:7: [api] read_token: it must differ from the token that may do everything\n"},
    {ENOUGH "[api]\ntoken_file = none\n", NULL, "t.ini:6: [api] token_file: @/none is empty\n"},
    {ENOUGH "[api]\ntoken = abc\ntoken_file = key\n", NULL,
     "t.ini:7: [api] token_file: token is set too; only one of them can be\n"},
    {ENOUGH "[qdrant]\nurl = ftp://user:hidden@h\n", NULL,
     "t.ini:6: [qdrant] url: the address must begin with http:// or https://\n"},
    /* files */
    {ENOUGH "[plugins]\npath = plugins, nowhere, key\n[embedding]\npath = gone.vec\n", NULL,
     "t.ini:6: [plugins] path: can't read @/nowhere: No such file or directory\n"
     "t.ini:6: [plugins] path: @/key is no folder\n"
     "t.ini:8: [embedding] path: can't read @/gone.vec: No such file or directory\n"},
    /* embedders */
    {ENOUGH "[embedding]\nprovider = openai\n", NULL,
     "t.ini:5: [embedding] model: this provider needs one\n"
     "t.ini:5: [embedding] api_key: OpenAI needs one (or set url to the address of another server)\n"},
    {ENOUGH "embedding.provider = ollama\n", NULL,
     "t.ini:4: [collection:a] embedding.model: this provider needs one\n"},
    {ENOUGH "[embedding]\nprovider = cohere\ncache_mb = 1\n[collection:b]\nembedding.cache_mb = 1\n", NULL,
     "t.ini:6: [embedding] provider: \"cohere\" is none of openai|ollama|tei|words|hash\n"
     "t.ini:9: [collection:b] has no key embedding.cache_mb\n"},
    /* names */
    {"[mongodb]\ndatabase = d\ncollection = my.goods\n[collection:a]\n", NULL,
     "t.ini:3: [mongodb] collection: its name can't be that of the source; set `name`\n"},
    {"[mongodb]\ndatabase = d\ncollection = events\n[source:jobs]\ncollection = "
     "c\n[source:x]\n[collection:a]\nsource = y\n",
     NULL,
     "t.ini:1: [mongodb] name: no source can have this name, because the API's paths use it; give it "
     "another\n"
     "t.ini:4: [source:jobs] name: no source can have this name, because the API's paths use it; give it "
     "another\n"
     "t.ini:6: [source:x] collection: it must be set\n"
     "t.ini:8: [collection:a] source: there is no source of this name\n"},
    {"[mongodb]\ndatabase = d\ncollection = c\n[source:c]\ncollection = e\n[source:f]\ncollection = "
     "c\n[collection:a]\n",
     NULL,
     "t.ini:4: [source:c]: another source is named c too\nt.ini:6: [source:f]: source c follows d.c "
     "already\n"},
    {ENOUGH "[collection:b]\nqdrant_collection = a\n", NULL,
     "t.ini:5: [collection:b]: [collection:a] fills Qdrant's collection a already\n"},
    /* form */
    {ENOUGH "[collection:a]\nplugin = x\n[log]\nlevel = info\nlevel = warn\nnonsense\n", NULL,
     "t.ini:5: section [collection:a] was already begun on line 4\n"
     "t.ini:9: level was already set on line 8\nt.ini:10: neither [section] nor key = value\n"},
    /* variables */
    {ENOUGH,
     "LOCKSTEP_WORKER_INTERVAL_MS=x LOCKSTEP_NONSENSE=1 LOCKSTEP_WORKER_INTERVAL=1 SYNC_MAX_RETRIES=many",
     "LOCKSTEP_NONSENSE: no section and key that there are fit this variable\n"
     "LOCKSTEP_WORKER_INTERVAL: no section and key that there are fit this variable\n"
     "LOCKSTEP_WORKER_INTERVAL_MS: [worker] interval_ms: \"x\" is no whole number of milliseconds\n"
     "SYNC_MAX_RETRIES: [worker] max_retries: \"many\" is no whole number\n"},
    {ENOUGH "[collection:b-c]\n[collection:b_c]\n",
     "LOCKSTEP_COLLECTION_B_C_ENABLED=no LOCKSTEP_COLLECTION_B_C_FOO=1",
     "LOCKSTEP_COLLECTION_B_C_ENABLED: this variable fits more than one key; set them in the file instead\n"
     "LOCKSTEP_COLLECTION_B_C_FOO: this variable fits more than one key; set them in the file instead\n"},
    {ENOUGH, "LOCKSTEP_SOURCE_X_COLLECTION=c LOCKSTEP_COLLECTION_Z_ENABLED=no",
     "LOCKSTEP_SOURCE_X_COLLECTION: no section and key that there are fit this variable\n"
     "LOCKSTEP_COLLECTION_Z_ENABLED: no section and key that there are fit this variable\n"},
};

START_TEST(every_mistake_is_reported_with_its_place)
{
    struct buf got, want;
    ck_assert_ptr_null(load(wrong[_i].text, wrong[_i].environment, 0, &got));
    /* @ stands for the folder */
    buf_init(&want, 0);
    for (const char *c = wrong[_i].problems; *c; c++)
        if (*c == '@')
            buf_puts(&want, folder);
        else
            buf_putc(&want, *c);
    ck_assert_str_eq(got.data, want.data);
    buf_fini(&got);
    buf_fini(&want);
}
END_TEST

START_TEST(a_missing_file_is_one_problem)
{
    struct config *config = NULL;
    struct config_problems reported;
    struct lks_err err;
    lks_err_clear(&err);
    ck_assert_int_eq(config_load(&config, "nowhere.ini", NULL, 0, &reported, &err), LKS_E_CONFIG);
    ck_assert_uint_eq(reported.count, 1);
    ck_assert_str_eq(
        reported.texts[0],
        "nowhere.ini: can't be read: No such file or directory; name another file with --config");
    ck_assert_str_eq(err.text, reported.texts[0]);
    config_problems_fini(&reported);
    ck_assert_int_eq(config_load(&config, "plugins", NULL, 0, &reported, &err), LKS_E_CONFIG);
    ck_assert_str_eq(reported.texts[0], "plugins: can't be read: Is a directory");
    config_problems_fini(&reported);
    /* there is nothing to keep */
    ck_assert_int_eq(config_load(&config, "nowhere.ini", NULL, CONFIG_KEEP, &reported, &err), LKS_E_CONFIG);
    ck_assert_ptr_null(config);
    ck_assert_str_eq(err.text, reported.texts[0]);
    config_problems_fini(&reported);
}
END_TEST

/* ---- what it comes to ---- */

START_TEST(defaults_are_those_of_the_contract)
{
    struct config *c = load_well(ENOUGH, NULL);
    const struct config_source *s = &c->sources[0];
    ck_assert_uint_eq(c->source_count, 1);
    ck_assert_str_eq(s->uri, "mongodb://127.0.0.1:27017");
    ck_assert_str_eq(s->name, "goods");
    ck_assert_str_eq(s->ns, "shop.goods");
    ck_assert_str_eq(s->id_field, "id");
    ck_assert_int_eq(s->watch, CONFIG_WATCH_AUTO);
    ck_assert_int_eq(s->metadata, CONFIG_METADATA_EMBEDDED);
    ck_assert(s->create_indexes);
    ck_assert_str_eq(s->poll_field, "");
    ck_assert_str_eq(c->qdrant.url, "http://127.0.0.1:6333");
    ck_assert_int_eq(c->qdrant.timeout_ms, 5000);
    ck_assert_int_eq(c->qdrant.point_id, CONFIG_POINT_ID_UUIDV5);
    ck_assert_str_eq(c->qdrant.namespace_uuid, "6ba7b811-9dad-11d1-80b4-00c04fd430c8");
    ck_assert_str_eq(c->qdrant.api_key, "");
    ck_assert(c->worker.enabled);
    ck_assert_int_eq(c->worker.interval_ms, 60000);
    ck_assert_int_eq(c->worker.lease_ms, 10000);
    ck_assert_uint_eq(c->worker.batch_size, 100);
    ck_assert_int_eq(c->worker.max_retries, 5);
    ck_assert_int_eq(c->worker.base_backoff_ms, 5000);
    ck_assert_double_eq(c->worker.backoff_multiplier, 2);
    ck_assert_int_eq(c->worker.max_backoff_ms, 300000);
    ck_assert_str_eq(c->api.host, "127.0.0.1");
    ck_assert_uint_eq(c->api.port, 4003);
    ck_assert(c->api.enabled && c->api.public_status == CONFIG_PUBLIC_COUNTS && !c->api.socket_trust);
    ck_assert_str_eq(c->api.socket_path, "");
    ck_assert_str_eq(c->api.tls_certificate, "");
    ck_assert_ptr_null(c->api.allow_origins[0]);
    ck_assert_int_eq(c->log.level, LOG_LEVEL_INFO);
    ck_assert_ptr_null(c->plugin_paths[0]);
    ck_assert_uint_eq(c->collection_count, 1);
    const struct config_collection *a = &c->collections[0];
    ck_assert(a->enabled);
    ck_assert_str_eq(a->plugin, "a");
    ck_assert_str_eq(a->qdrant_collection, "a");
    ck_assert_int_eq(a->distance, CONFIG_DISTANCE_COSINE);
    ck_assert_str_eq(config_distance_name(a->distance),
                     options[option_find(SECTION_COLLECTION, "distance")].fallback);
    ck_assert_ptr_null(a->watched);
    ck_assert_uint_eq(a->max_text_bytes, 32768);
    ck_assert_uint_eq(c->embedder_count, 1);
    ck_assert_int_eq(c->embedders[0].provider, CONFIG_PROVIDER_WORDS);
    ck_assert_str_eq(c->embedders[0].path, "");
    ck_assert_uint_eq(c->embedders[0].cache_bytes, (size_t)64 << 20);
    config_free(c);
}
END_TEST

START_TEST(everything_set_arrives)
{
    struct config *c = load_well(
        "[mongodb]\nuri = mongodb://u:p@h1,h2/db?replicaSet=rs\ncollection = my.goods\nname = main\nid_field "
        "= meta.key\n"
        "watch = POLL\npoll_interval_ms = 250\npoll_field = updatedAt\nmetadata = sidecar\ncreate_indexes = "
        "off\n"
        "[source:other]\ndatabase = db2\ncollection = things\n"
        "[source:third]\ncollection = more\nid_field = _id\n"
        "[qdrant]\nurl = https://q.example:6334/base/\napi_key_file = key\ncollection_prefix = test-\n"
        "point_id = prefixed-sha1\npoint_id_prefix = codiesvibe-tools\nnamespace = "
        "6BA7B811-9dad-11d1-80b4-00c04fd430c9\n"
        "[worker]\nenabled = no\njitter = 0.25\nbackoff_multiplier = 1.5\n"
        "[api]\nlisten = [::]:0\ntoken = tok\npublic_status = no\n[log]\nlevel = debug\nformat = json\n"
        "[plugins]\npath = plugins\n"
        "[collection:a]\nenabled = no\nplugin = fields\nsource = other\nqdrant_collection = b\ndistance = "
        "Dot\n"
        "watched = name 3, tagline\nsentences = Runs on {os|, }, \"Made by {x}, sold\"\n  Third: "
        "{y}\npayload =\n"
        "size = \"a, b\"\nwords = a, b\n  c\n",
        NULL);
    const struct config_source *s = c->sources;
    ck_assert_uint_eq(c->source_count, 3);
    ck_assert_str_eq(s[0].ns, "db.my.goods");
    ck_assert_str_eq(s[0].name, "main");
    ck_assert_str_eq(s[0].id_field, "meta.key");
    ck_assert_int_eq(s[0].watch, CONFIG_WATCH_POLL);
    ck_assert_int_eq(s[0].poll_interval_ms, 250);
    ck_assert_str_eq(s[0].poll_field, "updatedAt");
    ck_assert_int_eq(s[0].metadata, CONFIG_METADATA_SIDECAR);
    ck_assert(!s[0].create_indexes);
    ck_assert_str_eq(s[1].name, "other");
    ck_assert_str_eq(s[1].ns, "db2.things");
    ck_assert_str_eq(s[1].id_field, "id");
    ck_assert_str_eq(s[2].ns, "db.more");
    ck_assert_str_eq(s[2].uri, s[0].uri);
    ck_assert_str_eq(c->qdrant.url, "https://q.example:6334/base");
    ck_assert_str_eq(c->qdrant.api_key, "s3cret-from-file");
    ck_assert_str_eq(c->qdrant.namespace_uuid, "6ba7b811-9dad-11d1-80b4-00c04fd430c9");
    ck_assert_int_eq(c->qdrant.point_id, CONFIG_POINT_ID_PREFIXED_SHA1);
    ck_assert(!c->worker.enabled);
    ck_assert_double_eq(c->worker.jitter, 0.25);
    ck_assert_double_eq(c->worker.backoff_multiplier, 1.5);
    ck_assert_str_eq(c->api.host, "::");
    ck_assert_uint_eq(c->api.port, 0);
    ck_assert_str_eq(c->api.token, "tok");
    ck_assert_int_eq(c->api.public_status, CONFIG_PUBLIC_NO);
    ck_assert_int_eq(c->log.format, CONFIG_LOG_JSON);
    char full[64];
    (void)snprintf(full, sizeof full, "%s/plugins", folder);
    ck_assert_str_eq(c->plugin_paths[0], full);
    const struct config_collection *a = &c->collections[0];
    ck_assert(!a->enabled);
    ck_assert_uint_eq(a->source, 1);
    ck_assert_str_eq(a->qdrant_collection, "test-b");
    ck_assert_int_eq(a->distance, CONFIG_DISTANCE_DOT);
    ck_assert_str_eq(config_distance_name(a->distance), "Dot");
    ck_assert_str_eq(a->watched[1], "tagline");
    ck_assert_str_eq(a->sentences[0], "Runs on {os|, }");
    ck_assert_str_eq(a->sentences[1], "Made by {x}, sold");
    ck_assert_str_eq(a->sentences[2], "Third: {y}");
    ck_assert_ptr_null(a->sentences[3]);
    ck_assert_ptr_nonnull(a->payload);
    ck_assert_ptr_null(a->payload[0]);
    ck_assert_uint_eq(a->extra_count, 2);
    ck_assert_str_eq(a->extras[0].key, "size");
    ck_assert_str_eq(a->extras[0].value, "a, b");
    ck_assert_str_eq(a->extras[1].value, "a, b c");
    ck_assert_str_eq(a->extras[1].items[2], "c");
    ck_assert_str_eq(a->extras[1].where, "t.ini:48");
    config_free(c);
}
END_TEST

START_TEST(collections_inherit_and_share_embedders)
{
    struct config *c = load_well(
        "[mongodb]\ndatabase = d\ncollection = c\n[embedding]\nprovider = openai\nurl = http://e:1/v1\n"
        "model = m\napi_key = k\ndimensions = 64\ndocument_prefix = \"passage: \"\nmax_text_bytes = 100\n"
        "[collection:a]\n[collection:b]\nembedding.model = m2\n[collection:c]\nembedding.url = http://e:2\n"
        "[collection:d]\nembedding.provider = ollama\nembedding.model = n\n"
        "[collection:e]\nembedding.model = m2\nembedding.max_text_bytes = 7\n"
        "[collection:f]\nembedding.provider = words\n[collection:g]\nembedding.provider = openai\n",
        NULL);
    const struct config_collection *a = c->collections;
    const struct config_embedder *e = c->embedders;
    ck_assert_uint_eq(c->embedder_count, 5);
    ck_assert_str_eq(e[a[0].embedder].document_prefix, "passage: ");
    ck_assert_str_eq(e[a[1].embedder].model, "m2");
    ck_assert_str_eq(e[a[1].embedder].api_key, "k");
    ck_assert_uint_eq(e[a[1].embedder].dimensions, 64);
    ck_assert_str_eq(e[a[2].embedder].api_key, "");
    ck_assert_str_eq(e[a[2].embedder].url, "http://e:2");
    ck_assert_str_eq(e[a[2].embedder].model, "m");
    ck_assert_str_eq(e[a[3].embedder].url, "http://127.0.0.1:11434");
    ck_assert_str_eq(e[a[3].embedder].api_key, "");
    ck_assert_uint_eq(e[a[3].embedder].dimensions, 0);
    ck_assert_str_eq(e[a[3].embedder].document_prefix, "");
    ck_assert_uint_eq(a[4].embedder, a[1].embedder);
    ck_assert_uint_eq(a[4].max_text_bytes, 7);
    ck_assert_uint_eq(a[3].max_text_bytes, 100);
    ck_assert_int_eq(e[a[5].embedder].provider, CONFIG_PROVIDER_WORDS);
    ck_assert_str_eq(e[a[5].embedder].url, "");
    ck_assert_uint_eq(a[6].embedder, a[0].embedder);
    config_free(c);
}
END_TEST

START_TEST(variables_override_the_file)
{
    struct config *c = load_well(
        "[mongodb]\ndatabase = d\ncollection = c\n[worker]\nbatch_size = 7\nmax_retries = 1\n[qdrant]\n"
        "api_key_file = key\n[collection:my-tools]\nopt = 1\n",
        "LOCKSTEP_TEST_ANYTHING=1 OTHER=2 LOCKSTEP_MONGODB_URI=mongodb://elsewhere SYNC_WORKER_BATCH_SIZE=8 "
        "LOCKSTEP_WORKER_MAX_RETRIES=3 SYNC_MAX_RETRIES=2 SYNC_WORKER_ENABLED=false SYNC_UNKNOWN=1 "
        "LOCKSTEP_QDRANT_API_KEY=mine LOCKSTEP_COLLECTION_MY_TOOLS_EMBEDDING_PROVIDER=hash "
        "LOCKSTEP_COLLECTION_MY_TOOLS_EMBEDDING_DIMENSIONS=32 LOCKSTEP_COLLECTION_MY_TOOLS_OPT=2 "
        "LOCKSTEP_COLLECTION_MY_TOOLS_FURTHER=3");
    ck_assert_str_eq(c->sources[0].uri, "mongodb://elsewhere");
    ck_assert_uint_eq(c->worker.batch_size, 8);
    ck_assert_int_eq(c->worker.max_retries, 3);
    ck_assert(!c->worker.enabled);
    ck_assert_str_eq(c->qdrant.api_key, "mine");
    const struct config_collection *a = &c->collections[0];
    ck_assert_int_eq(c->embedders[a->embedder].provider, CONFIG_PROVIDER_HASH);
    ck_assert_uint_eq(c->embedders[a->embedder].dimensions, 32);
    ck_assert_uint_eq(a->extra_count, 2);
    ck_assert_str_eq(a->extras[0].value, "2");
    ck_assert_str_eq(a->extras[1].key, "further");
    ck_assert_str_eq(a->extras[1].where, "LOCKSTEP_COLLECTION_MY_TOOLS_FURTHER");
    config_free(c);
}
END_TEST

START_TEST(names_of_the_longest_kind_work)
{
    struct config *c = load_well(
        "[mongodb]\ndatabase = d\ncollection = c\n[collection:12345678901234567890123456789012345678]\n"
        "plugin = p\n",
        NULL);
    ck_assert_uint_eq(strlen(c->collections[0].name), 38);
    ck_assert_str_eq(c->collections[0].plugin, "p");
    config_free(c);
}
END_TEST

START_TEST(offline_needs_no_servers)
{
    struct buf problems;
    struct config *c = load("[collection:a]\nplugin = fields\nembedding.provider = openai\n", NULL,
                            CONFIG_OFFLINE, &problems);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(c->source_count, 1);
    ck_assert_str_eq(c->sources[0].id_field, "id");
    config_free(c);
    buf_fini(&problems);
}
END_TEST

/* ---- what is shown ---- */

START_TEST(show_tells_where_values_come_from_and_hides_secrets)
{
    struct config *c =
        load_well("[mongodb]\nuri = "
                  "mongodb://me:hidden1@h/db?tlsCertificateKeyFilePassword=hidden2&w=1\ncollection = c\n"
                  "[qdrant]\napi_key = hidden3\nurl = http://u:hidden4@q:1\n[embedding]\nquery_prefix = "
                  "\"query: \" ; E5\n"
                  "[collection:a]\nsentences = One: {a}\n  Two: {b}\nmine = 5\n"
                  "embedding.url = http://h/v1/?key=hidden5&v=hidden6\n[api]\ntoken_file = key\n",
                  "LOCKSTEP_WORKER_JITTER=0.5");
    struct buf out;
    buf_init(&out, 0);
    config_show(c, &out);
    static const char *const there[] = {
        "[mongodb]\nuri = mongodb://me:***@h/db?tlsCertificateKeyFilePassword=***&w=1 ; t.ini:2\n",
        "\ndatabase = db ; default\n",
        "\ncollection = c ; t.ini:3\n",
        "\nname = c ; default\n",
        "\nurl = http://u:***@q:1 ; t.ini:6\n",
        "\napi_key = *** ; t.ini:5\n",
        "\njitter = 0.5 ; LOCKSTEP_WORKER_JITTER\n",
        "\nquery_prefix = \"query: \" ; t.ini:8\n",
        "\nsentences = One: {a}\n    Two: {b} ; t.ini:10\n",
        "\nmine = 5 ; t.ini:12\n",
        "\ntoken_file = key ; t.ini:15\n",
        "\nplugin = a ; default\n",
        "\nlisten = 127.0.0.1:4003 ; default\n",
        "\nembedding.url = http://h/v1/?key=***&v=*** ; t.ini:13\n"};
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        ck_assert_msg(strstr(out.data, there[i]) != NULL, "not shown: %s\nin:\n%s", there[i], out.data);
    ck_assert_ptr_null(strstr(out.data, "hidden"));
    ck_assert_ptr_null(strstr(out.data, "s3cret"));
    buf_fini(&out);
    config_free(c);
}
END_TEST

START_TEST(what_is_shown_can_be_read_again)
{
    struct config *c =
        load_well("[mongodb]\ndatabase = d\ncollection = c\n[embedding]\nquery_prefix = \"query: \\\"\"\n"
                  "[collection:a]\nsentences = One: {a}\n  \"Two, {b} ; x\"\nmine = 5\nwatched = a, b\n",
                  "LOCKSTEP_WORKER_JITTER=0.5");
    struct buf out;
    buf_init(&out, 0);
    config_show(c, &out);
    config_free(c);
    c = load_well(out.data, NULL);
    ck_assert_str_eq(c->embedders[0].query_prefix, "query: \"");
    ck_assert_str_eq(c->collections[0].sentences[1], "Two, {b} ; x");
    ck_assert_double_eq(c->worker.jitter, 0.5);
    buf_fini(&out);
    config_free(c);
}
END_TEST

/* ---- the table, the documents, the example ---- */

START_TEST(the_table_is_sound)
{
    ck_assert_uint_le(option_count, OPTION_MAX);
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        ck_assert_msg(o->fallback || o->fallback_help, "%s has no default", o->key);
        ck_assert_msg(o->help && o->help[strlen(o->help) - 1] == '.', "%s has no sentence", o->key);
        ck_assert_msg(option_find(o->section, o->key) == i, "%s is there twice", o->key);
        if (o->type == OPTION_SECRET_FILE) ck_assert_int_eq(options[i - 1].type, OPTION_SECRET);
        bool number = o->type == OPTION_INT || o->type == OPTION_SIZE || o->type == OPTION_MEGABYTES ||
                      o->type == OPTION_MS || o->type == OPTION_REAL;
        if (number) ck_assert_ptr_nonnull(strstr(o->allowed, ".."));
    }
}
END_TEST

static void read_whole(const char *name, struct buf *out)
{
    char path[1000], piece[4096];
    const char *top = getenv("top_srcdir");
    (void)snprintf(path, sizeof path, "%s/%s", top ? top : ".", name);
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "can't read %s", path);
    buf_init(out, 0);
    for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;) buf_put(out, piece, n);
    (void)fclose(file);
    ck_assert(!out->failed && out->bytes > 0);
}

START_TEST(the_documents_are_those_of_the_table)
{
    static const char *const names[] = {"docs/reference/configuration.md", "docs/reference/lockstep.ini.5"};
    static const enum config_reference_form forms[] = {CONFIG_REFERENCE_MARKDOWN, CONFIG_REFERENCE_MAN};
    struct buf want, have;
    buf_init(&want, 0);
    config_reference(forms[_i], &want);
    read_whole(names[_i], &have);
    ck_assert_msg(want.bytes == have.bytes && memcmp(want.data, have.data, want.bytes) == 0,
                  "%s is out of date: run `make docs-reference`", names[_i]);
    buf_fini(&want);
    buf_fini(&have);
}
END_TEST

/* What the example shows behind a # is what holds without it. */
START_TEST(the_example_loads_and_shows_the_defaults)
{
    struct buf text;
    read_whole("etc/lockstep.ini", &text);
    struct config *c = load_well(text.data, NULL);
    ck_assert_uint_eq(c->collection_count, 4);
    char section[64] = "";
    size_t switched = 0;
    for (char *rest = text.data, *line; (line = strsep(&rest, "\n")) != NULL;) {
        char key[64] = "", value[200] = "";
        bool header = line[0] == '[' || (line[0] == '#' && line[1] == '[');
        if (header)
            (void)snprintf(section, sizeof section, "%.*s", (int)strcspn(line, "]"), line + (line[0] == '#'));
        if (line[0] == '#' && section[0] == '[' && sscanf(line, "#%63[a-z_] = %199[^\n]", key, value) >= 1) {
            for (size_t i = 0; i < option_count; i++) {
                const char *name = section_help[options[i].section].name;
                if (strcmp(options[i].key, key) != 0 || strncmp(section + 1, name, strlen(name)) != 0 ||
                    (strlen(name) != strlen(section + 1) && name[strlen(name) - 1] != ':') ||
                    !options[i].fallback)
                    continue;
                ck_assert_msg(strcmp(value, options[i].fallback) == 0,
                              "the example shows %s] %s = %s, the default is %s", section, key, value,
                              options[i].fallback);
                switched++;
            }
        }
    }
    ck_assert_uint_gt(switched, 20);
    config_free(c);
    buf_fini(&text);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("config");
    tcase_add_checked_fixture(tc, enter_folder, leave_folder);
    tcase_add_loop_test(tc, every_mistake_is_reported_with_its_place, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_test(tc, a_missing_file_is_one_problem);
    tcase_add_test(tc, defaults_are_those_of_the_contract);
    tcase_add_test(tc, everything_set_arrives);
    tcase_add_test(tc, collections_inherit_and_share_embedders);
    tcase_add_test(tc, variables_override_the_file);
    tcase_add_test(tc, names_of_the_longest_kind_work);
    tcase_add_test(tc, offline_needs_no_servers);
    tcase_add_test(tc, show_tells_where_values_come_from_and_hides_secrets);
    tcase_add_test(tc, what_is_shown_can_be_read_again);
    tcase_add_test(tc, the_table_is_sound);
    tcase_add_loop_test(tc, the_documents_are_those_of_the_table, 0, 2);
    tcase_add_test(tc, the_example_loads_and_shows_the_defaults);
    Suite *suite = suite_create("config");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
