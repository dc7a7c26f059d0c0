/*
 * show.c - the configuration as it holds, each value with where it came from. Never a secret.
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "config/draft.h"

/* A value that begins with a quote, has space at an end, or a comment in it, needs quotes to be read again.
 */
static bool needs_quotes(const char *text)
{
    size_t bytes = strlen(text);
    if (bytes == 0) return false;
    return text[0] == '"' || text[0] == ' ' || text[0] == '\t' || text[bytes - 1] == ' ' ||
           text[bytes - 1] == '\t' || text[0] == ';' || strstr(text, " ;") || strchr(text, '\n') ||
           strstr(text, "\t;");
}

static void put_quoted(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') buf_putc(out, '\\');
        if (*c == '\n')
            buf_puts(out, "\\n");
        else if (*c == '\t')
            buf_puts(out, "\\t");
        else
            buf_putc(out, *c);
    }
    buf_putc(out, '"');
}

static bool is_secret_option(const char *name, size_t bytes)
{
    static const char *const words[] = {"password", "token", "secret", "authmechanismproperties",
                                        "api_key",  "apikey"};
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        size_t length = strlen(words[w]);
        for (size_t i = 0; i + length <= bytes; i++)
            if (strncasecmp(name + i, words[w], length) == 0) return true;
    }
    return false;
}

/* Options whose names may be shown: anything else may be the rest of a password with an `&` in it. */
static bool is_uri_option(const char *name, size_t bytes)
{
    static const char *const names[] = {"appName",
                                        "authMechanism",
                                        "authMechanismProperties",
                                        "authSource",
                                        "canonicalizeHostname",
                                        "compressors",
                                        "connectTimeoutMS",
                                        "directConnection",
                                        "gssapiServiceName",
                                        "heartbeatFrequencyMS",
                                        "journal",
                                        "loadBalanced",
                                        "localThresholdMS",
                                        "maxIdleTimeMS",
                                        "maxPoolSize",
                                        "maxStalenessSeconds",
                                        "minPoolSize",
                                        "readConcernLevel",
                                        "readPreference",
                                        "readPreferenceTags",
                                        "replicaSet",
                                        "retryReads",
                                        "retryWrites",
                                        "safe",
                                        "serverMonitoringMode",
                                        "serverSelectionTimeoutMS",
                                        "serverSelectionTryOnce",
                                        "slaveOk",
                                        "socketCheckIntervalMS",
                                        "socketTimeoutMS",
                                        "srvMaxHosts",
                                        "srvServiceName",
                                        "ssl",
                                        "sslAllowInvalidCertificates",
                                        "sslAllowInvalidHostnames",
                                        "sslCertificateAuthorityFile",
                                        "sslClientCertificateKeyFile",
                                        "sslClientCertificateKeyPassword",
                                        "tls",
                                        "tlsAllowInvalidCertificates",
                                        "tlsAllowInvalidHostnames",
                                        "tlsCAFile",
                                        "tlsCertificateKeyFile",
                                        "tlsCertificateKeyFilePassword",
                                        "tlsDisableCertificateRevocationCheck",
                                        "tlsDisableOCSPEndpointCheck",
                                        "tlsInsecure",
                                        "w",
                                        "waitQueueMultiple",
                                        "waitQueueTimeoutMS",
                                        "wTimeoutMS",
                                        "zlibCompressionLevel"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == bytes && strncasecmp(names[i], name, bytes) == 0) return true;
    return false;
}

/* scheme://user:password@host/...?name=value&...: what may be secret becomes ***; in a URL any value may, and
 * a user's name without a password may be a token. */
static void put_address(struct buf *out, const char *text, bool url)
{
    const char *host = strstr(text, "://");
    if (!host) {
        buf_puts(out, "***");
        return;
    }
    host += 3;
    buf_put(out, text, (size_t)(host - text));
    const char *at = strrchr(host, '@'); /* the last one: an unescaped password may hold others, and a ? */
    if (at) {
        const char *colon = memchr(host, ':', (size_t)(at - host));
        if (colon && colon + 1 < at) buf_put(out, host, (size_t)(colon - host) + 1);
        buf_puts(out, "***");
        host = at;
    }
    const char *query = strchr(host, '?');
    const char *end = query ? query : host + strlen(host);
    buf_put(out, host, (size_t)(end - host));
    for (const char *c = query; c && *c;) {
        size_t bytes = 1 + strcspn(c + 1, "&;"); /* MongoDB takes both */
        size_t name = strcspn(c, "=");
        bool named = name < bytes && (url || is_uri_option(c + 1, name - 1));
        bool hide = !named || url || is_secret_option(c, name);
        buf_put(out, c, !named ? 1 : hide ? name + 1 : bytes);
        if (hide) buf_puts(out, "***");
        c += bytes;
    }
}

static void put_value(struct buf *out, size_t i, const struct value *value)
{
    enum option_type type = options[i].type;
    if (type == OPTION_SECRET) {
        buf_puts(out, *value->text ? "***" : "");
    } else if (type == OPTION_MONGODB_URI || type == OPTION_URL) {
        put_address(out, value->text, type == OPTION_URL);
    } else if (type == OPTION_LIST || type == OPTION_FOLDERS || !value->literal) {
        /* as it is in the file, quotes and all; a continued one over lines again */
        for (const char *c = value->text; *c; c++) {
            buf_putc(out, *c);
            if (*c == '\n') buf_puts(out, "    ");
        }
    } else if (needs_quotes(value->text)) {
        put_quoted(out, value->text);
    } else {
        buf_puts(out, value->text);
    }
}

/* What holds where nothing was set and the table has no fixed default. */
static const char *derived(const struct config *config, const struct section *s, size_t i)
{
    const char *key = options[i].key;
    if (s->kind == SECTION_MONGODB || s->kind == SECTION_SOURCE) {
        const struct config_source *source = NULL;
        for (size_t k = 0; k < config->source_count; k++)
            if (s->kind == SECTION_MONGODB ? k == 0 : strcmp(config->sources[k].name, s->name) == 0)
                source = &config->sources[k];
        if (!source) return "";
        return strcmp(key, "name") == 0 ? source->name : strcmp(key, "database") == 0 ? source->database : "";
    }
    if (s->kind == SECTION_COLLECTION) {
        if (strcmp(key, "plugin") == 0 || strcmp(key, "qdrant_collection") == 0) return s->name;
        if (strcmp(key, "source") == 0 && config->source_count) return config->sources[0].name;
    }
    return "";
}

static void put_option(struct buf *out, const struct config *config, const struct section *s, size_t i)
{
    char key[80];
    const struct value *given = &s->values[i];
    const struct value fallback = {.text = options[i].fallback ? options[i].fallback : derived(config, s, i)};
    const struct value *value = given->text ? given : &fallback;
    bool override = s->kind == SECTION_COLLECTION && options[i].section == SECTION_EMBEDDING;
    if (!given->text && (override || (!*value->text && options[i].fallback_help))) return;
    (void)option_key(s->kind, i, key, sizeof key);
    buf_printf(out, "%s =%s", key, *value->text ? " " : "");
    put_value(out, i, value);
    buf_printf(out, " ; %s\n", given->text ? given->where : "default");
}

void config_show(const struct config *config, struct buf *out)
{
    const struct config_draft *draft = config->draft;
    for (size_t k = 0; k < draft->section_count; k++) {
        const struct section *s = draft->sections[k];
        buf_printf(out, "%s[%s]\n", k ? "\n" : "", s->title);
        for (size_t i = 0; i < option_count; i++)
            if (option_in(s->kind, i)) put_option(out, config, s, i);
        for (size_t e = 0; e < s->extra_count; e++) {
            buf_printf(out, "%s = ", s->extras[e].key);
            if (is_secret_option(s->extras[e].key, strlen(s->extras[e].key)))
                buf_puts(out, "***");
            else
                put_value(out, option_find(SECTION_COLLECTION, "watched"), &s->extras[e].value);
            buf_printf(out, " ; %s\n", s->extras[e].value.where);
        }
    }
}
