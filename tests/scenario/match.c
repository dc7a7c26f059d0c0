/*
 * match.c - compares a value with a pattern: a JSON value, in which an object asks only for the keys that it
 * names (dots lead into objects and lists), and operators say more than equality. Pure.
 */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/scenario.h"

void mismatch_fini(struct mismatch *wrong)
{
    free(wrong->found);
    free(wrong->expected);
    *wrong = (struct mismatch){.found = NULL};
}

static bool differs(struct mismatch *wrong, const json_t *value, const json_t *pattern)
{
    mismatch_fini(wrong);
    wrong->found = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("missing");
    wrong->expected = json_dumps(pattern, JSON_ENCODE_ANY | JSON_COMPACT);
    return false;
}

/* Less than, equal to, or greater than 0; `comparable` is false for values of different kinds. */
static int order(const json_t *a, const json_t *b, bool *comparable)
{
    *comparable = a && ((json_is_number(a) && json_is_number(b)) || (json_is_string(a) && json_is_string(b)));
    if (!*comparable) return 0;
    if (json_is_string(a)) return strcmp(json_string_value(a), json_string_value(b));
    if (json_is_integer(a) && json_is_integer(b))
        return (json_integer_value(a) > json_integer_value(b)) -
               (json_integer_value(a) < json_integer_value(b));
    return (json_number_value(a) > json_number_value(b)) - (json_number_value(a) < json_number_value(b));
}

static bool equals(const json_t *value, const json_t *pattern)
{
    bool comparable;
    if (!value || json_is_null(value)) return json_is_null(pattern);
    int by = order(value, pattern, &comparable);
    return comparable ? by == 0 : json_equal(value, pattern);
}

/* How many of these patterns the value matches. */
static size_t matches_of(json_t *value, const json_t *patterns)
{
    size_t i, count = 0;
    json_t *each;
    struct mismatch ignored = {.found = NULL};
    json_array_foreach((json_t *)patterns, i, each) count += value_matches(value, each, false, &ignored);
    mismatch_fini(&ignored);
    return count;
}

static bool fits_expression(const json_t *value, const char *expression)
{
    regex_t regex;
    if (!json_is_string(value) || regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB) != 0) return false;
    bool fits = regexec(&regex, json_string_value(value), 0, NULL, 0) == 0;
    regfree(&regex);
    return fits;
}

/* -1 for an operator that is not known. */
static int operator_holds(json_t *value, const char *name, json_t *operand)
{
    if (strcmp(name, "$or") == 0) return matches_of(value, operand) > 0;
    if (strcmp(name, "$all") == 0) return matches_of(value, operand) == json_array_size(operand);
    if (strcmp(name, "$regex") == 0) return fits_expression(value, json_string_value(operand));
    bool comparable;
    int by = order(value, operand, &comparable);
    struct mismatch ignored = {.found = NULL};
    if (strcmp(name, "$gt") == 0) return comparable && by > 0;
    if (strcmp(name, "$gte") == 0) return comparable && by >= 0;
    if (strcmp(name, "$lt") == 0) return comparable && by < 0;
    if (strcmp(name, "$lte") == 0) return comparable && by <= 0;
    if (strcmp(name, "$exists") == 0) return (value && !json_is_null(value)) == json_is_true(operand);
    if (strcmp(name, "$size") == 0)
        return (json_int_t)(json_array_size(value) + json_object_size(value)) ==
                   json_integer_value(operand) &&
               (json_is_array(value) || json_is_object(value));
    if (strcmp(name, "$ne") == 0 || strcmp(name, "$contains") == 0) {
        bool contains = strcmp(name, "$contains") == 0;
        bool same = value_matches(value, operand, contains && json_is_string(value), &ignored);
        mismatch_fini(&ignored);
        return contains ? same : !same;
    }
    return -1;
}

static bool has_operators(const json_t *pattern)
{
    void *first = json_object_iter((json_t *)pattern);
    return first && json_object_iter_key(first)[0] == '$';
}

static bool object_matches(json_t *value, const json_t *pattern, struct mismatch *wrong)
{
    const char *key;
    json_t *expected;
    json_object_foreach((json_t *)pattern, key, expected)
    {
        if (has_operators(pattern)) {
            if (operator_holds(value, key, expected) != 1) return differs(wrong, value, pattern);
            continue;
        }
        char below[sizeof wrong->path];
        if (value_matches(value_at_path(value, key), expected, false, wrong)) continue;
        snprintf(below, sizeof below, "%.90s%s%.100s", key, *wrong->path ? "." : "", wrong->path);
        memcpy(wrong->path, below, sizeof below);
        return false;
    }
    return true;
}

static bool list_matches(json_t *value, const json_t *pattern, struct mismatch *wrong)
{
    size_t i;
    json_t *each;
    if (json_array_size(value) != json_array_size(pattern)) return differs(wrong, value, pattern);
    json_array_foreach((json_t *)pattern, i, each)
    {
        if (!value_matches(json_array_get(value, i), each, false, wrong))
            return differs(wrong, value, pattern);
    }
    return true;
}

bool value_matches(json_t *value, const json_t *pattern, bool is_text, struct mismatch *wrong)
{
    if (is_text && json_is_string(value) && json_is_string(pattern))
        return strstr(json_string_value(value), json_string_value(pattern)) || differs(wrong, value, pattern);
    if (json_is_array(pattern))
        return json_is_array(value) ? list_matches(value, pattern, wrong) : differs(wrong, value, pattern);
    bool operators = json_is_object(pattern) && has_operators(pattern);
    if (json_is_array(value) && !operators) { /* as in MongoDB: one of its elements */
        size_t i;
        json_t *each;
        json_array_foreach(value, i, each) if (value_matches(each, pattern, false, wrong))
        {
            mismatch_fini(wrong);
            return true;
        }
        *wrong->path = '\0';
        return differs(wrong, value, pattern);
    }
    if (operators || (json_is_object(pattern) && json_is_object(value)))
        return object_matches(value, pattern, wrong);
    return equals(value, pattern) || differs(wrong, value, pattern);
}
