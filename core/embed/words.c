/*
 * words.c - word vectors from a mapped file. Owns the mapping and an index over it; never writes either once
 * open.
 *
 * The file may be anybody's: every offset is checked while indexing, and lookups only use what was indexed.
 */
#include "embed/words.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "embed/hash_vector.h"
#include "embed/tokens.h"

#define HEADER_MAX_BYTES 4096
#define WORDS_MAX 10000000u
#define DIMENSIONS_MAX 4096u

/* A slot of the index: where a record is, and enough of the word's hash to tell most others apart unseen. */
struct slot {
    uint32_t offset; /* of the record; 0: free (the header stands there) */
    uint32_t tag;
};

struct words {
    const unsigned char *data; /* the mapping */
    size_t bytes;
    size_t dimensions, count;
    struct slot *slots;
    size_t mask; /* slots - 1, a power of two */
    uint32_t checksum;
};

/* ---- opening ---- */

static bool header_number(const char *header, const char *name, size_t max, size_t *out)
{
    const char *at = strstr(header, name);
    if (!at) return false;
    char *end = NULL;
    unsigned long n = strtoul(at + strlen(name), &end, 10);
    *out = (size_t)n;
    return end && *end == '\n' && n > 0 && n <= max;
}

/* Reads the header; returns where the records begin, 0 if it isn't ours. */
static size_t read_header(struct words *w)
{
    char header[HEADER_MAX_BYTES + 1];
    size_t bytes = w->bytes < HEADER_MAX_BYTES ? w->bytes : HEADER_MAX_BYTES;
    memcpy(header, w->data, bytes);
    header[bytes] = '\0';
    static const char first[] = "lockstep-words 1\n";
    char *end = strstr(header, "\n\n");
    if (!end || strncmp(header, first, sizeof first - 1) != 0) return 0;
    end[1] = '\0';
    if (!header_number(header, "\nwords ", WORDS_MAX, &w->count)) return 0;
    if (!header_number(header, "\ndims ", DIMENSIONS_MAX, &w->dimensions)) return 0;
    return (size_t)(end - header) + 2;
}

static float record_scale(const unsigned char *record)
{
    const unsigned char *s = record + 1 + record[0];
    uint32_t bits = (uint32_t)s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16 | (uint32_t)s[3] << 24;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return scale;
}

static const unsigned char *find(const struct words *w, const char *word, size_t length)
{
    unsigned long long h = tokens_hash(word, length);
    uint32_t tag = (uint32_t)(h >> 32);
    for (size_t i = (size_t)h & w->mask; w->slots[i].offset; i = (i + 1) & w->mask) {
        const unsigned char *record = w->data + w->slots[i].offset;
        if (w->slots[i].tag == tag && record[0] == length && memcmp(record + 1, word, length) == 0)
            return record;
    }
    return NULL;
}

static void add(struct words *w, size_t offset)
{
    const unsigned char *record = w->data + offset;
    if (find(w, (const char *)record + 1, record[0])) return; /* the first, more frequent one holds */
    unsigned long long h = tokens_hash((const char *)record + 1, record[0]);
    size_t i = (size_t)h & w->mask;
    while (w->slots[i].offset) i = (i + 1) & w->mask;
    w->slots[i] = (struct slot){.offset = (uint32_t)offset, .tag = (uint32_t)(h >> 32)};
}

/* Indexes all records; false if they don't fill the file exactly. */
static bool index_records(struct words *w, size_t at)
{
    for (size_t n = 0; n < w->count; n++) {
        size_t length = at < w->bytes ? w->data[at] : 0;
        size_t next = at + 1 + length + 4 + w->dimensions;
        if (length == 0 || next > w->bytes) return false;
        if (!isfinite(record_scale(w->data + at))) return false;
        add(w, at);
        at = next;
    }
    return at == w->bytes;
}

static enum lks_code map_file(struct words *w, const char *path, struct lks_err *err)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info = {0};
    if (file < 0 || fstat(file, &info) != 0) {
        int error = errno;
        if (file >= 0) (void)close(file);
        return lks_fail(err, LKS_E_CONFIG,
                        "can't read the word vectors %s: %s (embedding.path names another file)", path,
                        strerror(error));
    }
    bool plausible = S_ISREG(info.st_mode) && info.st_size > 16 && info.st_size < (off_t)UINT32_MAX;
    void *data = plausible ? mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
    (void)close(file);
    if (data == MAP_FAILED) return lks_fail(err, LKS_E_CONFIG, "%s is no file of word vectors", path);
    w->data = data;
    w->bytes = (size_t)info.st_size;
    return LKS_E_OK;
}

enum lks_code words_open(const char *path, struct words **out, struct lks_err *err)
{
    struct words *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code code = map_file(w, path, err);
    if (code != LKS_E_OK) goto out;
    size_t records = read_header(w);
    size_t slots = 64;
    while (records && slots < w->count + w->count / 2) slots *= 2;
    w->slots = records ? calloc(slots, sizeof *w->slots) : NULL;
    w->mask = slots - 1;
    if (records && !w->slots) {
        code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    } else if (!records || !index_records(w, records)) {
        code = lks_fail(err, LKS_E_CONFIG, "%s is no file of word vectors, or not a whole one", path);
    } else {
        w->checksum = (uint32_t)crc32_z(0, w->data, w->bytes);
    }
out:
    if (code == LKS_E_OK)
        *out = w;
    else
        words_close(w);
    return code;
}

void words_close(struct words *w)
{
    if (!w) return;
    if (w->data) (void)munmap((void *)(uintptr_t)w->data, w->bytes);
    free(w->slots);
    free(w);
}

size_t words_dimensions(const struct words *w)
{
    return w->dimensions;
}

uint32_t words_checksum(const struct words *w)
{
    return w->checksum;
}

/* ---- embedding ---- */

static bool add_word(const struct words *w, const char *word, size_t length, float *out)
{
    const unsigned char *record = length && length < 256 ? find(w, word, length) : NULL;
    if (!record) return false;
    float scale = record_scale(record);
    const signed char *values = (const signed char *)record + 1 + length + 4;
    for (size_t i = 0; i < w->dimensions; i++) out[i] += scale * (float)values[i];
    return true;
}

/* The parts between ', + and #. */
static void add_pieces(const struct words *w, const char *word, size_t length, float *out)
{
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && word[end] != '\'' && word[end] != '+' && word[end] != '#') end++;
        if (end - at < length) (void)add_word(w, word + at, end - at, out);
        at = end + 1;
    }
}

void words_embed(const struct words *w, const char *text, size_t bytes, float *out)
{
    char word[TOKEN_MAX_BYTES];
    struct tokens tokens;
    memset(out, 0, w->dimensions * sizeof *out);
    tokens_init(&tokens, text, bytes);
    for (size_t length; (length = tokens_next(&tokens, word)) > 0;)
        if (!add_word(w, word, length, out)) add_pieces(w, word, length, out);
    double squares = 0;
    for (size_t i = 0; i < w->dimensions; i++) squares += (double)out[i] * (double)out[i];
    if (!(squares > 0) || !isfinite(squares)) {
        hash_embed(text, bytes, out, w->dimensions);
        return;
    }
    float norm = (float)sqrt(squares);
    for (size_t i = 0; i < w->dimensions; i++) out[i] /= norm;
}
