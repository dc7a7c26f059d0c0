/* schema.c - parses and checks $jsonSchema. Pure. */
#include "schema.h"
#include "regexp.h"

#include <math.h>

struct property {
    const char *name;
    uint32_t n;
    struct schema *schema;
};

struct pattern_property {
    struct regexp *re;
    struct schema *schema;
};

struct schema {
    uint64_t types; /* bit (type & 63); 0: any */
    struct property *properties;
    size_t property_count;
    struct pattern_property *patterns;
    size_t pattern_count;
    struct val required, values; /* arrays, or none */
    bool no_additional, no_additional_items, unique_items;
    struct schema *additional, *items, *additional_items, *negated;
    struct schema **item_list, **all_of, **any_of, **one_of;
    size_t item_count, all_count, any_count, one_count;
    struct val minimum, maximum, multiple_of;
    bool exclusive_min, exclusive_max;
    int64_t min_length, max_length, min_items, max_items, min_properties, max_properties;
    struct regexp *pattern;
};

static uint64_t bit(uint8_t type)
{
    return (uint64_t)1 << (type & 63);
}

static int type_bits(struct val v, bool json, uint64_t *bits, struct merr *err)
{
    if (val_is_arr(v)) {
        struct iter it;
        for (iter_init(&it, v); iter_next(&it);)
            if (val_is_arr(it.v) || type_bits(it.v, json, bits, err))
                return err->code ? err->code : merr_set(err, MERR_TYPE_MISMATCH, "bad type in $jsonSchema");
        return 0;
    }
    const char *keyword = json ? "type" : "bsonType";
    if (!val_is_str(v))
        return merr_set(err, MERR_TYPE_MISMATCH,
                        "$jsonSchema keyword '%s' must be either a string or an array of strings", keyword);
    if (val_str_is(v, "number")) {
        *bits |=
            bit(BSON_TYPE_INT32) | bit(BSON_TYPE_INT64) | bit(BSON_TYPE_DOUBLE) | bit(BSON_TYPE_DECIMAL128);
        return 0;
    }
    if (json && val_str_is(v, "boolean")) {
        *bits |= bit(BSON_TYPE_BOOL);
        return 0;
    }
    int type = val_type_parse(val_str(v));
    bool allowed = !json || val_str_is(v, "string") || val_str_is(v, "object") || val_str_is(v, "array") ||
                   val_str_is(v, "null");
    if (!type || !allowed) return merr_set(err, MERR_BAD_VALUE, "Unknown type name alias: %s", val_str(v));
    *bits |= bit((uint8_t)type);
    return 0;
}

static int parse_list(struct pool *a, struct val v, const char *keyword, struct schema ***out, size_t *count,
                      struct merr *err)
{
    if (!val_is_arr(v))
        return merr_set(err, MERR_TYPE_MISMATCH, "$jsonSchema keyword '%s' must be an array", keyword);
    *out = pool_alloc(a, (doc_count(v) + 1) * sizeof **out);
    struct iter it;
    for (iter_init(&it, v); iter_next(&it);) {
        if (!val_is_doc(it.v))
            return merr_set(err, MERR_TYPE_MISMATCH, "$jsonSchema keyword '%s' must be an array of objects",
                            keyword);
        if (schema_parse(a, it.v, &(*out)[(*count)++], err)) return err->code;
    }
    return 0;
}

static int parse_object(struct pool *a, struct val v, const char *keyword, struct schema **out,
                        struct merr *err)
{
    if (!val_is_doc(v))
        return merr_set(err, MERR_TYPE_MISMATCH, "$jsonSchema keyword '%s' must be an object", keyword);
    return schema_parse(a, v, out, err);
}

static int parse_properties(struct pool *a, struct schema *s, struct val v, bool patterns, struct merr *err)
{
    const char *keyword = patterns ? "patternProperties" : "properties";
    if (!val_is_doc(v))
        return merr_set(err, MERR_TYPE_MISMATCH, "$jsonSchema keyword '%s' must be an object", keyword);
    size_t n = doc_count(v) + 1;
    if (patterns) {
        s->patterns = pool_alloc(a, n * sizeof *s->patterns);
    } else {
        s->properties = pool_alloc(a, n * sizeof *s->properties);
    }
    struct iter it;
    for (iter_init(&it, v); iter_next(&it);) {
        struct schema *sub;
        if (parse_object(a, it.v, it.key, &sub, err)) return err->code;
        if (!patterns) {
            s->properties[s->property_count++] = (struct property){it.key, it.keylen, sub};
            continue;
        }
        struct pattern_property *p = &s->patterns[s->pattern_count++];
        p->schema = sub;
        if (regexp_compile(a, it.key, "", &p->re, err)) return err->code;
    }
    return 0;
}

static int parse_count(struct val v, const char *keyword, int64_t *out, struct merr *err)
{
    if (!val_is_num(v) || val_int(v) < 0)
        return merr_set(err, MERR_FAILED_TO_PARSE, "$jsonSchema keyword '%s' must be a nonnegative integer",
                        keyword);
    *out = val_int(v);
    return 0;
}

static int parse_items(struct pool *a, struct schema *s, struct val v, struct merr *err)
{
    if (val_is_arr(v)) return parse_list(a, v, "items", &s->item_list, &s->item_count, err);
    return parse_object(a, v, "items", &s->items, err);
}

static int parse_numeric(struct val v, const char *keyword, struct val *out, struct merr *err)
{
    if (!val_is_num(v))
        return merr_set(err, MERR_TYPE_MISMATCH, "$jsonSchema keyword '%s' must be a number", keyword);
    *out = v;
    return 0;
}

static int parse_keyword(struct pool *a, struct schema *s, const char *k, struct val v, struct merr *err)
{
    if (!strcmp(k, "bsonType")) return type_bits(v, false, &s->types, err);
    if (!strcmp(k, "type")) return type_bits(v, true, &s->types, err);
    if (!strcmp(k, "properties")) return parse_properties(a, s, v, false, err);
    if (!strcmp(k, "patternProperties")) return parse_properties(a, s, v, true, err);
    if (!strcmp(k, "allOf")) return parse_list(a, v, k, &s->all_of, &s->all_count, err);
    if (!strcmp(k, "anyOf")) return parse_list(a, v, k, &s->any_of, &s->any_count, err);
    if (!strcmp(k, "oneOf")) return parse_list(a, v, k, &s->one_of, &s->one_count, err);
    if (!strcmp(k, "not")) return parse_object(a, v, k, &s->negated, err);
    if (!strcmp(k, "items")) return parse_items(a, s, v, err);
    if (!strcmp(k, "minLength")) return parse_count(v, k, &s->min_length, err);
    if (!strcmp(k, "maxLength")) return parse_count(v, k, &s->max_length, err);
    if (!strcmp(k, "minItems")) return parse_count(v, k, &s->min_items, err);
    if (!strcmp(k, "maxItems")) return parse_count(v, k, &s->max_items, err);
    if (!strcmp(k, "minProperties")) return parse_count(v, k, &s->min_properties, err);
    if (!strcmp(k, "maxProperties")) return parse_count(v, k, &s->max_properties, err);
    if (!strcmp(k, "minimum")) return parse_numeric(v, k, &s->minimum, err);
    if (!strcmp(k, "maximum")) return parse_numeric(v, k, &s->maximum, err);
    if (!strcmp(k, "multipleOf")) return parse_numeric(v, k, &s->multiple_of, err);
    if (!strcmp(k, "exclusiveMinimum")) return s->exclusive_min = val_truthy(v), 0;
    if (!strcmp(k, "exclusiveMaximum")) return s->exclusive_max = val_truthy(v), 0;
    if (!strcmp(k, "uniqueItems")) return s->unique_items = val_truthy(v), 0;
    if (!strcmp(k, "title") || !strcmp(k, "description")) return 0;
    if (!strcmp(k, "required") || !strcmp(k, "enum")) {
        if (!val_is_arr(v))
            return merr_set(err, MERR_TYPE_MISMATCH,
                            "$jsonSchema keyword '%s' must be an array, but found %s", k, val_type_name(v.t));
        *(k[0] == 'r' ? &s->required : &s->values) = v;
        return 0;
    }
    if (!strcmp(k, "pattern")) {
        if (!val_is_str(v))
            return merr_set(err, MERR_TYPE_MISMATCH, "$jsonSchema keyword 'pattern' must be a string");
        return regexp_compile(a, val_str(v), "", &s->pattern, err);
    }
    if (!strcmp(k, "additionalProperties") || !strcmp(k, "additionalItems")) {
        bool props = k[10] == 'P';
        if (val_is(v, BSON_TYPE_BOOL)) {
            *(props ? &s->no_additional : &s->no_additional_items) = !v.p[0];
            return 0;
        }
        return parse_object(a, v, k, props ? &s->additional : &s->additional_items, err);
    }
    return merr_set(err, MERR_FAILED_TO_PARSE, "Unknown $jsonSchema keyword: %s", k);
}

int schema_parse(struct pool *a, struct val spec, struct schema **out, struct merr *err)
{
    struct schema *s = pool_alloc(a, sizeof *s);
    memset(s, 0, sizeof *s);
    s->min_length = s->max_length = s->min_items = s->max_items = -1;
    s->min_properties = s->max_properties = -1;
    struct iter it;
    for (iter_init(&it, spec); iter_next(&it);)
        if (parse_keyword(a, s, it.key, it.v, err)) return err->code;
    *out = s;
    return 0;
}

static int64_t code_points(struct val v)
{
    int64_t n = 0;
    const char *p = val_str(v);
    for (uint32_t i = 0; i < val_strlen(v); i++) n += ((uint8_t)p[i] & 0xC0) != 0x80;
    return n;
}

static bool string_fits(const struct schema *s, struct val v)
{
    if (s->min_length >= 0 && code_points(v) < s->min_length) return false;
    if (s->max_length >= 0 && code_points(v) > s->max_length) return false;
    size_t b, e;
    return !s->pattern || regexp_find(s->pattern, val_str(v), val_strlen(v), 0, &b, &e);
}

static bool number_fits(const struct schema *s, struct val v)
{
    if (!val_missing(s->minimum) && val_cmp(v, s->minimum) < (s->exclusive_min ? 1 : 0)) return false;
    if (!val_missing(s->maximum) && val_cmp(v, s->maximum) > (s->exclusive_max ? -1 : 0)) return false;
    return val_missing(s->multiple_of) || val_ldouble(s->multiple_of) == 0 ||
           fmodl(val_ldouble(v), val_ldouble(s->multiple_of)) == 0;
}

static bool property_fits(const struct schema *s, const struct iter *it)
{
    bool known = false;
    for (size_t i = 0; i < s->property_count; i++) {
        if (s->properties[i].n != it->keylen || memcmp(s->properties[i].name, it->key, it->keylen)) continue;
        known = true;
        if (!schema_matches(s->properties[i].schema, it->v)) return false;
    }
    for (size_t i = 0; i < s->pattern_count; i++) {
        size_t b, e;
        if (!regexp_find(s->patterns[i].re, it->key, it->keylen, 0, &b, &e)) continue;
        known = true;
        if (!schema_matches(s->patterns[i].schema, it->v)) return false;
    }
    if (known) return true;
    return !s->no_additional && (!s->additional || schema_matches(s->additional, it->v));
}

static bool object_fits(const struct schema *s, struct val v)
{
    struct iter it;
    for (iter_init(&it, s->required); iter_next(&it);)
        if (val_is_str(it.v) && val_missing(doc_getn(v, val_str(it.v), val_strlen(it.v)))) return false;
    if (s->min_properties >= 0 && (int64_t)doc_count(v) < s->min_properties) return false;
    if (s->max_properties >= 0 && (int64_t)doc_count(v) > s->max_properties) return false;
    for (iter_init(&it, v); iter_next(&it);)
        if (!property_fits(s, &it)) return false;
    return true;
}

static bool array_fits(const struct schema *s, struct val v)
{
    int64_t n = (int64_t)doc_count(v);
    if ((s->min_items >= 0 && n < s->min_items) || (s->max_items >= 0 && n > s->max_items)) return false;
    struct iter it;
    size_t i = 0;
    for (iter_init(&it, v); iter_next(&it); i++) {
        if (s->items && !schema_matches(s->items, it.v)) return false;
        if (i < s->item_count) {
            if (!schema_matches(s->item_list[i], it.v)) return false;
        } else if (s->item_list) {
            if (s->no_additional_items) return false;
            if (s->additional_items && !schema_matches(s->additional_items, it.v)) return false;
        }
        if (!s->unique_items) continue;
        struct iter rest = it;
        while (iter_next(&rest))
            if (val_cmp(rest.v, it.v) == 0) return false;
    }
    return true;
}

static bool combinations_fit(const struct schema *s, struct val v)
{
    for (size_t i = 0; i < s->all_count; i++)
        if (!schema_matches(s->all_of[i], v)) return false;
    size_t hits = 0;
    for (size_t i = 0; i < s->any_count; i++) hits += schema_matches(s->any_of[i], v);
    if (s->any_count && !hits) return false;
    hits = 0;
    for (size_t i = 0; i < s->one_count; i++) hits += schema_matches(s->one_of[i], v);
    if (s->one_count && hits != 1) return false;
    return !s->negated || !schema_matches(s->negated, v);
}

bool schema_matches(const struct schema *s, struct val v)
{
    if (s->types && !(s->types & bit(v.t))) return false;
    if (!val_missing(s->values)) {
        bool found = false;
        struct iter it;
        for (iter_init(&it, s->values); !found && iter_next(&it);) found = val_cmp(it.v, v) == 0;
        if (!found) return false;
    }
    if (val_is_str(v) && !string_fits(s, v)) return false;
    if (val_is_num(v) && !number_fits(s, v)) return false;
    if (val_is_doc(v) && !object_fits(s, v)) return false;
    if (val_is_arr(v) && !array_fits(s, v)) return false;
    return combinations_fit(s, v);
}
