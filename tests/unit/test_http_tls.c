/*
 * test_http_tls.c - whom we trust over TLS: a server whose certificate we know, and nobody else.
 *
 * The server and its self-signed certificate for 127.0.0.1 are made here, again for each test.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http.h"
#include "suite.h"

static SSL_CTX *tls;
static int listener;
static pthread_t thread;
static char url[64], ca_file[] = "/tmp/lockstep-test-ca-XXXXXX";

/* A key and a certificate for `names` (as in subjectAltName), also written to ca_file. */
static void make_certificate(const char *names)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    ck_assert(key != NULL && cert != NULL);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"lockstep test", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_EXTENSION *alternative = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    X509_EXTENSION *constraints = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    ck_assert(X509_add_ext(cert, alternative, -1) && X509_add_ext(cert, constraints, -1));
    X509_EXTENSION_free(alternative);
    X509_EXTENSION_free(constraints);
    ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
    ck_assert_int_eq(SSL_CTX_use_certificate(tls, cert), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(tls, key), 1);
    int fd = mkstemp(ca_file);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    ck_assert(file != NULL && PEM_write_X509(file, cert));
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* One connection after the other, one request each. */
static void *serve(void *context)
{
    (void)context;
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) return NULL;
        SSL *ssl = SSL_new(tls);
        char in[4096];
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1 && SSL_read(ssl, in, sizeof in) > 0) {
            SSL_write(ssl, reply, sizeof reply - 1);
            SSL_shutdown(ssl);
        }
        SSL_free(ssl);
        close(fd);
    }
}

static void start(const char *names)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    signal(SIGPIPE, SIG_IGN); /* the client hangs up on whom it doesn't trust */
    tls = SSL_CTX_new(TLS_server_method());
    ck_assert_ptr_nonnull(tls);
    make_certificate(names);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", ntohs(address.sin_port));
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void stop(void)
{
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    unlink(ca_file);
    SSL_CTX_free(tls);
}

static enum http_failure ask(const char *trusted, struct http_call *call)
{
    struct http *http;
    struct lks_err err;
    struct http_options options = {.ca_file = trusted};
    ck_assert_int_eq(http_open(&options, &http, &err), LKS_E_OK);
    *call =
        (struct http_call){.method = "POST", .url = url, .body = "x", .body_bytes = 1, .timeout_ms = 30000};
    enum http_failure failure = http_perform(http, call);
    http_close(http);
    return failure;
}

START_TEST(a_server_we_know_is_heard)
{
    struct http_call call;
    start("IP:127.0.0.1");
    ck_assert_msg(ask(ca_file, &call) == HTTP_OK, "%s", call.error);
    ck_assert_int_eq(call.status, 200);
    ck_assert_str_eq(call.reply.data, "hi");
    http_call_fini(&call);
    stop();
}
END_TEST

START_TEST(a_server_nobody_vouches_for_gets_nothing)
{
    struct http_call call;
    start("IP:127.0.0.1");
    ck_assert_int_eq(ask(NULL, &call), HTTP_TLS);
    ck_assert(!call.sent);
    http_call_fini(&call);
    stop();
}
END_TEST

START_TEST(a_certificate_for_somebody_else_is_none)
{
    struct http_call call;
    start("DNS:qdrant.example.org");
    ck_assert_int_eq(ask(ca_file, &call), HTTP_TLS);
    ck_assert(!call.sent);
    http_call_fini(&call);
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http over TLS");
    TCase *t = tcase_create("trust");
    tcase_add_test(t, a_server_we_know_is_heard);
    tcase_add_test(t, a_server_nobody_vouches_for_gets_nothing);
    tcase_add_test(t, a_certificate_for_somebody_else_is_none);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
