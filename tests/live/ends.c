/*
 * ends.c - how the processes of a test ended.
 *
 * A daemon that crashes may go unseen where a test kills it a moment later anyway, or starts the next one;
 * and what a sanitizer has to say is in a log that nobody reads as long as everything comes into sync. So
 * the end of every process is looked at, and sanitizers write into files of their own in the test's folder.
 */
#include "live/ends.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "live/real.h"

#define REPORT "sanitizer-report"

static unsigned driver_deaths;

unsigned ends_by_driver(void)
{
    return driver_deaths;
}

static void add_option(const char *variable, const char *option)
{
    const char *before = getenv(variable);
    char all[2048];
    snprintf(all, sizeof all, "%s%s%s", before ? before : "", before && *before ? ":" : "", option);
    setenv(variable, all, 1);
}

void ends_watch(const struct live *w)
{
    char option[800];
    snprintf(option, sizeof option, "log_path=%s/" REPORT, w->folder);
    add_option("ASAN_OPTIONS", option);
    add_option("UBSAN_OPTIONS", option);
    add_option("TSAN_OPTIONS", option);
    snprintf(option, sizeof option,
             "--quiet --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite "
             "--log-file=%s/" REPORT ".%%p",
             w->folder);
    setenv("VALGRIND_OPTS", option, 1);
}

static void add_file(const char *folder, const char *name, struct buf *out)
{
    char path[1024], some[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file) return;
    for (size_t n; (n = fread(some, 1, sizeof some, file)) > 0;) buf_put(out, some, n);
    fclose(file);
}

void ends_reports(const struct live *w, struct buf *out)
{
    DIR *folder = *w->folder ? opendir(w->folder) : NULL;
    for (struct dirent *each; folder && (each = readdir(folder));)
        if (strncmp(each->d_name, REPORT, sizeof REPORT - 1) == 0) add_file(w->folder, each->d_name, out);
    if (folder) closedir(folder);
}

/* libmongoc 1.23 believes any length that a reply to its heartbeat begins with, and ends the process by an
 * assertion when it is nonsense. Nothing that is linked to it can keep that from happening. */
#define DRIVER_ASSERTION "_mongoc_buffer_append_from_stream(): precondition failed"

/* The last process that crashed: its log, and the signal; 0 if none did. */
static char crashed_log[640];
static int crashed_by;

/* Killing is how tests end processes, and how they let a daemon die at a step; nothing else kills a good one.
 */
static void note_end(struct live_process *p, int status)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && log_has(p, DRIVER_ASSERTION)) {
        printf("# an assertion of libmongoc about a garbled reply ended a process\n");
        driver_deaths++;
    } else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
        crashed_by = WTERMSIG(status);
        snprintf(crashed_log, sizeof crashed_log, "%s", p->log);
    }
    p->pid = 0;
}

bool process_runs(struct live_process *p)
{
    int status = 0;
    if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) == p->pid) note_end(p, status);
    return p->pid > 0;
}

void process_signal(struct live_process *p, int signal)
{
    if (p->pid > 0) kill(p->pid, signal);
}

void process_kill(struct live_process *p)
{
    int status = 0;
    if (p->real) real_skip("a server that is killed");
    if (!process_runs(p)) return;
    kill(p->pid, SIGKILL);
    waitpid(p->pid, &status, 0);
    note_end(p, status);
}

int ends_wait(struct live_process *p)
{
    int64_t until = live_now_ms() + LIVE_PATIENCE_MS;
    int status = 0;
    while (waitpid(p->pid, &status, WNOHANG) == 0) {
        if (live_now_ms() > until) return -1;
        live_pause();
    }
    note_end(p, status);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void ends_look(struct live *w)
{
    struct buf reports;
    buf_init(&reports, 0);
    process_runs(&w->daemon);
    process_runs(&w->second);
    ends_reports(w, &reports);
    bool reported = reports.bytes > 0;
    buf_fini(&reports);
    if (reported) FAIL(w, "a sanitizer has something to say (above)");
    int by = crashed_by;
    crashed_by = 0;
    if (by) FAIL(w, "%s crashed: %s", *crashed_log ? crashed_log : "a command", strsignal(by));
}
