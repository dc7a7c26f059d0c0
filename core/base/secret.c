/* secret.c - see secret.h. Owns nothing; copies of secrets are cleared before they are freed. */
#include "config.h" /* memrchr() is no standard */

#include "base/secret.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SHORTEST 4     /* a shorter secret is in too many words, and is none */
#define ALWAYS 6       /* this many characters in a row are no coincidence */
#define NEAR_MASK 3    /* beside a mask, this many */
#define CUT_BYTES 500  /* a text of this length may have been cut off in the middle of a secret */
#define MOST_BYTES 512 /* of credentials in a URL */

/* The length of the longest prefix of `text` that occurs in `secret`. */
static size_t longest_match(const char *text, const char *secret)
{
    size_t longest = 0;
    for (const char *from = secret; *from; from++) {
        size_t bytes = 0;
        while (from[bytes] && from[bytes] == text[bytes]) bytes++;
        if (bytes > longest) longest = bytes;
    }
    return longest;
}

/* Does the text mask or leave out something here? */
static bool is_mask(const char *text)
{
    return *text == '*' || strncmp(text, "...", 3) == 0 || strncmp(text, "\xe2\x80\xa6", 3) == 0;
}

static bool must_hide(const char *begin, const char *at, size_t bytes, const char *secret)
{
    if (bytes < NEAR_MASK) return false;
    if (bytes >= ALWAYS || (bytes >= SHORTEST && bytes == strlen(secret))) return true;
    bool after_mask = at > begin && (at[-1] == '*' || (at - begin >= 3 && is_mask(at - 3)));
    bool cut_off = !at[bytes] && at + bytes - begin >= CUT_BYTES;
    bool before_mask = false; /* the secret may go on with what looks like a mask */
    for (size_t i = NEAR_MASK; i <= bytes; i++) before_mask = before_mask || is_mask(at + i);
    return after_mask || cut_off || before_mask;
}

void secret_hide(char *text, const char *secret)
{
    static const char mask[] = "***";
    if (!secret || !*secret) return;
    for (char *at = text; *at;) {
        size_t bytes = longest_match(at, secret);
        if (!must_hide(text, at, bytes, secret)) {
            at++;
            continue;
        }
        size_t stars = bytes < sizeof mask - 1 ? bytes : sizeof mask - 1;
        memcpy(at, mask, stars);
        memmove(at + stars, at + bytes, strlen(at + bytes) + 1);
        at += stars;
    }
}

/* ---- credentials in a URL ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        int high = *in == '%' ? hex_digit(in[1]) : -1, low = high < 0 ? -1 : hex_digit(in[2]);
        *out++ = (char)(low < 0 ? *in : high << 4 | low);
        if (low >= 0) in += 2;
    }
    *out = '\0';
}

void secret_hide_url(char *text, const char *url)
{
    char pair[MOST_BYTES], basic[MOST_BYTES * 4 / 3 + 8];
    const char *begin = url ? strstr(url, "://") : NULL;
    if (!begin) return;
    begin += 3;
    const char *end = memrchr(begin, '@', strcspn(begin, "/?#"));
    if (!end || (size_t)(end - begin) >= sizeof pair) return;
    memcpy(pair, begin, (size_t)(end - begin));
    pair[end - begin] = '\0';
    char *colon = strchr(pair, ':');
    char *password = colon ? colon + 1 : pair;
    secret_hide(text, password);
    decode(pair);
    colon = strchr(pair, ':');
    secret_hide(text, colon ? colon + 1 : pair);
    EVP_EncodeBlock((unsigned char *)basic, (const unsigned char *)pair, (int)strlen(pair));
    secret_hide(text, basic);
    explicit_bzero(pair, sizeof pair);
    explicit_bzero(basic, sizeof basic);
}
