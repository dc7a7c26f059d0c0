/* faults.c - the rules and counters of faults.h. It owns both, behind one mutex; it never looks into requests
 * beyond their names. */
#include "config.h" /* _GNU_SOURCE, for memmem */

#include "qdrant_http/faults.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct rule {
    struct rule *next;
    uint64_t number;
    char *method, *kind, *collection, *path; /* patterns, or NULL for any */
    char *text;                              /* somewhere in the body, or NULL */
    uint64_t skip;
    uint64_t left; /* 0: until cleared */
    bool endless;
    struct fault fault;
};

struct counter {
    struct counter *next;
    char *collection; /* "" for all */
    char *group;
    char *name;
    uint64_t value;
};

struct faults {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t last_number;
    uint64_t clearings; /* grows with every clear, so that waiters notice */
    bool stopped;
    struct rule *rules;
    struct counter *counters;
    const char *things;
};

struct faults *faults_new(const char *things)
{
    struct faults *f = must_alloc(sizeof *f);
    pthread_condattr_t attributes;

    memset(f, 0, sizeof *f);
    f->things = things;
    pthread_mutex_init(&f->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&f->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return f;
}

void fault_fini(struct fault *fault)
{
    free(fault->body);
    free(fault->content_type);
    free(fault->headers);
    memset(fault, 0, sizeof *fault);
}

static void free_rule(struct rule *r)
{
    fault_fini(&r->fault);
    free(r->method);
    free(r->kind);
    free(r->collection);
    free(r->path);
    free(r->text);
    free(r);
}

void faults_reset_counters(struct faults *f)
{
    pthread_mutex_lock(&f->mutex);
    while (f->counters) {
        struct counter *next = f->counters->next;

        free(f->counters->collection);
        free(f->counters->group);
        free(f->counters->name);
        free(f->counters);
        f->counters = next;
    }
    pthread_mutex_unlock(&f->mutex);
}

void faults_free(struct faults *f)
{
    faults_clear(f, 0);
    faults_reset_counters(f);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->mutex);
    free(f);
}

static char *text_of(const struct json *v)
{
    return v && v->type == JSON_STRING ? strdup(v->u.string) : NULL;
}

static uint64_t number_of(const struct json *v, uint64_t otherwise)
{
    return v && v->type == JSON_INT && v->u.integer >= 0 ? v->u.uinteger : otherwise;
}

static bool truth_of(const struct json *v)
{
    return v && v->type == JSON_BOOL && v->u.boolean;
}

static const char *read_garble(const struct json *v, struct fault *out)
{
    if (!v) return NULL;
    if (json_string_is(v, "truncate"))
        out->garble = GARBLE_TRUNCATE;
    else if (json_string_is(v, "noise"))
        out->garble = GARBLE_NOISE;
    else if (json_string_is(v, "cut"))
        out->garble = GARBLE_CUT;
    else
        return "garble is truncate, noise or cut";
    return NULL;
}

static void read_headers(const struct json *v, struct fault *out)
{
    if (!v || v->type != JSON_OBJECT || !v->count) return;
    out->headers = must_alloc(v->count * sizeof *out->headers);
    for (uint32_t i = 0; i < v->count; i++) {
        const struct json_member *m = &v->u.members[i];

        if (m->value.type != JSON_STRING && m->value.type != JSON_INT) continue;
        snprintf(out->headers[out->header_count][0], sizeof out->headers[0][0], "%s", m->key);
        if (m->value.type == JSON_STRING)
            snprintf(out->headers[out->header_count][1], sizeof out->headers[0][1], "%s", m->value.u.string);
        else
            snprintf(out->headers[out->header_count][1], sizeof out->headers[0][1], "%lld",
                     (long long)m->value.u.integer);
        out->header_count++;
    }
}

static void read_body(const struct json *v, struct fault *out)
{
    struct buf text;

    if (!v) return;
    if (v->type == JSON_STRING) {
        out->body = strdup(v->u.string);
        return;
    }
    buf_init(&text, 0);
    json_write(&text, v);
    out->body = buf_take(&text, NULL);
    out->content_type = strdup("application/json");
}

/* A misspelt key would make a test pass for nothing, so keys are checked. */
static const char *check_keys(const struct json *rule)
{
    static const char *const known[] = {"method",       "kind",          "collection", "model",  "path",
                                        "text",         "skip",          "count",      "status", "body",
                                        "content_type", "headers",       "reset",      "apply",  "delay_ms",
                                        "hang",         "result_status", "garble",     "distort"};

    if (rule->type != JSON_OBJECT) return "a rule is an object";
    for (uint32_t i = 0; i < rule->count; i++) {
        bool found = false;

        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strcmp(rule->u.members[i].key, known[k]) == 0) found = true;
        if (!found) return "unknown key in a rule";
    }
    return NULL;
}

static const char *read_rule(const struct json *v, struct rule *r)
{
    struct fault *fault = &r->fault;
    const struct json *status = json_get(v, "result_status");
    const struct json *distort = json_get(v, "distort");

    r->method = text_of(json_get(v, "method"));
    r->kind = text_of(json_get(v, "kind"));
    r->collection = text_of(json_get(v, "collection"));
    if (!r->collection) r->collection = text_of(json_get(v, "model"));
    r->path = text_of(json_get(v, "path"));
    r->text = text_of(json_get(v, "text"));
    r->skip = number_of(json_get(v, "skip"), 0);
    r->left = number_of(json_get(v, "count"), 1);
    r->endless = r->left == 0;
    fault->hit = true;
    fault->status = (int)number_of(json_get(v, "status"), 0);
    if (fault->status && (fault->status < 200 || fault->status > 599)) return "status is from 200 to 599";
    fault->reset = truth_of(json_get(v, "reset"));
    fault->apply = truth_of(json_get(v, "apply"));
    fault->delay_ms = number_of(json_get(v, "delay_ms"), 0);
    fault->hang = truth_of(json_get(v, "hang"));
    if (status && status->type == JSON_STRING)
        snprintf(fault->update_status, sizeof fault->update_status, "%s", status->u.string);
    if (distort && distort->type == JSON_STRING)
        snprintf(fault->distort, sizeof fault->distort, "%s", distort->u.string);
    read_headers(json_get(v, "headers"), fault);
    read_body(json_get(v, "body"), fault);
    if (json_get(v, "content_type")) {
        free(fault->content_type);
        fault->content_type = text_of(json_get(v, "content_type"));
    }
    return read_garble(json_get(v, "garble"), fault);
}

uint64_t faults_add(struct faults *f, const struct json *v, const char **problem)
{
    struct rule *r = must_alloc(sizeof *r);
    struct rule **end;
    uint64_t number;

    memset(r, 0, sizeof *r);
    *problem = check_keys(v);
    if (!*problem) *problem = read_rule(v, r);
    if (*problem) {
        free_rule(r);
        return 0;
    }
    pthread_mutex_lock(&f->mutex);
    number = r->number = ++f->last_number;
    for (end = &f->rules; *end; end = &(*end)->next)
        ;
    *end = r;
    pthread_mutex_unlock(&f->mutex);
    return number;
}

bool faults_clear(struct faults *f, uint64_t number)
{
    struct rule **at;
    bool found = false;

    pthread_mutex_lock(&f->mutex);
    for (at = &f->rules; *at;) {
        struct rule *r = *at;

        if (number && r->number != number) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        free_rule(r);
        found = true;
    }
    f->clearings++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
    return found || number == 0;
}

static bool fits(const char *pattern, const char *text)
{
    return !pattern || fnmatch(pattern, text, 0) == 0;
}

static void copy_fault(const struct fault *from, struct fault *to)
{
    *to = *from;
    if (from->body) to->body = strdup(from->body);
    if (from->content_type) to->content_type = strdup(from->content_type);
    if (!from->headers) return;
    to->headers = must_alloc(from->header_count * sizeof *to->headers);
    memcpy(to->headers, from->headers, from->header_count * sizeof *to->headers);
}

static bool rule_fits(const struct rule *r, const struct fault_request *request)
{
    return fits(r->method, request->method) && fits(r->kind, request->kind) &&
           fits(r->collection, request->collection) && fits(r->path, request->path) &&
           (!r->text || memmem(request->body, request->body_bytes, r->text, strlen(r->text)) != NULL);
}

void faults_take(struct faults *f, const struct fault_request *request, struct fault *out)
{
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&f->mutex);
    for (struct rule **at = &f->rules; *at; at = &(*at)->next) {
        struct rule *r = *at;

        if (!rule_fits(r, request)) continue;
        if (r->skip) {
            r->skip--;
            continue;
        }
        copy_fault(&r->fault, out);
        if (!r->endless && --r->left == 0 && !r->fault.hang) {
            *at = r->next;
            free_rule(r);
        } else if (!r->endless && r->left == 0) { /* a hanging rule stays until cleared, but takes no more */
            r->left = 1;
            r->skip = UINT64_MAX;
        }
        break;
    }
    pthread_mutex_unlock(&f->mutex);
}

void faults_wait(struct faults *f, const struct fault *fault)
{
    struct timespec until;
    uint64_t clearings;

    if (!fault->hang && !fault->delay_ms) return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(fault->delay_ms / 1000);
    until.tv_nsec += (long)(fault->delay_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&f->mutex);
    clearings = f->clearings;
    while (!f->stopped && f->clearings == clearings) {
        if (fault->hang)
            pthread_cond_wait(&f->changed, &f->mutex);
        else if (pthread_cond_timedwait(&f->changed, &f->mutex, &until) != 0)
            break;
    }
    pthread_mutex_unlock(&f->mutex);
}

void faults_stop(struct faults *f)
{
    pthread_mutex_lock(&f->mutex);
    f->stopped = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

void faults_write(struct faults *f, struct buf *out)
{
    bool first = true;

    pthread_mutex_lock(&f->mutex);
    buf_putc(out, '[');
    for (const struct rule *r = f->rules; r; r = r->next) {
        if (!first) buf_putc(out, ',');
        first = false;
        buf_printf(out, "{\"number\":%llu,\"left\":%llu,\"endless\":%s,\"status\":%d}",
                   (unsigned long long)r->number, (unsigned long long)r->left, r->endless ? "true" : "false",
                   r->fault.status);
    }
    buf_putc(out, ']');
    pthread_mutex_unlock(&f->mutex);
}

static void add_to(struct faults *f, const char *collection, const char *group, const char *name, uint64_t n)
{
    struct counter **at;

    for (at = &f->counters; *at; at = &(*at)->next) {
        struct counter *c = *at;

        if (strcmp(c->name, name) != 0 || strcmp(c->group, group) != 0 ||
            strcmp(c->collection, collection) != 0)
            continue;
        c->value += n;
        return;
    }
    *at = must_alloc(sizeof **at);
    (*at)->next = NULL;
    (*at)->collection = strdup(collection);
    (*at)->group = strdup(group);
    (*at)->name = strdup(name);
    (*at)->value = n;
}

void faults_count(struct faults *f, const char *collection, const char *group, const char *name, uint64_t n)
{
    pthread_mutex_lock(&f->mutex);
    add_to(f, "", group, name, n);
    if (collection) add_to(f, collection, group, name, n);
    pthread_mutex_unlock(&f->mutex);
}

static void write_group(const struct faults *f, struct buf *out, const char *collection, const char *group)
{
    bool first = true;

    json_write_string(out, group, strlen(group));
    buf_puts(out, ":{");
    for (const struct counter *c = f->counters; c; c = c->next) {
        if (strcmp(c->group, group) != 0 || strcmp(c->collection, collection) != 0) continue;
        if (!first) buf_putc(out, ',');
        first = false;
        json_write_string(out, c->name, strlen(c->name));
        buf_printf(out, ":%llu", (unsigned long long)c->value);
    }
    buf_putc(out, '}');
}

static void write_groups(const struct faults *f, struct buf *out, const char *collection)
{
    write_group(f, out, collection, "requests");
    buf_putc(out, ',');
    write_group(f, out, collection, "failures");
    buf_putc(out, ',');
    write_group(f, out, collection, f->things);
}

static bool seen_before(const struct counter *all, const struct counter *c)
{
    for (; all != c; all = all->next)
        if (strcmp(all->collection, c->collection) == 0) return true;
    return false;
}

void faults_write_counters(struct faults *f, struct buf *out)
{
    bool first = true;

    pthread_mutex_lock(&f->mutex);
    buf_putc(out, '{');
    write_groups(f, out, "");
    buf_puts(out, ",\"collections\":{");
    for (const struct counter *c = f->counters; c; c = c->next) {
        if (!*c->collection || seen_before(f->counters, c)) continue;
        if (!first) buf_putc(out, ',');
        first = false;
        json_write_string(out, c->collection, strlen(c->collection));
        buf_puts(out, ":{");
        write_groups(f, out, c->collection);
        buf_putc(out, '}');
    }
    buf_puts(out, "}}");
    pthread_mutex_unlock(&f->mutex);
}
