/*
 * stand_in.c - fork, execute, and read "listening on HOST:PORT" from its output.
 *
 * Owns the process and the pipe. Should the test die without stopping it, the kernel ends the stand-in.
 */
#include "stand_in.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGUMENTS 16

static void run(const char *program, const char *const *options, int out)
{
    char path[1024];
    const char *argv[MAX_ARGUMENTS] = {path, "--port", "0"};
    size_t n = 3;
    const char *top = getenv("top_builddir");
    snprintf(path, sizeof path, "%s/tests/double/%s", top ? top : ".", program);
    dup2(out, STDOUT_FILENO);
    while (options && *options && n + 1 < MAX_ARGUMENTS) argv[n++] = *options++;
    execv(path, (char *const *)argv);
    _exit(127);
}

bool stand_in_start(struct stand_in *s, const char *program, const char *const *options)
{
    int out[2];
    char line[256];
    *s = (struct stand_in){.pid = -1};
    if (pipe(out)) return false;
    s->pid = fork();
    if (!s->pid) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        close(out[0]);
        run(program, options, out[1]);
    }
    close(out[1]);
    s->out = fdopen(out[0], "r"); /* stays open: it may say more */
    while (s->pid > 0 && s->out && fgets(line, sizeof line, s->out)) {
        if (strncmp(line, "listening on ", 13) != 0) continue;
        line[strcspn(line, "\r\n")] = '\0';
        snprintf(s->address, sizeof s->address, "%.120s", line + 13);
        return true;
    }
    stand_in_stop(s);
    return false;
}

void stand_in_stop(struct stand_in *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGTERM);
        waitpid(s->pid, NULL, 0);
    }
    if (s->out) fclose(s->out);
    *s = (struct stand_in){.pid = -1};
}
