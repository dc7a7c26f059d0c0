/*
 * transfer.c - the options that curl gets for a call, and what its result codes mean.
 *
 * Owns the header list and the compressed body of a call under way. Never follows redirects, never lets curl
 * speak anything but HTTP, never puts a header or a query into a message.
 */
#include "http/transfer.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <zlib.h>

#include "base/clock.h"
#include "config.h"

#define REPLY_BYTES_DEFAULT (64u << 20)
#define GZIP_WORTH_BYTES 1024
#define UPLOAD_BUFFER_BYTES (256L << 10)

/* A compressed body: zlib's bytes behind their length. */
struct zipped {
    size_t bytes;
    unsigned char data[];
};

void transfer_fail(struct http_call *call, enum http_failure failure, const char *what)
{
    char url[300];
    http_url_plain(call->url ? call->url : "", url, sizeof url);
    call->failure = failure;
    snprintf(call->error, sizeof call->error, "%s %s: %s", call->method ? call->method : "?", url,
             what ? what : "failed");
}

void transfer_compress(struct http_call *call)
{
    call->zipped = NULL;
    if (!call->gzip_body || !call->body || call->body_bytes < GZIP_WORTH_BYTES ||
        call->body_bytes > UINT32_MAX)
        return;
    z_stream z = {0};
    if (deflateInit2(&z, 3, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return;
    size_t bound = deflateBound(&z, (uLong)call->body_bytes);
    struct zipped *zipped = malloc(sizeof *zipped + bound);
    if (zipped) {
        z.next_in = (Bytef *)(uintptr_t)call->body;
        z.avail_in = (uInt)call->body_bytes;
        z.next_out = zipped->data;
        z.avail_out = (uInt)bound;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
            zipped->bytes = z.total_out;
            call->zipped = zipped;
        } else {
            free(zipped);
        }
    }
    deflateEnd(&z);
}

void transfer_release(struct http_call *call)
{
    curl_slist_free_all(call->header_list);
    free(call->zipped);
    call->header_list = call->zipped = NULL;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t bytes = size * count;
    call->overflowed = bytes > call->reply.max_bytes - call->reply.bytes;
    buf_put(&call->reply, data, bytes);
    return call->reply.failed ? 0 : bytes;
}

/* If `line` is header `name`, its value as text in `value`. */
static bool header_is(const char *line, size_t bytes, const char *name, char *value, size_t value_bytes)
{
    size_t name_bytes = strlen(name);
    if (bytes <= name_bytes || line[name_bytes] != ':' || strncasecmp(line, name, name_bytes) != 0)
        return false;
    size_t from = name_bytes + 1, to = bytes;
    while (from < to && (line[from] == ' ' || line[from] == '\t')) from++;
    while (to > from && isspace((unsigned char)line[to - 1])) to--;
    snprintf(value, value_bytes, "%.*s", (int)(to - from), line + from);
    return true;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t bytes = size * count;
    char value[128];
    if (bytes > 5 && !strncmp(data, "HTTP/", 5)) { /* a new head: what an interim one said is void */
        call->retry_after_ms = 0;
        call->content_type[0] = '\0';
    } else if (header_is(data, bytes, "content-type", value, sizeof value)) {
        size_t n = strcspn(value, "; \t");
        if (n >= sizeof call->content_type) n = sizeof call->content_type - 1;
        for (size_t i = 0; i < n; i++) call->content_type[i] = (char)tolower((unsigned char)value[i]);
        call->content_type[n] = '\0';
    } else if (header_is(data, bytes, "retry-after-ms", value, sizeof value)) {
        int64_t ms = http_retry_after_exact_ms(value);
        if (ms) call->retry_after_ms = ms;
    } else if (header_is(data, bytes, "retry-after", value, sizeof value)) {
        /* the exact form is the finer one, whichever came first */
        if (!call->retry_after_ms) call->retry_after_ms = http_retry_after_ms(value, (int64_t)time(NULL));
    }
    return bytes;
}

static bool add_header(struct http_call *call, const char *name, const char *value)
{
    if (strpbrk(name, "\r\n:") || strpbrk(value, "\r\n")) {
        transfer_fail(call, HTTP_BAD_CALL, "a header holds a line break");
        return false;
    }
    size_t bytes = strlen(name) + strlen(value) + 3;
    char *line = malloc(bytes);
    struct curl_slist *list = NULL;
    if (line) {
        /* curl leaves a header without a value out unless it ends with a semicolon */
        snprintf(line, bytes, *value ? "%s: %s" : "%s;", name, value);
        list = curl_slist_append(call->header_list, line);
        free(line);
    }
    if (!list) {
        transfer_fail(call, HTTP_NOMEM, "memory is out");
        return false;
    }
    call->header_list = list;
    return true;
}

static bool set_headers(struct http_call *call)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (!add_header(call, call->headers[i].name, call->headers[i].value)) return false;
    if (call->zipped && !add_header(call, "Content-Encoding", "gzip")) return false;
    /* no waiting for "100 Continue": it costs a round trip, and a refusal comes just as well afterwards */
    struct curl_slist *list = curl_slist_append(call->header_list, "Expect:");
    if (list && !call->accept_gzip) {
        call->header_list = list;
        list = curl_slist_append(list, "Accept-Encoding:");
    }
    if (!list) {
        transfer_fail(call, HTTP_NOMEM, "memory is out");
        return false;
    }
    call->header_list = list;
    return true;
}

/* An option without which it would be another request than the one asked for, or go elsewhere: false when
 * curl doesn't take it. */
#define SET(option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

static bool set_body(const struct http_call *call, CURL *easy)
{
    const struct zipped *zipped = call->zipped;
    if (call->body) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
        return SET(CURLOPT_POST, 1L) &&
               SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(zipped ? zipped->bytes : call->body_bytes)) &&
               SET(CURLOPT_POSTFIELDS, zipped ? (const void *)zipped->data : call->body);
    }
    return strcmp(call->method, "HEAD") == 0 ? SET(CURLOPT_NOBODY, 1L) : SET(CURLOPT_HTTPGET, 1L);
}

static bool set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* Where it goes, and whom it trusts there. */
static bool set_target(const struct http_call *call, CURL *easy, const char *ca_file)
{
    const char *trusted = call->trust_file ? call->trust_file : ca_file;
    return SET(CURLOPT_URL, call->url) && set_protocols(easy) &&
           (!http_url_loopback(call->url) || SET(CURLOPT_PROXY, "")) &&
           (!call->unix_socket || SET(CURLOPT_UNIX_SOCKET_PATH, call->unix_socket)) &&
           (!call->trust_file || SET(CURLOPT_SSL_VERIFYHOST, 0L)) &&
           (!trusted || SET(CURLOPT_CAINFO, trusted));
}

static bool set_answer(struct http_call *call, CURL *easy)
{
    return SET(CURLOPT_WRITEFUNCTION, take_body) && SET(CURLOPT_WRITEDATA, call) &&
           SET(CURLOPT_HEADERFUNCTION, take_header) && SET(CURLOPT_HEADERDATA, call);
}

/* What is left until the deadline, at most timeout_ms; not above 0: nothing. */
static int64_t time_left_ms(const struct http_call *call)
{
    if (!call->deadline_ms) return call->timeout_ms;
    int64_t left = call->deadline_ms - clock_boot_ms();
    return call->timeout_ms && call->timeout_ms < left ? call->timeout_ms : left;
}

/*
 * A connection is ready, and nothing was sent yet. That may be long after the call was given to us: it waited
 * for a connection, or the process stood still. Also before curl sends it once more, as a connection that was
 * used before turned out to be dead.
 */
static int check_deadline(void *context, char *to, char *from, int to_port, int from_port)
{
    struct http_call *call = context;
    (void)to, (void)from, (void)to_port, (void)from_port;
    call->overdue = transfer_overdue(call);
    if (call->overdue) return CURL_PREREQFUNC_ABORT;
    call->begun = true;
    return CURL_PREREQFUNC_OK;
}

static bool set_times(struct http_call *call, CURL *easy)
{
    int64_t left = time_left_ms(call);
    if (call->deadline_ms && left < 1) left = 1; /* 0 would be no limit */
    if (left > INT_MAX) left = INT_MAX;
    return SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_TIMEOUT_MS, (long)left) &&
           (!call->connect_timeout_ms || SET(CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_timeout_ms)) &&
           SET(CURLOPT_PREREQFUNCTION, check_deadline) && SET(CURLOPT_PREREQDATA, call);
}

bool transfer_overdue(const struct http_call *call)
{
    return call->deadline_ms && clock_boot_ms() >= call->deadline_ms;
}

bool transfer_prepare(struct http_call *call, CURL *easy, const char *ca_file)
{
    if (!call->url || !call->method || strpbrk(call->method, "\r\n ")) {
        transfer_fail(call, HTTP_BAD_CALL, "no URL or no method");
        return false;
    }
    if (transfer_overdue(call)) {
        transfer_fail(call, HTTP_TIMEOUT, "its time was over before it could start, nothing was sent");
        return false;
    }
    buf_init(&call->reply, call->max_reply_bytes ? call->max_reply_bytes : REPLY_BYTES_DEFAULT);
    if (!set_headers(call)) return false;
    call->curl_error[0] = '\0';
    call->overflowed = call->begun = call->overdue = false;
    /* what it can do without is not looked at */
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "lockstep/" PACKAGE_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    /* what comes compressed without having been asked for is read all the same */
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    if (set_body(call, easy) && SET(CURLOPT_CUSTOMREQUEST, call->method) &&
        SET(CURLOPT_HTTPHEADER, (struct curl_slist *)call->header_list) && set_target(call, easy, ca_file) &&
        set_times(call, easy) && set_answer(call, easy))
        return true;
    transfer_fail(call, HTTP_NOMEM, "the transfer could not be prepared: memory is out");
    return false;
}

static enum http_failure failure_of(CURLcode result, const struct http_call *call)
{
    switch (result) {
    case CURLE_OK:
        return HTTP_OK;
    case CURLE_UNSUPPORTED_PROTOCOL:
        /* of the URL, or (once something was sent) the reply is none of HTTP/1.0 or later */
        return call->sent ? HTTP_CUT : HTTP_BAD_CALL;
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return HTTP_BAD_CALL;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return HTTP_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
        return HTTP_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return HTTP_NOMEM;
    case CURLE_WRITE_ERROR:
        /* take_body() said no: the cap, or memory */
        if (!call->reply.failed) return HTTP_CUT;
        return call->overflowed ? HTTP_TOO_LARGE : HTTP_NOMEM;
    default:
        return HTTP_CUT;
    }
}

void transfer_finish(struct http_call *call, CURL *easy, CURLcode result)
{
    long request_bytes = 0;
    curl_off_t ready_us = 0;
    call->status = 0;
    bool known = curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes) == CURLE_OK &&
                 curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us) == CURLE_OK;
    call->sent = result == CURLE_OK || request_bytes > 0 || ready_us > 0 || !known;
    CURLcode reported = curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &call->status);
    if (result == CURLE_OK) result = reported;
    if (call->overdue) {
        call->sent = call->begun; /* on a connection that was dead, before */
        result = CURLE_OPERATION_TIMEDOUT;
    }
    call->failure = failure_of(result, call);
    if (call->failure == HTTP_TOO_LARGE) {
        char what[80];
        snprintf(what, sizeof what, "the reply is larger than %zu bytes", call->reply.max_bytes);
        transfer_fail(call, HTTP_TOO_LARGE, what);
    } else if (call->failure == HTTP_NOMEM) {
        transfer_fail(call, HTTP_NOMEM, "memory is out");
    } else if (call->failure == HTTP_TIMEOUT) {
        transfer_fail(call, HTTP_TIMEOUT,
                      call->sent ? "no answer in time" : "no connection in time, nothing was sent");
    } else if (call->failure != HTTP_OK) {
        /* curl's own words may quote the URL when it could not be read */
        bool quiet = call->failure == HTTP_BAD_CALL || !call->curl_error[0];
        transfer_fail(call, call->failure, quiet ? curl_easy_strerror(result) : call->curl_error);
    }
    transfer_release(call);
}
