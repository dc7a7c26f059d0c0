/* number.c - the shortest decimal that reads back as the same double, in ECMAScript's notation. Owns nothing.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* 0.d1d2d3... times 10^point */
struct decimal {
    char digits[20];
    int count;
    int point;
};

size_t json_digits(int64_t value, char out[JSON_NUMBER_BYTES])
{
    char reversed[JSON_NUMBER_BYTES];
    size_t bytes = 0, written = 0;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        reversed[bytes++] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (value < 0) out[written++] = '-';
    while (bytes) out[written++] = reversed[--bytes];
    return written;
}

/* `value` > 0 rounded to `precision` digits; trailing zeros are dropped. True if it reads back as `value`. */
static bool round_to(double value, int precision, struct decimal *d)
{
    char text[40];
    snprintf(text, sizeof text, "%.*e", precision - 1, value);
    d->count = 0;
    const char *at = text;
    for (; *at && *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            d->digits[d->count++] = *at; /* whatever the locale's decimal point is */
    d->point = (int)strtol(at + 1, NULL, 10) + 1;
    while (d->count > 1 && d->digits[d->count - 1] == '0') d->count--;
    return strtod(text, NULL) == value;
}

/*
 * The gap below a power of two is half as wide as the one above: the nearest decimal of 16 digits may fall
 * out of it while its neighbour above reads back. True if that is so; `d` is then the neighbour.
 */
static bool neighbour_above(double value, struct decimal *d)
{
    int exponent;
    if (frexp(value, &exponent) != 0.5) return false;
    char text[40];
    snprintf(text, sizeof text, "%.15e", value);
    char *last = text + 16; /* d.ddddddddddddddd */
    while (last > text && (*last == '9' || *last < '0')) {
        if (*last == '9') *last = '0';
        last--;
    }
    if (*last == '9') return false;
    ++*last;
    if (strtod(text, NULL) != value) return false;
    d->count = 0;
    const char *at = text;
    for (; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9') d->digits[d->count++] = *at;
    d->point = (int)strtol(at + 1, NULL, 10) + 1;
    while (d->count > 1 && d->digits[d->count - 1] == '0') d->count--;
    return true;
}

/* Every decimal of up to 15 digits survives a double, so the search begins there; not so below the normal
 * numbers. */
static void shortest(double value, struct decimal *d)
{
    for (int precision = value < 2.2250738585072014e-308 ? 1 : 15; precision < 17; precision++)
        if (round_to(value, precision, d) || (precision == 16 && neighbour_above(value, d))) return;
    round_to(value, 17, d);
}

static char *put_zeros(char *at, int count)
{
    for (; count > 0; count--) *at++ = '0';
    return at;
}

static char *put_digits(char *at, const char *digits, int count)
{
    memcpy(at, digits, (size_t)count);
    return at + count;
}

/*
 * Prices and the like: few digits, of which at most three behind the point. A quotient of two integers is
 * rounded as reading the decimal would be, and a decimal of up to 15 digits that reads back is the shortest.
 */
static bool few_digits(double value, struct decimal *d)
{
    if (value < 0.001 || value >= 1e11) return false;
    int places = 1;
    for (double scale = 10; places <= 3; places++, scale *= 10) {
        double whole = nearbyint(value * scale);
        if (whole / scale != value) continue;
        char text[JSON_NUMBER_BYTES];
        size_t bytes = json_digits((int64_t)whole, text);
        memcpy(d->digits, text, bytes);
        d->count = (int)bytes;
        d->point = (int)bytes - places;
        while (d->count > 1 && d->digits[d->count - 1] == '0') d->count--;
        return true;
    }
    return false;
}

/* ECMA-262, Number::toString: where the point stands decides the notation. */
static char *put_decimal(char *at, const struct decimal *d)
{
    if (d->point > 21 || d->point < -5) {
        *at++ = d->digits[0];
        if (d->count > 1) *at++ = '.';
        at = put_digits(at, d->digits + 1, d->count - 1);
        *at++ = 'e';
        *at++ = d->point > 0 ? '+' : '-';
        char exponent[JSON_NUMBER_BYTES];
        size_t bytes = json_digits(abs(d->point - 1), exponent);
        memcpy(at, exponent, bytes);
        return at + bytes;
    }
    if (d->point <= 0) {
        *at++ = '0';
        *at++ = '.';
        at = put_zeros(at, -d->point);
        return put_digits(at, d->digits, d->count);
    }
    if (d->count <= d->point) {
        at = put_digits(at, d->digits, d->count);
        return put_zeros(at, d->point - d->count);
    }
    at = put_digits(at, d->digits, d->point);
    *at++ = '.';
    return put_digits(at, d->digits + d->point, d->count - d->point);
}

size_t json_number(double value, char out[JSON_NUMBER_BYTES])
{
    if (value == 0) {
        out[0] = '0';
        return 1;
    }
    if (fabs(value) <= 9007199254740992.0 && value == trunc(value)) return json_digits((int64_t)value, out);
    struct decimal d;
    char *at = out;
    if (value < 0) *at++ = '-';
    if (!few_digits(fabs(value), &d)) shortest(fabs(value), &d);
    return (size_t)(put_decimal(at, &d) - out);
}
