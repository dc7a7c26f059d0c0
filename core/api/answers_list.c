/* answers_list.c - pages of documents and their state, and what puts them in line to be done again. */
#include "api/answers_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/shape.h"
#include "service/documents.h"
#include "service/lookup.h"

#define DEFAULT_LIMIT 20
#define MOST_LIMIT 100
#define MOST_PAGES 1000000
#define MOST_SEARCH_BYTES 200

static const char every[] = "all"; /* what a filter may say in place of nothing */

static bool is_collection(const struct service_source *source, const char *name)
{
    for (size_t i = 0; i < source->all.count; i++)
        if (strcmp(source->all.names[i], name) == 0) return true;
    return false;
}

static bool read_collection(struct call *call, const struct service_source *source, size_t *out)
{
    const char *name = call_query(call, "collection");
    uint64_t set = 0;
    *out = MONGO_OVERALL;
    if (!name || (strcmp(name, every) == 0 && !is_collection(source, every))) return true;
    json_t *names = json_pack("[s]", name);
    bool good = call_collections(call, source, names, &set);
    json_decref(names);
    for (size_t i = 0; good && i < source->all.count; i++)
        if (set >> i & 1) *out = i;
    return good;
}

static bool read_status(struct call *call, struct mongo_list_request *request)
{
    const char *status = call_query(call, "status");
    if (!status || strcmp(status, every) == 0) return true;
    request->filtered = true;
    if (sync_status_parse(status, &request->status)) return true;
    call_fail(call, 400, "BAD_REQUEST", "`status` takes synced, pending, stale, failed or all, not %.100s",
              status);
    return false;
}

static bool read_sort(struct call *call, struct mongo_list_request *request)
{
    static const char *const names[] = {[MONGO_SORT_ID] = "id",
                                        [MONGO_SORT_NAME] = "name",
                                        [MONGO_SORT_UPDATED] = "updated",
                                        [MONGO_SORT_STATUS] = "status"};
    const char *sort = call_query(call, "sort");
    if (!sort) return true;
    request->descending = *sort == '-';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(sort + request->descending, names[i]) != 0) continue;
        request->sort = (enum mongo_sort)i;
        return true;
    }
    call_fail(
        call, 400, "BAD_REQUEST",
        "`sort` takes id, name, updated or status, with `-` before it for the other way round, not %.100s",
        sort);
    return false;
}

bool list_read_page(struct call *call, struct mongo_list_request *request, long *page)
{
    long limit;
    if (!call_query_clamped(call, "page", 1, MOST_PAGES, 1, page) ||
        !call_query_clamped(call, "limit", 1, MOST_LIMIT, DEFAULT_LIMIT, &limit))
        return false;
    request->limit = (size_t)limit;
    request->skip = (size_t)(*page - 1) * request->limit;
    request->search = call_query(call, "search");
    if (!request->search || strlen(request->search) <= MOST_SEARCH_BYTES) return true;
    call_fail(call, 400, "BAD_REQUEST", "`search` may have %d bytes", MOST_SEARCH_BYTES);
    return false;
}

json_t *list_pagination(const struct mongo_list *list, const struct mongo_list_request *request, long page)
{
    int64_t limit = (int64_t)request->limit;
    json_t *out =
        json_pack("{s:I, s:I, s:I, s:I}", "page", (json_int_t)page, "limit", (json_int_t)limit, "total",
                  (json_int_t)list->total, "totalPages", (json_int_t)((list->total + limit - 1) / limit));
    if (!list->exact) json_object_set_new(out, "atLeast", json_true());
    return out;
}

void answer_list(struct call *call)
{
    const struct service_source *source = call_source_segment(call, 2);
    struct mongo_list_request request = {.sort = MONGO_SORT_ID};
    struct mongo_list list;
    struct lks_err err;
    long page;
    if (!source || !read_collection(call, source, &request.collection) || !read_status(call, &request) ||
        !read_sort(call, &request) || !list_read_page(call, &request, &page))
        return;
    if (lookup_list(source, &request, &list, &err) != LKS_E_OK) {
        call_fail_err(call, &err);
        return;
    }
    json_t *data = json_array();
    for (size_t i = 0; i < list.count; i++) json_array_append_new(data, shape_entry(source, &list.docs[i]));
    call_json(call, 200,
              json_pack("{s:o, s:o}", "data", data, "pagination", list_pagination(&list, &request, page)));
    call_tag(call);
    mongo_docs_free(list.docs, list.count);
}

/* ---- again ---- */

/* Who comes to what is due, and when. */
static void say_who(struct call *call, const struct service_source *source, char *out, size_t bytes)
{
    struct engine_snapshot *s = malloc(sizeof *s);
    bool known = s && control_snapshot(call->service->control, call_source_index(call, source), s);
    if (known && s->phase == PHASE_RUN)
        snprintf(out, bytes, "they are being done");
    else if (known && s->lease_holder[0])
        snprintf(out, bytes,
                 "the process that keeps this source in sync (%s) comes to them at its next cycle",
                 s->lease_holder);
    else
        snprintf(out, bytes, "they are done as soon as a process keeps this source in sync");
    free(s);
}

void answer_all_pending(struct call *call)
{
    const struct service_source *source = call_source(call);
    struct lks_err err;
    int64_t queued;
    char who[300], message[400];
    if (!source) return;
    if (documents_requeue(call->service, call_source_index(call, source), &queued, &err) != LKS_E_OK) {
        call_fail_err(call, &err);
        return;
    }
    say_who(call, source, who, sizeof who);
    if (queued)
        snprintf(message, sizeof message, "%lld document%s queued; %s", (long long)queued,
                 queued == 1 ? " is" : "s are", who);
    else
        snprintf(message, sizeof message, "all documents are synced");
    call_json(call, 200,
              json_pack("{s:I, s:o}", "queued", (json_int_t)queued, "message", shape_text(message)));
}

void answer_reset(struct call *call)
{
    const struct service_source *source = call_source(call);
    struct source_document doc;
    struct lks_err err;
    if (!source) return;
    if (documents_reset(call->service, call_source_index(call, source), call->segments[3], &doc, &err) !=
        LKS_E_OK) {
        call_fail_err(call, &err);
        return;
    }
    call_json(call, 200,
              json_pack("{s:s, s:o}", "message",
                        "the document is pending in all collections, and is made again", "tool",
                        shape_entry(source, &doc)));
    source_document_fini(&doc);
}
