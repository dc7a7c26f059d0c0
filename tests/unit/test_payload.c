/* test_payload.c - what a point carries besides its vector, and the hashes that say whether it changed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "collection/collection.h"
#include "fixture.h"
#include "suite.h"

START_TEST(the_payload_of_the_model_case_has_what_the_contract_lists)
{
    struct collection *c = fixture_collection("tools", &model_lists[TOOLS]);
    struct made made = fixture_make(c, figma);
    ck_assert_str_eq(
        made.payload,
        "{\"categories\":[\"Design\"],\"collection\":\"tools\",\"deployment\":[\"Cloud\"],"
        "\"description\":\"Design together\",\"functionality\":[\"Wireframing\",\"Prototyping\"],"
        "\"id\":\"507f1f77bcf86cd799439011\",\"industries\":[\"Software\",\"Media\"],"
        "\"interface\":[\"Web\",\"Desktop\"],\"name\":\"Figma\",\"pricingModel\":[\"Free\",\"Paid\"],"
        "\"status\":\"active\",\"tagline\":\"Made for teams\",\"toolId\":\"figma\","
        "\"userTypes\":[\"Designers\",\"Developers\"]}");
    ck_assert_uint_eq(made.payload_bytes, strlen(made.payload));
    made_fini(&made);
    fixture_free(c);
}
END_TEST

static const struct {
    const char *doc, *payload;
} cases[] = {
    {"{\"_id\":\"s\",\"id\":1,\"w\":\"x\"}", "{\"collection\":\"c\",\"id\":\"s\",\"w\":\"x\"}"},
    {"{\"_id\":7,\"id\":1,\"w\":\"x\"}", "{\"collection\":\"c\",\"id\":7,\"w\":\"x\"}"},
    {"{\"_id\":{\"$numberDouble\":\"7.0\"},\"id\":1,\"w\":\"x\"}",
     "{\"collection\":\"c\",\"id\":7,\"w\":\"x\"}"},
    {"{\"_id\":{\"$numberLong\":\"9007199254740992\"},\"id\":1,\"w\":\"x\"}",
     "{\"collection\":\"c\",\"id\":9007199254740992,\"w\":\"x\"}"},
    {"{\"_id\":{\"$numberLong\":\"9007199254740993\"},\"id\":1,\"w\":\"x\"}",
     "{\"collection\":\"c\",\"id\":\"9007199254740993\",\"w\":\"x\"}"},
    {"{\"_id\":{\"$numberDecimal\":\"1.50\"},\"id\":1,\"w\":\"x\"}",
     "{\"collection\":\"c\",\"id\":\"1.5\",\"w\":\"x\"}"},
    {"{\"_id\":{\"a\":1},\"id\":1,\"w\":\"x\"}",
     "{\"collection\":\"c\",\"id\":\"{\\\"a\\\":{\\\"$numberInt\\\":\\\"1\\\"}}\",\"w\":\"x\"}"},
    {"{\"_id\":true,\"id\":1,\"w\":\"x\"}", "{\"collection\":\"c\",\"id\":\"true\",\"w\":\"x\"}"},
    /* the text of a UUID, of either subtype */
    {"{\"_id\":{\"$binary\":{\"base64\":\"a6e4EJ2tEdGAtADAT9QwyA==\",\"subType\":\"04\"}},\"id\":1,\"w\":"
     "\"x\","
     "\"p\":{\"$binary\":{\"base64\":\"a6e4EJ2tEdGAtADAT9QwyA==\",\"subType\":\"03\"}}}",
     "{\"collection\":\"c\",\"id\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\","
     "\"p\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"w\":\"x\"}"},
    /* missing is left out, null stays null */
    {"{\"_id\":\"s\",\"id\":1,\"w\":\"x\",\"p\":null}",
     "{\"collection\":\"c\",\"id\":\"s\",\"p\":null,\"w\":\"x\"}"},
    {"{\"_id\":\"s\",\"id\":1,\"w\":\"x\",\"p\":{\"b\":1,\"a\":[]}}",
     "{\"collection\":\"c\",\"id\":\"s\",\"p\":{\"a\":[],\"b\":1},\"w\":\"x\"}"},
    /* a dotted field is nested as in the document, or flat under another name; an array stays one of objects
     */
    {"{\"_id\":\"s\",\"id\":1,\"w\":\"x\",\"q\":{\"r\":5,\"s\":6}}",
     "{\"collection\":\"c\",\"id\":\"s\",\"q\":{\"r\":5},\"renamed\":5,\"w\":\"x\"}"},
    {"{\"_id\":\"s\",\"id\":1,\"w\":\"x\",\"q\":{\"r\":null}}",
     "{\"collection\":\"c\",\"id\":\"s\",\"q\":{\"r\":null},\"renamed\":null,\"w\":\"x\"}"},
    {"{\"_id\":\"s\",\"id\":1,\"w\":\"x\",\"q\":[{\"r\":5},{},{\"r\":[6]},7]}",
     "{\"collection\":\"c\",\"id\":\"s\",\"q\":[{\"r\":5},{\"r\":[6]}],\"renamed\":[5,[6]],\"w\":\"x\"}"},
    {"{\"_id\":\"s\",\"id\":1,\"w\":\"x\",\"q\":{\"s\":1}}",
     "{\"collection\":\"c\",\"id\":\"s\",\"w\":\"x\"}"},
    {"{\"_id\":\"s\",\"id\":1,\"w\":\"x\",\"q\":[{},3]}", "{\"collection\":\"c\",\"id\":\"s\",\"w\":\"x\"}"},
    {"{\"_id\":\"s\",\"id\":1,\"w\":\"x\",\"q\":[]}", "{\"collection\":\"c\",\"id\":\"s\",\"w\":\"x\"}"},
    /* a document's own `collection` or `_lockstep` is nobody's business */
    {"{\"_id\":\"s\",\"id\":1,\"w\":\"x\",\"collection\":\"mine\",\"_lockstep\":1,\"other\":2}",
     "{\"collection\":\"c\",\"id\":\"s\",\"w\":\"x\"}"},
};

START_TEST(the_payload_is_what_was_declared)
{
    struct declaration_lists lists = {.watched = LIST("w"),
                                      .payload = LIST("p", "q.r", "q.r as renamed", "w")};
    struct collection *c = fixture_collection("c", &lists);
    struct made made = fixture_make(c, cases[_i].doc);
    ck_assert_int_eq(made.kind, MADE_POINT);
    ck_assert_str_eq(made.payload, cases[_i].payload);
    made_fini(&made);
    fixture_free(c);
}
END_TEST

/* Several dotted fields below one name, and where they end in what the document has. */
static const struct {
    const char *const *payload;
    const char *doc, *expected;
} nested[] = {
    {LIST("a.b", "a.c.d", "a.c.e"), "{\"a\":{\"c\":{\"e\":2,\"d\":1,\"x\":9},\"b\":[1,2],\"y\":9}}",
     "{\"a\":{\"b\":[1,2],\"c\":{\"d\":1,\"e\":2}},\"collection\":\"c\",\"id\":null,\"w\":\"x\"}"},
    {LIST("a.b", "a.b.c"), "{\"a\":{\"b\":{\"c\":1,\"d\":2}}}",
     "{\"a\":{\"b\":{\"c\":1,\"d\":2}},\"collection\":\"c\",\"id\":null,\"w\":\"x\"}"},
    {LIST("a.b", "a"), "{\"a\":{\"b\":1,\"z\":2}}",
     "{\"a\":{\"b\":1,\"z\":2},\"collection\":\"c\",\"id\":null,\"w\":\"x\"}"},
    /* arrays in arrays of objects; the objects that have nothing are left out */
    {LIST("a.b.c", "a.n"),
     "{\"a\":[{\"b\":[{\"c\":1},{\"d\":2},{\"c\":3}]},{\"n\":4},{\"z\":5},[{\"n\":6}]]}",
     "{\"a\":[{\"b\":[{\"c\":1},{\"c\":3}]},{\"n\":4}],\"collection\":\"c\",\"id\":null,\"w\":\"x\"}"},
    /* one element; a member that is called like one */
    {LIST("a.1", "a.3.b"), "{\"a\":[1,2,3,{\"b\":4,\"c\":5}]}",
     "{\"a\":[2,{\"b\":4}],\"collection\":\"c\",\"id\":null,\"w\":\"x\"}"},
    {LIST("a.1"), "{\"a\":{\"1\":\"one\",\"2\":\"two\"}}",
     "{\"a\":{\"1\":\"one\"},\"collection\":\"c\",\"id\":null,\"w\":\"x\"}"},
    {LIST("a.b"), "{\"a\":\"text\"}", "{\"collection\":\"c\",\"id\":null,\"w\":\"x\"}"},
};

START_TEST(dotted_fields_are_nested_as_in_the_document)
{
    struct declaration_lists lists = {.watched = LIST("w"), .payload = nested[_i].payload};
    struct collection *c = fixture_collection("c", &lists);
    bson_t *doc = fixture_doc(nested[_i].doc);
    BSON_APPEND_UTF8(doc, "w", "x");
    BSON_APPEND_UTF8(doc, "id", "i");
    struct made made;
    collection_make(c, doc, &made);
    ck_assert_str_eq(made.payload, nested[_i].expected);
    made_fini(&made);
    bson_destroy(doc);
    fixture_free(c);
}
END_TEST

START_TEST(of_two_equal_members_the_last_one_counts)
{
    struct declaration_lists lists = {.watched = LIST("w")};
    struct collection *c = fixture_collection("c", &lists);
    bson_t *doc = fixture_doc("{\"_id\":\"s\",\"id\":\"i\"}");
    BSON_APPEND_UTF8(doc, "w", "first");
    BSON_APPEND_UTF8(doc, "w", "last");
    struct made made;
    collection_make(c, doc, &made);
    ck_assert_str_eq(made.text, "last");
    ck_assert_str_eq(made.payload, "{\"collection\":\"c\",\"id\":\"s\",\"w\":\"last\"}");
    made_fini(&made);
    bson_destroy(doc);
    fixture_free(c);
}
END_TEST

START_TEST(what_nests_too_deep_for_qdrant_is_refused_by_name)
{
    struct declaration_lists lists = {.watched = LIST("w"), .payload = LIST("p")};
    struct collection *c = fixture_collection("c", &lists);
    for (int levels = JSON_MAX_DEPTH - 1; levels <= JSON_MAX_DEPTH + 1; levels++) {
        bson_t *inner = bson_new();
        for (int i = 1; i < levels; i++) {
            bson_t *outer = bson_new();
            BSON_APPEND_DOCUMENT(outer, "a", inner);
            bson_destroy(inner);
            inner = outer;
        }
        bson_t *doc = fixture_doc("{\"_id\":\"s\",\"id\":\"i\",\"w\":\"x\"}");
        BSON_APPEND_DOCUMENT(doc, "p", inner);
        struct made made;
        collection_make(c, doc, &made);
        ck_assert_int_eq(made.kind, levels > JSON_MAX_DEPTH ? MADE_FAILED : MADE_POINT);
        ck_assert_uint_eq(strlen(made.point_id), 36);
        if (made.err) ck_assert_int_eq(made.err->code, LKS_E_VALIDATION);
        if (made.err) ck_assert_ptr_nonnull(strstr(made.err->text, "`p`"));
        made_fini(&made);
        bson_destroy(doc);
        bson_destroy(inner);
    }
    fixture_free(c);
}
END_TEST

START_TEST(a_payload_that_no_request_can_carry_is_refused)
{
    struct declaration_lists lists = {.watched = LIST("w"), .payload = LIST("p")};
    struct collection *c = fixture_collection("c", &lists);
    size_t bytes = (size_t)6 << 20;
    char *big = malloc(bytes);
    memset(big, 1, bytes); /* \u0001: six times as long in JSON */
    bson_t *doc = fixture_doc("{\"_id\":\"s\",\"id\":\"i\",\"w\":\"x\"}");
    ck_assert(bson_append_utf8(doc, "p", 1, big, (int)bytes));
    struct made made;
    collection_make(c, doc, &made);
    ck_assert_int_eq(made.kind, MADE_FAILED);
    ck_assert_int_eq(made.err->code, LKS_E_VALIDATION);
    ck_assert_ptr_null(made.payload);
    ck_assert_ptr_null(made.text);
    made_fini(&made);
    bson_destroy(doc);
    free(big);
    fixture_free(c);
}
END_TEST

static struct made make_with(const char *fingerprint, const char *json)
{
    struct declaration_lists lists = {.watched = LIST("w"), .payload = LIST("p")};
    struct collection *c = fixture_collection("c", &lists);
    c->fingerprint = fingerprint;
    struct made made = fixture_make(c, json);
    ck_assert_int_eq(made.kind, MADE_POINT);
    fixture_free(c);
    return made;
}

/* Pairs of documents and fingerprints: which hashes differ. */
static const struct {
    const char *fingerprint[2], *doc[2];
    bool content, payload;
} pairs[] = {
    {{"f", "f"},
     {"{\"id\":\"i\",\"w\":\"a\",\"p\":1}", "{\"p\":1.0,\"w\":\"a\",\"id\":\"i\",\"z\":1}"},
     false,
     false},
    {{"f", "f"}, {"{\"id\":\"i\",\"w\":\"a\",\"p\":1}", "{\"id\":\"i\",\"w\":\"a\",\"p\":2}"}, false, true},
    {{"f", "f"}, {"{\"id\":\"i\",\"w\":\"a\"}", "{\"id\":\"i\",\"w\":\"a\",\"p\":null}"}, false, true},
    {{"f", "f"}, {"{\"id\":\"i\",\"w\":\"a\"}", "{\"id\":\"i\",\"w\":\"b\"}"}, true, true},
    {{"f", "g"}, {"{\"id\":\"i\",\"w\":\"a\"}", "{\"id\":\"i\",\"w\":\"a\"}"}, true, false},
    {{"fa", "f"}, {"{\"id\":\"i\",\"w\":\"b\"}", "{\"id\":\"i\",\"w\":\"ab\"}"}, true, true},
};

START_TEST(a_hash_changes_with_what_it_is_over_and_with_nothing_else)
{
    struct made a = make_with(pairs[_i].fingerprint[0], pairs[_i].doc[0]);
    struct made b = make_with(pairs[_i].fingerprint[1], pairs[_i].doc[1]);
    ck_assert_int_eq(strcmp(a.content_hash, b.content_hash) != 0, pairs[_i].content);
    ck_assert_int_eq(strcmp(a.payload_hash, b.payload_hash) != 0, pairs[_i].payload);
    ck_assert_uint_eq(strlen(a.content_hash), 64);
    ck_assert_uint_eq(strlen(a.payload_hash), 64);
    made_fini(&a);
    made_fini(&b);
}
END_TEST

START_TEST(the_payload_hash_is_the_sha256_of_the_payload)
{
    struct made made = make_with("f", "{\"_id\":\"s\",\"id\":\"i\",\"w\":\"a\"}");
    char hex[SHA256_HEX_BYTES];
    ck_assert(hash_sha256_hex(&(struct hash_span){made.payload, made.payload_bytes}, 1, hex));
    ck_assert_str_eq(made.payload_hash, hex);
    made_fini(&made);
}
END_TEST

/* Callbacks of a plugin, in short. */

static lks_verdict put_things(void *self, struct making *m, const bson_t *doc, struct lks_err *err)
{
    const char *reason;
    bson_value_t number = {.value_type = BSON_TYPE_INT32, .value.v_int32 = 5};
    bson_value_t null = {.value_type = BSON_TYPE_NULL};
    (void)self, (void)err;
    ck_assert(bson_has_field(doc, "hidden") == false);
    ck_assert(bson_has_field(doc, "p"));
    ck_assert(making_put(m, "zz", &number, &reason));
    ck_assert(making_put(m, "aa", &null, &reason));
    ck_assert(making_put(m, "p", &number, &reason)); /* over a declared one */
    ck_assert(making_put(m, "zz", &null, &reason));  /* over one's own */
    ck_assert(!making_put(m, "id", &number, &reason) && reason);
    ck_assert(!making_put(m, "_lockstep", &number, &reason) && reason);
    ck_assert(!making_put(m, "", &number, &reason) && reason);
    ck_assert(!making_put(m, "\xFF", &number, &reason) && reason);
    return LKS_OK;
}

static lks_verdict write_things(void *self, struct making *m, const bson_t *doc, struct lks_err *err)
{
    const char *reason;
    (void)self, (void)err;
    ck_assert(!bson_has_field(doc, "p")); /* not watched */
    making_write(m, "before", 6);
    making_weighted(m);
    ck_assert(making_sentence(m, "[{w}]", &reason));
    ck_assert(making_sentence(m, "[{p}]", &reason)); /* can't be seen: left out */
    ck_assert(!making_sentence(m, "[{w]", &reason) && reason);
    making_write(m, "", 0);
    return LKS_OK;
}

START_TEST(callbacks_write_text_and_payload_of_what_they_are_shown)
{
    struct declaration_lists lists = {.watched = LIST("w 2"), .payload = LIST("p", "q")};
    struct collection *c = fixture_collection("c", &lists);
    c->callbacks = (struct collection_callbacks){.text = write_things, .payload_more = put_things};
    struct made made =
        fixture_make(c, "{\"_id\":\"s\",\"id\":\"i\",\"w\":\"x\",\"p\":1,\"q\":2,\"hidden\":3}");
    ck_assert_int_eq(made.kind, MADE_POINT);
    ck_assert_str_eq(made.text, "before x x [x]");
    ck_assert_str_eq(
        made.payload,
        "{\"aa\":null,\"collection\":\"c\",\"id\":\"s\",\"p\":5,\"q\":2,\"w\":\"x\",\"zz\":null}");
    made_fini(&made);
    fixture_free(c);
}
END_TEST

static lks_verdict answer(void *self, struct making *m, const bson_t *doc, struct lks_err *err)
{
    (void)doc;
    making_write(m, "x", 1);
    lks_fail(err, LKS_E_UNKNOWN, "because");
    return *(lks_verdict *)self;
}

static const struct {
    int verdict;
    enum made_kind kind;
    enum lks_code code;
} verdicts[] = {
    {LKS_OK, MADE_POINT, LKS_E_OK},         {LKS_SKIP, MADE_NOTHING, LKS_E_OK},
    {LKS_RETRY, MADE_FAILED, LKS_E_PLUGIN}, {LKS_REJECT, MADE_FAILED, LKS_E_VALIDATION},
    {LKS_FATAL, MADE_FATAL, LKS_E_PLUGIN},  {42, MADE_FAILED, LKS_E_PLUGIN},
    {-1, MADE_FAILED, LKS_E_PLUGIN},
};

START_TEST(a_verdict_says_what_becomes_of_the_document)
{
    struct declaration_lists lists = {.watched = LIST("w")};
    struct collection *c = fixture_collection("c", &lists);
    lks_verdict verdict = (lks_verdict)verdicts[_i].verdict;
    for (int call = 0; call < 2; call++) {
        c->callbacks = (struct collection_callbacks){.self = &verdict};
        if (call) c->callbacks.payload_more = answer;
        if (!call) c->callbacks.text = answer;
        struct made made = fixture_make(c, "{\"_id\":\"s\",\"id\":\"i\",\"w\":\"x\"}");
        ck_assert_int_eq(made.kind, verdicts[_i].kind);
        ck_assert_int_eq(made.err ? made.err->code : LKS_E_OK, verdicts[_i].code);
        ck_assert_uint_eq(strlen(made.point_id), 36);
        ck_assert_int_eq(made.text != NULL, made.kind == MADE_POINT);
        ck_assert_int_eq(made.payload != NULL, made.kind == MADE_POINT);
        made_fini(&made);
    }
    fixture_free(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("payload");
    TCase *tc = tcase_create("payload");
    tcase_add_test(tc, the_payload_of_the_model_case_has_what_the_contract_lists);
    tcase_add_loop_test(tc, the_payload_is_what_was_declared, 0, COUNT(cases));
    tcase_add_loop_test(tc, dotted_fields_are_nested_as_in_the_document, 0, COUNT(nested));
    tcase_add_test(tc, of_two_equal_members_the_last_one_counts);
    tcase_add_test(tc, what_nests_too_deep_for_qdrant_is_refused_by_name);
    tcase_add_test(tc, a_payload_that_no_request_can_carry_is_refused);
    tcase_add_loop_test(tc, a_hash_changes_with_what_it_is_over_and_with_nothing_else, 0, COUNT(pairs));
    tcase_add_test(tc, the_payload_hash_is_the_sha256_of_the_payload);
    tcase_add_test(tc, callbacks_write_text_and_payload_of_what_they_are_shown);
    tcase_add_loop_test(tc, a_verdict_says_what_becomes_of_the_document, 0, COUNT(verdicts));
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
