/* test_embed_cache.c - the cache of vectors: what it keeps, for how long, and within how much memory. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embed/cache.h"
#include "suite.h"

static void put(struct cache *c, int n, size_t dimensions)
{
    unsigned char key[CACHE_KEY_BYTES];
    float vector[64];
    char text[20];
    (void)snprintf(text, sizeof text, "%d", n);
    for (size_t i = 0; i < dimensions; i++) vector[i] = (float)n;
    cache_key("m", text, strlen(text), key);
    cache_put(c, key, vector, dimensions);
}

/* The first number of what is kept for `n`, -1 if nothing is. */
static int got(struct cache *c, int n)
{
    unsigned char key[CACHE_KEY_BYTES];
    char text[20];
    size_t dimensions = 0;
    (void)snprintf(text, sizeof text, "%d", n);
    cache_key("m", text, strlen(text), key);
    float *vector = cache_get(c, key, &dimensions);
    int first = vector ? (int)vector[dimensions - 1] : -1;
    free(vector);
    return first;
}

START_TEST(what_was_put_is_got)
{
    struct cache *c = cache_new(1 << 20);
    for (int n = 0; n < 500; n++) put(c, n, 1 + (size_t)n % 64);
    for (int n = 0; n < 500; n++) ck_assert_int_eq(got(c, n), n);
    ck_assert_int_eq(got(c, 500), -1);
    put(c, 7, 3);
    ck_assert_int_eq(got(c, 7), 7);
    cache_clear(c);
    ck_assert_int_eq(got(c, 7), -1);
    cache_free(c);
}
END_TEST

START_TEST(memory_stays_within_its_bounds)
{
    size_t entries = 0, bytes = 0;
    struct cache *c = cache_new(20000);
    for (int n = 0; n < 5000; n++) {
        put(c, n, 1 + (size_t)n % 64);
        cache_usage(c, &entries, &bytes);
        ck_assert_uint_le(bytes, 20000);
    }
    ck_assert_uint_gt(entries, 30);
    cache_clear(c);
    cache_usage(c, &entries, &bytes);
    ck_assert_uint_eq(entries, 0);
    ck_assert_uint_eq(bytes, 0);
    cache_free(c);
}
END_TEST

START_TEST(what_is_used_stays_longest)
{
    struct cache *c = cache_new(10000);
    put(c, 0, 64);
    for (int n = 1; n < 1000; n++) {
        put(c, n, 64);
        ck_assert_int_eq(got(c, 0), 0);
    }
    ck_assert_int_eq(got(c, 1), -1);
    ck_assert_int_eq(got(c, 999), 999);
    cache_free(c);
}
END_TEST

START_TEST(too_much_for_it_or_none_at_all_is_no_trouble)
{
    struct cache *c = cache_new(100);
    put(c, 1, 64);
    ck_assert_int_eq(got(c, 1), -1);
    cache_free(c);
    ck_assert_ptr_null(cache_new(0));
    put(NULL, 1, 64);
    ck_assert_int_eq(got(NULL, 1), -1);
    cache_clear(NULL);
    cache_free(NULL);
}
END_TEST

START_TEST(keys_tell_models_and_texts_apart)
{
    unsigned char a[CACHE_KEY_BYTES], b[CACHE_KEY_BYTES];
    cache_key("m", "ab", 2, a);
    cache_key("m", "ab", 2, b);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
    cache_key("ma", "b", 1, b);
    ck_assert_int_ne(memcmp(a, b, sizeof a), 0);
    cache_key("m", "abc", 2, b);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
}
END_TEST

static void *hammer(void *cache)
{
    for (int n = 0; n < 3000; n++) {
        put(cache, n % 50, 16);
        int found = got(cache, (n * 7) % 50);
        if (found != -1 && found != (n * 7) % 50) return cache;
    }
    return NULL;
}

START_TEST(threads_may_share_it)
{
    struct cache *c = cache_new(5000);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, c), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    cache_free(c);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("cache");
    tcase_add_test(tc, what_was_put_is_got);
    tcase_add_test(tc, memory_stays_within_its_bounds);
    tcase_add_test(tc, what_is_used_stays_longest);
    tcase_add_test(tc, too_much_for_it_or_none_at_all_is_no_trouble);
    tcase_add_test(tc, keys_tell_models_and_texts_apart);
    tcase_add_test(tc, threads_may_share_it);
    Suite *suite = suite_create("embed_cache");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
