/*
 * json_memory.h - whether jansson was refused memory.
 *
 * jansson reports it by each call's result, and not even always (2.14 leaves a member's name out of a text
 * and goes on). Whoever makes an answer of many calls asks once, at its end: what was refused anything is not
 * whole.
 */
#ifndef LOCKSTEP_BASE_JSON_MEMORY_H
#define LOCKSTEP_BASE_JSON_MEMORY_H

#include <stdbool.h>

/* Before jansson is used for the first time. */
void json_memory_watch(void);
/* True if jansson was refused memory in this thread since the last time somebody asked. */
bool json_memory_was_out(void);

#endif
