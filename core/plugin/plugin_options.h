/* plugin_options.h - the options that a plugin declares, read from the INI section into `self`. Private to
 * plugin/.
 */
#ifndef LOCKSTEP_PLUGIN_PLUGIN_OPTIONS_H
#define LOCKSTEP_PLUGIN_PLUGIN_OPTIONS_H

#include "base/arena.h"
#include "plugin/problem.h"

/* Reports what is wrong with an option's own `fallback` and `allowed`. */
void option_check_default(const char *file, const struct lks_option *option,
                          struct plugin_problems *problems);

/*
 * Fills `self` (self_size zeroed bytes) from the section's settings and the fallbacks. Strings and lists live
 * in `arena`. *given becomes "key=value" for each declared option, NULL-terminated, in the arena. Problems
 * are reported with where they stand; false if there were any or memory is out (then arena->failed).
 */
bool options_read(const struct lks_plugin *plugin, const struct binding_settings *settings,
                  struct arena *arena, void *self, const char *const **given,
                  struct plugin_problems *problems);

#endif
