/* expr_convert.c - types, conversions and dates (UTC only). Pure. */
#include "expr_int.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

static struct val type_of(const struct expr *e, struct ectx *c)
{
    const char *name = val_type_name(expr_arg(e, 0, c).t);
    return expr_failed(c) ? VAL_NONE : val_new_str(c->a, name, strlen(name));
}

static struct val is_number(const struct expr *e, struct ectx *c)
{
    return val_bool(val_is_num(expr_arg(e, 0, c)));
}

static void split_date(int64_t ms, struct tm *tm, int *millis)
{
    int64_t s = ms / 1000, rest = ms % 1000;
    if (rest < 0) s--, rest += 1000;
    time_t t = (time_t)s;
    if (!gmtime_r(&t, tm)) memset(tm, 0, sizeof *tm);
    *millis = (int)rest;
}

struct val expr_date_text(struct ectx *c, int64_t ms, const char *format)
{
    struct tm tm;
    int millis;
    struct bw w;
    split_date(ms, &tm, &millis);
    bw_init(&w, c->a);
    size_t start = w.n;
    for (const char *f = format; *f; f++) {
        char piece[16] = "";
        if (*f != '%') {
            bw_raw(&w, f, 1);
            continue;
        }
        switch (*++f) {
        case 'Y':
            snprintf(piece, sizeof piece, "%04d", tm.tm_year + 1900);
            break;
        case 'm':
            snprintf(piece, sizeof piece, "%02d", tm.tm_mon + 1);
            break;
        case 'd':
            snprintf(piece, sizeof piece, "%02d", tm.tm_mday);
            break;
        case 'H':
            snprintf(piece, sizeof piece, "%02d", tm.tm_hour);
            break;
        case 'M':
            snprintf(piece, sizeof piece, "%02d", tm.tm_min);
            break;
        case 'S':
            snprintf(piece, sizeof piece, "%02d", tm.tm_sec);
            break;
        case 'L':
            snprintf(piece, sizeof piece, "%03d", millis);
            break;
        case 'j':
            snprintf(piece, sizeof piece, "%03d", tm.tm_yday + 1);
            break;
        case 'w':
            snprintf(piece, sizeof piece, "%d", tm.tm_wday + 1);
            break;
        case 'z':
            snprintf(piece, sizeof piece, "+0000");
            break;
        case '%':
            snprintf(piece, sizeof piece, "%%");
            break;
        default:
            return expr_error(c, 18536, "Invalid format character '%%%c' in format string", *f);
        }
        bw_raw(&w, piece, strlen(piece));
    }
    return val_new_str(c->a, (const char *)w.p + start, w.n - start);
}

static bool date_ms(struct val v, int64_t *ms)
{
    if (val_is(v, BSON_TYPE_DATE_TIME)) return *ms = val_i64raw(v), true;
    if (val_is(v, BSON_TYPE_TIMESTAMP)) return *ms = (int64_t)rd32(v.p + 4) * 1000, true;
    if (val_is(v, BSON_TYPE_OID))
        return *ms = (int64_t)((uint32_t)v.p[0] << 24 | (uint32_t)v.p[1] << 16 | (uint32_t)v.p[2] << 8 |
                               v.p[3]) *
                     1000,
               true;
    return false;
}

static struct val date_to_string(const struct expr *e, struct ectx *c)
{
    struct val date = expr_arg(e, 0, c), format = expr_arg(e, 1, c), on_null = expr_arg(e, 2, c);
    int64_t ms;
    if (expr_failed(c)) return VAL_NONE;
    if (e->args[3]) return expr_error(c, MERR_NOT_IMPLEMENTED, "the stand-in does not know time zones");
    if (val_nullish(date)) return e->args[2] ? on_null : val_null();
    if (!date_ms(date, &ms))
        return expr_error(c, 16006, "can't convert from BSON type %s to Date", val_type_name(date.t));
    return expr_date_text(c, ms, val_is_str(format) ? val_str(format) : "%Y-%m-%dT%H:%M:%S.%LZ");
}

enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MILLI };

static struct val date_piece(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c);
    int64_t ms;
    struct tm tm;
    int millis;
    if (val_nullish(v)) return val_null();
    if (!date_ms(v, &ms))
        return expr_error(c, 16006, "can't convert from BSON type %s to Date", val_type_name(v.t));
    split_date(ms, &tm, &millis);
    const int pieces[] = {tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                          tm.tm_min,         tm.tm_sec,     millis};
    return val_new_i32(c->a, pieces[e->code]);
}

static bool parse_date(const char *s, int64_t *ms)
{
    struct tm tm = {0};
    int n = 0, millis = 0, used = 0;
    if (sscanf(s, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &n) != 3) return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    s += n;
    if ((*s == 'T' || *s == ' ') &&
        sscanf(s + 1, "%2d:%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) == 3) {
        s += 1 + n;
        if (*s == '.' && sscanf(s + 1, "%3d%n", &millis, &used) == 1) s += 1 + used;
    }
    if (*s && strcmp(s, "Z") != 0) return false;
    *ms = (int64_t)timegm(&tm) * 1000 + millis;
    return true;
}

static struct val failed_conversion(struct ectx *c, struct val v, uint8_t to)
{
    if (val_is_str(v))
        return expr_error(c, 241, "Failed to parse number '%.100s' in $convert with no onError value",
                          val_str(v));
    return expr_error(c, 241, "Unsupported conversion from %s to %s in $convert with no onError value",
                      val_type_name(v.t), val_type_name(to));
}

static struct val to_number(struct ectx *c, struct val v, uint8_t to)
{
    double d;
    if (val_is_str(v)) {
        char *end;
        errno = 0;
        if (to != BSON_TYPE_DOUBLE) {
            long long n = strtoll(val_str(v), &end, 10);
            if (!val_strlen(v) || *end || errno ||
                (to == BSON_TYPE_INT32 && (n < INT32_MIN || n > INT32_MAX)))
                return failed_conversion(c, v, to);
            return to == BSON_TYPE_INT32 ? val_new_i32(c->a, (int32_t)n) : val_new_i64(c->a, n);
        }
        d = strtod(val_str(v), &end);
        return !val_strlen(v) || *end ? failed_conversion(c, v, to) : val_new_double(c->a, d);
    }
    int64_t n = val_is(v, BSON_TYPE_BOOL)        ? v.p[0]
                : val_is(v, BSON_TYPE_DATE_TIME) ? val_i64raw(v)
                                                 : val_int(v);
    if (!val_is_num(v) && !val_is(v, BSON_TYPE_BOOL) &&
        !(val_is(v, BSON_TYPE_DATE_TIME) && to != BSON_TYPE_INT32))
        return failed_conversion(c, v, to);
    if (to == BSON_TYPE_DOUBLE) return val_new_double(c->a, val_is_num(v) ? val_double(v) : (double)n);
    long double wide = val_is_num(v) ? val_ldouble(v) : (long double)n;
    bool fits = to == BSON_TYPE_INT32 ? wide >= -2147483648.0L && wide <= 2147483647.0L
                                      : wide >= -9223372036854775808.0L && wide < 9223372036854775808.0L;
    if (!fits)
        return expr_error(c, 241, "Conversion would overflow target type in $convert with no onError value");
    return to == BSON_TYPE_INT32 ? val_new_i32(c->a, (int32_t)n) : val_new_i64(c->a, n);
}

static struct val to_text(struct ectx *c, struct val v)
{
    char text[64];
    int n;
    switch (v.t) {
    case BSON_TYPE_UTF8:
        return v;
    case BSON_TYPE_BOOL:
        return val_new_str(c->a, v.p[0] ? "true" : "false", v.p[0] ? 4 : 5);
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        n = snprintf(text, sizeof text, "%lld", (long long)val_int(v));
        return val_new_str(c->a, text, (size_t)n);
    case BSON_TYPE_DOUBLE:
        n = snprintf(text, sizeof text, "%.15g", val_double(v));
        return val_new_str(c->a, text, (size_t)n);
    case BSON_TYPE_OID: {
        bson_oid_t oid;
        memcpy(oid.bytes, v.p, 12);
        bson_oid_to_string(&oid, text);
        return val_new_str(c->a, text, 24);
    }
    case BSON_TYPE_DATE_TIME:
        return expr_date_text(c, val_i64raw(v), "%Y-%m-%dT%H:%M:%S.%LZ");
    default:
        return failed_conversion(c, v, BSON_TYPE_UTF8);
    }
}

static struct val convert(struct ectx *c, struct val v, uint8_t to)
{
    int64_t ms;
    switch (to) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
        return to_number(c, v, to);
    case BSON_TYPE_UTF8:
        return to_text(c, v);
    case BSON_TYPE_BOOL:
        return val_bool(expr_truthy(v));
    case BSON_TYPE_OID: {
        if (val_is(v, BSON_TYPE_OID)) return v;
        bson_oid_t oid;
        if (!val_is_str(v) || !bson_oid_is_valid(val_str(v), val_strlen(v)) || val_strlen(v) != 24)
            return expr_error(c, 241, "Failed to parse objectId '%.100s' in $convert with no onError value",
                              val_is_str(v) ? val_str(v) : "");
        bson_oid_init_from_string(&oid, val_str(v));
        return (struct val){pool_copy(c->a, oid.bytes, 12), 12, BSON_TYPE_OID};
    }
    case BSON_TYPE_DATE_TIME:
        if (date_ms(v, &ms)) return val_new_date(c->a, ms);
        if (val_is_str(v) && parse_date(val_str(v), &ms)) return val_new_date(c->a, ms);
        if (val_is_num(v) && !val_is(v, BSON_TYPE_INT32)) return val_new_date(c->a, val_int(v));
        return failed_conversion(c, v, to);
    default:
        return expr_error(c, MERR_NOT_IMPLEMENTED, "the stand-in does not convert to %s", val_type_name(to));
    }
}

static struct val to_type(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c);
    if (expr_failed(c)) return VAL_NONE;
    return val_nullish(v) ? val_null() : convert(c, v, (uint8_t)e->code);
}

static struct val convert_call(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c), to = expr_arg(e, 1, c);
    if (expr_failed(c)) return VAL_NONE;
    if (val_nullish(v)) return e->args[3] ? expr_arg(e, 3, c) : val_null();
    int type = val_is_str(to) ? val_type_parse(val_str(to)) : (int)val_int(to);
    if (!type) return expr_error(c, MERR_FAILED_TO_PARSE, "$convert's 'to' argument must be a type");
    struct val r = convert(c, v, (uint8_t)type);
    if (expr_failed(c) && e->args[2]) {
        merr_clear(c->err);
        return expr_arg(e, 2, c);
    }
    return r;
}

static struct val bson_size(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c);
    if (val_nullish(v)) return val_null();
    if (!val_is_doc(v))
        return expr_error(c, 31393, "$bsonSize requires a document input, found: %s", val_type_name(v.t));
    return val_new_int(c->a, v.n);
}

static const char *const date_names[] = {"date", "format", "onNull", "timezone", NULL};
static const char *const convert_names[] = {"input", "to", "onError", "onNull", NULL};

const struct expr_op expr_ops_convert[] = {
    {"$type", type_of, 0, 1, 1, NULL, 0},
    {"$isNumber", is_number, 0, 1, 1, NULL, 0},
    {"$toInt", to_type, BSON_TYPE_INT32, 1, 1, NULL, 0},
    {"$toLong", to_type, BSON_TYPE_INT64, 1, 1, NULL, 0},
    {"$toDouble", to_type, BSON_TYPE_DOUBLE, 1, 1, NULL, 0},
    {"$toString", to_type, BSON_TYPE_UTF8, 1, 1, NULL, 0},
    {"$toBool", to_type, BSON_TYPE_BOOL, 1, 1, NULL, 0},
    {"$toObjectId", to_type, BSON_TYPE_OID, 1, 1, NULL, 0},
    {"$toDate", to_type, BSON_TYPE_DATE_TIME, 1, 1, NULL, 0},
    {"$convert", convert_call, 0, 0, 0, convert_names, 2},
    {"$dateToString", date_to_string, 0, 0, 0, date_names, 1},
    {"$year", date_piece, YEAR, 1, 1, NULL, 0},
    {"$month", date_piece, MONTH, 1, 1, NULL, 0},
    {"$dayOfMonth", date_piece, DAY, 1, 1, NULL, 0},
    {"$hour", date_piece, HOUR, 1, 1, NULL, 0},
    {"$minute", date_piece, MINUTE, 1, 1, NULL, 0},
    {"$second", date_piece, SECOND, 1, 1, NULL, 0},
    {"$millisecond", date_piece, MILLI, 1, 1, NULL, 0},
    {"$bsonSize", bson_size, 0, 1, 1, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};
