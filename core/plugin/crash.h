/* crash.h - who is to blame when the process dies inside a plugin's call. */
#ifndef LOCKSTEP_PLUGIN_CRASH_H
#define LOCKSTEP_PLUGIN_CRASH_H

#include <stdbool.h>

#define CRASH_ID_BYTES 200

/* From here on a fatal signal (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) in a plugin's call writes one log
 * line that names plugin, collection, call and document, before the process ends as it would have. Not under
 * sanitizers, which have handlers of their own. */
void crash_watch(bool json);
/* This thread calls a plugin now. The strings must live until crash_leave(); `document` is copied. */
void crash_enter(const char *plugin, const char *collection, const char *call, const char *document);
void crash_leave(void);

#endif
