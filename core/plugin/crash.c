/*
 * crash.c - see crash.h. The handler uses nothing but write(2) and what this thread noted before the call. It
 * runs on a stack of its own, because a recursion without end has used up the thread's.
 */
#include "config.h"

#include "plugin/crash.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define STACK_BYTES 16384
#define LINE_BYTES 1024

static _Thread_local struct {
    const char *volatile plugin; /* NULL: no call runs on this thread */
    const char *collection, *call;
    char document[CRASH_ID_BYTES + 1];
    bool has_stack;
    char stack[STACK_BYTES];
} noted;

static bool as_json;

/* A line that is put together without any library call that a handler must not make. */
struct line {
    char text[LINE_BYTES];
    size_t bytes;
};

static void put(struct line *l, const char *text)
{
    while (*text && l->bytes < sizeof l->text) l->text[l->bytes++] = *text++;
}

/* Quotes and control characters would end the value too soon. */
static void put_value(struct line *l, const char *key, const char *value)
{
    put(l, as_json ? ",\"" : " ");
    put(l, key);
    put(l, as_json ? "\":\"" : "=\"");
    for (; *value && l->bytes + 40 < sizeof l->text; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\') l->text[l->bytes++] = '\\';
        l->text[l->bytes++] = c < 0x20 || c == 0x7F ? ' ' : *value;
    }
    put(l, "\"");
}

static const char *name_of(int number)
{
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    default:
        return "SIGABRT";
    }
}

static void say(int number)
{
    static const char message[] = "a plugin crashed: the process ends";
    struct line l = {.bytes = 0};
    put(&l, as_json ? "{\"level\":\"error\",\"message\":\"" : "error ");
    put(&l, message);
    if (as_json) put(&l, "\"");
    put_value(&l, "plugin", noted.plugin);
    put_value(&l, "call", noted.call);
    put_value(&l, "collection", noted.collection);
    if (*noted.document) put_value(&l, "document", noted.document);
    put_value(&l, "signal", name_of(number));
    put(&l, as_json ? "}\n" : "\n");
    if (write(STDERR_FILENO, l.text, l.bytes) < 0) { /* nowhere to say so */
    }
}

/* The signal's default is in force again (SA_RESETHAND): returning repeats the fault, or abort() goes on. */
static void on_crash(int number)
{
    int error = errno;
    if (noted.plugin) say(number);
    errno = error;
    raise(number); /* blocked until the handler returns: for signals that somebody sent */
}

void crash_watch(bool json)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    as_json = json;
#ifndef LOCKSTEP_SANITIZED
    struct sigaction act = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | (int)SA_RESETHAND};
    sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) sigaction(fatal[i], &act, NULL);
#else
    (void)fatal, (void)on_crash;
#endif
}

static void take_stack(void)
{
    stack_t stack = {.ss_sp = noted.stack, .ss_size = sizeof noted.stack};
    noted.has_stack = true;
#ifndef LOCKSTEP_SANITIZED
    sigaltstack(&stack, NULL);
#else
    (void)stack;
#endif
}

void crash_enter(const char *plugin, const char *collection, const char *call, const char *document)
{
    if (!noted.has_stack) take_stack();
    size_t bytes = strlen(document);
    if (bytes > CRASH_ID_BYTES) bytes = CRASH_ID_BYTES;
    memcpy(noted.document, document, bytes);
    noted.document[bytes] = '\0';
    noted.collection = collection;
    noted.call = call;
    noted.plugin = plugin;
}

void crash_leave(void)
{
    noted.plugin = NULL;
}
