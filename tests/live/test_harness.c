/* test_harness.c - what the harness must not overlook: each of these worlds has to fail its test. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live/harness.h"

/* In memory that both processes see, so that the folder of the one that failed can be found. */
static struct live *shared_world(void)
{
    struct live *w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(w, MAP_FAILED);
    w->stand_ins = true;
    return w;
}

/* The test `body`, in a process of its own; it has to fail, and to say these words. */
static void must_fail(void (*body)(struct live *), const char *words)
{
    struct live *w = shared_world();
    char command[700], said[4096] = "";
    int status = 0;
    FILE *output = tmpfile();
    ck_assert_ptr_nonnull(output);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(output), STDOUT_FILENO);
        body(w);
        exit(EXIT_SUCCESS);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(pread(fileno(output), said, sizeof said - 1, 0) > 0 && strstr(said, words),
                  "it ended with wait status %#x, and said: %s", (unsigned)status, said);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) != EXIT_SUCCESS);
    fclose(output);
    snprintf(command, sizeof command, "rm -r '%s'", w->folder);
    ck_assert_int_eq(system(command), 0);
    munmap(w, sizeof *w);
}

static void crash(struct live *w)
{
    live_open(w, "crash");
    insert_made(w, 0, 3);
    daemon_start(w);
    live_in_sync(w);
    process_signal(&w->daemon, SIGSEGV);
    WAIT_UNTIL(w, !process_runs(&w->daemon));
}

static void crash_before_it_is_killed(struct live *w)
{
    crash(w);
    daemon_kill(w);
    live_close(w);
}

static void crash_before_another_one(struct live *w)
{
    crash(w);
    daemon_start(w);
    _exit(EXIT_SUCCESS);
}

static void report_and_go_on(struct live *w)
{
    char path[700];
    live_open(w, "report");
    snprintf(path, sizeof path, "%s/sanitizer-report.1", w->folder);
    FILE *file = fopen(path, "we");
    if (!file || fputs("WARNING: a data race, for example\n", file) < 0 || fclose(file) != 0) _exit(0);
    live_close(w);
}

START_TEST(a_daemon_that_crashed_fails_the_test_though_it_is_killed)
{
    must_fail(crash_before_it_is_killed, "daemon.log crashed: Segmentation fault");
}
END_TEST

START_TEST(a_daemon_that_crashed_fails_the_test_though_the_next_is_well)
{
    must_fail(crash_before_another_one, "daemon.log crashed: Segmentation fault");
}
END_TEST

START_TEST(a_report_of_a_sanitizer_fails_the_test)
{
    must_fail(report_and_go_on, "a sanitizer has something to say");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_daemon_that_crashed_fails_the_test_though_it_is_killed,
        a_daemon_that_crashed_fails_the_test_though_the_next_is_well,
        a_report_of_a_sanitizer_fails_the_test,
    };
    return live_main("harness", tests, sizeof tests / sizeof *tests);
}
