/* expr_arith.c - arithmetic operators and the numeric promotion that $inc, $mul and $sum share. Pure. */
#include "expr_int.h"

#include <math.h>

static struct val as_double(struct ectx *c, double d)
{
    return val_new_double(c->a, d);
}

static bool is_decimal(struct val v)
{
    return val_is(v, BSON_TYPE_DECIMAL128);
}

static struct val no_decimals(struct ectx *c)
{
    return expr_error(c, MERR_NOT_IMPLEMENTED, "the stand-in does not compute with Decimal128");
}

/* An integer result takes the wider of the operands' types, and widens when it does not fit. */
static struct val integer(struct ectx *c, struct val a, struct val b, int64_t n)
{
    if (val_is(a, BSON_TYPE_INT64) || val_is(b, BSON_TYPE_INT64)) return val_new_i64(c->a, n);
    return val_new_int(c->a, n);
}

static bool both_integers(struct val a, struct val b)
{
    return !val_is(a, BSON_TYPE_DOUBLE) && !val_is(b, BSON_TYPE_DOUBLE);
}

struct val expr_add(struct ectx *c, struct val a, struct val b)
{
    int64_t n;
    if (is_decimal(a) || is_decimal(b)) return no_decimals(c);
    if (both_integers(a, b) && !__builtin_add_overflow(val_int(a), val_int(b), &n))
        return integer(c, a, b, n);
    return as_double(c, val_double(a) + val_double(b));
}

struct val expr_multiply(struct ectx *c, struct val a, struct val b)
{
    int64_t n;
    if (is_decimal(a) || is_decimal(b)) return no_decimals(c);
    if (both_integers(a, b) && !__builtin_mul_overflow(val_int(a), val_int(b), &n))
        return integer(c, a, b, n);
    return as_double(c, val_double(a) * val_double(b));
}

static struct val add(const struct expr *e, struct ectx *c)
{
    struct val sum = val_new_i32(c->a, 0);
    bool date = false;
    for (size_t i = 0; i < e->arg_count; i++) {
        struct val v = expr_arg(e, i, c);
        if (expr_failed(c)) return VAL_NONE;
        if (val_nullish(v)) return val_null();
        if (val_is(v, BSON_TYPE_DATE_TIME)) {
            if (date) return expr_error(c, 16612, "only one date allowed in an $add expression");
            date = true;
            v = val_new_i64(c->a, val_i64raw(v));
        } else if (!val_is_num(v)) {
            return expr_error(c, 16554, "$add only supports numeric or date types, not %s",
                              val_type_name(v.t));
        }
        sum = expr_add(c, sum, v);
        if (expr_failed(c)) return VAL_NONE;
    }
    return date ? val_new_date(c->a, val_int(sum)) : sum;
}

static struct val subtract(const struct expr *e, struct ectx *c)
{
    struct val a = expr_arg(e, 0, c), b = expr_arg(e, 1, c);
    int64_t n;
    if (val_nullish(a) || val_nullish(b)) return val_null();
    if (val_is(a, BSON_TYPE_DATE_TIME)) {
        if (val_is(b, BSON_TYPE_DATE_TIME)) return val_new_i64(c->a, val_i64raw(a) - val_i64raw(b));
        if (val_is_num(b)) return val_new_date(c->a, val_i64raw(a) - val_int(b));
    }
    if (!val_is_num(a) || !val_is_num(b))
        return expr_error(c, 16556, "cant $subtract a %s from a %s", val_type_name(b.t), val_type_name(a.t));
    if (is_decimal(a) || is_decimal(b)) return no_decimals(c);
    if (both_integers(a, b) && !__builtin_sub_overflow(val_int(a), val_int(b), &n))
        return integer(c, a, b, n);
    return as_double(c, val_double(a) - val_double(b));
}

static struct val multiply(const struct expr *e, struct ectx *c)
{
    struct val product = val_new_i32(c->a, 1);
    for (size_t i = 0; i < e->arg_count; i++) {
        struct val v = expr_arg(e, i, c);
        if (expr_failed(c)) return VAL_NONE;
        if (val_nullish(v)) return val_null();
        if (!val_is_num(v))
            return expr_error(c, 16555, "$multiply only supports numeric types, not %s", val_type_name(v.t));
        product = expr_multiply(c, product, v);
    }
    return product;
}

static struct val divide(const struct expr *e, struct ectx *c)
{
    struct val a = expr_arg(e, 0, c), b = expr_arg(e, 1, c);
    if (val_nullish(a) || val_nullish(b)) return val_null();
    if (!val_is_num(a) || !val_is_num(b))
        return expr_error(c, 16609, "$divide only supports numeric types, not %s and %s", val_type_name(a.t),
                          val_type_name(b.t));
    if (is_decimal(a) || is_decimal(b)) return no_decimals(c);
    if (val_double(b) == 0) return expr_error(c, 16608, "can't $divide by zero");
    return as_double(c, val_double(a) / val_double(b));
}

static struct val modulo(const struct expr *e, struct ectx *c)
{
    struct val a = expr_arg(e, 0, c), b = expr_arg(e, 1, c);
    if (val_nullish(a) || val_nullish(b)) return val_null();
    if (!val_is_num(a) || !val_is_num(b))
        return expr_error(c, 16611, "$mod only supports numeric types, not %s and %s", val_type_name(a.t),
                          val_type_name(b.t));
    if (is_decimal(a) || is_decimal(b)) return no_decimals(c);
    if (val_double(b) == 0) return expr_error(c, 16610, "can't $mod by zero");
    if (both_integers(a, b)) return integer(c, a, b, val_int(b) == -1 ? 0 : val_int(a) % val_int(b));
    return as_double(c, fmod(val_double(a), val_double(b)));
}

enum { ABS, CEIL, FLOOR, SQRT, EXP, LN, LOG10 };

static struct val unary(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c);
    if (val_nullish(v)) return val_null();
    if (!val_is_num(v))
        return expr_error(c, 28765, "%s only supports numeric types, not %s", e->name, val_type_name(v.t));
    if (is_decimal(v)) return no_decimals(c);
    bool whole = !val_is(v, BSON_TYPE_DOUBLE);
    double d = val_double(v);
    switch (e->code) {
    case ABS:
        if (!whole) return as_double(c, fabs(d));
        if (val_int(v) == INT64_MIN) return expr_error(c, 28680, "can't take $abs of long long min");
        return integer(c, v, v, val_int(v) < 0 ? -val_int(v) : val_int(v));
    case CEIL:
        return whole ? v : as_double(c, ceil(d));
    case FLOOR:
        return whole ? v : as_double(c, floor(d));
    case SQRT:
        if (d < 0) return expr_error(c, 28714, "$sqrt's argument must be greater than or equal to 0");
        return as_double(c, sqrt(d));
    case EXP:
        return as_double(c, exp(d));
    case LN:
        if (d <= 0) return expr_error(c, 28766, "$ln's argument must be a positive number, but is %g", d);
        return as_double(c, log(d));
    default:
        if (d <= 0) return expr_error(c, 28761, "$log10's argument must be a positive number, but is %g", d);
        return as_double(c, log10(d));
    }
}

static struct val power(const struct expr *e, struct ectx *c)
{
    struct val a = expr_arg(e, 0, c), b = expr_arg(e, 1, c);
    if (val_nullish(a) || val_nullish(b)) return val_null();
    if (!val_is_num(a))
        return expr_error(c, 28762, "$pow's base must be numeric, not %s", val_type_name(a.t));
    if (!val_is_num(b))
        return expr_error(c, 28763, "$pow's exponent must be numeric, not %s", val_type_name(b.t));
    if (is_decimal(a) || is_decimal(b)) return no_decimals(c);
    double r = pow(val_double(a), val_double(b));
    if (both_integers(a, b) && val_int(b) >= 0 && fabs(r) < 9007199254740992.0)
        return integer(c, a, b, (int64_t)r);
    return as_double(c, r);
}

static struct val round_trunc(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c), places = expr_arg(e, 1, c);
    if (val_nullish(v) || (e->arg_count == 2 && val_nullish(places))) return val_null();
    if (!val_is_num(v))
        return expr_error(c, 51081, "%s only supports numeric types, not %s", e->name, val_type_name(v.t));
    if (is_decimal(v)) return no_decimals(c);
    int64_t n = val_missing(places) ? 0 : val_int(places);
    if (n < -20 || n > 100)
        return expr_error(c, 51083, "cannot apply %s with precision value %lld value must be in [-20, 100]",
                          e->name, (long long)n);
    if (!val_is(v, BSON_TYPE_DOUBLE) && n >= 0) return v;
    double scale = pow(10, (double)n), d = val_double(v) * scale;
    d = (e->code ? trunc(d) : nearbyint(d)) / scale;
    return val_is(v, BSON_TYPE_DOUBLE) ? as_double(c, d) : integer(c, v, v, (int64_t)d);
}

enum { SUM, AVG, MIN, MAX };

/* As expressions these take one array, or all of their arguments. */
static struct val fold(const struct expr *e, struct ectx *c)
{
    struct val sum = val_new_i32(c->a, 0), best = VAL_NONE;
    size_t count = 0;
    for (size_t i = 0; i < e->arg_count; i++) {
        struct val v = expr_arg(e, i, c);
        struct iter it = {0};
        bool many = e->arg_count == 1 && val_is_arr(v);
        if (many) iter_init(&it, v);
        for (bool once = true; many ? iter_next(&it) : once; once = false) {
            struct val x = many ? it.v : v;
            if (val_is_num(x)) sum = expr_add(c, sum, x), count++;
            if (val_nullish(x)) continue;
            int r = val_missing(best) ? 0 : val_cmp(x, best);
            if (val_missing(best) || (e->code == MIN ? r < 0 : r > 0)) best = x;
        }
    }
    if (e->code == SUM) return sum;
    if (e->code == AVG) return count ? as_double(c, val_double(sum) / (double)count) : val_null();
    return val_missing(best) ? val_null() : best;
}

const struct expr_op expr_ops_arith[] = {
    {"$add", add, 0, 0, -1, NULL, 0},           {"$subtract", subtract, 0, 2, 2, NULL, 0},
    {"$multiply", multiply, 0, 0, -1, NULL, 0}, {"$divide", divide, 0, 2, 2, NULL, 0},
    {"$mod", modulo, 0, 2, 2, NULL, 0},         {"$abs", unary, ABS, 1, 1, NULL, 0},
    {"$ceil", unary, CEIL, 1, 1, NULL, 0},      {"$floor", unary, FLOOR, 1, 1, NULL, 0},
    {"$sqrt", unary, SQRT, 1, 1, NULL, 0},      {"$exp", unary, EXP, 1, 1, NULL, 0},
    {"$ln", unary, LN, 1, 1, NULL, 0},          {"$log10", unary, LOG10, 1, 1, NULL, 0},
    {"$pow", power, 0, 2, 2, NULL, 0},          {"$round", round_trunc, 0, 1, 2, NULL, 0},
    {"$trunc", round_trunc, 1, 1, 2, NULL, 0},  {"$sum", fold, SUM, 0, -1, NULL, 0},
    {"$avg", fold, AVG, 0, -1, NULL, 0},        {"$min", fold, MIN, 0, -1, NULL, 0},
    {"$max", fold, MAX, 0, -1, NULL, 0},        {NULL, NULL, 0, 0, 0, NULL, 0},
};
