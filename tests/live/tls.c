/* tls.c - see tls.h. One thread takes connections, one more serves each; they live as long as the test's
 * process. */
#include "live/tls.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct tls_front {
    SSL_CTX *tls;
    int listener, port, to_port;
    char certificate[640];
};

struct link {
    SSL *ssl;
    int inside; /* to the server */
};

static bool extend(X509 *cert, int what, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, what, value);
    bool added = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

static void make_certificate(struct live *w, struct tls_front *f)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    EXPECT(w, key && cert && X509_set_version(cert, 2));
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"lockstep test", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    EXPECT(w, extend(cert, NID_subject_alt_name, "IP:127.0.0.1"));
    EXPECT(w, extend(cert, NID_basic_constraints, "critical,CA:TRUE"));
    EXPECT(w, X509_sign(cert, key, EVP_sha256()) > 0);
    EXPECT(w, SSL_CTX_use_certificate(f->tls, cert) == 1 && SSL_CTX_use_PrivateKey(f->tls, key) == 1);
    FILE *file = fopen(f->certificate, "we");
    EXPECT(w, file && PEM_write_X509(file, cert) && fclose(file) == 0);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* Hands on what is there to be read on one side; false at its end. */
static bool inwards(const struct link *l)
{
    char some[16384];
    do {
        int got = SSL_read(l->ssl, some, sizeof some);
        if (got <= 0 || send(l->inside, some, (size_t)got, MSG_NOSIGNAL) != got) return false;
    } while (SSL_pending(l->ssl));
    return true;
}

static bool outwards(const struct link *l)
{
    char some[16384];
    ssize_t got = recv(l->inside, some, sizeof some, 0);
    return got > 0 && SSL_write(l->ssl, some, (int)got) == got;
}

static void *hand_on(void *context)
{
    struct link *l = context;
    int outside = SSL_get_fd(l->ssl);
    struct pollfd both[2] = {{.fd = outside, .events = POLLIN}, {.fd = l->inside, .events = POLLIN}};
    bool open = SSL_accept(l->ssl) == 1;
    while (open && poll(both, 2, -1) > 0) {
        if (both[0].revents) open = inwards(l);
        if (open && both[1].revents) open = outwards(l);
    }
    SSL_free(l->ssl);
    close(outside);
    close(l->inside);
    free(l);
    return NULL;
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static void *take(void *context)
{
    const struct tls_front *f = context;
    for (int fd; (fd = accept(f->listener, NULL, NULL)) >= 0;) {
        struct link *l = calloc(1, sizeof *l);
        struct sockaddr_in at = loopback(f->to_port);
        pthread_t thread;
        if (!l) abort();
        l->ssl = SSL_new(f->tls);
        l->inside = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        SSL_set_fd(l->ssl, fd);
        if (connect(l->inside, (struct sockaddr *)&at, sizeof at) ||
            pthread_create(&thread, NULL, hand_on, l))
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

struct tls_front *tls_front_open(struct live *w, int to_port, const char *name)
{
    struct tls_front *f = calloc(1, sizeof *f);
    struct sockaddr_in at = loopback(0);
    socklen_t bytes = sizeof at;
    pthread_t thread;
    EXPECT(w, f != NULL);
    f->to_port = to_port;
    f->tls = SSL_CTX_new(TLS_server_method());
    snprintf(f->certificate, sizeof f->certificate, "%s/%s", w->folder, name);
    signal(SIGPIPE, SIG_IGN); /* a client hangs up on whom it doesn't trust */
    make_certificate(w, f);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(w, bind(f->listener, (struct sockaddr *)&at, bytes) == 0 && listen(f->listener, 64) == 0);
    EXPECT(w, getsockname(f->listener, (struct sockaddr *)&at, &bytes) == 0);
    f->port = ntohs(at.sin_port);
    EXPECT(w, pthread_create(&thread, NULL, take, f) == 0);
    pthread_detach(thread);
    return f;
}

int tls_front_port(const struct tls_front *f)
{
    return f->port;
}

const char *tls_front_certificate(const struct tls_front *f)
{
    return f->certificate;
}
