/*
 * proxy.c - see proxy.h. Owns its connections; one thread, one poll().
 *
 * A reply is what the server sends after the client has sent something. Garbling spoils its first four bytes,
 * which every protocol here notices (a length, or "HTTP"); any other byte might as well be one of the
 * contents, and no reader could distinguish that from the truth
 */
#define _GNU_SOURCE /* memmem */
#include "fault/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_PAIRS 256
#define CHUNK_BYTES ((size_t)64 << 10)
#define TICK_MS 20

/* Bytes on their way to one end. */
struct flow {
    char bytes[CHUNK_BYTES];
    size_t from, to;
    int64_t due_ms; /* not to be sent before */
};

struct pair {
    int client, server; /* -1: closed */
    struct flow up, down;
    uint64_t replied_bytes, replies;
    bool asked; /* the client has sent something since the last reply */
    bool held;  /* PROXY_HOLD: what it waits for has come, and waits in `up` */
};

struct proxy {
    int listener, port;
    struct sockaddr_in to;
    pthread_t thread;
    atomic_bool ending;
    atomic_int mode;
    atomic_uint_fast64_t amount, hits;
    const char *_Atomic text; /* PROXY_HOLD: what to wait for */
    struct pair *pairs[MOST_PAIRS];
    size_t count;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void hit(struct proxy *p)
{
    atomic_fetch_add(&p->hits, 1);
}

/* ---- connections ---- */

static int loopback_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void prepare(int fd)
{
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Closes an end; with a reset the other side learns of it as an error. */
static void end(int fd, bool reset)
{
    const struct linger now = {.l_onoff = 1};
    if (reset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void end_pair(struct pair *pair, bool reset)
{
    if (pair->client >= 0) end(pair->client, reset);
    if (pair->server >= 0) end(pair->server, false);
    pair->client = pair->server = -1;
}

static void take_client(struct proxy *p)
{
    int client = accept(p->listener, NULL, NULL);
    if (client < 0) return;
    if (atomic_load(&p->mode) == PROXY_REFUSE || p->count == MOST_PAIRS) {
        hit(p);
        end(client, true);
        return;
    }
    struct pair *pair = calloc(1, sizeof *pair);
    int server = loopback_socket();
    if (!pair || server < 0 || connect(server, (struct sockaddr *)&p->to, sizeof p->to) != 0) {
        end(client, true); /* the server is not there: as it would be without us */
        if (server >= 0) close(server);
        free(pair);
        return;
    }
    prepare(client);
    prepare(server);
    pair->client = client;
    pair->server = server;
    p->pairs[p->count++] = pair;
}

/* ---- bytes ---- */

/* What the server said, before it goes on. False: the connection is over. */
static bool treat_reply(struct proxy *p, struct pair *pair)
{
    enum proxy_mode mode = (enum proxy_mode)atomic_load(&p->mode);
    uint64_t amount = atomic_load(&p->amount);
    struct flow *flow = &pair->down;
    bool first = pair->asked;
    pair->asked = false;
    pair->replies += first;
    if (mode == PROXY_DELAY) {
        flow->due_ms = now_ms() + (int64_t)amount;
        if (first) hit(p);
    } else if (mode == PROXY_GARBLE && first && pair->replies % amount == 0) {
        memset(flow->bytes, 0xff, flow->to < 4 ? flow->to : 4);
        hit(p);
    } else if ((mode == PROXY_CUT || mode == PROXY_RESET) && pair->replied_bytes + flow->to > amount) {
        flow->to = amount > pair->replied_bytes ? (size_t)(amount - pair->replied_bytes) : 0;
        if (flow->to && write(pair->client, flow->bytes, flow->to) < 0) flow->to = 0;
        hit(p);
        end_pair(pair, mode == PROXY_RESET);
        return false;
    }
    pair->replied_bytes += flow->to;
    return true;
}

/* Whether what the client has just sent is what PROXY_HOLD waits for. */
static bool is_to_be_held(struct proxy *p, const struct flow *up)
{
    const char *text = atomic_load(&p->text);
    return atomic_load(&p->mode) == PROXY_HOLD && text &&
           memmem(up->bytes + up->from, up->to - up->from, text, strlen(text));
}

/* Reads into an empty flow. False: that end is closed. */
static bool fill(int fd, struct flow *flow)
{
    ssize_t got = read(fd, flow->bytes, sizeof flow->bytes);
    if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
    flow->from = 0;
    flow->to = (size_t)got;
    return true;
}

static bool drain(int fd, struct flow *flow)
{
    ssize_t put = write(fd, flow->bytes + flow->from, flow->to - flow->from);
    if (put < 0) return errno == EAGAIN || errno == EINTR;
    flow->from += (size_t)put;
    return true;
}

static bool is_empty(const struct flow *flow)
{
    return flow->from == flow->to;
}

static void serve(struct proxy *p, struct pair *pair, short client, short server)
{
    if (pair->client >= 0 && (client & (POLLIN | POLLHUP | POLLERR)) && is_empty(&pair->up)) {
        if (!fill(pair->client, &pair->up)) {
            end_pair(pair, false);
            return;
        }
        if (!is_empty(&pair->up)) pair->asked = true;
        if (is_to_be_held(p, &pair->up)) {
            pair->held = true;
            hit(p);
            return;
        }
    }
    if (pair->server >= 0 && (server & (POLLIN | POLLHUP | POLLERR)) && is_empty(&pair->down)) {
        if (!fill(pair->server, &pair->down)) {
            end_pair(pair, false);
            return;
        }
        if (!is_empty(&pair->down) && !treat_reply(p, pair)) return;
    }
    if (!is_empty(&pair->up) && !drain(pair->server, &pair->up)) {
        end_pair(pair, false);
        return;
    }
    if (!is_empty(&pair->down) && now_ms() >= pair->down.due_ms && !drain(pair->client, &pair->down))
        end_pair(pair, false);
}

static void forget_ended(struct proxy *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (p->pairs[i]->client >= 0)
            p->pairs[kept++] = p->pairs[i];
        else
            free(p->pairs[i]);
    }
    p->count = kept;
}

/* What a flow waits for: to be filled, or to be emptied. */
static short request(const struct flow *in, const struct flow *out)
{
    return (short)((is_empty(in) ? POLLIN : 0) | (is_empty(out) || out->due_ms > now_ms() ? 0 : POLLOUT));
}

static void *run(void *self)
{
    struct proxy *p = self;
    struct pollfd fds[1 + 2 * MOST_PAIRS];
    while (!atomic_load(&p->ending)) {
        enum proxy_mode mode = (enum proxy_mode)atomic_load(&p->mode);
        bool hole = mode == PROXY_HOLE;
        size_t count = p->count; /* a client that comes now is served next time */
        fds[0] = (struct pollfd){.fd = p->listener, .events = POLLIN};
        for (size_t i = 0; i < count; i++) {
            struct pair *pair = p->pairs[i];
            if (mode == PROXY_REFUSE) {
                hit(p);
                end_pair(pair, true);
            }
            pair->held = pair->held && mode == PROXY_HOLD;
            bool deaf = hole || pair->held;
            fds[1 + 2 * i] =
                (struct pollfd){.fd = deaf ? -1 : pair->client, .events = request(&pair->up, &pair->down)};
            fds[2 + 2 * i] =
                (struct pollfd){.fd = deaf ? -1 : pair->server, .events = request(&pair->down, &pair->up)};
        }
        if (poll(fds, (nfds_t)(1 + 2 * count), TICK_MS) < 0 && errno != EINTR) break;
        if (hole && count) hit(p);
        if (fds[0].revents) take_client(p);
        for (size_t i = 0; !hole && i < count; i++)
            if (p->pairs[i]->client >= 0 && !p->pairs[i]->held)
                serve(p, p->pairs[i], fds[1 + 2 * i].revents, fds[2 + 2 * i].revents);
        forget_ended(p);
    }
    return NULL;
}

/* ---- opening and closing ---- */

static bool listen_on_loopback(struct proxy *p)
{
    struct sockaddr_in at = loopback(0);
    socklen_t bytes = sizeof at;
    p->listener = loopback_socket();
    if (p->listener < 0 || bind(p->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(p->listener, 64) != 0 || getsockname(p->listener, (struct sockaddr *)&at, &bytes) != 0)
        return false;
    p->port = ntohs(at.sin_port);
    return true;
}

static bool find_server(const char *host, int port, struct sockaddr_in *to)
{
    const struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &wanted, &found) != 0) return false;
    memcpy(to, found->ai_addr, sizeof *to);
    to->sin_port = htons((uint16_t)port);
    freeaddrinfo(found);
    return true;
}

struct proxy *proxy_open(const char *host, int port)
{
    struct proxy *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->listener = -1;
    if (find_server(host, port, &p->to) && listen_on_loopback(p) &&
        pthread_create(&p->thread, NULL, run, p) == 0)
        return p;
    if (p->listener >= 0) close(p->listener);
    free(p);
    return NULL;
}

int proxy_port(const struct proxy *p)
{
    return p->port;
}

void proxy_set(struct proxy *p, enum proxy_mode mode, uint64_t amount)
{
    atomic_store(&p->amount, amount ? amount : 1);
    atomic_store(&p->mode, (int)mode);
}

void proxy_hold(struct proxy *p, const char *text)
{
    atomic_store(&p->text, text);
    proxy_set(p, PROXY_HOLD, 0);
}

uint64_t proxy_hits(struct proxy *p)
{
    return atomic_load(&p->hits);
}

const char *proxy_mode_name(enum proxy_mode mode)
{
    static const char *const names[PROXY_MODE_COUNT] = {
        [PROXY_FORWARD] = "pass",  [PROXY_DELAY] = "delay",     [PROXY_CUT] = "cut",
        [PROXY_RESET] = "reset",   [PROXY_HOLE] = "black hole", [PROXY_REFUSE] = "refuse",
        [PROXY_GARBLE] = "garble", [PROXY_HOLD] = "hold",
    };
    return names[mode];
}

void proxy_close(struct proxy *p)
{
    if (!p) return;
    atomic_store(&p->ending, true);
    pthread_join(p->thread, NULL);
    for (size_t i = 0; i < p->count; i++) {
        end_pair(p->pairs[i], false);
        free(p->pairs[i]);
    }
    close(p->listener);
    free(p);
}
