/*
 * err.h - the error a function hands back: what went wrong, where, and what to do.
 *
 * Functions that can fail return 0 on success and an enum lks_code otherwise, and fill a struct lks_err that
 * the caller owns. The codes below `LKS_E_UNKNOWN` are those a document's metadata shows (errorCode); the
 * rest stays inside. Who handles an error logs it; everyone else passes it on.
 */
#ifndef LOCKSTEP_BASE_ERR_H
#define LOCKSTEP_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum lks_code {
    LKS_E_OK = 0,
    /* what a document's record can show */
    LKS_E_EMBEDDING_TIMEOUT,
    LKS_E_EMBEDDING_RATE_LIMIT,
    LKS_E_EMBEDDING_UNAVAILABLE,
    LKS_E_EMBEDDING_REJECTED,
    LKS_E_QDRANT_UNAVAILABLE,
    LKS_E_QDRANT_TIMEOUT,
    LKS_E_QDRANT_REJECTED,
    LKS_E_VALIDATION,
    LKS_E_PLUGIN,
    LKS_E_UNKNOWN,
    /* what it can't */
    LKS_E_NOMEM,
    LKS_E_CONFIG,       /* configuration or usage */
    LKS_E_IO,           /* file or system call */
    LKS_E_MONGO,        /* MongoDB answered with an error, or could not be reached */
    LKS_E_STREAM_LOST,  /* the resume token is gone: everything must be scanned */
    LKS_E_STREAM_ENDED, /* the stream was invalidated by a drop or rename */
    LKS_E_UNSUPPORTED,  /* the server can't do this (no change streams) */
    LKS_E_MISSED,       /* a compare-and-set found other values */
    LKS_E_REFUSED,      /* the document can't take its metadata (16 MB, schema validator) */
    LKS_E_NOT_FOUND,
    LKS_E_AMBIGUOUS, /* several documents fit what was asked for */
    LKS_E_EXISTS,    /* another document has this id, or the same value in a unique index */
    LKS_E_LEASE,     /* another process holds the lease */
    LKS_E_CANCELLED  /* stopped before it was done */
};

/* Whose failure it is, as far as that is known for certain. */
enum lks_blame {
    LKS_BLAME_OPEN = 0,
    LKS_BLAME_PROVIDER, /* the server's, whatever the request was about: no document pays for it */
    LKS_BLAME_KEY,      /* likewise, and it is the key that the server refuses */
    LKS_BLAME_CONTENT   /* that of what was asked: others are answered at the same time */
};

#define LKS_ERR_TEXT_BYTES 1001 /* 1000 bytes of message, as lastError holds, and a NUL */

struct lks_err {
    enum lks_code code;
    enum lks_blame blame;
    int64_t retry_after_ms;        /* what the server asked for; 0 if it said nothing */
    char text[LKS_ERR_TEXT_BYTES]; /* valid UTF-8, never a secret, never document text */
};

/* Sets code and message (cut at a character), nobody's blame, and returns `code`. `err` may be NULL. */
enum lks_code lks_fail(struct lks_err *err, enum lks_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the message that is there. */
void lks_err_prefix(struct lks_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* It is the provider's own failure. */
static inline bool lks_err_of_provider(const struct lks_err *err)
{
    return err->blame == LKS_BLAME_PROVIDER || err->blame == LKS_BLAME_KEY;
}

/* Makes `err` say nothing is wrong. */
void lks_err_clear(struct lks_err *err);

/* The code as a record shows it: "QDRANT_TIMEOUT". Codes that never reach a record read "UNKNOWN". Static
 * storage. */
const char *lks_code_name(enum lks_code code);

/* The reverse, for records that are read back; LKS_E_UNKNOWN for a name that isn't ours. */
enum lks_code lks_code_parse(const char *name);

#endif
