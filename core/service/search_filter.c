/* search_filter.c - what a person writes as a filter, as a filter of Qdrant's. Pure; see search.h. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_memory.h"
#include "service/search.h"

#define MOST_TERMS 32
#define MOST_FIELD_BYTES 200

/* Dots go into objects, [] through lists, as Qdrant's paths have it; quotes and spaces would need quoting
 * there. */
static enum lks_code check_term(const char *term, size_t field_bytes, struct lks_err *err)
{
    static const char hidden[] = "_lockstep";
    if (!field_bytes || !term[field_bytes] || !term[field_bytes + 1])
        return lks_fail(
            err, LKS_E_VALIDATION,
            "a filter is a field of the payload, a colon and a value, as in categories:Design; this is "
            "none: %.100s",
            term);
    if (field_bytes > MOST_FIELD_BYTES || strcspn(term, " \t\r\n\"\\") < field_bytes)
        return lks_fail(err, LKS_E_VALIDATION, "this is no field of a payload: %.*s",
                        (int)(field_bytes > MOST_FIELD_BYTES ? MOST_FIELD_BYTES : field_bytes), term);
    if (strncmp(term, hidden, sizeof hidden - 1) == 0 && strcspn(term, ".[:") == sizeof hidden - 1)
        return lks_fail(err, LKS_E_VALIDATION, "%s is Lockstep's own, and can't be filtered by", hidden);
    return LKS_E_OK;
}

/* What follows is false, or NULL, when memory is out: a filter that lacks a part would let others through. */
static bool add_match(json_t *any, const char *field, size_t bytes, json_t *value)
{
    return json_array_append_new(
               any, json_pack("{s:s%, s:{s:o}}", "key", field, bytes, "match", "value", value)) == 0;
}

/* A text stands for itself, and for the number or truth value that it may be: payloads have all of them. */
static bool add_value(json_t *any, const char *field, size_t bytes, const char *value)
{
    char *end;
    if (!any || !add_match(any, field, bytes, json_string(value))) return false;
    if (!strcmp(value, "true") || !strcmp(value, "false"))
        return add_match(any, field, bytes, json_boolean(*value == 't'));
    if (strspn(value, "+-.0123456789eE") != strlen(value)) return true;
    errno = 0;
    double number = strtod(value, &end);
    if (*end || !isfinite(number)) return true;
    return json_array_append_new(any, json_pack("{s:s%, s:{s:f, s:f}}", "key", field, bytes, "range", "gte",
                                                number, "lte", number)) == 0;
}

/* The values of one field, of which any will do; made when its first term comes. */
static json_t *values_of(json_t *must, json_t *fields, const char *field, size_t bytes)
{
    json_t *any = json_object_getn(fields, field, bytes);
    if (any) return any;
    any = json_array();
    if (json_object_setn_new(fields, field, bytes, any) != 0) return NULL;
    return json_array_append_new(must, json_pack("{s:O}", "should", any)) == 0 ? any : NULL;
}

enum lks_code search_filter(const char *const *terms, size_t count, char **filter, struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    *filter = NULL;
    if (!count) return LKS_E_OK;
    if (count > MOST_TERMS)
        return lks_fail(err, LKS_E_VALIDATION, "there may be %d filters at a time", MOST_TERMS);
    json_t *must = json_array(), *fields = json_object();
    for (size_t i = 0; !code && i < count; i++) {
        size_t bytes = strcspn(terms[i], ":");
        code = check_term(terms[i], bytes, err);
        if (!code &&
            !add_value(values_of(must, fields, terms[i], bytes), terms[i], bytes, terms[i] + bytes + 1))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    json_t *whole = json_pack("{s:o}", "must", must);
    json_decref(fields);
    *filter = code ? NULL : json_dumps(whole, JSON_COMPACT);
    json_decref(whole);
    if (json_memory_was_out() || (!code && !*filter)) {
        free(*filter);
        *filter = NULL;
        code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    return code;
}
