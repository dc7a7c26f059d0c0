/* json_memory.c - jansson's allocations, watched. Owns one flag per thread. */
#include "base/json_memory.h"

#include <jansson.h>
#include <stdlib.h>

static _Thread_local bool was_out;

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    was_out |= !memory;
    return memory;
}

void json_memory_watch(void)
{
    json_set_alloc_funcs(allocate, free);
}

bool json_memory_was_out(void)
{
    bool out = was_out;
    was_out = false;
    return out;
}
