/* fixture.c - the model case, and collections for tests. */
#include "fixture.h"

#include <check.h>
#include <stdlib.h>

const char *const model_names[MODEL_COUNT] = {"tools", "functionality", "usecases", "interface"};

const struct declaration_lists model_lists[MODEL_COUNT] = {
    [TOOLS] = {.watched = LIST("name 3", "description 2", "longDescription 1.5", "tagline 1"),
               .payload = LIST(CATALOGUE)},
    [FUNCTIONALITY] = {.watched = LIST("functionality 2.5", "categories 2"),
                       .sentences = LIST("Features: {functionality}", "Categories: {categories}"),
                       .payload = LIST(CATALOGUE)},
    [USECASES] = {.watched = LIST("industries 2", "userTypes 2", "deployment 1.5"),
                  .sentences = LIST("Designed for {userTypes| and } in {industries} industries",
                                    "Deployment options: {deployment}"),
                  .payload = LIST(CATALOGUE)},
    [INTERFACE] = {.watched = LIST("interface 2", "pricingModel 1.5", "status 1"),
                   .sentences = LIST("Available interfaces: {interface}", "Pricing model: {pricingModel}",
                                     "Current status: {status}"),
                   .payload = LIST(CATALOGUE)},
};

const char figma[] =
    "{\"_id\":{\"$oid\":\"507f1f77bcf86cd799439011\"},\"id\":\"figma\",\"name\":\"Figma\","
    "\"description\":\"Design together\",\"tagline\":\"Made for teams\","
    "\"functionality\":[\"Wireframing\",\"Prototyping\"],\"categories\":[\"Design\"],"
    "\"userTypes\":[\"Designers\",\"Developers\"],\"industries\":[\"Software\",\"Media\"],"
    "\"deployment\":[\"Cloud\"],\"interface\":[\"Web\",\"Desktop\"],\"pricingModel\":[\"Free\",\"Paid\"],"
    "\"status\":\"active\"}";

const char *const figma_texts[MODEL_COUNT] = {
    "Figma Figma Figma Design together Design together Made for teams",
    "Wireframing Wireframing Wireframing Prototyping Prototyping Prototyping Design Design Features: "
    "Wireframing, "
    "Prototyping Categories: Design",
    "Software Software Media Media Designers Designers Developers Developers Cloud Cloud Designed for "
    "Designers and "
    "Developers in Software, Media industries Deployment options: Cloud",
    "Web Web Desktop Desktop Free Free Paid Paid active Available interfaces: Web, Desktop Pricing model: "
    "Free, Paid "
    "Current status: active",
};

static void report(void *context, const char *problem)
{
    (void)context;
    ck_abort_msg("declaration: %s", problem);
}

struct collection *fixture_collection(const char *name, const struct declaration_lists *lists)
{
    struct collection *c = calloc(1, sizeof *c);
    struct declaration *d = NULL;
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(declaration_new(&d, lists, "id", false, report, NULL), LKS_E_OK);
    *c = (struct collection){.name = name,
                             .source = "catalogue.tools",
                             .id_field = "id",
                             .max_text_bytes = 32768,
                             .fingerprint = "test",
                             .plugin = "fields",
                             .plugin_version = "1",
                             .declaration = d};
    ck_assert(uuid_from_text("6ba7b811-9dad-11d1-80b4-00c04fd430c8", c->id_namespace));
    return c;
}

void fixture_free(struct collection *c)
{
    declaration_free((struct declaration *)c->declaration);
    free(c);
}

bson_t *fixture_doc(const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    ck_assert_msg(doc != NULL, "%s: %s", json, error.message);
    return doc;
}

struct made fixture_make(const struct collection *c, const char *json)
{
    struct made made;
    bson_t *doc = fixture_doc(json);
    collection_make(c, doc, &made);
    bson_destroy(doc);
    return made;
}
