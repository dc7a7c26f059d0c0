/* reference.c - docs/reference/configuration.md and docs/reference/lockstep.ini.5, printed from the table. */
#include <ctype.h>
#include <string.h>

#include "config/draft.h"

/* ---- what both say ---- */

static void put_default(struct buf *out, const struct option *o)
{
    if (o->fallback_help)
        buf_puts(out, o->fallback_help);
    else if (!*o->fallback)
        buf_puts(out, "empty");
    else
        buf_printf(out, "`%s`", o->fallback);
}

static const char *what(const struct option *o)
{
    switch (o->type) {
    case OPTION_STRING:
        return "text";
    case OPTION_NAME:
    case OPTION_REFERENCE:
        return "name";
    case OPTION_DATABASE:
    case OPTION_NAMESPACE:
    case OPTION_QDRANT_NAME:
        return "text";
    case OPTION_FIELD:
        return "field or dotted path";
    case OPTION_MONGODB_URI:
    case OPTION_URL:
        return "address";
    case OPTION_UUID:
        return "UUID";
    case OPTION_PATH:
    case OPTION_SECRET_FILE:
        return "file";
    case OPTION_FOLDERS:
        return "list of folders";
    case OPTION_LISTEN:
        return "address:port";
    case OPTION_SECRET:
        return "secret";
    case OPTION_BOOL:
        return "yes or no";
    case OPTION_LIST:
        return "list";
    case OPTION_CHOICE:
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_MEGABYTES:
    case OPTION_MS:
    case OPTION_REAL:
        break;
    }
    return "number";
}

/* "`a`, `b` or `c`"; "1 to 100 ms"; "yes or no" */
static void put_allowed(struct buf *out, const struct option *o)
{
    const char *dots = o->allowed ? strstr(o->allowed, "..") : NULL;
    if (dots) {
        buf_printf(out, "%.*s to %s%s%s", (int)(dots - o->allowed), o->allowed, dots + 2, o->unit ? " " : "",
                   o->unit ? o->unit : "");
    } else if (o->allowed) {
        for (const char *word = o->allowed; *word;) {
            size_t bytes = strcspn(word, "|");
            buf_printf(out, "`%.*s`", (int)bytes, word);
            word += bytes;
            if (*word) buf_puts(out, strchr(word + 1, '|') ? ", " : " or "), word++;
        }
    } else {
        buf_puts(out, what(o));
    }
}

static const char *const intro[] = {
    "Lockstep reads one INI file: the one named by `--config`, or `lockstep.ini` in the installation's "
    "`sysconfdir`. `lockstep config check` reports every mistake in it, `lockstep config show` the values in "
    "force and their origin.",
    "A section begins with `[section]` and contains lines of `key = value`. A line that begins with `;` or "
    "`#` is a comment; so is the rest of a line after a space and `;`. An indented line continues the value "
    "above it. A value in double quotes keeps its spaces, commas and `;`; in it, `\\\"` is a quote and "
    "`\\\\` a backslash. Items of a list are separated by commas or line ends, except commas in quotes or "
    "braces. Relative paths start at the file's folder.",
    "An environment variable overrides the file: `LOCKSTEP_SECTION_KEY` in upper case, with `_` for every "
    "character that is not a letter or digit (`LOCKSTEP_WORKER_INTERVAL_MS`, "
    "`LOCKSTEP_COLLECTION_TOOLS_EMBEDDING_MODEL`). Named sections must exist in the file. A variable that "
    "fits no key, or two, is an error, except those that begin with `LOCKSTEP_TEST_`. Some keys have a "
    "second variable, given below; `LOCKSTEP_` wins over it. Values of variables need no quotes.",
    "A collection with another `embedding.provider` inherits nothing that describes the endpoint of "
    "[embedding]; one with another `embedding.url` does not inherit the key. Collections with the same "
    "settings share one embedder.",
};

/* ---- Markdown ---- */

static void markdown_title(struct buf *out, enum section_kind kind)
{
    const char *name = section_help[kind].name;
    bool named = name[strlen(name) - 1] == ':';
    buf_printf(out, "\n## [%s%s]\n\n%s\n", name, named ? "NAME" : "", section_help[kind].help);
}

static void markdown(struct buf *out)
{
    buf_puts(out, "# Configuration\n\n<!-- Made by `make docs-reference` from core/config/options.c. Do not "
                  "edit. -->\n");
    for (size_t p = 0; p < sizeof intro / sizeof intro[0]; p++) buf_printf(out, "\n%s\n", intro[p]);
    for (int k = 0; k < SECTION_KIND_COUNT; k++) {
        markdown_title(out, (enum section_kind)k);
        if (k == SECTION_SOURCE) {
            buf_puts(
                out,
                "\nThe keys of [mongodb] except `uri` and `name`; the source has the name of the section.\n");
            continue;
        }
        for (size_t i = 0; i < option_count; i++) {
            const struct option *o = &options[i];
            if (o->section != (enum section_kind)k) continue;
            buf_printf(out, "\n- **`%s`** (", o->key);
            put_allowed(out, o);
            buf_puts(out, "; default: ");
            put_default(out, o);
            if (o->alias) buf_printf(out, "; variable: `%s`", o->alias);
            buf_printf(out, ")  \n  %s", o->help);
        }
        buf_puts(out, "\n");
    }
}

/* ---- troff ---- */

/* `code` in bold, and what troff would take for its own made harmless. */
static void man_text(struct buf *out, const char *text)
{
    bool code = false;
    if (*text == '.' || *text == '\'') buf_puts(out, "\\&");
    for (const char *c = text; *c; c++) {
        if (*c == '`') {
            code = !code;
            buf_puts(out, code ? "\\fB" : "\\fR");
        } else if (*c == '\\') {
            buf_puts(out, "\\e");
        } else if (*c == '-') {
            buf_puts(out, "\\-");
        } else {
            buf_putc(out, *c);
        }
    }
}

static void man_paragraph(struct buf *out, const char *text)
{
    buf_puts(out, ".PP\n");
    man_text(out, text);
    buf_putc(out, '\n');
}

static void man_option(struct buf *out, const struct option *o)
{
    struct buf text;
    buf_init(&text, 0);
    buf_puts(&text, "(");
    put_allowed(&text, o);
    buf_puts(&text, "; default: ");
    put_default(&text, o);
    if (o->alias) buf_printf(&text, "; variable: `%s`", o->alias);
    buf_printf(&text, ") %s", o->help);
    buf_printf(out, ".TP\n.B %s\n", o->key);
    if (!text.failed)
        man_text(out, text.data);
    else
        out->failed = true;
    buf_putc(out, '\n');
    buf_fini(&text);
}

static void man(struct buf *out)
{
    buf_puts(out, ".\\\" Made by `make docs-reference` from core/config/options.c. Do not edit.\n"
                  ".TH LOCKSTEP.INI 5 \"\" Lockstep \"File formats\"\n.SH NAME\nlockstep.ini \\- "
                  "configuration of lockstep(1)\n"
                  ".SH DESCRIPTION\n");
    for (size_t p = 0; p < sizeof intro / sizeof intro[0]; p++) man_paragraph(out, intro[p]);
    for (int k = 0; k < SECTION_KIND_COUNT; k++) {
        const char *name = section_help[k].name;
        bool named = name[strlen(name) - 1] == ':';
        buf_printf(out, ".SH \"[%s%s]\"\n", name, named ? "NAME" : "");
        man_paragraph(out, section_help[k].help);
        if (k == SECTION_SOURCE)
            man_paragraph(
                out,
                "The keys of [mongodb] except `uri` and `name`; the source has the name of the section.");
        for (size_t i = 0; k != SECTION_SOURCE && i < option_count; i++)
            if (options[i].section == (enum section_kind)k) man_option(out, &options[i]);
    }
    buf_puts(out, ".SH SEE ALSO\n.BR lockstep (1)\n");
}

void config_reference(enum config_reference_form form, struct buf *out)
{
    if (form == CONFIG_REFERENCE_MAN)
        man(out);
    else
        markdown(out);
}
