/*
 * world.c - processes, the INI file, and waiting.
 *
 * Owns the folder and every process it started; should the test die, the kernel ends them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/app.h"
#include "http/http.h"
#include "live/ends.h"
#include "live/harness.h"
#include "live/real.h"
#include "unit/suite.h"

#define MAX_ARGUMENTS 16
#define LOG_TAIL_BYTES 6000

int64_t live_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t live_patience_ms(void)
{
    const char *seconds = getenv("LOCKSTEP_TEST_PATIENCE_S");
    return seconds ? strtoll(seconds, NULL, 10) * 1000 : 60000;
}

void live_pause(void)
{
    const struct timespec some = {.tv_nsec = 15 * 1000 * 1000};
    nanosleep(&some, NULL);
}

static const char *top_builddir(void)
{
    const char *top = getenv("top_builddir");
    return top ? top : ".";
}

/* ---- failing ---- */

static void read_file(const char *path, struct buf *out)
{
    char some[4096];
    FILE *file = fopen(path, "re");
    if (!file) return;
    for (size_t n; (n = fread(some, 1, sizeof some, file)) > 0;) buf_put(out, some, n);
    fclose(file);
}

void log_text(const struct live_process *p, struct buf *out)
{
    read_file(p->log, out);
}

bool log_has(const struct live_process *p, const char *text)
{
    struct buf log;
    buf_init(&log, 0);
    read_file(p->log, &log);
    bool has = log.data && strstr(log.data, text);
    buf_fini(&log);
    return has;
}

static void show(const char *name, char *text)
{
    char *line;
    printf("# ---- %s\n", name);
    while ((line = strsep(&text, "\n")))
        if (*line) printf("# %.400s\n", line);
}

static void show_tail(const char *name, const struct live_process *p)
{
    struct buf log;
    buf_init(&log, 0);
    if (*p->log) read_file(p->log, &log);
    if (log.bytes) show(name, log.data + (log.bytes > LOG_TAIL_BYTES ? log.bytes - LOG_TAIL_BYTES : 0));
    buf_fini(&log);
}

static void show_reports(const struct live *w)
{
    struct buf reports;
    buf_init(&reports, 0);
    ends_reports(w, &reports);
    if (reports.bytes) show("sanitizers", reports.data);
    buf_fini(&reports);
}

_Noreturn void live_fail(struct live *w, const char *file, int line, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("# %s failed: %s; its logs:\n", w->test, text);
    show_tail("mongod", &w->mongod);
    show_tail("qdrant", &w->qdrant);
    show_tail("embedder", &w->embedder);
    show_tail("second daemon", &w->second);
    show_tail("daemon", &w->daemon);
    show_reports(w);
    fflush(stdout);
    ck_abort_msg("%s:%d: %s", w->at_file ? w->at_file : file, w->at_file ? w->at_line : line, text);
    abort(); /* not reached */
}

/* ---- processes ---- */

static void become(char *const argv[], const char *log)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    execvp(argv[0], argv);
    /* or it looks like a daemon that crashed without a word: as when it is being linked again meanwhile */
    dprintf(STDERR_FILENO, "%s was not started: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void start(struct live *w, struct live_process *p, const char *name, char *const argv[])
{
    if (p->pid > 0) FAIL(w, "%s runs already", name);
    ends_look(w);
    bool elsewhere = w->daemon_log && (p == &w->daemon || p == &w->second);
    snprintf(p->log, sizeof p->log, "%s/%s.log", w->folder, name);
    pid_t pid = fork();
    if (pid == 0) become(argv, elsewhere ? w->daemon_log : p->log); /* `p` may be in memory that is shared */
    if (pid < 0) FAIL(w, "fork: %s", strerror(errno));
    p->pid = pid;
}

/* The last "listening on 127.0.0.1:N" that a stand-in has said; `count` gets how often it did. */
static int said_port(const struct live_process *p, size_t *count)
{
    static const char said[] = "listening on 127.0.0.1:";
    struct buf log;
    int port = 0;
    *count = 0;
    buf_init(&log, 0);
    read_file(p->log, &log);
    for (char *at = log.data; at && (at = strstr(at, said)); at++) {
        port = (int)strtol(at + sizeof said - 1, NULL, 10);
        ++*count;
    }
    buf_fini(&log);
    return port;
}

/* Starts a stand-in with these options (a NULL ends them) on the port it had before, and waits until it is
 * ready. */
static void start_stand_in(struct live *w, struct live_process *p, const char *kind,
                           const char *const *options)
{
    char program[1024], port[16];
    char *argv[MAX_ARGUMENTS] = {program, (char *)"--port", port};
    size_t n = 3, before = 0, now = 0;
    snprintf(program, sizeof program, "%s/tests/double/%s", top_builddir(), kind);
    snprintf(port, sizeof port, "%d", p->port);
    while (*options) argv[n++] = (char *)*options++;
    if (*p->log) said_port(p, &before);
    start(w, p, p == &w->oracle ? "oracle" : kind, argv);
    int64_t until = live_now_ms() + LIVE_PATIENCE_MS;
    while ((p->port = said_port(p, &now)) == 0 || now == before) {
        if (!process_runs(p) || live_now_ms() > until) FAIL(w, "the stand-in %s does not start", kind);
        live_pause();
    }
}

/* Room for the few options that a world can ask for. */
struct options {
    const char *list[10];
    size_t count;
};

static void option(struct options *o, const char *name, const char *value)
{
    if (!value) return;
    o->list[o->count++] = name;
    o->list[o->count++] = value;
}

static const char *data_file(struct live *w, const char *name, char *path, size_t bytes)
{
    if (!w->keep_data) return NULL;
    snprintf(path, bytes, "%s/%s.data", w->folder, name);
    return path;
}

void mongod_start(struct live *w)
{
    if (w->mongod.real) return;
    char path[640];
    struct options o = {.count = 0};
    option(&o, "--file", data_file(w, "mongod", path, sizeof path));
    if (w->standalone) o.list[o.count++] = "--standalone";
    if (w->two_members) o.list[o.count++] = "--two";
    start_stand_in(w, &w->mongod, "mongod", o.list);
}

mongoc_client_t *live_second_member(struct live *w, int *port)
{
    static const char said[] = "the second member is at 127.0.0.1:";
    struct buf log;
    char uri[160];
    buf_init(&log, 0);
    read_file(w->mongod.log, &log);
    const char *at = log.data ? strstr(log.data, said) : NULL;
    *port = at ? (int)strtol(at + sizeof said - 1, NULL, 10) : 0;
    buf_fini(&log);
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/?directConnection=true&socketTimeoutMS=20000", *port);
    mongoc_client_t *client = *port ? mongoc_client_new(uri) : NULL;
    if (!client) FAIL(w, "there is no second member");
    return client;
}

void qdrant_start(struct live *w)
{
    if (w->qdrant.real) return;
    char path[640];
    struct options o = {.count = 0};
    option(&o, "--file", data_file(w, "qdrant", path, sizeof path));
    option(&o, "--version", w->qdrant_version);
    option(&o, "--api-key", w->qdrant_api_key);
    option(&o, "--read-only-api-key", w->qdrant_read_only_key);
    option(&o, "--nodes", w->qdrant_nodes);
    start_stand_in(w, &w->qdrant, "qdrant", o.list);
}

void embedder_start(struct live *w)
{
    struct options o = {.count = 0};
    option(&o, "--model", w->embedder_model);
    option(&o, "--api-key", w->embedder_api_key);
    start_stand_in(w, &w->embedder, "embedder", o.list);
}

void oracle_start(struct live *w)
{
    const struct options o = {.count = 0};
    if (w->oracle.pid == 0) start_stand_in(w, &w->oracle, "embedder", o.list);
}

void daemon_start_as(struct live *w, struct live_process *p, const char *name)
{
    char program[1024];
    char *argv[] = {(char *)"valgrind",  program,       (char *)"--config",
                    (char *)live_ini(w), (char *)"run", NULL};
    snprintf(program, sizeof program, "%s/%s", top_builddir(), w->program ? w->program : "lockstep");
    start(w, p, name, getenv("LOCKSTEP_TEST_VALGRIND") ? argv : argv + 1);
}

void daemon_start(struct live *w)
{
    daemon_start_as(w, &w->daemon, "daemon");
}

void second_start(struct live *w)
{
    daemon_start_as(w, &w->second, "second");
}

void daemon_kill(struct live *w)
{
    process_kill(&w->daemon);
}

void daemon_stop(struct live *w)
{
    if (w->daemon.pid <= 0) FAIL(w, "the daemon does not run");
    kill(w->daemon.pid, SIGTERM);
    int status = ends_wait(&w->daemon);
    ends_look(w);
    if (status != 0) FAIL(w, "the daemon ended with %d after SIGTERM", status);
}

/* ---- commands ---- */

/* In one step: a daemon that has just been started may be reading the one before. */
static void put_file(struct live *w, const char *name, const char *text, char *path, size_t bytes)
{
    char half[720];
    snprintf(path, bytes, "%s/%s", w->folder, name);
    snprintf(half, sizeof half, "%s.half", path);
    FILE *file = fopen(half, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0 || rename(half, path) != 0)
        FAIL(w, "%s: %s", path, strerror(errno));
}

static pid_t start_command(char *const argv[], const char *in, const char *out, const char *err)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int in_fd = open(in, O_RDONLY), out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
        err_fd = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(in_fd, STDIN_FILENO);
    dup2(out_fd, STDOUT_FILENO);
    dup2(err_fd, STDERR_FILENO);
    execv(argv[0], argv);
    _exit(127);
}

int live_command(struct live *w, const char *input, struct buf *out, struct buf *err, ...)
{
    const char *arguments[MAX_ARGUMENTS + 1] = {NULL};
    size_t n = 0;
    va_list args;
    va_start(args, err);
    for (char *a; n < MAX_ARGUMENTS && (a = va_arg(args, char *));) arguments[n++] = a;
    va_end(args);
    return live_command_of(w, input, out, err, arguments);
}

int live_command_of(struct live *w, const char *input, struct buf *out, struct buf *err,
                    const char *const *arguments)
{
    char program[1024], in_path[640], out_path[640], err_path[640];
    char *argv[MAX_ARGUMENTS + 4] = {program, (char *)"--config", (char *)live_ini(w)};
    for (size_t n = 0; n < MAX_ARGUMENTS && arguments[n]; n++) argv[n + 3] = (char *)arguments[n];
    snprintf(program, sizeof program, "%s/lockstep", top_builddir());
    put_file(w, "command.in", input ? input : "", in_path, sizeof in_path);
    snprintf(out_path, sizeof out_path, "%s/command.out", w->folder);
    snprintf(err_path, sizeof err_path, "%s/command.err", w->folder);
    struct live_process p = {.pid = start_command(argv, in_path, out_path, err_path)};
    int status = p.pid > 0 ? ends_wait(&p) : -1;
    if (status < 0) FAIL(w, "`lockstep %s` does not end", argv[3]);
    ends_look(w);
    if (out) read_file(out_path, out);
    if (err) read_file(err_path, err);
    return status;
}

/* ---- the INI file ---- */

static struct live_setting *find_setting(struct live *w, const char *section, const char *key)
{
    for (size_t i = 0; i < w->setting_count; i++)
        if (strcmp(w->settings[i].section, section) == 0 && strcmp(w->settings[i].key, key) == 0)
            return &w->settings[i];
    return NULL;
}

static void remove_settings(struct live *w, const char *section, const char *key)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->setting_count; i++)
        if (strcmp(w->settings[i].section, section) != 0 || (key && strcmp(w->settings[i].key, key) != 0))
            w->settings[kept++] = w->settings[i];
    w->setting_count = kept;
}

void live_set(struct live *w, const char *section, const char *key, const char *value)
{
    app_free(w->app); /* it was of the configuration before */
    w->app = NULL;
    if (!key || !value) {
        remove_settings(w, section, key);
        return;
    }
    struct live_setting *s = find_setting(w, section, key);
    if (!s) {
        if (w->setting_count == sizeof w->settings / sizeof w->settings[0]) FAIL(w, "too many settings");
        s = &w->settings[w->setting_count++];
    }
    snprintf(s->section, sizeof s->section, "%s", section);
    snprintf(s->key, sizeof s->key, "%s", key);
    bool prefix = *w->prefix && strcmp(section, "qdrant") == 0 && strcmp(key, "collection_prefix") == 0;
    snprintf(s->value, sizeof s->value, "%s%s", prefix ? w->prefix : "", value);
}

static bool first_of_section(const struct live *w, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(w->settings[k].section, w->settings[i].section) == 0) return false;
    return true;
}

const char *live_ini(struct live *w)
{
    static char path[640];
    struct buf text;
    buf_init(&text, 0);
    for (size_t i = 0; i < w->setting_count; i++) {
        if (!first_of_section(w, i)) continue;
        buf_printf(&text, "[%s]\n", w->settings[i].section);
        for (size_t k = i; k < w->setting_count; k++)
            if (strcmp(w->settings[k].section, w->settings[i].section) == 0)
                buf_printf(&text, "%s = %s\n", w->settings[k].key, w->settings[k].value);
    }
    put_file(w, "lockstep.ini", text.data ? text.data : "", path, sizeof path);
    buf_fini(&text);
    return path;
}

static void set_url(struct live *w, const char *section, const char *key, const char *scheme,
                    const struct live_process *p)
{
    char url[128];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d", scheme, p->port);
    live_set(w, section, key, p->real ? p->real : url);
}

static bool records_beside; /* in the test that runs */

/* Short waits where waiting is not what a test is about. */
static void set_defaults(struct live *w)
{
    char path[512];
    set_url(w, "mongodb", "uri", "mongodb", &w->mongod);
    live_set(w, "mongodb", "database", w->database);
    live_set(w, "mongodb", "collection", "tools");
    w->beside = records_beside;
    if (w->beside) live_set(w, "mongodb", "metadata", "sidecar");
    set_url(w, "qdrant", "url", "http", &w->qdrant);
    live_set(w, "qdrant", "timeout_ms", "1500");
    if (*w->prefix) live_set(w, "qdrant", "collection_prefix", "");
    live_set(w, "embedding", "provider", "openai");
    set_url(w, "embedding", "url", "http", &w->embedder);
    live_set(w, "embedding", "model", "stand-in");
    live_set(w, "worker", "interval_ms", "500");
    live_set(w, "worker", "lease_ms", "4000");
    live_set(w, "worker", "base_backoff_ms", "100");
    live_set(w, "worker", "max_backoff_ms", "1000");
    live_set(w, "worker", "jitter", "0");
    live_set(w, "api", "listen", "off");
    live_set(w, "log", "level", "debug");
    snprintf(path, sizeof path, "%s/plugins", top_builddir());
    live_set(w, "plugins", "path", path);
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) {
        char section[48];
        snprintf(section, sizeof section, "collection:%s", live_collections[i]);
        live_set(w, section, "plugin", live_collections[i]);
    }
}

/* ---- the world ---- */

mongoc_client_t *live_connect(struct live *w, const char *name, int patience_ms)
{
    char address[64];
    snprintf(address, sizeof address, "mongodb://127.0.0.1:%d/", w->mongod.port);
    mongoc_uri_t *uri = mongoc_uri_new(w->mongod.real ? w->mongod.real : address);
    if (!uri) FAIL(w, "LOCKSTEP_TEST_MONGODB_URI is no address");
    mongoc_uri_set_appname(uri, name);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_HEARTBEATFREQUENCYMS, 500);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, patience_ms);
    mongoc_client_t *client = mongoc_client_new_from_uri(uri);
    mongoc_uri_destroy(uri);
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    return client;
}

static void connect_client(struct live *w)
{
    struct lks_err err;
    w->client = live_connect(w, "live-test", 5000);
    w->tools = mongoc_client_get_collection(w->client, w->database, "tools");
    if (http_open(NULL, &w->http, &err) != LKS_E_OK) FAIL(w, "%s", err.text);
}

/* Once in a process: the driver can't be started again after its end, and a test may have several worlds. */
static void start_driver(void)
{
    static bool started;
    if (started) return;
    started = true;
    mongoc_init();
    atexit(mongoc_cleanup);
}

void live_open(struct live *w, const char *test)
{
    w->test = test;
    real_choose(w);
    snprintf(w->folder, sizeof w->folder, "%s/tests/live/%s.XXXXXX", top_builddir(), test);
    if (!mkdtemp(w->folder)) FAIL(w, "%s: %s", w->folder, strerror(errno));
    ends_watch(w);
    start_driver();
    mongod_start(w);
    qdrant_start(w);
    embedder_start(w);
    set_defaults(w);
    connect_client(w);
}

/* The folder holds files alone. */
static void remove_folder(const char *path)
{
    char file[1024];
    DIR *folder = opendir(path);
    for (struct dirent *each; folder && (each = readdir(folder));) {
        snprintf(file, sizeof file, "%s/%s", path, each->d_name);
        if (each->d_name[0] != '.') unlink(file);
    }
    if (folder) closedir(folder);
    rmdir(path);
}

void live_close(struct live *w)
{
    process_kill(&w->second);
    process_kill(&w->daemon);
    ends_look(w);
    real_clean(w);
    json_decref(w->vectors);
    app_free(w->app);
    http_close(w->http);
    mongoc_collection_destroy(w->tools);
    mongoc_client_destroy(w->client);
    process_kill(&w->oracle);
    process_kill(&w->embedder);
    if (!w->qdrant.real) process_kill(&w->qdrant);
    if (!w->mongod.real) process_kill(&w->mongod);
    remove_folder(w->folder);
}

#define CASES_MAX 100

static void set_beside(void)
{
    records_beside = true;
}

/* Check keeps the pointer. */
static const char *case_name(const char *test, bool beside)
{
    static char names[CASES_MAX][150];
    static size_t count;
    if (count == CASES_MAX) abort();
    snprintf(names[count], sizeof names[count], "%s%s", test, beside ? "_beside" : "");
    return names[count++];
}

static void add_tests(Suite *suite, const TTest *const *tests, size_t count, bool beside)
{
    double patience_s = (double)LIVE_PATIENCE_MS / 1000, timeout_s = LIVE_TIMEOUT_S;
    if (timeout_s < 2 * patience_s) timeout_s = 2 * patience_s;
    for (size_t i = 0; i < count; i++) {
        TCase *tcase = tcase_create(case_name(tests[i]->name, beside));
        tcase_set_timeout(tcase, timeout_s);
        if (beside) tcase_add_checked_fixture(tcase, set_beside, NULL);
        tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
    }
}

int live_main(const char *suite_name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(suite_name);
    add_tests(suite, tests, count, false);
    return suite_run(suite);
}

int live_main_both(const char *suite_name, const TTest *const *tests, size_t count,
                   const TTest *const *embedded, size_t embedded_count)
{
    Suite *suite = suite_create(suite_name);
    add_tests(suite, tests, count, false);
    add_tests(suite, embedded, embedded_count, false);
    add_tests(suite, tests, count, true);
    return suite_run(suite);
}
