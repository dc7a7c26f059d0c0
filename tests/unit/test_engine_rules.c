/* test_engine_rules.c - the engine's pure decisions: what to do with a document, what a failure means, when
 * to ask again. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rules/circuit.h"
#include "engine/rules/classify.h"
#include "engine/rules/retry.h"
#include "engine/rules/usable.h"
#include "suite.h"

/* ---- classify ---- */

static struct wanted a_point(void)
{
    return (struct wanted){
        .point = true, .point_id = "p1", .content_hash = "c1", .payload_hash = "h1", .doc = "\"a\""};
}

static struct entry synced(const char *point_id, const char *content, const char *payload)
{
    struct entry e = {.present = true, .status = SYNC_SYNCED};
    strcpy(e.point_id, point_id); /* short literals of this file */
    strcpy(e.content_hash, content);
    strcpy(e.payload_hash, payload);
    return e;
}

static const struct {
    const char *point_id, *content, *payload;
    enum action action;
} by_entry[] = {
    {"p1", "c1", "h1", ACTION_NONE},  {"p1", "c1", "h0", ACTION_PAYLOAD}, {"p1", "c0", "h1", ACTION_EMBED},
    {"p1", "c0", "h0", ACTION_EMBED}, {"", "", "", ACTION_EMBED},         {"p0", "c1", "h1", ACTION_EMBED},
};

START_TEST(an_entry_tells_what_its_point_lacks)
{
    struct wanted w = a_point();
    struct entry e = synced(by_entry[_i].point_id, by_entry[_i].content, by_entry[_i].payload);
    ck_assert_int_eq(classify_by_entry(&w, &e), by_entry[_i].action);
}
END_TEST

START_TEST(a_document_without_text_has_its_point_cleared)
{
    struct wanted nothing = {.point = false};
    struct entry with = synced("p1", "c1", "h1"), without = synced("", "", "");
    ck_assert_int_eq(classify_by_entry(&nothing, &with), ACTION_CLEAR);
    ck_assert_int_eq(classify_by_entry(&nothing, &without), ACTION_NONE);
}
END_TEST

START_TEST(metadata_is_believed_only_when_synced_and_without_doubt)
{
    struct wanted w = a_point();
    struct entry e = synced("p1", "c1", "h1"), absent = {.present = false}, moved = synced("p0", "c1", "h1");
    ck_assert(!classify_needs_stamp(&w, &e, false));
    ck_assert(classify_needs_stamp(&w, &e, true));
    ck_assert(classify_needs_stamp(&w, &absent, false));
    ck_assert(classify_needs_stamp(&w, &moved, false));
    for (int status = SYNC_PENDING; status <= SYNC_FAILED; status++) {
        e.status = (enum sync_status)status;
        ck_assert(classify_needs_stamp(&w, &e, false));
    }
}
END_TEST

START_TEST(a_record_that_was_reset_denies_what_its_point_holds)
{
    struct entry e = synced("p1", "", ""), never = {.present = true, .status = SYNC_PENDING};
    ck_assert(!classify_is_reset(&e)); /* only a record that isn't synced */
    for (int status = SYNC_PENDING; status <= SYNC_FAILED; status++) {
        e.status = (enum sync_status)status;
        ck_assert(classify_is_reset(&e));
    }
    ck_assert(!classify_is_reset(&never));
    strcpy(e.content_hash, "c1");
    ck_assert(!classify_is_reset(&e));
}
END_TEST

START_TEST(a_point_tells_what_it_lacks)
{
    struct wanted w = a_point();
    struct stamp p = {
        .point_id = "p1", .ours = true, .doc = "\"a\"", .content_hash = "c1", .payload_hash = "h1"};
    ck_assert_int_eq(classify_by_stamp(&w, &p), ACTION_NONE);
    strcpy(p.payload_hash, "h0");
    ck_assert_int_eq(classify_by_stamp(&w, &p), ACTION_PAYLOAD);
    strcpy(p.content_hash, "c0");
    ck_assert_int_eq(classify_by_stamp(&w, &p), ACTION_EMBED);
    ck_assert_int_eq(classify_by_stamp(&w, NULL), ACTION_EMBED);
}
END_TEST

START_TEST(a_point_of_another_document_is_taken_over_without_embedding_what_is_equal)
{
    struct wanted w = a_point();
    struct stamp p = {
        .point_id = "p1", .ours = true, .doc = "\"b\"", .content_hash = "c1", .payload_hash = "h1"};
    ck_assert(classify_takes_over(&w, &p));
    ck_assert_int_eq(classify_by_stamp(&w, &p), ACTION_PAYLOAD);
}
END_TEST

START_TEST(a_point_of_somebody_else_is_written_whole)
{
    struct wanted w = a_point();
    struct stamp p = {.point_id = "p1", .foreign = true};
    ck_assert(!classify_takes_over(&w, &p));
    ck_assert_int_eq(classify_by_stamp(&w, &p), ACTION_EMBED);
}
END_TEST

/* ---- retry ---- */

static const struct retry_policy policy = {
    .base_ms = 1000, .multiplier = 2, .max_ms = 10000, .jitter = 0, .max_retries = 3};

static const struct {
    int count;
    int64_t delay_ms;
} delays[] = {{1, 1000}, {2, 2000}, {3, 4000}, {4, 8000}, {5, 10000}, {60, 10000}, {2000000000, 10000}};

START_TEST(the_wait_grows_to_its_cap)
{
    ck_assert_int_eq(retry_delay_ms(&policy, delays[_i].count, 0, 7), delays[_i].delay_ms);
}
END_TEST

START_TEST(a_count_that_an_application_wrote_takes_no_time_and_does_not_overflow)
{
    struct retry_policy p = policy;
    struct entry entry = {.retry_count = INT32_MAX, .vector_version = INT64_MAX};
    entry_add_attempt(&entry);
    entry_add_vector(&entry);
    ck_assert_int_eq(entry.retry_count, INT32_MAX);
    ck_assert_int_eq(entry.vector_version, INT64_MAX);
    p.multiplier = 1; /* the wait never grows: a thousand of them would take hours */
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(retry_delay_ms(&p, INT32_MAX, 0, 7), 1000);
}
END_TEST

START_TEST(a_longer_retry_after_wins_and_a_shorter_one_does_not)
{
    ck_assert_int_eq(retry_delay_ms(&policy, 1, 5000, 0), 5000);
    ck_assert_int_eq(retry_delay_ms(&policy, 3, 500, 0), 4000);
    ck_assert_int_eq(retry_delay_ms(&policy, 1, 9000, 0), 9000);
    ck_assert_int_eq(retry_delay_ms(&policy, 1, 86400000, 0), 10000); /* a day is capped */
}
END_TEST

START_TEST(jitter_stays_within_its_share)
{
    struct retry_policy p = policy;
    p.jitter = 0.2;
    ck_assert_int_eq(retry_delay_ms(&p, 1, 0, 0), 800);
    ck_assert_int_eq(retry_delay_ms(&p, 1, 0, UINT64_MAX), 1200);
}
END_TEST

static const struct {
    enum lks_code code;
    enum retry_kind kind;
} kinds[] = {
    {LKS_E_EMBEDDING_TIMEOUT, RETRY_FOREVER},
    {LKS_E_EMBEDDING_RATE_LIMIT, RETRY_FOREVER},
    {LKS_E_EMBEDDING_UNAVAILABLE, RETRY_FOREVER},
    {LKS_E_QDRANT_UNAVAILABLE, RETRY_FOREVER},
    {LKS_E_QDRANT_TIMEOUT, RETRY_FOREVER},
    {LKS_E_EMBEDDING_REJECTED, RETRY_ON_CHANGE},
    {LKS_E_VALIDATION, RETRY_ON_CHANGE},
    {LKS_E_QDRANT_REJECTED, RETRY_LIMITED},
    {LKS_E_PLUGIN, RETRY_LIMITED},
    {LKS_E_UNKNOWN, RETRY_LIMITED},
};

START_TEST(each_code_is_tried_again_as_the_contract_says)
{
    enum lks_code code = kinds[_i].code;
    ck_assert_int_eq(retry_kind_of(code), kinds[_i].kind);
    ck_assert_int_eq(retry_next_ms(&policy, code, 1, 0, 0) < 0, kinds[_i].kind == RETRY_ON_CHANGE);
    ck_assert_int_eq(retry_next_ms(&policy, code, 4, 0, 0) < 0, kinds[_i].kind != RETRY_FOREVER);
    ck_assert_int_eq(retry_trips_circuit(code), kinds[_i].kind == RETRY_FOREVER);
}
END_TEST

/* ---- circuit ---- */

START_TEST(a_circuit_opens_after_failures_in_a_row_and_closes_by_a_probe)
{
    struct circuit c;
    struct lks_err err;
    lks_fail(&err, LKS_E_QDRANT_TIMEOUT, "no reply");
    circuit_init(&c, 0);
    ck_assert(circuit_probe_due(&c, 0));
    circuit_probing(&c);
    ck_assert(circuit_success(&c, 50));
    ck_assert(!circuit_failure(&c, &err, 100));
    ck_assert(!circuit_failure(&c, &err, 100));
    circuit_success(&c, 50); /* not in a row */
    ck_assert(!circuit_failure(&c, &err, 100));
    ck_assert(!circuit_failure(&c, &err, 100));
    ck_assert(circuit_failure(&c, &err, 100));
    ck_assert(!circuit_closed(&c));
    ck_assert(!circuit_probe_due(&c, 100));
    ck_assert(circuit_probe_due(&c, 100 + CIRCUIT_PROBE_MIN_MS));
    circuit_probing(&c);
    ck_assert(circuit_success(&c, 50));
    ck_assert(circuit_closed(&c));
}
END_TEST

/* A key that may read and not write passes every probe and fails every write. */
START_TEST(a_circuit_that_relapses_is_probed_ever_less_often)
{
    struct circuit c;
    struct lks_err err;
    lks_fail(&err, LKS_E_QDRANT_UNAVAILABLE, "forbidden");
    circuit_init(&c, 0);
    circuit_probing(&c);
    circuit_success(&c, 0);
    int64_t now = 0, last = 0;
    for (int i = 0; i < 10; i++) {
        circuit_trip(&c, &err, now);
        ck_assert_int_ge(c.probe_at_ms - now, last);
        ck_assert_int_le(c.probe_at_ms - now, CIRCUIT_PROBE_MAX_MS);
        last = c.probe_at_ms - now;
        circuit_trip(&c, &err, now + 10); /* once open it is open */
        ck_assert_int_eq(c.probe_at_ms - now, last);
        now = c.probe_at_ms;
        circuit_probing(&c);
        ck_assert(circuit_success(&c, now));
    }
    ck_assert_int_eq(last, CIRCUIT_PROBE_MAX_MS);
    circuit_trip(&c, &err, now + CIRCUIT_RELAPSE_MS);
    ck_assert_int_eq(c.probe_at_ms, now + CIRCUIT_RELAPSE_MS + CIRCUIT_PROBE_MIN_MS);
}
END_TEST

START_TEST(probes_come_at_growing_intervals_or_when_the_server_said)
{
    struct circuit c;
    struct lks_err err;
    lks_fail(&err, LKS_E_EMBEDDING_RATE_LIMIT, "slow down");
    circuit_init(&c, 0);
    int64_t now = 0, last = 0;
    for (int i = 0; i < 12; i++) {
        circuit_probing(&c);
        circuit_failure(&c, &err, now);
        ck_assert_int_ge(c.probe_at_ms - now, last);
        ck_assert_int_le(c.probe_at_ms - now, CIRCUIT_PROBE_MAX_MS);
        last = c.probe_at_ms - now;
        now = c.probe_at_ms;
    }
    err.retry_after_ms = 120000;
    circuit_probing(&c);
    circuit_failure(&c, &err, now);
    ck_assert_int_eq(c.probe_at_ms, now + 120000);
}
END_TEST

/* ---- vectors ---- */

static const struct {
    float vector[3];
    bool cosine;
    float most;
    const char *says; /* NULL: it may go in */
} vectors[] = {
    {{0, 0, 0}, true, 0, "all its 3 elements are 0"},
    {{0, -0.0F, 0}, true, 0, "all its 3 elements are 0"},
    {{0, 0, 0}, false, 0, NULL},
    {{0, 1e-30F, 0}, true, 0, NULL},
    {{1, 70000, 0}, false, 65504, "element 1 is 70000, and the collection's datatype holds 65504"},
    {{1, 0, -65505}, true, 65504, "element 2 is -65505"},
    {{1, -65504, 65504}, true, 65504, NULL},
    {{1, 70000, 0}, false, 0, NULL},
    {{1, NAN, 0}, false, 0, "element 1 is NaN"},
    {{-INFINITY, 1, 0}, false, 0, "element 0 is infinite"},
};

START_TEST(a_vector_that_would_be_stored_as_another_is_refused)
{
    struct lks_err err;
    bool usable = usable_vector(vectors[_i].vector, 3, vectors[_i].cosine, vectors[_i].most, &err);
    ck_assert_int_eq(usable, !vectors[_i].says);
    if (usable) return;
    ck_assert_int_eq(err.code, LKS_E_EMBEDDING_REJECTED);
    ck_assert_msg(strstr(err.text, vectors[_i].says) != NULL, "%s", err.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine rules");
    TCase *tc = tcase_create("rules");
    tcase_add_loop_test(tc, an_entry_tells_what_its_point_lacks, 0, COUNT(by_entry));
    tcase_add_test(tc, a_document_without_text_has_its_point_cleared);
    tcase_add_test(tc, metadata_is_believed_only_when_synced_and_without_doubt);
    tcase_add_test(tc, a_record_that_was_reset_denies_what_its_point_holds);
    tcase_add_test(tc, a_point_tells_what_it_lacks);
    tcase_add_test(tc, a_point_of_another_document_is_taken_over_without_embedding_what_is_equal);
    tcase_add_test(tc, a_point_of_somebody_else_is_written_whole);
    tcase_add_loop_test(tc, the_wait_grows_to_its_cap, 0, COUNT(delays));
    tcase_add_test(tc, a_count_that_an_application_wrote_takes_no_time_and_does_not_overflow);
    tcase_add_test(tc, a_longer_retry_after_wins_and_a_shorter_one_does_not);
    tcase_add_test(tc, jitter_stays_within_its_share);
    tcase_add_loop_test(tc, each_code_is_tried_again_as_the_contract_says, 0, COUNT(kinds));
    tcase_add_test(tc, a_circuit_opens_after_failures_in_a_row_and_closes_by_a_probe);
    tcase_add_test(tc, a_circuit_that_relapses_is_probed_ever_less_often);
    tcase_add_test(tc, probes_come_at_growing_intervals_or_when_the_server_said);
    tcase_add_loop_test(tc, a_vector_that_would_be_stored_as_another_is_refused, 0, COUNT(vectors));
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
