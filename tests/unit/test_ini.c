/* test_ini.c - INI files: what is read, at which line, and which problems are reported. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ini.h"
#include "suite.h"

/* Everything in `ini` as text: items as `line [section] key=value`, problems as `line! text`. */
static char *reported(const char *text)
{
    FILE *file = fmemopen((void *)(uintptr_t)(*text ? text : "\n"), *text ? strlen(text) : 1, "r");
    ck_assert_ptr_nonnull(file);
    struct ini ini;
    struct lks_err err;
    lks_err_clear(&err);
    ck_assert_int_eq(ini_read(&ini, file, &err), LKS_E_OK);
    (void)fclose(file);
    struct buf out;
    buf_init(&out, 0);
    buf_puts(&out, "");
    for (size_t i = 0; i < ini.item_count; i++) {
        const struct ini_item *item = &ini.items[i];
        buf_printf(&out, "%u [%s]", item->line, item->section);
        if (item->key) buf_printf(&out, " %s=%s", item->key, item->value);
        buf_putc(&out, '\n');
    }
    for (size_t i = 0; i < ini.problem_count; i++)
        buf_printf(&out, "%u! %s\n", ini.problems[i].line, ini.problems[i].text);
    ini_fini(&ini);
    char *result = buf_take(&out, NULL);
    ck_assert_ptr_nonnull(result);
    return result;
}

static const struct {
    const char *in, *out;
} cases[] = {
    {"", ""},
    {"[a]\nkey = value\n", "1 [a]\n2 [a] key=value\n"},
    {"\n; c\n# c\n[a]\n\nk=v", "4 [a]\n6 [a] k=v\n"},
    {"\xEF\xBB\xBF[a]\r\nk = v\r\n", "1 [a]\n2 [a] k=v\n"},
    /* empty sections and values are there */
    {"[a]\n[b]\nk =\n[c]", "1 [a]\n2 [b]\n3 [b] k=\n4 [c]\n"},
    {"[a]\nk = ; nothing\n[b]", "1 [a]\n2 [a] k=\n3 [b]\n"},
    /* comments begin at white space and ;, and # is none */
    {"[a] ; c\nk = v ; c\nl = a;b\nm = p#q # r", "1 [a]\n2 [a] k=v\n3 [a] l=a;b\n4 [a] m=p#q # r\n"},
    {"[a]\nk = \"v ; w\" ; c", "1 [a]\n2 [a] k=\"v ; w\"\n"},
    {"[a]\nk = 5\" disk ; c", "1 [a]\n2 [a] k=5\" disk\n"},
    {"[a]\nk = \"a \\\" ; b\" ; c", "1 [a]\n2 [a] k=\"a \\\" ; b\"\n"},
    {"[a]\nk = \"open", "1 [a]\n2! a quote (\") is opened and not closed on this line\n"},
    /* = and : both separate, the first one counts */
    {"[a]\nk: v\nurl = http://h:1/?a=b", "1 [a]\n2 [a] k=v\n3 [a] url=http://h:1/?a=b\n"},
    {"k = v\n[a]", "1 [] k=v\n2 [a]\n"},
    /* continuations, and what isn't one */
    {"[a]\nk = one,\n  two ; c\n\tthree: 3\nl = 1", "1 [a]\n2 [a] k=one,\ntwo\nthree: 3\n5 [a] l=1\n"},
    {"[a]\nk = one\n  # c\n\n  ; d\n  #x\n  two", "1 [a]\n2 [a] k=one\ntwo\n"},
    {"[a]\nk = v\n  l = w\nm = x",
     "1 [a]\n2 [a] k=v\n4 [a] m=x\n3! an indented line continues the value above it; this "
     "one looks like a key (put it in quotes if it is a value)\n"},
    {"[a]\nk = v\n  \"l = w\"", "1 [a]\n2 [a] k=v\n\"l = w\"\n"},
    {"[a]\n  stray", "1 [a]\n2! an indented line, but no value above it to continue\n"},
    {"[a]\nk = v\n  [b]\nk = w",
     "1 [a]\n2 [a] k=v\n3 [b]\n4 [b] k=w\n3! a section's line must not be indented\n"},
    /* mistakes */
    {"[a]\nnonsense\n= v\nk ; = v\nl = 1",
     "1 [a]\n5 [a] l=1\n2! neither [section] nor key = value\n3! a value without a "
     "key\n4! neither [section] nor key = value\n"},
    {"[a\nk = v\n[]\nl = w\n[b] x\nm = y\n[c]\nn = z",
     "7 [c]\n8 [c] n=z\n1! the section's name is not closed by ]\n3! a "
     "section without a name\n5! there is something after the section's ]\n"},
    {"[a]\nk = 1\nk = 2\n  3\n[a]\nl = 1",
     "1 [a]\n2 [a] k=1\n3! k was already set on line 2\n5! section [a] was already "
     "begun on line 1\n"},
    {"[a]\nk = \x01\nl = \xFF\nm = ok",
     "1 [a]\n4 [a] m=ok\n2! there is a control character in this line\n3! this line is "
     "not UTF-8\n"},
    {"[1234567890123456789012345678901234567890123456789]\nk = v",
     "1 [1234567890123456789012345678901234567890123456789]\n"
     "2 [1234567890123456789012345678901234567890123456789] k=v\n"},
    {"[12345678901234567890123456789012345678901234567890]\nk = v",
     "1! the section's name is longer than 49 bytes\n"},
};

START_TEST(a_file_reads_as_written)
{
    char *out = reported(cases[_i].in);
    ck_assert_str_eq(out, cases[_i].out);
    free(out);
}
END_TEST

START_TEST(a_value_of_any_length_keeps_every_byte)
{
    static const char pattern[] = "ab ;c #d; \"e\" =:[f]\t\xC3\xA9,";
    for (size_t bytes = 150; bytes < 1300; bytes += 7) {
        char value[1400] = "";
        for (size_t i = 0; i < bytes; i++) value[i] = pattern[i % (sizeof pattern - 1)];
        while ((value[bytes - 1] & 0x80) || value[bytes - 1] == ' ' || value[bytes - 1] == '\t')
            value[--bytes] = '\0';
        value[bytes] = '\0';
        /* quoted, so that its ` ;` is no comment; a quote inside is escaped */
        struct buf text, want;
        buf_init(&text, 0);
        buf_init(&want, 0);
        buf_puts(&text, "[a]\nk = \"");
        buf_puts(&want, "1 [a]\n2 [a] k=\"");
        for (size_t i = 0; i < bytes; i++) {
            if (value[i] == '"') buf_putc(&text, '\\'), buf_putc(&want, '\\');
            buf_putc(&text, value[i]), buf_putc(&want, value[i]);
        }
        buf_puts(&text, "\"\nl = 1\n");
        buf_puts(&want, "\"\n3 [a] l=1\n");
        char *got = reported(text.data);
        ck_assert_str_eq(got, want.data);
        free(got);
        buf_fini(&text);
        buf_fini(&want);
    }
}
END_TEST

START_TEST(a_line_beyond_the_limit_is_reported_and_skipped)
{
    size_t bytes = INI_LINE_MAX_BYTES + 10;
    char *text = malloc(bytes + 20);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', bytes);
    memcpy(text, "[a]\nk = ", 8);
    memcpy(text + bytes, "\nl = 1\n", 8);
    text[4 + INI_LINE_MAX_BYTES + 1] = 'x';
    char *out = reported(text);
    ck_assert_str_eq(out, "1 [a]\n3 [a] l=1\n2! the line is longer than 65536 bytes\n");
    free(out);
    free(text);
}
END_TEST

static const struct {
    const char *in, *out, *reason;
} values[] = {
    {"plain", "plain", NULL},
    {"", "", NULL},
    {"\"passage: \"", "passage: ", NULL},
    {"\"\"", "", NULL},
    {"\"a\\\"b\\\\c\\n\\t\\x\"", "a\"b\\c\n\t\\x", NULL},
    {"5\" disk", "5\" disk", NULL},
    {"\"a\" b", NULL, "there is text after the closing quote (\")"},
    {"\"a", NULL, "the quote (\") is not closed"},
    {"\"a\\\"", NULL, "the quote (\") is not closed"},
};

START_TEST(quotes_come_off_a_value)
{
    const char *reason = NULL;
    char *out = ini_unquote(values[_i].in, &reason);
    if (values[_i].out) {
        ck_assert_str_eq(out, values[_i].out);
    } else {
        ck_assert_ptr_null(out);
        ck_assert_str_eq(reason, values[_i].reason);
    }
    free(out);
}
END_TEST

static const struct {
    const char *in, *out; /* items, each followed by | */
} lists[] = {
    {"", ""},
    {"a", "a|"},
    {"a, b ,c", "a|b|c|"},
    {",, a,\n b\nc,", "a|b|c|"},
    {"Designed for {userTypes| and } in {industries|, }, Runs on {deployment}",
     "Designed for {userTypes| and } in {industries|, }|Runs on {deployment}|"},
    {"\"Made by {vendor}, sold in {country}\", b", "Made by {vendor}, sold in {country}|b|"},
    {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20",
     "1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17|18|19|20|"},
};

START_TEST(lists_split_at_commas_and_line_ends)
{
    const char *reason = NULL;
    char **items = ini_list(lists[_i].in, &reason);
    ck_assert_ptr_nonnull(items);
    struct buf out;
    buf_init(&out, 0);
    buf_puts(&out, "");
    for (size_t i = 0; items[i]; i++) buf_printf(&out, "%s|", items[i]);
    ck_assert_str_eq(out.data ? out.data : "", lists[_i].out);
    buf_fini(&out);
    ini_list_free(items);
}
END_TEST

START_TEST(a_bad_quote_in_a_list_is_reported)
{
    const char *reason = NULL;
    ck_assert_ptr_null(ini_list("a, \"b\" c, d", &reason));
    ck_assert_str_eq(reason, "there is text after the closing quote (\")");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ini");
    tcase_add_loop_test(tc, a_file_reads_as_written, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tc, a_value_of_any_length_keeps_every_byte);
    tcase_add_test(tc, a_line_beyond_the_limit_is_reported_and_skipped);
    tcase_add_loop_test(tc, quotes_come_off_a_value, 0, sizeof values / sizeof values[0]);
    tcase_add_loop_test(tc, lists_split_at_commas_and_line_ends, 0, sizeof lists / sizeof lists[0]);
    tcase_add_test(tc, a_bad_quote_in_a_list_is_reported);
    Suite *suite = suite_create("ini");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
