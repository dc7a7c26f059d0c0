/* cmd_arguments.c - see cmd_arguments.h. Knows no option by name. */
#include "cli/cmd_arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static int names_add(struct name_list *names, const char *name)
{
    const char **grown = realloc(names->items, (names->count + 1) * sizeof *grown);
    if (!grown) {
        fputs("lockstep: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    names->items = grown;
    grown[names->count++] = name;
    return EXIT_DONE;
}

void name_list_fini(struct name_list *names)
{
    free(names->items);
    *names = (struct name_list){.count = 0};
}

static int read_number(const struct command *command, const struct option_spec *option, const char *text)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*end || text[0] < '0' || text[0] > '9' || errno || number < option->least || number > option->most)
        return usage_error(command, "--%s takes a number from %zu to %zu", option->name, option->least,
                           option->most);
    *(size_t *)option->to = number;
    return EXIT_DONE;
}

static int take(const struct command *command, const struct option_spec *option, const char *value)
{
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->to = true;
        break;
    case OPTION_TEXT:
        *(const char **)option->to = value;
        break;
    case OPTION_NAMES:
        return names_add(option->to, value);
    case OPTION_NUMBER:
        return read_number(command, option, value);
    }
    return EXIT_DONE;
}

int arguments_read(const struct command *command, const struct invocation *inv,
                   const struct option_spec *options, size_t count, const char **operand)
{
    struct option known[OPTIONS_MOST + 1] = {{.name = NULL}};
    int status = EXIT_DONE, which = 0;
    for (size_t i = 0; i < count && i < OPTIONS_MOST; i++)
        known[i] =
            (struct option){.name = options[i].name,
                            .has_arg = options[i].kind == OPTION_FLAG ? no_argument : required_argument};
    optind = 1;
    opterr = 0; /* we say it ourselves, and how the command is used */
    for (int c;
         status == EXIT_DONE && (c = getopt_long(inv->count, inv->arguments, ":", known, &which)) != -1;) {
        const char *said = inv->arguments[optind > 1 ? optind - 1 : 1];
        if (c == ':')
            status = usage_error(command, "%s needs a value", said);
        else if (c == '?')
            status = usage_error(command, "the option %s is not known, or not so", said);
        else
            status = take(command, &options[which], optarg);
    }
    if (status != EXIT_DONE) return status;
    if (operand && optind < inv->count) *operand = inv->arguments[optind++];
    if (optind < inv->count) return usage_error(command, "what is `%s`?", inv->arguments[optind]);
    return EXIT_DONE;
}
