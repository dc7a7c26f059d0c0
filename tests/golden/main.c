/*
 * main.c - golden/replay: plays recorded conversations against a server and prints, as TAP, where it answers
 * differently. Exit status: 0 as recorded, 1 differences, 2 usage.
 */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "golden/play.h"

static const char usage[] =
    "usage: replay [--skips FILE] [--todo REASON] mongodb HOST:PORT|mongodb://HOST:PORT/ FILE...\n"
    "       replay [--skips FILE] [--todo REASON] http URL FILE...\n"
    "       replay ask mongodb HOST:PORT|mongodb://HOST:PORT/\n"
    "\n"
    "Plays recorded conversations (JSON lines) against a server and compares its answers. Prints TAP, one "
    "test\n"
    "a recorded step. `ask` prints what kind of MongoDB server it is.\n"
    "  --skips FILE   the list of what isn't played\n"
    "  --todo REASON  differences are expected, and don't count as failures\n";

/* Splits HOST:PORT, also out of a URI. False if there is none, or if it has what this program can't do: users
 * and encryption. */
static bool parse_address(const char *text, char **host, char **port)
{
    static const char scheme[] = "mongodb://";
    const char *start = strncmp(text, scheme, sizeof scheme - 1) == 0 ? text + sizeof scheme - 1 : text;
    size_t bytes = strcspn(start, "/,?");
    char *at = strndup(start, bytes), *colon;

    if (!at) return false;
    colon = strrchr(at, ':');
    if (strchr(at, '@') || strstr(text, "tls=true") || strstr(text, "ssl=true") || strstr(text, "+srv")) {
        free(at);
        return false;
    }
    if (colon) *colon = '\0';
    *port = strdup(colon ? colon + 1 : "27017");
    if (at[0] == '[' && at[strlen(at) - 1] == ']') {
        *host = strndup(at + 1, strlen(at) - 2);
        free(at);
    } else {
        *host = at;
    }
    return *port && *host && **host;
}

static void play_file(const struct play *p, bool http, const char *path)
{
    struct lks_err err = {0};
    struct recording r;
    const char *reason;

    if (recording_read(&r, path, &err) != LKS_E_OK) {
        tap_fail(p->tap, r.name ? r.name : path, err.text);
    } else if ((reason = skips_reason(p->skips, r.name, NULL, p->is_standin))) {
        tap_skip(p->tap, r.name, NULL, reason);
    } else if (recording_is_tap(&r)) {
        tap_skip(p->tap, r.name, NULL, "a tap of somebody else's traffic, with no steps of its own");
    } else if (http) {
        play_http(p, &r);
    } else {
        play_mongodb(p, &r);
    }
    recording_fini(&r);
}

static int ask(struct play *p)
{
    struct server_facts facts;
    struct lks_err err = {0};

    if (play_mongodb_ask(p, &facts, &err) != LKS_E_OK) {
        fprintf(stderr, "replay: %s\n", err.text);
        return 1;
    }
    printf("kind=%s auth=%s standin=%s version=%s\n", facts.is_replica_set ? "replica-set" : "standalone",
           facts.needs_auth ? "yes" : "no", facts.is_standin ? "yes" : "no", facts.version);
    return 0;
}

static int replay(struct play *p, bool http, const char *skips_path, char **files)
{
    struct server_facts facts = {0};
    struct lks_err err = {0};
    struct skips skips;
    int status;

    if (skips_read(&skips, skips_path, &err) != LKS_E_OK ||
        (!http && play_mongodb_ask(p, &facts, &err) != LKS_E_OK)) {
        skips_fini(&skips);
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    p->skips = &skips;
    p->is_standin = facts.is_standin;
    for (; *files; files++) play_file(p, http, *files);
    status = tap_end(p->tap);
    skips_fini(&skips);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"skips", required_argument, NULL, 's'},
        {"todo", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *skips_path = GOLDEN_SKIPS;
    char *host = NULL, *port = NULL;
    struct tap tap = {0};
    struct play p = {.tap = &tap};
    int option, status = 2;
    bool http, asks;

    while ((option = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
        if (option == 's')
            skips_path = optarg;
        else if (option == 't')
            tap.todo = optarg;
        else {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    argv += optind;
    argc -= optind;
    asks = argc == 3 && strcmp(argv[0], "ask") == 0;
    if (asks) {
        argv++;
        argc--;
    }
    http = argc > 0 && strcmp(argv[0], "http") == 0;
    if (argc < (asks ? 2 : 3) || (!http && strcmp(argv[0], "mongodb") != 0) || (asks && http)) {
        fputs(usage, stderr);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (http) {
        char *url = strdup(argv[1]);

        while (url && *url && url[strlen(url) - 1] == '/') url[strlen(url) - 1] = '\0';
        p.url = url;
        status = replay(&p, true, skips_path, argv + 2);
        free(url);
    } else if (!parse_address(argv[1], &host, &port)) {
        fprintf(stderr, "replay: not an address without user and TLS: %s\n", argv[1]);
    } else {
        p.host = host;
        p.port = port;
        status = asks ? ask(&p) : replay(&p, false, skips_path, argv + 2);
    }
    free(host);
    free(port);
    curl_global_cleanup();
    return status;
}
