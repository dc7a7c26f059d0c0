/*
 * float.c - a float as the shortest decimal that is surely nearer to it than to its neighbours.
 *
 * The value is scaled to a whole number of 9 digits in double arithmetic; then as many digits are dropped as
 * half the distance to the next float allows. A margin for the rounding of double keeps every reader on the
 * right side. Values whose scaling is not exact enough (below 1e-13, above 1e30) are left to printf.
 */
#include "base/float.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* 10^-22 to 10^22, as near as double gets: the error is far within the margin below. */
static const double tens[] = {
    1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8,
    1e-7,  1e-6,  1e-5,  1e-4,  1e-3,  1e-2,  1e-1,  1e0,   1e1,   1e2,   1e3,   1e4,   1e5,   1e6,  1e7,
    1e8,   1e9,   1e10,  1e11,  1e12,  1e13,  1e14,  1e15,  1e16,  1e17,  1e18,  1e19,  1e20,  1e21, 1e22};
#define TENS_ZERO 22

static const double tenths[] = {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8};
static const uint32_t units[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                            "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

#define SCALED_MIN 1e8 /* the smallest whole number of 9 digits */
#define SCALED_MAX 1e9
#define MARGIN 0.999 /* what is left of half the distance to the next float for the rounding of others */

static double power_of_two(int exponent)
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Writes the 9 digits of `n` (below 1e9). */
static void put_digits(char out[9], uint32_t n)
{
    uint32_t high = n / 10000, low = n % 10000;
    memcpy(out + 5, pairs + low / 100 * 2, 2);
    memcpy(out + 7, pairs + low % 100 * 2, 2);
    uint32_t middle = high % 10000;
    memcpy(out + 1, pairs + middle / 100 * 2, 2);
    memcpy(out + 3, pairs + middle % 100 * 2, 2);
    out[0] = (char)('0' + high / 10000);
}

/* `digits` with the point after the first `whole` of them, which may be none or more than there are. */
static size_t put_plain(char *out, const char *digits, int count, int whole)
{
    if (whole <= 0) {
        memcpy(out, "0.00000", 7);
        memcpy(out + 2 - whole, digits, 9);
        return (size_t)(2 - whole + count);
    }
    if (whole >= count) {
        memcpy(out, digits, 9);
        if (whole > 9) memset(out + 9, '0', (size_t)(whole - 9));
        return (size_t)whole;
    }
    memcpy(out, digits, (size_t)whole);
    out[whole] = '.';
    memcpy(out + whole + 1, digits + whole, (size_t)(count - whole));
    return (size_t)count + 1;
}

/* As d.dde-7. */
static size_t put_scientific(char *out, const char *digits, int count, int exponent)
{
    size_t n = put_plain(out, digits, count, 1);
    out[n++] = 'e';
    if (exponent < 0) {
        out[n++] = '-';
        exponent = -exponent;
    }
    memcpy(out + n, pairs + exponent * 2, 2);
    return n + 2;
}

static size_t print_slowly(char *out, float value)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%.9g", (double)value);
    memcpy(out, text, (size_t)n);
    return (size_t)n;
}

/* The multiple of a power of ten nearest to `scaled` that is within `reach`: the greatest such power wins. */
static uint32_t shorten(double scaled, double reach)
{
    uint32_t best = (uint32_t)(scaled + 0.5);
    for (size_t i = 1; i < sizeof units / sizeof *units; i++) {
        uint32_t n = (uint32_t)(scaled * tenths[i] + 0.5) * units[i];
        if (fabs(n - scaled) >= reach) break;
        best = n;
    }
    return best;
}

size_t float_print(char out[FLOAT_TEXT_BYTES], float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    int binary = (int)(bits >> 23 & 0xff) - 127;
    if (binary == 128) return 0;
    size_t sign = bits >> 31;
    if (sign) out[0] = '-';
    double v = fabs((double)value);
    if (v == 0) {
        out[sign] = '0';
        return sign + 1;
    }
    if (v < 1e-13 || v > 1e30) return print_slowly(out, value);

    /* the power of ten that brings v to [1e8, 1e9): by log10(2), then put right */
    int power = 8 - (binary * 1233 >> 12);
    double scaled = v * tens[TENS_ZERO + power];
    if (scaled >= SCALED_MAX) scaled = v * tens[TENS_ZERO + --power];
    if (scaled < SCALED_MIN) scaled = v * tens[TENS_ZERO + ++power];

    /* half the distance to the next float; below a power of two that is half as far */
    double reach = power_of_two(binary - 24) * tens[TENS_ZERO + power] * MARGIN;
    if (!(bits & 0x7fffff)) reach /= 2;
    uint32_t n = shorten(scaled, reach);
    if (n >= (uint32_t)SCALED_MAX) {
        n /= 10;
        power--;
    }
    char digits[9];
    put_digits(digits, n);
    int count = 9;
    while (count > 1 && digits[count - 1] == '0') count--;
    int whole = 9 - power; /* digits before the point */
    if (whole > -5 && whole <= 15) return sign + put_plain(out + sign, digits, count, whole);
    return sign + put_scientific(out + sign, digits, count, whole - 1);
}

void float_put_array(struct buf *to, const float *values, size_t count)
{
    if (count > SIZE_MAX / (FLOAT_TEXT_BYTES + 1) - 2 ||
        !buf_reserve(to, count * (FLOAT_TEXT_BYTES + 1) + 2)) {
        to->failed = true;
        return;
    }
    char *p = to->data + to->bytes;
    *p++ = '[';
    for (size_t i = 0; i < count; i++) {
        if (i) *p++ = ',';
        if (values[i] == 0 && !signbit(values[i])) { /* sparse vectors are mostly zeros */
            *p++ = '0';
            continue;
        }
        size_t n = float_print(p, values[i]);
        if (!n) {
            memcpy(p, "null", 4);
            n = 4;
        }
        p += n;
    }
    *p++ = ']';
    *p = '\0';
    to->bytes = (size_t)(p - to->data);
}
