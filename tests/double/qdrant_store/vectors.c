/* vectors.c - where the vectors of one space lie. It owns the chunks; slots are the collection's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_store/collection.h"

#define CHUNK_BYTES ((size_t)1 << 20)

static size_t slot_bytes(const struct vector_space *s)
{
    return s->sparse ? sizeof(struct sparse_vector *) : s->size * sizeof(float);
}

static void *place(const struct vector_space *s, uint32_t slot)
{
    char *chunk = s->chunks[slot >> s->chunk_shift];

    return chunk + (slot & ((1U << s->chunk_shift) - 1)) * slot_bytes(s);
}

static void make_space(struct vector_space *s, uint32_t slot)
{
    size_t need;

    if (!s->chunks)
        while (s->chunk_shift < 12 && slot_bytes(s) << (s->chunk_shift + 1) <= CHUNK_BYTES) s->chunk_shift++;
    need = ((size_t)slot >> s->chunk_shift) + 1;
    if (need > s->chunk_count) {
        s->chunks = must_realloc(s->chunks, need * sizeof *s->chunks);
        while (s->chunk_count < need) {
            size_t bytes = slot_bytes(s) << s->chunk_shift;

            s->chunks[s->chunk_count] = must_alloc(bytes);
            if (s->sparse) memset(s->chunks[s->chunk_count], 0, bytes);
            s->chunk_count++;
        }
    }
    if (slot >= s->present_capacity) {
        size_t space = s->present_capacity ? s->present_capacity * 2 : 1024;

        while (space <= slot) space *= 2;
        s->present = must_realloc(s->present, space);
        memset(s->present + s->present_capacity, 0, space - s->present_capacity);
        s->present_capacity = space;
    }
}

bool vector_present(const struct vector_space *s, uint32_t slot)
{
    return slot < s->present_capacity && s->present[slot];
}

const float *vector_dense(const struct vector_space *s, uint32_t slot)
{
    return vector_present(s, slot) ? place(s, slot) : NULL;
}

const struct sparse_vector *vector_sparse(const struct vector_space *s, uint32_t slot)
{
    return vector_present(s, slot) ? *(struct sparse_vector **)place(s, slot) : NULL;
}

/* As Qdrant does it: sums in f32, and what is zero or already of length one stays as it is. */
static void normalise(float *v, uint32_t size)
{
    float sum = 0;

    for (uint32_t i = 0; i < size; i++) sum += v[i] * v[i];
    if (sum < 1.19209290e-07F || fabsf(sum - 1.0F) <= 1.0e-6F) return;
    sum = sqrtf(sum);
    for (uint32_t i = 0; i < size; i++) v[i] /= sum;
}

/* The nearest number of 16 bits: 11 bits of precision, and infinite above 65504. */
static float to_float16(float value)
{
    int exponent;
    float piece = frexpf(value, &exponent);

    if (value == 0 || !isfinite(value)) return value;
    if (exponent < -13) /* subnormal: multiples of 2^-24 */
        return ldexpf(nearbyintf(ldexpf(value, 24)), -24);
    value = ldexpf(nearbyintf(ldexpf(piece, 11)), exponent - 11);
    return fabsf(value) > 65504.0F ? copysignf(INFINITY, value) : value;
}

/* As a cast of Rust's does it: the fraction is cut off, and what is out of range is at its end. */
static float to_uint8(float value)
{
    if (!(value > 0)) return 0;
    return value >= 255 ? 255 : truncf(value);
}

static void convert(struct vector_space *s, float *at)
{
    for (uint32_t i = 0; i < s->size && s->datatype != DATATYPE_FLOAT32; i++)
        at[i] = s->datatype == DATATYPE_UINT8 ? to_uint8(at[i]) : to_float16(at[i]);
}

static void free_sparse(struct sparse_vector *v)
{
    if (!v) return;
    free(v->indices);
    free(v->values);
    free(v);
}

void vector_set(struct vector_space *s, uint32_t slot, const struct vector_write *v)
{
    make_space(s, slot);
    if (s->sparse) {
        struct sparse_vector **at = place(s, slot);
        struct sparse_vector *copy = must_alloc(sizeof *copy);

        if (s->present[slot]) free_sparse(*at);
        copy->count = v->sparse.count;
        copy->indices = must_alloc(copy->count * sizeof *copy->indices);
        copy->values = must_alloc(copy->count * sizeof *copy->values);
        if (copy->count) {
            memcpy(copy->indices, v->sparse.indices, copy->count * sizeof *copy->indices);
            memcpy(copy->values, v->sparse.values, copy->count * sizeof *copy->values);
        }
        *at = copy;
    } else {
        float *at = place(s, slot);

        memcpy(at, v->values, s->size * sizeof *at);
        if (s->distance == DISTANCE_COSINE && s->datatype != DATATYPE_UINT8) normalise(at, s->size);
        convert(s, at);
    }
    s->present[slot] = 1;
}

void vector_clear(struct vector_space *s, uint32_t slot)
{
    if (!vector_present(s, slot)) return;
    if (s->sparse) {
        struct sparse_vector **at = place(s, slot);

        free_sparse(*at);
        *at = NULL;
    }
    s->present[slot] = 0;
}

void vector_space_fini(struct vector_space *s)
{
    if (s->sparse)
        for (size_t i = 0; i < s->present_capacity; i++) vector_clear(s, (uint32_t)i);
    for (size_t i = 0; i < s->chunk_count; i++) free(s->chunks[i]);
    free(s->chunks);
    free(s->present);
    free(s->name);
}
