/* tls.c - see tls.h. libmicrohttpd says nothing of what is wrong with a certificate, so it is looked at
 * first. */
#include "api/tls.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MOST_BYTES ((size_t)1 << 20)

static enum lks_code read_file(const char *option, const char *path, struct buf *out, struct lks_err *err)
{
    char chunk[4096];
    FILE *file = fopen(path, "re");
    if (!file)
        return lks_fail(err, LKS_E_CONFIG, "[api] %s: can't read %s: %s", option, path, strerror(errno));
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;) buf_put(out, chunk, got);
    bool failed = ferror(file) || out->failed || out->bytes == 0;
    (void)fclose(file);
    explicit_bzero(chunk, sizeof chunk);
    return failed ? lks_fail(err, LKS_E_CONFIG, "[api] %s: can't read %s, or it is empty", option, path)
                  : LKS_E_OK;
}

/* Instead of asking a person at the terminal. */
static int no_password(char *out, int bytes, int writing, void *context)
{
    (void)out;
    (void)bytes;
    (void)writing;
    (void)context;
    return -1;
}

static enum lks_code check(const char *certificate_path, const char *key_path, const struct tls *tls,
                           struct lks_err *err)
{
    BIO *bio = BIO_new_mem_buf(tls->certificate.data, (int)tls->certificate.bytes);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    BIO_free(bio);
    bio = BIO_new_mem_buf(tls->key.data, (int)tls->key.bytes);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    enum lks_code code = LKS_E_OK;
    if (!certificate)
        code = lks_fail(err, LKS_E_CONFIG, "[api] tls_certificate: %s holds no certificate in PEM form",
                        certificate_path);
    else if (!key)
        code =
            lks_fail(err, LKS_E_CONFIG,
                     "[api] tls_key: %s holds no private key in PEM form, or one with a password", key_path);
    else if (X509_check_private_key(certificate, key) != 1)
        code = lks_fail(err, LKS_E_CONFIG, "[api] tls_key: %s is not the key of the certificate in %s",
                        key_path, certificate_path);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return code;
}

enum lks_code tls_load(const char *certificate_path, const char *key_path, struct tls *tls,
                       struct lks_err *err)
{
    buf_init(&tls->certificate, MOST_BYTES);
    buf_init(&tls->key, MOST_BYTES);
    enum lks_code code = read_file("tls_certificate", certificate_path, &tls->certificate, err);
    if (code == LKS_E_OK) code = read_file("tls_key", key_path, &tls->key, err);
    return code == LKS_E_OK ? check(certificate_path, key_path, tls, err) : code;
}

void tls_fini(struct tls *tls)
{
    if (tls->key.data) explicit_bzero(tls->key.data, tls->key.bytes);
    buf_fini(&tls->certificate);
    buf_fini(&tls->key);
}
