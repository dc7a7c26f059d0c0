/* fixture.h - collections to test with, declared as in the INI file. */
#ifndef LOCKSTEP_TESTS_FIXTURE_H
#define LOCKSTEP_TESTS_FIXTURE_H

#include <bson/bson.h>

#include "collection/collection.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The payload that the four collections of the model case share. */
#define CATALOGUE                                                                                            \
    "id as toolId", "name", "slug", "categories", "functionality", "interface", "industries", "userTypes",   \
        "deployment", "pricingModel", "status", "pricing", "pricingUrl", "website", "documentation",         \
        "logoUrl"

enum { TOOLS, FUNCTIONALITY, USECASES, INTERFACE, MODEL_COUNT };
extern const char *const model_names[MODEL_COUNT];
extern const struct declaration_lists model_lists[MODEL_COUNT];

/* The document of the contract's example. */
extern const char figma[];
extern const char *const figma_texts[MODEL_COUNT];

/* A collection of these lists (`id` as id field, UUIDv5 under the URL namespace, fingerprint "test"), failing
 * the test if they can't be read. To be freed by fixture_free(). */
struct collection *fixture_collection(const char *name, const struct declaration_lists *lists);
void fixture_free(struct collection *c);

/* Extended JSON, failing the test if it is none. To be freed by bson_destroy(). */
bson_t *fixture_doc(const char *json);

/* What the collection makes of a document in Extended JSON. */
struct made fixture_make(const struct collection *c, const char *json);

#endif
