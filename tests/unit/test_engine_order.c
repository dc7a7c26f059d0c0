/* test_engine_order.c - watermark, batch queues and turns: what may be saved, what goes out together, who
 * writes first. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rules/batch_queue.h"
#include "engine/rules/point_lock.h"
#include "engine/rules/watermark.h"
#include "suite.h"

/* ---- watermark: positions are heap-allocated numbers ---- */

static int *position(int n)
{
    int *p = malloc(sizeof *p);
    ck_assert_ptr_nonnull(p);
    *p = n;
    return p;
}

static int safe(const struct watermark *w)
{
    return w->safe ? *(int *)w->safe : 0;
}

START_TEST(a_position_is_safe_only_when_nothing_before_it_is_held)
{
    struct watermark w;
    watermark_init(&w, free);
    struct watermark_entry *one = watermark_hold(&w, position(1));
    struct watermark_entry *two = watermark_hold(&w, position(2));
    watermark_advance(&w, position(3));
    ck_assert_int_eq(safe(&w), 0);
    watermark_release(two);
    ck_assert_int_eq(safe(&w), 0);
    watermark_release(one);
    ck_assert_int_eq(safe(&w), 3);
    ck_assert(watermark_idle(&w));
    watermark_fini(&w);
}
END_TEST

START_TEST(a_mark_waits_for_all_who_hold_it)
{
    struct watermark w;
    watermark_init(&w, free);
    struct watermark_entry *m = watermark_hold(&w, position(1));
    watermark_retain(m);
    watermark_release(m);
    ck_assert_int_eq(safe(&w), 0);
    watermark_release(m);
    ck_assert_int_eq(safe(&w), 1);
    watermark_fini(&w);
}
END_TEST

START_TEST(released_runs_are_folded_so_memory_follows_what_is_held)
{
    struct watermark w;
    watermark_init(&w, free);
    struct watermark_entry *first = watermark_hold(&w, position(1));
    for (int i = 2; i < 1000; i++) {
        if (i % 2)
            watermark_advance(&w, position(i));
        else
            watermark_release(watermark_hold(&w, position(i)));
    }
    int entries = 0;
    for (const struct watermark_entry *m = w.head; m; m = m->next) entries++;
    ck_assert_int_le(entries, 3);
    watermark_release(first);
    ck_assert_int_eq(safe(&w), 999);
    watermark_fini(&w);
}
END_TEST

START_TEST(any_order_of_release_ends_at_the_last_position)
{
    enum { N = 8 };
    struct watermark w;
    struct watermark_entry *entries[N];
    unsigned done = 0, state = (unsigned)_i * 2654435761u + 1;
    watermark_init(&w, free);
    for (int i = 0; i < N; i++) entries[i] = watermark_hold(&w, position(i + 1));
    while (done != (1u << N) - 1) {
        state = state * 1103515245u + 12345u;
        unsigned pick = (state >> 16) % N;
        if (done >> pick & 1) continue;
        watermark_release(entries[pick]);
        done |= 1u << pick;
        int expected = 0;
        while (expected < N && (done >> expected & 1)) expected++;
        ck_assert_int_eq(safe(&w), expected);
    }
    watermark_fini(&w);
}
END_TEST

/* ---- batch queue ---- */

START_TEST(a_batch_queue_keeps_order_and_lets_go_of_any_node)
{
    struct batch_queue batch_queue;
    struct node n[4] = {{.batch_queue = NULL}};
    batch_queue_init(&batch_queue, 1, 2);
    for (int i = 0; i < 4; i++) batch_queue_push(&batch_queue, &n[i]);
    batch_queue_remove(&n[1]);
    batch_queue_remove(&n[1]); /* not there any more: harmless */
    batch_queue_push_front(&batch_queue, &n[1]);
    ck_assert_uint_eq(batch_queue.queued, 4);
    ck_assert_ptr_eq(batch_queue_pop(&batch_queue), &n[1]);
    ck_assert_ptr_eq(batch_queue_pop(&batch_queue), &n[0]);
    ck_assert_ptr_eq(batch_queue_pop(&batch_queue), &n[2]);
    ck_assert_ptr_eq(batch_queue_pop(&batch_queue), &n[3]);
    ck_assert_ptr_null(batch_queue_pop(&batch_queue));
}
END_TEST

START_TEST(a_batch_queue_is_ready_while_less_is_out_than_may_be)
{
    struct batch_queue batch_queue;
    struct node n[3] = {{.batch_queue = NULL}};
    batch_queue_init(&batch_queue, 1, 2);
    ck_assert(!batch_queue_ready(&batch_queue));
    for (int i = 0; i < 3; i++) batch_queue_push(&batch_queue, &n[i]);
    ck_assert(batch_queue_ready(&batch_queue));
    ck_assert_uint_eq(batch_queue_batch(&batch_queue), 2);
    batch_queue.in_flight = 1;
    ck_assert(!batch_queue_ready(&batch_queue));
}
END_TEST

/* ---- turns ---- */

START_TEST(a_point_has_one_writer_at_a_time_in_the_order_they_came)
{
    struct point_locks t;
    struct point_lock a = {.has = false}, b = {.has = false}, c = {.has = false}, other = {.has = false};
    ck_assert(point_locks_init(&t));
    ck_assert(point_lock_take(&t, &a, 0, "p"));
    ck_assert(!point_lock_take(&t, &b, 0, "p"));
    ck_assert(!point_lock_take(&t, &c, 0, "p"));
    ck_assert(point_lock_take(&t, &other, 1, "p")); /* the same id in another collection is another point */
    ck_assert_ptr_eq(point_lock_release(&t, &a), &b);
    ck_assert(b.has);
    ck_assert_ptr_eq(point_lock_release(&t, &b), &c);
    ck_assert_ptr_null(point_lock_release(&t, &c));
    ck_assert(point_lock_take(&t, &a, 0, "p"));
    point_locks_fini(&t);
}
END_TEST

START_TEST(who_gives_up_waiting_is_passed_over)
{
    struct point_locks t;
    struct point_lock a = {.has = false}, b = {.has = false}, c = {.has = false};
    ck_assert(point_locks_init(&t));
    point_lock_take(&t, &a, 0, "p");
    point_lock_take(&t, &b, 0, "p");
    point_lock_take(&t, &c, 0, "p");
    ck_assert_ptr_null(point_lock_release(&t, &b));
    ck_assert_ptr_eq(point_lock_release(&t, &a), &c);
    point_locks_fini(&t);
}
END_TEST

START_TEST(thousands_of_points_have_their_turns_at_once)
{
    enum { N = 5000 };
    struct point_locks t;
    static struct point_lock tickets[N];
    char id[POINT_ID_BYTES];
    ck_assert(point_locks_init(&t));
    for (int i = 0; i < N; i++) {
        snprintf(id, sizeof id, "point-%d", i);
        ck_assert(point_lock_take(&t, &tickets[i], 0, id));
    }
    ck_assert_uint_eq(t.held, N);
    for (int i = 0; i < N; i++) ck_assert_ptr_null(point_lock_release(&t, &tickets[i]));
    ck_assert_uint_eq(t.held, 0);
    point_locks_fini(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine order");
    TCase *tc = tcase_create("order");
    tcase_add_test(tc, a_position_is_safe_only_when_nothing_before_it_is_held);
    tcase_add_test(tc, a_mark_waits_for_all_who_hold_it);
    tcase_add_test(tc, released_runs_are_folded_so_memory_follows_what_is_held);
    tcase_add_loop_test(tc, any_order_of_release_ends_at_the_last_position, 0, 50);
    tcase_add_test(tc, a_batch_queue_keeps_order_and_lets_go_of_any_node);
    tcase_add_test(tc, a_batch_queue_is_ready_while_less_is_out_than_may_be);
    tcase_add_test(tc, a_point_has_one_writer_at_a_time_in_the_order_they_came);
    tcase_add_test(tc, who_gives_up_waiting_is_passed_over);
    tcase_add_test(tc, thousands_of_points_have_their_turns_at_once);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
