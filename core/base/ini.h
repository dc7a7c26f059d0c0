/*
 * ini.h - INI files, over inih with a reader of our own that keeps what inih loses: line numbers, long lines,
 * empty sections, and the difference between a continued value and an indented mistake.
 *
 * The form: `[section]`, then `key = value` (or `key: value`). Lines that begin with `;` or `#` are comments,
 * and so is the rest of a line after white space and `;`, except inside double quotes. An indented line
 * continues the value above it; one that looks like `key =` or `[section]` is taken for the mistake it most
 * likely is. A `"` at the beginning of a value, or after a comma in one, opens a quote: what is inside keeps
 * its spaces,
 * `;` and commas; `\"` is a quote, `\\` a backslash, `\n` and `\t` as in C. Files are UTF-8.
 */
#ifndef LOCKSTEP_BASE_INI_H
#define LOCKSTEP_BASE_INI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

#define INI_LINE_MAX_BYTES 65536 /* a longer line is a problem */
#define INI_SECTION_MAX_BYTES 49 /* what inih keeps of a section's name */

/* One thing in the file, in its order. */
struct ini_item {
    char *section; /* owned; "" before the first section */
    char *key;     /* owned; NULL: this is the section's header itself */
    char *value; /* owned; as it stands there without comment and surrounding space, quotes and all; the lines
                    of a continued value are separated by '\n'. NULL with `key` */
    unsigned line; /* where it begins, from 1 */
};

/* Something that is wrong with the file's form. */
struct ini_problem {
    unsigned line;
    char *text; /* owned */
};

struct ini {
    struct ini_item *items; /* owned */
    size_t item_count;
    struct ini_problem *problems; /* owned */
    size_t problem_count;
};

/*
 * Reads all of `file` (which stays open). LKS_E_OK also if there are problems: they are all in `out`, with
 * the items that could be read all the same. Duplicate sections and keys are problems; of two the first is
 * kept. LKS_E_IO, LKS_E_NOMEM otherwise. `out` is to be freed by ini_fini() in any case.
 */
enum lks_code ini_read(struct ini *out, FILE *file, struct lks_err *err);
void ini_fini(struct ini *ini);

/*
 * A value without its quotes, if it is quoted as a whole; else as it is. To be freed by free(). NULL: memory
 * is out, or, with *why set to a static string, there is text after the closing quote or none closes it.
 */
char *ini_unquote(const char *value, const char **reason);

/*
 * The items of a list: separated by commas or line ends, trimmed, empty ones left out; a comma between quotes
 * or braces (`{field|, }`) separates nothing. NULL-terminated, to be freed by ini_list_free(). NULL as above.
 */
char **ini_list(const char *value, const char **reason);
void ini_list_free(char **items);

#endif
