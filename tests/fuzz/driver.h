/*
 * driver.h - what a fuzzer of this folder has, so that it also runs where there is no libFuzzer: seeds of its
 * own. driver.c then changes them at random, by a seed that it prints, and speaks TAP.
 */
#ifndef LOCKSTEP_TESTS_FUZZ_DRIVER_H
#define LOCKSTEP_TESTS_FUZZ_DRIVER_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct fuzz_seed {
    const char *data;
    size_t bytes; /* literals may hold NULs */
};

/* A string literal. */
#define FUZZ_SEED(text)                                                                                      \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }

/* Ends with one whose data is NULL. */
extern const struct fuzz_seed fuzz_seeds[];
extern const char fuzz_name[];

#endif
