/* invocation.h - how the program was called, and what its exit status says. */
#ifndef LOCKSTEP_DAEMON_INVOCATION_H
#define LOCKSTEP_DAEMON_INVOCATION_H

/* Exit status of every command. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct invocation {
    const char *config_path;
    const char *program; /* our own file, for starting ourselves again: by then a newer one may stand there */
    char **all_arguments; /* the whole argv */
    int count;            /* what follows the command's name, the name itself at [0] */
    char **arguments;
};

#endif
