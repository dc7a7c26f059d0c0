/* schema.c - see schema.h. */
#include "live/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 32

/* Where we are, for the message. */
struct check {
    const json_t *document;
    char *reason;
    size_t bytes;
    char path[256];
};

static bool bad(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool bad(struct check *c, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(c->reason, c->bytes, "%s: %s", *c->path ? c->path : "the whole", text);
    return false;
}

const json_t *schema_resolve(const json_t *document, const json_t *value)
{
    for (int i = 0; i < DEEPEST; i++) {
        const char *ref = json_string_value(json_object_get(value, "$ref"));
        if (!ref) return value;
        if (strncmp(ref, "#/", 2) != 0) return NULL;
        value = document;
        for (const char *at = ref + 2; *at && value;) {
            char name[96];
            size_t bytes = strcspn(at, "/");
            snprintf(name, sizeof name, "%.*s", (int)bytes, at);
            value = json_object_get(value, name);
            at += bytes + (at[bytes] == '/');
        }
        if (!value) return NULL;
    }
    return NULL;
}

static bool fits(struct check *c, const json_t *schema, const json_t *value, int depth);

/* ---- one keyword each ---- */

static bool is_type(const char *type, const json_t *v)
{
    if (strcmp(type, "integer") == 0) return json_is_integer(v);
    if (strcmp(type, "number") == 0) return json_is_number(v);
    if (strcmp(type, "string") == 0) return json_is_string(v);
    if (strcmp(type, "boolean") == 0) return json_is_boolean(v);
    if (strcmp(type, "array") == 0) return json_is_array(v);
    if (strcmp(type, "object") == 0) return json_is_object(v);
    return strcmp(type, "null") == 0 && json_is_null(v);
}

static bool fits_type(struct check *c, const json_t *type, const json_t *v)
{
    char *shown;
    size_t i;
    json_t *one;
    if (json_is_string(type) && is_type(json_string_value(type), v)) return true;
    json_array_foreach(type, i, one) if (is_type(json_string_value(one), v)) return true;
    shown = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    bad(c, "has the wrong type: %.80s", shown ? shown : "?");
    free(shown);
    return false;
}

static bool fits_enum(struct check *c, const json_t *list, const json_t *v)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) if (json_equal(one, v)) return true;
    return bad(c, "%s is none of what it may be", json_is_string(v) ? json_string_value(v) : "it");
}

/* "2026-01-31T12:00:00.000Z" */
static bool is_date(const char *text)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";
    if (strlen(text) != sizeof form - 1) return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) return false;
    return true;
}

static bool fits_numbers(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *least = json_object_get(schema, "minimum"), *most = json_object_get(schema, "maximum");
    if (!json_is_number(v)) return true;
    if (least && json_number_value(v) < json_number_value(least)) return bad(c, "is too small");
    if (most && json_number_value(v) > json_number_value(most)) return bad(c, "is too large");
    return true;
}

static bool fits_array(struct check *c, const json_t *schema, const json_t *v, int depth)
{
    const json_t *items = json_object_get(schema, "items"), *most = json_object_get(schema, "maxItems");
    size_t i, end = strlen(c->path);
    json_t *one;
    if (!json_is_array(v)) return true;
    if (json_integer_value(json_object_get(schema, "minItems")) > (json_int_t)json_array_size(v))
        return bad(c, "has too few items");
    if (most && json_integer_value(most) < (json_int_t)json_array_size(v))
        return bad(c, "has too many items");
    json_array_foreach(v, i, one)
    {
        snprintf(c->path + end, sizeof c->path - end, "[%zu]", i);
        if (items && !fits(c, items, one, depth + 1)) return false;
        c->path[end] = '\0';
    }
    return true;
}

static bool fits_member(struct check *c, const json_t *schema, const char *name, const json_t *v, int depth)
{
    const json_t *known = json_object_get(json_object_get(schema, "properties"), name);
    const json_t *others = json_object_get(schema, "additionalProperties");
    if (known) return fits(c, known, v, depth + 1);
    if (json_is_false(others)) return bad(c, "nothing says that it is there");
    return json_is_object(others) ? fits(c, others, v, depth + 1) : true;
}

static bool fits_object(struct check *c, const json_t *schema, const json_t *v, int depth)
{
    size_t i, end = strlen(c->path);
    json_t *one;
    const char *name;
    if (!json_is_object(v)) return true;
    json_array_foreach(json_object_get(schema, "required"), i, one)
    {
        if (!json_object_get(v, json_string_value(one)))
            return bad(c, "`%s` is missing", json_string_value(one));
    }
    json_object_foreach((json_t *)v, name, one)
    {
        snprintf(c->path + end, sizeof c->path - end, ".%s", name);
        if (!fits_member(c, schema, name, one, depth)) return false;
        c->path[end] = '\0';
    }
    return true;
}

static bool fits_one_of(struct check *c, const json_t *list, const json_t *v, int depth)
{
    size_t i, fitting = 0, end = strlen(c->path);
    json_t *one;
    json_array_foreach(list, i, one)
    {
        fitting += fits(c, one, v, depth + 1);
        c->path[end] = '\0';
    }
    if (fitting == 1) return true;
    if (fitting > 1) return bad(c, "fits %zu of what it may be one of", fitting);
    return false; /* `why` is that of the last */
}

static bool fits(struct check *c, const json_t *schema, const json_t *value, int depth)
{
    const json_t *s = schema_resolve(c->document, schema), *type = json_object_get(s, "type");
    const json_t *list = json_object_get(s, "enum"), *one_of = json_object_get(s, "oneOf");
    const char *format = json_string_value(json_object_get(s, "format"));
    if (!s || depth > DEEPEST) return bad(c, "its schema is not there");
    if (type && !fits_type(c, type, value)) return false;
    if (list && !fits_enum(c, list, value)) return false;
    if (format && json_is_string(value) && !is_date(json_string_value(value)))
        return bad(c, "%s is no date", json_string_value(value));
    if (one_of && !fits_one_of(c, one_of, value, depth)) return false;
    return fits_numbers(c, s, value) && fits_array(c, s, value, depth) && fits_object(c, s, value, depth);
}

bool schema_fits(const json_t *document, const json_t *schema, const json_t *value, char *reason,
                 size_t bytes)
{
    struct check c = {.document = document, .reason = reason, .bytes = bytes};
    return fits(&c, schema, value, 0);
}

/* ---- is the schema itself sound? ---- */

static bool sound(struct check *c, const json_t *schema, int depth);

static bool sound_members(struct check *c, const json_t *members, int depth)
{
    const char *name;
    json_t *one;
    size_t end = strlen(c->path);
    json_object_foreach((json_t *)members, name, one)
    {
        snprintf(c->path + end, sizeof c->path - end, ".%s", name);
        if (!sound(c, one, depth + 1)) return false;
        c->path[end] = '\0';
    }
    return true;
}

static bool sound(struct check *c, const json_t *schema, int depth)
{
    static const char *const known[] = {"type",  "properties",  "required", "additionalProperties",
                                        "items", "minItems",    "maxItems", "enum",
                                        "oneOf", "minimum",     "maximum",  "format",
                                        "$ref",  "description", "default"};
    const char *name, *format = json_string_value(json_object_get(schema, "format"));
    json_t *one;
    size_t i;
    if (depth > DEEPEST || !json_is_object(schema)) return bad(c, "is no schema");
    json_object_foreach((json_t *)schema, name, one)
    {
        size_t k = 0;
        while (k < sizeof known / sizeof *known && strcmp(known[k], name) != 0) k++;
        if (k == sizeof known / sizeof *known) return bad(c, "`%s` is not checked by anything", name);
    }
    if (format && strcmp(format, "date-time") != 0) return bad(c, "the format %s is not checked", format);
    if (json_object_get(schema, "$ref"))
        return schema_resolve(c->document, schema) ? true : bad(c, "its $ref leads nowhere");
    json_array_foreach(json_object_get(schema, "required"), i, one)
    {
        if (!json_object_get(json_object_get(schema, "properties"), json_string_value(one)))
            return bad(c, "requires `%s`, which it doesn't describe", json_string_value(one));
    }
    json_array_foreach(json_object_get(schema, "oneOf"), i, one) if (!sound(c, one, depth + 1)) return false;
    const json_t *items = json_object_get(schema, "items");
    const json_t *others = json_object_get(schema, "additionalProperties");
    if (items && !sound(c, items, depth + 1)) return false;
    if (json_is_object(others) && !sound(c, others, depth + 1)) return false;
    return sound_members(c, json_object_get(schema, "properties"), depth);
}

bool schema_sound(const json_t *document, const json_t *schema, char *reason, size_t bytes)
{
    struct check c = {.document = document, .reason = reason, .bytes = bytes};
    return sound(&c, schema, 0);
}
