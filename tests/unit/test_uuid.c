/* test_uuid.c - digests against published vectors, ids against those of another implementation. */
#include "base/uuid.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/siphash.h"
#include "suite.h"

#define URL_SPACE "6ba7b811-9dad-11d1-80b4-00c04fd430c8"
#define DNS_SPACE "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

/* From Python's uuid.uuid5(). */
static const struct {
    const char *space, *name, *uuid;
} named[] = {
    {URL_SPACE, "figma", "c4b243f3-7236-5beb-9c26-fbc0bf1c5044"},
    {URL_SPACE, "", "1b4db7eb-4057-5ddf-91e0-36dec72071f5"},
    {URL_SPACE, "Übung", "758f2f0e-bf60-558b-8885-77be403ccf71"},
    {URL_SPACE, "{\"$oid\":\"507f1f77bcf86cd799439011\"}", "c0135462-302b-561a-8a31-cb6b4ffcc610"},
    {URL_SPACE, "www.example.com", "b63cdfa4-3df9-568e-97ae-006c5b8fd652"},
    {DNS_SPACE, "figma", "347f0a2d-381b-5be2-ac66-f767892c4865"},
    {DNS_SPACE, "", "4ebd0208-8328-5d69-8c44-ec50939c0967"},
    {DNS_SPACE, "Übung", "7dd64c38-80df-5e98-9597-ac92e5cf4dd9"},
    {DNS_SPACE, "{\"$oid\":\"507f1f77bcf86cd799439011\"}", "94a854b5-e952-598a-b417-a53f73e16b63"},
    {DNS_SPACE, "www.example.com", "2ed6657d-e927-568b-95e1-2665a8aea6a2"},
};

START_TEST(a_name_under_a_namespace_gives_the_uuid_that_others_give)
{
    uint8_t space[UUID_BYTES];
    char text[UUID_TEXT_BYTES];
    ck_assert(uuid_from_text(named[_i].space, space));
    ck_assert(uuid_v5(space, named[_i].name, strlen(named[_i].name), text));
    ck_assert_str_eq(text, named[_i].uuid);
}
END_TEST

START_TEST(the_prefixed_form_is_sha1_with_version_and_variant)
{
    char text[UUID_TEXT_BYTES];
    ck_assert(uuid_prefixed_sha1("codiesvibe-tools", "figma", 5, text));
    ck_assert_str_eq(text, "a71e4338-252f-5d11-8c97-7cd387bfc54a");
    ck_assert(uuid_prefixed_sha1("codiesvibe-tools", "notion", 6, text));
    ck_assert_str_eq(text, "4fb9190e-fb37-54be-a24d-4400e9a07a84");
}
END_TEST

START_TEST(only_the_dashed_form_is_read)
{
    static const char *const bad[] = {"",
                                      "6ba7b811",
                                      "6ba7b811-9dad-11d1-80b4-00c04fd430c",
                                      "6ba7b811-9dad-11d1-80b4-00c04fd430c8 ",
                                      "6ba7b8119dad11d180b400c04fd430c80000",
                                      "6ba7b811-9dad-11d1-80b4-00c04fd430cg",
                                      "{6ba7b811-9dad-11d1-80b4-00c04fd430}"};
    uint8_t uuid[UUID_BYTES];
    char text[UUID_TEXT_BYTES];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!uuid_from_text(bad[i], uuid), "%s", bad[i]);
    ck_assert(uuid_from_text("6BA7B811-9DAD-11D1-80B4-00C04FD430C8", uuid));
    uuid_to_text(uuid, text);
    ck_assert_str_eq(text, URL_SPACE);
}
END_TEST

START_TEST(sha256_of_spans_is_that_of_the_whole)
{
    char hex[SHA256_HEX_BYTES];
    ck_assert(hash_sha256_hex((struct hash_span[]){{"a", 1}, {"", 0}, {"bc", 2}}, 3, hex));
    /* FIPS 180-2, appendix B.1 */
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ck_assert(hash_sha256_hex(NULL, 0, hex));
    ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

START_TEST(siphash_depends_on_every_byte_and_on_the_length)
{
    char data[33] = {0};
    uint64_t zero = siphash(data, 32);
    for (size_t i = 0; i < 32; i++) {
        data[i] = 1;
        ck_assert(siphash(data, 32) != zero);
        data[i] = 0;
        ck_assert(siphash(data, i) != zero);
    }
    ck_assert(siphash(data, 32) == zero);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uuid");
    TCase *tc = tcase_create("uuid");
    tcase_add_loop_test(tc, a_name_under_a_namespace_gives_the_uuid_that_others_give, 0,
                        (int)(sizeof named / sizeof *named));
    tcase_add_test(tc, the_prefixed_form_is_sha1_with_version_and_variant);
    tcase_add_test(tc, only_the_dashed_form_is_read);
    tcase_add_test(tc, sha256_of_spans_is_that_of_the_whole);
    tcase_add_test(tc, siphash_depends_on_every_byte_and_on_the_length);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
