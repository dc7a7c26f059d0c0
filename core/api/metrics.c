/* metrics.c - see metrics.h: families, samples, escaping. */
#include "api/metrics.h"

#include <inttypes.h>
#include <string.h>

void metrics_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_label(struct buf *out, const char *name, const char *value, char before)
{
    buf_putc(out, before);
    buf_printf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n')
            buf_puts(out, "\\n");
        else if (*value == '"' || *value == '\\')
            buf_printf(out, "\\%c", *value);
        else
            buf_putc(out, *value);
    }
    buf_putc(out, '"');
}

/* `le` NULL: none. */
static void put_labels(struct buf *out, const struct label *labels, const char *le)
{
    char before = '{';
    for (; labels && labels->name; labels++, before = ',')
        put_label(out, labels->name, labels->value, before);
    if (le) put_label(out, "le", le, before), before = ',';
    if (before == ',') buf_putc(out, '}');
}

void metrics_sample(struct buf *out, const char *name, const struct label *labels, double value)
{
    buf_puts(out, name);
    put_labels(out, labels, NULL);
    buf_printf(out, " %.15g\n", value);
}

void metrics_histogram(struct buf *out, const char *name, const struct label *labels,
                       const struct histogram *h)
{
    uint64_t below = 0;
    char le[32] = "+Inf";
    for (int i = 0; i < HISTOGRAM_CLASSES; i++) {
        below += h->counts[i];
        if (i < HISTOGRAM_BOUNDS)
            snprintf(le, sizeof le, "%g", (double)histogram_bounds_ms[i] / 1000);
        else
            snprintf(le, sizeof le, "+Inf");
        buf_printf(out, "%s_bucket", name);
        put_labels(out, labels, le);
        buf_printf(out, " %" PRIu64 "\n", below);
    }
    buf_printf(out, "%s_sum", name);
    put_labels(out, labels, NULL);
    buf_printf(out, " %.15g\n", (double)h->sum_us / 1e6);
    buf_printf(out, "%s_count", name);
    put_labels(out, labels, NULL);
    buf_printf(out, " %" PRIu64 "\n", below); /* of the same reading as the buckets */
}
