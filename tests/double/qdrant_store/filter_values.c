/*
 * filter_values.c - the value types filters compare that JSON has no form for: dates, words, places on Earth.
 * It owns nothing.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "qdrant_store/filter.h"

#define EARTH_RADIUS_M 6371008.8
#define PI 3.14159265358979323846

struct cursor {
    const char *at;
    const char *end;
};

static bool digits(struct cursor *c, int count, int *out)
{
    int v = 0;

    for (int i = 0; i < count; i++, c->at++) {
        if (c->at >= c->end || *c->at < '0' || *c->at > '9') return false;
        v = v * 10 + (*c->at - '0');
    }
    *out = v;
    return true;
}

static bool one_of(struct cursor *c, const char *set)
{
    if (c->at >= c->end || !*c->at || !strchr(set, *c->at)) return false;
    c->at++;
    return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static long long days_from_civil(int year, int month, int day)
{
    long long y = month <= 2 ? year - 1 : year;
    long long era = (y >= 0 ? y : y - 399) / 400;
    long long yoe = y - era * 400;
    long long doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    long long doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

static bool valid_day(int year, int month, int day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (month < 1 || month > 12 || day < 1) return false;
    return day <= lengths[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool read_zone(struct cursor *c, int *minutes)
{
    int hours;
    int rest = 0;
    bool west;

    *minutes = 0;
    if (c->at == c->end || one_of(c, "Zz")) return true;
    west = *c->at == '-';
    if (!one_of(c, "+-") || !digits(c, 2, &hours)) return false;
    one_of(c, ":");
    if (c->at < c->end && !digits(c, 2, &rest)) return false;
    *minutes = (hours * 60 + rest) * (west ? -1 : 1);
    return true;
}

bool filter_datetime(const char *text, size_t bytes, double *out)
{
    struct cursor c = {text, text + bytes};
    int year, month, day, zone;
    int hour = 0, minute = 0, second = 0;
    double micros = 0;

    if (!digits(&c, 4, &year) || !one_of(&c, "-") || !digits(&c, 2, &month) || !one_of(&c, "-") ||
        !digits(&c, 2, &day))
        return false;
    if (!valid_day(year, month, day)) return false;
    if (one_of(&c, "Tt ")) {
        if (!digits(&c, 2, &hour) || !one_of(&c, ":") || !digits(&c, 2, &minute)) return false;
        if (one_of(&c, ":") && !digits(&c, 2, &second)) return false;
        if (hour > 23 || minute > 59 || second > 60) return false;
        if (one_of(&c, ".")) {
            double unit = 100000;

            for (; c.at < c.end && isdigit((unsigned char)*c.at); c.at++, unit /= 10)
                if (unit >= 1) micros += (*c.at - '0') * unit;
        }
    }
    if (!read_zone(&c, &zone) || c.at != c.end) return false;
    *out =
        (double)(((days_from_civil(year, month, day) * 24 + hour) * 60 + minute - zone) * 60 + second) * 1e6 +
        micros;
    return true;
}

static bool in_word(unsigned char c)
{
    return isalnum(c) || c >= 0x80;
}

/* The next word of `v` from *at on; false if there is none. */
static bool next_word(const struct json *v, size_t *at, size_t *start)
{
    while (*at < v->count && !in_word((unsigned char)v->u.string[*at])) (*at)++;
    *start = *at;
    while (*at < v->count && in_word((unsigned char)v->u.string[*at])) (*at)++;
    return *at > *start;
}

static bool has_word(const struct json *text, const char *word, size_t bytes)
{
    size_t at = 0;
    size_t start;

    while (next_word(text, &at, &start)) {
        size_t i = 0;

        if (at - start != bytes) continue;
        while (i < bytes &&
               tolower((unsigned char)text->u.string[start + i]) == tolower((unsigned char)word[i]))
            i++;
        if (i == bytes) return true;
    }
    return false;
}

bool filter_words(const struct json *text, const struct json *query, bool any)
{
    size_t at = 0;
    size_t start;
    bool seen = false;

    while (next_word(query, &at, &start)) {
        bool has = has_word(text, query->u.string + start, at - start);

        if (has && any) return true;
        if (!has && !any) return false;
        seen = true;
    }
    return seen && !any;
}

bool filter_geo_point(const struct json *v, double *lon, double *lat)
{
    const struct json *x = json_get(v, "lon");
    const struct json *y = json_get(v, "lat");

    if (!x || !y || !json_is_number(x) || !json_is_number(y)) return false;
    *lon = json_number(x);
    *lat = json_number(y);
    return *lon >= -180 && *lon <= 180 && *lat >= -90 && *lat <= 90;
}

static double distance_m(double lon1, double lat1, double lon2, double lat2)
{
    double p1 = lat1 * PI / 180;
    double p2 = lat2 * PI / 180;
    double dp = p2 - p1;
    double dl = (lon2 - lon1) * PI / 180;
    double h = sin(dp / 2) * sin(dp / 2) + cos(p1) * cos(p2) * sin(dl / 2) * sin(dl / 2);

    return 2 * EARTH_RADIUS_M * asin(sqrt(h > 1 ? 1 : h));
}

static bool in_ring(const struct geo_ring *ring, double lon, double lat)
{
    bool inside = false;

    for (size_t i = 0, j = ring->count - 1; i < ring->count; j = i++) {
        double *a = ring->points[i];
        double *b = ring->points[j];

        if ((a[1] > lat) != (b[1] > lat) && lon < (b[0] - a[0]) * (lat - a[1]) / (b[1] - a[1]) + a[0])
            inside = !inside;
    }
    return inside;
}

bool filter_geo_matches(const struct geo *g, double lon, double lat)
{
    switch (g->type) {
    case GEO_NONE:
        return false;
    case GEO_BOX: /* a box whose west lies east of its east spans the date line */
        if (lat <= g->south || lat >= g->north) return false;
        return g->west <= g->east ? lon > g->west && lon < g->east : lon > g->west || lon < g->east;
    case GEO_RADIUS:
        return distance_m(lon, lat, g->lon, g->lat) < g->radius;
    case GEO_POLYGON:
        if (!in_ring(&g->rings[0], lon, lat)) return false;
        for (size_t i = 1; i < g->ring_count; i++)
            if (in_ring(&g->rings[i], lon, lat)) return false;
        return true;
    }
    return false;
}
