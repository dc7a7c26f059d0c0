/*
 * bench_status.c - asks an HTTP server for one path again and again over one connection, and says how long
 * the answers took.
 *
 *   bench_status PORT PATH INTERVAL_MS     until SIGTERM; prints: ASKED P50_MS P99_MS MOST_MS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 200000
#define ANSWER_BYTES (256 << 10)

static volatile sig_atomic_t over;

static void end(int signal)
{
    (void)signal;
    over = 1;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_status: %s\n", what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static int dial(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) die("nobody listens");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

/* Reads one answer with Content-Length; its status. */
static int read_answer(int fd, char *text)
{
    size_t bytes = 0, whole = 0;
    while (!whole || bytes < whole) {
        ssize_t n = recv(fd, text + bytes, ANSWER_BYTES - 1 - bytes, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) die("the connection ended");
        bytes += (size_t)n;
        text[bytes] = '\0';
        const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "\r\nContent-Length:");
        if (body && length)
            whole = (size_t)(body + 4 - text) + strtoul(length + sizeof "\r\nContent-Length:" - 1, NULL, 10);
    }
    return (int)strtol(text + sizeof "HTTP/1.1 " - 1, NULL, 10);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 4) die("PORT PATH INTERVAL_MS");
    double *took = calloc(MOST, sizeof *took), interval = strtod(argv[3], NULL);
    char *text = malloc(ANSWER_BYTES), request[512];
    size_t count = 0, bad = 0;
    int fd = dial((int)strtol(argv[1], NULL, 10));
    struct sigaction on_end = {.sa_handler = end};
    sigaction(SIGTERM, &on_end, NULL);
    if (!took || !text) die("out of memory");
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", argv[2]);
    for (double next = now_ms(); !over && count < MOST; next += interval) {
        double wait = next - now_ms();
        if (wait > 0) usleep((useconds_t)(wait * 1000));
        if (over) break;
        double began = now_ms();
        if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) die("can't send");
        bad += read_answer(fd, text) != 200;
        took[count++] = now_ms() - began;
        if (next + interval < now_ms()) next = now_ms() - interval; /* late: no burst to catch up */
    }
    if (count == 0) die("nothing was asked");
    qsort(took, count, sizeof *took, ascending);
    printf("%zu %.2f %.2f %.2f\n", count, took[count / 2], took[(size_t)((double)(count - 1) * 0.99)],
           took[count - 1]);
    if (bad) fprintf(stderr, "%zu answers were not 200\n", bad);
    close(fd);
    free(took);
    free(text);
    return 0;
}
