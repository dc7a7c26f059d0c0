/*
 * exposition.h - reads Prometheus' text format as strictly as a scraper may, and finds values in it.
 *
 * What is checked: HELP and TYPE stand once, together, before their samples; samples of a family stay
 * together; no series occurs twice; counters end in _total and nothing else does; labels are quoted and
 * escaped as they must be; histograms have rising bounds, counts that don't fall, +Inf, a sum and a count
 * that fit.
 */
#ifndef LOCKSTEP_TESTS_LIVE_EXPOSITION_H
#define LOCKSTEP_TESTS_LIVE_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>

#define EXPOSITION_NAME_BYTES 96

struct exposition_sample {
    char name[EXPOSITION_NAME_BYTES];
    char *labels; /* owned: as they stand, without braces */
    double le;    /* of a bucket */
    bool has_le;
    double value;
};

struct exposition_family {
    char name[EXPOSITION_NAME_BYTES];
    char type[16];
    size_t first, count; /* of its samples */
};

struct exposition {
    struct exposition_family *families; /* owned */
    size_t family_count;
    struct exposition_sample *samples; /* owned */
    size_t sample_count;
    char wrong[400]; /* what is wrong first; "": nothing */
};

/* False, with `wrong`, for a text that isn't as it must be. exposition_fini() in any case. */
bool exposition_read(struct exposition *e, const char *text);
void exposition_fini(struct exposition *e);

const struct exposition_family *exposition_family(const struct exposition *e, const char *name);
/* The value of the one series of this name whose labels hold all of `labels` (`a="b",c="d"`, in their order);
 * -1 if there is none. */
double exposition_value(const struct exposition *e, const char *name, const char *labels);

#endif
