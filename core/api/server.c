/*
 * server.c - see server.h: libmicrohttpd's thread reads requests and writes answers, our threads make them.
 * A request is suspended while one of them has it. Knows no route.
 */
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/call_counts.h"
#include "api/encode.h"
#include "api/guard.h"
#include "api/listen.h"
#include "api/peers.h"
#include "api/streams.h"
#include "api/tls.h"
#include "base/clock.h"
#include "base/json_memory.h"
#include "base/log.h"
#include "base/queue.h"

#define ANSWERING_THREADS 6
#define MOST_CONNECTIONS 1024
#define IDLE_S 60
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define CONNECTION_MEMORY ((size_t)32 << 10) /* of it the headers */

struct admin {
    struct admin_config config;
    struct MHD_Daemon *daemon;
    uint16_t port;
    struct call_counts *call_counts;
    pthread_mutex_t lock;
    bool closing;       /* nothing joins the queue any more */
    struct queue queue; /* of calls that want an answer */
    pthread_t threads[ANSWERING_THREADS];
    size_t thread_count;
    struct streams *streams;
    struct peers *peers;
    struct tls tls;
};

/* ---- answering ---- */

static void *answer_calls(void *self)
{
    struct admin *a = self;
    for (struct call *call; (call = queue_take(&a->queue, -1)) != NULL;) {
        (void)json_memory_was_out(); /* an earlier answer is none of this one's business */
        call->route->answer(call);
        if (!call->status) call_fail(call, 500, "INTERNAL", "no answer was made");
        encode_answer(call);
        call->made_us = clock_us();
        MHD_resume_connection(call->connection);
    }
    return NULL;
}

static struct MHD_Response *text_response(const struct call *call)
{
    return MHD_create_response_from_buffer(call->bytes, call->text, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result send_answer(struct call *call)
{
    static const char *const headers[][2] = {{"Cache-Control", "no-store"},
                                             {"X-Content-Type-Options", "nosniff"},
                                             {"Referrer-Policy", "no-referrer"},
                                             {"Content-Security-Policy", "default-src 'none'"}};
    struct MHD_Response *response = call->stream ? stream_response(call->stream) : text_response(call);
    if (!response) return MHD_NO;
    if (call->stream)
        peer_waits(call->peer); /* whether its client reads what is sent, libmicrohttpd's time-out says */
    else
        peer_sends(call->peer, call->bytes);
    call->text = NULL;
    call->stream = NULL;
    MHD_add_response_header(response, "Content-Type", call->type);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (!call_answers(call, headers[i][0]))
            MHD_add_response_header(response, headers[i][0], headers[i][1]);
    for (size_t i = 0; i < call->answer_header_count; i++)
        MHD_add_response_header(response, call->answer_headers[i].name, call->answer_headers[i].value);
    if (*call->allow) MHD_add_response_header(response, "Allow", call->allow);
    if (call->status == 401) MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    enum MHD_Result result = MHD_queue_response(call->connection, (unsigned)call->status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- reading ---- */

static struct call *call_new(struct admin *a, struct MHD_Connection *connection, const char *target)
{
    struct call *call = calloc(1, sizeof *call);
    if (!call) return NULL;
    call->admin = a;
    call->service = a->config.service;
    call->streams = a->streams;
    call->counts = a->call_counts;
    call->connection = connection;
    call->target = strdup(target);
    call->came_us = clock_us();
    buf_init(&call->body, CALL_MAX_BODY_BYTES);
    if (call->target) return call;
    free(call);
    return NULL;
}

/* The first that is heard of a request: its target as it came, before anything is decoded. */
static void *note_target(void *self, const char *target, struct MHD_Connection *connection)
{
    return call_new(self, connection, target);
}

static void call_free(void *self, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode reason)
{
    struct call *call = *context;
    const struct admin *a = self;
    (void)connection;
    (void)reason;
    if (!call) return;
    if (call->status)
        call_counts_add(a->call_counts, call, call->made_us ? call->made_us - call->came_us : -1);
    peer_rests(call->peer);
    stream_free(call->stream);
    call_fini(call);
    free(call);
    *context = NULL;
}

static enum MHD_Result note_header(void *self, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct call *call = self;
    (void)kind;
    if (call->header_count == CALL_MAX_HEADERS) {
        call_fail(call, 431, "HEADERS_TOO_LARGE", "a request may have %d headers", CALL_MAX_HEADERS);
        return MHD_NO;
    }
    call->headers[call->header_count++] = (struct call_pair){name, value ? value : ""};
    return MHD_YES;
}

/* They stay where libmicrohttpd has them until the request is over. */
static void note_headers(struct call *call)
{
    size_t bytes = 0;
    MHD_get_connection_values(call->connection, MHD_HEADER_KIND, note_header, call);
    for (size_t i = 0; i < call->header_count; i++)
        bytes += strlen(call->headers[i].name) + strlen(call->headers[i].value);
    if (!call->status && bytes > CALL_MAX_HEADER_BYTES)
        call_fail(call, 431, "HEADERS_TOO_LARGE", "the headers may have %zu bytes", CALL_MAX_HEADER_BYTES);
}

/* What is already known to fail is answered before its body is read. */
static bool refuse_early(struct call *call)
{
    const struct admin_config *config = &call->admin->config;
    const struct guard guard = {.token = config->token,
                                .read_token = config->read_token,
                                .public_counts = config->public_counts,
                                .public_lists = config->public_lists,
                                .local = *config->socket_path != '\0',
                                .local_trust = config->socket_trust,
                                .allow_origins = config->allow_origins};
    note_headers(call);
    guard_head(&guard, call);
    return call->status != 0;
}

/* False: the request is not worth an answer. */
static bool begin(struct call *call, const char *method)
{
    call->begun = true;
    call->peer = peer_of(call->connection);
    peer_receives(call->peer, 0);
    call->method = strdup(method);
    return call->method != NULL;
}

/* False: answered at once. */
static bool hand_over(struct call *call)
{
    struct admin *a = call->admin;
    pthread_mutex_lock(&a->lock);
    bool closing = a->closing;
    if (!closing) {
        peer_waits(call->peer);
        MHD_suspend_connection(call->connection);
        queue_push(&a->queue, call);
    }
    pthread_mutex_unlock(&a->lock);
    if (closing) call_fail(call, 503, "ENDING", "the daemon is ending");
    return !closing;
}

static enum MHD_Result receive(void *self, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data, size_t *bytes,
                               void **context)
{
    struct call *call = *context;
    (void)self;
    (void)connection;
    (void)url;
    (void)version;
    if (!call) return MHD_NO; /* memory was out */
    if (!call->begun) {       /* headers only */
        if (!begin(call, method)) return MHD_NO;
        return refuse_early(call) ? send_answer(call) : MHD_YES;
    }
    if (*bytes > 0) {
        peer_receives(call->peer, *bytes);
        if (!call->status) buf_put(&call->body, data, *bytes);
        if (call->body.failed) call->too_large = true;
        *bytes = 0;
        return MHD_YES;
    }
    if (call->too_large && !call->status)
        call_fail(call, 413, "TOO_LARGE", "the body may have %zu bytes", CALL_MAX_BODY_BYTES);
    if (call->status) return send_answer(call);
    return hand_over(call) ? MHD_YES : send_answer(call);
}

/* ---- opening and closing ---- */

/* NULL if it can't be. Takes `fd` over if it can. */
static struct MHD_Daemon *start_daemon(struct admin *a, int fd)
{
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, a->tls.certificate.data},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, a->tls.key.data},
                                   {MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES},
                                   {MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (a->tls.key.data)
        flags |= MHD_USE_TLS;
    else
        tls[0] = tls[3];
    return MHD_start_daemon(
        flags, 0, NULL, NULL, receive, a, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED,
        call_free, a, MHD_OPTION_URI_LOG_CALLBACK, note_target, a, MHD_OPTION_NOTIFY_CONNECTION, peers_notify,
        a->peers, MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static enum lks_code start_threads(struct admin *a, struct lks_err *err)
{
    a->peers = peers_open(MOST_CONNECTIONS);
    a->streams = streams_open(a->config.service);
    bool good = a->peers && a->streams;
    while (good && a->thread_count < ANSWERING_THREADS) {
        good = pthread_create(&a->threads[a->thread_count], NULL, answer_calls, a) == 0;
        if (good) a->thread_count++;
    }
    return good ? LKS_E_OK : lks_fail(err, LKS_E_IO, "no thread left for the HTTP server");
}

/* Nothing without a certificate. */
static enum lks_code load_tls(const struct admin_config *config, struct tls *tls, struct lks_err *err)
{
    if (!*config->tls_certificate) return LKS_E_OK;
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return lks_fail(err, LKS_E_CONFIG, "[api] tls_certificate: this libmicrohttpd was built without TLS");
    return tls_load(config->tls_certificate, config->tls_key, tls, err);
}

enum lks_code admin_check(const struct admin_config *config, struct lks_err *err)
{
    struct tls tls = {.key = {.data = NULL}};
    enum lks_code code = load_tls(config, &tls, err);
    tls_fini(&tls);
    return code;
}

enum lks_code admin_try(const struct admin_config *config, struct lks_err *err)
{
    return listen_try(config, err);
}

static enum lks_code start(struct admin *a, struct lks_err *err)
{
    int fd = -1;
    enum lks_code code = load_tls(&a->config, &a->tls, err);
    if (code == LKS_E_OK) code = start_threads(a, err);
    if (code == LKS_E_OK) code = listen_open(&a->config, &fd, err);
    if (code != LKS_E_OK) return code;
    a->port = listen_port(fd);
    a->daemon = start_daemon(a, fd);
    if (a->daemon) return LKS_E_OK;
    close(fd);
    return lks_fail(err, LKS_E_IO, "the HTTP server can't be started");
}

enum lks_code admin_open(const struct admin_config *config, struct admin **out, struct lks_err *err)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a || !(a->call_counts = call_counts_new(routes, route_count)) ||
        !queue_init(&a->queue, offsetof(struct call, next))) {
        if (a) call_counts_free(a->call_counts);
        free(a);
        return lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    pthread_mutex_init(&a->lock, NULL);
    a->config = *config;
    enum lks_code code = start(a, err);
    if (code != LKS_E_OK) {
        admin_close(a);
        return code;
    }
    *out = a;
    return LKS_E_OK;
}

uint16_t admin_port(const struct admin *a)
{
    return a->port;
}

void admin_close(struct admin *a)
{
    if (!a) return;
    if (a->daemon) {
        MHD_socket fd = MHD_quiesce_daemon(a->daemon); /* nobody new */
        if (fd != MHD_INVALID_SOCKET) close(fd);
        listen_forget(a->config.socket_path);
    }
    pthread_mutex_lock(&a->lock);
    a->closing = true;
    pthread_mutex_unlock(&a->lock);
    queue_close(&a->queue);
    for (size_t i = 0; i < a->thread_count; i++) pthread_join(a->threads[i], NULL);
    streams_end(a->streams);
    if (a->daemon) MHD_stop_daemon(a->daemon);
    streams_close(a->streams);
    peers_close(a->peers);
    tls_fini(&a->tls);
    queue_fini(&a->queue);
    pthread_mutex_destroy(&a->lock);
    call_counts_free(a->call_counts);
    free(a);
}
