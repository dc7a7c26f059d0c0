/* test_control.c - whose outcome is whose, between those who ask and the engine. */
#include <check.h>

#include "base/docid.h"
#include "idle_world.h"
#include "service/control.h"
#include "suite.h"

#define MOST_STEPS 200

static void nobody(void *self)
{
    (void)self;
}

static struct docid *document(void)
{
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_INT32(&doc, "_id", 1);
    struct docid *id = docid_of(&doc);
    bson_destroy(&doc);
    ck_assert_ptr_nonnull(id);
    return id;
}

static void outcome(struct control *c, const struct docid *id, enum sync_status status)
{
    const struct engine_resynced what = {.id = id, .overall = status};
    control_resynced(c, 0, &what);
}

struct scene {
    struct idle_world world;
    struct engine_config config;
    struct engine *engine;
    struct control *control;
    struct docid *id;
};

static void scene_open(struct scene *s)
{
    *s = (struct scene){.world.now_ms = 1000};
    idle_configure(&s->config);
    s->engine = idle_engine(&s->world, &s->config);
    for (int i = 0; i < MOST_STEPS && engine_phase(s->engine) != PHASE_RUN; i++)
        idle_step(&s->world, s->engine);
    ck_assert_int_eq(engine_phase(s->engine), PHASE_RUN);
    s->control = control_new(1, nobody, NULL);
    s->id = document();
    control_serve(s->control, 0, s->engine);
}

static void scene_close(struct scene *s)
{
    control_close(s->control);
    idle_end(&s->world, s->engine);
    control_free(s->control);
    docid_free(s->id);
}

START_TEST(the_outcome_of_an_attempt_that_was_given_up_is_nobody_s)
{
    struct scene s;
    struct control_order first, second;
    scene_open(&s);
    control_order_resync(s.control, &first, 0, s.id, 0, false);
    control_serve(s.control, 0, s.engine); /* the engine is at it */
    control_order_fini(s.control, &first);
    control_order_resync(s.control, &second, 0, s.id, 0, true);
    control_serve(s.control, 0, s.engine);
    outcome(s.control, s.id, SYNC_FAILED); /* of the first */
    ck_assert(!control_ordered(s.control, &second, 0));
    control_serve(s.control, 0, s.engine);
    outcome(s.control, s.id, SYNC_SYNCED);
    ck_assert(control_ordered(s.control, &second, 0));
    ck_assert_int_eq(second.answer.overall, SYNC_SYNCED);
    control_order_fini(s.control, &second);
    scene_close(&s);
}
END_TEST

START_TEST(the_outcome_of_a_hint_is_nobody_s)
{
    struct scene s;
    struct control_order order;
    scene_open(&s);
    control_hint(s.control, 0, s.id);
    control_serve(s.control, 0, s.engine);
    control_order_resync(s.control, &order, 0, s.id, 0, false);
    control_serve(s.control, 0, s.engine);
    outcome(s.control, s.id, SYNC_FAILED);
    ck_assert(!control_ordered(s.control, &order, 0));
    control_serve(s.control, 0, s.engine);
    outcome(s.control, s.id, SYNC_SYNCED);
    ck_assert(control_ordered(s.control, &order, 0));
    control_order_fini(s.control, &order);
    scene_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *tc = tcase_create("control");
    tcase_add_test(tc, the_outcome_of_an_attempt_that_was_given_up_is_nobody_s);
    tcase_add_test(tc, the_outcome_of_a_hint_is_nobody_s);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
