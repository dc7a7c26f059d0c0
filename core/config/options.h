/* options.h - the one table of what can be configured. Private to config/. */
#ifndef LOCKSTEP_CONFIG_OPTIONS_H
#define LOCKSTEP_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

enum section_kind {
    SECTION_MONGODB,
    SECTION_SOURCE,
    SECTION_QDRANT,
    SECTION_EMBEDDING,
    SECTION_WORKER,
    SECTION_API,
    SECTION_LOG,
    SECTION_PLUGINS,
    SECTION_COLLECTION,
    SECTION_KIND_COUNT
};

enum option_type {
    OPTION_STRING,      /* const char *: any text without control characters */
    OPTION_NAME,        /* const char *: [A-Za-z0-9_-]{1,38} */
    OPTION_DATABASE,    /* const char *: a name MongoDB takes */
    OPTION_NAMESPACE,   /* const char *: a MongoDB collection's name */
    OPTION_FIELD,       /* const char *: a dotted path */
    OPTION_QDRANT_NAME, /* const char *: a name Qdrant takes, or a part of one */
    OPTION_MONGODB_URI, /* const char *: mongodb:// or mongodb+srv:// */
    OPTION_URL,         /* const char *: http:// or https:// */
    OPTION_UUID,        /* const char *: in lower case */
    OPTION_PATH,        /* const char *: absolute; relative ones begin at the INI file's folder */
    OPTION_FOLDERS,     /* const char *const *: of folders that are there */
    OPTION_LISTEN,      /* struct config_api: enabled, host, port */
    OPTION_SECRET,      /* const char * */
    OPTION_SECRET_FILE, /* const char *: the first line of that file; belongs to the option before it */
    OPTION_BOOL,        /* bool */
    OPTION_CHOICE,      /* an enum, by the place of the word in `allowed` */
    OPTION_INT,         /* int */
    OPTION_SIZE,        /* size_t */
    OPTION_MEGABYTES,   /* size_t, in bytes */
    OPTION_MS,          /* int64_t */
    OPTION_REAL,        /* double */
    OPTION_LIST,        /* const char *const * */
    OPTION_REFERENCE    /* a name of something else in the file; resolved after everything is read */
};

/* option.flags */
enum {
    OPTION_REQUIRED = 1, /* has no default and must be set, unless CONFIG_OFFLINE */
    /* [mongodb]: may also be in [source:NAME]. [embedding]: as embedding.KEY in [collection:NAME] */
    OPTION_SHARED = 2,
    /* describes one provider's endpoint: a collection with another provider doesn't inherit it */
    OPTION_ENDPOINT = 4,
    OPTION_OF_COLLECTION = 8 /* [embedding]: its member is in config_collection */
};

struct option {
    enum section_kind section;
    const char *key;
    enum option_type type;
    const char
        *fallback; /* as it would be in the file; "" for text that is empty; NULL: see `fallback_help` */
    const char *fallback_help; /* what holds if it isn't set, where that is no fixed value */
    const char *allowed;       /* OPTION_CHOICE: "a|b"; numbers: "1..100" */
    const char *unit;          /* "ms", or NULL */
    size_t offset;             /* in the section's struct */
    size_t file_offset;        /* OPTION_SECRET_FILE: where the file's path goes; 0: nowhere */
    unsigned flags;
    const char *alias; /* a variable's name from the original specification, or NULL */
    const char *help;  /* whole sentences */
};

struct section_help {
    const char *name; /* "mongodb"; with ":" at its end where a name follows */
    const char *help;
};

extern const struct option options[];
extern const size_t option_count;
#define OPTION_MAX 80 /* option_count is below; a test holds them together */

extern const struct section_help section_help[SECTION_KIND_COUNT];

/* The index of the option `key` of a section, also of shared ones; SIZE_MAX if there is none. */
size_t option_find(enum section_kind kind, const char *key);
/* True if `options[i]` may be in such a section. */
bool option_in(enum section_kind kind, size_t i);
/* "KEY", or "embedding.KEY" for an override in a collection's section. Returns `out`. */
const char *option_key(enum section_kind kind, size_t i, char *out, size_t out_bytes);

#endif
