/* regexp.c - translates PCRE patterns to POSIX ones and runs them. Owns the compiled pattern. */
#include "regexp.h"

#include <regex.h>
#include <stdlib.h>

struct regexp {
    regex_t posix;
};

static void release(void *p)
{
    regfree(&((struct regexp *)p)->posix);
}

static const char *class_of(char c)
{
    switch (c) {
    case 'd':
        return "[0-9]";
    case 'D':
        return "[^0-9]";
    case 'w':
        return "[A-Za-z0-9_]";
    case 'W':
        return "[^A-Za-z0-9_]";
    case 's':
        return "[[:space:]]";
    case 'S':
        return "[^[:space:]]";
    case 't':
        return "\t";
    case 'n':
        return "\n";
    case 'r':
        return "\r";
    default:
        return NULL;
    }
}

/* Copies a bracket expression, where POSIX knows no escapes. */
static const char *translate_set(struct bw *out, const char *p)
{
    bw_raw(out, p++, 1);
    if (*p == '^') bw_raw(out, p++, 1);
    if (*p == ']') bw_raw(out, p++, 1);
    bool dash = false;
    while (*p && *p != ']') {
        if (*p == '\\' && p[1]) {
            const char *set = class_of(p[1]);
            if (set && set[0] == '[') {
                if (set[1] == '^') return NULL;
                bw_raw(out, set + 1, strlen(set) - 2);
            } else if (set) {
                bw_raw(out, set, 1);
            } else if (p[1] == '-' || p[1] == ']' || p[1] == '^') {
                if (p[1] != '-') return NULL;
                dash = true;
            } else {
                bw_raw(out, p + 1, 1);
            }
            p += 2;
        } else if (*p == '[' && p[1] == ':') {
            const char *end = strstr(p, ":]");
            if (!end) return NULL;
            bw_raw(out, p, (size_t)(end + 2 - p));
            p = end + 2;
        } else {
            bw_raw(out, p++, 1);
        }
    }
    if (!*p) return NULL;
    if (dash) bw_raw(out, "-", 1);
    bw_raw(out, p, 1);
    return p + 1;
}

static const char *translate_escape(struct bw *out, const char *p)
{
    char c = p[1];
    const char *set = class_of(c);
    if (set) {
        bw_raw(out, set, strlen(set));
    } else if (c == 'b' || c == 'B') {
        bw_raw(out, p, 2);
    } else if (c == 'A' || c == 'Z' || c == 'z') {
        bw_raw(out, c == 'A' ? "^" : "$", 1);
    } else if (c && strchr(".[]{}()*+?^$|\\", c)) {
        bw_raw(out, p, 2);
    } else if (c && !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) {
        bw_raw(out, p + 1, 1);
    } else {
        return NULL;
    }
    return p + 2;
}

/* The C library compiles groups by recursion and repetitions by copying: both are kept small. */
static bool is_modest(const char *p)
{
    unsigned long groups = 0, copies = 1;
    if (strlen(p) > 8192) return false;
    for (; *p; p++) {
        if (*p == '\\' && p[1]) {
            p++;
        } else if (*p == '(') {
            groups++;
        } else if (*p == '{') {
            unsigned long low = strtoul(p + 1, NULL, 10), high = 0;
            const char *comma = strchr(p, ',');
            if (comma) high = strtoul(comma + 1, NULL, 10);
            if (low > high) high = low;
            if (high > 1000) return false;
            copies *= high ? high : 1;
        }
        if (copies > 1000) return false;
    }
    return groups <= 100;
}

/* NULL if the pattern uses what POSIX cannot say. */
static char *translate(struct pool *a, const char *p, bool *icase)
{
    struct bw out;
    bw_init(&out, a);
    size_t start = out.n;
    if (strncmp(p, "(?i)", 4) == 0) *icase = true, p += 4;
    while (*p) {
        if (*p == '\\') {
            p = translate_escape(&out, p);
        } else if (*p == '[') {
            p = translate_set(&out, p);
        } else if (*p == '(' && p[1] == '?') {
            if (p[2] != ':') return NULL;
            bw_raw(&out, "(", 1);
            p += 3;
        } else if ((*p == '*' || *p == '+' || *p == '?' || *p == '}') && (p[1] == '?' || p[1] == '+')) {
            return NULL;
        } else {
            bw_raw(&out, p++, 1);
        }
        if (!p) return NULL;
    }
    return pool_strndup(a, (const char *)out.p + start, out.n - start);
}

int regexp_compile(struct pool *a, const char *pattern, const char *options, struct regexp **out,
                   struct merr *err)
{
    int flags = REG_EXTENDED;
    bool icase = false;
    for (const char *o = options; *o; o++) {
        if (*o == 'i') {
            icase = true;
        } else if (*o == 'm') {
            flags |= REG_NEWLINE;
        } else if (*o != 's' && *o != 'u') {
            return merr_set(err, *o == 'x' ? MERR_NOT_IMPLEMENTED : 51108,
                            "invalid flag in regex options: %s", options);
        }
    }
    char *posix = is_modest(pattern) ? translate(a, pattern, &icase) : NULL;
    if (!posix)
        return merr_set(err, MERR_NOT_IMPLEMENTED, "the stand-in does not know this regular expression: %s",
                        pattern);
    struct regexp *re = pool_alloc(a, sizeof *re);
    int rc = regcomp(&re->posix, posix, icase ? flags | REG_ICASE : flags);
    if (rc) {
        const char *reason = rc == REG_EPAREN   ? "missing )"
                             : rc == REG_EBRACK ? "missing terminating ] for character class"
                             : rc == REG_BADRPT ? "nothing to repeat"
                                                : "it does not compile";
        return merr_set(err, 51091, "Regular expression is invalid: %s", reason);
    }
    pool_defer(a, release, re);
    *out = re;
    return 0;
}

bool regexp_find(const struct regexp *re, const char *text, size_t bytes, size_t from, size_t *begin,
                 size_t *end)
{
    regmatch_t m[1] = {{.rm_so = (regoff_t)from, .rm_eo = (regoff_t)bytes}};
    if (regexec(&re->posix, text, 1, m, REG_STARTEND | (from ? REG_NOTBOL : 0)) != 0) return false;
    *begin = (size_t)m[0].rm_so;
    *end = (size_t)m[0].rm_eo;
    return true;
}
