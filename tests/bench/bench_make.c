/*
 * bench_make.c - how many documents a second one thread makes for the four model collections.
 *
 * Usage: bench_make [ROUNDS]. Documents are of the size and shape of a catalogue entry; nothing here is a
 * limit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collection/collection.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CATALOGUE                                                                                            \
    LIST("id as toolId", "name", "slug", "categories", "functionality", "interface", "industries",           \
         "userTypes", "deployment", "pricingModel", "status", "pricing", "pricingUrl", "website",            \
         "documentation", "logoUrl")
#define MODELS 4
#define DOCS 1000

static struct collection *model(const char *name, const char *const *watched, const char *const *sentences)
{
    struct declaration *d = NULL;
    struct collection *c = calloc(1, sizeof *c);
    struct declaration_lists lists = {.watched = watched, .sentences = sentences, .payload = CATALOGUE};
    if (!c || declaration_new(&d, &lists, "id", false, NULL, NULL)) exit(1);
    *c = (struct collection){.name = name,
                             .source = "catalogue.tools",
                             .id_field = "id",
                             .max_text_bytes = 32768,
                             .fingerprint = "words:1",
                             .plugin = "fields",
                             .plugin_version = "1",
                             .declaration = d};
    return c;
}

static bson_t *document(int i)
{
    char json[2000];
    int bytes = snprintf(
        json, sizeof json,
        "{\"_id\":{\"$oid\":\"%024x\"},\"id\":\"tool-%d\",\"slug\":\"tool-%d\",\"name\":\"Tool %d\","
        "\"description\":\"Number %d helps small teams to draw, write and plan together without fuss.\","
        "\"longDescription\":\"It began as an editor for two people in one room and became what a whole "
        "company "
        "draws its plans with; everything that is on the page is saved as it is made, and nobody has to ask "
        "who has "
        "the newest copy. Number %d.\",\"tagline\":\"Plans that %d people can read\","
        "\"functionality\":[\"Drawing\",\"Wireframing\",\"Prototyping\",\"Export %d\"],"
        "\"categories\":[\"Design\",\"Planning\"],\"industries\":[\"Software\",\"Media\",\"Education\"],"
        "\"userTypes\":[\"Designers\",\"Developers\",\"Managers\"],\"deployment\":[\"Cloud\",\"On-premises\"]"
        ","
        "\"interface\":[\"Web\",\"Desktop\",\"Mobile\"],\"pricingModel\":[\"Free\",\"Subscription\"],"
        "\"status\":\"active\",\"pricing\":[{\"tier\":\"Free\",\"billingPeriod\":\"month\",\"price\":0},"
        "{\"tier\":\"Team\",\"billingPeriod\":\"month\",\"price\":%d.5}],\"pricingUrl\":\"https://"
        "example.com/%d/p\","
        "\"website\":\"https://example.com/%d\",\"documentation\":\"https://docs.example.com/%d\","
        "\"logoUrl\":\"https://example.com/%d.svg\"}",
        (unsigned)i, i, i, i, i, i, i, i, i % 90, i, i, i, i);
    bson_t *doc = bytes < (int)sizeof json ? bson_new_from_json((const uint8_t *)json, bytes, NULL) : NULL;
    if (!doc) exit(1);
    return doc;
}

static double seconds(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 100;
    struct collection *models[MODELS] = {
        model("tools", LIST("name 3", "description 2", "longDescription 1.5", "tagline 1"), NULL),
        model("functionality", LIST("functionality 2.5", "categories 2"),
              LIST("Features: {functionality}", "Categories: {categories}")),
        model("usecases", LIST("industries 2", "userTypes 2", "deployment 1.5"),
              LIST("Designed for {userTypes| and } in {industries} industries",
                   "Deployment options: {deployment}")),
        model("interface", LIST("interface 2", "pricingModel 1.5", "status 1"),
              LIST("Available interfaces: {interface}", "Pricing model: {pricingModel}",
                   "Current status: {status}")),
    };
    static bson_t *docs[DOCS];
    size_t bytes = 0, points = 0;
    for (int i = 0; i < DOCS; i++) docs[i] = document(i);
    double begin = seconds();
    for (long round = 0; round < rounds; round++)
        for (size_t i = 0; i < DOCS; i++)
            for (size_t c = 0; c < MODELS; c++) {
                struct made made;
                collection_make(models[c], docs[i], &made);
                bytes += made.text_bytes + made.payload_bytes;
                points += made.kind == MADE_POINT;
                made_fini(&made);
            }
    double took = seconds() - begin;
    printf("%zu points of %u-byte documents in %.2f s: %.0f a second, %.2f us each, %.1f MB of text and "
           "payload a "
           "second\n",
           points, docs[0]->len, took, (double)points / took, took * 1e6 / (double)points,
           (double)bytes / took / 1e6);
    for (int i = 0; i < DOCS; i++) bson_destroy(docs[i]);
    for (size_t c = 0; c < MODELS; c++) {
        declaration_free((struct declaration *)models[c]->declaration);
        free(models[c]);
    }
    return 0;
}
