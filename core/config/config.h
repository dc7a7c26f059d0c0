/*
 * config.h - the configuration as the rest of the program sees it: typed, checked, everything resolved.
 *
 * It comes from one INI file (base/ini.h has its form), overridden by environment variables. One table
 * (config/options.c) says which keys there are, and drives reading, checking, `config show` and the
 * documents. Nobody outside this room knows about sections or keys.
 *
 * A struct config is immutable after config_load() and may be read by any thread; all strings in it live as
 * long as it does, are valid UTF-8, and are "" rather than NULL where the comment doesn't say otherwise.
 */
#ifndef LOCKSTEP_CONFIG_CONFIG_H
#define LOCKSTEP_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* The order of each enum is that of the words in the table. */
enum config_watch { CONFIG_WATCH_AUTO, CONFIG_WATCH_STREAM, CONFIG_WATCH_POLL, CONFIG_WATCH_OFF };
enum config_metadata { CONFIG_METADATA_EMBEDDED, CONFIG_METADATA_SIDECAR };
enum config_error_codes { CONFIG_ERROR_CODES_PRECISE, CONFIG_ERROR_CODES_BASIC };
enum config_point_id { CONFIG_POINT_ID_UUIDV5, CONFIG_POINT_ID_PREFIXED_SHA1 };
enum config_provider {
    CONFIG_PROVIDER_OPENAI,
    CONFIG_PROVIDER_OLLAMA,
    CONFIG_PROVIDER_TEI,
    CONFIG_PROVIDER_WORDS,
    CONFIG_PROVIDER_HASH
};
enum config_encoding { CONFIG_ENCODING_AUTO, CONFIG_ENCODING_FLOAT, CONFIG_ENCODING_BASE64 };
enum config_distance {
    CONFIG_DISTANCE_COSINE,
    CONFIG_DISTANCE_DOT,
    CONFIG_DISTANCE_EUCLID,
    CONFIG_DISTANCE_MANHATTAN
};
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_public_status { CONFIG_PUBLIC_COUNTS, CONFIG_PUBLIC_ALL, CONFIG_PUBLIC_NO };

/* One MongoDB collection to follow: [mongodb] is the first, then each [source:NAME]. */
struct config_source {
    const char *uri;  /* the same for all: that of [mongodb]. Holds a password: never to be shown */
    const char *name; /* unique; fits a URL's path segment */
    const char *database, *collection;
    const char *ns;       /* "database.collection", the value of `_lockstep.source`; unique */
    const char *id_field; /* dotted path; "_id" is allowed */
    enum config_watch watch;
    int64_t poll_interval_ms;
    const char *poll_field; /* "": compare everything each time */
    const char *title;      /* the field that documents are called by; "": the usual ones */
    enum config_metadata metadata;
    enum config_error_codes error_codes;
    bool adopt_metadata;
    bool create_indexes;
    size_t max_delete_percent;
    const char *uri_where;      /* "FILE:LINE", or the variable, of what the first source's uri is set by */
    const char *id_field_where; /* likewise; of the section where it is not given */
};

struct config_qdrant {
    const char *url;          /* without a slash at its end */
    const char *api_key;      /* "": none. Secret */
    const char *api_key_file; /* "": none; absolute */
    int64_t timeout_ms;
    bool alias; /* a collection that has to be made gets a name of its own and ours as its alias */
    const char *collection_prefix; /* already in config_collection.qdrant_collection */
    enum config_point_id point_id;
    const char *point_id_prefix;
    const char *namespace_uuid; /* 36 lower-case characters */
};

/* What turns texts into vectors. Collections with the same settings share one. */
struct config_embedder {
    enum config_provider provider;
    const char *url;         /* "" with words and hash; else without a slash at its end */
    const char *model;       /* "" only where the provider needs none */
    const char *query_model; /* "": the same */
    const char *document_prefix, *query_prefix;
    const char *path; /* absolute, of `words`; "": the installed one */
    size_t dimensions;
    const char *api_key;      /* "": none. Secret */
    const char *api_key_file; /* "": none; absolute */
    int64_t timeout_ms, load_timeout_ms;
    enum config_encoding encoding;
    size_t batch_size, max_batch_tokens, concurrency; /* 0: the provider's own */
    size_t cache_bytes;                               /* for all embedders together */
};

struct config_worker {
    bool enabled;
    int64_t interval_ms, lease_ms;
    size_t batch_size;
    int max_retries;
    int64_t base_backoff_ms;
    double backoff_multiplier;
    int64_t max_backoff_ms;
    double jitter; /* 0 to 1: part of the wait that is left to chance */
};

struct config_api {
    bool enabled;            /* false: `listen = off` */
    const char *host;        /* "127.0.0.1", "::1", "localhost"; without brackets */
    uint16_t port;           /* 0: any free one */
    const char *socket_path; /* "": none; else instead of host and port */
    const char *token;       /* "": none. Secret */
    const char *read_token;  /* likewise; may only read */
    enum config_public_status public_status;
    bool socket_trust;                     /* callers of a Unix socket need no token */
    const char *const *allow_origins;      /* NULL-terminated */
    const char *tls_certificate, *tls_key; /* paths; "": plain HTTP */
};

struct config_log {
    int level; /* an enum log_level */
    enum config_log_format format;
};

/* A key of a [collection:NAME] that is none of the program's own: the plugin's, if it has such an option. */
struct config_extra {
    const char *key;
    const char *value;        /* without quotes; lines of a continued value joined by a space */
    const char *const *items; /* the same as a list, NULL-terminated; NULL if it can't be read as one */
    const char *where;        /* "FILE:LINE" or the variable, for messages */
};

/* One [collection:NAME], also if it is switched off. */
struct config_collection {
    const char *name; /* unique */
    bool enabled;
    const char *plugin;
    size_t source;                 /* index into sources */
    const char *qdrant_collection; /* with the prefix; unique among the enabled */
    enum config_distance distance;
    const char *const *watched, *const *sentences, *const *payload; /* NULL-terminated; NULL: not given */
    size_t embedder;                                                /* index into embedders */
    size_t max_text_bytes;
    const struct config_extra *extras;
    size_t extra_count;
    const char *where;                                           /* "FILE:LINE" of the section */
    const char *watched_where, *sentences_where, *payload_where; /* of the keys; NULL: not given */
};

struct config {
    const char *path; /* of the file */
    struct config_source *sources;
    size_t source_count; /* at least 1 */
    struct config_qdrant qdrant;
    struct config_embedder *embedders;
    size_t embedder_count; /* those that collections use */
    struct config_worker worker;
    struct config_api api;
    struct config_log log;
    const char *const *plugin_paths; /* absolute folders, NULL-terminated, may be empty */
    struct config_collection *collections;
    size_t collection_count;
    struct config_draft *draft; /* private to this room */
};

/* All that is wrong, in the order of the file, then of the variables: "lockstep.ini:12: ...". */
struct config_problems {
    char **texts; /* owned */
    size_t count;
};

/* For commands that speak to no server (preview of a file): what only servers need may be missing. */
#define CONFIG_OFFLINE 1u
/* On LKS_E_CONFIG the configuration is made all the same, as far as it could be read and only to look for
 * further problems in it; what is wrong is empty or has its default. */
#define CONFIG_KEEP 2u

/* No source's name, because the API has fixed paths with these; NULL-terminated. */
extern const char *const config_names_taken[];

/* "Cosine", ...: as Qdrant writes it. Static storage. */
const char *config_distance_name(enum config_distance distance);

/*
 * Reads `path` and the variables in `environment` ("NAME=value", NULL-terminated), checks everything, and
 * reads secrets from their files. On LKS_E_OK *out is to be freed by config_free(). On LKS_E_CONFIG nothing
 * is made, `problems` says everything that is wrong, and `err` how many there are; LKS_E_NOMEM and LKS_E_IO
 * leave it empty. `problems` is to be freed by config_problems_fini() in any case.
 */
enum lks_code config_load(struct config **out, const char *path, char *const *environment, unsigned flags,
                          struct config_problems *problems, struct lks_err *err);
void config_free(struct config *config);
void config_problems_fini(struct config_problems *problems);

/* Every value with where it came from, as an INI file again; secrets as `***`, passwords in URIs too. */
void config_show(const struct config *config, struct buf *out);

/* The reference made from the table, for docs/: Markdown, or a manual page for section 5. */
enum config_reference_form { CONFIG_REFERENCE_MARKDOWN, CONFIG_REFERENCE_MAN };
void config_reference(enum config_reference_form form, struct buf *out);

#endif
