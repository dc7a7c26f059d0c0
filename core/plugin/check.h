/* check.h - is this descriptor one that can be used? Private to plugin/. */
#ifndef LOCKSTEP_PLUGIN_CHECK_H
#define LOCKSTEP_PLUGIN_CHECK_H

#include "plugin/problem.h"

/*
 * Copies what the plugin in `file` has of a descriptor into `out`, the rest zero, and checks every member.
 * False, and all that is wrong reported, if it can't be used under this name.
 */
bool plugin_check(const struct lks_plugin *theirs, const char *file, const char *name, struct lks_plugin *out,
                  struct plugin_problems *problems);

/* The bytes an option of this type takes in `self`. */
size_t option_size(lks_type type);

#endif
