/*
 * mask.c - the list of what is volatile in a message, as regular expressions. Owns nothing.
 */
#include "golden/mask.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct rule {
    const char *pattern, *replacement;
};

/* Applied one after the other. */
static const struct rule mongodb_rules[] = {
    {"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"},
    {"ObjectId\\('[0-9a-f]{24}'\\)", "ObjectId"},
    {"[0-9A-F]{20,}", "TOKEN"},
    {"\\{ ts: Timestamp\\([0-9]+, [0-9]+\\), t: -?[0-9]+ \\}", "OPTIME"},
    {"Timestamp\\([0-9]+, [0-9]+\\)", "TIMESTAMP"},
    {"[0-9]{6,}", "NUMBER"},
    {"took [^ ]+", "took TIME"},
    {NULL, NULL},
};

static const struct rule http_rules[] = {
    {"\"time\":[-+.0-9eE]+", "\"time\":TIME"},
    {"\\([0-9]{6,} bytes\\) is larger than allowed.*", "is larger than allowed"},
    {NULL, NULL},
};

/* Takes `text`, gives the text with every match replaced; NULL without memory. */
static char *apply(char *text, const struct rule *rule)
{
    const char *at = text;
    regmatch_t match;
    struct buf out;
    regex_t regex;

    if (!text || regcomp(&regex, rule->pattern, REG_EXTENDED) != 0) return text;
    buf_init(&out, 0);
    buf_puts(&out, "");
    while (*at && regexec(&regex, at, 1, &match, 0) == 0 && match.rm_eo > 0) {
        buf_put(&out, at, (size_t)match.rm_so);
        buf_puts(&out, rule->replacement);
        at += match.rm_eo;
    }
    buf_puts(&out, at);
    regfree(&regex);
    free(text);
    return buf_take(&out, NULL);
}

static char *masked(enum mask_kind kind, const char *text)
{
    const struct rule *rule = kind == MASK_MONGODB ? mongodb_rules : http_rules;
    char *out = strdup(text);

    for (; rule->pattern; rule++) out = apply(out, rule);
    return out;
}

bool mask_equal(enum mask_kind kind, const char *recorded, const char *got)
{
    char *r, *g;
    bool equal;

    if (strcmp(recorded, got) == 0) return true;
    r = masked(kind, recorded);
    g = masked(kind, got);
    equal = r && g && strcmp(r, g) == 0;
    free(r);
    free(g);
    return equal;
}
