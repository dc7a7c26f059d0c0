/*
 * peers.h - how long a client may take: a deadline for each connection, whatever trickles over it. Private to
 * this room.
 *
 * libmicrohttpd's own time-out begins again with every byte. Here a request has to be there within a time, at
 * a pace, and an answer has to be taken likewise. Where connections become scarce, those that have waited
 * longest for a request to come are closed first: who opens many and sends nothing locks nobody out.
 */
#ifndef LOCKSTEP_API_PEERS_H
#define LOCKSTEP_API_PEERS_H

#include <microhttpd.h>
#include <stddef.h>

struct peers;
struct peer;

/* `most` connections are the limit of the server. NULL: no thread or memory. */
struct peers *peers_open(size_t most);
/* After libmicrohttpd was stopped. NULL is fine. */
void peers_close(struct peers *p);

/* For MHD_OPTION_NOTIFY_CONNECTION; `self` is the peers. */
void peers_notify(void *self, struct MHD_Connection *connection, void **context,
                  enum MHD_ConnectionNotificationCode what);
/* Who a connection belongs to; NULL if memory was out: then nothing is limited. */
struct peer *peer_of(struct MHD_Connection *connection);

/* Its request comes: this many bytes of the body just now. */
void peer_receives(struct peer *peer, size_t bytes);
/* Its request is being answered: that takes what it takes. */
void peer_waits(struct peer *peer);
/* It is sent an answer of this many bytes. */
void peer_sends(struct peer *peer, size_t bytes);
/* Its request is over; another one may come. */
void peer_rests(struct peer *peer);

#endif
