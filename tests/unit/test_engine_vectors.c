/* test_engine_vectors.c - where the vector comes from that a payload is written with, and where it does not
 * go. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "idle_world.h"
#include "suite.h"

#define POINT "00000000-0000-5000-8000-000000000001"
#define DIMENSIONS 4

/* A document whose payload changed, and what its point has. */
struct there {
    const char *what;
    size_t dimensions; /* of the vector that comes; 0: it can't be used */
    bool missing;      /* the point is gone */
    bool further;      /* there are vectors under further names */
    const char *content_hash;
    bool embeds;
};

static const struct there cases[] = {
    {"its vector", DIMENSIONS, false, false, "text", false},
    {"a vector of another size", DIMENSIONS + 1, false, false, "text", true},
    {"a vector with a null", 0, false, false, "text", true},
    {"the vector of another text", DIMENSIONS, false, false, "other", true},
    {"no point", 0, true, false, "text", true},
    {"its vector, beside others", DIMENSIONS, false, true, "text", false},
};

struct vector_world {
    struct idle_world idle; /* first */
    const struct there *there;
    bool reported, written;
    size_t looks, embeds, upserts;
    size_t bytes_with_vector;
    struct engine *engine;
};

static void answer_look(struct vector_world *w, struct req *req)
{
    const struct there *there = w->there;
    w->looks++;
    ck_assert_uint_eq(req->lookup.point_count, 1);
    ck_assert_uint_eq(req->lookup.vector_count, 1);
    ck_assert_uint_eq(req->lookup.doc_count,
                      w->written); /* its record is believed: its point alone is asked */
    if (there->missing && !w->written) return;
    struct stamp *found = req->lookup.found = calloc(1, sizeof *found);
    req->lookup.found_count = 1;
    found->ours = true;
    found->doc = strdup("{\"$numberInt\":\"1\"}");
    found->key = strdup("key");
    found->epoch = 7;
    found->further = there->further;
    strcpy(found->point_id, POINT);
    strcpy(found->content_hash, w->written ? "text" : there->content_hash);
    strcpy(found->payload_hash, w->written ? "new" : "old");
    if (!there->dimensions) return;
    found->vector = calloc(there->dimensions, sizeof *found->vector);
    found->vector[1] = 0.25F;
    found->dimensions = there->dimensions;
}

static void answer(struct idle_world *world, struct req *req)
{
    struct vector_world *w = (struct vector_world *)world;
    struct entry *entry;
    struct engine_snapshot now;
    idle_answer(world, req);
    switch (req->kind) {
    case REQ_STATE_LOAD: /* as it was left: nothing has to be compared */
        req->state_load.state.digests = calloc(2, sizeof(char *));
        req->state_load.state.digests[0] = strdup("d");
        break;
    case REQ_ENSURE:
        req->ensure.further = w->there->further;
        break;
    case REQ_STREAM_NEXT:
        if (!w->reported) idle_notify(req, CHANGE_UPDATE, 1);
        w->reported = true;
        break;
    case REQ_READ:
        idle_synced(&req->read.docs[0]);
        entry = &req->read.docs[0].record.entries[0];
        strcpy(entry->content_hash, "text");
        strcpy(entry->payload_hash, "old");
        strcpy(entry->point_id, POINT);
        break;
    case REQ_MAKE:
        idle_made(req);
        idle_point(&req->make.made[0], POINT);
        strcpy(req->make.made[0].content_hash, "text");
        strcpy(req->make.made[0].payload_hash, "new");
        break;
    case REQ_LOOKUP:
        answer_look(w, req);
        break;
    case REQ_EMBED:
        w->embeds++;
        idle_embedded(req);
        req->embed.vectors[0] = calloc(DIMENSIONS, sizeof(float));
        req->embed.vectors[0][1] = 0.75F;
        req->embed.dimensions = DIMENSIONS;
        break;
    case REQ_UPSERT:
        w->upserts++;
        w->written = true;
        ck_assert_uint_eq(req->write.points[0].dimensions, DIMENSIONS);
        ck_assert_float_eq(req->write.points[0].vector[1], w->there->embeds ? 0.75F : 0.25F);
        ck_assert_str_eq(req->write.points[0].payload_hash, "new");
        ck_assert(req->write.points[0].keeps == w->there->further);
        engine_snapshot(w->engine, &now);
        w->bytes_with_vector = now.bytes_in_work;
        break;
    default:
        break;
    }
}

START_TEST(a_payload_is_written_with_the_vector_that_the_point_has)
{
    struct engine_config config;
    struct vector_world w = {.idle = {.now_ms = 1000, .answer = answer}, .there = &cases[_i]};
    idle_configure(&config);
    w.engine = idle_engine(&w.idle, &config);
    for (int i = 0; i < 300; i++) idle_step(&w.idle, w.engine);
    struct engine_snapshot last;
    engine_snapshot(w.engine, &last);
    ck_assert_msg(w.upserts == 1, "%s: %zu upserts", w.there->what, w.upserts);
    ck_assert_msg(w.embeds == w.there->embeds, "%s: %zu embeddings", w.there->what, w.embeds);
    ck_assert_uint_eq(w.looks, 1 + w.there->further); /* once more where nobody says that it was written */
    ck_assert_uint_eq(w.bytes_with_vector, w.there->embeds ? 0 : DIMENSIONS * sizeof(float));
    ck_assert_uint_eq(last.bytes_in_work, 0);
    ck_assert_uint_eq(last.docs_in_work, 0);
    ck_assert_uint_eq(last.collections[0].payloads, !w.there->embeds);
    ck_assert_uint_eq(last.collections[0].failed, 0);
    idle_end(&w.idle, w.engine);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine vectors");
    TCase *tc = tcase_create("vectors");
    tcase_add_loop_test(tc, a_payload_is_written_with_the_vector_that_the_point_has, 0,
                        (int)(sizeof cases / sizeof *cases));
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
