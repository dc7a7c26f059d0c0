/* cmd_arguments.h - reads what stands behind a command's name, by a table of its options. */
#ifndef LOCKSTEP_CLI_CMD_ARGUMENTS_H
#define LOCKSTEP_CLI_CMD_ARGUMENTS_H

#include "cli/cmd.h"

struct name_list {
    const char **items; /* owned; the strings are borrowed */
    size_t count;
};

enum option_kind {
    OPTION_FLAG,   /* `to` is a bool: it is there */
    OPTION_TEXT,   /* a const char *: the last one counts */
    OPTION_NAMES,  /* a struct name_list: it may be repeated */
    OPTION_NUMBER, /* a size_t, from `least` to `most` */
};

struct option_spec {
    const char *name; /* without the dashes; they may be cut short where that is clear */
    enum option_kind kind;
    void *to;
    size_t least, most; /* of a number */
};

/* Not more than that for one command. */
#define OPTIONS_MOST 12

/*
 * Fills in what `options` name. What is no option goes to `operand`, of which there is one at most; NULL: the
 * command takes none. EXIT_DONE, or after saying why not EXIT_USAGE, or EXIT_FAILED when memory is out.
 */
int arguments_read(const struct command *command, const struct invocation *inv,
                   const struct option_spec *options, size_t count, const char **operand);
#define ARGUMENTS_READ(command, inv, options, operand)                                                       \
    arguments_read(command, inv, options, sizeof(options) / sizeof *(options), operand)

void name_list_fini(struct name_list *names);

#endif
