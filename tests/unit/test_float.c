/* test_float.c - every float comes back as itself, in few digits. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float.h"
#include "suite.h"

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t to_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Reads the text as strict readers do, as careless ones do (through double), and counts the digits. */
static void check_one(float f)
{
    char text[FLOAT_TEXT_BYTES + 1];
    size_t n = float_print(text, f);
    if (n < 1 || n > FLOAT_TEXT_BYTES) ck_abort_msg("%zu bytes", n);
    text[n] = '\0';
    char *end;
    float exact = strtof(text, &end);
    if (*end || to_bits(exact) != to_bits(f)) ck_abort_msg("%.9g became %s", (double)f, text);
    double wide = strtod(text, NULL);
    double beside[3] = {wide, nextafter(wide, INFINITY), nextafter(wide, -INFINITY)};
    for (int i = 0; i < 3 && wide != 0; i++)
        if (fabsf(f) > 1e-13F && fabsf(f) < 1e30F && (float)beside[i] != f)
            ck_abort_msg("%s is too near to another float", text);
    int digits = 0;
    bool leading = true;
    for (char *p = text; *p && *p != 'e'; p++) {
        if (*p < '0' || *p > '9') continue;
        leading = leading && *p == '0';
        digits += !leading;
    }
    if (fabsf(f) < 1e9F && digits > 9) ck_abort_msg("%s has %d digits", text, digits);
}

struct printed {
    float value;
    const char *text;
};
static const struct printed printed[] = {
    {0.0F, "0"},
    {-0.0F, "-0"},
    {1.0F, "1"},
    {-1.0F, "-1"},
    {0.5F, "0.5"},
    {0.1F, "0.1"},
    {-0.1F, "-0.1"},
    {0.70710677F, "0.70710677"},
    {0.001F, "0.001"},
    {123456.0F, "123456"},
    {1e9F, "1000000000"},
    {3.4e-6F, "3.4e-06"},
    {3.4e-7F, "3.4e-07"},
    {16777216.0F, "16777216"},
    {1e20F, "1e20"},
    {0.99999994F, "0.99999994"},
    {9.9999998e-3F, "0.01"},
};

START_TEST(prints_the_shortest_form)
{
    char text[FLOAT_TEXT_BYTES + 1];
    text[float_print(text, printed[_i].value)] = '\0';
    ck_assert_str_eq(text, printed[_i].text);
    check_one(printed[_i].value);
}
END_TEST

START_TEST(edges_come_back)
{
    static const float edges[] = {FLT_MIN, FLT_MAX,  FLT_TRUE_MIN, FLT_EPSILON,
                                  1e-13F,  1e30F,    9.999999e8F,  99999992.0F,
                                  0.3F,    1.0F / 3, 8388609.0F,   33554434.0F};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        check_one(edges[i]);
        check_one(-edges[i]);
        check_one(nextafterf(edges[i], 0));
    }
    for (int e = -126; e < 128; e++) { /* powers of two have a nearer neighbour below */
        check_one(ldexpf(1, e));
        check_one(nextafterf(ldexpf(1, e), 0));
        check_one(nextafterf(ldexpf(1, e), INFINITY));
    }
}
END_TEST

START_TEST(any_float_comes_back)
{
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        float f = from_bits((uint32_t)(state >> 32));
        if (isfinite(f)) check_one(f);
        check_one((float)((double)(state >> 11) / 9007199254740992.0 - 0.5)); /* as in embeddings */
    }
}
END_TEST

START_TEST(most_floats_are_short)
{
    char text[FLOAT_TEXT_BYTES];
    size_t bytes = 0;
    for (int i = 1; i <= 10000; i++) bytes += float_print(text, (float)i / 10000);
    ck_assert_uint_le(bytes, 10000 * 6);
}
END_TEST

START_TEST(what_is_no_number_is_refused)
{
    char text[FLOAT_TEXT_BYTES];
    ck_assert_uint_eq(float_print(text, NAN), 0);
    ck_assert_uint_eq(float_print(text, INFINITY), 0);
    ck_assert_uint_eq(float_print(text, -INFINITY), 0);
}
END_TEST

START_TEST(arrays_are_json)
{
    struct buf b;
    buf_init(&b, 0);
    const float values[] = {0.25F, -1, NAN, 3e-9F};
    float_put_array(&b, values, 4);
    float_put_array(&b, NULL, 0);
    ck_assert_str_eq(b.data, "[0.25,-1,null,3e-09][]");
    ck_assert_uint_eq(b.bytes, strlen(b.data));
    buf_fini(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("float");
    TCase *t = tcase_create("float");
    tcase_add_loop_test(t, prints_the_shortest_form, 0, sizeof printed / sizeof *printed);
    tcase_add_test(t, edges_come_back);
    tcase_add_test(t, any_float_comes_back);
    tcase_add_test(t, most_floats_are_short);
    tcase_add_test(t, what_is_no_number_is_refused);
    tcase_add_test(t, arrays_are_json);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
