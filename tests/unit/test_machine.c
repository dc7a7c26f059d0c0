/* test_machine.c - what a state machine's table does not allow is noticed, and so is an invariant that fails.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "base/invariant.h"
#include "base/log.h"
#include "base/machine.h"
#include "suite.h"

enum { OFF, ON };
static const struct machine_state lamp_states[] = {
    [OFF] = {"off", STATE_BIT(ON)}, [ON] = {"on", STATE_BIT(OFF) | STATE_BIT(ON)}};
static const struct machine lamp = {"lamp", 2, lamp_states};
static const char *heard;

static void hear(const char *meaning)
{
    heard = meaning;
}

static void begin(void)
{
    log_setup(LOG_LEVEL_OFF, false);
    unsetenv("LOCKSTEP_TEST_INVARIANTS");
    invariant_on_broken(hear);
    heard = NULL;
}

START_TEST(a_move_of_the_table_is_no_failure)
{
    begin();
    machine_move(&lamp, OFF, ON, NULL, NULL);
    machine_move(&lamp, ON, ON, NULL, NULL);
    ck_assert_uint_eq(invariant_broken_count(), 0);
    ck_assert_ptr_null(heard);
}
END_TEST

START_TEST(another_move_is_counted_each_time_and_goes_on)
{
    begin();
    machine_move(&lamp, OFF, OFF, NULL, NULL);
    machine_move(&lamp, OFF, 2, NULL, NULL);
    ck_assert_uint_eq(invariant_broken_count(), 2);
    ck_assert_str_eq(heard, "a state machine makes only the moves of its table");
}
END_TEST

START_TEST(an_invariant_that_fails_in_a_test_aborts)
{
    begin();
    setenv("LOCKSTEP_TEST_INVARIANTS", "1", 1);
    invariant(heard, "somebody heard of it");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("machine");
    TCase *tc = tcase_create("moves and invariants");
    tcase_add_test(tc, a_move_of_the_table_is_no_failure);
    tcase_add_test(tc, another_move_is_counted_each_time_and_goes_on);
    tcase_add_test_raise_signal(tc, an_invariant_that_fails_in_a_test_aborts, SIGABRT);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
