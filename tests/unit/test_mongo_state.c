/*
 * test_mongo_state.c - what must survive a restart: the lease and its fence, the state, the tombstones; and
 * how the adapter opens and closes.
 */
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mongo_fixture.h"
#include "suite.h"

static struct fixture f;

/* ---- lease ---- */

static struct req *lease_req(int op, int64_t lease_ms, uint64_t epoch, bool clean)
{
    struct req *req = req_new(REQ_LEASE, NULL);
    if (op == LEASE_TAKE) req->lease.op = LEASE_TAKE;
    if (op == LEASE_RENEW) req->lease.op = LEASE_RENEW;
    if (op == LEASE_RELEASE) req->lease.op = LEASE_RELEASE;
    if (op == LEASE_RAISE) req->lease.op = LEASE_RAISE;
    req->lease.lease_ms = lease_ms;
    req->lease.epoch = epoch;
    req->lease.clean = clean;
    return req;
}

/* Runs a lease request by one adapter; the answer is the caller's. */
static struct req *lease(struct mongo *m, int op, int64_t lease_ms, uint64_t epoch, bool clean)
{
    struct req *req = fixture_run_on(&f, m, lease_req(op, lease_ms, epoch, clean));
    ck_assert_msg(req->err.code == LKS_E_OK, "%s", req->err.text);
    return req;
}

/* Takes the lease, which must succeed. */
static uint64_t take(struct mongo *m, int64_t lease_ms, bool *previous_expired)
{
    struct req *req = lease(m, LEASE_TAKE, lease_ms, 0, false);
    ck_assert(req->lease.held);
    uint64_t epoch = req->lease.epoch;
    if (previous_expired) *previous_expired = req->lease.previous_expired;
    req_free(req);
    return epoch;
}

static bool renew(struct mongo *m, uint64_t epoch)
{
    struct req *req = lease(m, LEASE_RENEW, 60000, epoch, false);
    bool held = req->lease.held;
    req_free(req);
    return held;
}

static bool load_clean(struct mongo *m)
{
    struct req *req = fixture_run_on(&f, m, req_new(REQ_STATE_LOAD, NULL));
    ck_assert_msg(req->err.code == LKS_E_OK, "%s", req->err.text);
    bool clean = req->state_load.state.clean;
    req_free(req);
    return clean;
}

START_TEST(a_lease_is_held_by_one_and_told_to_others)
{
    bool expired = true;
    struct lks_err err = {0};
    char *lease_holder = NULL;
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct mongo *other = fixture_open_other(&f, "second");
    ck_assert_int_eq(mongo_lease_holder(f.mongo, &lease_holder, &err), LKS_E_OK);
    ck_assert_ptr_null(lease_holder);
    uint64_t epoch = take(f.mongo, 60000, &expired);
    ck_assert(!expired); /* nobody had it */
    ck_assert_uint_ge(epoch, (uint64_t)time(NULL) - 3600);
    struct req *req = lease(other, LEASE_TAKE, 60000, 0, false);
    ck_assert(!req->lease.held);
    ck_assert_str_eq(req->lease.lease_holder, "first");
    ck_assert_int_gt(req->lease.remaining_ms, 0);
    ck_assert_int_le(req->lease.remaining_ms, 60000);
    req_free(req);
    ck_assert(renew(f.mongo, epoch));
    ck_assert(!renew(f.mongo, epoch + 1));
    ck_assert(!renew(other, epoch));
    ck_assert_int_eq(mongo_lease_holder(other, &lease_holder, &err), LKS_E_OK);
    ck_assert_str_eq(lease_holder, "first");
    free(lease_holder);
    mongo_close(other);
    fixture_end(&f);
}
END_TEST

START_TEST(a_released_lease_is_free_at_once_and_says_whether_all_is_known)
{
    bool expired = true;
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct mongo *other = fixture_open_other(&f, "second");
    uint64_t epoch = take(f.mongo, 60000, NULL);
    req_free(lease(f.mongo, LEASE_RELEASE, 0, epoch, true));
    uint64_t next = take(other, 60000, &expired);
    ck_assert_uint_gt(next, epoch);
    ck_assert(!expired);
    ck_assert(load_clean(other));
    ck_assert(!renew(f.mongo, epoch));
    req_free(lease(f.mongo, LEASE_RELEASE, 0, epoch, true)); /* not its own any more: nothing happens */
    ck_assert(renew(other, next));
    req_free(lease(other, LEASE_RELEASE, 0, next, false));
    take(f.mongo, 60000, &expired);
    ck_assert(!expired);
    ck_assert(!load_clean(f.mongo));
    mongo_close(other);
    fixture_end(&f);
}
END_TEST

START_TEST(an_expired_lease_passes_on_with_a_warning)
{
    bool expired = false;
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct mongo *other = fixture_open_other(&f, "second");
    uint64_t epoch = take(f.mongo, 1, NULL), next = 0;
    while (!next) {
        struct req *req = lease(other, LEASE_TAKE, 60000, 0, false);
        if (req->lease.held) {
            next = req->lease.epoch;
            expired = req->lease.previous_expired;
        }
        req_free(req);
    }
    ck_assert_uint_gt(next, epoch);
    ck_assert(expired);
    ck_assert(!load_clean(other));
    ck_assert(!renew(f.mongo, epoch));
    mongo_close(other);
    fixture_end(&f);
}
END_TEST

START_TEST(taking_again_raises_the_epoch_and_trusts_nothing)
{
    bool expired = false;
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    uint64_t epoch = take(f.mongo, 60000, NULL);
    req_free(lease(f.mongo, LEASE_RELEASE, 0, epoch, true));
    take(f.mongo, 60000, NULL);
    uint64_t again = take(f.mongo, 60000, &expired); /* as after a reply that was lost */
    ck_assert_uint_gt(again, epoch + 1);
    ck_assert(expired);
    ck_assert(!load_clean(f.mongo));
    fixture_end(&f);
}
END_TEST

/* The epoch of the first holder whose writes were not proven, as the next one reads it. */
static uint64_t take_and_ask_floor(struct mongo *m, uint64_t *epoch)
{
    struct req *req = lease(m, LEASE_TAKE, 60000, 0, false);
    uint64_t floor = req->lease.floor;
    ck_assert(req->lease.held);
    *epoch = req->lease.epoch;
    req_free(req);
    return floor;
}

START_TEST(the_next_holder_is_reported_since_which_epoch_nothing_is_proven)
{
    uint64_t first, second, third, fourth, fifth;
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    ck_assert_uint_eq(take_and_ask_floor(f.mongo, &first), 0);
    ck_assert_uint_eq(take_and_ask_floor(f.mongo, &second), first);
    ck_assert_uint_eq(take_and_ask_floor(f.mongo, &third), first);
    struct req *req = lease_req(LEASE_RENEW, 60000, third, false);
    req->lease.proven = true;
    req_free(fixture_ok(&f, req));
    ck_assert_uint_eq(take_and_ask_floor(f.mongo, &fourth), third);
    req = lease_req(LEASE_RELEASE, 0, fourth, true);
    req->lease.proven = true;
    req_free(fixture_ok(&f, req));
    ck_assert_uint_eq(take_and_ask_floor(f.mongo, &fifth), fourth);
    fixture_end(&f);
}
END_TEST

START_TEST(an_epoch_never_falls_even_if_the_clock_did)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "lockstep.state", "{'_id':'tools','lease':{'epoch':{'$numberLong':'9000000000'}}}");
    fixture_open(&f);
    ck_assert_uint_eq(take(f.mongo, 60000, NULL), UINT64_C(9000000001));
    fixture_end(&f);
}
END_TEST

/* ---- state ---- */

static enum lks_code save(uint64_t epoch, const char *token, const char *scan_after)
{
    struct req *req = req_new(REQ_STATE_SAVE, NULL);
    struct engine_state *s = &req->state_save.state;
    req->state_save.epoch = epoch;
    if (token) s->token = fixture_doc(token);
    s->token_time = UINT64_C(5) << 32 | 7;
    if (scan_after) s->scan_after = fixture_id(scan_after);
    s->scan_running = true;
    s->scan_verifies = true;
    s->replicas_known = 3;
    s->replicas_owed = 2;
    s->digests = calloc(3, sizeof *s->digests);
    s->digests[0] = strdup("d0");
    s->digests[1] = strdup("d1");
    s->places = calloc(3, sizeof *s->places);
    s->places[0] = strdup("p0");
    s->places[1] = strdup("p1");
    fixture_run(&f, req);
    enum lks_code code = req->err.code;
    req_free(req);
    return code;
}

START_TEST(the_state_is_loaded_as_it_was_saved)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct req *req = fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL));
    ck_assert_ptr_null(req->state_load.state.token);
    ck_assert_ptr_null(req->state_load.state.digests);
    ck_assert_ptr_null(req->state_load.state.places);
    ck_assert(!req->state_load.state.scan_running);
    req_free(req);
    uint64_t epoch = take(f.mongo, 60000, NULL);
    ck_assert_int_eq(save(epoch, "{'_data':'82'}", "{'$maxKey':1}"), LKS_E_OK);
    req = fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL));
    const struct engine_state *s = &req->state_load.state;
    bson_t *token = fixture_doc("{'_data':'82'}");
    struct docid *id = fixture_id("{'$maxKey':1}");
    ck_assert(s->token && bson_equal(s->token, token));
    ck_assert_uint_eq(s->token_time, UINT64_C(5) << 32 | 7);
    ck_assert(s->scan_after && docid_equal(s->scan_after, id));
    ck_assert(s->scan_running && s->scan_verifies);
    ck_assert_uint_eq(s->replicas_known, 3);
    ck_assert_uint_eq(s->replicas_owed, 2);
    ck_assert_str_eq(s->digests[0], "d0");
    ck_assert_str_eq(s->digests[1], "d1");
    ck_assert_ptr_null(s->digests[2]);
    ck_assert_str_eq(s->places[0], "p0");
    ck_assert_str_eq(s->places[1], "p1");
    req_free(req);
    ck_assert_int_eq(save(epoch, NULL, NULL), LKS_E_OK); /* what isn't handed over is no more */
    req = fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL));
    ck_assert_ptr_null(req->state_load.state.token);
    ck_assert_ptr_null(req->state_load.state.scan_after);
    req_free(req);
    bson_destroy(token);
    docid_free(id);
    fixture_end(&f);
}
END_TEST

static struct req *raise_to(struct mongo *m, uint64_t epoch, uint64_t to)
{
    struct req *req = lease_req(LEASE_RAISE, 60000, epoch, false);
    req->lease.raise_to = to;
    fixture_run_on(&f, m, req);
    ck_assert_msg(req->err.code == LKS_E_OK, "%s", req->err.text);
    return req;
}

START_TEST(a_raised_lease_has_everything_compared_by_whoever_comes_next)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct mongo *other = fixture_open_other(&f, "second");
    uint64_t epoch = take(f.mongo, 60000, NULL), next;
    ck_assert_int_eq(save(epoch, "{'_data':'82'}", "{'$maxKey':1}"), LKS_E_OK);
    for (int again = 0; again < 2; again++) { /* the second time as after a reply that was lost */
        struct req *req = raise_to(f.mongo, epoch, epoch + 50);
        ck_assert(req->lease.held);
        req_free(req);
    }
    ck_assert(!renew(f.mongo, epoch));
    ck_assert(renew(f.mongo, epoch + 50));
    struct req *req = raise_to(other, epoch + 50, epoch + 60);
    ck_assert(!req->lease.held); /* it is not this one's */
    req_free(req);
    req = raise_to(f.mongo, epoch, epoch + 40);
    ck_assert(!req->lease.held);
    req_free(req);
    req = fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL));
    ck_assert_ptr_nonnull(req->state_load.state.token);
    ck_assert(req->state_load.state.scan_running && req->state_load.state.scan_verifies);
    ck_assert_ptr_null(req->state_load.state.scan_after);
    req_free(req);
    ck_assert_uint_eq(take_and_ask_floor(f.mongo, &next), epoch + 50);
    ck_assert_uint_gt(next, epoch + 50);
    mongo_close(other);
    fixture_end(&f);
}
END_TEST

START_TEST(who_lost_the_lease_saves_nothing)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct mongo *other = fixture_open_other(&f, "second");
    ck_assert_int_eq(save(1, "{'_data':'81'}", NULL), LKS_E_LEASE);
    uint64_t epoch = take(f.mongo, 60000, NULL);
    ck_assert_int_eq(save(epoch, "{'_data':'82'}", NULL), LKS_E_OK);
    req_free(lease(f.mongo, LEASE_RELEASE, 0, epoch, false));
    take(other, 60000, NULL);
    ck_assert_int_eq(save(epoch, "{'_data':'83'}", NULL), LKS_E_LEASE);
    struct req *req = fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL));
    bson_t *token = fixture_doc("{'_data':'82'}");
    ck_assert(bson_equal(req->state_load.state.token, token));
    bson_destroy(token);
    req_free(req);
    mongo_close(other);
    fixture_end(&f);
}
END_TEST

START_TEST(a_token_of_another_pipeline_leaves_only_its_time)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    ck_assert_int_eq(save(take(f.mongo, 60000, NULL), "{'_data':'82'}", NULL), LKS_E_OK);
    bson_destroy(
        fixture_command(&f, NULL,
                        "{'update':'lockstep.state','updates':[{'q':{'_id':'tools'},"
                        "'u':{'$set':{'state.pipeline':'other'}}}],'writeConcern':{'w':'majority'}}"));
    struct req *req = fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL));
    ck_assert_ptr_null(req->state_load.state.token);
    ck_assert_uint_eq(req->state_load.state.token_time, UINT64_C(5) << 32 | 7);
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(the_state_of_another_collection_is_none)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    ck_assert_int_eq(save(take(f.mongo, 60000, NULL), "{'_data':'82'}", NULL), LKS_E_OK);
    f.config.collection = "moved";
    fixture_open(&f);
    struct req *req = fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL));
    ck_assert_ptr_null(req->state_load.state.token);
    ck_assert_uint_eq(req->state_load.state.token_time, 0);
    ck_assert_ptr_null(req->state_load.state.digests);
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(digests_are_found_by_the_names_of_their_collections)
{
    static const char *const others[] = {"usecases", "interface", "tools"};
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    ck_assert_int_eq(save(take(f.mongo, 60000, NULL), "{'_data':'82'}", NULL), LKS_E_OK);
    f.config.collections = others;
    f.config.collection_count = 3;
    fixture_open(&f);
    struct req *req = fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL));
    char **digests = req->state_load.state.digests;
    ck_assert_str_eq(digests[0], "d1");
    ck_assert_str_eq(digests[1], "");
    ck_assert_str_eq(digests[2], "d0");
    ck_assert_ptr_null(digests[3]);
    ck_assert_uint_eq(req->state_load.state.replicas_known, 5);
    ck_assert_uint_eq(req->state_load.state.replicas_owed, 1);
    req_free(req);
    fixture_end(&f);
}
END_TEST

/* ---- tombstones ---- */

static const char *const buried[] = {"1", "{'$numberDouble':'1.5'}", "'x'", "{'$maxKey':1}"};

static struct req *tombstones_req(enum req_kind kind, size_t from, size_t count)
{
    struct req *req = req_new(kind, NULL);
    req->tombstones.tombstones = calloc(count, sizeof *req->tombstones.tombstones);
    req->tombstones.count = count;
    for (size_t i = 0; i < count; i++)
        req->tombstones.tombstones[i] = (struct tombstone){.id = fixture_id(buried[from + i]),
                                                           .key = from + i == 2 ? strdup("key") : NULL,
                                                           .after = UINT64_C(9) << 32 | i,
                                                           .since_ms = 1000 + (int64_t)(from + i),
                                                           .due_ms = 2000 + (int64_t)(from + i)};
    return req;
}

static struct req *list_tombstones(int64_t due_by_ms, size_t max)
{
    struct req *req = req_new(REQ_TOMBSTONES_LIST, NULL);
    req->tombstones.due_by_ms = due_by_ms;
    req->tombstones.max = max;
    return fixture_ok(&f, req);
}

START_TEST(tombstones_are_listed_oldest_first_until_they_are_dropped)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct req *req = tombstones_req(REQ_TOMBSTONES_PUT, 0, 4);
    req->tombstones.tombstones[1].refused = true;
    req_free(fixture_ok(&f, req));
    req_free(fixture_ok(&f, tombstones_req(REQ_TOMBSTONES_PUT, 2, 2))); /* again: replaced */
    req = list_tombstones(5000, 3);
    ck_assert_uint_eq(req->tombstones.count, 3);
    for (size_t i = 0; i < 3; i++) {
        struct docid *id = fixture_id(buried[i]);
        ck_assert(docid_equal(req->tombstones.tombstones[i].id, id));
        ck_assert_int_eq(req->tombstones.tombstones[i].since_ms, 1000 + (int64_t)i);
        docid_free(id);
    }
    ck_assert_uint_eq(req->tombstones.tombstones[1].after, UINT64_C(9) << 32 | 1);
    ck_assert_str_eq(req->tombstones.tombstones[2].key, "key");
    ck_assert_ptr_null(req->tombstones.tombstones[0].key);
    ck_assert(req->tombstones.tombstones[1].refused && !req->tombstones.tombstones[2].refused);
    req_free(req);
    req = list_tombstones(2001, 10);
    ck_assert_uint_eq(req->tombstones.count, 2);
    ck_assert_int_eq(req->tombstones.next_ms, 2002);
    req_free(req);
    req_free(fixture_ok(&f, tombstones_req(REQ_TOMBSTONES_DROP, 0, 1)));
    req = list_tombstones(5000, 10);
    ck_assert_uint_eq(req->tombstones.count, 3);
    req_free(req);
    f.config.source = "others";
    fixture_open(&f);
    req = list_tombstones(5000, 10);
    ck_assert_uint_eq(req->tombstones.count, 0);
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(tombstones_are_listed_page_by_page_also_where_many_are_due_at_once)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct req *put = tombstones_req(REQ_TOMBSTONES_PUT, 0, 4);
    for (size_t i = 0; i < 4; i++) put->tombstones.tombstones[i].due_ms = i < 3 ? 2000 : 2001;
    req_free(fixture_ok(&f, put));
    struct docid *from = NULL;
    int64_t from_due_ms = 0;
    size_t seen = 0;
    for (;;) {
        struct req *req = req_new(REQ_TOMBSTONES_LIST, NULL);
        req->tombstones.due_by_ms = 2001;
        req->tombstones.max = 2;
        req->tombstones.from = from;
        req->tombstones.from_due_ms = from_due_ms;
        req = fixture_ok(&f, req);
        seen += req->tombstones.count;
        from = NULL;
        if (req->tombstones.count == 2) {
            from = docid_copy(req->tombstones.tombstones[1].id);
            from_due_ms = req->tombstones.tombstones[1].due_ms;
        }
        ck_assert(from || req->tombstones.next_ms == NO_TIME);
        req_free(req);
        if (!from) break;
    }
    ck_assert_uint_eq(seen, 4);
    fixture_end(&f);
}
END_TEST

START_TEST(tombstones_of_versions_that_knew_no_due_time_are_taken_over)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    fixture_insert(
        &f, "lockstep.state",
        "{'_id':{'source':'tools','doc':'1'},'source':'tools','since':{'$date':{'$numberLong':'1500'}},"
        "'id':{'_id':1}}");
    req_free(fixture_ok(&f, req_new(REQ_STATE_LOAD, NULL)));
    struct req *req = list_tombstones(1500, 10);
    ck_assert_uint_eq(req->tombstones.count, 1);
    ck_assert_int_eq(req->tombstones.tombstones[0].due_ms, 1500);
    req_free(req);
    fixture_end(&f);
}
END_TEST

static void owe(struct tombstone *tombstone, size_t collection, const char *id)
{
    struct owed_points *owed = &tombstone->owed;
    owed->items = realloc(owed->items, (owed->count + 1) * sizeof *owed->items);
    owed->items[owed->count].collection = collection;
    snprintf(owed->items[owed->count++].id, POINT_ID_BYTES, "%s", id);
}

static bool owes(const struct tombstone *tombstone, size_t collection, const char *id)
{
    for (size_t i = 0; i < tombstone->owed.count; i++)
        if (tombstone->owed.items[i].collection == collection && !strcmp(tombstone->owed.items[i].id, id))
            return true;
    return false;
}

START_TEST(a_tombstone_keeps_the_points_that_some_replicas_may_have)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct req *req = tombstones_req(REQ_TOMBSTONES_PUT, 0, 1);
    owe(&req->tombstones.tombstones[0], 0, "one");
    owe(&req->tombstones.tombstones[0], 1, "one");
    req_free(fixture_ok(&f, req));
    req = tombstones_req(REQ_TOMBSTONES_PUT, 0, 1); /* beside those of before, each once */
    owe(&req->tombstones.tombstones[0], 0, "one");
    owe(&req->tombstones.tombstones[0], 0, "two");
    req_free(fixture_ok(&f, req));
    req_free(fixture_ok(&f, tombstones_req(REQ_TOMBSTONES_PUT, 0, 1))); /* a later one that owes nothing */
    req = list_tombstones(5000, 10);
    ck_assert_uint_eq(req->tombstones.count, 1);
    const struct tombstone *tombstone = &req->tombstones.tombstones[0];
    ck_assert_uint_eq(tombstone->owed.count, 3);
    ck_assert(owes(tombstone, 0, "one") && owes(tombstone, 0, "two") && owes(tombstone, 1, "one"));
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(a_tombstone_that_was_put_since_is_not_dropped)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    req_free(fixture_ok(&f, tombstones_req(REQ_TOMBSTONES_PUT, 2, 1)));
    struct req *newer = tombstones_req(REQ_TOMBSTONES_PUT, 2, 1);
    newer->tombstones.tombstones[0].since_ms = 3000;
    free(newer->tombstones.tombstones[0].key);
    newer->tombstones.tombstones[0].key = NULL;
    req_free(fixture_ok(&f, newer));
    req_free(fixture_ok(&f, tombstones_req(REQ_TOMBSTONES_DROP, 2, 1))); /* means the one of before */
    struct req *req = list_tombstones(5000, 10);
    ck_assert_uint_eq(req->tombstones.count, 1);
    ck_assert_int_eq(req->tombstones.tombstones[0].since_ms, 3000);
    ck_assert_str_eq(req->tombstones.tombstones[0].key, "key"); /* its holders are still to be looked at */
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(a_tombstone_ends_the_record_beside_its_document)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c.lockstep", "{'_id':1,'syncMetadata':{}},{'_id':2,'syncMetadata':{}}");
    f.config.metadata = MONGO_SIDECAR;
    fixture_open(&f);
    req_free(fixture_ok(&f, tombstones_req(REQ_TOMBSTONES_PUT, 0, 1)));
    ck_assert_ptr_null(fixture_find(&f, "c.lockstep", "1"));
    bson_t *left = fixture_find(&f, "c.lockstep", "2");
    ck_assert_ptr_nonnull(left);
    bson_destroy(left);
    fixture_end(&f);
}
END_TEST

START_TEST(a_record_beside_a_document_whose_point_is_taken_over_stays)
{
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c.lockstep", "{'_id':1,'syncMetadata':{}}");
    f.config.metadata = MONGO_SIDECAR;
    fixture_open(&f);
    struct req *req = tombstones_req(REQ_TOMBSTONES_PUT, 0, 1);
    req->tombstones.tombstones[0].takeover = true;
    req_free(fixture_ok(&f, req));
    bson_t *left = fixture_find(&f, "c.lockstep", "1");
    ck_assert_ptr_nonnull(left);
    bson_destroy(left);
    fixture_end(&f);
}
END_TEST

/* ---- opening and closing ---- */

START_TEST(a_bad_uri_is_refused_without_showing_its_password)
{
    static const char *const uris[] = {"mongodb://u:hush@host:notaport/", "mongodb://u:hu%zzsh@host/",
                                       "nonsense", "mongodb://u:hush@host:99999999/"};
    struct lks_err err = {0};
    struct mongo *m;
    struct mongo_config config = {
        .uri = uris[_i], .database = "d", .collection = "c", .source = "s", .id_field = "id", .owner = "o"};
    ck_assert_int_eq(mongo_open(&config, (struct inbox){0}, &m, &err), LKS_E_CONFIG);
    ck_assert_ptr_null(m);
    ck_assert_ptr_null(strstr(err.text, "hush"));
    ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(closing_posts_every_request_exactly_once)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    struct port source = mongo_source_port(f.mongo), store = mongo_store_port(f.mongo);
    for (int i = 0; i < 50; i++) {
        source.submit(source.self, req_new(REQ_COUNT_RECORDS, &f));
        store.submit(store.self, req_new(REQ_STATE_LOAD, &f));
    }
    source.submit(source.self, req_new(REQ_EMBED, &f)); /* not a request to MongoDB */
    mongo_close(f.mongo);
    f.mongo = NULL;
    int count = 0, unsupported = 0;
    for (struct req *req; (req = queue_take(&f.done, 0)); count++) {
        ck_assert(req->err.code == LKS_E_OK || req->err.code == LKS_E_CANCELLED ||
                  req->err.code == LKS_E_UNSUPPORTED);
        if (req->err.code == LKS_E_UNSUPPORTED) unsupported++;
        req_free(req);
    }
    ck_assert_int_eq(count, 101);
    ck_assert_int_le(unsupported, 1);
    fixture_end(&f);
}
END_TEST

START_TEST(without_credentials_the_error_says_what_is_missing)
{
    fixture_start(&f, 0, "--auth");
    fixture_open(&f);
    struct req *req = fixture_run(&f, req_new(REQ_STATE_LOAD, NULL));
    ck_assert_int_eq(req->err.code, LKS_E_MONGO);
    ck_assert_ptr_nonnull(strstr(req->err.text, "privilege"));
    req_free(req);
    mongo_close(f.mongo);
    f.mongo = NULL;
    fixture_end(&f);
}
END_TEST

START_TEST(a_server_that_is_not_there_is_an_error_that_passes)
{
    fixture_start(&f, 0, NULL);
    f.config.uri = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200";
    fixture_open(&f);
    struct req *req = fixture_run(&f, req_new(REQ_STATE_LOAD, NULL));
    ck_assert_int_eq(req->err.code, LKS_E_MONGO);
    ck_assert_ptr_nonnull(strstr(req->err.text, "127.0.0.1:1"));
    req_free(req);
    fixture_end(&f);
}
END_TEST

int main(void)
{
    int servers = fixture_server_count();
    Suite *suite = suite_create("mongo state");
    TCase *tc = tcase_create("lease");
    tcase_add_loop_test(tc, a_lease_is_held_by_one_and_told_to_others, 0, servers);
    tcase_add_loop_test(tc, a_released_lease_is_free_at_once_and_says_whether_all_is_known, 0, servers);
    tcase_add_loop_test(tc, an_expired_lease_passes_on_with_a_warning, 0, servers);
    tcase_add_loop_test(tc, taking_again_raises_the_epoch_and_trusts_nothing, 0, servers);
    tcase_add_loop_test(tc, an_epoch_never_falls_even_if_the_clock_did, 0, servers);
    tcase_add_loop_test(tc, the_next_holder_is_reported_since_which_epoch_nothing_is_proven, 0, servers);
    tcase_add_loop_test(tc, a_raised_lease_has_everything_compared_by_whoever_comes_next, 0, servers);
    suite_add_tcase(suite, tc);
    tc = tcase_create("state");
    tcase_add_loop_test(tc, the_state_is_loaded_as_it_was_saved, 0, servers);
    tcase_add_loop_test(tc, who_lost_the_lease_saves_nothing, 0, servers);
    tcase_add_loop_test(tc, a_token_of_another_pipeline_leaves_only_its_time, 0, servers);
    tcase_add_loop_test(tc, digests_are_found_by_the_names_of_their_collections, 0, servers);
    tcase_add_loop_test(tc, the_state_of_another_collection_is_none, 0, servers);
    suite_add_tcase(suite, tc);
    tc = tcase_create("tombstones");
    tcase_add_loop_test(tc, tombstones_are_listed_oldest_first_until_they_are_dropped, 0, servers);
    tcase_add_loop_test(tc, tombstones_are_listed_page_by_page_also_where_many_are_due_at_once, 0, servers);
    tcase_add_loop_test(tc, tombstones_of_versions_that_knew_no_due_time_are_taken_over, 0, servers);
    tcase_add_loop_test(tc, a_tombstone_keeps_the_points_that_some_replicas_may_have, 0, servers);
    tcase_add_loop_test(tc, a_tombstone_that_was_put_since_is_not_dropped, 0, servers);
    tcase_add_loop_test(tc, a_tombstone_ends_the_record_beside_its_document, 0, servers);
    tcase_add_loop_test(tc, a_record_beside_a_document_whose_point_is_taken_over_stays, 0, servers);
    suite_add_tcase(suite, tc);
    tc = tcase_create("opening");
    tcase_add_loop_test(tc, a_bad_uri_is_refused_without_showing_its_password, 0, 4);
    tcase_add_loop_test(tc, closing_posts_every_request_exactly_once, 0, servers);
    tcase_add_test(tc, without_credentials_the_error_says_what_is_missing);
    tcase_add_test(tc, a_server_that_is_not_there_is_an_error_that_passes);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
