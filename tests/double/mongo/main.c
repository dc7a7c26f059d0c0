/*
 * main.c - mongod, the stand-in: options, the listening socket, the event loop. It keeps everything in memory
 * and listens on loopback only; it is for tests and for trying things out, and is not MongoDB.
 */
#include "config.h"

#include "conn.h"
#include "journal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (1 << 18)

static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
    (void)sig;
    stopping = 1;
}

static void usage(FILE *to)
{
    fputs(
        "Usage: mongod [--port N] [--standalone] [--auth] [--two] [--file PATH] [--oplog-mb N]\n"
        "A stand-in for MongoDB 4.4 that keeps its data in memory and listens on 127.0.0.1 only.\n"
        "  --port N        listen there; 0 (the default) takes a free port\n"
        "  --standalone    no replica set: no change streams, no retryable writes\n"
        "  --auth          refuse everything that needs authentication\n"
        "  --two           a second member of the set, on a free port; replSetStepDown makes it the primary\n"
        "  --file PATH     keep data and oplog in this file over a restart\n"
        "  --oplog-mb N    forget the oldest changes beyond this much (256)\n"
        "When it is ready it prints `listening on 127.0.0.1:N`.\n",
        to);
}

static bool parse_number(const char *text, long max, long *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    return !errno && end != text && !*end && *out >= 0 && *out <= max;
}

/* 0: go on; 1: stop with success; 2: stop with a usage error. */
static int parse_options(int argc, char **argv, struct options *opt, long *port)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'}, {"standalone", no_argument, NULL, 's'},
        {"auth", no_argument, NULL, 'a'},       {"two", no_argument, NULL, '2'},
        {"file", required_argument, NULL, 'f'}, {"oplog-mb", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
    long mb;
    int o;
    while ((o = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (o) {
        case 'p':
            if (!parse_number(optarg, 65535, port))
                return fprintf(stderr, "mongod: bad port: %s\n", optarg), 2;
            break;
        case 's':
            opt->standalone = true;
            break;
        case 'a':
            opt->auth = true;
            break;
        case '2':
            opt->two = true;
            break;
        case 'f':
            opt->file = optarg;
            break;
        case 'o':
            if (!parse_number(optarg, 65536, &mb) || !mb)
                return fprintf(stderr, "mongod: bad size: %s\n", optarg), 2;
            opt->oplog_bytes = (size_t)mb << 20;
            break;
        case 'h':
            usage(stdout);
            return 1;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind < argc) return usage(stderr), 2;
    return 0;
}

static int listen_on(long port, int *chosen)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, n) || listen(fd, 128) ||
        getsockname(fd, (struct sockaddr *)&at, &n)) {
        close(fd);
        return -1;
    }
    *chosen = ntohs(at.sin_port);
    return fd;
}

static void watch(int ep, struct conn *c, bool write, int op)
{
    struct epoll_event e = {.events = write ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
    epoll_ctl(ep, op, c->fd, &e);
    c->want_write = write;
}

static void accept_all(struct server *s, int ep, int listener, bool second)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct conn *c = conn_new(s, fd);
        c->second = second;
        watch(ep, c, false, EPOLL_CTL_ADD);
    }
}

/* Writes what there is; what does not fit waits for room. */
static void send_out(int ep, struct conn *c)
{
    while (!c->dead && c->out_sent < c->out_bytes) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_bytes - c->out_sent, MSG_NOSIGNAL);
        if (n > 0) {
            c->out_sent += (size_t)n;
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else {
            if (n < 0 && errno != EAGAIN) c->dead = true;
            break;
        }
    }
    bool pending = c->out_sent < c->out_bytes;
    if (!pending) {
        c->out_bytes = c->out_sent = 0;
        if (c->out_cap > 1 << 20) {
            free(c->out);
            c->out = NULL;
            c->out_cap = 0;
        }
    }
    if (!c->dead && pending != c->want_write) watch(ep, c, pending, EPOLL_CTL_MOD);
}

static void receive(struct conn *c, uint8_t *buf)
{
    while (!c->dead) {
        ssize_t n = recv(c->fd, buf, READ_BYTES, 0);
        if (n > 0) {
            if (!conn_is_swallowed(c)) conn_feed(c, buf, (size_t)n);
            if (n < READ_BYTES) return;
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else {
            if (n == 0 || errno != EAGAIN) c->dead = true;
            return;
        }
    }
}

/* Goes on with what is parked, sends, buries the dead. */
static void settle(struct server *s, int ep)
{
    for (size_t i = 0; i < s->conn_count; i++) conn_step(s->conns[i]);
    for (size_t i = 0; i < s->conn_count;) {
        struct conn *c = s->conns[i];
        if (c->out_bytes && !conn_is_swallowed(c)) send_out(ep, c);
        if (c->dead) {
            conn_free(c);
        } else {
            i++;
        }
    }
}

static int timeout_ms(struct server *s, int64_t tick)
{
    int64_t now = now_monotonic_ms(), first = tick;
    for (size_t i = 0; i < s->conn_count; i++) {
        int64_t at = conn_deadline(s->conns[i]);
        if (at && (!first || at < first)) first = at;
    }
    if (!first) return -1;
    return first <= now ? 0 : first - now > 60000 ? 60000 : (int)(first - now);
}

/* Signals come while we wait and at no other time, so that none is missed just before. */
static sigset_t while_waiting;

static void listen_to_signals(void)
{
    const struct sigaction act = {.sa_handler = on_signal};
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigprocmask(SIG_BLOCK, &ours, &while_waiting);
    sigdelset(&while_waiting, SIGINT);
    sigdelset(&while_waiting, SIGTERM);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
}

/* listeners[1] is the second member's; -1: there is none. */
static int serve(struct server *s, const int listeners[2])
{
    static char second_listener; /* its address alone counts */
    struct epoll_event events[64], e = {.events = EPOLLIN, .data.ptr = NULL};
    struct epoll_event second = {.events = EPOLLIN, .data.ptr = &second_listener};
    int ep = epoll_create1(EPOLL_CLOEXEC);
    uint8_t *buf = xmalloc(READ_BYTES);
    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listeners[0], &e) ||
        (listeners[1] >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, listeners[1], &second))) {
        free(buf);
        return perror("mongod: epoll"), 1;
    }
    while (!stopping) {
        int64_t tick = server_tick(s);
        settle(s, ep);
        int n = epoll_pwait(ep, events, 64, timeout_ms(s, tick), &while_waiting);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            bool is_second = events[i].data.ptr == &second_listener;
            if (!c || is_second) {
                accept_all(s, ep, listeners[is_second], is_second);
                continue;
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c, buf);
            if (c->out_bytes && !conn_is_swallowed(c)) send_out(ep, c);
        }
    }
    free(buf);
    close(ep);
    return 0;
}

int main(int argc, char **argv)
{
    struct options opt = {0};
    struct server s;
    long port = 0;
    int chosen, rc = parse_options(argc, argv, &opt, &port);
    if (rc) return rc == 1 ? 0 : 2;
    setlocale(LC_CTYPE, "C.UTF-8"); /* regular expressions see characters */
    signal(SIGPIPE, SIG_IGN);
    listen_to_signals();
    fprintf(
        stderr,
        "mongod: this is Lockstep's stand-in for MongoDB 4.4 (%s%s), not MongoDB: data is kept in memory%s\n",
        opt.standalone || opt.auth ? "standalone" : "replica set of one",
        opt.auth ? " that requires authentication" : "",
        opt.file ? " and in one file" : " and lost at the end");
    int second = 0, listeners[2] = {listen_on(port, &chosen), opt.two ? listen_on(0, &second) : -1};
    if (listeners[0] < 0 || (opt.two && listeners[1] < 0))
        return fprintf(stderr, "mongod: cannot listen on 127.0.0.1:%ld: %s\n", port, strerror(errno)), 1;
    server_init(&s, &opt);
    snprintf(s.host, sizeof s.host, "127.0.0.1:%d", chosen);
    if (opt.two) snprintf(s.second_host, sizeof s.second_host, "127.0.0.1:%d", second);
    struct merr err;
    merr_init(&err);
    if (opt.file && !(s.journal = journal_open(&s, opt.file, &err))) {
        fprintf(stderr, "mongod: %s\n", err.msg);
        rc = 1;
    } else {
        if (opt.two) printf("the second member is at 127.0.0.1:%d\n", second);
        printf("listening on 127.0.0.1:%d\n", chosen);
        fflush(stdout);
        rc = serve(&s, listeners);
    }
    merr_fini(&err);
    close(listeners[0]);
    if (opt.two) close(listeners[1]);
    server_fini(&s);
    return rc;
}
