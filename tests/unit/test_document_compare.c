/* test_document_compare.c - how what a point holds differs from what its document calls for. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "service/document_compare.h"
#include "suite.h"

#define RIGHT "{\"source\":\"db.c\",\"doc\":\"1\",\"hash\":\"c1\",\"payload\":\"p1\"}"

static const struct {
    const char *payload, *lockstep; /* of the point; payload NULL: there is none */
    bool unwanted, refused;
    const char *differences;
} cases[] = {
    {"{\"a\":1,\"b\":[\"x\"]}", RIGHT, false, false, ""},
    {NULL, NULL, false, false, "point"},
    {"{\"a\":1,\"b\":[\"x\"]}", RIGHT, true, false, "point"},
    {NULL, NULL, true, false, ""},
    {NULL, NULL, false, true, ""},
    {"{\"a\":2,\"c\":3}", RIGHT, false, false, "payload.a payload.b payload.c"},
    {"{\"a\":1,\"b\":[\"x\"]}", "{\"source\":\"db.c\",\"doc\":\"1\",\"hash\":\"c0\",\"payload\":\"p1\"}",
     false, false, "text"},
    {"{\"a\":1,\"b\":[\"x\"]}", "{\"source\":\"db.c\",\"doc\":\"2\",\"hash\":\"c1\",\"payload\":\"p1\"}",
     false, false, "owner"},
    {"{\"a\":1,\"b\":[\"x\"]}", "{\"source\":\"db.d\",\"doc\":\"1\",\"hash\":\"c1\",\"payload\":\"p1\"}",
     false, false, "owner"},
    {"{\"a\":1,\"b\":[\"x\"]}", "{\"source\":\"db.c\",\"doc\":\"1\",\"hash\":\"c1\",\"payload\":\"p0\"}",
     false, false, "payload"},
    {"{}", NULL, false, false, "owner text payload.a payload.b"}, /* somebody else's */
};

START_TEST(each_difference_has_its_name)
{
    char doc[] = "1", seen[200] = "";
    struct compare_wanted wanted = {.point = !cases[_i].unwanted && !cases[_i].refused,
                                    .refused = cases[_i].refused,
                                    .content_hash = "c1",
                                    .payload_hash = "p1",
                                    .doc = doc};
    json_t *payload = cases[_i].payload ? json_loads(cases[_i].payload, 0, NULL) : NULL;
    json_t *lockstep = cases[_i].lockstep ? json_loads(cases[_i].lockstep, 0, NULL) : NULL;
    json_t *list =
        document_differences(&wanted, "{\"a\":1,\"b\":[\"x\"]}", "db.c", payload != NULL, payload, lockstep);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (*seen) strcat(seen, " ");
        strcat(seen, json_string_value(json_array_get(list, i)));
    }
    ck_assert_str_eq(seen, cases[_i].differences);
    json_decref(list);
    json_decref(payload);
    json_decref(lockstep);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("document_compare");
    TCase *tc = tcase_create("differences");
    tcase_add_loop_test(tc, each_difference_has_its_name, 0, COUNT(cases));
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
