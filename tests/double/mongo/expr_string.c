/* expr_string.c - operators on strings. Case changes ASCII only, as the server does. Pure. */
#include "config.h"

#include "expr_int.h"

#include <ctype.h>

static size_t char_bytes(uint8_t lead)
{
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* Byte offset of the n-th character, at most the length. */
static size_t char_offset(const char *s, size_t bytes, int64_t n)
{
    size_t at = 0;
    while (n-- > 0 && at < bytes) at += char_bytes((uint8_t)s[at]);
    return at < bytes ? at : bytes;
}

static int64_t char_count(const char *s, size_t bytes)
{
    int64_t n = 0;
    for (size_t at = 0; at < bytes; n++) at += char_bytes((uint8_t)s[at]);
    return n;
}

/* What string operators make of scalars; VAL_NONE with an error for the rest. */
static struct val coerce(struct ectx *c, const struct expr *e, struct val v)
{
    char text[64];
    int n;
    if (val_nullish(v)) return val_new_str(c->a, "", 0);
    switch (v.t) {
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_CODE:
        v.t = BSON_TYPE_UTF8;
        return v;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        n = snprintf(text, sizeof text, "%lld", (long long)val_int(v));
        return val_new_str(c->a, text, (size_t)n);
    case BSON_TYPE_DOUBLE:
        n = snprintf(text, sizeof text, "%.15g", val_double(v));
        return val_new_str(c->a, text, (size_t)n);
    case BSON_TYPE_DATE_TIME:
        return expr_date_text(c, val_i64raw(v), "%Y-%m-%dT%H:%M:%S.%LZ");
    default:
        return expr_error(c, 16007, "can't convert from BSON type %s to String (%s)", val_type_name(v.t),
                          e->name);
    }
}

static struct val concat(const struct expr *e, struct ectx *c)
{
    struct bw w;
    bw_init(&w, c->a);
    size_t start = w.n;
    for (size_t i = 0; i < e->arg_count; i++) {
        struct val v = expr_arg(e, i, c);
        if (expr_failed(c)) return VAL_NONE;
        if (val_nullish(v)) return val_null();
        if (!val_is_str(v))
            return expr_error(c, 16702, "$concat only supports strings, not %s", val_type_name(v.t));
        bw_raw(&w, val_str(v), val_strlen(v));
    }
    return val_new_str(c->a, (const char *)w.p + start, w.n - start);
}

static struct val substr_cp(const struct expr *e, struct ectx *c)
{
    struct val s = coerce(c, e, expr_arg(e, 0, c)), from = expr_arg(e, 1, c), len = expr_arg(e, 2, c);
    if (expr_failed(c)) return VAL_NONE;
    if (!val_is_num(from))
        return expr_error(c, 34450, "$substrCP: starting index must be a numeric type (is BSON type %s)",
                          val_type_name(from.t));
    if (!val_is_num(len))
        return expr_error(c, 34452, "$substrCP: length must be a numeric type (is BSON type %s)",
                          val_type_name(len.t));
    if (val_int(len) < 0) return expr_error(c, 34454, "$substrCP: length must be a nonnegative integer.");
    if (val_int(from) < 0)
        return expr_error(c, 34455, "$substrCP: the starting index must be nonnegative integer.");
    size_t n = val_strlen(s), b = char_offset(val_str(s), n, val_int(from));
    size_t m = char_offset(val_str(s) + b, n - b, val_int(len));
    return val_new_str(c->a, val_str(s) + b, m);
}

static struct val substr_bytes(const struct expr *e, struct ectx *c)
{
    struct val s = coerce(c, e, expr_arg(e, 0, c)), from = expr_arg(e, 1, c), len = expr_arg(e, 2, c);
    if (expr_failed(c)) return VAL_NONE;
    if (!val_is_num(from) || !val_is_num(len))
        return expr_error(c, 16034, "$substrBytes:  starting index must be a numeric type (is BSON type %s)",
                          val_type_name(from.t));
    size_t n = val_strlen(s), b = val_int(from) < 0 ? n : (size_t)val_int(from);
    if (b > n) b = n;
    size_t m = val_int(len) < 0 || (uint64_t)val_int(len) > n - b ? n - b : (size_t)val_int(len);
    const char *p = val_str(s);
    if ((b < n && ((uint8_t)p[b] & 0xC0) == 0x80))
        return expr_error(c, 28656,
                          "$substrBytes:  Invalid range, starting index is a UTF-8 continuation byte.");
    if (b + m < n && ((uint8_t)p[b + m] & 0xC0) == 0x80)
        return expr_error(
            c, 28657, "$substrBytes:  Invalid range, ending index is in the middle of a UTF-8 character.");
    return val_new_str(c->a, p + b, m);
}

enum { CP, BYTES };

static struct val length(const struct expr *e, struct ectx *c)
{
    struct val s = expr_arg(e, 0, c);
    if (expr_failed(c)) return VAL_NONE;
    if (!val_is_str(s))
        return expr_error(c, e->code == CP ? 34471 : 34473, "%s requires a string argument, found: %s",
                          e->name, val_type_name(s.t));
    return val_new_int(c->a, e->code == CP ? char_count(val_str(s), val_strlen(s)) : (int64_t)val_strlen(s));
}

static const char *find(const char *hay, size_t n, const char *needle, size_t m)
{
    if (!m) return hay;
    return memmem(hay, n, needle, m);
}

static struct val index_of(const struct expr *e, struct ectx *c)
{
    struct val s = expr_arg(e, 0, c), sub = expr_arg(e, 1, c), from = expr_arg(e, 2, c),
               to = expr_arg(e, 3, c);
    if (val_nullish(s)) return val_null();
    if (!val_is_str(s))
        return expr_error(c, e->code == CP ? 40093 : 40091,
                          "%s requires a string as the first argument, found: %s", e->name,
                          val_type_name(s.t));
    if (!val_is_str(sub))
        return expr_error(c, e->code == CP ? 40094 : 40092,
                          "%s requires a string as the second argument, found: %s", e->name,
                          val_type_name(sub.t));
    const char *p = val_str(s);
    size_t n = val_strlen(s), b = 0, end = n;
    if (e->code == CP) {
        b = char_offset(p, n, val_int(from));
        if (val_is_num(from) && val_int(from) > char_count(p, n)) return val_new_i32(c->a, -1);
        if (val_is_num(to)) end = char_offset(p, n, val_int(to));
    } else {
        if (val_is_num(from)) b = val_int(from) < 0 ? n + 1 : (size_t)val_int(from);
        if (val_is_num(to) && val_int(to) >= 0 && (size_t)val_int(to) < n) end = (size_t)val_int(to);
    }
    if (b > end) return val_new_i32(c->a, -1);
    const char *hit = find(p + b, end - b, val_str(sub), val_strlen(sub));
    if (!hit) return val_new_i32(c->a, -1);
    return val_new_int(c->a, e->code == CP ? char_count(p, (size_t)(hit - p)) : hit - p);
}

static struct val change_case(const struct expr *e, struct ectx *c)
{
    struct val s = coerce(c, e, expr_arg(e, 0, c));
    if (expr_failed(c)) return VAL_NONE;
    s = val_new_str(c->a, val_str(s), val_strlen(s));
    uint8_t *p = pool_copy(c->a, s.p, s.n);
    for (uint32_t i = 4; i < s.n; i++)
        if (p[i] < 0x80) p[i] = (uint8_t)(e->code ? toupper(p[i]) : tolower(p[i]));
    s.p = p;
    return s;
}

static struct val case_compare(const struct expr *e, struct ectx *c)
{
    struct val a = coerce(c, e, expr_arg(e, 0, c)), b = coerce(c, e, expr_arg(e, 1, c));
    if (expr_failed(c)) return VAL_NONE;
    int r = strcasecmp(val_str(a), val_str(b));
    return val_new_i32(c->a, (r > 0) - (r < 0));
}

static struct val split(const struct expr *e, struct ectx *c)
{
    struct val s = expr_arg(e, 0, c), sep = expr_arg(e, 1, c);
    if (val_nullish(s) || val_nullish(sep)) return val_null();
    if (!val_is_str(s))
        return expr_error(
            c, 40085,
            "$split requires an expression that evaluates to a string as a first argument, found: %s",
            val_type_name(s.t));
    if (!val_is_str(sep))
        return expr_error(
            c, 40086,
            "$split requires an expression that evaluates to a string as a second argument, found: %s",
            val_type_name(sep.t));
    if (!val_strlen(sep)) return expr_error(c, 40087, "$split requires a non-empty separator");
    struct bw w;
    size_t n = 0;
    const char *p = val_str(s), *end = p + val_strlen(s), *hit;
    bw_init(&w, c->a);
    while ((hit = find(p, (size_t)(end - p), val_str(sep), val_strlen(sep)))) {
        bw_puti(&w, n++, val_new_str(c->a, p, (size_t)(hit - p)));
        p = hit + val_strlen(sep);
    }
    bw_puti(&w, n, val_new_str(c->a, p, (size_t)(end - p)));
    struct val v = bw_done(&w);
    v.t = BSON_TYPE_ARRAY;
    return v;
}

enum { TRIM_LEFT = 1, TRIM_RIGHT = 2 };

static size_t blank(const char *p, size_t n, struct val chars)
{
    if (!n) return 0;
    size_t len = char_bytes((uint8_t)*p);
    if (len > n) len = n;
    if (val_missing(chars)) return *p == 0 || isspace((uint8_t)*p) ? 1 : 0;
    return memmem(val_str(chars), val_strlen(chars), p, len) ? len : 0;
}

static struct val trim(const struct expr *e, struct ectx *c)
{
    struct val s = expr_arg(e, 0, c), chars = expr_arg(e, 1, c);
    if (val_nullish(s) || (e->args[1] && val_nullish(chars))) return val_null();
    if (!val_is_str(s))
        return expr_error(c, 50699, "%s requires its input to be a string, got %s instead.", e->name,
                          val_type_name(s.t));
    const char *p = val_str(s);
    size_t n = val_strlen(s), len;
    if (e->code & TRIM_LEFT)
        while ((len = blank(p, n, chars))) p += len, n -= len;
    while (e->code & TRIM_RIGHT && n) {
        size_t at = n - 1;
        while (at && ((uint8_t)p[at] & 0xC0) == 0x80) at--;
        if (!blank(p + at, n - at, chars)) break;
        n = at;
    }
    return val_new_str(c->a, p, n);
}

enum { MATCH, FIND, FIND_ALL };

static struct val hit_document(struct ectx *c, const char *p, size_t b, size_t e)
{
    struct bw w;
    bw_init(&w, c->a);
    bw_strn(&w, "match", p + b, e - b);
    bw_int(&w, "idx", char_count(p, b));
    bw_arr(&w, "captures");
    return bw_done(&w);
}

static struct val regex(const struct expr *e, struct ectx *c)
{
    struct val s = expr_arg(e, 0, c), re = expr_arg(e, 1, c), opt = expr_arg(e, 2, c);
    if (expr_failed(c)) return VAL_NONE;
    if (val_nullish(s) || val_nullish(re)) return e->code == MATCH ? val_bool(false) : val_null();
    if (!val_is_str(s)) return expr_error(c, 51104, "%s needs 'input' to be of type string", e->name);
    struct regexp *compiled = e->re;
    if (!compiled) {
        bool native = val_is(re, BSON_TYPE_REGEX);
        if (!native && !val_is_str(re))
            return expr_error(c, 51105, "%s needs 'regex' to be of type string or regex", e->name);
        const char *pattern = native ? (const char *)re.p : val_str(re);
        const char *options = val_is_str(opt) ? val_str(opt) : native ? pattern + strlen(pattern) + 1 : "";
        if (regexp_compile(c->a, pattern, options, &compiled, c->err)) return VAL_NONE;
    }
    size_t b, end, from = 0, n = 0;
    const char *p = val_str(s);
    bool hit = regexp_find(compiled, p, val_strlen(s), 0, &b, &end);
    if (e->code == MATCH) return val_bool(hit);
    if (e->code == FIND) return hit ? hit_document(c, p, b, end) : val_null();
    struct bw w;
    bw_init(&w, c->a);
    while (from <= val_strlen(s) && regexp_find(compiled, p, val_strlen(s), from, &b, &end)) {
        bw_puti(&w, n++, hit_document(c, p, b, end));
        from = end > b ? end : end + 1;
    }
    struct val v = bw_done(&w);
    v.t = BSON_TYPE_ARRAY;
    return v;
}

static struct val replace(const struct expr *e, struct ectx *c)
{
    struct val s = expr_arg(e, 0, c), from = expr_arg(e, 1, c), to = expr_arg(e, 2, c);
    if (val_nullish(s) || val_nullish(from) || val_nullish(to)) return val_null();
    if (!val_is_str(s) || !val_is_str(from) || !val_is_str(to))
        return expr_error(c, 51746, "%s requires that 'input', 'find' and 'replacement' be strings", e->name);
    struct bw w;
    bw_init(&w, c->a);
    size_t start = w.n;
    const char *p = val_str(s), *end = p + val_strlen(s), *hit;
    while (val_strlen(from) && (hit = find(p, (size_t)(end - p), val_str(from), val_strlen(from)))) {
        bw_raw(&w, p, (size_t)(hit - p));
        bw_raw(&w, val_str(to), val_strlen(to));
        p = hit + val_strlen(from);
        if (!e->code) break;
    }
    bw_raw(&w, p, (size_t)(end - p));
    return val_new_str(c->a, (const char *)w.p + start, w.n - start);
}

static const char *const trim_names[] = {"input", "chars", NULL};
static const char *const regex_names[] = {"input", "regex", "options", NULL};
static const char *const replace_names[] = {"input", "find", "replacement", NULL};

const struct expr_op expr_ops_string[] = {
    {"$concat", concat, 0, 0, -1, NULL, 0},
    {"$substrCP", substr_cp, 0, 3, 3, NULL, 0},
    {"$substrBytes", substr_bytes, 0, 3, 3, NULL, 0},
    {"$substr", substr_bytes, 0, 3, 3, NULL, 0},
    {"$strLenCP", length, CP, 1, 1, NULL, 0},
    {"$strLenBytes", length, BYTES, 1, 1, NULL, 0},
    {"$indexOfCP", index_of, CP, 2, 4, NULL, 0},
    {"$indexOfBytes", index_of, BYTES, 2, 4, NULL, 0},
    {"$toLower", change_case, 0, 1, 1, NULL, 0},
    {"$toUpper", change_case, 1, 1, 1, NULL, 0},
    {"$strcasecmp", case_compare, 0, 2, 2, NULL, 0},
    {"$split", split, 0, 2, 2, NULL, 0},
    {"$trim", trim, TRIM_LEFT | TRIM_RIGHT, 0, 0, trim_names, 1},
    {"$ltrim", trim, TRIM_LEFT, 0, 0, trim_names, 1},
    {"$rtrim", trim, TRIM_RIGHT, 0, 0, trim_names, 1},
    {"$regexMatch", regex, MATCH, 0, 0, regex_names, 2},
    {"$regexFind", regex, FIND, 0, 0, regex_names, 2},
    {"$regexFindAll", regex, FIND_ALL, 0, 0, regex_names, 2},
    {"$replaceOne", replace, 0, 0, 0, replace_names, 3},
    {"$replaceAll", replace, 1, 0, 0, replace_names, 3},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};
