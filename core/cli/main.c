/* main.c - finds the subcommand and hands over; knows nothing of what they do. */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/json_memory.h"
#include "base/log.h"
#include "base/siphash.h"
#include "cli/cmd.h"
#include "config.h"
#include "daemon/signals.h"

/* Enough to end our sessions on the server; what is not ended there runs out by itself. */
#define LEAVE_MS 50

static const struct command *const commands[] = {
    &command_run,    &command_sync,    &command_status,  &command_retry,  &command_verify,
    &command_search, &command_preview, &command_plugins, &command_forget, &command_config};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void help(FILE *out)
{
    fputs("usage: lockstep [--config FILE] COMMAND [OPTIONS]\n\n"
          "Keeps Qdrant collections in sync with MongoDB documents.\n\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
        if (*commands[i]->usage) fprintf(out, "            %s\n", commands[i]->usage);
    }
    fputs("\n  --config FILE   the configuration; without it " SYSCONFDIR "/lockstep.ini\n"
          "  --trace         logs every move of documents and their targets\n"
          "  --version       says which version this is\n"
          "  --help          says this; behind a COMMAND, how that is used\n\n"
          "Exit status: 0 done, 1 something failed, 2 usage or configuration. More: lockstep(1), "
          "lockstep.ini(5).\n",
          out);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}

/* Takes --config FILE or --config=FILE, and --trace, out of the arguments, wherever they stand before `--`.
 * False if FILE is missing. */
static bool take_config(int *argc, char **argv, const char **path)
{
    int kept = 1;
    bool options = true;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--") == 0) options = false;
        if (options && strcmp(argv[i], "--config") == 0) {
            if (i + 1 == *argc) return false;
            *path = argv[++i];
        } else if (options && strncmp(argv[i], "--config=", 9) == 0) {
            *path = argv[i] + 9;
        } else if (options && strcmp(argv[i], "--trace") == 0) {
            log_trace();
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    return true;
}

/* `lockstep COMMAND --help`, wherever that stands before `--`. */
static bool wants_help(const struct invocation *inv)
{
    for (int i = 1; i < inv->count && strcmp(inv->arguments[i], "--") != 0; i++)
        if (strcmp(inv->arguments[i], "--help") == 0 || strcmp(inv->arguments[i], "-h") == 0) return true;
    return false;
}

/* glibc gives each thread a heap of its own and returns little of it; with some twenty threads that mostly
 * wait, two heaps save a quarter of our memory and cost nothing that can be measured. */
static void tame_malloc(void)
{
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 2);
#endif
}

/* So that nobody can choose document ids that all fall into one bucket. */
static void seed_hashes(void)
{
    uint64_t key[2];
    if (getrandom(key, sizeof key, GRND_NONBLOCK) == (ssize_t)sizeof key) siphash_seed(key[0], key[1]);
}

int main(int argc, char **argv)
{
    struct invocation inv = {.config_path = SYSCONFDIR "/lockstep.ini", .program = argv[0]};
    char own[PATH_MAX];
    ssize_t bytes = readlink("/proc/self/exe", own, sizeof own - 1);
    if (bytes > 0) {
        own[bytes] = '\0';
        inv.program = own;
    }
    char **all = calloc((size_t)argc + 1, sizeof *all);
    if (!all) {
        fputs("lockstep: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    memcpy(all, argv, (size_t)argc * sizeof *all);
    inv.all_arguments = all;
    json_memory_watch();
    signals_block();
    tame_malloc();
    mongo_leave_early();
    seed_hashes();
    if (!take_config(&argc, argv, &inv.config_path)) {
        fputs("lockstep: --config needs a file\n", stderr);
        free(all);
        return EXIT_USAGE;
    }
    int status = EXIT_USAGE;
    if (argc < 2) {
        help(stderr);
    } else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0) {
        help(stdout);
        status = EXIT_DONE;
    } else if (strcmp(argv[1], "--version") == 0) {
        puts(PACKAGE_STRING);
        status = EXIT_DONE;
    } else if (!find(argv[1])) {
        fprintf(stderr, "lockstep: there is no command `%s`; `lockstep --help` lists them\n", argv[1]);
    } else {
        inv.count = argc - 1;
        inv.arguments = argv + 1;
        const struct command *command = find(argv[1]);
        if (wants_help(&inv)) {
            printf("usage: lockstep [--config FILE] %s %s\n%s\n", command->name, command->usage,
                   command->summary);
            status = EXIT_DONE;
        } else {
            status = command->run(&inv);
        }
    }
    free(all);
    if (status == EXIT_DONE && json_memory_was_out() && strcmp(argv[1], "run") != 0) {
        fputs("lockstep: out of memory: what was printed is not whole\n", stderr);
        status = EXIT_FAILED;
    }
    if (fflush(stdout) != 0 && status == EXIT_DONE) {
        fprintf(stderr, "lockstep: standard output: %s\n", strerror(errno));
        status = EXIT_FAILED;
    }
    fflush(stderr);
    if (!mongo_has_left(LEAVE_MS)) _exit(status); /* no exit handlers while threads of the driver run */
    return status;
}
