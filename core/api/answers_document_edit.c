/*
 * answers_document_edit.c - documents for applications: read, listed, created, changed, deleted. Answers when
 * MongoDB has it; waits for the points only if that is asked for, and never fails because of them.
 */
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/answers_list.h"
#include "api/shape.h"
#include "service/documents.h"
#include "service/documents_json.h"
#include "service/lookup.h"

#define MOST_WAIT_MS 60000
#define MOST_WAITING 3 /* calls at once: a few threads answer, and others want them, too */

static atomic_int waiting;

/* ---- reading ---- */

void answer_documents(struct call *call)
{
    static const char *const known[] = {"search", "page", "limit", NULL};
    const struct service_source *source = call_source_segment(call, 1);
    struct mongo_list_request request = {.whole = true, .collection = MONGO_OVERALL};
    struct mongo_list list;
    struct lks_err err;
    long page;
    if (!source || !call_query_knows(call, known) || !list_read_page(call, &request, &page)) return;
    if (lookup_list(source, &request, &list, &err) != LKS_E_OK) {
        call_fail_err(call, &err);
        return;
    }
    json_t *data = json_array();
    for (size_t i = 0; data && i < list.count; i++)
        if (json_array_append_new(data, document_json(list.docs[i].body)) != 0) {
            json_decref(data);
            data = NULL; /* memory is out, which call_json() says */
        }
    call_json(call, 200,
              json_pack("{s:o, s:o}", "data", data, "pagination", list_pagination(&list, &request, page)));
    call_tag(call);
    mongo_docs_free(list.docs, list.count);
}

void answer_document(struct call *call)
{
    const struct service_source *source = call_source_segment(call, 1);
    struct source_document doc;
    struct lks_err err;
    if (!source) return;
    if (lookup_document(source, call->segments[2], &doc, &err) != LKS_E_OK) {
        call_fail_err(call, &err);
        return;
    }
    call_json(call, 200, document_json(doc.body));
    source_document_fini(&doc);
}

/* ---- waiting, if it is asked for ---- */

/* The seconds of `wait=SECONDS` among preferences (RFC 7240); -1 if there is none that can be read. */
static long preferred_wait(const char *prefer)
{
    while (prefer && *prefer) {
        char *end = NULL;
        prefer += strspn(prefer, " \t,;");
        size_t bytes = strcspn(prefer, ",;");
        if (strncasecmp(prefer, "wait", 4) == 0) {
            const char *at = prefer + 4 + strspn(prefer + 4, " \t");
            const char *value = *at == '=' ? at + 1 + strspn(at + 1, " \t\"") : "";
            long seconds = *value >= '0' && *value <= '9' ? strtol(value, &end, 10) : -1;
            if (seconds >= 0 && strspn(end, " \t\"") >= (size_t)(prefer + bytes - end)) return seconds;
        }
        prefer += bytes;
    }
    return -1;
}

struct wait_request {
    long ms; /* -1: nobody asked to wait */
    bool preferred;
};

/* `?wait=MS`, else `Prefer: wait=SECONDS`. False: 400 was answered. */
static bool read_wait(struct call *call, struct wait_request *request)
{
    long seconds = preferred_wait(call_header(call, "Prefer"));
    *request = (struct wait_request){.ms = -1};
    if (call_query(call, "wait")) return call_query_number(call, "wait", 0, MOST_WAIT_MS, 0, &request->ms);
    if (seconds < 0) return true;
    request->preferred = true;
    request->ms = seconds > MOST_WAIT_MS / 1000 ? MOST_WAIT_MS : seconds * 1000;
    return true;
}

/* Is everything in sync after the wait? */
static bool wait_for_sync(struct call *call, const struct service_source *source, const struct docid *id,
                          long ms)
{
    struct control_answer answer;
    struct lks_err err;
    bool synced = control_resync(call->service->control, call_source_index(call, source), id, 0, false, ms,
                                 &answer, &err) == LKS_E_OK;
    for (size_t i = 0; i < answer.count; i++)
        if (answer.outcomes[i].asked && !answer.outcomes[i].success) synced = false;
    control_answer_fini(&answer);
    return synced;
}

static void wait_as_wished(struct call *call, const struct service_source *source, const struct docid *id,
                           const struct wait_request *request)
{
    char applied[32];
    bool synced = false, granted;
    if (request->ms < 0) return;
    granted = atomic_fetch_add(&waiting, 1) < MOST_WAITING;
    if (granted) synced = wait_for_sync(call, source, id, request->ms);
    atomic_fetch_sub(&waiting, 1);
    call_answer_header(call, "Lockstep-Synced", synced ? "yes" : "no");
    if (!request->preferred || !granted) return;
    snprintf(applied, sizeof applied, "wait=%ld", request->ms / 1000);
    call_answer_header(call, "Preference-Applied", applied);
}

/* ---- writing ---- */

static void fail_edit(struct call *call, const struct lks_err *err)
{
    switch (err->code) {
    case LKS_E_VALIDATION:
        call_fail(call, 400, "BAD_REQUEST", "%s", err->text);
        break;
    case LKS_E_REFUSED:
        call_fail(call, 400, "REFUSED", "%s", err->text);
        break;
    case LKS_E_EXISTS:
        call_fail(call, 409, "EXISTS", "%s", err->text);
        break;
    case LKS_E_MISSED:
        call_fail(call, 409, "CHANGED_MEANWHILE", "%s", err->text);
        break;
    case LKS_E_CANCELLED:
        call_fail(call, 503, "NOT_CONFIRMED", "%s", err->text);
        break;
    default:
        call_fail_err(call, err);
    }
}

/* `Lockstep-Affects: tools, interface`; nothing if it is no collection. */
static void say_affected(struct call *call, const struct service_source *source, uint64_t set)
{
    struct buf names;
    buf_init(&names, 0);
    for (size_t i = 0; i < source->all.count; i++)
        if (set >> i & 1) buf_printf(&names, "%s%s", names.bytes ? ", " : "", source->all.names[i]);
    buf_putc(&names, '\0');
    if (set && !names.failed) call_answer_header(call, "Lockstep-Affects", names.data);
    buf_fini(&names);
}

/* /api/SOURCE/ID, percent-encoded */
static void say_location(struct call *call, const struct service_source *source,
                         const struct source_document *doc)
{
    struct buf at;
    char *id = lookup_id(source, doc);
    buf_init(&at, 0);
    buf_printf(&at, "/api/%s/", source->all.name);
    for (const char *c = id; c && *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                     strchr("-._~", *c);
        buf_printf(&at, plain ? "%c" : "%%%02X", plain ? *c : (unsigned char)*c);
    }
    buf_putc(&at, '\0');
    if (id && !at.failed) call_answer_header(call, "Location", at.data);
    free(id);
    buf_fini(&at);
}

/* The body must be there: an empty one would be an empty object. */
static json_t *read_document(struct call *call)
{
    if (call->body.bytes) return call_object(call);
    call_fail(call, 400, "BAD_REQUEST", "the body must be a JSON object");
    return NULL;
}

/* Creates what the body says, or changes document `id` by it. */
static void write_document(struct call *call, const char *id, int status)
{
    const struct service_source *source = call_source_segment(call, 1);
    struct documents_written written;
    struct wait_request wait;
    struct lks_err err;
    json_t *body = source && read_wait(call, &wait) ? read_document(call) : NULL;
    if (!body) return;
    if ((id ? documents_patch(source, id, body, &written, &err)
            : documents_create(source, body, &written, &err)) != LKS_E_OK) {
        fail_edit(call, &err);
    } else {
        say_affected(call, source, written.affects);
        if (!id) say_location(call, source, &written.doc);
        wait_as_wished(call, source, written.doc.id, &wait);
        call_json(call, status, document_json(written.doc.body));
        source_document_fini(&written.doc);
    }
    json_decref(body);
}

void answer_create(struct call *call)
{
    write_document(call, NULL, 201);
}

void answer_patch(struct call *call)
{
    write_document(call, call->segments[2], 200);
}

void answer_delete(struct call *call)
{
    const struct service_source *source = call_source_segment(call, 1);
    struct documents_written written;
    struct wait_request wait;
    struct lks_err err;
    if (!source || !read_wait(call, &wait)) return;
    if (documents_delete(source, call->segments[2], &written, &err) != LKS_E_OK) {
        fail_edit(call, &err);
        return;
    }
    say_affected(call, source, written.affects);
    wait_as_wished(call, source, written.doc.id, &wait);
    call_text(call, 204, "application/json", NULL, 0);
    source_document_fini(&written.doc);
}
