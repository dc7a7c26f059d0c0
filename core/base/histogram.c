/* histogram.c - see histogram.h. */
#include "base/histogram.h"

const int64_t histogram_bounds_ms[HISTOGRAM_BOUNDS] = {1,   2,   5,    10,   20,   50,    100,   200,   300,
                                                       500, 750, 1000, 2000, 5000, 10000, 60000, 300000};

static int class_of(int64_t us)
{
    int i = 0;
    while (i < HISTOGRAM_BOUNDS && us > histogram_bounds_ms[i] * 1000) i++;
    return i;
}

void histogram_add(struct histogram *h, int64_t us)
{
    if (us < 0) us = 0;
    h->counts[class_of(us)]++;
    h->sum_us += (uint64_t)us;
}

void histogram_live_add(struct histogram_live *h, int64_t us)
{
    if (us < 0) us = 0;
    atomic_fetch_add_explicit(&h->counts[class_of(us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, (uint64_t)us, memory_order_relaxed);
}

struct histogram histogram_read(const struct histogram_live *h)
{
    struct histogram out;
    for (int i = 0; i < HISTOGRAM_CLASSES; i++)
        out.counts[i] = atomic_load_explicit(&h->counts[i], memory_order_relaxed);
    out.sum_us = atomic_load_explicit(&h->sum_us, memory_order_relaxed);
    return out;
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t count = 0;
    for (int i = 0; i < HISTOGRAM_CLASSES; i++) count += h->counts[i];
    return count;
}

void histogram_merge(struct histogram *h, const struct histogram *more)
{
    for (int i = 0; i < HISTOGRAM_CLASSES; i++) h->counts[i] += more->counts[i];
    h->sum_us += more->sum_us;
}

struct histogram histogram_since(const struct histogram *now, const struct histogram *before)
{
    struct histogram out = *now;
    for (int i = 0; i < HISTOGRAM_CLASSES; i++)
        if (now->counts[i] < before->counts[i]) return out;
    for (int i = 0; i < HISTOGRAM_CLASSES; i++) out.counts[i] -= before->counts[i];
    out.sum_us -= before->sum_us;
    return out;
}

double histogram_quantile_ms(const struct histogram *h, double piece)
{
    uint64_t count = histogram_count(h), below = 0;
    double rank = piece * (double)count;
    if (count == 0) return -1;
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        if (h->counts[i] > 0 && (double)(below + h->counts[i]) >= rank) {
            double from = i > 0 ? (double)histogram_bounds_ms[i - 1] : 0;
            double to = (double)histogram_bounds_ms[i];
            double inside = (rank - (double)below) / (double)h->counts[i];
            return from + (to - from) * (inside > 0 ? inside : 0);
        }
        below += h->counts[i];
    }
    return (double)histogram_bounds_ms[HISTOGRAM_BOUNDS - 1];
}
