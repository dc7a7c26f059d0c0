/* test_log.c - what a log line looks like, whatever its values are. */
#include "base/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "suite.h"

#define LINE_MAX_BYTES 8192

static char line[1 << 16];
static size_t line_bytes;

/* Writes a line into `line`. */
static void say(bool json, const char *message, const struct log_field *fields, size_t count)
{
    int ends[2], saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_setup(LOG_LEVEL_INFO, json);
    log_write(LOG_LEVEL_WARN, message, fields, count);
    dup2(saved, STDERR_FILENO);
    close(ends[1]);
    close(saved);
    line_bytes = 0;
    for (ssize_t n; (n = read(ends[0], line + line_bytes, sizeof line - 1 - line_bytes)) > 0;)
        line_bytes += (size_t)n;
    line[line_bytes] = '\0';
    close(ends[0]);
}

static void check_form(void)
{
    ck_assert_uint_gt(line_bytes, 1);
    ck_assert_uint_le(line_bytes, LINE_MAX_BYTES);
    ck_assert_ptr_eq(strchr(line, '\n'), line + line_bytes - 1);
    ck_assert(utf8_valid(line, line_bytes));
}

static json_t *parsed(void)
{
    json_error_t error;
    json_t *said = json_loadb(line, line_bytes, 0, &error);
    ck_assert_msg(said != NULL, "not JSON (%s): %.200s", error.text, line);
    return said;
}

static const char *repeated(char *out, const char *piece, size_t bytes)
{
    size_t length = strlen(piece);
    for (size_t i = 0; i < bytes; i++) out[i] = piece[i % length];
    out[bytes] = '\0';
    return out;
}

static char longs[3][20001];
static const char *const pieces[] = {"x", "\"", "\\", "\x01", "\xC3\xA4", "\xF0\x9F\x98\x80", "\xFF", "a b"};

START_TEST(a_long_value_is_cut_and_the_rest_of_the_line_is_there)
{
    for (int json = 0; json < 2; json++) {
        repeated(longs[0], pieces[_i], 20000);
        const struct log_field fields[] = {LOG_STR("collection", "tools"), LOG_STR("error", longs[0]),
                                           LOG_INT("count", INT64_MIN), LOG_NO_FIELD};
        say(json, "embedding failed", fields, 4);
        check_form();
        ck_assert_ptr_nonnull(strstr(line, "embedding failed"));
        ck_assert_ptr_nonnull(strstr(line, "tools"));
        ck_assert_ptr_nonnull(strstr(line, "..."));
        ck_assert_ptr_nonnull(strstr(line, "-9223372036854775808"));
        ck_assert_uint_gt(line_bytes, LINE_MAX_BYTES / 2);
        if (json) json_decref(parsed());
    }
}
END_TEST

START_TEST(of_several_long_values_each_gets_its_share)
{
    for (int json = 0; json < 2; json++) {
        for (int i = 0; i < 3; i++) repeated(longs[i], pieces[(_i + i) % COUNT(pieces)], 20000);
        const struct log_field fields[] = {LOG_STR("a", longs[0]), LOG_STR("b", longs[1]),  LOG_INT("n", 7),
                                           LOG_STR("c", longs[2]), LOG_STR("last", "here"), LOG_NO_FIELD};
        say(json, longs[1], fields, 6);
        check_form();
        ck_assert_ptr_nonnull(strstr(line, "here"));
        if (!json) continue;
        json_t *said = parsed();
        const char *const names[] = {"message", "a", "b", "c"};
        for (int i = 0; i < 4; i++)
            ck_assert_uint_gt(strlen(json_string_value(json_object_get(said, names[i]))), 200);
        ck_assert_int_eq(json_integer_value(json_object_get(said, "n")), 7);
        json_decref(said);
    }
}
END_TEST

/* Around the length at which a value stops to fit. */
START_TEST(no_length_breaks_the_line)
{
    for (size_t bytes = 7900; bytes < 8300; bytes++) {
        repeated(longs[0], pieces[_i], bytes);
        const struct log_field fields[] = {LOG_STR("error", longs[0]), LOG_NO_FIELD};
        say(true, "m", fields, 2);
        check_form();
        json_decref(parsed());
    }
}
END_TEST

START_TEST(short_lines_are_as_they_were)
{
    const struct log_field fields[] = {LOG_STR("plain", "a-b"), LOG_STR("quoted", "say \"hi\"\n"),
                                       LOG_INT("n", -1),        LOG_STR("none", NULL),
                                       LOG_STR("empty", ""),    LOG_NO_FIELD};
    say(false, "it began", fields, 6);
    ck_assert_ptr_nonnull(
        strstr(line, "Z warn  it began plain=a-b quoted=\"say \\\"hi\\\"\\u000a\" n=-1 empty=\"\"\n"));
    say(true, "it began", fields, 6);
    ck_assert_ptr_nonnull(strstr(line, "\"level\":\"warn\",\"message\":\"it began\",\"plain\":\"a-b\","
                                       "\"quoted\":\"say \\\"hi\\\"\\u000a\",\"n\":-1,\"empty\":\"\"}\n"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *cases = tcase_create("log");
    tcase_add_loop_test(cases, a_long_value_is_cut_and_the_rest_of_the_line_is_there, 0, COUNT(pieces));
    tcase_add_loop_test(cases, of_several_long_values_each_gets_its_share, 0, COUNT(pieces));
    tcase_add_loop_test(cases, no_length_breaks_the_line, 0, COUNT(pieces));
    tcase_add_test(cases, short_lines_are_as_they_were);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
