/*
 * machine.h - a state machine as one table: its states, and the moves that each allows.
 *
 * Whoever changes a state calls machine_move(), which checks the move and writes it to the log of level trace
 * (`lockstep --trace`, `tests/sim/run --trace`) in the words of the table.
 */
#ifndef LOCKSTEP_BASE_MACHINE_H
#define LOCKSTEP_BASE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

struct machine {
    const char *name;
    size_t count;
    const struct machine_state {
        const char *name;
        uint32_t to; /* set of states: STATE_BIT(x) | STATE_BIT(y) */
    } * states;
};
#define STATE_BIT(state) ((uint32_t)1 << (state))

/* From one state to another of `owner`, which may be NULL; `item` says of what in it, NULL: of all. */
void machine_move(const struct machine *machine, size_t from, size_t to, const char *owner, const char *item);

#endif
