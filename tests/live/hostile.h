/* hostile.h - documents nobody would wish for, among neighbours that must not notice. */
#ifndef LOCKSTEP_TESTS_LIVE_HOSTILE_H
#define LOCKSTEP_TESTS_LIVE_HOSTILE_H

#include "live/harness.h"

#define ENTRY(collection, key) "syncMetadata.collections." collection "." key
#define NEIGHBOURS 20
#define MEGABYTE ((size_t)1 << 20)

/* A world with half of the neighbours in it; the daemon does not run yet. */
void open_among_neighbours(struct live *w, const char *test);
/* Starts the daemon among them, and waits until everybody has come to the end that is called for. */
void run_among_neighbours(struct live *w);
/* The neighbours were done once, without a failure. */
void neighbours_are_undisturbed(struct live *w);
/* What a document (by `_id`, a string) has at this path, or a part of it. */
void says(struct live *w, const char *id, const char *path, const char *text);
void mentions(struct live *w, const char *id, const char *path, const char *target);

#endif
