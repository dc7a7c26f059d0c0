/* test_events.c - the ring of events is bounded, and a reader that missed something is sent a notice. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/events.h"
#include "suite.h"

static void publish(struct events *e, const char *source, int number)
{
    events_publish(e, "document", source, json_pack("{s:i}", "n", number));
}

/* The text of the next event; "" if there is none, NULL if some are lost. */
static const char *next(struct events *e, const char *source, uint64_t *place)
{
    static char text[256];
    const struct event *event;
    switch (events_next(e, source, place, &event)) {
    case EVENTS_FOUND:
        snprintf(text, sizeof text, "%s", event->text);
        event_release(event);
        return text;
    case EVENTS_NONE:
        return "";
    case EVENTS_LOST:
        break;
    }
    return NULL;
}

START_TEST(nothing_is_kept_while_nobody_listens)
{
    struct events *e = events_new();
    uint64_t place = events_newest(e);
    ck_assert(!events_wanted(e));
    publish(e, "tools", 1);
    ck_assert_str_eq(next(e, NULL, &place), "");
    events_join(e);
    ck_assert(events_wanted(e));
    publish(e, "tools", 2);
    events_leave(e);
    publish(e, "tools", 3); /* who was here a moment ago may come back */
    ck_assert_ptr_nonnull(strstr(next(e, NULL, &place), "event: document\ndata: {\"n\":2}\n\n"));
    ck_assert_ptr_nonnull(strstr(next(e, NULL, &place), "{\"n\":3}\n\n"));
    ck_assert_str_eq(next(e, NULL, &place), "");
    events_free(e);
}
END_TEST

START_TEST(each_hears_of_its_source)
{
    struct events *e = events_new();
    events_join(e);
    uint64_t all = events_newest(e), people = all;
    publish(e, "tools", 1);
    publish(e, "people", 2);
    publish(e, "tools", 3);
    ck_assert_ptr_nonnull(strstr(next(e, "people", &people), "{\"n\":2}"));
    ck_assert_str_eq(next(e, "people", &people), "");
    ck_assert_uint_eq(people, events_newest(e)); /* what others are sent is no reason to wake up again */
    for (int i = 1; i <= 3; i++) ck_assert(*next(e, NULL, &all));
    events_free(e);
}
END_TEST

START_TEST(the_source_may_be_named_by_the_data)
{
    struct events *e = events_new();
    events_join(e);
    uint64_t place = events_newest(e);
    json_t *data = json_pack("{s:s, s:s}", "source", "tools of a name of some length", "id", "1");
    events_publish(e, "job", json_string_value(json_object_get(data, "source")), data);
    ck_assert(*next(e, "tools of a name of some length", &place));
    events_free(e);
}
END_TEST

START_TEST(who_is_too_slow_is_reported_so)
{
    struct events *e = events_new();
    const struct event *held;
    events_join(e);
    uint64_t slow = events_newest(e), quick;
    publish(e, "tools", 0);
    ck_assert_int_eq(events_next(e, NULL, &slow, &held), EVENTS_FOUND);
    for (int i = 1; i < 5000; i++) publish(e, "tools", i);
    ck_assert_ptr_null(next(e, NULL, &slow));
    ck_assert_ptr_nonnull(strstr(held->text, "{\"n\":0}")); /* what is being sent stays */
    event_release(held);
    quick = events_newest(e) - 1000;
    ck_assert_ptr_nonnull(strstr(next(e, NULL, &quick), "{\"n\":4000}"));
    events_free(e);
}
END_TEST

START_TEST(large_events_push_out_more_of_the_old_ones)
{
    struct events *e = events_new();
    char *large = malloc(1 << 20);
    ck_assert_ptr_nonnull(large);
    memset(large, 'x', 1 << 20);
    large[(1 << 20) - 1] = '\0';
    events_join(e);
    uint64_t place = events_newest(e);
    for (int i = 0; i < 3; i++) events_publish(e, "job", "tools", json_pack("{s:s}", "text", large));
    ck_assert_ptr_null(next(e, NULL, &place));
    place = events_newest(e) - 1;
    ck_assert(*next(e, NULL, &place));
    free(large);
    events_free(e);
}
END_TEST

/* What memory was out for could not be published, so it is missed, not left out without a word. */
START_TEST(an_event_that_cannot_be_made_is_one_that_was_missed)
{
    struct events *e = events_new();
    char id[48];
    events_join(e);
    publish(e, "tools", 1);
    uint64_t place = events_newest(e), known = 0;
    events_id(e, place, id);
    events_publish(e, "document", "tools", NULL);
    ck_assert_ptr_null(next(e, NULL, &place));
    ck_assert(!events_place(e, id, &known));
    place = events_newest(e);
    publish(e, "tools", 2);
    ck_assert_ptr_nonnull(strstr(next(e, NULL, &place), "{\"n\":2}"));
    ck_assert_str_eq(next(e, NULL, &place), "");
    events_free(e);
}
END_TEST

START_TEST(an_id_names_a_place_of_this_run)
{
    struct events *e = events_new();
    char id[48];
    uint64_t place = 0;
    events_join(e);
    for (int i = 0; i < 3; i++) publish(e, "tools", i);
    events_id(e, events_newest(e) - 1, id);
    ck_assert(events_place(e, id, &place));
    ck_assert_ptr_nonnull(strstr(next(e, NULL, &place), "{\"n\":2}"));
    const char *const none[] = {"", "-", "1-1", "x-1", "18446744073709551616-1"};
    for (int i = 0; i < COUNT(none); i++) ck_assert(!events_place(e, none[i], &place));
    ck_assert(!events_place(e, events_id(e, events_newest(e) + 1, id), &place));
    events_id(e, events_newest(e), id);
    ck_assert(events_place(e, id, &place));
    id[strlen(id) - 1] = '-';
    ck_assert(!events_place(e, id, &place));
    events_free(e);
}
END_TEST

START_TEST(a_flood_of_documents_is_reported_in_part)
{
    static const char *const names[] = {"a", "b"};
    const enum sync_status statuses[] = {SYNC_SYNCED, SYNC_FAILED};
    struct docid *id = docid_parse("\"f\"");
    struct engine_recorded what = {
        .id = id, .key = "figma", .overall = SYNC_FAILED, .statuses = statuses, .count = COUNT(statuses)};
    struct events *e = events_new();
    events_join(e);
    uint64_t place = events_newest(e), reported;
    for (int i = 0; i < 5000; i++) events_recorded(e, "tools", names, &what);
    ck_assert_uint_eq(events_records(e), 5000);
    reported = events_newest(e) - place;
    ck_assert_uint_lt(reported, 5000);
    ck_assert_ptr_nonnull(strstr(
        next(e, NULL, &place),
        "data: "
        "{\"source\":\"tools\",\"id\":\"figma\",\"_id\":\"\\\"f\\\"\",\"collections\":{\"a\":\"synced\","
        "\"b\":\"failed\"},\"overallStatus\":\"failed\"}\n"));
    events_free(e);
    docid_free(id);
}
END_TEST

static void *publish_many(void *self)
{
    for (int i = 0; i < 2000; i++) publish(self, "tools", i);
    return NULL;
}

START_TEST(many_may_publish_while_one_reads)
{
    struct events *e = events_new();
    pthread_t threads[3];
    events_join(e);
    uint64_t place = events_newest(e), last = place;
    for (int i = 0; i < COUNT(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, publish_many, e), 0);
    while (last < 6000) {
        events_wait(e, place, 1000);
        if (!next(e, NULL, &place)) place = events_newest(e);
        ck_assert_uint_ge(place, last);
        last = place;
    }
    for (int i = 0; i < COUNT(threads); i++) pthread_join(threads[i], NULL);
    events_close(e);
    events_wait(e, place, 3600000); /* returns: nobody waits any more */
    events_free(e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("events");
    TCase *t = tcase_create("events");
    tcase_add_test(t, nothing_is_kept_while_nobody_listens);
    tcase_add_test(t, each_hears_of_its_source);
    tcase_add_test(t, the_source_may_be_named_by_the_data);
    tcase_add_test(t, who_is_too_slow_is_reported_so);
    tcase_add_test(t, large_events_push_out_more_of_the_old_ones);
    tcase_add_test(t, an_event_that_cannot_be_made_is_one_that_was_missed);
    tcase_add_test(t, an_id_names_a_place_of_this_run);
    tcase_add_test(t, a_flood_of_documents_is_reported_in_part);
    tcase_add_test(t, many_may_publish_while_one_reads);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
