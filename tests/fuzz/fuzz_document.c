/*
 * fuzz_document.c - any bytes as a document: text, payload and ids come out valid or not at all.
 *
 * Built with --enable-fuzzers (clang). The input is one BSON document; `tests/unit` has well-formed ones.
 */
#include <bson/bson.h>
#include <stdlib.h>
#include <string.h>

#include "base/docid.h"
#include "collection/collection.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static lks_verdict see(void *self, struct making *m, const bson_t *doc, struct lks_err *err)
{
    (void)self, (void)m, (void)doc, (void)err;
    return LKS_OK;
}

/* Small names and a small cap, so that much is reached with few bytes. */
static struct collection *collection(void)
{
    static struct collection c;
    struct declaration_lists lists = {.watched = LIST("a 2.5", "b", "a.b", "c.0"),
                                      .sentences = LIST("x {a} y {b|-}"),
                                      .payload = LIST("d", "e.f", "e.0.f as q")};
    struct declaration *d = NULL;
    if (c.declaration) return &c;
    if (declaration_new(&d, &lists, "id", false, NULL, NULL)) abort();
    c = (struct collection){.name = "c",
                            .source = "d.c",
                            .id_field = "id",
                            .max_text_bytes = 200,
                            .fingerprint = "f",
                            .plugin = "fields",
                            .plugin_version = "1",
                            .declaration = d};
    return &c;
}

static void check_made(const struct made *made)
{
    if (made->kind == MADE_POINT) {
        if (!bson_utf8_validate(made->payload, made->payload_bytes, false)) abort(); /* no bare NUL either */
        if (!bson_utf8_validate(made->text, made->text_bytes, true)) abort();
        if (!made->text_bytes || made->text_bytes > 200 || strlen(made->point_id) != 36) abort();
    } else if (made->text || made->payload) {
        abort();
    }
}

static void check_id(const bson_t *doc)
{
    struct docid *id = docid_of(doc);
    if (!id) return;
    char *json = docid_json(id), *plain = docid_plain(id);
    if (docid_compare(id, id) != 0) abort();
    if (json && !bson_utf8_validate(json, strlen(json), false)) abort();
    docid_free(json ? docid_parse(json) : NULL);
    free(json);
    free(plain);
    docid_free(id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct collection *c = collection();
    struct made made;
    bson_t doc;
    if (!bson_init_static(&doc, data, bytes)) return 0;
    c->callbacks.payload_more = bytes % 2 ? see : NULL; /* a projection, now and then */
    collection_make(c, &doc, &made);
    check_made(&made);
    made_fini(&made);
    check_id(&doc);
    return 0;
}
