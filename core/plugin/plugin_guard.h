/* plugin_guard.h - one call on a thread of its own, under a deadline. Private to plugin/. */
#ifndef LOCKSTEP_PLUGIN_PLUGIN_GUARD_H
#define LOCKSTEP_PLUGIN_PLUGIN_GUARD_H

#include <stdbool.h>
#include <stdint.h>

enum guard_outcome {
    GUARD_DONE,
    GUARD_HUNG,  /* not back in time: the thread is given up, what it uses must never be freed */
    GUARD_FAILED /* no thread could be made: nothing was called */
};

/* Calls `function(argument)` and waits up to `deadline_ms`. */
enum guard_outcome guard_call(void (*function)(void *argument), void *argument, int64_t deadline_ms);

#endif
