/*
 * http.c - the loop: one thread, one curl multi handle, calls in by a queue and out by done().
 *
 * Owns the thread, the multi handle, and a few idle easy handles for reuse (connections live in the multi
 * handle). Calls belong to their senders; between http_send() and done() they are linked into the queue or
 * the list of those under way. Never touches a call after its done() began.
 */
#include "http/http.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/queue.h"
#include "http/transfer.h"

#define CONNECTIONS_DEFAULT 16
#define IDLE_HANDLES_MAX 32
#define POLL_MS 1000
#define POLL_FAILED_MS 50 /* short enough for the transfers, long enough for the processor */

struct http {
    CURLM *multi;
    pthread_t thread;
    struct queue incoming;
    atomic_bool stopping, cancelling; /* cancelling: some call under way may be cancelled */
    struct http_call *active;         /* doubly linked; loop thread only */
    CURL *idle[IDLE_HANDLES_MAX];
    size_t idle_count;
    char *ca_file;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_started;

static void curl_start(void)
{
    curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static CURL *easy_take(struct http *http)
{
    return http->idle_count ? http->idle[--http->idle_count] : curl_easy_init();
}

static void easy_give(struct http *http, CURL *easy)
{
    if (http->idle_count < IDLE_HANDLES_MAX) {
        curl_easy_reset(easy);
        http->idle[http->idle_count++] = easy;
    } else {
        curl_easy_cleanup(easy);
    }
}

static void active_add(struct http *http, struct http_call *call)
{
    call->previous = NULL;
    call->next = http->active;
    if (http->active) http->active->previous = call;
    http->active = call;
}

static void active_remove(struct http *http, struct http_call *call)
{
    if (call->previous)
        call->previous->next = call->next;
    else
        http->active = call->next;
    if (call->next) call->next->previous = call->previous;
    call->next = call->previous = NULL;
}

static void call_refuse(struct http_call *call, enum http_failure failure, const char *what)
{
    transfer_release(call);
    if (failure != HTTP_OK) transfer_fail(call, failure, what);
    call->done(call);
}

static void call_start(struct http *http, struct http_call *call)
{
    if (atomic_load(&http->stopping) || atomic_load(&call->cancelled)) {
        call_refuse(call, HTTP_CANCELLED, "cancelled");
        return;
    }
    CURL *easy = easy_take(http);
    if (!easy) {
        call_refuse(call, HTTP_NOMEM, "memory is out");
        return;
    }
    if (!transfer_prepare(call, easy, http->ca_file)) {
        easy_give(http, easy);
        call_refuse(call, HTTP_OK, NULL); /* transfer_prepare() said what is wrong */
        return;
    }
    if (curl_multi_add_handle(http->multi, easy) != CURLM_OK) {
        easy_give(http, easy);
        call_refuse(call, HTTP_NOMEM, "the transfer could not be started");
        return;
    }
    call->easy = easy;
    active_add(http, call);
}

static void call_end(struct http *http, struct http_call *call, CURLcode result, bool cancelled)
{
    CURL *easy = call->easy;
    curl_multi_remove_handle(http->multi, easy);
    active_remove(http, call);
    call->easy = NULL;
    transfer_finish(call, easy, result);
    if (cancelled) transfer_fail(call, HTTP_CANCELLED, "cancelled");
    easy_give(http, easy);
    call->done(call);
}

static void start_incoming(struct http *http)
{
    struct http_call *call = queue_take_all(&http->incoming, 0);
    while (call) {
        struct http_call *next = call->next;
        call_start(http, call);
        call = next;
    }
}

static void end_finished(struct http *http)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left));) {
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode result = message->data.result;
        struct http_call *call = http->active;
        while (call && call->easy != message->easy_handle) call = call->next;
        if (call) call_end(http, call, result, false);
    }
}

static void end_cancelled(struct http *http)
{
    if (!atomic_exchange(&http->cancelling, false)) return;
    for (struct http_call *call = http->active, *next; call; call = next) {
        next = call->next; /* done() starts nothing here: what it sends goes through the queue */
        if (atomic_load(&call->cancelled)) call_end(http, call, CURLE_ABORTED_BY_CALLBACK, true);
    }
}

/* Before anything is sent: the machine may have been suspended, and curl's own clock stood still meanwhile.
 */
static void end_overdue(struct http *http)
{
    for (struct http_call *call = http->active, *next; call; call = next) {
        next = call->next;
        if (transfer_overdue(call)) call_end(http, call, CURLE_OPERATION_TIMEDOUT, false);
    }
}

static void *loop(void *context)
{
    struct http *http = context;
    while (!atomic_load(&http->stopping)) {
        int running;
        start_incoming(http);
        end_overdue(http);
        curl_multi_perform(http->multi, &running);
        end_finished(http);
        end_cancelled(http);
        if (queue_count(&http->incoming)) continue;
        if (curl_multi_poll(http->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)
            nanosleep(&(struct timespec){.tv_nsec = POLL_FAILED_MS * 1000000L}, NULL);
    }
    /* done() may send again: until nothing is left, everything is cancelled */
    while (http->active || queue_count(&http->incoming)) {
        while (http->active) call_end(http, http->active, CURLE_ABORTED_BY_CALLBACK, true);
        start_incoming(http);
    }
    return NULL;
}

static void http_free(struct http *http)
{
    while (http->idle_count) curl_easy_cleanup(http->idle[--http->idle_count]);
    if (http->multi) curl_multi_cleanup(http->multi);
    free(http->ca_file);
    free(http);
}

/* Signals are the main thread's business. */
static int thread_start(struct http *http)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&http->thread, NULL, loop, http);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

enum lks_code http_open(const struct http_options *options, struct http **out, struct lks_err *err)
{
    static const struct http_options defaults = {0};
    if (!options) options = &defaults;
    *out = NULL;
    pthread_once(&curl_once, curl_start);
    if (curl_started != CURLE_OK)
        return lks_fail(err, LKS_E_IO, "libcurl does not start: %s", curl_easy_strerror(curl_started));
    struct http *http = calloc(1, sizeof *http);
    if (!http) return lks_fail(err, LKS_E_NOMEM, "memory is out");
    http->multi = curl_multi_init();
    if (options->ca_file) http->ca_file = strdup(options->ca_file);
    if (!http->multi || (options->ca_file && !http->ca_file)) {
        http_free(http);
        return lks_fail(err, LKS_E_NOMEM, "memory is out");
    }
    long connections = options->connections_per_host ? options->connections_per_host : CONNECTIONS_DEFAULT;
    if (curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, 4 * connections) != CURLM_OK) {
        http_free(http);
        return lks_fail(err, LKS_E_IO, "libcurl does not take a limit of %ld connections", connections);
    }
    if (!queue_init(&http->incoming, offsetof(struct http_call, next))) {
        http_free(http);
        return lks_fail(err, LKS_E_IO, "no mutex to be had");
    }
    if (thread_start(http)) {
        queue_fini(&http->incoming);
        http_free(http);
        return lks_fail(err, LKS_E_IO, "the HTTP thread does not start");
    }
    *out = http;
    return LKS_E_OK;
}

void http_close(struct http *http)
{
    if (!http) return;
    atomic_store(&http->stopping, true);
    curl_multi_wakeup(http->multi);
    pthread_join(http->thread, NULL);
    queue_fini(&http->incoming);
    http_free(http);
}

void http_send(struct http *http, struct http_call *call)
{
    http_call_fini(call);
    call->http = http;
    call->easy = call->header_list = NULL;
    atomic_store(&call->cancelled, false);
    transfer_compress(call);
    queue_push(&http->incoming, call);
    curl_multi_wakeup(http->multi);
}

void http_cancel(struct http *http, struct http_call *call)
{
    atomic_store(&call->cancelled, true);
    atomic_store(&http->cancelling, true);
    curl_multi_wakeup(http->multi);
}

/* Who waits in http_perform(). */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool finished;
};

static void waiter_done(struct http_call *call)
{
    struct waiter *waiter = call->context;
    pthread_mutex_lock(&waiter->lock);
    waiter->finished = true;
    pthread_cond_signal(&waiter->over);
    pthread_mutex_unlock(&waiter->lock);
}

enum http_failure http_perform(struct http *http, struct http_call *call)
{
    struct waiter waiter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    call->done = waiter_done;
    call->context = &waiter;
    http_send(http, call);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.finished) pthread_cond_wait(&waiter.over, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.over);
    pthread_mutex_destroy(&waiter.lock);
    call->context = NULL;
    return call->failure;
}

void http_call_fini(struct http_call *call)
{
    buf_fini(&call->reply);
    call->failure = HTTP_OK;
    call->sent = false;
    call->status = 0;
    call->retry_after_ms = 0;
    call->content_type[0] = call->error[0] = '\0';
}
