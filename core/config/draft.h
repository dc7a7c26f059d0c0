/* draft.h - the configuration while it is being read, and what `config show` needs of it later. Private to
 * config/. */
#ifndef LOCKSTEP_CONFIG_DRAFT_H
#define LOCKSTEP_CONFIG_DRAFT_H

#include "config/options.h"

/* What was set, and where. */
struct value {
    const char *text; /* as in the file, or the variable's value; NULL: not set */
    const char *where;
    unsigned line; /* in the file; NO_LINE for a variable */
    bool literal;  /* of a variable: no quotes to take off */
};
#define NO_LINE 0xffffffffu

struct section_extra {
    const char *key;
    struct value value;
};

struct section {
    enum section_kind kind;
    const char *title; /* "collection:tools" */
    const char *name;  /* "tools"; "" for the others */
    unsigned line;     /* of its header; NO_LINE: it isn't in the file */
    const char *where;
    struct value values[OPTION_MAX]; /* by index into options[] */
    struct section_extra *extras;
    size_t extra_count;
};

struct config_draft {
    const char *path;
    const char *folder; /* of the file */
    unsigned flags;
    struct section **sections; /* the fixed ones in the order of the enum, then those with names */
    size_t section_count;
    /* everything allocated on the way, freed with the configuration */
    void **owned;
    size_t owned_count;
    bool no_memory; /* sticky */
    struct problem {
        unsigned line;
        char *text;
    } * problems;
    size_t problem_count;
};

/* Takes over `memory` (from malloc) and returns it; NULL stays NULL and is remembered. */
void *draft_keep(struct config_draft *draft, void *memory);
/* A formatted string that the parts own; "" when memory is out. */
const char *draft_printf(struct config_draft *draft, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "FILE:LINE" */
const char *draft_where(struct config_draft *draft, unsigned line);

/* Adds "WHERE: ..." to the problems. */
void draft_problem(struct config_draft *draft, unsigned line, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The section of a kind, or the named one; NULL if there is none. */
struct section *draft_section(struct config_draft *draft, enum section_kind kind, const char *name);

/* load.c: the file and the variables, sorted into sections. */
enum lks_code draft_read(struct config_draft *draft, struct lks_err *err);
void draft_environment(struct config_draft *draft, char *const *environment);

/* value.c: parses what is set (or the default) of options[i] in `section` into the struct at `base`. Says
 * what is wrong and returns false. */
bool value_store(struct config_draft *draft, const struct section *section, size_t i, void *base);
/* A list as the configuration keeps it; NULL after a problem. */
const char *const *value_list(struct config_draft *draft, const char *text, const char **reason);
/* A value without quotes, its lines joined by spaces. */
const char *value_plain(struct config_draft *draft, const struct value *value);
/* [A-Za-z0-9_-]{1,38} */
bool value_is_name(const char *text);
/* The default of options[i], "" if it has none. */
const char *value_fallback(size_t i);

/* resolve.c: makes the typed configuration of the sections, and checks how things fit together. */
void draft_resolve(struct config_draft *draft, struct config *config);

#endif
