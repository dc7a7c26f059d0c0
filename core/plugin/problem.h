/* problem.h - what is wrong with a plugin or its section, reported as it is found. Private to plugin/. */
#ifndef LOCKSTEP_PLUGIN_PROBLEM_H
#define LOCKSTEP_PLUGIN_PROBLEM_H

#include "plugin/plugin.h"

/* Collects problems on their way to whoever asked. */
struct plugin_problems {
    plugin_report report; /* may be NULL */
    void *context;
    size_t count;
};

void problem(struct plugin_problems *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
