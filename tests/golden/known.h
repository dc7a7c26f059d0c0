/*
 * known.h - what a replay knows of values that differ from run to run: which cursor id, resume token, time,
 * session or id made by the server now stands for which recorded one.
 *
 * All values are kept as text, in pairs recorded -> replayed. A conversation is short, so plain lists do.
 */
#ifndef LOCKSTEP_GOLDEN_KNOWN_H
#define LOCKSTEP_GOLDEN_KNOWN_H

#include <bson/bson.h>
#include <stdbool.h>

struct known;

/* An empty memory, for one conversation. NULL without memory. */
struct known *known_new(void);
void known_free(struct known *k);

/* Appends to `out` the members of the recorded command `in`, every recorded value that has a counterpart
 * replaced by it, sessions by fresh ones; remembers which ids and moments the client chose itself. */
void known_substitute(struct known *k, const bson_t *in, bson_t *out);

/* Takes note of cursor ids, times, topology versions and sessions of a reply. */
void known_learn(struct known *k, const bson_t *recorded, const bson_t *got);

/* What stands for a recorded cursor id now; false if it is none. */
bool known_cursor(const struct known *k, int64_t recorded, int64_t *now);

/*
 * Takes note of a resume token, and holds it against all that were seen before: equal tokens must have stayed
 * equal, different ones different, and the order must be the same. `is_event`: it names an event; otherwise
 * it is a post-batch token, which may also stand still where the recorded one moved on (the recorded server
 * wrote something of its own meanwhile). NULL if all holds, else what does not (static text).
 */
const char *known_token(struct known *k, const char *recorded, const char *got, bool is_event);

/*
 * Compares two ObjectIds, UUIDs, dates or timestamps (both of the same BSON type). What the client chose must
 * come back as it was; an id that the server made must stand for the same recorded id each time; a moment of
 * the server's may be any. NULL if this holds, else what does not (static text).
 */
const char *known_value(struct known *k, const bson_iter_t *recorded, const bson_iter_t *got);

/* True for the types that known_value judges. */
bool known_judges(const bson_iter_t *value);

#endif
