/* test_words.c - the built-in embedder `words`: it ranks by meaning, and takes any text and any file. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "embed/hash_vector.h"
#include "embed/tokens.h"
#include "embed/words.h"
#include "suite.h"

static struct words *words;

static void open_words(void)
{
    char path[1000];
    struct lks_err err;
    const char *top = getenv("top_srcdir");
    (void)snprintf(path, sizeof path, "%s/core/embed/words.vec", top ? top : ".");
    ck_assert_int_eq(words_open(path, &words, &err), LKS_E_OK);
    ck_assert_uint_eq(words_dimensions(words), 100);
}

static void close_words(void)
{
    words_close(words);
}

static double cosine(const char *a, const char *b)
{
    float x[100], y[100];
    double sum = 0;
    words_embed(words, a, strlen(a), x);
    words_embed(words, b, strlen(b), y);
    for (size_t i = 0; i < 100; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

static const struct {
    const char *a, *b;
    double cosine;
} measured[] = {
    {"reset my password", "forgot my login credentials", 0.53},
    {"reset my password", "weather in Paris", -0.14},
    {"make pictures from words", "text to image generation", 0.53},
    {"make pictures from words", "database administration", -0.10},
    /* the same words, however they are written */
    {"Reset MY password!", "reset\nmy, password", 1.0},
    {"open-source", "open source", 1.0},
    {"user's \"guide\"", "user s guide", 1.0},
    {"the user\xE2\x80\x99s guide", "the user's guide", 1.0},
    {"design \xC2\xB7 software", "design software", 1.0},
    {"design caf\xC3\xA9", "design", 1.0}, /* unknown: not "caf" */
};

START_TEST(cosines_are_those_measured)
{
    ck_assert_double_eq_tol(cosine(measured[_i].a, measured[_i].b), measured[_i].cosine, 0.01);
}
END_TEST

START_TEST(every_vector_has_length_one)
{
    static const char *const texts[] = {
        "", " ", "!?", "xqzzt", "xqzzt wvvk", "\xFF\xFE", "the", "a b c", "\xE6\x97\xA5\xE6\x9C\xAC"};
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        ck_assert_double_eq_tol(cosine(texts[t], texts[t]), 1, 1e-5);
}
END_TEST

START_TEST(a_text_without_known_words_finds_itself_only)
{
    ck_assert_double_eq_tol(cosine("xqzzt wvvk", "wvvk xqzzt"), 1, 1e-5);
    ck_assert_double_lt(fabs(cosine("xqzzt wvvk", "pqorj mmnv")), 0.9);
}
END_TEST

START_TEST(a_megabyte_is_no_trouble)
{
    size_t bytes = 1 << 20;
    char *text = malloc(bytes + 1);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < bytes; i++) text[i] = i % 7 == 6 ? ' ' : (char)('a' + i % 5);
    memset(text, 'x', 5000); /* one very long word */
    text[bytes] = '\0';
    ck_assert_double_eq_tol(cosine(text, text), 1, 1e-5);
    free(text);
}
END_TEST

/* ---- files ---- */

#define HEAD "lockstep-words 1\nwords 2\ndims 2\nsource me\n\n"
#define ONE "\1a\0\0\200?\1\2" /* "a": 1.0 x (1, 2) */
#define TWO "\2bc\0\0\0@\3\4"  /* "bc": 2.0 x (3, 4) */
#define FILE_OF(text)                                                                                        \
    {                                                                                                        \
        text, sizeof text - 1                                                                                \
    }

static const struct {
    const char *data;
    size_t bytes;
} broken[] = {
    FILE_OF(""),
    FILE_OF("nonsense that is long enough"),
    FILE_OF(HEAD),
    FILE_OF(HEAD ONE),
    FILE_OF(HEAD ONE "\2bc\0\0\0@\3"),
    FILE_OF(HEAD ONE TWO "x"),
    FILE_OF(HEAD ONE "\0\0\0\0@\3\4"),
    FILE_OF(HEAD ONE "\2bc\0\0\300\177\3\4"), /* a scale that is no number */
    FILE_OF("lockstep-words 2\nwords 2\ndims 2\n\n" ONE TWO),
    FILE_OF("lockstep-words 1\nwords 0\ndims 2\n\n"),
    FILE_OF("lockstep-words 1\nwords 2\ndims 99999\n\n" ONE TWO),
    FILE_OF("lockstep-words 1\nwords 9999999\ndims 2\n\n" ONE TWO),
    FILE_OF("lockstep-words 1\nwords 2\n\n" ONE TWO),
    FILE_OF("lockstep-words 1\nwords 2\ndims 2\n" ONE TWO),
};

static enum lks_code open_bytes(const char *data, size_t bytes, struct words **out, struct lks_err *err)
{
    char name[] = "/tmp/lockstep-words-XXXXXX";
    int file = mkstemp(name);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, data, bytes), (ssize_t)bytes);
    enum lks_code code = words_open(name, out, err);
    (void)close(file);
    (void)unlink(name);
    return code;
}

START_TEST(a_broken_file_is_refused)
{
    struct words *w = NULL;
    struct lks_err err;
    ck_assert_int_eq(open_bytes(broken[_i].data, broken[_i].bytes, &w, &err), LKS_E_CONFIG);
    ck_assert_ptr_null(w);
    ck_assert_ptr_nonnull(strstr(err.text, "word vectors"));
}
END_TEST

START_TEST(another_file_is_taken)
{
    struct words *w = NULL, *same = NULL, *other = NULL;
    struct lks_err err;
    float v[2];
    ck_assert_int_eq(open_bytes(HEAD ONE TWO, sizeof HEAD ONE TWO - 1, &w, &err), LKS_E_OK);
    ck_assert_uint_eq(words_dimensions(w), 2);
    words_embed(w, "BC, a", 5, v); /* (7, 10) / sqrt(149) */
    ck_assert_float_eq_tol(v[0], 0.573462F, 1e-6F);
    ck_assert_float_eq_tol(v[1], 0.819232F, 1e-6F);
    ck_assert_int_eq(open_bytes(HEAD ONE TWO, sizeof HEAD ONE TWO - 1, &same, &err), LKS_E_OK);
    ck_assert_int_eq(open_bytes(HEAD TWO ONE, sizeof HEAD TWO ONE - 1, &other, &err), LKS_E_OK);
    ck_assert_uint_eq(words_checksum(w), words_checksum(same));
    ck_assert_uint_ne(words_checksum(w), words_checksum(other));
    words_close(w);
    words_close(same);
    words_close(other);
}
END_TEST

START_TEST(a_missing_file_says_what_to_do)
{
    struct words *w = NULL;
    struct lks_err err;
    ck_assert_int_eq(words_open("/nowhere/words.vec", &w, &err), LKS_E_CONFIG);
    ck_assert_str_eq(
        err.text,
        "can't read the word vectors /nowhere/words.vec: No such file or directory (embedding.path names "
        "another file)");
}
END_TEST

/* ---- words of a text ---- */

static const struct {
    const char *text, *words;
} cut[] = {
    {"", ""},
    {"Hello, World", "hello|world|"},
    {"C++ and C#; don't", "c++|and|c#|don't|"},
    {"e-mail 24/7 v1.2", "e|mail|24|7|v1|2|"},
    {"\xC3\x9C"
     "ber \xE2\x80\x9Cquoted\xE2\x80\x9D \xE2\x80\x94 x",
     "\xC3\x9C"
     "ber|quoted|x|"},
    {"a\xC2\xA0"
     "b\xE2\x80\xA6",
     "a|b|"},
    {"x\xFF", "x\xFF|"},
    {"x\xE2", "x\xE2|"},
};

START_TEST(texts_are_cut_into_words)
{
    char out[200] = "", word[TOKEN_MAX_BYTES];
    struct tokens tokens;
    tokens_init(&tokens, cut[_i].text, strlen(cut[_i].text));
    for (size_t n, at = 0; (n = tokens_next(&tokens, word)) > 0; at += n + 1) {
        memcpy(out + at, word, n);
        memcpy(out + at + n, "|", 2);
    }
    ck_assert_str_eq(out, cut[_i].words);
}
END_TEST

/* ---- hash ---- */

START_TEST(hash_gives_the_same_on_every_machine)
{
    float v[8];
    hash_embed("the quick brown fox jumps over the lazy dog today", 49, v, 8);
    char text[200] = "";
    for (size_t i = 0; i < 8; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%.6f ", (double)v[i]);
    ck_assert_str_eq(text, "-0.500000 0.250000 0.750000 0.000000 -0.250000 0.000000 0.000000 0.250000 ");
}
END_TEST

START_TEST(hash_takes_any_dimension_and_text)
{
    static const char *const texts[] = {"", "a", "a a a", "one two", "\xFF", "1 2 3 4 5 6 7 8 9 10"};
    static const size_t dimensions[] = {1, 2, 3, 100, 384, 4096};
    float v[4096];
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        for (size_t d = 0; d < sizeof dimensions / sizeof dimensions[0]; d++) {
            double squares = 0;
            hash_embed(texts[t], strlen(texts[t]), v, dimensions[d]);
            for (size_t i = 0; i < dimensions[d]; i++) squares += (double)v[i] * (double)v[i];
            ck_assert_double_eq_tol(squares, 1, 1e-5);
        }
}
END_TEST

int main(void)
{
    TCase *meaning = tcase_create("meaning");
    tcase_add_checked_fixture(meaning, open_words, close_words);
    tcase_add_loop_test(meaning, cosines_are_those_measured, 0, sizeof measured / sizeof measured[0]);
    tcase_add_test(meaning, every_vector_has_length_one);
    tcase_add_test(meaning, a_text_without_known_words_finds_itself_only);
    tcase_add_test(meaning, a_megabyte_is_no_trouble);
    TCase *files = tcase_create("files");
    tcase_add_loop_test(files, a_broken_file_is_refused, 0, sizeof broken / sizeof broken[0]);
    tcase_add_test(files, another_file_is_taken);
    tcase_add_test(files, a_missing_file_says_what_to_do);
    TCase *texts = tcase_create("texts");
    tcase_add_loop_test(texts, texts_are_cut_into_words, 0, sizeof cut / sizeof cut[0]);
    tcase_add_test(texts, hash_gives_the_same_on_every_machine);
    tcase_add_test(texts, hash_takes_any_dimension_and_text);
    Suite *suite = suite_create("words");
    suite_add_tcase(suite, meaning);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, texts);
    return suite_run(suite);
}
