/* answers_search.c - what users of search would find. */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/shape.h"
#include "service/title.h"

#define DEFAULT_LIMIT 10
#define MOST_HITS 100

static json_t *shape_hits(const struct search_hit *hits, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *payload = json_loads(hits[i].payload, JSON_ALLOW_NUL, NULL);
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:s, s:f, s:o}", "id",
                                              shape_text(hits[i].id), "title", shape_text(hits[i].title),
                                              "snippet", shape_text(hits[i].snippet), "name",
                                              shape_text(hits[i].name), "pointId", hits[i].point_id, "score",
                                              hits[i].score, "payload", payload ? payload : json_object()));
    }
    return list;
}

/* `?collections=tools,usecases` as a list of names; NULL if it isn't there. */
static json_t *names_asked(const struct call *call)
{
    const char *text = call_query(call, "collections");
    if (!text) return NULL;
    json_t *names = json_array();
    while (*text) {
        size_t bytes = strcspn(text, ",");
        if (bytes) json_array_append_new(names, json_stringn(text, bytes));
        text += bytes + (text[bytes] == ',');
    }
    return names;
}

/* `?filter=categories:Design&filter=status:beta`: the terms, and what they are as a filter of Qdrant's. */
struct asked_filter {
    const char *terms[CALL_MAX_QUERY];
    size_t count;
    char *json; /* owned */
};

/* False: 400 was answered. */
static bool read_filter(struct call *call, struct asked_filter *filter)
{
    struct lks_err err;
    for (size_t i = 0; i < call->query_count; i++)
        if (strcmp(call->query[i].name, "filter") == 0) filter->terms[filter->count++] = call->query[i].value;
    if (search_filter(filter->terms, filter->count, &filter->json, &err) == LKS_E_OK) return true;
    call_fail(call, 400, "BAD_REQUEST", "`filter`: %s", err.text);
    return false;
}

static void ask(struct call *call, const struct service_source *source, uint64_t set,
                const struct asked_filter *filter, size_t limit)
{
    struct search_collection asked[ENGINE_MAX_COLLECTIONS];
    struct search_results results;
    struct lks_err err;
    size_t count = 0;
    for (size_t i = 0; i < source->all.count; i++)
        if (!set || set >> i & 1) asked[count++] = source->search[i];
    if (search(call->service->embedders, source->all.qdrant, asked, count, call_query(call, "q"),
               filter->json, limit, &results, &err) != LKS_E_OK) {
        call_fail_err(call, &err);
        return;
    }
    if (search_notes(source->all.qdrant, asked, filter->terms, filter->count, &results, &err) != LKS_E_OK ||
        titles_fill(&source->all, source->title, &results, &err) != LKS_E_OK) {
        call_fail_err(call, &err);
        search_fini(&results);
        return;
    }
    json_t *collections = json_object(), *errors = json_object(), *notes = json_array();
    for (size_t i = 0; i < results.note_count; i++)
        json_array_append_new(notes, shape_text(results.notes[i]));
    for (size_t i = 0; i < results.count; i++) {
        const struct search_result *r = &results.collections[i];
        if (r->err.code == LKS_E_OK)
            json_object_set_new(collections, r->collection, shape_hits(r->hits, r->count));
        else
            json_object_set_new(errors, r->collection,
                                json_pack("{s:o, s:s}", "error", shape_text(r->err.text), "code",
                                          lks_code_name(r->err.code)));
    }
    if (json_object_size(collections) == 0) { /* all of them failed, mostly of one cause */
        const struct lks_err *first = &results.collections[0].err;
        call_fail(call, 503, lks_code_name(first->code), "%s", first->text);
        json_decref(collections);
        json_decref(errors);
        json_decref(notes);
    } else {
        call_json(call, 200,
                  json_pack("{s:o, s:o, s:o, s:o}", "collections", collections, "fused",
                            shape_hits(results.fused, results.fused_count), "errors", errors, "notes",
                            notes));
    }
    search_fini(&results);
}

void answer_search(struct call *call)
{
    const struct service_source *source = call_source(call);
    const char *text = call_query(call, "q");
    uint64_t set = 0;
    long limit;
    if (!source || !call_query_number(call, "limit", 1, MOST_HITS, DEFAULT_LIMIT, &limit)) return;
    if (!text || !*text) {
        call_fail(call, 400, "BAD_REQUEST", "`q` says what to search for");
        return;
    }
    json_t *names = names_asked(call);
    struct asked_filter filter = {.count = 0};
    if (call_collections(call, source, names, &set) && read_filter(call, &filter))
        ask(call, source, set, &filter, (size_t)limit);
    free(filter.json);
    json_decref(names);
}
