/*
 * recheck.c - see recheck.h. One thread reads what the process prints, line by line, and waits for its end;
 * the engines' thread only looks whether it is over.
 */
#include "config.h" /* pipe2() is an extension */

#include "daemon/recheck.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define PATIENCE_MS 120000 /* DNS and servers may be slow */
#define LINE_BYTES 2048

struct recheck {
    pid_t pid;
    int output; /* of the process */
    pthread_t thread;
    atomic_bool over;
    int status; /* as waitpid() has it */
    char line[LINE_BYTES];
    size_t bytes;
};

static void say_line(struct recheck *c)
{
    c->line[c->bytes] = '\0';
    if (c->bytes) log_warn("configuration check", LOG_STR("says", c->line));
    c->bytes = 0;
}

static void take(struct recheck *c, const char *some, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (some[i] == '\n')
            say_line(c);
        else if (c->bytes + 1 < sizeof c->line)
            c->line[c->bytes++] = some[i];
    }
}

static void read_all(struct recheck *c)
{
    char some[1024];
    int64_t until = clock_ms() + PATIENCE_MS;
    struct pollfd wait = {.fd = c->output, .events = POLLIN};
    for (;;) {
        int64_t left = until - clock_ms();
        int ready = poll(&wait, 1, left > 0 ? (int)left : 0);
        if (ready < 0 && errno == EINTR) continue;
        ssize_t n = ready > 0 ? read(c->output, some, sizeof some) : -1;
        if (n < 0 && ready > 0 && errno == EINTR) continue;
        if (ready == 0) {
            kill(c->pid, SIGKILL);
            log_warn("configuration check", LOG_STR("says", "it took too long and was ended"));
        }
        if (n <= 0) break;
        take(c, some, (size_t)n);
    }
    say_line(c);
}

static void *follow(void *context)
{
    struct recheck *c = context;
    read_all(c);
    while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR) {
    }
    atomic_store(&c->over, true);
    return NULL;
}

/* Between fork() and exec nothing may be done but system calls: other threads may have held locks. */
static _Noreturn void become_check(const struct invocation *inv, const char *held, int output)
{
    dup2(output, STDERR_FILENO);
    execl(inv->program, inv->program, "--config", inv->config_path, "config", "check", "--quiet", "--held",
          held, (char *)NULL);
    _exit(127);
}

static void put_held(const struct config_api *api, char *out, size_t bytes)
{
    if (!api->enabled)
        snprintf(out, bytes, "off");
    else if (*api->socket_path)
        snprintf(out, bytes, "unix:%s", api->socket_path);
    else
        snprintf(out, bytes, "%s:%u", api->host, api->port);
}

static enum lks_code start(struct recheck *c, const struct invocation *inv, const char *held,
                           struct lks_err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return lks_fail(err, LKS_E_IO, "no pipe: %s", strerror(errno));
    c->output = ends[0];
    c->pid = fork();
    if (c->pid == 0) become_check(inv, held, ends[1]);
    int error = errno;
    close(ends[1]);
    if (c->pid > 0 && pthread_create(&c->thread, NULL, follow, c) == 0) return LKS_E_OK;
    close(ends[0]);
    if (c->pid < 0) return lks_fail(err, LKS_E_IO, "no process: %s", strerror(error));
    kill(c->pid, SIGKILL);
    waitpid(c->pid, &c->status, 0);
    return lks_fail(err, LKS_E_IO, "no thread left");
}

struct recheck *recheck_start(const struct invocation *inv, const struct config_api *api, struct lks_err *err)
{
    char held[400];
    struct recheck *c = calloc(1, sizeof *c);
    if (!c) {
        lks_fail(err, LKS_E_NOMEM, "out of memory");
        return NULL;
    }
    put_held(api, held, sizeof held);
    if (start(c, inv, held, err) == LKS_E_OK) return c;
    free(c);
    return NULL;
}

bool recheck_done(struct recheck *c, bool *good)
{
    if (!atomic_load(&c->over)) return false;
    pthread_join(c->thread, NULL);
    close(c->output);
    *good = WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0;
    if (WIFEXITED(c->status) && WEXITSTATUS(c->status) == 127)
        log_error("the program can't be started for the check");
    free(c);
    return true;
}
