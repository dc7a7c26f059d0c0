/*
 * uri.c - a connection string, read by the driver's own parser, and judged more strictly: the driver goes on
 * after a warning in its log where an option is unknown or its value is not valid, and finds files that are
 * missing only when it connects.
 */
#include "config.h" /* strcasestr() is no standard */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mongo/mongo_internal.h"

static _Thread_local unsigned warnings; /* of the driver, on this thread */
static _Thread_local bool reading;

static bool uri_heard(mongoc_log_level_t level)
{
    if (level <= MONGOC_LOG_LEVEL_WARNING) warnings++;
    return reading;
}

/* The driver's own messages: for whoever looks for them. */
static void driver_log(mongoc_log_level_t level, const char *domain, const char *message, void *data)
{
    (void)data;
    if (uri_heard(level)) return; /* what it can't read it quotes, and that may be a password */
    if (level <= MONGOC_LOG_LEVEL_WARNING)
        log_debug("MongoDB driver", LOG_STR("domain", domain), LOG_STR("text", message));
}

static void driver_init(void)
{
    /* before the driver starts: that may warn of a file in /dev/shm that a killed process of this id left */
    mongoc_log_set_handler(driver_log, NULL);
    mongoc_init();
}

void mongo_driver(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, driver_init);
}

static mongoc_uri_t *parse(const char *text, bson_error_t *error)
{
    reading = true;
    mongoc_uri_t *uri = mongoc_uri_new_with_error(text, error);
    reading = false;
    return uri;
}

/* False where a part of a password with unescaped characters could be taken for an option. */
static bool may_be_shown(const char *text)
{
    const char *options = strchr(text, '?');
    return !options ||
           !(strchr(options, '@') || strcasestr(options, "password") || strcasestr(options, "properties"));
}

/* One option by itself, behind a host that needs nothing: does the driver have anything to say about it? */
static bool is_fine(const char *name, size_t name_bytes, const char *value, size_t value_bytes)
{
    char *text = bson_strdup_printf("mongodb://h/?%.*s=%.*s", (int)name_bytes, name, (int)value_bytes, value);
    unsigned before = warnings;
    mongoc_uri_t *uri = parse(text, &(bson_error_t){0});
    bool fine = uri && warnings == before;
    if (uri) mongoc_uri_destroy(uri);
    bson_free(text);
    return fine;
}

/* Names, without values, of the options that the driver warns of; separated by commas. */
static void name_options(const char *text, char *out, size_t bytes)
{
    const char *at = strchr(text, '?');
    *out = '\0';
    while (at && *++at) {
        size_t all = strcspn(at, "&;"), name = strcspn(at, "=&;");
        const char *value = name < all ? at + name + 1 : at + all;
        bool word = name > 0 && name < 64;
        for (size_t i = 0; i < name && word; i++) word = isalnum((unsigned char)at[i]);
        if (!is_fine(at, name, value, (size_t)(at + all - value)) && word) {
            size_t used = strlen(out);
            snprintf(out + used, bytes - used, "%s%.*s", used ? ", " : "", (int)name, at);
        }
        at = at[all] ? at + all : NULL;
    }
}

static enum lks_code refuse(const char *text, const bson_error_t *error, struct lks_err *err)
{
    /* the driver quotes the part it can't read, which may be the password */
    if (strchr(text, '@') || !may_be_shown(text))
        return lks_fail(err, LKS_E_CONFIG,
                        "the MongoDB URI is not valid (in user name and password, characters such as "
                        ": / ? # [ ] @ must be percent-encoded)");
    return lks_fail(err, LKS_E_CONFIG, "the MongoDB URI is not valid: %s", error->message);
}

static enum lks_code refuse_options(const char *text, struct lks_err *err)
{
    char names[300];
    name_options(text, names, sizeof names);
    if (may_be_shown(text) && *names)
        return lks_fail(
            err, LKS_E_CONFIG,
            "the MongoDB URI has options that are unknown to the driver, not valid or contradictory: "
            "%s",
            names);
    return lks_fail(err, LKS_E_CONFIG, "the MongoDB URI has options that the driver does not accept");
}

/* The driver ends a password at the first @ and takes the rest for a host, which it would show. */
static bool has_hosts(const mongoc_uri_t *uri)
{
    for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri); host; host = host->next)
        if (strpbrk(host->host, "@ ")) return false;
    return true;
}

static bool has_certificate(FILE *file)
{
    char line[256];
    while (fgets(line, sizeof line, file))
        if (strstr(line, "-----BEGIN ")) return true;
    return false;
}

static enum lks_code check_file(const mongoc_uri_t *uri, const char *option, struct lks_err *err)
{
    const char *path = mongoc_uri_get_option_as_utf8(uri, option, NULL);
    if (!path) return LKS_E_OK;
    FILE *file = fopen(path, "re");
    if (!file)
        return lks_fail(err, LKS_E_CONFIG, "the MongoDB URI's %s: can't read %s: %s", option, path,
                        strerror(errno));
    bool pem = has_certificate(file);
    (void)fclose(file);
    return pem ? LKS_E_OK
               : lks_fail(err, LKS_E_CONFIG, "the MongoDB URI's %s: %s has nothing in PEM form", option,
                          path);
}

enum lks_code uri_read(const char *text, mongoc_uri_t **out, struct lks_err *err)
{
    bson_error_t error = {0};
    *out = NULL;
    warnings = 0;
    mongoc_uri_t *uri = parse(text, &error);
    if (!uri) return refuse(text, &error, err);
    enum lks_code code = !has_hosts(uri) ? refuse(text, &error, err)
                         : warnings      ? refuse_options(text, err)
                                         : LKS_E_OK;
    if (!code) code = check_file(uri, MONGOC_URI_TLSCAFILE, err);
    if (!code) code = check_file(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE, err);
    if (code)
        mongoc_uri_destroy(uri);
    else
        *out = uri;
    return code;
}

enum lks_code mongo_check_uri(const char *text, struct lks_err *err)
{
    mongoc_uri_t *uri = NULL;
    mongo_driver();
    enum lks_code code = uri_read(text, &uri, err);
    if (uri) mongoc_uri_destroy(uri);
    return code;
}
