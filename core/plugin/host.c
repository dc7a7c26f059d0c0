/*
 * host.c - the functions behind struct lks_host.
 *
 * Each call has an arena with a cap; the first thing that goes wrong is remembered, everything after it does
 * nothing, and it becomes the verdict. Owns what it hands out until the callback returns; never blocks, never
 * shows a plugin more than collection/ shows it.
 */
#include "plugin/host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "plugin/crash.h"

/* The public part comes first: a plugin's pointer to it is a pointer to this. */
struct call {
    struct lks_call public;
    struct making *making; /* NULL in open() */
    enum host_call kind;
    struct arena arena;
    lks_verdict refused; /* LKS_OK: nothing went wrong */
    char refusal[300];
    char reason[LKS_ERR_TEXT_BYTES];
};

static const char *const call_names[] = {
    [HOST_OPEN] = "open", [HOST_TEXT] = "text", [HOST_PAYLOAD_MORE] = "payload_more"};

static struct call *of(struct lks_call *call)
{
    return (struct call *)call;
}

static void refuse(struct call *c, lks_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void refuse(struct call *c, lks_verdict verdict, const char *format, ...)
{
    va_list args;
    if (c->refused != LKS_OK) return;
    va_start(args, format);
    vsnprintf(c->refusal, sizeof c->refusal, format, args);
    va_end(args);
    c->refused = verdict;
}

/* True if this function may be used now. */
static bool may(struct call *c, const char *function, bool allowed)
{
    if (!allowed) refuse(c, LKS_RETRY, "%s() can't be used in %s()", function, call_names[c->kind]);
    return c->refused == LKS_OK;
}

/* An undeclared field would be there in a preview and missing in the daemon, which reads only what is
 * declared; and no change of it would be noticed. */
static bool may_read(struct call *c, const char *function, const char *field)
{
    if (!may(c, function, c->making != NULL)) return false;
    if (field && !making_may_read(c->making, field))
        refuse(c, LKS_RETRY,
               "%s() was asked for the field `%.100s`, which is not declared; add it to `reads`", function,
               field);
    return c->refused == LKS_OK;
}

/* NULL, and remembered, when the arena is full, or can't grow now. */
static void *checked(struct call *c, void *memory)
{
    if (!memory && c->arena.full)
        refuse(c, LKS_REJECT, "more than %zu MB are needed for this document", HOST_ALLOC_MAX_BYTES >> 20);
    else if (!memory)
        refuse(c, LKS_RETRY, "out of memory");
    return memory;
}

static void *host_alloc(struct lks_call *call, size_t bytes)
{
    struct call *c = of(call);
    return c->refused == LKS_OK ? checked(c, arena_alloc(&c->arena, bytes)) : NULL;
}

struct list {
    struct call *call;
    const char **items;
    size_t count, capacity;
};

static bool add_item(void *context, const char *bytes, size_t count)
{
    struct list *list = context;
    struct call *c = list->call;
    if (list->count + 1 >= list->capacity) {
        size_t capacity = list->capacity * 2;
        const char **items = checked(c, arena_alloc(&c->arena, capacity * sizeof *items));
        if (!items) return false;
        memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    const char *item = checked(c, arena_clean_text(&c->arena, bytes, count, NULL));
    if (item) list->items[list->count++] = item;
    return item != NULL;
}

static const char *const *host_strings(struct lks_call *call, const char *field)
{
    static const char *const none[] = {NULL};
    struct call *c = of(call);
    if (!may_read(c, "strings", field)) return none;
    struct list list = {.call = c, .capacity = 8};
    list.items = checked(c, arena_alloc(&c->arena, list.capacity * sizeof *list.items));
    if (!list.items || !field) return none;
    making_values(c->making, field, add_item, &list);
    return c->refused == LKS_OK ? list.items : none;
}

static const char *host_string(struct lks_call *call, const char *field)
{
    struct call *c = of(call);
    if (!may_read(c, "string", field)) return "";
    const char *const *items = host_strings(call, field);
    size_t bytes = 1;
    for (size_t i = 0; items[i]; i++) bytes += strlen(items[i]) + 2;
    char *text = checked(c, arena_alloc(&c->arena, bytes)), *at = text;
    if (!text) return "";
    for (size_t i = 0; items[i]; i++) {
        size_t length = strlen(items[i]);
        if (i) memcpy(at, ", ", 2);
        at += i ? 2 : 0;
        memcpy(at, items[i], length);
        at += length;
    }
    return text;
}

static void host_weighted(struct lks_call *call)
{
    struct call *c = of(call);
    if (may(c, "weighted", c->kind == HOST_TEXT)) making_weighted(c->making);
}

static void host_sentence(struct lks_call *call, const char *pattern)
{
    struct call *c = of(call);
    const char *reason = "is NULL";
    if (!may(c, "sentence", c->kind == HOST_TEXT)) return;
    if (!pattern || !making_sentence(c->making, pattern, &reason))
        refuse(c, LKS_RETRY, "the sentence `%.100s` %s", pattern ? pattern : "", reason);
}

static void host_write(struct lks_call *call, const char *text, size_t bytes)
{
    struct call *c = of(call);
    if (may(c, "write", c->kind == HOST_TEXT) && text) making_write(c->making, text, bytes);
}

static void host_put(struct lks_call *call, const char *name, const bson_value_t *value)
{
    struct call *c = of(call);
    const char *reason;
    if (!may(c, "put", c->kind == HOST_PAYLOAD_MORE)) return;
    if (!making_put(c->making, name, value, &reason))
        refuse(c, LKS_RETRY, "put() was given %s: `%.60s`", reason, name ? name : "");
    else if (making_put_bytes(c->making) > HOST_PUT_MAX_BYTES)
        refuse(c, LKS_REJECT, "more than %zu MB were put into the payload", HOST_PUT_MAX_BYTES >> 20);
}

static void host_put_string(struct lks_call *call, const char *name, const char *value)
{
    size_t bytes = value ? strlen(value) : 0;
    bson_value_t boxed = {.value_type = BSON_TYPE_NULL};
    if (bytes > HOST_PUT_MAX_BYTES) {
        refuse(of(call), LKS_REJECT, "more than %zu MB were put into the payload", HOST_PUT_MAX_BYTES >> 20);
        return;
    }
    if (value) {
        boxed.value_type = BSON_TYPE_UTF8;
        boxed.value.v_utf8.str = (char *)(uintptr_t)value; /* only read */
        boxed.value.v_utf8.len = (uint32_t)bytes;
    }
    host_put(call, name, &boxed);
}

static void host_reason(struct lks_call *call, const char *format, ...) BSON_GNUC_PRINTF(2, 3);

static void host_reason(struct lks_call *call, const char *format, ...)
{
    struct call *c = of(call);
    va_list args;
    va_start(args, format);
    vsnprintf(c->reason, sizeof c->reason, format, args);
    va_end(args);
}

static const struct lks_host host = {
    .size = sizeof host,
    .string = host_string,
    .strings = host_strings,
    .alloc = host_alloc,
    .weighted = host_weighted,
    .sentence = host_sentence,
    .write = host_write,
    .put = host_put,
    .put_string = host_put_string,
    .why = host_reason,
};

static lks_verdict dispatch(const struct lks_plugin *plugin, struct call *c, void *self)
{
    switch (c->kind) {
    case HOST_OPEN:
        return plugin->open(&c->public, self);
    case HOST_TEXT:
        return plugin->text(&c->public, self);
    default:
        return plugin->payload_more(&c->public, self);
    }
}

/* Who, where and why, as every error of a plugin says it. */
static void explain(const struct host_caller *caller, const struct call *c, lks_verdict verdict,
                    struct lks_err *err)
{
    struct buf id;
    const char *reason = c->refused != LKS_OK ? c->refusal : c->reason;
    buf_init(&id, 200);
    if (c->making) {
        buf_puts(&id, ", document ");
        making_id(c->making, &id);
    }
    lks_fail(err, LKS_E_PLUGIN, "collection `%s`, plugin `%s`, %s()%s: ", caller->collection,
             caller->plugin->name, call_names[c->kind], id.data && !id.failed ? id.data : "");
    size_t used = strlen(err->text);
    bool known = verdict >= LKS_OK && verdict <= LKS_FATAL;
    if (!known)
        snprintf(err->text + used, sizeof err->text - used, "answered %d, which is no verdict", (int)verdict);
    else
        snprintf(err->text + used, sizeof err->text - used, "%s", *reason ? reason : "gave no reason");
    lks_fail(err, LKS_E_PLUGIN, "%s", err->text); /* makes it valid UTF-8 again where it was cut */
    buf_fini(&id);
}

lks_verdict host_run(const struct host_caller *caller, enum host_call kind, struct making *m,
                     const bson_t *doc, struct lks_err *err)
{
    struct call c = {.public = {.host = &host, .collection = caller->collection, .doc = doc},
                     .making = m,
                     .kind = kind,
                     .refused = LKS_OK};
    struct buf id;
    buf_init(&id, CRASH_ID_BYTES);
    if (m) making_id(m, &id);
    arena_init(&c.arena, HOST_ALLOC_MAX_BYTES);
    atomic_store(caller->running, call_names[kind]);
    crash_enter(caller->plugin->name, caller->collection, call_names[kind],
                id.data && !id.failed ? id.data : "");
    lks_verdict verdict = dispatch(caller->plugin, &c, caller->self);
    crash_leave();
    atomic_store(caller->running, NULL);
    buf_fini(&id);
    if (c.refused != LKS_OK) verdict = c.refused;
    if (verdict != LKS_OK && verdict != LKS_SKIP) explain(caller, &c, verdict, err);
    arena_fini(&c.arena);
    return verdict;
}
