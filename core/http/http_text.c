/*
 * http_text.c - reading what is in headers and URLs: waiting times, hosts, what may be shown of a URL.
 *
 * Pure functions over text; own nothing, ask nobody.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"

#define WAIT_CAP_MS (7LL * 24 * 3600 * 1000)

static const char *skip_blanks(const char *text)
{
    while (*text == ' ' || *text == '\t') text++;
    return text;
}

/* Digits with an optional fraction that is cut off, times `unit`; -1 if that isn't what `text` is. */
static int64_t read_number(const char *text, int64_t unit)
{
    text = skip_blanks(text);
    if (!isdigit((unsigned char)*text)) return -1;
    int64_t whole = 0, fraction = 0, scale = unit;
    for (; isdigit((unsigned char)*text); text++)
        if (whole <= WAIT_CAP_MS) whole = whole * 10 + (*text - '0');
    if (*text == '.')
        for (text++; isdigit((unsigned char)*text); text++) fraction += (scale /= 10) * (*text - '0');
    if (*skip_blanks(text)) return -1;
    if (whole > WAIT_CAP_MS / unit) return WAIT_CAP_MS;
    return whole * unit + fraction;
}

int64_t http_retry_after_ms(const char *value, int64_t now)
{
    int64_t ms = read_number(value, 1000);
    if (ms >= 0) return ms;
    time_t date = curl_getdate(value, NULL);
    if (date == -1 || (int64_t)date <= now) return 0;
    int64_t seconds = (int64_t)date - now;
    return seconds > WAIT_CAP_MS / 1000 ? WAIT_CAP_MS : seconds * 1000;
}

int64_t http_retry_after_exact_ms(const char *value)
{
    int64_t ms = read_number(value, 1);
    return ms < 0 ? 0 : ms;
}

/* The part between "scheme://" and the first of "/?#"; where it begins and how long it is. */
static const char *authority(const char *url, size_t *bytes)
{
    const char *begin = strstr(url, "://");
    begin = begin ? begin + 3 : url;
    *bytes = strcspn(begin, "/?#");
    return begin;
}

void http_url_plain(const char *url, char *out, size_t out_bytes)
{
    size_t bytes;
    const char *begin = authority(url, &bytes);
    const char *host = begin;
    for (size_t i = 0; i < bytes; i++)
        if (begin[i] == '@') host = begin + i + 1;
    size_t scheme = (size_t)(begin - url);
    size_t rest = strcspn(host, "?#");
    /* a password with "/?#" in it, unescaped, moves where the host seems to end: show no more than the scheme
     */
    const char *at = strchr(host + strcspn(host, "/?#"), '@');
    if (at) rest = 0;
    snprintf(out, out_bytes, "%.*s%.*s", (int)scheme, url, (int)rest, host);
}

bool http_url_loopback(const char *url)
{
    size_t bytes;
    const char *host = authority(url, &bytes);
    const char *end = host + bytes;
    for (const char *p = host; p < end; p++)
        if (*p == '@') host = p + 1;
    if (end - host >= 5 && !strncmp(host, "[::1]", 5)) return true;
    size_t name = 0;
    while (host + name < end && host[name] != ':') name++;
    if (name == 9 && !strncasecmp(host, "localhost", 9)) return true;
    if (name < 7 || strncmp(host, "127.", 4)) return false;
    for (size_t i = 0; i < name; i++)
        if (!isdigit((unsigned char)host[i]) && host[i] != '.') return false;
    return true;
}
