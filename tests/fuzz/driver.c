/*
 * driver.c - a small fuzzer for `make check`: LOCKSTEP_TEST_INPUTS (10,000) inputs, each a seed or two with a
 * few random changes. Blind, where libFuzzer looks at what an input reaches: it keeps what is found once from
 * coming back.
 *
 * An input that ends the process is left in the file `NAME.input`.
 */
#include "fuzz/driver.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_BYTES 8192

static uint64_t state;
static uint8_t input[MOST_BYTES];
static size_t input_bytes;

/* splitmix64 */
static size_t draw(size_t below)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (size_t)((z ^ (z >> 31)) % below);
}

static uint64_t setting(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : fallback;
}

static const struct fuzz_seed *any_seed(void)
{
    size_t count = 0;
    while (fuzz_seeds[count].data) count++;
    return &fuzz_seeds[draw(count)];
}

/* Puts bytes in at a place, as far as there is room. */
static void insert(size_t at, const void *bytes, size_t count)
{
    if (count > MOST_BYTES - input_bytes) count = MOST_BYTES - input_bytes;
    memmove(input + at + count, input + at, input_bytes - at);
    memmove(input + at, bytes, count); /* they may be of the input itself */
    input_bytes += count;
}

static void cut(size_t at, size_t count)
{
    if (count > input_bytes - at) count = input_bytes - at;
    memmove(input + at, input + at + count, input_bytes - at - count);
    input_bytes -= count;
}

static void change(void)
{
    static const char *const pieces[] = {
        "\"",      "{",    "}",    "[",  "]", ",", ":", "null", "1e999",   "-1", "18446744073709551616",
        "\\ud800", "\xff", "\xc3", "\n", " ", "=", ";", "${",   "\\u0000", "NaN"};
    size_t at = input_bytes ? draw(input_bytes) : 0;
    const char *piece = pieces[draw(sizeof pieces / sizeof *pieces)];
    uint8_t byte = (uint8_t)draw(256);
    const struct fuzz_seed *other = any_seed();
    size_t from = draw(other->bytes + 1);
    switch (draw(6)) {
    case 0:
        if (input_bytes) input[at] ^= (uint8_t)(1u << draw(8));
        break;
    case 1:
        if (input_bytes) input[at] = byte;
        break;
    case 2:
        insert(at, piece, strlen(piece));
        break;
    case 3:
        cut(at, 1 + draw(16));
        break;
    case 4:
        insert(at, other->data + from, draw(other->bytes - from + 1));
        break;
    default:
        if (input_bytes) insert(at, input + draw(at + 1), draw(16) % (input_bytes - at + 1));
    }
}

static void make_input(void)
{
    const struct fuzz_seed *seed = any_seed();
    input_bytes = 0;
    insert(0, seed->data, seed->bytes);
    for (size_t changes = draw(8); changes > 0; changes--) change();
}

static void keep_input(int signal_number)
{
    char path[80];
    snprintf(path, sizeof path, "%s.input", fuzz_name);
    FILE *file = fopen(path, "we");
    if (file) {
        fwrite(input, 1, input_bytes, file);
        fclose(file);
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

int main(void)
{
    uint64_t count = setting("LOCKSTEP_TEST_INPUTS", 10000), seed = setting("LOCKSTEP_TEST_SEED", 1);
    state = seed;
    signal(SIGABRT, keep_input);
    signal(SIGSEGV, keep_input);
    printf("1..1\n# seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    for (uint64_t i = 0; i < count; i++) {
        make_input();
        LLVMFuzzerTestOneInput(input, input_bytes);
    }
    printf("ok 1 - %llu inputs like those of %s\n", (unsigned long long)count, fuzz_name);
    return EXIT_SUCCESS;
}
