/*
 * events.h - what happens, as server-sent events, for all who listen: a ring of bounded size that anybody
 * writes to and each listener reads at its own pace.
 *
 * All functions may be called from any thread. Publishing never waits for a listener, and does next to
 * nothing while nobody has listened for a while.
 */
#ifndef LOCKSTEP_SERVICE_EVENTS_H
#define LOCKSTEP_SERVICE_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

struct events;

/* One event as it goes over the wire: `id: ...\nevent: ...\ndata: ...\n\n`. Shared, not to be changed. */
struct event {
    uint64_t sequence;
    const char *source; /* whom it concerns */
    const char *text;
    size_t bytes;
};

/* NULL when memory is out. */
struct events *events_new(void);
/* Nobody uses it any more. NULL is fine. */
void events_free(struct events *e);

/* ---- what happens ---- */

/* False where publishing is in vain, so that nothing needs to be made for it. */
bool events_wanted(const struct events *e);
/* `kind` is the event's name; takes `data`, one JSON object, over. NULL, since memory is out, is an event
 * that everybody has missed: listeners are sent a notice. `source` is copied, and may be a text in `data`. */
void events_publish(struct events *e, const char *kind, const char *source, json_t *data);
/* For engine_config.on_recorded: a `document` event, unless there were many within this second. `names` are
 * those of the source's collections. */
void events_recorded(struct events *e, const char *source, const char *const *names,
                     const struct engine_recorded *what);
/* How often events_recorded() was called. */
uint64_t events_records(const struct events *e);

/* ---- listening ---- */

enum events_found { EVENTS_FOUND, EVENTS_NONE, EVENTS_LOST };

void events_join(struct events *e);
void events_leave(struct events *e);
/* To be called about once a second: forgets everything when nobody has listened for a while. */
void events_tick(struct events *e);

/* The place of the newest event: what comes after it is new. */
uint64_t events_newest(struct events *e);
/* The place that a `Last-Event-ID` names; false if what came after it is not all there any more. */
bool events_place(struct events *e, const char *id, uint64_t *place);
/* The id of a place; returns `out`. */
const char *events_id(const struct events *e, uint64_t place, char out[48]);
/* The next event of this source (NULL: of any) after *place, which moves past it; to be given back by
 * event_release(). EVENTS_LOST: some that came after *place are gone. */
enum events_found events_next(struct events *e, const char *source, uint64_t *place,
                              const struct event **out);
void event_release(const struct event *event);

/* Waits until there is something after `place`, or for `wait_ms`. */
void events_wait(struct events *e, uint64_t place, int64_t wait_ms);
/* Nobody waits any more, now or later. */
void events_close(struct events *e);

#endif
