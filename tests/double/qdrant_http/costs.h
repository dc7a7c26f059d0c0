/*
 * costs.h - with --costs real, operations take as long as a real Qdrant 1.18.3 takes for them.
 *
 * Measured on two cores, 20,000 points of 768 floats, four payload indexes, 128 points a request: with one
 * connection, which is what a request takes at least, and with eight, which is what all take together. They
 * are waited for, not worked for: the cores stay free for whoever is measured.
 */
#ifndef DOUBLE_QDRANT_HTTP_COSTS_H
#define DOUBLE_QDRANT_HTTP_COSTS_H

#include "qdrant_http/call.h"

enum cost {
    COST_UPSERT,
    COST_GUARDED_UPSERT,
    COST_STAMP,        /* retrieve some of a payload, */
    COST_PAYLOAD,      /* all of it, */
    COST_VECTOR,       /* or a vector */
    COST_CHANGE_BY_ID, /* a payload */
    COST_CHANGE_BY_FILTER,
    COST_DELETE,
    COST_SCROLL, /* one point; each further one in the page costs much less */
    COST_SCROLL_MORE,
    COST_COUNT
};

/* This call does so much more; nothing without --costs. */
void costs_add(struct call *c, enum cost cost, size_t times);
/* Waits until all that it did would be done. No lock may be held. */
void costs_pay(struct call *c);

#endif
