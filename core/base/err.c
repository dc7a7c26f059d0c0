/* err.c - filling struct lks_err: bounded, valid UTF-8, never failing itself. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const char *const code_names[] = {
    [LKS_E_EMBEDDING_TIMEOUT] = "EMBEDDING_TIMEOUT",
    [LKS_E_EMBEDDING_RATE_LIMIT] = "EMBEDDING_RATE_LIMIT",
    [LKS_E_EMBEDDING_UNAVAILABLE] = "EMBEDDING_UNAVAILABLE",
    [LKS_E_EMBEDDING_REJECTED] = "EMBEDDING_REJECTED",
    [LKS_E_QDRANT_UNAVAILABLE] = "QDRANT_UNAVAILABLE",
    [LKS_E_QDRANT_TIMEOUT] = "QDRANT_TIMEOUT",
    [LKS_E_QDRANT_REJECTED] = "QDRANT_REJECTED",
    [LKS_E_VALIDATION] = "VALIDATION_ERROR",
    [LKS_E_PLUGIN] = "PLUGIN_ERROR",
    [LKS_E_UNKNOWN] = "UNKNOWN",
};

/* Makes text that vsnprintf may have cut, or that a server sent, valid UTF-8 of at most 1000 bytes. */
static void tidy(char text[LKS_ERR_TEXT_BYTES])
{
    char clean[LKS_ERR_TEXT_BYTES];
    size_t bytes = utf8_clean(clean, sizeof clean - 1, text, strlen(text));
    memcpy(text, clean, bytes);
    text[bytes] = '\0';
}

enum lks_code lks_fail(struct lks_err *err, enum lks_code code, const char *format, ...)
{
    if (!err) return code;
    char text[LKS_ERR_TEXT_BYTES]; /* the arguments may point into err->text */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err->code = code;
    err->blame = LKS_BLAME_OPEN;
    err->retry_after_ms = 0;
    memcpy(err->text, text, strlen(text) + 1);
    tidy(err->text);
    return code;
}

void lks_err_prefix(struct lks_err *err, const char *format, ...)
{
    if (!err) return;
    char text[LKS_ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (bytes < 0 || (size_t)bytes >= sizeof text - 2) return;
    snprintf(text + bytes, sizeof text - (size_t)bytes, ": %.*s", (int)(sizeof text - (size_t)bytes - 3),
             err->text);
    memcpy(err->text, text, strlen(text) + 1);
    tidy(err->text);
}

void lks_err_clear(struct lks_err *err)
{
    err->code = LKS_E_OK;
    err->blame = LKS_BLAME_OPEN;
    err->retry_after_ms = 0;
    err->text[0] = '\0';
}

const char *lks_code_name(enum lks_code code)
{
    if ((unsigned)code < sizeof code_names / sizeof *code_names && code_names[code]) return code_names[code];
    return "UNKNOWN";
}

enum lks_code lks_code_parse(const char *name)
{
    for (unsigned i = 0; i < sizeof code_names / sizeof *code_names; i++)
        if (code_names[i] && strcmp(code_names[i], name) == 0) return (enum lks_code)i;
    return LKS_E_UNKNOWN;
}
