/*
 * hash.c - digests over libcrypto's EVP.
 *
 * Looking an algorithm up costs more than hashing a short text, so it is done once per process, and each
 * thread keeps one context. Owns both; never reports why libcrypto refused.
 */
#include "base/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t context_key;
static bool have_key;
/* What OpenSSL was asked for once; asked again where it had no memory for it. */
struct algorithm {
    const char *name;
    _Atomic(EVP_MD *) fetched;
};
static struct algorithm sha256 = {.name = "SHA256"}, sha1 = {.name = "SHA1"};

static void free_context(void *context)
{
    EVP_MD_CTX_free(context);
}

static void init(void)
{
    have_key = pthread_key_create(&context_key, free_context) == 0;
}

static EVP_MD *fetch(struct algorithm *a)
{
    EVP_MD *there = atomic_load(&a->fetched);
    if (there) return there;
    EVP_MD *md = EVP_MD_fetch(NULL, a->name, NULL);
    if (!md || atomic_compare_exchange_strong(&a->fetched, &there, md)) return md;
    EVP_MD_free(md); /* another thread was faster */
    return there;
}

/* The calling thread's context, or one for this time; NULL when memory is out. */
static EVP_MD_CTX *context(void)
{
    if (!have_key) return EVP_MD_CTX_new();
    EVP_MD_CTX *c = pthread_getspecific(context_key);
    if (c) return c;
    c = EVP_MD_CTX_new();
    if (c && pthread_setspecific(context_key, c) != 0) {
        EVP_MD_CTX_free(c);
        c = NULL;
    }
    return c;
}

static bool digest_in(EVP_MD_CTX *c, const EVP_MD *md, const struct hash_span *spans, size_t count,
                      uint8_t *out, size_t out_bytes)
{
    unsigned char result[EVP_MAX_MD_SIZE];
    unsigned written;
    if (!c || !md || EVP_DigestInit_ex2(c, md, NULL) != 1) return false;
    for (size_t i = 0; i < count; i++)
        if (EVP_DigestUpdate(c, spans[i].data, spans[i].bytes) != 1) return false;
    if (EVP_DigestFinal_ex(c, result, &written) != 1 || written != out_bytes) return false;
    memcpy(out, result, out_bytes);
    return true;
}

static bool digest(struct algorithm *algorithm, const struct hash_span *spans, size_t count, uint8_t *out,
                   size_t out_bytes)
{
    memset(out, 0, out_bytes);
    if (pthread_once(&once, init) != 0) return false;
    EVP_MD_CTX *c = context();
    bool ok = digest_in(c, fetch(algorithm), spans, count, out, out_bytes);
    if (!have_key) EVP_MD_CTX_free(c);
    return ok;
}

bool hash_sha256(const struct hash_span *spans, size_t count, uint8_t out[SHA256_BYTES])
{
    return digest(&sha256, spans, count, out, SHA256_BYTES);
}

bool hash_sha1(const struct hash_span *spans, size_t count, uint8_t out[SHA1_BYTES])
{
    return digest(&sha1, spans, count, out, SHA1_BYTES);
}

bool hash_sha256_hex(const struct hash_span *spans, size_t count, char out[SHA256_HEX_BYTES])
{
    uint8_t raw[SHA256_BYTES];
    bool ok = hash_sha256(spans, count, raw);
    out[0] = '\0';
    if (ok) hash_hex(raw, sizeof raw, out);
    return ok;
}

void hash_hex(const uint8_t *data, size_t bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = '\0';
}
