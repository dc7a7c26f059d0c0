/*
 * value.c - what one option's text means: parsed by its type into the member of a struct, or reported to be
 * wrong.
 *
 * Messages quote the text, but never that of a secret or of an address that may hold a password.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ini.h"
#include "base/utf8.h"
#include "config/draft.h"

#define SOCKET_PATH_MAX 107 /* what the system takes */
#define SECRET_MAX_BYTES 16000

/* What is being parsed, for messages. */
struct at {
    struct config_draft *draft;
    const struct section *section;
    const struct value *value;
    size_t option;
};

static bool bad(const struct at *at, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool bad(const struct at *at, const char *format, ...)
{
    char text[400], key[80];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    draft_problem(at->draft, at->value->line, at->value->where, "[%s] %s: %s", at->section->title,
                  option_key(at->section->kind, at->option, key, sizeof key), n < 0 ? format : text);
    return false;
}

bool value_is_name(const char *text)
{
    size_t bytes = strlen(text);
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-') return false;
    return bytes >= 1 && bytes <= 38;
}

const char *value_fallback(size_t i)
{
    return options[i].fallback ? options[i].fallback : "";
}

/* ---- numbers and words ---- */

static bool whole(const char *text, int64_t *out)
{
    char *end = NULL;
    if (!isdigit((unsigned char)text[0]) && text[0] != '-') return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && !*end;
}

/* A decimal number, whatever the locale; no hex, no infinity. */
static bool real(const char *text, double *out)
{
    const char *c = text;
    if (*c == '-') c++;
    if (!isdigit((unsigned char)*c)) return false;
    double value = 0, scale = 1;
    for (; isdigit((unsigned char)*c); c++) value = value * 10 + (*c - '0');
    if (*c == '.')
        for (c++; isdigit((unsigned char)*c); c++) scale /= 10, value += scale * (*c - '0');
    *out = *text == '-' ? -value : value;
    return !*c && isfinite(*out);
}

static bool in_range(const struct at *at, const char *text, double value)
{
    const char *allowed = options[at->option].allowed;
    const char *dots = strstr(allowed, "..");
    double low = 0, high = 0;
    char first[32];
    (void)snprintf(first, sizeof first, "%.*s", (int)(dots - allowed), allowed);
    if (real(first, &low) && real(dots + 2, &high) && value >= low && value <= high) return true;
    const char *unit = options[at->option].unit;
    return bad(at, "%s is out of range: %s to %s%s%s", text, first, dots + 2, unit ? " " : "",
               unit ? unit : "");
}

static bool store_number(const struct at *at, const char *text, void *member)
{
    int64_t n = 0;
    double x = 0;
    enum option_type type = options[at->option].type;
    if (type == OPTION_REAL) {
        if (!real(text, &x)) return bad(at, "\"%s\" is no number", text);
        if (!in_range(at, text, x)) return false;
        memcpy(member, &x, sizeof x);
        return true;
    }
    if (!whole(text, &n))
        return bad(at, "\"%s\" is no whole number%s", text, type == OPTION_MS ? " of milliseconds" : "");
    if (!in_range(at, text, (double)n)) return false;
    size_t size = (size_t)n << (type == OPTION_MEGABYTES ? 20 : 0);
    int small = (int)n;
    if (type == OPTION_MS)
        memcpy(member, &n, sizeof n);
    else if (type == OPTION_INT)
        memcpy(member, &small, sizeof small);
    else
        memcpy(member, &size, sizeof size);
    return true;
}

static bool store_bool(const struct at *at, const char *text, void *member)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) != 0) continue;
        bool value = i % 2 == 1;
        memcpy(member, &value, sizeof value);
        return true;
    }
    return bad(at, "\"%s\" is neither yes nor no", text);
}

static bool store_choice(const struct at *at, const char *text, void *member)
{
    const char *allowed = options[at->option].allowed;
    size_t bytes = strlen(text);
    int place = 0;
    for (const char *word = allowed; word; place++) {
        const char *bar = strchr(word, '|');
        size_t length = bar ? (size_t)(bar - word) : strlen(word);
        if (length == bytes && strncasecmp(word, text, bytes) == 0) {
            memcpy(member, &place, sizeof place);
            return true;
        }
        word = bar ? bar + 1 : NULL;
    }
    return bad(at, "\"%s\" is none of %s", text, allowed);
}

/* ---- names ---- */

static bool has_any(const char *text, const char *characters)
{
    return text[strcspn(text, characters)] != '\0';
}

static bool check_name(const struct at *at, const char *text)
{
    size_t bytes = strlen(text);
    switch (options[at->option].type) {
    case OPTION_NAME:
    case OPTION_REFERENCE:
        return value_is_name(text) || bad(at, "\"%s\" is no name: 1 to 38 letters, digits, - and _", text);
    case OPTION_DATABASE: /* MongoDB manual, "Naming Restrictions", with those of Windows */
        return (bytes > 0 && bytes < 64 && !has_any(text, "/\\. \"$*<>:|?")) ||
               bad(at, "\"%s\" is no name of a MongoDB database", text);
    case OPTION_NAMESPACE:
        return (bytes > 0 && bytes < 190 && !has_any(text, "$") && strncmp(text, "system.", 7) != 0 &&
                text[0] != '.') ||
               bad(at, "\"%s\" is no name of a MongoDB collection", text);
    case OPTION_QDRANT_NAME: /* Qdrant's own check: at most 255 bytes, and nothing a file's name can't hold */
        return (bytes <= 200 && !has_any(text, "<>:\"/\\|?*\n") && strcmp(text, ".") != 0 &&
                strcmp(text, "..") != 0) ||
               bad(at, "\"%s\" is no name of a Qdrant collection", text);
    case OPTION_FIELD:
        return (!has_any(text, "$ ") && text[0] != '.' && !strstr(text, "..") &&
                (!bytes || text[bytes - 1] != '.')) ||
               bad(at, "\"%s\" is no field's name", text);
    default:
        return true;
    }
}

static bool store_uuid(const struct at *at, const char *text, void *member)
{
    char lower[37];
    size_t i = 0;
    for (; text[i] && i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])) break;
        lower[i] = (char)tolower((unsigned char)text[i]);
    }
    if (i != 36 || text[i]) return bad(at, "\"%s\" is no UUID", text);
    lower[i] = '\0';
    const char *kept = draft_printf(at->draft, "%s", lower);
    memcpy(member, &kept, sizeof kept);
    return true;
}

/* ---- addresses ---- */

static bool port_number(const char *text, uint16_t *port)
{
    int64_t n = 0;
    if (!isdigit((unsigned char)text[0]) || !whole(text, &n) || n > 65535) return false;
    *port = (uint16_t)n;
    return true;
}

/* host[:port], [v6][:port]: ends at `bytes`. */
static bool authority_ok(const char *text, size_t bytes)
{
    char copy[300];
    if (bytes == 0 || bytes >= sizeof copy) return false;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    char *colon = strrchr(copy, ':'), *bracket = strrchr(copy, ']');
    if (copy[0] == '[' && !bracket) return false;
    if (bracket && colon && colon < bracket) colon = NULL;
    uint16_t port = 0;
    if (colon && !port_number(colon + 1, &port)) return false;
    return colon != copy;
}

static bool odd_character(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= 32 || *c == 127) return true;
    return false;
}

/* An `@` after the host is one of a password with characters that end the host. What is read as host, port or
 * database is a part of the password then, and would be shown. In a path it can be written %40. */
static bool has_hidden_password(const char *host)
{
    return strchr(host + strcspn(host, "/?#"), '@') != NULL;
}

static bool bad_password(const struct at *at)
{
    return bad(at, "there is an @ after the host; in user name and password : / ? # [ ] @ must be "
                   "percent-encoded (@ is %%40)");
}

static bool store_url(const struct at *at, const char *text, void *member)
{
    size_t scheme = strncasecmp(text, "http://", 7) == 0 ? 7 : strncasecmp(text, "https://", 8) == 0 ? 8 : 0;
    if (!scheme) return bad(at, "the address must begin with http:// or https://");
    const char *host = text + scheme;
    if (has_hidden_password(host)) return bad_password(at);
    size_t bytes = strcspn(host, "/?#");
    const char *user = memchr(host, '@', bytes);
    size_t skip = user ? (size_t)(user - host) + 1 : 0;
    if (odd_character(text) || !authority_ok(host + skip, bytes - skip))
        return bad(at, "the address has no valid host and port");
    bool query = options[at->option].section == SECTION_EMBEDDING; /* Azure's api-version */
    if (has_any(host, query ? "#" : "?#"))
        return bad(at, query ? "the address must not have a #" : "the address must not have a ? or #");
    size_t length = strcspn(text, "?");
    const char *rest = text + length;
    while (length > 0 && text[length - 1] == '/') length--;
    const char *kept = draft_printf(at->draft, "%.*s%s", (int)length, text, rest);
    memcpy(member, &kept, sizeof kept);
    return true;
}

static bool store_mongodb_uri(const struct at *at, const char *text, void *member)
{
    size_t scheme = strncmp(text, "mongodb://", 10) == 0       ? 10
                    : strncmp(text, "mongodb+srv://", 14) == 0 ? 14
                                                               : 0;
    if (!scheme) return bad(at, "the address must begin with mongodb:// or mongodb+srv://");
    const char *host = text + scheme;
    if (has_hidden_password(host)) return bad_password(at);
    size_t bytes = strcspn(host, "/?");
    for (size_t i = bytes; i > 0; i--)
        if (host[i - 1] == '@') {
            host += i, bytes -= i;
            break;
        }
    if (odd_character(text) || bytes == 0) return bad(at, "the address has no valid host");
    memcpy(member, &(const char *){draft_printf(at->draft, "%s", text)}, sizeof(const char *));
    return true;
}

static bool store_socket(const struct at *at, const char *path, struct config_api *api)
{
    if (path[0] != '/' || !path[1]) return bad(at, "a Unix socket is written unix:/PATH");
    if (strlen(path) > SOCKET_PATH_MAX) return bad(at, "the path may have %d bytes", SOCKET_PATH_MAX);
    api->socket_path = draft_printf(at->draft, "%s", path);
    return true;
}

static bool store_listen(const struct at *at, const char *text, struct config_api *api)
{
    api->enabled = strcasecmp(text, "off") != 0;
    api->host = api->socket_path = "";
    if (!api->enabled) return true;
    if (strncmp(text, "unix:", 5) == 0) return store_socket(at, text + 5, api);
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !authority_ok(text, strlen(text)) || !port_number(colon + 1, &api->port) ||
        has_any(text, " /@"))
        return bad(at, "\"%s\" is no ADDRESS:PORT", text);
    bool bracket = text[0] == '[';
    if (!bracket && memchr(text, ':', (size_t)(colon - text)))
        return bad(at, "an IPv6 address is written [ADDRESS]:PORT");
    api->host = draft_printf(at->draft, "%.*s", (int)(colon - text) - 2 * bracket, text + bracket);
    return true;
}

/* ---- files ---- */

/* Relative ones are relative to the INI file, or, from a variable, to where the program was started. */
static const char *full_path(const struct at *at, const char *text)
{
    if (text[0] == '/') return text;
    if (!at->value->literal) return draft_printf(at->draft, "%s/%s", at->draft->folder, text);
    char *here = getcwd(NULL, 0);
    const char *full = draft_printf(at->draft, "%s/%s", here ? here : ".", text);
    free(here);
    return full;
}

static bool store_path(const struct at *at, const char *text, void *member)
{
    const char *full = full_path(at, text);
    if (access(full, R_OK) != 0) return bad(at, "can't read %s: %s", full, strerror(errno));
    memcpy(member, &full, sizeof full);
    return true;
}

/* A secret goes into a header line: nothing but visible ASCII can. */
static bool secret_ok(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= 32 || (unsigned char)*c >= 127) return false;
    return true;
}

static bool store_secret_file(const struct at *at, const char *text, void *base, void *member)
{
    const char *full = full_path(at, text);
    char secret[SECRET_MAX_BYTES];
    FILE *file = fopen(full, "re");
    if (!file) return bad(at, "can't read %s: %s", full, strerror(errno));
    size_t bytes = fread(secret, 1, sizeof secret - 1, file);
    bool failed = ferror(file), whole_file = feof(file);
    int error = errno;
    (void)fclose(file);
    if (failed) return bad(at, "can't read %s: %s", full, strerror(error));
    while (bytes > 0 && (secret[bytes - 1] == '\n' || secret[bytes - 1] == '\r')) bytes--;
    secret[bytes] = '\0';
    bool ok = whole_file && bytes > 0 && strlen(secret) == bytes && secret_ok(secret);
    const char *kept = ok ? draft_printf(at->draft, "%s", secret) : "";
    explicit_bzero(secret, sizeof secret);
    if (bytes == 0) return bad(at, "%s is empty", full);
    if (!ok) return bad(at, "%s must hold one line without spaces", full);
    memcpy(member, &kept, sizeof kept);
    if (options[at->option].file_offset)
        memcpy((char *)base + options[at->option].file_offset, &full, sizeof full);
    return true;
}

/* ---- lists ---- */

const char *const *value_list(struct config_draft *draft, const char *text, const char **reason)
{
    char **items = ini_list(text, reason);
    size_t count = 0;
    while (items && items[count]) count++;
    const char **kept = items ? draft_keep(draft, calloc(count + 1, sizeof *kept)) : NULL;
    for (size_t i = 0; kept && i < count; i++) kept[i] = draft_printf(draft, "%s", items[i]);
    if (!items && !*reason) draft->no_memory = true;
    ini_list_free(items);
    return kept;
}

static bool store_list(const struct at *at, const char *text, void *member)
{
    const char *reason = NULL;
    const char *const *items = value_list(at->draft, text, &reason);
    if (!items) return reason ? bad(at, "%s", reason) : false;
    bool ok = true;
    for (size_t i = 0; items[i]; i++) {
        struct stat info;
        if (options[at->option].type != OPTION_FOLDERS) continue;
        const char *full = full_path(at, items[i]);
        if (stat(full, &info) != 0)
            ok = bad(at, "can't read %s: %s", full, strerror(errno));
        else if (!S_ISDIR(info.st_mode))
            ok = bad(at, "%s is no folder", full);
        memcpy((void *)(uintptr_t)&items[i], &full, sizeof full);
    }
    memcpy(member, &items, sizeof items);
    return ok;
}

/* ---- one value ---- */

static bool store_text(const struct at *at, const char *text, void *member)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 32 && *c != '\n' && *c != '\t')
            return bad(at, "there is a control character in it");
    if (!check_name(at, text)) return false;
    if (options[at->option].type == OPTION_REFERENCE) return true;
    const char *kept = draft_printf(at->draft, "%s", text);
    memcpy(member, &kept, sizeof kept);
    return true;
}

static bool store_secret(const struct at *at, const char *text, void *member)
{
    if (!secret_ok(text)) return bad(at, "it has spaces or characters that are not ASCII");
    const char *kept = draft_printf(at->draft, "%s", text);
    memcpy(member, &kept, sizeof kept);
    return true;
}

static bool store(const struct at *at, const char *text, void *base)
{
    const struct option *o = &options[at->option];
    void *member = (char *)base + o->offset;
    switch (o->type) {
    case OPTION_MONGODB_URI:
        return store_mongodb_uri(at, text, member);
    case OPTION_URL:
        return store_url(at, text, member);
    case OPTION_UUID:
        return store_uuid(at, text, member);
    case OPTION_PATH:
        return store_path(at, text, member);
    case OPTION_LISTEN:
        return store_listen(at, text, base);
    case OPTION_SECRET:
        return store_secret(at, text, member);
    case OPTION_SECRET_FILE:
        return store_secret_file(at, text, base, member);
    case OPTION_BOOL:
        return store_bool(at, text, member);
    case OPTION_CHOICE:
        return store_choice(at, text, member);
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_MEGABYTES:
    case OPTION_MS:
    case OPTION_REAL:
        return store_number(at, text, member);
    case OPTION_LIST:
    case OPTION_FOLDERS:
        return store_list(at, text, member);
    case OPTION_STRING:
    case OPTION_NAME:
    case OPTION_DATABASE:
    case OPTION_NAMESPACE:
    case OPTION_FIELD:
    case OPTION_QDRANT_NAME:
    case OPTION_REFERENCE:
        return store_text(at, text, member);
    }
    return false;
}

/* Whether "" is something an option can hold. */
static bool may_be_empty(size_t i)
{
    const struct option *o = &options[i];
    return o->type == OPTION_LIST ||
           (o->fallback ? !*o->fallback : o->fallback_help && !(o->flags & OPTION_REQUIRED));
}

const char *value_plain(struct config_draft *draft, const struct value *value)
{
    const char *reason = NULL;
    char *text = value->literal ? strdup(value->text) : ini_unquote(value->text, &reason);
    if (!text && reason) text = strdup(value->text); /* a list of quoted items */
    if (!draft_keep(draft, text)) return "";
    for (char *c = text; *c && !value->literal && value->text[0] != '"'; c++)
        if (*c == '\n') *c = ' ';
    return text;
}

bool value_store(struct config_draft *draft, const struct section *section, size_t i, void *base)
{
    const struct value *value = &section->values[i];
    const struct value fallback = {.text = value_fallback(i), .where = section->where, .line = section->line};
    bool given = value->text != NULL;
    struct at at = {draft, section, given ? value : &fallback, i};
    if (!given && !*fallback.text) return true; /* the struct is all empty strings already */
    if (given && !utf8_valid(value->text, strlen(value->text))) return bad(&at, "it is not UTF-8");
    enum option_type type = options[i].type;
    if (type == OPTION_LIST || type == OPTION_FOLDERS) return store(&at, at.value->text, base);
    if (strchr(at.value->text, '\n') && !at.value->literal) return bad(&at, "it takes one line only");
    const char *reason = NULL;
    char *text = at.value->literal ? strdup(at.value->text) : ini_unquote(at.value->text, &reason);
    if (!text && reason) return bad(&at, "%s", reason);
    if (!draft_keep(draft, text)) return false;
    if (*text) return store(&at, text, base);
    return may_be_empty(i) || bad(&at, "it needs a value");
}
