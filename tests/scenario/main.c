/*
 * main.c - runs the scenarios of a file, each as a test of its own: `tests/scenario/run FILE`. What it prints
 * is Check's, TAP in `make check`; CK_RUN_CASE=NAME runs one scenario (its name with _ between the words).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario/scenario.h"

static struct scenario_file file;

/* The scenario that Check runs in this process: its name may be followed by that of a variant. */
static const struct block *current_scenario(void)
{
    const struct block *found = NULL;
    for (size_t i = 0; i < file.scenario_count; i++) {
        size_t bytes = strlen(file.scenarios[i].name);
        if (strncmp(tcase_name(), file.scenarios[i].name, bytes) != 0) continue;
        if (!found || bytes > strlen(found->name)) found = &file.scenarios[i];
    }
    return found;
}

static void run_scenario(int unused)
{
    static struct run r;
    const struct block *scenario = current_scenario();
    (void)unused;
    if (!scenario) abort();
    r.file = &file;
    r.w.at_file = file.path;
    r.w.test = scenario->name;
    buf_init(&r.output, 0);
    buf_init(&r.errors, 0);
    block_run(&r, scenario->first, scenario->end);
    if (r.opened && r.w.daemon.pid > 0 && !process_runs(&r.w.daemon))
        STOP(&r, "the daemon has ended by itself");
    if (r.opened) live_close(&r.w);
    json_decref(r.reply);
    buf_fini(&r.output);
    buf_fini(&r.errors);
    for (size_t i = 0; i < r.variable_count; i++) free(r.variables[i].value);
    for (size_t i = 0; i < r.word_count; i++) free(r.words[i]);
}

/* The harness takes the folders of the build and of the sources from the environment, where make sets them.
 */
static void find_folders(void)
{
    char path[4096];
    ssize_t bytes = readlink("/proc/self/exe", path, sizeof path - 1);
    if (bytes < 0) return;
    path[bytes] = '\0';
    for (int up = 0; up < 3 && strchr(path, '/'); up++)
        *strrchr(path, '/') = '\0'; /* of tests/scenario/run */
    setenv("top_builddir", path, 0);
    setenv("top_srcdir", TOP_SRCDIR, 0);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE\n", argv[0]);
        return 2;
    }
    find_folders();
    scenario_read(&file, argv[1]);
    TTest *tests = calloc(file.scenario_count, sizeof *tests);
    const TTest **both = calloc(file.scenario_count, sizeof *both);
    const TTest **embedded = calloc(file.scenario_count, sizeof *embedded);
    size_t both_count = 0, embedded_count = 0;
    if (!tests || !both || !embedded) abort();
    for (size_t i = 0; i < file.scenario_count; i++) {
        const struct block *s = &file.scenarios[i];
        tests[i] = (TTest){s->name, run_scenario, file.path, file.lines[s->first - 1].number};
        if (s->both)
            both[both_count++] = &tests[i];
        else
            embedded[embedded_count++] = &tests[i];
    }
    int status = live_main_both("scenario", both, both_count, embedded, embedded_count);
    free(tests);
    free(both);
    free(embedded);
    scenario_fini(&file);
    return status;
}
