/*
 * known.c - the memory of a replay. Owns the pairs; compares nothing but what was paired before.
 */
#include "golden/known.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

enum kind {
    CURSOR,
    TOKEN,      /* a post-batch token */
    EVENT,      /* the token of an event; `order` in known_token treats both as one list */
    TIME,       /* cluster times */
    TOPOLOGY,   /* processId:counter */
    SESSION,    /* the UUID of a session */
    SERVER_ID,  /* ObjectIds and UUIDs that the server made */
    CLIENT_ID,  /* those that the client sent */
    CLIENT_TIME /* dates and timestamps that the client sent */
};

struct pair {
    enum kind kind;
    char *recorded, *now;
};

struct known {
    struct pair *pairs;
    size_t count, capacity;
};

#define VALUE_TEXT_BYTES 80

struct known *known_new(void)
{
    return calloc(1, sizeof(struct known));
}

void known_free(struct known *k)
{
    if (!k) return;
    for (size_t i = 0; i < k->count; i++) {
        free(k->pairs[i].recorded);
        free(k->pairs[i].now);
    }
    free(k->pairs);
    free(k);
}

static const char *find(const struct known *k, enum kind kind, const char *recorded)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->pairs[i].kind == kind && strcmp(k->pairs[i].recorded, recorded) == 0) return k->pairs[i].now;
    return NULL;
}

/* The first value that came for a recorded one stays: a recorded time that shows up again later may have
 * grown here meanwhile, and what is asked for is the moment it first named. */
static void keep(struct known *k, enum kind kind, const char *recorded, const char *now)
{
    struct pair *p;

    if (find(k, kind, recorded)) return;
    if (k->count == k->capacity) {
        size_t more = k->capacity ? k->capacity * 2 : 64;
        struct pair *pairs = realloc(k->pairs, more * sizeof *pairs);

        if (!pairs) return;
        k->pairs = pairs;
        k->capacity = more;
    }
    p = &k->pairs[k->count];
    *p = (struct pair){kind, strdup(recorded), strdup(now)};
    if (p->recorded && p->now) k->count++;
}

static bool is_uuid(const bson_iter_t *v, const uint8_t **bytes)
{
    bson_subtype_t subtype;
    uint32_t count;

    if (!BSON_ITER_HOLDS_BINARY(v)) return false;
    bson_iter_binary(v, &subtype, &count, bytes);
    return subtype == BSON_SUBTYPE_UUID && count == 16;
}

bool known_judges(const bson_iter_t *v)
{
    const uint8_t *bytes;

    return BSON_ITER_HOLDS_OID(v) || BSON_ITER_HOLDS_DATE_TIME(v) || BSON_ITER_HOLDS_TIMESTAMP(v) ||
           is_uuid(v, &bytes);
}

/* One spelling for each id or moment, so that they can be looked up as text. */
static void spell(const bson_iter_t *v, char text[VALUE_TEXT_BYTES])
{
    const uint8_t *bytes;
    uint32_t seconds, increment;

    text[0] = '\0';
    if (BSON_ITER_HOLDS_OID(v))
        bson_oid_to_string(bson_iter_oid(v), text);
    else if (BSON_ITER_HOLDS_DATE_TIME(v))
        snprintf(text, VALUE_TEXT_BYTES, "date %" PRId64, bson_iter_date_time(v));
    else if (BSON_ITER_HOLDS_TIMESTAMP(v)) {
        bson_iter_timestamp(v, &seconds, &increment);
        snprintf(text, VALUE_TEXT_BYTES, "%" PRIu32 ".%" PRIu32, seconds, increment);
    } else if (is_uuid(v, &bytes))
        for (size_t i = 0; i < 16; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static bool spell_topology(const bson_iter_t *v, char text[VALUE_TEXT_BYTES])
{
    bson_iter_t process, counter;
    char oid[25];

    if (!bson_iter_recurse(v, &process) || !bson_iter_find(&process, "processId") ||
        !BSON_ITER_HOLDS_OID(&process) || !bson_iter_recurse(v, &counter) ||
        !bson_iter_find(&counter, "counter"))
        return false;
    bson_oid_to_string(bson_iter_oid(&process), oid);
    snprintf(text, VALUE_TEXT_BYTES, "%s:%" PRId64, oid, bson_iter_as_int64(&counter));
    return true;
}

/* The session that stands for a recorded one; made at its first use. */
static void session_for(struct known *k, const char *recorded, uint8_t bytes[16])
{
    const char *now = find(k, SESSION, recorded);
    char text[33];

    if (now) {
        for (size_t i = 0; i < 16; i++) {
            unsigned byte = 0;

            sscanf(now + 2 * i, "%2x", &byte);
            bytes[i] = (uint8_t)byte;
        }
        return;
    }
    uuid_generate_random(bytes);
    for (size_t i = 0; i < 16; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    keep(k, SESSION, recorded, text);
}

static void append_uuid(bson_t *out, const char *key, const uint8_t bytes[16])
{
    bson_append_binary(out, key, -1, BSON_SUBTYPE_UUID, bytes, 16);
}

static void substitute_uuid(struct known *k, const bson_iter_t *v, const uint8_t *recorded, bson_t *out)
{
    const char *key = bson_iter_key(v), *now;
    char text[VALUE_TEXT_BYTES];
    uint8_t bytes[16];

    spell(v, text);
    if (find(k, SESSION, text)) {
        session_for(k, text, bytes);
        append_uuid(out, key, bytes);
    } else if ((now = find(k, SERVER_ID, text))) {
        keep(k, SESSION, text, now); /* session_for turns it back into bytes */
        session_for(k, text, bytes);
        append_uuid(out, key, bytes);
    } else {
        keep(k, CLIENT_ID, text, text);
        append_uuid(out, key, recorded);
    }
}

static void substitute_oid(struct known *k, const bson_iter_t *v, bson_t *out)
{
    char text[VALUE_TEXT_BYTES];
    const char *now;
    bson_oid_t oid;

    spell(v, text);
    now = find(k, SERVER_ID, text);
    if (!now) {
        keep(k, CLIENT_ID, text, text);
        now = text;
    }
    bson_oid_init_from_string(&oid, now);
    bson_append_oid(out, bson_iter_key(v), -1, &oid);
}

static void substitute_time(struct known *k, const bson_iter_t *v, bson_t *out)
{
    char text[VALUE_TEXT_BYTES];
    uint32_t seconds, increment;
    const char *now;
    char *dot;

    spell(v, text);
    now = find(k, TIME, text);
    if (!now) {
        keep(k, CLIENT_TIME, text, text);
        now = text;
    }
    seconds = (uint32_t)strtoul(now, &dot, 10);
    increment = (uint32_t)strtoul(dot + 1, NULL, 10);
    bson_append_timestamp(out, bson_iter_key(v), -1, seconds, increment);
}

/* True if the value was a topology version that has a counterpart, which is now in `out`. */
static bool substitute_topology(struct known *k, const bson_iter_t *v, bson_t *out)
{
    char text[VALUE_TEXT_BYTES], oid_text[25];
    const char *now;
    bson_oid_t oid;
    bson_t child;

    if (!spell_topology(v, text) || !(now = find(k, TOPOLOGY, text))) return false;
    snprintf(oid_text, sizeof oid_text, "%s", now);
    bson_oid_init_from_string(&oid, oid_text);
    bson_append_document_begin(out, bson_iter_key(v), -1, &child);
    bson_append_oid(&child, "processId", -1, &oid);
    bson_append_int64(&child, "counter", -1, strtoll(now + 25, NULL, 10));
    bson_append_document_end(out, &child);
    return true;
}

static void substitute_token(struct known *k, const bson_iter_t *v, bson_t *out)
{
    const char *recorded = bson_iter_utf8(v, NULL);
    const char *now = find(k, EVENT, recorded);

    if (!now) now = find(k, TOKEN, recorded);
    bson_append_utf8(out, bson_iter_key(v), -1, now ? now : recorded, -1);
}

static void substitute_session(struct known *k, const bson_iter_t *v, bson_t *out)
{
    char text[VALUE_TEXT_BYTES];
    uint8_t bytes[16];

    spell(v, text);
    session_for(k, text, bytes);
    append_uuid(out, bson_iter_key(v), bytes);
}

static void substitute(struct known *k, bson_iter_t *v, const char *parent, bson_t *out)
{
    while (bson_iter_next(v)) {
        const char *key = bson_iter_key(v);
        const uint8_t *uuid;
        bson_iter_t inner;
        bson_t child;
        int64_t now;

        if (strcmp(key, "topologyVersion") == 0 && substitute_topology(k, v, out)) {
            continue;
        } else if (BSON_ITER_HOLDS_DOCUMENT(v)) {
            bson_iter_recurse(v, &inner);
            bson_append_document_begin(out, key, -1, &child);
            substitute(k, &inner, key, &child);
            bson_append_document_end(out, &child);
        } else if (BSON_ITER_HOLDS_ARRAY(v)) {
            bson_iter_recurse(v, &inner);
            bson_append_array_begin(out, key, -1, &child);
            substitute(k, &inner, key, &child);
            bson_append_array_end(out, &child);
        } else if (is_uuid(v, &uuid)) {
            if (strcmp(parent, "lsid") == 0 && strcmp(key, "id") == 0)
                substitute_session(k, v, out);
            else
                substitute_uuid(k, v, uuid, out);
        } else if (BSON_ITER_HOLDS_OID(v)) {
            substitute_oid(k, v, out);
        } else if (BSON_ITER_HOLDS_TIMESTAMP(v)) {
            substitute_time(k, v, out);
        } else if (BSON_ITER_HOLDS_UTF8(v) && strcmp(key, "_data") == 0) {
            substitute_token(k, v, out);
        } else if (BSON_ITER_HOLDS_INT64(v) && known_cursor(k, bson_iter_int64(v), &now)) {
            bson_append_int64(out, key, -1, now);
        } else {
            if (BSON_ITER_HOLDS_DATE_TIME(v)) {
                char text[VALUE_TEXT_BYTES];

                spell(v, text);
                keep(k, CLIENT_TIME, text, text);
            }
            bson_append_iter(out, key, -1, v);
        }
    }
}

void known_substitute(struct known *k, const bson_t *in, bson_t *out)
{
    bson_iter_t v;

    if (bson_iter_init(&v, in)) substitute(k, &v, "", out);
}

bool known_cursor(const struct known *k, int64_t recorded, int64_t *now)
{
    char text[VALUE_TEXT_BYTES];
    const char *found;

    snprintf(text, sizeof text, "%" PRId64, recorded);
    found = find(k, CURSOR, text);
    if (found) *now = strtoll(found, NULL, 10);
    return found != NULL;
}

static void learn_value(struct known *k, const char *parent, const bson_iter_t *r, const bson_iter_t *g)
{
    const char *key = bson_iter_key(r);
    char recorded[VALUE_TEXT_BYTES], now[VALUE_TEXT_BYTES];
    const uint8_t *bytes;

    if (BSON_ITER_HOLDS_INT64(r) && strcmp(key, "id") == 0 && strcmp(parent, "cursor") == 0) {
        snprintf(recorded, sizeof recorded, "%" PRId64, bson_iter_int64(r));
        snprintf(now, sizeof now, "%" PRId64, bson_iter_int64(g));
        if (bson_iter_int64(r) != 0 && bson_iter_int64(g) != 0) keep(k, CURSOR, recorded, now);
    } else if (BSON_ITER_HOLDS_TIMESTAMP(r)) {
        spell(r, recorded);
        spell(g, now);
        keep(k, TIME, recorded, now);
    } else if (is_uuid(r, &bytes) && is_uuid(g, &bytes) && strcmp(key, "id") == 0 &&
               strcmp(parent, "id") == 0) {
        spell(r, recorded); /* the reply of startSession */
        spell(g, now);
        keep(k, SESSION, recorded, now);
    } else if (strcmp(key, "topologyVersion") == 0 && spell_topology(r, recorded) && spell_topology(g, now)) {
        keep(k, TOPOLOGY, recorded, now);
    }
}

static void learn(struct known *k, const char *parent, bson_iter_t *recorded, const bson_iter_t *got)
{
    while (bson_iter_next(recorded)) {
        const char *key = bson_iter_key(recorded);
        bson_iter_t g = *got, r_inner, g_inner;

        if (!bson_iter_find(&g, key) || bson_iter_type(&g) != bson_iter_type(recorded)) continue;
        learn_value(k, parent, recorded, &g);
        if ((BSON_ITER_HOLDS_DOCUMENT(&g) || BSON_ITER_HOLDS_ARRAY(&g)) &&
            bson_iter_recurse(recorded, &r_inner) && bson_iter_recurse(&g, &g_inner))
            learn(k, key, &r_inner, &g_inner);
    }
}

void known_learn(struct known *k, const bson_t *recorded, const bson_t *got)
{
    bson_iter_t r, g;

    if (bson_iter_init(&r, recorded) && bson_iter_init(&g, got)) learn(k, "", &r, &g);
}

const char *known_token(struct known *k, const char *recorded, const char *got, bool is_event)
{
    struct pair *same = NULL;

    for (size_t i = 0; i < k->count; i++) {
        struct pair *p = &k->pairs[i];
        int then, now;
        bool later_is_event;

        if (p->kind != TOKEN && p->kind != EVENT) continue;
        then = strcmp(recorded, p->recorded);
        now = strcmp(got, p->now);
        if (then == 0) {
            if (now != 0) return "a token that was equal to an earlier one differs from it";
            same = p;
            continue;
        }
        later_is_event = then > 0 ? is_event : p->kind == EVENT;
        if (now == 0 && later_is_event) return "a token that differed from an earlier one is equal to it";
        if ((then < 0 && now > 0) || (then > 0 && now < 0))
            return "tokens have another order than those recorded";
    }
    if (same && is_event)
        same->kind = EVENT;
    else if (!same)
        keep(k, is_event ? EVENT : TOKEN, recorded, got);
    return NULL;
}

const char *known_value(struct known *k, const bson_iter_t *recorded, const bson_iter_t *got)
{
    char r[VALUE_TEXT_BYTES], g[VALUE_TEXT_BYTES];
    const char *now;

    spell(recorded, r);
    spell(got, g);
    if (BSON_ITER_HOLDS_DATE_TIME(recorded) || BSON_ITER_HOLDS_TIMESTAMP(recorded))
        return find(k, CLIENT_TIME, r) && strcmp(r, g) != 0 ? "a time that the client sent came back changed"
                                                            : NULL;
    if (find(k, CLIENT_ID, r))
        return strcmp(r, g) == 0 ? NULL : "an id that the client sent came back changed";
    now = find(k, SESSION, r);
    if (!now) now = find(k, SERVER_ID, r);
    if (now) return strcmp(now, g) == 0 ? NULL : "an id that was equal to an earlier one differs from it";
    for (size_t i = 0; i < k->count; i++)
        if (k->pairs[i].kind == SERVER_ID && strcmp(k->pairs[i].now, g) == 0)
            return "an id that differed from an earlier one is equal to it";
    keep(k, SERVER_ID, r, g);
    return NULL;
}
