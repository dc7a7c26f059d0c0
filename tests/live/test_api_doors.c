/* test_api_doors.c - ways in besides a port of loopback: TLS, a Unix socket, pages of other sites; and in
 * which form answers come. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "live/calls.h"

/* ---- TLS ---- */

static const char *in_folder(const struct live *w, const char *name, char *path, size_t bytes)
{
    snprintf(path, bytes, "%s/%s", w->folder, name);
    return path;
}

static void write_pem(struct live *w, const char *name, X509 *certificate, EVP_PKEY *key)
{
    char path[600];
    FILE *file = fopen(in_folder(w, name, path, sizeof path), "w");
    EXPECT(w, file && (certificate ? PEM_write_X509(file, certificate)
                                   : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL)) == 1);
    fclose(file);
}

/* NAME.crt, self-signed, and NAME.key in the world's folder. */
static void make_certificate(struct live *w, const char *name)
{
    char file[64];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    EXPECT(w, X509_sign(certificate, key, EVP_sha256()) > 0);
    snprintf(file, sizeof file, "%s.crt", name);
    write_pem(w, file, certificate, NULL);
    snprintf(file, sizeof file, "%s.key", name);
    write_pem(w, file, NULL, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void set_path(struct live *w, const char *key, const char *name)
{
    char path[600];
    live_set(w, "api", key, in_folder(w, name, path, sizeof path));
}

/* GET over TLS, trusting this certificate alone. The status; 0: no answer. */
static long over_tls(struct live *w, const struct live_process *server, const char *path,
                     const char *certificate)
{
    char url[128], trusted[600];
    snprintf(url, sizeof url, "https://127.0.0.1:%d%s", server->port, path);
    struct http_call call = {.method = "GET",
                             .url = url,
                             .timeout_ms = (int)LIVE_PATIENCE_MS,
                             .trust_file = in_folder(w, certificate, trusted, sizeof trusted)};
    http_perform(w->http, &call);
    long status = call.failure ? 0 : call.status;
    http_call_fini(&call);
    return status;
}

static bool status_sees_the_worker(struct live *w)
{
    struct buf out;
    buf_init(&out, 0);
    EXPECT_INT(w, live_command(w, NULL, &out, NULL, "status", NULL), 0);
    bool sees = strstr(out.data, "  worker ") != NULL;
    buf_fini(&out);
    return sees;
}

START_TEST(with_a_certificate_it_speaks_tls_alone)
{
    static const char plain[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct live w = {.folder = ""};
    live_open(&w, "api-tls");
    make_certificate(&w, "ours");
    make_certificate(&w, "theirs");
    listen_on_free_port(&w);
    set_path(&w, "tls_certificate", "ours.crt");
    set_path(&w, "tls_key", "ours.key");
    daemon_start(&w);
    struct live_process server = api(&w);
    insert_made(&w, 0, 2);
    live_in_sync(&w);
    EXPECT_INT(&w, over_tls(&w, &server, "/healthz", "ours.crt"), 200);
    EXPECT_INT(&w, over_tls(&w, &server, "/api/sync/tools/made-1", "ours.crt"), 200);
    EXPECT_INT(&w, over_tls(&w, &server, "/healthz", "theirs.crt"), 0);
    EXPECT(&w, status_sees_the_worker(&w));
    EXPECT_INT(&w, raw_call(&w, &server, plain, sizeof plain - 1, NULL), 0);
    EXPECT_INT(&w, over_tls(&w, &server, "/healthz", "ours.crt"), 200);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

/* The daemon must not start; what it says holds `why`. */
static void is_refused(struct live *w, const char *reason)
{
    struct buf err;
    buf_init(&err, 0);
    int status = live_command(w, NULL, NULL, &err, "run", NULL);
    if (status == 0 || !strstr(err.data ? err.data : "", reason))
        FAIL(w, "not refused because of \"%s\" but: %s", reason, err.data ? err.data : "nothing");
    buf_fini(&err);
}

START_TEST(a_certificate_that_is_no_good_is_reported_at_the_start)
{
    struct live w = {.folder = ""};
    char path[600];
    live_open(&w, "api-tls-bad");
    make_certificate(&w, "ours");
    make_certificate(&w, "theirs");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    set_path(&w, "tls_certificate", "ours.crt");
    is_refused(&w, "[api] tls_certificate: it needs its key (tls_key)");
    set_path(&w, "tls_key", "none.key");
    is_refused(&w, "No such file or directory");
    set_path(&w, "tls_key", "theirs.key");
    is_refused(&w, "theirs.key is not the key of the certificate in ");
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "config", "check", NULL), 2); /* so SIGHUP refuses it */
    set_path(&w, "tls_key", "ours.crt");
    is_refused(&w, "holds no private key in PEM form");
    set_path(&w, "tls_key", "ours.key");
    set_path(&w, "tls_certificate", "ours.key");
    is_refused(&w, "holds no certificate in PEM form");
    close(open(in_folder(&w, "empty.crt", path, sizeof path), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    set_path(&w, "tls_certificate", "empty.crt");
    is_refused(&w, "empty.crt, or it is empty");
    live_close(&w);
}
END_TEST

/* ---- a Unix socket ---- */

/* The status, with this token, and for this client of a proxy, unless they are NULL. */
static long over_socket_for(struct live *w, const char *method, const char *path, const char *token,
                            const char *client)
{
    char url[128], socket_path[600], shown[80];
    struct http_header headers[2] = {{"Authorization", shown}, {"X-Forwarded-For", client}};
    snprintf(url, sizeof url, "http://localhost%s", path);
    snprintf(shown, sizeof shown, "Bearer %s", token ? token : "");
    struct http_call call = {.method = method,
                             .url = url,
                             .headers = token ? headers : headers + 1,
                             .header_count = (size_t)(token != NULL) + (size_t)(client != NULL),
                             .timeout_ms = (int)LIVE_PATIENCE_MS,
                             .unix_socket = in_folder(w, "api.sock", socket_path, sizeof socket_path)};
    http_perform(w->http, &call);
    long status = call.failure ? 0 : call.status;
    http_call_fini(&call);
    return status;
}

static long over_socket(struct live *w, const char *method, const char *path, const char *token)
{
    return over_socket_for(w, method, path, token, NULL);
}

static void listen_at_socket(struct live *w)
{
    char value[600];
    snprintf(value, sizeof value, "unix:%s/api.sock", w->folder);
    live_set(w, "api", "listen", value);
}

START_TEST(a_unix_socket_needs_the_token_unless_it_is_trusted)
{
    struct live w = {.folder = ""};
    char path[600];
    struct stat info;
    live_open(&w, "api-unix");
    listen_at_socket(&w);
    live_set(&w, "api", "token", "open-sesame");
    live_set(&w, "api", "read_token", "look-around");
    live_set(&w, "api", "public_status", "no");
    insert_made(&w, 0, 2);
    daemon_start(&w);
    live_in_sync(&w);
    EXPECT(&w, stat(in_folder(&w, "api.sock", path, sizeof path), &info) == 0);
    EXPECT_INT(&w, info.st_mode & 0777, 0660);
    EXPECT_INT(&w, over_socket(&w, "GET", "/healthz", NULL), 200);
    EXPECT_INT(&w, over_socket(&w, "GET", "/metrics", NULL), 401);
    EXPECT_INT(&w, over_socket(&w, "GET", "/api/sync/status", NULL), 401);
    EXPECT_INT(&w, over_socket(&w, "POST", "/api/sync/tools/made-1/retry", NULL), 401);
    EXPECT_INT(&w, over_socket(&w, "POST", "/api/sync/tools/made-1/retry", "open-sesame"), 200);
    EXPECT_INT(&w, over_socket(&w, "GET", "/metrics", "look-around"), 200);
    EXPECT_INT(&w, over_socket(&w, "POST", "/api/sync/tools/made-1/retry", "look-around"), 403);
    EXPECT(&w, status_sees_the_worker(&w)); /* the command shows the token */
    daemon_stop(&w);
    live_set(&w, "api", "socket_trust", "yes");
    daemon_start(&w);
    WAIT_UNTIL(&w, over_socket(&w, "GET", "/healthz", NULL) == 200);
    live_in_sync(&w);
    EXPECT_INT(&w, over_socket(&w, "GET", "/metrics", NULL), 200);
    EXPECT_INT(&w, over_socket(&w, "POST", "/api/sync/tools/made-1/retry", NULL), 200);
    EXPECT_INT(&w, over_socket(&w, "POST", "/api/sync/tools/made-1/retry", "open-sesame"), 200);
    EXPECT_INT(&w, over_socket(&w, "GET", "/metrics", "look-around"), 200);
    EXPECT_INT(&w, over_socket(&w, "POST", "/api/sync/tools/made-1/retry", "look-around"), 403);
    EXPECT_INT(&w, over_socket(&w, "GET", "/metrics", "let-me-in"), 401);
    EXPECT_INT(&w, over_socket_for(&w, "GET", "/metrics", NULL, "192.0.2.1"), 401);
    EXPECT_INT(&w, over_socket_for(&w, "GET", "/metrics", "look-around", "192.0.2.1"), 200);
    EXPECT(&w, status_sees_the_worker(&w));
    daemon_stop(&w);
    EXPECT(&w, access(path, F_OK) != 0);
    live_close(&w);
}
END_TEST

START_TEST(the_socket_of_a_daemon_that_is_gone_is_replaced)
{
    struct live w = {.folder = ""};
    char path[600];
    live_open(&w, "api-unix-stale");
    listen_at_socket(&w);
    daemon_start(&w);
    WAIT_UNTIL(&w, over_socket(&w, "GET", "/healthz", NULL) == 200);
    is_refused(&w, "another process listens there");
    EXPECT_INT(&w, over_socket(&w, "GET", "/healthz", NULL), 200);
    daemon_kill(&w);
    EXPECT(&w, access(in_folder(&w, "api.sock", path, sizeof path), F_OK) == 0);
    daemon_start(&w);
    WAIT_UNTIL(&w, over_socket(&w, "GET", "/healthz", NULL) == 200);
    daemon_stop(&w);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    is_refused(&w, "something else than a socket is there");
    EXPECT(&w, access(path, F_OK) == 0);
    live_close(&w);
}
END_TEST

/* ---- pages of other sites, and forms of answers ---- */

/* What comes for these lines; buf_fini() it. */
static struct buf said(struct live *w, const struct live_process *server, const char *lines)
{
    struct buf got, sent;
    buf_init(&got, 0);
    buf_init(&sent, 0);
    buf_printf(&sent, "%s\r\nHost: localhost\r\n\r\n", lines);
    (void)raw_call(w, server, sent.data, sent.bytes, &got);
    buf_fini(&sent);
    if (!got.data) FAIL(w, "no answer to %s", lines);
    return got;
}

static bool says(struct live *w, const struct live_process *server, const char *lines, const char *expected)
{
    struct buf got = said(w, server, lines);
    bool there = strstr(got.data, expected) != NULL;
    buf_fini(&got);
    return there;
}

START_TEST(pages_of_sites_that_are_named_may_call)
{
#define OURS "\r\nOrigin: https://admin.example"
#define THEIRS "\r\nOrigin: https://evil.example"
    struct live w = {.folder = ""};
    live_open(&w, "api-cors");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "api", "allow_origins", "https://admin.example, http://localhost:3000");
    daemon_start(&w);
    struct live_process server = api(&w);
    live_in_sync(&w);
    struct buf asked = said(&w, &server,
                            "OPTIONS /api/sync/worker/run HTTP/1.1\r\nAccess-Control-Request-Method: POST\r\n"
                            "Access-Control-Request-Headers: authorization" OURS);
    EXPECT(&w, strncmp(asked.data, "HTTP/1.1 204", 12) == 0);
    EXPECT(&w, strstr(asked.data, "Access-Control-Allow-Origin: https://admin.example\r\n") != NULL);
    EXPECT(&w, strstr(asked.data, "Access-Control-Allow-Methods: POST, OPTIONS\r\n") != NULL);
    EXPECT(&w, strstr(asked.data, "Access-Control-Allow-Headers: Authorization, ") != NULL);
    EXPECT(&w, strstr(asked.data, "Vary: Origin\r\n") && !strstr(asked.data, "Allow-Credentials"));
    buf_fini(&asked);
    EXPECT(&w,
           !says(&w, &server, "OPTIONS /api/sync/worker/run HTTP/1.1" THEIRS, "Access-Control-Allow-Origin"));
    EXPECT(&w, says(&w, &server, "GET /healthz HTTP/1.1" OURS,
                    "Access-Control-Allow-Origin: https://admin.example"));
    EXPECT(&w, says(&w, &server, "GET /nowhere HTTP/1.1" OURS,
                    "Access-Control-Allow-Origin: https://admin.example"));
    EXPECT(&w, !says(&w, &server, "GET /healthz HTTP/1.1" THEIRS, "Access-Control-Allow-Origin"));
    EXPECT(&w, says(&w, &server, "POST /api/sync/tools/no-such/retry HTTP/1.1\r\nContent-Length: 0" OURS,
                    " 404 "));
    EXPECT(&w, says(&w, &server, "POST /api/sync/tools/no-such/retry HTTP/1.1\r\nContent-Length: 0" THEIRS,
                    " 403 "));
    EXPECT(
        &w,
        says(&w, &server,
             "POST /api/sync/tools/no-such/retry HTTP/1.1\r\nContent-Length: 0\r\nSec-Fetch-Site: cross-site",
             " 403 "));
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(large_answers_are_compressed_for_those_who_take_that)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-gzip");
    live_in_sync(&w);
    EXPECT(&w,
           says(&w, &server, "GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip", "Content-Encoding: gzip\r\n"));
    EXPECT(&w, !says(&w, &server, "GET /metrics HTTP/1.1", "Content-Encoding"));
    EXPECT(&w, !says(&w, &server, "GET /healthz HTTP/1.1\r\nAccept-Encoding: gzip", "Content-Encoding"));
    struct http_call call = {.method = "GET", .accept_gzip = true, .timeout_ms = (int)LIVE_PATIENCE_MS};
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/metrics", server.port);
    call.url = url;
    http_perform(w.http, &call);
    EXPECT(&w, call.status == 200 && strstr(call.reply.data, "lockstep_")); /* a client can read it */
    http_call_fini(&call);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_list_that_did_not_change_is_not_sent_again)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-tag");
    char again[256];
    insert_made(&w, 0, 3);
    live_in_sync(&w);
    struct buf list = said(&w, &server, "GET /api/sync/tools?limit=50 HTTP/1.1");
    const char *tag = strstr(list.data, "ETag: ");
    EXPECT(&w, tag != NULL && strstr(list.data, "\"made-2\""));
    snprintf(again, sizeof again, "GET /api/sync/tools?limit=50 HTTP/1.1\r\nIf-None-Match: %.*s",
             (int)strcspn(tag + 6, "\r"), tag + 6);
    buf_fini(&list);
    struct buf same = said(&w, &server, again);
    EXPECT(&w, strncmp(same.data, "HTTP/1.1 304", 12) == 0 && !strstr(same.data, "made-2"));
    buf_fini(&same);
    insert_made(&w, 3, 1);
    live_in_sync(&w);
    struct buf other = said(&w, &server, again);
    EXPECT(&w, strncmp(other.data, "HTTP/1.1 200", 12) == 0 && strstr(other.data, "made-3"));
    buf_fini(&other);
    EXPECT(&w, says(&w, &server, "GET /api/sync/status HTTP/1.1", "Cache-Control: no-store\r\n"));
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        with_a_certificate_it_speaks_tls_alone,
        a_certificate_that_is_no_good_is_reported_at_the_start,
        a_unix_socket_needs_the_token_unless_it_is_trusted,
        the_socket_of_a_daemon_that_is_gone_is_replaced,
        pages_of_sites_that_are_named_may_call,
        large_answers_are_compressed_for_those_who_take_that,
        a_list_that_did_not_change_is_not_sent_again,
    };
    return live_main("api doors", tests, sizeof tests / sizeof *tests);
}
