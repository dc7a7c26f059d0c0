/* machine.c - see machine.h. */
#include "base/machine.h"

#include <stdbool.h>

#include "base/invariant.h"
#include "base/log.h"

void machine_move(const struct machine *machine, size_t from, size_t to, const char *owner, const char *item)
{
    bool known = from < machine->count && to < machine->count;
    bool allowed = known && (machine->states[from].to & STATE_BIT(to));
    if (known && (!allowed || log_enabled(LOG_LEVEL_TRACE)))
        LOG_WITH(allowed ? LOG_LEVEL_TRACE : LOG_LEVEL_ERROR, machine->name,
                 LOG_STR("from", machine->states[from].name), LOG_STR("to", machine->states[to].name),
                 LOG_STR("doc", owner), LOG_STR("collection", item));
    invariant(allowed, "a state machine makes only the moves of its table");
}
