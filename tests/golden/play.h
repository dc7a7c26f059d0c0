/* play.h - playing one recorded conversation against a server, and printing a result for each of its steps.
 */
#ifndef LOCKSTEP_GOLDEN_PLAY_H
#define LOCKSTEP_GOLDEN_PLAY_H

#include <stdbool.h>

#include "golden/recording.h"
#include "golden/skips.h"
#include "golden/tap.h"

struct play {
    const char *host, *port; /* MongoDB */
    const char *url;         /* HTTP, without a slash at its end */
    bool is_standin;         /* it knows the command lockstepDouble */
    const struct skips *skips;
    struct tap *tap;
};

/* What a MongoDB server says of itself. */
struct server_facts {
    bool is_standin, is_replica_set, needs_auth;
    char version[32];
};

enum lks_code play_mongodb_ask(const struct play *p, struct server_facts *facts, struct lks_err *err);
void play_mongodb(const struct play *p, const struct recording *r);
void play_http(const struct play *p, const struct recording *r);

/*
 * True for a step that drops what an earlier run may have left, at the start of a recording: whether there
 * was anything is not the recording's to say.
 */
bool play_is_first_drop(const struct recording *r, size_t i);

/* Holds the time a step took against the recorded one: not at once where the server waited, nor much longer.
 */
void play_compare_elapsed(const struct step *s, int64_t took_ms, struct diffs *out);

void play_sleep_ms(int64_t ms);

#endif
