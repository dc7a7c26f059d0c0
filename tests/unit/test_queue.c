/* test_queue.c - objects come out in the order in which they went in, whoever waits. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/queue.h"
#include "suite.h"

struct thing {
    int value;
    struct thing *next;
};

START_TEST(takes_in_the_order_of_pushing)
{
    struct queue q;
    struct thing things[3] = {{1, NULL}, {2, NULL}, {3, NULL}};
    ck_assert(queue_init(&q, offsetof(struct thing, next)));
    for (int i = 0; i < 3; i++) queue_push(&q, &things[i]);
    ck_assert_uint_eq(queue_count(&q), 3);
    ck_assert_ptr_eq(queue_take(&q, 0), &things[0]);
    struct thing *rest = queue_take_all(&q, 0);
    ck_assert_ptr_eq(rest, &things[1]);
    ck_assert_ptr_eq(rest->next, &things[2]);
    ck_assert_ptr_null(things[2].next);
    ck_assert_ptr_null(queue_take(&q, 0));
    queue_push(&q, &things[0]);
    ck_assert_ptr_eq(queue_take(&q, -1), &things[0]);
    queue_fini(&q);
}
END_TEST

START_TEST(a_wait_ends_without_anything)
{
    struct queue q;
    ck_assert(queue_init(&q, offsetof(struct thing, next)));
    ck_assert_ptr_null(queue_take(&q, 5));
    ck_assert_ptr_null(queue_take_all(&q, 5));
    queue_fini(&q);
}
END_TEST

START_TEST(a_closed_queue_gives_what_is_left_and_waits_no_more)
{
    struct queue q;
    struct thing one = {1, NULL};
    ck_assert(queue_init(&q, offsetof(struct thing, next)));
    queue_push(&q, &one);
    queue_close(&q);
    ck_assert_ptr_eq(queue_take(&q, -1), &one);
    ck_assert_ptr_null(queue_take(&q, -1));
    queue_fini(&q);
}
END_TEST

#define PUSHERS 4
#define EACH 2000

static void *push_many(void *context)
{
    struct queue *q = context;
    for (int i = 0; i < EACH; i++) {
        struct thing *t = calloc(1, sizeof *t);
        t->value = i;
        queue_push(q, t);
    }
    return NULL;
}

START_TEST(many_threads_lose_nothing)
{
    struct queue q;
    pthread_t threads[PUSHERS];
    int sum = 0, count = 0;
    ck_assert(queue_init(&q, offsetof(struct thing, next)));
    for (int i = 0; i < PUSHERS; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, push_many, &q), 0);
    while (count < PUSHERS * EACH) {
        struct thing *t = queue_take(&q, -1);
        sum += t->value;
        count++;
        free(t);
    }
    for (int i = 0; i < PUSHERS; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(sum, PUSHERS * (EACH * (EACH - 1) / 2));
    ck_assert_uint_eq(queue_count(&q), 0);
    queue_fini(&q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *t = tcase_create("queue");
    tcase_add_test(t, takes_in_the_order_of_pushing);
    tcase_add_test(t, a_wait_ends_without_anything);
    tcase_add_test(t, a_closed_queue_gives_what_is_left_and_waits_no_more);
    tcase_add_test(t, many_threads_lose_nothing);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
