/*
 * commands.c - the commands of a scenario: each is a function that gets the words of its line, and calls the
 * harness of tests/live. The servers start with the first command that needs them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/calls.h"
#include "scenario/scenario.h"

/* ---- words ---- */

char *word_text(struct run *r, const char *word)
{
    if (*word != '"') return strdup(word);
    json_t *string = json_loads(word, JSON_DECODE_ANY, NULL);
    if (!string) STOP(r, "not a string: %s", word);
    char *text = strdup(json_string_value(string));
    json_decref(string);
    return text;
}

char *word_filter(struct run *r, const char *word)
{
    if (*word == '{') return strdup(word);
    char *id = word_text(r, word);
    json_t *filter = json_pack("{s:s}", "id", id);
    char *text = json_dumps(filter, JSON_COMPACT);
    json_decref(filter);
    free(id);
    return text;
}

struct live_process *process_named(struct run *r, const char *name)
{
    const struct {
        const char *name;
        struct live_process *process;
    } all[] = {{"daemon", &r->w.daemon}, {"second", &r->w.second},     {"mongodb", &r->w.mongod},
               {"qdrant", &r->w.qdrant}, {"embedder", &r->w.embedder}, {"spare", &r->w.oracle}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, name) == 0) return all[i].process;
    bool second = strcmp(name, "second-api") == 0;
    if (!second && strcmp(name, "api") != 0)
        STOP(r,
             "unknown process \"%s\": valid are daemon, second, mongodb, qdrant, embedder, spare, api, "
             "second-api",
             name);
    r->api = api_of(&r->w, second ? &r->w.second : &r->w.daemon);
    return &r->api;
}

/* Takes `=> NUMBER` from the end of the line; `by_default` if it is not there. */
static long expected_status(struct run *r, long by_default)
{
    if (r->word_count < 3 || strcmp(r->words[r->word_count - 2], "=>") != 0) return by_default;
    long status = strtol(r->words[r->word_count - 1], NULL, 10);
    for (int i = 0; i < 2; i++) free(r->words[--r->word_count]);
    return status;
}

/* ---- the servers and the daemon ---- */

static const char *option_value(const char *word, const char *name)
{
    size_t bytes = strlen(name);
    return strncmp(word, name, bytes) == 0 && word[bytes] == '=' ? word + bytes + 1 : NULL;
}

static void open_world(struct run *r)
{
    static char name[80];
    const char *base = strrchr(r->file->path, '/');
    base = base ? base + 1 : r->file->path;
    snprintf(name, sizeof name, "%.*s-%d", (int)strcspn(base, "."), base, r->w.at_line);
    r->opened = true;
    live_open(&r->w, name);
}

static void do_servers(struct run *r)
{
    struct live *w = &r->w;
    const struct {
        const char *name;
        const char **value;
    } values[] = {{"qdrant_version", &w->qdrant_version}, {"qdrant_nodes", &w->qdrant_nodes},
                  {"qdrant_api_key", &w->qdrant_api_key}, {"qdrant_read_only_key", &w->qdrant_read_only_key},
                  {"embedder_model", &w->embedder_model}, {"embedder_api_key", &w->embedder_api_key}};
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"stand_ins", &w->stand_ins},
                 {"keep_data", &w->keep_data},
                 {"two_members", &w->two_members},
                 {"standalone", &w->standalone}};
    if (r->opened) STOP(r, "the servers run already: `servers` is the first command that needs them");
    for (size_t i = 1; i < r->word_count; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
            if (strcmp(r->words[i], flags[k].name) == 0) known = *flags[k].flag = true;
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            const char *value = option_value(r->words[i], values[k].name);
            if (value) known = (*values[k].value = strdup(value)) != NULL;
        }
        if (!known) STOP(r, "unknown option \"%s\" of `servers`", r->words[i]);
    }
    open_world(r);
}

static void do_start(struct run *r)
{
    struct live_process *p = process_named(r, r->words[1]);
    if (p == &r->w.daemon)
        daemon_start(&r->w);
    else if (p == &r->w.second)
        second_start(&r->w);
    else if (p == &r->w.mongod)
        mongod_start(&r->w);
    else if (p == &r->w.qdrant)
        qdrant_start(&r->w);
    else if (p == &r->w.embedder)
        embedder_start(&r->w);
    else
        oracle_start(&r->w);
}

static void do_stop(struct run *r)
{
    if (process_named(r, r->words[1]) != &r->w.daemon)
        STOP(r, "only the daemon stops; the others are killed");
    daemon_stop(&r->w);
}

static void do_kill(struct run *r)
{
    process_kill(process_named(r, r->words[1]));
}

static void do_signal(struct run *r)
{
    bool pause = strcmp(r->words[0], "pause") == 0, resume = strcmp(r->words[0], "resume") == 0;
    live_ini(&r->w);
    process_signal(process_named(r, r->words[1]), pause ? SIGSTOP : resume ? SIGCONT : SIGHUP);
}

static void do_set(struct run *r)
{
    bool set = strcmp(r->words[0], "set") == 0;
    if (r->word_count < (set ? 4u : 2u)) STOP(r, "usage: set SECTION KEY VALUE, or unset SECTION [KEY]");
    char *value = set ? word_text(r, r->words[3]) : NULL;
    const char *section = r->words[1], *key = r->word_count > 2 ? r->words[2] : NULL;
    live_set(&r->w, section, key, value);
    if (key && strcmp(section, "mongodb") == 0 && strcmp(key, "metadata") == 0)
        r->w.beside = value && strcmp(value, "sidecar") == 0;
    free(value);
}

static void do_listen(struct run *r)
{
    listen_on_free_port(&r->w);
}

static void do_environment(struct run *r)
{
    char *value = word_text(r, r->words[2]);
    setenv(r->words[1], value, 1);
    free(value);
}

static void do_file(struct run *r)
{
    char path[700], *text = word_text(r, r->words[2]);
    snprintf(path, sizeof path, "%s/%s", r->w.folder, r->words[1]);
    FILE *file = fopen(path, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) STOP(r, "%s cannot be written", path);
    free(text);
}

/* ---- documents ---- */

static void do_insert(struct run *r)
{
    const char *what = r->words[1];
    size_t first, last;
    if (strcmp(what, "sample") == 0) {
        insert_sample(&r->w);
    } else if (strcmp(what, "made") == 0) {
        if (r->word_count < 3 || sscanf(r->words[2], "%zu..%zu", &first, &last) != 2 || last < first)
            STOP(r, "usage: insert made FIRST..LAST");
        insert_made(&r->w, first, last - first + 1);
    } else {
        insert(&r->w, what);
    }
}

static void do_change(struct run *r)
{
    bool delete = strcmp(r->words[0], "delete") == 0;
    char *filter = word_filter(r, r->words[1]);
    if (!delete &&r->word_count < 3) STOP(r, "usage: %s DOCUMENT CHANGE", r->words[0]);
    if (delete)
        delete_one(&r->w, filter);
    else if (strcmp(r->words[0], "update") == 0)
        update(&r->w, filter, r->words[2]);
    else
        replace(&r->w, filter, r->words[2]);
    free(filter);
}

static void do_mongodb(struct run *r)
{
    if (strcmp(r->words[1], "admin") == 0 && r->word_count == 3)
        admin(&r->w, r->words[2]);
    else
        on_database(&r->w, r->words[1]);
}

/* ---- faults, counters, requests ---- */

/* MongoDB's own: its data, and `count` as with the others (1 unless said, 0 until they are cleared). */
static void fail_mongodb(struct run *r, json_t *rule)
{
    json_t *count = json_object_get(rule, "count"), *mode;
    mode = count && json_integer_value(count) == 0
               ? json_string("alwaysOn")
               : json_pack("{s:I}", "times", count ? json_integer_value(count) : (json_int_t)1);
    json_object_del(rule, "count");
    if (!json_object_get(rule, "appName")) json_object_set_new(rule, "appName", json_string("lockstep"));
    json_t *command =
        json_pack("{s:s, s:o, s:O}", "configureFailPoint", "failCommand", "mode", mode, "data", rule);
    char *text = json_dumps(command, JSON_COMPACT);
    admin(&r->w, text);
    free(text);
    json_decref(command);
}

static void do_fail(struct run *r)
{
    struct live_process *p = process_named(r, r->words[1]);
    json_t *rule = json_object();
    for (size_t i = 2; i < r->word_count; i++) {
        json_t *piece = json_loads(r->words[i], 0, NULL);
        if (!json_is_object(piece)) STOP(r, "not a rule in JSON: %s", r->words[i]);
        json_object_update(rule, piece);
        json_decref(piece);
    }
    char *text = json_dumps(rule, JSON_COMPACT);
    if (p == &r->w.mongod)
        fail_mongodb(r, rule);
    else
        fault(&r->w, p, text);
    free(text);
    json_decref(rule);
}

static void do_clear(struct run *r)
{
    if (strcmp(r->words[1], "counters") == 0) {
        counters_reset(&r->w);
    } else if (strcmp(r->words[1], "log") == 0) {
        unlink(r->w.daemon.log);
    } else if (strcmp(r->words[1], "faults") == 0 && r->word_count == 3) {
        struct live_process *p = process_named(r, r->words[2]);
        if (p == &r->w.mongod)
            admin(&r->w, "{\"configureFailPoint\":\"failCommand\",\"mode\":\"off\"}");
        else
            faults_clear_all(&r->w, p);
    } else {
        STOP(r, "usage: clear counters, clear log, or clear faults PROCESS");
    }
}

static void do_ask(struct run *r)
{
    long expected = expected_status(r, 200);
    if (r->word_count < 4) STOP(r, "usage: ask PROCESS METHOD PATH [BODY] [=> STATUS]");
    char *body = r->word_count > 4 ? word_text(r, r->words[4]) : NULL;
    json_decref(r->reply);
    r->reply = NULL;
    long status = ask(&r->w, process_named(r, r->words[1]), r->words[2], r->words[3], body, &r->reply);
    free(body);
    if (status == expected) return;
    char *reply = json_dumps(r->reply, JSON_ENCODE_ANY | JSON_COMPACT);
    STOP(r, "%s: expected status %ld, found %ld: %.600s", r->text, expected, status,
         reply ? reply : "no JSON");
}

static void do_lockstep(struct run *r)
{
    const char *arguments[WORDS_MAX] = {NULL};
    char *input = NULL;
    size_t count = 0;
    long expected = expected_status(r, 0);
    for (size_t i = 1; i < r->word_count; i++) {
        if (strcmp(r->words[i], "<") == 0 && i + 1 < r->word_count) {
            input = word_text(r, r->words[++i]);
            continue;
        }
        arguments[count++] = word_text(r, r->words[i]);
    }
    buf_clear(&r->output);
    buf_clear(&r->errors);
    long status = live_command_of(&r->w, input, &r->output, &r->errors, arguments);
    for (size_t i = 0; i < count; i++) free((char *)arguments[i]);
    free(input);
    if (status != expected)
        STOP(r, "%s: expected exit status %ld, found %ld:\n%.1500s\n%.1500s", r->text, expected, status,
             r->output.bytes ? r->output.data : "", r->errors.bytes ? r->errors.data : "");
}

/* ---- what is expected ---- */

static void do_expect(struct run *r)
{
    expectation(r, strcmp(r->words[0], "wait") == 0);
}

/* The value of a variable: the text of a JSON value, or a part of what a subject is now. free() it. */
static char *let_value(struct run *r)
{
    size_t at = 2;
    bool is_text;
    if (strchr("{[\"", *r->words[2])) return word_text(r, r->words[2]);
    if (strcmp(r->words[2], "document") == 0 && r->word_count == 4) return document_json(r, r->words[3]);
    json_t *value = subject_value(r, &at, &is_text), *piece = value;
    if (at < r->word_count && !strchr("+-", *r->words[at])) piece = value_at_path(value, r->words[at++]);
    if (!piece || json_is_null(piece)) STOP(r, "%s: there is no such value", r->text);
    if (at + 2 == r->word_count && json_is_integer(piece)) {
        json_int_t more = strtoll(r->words[at + 1], NULL, 10);
        json_integer_set(piece, json_integer_value(piece) + (*r->words[at] == '+' ? more : -more));
    }
    char *text =
        json_is_string(piece) ? strdup(json_string_value(piece)) : json_dumps(piece, JSON_ENCODE_ANY);
    json_decref(value);
    return text;
}

static void do_let(struct run *r)
{
    size_t i = 0;
    while (i < r->variable_count && strcmp(r->variables[i].name, r->words[1]) != 0) i++;
    if (i == VARIABLES_MAX) STOP(r, "more than %d variables", VARIABLES_MAX);
    char *value = let_value(r);
    r->variable_count += i == r->variable_count;
    free(r->variables[i].value);
    snprintf(r->variables[i].name, sizeof r->variables[i].name, "%s", r->words[1]);
    r->variables[i].value = value;
}

static void do_nothing(struct run *r)
{
    (void)r; /* the lines that give a file its parts */
}

static const struct {
    const char *name;
    size_t words; /* how many it needs */
    void (*run)(struct run *r);
    bool no_servers;
} commands[] = {
    {"ask", 3, do_ask, false},         {"clear", 1, do_clear, false},
    {"define", 0, do_nothing, true},   {"delete", 1, do_change, false},
    {"end", 0, do_nothing, true},      {"environment", 2, do_environment, true},
    {"expect", 1, do_expect, false},   {"fail", 2, do_fail, false},
    {"file", 2, do_file, false},       {"insert", 1, do_insert, false},
    {"kill", 1, do_kill, false},       {"let", 2, do_let, false},
    {"listen", 0, do_listen, false},   {"lockstep", 1, do_lockstep, false},
    {"mongodb", 1, do_mongodb, false}, {"pause", 1, do_signal, false},
    {"records", 1, do_nothing, true},  {"reload", 1, do_signal, false},
    {"repeat", 1, do_nothing, true},   {"replace", 2, do_change, false},
    {"resume", 1, do_signal, false},   {"scenario", 1, do_nothing, true},
    {"servers", 0, do_servers, true},  {"set", 3, do_set, false},
    {"start", 1, do_start, false},     {"stop", 1, do_stop, false},
    {"unset", 1, do_set, false},       {"update", 2, do_change, false},
    {"wait", 1, do_expect, false},
};
#define COMMANDS (sizeof commands / sizeof *commands)

bool is_command(const char *word)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, word) == 0) return true;
    return false;
}

/* ---- lines ---- */

static void call(struct run *r, const struct block *procedure)
{
    const char *before[WORDS_MAX];
    char *words[WORDS_MAX];
    size_t count = r->argument_count, given = r->word_count - 1;
    memcpy(before, r->arguments, sizeof before);
    for (size_t i = 0; i < given; i++) r->arguments[i] = words[i] = word_text(r, r->words[i + 1]);
    r->argument_count = given;
    block_run(r, procedure->first, procedure->end);
    for (size_t i = 0; i < given; i++) free(words[i]);
    memcpy(r->arguments, before, sizeof before);
    r->argument_count = count;
}

/* The number of the line after the `end` of this `repeat`. */
static size_t end_of_repeat(const struct run *r, size_t at)
{
    size_t depth = 0;
    do {
        depth += strncmp(r->file->lines[at].text, "repeat ", 7) == 0;
        depth -= strcmp(r->file->lines[at].text, "end") == 0;
        at++;
    } while (depth > 0);
    return at;
}

static void repeat(struct run *r, size_t first, size_t end)
{
    size_t round = r->round, times = strtoul(r->words[1], NULL, 10);
    for (size_t i = 0; i < times; i++) {
        r->round = i;
        block_run(r, first, end);
    }
    r->round = round;
}

static void line_run(struct run *r, const struct line *line)
{
    r->w.at_line = line->number;
    r->text = line->text;
    char *text = line_expand(r, line->text);
    line_split(r, text);
    free(text);
}

void block_run(struct run *r, size_t first, size_t end)
{
    while (first < end) {
        const struct line *line = &r->file->lines[first];
        line_run(r, line);
        const struct block *procedure = scenario_procedure(r->file, r->words[0]);
        if (procedure) {
            call(r, procedure);
            first++;
            continue;
        }
        if (strcmp(r->words[0], "repeat") == 0) {
            size_t next = end_of_repeat(r, first);
            repeat(r, first + 1, next - 1);
            first = next;
            continue;
        }
        for (size_t i = 0; i < COMMANDS; i++) {
            if (strcmp(commands[i].name, r->words[0]) != 0) continue;
            if (r->word_count <= commands[i].words)
                STOP(r, "%s: `%s` needs more words; see docs/reference/scenarios.md", r->text, r->words[0]);
            if (!r->opened && !commands[i].no_servers) open_world(r);
            commands[i].run(r);
        }
        first++;
    }
}
