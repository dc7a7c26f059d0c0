/*
 * cmd_preview.c - `lockstep preview`: what each collection would make of a document, without writing
 * anything. From a file it needs no server at all, so that a plugin's author can work with nothing else.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/docid.h"
#include "base/log.h"
#include "cli/cmd_arguments.h"
#include "daemon/signals.h"

#define MAX_FILE_BYTES ((size_t)64 << 20)

struct request {
    const char *file, *id, *source, *collection;
    bool json;
};

static const char *kind_name(const struct made *made)
{
    switch (made->kind) {
    case MADE_POINT:
        return "point";
    case MADE_NOTHING:
        return "nothing";
    default:
        return "failed";
    }
}

static json_t *made_json(const struct made *made)
{
    json_t *payload =
        made->payload ? json_loadb(made->payload, made->payload_bytes, JSON_ALLOW_NUL, NULL) : NULL;
    json_t *out = json_pack("{s:s,s:s?,s:s,s:s?,s:s,s:s,s:o}", "result", kind_name(made), "text", made->text,
                            "pointId", made->point_id, "key", made->key, "contentHash", made->content_hash,
                            "payloadHash", made->payload_hash, "payload", payload ? payload : json_null());
    if (made->err)
        json_object_set_new(
            out, "error",
            json_pack("{s:s,s:s}", "code", lks_code_name(made->err->code), "message", made->err->text));
    return out;
}

static void print_made(const char *name, const struct made *made)
{
    printf("%s\n", name);
    if (made->err) printf("  failed       %s: %s\n", lks_code_name(made->err->code), made->err->text);
    if (made->kind == MADE_NOTHING) puts("  nothing      the text is empty: there will be no point");
    if (made->text) printf("  text         %s\n", made->text);
    if (made->payload) printf("  payload      %s\n", made->payload);
    if (made->key) printf("  key          %s\n", made->key);
    if (made->point_id[0]) printf("  point id     %s\n", made->point_id);
    if (made->kind == MADE_POINT)
        printf("  contentHash  %s\n  payloadHash  %s\n", made->content_hash, made->payload_hash);
}

/* True if every collection could make something of it. */
static bool preview_one(const struct app_source *source, const struct request *request, const bson_t *doc,
                        json_t *list)
{
    bool good = true;
    struct docid *id = docid_of(doc);
    char *plain = id ? docid_plain(id) : NULL;
    json_t *collections = json_object();
    if (!list && plain) printf("document %s\n", plain);
    for (size_t i = 0; i < source->count; i++) {
        struct made made;
        if (request->collection && strcmp(request->collection, source->names[i]) != 0) continue;
        maker_make(source->collections[i], doc, 0, &made);
        if (made.err) good = false;
        if (list)
            json_object_set_new(collections, source->names[i], made_json(&made));
        else
            print_made(source->names[i], &made);
        made_fini(&made);
    }
    if (list) json_array_append_new(list, json_pack("{s:s?,s:O}", "id", plain, "collections", collections));
    json_decref(collections);
    free(plain);
    docid_free(id);
    return good;
}

static bool read_all(FILE *in, struct buf *out)
{
    char some[8192];
    for (size_t n; (n = fread(some, 1, sizeof some, in)) > 0;) buf_put(out, some, n);
    return !ferror(in) && !out->failed;
}

/* One document, or one a line (or one after the other): Extended JSON, as mongoexport and mongosh write it.
 */
static int preview_text(const struct app_source *source, const struct request *request,
                        const struct buf *text, json_t *list)
{
    bson_json_reader_t *reader = bson_json_data_reader_new(true, 0);
    int status = EXIT_DONE, result = 0;
    size_t number = 0;
    bson_error_t error;
    bson_t doc;
    if (!reader) return EXIT_FAILED;
    bson_json_data_reader_ingest(reader, (const uint8_t *)text->data, text->bytes);
    for (;;) {
        bson_init(&doc);
        result = bson_json_reader_read(reader, &doc, &error);
        if (result == 1) {
            number++;
            if (!preview_one(source, request, &doc, list)) status = EXIT_FAILED;
        }
        bson_destroy(&doc);
        if (result != 1) break;
    }
    bson_json_reader_destroy(reader);
    if (result < 0) {
        fprintf(stderr, "lockstep: %s: document %zu is not Extended JSON: %s\n",
                request->file ? request->file : "standard input", number + 1, error.message);
        return EXIT_FAILED;
    }
    if (number == 0)
        fprintf(stderr, "lockstep: there is no document in %s\n",
                request->file ? request->file : "standard input");
    return number ? status : EXIT_FAILED;
}

static int preview_file(const struct app_source *source, const struct request *request, json_t *list)
{
    bool standard = !request->file || strcmp(request->file, "-") == 0;
    FILE *in = standard ? stdin : fopen(request->file, "rb");
    struct buf text;
    int status = EXIT_FAILED;
    buf_init(&text, MAX_FILE_BYTES);
    if (!in || !read_all(in, &text))
        fprintf(stderr, "lockstep: %s: %s\n", standard ? "standard input" : request->file,
                text.failed ? "is larger than 64 MB" : "can't be read");
    else
        status = preview_text(source, request, &text, list);
    if (in && !standard) fclose(in);
    buf_fini(&text);
    return status;
}

static int preview_id(struct app_source *source, const struct request *request, json_t *list)
{
    struct source_document doc = {.id = NULL};
    struct lks_err err;
    if (app_connect(source->app, &err) != LKS_E_OK ||
        mongo_find(source->mongo, request->id, &doc, &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        return EXIT_FAILED;
    }
    bool good = preview_one(source, request, doc.body, list);
    source_document_fini(&doc);
    return good ? EXIT_DONE : EXIT_FAILED;
}

static int parse(const struct invocation *inv, struct request *request)
{
    const struct option_spec options[] = {{"id", OPTION_TEXT, &request->id, 0, 0},
                                          {"collection", OPTION_TEXT, &request->collection, 0, 0},
                                          {"source", OPTION_TEXT, &request->source, 0, 0},
                                          {"json", OPTION_FLAG, &request->json, 0, 0}};
    int status = ARGUMENTS_READ(&command_preview, inv, options, &request->file);
    if (status == EXIT_DONE && request->file && request->id)
        return usage_error(&command_preview, "either a file or --id");
    return status;
}

static bool has_collection(const struct app_source *source, const char *name)
{
    for (size_t i = 0; i < source->count; i++)
        if (!name || strcmp(source->names[i], name) == 0) return true;
    fprintf(stderr, "lockstep: no enabled collection is named %s\n", name);
    return false;
}

static int run(const struct invocation *inv)
{
    struct request request = {.file = NULL};
    int status = parse(inv, &request);
    if (status != EXIT_DONE) return status;
    signals_unblock(); /* it only reads: a signal may end it where it stands */
    struct app *app = app_or_complaint(inv, request.id ? 0 : CONFIG_OFFLINE);
    if (!app) return EXIT_USAGE;
    log_setup(LOG_LEVEL_ERROR, false);
    struct app_source *source = source_or_complaint(app, request.source);
    json_t *list = request.json ? json_array() : NULL;
    if (!source || !has_collection(source, request.collection))
        status = EXIT_USAGE;
    else
        status = request.id ? preview_id(source, &request, list) : preview_file(source, &request, list);
    if (list && status != EXIT_USAGE) {
        json_dumpf(json_array_size(list) == 1 ? json_array_get(list, 0) : list, stdout,
                   JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    }
    json_decref(list);
    app_free(app);
    return status;
}

const struct command command_preview = {.name = "preview",
                                        .usage =
                                            "[--collection NAME] [--source NAME] [--json] [FILE | --id ID]",
                                        .summary = "what each collection would make of a document",
                                        .run = run};
