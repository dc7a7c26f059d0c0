/*
 * subjects.c - what `expect`, `wait` and `let` look at: points, records, logs, counters, replies. Each is
 * read again at every look. Changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"
#include "scenario/scenario.h"

json_t *value_at_path(json_t *in, const char *path)
{
    return value_at(in, path);
}

/* ---- documents ---- */

/* Numbers and dates of Extended JSON as JSON numbers: {"$date": ...} as its milliseconds. Takes the value. */
static json_t *simplified(json_t *value)
{
    const char *key;
    json_t *each, *inner;
    void *next;
    size_t i;
    if (json_is_array(value))
        json_array_foreach(value, i, each) json_array_set_new(value, i, simplified(json_incref(each)));
    if (!json_is_object(value)) return value;
    json_object_foreach_safe(value, next, key, each)
        json_object_set_new(value, key, simplified(json_incref(each)));
    const char *name = json_object_iter_key(json_object_iter(value));
    inner = json_object_size(value) == 1 ? json_object_get(value, name) : NULL;
    if (!inner || (strncmp(name, "$number", 7) != 0 && strcmp(name, "$date") != 0)) return value;
    json_t *number = json_incref(inner);
    if (json_is_string(inner)) {
        bool whole = strcmp(name, "$numberInt") == 0 || strcmp(name, "$numberLong") == 0;
        json_decref(number);
        number = whole ? json_integer(strtoll(json_string_value(inner), NULL, 10))
                       : json_real(strtod(json_string_value(inner), NULL));
        if (!number) return value; /* NaN, Infinity */
    }
    json_decref(value);
    return number;
}

char *document_json(struct run *r, const char *word)
{
    char *filter = word_filter(r, word);
    bson_t *doc = find_one(&r->w, filter);
    char *json = doc ? bson_as_canonical_extended_json(doc, NULL) : NULL, *text = json ? strdup(json) : NULL;
    bson_free(json);
    bson_destroy(doc);
    free(filter);
    return text;
}

static json_t *document(struct run *r, const char *word)
{
    char *text = document_json(r, word);
    json_t *value = text ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
    free(text);
    return value ? simplified(value) : NULL;
}

static json_t *get_document(struct run *r, char **words)
{
    return document(r, words[0]);
}

static json_t *get_record(struct run *r, char **words)
{
    json_t *doc = document(r, words[0]), *record = json_incref(json_object_get(doc, "syncMetadata"));
    json_decref(doc);
    return record;
}

static json_t *get_documents(struct run *r, char **words)
{
    return json_integer((json_int_t)count_documents(&r->w, words[0]));
}

/* A document of any collection of the database. */
static json_t *get_row(struct run *r, char **words)
{
    mongoc_collection_t *collection = mongoc_client_get_collection(r->w.client, r->w.database, words[0]);
    bson_t *filter = bson_new_from_json((const uint8_t *)words[1], -1, NULL);
    const bson_t *row;
    if (!filter) STOP(r, "not Extended JSON: %s", words[1]);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, filter, NULL, NULL);
    char *text = mongoc_cursor_next(cursor, &row) ? bson_as_canonical_extended_json(row, NULL) : NULL;
    json_t *value = text ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
    bson_free(text);
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    mongoc_collection_destroy(collection);
    return value ? simplified(value) : NULL;
}

static json_t *get_count(struct run *r, char **words)
{
    return json_integer((json_int_t)count_in(&r->w, words[0], words[1]));
}

/* ---- Qdrant and the embedding server ---- */

static json_t *get_points(struct run *r, char **words)
{
    return json_integer(points(&r->w, words[0]));
}

/* Of the document's point, by the id that its record names. */
static json_t *get_point(struct run *r, char **words)
{
    char path[300];
    json_t *doc = document(r, words[1]), *reply = NULL;
    snprintf(path, sizeof path, "syncMetadata.collections.%s.pointId", words[0]);
    const char *id = text_at(doc, path);
    snprintf(path, sizeof path, "/collections/%s/points/%s", words[0], id);
    if (*id) ask(&r->w, &r->w.qdrant, "GET", path, NULL, &reply);
    json_t *point = json_incref(json_object_get(reply, "result"));
    json_decref(reply);
    json_decref(doc);
    return point;
}

static json_t *get_counters(struct run *r, char **words)
{
    (void)words;
    struct counters c = counters(&r->w);
    json_t *all =
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "texts", c.texts, "upserted", c.upserted, "payloads",
                  c.payloads, "deleted", c.deleted, "all", c.texts + c.upserted + c.payloads + c.deleted);
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++)
        json_object_set_new(all, live_collections[i],
                            json_pack("{s:I, s:I}", "upserted", c.collection_upserted[i], "payloads",
                                      c.collection_payloads[i]));
    return all;
}

static json_t *got(struct run *r, const char *process, const char *path)
{
    json_t *reply = NULL;
    if (ask(&r->w, process_named(r, process), "GET", path, NULL, &reply) == 200) return reply;
    json_decref(reply);
    return NULL;
}

static json_t *get_requests(struct run *r, char **words)
{
    return got(r, words[0], "/__double/counters");
}

/* The texts that were embedded, in their order. */
static json_t *embedded_texts(struct run *r)
{
    json_t *reply = got(r, "embedder", "/__double/texts");
    if (!json_is_object(reply)) return reply;
    json_t *list = json_incref(json_object_get(reply, "texts"));
    json_decref(reply);
    return list;
}

static json_t *get_texts(struct run *r, char **words)
{
    char *begin = word_text(r, words[0]);
    json_t *list = embedded_texts(r), *each;
    size_t i;
    json_int_t count = 0;
    json_array_foreach(list, i, each) count += strncmp(json_string_value(each), begin, strlen(begin)) == 0;
    json_decref(list);
    free(begin);
    return json_integer(count);
}

static json_t *get_last_text(struct run *r, char **words)
{
    (void)words;
    json_t *list = embedded_texts(r), *last = json_incref(json_array_get(list, json_array_size(list) - 1));
    json_decref(list);
    return last;
}

static json_t *get_get(struct run *r, char **words)
{
    return got(r, words[0], words[1]);
}

/* ---- the daemon and commands ---- */

static json_t *get_sync(struct run *r, char **words)
{
    (void)words;
    char *difference = live_difference(&r->w);
    json_t *value = difference ? json_string(difference) : json_true();
    free(difference);
    return value;
}

static json_t *text_of(const struct buf *text)
{
    return json_stringn_nocheck(text->bytes ? text->data : "", text->bytes);
}

static json_t *get_log(struct run *r, char **words)
{
    struct buf text;
    buf_init(&text, 0);
    log_text(process_named(r, words[0]), &text);
    json_t *value = text_of(&text);
    buf_fini(&text);
    return value;
}

static json_t *get_running(struct run *r, char **words)
{
    return json_boolean(process_runs(process_named(r, words[0])));
}

static json_t *get_output(struct run *r, char **words)
{
    (void)words;
    return text_of(&r->output);
}

static json_t *get_errors(struct run *r, char **words)
{
    (void)words;
    return text_of(&r->errors);
}

static json_t *get_said(struct run *r, char **words)
{
    (void)words;
    struct buf both;
    buf_init(&both, 0);
    buf_put(&both, r->output.data, r->output.bytes);
    buf_put(&both, r->errors.data, r->errors.bytes);
    json_t *value = text_of(&both);
    buf_fini(&both);
    return value;
}

static json_t *get_json(struct run *r, char **words)
{
    (void)words;
    return r->output.bytes ? json_loadb(r->output.data, r->output.bytes, JSON_DECODE_ANY, NULL) : NULL;
}

static json_t *get_reply(struct run *r, char **words)
{
    (void)words;
    return json_incref(r->reply);
}

static json_t *get_reply_text(struct run *r, char **words)
{
    (void)words;
    char *text = json_dumps(r->reply, JSON_ENCODE_ANY | JSON_COMPACT);
    json_t *value = json_string(text ? text : "");
    free(text);
    return value;
}

static json_t *get_status(struct run *r, char **words)
{
    return json_integer(ask(&r->w, process_named(r, words[0]), "GET", words[1], NULL, NULL));
}

/* A command that is run at each look. */
static json_t *get_run(struct run *r, char **words)
{
    const char *arguments[WORDS_MAX] = {NULL};
    char *line = word_text(r, words[0]), *rest = line;
    struct buf output, errors;
    buf_init(&output, 0);
    buf_init(&errors, 0);
    for (size_t i = 0; i + 1 < WORDS_MAX && rest; i++) arguments[i] = strsep(&rest, " ");
    int exit_status = live_command_of(&r->w, NULL, &output, &errors, arguments);
    json_t *json = output.bytes ? json_loadb(output.data, output.bytes, JSON_DECODE_ANY, NULL) : NULL;
    json_t *value = json_pack("{s:i, s:o, s:o, s:o}", "exit", exit_status, "output", text_of(&output),
                              "errors", text_of(&errors), "json", json ? json : json_null());
    buf_fini(&output);
    buf_fini(&errors);
    free(line);
    return value;
}

static const struct subject {
    const char *name;
    size_t words; /* that belong to it */
    json_t *(*get)(struct run *r, char **words);
    bool is_text; /* a string is looked for in it */
} subjects[] = {
    {"counters", 0, get_counters, false},
    {"count", 2, get_count, false},
    {"document", 1, get_document, false},
    {"documents", 1, get_documents, false},
    {"errors", 0, get_errors, true},
    {"get", 2, get_get, false},
    {"json", 0, get_json, false},
    {"last-text", 0, get_last_text, false},
    {"log", 1, get_log, true},
    {"output", 0, get_output, true},
    {"point", 2, get_point, false},
    {"points", 1, get_points, false},
    {"record", 1, get_record, false},
    {"reply", 0, get_reply, false},
    {"reply-text", 0, get_reply_text, true},
    {"requests", 1, get_requests, false},
    {"row", 2, get_row, false},
    {"running", 1, get_running, false},
    {"run", 1, get_run, false},
    {"said", 0, get_said, true},
    {"status", 2, get_status, false},
    {"sync", 0, get_sync, false},
    {"texts", 1, get_texts, false},
};

static const struct subject *subject_at(struct run *r, size_t *at)
{
    const char *name = *at < r->word_count ? r->words[*at] : "";
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        if (strcmp(subjects[i].name, name) != 0) continue;
        if (*at + subjects[i].words >= r->word_count) STOP(r, "%s: `%s` needs more words", r->text, name);
        *at += 1 + subjects[i].words;
        return &subjects[i];
    }
    STOP(r, "%s: \"%s\" is nothing that can be looked at; see docs/reference/scenarios.md", r->text, name);
}

json_t *subject_value(struct run *r, size_t *at, bool *is_text)
{
    size_t first = *at + 1;
    const struct subject *s = subject_at(r, at);
    *is_text = s->is_text;
    return s->get(r, r->words + first);
}

/* ---- expect, wait ---- */

/* The pattern of the words from `at` on: VALUE, or OPERATOR VALUE; true if there are none. */
static json_t *pattern(struct run *r, size_t at)
{
    static const char *const operators[][2] = {
        {">", "$gt"}, {">=", "$gte"}, {"<", "$lt"}, {"<=", "$lte"}, {"!=", "$ne"}};
    if (at == r->word_count) return json_true();
    for (size_t i = 0; i < sizeof operators / sizeof *operators && at + 2 == r->word_count; i++)
        if (strcmp(r->words[at], operators[i][0]) == 0)
            return json_pack("{s:o}", operators[i][1], pattern(r, at + 1));
    json_t *value = at + 1 == r->word_count ? json_loads(r->words[at], JSON_DECODE_ANY, NULL) : NULL;
    if (!value) STOP(r, "%s: `%s` and what follows is not a value in JSON", r->text, r->words[at]);
    return value;
}

/* A word that is neither a value nor an operator. */
static bool is_path(const char *word)
{
    json_t *value = json_loads(word, JSON_DECODE_ANY, NULL);
    json_decref(value);
    return !value && !strchr("<>=!", *word);
}

static void fail_expectation(struct run *r, bool wait, bool negated, const struct mismatch *wrong)
{
    int64_t waited_s = wait ? LIVE_PATIENCE_MS / 1000 : 0;
    char after[40] = "";
    if (waited_s) snprintf(after, sizeof after, " (waited %d s)", (int)waited_s);
    if (negated) STOP(r, "%s: it is so all the same%s", r->text, after);
    STOP(r, "%s: %s%sexpected %s, found %.2000s%s", r->text, wrong->path, *wrong->path ? ": " : "",
         wrong->expected, wrong->found, after);
}

static void look_after_daemon(struct run *r)
{
    if (r->w.daemon.pid > 0 && !process_runs(&r->w.daemon))
        STOP(r, "%s: the daemon has ended by itself", r->text);
}

void expectation(struct run *r, bool wait)
{
    size_t from = 1, at;
    bool negated = strcmp(r->words[1], "not") == 0, is_text;
    struct mismatch wrong = {.found = NULL};
    int64_t until = live_now_ms() + (wait ? LIVE_PATIENCE_MS : 0);
    for (from += negated;; live_pause()) {
        at = from;
        *wrong.path = '\0';
        json_t *value = subject_value(r, &at, &is_text), *piece = value;
        if (at < r->word_count && is_path(r->words[at])) piece = value_at_path(value, r->words[at++]);
        json_t *expected = pattern(r, at);
        bool so = value_matches(piece, expected, is_text, &wrong) != negated;
        json_decref(expected);
        json_decref(value);
        if (so) break;
        if (live_now_ms() >= until) fail_expectation(r, wait, negated, &wrong);
        look_after_daemon(r);
    }
    mismatch_fini(&wrong);
}
