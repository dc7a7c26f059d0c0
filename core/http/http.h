/*
 * http.h - asking HTTP servers without waiting for them.
 *
 * One thread drives all transfers over pooled connections (keep-alive, HTTP/2 where a server offers it over
 * TLS). A call object goes out by http_send() and comes back in its done(), on that thread, exactly once,
 * whatever happens. Redirects are not followed: credentials go where they were meant to go and nowhere else.
 * Proxies are taken from the environment as curl does, but never for loopback hosts.
 */
#ifndef LOCKSTEP_HTTP_HTTP_H
#define LOCKSTEP_HTTP_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct http;

/* Why there is no reply. A reply with any status, also 500, is no failure here. */
enum http_failure {
    HTTP_OK = 0,
    HTTP_BAD_CALL,  /* URL or headers can't be used: nothing was sent */
    HTTP_CONNECT,   /* name not found, refused, unreachable: nothing was sent */
    HTTP_TLS,       /* no trust, or no common language: nothing was sent */
    HTTP_TIMEOUT,   /* connect or total time is over; `sent` says which */
    HTTP_CUT,       /* the connection ended in the middle, or what came was no HTTP */
    HTTP_TOO_LARGE, /* the reply passed `max_reply_bytes`; `status` is known */
    HTTP_CANCELLED, /* http_close() or http_cancel() came first */
    HTTP_NOMEM
};

struct http_header {
    const char *name, *value;
};

#define HTTP_ERROR_BYTES 512
#define HTTP_TYPE_BYTES 80

/*
 * One request and its reply. Zero it, fill the first part, keep it and all it points to until done(). Made by
 * whoever sends; http_call_fini() frees the reply. Sending a finished call again
 * frees its reply first.
 */
struct http_call {
    /* in, borrowed until done() */
    const char *method; /* "GET", "PUT", ... */
    const char *url;    /* http:// or https://; user and password in it are sent as basic authorisation */
    const struct http_header *headers; /* values with line breaks are HTTP_BAD_CALL; "Content-Type" as well */
    size_t header_count;
    const void *body; /* NULL: none. Not copied */
    size_t body_bytes;
    bool gzip_body;         /* compress it on the way (in http_send(), on its thread) */
    bool accept_gzip;       /* let the server compress the reply: for large ones over a network */
    int timeout_ms;         /* for everything from http_send() on; 0: none */
    int connect_timeout_ms; /* 0: as timeout_ms */
    int64_t deadline_ms; /* by clock_boot_ms(): from then on no byte of it is sent, nor its reply waited for,
                            whatever kept it: looked at when its connection is ready. 0: none */
    size_t max_reply_bytes;  /* after decompression; 0: 64 MB */
    const char *unix_socket; /* a path: connect to it, whatever host the URL names; NULL: to that host */
    const char *trust_file;  /* PEM: whoever shows this certificate is trusted, whatever name it holds, and
                                nobody else; NULL: as http_open() says */
    void (*done)(struct http_call *call); /* on the loop's thread: short, never blocking; may send and free */
    void *context;                        /* the caller's own */

    /* out */
    enum http_failure failure;
    bool sent; /* some of the request may have reached the server */
    long status;
    struct buf reply;
    char content_type[HTTP_TYPE_BYTES]; /* lower case, without parameters; "" if there was none */
    int64_t retry_after_ms; /* what `Retry-After` or `retry-after-ms` asked for; 0: nothing, or no wait */
    char error[HTTP_ERROR_BYTES]; /* with a failure: "POST http://host/path: what happened"; no secret */

    /* the loop's own */
    struct http_call *next, *previous;
    struct http *http;
    void *easy, *header_list, *zipped;
    atomic_bool cancelled;
    bool overflowed; /* the reply passed its cap */
    bool begun;      /* a connection was ready in time: bytes may have left */
    bool overdue;    /* none was */
    char curl_error[256];
};

struct http_options {
    int connections_per_host; /* 0: 16; more calls wait for their turn (which counts as their time) */
    const char *ca_file;      /* PEM bundle to trust instead of the system's; NULL: the system's */
};

/* Starts the loop. `options` may be NULL. LKS_E_NOMEM, LKS_E_IO. */
enum lks_code http_open(const struct http_options *options, struct http **out, struct lks_err *err);

/* Gives up all calls under way (HTTP_CANCELLED) and stops. Whoever still sends, except from done(), must have
 * stopped before. NULL is fine. */
void http_close(struct http *http);

/* Sends. From any thread; never blocks (but compresses); never fails here: failures come to done() as well.
 */
void http_send(struct http *http, struct http_call *call);

/*
 * Ends a call early: done() comes soon, with HTTP_CANCELLED unless it was over already. From any thread; the
 * call must not have been given up by its owner yet (freed, or sent again) when this is called.
 */
void http_cancel(struct http *http, struct http_call *call);

/* Sends and waits; `done` and `context` are not used. Not from done(). Returns call->failure. */
enum http_failure http_perform(struct http *http, struct http_call *call);

/* Frees what the reply holds and clears the out part, so that the call can be sent again. */
void http_call_fini(struct http_call *call);

/*
 * What a `Retry-After` value (RFC 9110: seconds or a date) asks for, in milliseconds from `now` (seconds
 * since 1970 UTC); 0 if it is in the past or unreadable. Capped at a week.
 */
int64_t http_retry_after_ms(const char *value, int64_t now);

/* `value` of `retry-after-ms`: milliseconds, perhaps with a fraction. 0 if unreadable. Capped at a week. */
int64_t http_retry_after_exact_ms(const char *value);

/* Writes `url` without user, password, query and fragment: for messages. Always ends with a NUL. */
void http_url_plain(const char *url, char *out, size_t out_bytes);

/* True if the host of `url` is localhost, 127.x.x.x or ::1. */
bool http_url_loopback(const char *url);

#endif
