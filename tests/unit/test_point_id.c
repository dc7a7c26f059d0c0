/* test_point_id.c - which point a document has, and which documents can have none. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "collection/collection.h"
#include "fixture.h"
#include "suite.h"

static struct made make_of(const char *id_field, enum collection_id_scheme scheme, const char *json)
{
    struct declaration_lists lists = {.watched = LIST("w")};
    struct declaration *d = NULL;
    ck_assert_int_eq(declaration_new(&d, &lists, id_field, false, NULL, NULL), LKS_E_OK);
    struct collection c = {.name = "c",
                           .source = "d.c",
                           .id_field = id_field,
                           .id_scheme = scheme,
                           .id_prefix = "codiesvibe-tools",
                           .max_text_bytes = 100,
                           .fingerprint = "f",
                           .declaration = d};
    ck_assert(uuid_from_text("6ba7b811-9dad-11d1-80b4-00c04fd430c8", c.id_namespace));
    struct made made = fixture_make(&c, json);
    declaration_free(d);
    return made;
}

/* Ids from Python's uuid module. */
static const struct {
    const char *id_field, *doc, *key, *point_id;
} good[] = {
    {"id", "{\"id\":\"figma\",\"w\":\"x\"}", "figma", "c4b243f3-7236-5beb-9c26-fbc0bf1c5044"},
    {"id",
     "{\"id\":\"\xC3\x9C"
     "bung\",\"w\":\"x\"}",
     "\xC3\x9C"
     "bung",
     "758f2f0e-bf60-558b-8885-77be403ccf71"},
    {"_id", "{\"_id\":{\"$oid\":\"507f1f77bcf86cd799439011\"},\"w\":\"x\"}",
     "{\"$oid\":\"507f1f77bcf86cd799439011\"}", "c0135462-302b-561a-8a31-cb6b4ffcc610"},
    {"id", "{\"id\":{\"$oid\":\"507f1f77bcf86cd799439011\"},\"w\":\"x\"}",
     "{\"$oid\":\"507f1f77bcf86cd799439011\"}", "c0135462-302b-561a-8a31-cb6b4ffcc610"},
    {"_id", "{\"_id\":\"figma\",\"w\":\"x\"}", "\"figma\"", "b5f1a0c3-8192-54a4-8a46-11da7bf7f514"},
    {"a.b", "{\"a\":{\"b\":\"figma\"},\"w\":\"x\"}", "figma", "c4b243f3-7236-5beb-9c26-fbc0bf1c5044"},
    {"id", "{\"id\":7,\"w\":\"x\"}", "{\"$numberInt\":\"7\"}", "ffcb3b35-a7aa-57c6-b963-87094db4be4a"},
    {"id", "{\"id\":{\"$numberLong\":\"7\"},\"w\":\"x\"}", "{\"$numberInt\":\"7\"}",
     "ffcb3b35-a7aa-57c6-b963-87094db4be4a"},
    {"_id", "{\"_id\":{\"$numberDouble\":\"7.0\"},\"w\":\"x\"}", "{\"$numberInt\":\"7\"}",
     "ffcb3b35-a7aa-57c6-b963-87094db4be4a"},
    {"id", "{\"id\":{\"$numberDecimal\":\"7.00\"},\"w\":\"x\"}", "{\"$numberInt\":\"7\"}",
     "ffcb3b35-a7aa-57c6-b963-87094db4be4a"},
    {"id", "{\"id\":{\"$symbol\":\"figma\"},\"w\":\"x\"}", "figma", "c4b243f3-7236-5beb-9c26-fbc0bf1c5044"},
    {"_id", "{\"_id\":{\"b\":{\"$numberLong\":\"1\"},\"a\":2.0},\"w\":\"x\"}",
     "{\"b\":{\"$numberInt\":\"1\"},\"a\":{\"$numberInt\":\"2\"}}", "e8b82ecf-f4f1-5c86-91ce-a2e659dad140"},
    {"_id", "{\"_id\":{\"b\":1,\"a\":2},\"w\":\"x\"}",
     "{\"b\":{\"$numberInt\":\"1\"},\"a\":{\"$numberInt\":\"2\"}}", "e8b82ecf-f4f1-5c86-91ce-a2e659dad140"},
};

START_TEST(the_point_id_is_the_uuid_of_the_business_id)
{
    struct made made = make_of(good[_i].id_field, COLLECTION_UUIDV5, good[_i].doc);
    ck_assert_int_eq(made.kind, MADE_POINT);
    ck_assert_str_eq(made.key, good[_i].key);
    ck_assert_str_eq(made.point_id, good[_i].point_id);
    made_fini(&made);
}
END_TEST

START_TEST(a_prefix_gives_the_ids_of_an_earlier_system)
{
    struct made made = make_of("id", COLLECTION_PREFIXED_SHA1, "{\"id\":\"figma\",\"w\":\"x\"}");
    ck_assert_str_eq(made.point_id, "a71e4338-252f-5d11-8c97-7cd387bfc54a");
    made_fini(&made);
}
END_TEST

static const char *const unusable[] = {
    "{\"w\":\"x\"}",
    "{\"id\":null,\"w\":\"x\"}",
    "{\"id\":\"\",\"w\":\"x\"}",
    "{\"id\":\" \\n\",\"w\":\"x\"}",
    "{\"id\":[\"figma\"],\"w\":\"x\"}",
    "{\"id\":{\"a\":1},\"w\":\"x\"}",
    "{\"id\":{\"$undefined\":true},\"w\":\"x\"}",
    "{\"id\":\"a\\u0000b\",\"w\":\"x\"}",
    "{\"id\":{\"$numberDouble\":\"NaN\"},\"w\":\"x\"}",
    "{\"id\":{\"$numberDecimal\":\"NaN\"},\"w\":\"x\"}",
};

START_TEST(without_a_usable_id_the_document_is_refused_with_the_fields_name)
{
    struct made made = make_of("id", COLLECTION_UUIDV5, unusable[_i]);
    ck_assert_int_eq(made.kind, MADE_FAILED);
    ck_assert_int_eq(made.err->code, LKS_E_VALIDATION);
    ck_assert_ptr_nonnull(strstr(made.err->text, "`id`"));
    ck_assert_str_eq(made.point_id, "");
    ck_assert_ptr_null(made.key);
    made_fini(&made);
}
END_TEST

START_TEST(an_id_inside_an_array_is_no_id)
{
    struct made made = make_of("a.b", COLLECTION_UUIDV5, "{\"a\":[{\"b\":\"figma\"}],\"w\":\"x\"}");
    ck_assert_int_eq(made.kind, MADE_FAILED);
    ck_assert_int_eq(made.err->code, LKS_E_VALIDATION);
    made_fini(&made);
}
END_TEST

START_TEST(of_an_id_that_is_there_twice_the_first_one_counts)
{
    struct made made = make_of("id", COLLECTION_UUIDV5, "{\"id\":\"figma\",\"w\":\"x\",\"id\":\"another\"}");
    ck_assert_int_eq(made.kind, MADE_POINT);
    ck_assert_str_eq(made.key, "figma");
    made_fini(&made);
    made = make_of("a.b", COLLECTION_UUIDV5,
                   "{\"a\":{\"b\":\"figma\",\"b\":7},\"w\":\"x\",\"a\":{\"b\":\"other\"}}");
    ck_assert_int_eq(made.kind, MADE_POINT);
    ck_assert_str_eq(made.key, "figma");
    made_fini(&made);
}
END_TEST

START_TEST(with_nothing_to_say_a_document_needs_no_id)
{
    struct made made = make_of("id", COLLECTION_UUIDV5, "{\"w\":\"\"}");
    ck_assert_int_eq(made.kind, MADE_NOTHING);
    ck_assert_ptr_null(made.err);
    made_fini(&made);
}
END_TEST

START_TEST(an_invalid_string_is_hashed_as_it_is_and_shown_as_valid)
{
    struct declaration_lists lists = {.watched = LIST("w")};
    struct collection *c = fixture_collection("c", &lists);
    char ids[2][UUID_TEXT_BYTES];
    for (int i = 0; i < 2; i++) {
        bson_t *doc = fixture_doc("{\"w\":\"x\"}");
        struct made made;
        ck_assert(bson_append_utf8(doc, "id", 2, i ? "a\xFF" : "a\xFE", 2));
        collection_make(c, doc, &made);
        ck_assert_str_eq(made.key, "a\xEF\xBF\xBD");
        memcpy(ids[i], made.point_id, sizeof ids[i]);
        made_fini(&made);
        bson_destroy(doc);
    }
    ck_assert_str_ne(ids[0], ids[1]);
    fixture_free(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("point_id");
    TCase *tc = tcase_create("point_id");
    tcase_add_loop_test(tc, the_point_id_is_the_uuid_of_the_business_id, 0, COUNT(good));
    tcase_add_test(tc, a_prefix_gives_the_ids_of_an_earlier_system);
    tcase_add_loop_test(tc, without_a_usable_id_the_document_is_refused_with_the_fields_name, 0,
                        COUNT(unusable));
    tcase_add_test(tc, an_id_inside_an_array_is_no_id);
    tcase_add_test(tc, of_an_id_that_is_there_twice_the_first_one_counts);
    tcase_add_test(tc, with_nothing_to_say_a_document_needs_no_id);
    tcase_add_test(tc, an_invalid_string_is_hashed_as_it_is_and_shown_as_valid);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
