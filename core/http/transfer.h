/* transfer.h - within http/: one call as a curl transfer, from set-up to outcome. */
#ifndef LOCKSTEP_HTTP_TRANSFER_H
#define LOCKSTEP_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "http/http.h"

/* Makes `easy` (fresh or reset) carry out `call`. False: call->failure and error are set. */
bool transfer_prepare(struct http_call *call, CURL *easy, const char *ca_file);
/* Reads the outcome off the handle into `call` and lets go of what transfer_prepare() made. */
void transfer_finish(struct http_call *call, CURL *easy, CURLcode result);
/* Its deadline is over. */
bool transfer_overdue(const struct http_call *call);
/* Sets a failure with its message; `what` may be NULL. */
void transfer_fail(struct http_call *call, enum http_failure failure, const char *what);
/* Compresses the body into call->zipped if that is asked for and worth it. */
void transfer_compress(struct http_call *call);
/* Frees header list and compressed body. */
void transfer_release(struct http_call *call);

#endif
