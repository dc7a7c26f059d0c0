/* model.c - documents of the model case, each made from its number alone, and the plugins' collections. */
#include <stdio.h>
#include <string.h>

#include "plugin/plugin.h"
#include "tests/bench/bench.h"

const char *const bench_names[COLLECTIONS] = {"tools", "functionality", "usecases", "interface"};

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- load ---- */

static const char *const words[] = {"search", "design", "code",  "test",  "cloud", "data", "mobile",
                                    "video",  "image",  "text",  "model", "graph", "list", "monitor",
                                    "deploy", "secure", "teams", "draw",  "write", "plan"};

static void append_words(bson_t *doc, const char *key, unsigned count, unsigned *state)
{
    char text[1024] = "";
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++)
        bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, "%s%s", i ? " " : "",
                                  words[next_random(state) % (sizeof words / sizeof *words)]);
    BSON_APPEND_UTF8(doc, key, text);
}

static void append_list(bson_t *doc, const char *key, unsigned count, unsigned *state)
{
    bson_t list;
    char index[16];
    BSON_APPEND_ARRAY_BEGIN(doc, key, &list);
    for (unsigned i = 0; i < count; i++) {
        snprintf(index, sizeof index, "%u", i);
        append_words(&list, index, 2, state);
    }
    bson_append_array_end(doc, &list);
}

bson_t *model_document(long number)
{
    unsigned state = (unsigned)number + 1;
    char id[32];
    bson_t *doc = bson_new();
    snprintf(id, sizeof id, "tool-%ld", number);
    BSON_APPEND_INT64(doc, "_id", number);
    BSON_APPEND_UTF8(doc, "id", id);
    BSON_APPEND_UTF8(doc, "slug", id);
    append_words(doc, "name", 2, &state);
    append_words(doc, "description", 12, &state);
    append_words(doc, "tagline", 4, &state);
    append_list(doc, "functionality", 3, &state);
    append_list(doc, "categories", 2, &state);
    append_list(doc, "industries", 1, &state);
    append_list(doc, "userTypes", 2, &state);
    append_list(doc, "deployment", 1, &state);
    append_list(doc, "interface", 2, &state);
    BSON_APPEND_UTF8(doc, "pricingModel", "Free");
    BSON_APPEND_UTF8(doc, "status", "active");
    BSON_APPEND_UTF8(doc, "website", "https://tools.example/");
    return doc;
}

static void say(void *context, const char *problem)
{
    (void)context;
    fprintf(stderr, "bench: %s\n", problem);
}

void model_open(const char *plugins, const char *fingerprint, const struct collection *out[COLLECTIONS])
{
    /* as the configuration of tests/bench/run says it */
    static const char *const tools_payload[] = {"id as toolId", "name", "slug", "tagline", NULL};
    const char *paths[] = {plugins, NULL};
    struct plugin_set *set = NULL;
    struct binding *binding;
    struct lks_err err;
    if (plugins_load(paths, bench_names, COLLECTIONS, &set, say, NULL, &err) != LKS_E_OK)
        die("plugins", err.text);
    for (size_t i = 0; i < COLLECTIONS; i++) {
        struct binding_settings settings = {.name = bench_names[i],
                                            .plugin = bench_names[i],
                                            .where = "bench",
                                            .source = "bench.tools",
                                            .payload = i ? NULL : tools_payload,
                                            .id_field = "id",
                                            .id_namespace = "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
                                            .max_text_bytes = 32768,
                                            .fingerprint = fingerprint};
        if (binding_open(set, &settings, &binding, say, NULL, &err) != LKS_E_OK) die("collection", err.text);
        out[i] = binding_collection(binding);
    }
}
