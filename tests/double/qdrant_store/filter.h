/*
 * filter.h - Qdrant's filters: reading them, and deciding whether a point passes.
 *
 * A parsed filter lives in the arena of its reader and may be used by one thread at a time.
 */
#ifndef DOUBLE_QDRANT_STORE_FILTER_H
#define DOUBLE_QDRANT_STORE_FILTER_H

#include "qdrant_store/jsonpath.h"
#include "qdrant_store/pointid.h"
#include "qdrant_store/reader.h"

enum condition_type {
    CONDITION_FIELD,
    CONDITION_IS_EMPTY,
    CONDITION_IS_NULL,
    CONDITION_HAS_ID,
    CONDITION_HAS_VECTOR,
    CONDITION_NESTED,
    CONDITION_FILTER
};

enum match_type {
    MATCH_NONE,
    MATCH_VALUE,
    MATCH_ANY,
    MATCH_EXCEPT,
    MATCH_TEXT,
    MATCH_TEXT_ANY,
    MATCH_PHRASE
};
enum range_type { RANGE_NONE, RANGE_NUMBER, RANGE_DATETIME };
enum geo_type { GEO_NONE, GEO_BOX, GEO_RADIUS, GEO_POLYGON };

struct range {
    enum range_type type;
    bool has_lt, has_gt, has_lte, has_gte;
    double lt, gt, lte, gte; /* for dates microseconds since 1970, exact as f64 until the year 2255 */
};

struct geo_ring {
    double (*points)[2]; /* longitude, latitude */
    size_t count;
};

struct geo {
    enum geo_type type;
    double west, north, east, south; /* box */
    double lon, lat, radius;         /* circle, metres */
    struct geo_ring *rings;          /* polygon: the outer one first, then the holes */
    size_t ring_count;
};

struct filter;

struct condition {
    enum condition_type type;
    struct jsonpath path; /* field, is_empty, is_null, nested */
    enum match_type match;
    const struct json *values; /* what is matched: one value, or the elements of any/except */
    size_t value_count;
    bool tokens; /* the field has a text index: words are compared, not substrings */
    struct range range;
    struct range values_count;
    struct geo geo;
    bool has_is_empty, is_empty; /* inside a field condition */
    bool has_is_null, is_null;
    struct pointid *ids; /* has_id, sorted */
    size_t id_count;
    const char *vector;    /* has_vector */
    struct filter *filter; /* nested, or a filter standing as a condition */
};

struct filter {
    struct condition *must, *should, *must_not, *min_should;
    size_t must_count, should_count, must_not_count, min_should_count;
    uint64_t min_count;
    bool has_min_should;
};

/* Reads a filter; complaints go to the reader, whose `field` names the place ("filter", "update_filter"). */
bool filter_read(struct reader *r, const struct json *v, const char *field, struct filter **out);

/* The point that is looked at. */
struct filter_subject {
    const struct pointid *id;
    const struct json *payload; /* an object */
    bool (*has_vector)(const struct filter_subject *s, const char *name);
    const void *user;
};

bool filter_matches(const struct filter *f, const struct filter_subject *s);

/* Calls `visit` for every condition, those inside nested filters too. */
void filter_each(struct filter *f,
                 void (*visit)(void *user, struct condition *c, const struct jsonpath *outer), void *user);

/* A date as Qdrant reads it (RFC 3339, or without zone, or the day alone), in microseconds since 1970. */
bool filter_datetime(const char *text, size_t bytes, double *out);
/* True if words of `text` (lower case, cut at what is no letter or digit) hold all (or any) of those of
 * `query`. */
bool filter_words(const struct json *text, const struct json *query, bool any);

/* {"lon": x, "lat": y}, both within range. */
bool filter_geo_point(const struct json *v, double *lon, double *lat);
bool filter_geo_matches(const struct geo *g, double lon, double lat);

#endif
