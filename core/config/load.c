/*
 * load.c - the file and the variables, sorted into sections and options; and the public way in.
 *
 * Looks at names only. What values mean is value.c's business, how they fit together resolve.c's.
 */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ini.h"
#include "config/draft.h"

/* ---- sections ---- */

static struct section *add_section(struct config_draft *draft, enum section_kind kind, const char *title,
                                   unsigned line)
{
    struct section **all = realloc(draft->sections, (draft->section_count + 1) * sizeof(struct section *));
    if (all) draft->sections = all;
    struct section *s = all ? draft_keep(draft, calloc(1, sizeof *s)) : NULL;
    if (!s) {
        draft->no_memory = true;
        return NULL;
    }
    const char *colon = strchr(title, ':');
    s->kind = kind;
    s->title = draft_printf(draft, "%s", title);
    s->name = colon ? draft_printf(draft, "%s", colon + 1) : "";
    s->line = line;
    s->where = draft_where(draft, line);
    draft->sections[draft->section_count++] = s;
    return s;
}

static bool has_name(enum section_kind kind)
{
    return kind == SECTION_SOURCE || kind == SECTION_COLLECTION;
}

/* How many letters two words differ by, for "did you mean": Levenshtein's distance, up to 40 letters. */
static size_t distance(const char *a, const char *b)
{
    size_t row[41], n = strlen(b);
    if (n > 40 || strlen(a) > 40) return SIZE_MAX;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

static void unknown_section(struct config_draft *draft, const struct ini_item *item)
{
    const char *close = NULL;
    size_t best = 3;
    for (int k = 0; k < SECTION_KIND_COUNT; k++) {
        size_t d = distance(item->section, section_help[k].name);
        if (d < best) best = d, close = section_help[k].name;
    }
    draft_problem(draft, item->line, draft_where(draft, item->line), "there is no section [%s]%s%s%s",
                  item->section, close ? "; did you mean [" : "", close ? close : "",
                  !close                            ? ""
                  : close[strlen(close) - 1] == ':' ? "NAME]?"
                                                    : "]?");
}

static void take_header(struct config_draft *draft, const struct ini_item *item)
{
    for (int k = 0; k < SECTION_KIND_COUNT; k++) {
        const char *known = section_help[k].name;
        if (has_name((enum section_kind)k)) {
            if (strncmp(item->section, known, strlen(known)) != 0) continue;
            const char *name = item->section + strlen(known);
            if (!value_is_name(name))
                draft_problem(draft, item->line, draft_where(draft, item->line),
                              "[%s]: a name is 1 to 38 letters, digits, - and _", item->section);
            else
                (void)add_section(draft, (enum section_kind)k, item->section, item->line);
            return;
        }
        if (strcmp(item->section, known) != 0) continue;
        struct section *s = draft->sections[k < SECTION_SOURCE ? k : k - 1];
        s->line = item->line;
        s->where = draft_where(draft, item->line);
        return;
    }
    unknown_section(draft, item);
}

static struct section *section_of(struct config_draft *draft, const char *title)
{
    for (size_t i = 0; i < draft->section_count; i++)
        if (strcmp(draft->sections[i]->title, title) == 0) return draft->sections[i];
    return NULL;
}

/* ---- keys ---- */

static bool may_be_plugins(const char *key)
{
    if (!islower((unsigned char)key[0])) return false;
    for (const char *c = key; *c; c++)
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_') return false;
    return true;
}

static void add_extra(struct config_draft *draft, struct section *s, const char *key, struct value value)
{
    struct section_extra *all = calloc(s->extra_count + 1, sizeof *all);
    if (!draft_keep(draft, all)) return;
    if (s->extra_count) memcpy(all, s->extras, s->extra_count * sizeof *all);
    all[s->extra_count] = (struct section_extra){.key = draft_printf(draft, "%s", key), .value = value};
    s->extras = all;
    s->extra_count++;
}

static void unknown_key(struct config_draft *draft, const struct section *s, const struct ini_item *item)
{
    char close[80] = "", name[80];
    size_t best = 3;
    for (size_t i = 0; i < option_count; i++) {
        if (!option_in(s->kind, i)) continue;
        size_t d = distance(item->key, option_key(s->kind, i, name, sizeof name));
        if (d >= best) continue;
        best = d;
        memcpy(close, name, sizeof close);
    }
    draft_problem(draft, item->line, draft_where(draft, item->line), "[%s] has no key %s%s%s%s", s->title,
                  item->key, *close ? "; did you mean " : "", close, *close ? "?" : "");
}

static void take_key(struct config_draft *draft, const struct ini_item *item)
{
    if (!*item->section) {
        draft_problem(draft, item->line, draft_where(draft, item->line),
                      "%s stands before the first [section]", item->key);
        return;
    }
    struct section *s = section_of(draft, item->section);
    if (!s) return; /* its header was reported */
    struct value value = {.text = draft_printf(draft, "%s", item->value),
                          .where = draft_where(draft, item->line),
                          .line = item->line};
    size_t i = option_find(s->kind, item->key);
    if (i != SIZE_MAX)
        s->values[i] = value;
    else if (s->kind == SECTION_COLLECTION && may_be_plugins(item->key))
        add_extra(draft, s, item->key, value);
    else
        unknown_key(draft, s, item);
}

enum lks_code draft_read(struct config_draft *draft, struct lks_err *err)
{
    for (int k = 0; k < SECTION_KIND_COUNT; k++)
        if (!has_name((enum section_kind)k))
            (void)add_section(draft, (enum section_kind)k, section_help[k].name, NO_LINE);
    if (draft->no_memory) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    FILE *file = fopen(draft->path, "re");
    if (!file) {
        const char *hint = errno == ENOENT ? "; name another file with --config" : "";
        draft_problem(draft, 0, draft->path, "can't be read: %s%s", strerror(errno), hint);
        return LKS_E_OK;
    }
    struct ini ini;
    enum lks_code code = ini_read(&ini, file, err);
    (void)fclose(file);
    if (code == LKS_E_IO) {
        draft_problem(draft, 0, draft->path, "can't be read: %s", err->text);
        code = LKS_E_OK;
    }
    for (size_t i = 0; i < ini.problem_count; i++)
        draft_problem(draft, ini.problems[i].line, draft_where(draft, ini.problems[i].line), "%s",
                      ini.problems[i].text);
    for (size_t i = 0; i < ini.item_count; i++)
        if (!ini.items[i].key) take_header(draft, &ini.items[i]);
    for (size_t i = 0; i < ini.item_count; i++)
        if (ini.items[i].key && ini.items[i].value) take_key(draft, &ini.items[i]);
    ini_fini(&ini);
    return code;
}

/* ---- variables ---- */

#define PREFIX "LOCKSTEP_"

/* "collection:my-tools", "embedding.url" -> "COLLECTION_MY_TOOLS_EMBEDDING_URL" */
static void variable_name(char *out, size_t out_bytes, const char *title, const char *key)
{
    (void)snprintf(out, out_bytes, "%s_%s", title, key);
    for (char *c = out; *c; c++) *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
}

/* Where a variable may belong. */
struct fit {
    struct section *section;
    size_t option;
    size_t extra; /* with option SIZE_MAX: index of one in the file, or SIZE_MAX: a new one called `key` */
    char key[128];
};

/* The fits of `name` (without prefix) among known keys. Returns how many; *fit is the last. */
static size_t fit_known(struct config_draft *draft, const char *name, struct fit *fit)
{
    size_t count = 0;
    char key[80], want[200];
    for (size_t s = 0; s < draft->section_count; s++) {
        struct section *section = draft->sections[s];
        for (size_t i = 0; i < option_count; i++) {
            if (!option_in(section->kind, i)) continue;
            variable_name(want, sizeof want, section->title, option_key(section->kind, i, key, sizeof key));
            if (strcmp(want, name) != 0) continue;
            *fit = (struct fit){.section = section, .option = i, .extra = SIZE_MAX};
            count++;
        }
        for (size_t e = 0; e < section->extra_count; e++) {
            variable_name(want, sizeof want, section->title, section->extras[e].key);
            if (strcmp(want, name) != 0) continue;
            *fit = (struct fit){.section = section, .option = SIZE_MAX, .extra = e};
            count++;
        }
    }
    return count;
}

/* Likewise among options that only a collection's plugin can know. */
static size_t fit_plugins(struct config_draft *draft, const char *name, struct fit *fit)
{
    size_t count = 0;
    char want[200];
    for (size_t s = 0; s < draft->section_count; s++) {
        struct section *section = draft->sections[s];
        if (section->kind != SECTION_COLLECTION) continue;
        variable_name(want, sizeof want, section->title, "");
        size_t bytes = strlen(want);
        if (strncmp(want, name, bytes) != 0 || strlen(name) - bytes >= sizeof fit->key) continue;
        struct fit found = {.section = section, .option = SIZE_MAX, .extra = SIZE_MAX};
        for (size_t i = 0; name[bytes + i]; i++) found.key[i] = (char)tolower((unsigned char)name[bytes + i]);
        if (!may_be_plugins(found.key)) continue;
        *fit = found;
        count++;
    }
    return count;
}

static void take_variable(struct config_draft *draft, const char *name, const char *text)
{
    if (strncmp(name, PREFIX "TEST_", strlen(PREFIX "TEST_")) == 0) return;
    struct fit fit = {.section = NULL};
    const char *rest = name + strlen(PREFIX);
    size_t count = fit_known(draft, rest, &fit);
    if (count == 0) count = fit_plugins(draft, rest, &fit);
    if (count != 1) {
        draft_problem(draft, NO_LINE, name,
                      count ? "this variable fits more than one key; set them in the file instead"
                            : "no section and key that there are fit this variable");
        return;
    }
    struct value value = {.text = draft_printf(draft, "%s", text),
                          .where = draft_printf(draft, "%s", name),
                          .line = NO_LINE,
                          .literal = true};
    if (fit.option != SIZE_MAX)
        fit.section->values[fit.option] = value;
    else if (fit.extra != SIZE_MAX)
        fit.section->extras[fit.extra].value = value;
    else
        add_extra(draft, fit.section, fit.key, value);
}

/* The names of the original specification: they give way to LOCKSTEP_ ones. */
static void take_alias(struct config_draft *draft, const char *name, const char *text)
{
    for (size_t i = 0; i < option_count; i++) {
        if (!options[i].alias || strcmp(options[i].alias, name) != 0) continue;
        struct section *s = draft_section(draft, options[i].section, "");
        if (s)
            s->values[i] = (struct value){.text = draft_printf(draft, "%s", text),
                                          .where = options[i].alias,
                                          .line = NO_LINE,
                                          .literal = true};
    }
}

void draft_environment(struct config_draft *draft, char *const *environment)
{
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; environment && environment[i]; i++) {
            const char *equals = strchr(environment[i], '=');
            bool ours = strncmp(environment[i], PREFIX, strlen(PREFIX)) == 0;
            if (!equals || ours != (round == 1)) continue;
            char *name = draft_keep(draft, strndup(environment[i], (size_t)(equals - environment[i])));
            if (!name) return;
            if (ours)
                take_variable(draft, name, equals + 1);
            else
                take_alias(draft, name, equals + 1);
        }
    }
}

/* ---- the public way in ---- */

static int by_line(const void *a, const void *b)
{
    const struct problem *x = a, *y = b;
    return x->line < y->line ? -1 : x->line > y->line;
}

/* Hands the problems out in the order of the file. Stable, so that variables keep theirs. */
static void hand_out(struct config_draft *draft, struct config_problems *problems)
{
    for (size_t i = 1; i < draft->problem_count; i++) {
        struct problem p = draft->problems[i];
        size_t j = i;
        for (; j > 0 && by_line(&draft->problems[j - 1], &p) > 0; j--)
            draft->problems[j] = draft->problems[j - 1];
        draft->problems[j] = p;
    }
    problems->texts = calloc(draft->problem_count, sizeof *problems->texts);
    if (!problems->texts) {
        draft->no_memory = true;
        return;
    }
    problems->count = draft->problem_count;
    for (size_t i = 0; i < draft->problem_count; i++) {
        problems->texts[i] = draft->problems[i].text;
        draft->problems[i].text = NULL;
    }
}

static const char *folder_of(struct config_draft *draft, const char *path)
{
    char *full = realpath(path, NULL); /* NULL if there is no such file: reported elsewhere */
    if (!full) return ".";
    char *slash = strrchr(full, '/');
    if (slash) slash[slash == full] = '\0';
    return draft_keep(draft, full) ? full : ".";
}

enum lks_code config_load(struct config **out, const char *path, char *const *environment, unsigned flags,
                          struct config_problems *problems, struct lks_err *err)
{
    *out = NULL;
    *problems = (struct config_problems){0};
    bool keep = flags & CONFIG_KEEP;
    enum lks_code code = LKS_E_NOMEM;
    struct config *config = calloc(1, sizeof *config);
    struct config_draft *draft = calloc(1, sizeof *draft);
    if (!config || !draft) {
        free(config);
        free(draft);
        return lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    config->draft = draft;
    draft->flags = flags;
    draft->path = config->path = draft_printf(draft, "%s", path);
    draft->folder = folder_of(draft, path);
    code = draft_read(draft, err);
    if (code != LKS_E_OK) goto out;
    /* without a file there is only one thing to say, and no configuration to keep */
    if (draft->problem_count == 1 && draft->problems[0].line == 0) {
        keep = false;
    } else {
        draft_environment(draft, environment);
        if (!draft->no_memory) draft_resolve(draft, config);
    }
    if (draft->problem_count && !draft->no_memory) hand_out(draft, problems);
    if (draft->no_memory)
        code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    else if (problems->count == 1)
        code = lks_fail(err, LKS_E_CONFIG, "%s", problems->texts[0]);
    else if (problems->count)
        code = lks_fail(err, LKS_E_CONFIG, "%s: %zu problems in the configuration", path, problems->count);
out:
    if (code == LKS_E_OK || (code == LKS_E_CONFIG && keep))
        *out = config;
    else
        config_free(config);
    return code;
}

void config_free(struct config *config)
{
    if (!config) return;
    struct config_draft *draft = config->draft;
    for (size_t i = 0; i < draft->problem_count; i++) free(draft->problems[i].text);
    for (size_t i = 0; i < draft->owned_count; i++) free(draft->owned[i]);
    free(draft->problems);
    free(draft->owned);
    free(draft->sections);
    free(draft);
    free(config);
}

void config_problems_fini(struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) free(problems->texts[i]);
    free(problems->texts);
    *problems = (struct config_problems){0};
}
