/* test_engine_duplicates.c - documents that wait for business ids: more than are remembered, and those with a
 * tombstone. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "idle_world.h"
#include "suite.h"

#define CROWD 20100 /* documents 1 to 20100: some more than are remembered */
#define OWNERS 200  /* the documents after them */
#define PAGE 100
#define CYCLES 4

static const char point_of_owner[] = "00000000-0000-5000-8000-000000000001";
static const char point_with_tombstone[] = "00000000-0000-5000-8000-000000000002";

struct duplicate_world {
    struct idle_world idle; /* first, so that it can be found from there */
    int duplicate_ids;      /* documents 1 to this one hold an owner's business id */
    size_t cycles, cycles_with_rejected;
};

static int number_of(const struct docid *id)
{
    char *text = docid_plain(id);
    int number = (int)strtol(text, NULL, 10);
    free(text);
    return number;
}

static void answer_read(const struct duplicate_world *w, struct req *req)
{
    req->read.docs = calloc(req->read.count, sizeof *req->read.docs);
    ck_assert_ptr_nonnull(req->read.docs);
    for (size_t i = 0; i < req->read.count; i++) {
        struct source_document *doc = &req->read.docs[i];
        int number = number_of(req->read.ids[i]);
        doc->id = docid_copy(req->read.ids[i]);
        idle_synced(doc);
        if (number > w->duplicate_ids) continue;
        doc->owner = idle_id(CROWD + 1 + number % OWNERS);
        doc->record.entries[0].status = SYNC_FAILED;
        doc->record.entries[0].error = LKS_E_VALIDATION;
    }
}

static void answer_due(struct duplicate_world *w, struct req *req)
{
    int first = req->due.from ? number_of(req->due.from) + 1 : 1;
    idle_answer(&w->idle, req);
    if (!req->due.from) {
        w->cycles++;
        w->cycles_with_rejected += req->due.rejected_too;
    }
    if (!req->due.rejected_too) return;
    req->due.ids = calloc(req->due.max_docs, sizeof *req->due.ids);
    ck_assert_ptr_nonnull(req->due.ids);
    for (int i = first; i <= w->duplicate_ids && req->due.count < req->due.max_docs; i++)
        req->due.ids[req->due.count++] = idle_id(i);
    req->due.end = req->due.count < req->due.max_docs;
}

static void answer(struct idle_world *idle, struct req *req)
{
    struct duplicate_world *w = (struct duplicate_world *)idle;
    switch (req->kind) {
    case REQ_READ:
        answer_read(w, req);
        break;
    case REQ_DUE:
        answer_due(w, req);
        break;
    case REQ_MAKE:
        idle_made(req);
        for (size_t i = 0; i < req->make.count; i++) {
            idle_point(&req->make.made[i], point_of_owner);
        }
        break;
    case REQ_EMBED:
        idle_embedded(req);
        for (size_t i = 0; i < req->embed.count; i++) {
            req->embed.vectors[i] = calloc(4, sizeof(float));
            req->embed.vectors[i][0] = 1;
        }
        req->embed.dimensions = 4;
        break;
    default:
        idle_answer(idle, req);
    }
}

static void let_cycles_run(struct duplicate_world *w, struct engine *e, size_t count)
{
    struct engine_snapshot now;
    engine_snapshot(e, &now);
    uint64_t until = now.cycles + count;
    while (now.cycles < until) {
        if (!idle_step(&w->idle, e)) w->idle.now_ms += 1000;
        engine_snapshot(e, &now);
    }
}

START_TEST(cycles_ask_for_the_rejected_only_as_long_as_some_are_not_remembered)
{
    static struct duplicate_world w;
    struct engine_config config;
    w = (struct duplicate_world){.idle = {.now_ms = 1000, .answer = answer}, .duplicate_ids = CROWD};
    idle_configure(&config);
    config.batch_size = PAGE;
    struct engine *e = idle_engine(&w.idle, &config);
    let_cycles_run(&w, e, 2);
    ck_assert_uint_eq(w.cycles_with_rejected, w.cycles); /* there are too many to be remembered */
    w.duplicate_ids = 10;                                /* the others were given ids of their own */
    let_cycles_run(&w, e, CYCLES);
    w.cycles = w.cycles_with_rejected = 0;
    let_cycles_run(&w, e, CYCLES);
    ck_assert_uint_ge(w.cycles, CYCLES);
    ck_assert_uint_eq(w.cycles_with_rejected, 0);
    idle_end(&w.idle, e);
}
END_TEST

/* One document waits for a change, and a tombstone that owes a point of it is looked at. */
struct tombstone_world {
    struct idle_world idle; /* first */
    bool refused;           /* its record was refused, too; or else the first cycle asks for it meanwhile */
    bool listed;
    size_t asked, embeds;
};

static void answer_tombstones(struct tombstone_world *w, struct req *req)
{
    idle_answer(&w->idle, req);
    req->tombstones.next_ms = NO_TIME;
    if (w->listed) return;
    w->listed = true;
    req->tombstones.tombstones = calloc(1, sizeof *req->tombstones.tombstones);
    ck_assert_ptr_nonnull(req->tombstones.tombstones);
    struct tombstone *tombstone = &req->tombstones.tombstones[req->tombstones.count++];
    *tombstone = (struct tombstone){.id = idle_id(1), .since_ms = 1, .due_ms = 1, .refused = w->refused};
    tombstone->owed.items = calloc(1, sizeof *tombstone->owed.items);
    ck_assert_ptr_nonnull(tombstone->owed.items);
    memcpy(tombstone->owed.items[tombstone->owed.count++].id, point_of_owner, sizeof point_of_owner);
}

static void answer_with_tombstone(struct idle_world *idle, struct req *req)
{
    struct tombstone_world *w = (struct tombstone_world *)idle;
    switch (req->kind) {
    case REQ_STATE_LOAD: /* as it was left: nothing has to be compared */
        idle_answer(idle, req);
        req->state_load.state.digests = calloc(2, sizeof(char *));
        ck_assert_ptr_nonnull(req->state_load.state.digests);
        req->state_load.state.digests[0] = strdup("d");
        break;
    case REQ_TOMBSTONES_LIST:
        answer_tombstones(w, req);
        break;
    case REQ_DUE:
        idle_answer(idle, req);
        if (w->refused || !req->due.rejected_too || w->asked++) break;
        req->due.ids = calloc(1, sizeof *req->due.ids);
        ck_assert_ptr_nonnull(req->due.ids);
        req->due.ids[req->due.count++] = idle_id(1);
        break;
    case REQ_READ:
        idle_answer(idle, req);
        idle_synced(&req->read.docs[0]);
        req->read.docs[0].record.entries[0].status = SYNC_FAILED;
        req->read.docs[0].record.entries[0].error = LKS_E_VALIDATION;
        req->read.docs[0].record.entries[0].next_retry_ms = NO_TIME;
        break;
    case REQ_MAKE:
        idle_made(req);
        for (size_t k = 0; k < req->make.count; k++) idle_point(&req->make.made[k], point_with_tombstone);
        break;
    case REQ_EMBED:
        w->embeds += req->embed.count;
        idle_embedded(req);
        req->embed.vectors[0] = calloc(4, sizeof(float));
        req->embed.vectors[0][0] = 1;
        req->embed.dimensions = 4;
        break;
    default:
        idle_answer(idle, req);
    }
}

START_TEST(a_tombstone_that_owes_points_keeps_nothing_else_from_being_looked_at)
{
    static struct tombstone_world w;
    struct engine_config config;
    w = (struct tombstone_world){.idle = {.now_ms = 1000, .answer = answer_with_tombstone}, .refused = _i};
    idle_configure(&config);
    struct engine *e = idle_engine(&w.idle, &config);
    for (int i = 0; i < 300; i++) {
        idle_put_off(&w.idle, REQ_READ);
        if (!w.listed) idle_put_off(&w.idle, REQ_DUE);
        idle_step(&w.idle, e);
    }
    ck_assert(w.listed);
    ck_assert(_i || w.asked > 0);
    ck_assert_uint_ge(w.embeds, 1);
    idle_end(&w.idle, e);
}
END_TEST

/*
 * Documents 1 to FEW hold the business ids of FEW others. The looks at their owners wait in one of two
 * collections, the other one has nothing to do, and the documents take all credits.
 */
#define FEW 10

struct slow_world {
    struct idle_world idle; /* first */
    bool asked;
    size_t owners_read, owners_recorded;
};

static void answer_slow_read(struct slow_world *w, struct req *req)
{
    for (size_t i = 0; i < req->read.count; i++) {
        struct source_document *doc = &req->read.docs[i];
        bool duplicate = number_of(doc->id) <= FEW;
        doc->body = bson_new();
        doc->contested = true;
        if (duplicate) doc->owner = idle_id(number_of(doc->id) + FEW);
        w->owners_read += !duplicate;
        ck_assert(record_init(&doc->record, 2));
        doc->record.present = true;
        for (int c = 0; c < 2; c++)
            doc->record.entries[c] = (struct entry){.present = true,
                                                    .status = duplicate ? SYNC_FAILED : SYNC_SYNCED,
                                                    .error = duplicate ? LKS_E_VALIDATION : LKS_E_OK,
                                                    .last_synced_ms = duplicate ? NO_TIME : 1,
                                                    .next_retry_ms = NO_TIME};
    }
}

static void answer_slow(struct idle_world *idle, struct req *req)
{
    struct slow_world *w = (struct slow_world *)idle;
    idle_answer(idle, req);
    switch (req->kind) {
    case REQ_STATE_LOAD: /* as it was left: nothing has to be compared */
        req->state_load.state.digests = calloc(3, sizeof(char *));
        ck_assert_ptr_nonnull(req->state_load.state.digests);
        for (int c = 0; c < 2; c++) req->state_load.state.digests[c] = strdup("d");
        break;
    case REQ_DUE:
        if (!req->due.rejected_too || w->asked) break;
        w->asked = true;
        req->due.ids = calloc(FEW, sizeof *req->due.ids);
        ck_assert_ptr_nonnull(req->due.ids);
        for (int i = 1; i <= FEW; i++) req->due.ids[req->due.count++] = idle_id(i);
        break;
    case REQ_READ:
        answer_slow_read(w, req);
        break;
    case REQ_MAKE: /* a business id, but no point */
        idle_made(req);
        for (size_t k = 0; k < req->make.count; k++)
            req->make.made[k] = (struct made){.kind = MADE_NOTHING, .key = strdup("key")};
        break;
    case REQ_RECORD:
        for (size_t i = 0; i < req->record.count; i++)
            w->owners_recorded += number_of(req->record.writes[i].id) > FEW;
        break;
    default:
        break;
    }
}

/* All that is not a look into the first collection is answered before those. */
static void put_off_looks(struct idle_world *w)
{
    for (struct req *r = w->asked, *first = r; r && r->kind == REQ_LOOKUP && !r->lookup.collection;) {
        idle_put_off(w, REQ_LOOKUP);
        r = w->asked;
        if (r == first) break;
    }
}

START_TEST(an_owner_that_waits_to_be_looked_at_is_not_recorded_as_stale)
{
    static struct slow_world w;
    static const struct engine_collection both[] = {{.name = "slow", .digest = "d"},
                                                    {.name = "idle", .digest = "d", .embedder = 1}};
    static const char *const embedders[] = {"one", "two"};
    struct engine_config config;
    w = (struct slow_world){.idle = {.now_ms = 1000, .answer = answer_slow}};
    idle_configure(&config);
    config.collections = both;
    config.embedders = embedders;
    config.collection_count = config.embedder_count = 2;
    config.max_docs = FEW;
    config.write_batch = 1;
    struct engine *e = idle_engine(&w.idle, &config);
    for (int i = 0; i < 300; i++) {
        put_off_looks(&w.idle);
        idle_step(&w.idle, e);
    }
    ck_assert_uint_ge(w.owners_read, FEW);
    ck_assert_uint_eq(w.owners_recorded, 0);
    idle_end(&w.idle, e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine duplicates");
    TCase *tc = tcase_create("duplicates");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, cycles_ask_for_the_rejected_only_as_long_as_some_are_not_remembered);
    tcase_add_loop_test(tc, a_tombstone_that_owes_points_keeps_nothing_else_from_being_looked_at, 0, 2);
    tcase_add_test(tc, an_owner_that_waits_to_be_looked_at_is_not_recorded_as_stale);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
