/*
 * test_engine_key_owners.c - a business id that very many documents hold is given up: each of them is looked
 * at, and they come a page at a time, so that memory stays bounded.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "idle_world.h"
#include "suite.h"

#define MAX_DOCS 100
#define OWNER 0         /* is deleted */
#define DUPLICATES 2500 /* documents 1 to 2500 */
#define READ 512        /* documents that may be asked for, or were just read, beside those that wait */
#define PATIENCE 5000   /* steps */

static const char point_of_owner[] = "00000000-0000-5000-8000-000000000001";
static const char key[] = "k";

struct crowd {
    struct idle_world idle; /* first, so that it can be found from there */
    bool reported, deleted;
    bool read[DUPLICATES + 1];
    size_t seen;
};

static int number_of(const struct docid *id)
{
    char *text = docid_plain(id);
    int number = (int)strtol(text, NULL, 10);
    free(text);
    return number;
}

static void answer_read(struct crowd *w, struct req *req)
{
    req->read.docs = calloc(req->read.count, sizeof *req->read.docs);
    ck_assert_ptr_nonnull(req->read.docs);
    for (size_t i = 0; i < req->read.count; i++) {
        struct source_document *doc = &req->read.docs[i];
        int number = number_of(req->read.ids[i]);
        doc->id = docid_copy(req->read.ids[i]);
        if (number == OWNER) continue;
        idle_synced(doc);
        w->seen += !w->read[number];
        w->read[number] = true;
    }
}

static bool asks_for_owner(const struct req *req)
{
    for (size_t i = 0; i < req->lookup.doc_count; i++)
        if (strstr(req->lookup.docs[i], "\"0\"")) return true;
    return req->lookup.point_count > 0;
}

static void answer_lookup(const struct crowd *w, struct req *req)
{
    if (w->deleted || !asks_for_owner(req)) return;
    struct docid *owner = idle_id(OWNER);
    req->lookup.found = calloc(1, sizeof *req->lookup.found);
    ck_assert_ptr_nonnull(req->lookup.found);
    struct stamp *point = &req->lookup.found[req->lookup.found_count++];
    *point = (struct stamp){.ours = true, .doc = docid_json(owner), .key = strdup(key), .epoch = 1};
    memcpy(point->point_id, point_of_owner, sizeof point_of_owner);
    docid_free(owner);
}

static void answer_duplicates(struct req *req)
{
    int first = req->duplicates.from ? number_of(req->duplicates.from) + 1 : 1;
    ck_assert_uint_eq(req->duplicates.count, 1);
    ck_assert_str_eq(req->duplicates.keys[0], key);
    req->duplicates.ids = calloc(req->duplicates.max_ids, sizeof *req->duplicates.ids);
    ck_assert_ptr_nonnull(req->duplicates.ids);
    for (int i = first; i <= DUPLICATES && req->duplicates.id_count < req->duplicates.max_ids; i++)
        req->duplicates.ids[req->duplicates.id_count++] = idle_id(i);
}

static void answer(struct idle_world *idle, struct req *req)
{
    struct crowd *w = (struct crowd *)idle;
    switch (req->kind) {
    case REQ_STREAM_NEXT:
        if (!w->reported) idle_notify(req, CHANGE_DELETE, OWNER);
        w->reported = true;
        break;
    case REQ_READ:
        answer_read(w, req);
        break;
    case REQ_MAKE: /* nothing to embed */
        idle_made(req);
        for (size_t i = 0; i < req->make.count; i++) req->make.made[i].kind = MADE_NOTHING;
        break;
    case REQ_LOOKUP:
        answer_lookup(w, req);
        break;
    case REQ_DELETE:
        w->deleted = true;
        break;
    case REQ_DUPLICATES:
        answer_duplicates(req);
        break;
    default:
        idle_answer(idle, req);
    }
}

START_TEST(all_duplicates_of_a_freed_business_id_are_looked_at_in_bounded_memory)
{
    static struct crowd w;
    struct engine_config config;
    size_t peak = 0;
    w = (struct crowd){.idle = {.now_ms = 1000, .answer = answer}};
    idle_configure(&config);
    config.max_docs = MAX_DOCS;
    struct engine *e = idle_engine(&w.idle, &config);
    for (int i = 0; i < PATIENCE && w.seen < DUPLICATES; i++) {
        idle_put_off(&w.idle, REQ_READ);
        idle_step(&w.idle, e);
        if (engine_docs_in_work(e) > peak) peak = engine_docs_in_work(e);
    }
    ck_assert(w.deleted);
    ck_assert_uint_eq(w.seen, DUPLICATES);
    ck_assert_uint_le(peak, 2 * MAX_DOCS + READ);
    idle_end(&w.idle, e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine holders");
    TCase *tc = tcase_create("holders");
    tcase_add_test(tc, all_duplicates_of_a_freed_business_id_are_looked_at_in_bounded_memory);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
