/* test_engine_rivals.c - more documents wait for business ids than are remembered; and then they do not. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "idle_world.h"
#include "suite.h"

#define OWNER 0
#define CROWD 20100 /* documents 1 to 20100: some more than are remembered */
#define PAGE 100
#define CYCLES 4

static const char point_of_owner[] = "00000000-0000-5000-8000-000000000001";

struct rival_world {
    struct idle_world idle; /* first, so that it can be found from there */
    int rivals;             /* documents 1 to this one hold the owner's business id */
    size_t cycles, cycles_with_rejected;
};

static int number_of(const struct docid *id)
{
    char *text = docid_plain(id);
    int number = (int)strtol(text, NULL, 10);
    free(text);
    return number;
}

static void answer_read(const struct rival_world *w, struct req *req)
{
    req->read.docs = calloc(req->read.count, sizeof *req->read.docs);
    ck_assert_ptr_nonnull(req->read.docs);
    for (size_t i = 0; i < req->read.count; i++) {
        struct source_doc *doc = &req->read.docs[i];
        int number = number_of(req->read.ids[i]);
        doc->id = docid_copy(req->read.ids[i]);
        idle_synced(doc);
        if (number == OWNER || number > w->rivals) continue;
        doc->owner = idle_id(OWNER);
        doc->record.entries[0].status = SYNC_FAILED;
        doc->record.entries[0].error = LKS_E_VALIDATION;
    }
}

static void answer_due(struct rival_world *w, struct req *req)
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
    for (int i = first; i <= w->rivals && req->due.count < req->due.max_docs; i++)
        req->due.ids[req->due.count++] = idle_id(i);
    req->due.end = req->due.count < req->due.max_docs;
}

static void answer(struct idle_world *idle, struct req *req)
{
    struct rival_world *w = (struct rival_world *)idle;
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

static void let_cycles_pass(struct rival_world *w, struct engine *e, size_t count)
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
    static struct rival_world w;
    struct engine_config config;
    w = (struct rival_world){.idle = {.now_ms = 1000, .answer = answer}, .rivals = CROWD};
    idle_configure(&config);
    config.batch_size = PAGE;
    struct engine *e = idle_engine(&w.idle, &config);
    let_cycles_pass(&w, e, 2);
    ck_assert_uint_eq(w.cycles_with_rejected, w.cycles); /* there are too many to be remembered */
    w.rivals = 10;                                       /* the others were given ids of their own */
    let_cycles_pass(&w, e, CYCLES);
    w.cycles = w.cycles_with_rejected = 0;
    let_cycles_pass(&w, e, CYCLES);
    ck_assert_uint_ge(w.cycles, CYCLES);
    ck_assert_uint_eq(w.cycles_with_rejected, 0);
    idle_end(&w.idle, e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine rivals");
    TCase *tc = tcase_create("rivals");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, cycles_ask_for_the_rejected_only_as_long_as_some_are_not_remembered);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
