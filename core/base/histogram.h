/*
 * histogram.h - how long things took: counts in fixed classes, from 1 ms to 5 minutes.
 *
 * All histograms have the same classes, so that they can be added and subtracted. The one with atomics is for
 * who counts on several threads and is read from any; the plain one is a copy, or belongs to one thread.
 */
#ifndef LOCKSTEP_BASE_HISTOGRAM_H
#define LOCKSTEP_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS 17                      /* upper bounds, in milliseconds */
#define HISTOGRAM_CLASSES (HISTOGRAM_BOUNDS + 1) /* the last one holds what is above all of them */
extern const int64_t histogram_bounds_ms[HISTOGRAM_BOUNDS];

struct histogram {
    uint64_t counts[HISTOGRAM_CLASSES];
    uint64_t sum_us;
};

struct histogram_live {
    atomic_uint_fast64_t counts[HISTOGRAM_CLASSES];
    atomic_uint_fast64_t sum_us;
};

void histogram_add(struct histogram *h, int64_t us);
void histogram_live_add(struct histogram_live *h, int64_t us);
/* A copy; what is added meanwhile may be in it or not. */
struct histogram histogram_read(const struct histogram_live *h);
uint64_t histogram_count(const struct histogram *h);
/* Adds what `more` has. */
void histogram_merge(struct histogram *h, const struct histogram *more);
/* What came since `before`; all of `now` if that has begun again since. */
struct histogram histogram_since(const struct histogram *now, const struct histogram *before);
/* The time that `part` (0 to 1) of all took at most, in milliseconds, interpolated within its class; -1 if
 * there is nothing. What is above all bounds counts as the last of them. */
double histogram_quantile_ms(const struct histogram *h, double piece);

#endif
