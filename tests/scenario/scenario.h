/*
 * scenario.h - scenario files: what happens to MongoDB, Qdrant, the embedding server and the daemon, and what
 * is expected then, one command per line (docs/reference/scenarios.md). reader.c reads files and lines,
 * commands.c carries the commands out, subjects.c says what `expect` and `wait` look at, match.c compares it
 * with the expected value.
 */
#ifndef LOCKSTEP_TESTS_SCENARIO_H
#define LOCKSTEP_TESTS_SCENARIO_H

#include "live/harness.h"

#define WORDS_MAX 32
#define VARIABLES_MAX 16

/* ---- reader.c ---- */

struct line {
    int number;
    char *text; /* owned; a JSON value that goes on over several lines is in it as a whole */
};

/* Lines `first` up to, and without, `end`. */
struct block {
    char name[150];
    size_t first, end;
    bool both; /* a scenario that runs a second time with the records in a sidecar */
};

struct scenario_file {
    const char *path;
    struct line *lines;       /* owned */
    struct block *scenarios;  /* owned */
    struct block *procedures; /* owned: `define NAME` ... `end` */
    size_t line_count, scenario_count, procedure_count;
};

/* Ends the program with exit status 1, after a message with file and line, if the file is malformed. */
void scenario_read(struct scenario_file *file, const char *path);
void scenario_fini(struct scenario_file *file);
/* NULL if there is none. */
const struct block *scenario_procedure(const struct scenario_file *file, const char *name);

/* ---- running ---- */

struct variable {
    char name[32];
    char *value; /* owned */
};

struct run {
    struct live w;
    struct live_process api; /* of the daemon that started last */
    bool opened;             /* the servers run */
    const struct scenario_file *file;
    const char *arguments[WORDS_MAX]; /* %1, %2, ... of the procedure that runs */
    size_t argument_count, round;     /* `round`: %n of the innermost `repeat` */
    struct variable variables[VARIABLES_MAX];
    size_t variable_count;
    struct buf output, errors; /* of the last `lockstep` */
    json_t *reply;             /* of the last `ask` */
    const char *text;          /* the line that is carried out, as it is in the file */
    char *words[WORDS_MAX];    /* of the line that is carried out; owned */
    size_t word_count;
};

/* The line with its variables replaced. free() it. */
char *line_expand(struct run *r, const char *text);
/* Splits a line into r->words: bare words, strings in quotes, JSON values. */
void line_split(struct run *r, const char *text);

/* Fails the scenario at the line that is carried out. */
#define STOP(r, ...) live_fail(&(r)->w, __FILE__, __LINE__, __VA_ARGS__)

/* ---- commands.c ---- */

/* Carries these lines out. */
void block_run(struct run *r, size_t first, size_t end);
bool is_command(const char *word);
struct live_process *process_named(struct run *r, const char *name);
/* A word as it is, a string without its quotes. free() it. */
char *word_text(struct run *r, const char *word);
/* The filter of a word: the word itself if it is a JSON object, otherwise that of a business id. free() it.
 */
char *word_filter(struct run *r, const char *word);

/* ---- subjects.c ---- */

/* `expect` or `wait`, the words after it: SUBJECT [PATH] VALUE. */
void expectation(struct run *r, bool wait);
/* The value of a subject now. Its words begin at `*at`, which is then the first word after them.
 * json_decref() it. */
json_t *subject_value(struct run *r, size_t *at, bool *is_text);
/* A document with its record as Extended JSON; NULL if there is none, or if JSON cannot say it. free() it. */
char *document_json(struct run *r, const char *word);
/* The value at a dotted path; borrowed, NULL if there is none. */
json_t *value_at_path(json_t *in, const char *path);

/* ---- match.c ---- */

struct mismatch {
    char path[200]; /* "" for the value itself */
    char *found, *expected;
};

/* True if the value is as the pattern says. Otherwise `wrong` holds the first difference (mismatch_fini()).
 */
bool value_matches(json_t *value, const json_t *pattern, bool is_text, struct mismatch *wrong);
void mismatch_fini(struct mismatch *wrong);

#endif
