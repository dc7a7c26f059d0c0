/*
 * probe.c - a plugin for tests that does whatever its options say: every type of option, every host function,
 * every verdict, and hanging until a file is there.
 */
#include <lockstep/plugin.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct options {
    const char *mode;
    const char *needed;
    int64_t count;
    double ratio;
    bool flag;
    const char *const *words;
};

/* Waits as a plugin must not, while the file named by the option is missing. */
static void hang(const char *until)
{
    const struct timespec pause = {0, 5000000};
    while (access(until, F_OK) != 0) nanosleep(&pause, NULL);
}

/* As a broken plugin may: used up, the stack leaves no room for a handler on it. */
static int recurse(volatile char *above)
{
    volatile char some[4096];
    if (above && above[0] == 7) return 0; /* never */
    some[0] = 1;
    return recurse(some) + some[0];
}

static void crash(const char *mode)
{
    static volatile int *volatile nowhere;
    if (strcmp(mode, "crash") == 0) *nowhere = 1;
    if (strcmp(mode, "recurse") == 0) recurse(NULL);
}

static lks_verdict open_probe(struct lks_call *call, void *self)
{
    const struct options *o = self;
    if (strcmp(o->mode, "open-reject") == 0) {
        call->host->why(call, "mode %s", o->mode);
        return LKS_REJECT;
    }
    if (strcmp(o->mode, "open-fatal") == 0) return LKS_FATAL;
    if (strcmp(o->mode, "open-hang") == 0) hang(o->needed);
    if (strcmp(o->mode, "open-string") == 0) call->host->string(call, "name");
    return LKS_OK;
}

static void close_probe(void *self)
{
    const struct options *o = self;
    if (strcmp(o->mode, "close-mark") != 0) return;
    FILE *mark = fopen(o->needed, "w");
    if (mark) fclose(mark);
}

/* All that the options came to. */
static void write_options(struct lks_call *call, const struct options *o)
{
    char text[200];
    int bytes =
        snprintf(text, sizeof text, "%s %lld %g %d", o->needed, (long long)o->count, o->ratio, o->flag);
    call->host->write(call, text, (size_t)bytes);
    for (const char *const *word = o->words; *word; word++) call->host->write(call, *word, strlen(*word));
}

static void write_fields(struct lks_call *call)
{
    const struct lks_host *host = call->host;
    const char *joined = host->string(call, "tags"), *hidden = host->string(call, "hidden");
    host->weighted(call);
    host->write(call, joined, strlen(joined));
    host->write(call, hidden, strlen(hidden));
    for (const char *const *tag = host->strings(call, "tags"); *tag; tag++)
        host->write(call, *tag, strlen(*tag));
    host->sentence(call, "<{name}>");
    host->sentence(call, "<{hidden}>");
    host->write(call, call->collection, strlen(call->collection));
}

static lks_verdict text(struct lks_call *call, void *self)
{
    const struct options *o = self;
    const char *name = call->host->string(call, "name");
    if (strcmp(o->mode, "hang") == 0 && strcmp(name, "hang") == 0) hang(o->needed);
    if (strcmp(name, "crash") == 0) crash(o->mode);
    if (strcmp(o->mode, "undeclared") == 0) call->host->strings(call, "colour");
    if (strcmp(o->mode, "options") == 0) write_options(call, o);
    if (strcmp(o->mode, "fields") == 0) write_fields(call);
    if (strcmp(o->mode, "greedy") == 0)
        for (int i = 0; i < 100; i++) call->host->alloc(call, (size_t)1 << 20);
    if (strcmp(o->mode, "bad-sentence") == 0) call->host->sentence(call, "{name");
    if (strcmp(o->mode, "put-in-text") == 0) call->host->put_string(call, "x", "y");
    if (strcmp(o->mode, "verdict") == 0) {
        call->host->why(call, "the count is %lld", (long long)o->count);
        return (lks_verdict)o->count;
    }
    call->host->weighted(call);
    return LKS_OK;
}

static lks_verdict payload_more(struct lks_call *call, void *self)
{
    const struct options *o = self;
    if (strcmp(o->mode, "fields") == 0) {
        call->host->put_string(call, "extra", call->host->string(call, "hidden"));
        call->host->put_string(call, "nothing", NULL);
    }
    if (strcmp(o->mode, "bad-put") == 0) call->host->put_string(call, "id", "mine");
    if (strcmp(o->mode, "text-in-put") == 0) call->host->write(call, "x", 1);
    return LKS_OK;
}

const struct lks_plugin lks_plugin = {
    LKS_PLUGIN_ABI,
    .name = PROBE_NAME,
    .version = "7",
    .summary = "for tests",
    .watched = LKS_LIST("name 2", "tags 0"),
    .reads = LKS_LIST("hidden"),
    .options =
        LKS_OPTIONS({"mode", LKS_STRING, offsetof(struct options, mode), "plain", NULL, "what to do"},
                    {"needed", LKS_STRING, offsetof(struct options, needed), NULL, NULL, "any text"},
                    {"count", LKS_INT, offsetof(struct options, count), "5", "-10..100", "a number"},
                    {"ratio", LKS_REAL, offsetof(struct options, ratio), "0.5", "0..1", "another"},
                    {"flag", LKS_BOOL, offsetof(struct options, flag), "yes", NULL, "yes or no"},
                    {"words", LKS_STRINGS, offsetof(struct options, words), "a, b", "a|b|c", "some words"}),
    .self_size = sizeof(struct options),
#ifdef PROBE_SERIAL
    .flags = LKS_SERIAL,
#endif
    .open = open_probe,
    .close = close_probe,
    .text = text,
    .payload_more = payload_more,
};
