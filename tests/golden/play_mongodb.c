/*
 * play_mongodb.c - a conversation over MongoDB's wire protocol. Owns its connections and what it knows of the
 * server's values; never sends what the recording does not say, but for drops of what earlier runs left and
 * the stand-in's own commands in the place of fillers and pauses.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "golden/compare.h"
#include "golden/described.h"
#include "golden/ejson.h"
#include "golden/play.h"
#include "golden/wire.h"

#define CONNECTIONS_MAX 32
#define PENDING_MAX 32
#define REPLY_TIMEOUT_MS 60000
#define ASYNC_HEAD_START_MS 30 /* for a command that isn't waited for to arrive before the next one */

struct connection {
    const char *name;
    struct wire *wire;
};

/* A command that was sent and not waited for. */
struct pending {
    const char *step;
    struct connection *on;
    int32_t request;
    int64_t sent_ms;
};

struct session {
    const struct play *play;
    const struct recording *recording;
    struct known *known;
    struct connection connections[CONNECTIONS_MAX];
    struct pending pending[PENDING_MAX];
    size_t pending_count;
    json_t *described; /* the last command that was described in words */
    bool frozen;       /* the stand-in's majority commit point stands still */
};

static struct connection *connection_for(struct session *s, const char *name, struct lks_err *err)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &s->connections[i];

        if (c->name && strcmp(c->name, name) != 0) continue;
        if (c->wire && wire_is_closed(c->wire)) {
            wire_close(c->wire);
            c->wire = NULL;
        }
        if (!c->wire && wire_open(&c->wire, s->play->host, s->play->port, err) != LKS_E_OK) return NULL;
        c->name = name;
        return c;
    }
    lks_fail(err, LKS_E_CONFIG, "more than %d connections", CONNECTIONS_MAX);
    return NULL;
}

/* One command on a connection of its own, beside the recording. */
static enum lks_code ask(const struct play *p, const bson_t *command, bson_t **reply, struct lks_err *err)
{
    struct wire_reply answer = {0};
    struct wire *w = NULL;
    enum lks_code code;
    int32_t request;

    code = wire_open(&w, p->host, p->port, err);
    if (code == LKS_E_OK) code = wire_send_msg(w, command, NULL, &request, err);
    if (code == LKS_E_OK) code = wire_receive(w, request, REPLY_TIMEOUT_MS, &answer, err);
    wire_close(w);
    *reply = answer.doc;
    return code;
}

static bool is_ok(const bson_t *reply)
{
    bson_iter_t ok;

    return reply && bson_iter_init_find(&ok, reply, "ok") && bson_iter_as_double(&ok) >= 1;
}

static int64_t code_of(const bson_t *reply)
{
    bson_iter_t code;

    return reply && bson_iter_init_find(&code, reply, "code") ? bson_iter_as_int64(&code) : 0;
}

enum lks_code play_mongodb_ask(const struct play *p, struct server_facts *facts, struct lks_err *err)
{
    bson_t *hello = BCON_NEW("isMaster", BCON_INT32(1), "$db", "admin");
    bson_t *build = BCON_NEW("buildInfo", BCON_INT32(1), "$db", "admin");
    bson_t *probe = BCON_NEW("find", "c", "limit", BCON_INT32(1), "$db", "golden");
    bson_t *counters = BCON_NEW("lockstepDouble", "counters", "$db", "admin");
    bson_t *commands[] = {hello, build, probe, counters};
    enum lks_code code = LKS_E_OK;
    bson_iter_t v;

    memset(facts, 0, sizeof *facts);
    for (size_t i = 0; i < sizeof commands / sizeof *commands && code == LKS_E_OK; i++) {
        bson_t *reply = NULL;

        code = ask(p, commands[i], &reply, err);
        if (code == LKS_E_OK && commands[i] == hello)
            facts->is_replica_set = bson_iter_init_find(&v, reply, "setName");
        if (code == LKS_E_OK && commands[i] == build && bson_iter_init_find(&v, reply, "version") &&
            BSON_ITER_HOLDS_UTF8(&v))
            bson_strncpy(facts->version, bson_iter_utf8(&v, NULL), sizeof facts->version);
        if (code == LKS_E_OK && commands[i] == probe) facts->needs_auth = code_of(reply) == 13;
        if (code == LKS_E_OK && commands[i] == counters) facts->is_standin = is_ok(reply);
        bson_destroy(reply);
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) bson_destroy(commands[i]);
    return code;
}

/* The name of a command and, where it names one, its collection. */
static const char *command_of(const json_t *send, const char **collection)
{
    void *first = json_is_object(send) ? json_object_iter((json_t *)send) : NULL;

    *collection = first ? json_string_value(json_object_iter_value(first)) : NULL;
    return first ? json_object_iter_key(first) : "";
}

/* Drops what this recording writes into without having dropped it: each starts from an empty state. */
static void drop_leftovers(const struct session *s)
{
    static const char *const makes[] = {"insert", "update", "findAndModify", "create", "createIndexes"};
    json_t *seen = json_object();

    for (size_t i = 0; i < s->recording->count; i++) {
        const json_t *send = json_object_get(s->recording->steps[i].line, "send");
        const char *collection, *command = command_of(send, &collection);
        const char *db = json_string_value(json_object_get(send, "$db"));
        bool drop = false;

        if (!collection || json_object_get(seen, collection)) continue;
        for (size_t m = 0; m < sizeof makes / sizeof *makes; m++) drop |= strcmp(command, makes[m]) == 0;
        if (drop) {
            bson_t *reply = NULL,
                   *bson = BCON_NEW("drop", BCON_UTF8(collection), "$db", BCON_UTF8(db ? db : "golden"));

            ask(s->play, bson, &reply, NULL);
            bson_destroy(reply);
            bson_destroy(bson);
        }
        if (drop || strcmp(command, "drop") == 0) json_object_set_new(seen, collection, json_true());
    }
    json_decref(seen);
}

/*
 * What stands for a pause: the recorded server was made to do something meanwhile that a stand-in does on
 * command. NULL: it is a pause and nothing else; "": nothing needs to be done.
 */
static const char *control_for_pause(struct session *s, size_t i)
{
    const struct recording *r = s->recording;
    const struct step *before = i > 0 ? &r->steps[i - 1] : NULL,
                      *after = i + 1 < r->count ? &r->steps[i + 1] : NULL;
    const char *note = after ? step_text(after, "note") : NULL;

    if (note && strstr(note, "stopped replicating")) {
        s->frozen = true;
        return "freezeMajority";
    }
    if (s->frozen) {
        s->frozen = false;
        return "thawMajority";
    }
    if (before && described_is_filler(json_object_get(before->line, "send")))
        return after && described_is_filler(json_object_get(after->line, "send")) ? "" : "truncateOplog";
    return NULL;
}

static void play_pause(struct session *s, size_t i)
{
    const char *control = s->play->is_standin ? control_for_pause(s, i) : NULL;
    bson_t *command, *reply = NULL;
    struct lks_err err = {0};
    struct diffs found;

    if (!control) {
        play_sleep_ms(step_ms(&s->recording->steps[i], "sleep_ms"));
        return;
    }
    if (!*control) return;
    command = BCON_NEW("lockstepDouble", BCON_UTF8(control), "$db", "admin");
    diffs_init(&found, control);
    if (ask(s->play, command, &reply, &err) != LKS_E_OK)
        diffs_add(&found, "%s", err.text);
    else if (!is_ok(reply))
        diffs_add(&found, "the stand-in refused it");
    tap_step(s->play->tap, s->recording->name, control, &found);
    diffs_fini(&found);
    bson_destroy(reply);
    bson_destroy(command);
}

/* The first drop may find nothing. */
static void compare_first_drop(const bson_t *got, struct diffs *found)
{
    if (!is_ok(got) && code_of(got) != 26)
        diffs_add(found, "expected ok or NamespaceNotFound, got code %" PRId64, code_of(got));
}

static void compare_reply(struct session *s, size_t i, const struct wire_reply *got, struct diffs *found)
{
    const struct step *step = &s->recording->steps[i];
    const json_t *flags = json_object_get(step->line, "reply_flags");
    const char *collection, *command = command_of(json_object_get(step->line, "send"), &collection);
    uint32_t recorded_flags = (uint32_t)json_integer_value(flags);
    bool op_reply = json_is_true(json_object_get(step->line, "op_reply"));
    bson_t recorded = BSON_INITIALIZER;
    struct lks_err err = {0};

    if (ejson_document(json_object_get(step->line, "reply"), &recorded, &err) != LKS_E_OK)
        diffs_add(found, "the recording: %s", err.text);
    if (op_reply != got->op_reply)
        diffs_add(found, "expected %s, got %s", op_reply ? "OP_REPLY" : "OP_MSG",
                  got->op_reply ? "OP_REPLY" : "OP_MSG");
    if (recorded_flags != got->flags)
        diffs_add(found, "expected flags %" PRIu32 ", got %" PRIu32, recorded_flags, got->flags);
    known_learn(s->known, &recorded, got->doc);
    if (play_is_first_drop(s->recording, i))
        compare_first_drop(got->doc, found);
    else
        compare_bson(s->known, &recorded, got->doc,
                     is_ok(&recorded) ? compare_extent_of(command) : COMPARE_ALL, found);
    bson_destroy(&recorded);
}

static void await_reply(struct session *s, size_t i, struct connection *on, int32_t request, int64_t sent_ms,
                        struct diffs *found)
{
    const struct step *step = &s->recording->steps[i];
    bool closes = json_object_get(step->line, "error") != NULL;
    int64_t recorded_ms = step_ms(step, "elapsed_ms");
    struct wire_reply reply;
    struct lks_err err = {0};
    enum lks_code code;

    code =
        wire_receive(on->wire, request, REPLY_TIMEOUT_MS + (recorded_ms > 0 ? recorded_ms : 0), &reply, &err);
    play_compare_elapsed(step, wire_now_ms() - sent_ms, found);
    if (code == LKS_E_OK) {
        if (closes)
            diffs_add(found, "expected the connection to be closed, got a reply");
        else
            compare_reply(s, i, &reply, found);
        bson_destroy(reply.doc);
    } else if (!closes || code != LKS_E_NOT_FOUND) {
        diffs_add(found, "%s", err.text);
    }
}

/* Builds what the step sends, recorded values replaced by today's. */
static enum lks_code build_command(struct session *s, const struct step *step, bson_t *command,
                                   bson_t *sequence, struct lks_err *err)
{
    const json_t *send = json_object_get(step->line, "send");
    bson_t recorded = BSON_INITIALIZER, recorded_sequence = BSON_INITIALIZER;
    json_t *spelled = described_command(send, s->described, err), *wrapped;
    enum lks_code code;

    if (!spelled) return err->code;
    if (described_is_filler(send)) {
        json_decref(s->described);
        s->described = json_incref(spelled);
    }
    wrapped = json_array_get(json_object_get(step->line, "sequence"), 1);
    wrapped = wrapped ? json_pack("{s:O}", "documents", wrapped) : json_object();
    code = ejson_document(spelled, &recorded, err);
    if (code == LKS_E_OK) code = ejson_document(wrapped, &recorded_sequence, err);
    known_substitute(s->known, &recorded, command);
    known_substitute(s->known, &recorded_sequence, sequence);
    json_decref(wrapped);
    json_decref(spelled);
    bson_destroy(&recorded);
    bson_destroy(&recorded_sequence);
    return code;
}

static enum lks_code send_step(struct session *s, const struct step *step, struct connection *on,
                               int32_t *request, struct lks_err *err)
{
    const char *ns = step_text(step, "op_query");
    bson_t command = BSON_INITIALIZER, sequence = BSON_INITIALIZER, documents;
    enum lks_code code = build_command(s, step, &command, &sequence, err);
    struct wire_sequence section = {0};
    bson_iter_t at;

    section.identifier = json_string_value(json_array_get(json_object_get(step->line, "sequence"), 0));
    if (section.identifier && bson_iter_init_find(&at, &sequence, "documents") &&
        BSON_ITER_HOLDS_ARRAY(&at)) {
        const uint8_t *data;
        uint32_t bytes;

        bson_iter_array(&at, &bytes, &data);
        if (bson_init_static(&documents, data, bytes)) section.documents = &documents;
    }
    if (code == LKS_E_OK)
        code = ns ? wire_send_query(on->wire, ns, &command, request, err)
                  : wire_send_msg(on->wire, &command, section.documents ? &section : NULL, request, err);
    bson_destroy(&command);
    bson_destroy(&sequence);
    return code;
}

/* The pending command whose answer this step is, or NULL. */
static struct pending *pending_of(struct session *s, const char *name)
{
    static const char suffix[] = " answered";
    size_t bytes = strlen(name);

    if (bytes < sizeof suffix || strcmp(name + bytes - (sizeof suffix - 1), suffix) != 0) return NULL;
    bytes -= sizeof suffix - 1;
    for (size_t i = 0; i < s->pending_count; i++)
        if (strlen(s->pending[i].step) == bytes && strncmp(s->pending[i].step, name, bytes) == 0)
            return &s->pending[i];
    return NULL;
}

static void exchange(struct session *s, size_t i, struct diffs *found)
{
    const struct step *step = &s->recording->steps[i];
    const char *name = step_text(step, "conn");
    int64_t sent_ms = wire_now_ms();
    struct lks_err err = {0};
    struct connection *on = connection_for(s, name ? name : "a", &err);
    int32_t request = 0;

    if (!on || send_step(s, step, on, &request, &err) != LKS_E_OK) {
        /* a server may hang up before all was sent */
        if (!on || err.code != LKS_E_NOT_FOUND || !json_object_get(step->line, "error"))
            diffs_add(found, "%s", err.text);
        return;
    }
    if (!json_is_true(json_object_get(step->line, "async"))) {
        await_reply(s, i, on, request, sent_ms, found);
    } else if (s->pending_count == PENDING_MAX) {
        diffs_add(found, "more than %d commands that wait", PENDING_MAX);
    } else {
        s->pending[s->pending_count++] = (struct pending){step->name, on, request, sent_ms};
        play_sleep_ms(ASYNC_HEAD_START_MS);
    }
}

static void play_step(struct session *s, size_t i)
{
    const struct step *step = &s->recording->steps[i];
    const char *reason = skips_reason(s->play->skips, s->recording->name, step->name, s->play->is_standin);
    struct pending *waited = pending_of(s, step->name);
    struct diffs found;

    if (reason) {
        tap_skip(s->play->tap, s->recording->name, step->name, reason);
        return;
    }
    diffs_init(&found, "reply");
    if (waited)
        await_reply(s, i, waited->on, waited->request, waited->sent_ms, &found);
    else
        exchange(s, i, &found);
    tap_step(s->play->tap, s->recording->name, step->name, &found);
    diffs_fini(&found);
}

void play_mongodb(const struct play *p, const struct recording *r)
{
    struct session s = {.play = p, .recording = r, .known = known_new()};

    if (!s.known) {
        tap_fail(p->tap, r->name, "out of memory");
        return;
    }
    drop_leftovers(&s);
    for (size_t i = 0; i < r->count; i++) {
        if (r->steps[i].name)
            play_step(&s, i);
        else if (step_ms(&r->steps[i], "sleep_ms") >= 0)
            play_pause(&s, i);
        else
            tap_fail(p->tap, r->name, "a line that is neither a step nor a pause");
    }
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) wire_close(s.connections[i].wire);
    known_free(s.known);
    json_decref(s.described);
}
