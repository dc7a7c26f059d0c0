/*
 * maker.h - the maker port of ports/ports.h: documents in, struct made out, on threads of its own.
 *
 * Collections that are declarations alone can't hang: a few threads take their requests one after the other.
 * Collections whose plugin has callbacks get a thread each (those of one LKS_SERIAL plugin share one), so
 * that none can hold up another. A call past the deadline is given up: its thread is never joined and what it
 * uses never freed, and from then on every document of its collection answers MADE_FATAL.
 */
#ifndef LOCKSTEP_PLUGIN_MAKER_H
#define LOCKSTEP_PLUGIN_MAKER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "collection/collection.h"
#include "ports/ports.h"

struct maker;

struct maker_options {
    size_t threads;      /* for declarations alone; 0: 2 */
    int64_t deadline_ms; /* for making one document; 0: 5000 */
};

/* `collections` in the order that requests number them; borrowed until maker_close(). LKS_E_NOMEM, LKS_E_IO.
 */
enum lks_code maker_open(const struct collection *const *collections, size_t count,
                         const struct maker_options *options, struct inbox inbox, struct maker **out,
                         struct lks_err *err);
struct port maker_port(struct maker *m);
/* Makes one document on a thread of its own, under the deadline (0: 5000 ms), for who has no maker. A call
 * that hangs is MADE_FATAL and names itself; what it uses is never freed. */
void maker_make(const struct collection *c, const bson_t *doc, int64_t deadline_ms, struct made *out);
/*
 * Posts back what is left (LKS_E_CANCELLED for what wasn't begun) and ends the threads; calls that run are
 * waited for up to the deadline. Returns how many hang: their collections must not be freed (binding_close()
 * knows).
 */
size_t maker_close(struct maker *m);

#endif
