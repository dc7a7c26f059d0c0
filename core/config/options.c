/*
 * options.c - every section and key there is, with default, bounds and help.
 *
 * Add an option here and a member to the struct in config.h: reading, checks, variables, `config show` and
 * the documents follow. Checks between options are in resolve.c.
 */
#include "config/options.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define IN(kind, structure, member) .section = (kind), .offset = offsetof(struct structure, member)
#define MONGODB(member) IN(SECTION_MONGODB, config_source, member)
#define QDRANT(member) IN(SECTION_QDRANT, config_qdrant, member)
#define EMBEDDING(member) IN(SECTION_EMBEDDING, config_embedder, member)
#define WORKER(member) IN(SECTION_WORKER, config_worker, member)
#define COLLECTION(member) IN(SECTION_COLLECTION, config_collection, member)

#define DAY_MS "86400000"

const struct section_help section_help[SECTION_KIND_COUNT] = {
    [SECTION_MONGODB] = {"mongodb", "The documents. This section is also the first source."},
    [SECTION_SOURCE] =
        {"source:",
         "A further MongoDB collection on the same server. Collections name it by `source = NAME`."},
    [SECTION_QDRANT] = {"qdrant", "The points."},
    [SECTION_EMBEDDING] = {"embedding", "What makes vectors of texts. A collection overrides any of these "
                                        "keys but `cache_mb` by `embedding.KEY` in its own section."},
    [SECTION_WORKER] = {"worker", "Retries of failed and waiting documents, and the lease."},
    [SECTION_API] = {"api", "The HTTP API and the dashboard."},
    [SECTION_LOG] = {"log", "The log, on standard error."},
    [SECTION_PLUGINS] = {"plugins", "Plugins."},
    [SECTION_COLLECTION] = {"collection:", "A Qdrant collection. Keys that are not listed here are "
                                           "the plugin's own options (`lockstep plugins --all` lists them)."},
};

const struct option options[] = {
    /* ---- [mongodb], [source:NAME] ---- */
    {MONGODB(uri), .key = "uri", .type = OPTION_MONGODB_URI, .fallback = "mongodb://127.0.0.1:27017",
     .help = "MongoDB's connection string. Change streams need a replica set, which may have one member; "
             "otherwise the collection is polled."},
    {MONGODB(database), .key = "database", .type = OPTION_DATABASE, .flags = OPTION_REQUIRED | OPTION_SHARED,
     .fallback_help = "the one the URI names (in [source:NAME]: that of [mongodb])",
     .help =
         "The database of the documents. Lockstep keeps its own state in its collection `lockstep.state`."},
    {MONGODB(collection), .key = "collection", .type = OPTION_NAMESPACE,
     .flags = OPTION_REQUIRED | OPTION_SHARED, .fallback_help = "none: it must be set",
     .help = "The collection of the documents."},
    {MONGODB(name), .key = "name", .type = OPTION_NAME, .fallback_help = "the collection's name",
     .help = "The name of this source in paths of the API (`/api/sync/NAME`) and in `source = NAME`. Not a "
             "fixed word of those paths: `sync`, `search`, `jobs`, `events`, `status`, `worker`, `batch`, "
             "`all-pending`, `reset`."},
    {MONGODB(id_field), .key = "id_field", .type = OPTION_FIELD, .fallback = "id", .flags = OPTION_SHARED,
     .help = "The field with a document's business id, from which point ids are made. `_id` is allowed. Ids "
             "are compared by MongoDB's simple collation, whatever the collection's own: text by its bytes, "
             "numbers by value whatever their type. NaN is not an id."},
    {MONGODB(watch), .key = "watch", .type = OPTION_CHOICE, .fallback = "auto",
     .allowed = "auto|stream|poll|off", .flags = OPTION_SHARED,
     .help = "How changes are found: by a change stream, by comparing at intervals, or not at all (then only "
             "`sync` and the API transfer changes). `auto` uses the stream if the server has one."},
    {MONGODB(poll_interval_ms), .key = "poll_interval_ms", .type = OPTION_MS, .fallback = "10000",
     .allowed = "100.." DAY_MS, .unit = "ms", .flags = OPTION_SHARED, .help = "Time between two polls."},
    {MONGODB(poll_field), .key = "poll_field", .type = OPTION_FIELD, .fallback = "", .flags = OPTION_SHARED,
     .help = "An indexed date that the application sets with each change. A poll then reads only newer "
             "documents, and all documents once an hour."},
    {MONGODB(title), .key = "title", .type = OPTION_FIELD, .fallback = "", .flags = OPTION_SHARED,
     .fallback_help = "the first of `name`, `title`, `headline`, `subject`, `label` and `_id` that it has",
     .help = "The field that lists and search results show as a document's title."},
    {MONGODB(metadata), .key = "metadata", .type = OPTION_CHOICE, .fallback = "embedded",
     .allowed = "embedded|sidecar", .flags = OPTION_SHARED,
     .help = "Where each document's record is kept: in its own field `syncMetadata`, or in the collection "
             "`COLLECTION.lockstep`, which leaves the documents unchanged. Views and capped collections need "
             "`sidecar`."},
    {MONGODB(error_codes), .key = "error_codes", .type = OPTION_CHOICE, .fallback = "precise",
     .allowed = "precise|basic", .flags = OPTION_SHARED,
     .help = "Which error codes a record may show. `basic`: only EMBEDDING_TIMEOUT, EMBEDDING_RATE_LIMIT, "
             "QDRANT_UNAVAILABLE, QDRANT_TIMEOUT, VALIDATION_ERROR and UNKNOWN, for applications whose "
             "schema allows no others; `errorReason` then has the precise code."},
    {MONGODB(adopt_metadata), .key = "adopt_metadata", .type = OPTION_BOOL, .fallback = "no",
     .flags = OPTION_SHARED,
     .help = "Whether a field `syncMetadata` that another program wrote may be overwritten. With `no`, the "
             "first start on a collection with such a document is refused (exit status 2), unless `metadata "
             "= sidecar`."},
    {MONGODB(create_indexes), .key = "create_indexes", .type = OPTION_BOOL, .fallback = "yes",
     .flags = OPTION_SHARED, .help = "Create the MongoDB indexes that Lockstep's queries need, at start."},
    {MONGODB(max_delete_percent), .key = "max_delete_percent", .type = OPTION_SIZE, .fallback = "50",
     .allowed = "0..100", .flags = OPTION_SHARED,
     .help = "If at least 100 points of a collection, and more than this percentage of them, have no "
             "document, none is deleted until `lockstep sync --allow-deletes`: the database may have been "
             "restored empty. Deletes that the change stream reports are never held. With `watch = poll` "
             "every delete is found by comparing, so the limit holds for all. `100` disables it."},

    /* ---- [qdrant] ---- */
    {QDRANT(url), .key = "url", .type = OPTION_URL, .fallback = "http://127.0.0.1:6333",
     .help = "Qdrant's REST address."},
    {QDRANT(api_key), .key = "api_key", .type = OPTION_SECRET, .fallback = "",
     .help = "The API key. Prefer `api_key_file` or an environment variable."},
    {QDRANT(api_key), .key = "api_key_file", .type = OPTION_SECRET_FILE, .fallback = "",
     .file_offset = offsetof(struct config_qdrant, api_key_file),
     .help = "A file whose only line is the API key. It is read again every minute, and when the key is "
             "refused."},
    {QDRANT(timeout_ms), .key = "timeout_ms", .type = OPTION_MS, .fallback = "5000", .allowed = "100..600000",
     .unit = "ms", .help = "Time limit of one request. Must be shorter than `lease_ms` of [worker]."},
    {QDRANT(collection_prefix), .key = "collection_prefix", .type = OPTION_QDRANT_NAME, .fallback = "",
     .help =
         "Put before the name of every Qdrant collection, so that several installations can share a server."},
    {QDRANT(alias), .key = "alias", .type = OPTION_BOOL, .fallback = "yes",
     .help = "Lockstep creates a missing Qdrant collection as NAME_v1 with the alias NAME, so that another "
             "one can replace it in one step. `no`: it creates NAME itself, for programs that list "
             "collections and create missing ones. An existing NAME is used as it is, either way."},
    {QDRANT(point_id), .key = "point_id", .type = OPTION_CHOICE, .fallback = "uuidv5",
     .allowed = "uuidv5|prefixed-sha1",
     .help = "How point ids are made from business ids: UUIDv5 under `namespace`, or the SHA-1 of "
             "`point_id_prefix`, a colon and the id, for collections that an earlier system filled."},
    {QDRANT(point_id_prefix), .key = "point_id_prefix", .type = OPTION_STRING, .fallback = "",
     .help = "With `point_id = prefixed-sha1`: the text before the colon."},
    {QDRANT(namespace_uuid), .key = "namespace", .type = OPTION_UUID,
     .fallback = "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
     .help = "With `point_id = uuidv5`: the namespace. Another namespace gives other point ids, so every "
             "point is written again."},

    /* ---- [embedding] ---- */
    {EMBEDDING(provider), .key = "provider", .type = OPTION_CHOICE, .fallback = "words",
     .allowed = "openai|ollama|tei|words|hash", .flags = OPTION_SHARED,
     .help = "`openai` talks to OpenAI and to servers with the same API (vLLM, llama.cpp, LocalAI, ...), "
             "`ollama` and `tei` (Hugging Face Text Embeddings Inference) to theirs. `words` is built in and "
             "needs no server: English word vectors. `hash` is built in for tests and benchmarks; its "
             "vectors have no meaning."},
    {EMBEDDING(url), .key = "url", .type = OPTION_URL, .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .fallback_help =
         "openai: `https://api.openai.com`; ollama: `http://127.0.0.1:11434`; tei: `http://127.0.0.1:8080`",
     .help = "The server's address. With `openai`, `/v1/embeddings` is added to its path; only `/embeddings` "
             "if the path ends in a version (`/v1`, `/v1beta/openai`) or in `/openai/deployments/NAME`; "
             "nothing if it ends in `/embeddings`. A query (`?api-version=...`) is kept, and never shown."},
    {EMBEDDING(model), .key = "model", .type = OPTION_STRING, .fallback = "",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help =
         "The model's name, required by `openai` and `ollama`. A `tei` server has one model; with its name "
         "set here, Lockstep notices when the server has another. Another name embeds everything again."},
    {EMBEDDING(query_model), .key = "query_model", .type = OPTION_STRING,
     .flags = OPTION_SHARED | OPTION_ENDPOINT, .fallback = "", .fallback_help = "the same as `model`",
     .help = "The model for the texts of searches, if its name differs from that for documents."},
    {EMBEDDING(document_prefix), .key = "document_prefix", .type = OPTION_STRING, .fallback = "",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "Put before each document's text, for models that expect it (E5: `\"passage: \"`; the quotes "
             "keep the space)."},
    {EMBEDDING(query_prefix), .key = "query_prefix", .type = OPTION_STRING, .fallback = "",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "Put before the text of a search (E5: `\"query: \"`)."},
    {EMBEDDING(dimensions), .key = "dimensions", .type = OPTION_SIZE, .fallback = "0", .allowed = "0..65536",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help =
         "The length of vectors, for models that let it be chosen (and for `hash`). 0: the model's default."},
    {EMBEDDING(api_key), .key = "api_key", .type = OPTION_SECRET, .fallback = "",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "The API key, sent as a bearer token. A collection with another `embedding.url` does not "
             "inherit it."},
    {EMBEDDING(api_key), .key = "api_key_file", .type = OPTION_SECRET_FILE, .fallback = "",
     .flags = OPTION_SHARED | OPTION_ENDPOINT, .file_offset = offsetof(struct config_embedder, api_key_file),
     .help = "A file whose only line is the API key. It is read again every minute, and when the key is "
             "refused."},
    {EMBEDDING(batch_size), .key = "batch_size", .type = OPTION_SIZE, .fallback = "0", .allowed = "0..2048",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "The maximum number of texts in one request. 0: the provider's known or reported limit."},
    {EMBEDDING(max_batch_tokens), .key = "max_batch_tokens", .type = OPTION_SIZE, .fallback = "0",
     .allowed = "0..10000000", .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "The maximum number of tokens in one request, by estimate. 0: the provider's known limit."},
    {EMBEDDING(concurrency), .key = "concurrency", .type = OPTION_SIZE, .fallback = "4", .allowed = "1..64",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "The maximum number of simultaneous requests. It is lowered for a while when the server reports "
             "overload."},
    {EMBEDDING(encoding), .key = "encoding", .type = OPTION_CHOICE, .fallback = "auto",
     .allowed = "auto|float|base64", .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "With `openai`: the form in which vectors are requested. `auto` embeds one word in both forms, "
             "and uses base64, a third of the size, if it gives the same vector."},
    {EMBEDDING(timeout_ms), .key = "timeout_ms", .type = OPTION_MS, .fallback = "60000",
     .allowed = "100..3600000", .unit = "ms", .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "Time limit of one request. After a timeout its texts are sent with fewer others, and in the "
             "end alone."},
    {EMBEDDING(load_timeout_ms), .key = "load_timeout_ms", .type = OPTION_MS, .fallback = "300000",
     .allowed = "100..3600000", .unit = "ms", .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "Time limit of a request for which the server may have to load the model: the first one after "
             "the start, and after a failure of the server. Not shorter than `timeout_ms`."},
    {EMBEDDING(path), .key = "path", .type = OPTION_PATH, .fallback = "",
     .flags = OPTION_SHARED | OPTION_ENDPOINT, .fallback_help = "the one that is installed",
     .help = "With `words`: the file of word vectors."},
    {EMBEDDING(cache_bytes), .key = "cache_mb", .type = OPTION_MEGABYTES, .fallback = "64",
     .allowed = "0..65536", .unit = "MB",
     .help = "Memory for vectors of recently embedded texts, so that equal texts are embedded once."},
    {IN(SECTION_EMBEDDING, config_collection, max_text_bytes), .key = "max_text_bytes", .type = OPTION_SIZE,
     .fallback = "32768", .allowed = "1..16777216", .unit = "bytes",
     .flags = OPTION_SHARED | OPTION_OF_COLLECTION,
     .help = "A longer text is cut, at a character, before it is embedded."},

    /* ---- [worker] ---- */
    {WORKER(enabled), .key = "enabled", .type = OPTION_BOOL, .fallback = "yes",
     .alias = "SYNC_WORKER_ENABLED",
     .help = "`no` disables the worker's cycles and retries; changes are still followed."},
    {WORKER(interval_ms), .key = "interval_ms", .type = OPTION_MS, .fallback = "60000",
     .allowed = "100.." DAY_MS, .unit = "ms", .alias = "SYNC_WORKER_INTERVAL_MS",
     .help = "Time between two cycles."},
    {WORKER(lease_ms), .key = "lease_ms", .type = OPTION_MS, .fallback = "10000", .allowed = "1000..600000",
     .unit = "ms",
     .help = "How long the lease holds without being renewed. Only the lease holder writes. Must be longer "
             "than `timeout_ms` of [qdrant]; after a crash the next process waits this long."},
    {WORKER(batch_size), .key = "batch_size", .type = OPTION_SIZE, .fallback = "100", .allowed = "1..10000",
     .alias = "SYNC_WORKER_BATCH_SIZE",
     .help = "Documents per page; a cycle continues until no document is due."},
    {WORKER(max_retries), .key = "max_retries", .type = OPTION_INT, .fallback = "5", .allowed = "0..1000",
     .alias = "SYNC_MAX_RETRIES",
     .help = "How often a document is retried after an error of its own. A server that is down, slow or busy "
             "does not count."},
    {WORKER(base_backoff_ms), .key = "base_backoff_ms", .type = OPTION_MS, .fallback = "5000",
     .allowed = "1.." DAY_MS, .unit = "ms", .alias = "SYNC_BASE_BACKOFF_MS",
     .help = "The wait before the first retry."},
    {WORKER(backoff_multiplier), .key = "backoff_multiplier", .type = OPTION_REAL, .fallback = "2",
     .allowed = "1..100", .alias = "SYNC_BACKOFF_MULTIPLIER",
     .help = "The factor by which each further wait is longer."},
    {WORKER(max_backoff_ms), .key = "max_backoff_ms", .type = OPTION_MS, .fallback = "300000",
     .allowed = "1.." DAY_MS, .unit = "ms", .alias = "SYNC_MAX_BACKOFF_MS",
     .help = "The longest wait, also if the server asks for a longer one."},
    {WORKER(jitter), .key = "jitter", .type = OPTION_REAL, .fallback = "0.1", .allowed = "0..1",
     .help = "The random part of each wait, so that retries are spread."},

    /* ---- [api] ---- */
    {.section = SECTION_API,
     .key = "listen",
     .type = OPTION_LISTEN,
     .fallback = "127.0.0.1:4003",
     .help = "Address and port (`[::1]:4003`; port 0: any free one), `unix:/PATH` for a Unix socket, or "
             "`off`. Any address but loopback needs a token."},
    {IN(SECTION_API, config_api, token), .key = "token", .type = OPTION_SECRET, .fallback = "",
     .help = "The bearer token for callers. Prefer `token_file` or an environment variable."},
    {IN(SECTION_API, config_api, token), .key = "token_file", .type = OPTION_SECRET_FILE, .fallback = "",
     .help = "A file whose only line is the token."},
    {IN(SECTION_API, config_api, read_token), .key = "read_token", .type = OPTION_SECRET, .fallback = "",
     .help = "A second token, which allows reading only."},
    {IN(SECTION_API, config_api, read_token), .key = "read_token_file", .type = OPTION_SECRET_FILE,
     .fallback = "", .help = "A file whose only line is the read token."},
    {IN(SECTION_API, config_api, public_status), .key = "public_status", .type = OPTION_CHOICE,
     .fallback = "counts", .allowed = "counts|all|no",
     .help = "What is answered without the token. `counts`: `/api/sync/status` and "
             "`/api/sync/worker/status`; `all`: also the lists `/api/sync/SOURCE` (ids, names and error "
             "messages of documents); `no`: neither."},
    {IN(SECTION_API, config_api, socket_trust), .key = "socket_trust", .type = OPTION_BOOL, .fallback = "no",
     .help = "`yes`: callers of a Unix socket need no token, unless a proxy passed the call on."},
    {IN(SECTION_API, config_api, allow_origins), .key = "allow_origins", .type = OPTION_LIST, .fallback = "",
     .help = "Origins of other sites whose pages may call (`https://admin.example`)."},
    {IN(SECTION_API, config_api, tls_certificate), .key = "tls_certificate", .type = OPTION_PATH,
     .fallback = "", .help = "A PEM file with the certificate and its chain. The API then uses HTTPS."},
    {IN(SECTION_API, config_api, tls_key), .key = "tls_key", .type = OPTION_PATH, .fallback = "",
     .help = "A PEM file with the certificate's private key, without a password."},

    /* ---- [log] ---- */
    {IN(SECTION_LOG, config_log, level), .key = "level", .type = OPTION_CHOICE, .fallback = "info",
     .allowed = "debug|info|warn|error|off", .help = "The lowest level that is logged."},
    {IN(SECTION_LOG, config_log, format), .key = "format", .type = OPTION_CHOICE, .fallback = "text",
     .allowed = "text|json", .help = "Lines of key=value, or one JSON object per line."},

    /* ---- [plugins] ---- */
    {IN(SECTION_PLUGINS, config, plugin_paths), .key = "path", .type = OPTION_FOLDERS, .fallback = "",
     .help = "Folders that are searched for plugins before the installed one."},

    /* ---- [collection:NAME] ---- */
    {COLLECTION(enabled), .key = "enabled", .type = OPTION_BOOL, .fallback = "yes",
     .help = "`no` keeps the collection's points as they are; `lockstep forget NAME` deletes them."},
    {COLLECTION(plugin), .key = "plugin", .type = OPTION_NAME, .fallback_help = "the collection's name",
     .help = "The plugin that makes text and payload of a document. `fields` uses only the lists of this "
             "section."},
    {.section = SECTION_COLLECTION,
     .key = "source",
     .type = OPTION_REFERENCE,
     .fallback_help = "the first: [mongodb]",
     .help = "The source of its documents."},
    {COLLECTION(qdrant_collection), .key = "qdrant_collection", .type = OPTION_QDRANT_NAME,
     .fallback_help = "the collection's name",
     .help = "Its name in Qdrant, after `collection_prefix`. If it does not exist, it is created (see "
             "`alias` of [qdrant]) as soon as the source has a document."},
    {COLLECTION(distance), .key = "distance", .type = OPTION_CHOICE, .fallback = "Cosine",
     .allowed = "Cosine|Dot|Euclid|Manhattan",
     .help = "How Qdrant compares vectors. Used when the collection is created."},
    {COLLECTION(watched), .key = "watched", .type = OPTION_LIST, .fallback_help = "what the plugin declares",
     .help = "The fields that make the text, each with a weight (1 by default): `name 3, tagline`."},
    {COLLECTION(sentences), .key = "sentences", .type = OPTION_LIST,
     .fallback_help = "what the plugin declares",
     .help = "Added to the text: `Available on {platforms}`. `{field| and }` joins values by ` and ` instead "
             "of a comma. A sentence is left out unless each of its fields has a value. A sentence with a "
             "comma outside braces needs quotes."},
    {COLLECTION(payload), .key = "payload", .type = OPTION_LIST, .fallback_help = "what the plugin declares",
     .help = "The fields of the payload besides the watched ones: `slug, status as state, address.city`. A "
             "dotted field becomes nested objects, as in the document."},
};
const size_t option_count = sizeof options / sizeof options[0];

static const char override[] = "embedding.";

bool option_in(enum section_kind kind, size_t i)
{
    const struct option *o = &options[i];
    bool shared = o->flags & OPTION_SHARED;
    if (kind == SECTION_SOURCE) return o->section == SECTION_MONGODB && shared;
    if (kind == SECTION_COLLECTION && o->section == SECTION_EMBEDDING) return shared;
    return o->section == kind;
}

const char *option_key(enum section_kind kind, size_t i, char *out, size_t out_bytes)
{
    const struct option *o = &options[i];
    bool overrides = kind == SECTION_COLLECTION && o->section == SECTION_EMBEDDING;
    (void)snprintf(out, out_bytes, "%s%s", overrides ? override : "", o->key);
    return out;
}

size_t option_find(enum section_kind kind, const char *key)
{
    char name[80];
    for (size_t i = 0; i < option_count; i++)
        if (option_in(kind, i) && strcmp(option_key(kind, i, name, sizeof name), key) == 0) return i;
    return SIZE_MAX;
}

const char *config_distance_name(enum config_distance distance)
{
    static const char *const names[] = {"Cosine", "Dot", "Euclid", "Manhattan"};
    return names[distance];
}
