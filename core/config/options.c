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
    [SECTION_MONGODB] = {"mongodb", "Where the documents are. This section is also the first source."},
    [SECTION_SOURCE] = {"source:",
                        "A further MongoDB collection to follow, on the same server. Collections name it by "
                        "`source = NAME`."},
    [SECTION_QDRANT] = {"qdrant", "Where the points go."},
    [SECTION_EMBEDDING] = {"embedding",
                           "What turns text into vectors. A collection can differ in any of these keys but "
                           "`cache_mb`, by `embedding.KEY` in its own section."},
    [SECTION_WORKER] = {"worker", "When failed and waiting documents are tried again."},
    [SECTION_API] = {"api", "The HTTP API and the dashboard."},
    [SECTION_LOG] = {"log", "What is logged to standard error."},
    [SECTION_PLUGINS] = {"plugins", "Where plugins are found."},
    [SECTION_COLLECTION] = {"collection:",
                            "A Qdrant collection to keep in step. Keys that are not listed here are the "
                            "plugin's own options (`lockstep plugins --all` lists them)."},
};

const struct option options[] = {
    /* ---- [mongodb], [source:NAME] ---- */
    {MONGODB(uri), .key = "uri", .type = OPTION_MONGODB_URI, .fallback = "mongodb://127.0.0.1:27017",
     .help = "MongoDB's connection string. A replica set (also of one member) is needed for change streams; "
             "without, "
             "the collection is polled."},
    {MONGODB(database), .key = "database", .type = OPTION_DATABASE, .flags = OPTION_REQUIRED | OPTION_SHARED,
     .fallback_help = "the one the URI names (in [source:NAME]: that of [mongodb])",
     .help =
         "The database of the documents. Lockstep's own state is kept in its collection `lockstep.state`."},
    {MONGODB(collection), .key = "collection", .type = OPTION_NAMESPACE,
     .flags = OPTION_REQUIRED | OPTION_SHARED, .fallback_help = "none: it must be set",
     .help = "The collection of the documents."},
    {MONGODB(name), .key = "name", .type = OPTION_NAME, .fallback_help = "the collection's name",
     .help = "The name of this source, in paths of the API (`/api/sync/NAME`) and in `source = NAME`. Not "
             "a word that those paths use: `sync`, `search`, `jobs`, `events`, `status`, `worker`, `batch`, "
             "`all-pending`, `reset`."},
    {MONGODB(id_field), .key = "id_field", .type = OPTION_FIELD, .fallback = "id", .flags = OPTION_SHARED,
     .help =
         "The field that holds a document's business id, from which its point ids are made. `_id` is "
         "allowed. Ids are equal by MongoDB's simple collation, whatever the collection's own: text by its "
         "bytes, numbers by their value, whatever their types; NaN is none."},
    {MONGODB(watch), .key = "watch", .type = OPTION_CHOICE, .fallback = "auto",
     .allowed = "auto|stream|poll|off", .flags = OPTION_SHARED,
     .help = "How changes are noticed: by a change stream, by comparing at intervals, or not at all (then "
             "only `sync` "
             "and the API bring anything over). `auto` takes the stream where the server has one."},
    {MONGODB(poll_interval_ms), .key = "poll_interval_ms", .type = OPTION_MS, .fallback = "10000",
     .allowed = "100.." DAY_MS, .unit = "ms", .flags = OPTION_SHARED,
     .help = "Time between two comparisons when polling."},
    {MONGODB(poll_field), .key = "poll_field", .type = OPTION_FIELD, .fallback = "", .flags = OPTION_SHARED,
     .help = "An indexed date that the application sets with each change. Polling then reads only what is "
             "newer, and "
             "everything once an hour."},
    {MONGODB(title), .key = "title", .type = OPTION_FIELD, .fallback = "", .flags = OPTION_SHARED,
     .fallback_help = "the first of `name`, `title`, `headline`, `subject`, `label` and `_id` that it has",
     .help = "The field by which lists and search results call a document. It is only shown."},
    {MONGODB(metadata), .key = "metadata", .type = OPTION_CHOICE, .fallback = "embedded",
     .allowed = "embedded|sidecar", .flags = OPTION_SHARED,
     .help =
         "Where each document's sync state is kept: in its own field `syncMetadata`, or in the collection "
         "`COLLECTION.lockstep` beside it, so that documents are never touched. Views and capped collections "
         "need `sidecar`; they are polled."},
    {MONGODB(error_codes), .key = "error_codes", .type = OPTION_CHOICE, .fallback = "precise",
     .allowed = "precise|basic", .flags = OPTION_SHARED,
     .help = "Which error codes a record may show. `basic`: only EMBEDDING_TIMEOUT, EMBEDDING_RATE_LIMIT, "
             "QDRANT_UNAVAILABLE, QDRANT_TIMEOUT, VALIDATION_ERROR and UNKNOWN, for applications whose "
             "schema allows "
             "no others; the precise code is in `errorReason` then."},
    {MONGODB(adopt_metadata), .key = "adopt_metadata", .type = OPTION_BOOL, .fallback = "no",
     .flags = OPTION_SHARED,
     .help = "Whether a field `syncMetadata` that another program wrote may be overwritten. With `no`, the "
             "first start on a collection with such a document is refused (exit status 2), unless it has "
             "`metadata = sidecar`."},
    {MONGODB(create_indexes), .key = "create_indexes", .type = OPTION_BOOL, .fallback = "yes",
     .flags = OPTION_SHARED, .help = "Make the MongoDB indexes that Lockstep's own queries need, at start."},
    {MONGODB(max_delete_percent), .key = "max_delete_percent", .type = OPTION_SIZE, .fallback = "50",
     .allowed = "0..100", .flags = OPTION_SHARED,
     .help =
         "When at least 100 points of a collection, and more than this part of them, have no document, as "
         "after a database was restored empty, none is deleted until `lockstep sync --allow-deletes`. "
         "Deletes that the change stream reports are never held. With `watch = poll` every delete is found "
         "by comparing, so the limit holds for all. `100` switches it off."},

    /* ---- [qdrant] ---- */
    {QDRANT(url), .key = "url", .type = OPTION_URL, .fallback = "http://127.0.0.1:6333",
     .help = "Qdrant's REST address."},
    {QDRANT(api_key), .key = "api_key", .type = OPTION_SECRET, .fallback = "",
     .help = "The API key. Prefer `api_key_file` or a variable."},
    {QDRANT(api_key), .key = "api_key_file", .type = OPTION_SECRET_FILE, .fallback = "",
     .file_offset = offsetof(struct config_qdrant, api_key_file),
     .help = "A file whose only line is the API key. It is read again every minute, and when the key is "
             "refused."},
    {QDRANT(timeout_ms), .key = "timeout_ms", .type = OPTION_MS, .fallback = "5000", .allowed = "100..600000",
     .unit = "ms", .help = "How long one request may take. Must be shorter than `lease_ms` of [worker]."},
    {QDRANT(collection_prefix), .key = "collection_prefix", .type = OPTION_QDRANT_NAME, .fallback = "",
     .help =
         "Put before the name of every Qdrant collection, so that several installations can share a server."},
    {QDRANT(alias), .key = "alias", .type = OPTION_BOOL, .fallback = "yes",
     .help =
         "A Qdrant collection that has to be made is called NAME_v1 and gets NAME as its alias, so that "
         "another "
         "can take its place in one step. `no`: it is called NAME itself, for programs that list collections "
         "and make what is missing. One that exists under NAME is used as it is, either way."},
    {QDRANT(point_id), .key = "point_id", .type = OPTION_CHOICE, .fallback = "uuidv5",
     .allowed = "uuidv5|prefixed-sha1",
     .help = "How point ids are made of business ids: as UUIDv5 under `namespace`, or from the SHA-1 of "
             "`point_id_prefix`, a colon and the id, for collections that an earlier system filled."},
    {QDRANT(point_id_prefix), .key = "point_id_prefix", .type = OPTION_STRING, .fallback = "",
     .help = "With `point_id = prefixed-sha1`: what stands before the colon."},
    {QDRANT(namespace_uuid), .key = "namespace", .type = OPTION_UUID,
     .fallback = "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
     .help =
         "With `point_id = uuidv5`: the namespace. Another one makes other ids, and so every point anew."},

    /* ---- [embedding] ---- */
    {EMBEDDING(provider), .key = "provider", .type = OPTION_CHOICE, .fallback = "words",
     .allowed = "openai|ollama|tei|words|hash", .flags = OPTION_SHARED,
     .help = "`openai` speaks to OpenAI and to everything with the same API (vLLM, llama.cpp, LocalAI, ...), "
             "`ollama` and "
             "`tei` (Hugging Face's Text Embeddings Inference) to theirs. `words` is built in and needs no "
             "server: English "
             "word vectors. `hash` is built in too, and only for tests and benchmarks: it knows no meaning."},
    {EMBEDDING(url), .key = "url", .type = OPTION_URL, .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .fallback_help =
         "openai: `https://api.openai.com`; ollama: `http://127.0.0.1:11434`; tei: `http://127.0.0.1:8080`",
     .help =
         "The server's address. With `openai`, `/v1/embeddings` is added to its path; only `/embeddings` if "
         "that ends in a version (`/v1`, `/v1beta/openai`) or in `/openai/deployments/NAME`; nothing if it "
         "ends in `/embeddings`. A query (`?api-version=...`) stays where it is, and is not shown."},
    {EMBEDDING(model), .key = "model", .type = OPTION_STRING, .fallback = "",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "The model's name. `openai` and `ollama` need one. With `tei`, where the server has only one, "
             "naming it "
             "lets Lockstep notice when it is another. Another name embeds everything again."},
    {EMBEDDING(query_model), .key = "query_model", .type = OPTION_STRING,
     .flags = OPTION_SHARED | OPTION_ENDPOINT, .fallback = "", .fallback_help = "the same as `model`",
     .help = "The model for the texts of searches, where it is called otherwise than that for documents."},
    {EMBEDDING(document_prefix), .key = "document_prefix", .type = OPTION_STRING, .fallback = "",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "Put before each document's text, for models that want it (E5: `\"passage: \"`; the quotes keep "
             "the space)."},
    {EMBEDDING(query_prefix), .key = "query_prefix", .type = OPTION_STRING, .fallback = "",
     .flags = OPTION_SHARED | OPTION_ENDPOINT, .help = "Put before a search's text (E5: `\"query: \"`)."},
    {EMBEDDING(dimensions), .key = "dimensions", .type = OPTION_SIZE, .fallback = "0", .allowed = "0..65536",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "How long vectors shall be, for models that can be asked (and for `hash`). 0 takes what the "
             "model gives."},
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
     .help = "The most texts in one request. 0 takes what the provider is known to bear, or says it does."},
    {EMBEDDING(max_batch_tokens), .key = "max_batch_tokens", .type = OPTION_SIZE, .fallback = "0",
     .allowed = "0..10000000", .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help = "The most tokens in one request, by estimate. 0 takes what the provider is known to bear."},
    {EMBEDDING(concurrency), .key = "concurrency", .type = OPTION_SIZE, .fallback = "4", .allowed = "1..64",
     .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help =
         "The most requests at a time. When the server says it is too many, there are fewer for a while."},
    {EMBEDDING(encoding), .key = "encoding", .type = OPTION_CHOICE, .fallback = "auto",
     .allowed = "auto|float|base64", .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help =
         "With `openai`: how vectors are asked for. `auto` embeds one word in both forms, and uses base64, "
         "which is a third of the size, where that gives the same vector."},
    {EMBEDDING(timeout_ms), .key = "timeout_ms", .type = OPTION_MS, .fallback = "60000",
     .allowed = "100..3600000", .unit = "ms", .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help =
         "How long one request may take. A text in one that took longer is sent with fewer others the next "
         "time, and alone in the end."},
    {EMBEDDING(load_timeout_ms), .key = "load_timeout_ms", .type = OPTION_MS, .fallback = "300000",
     .allowed = "100..3600000", .unit = "ms", .flags = OPTION_SHARED | OPTION_ENDPOINT,
     .help =
         "How long one may take while the model may have to be loaded: the first after the start, and after "
         "the server failed. Not shorter than `timeout_ms`."},
    {EMBEDDING(path), .key = "path", .type = OPTION_PATH, .fallback = "",
     .flags = OPTION_SHARED | OPTION_ENDPOINT, .fallback_help = "the one that is installed",
     .help = "With `words`: the file of word vectors."},
    {EMBEDDING(cache_bytes), .key = "cache_mb", .type = OPTION_MEGABYTES, .fallback = "64",
     .allowed = "0..65536", .unit = "MB",
     .help = "Memory for vectors of texts that were embedded lately, so that equal texts cost nothing."},
    {IN(SECTION_EMBEDDING, config_collection, max_text_bytes), .key = "max_text_bytes", .type = OPTION_SIZE,
     .fallback = "32768", .allowed = "1..16777216", .unit = "bytes",
     .flags = OPTION_SHARED | OPTION_OF_COLLECTION,
     .help = "A longer text is cut, at a character, before it is embedded."},

    /* ---- [worker] ---- */
    {WORKER(enabled), .key = "enabled", .type = OPTION_BOOL, .fallback = "yes",
     .alias = "SYNC_WORKER_ENABLED",
     .help = "`no` means no cycles and no retries; changes are still followed."},
    {WORKER(interval_ms), .key = "interval_ms", .type = OPTION_MS, .fallback = "60000",
     .allowed = "100.." DAY_MS, .unit = "ms", .alias = "SYNC_WORKER_INTERVAL_MS",
     .help = "Time between two cycles."},
    {WORKER(lease_ms), .key = "lease_ms", .type = OPTION_MS, .fallback = "10000", .allowed = "1000..600000",
     .unit = "ms",
     .help =
         "How long the right to write, which only one process has, holds without being renewed. Longer than "
         "`timeout_ms` of [qdrant]; after a crash the next process waits this long."},
    {WORKER(batch_size), .key = "batch_size", .type = OPTION_SIZE, .fallback = "100", .allowed = "1..10000",
     .alias = "SYNC_WORKER_BATCH_SIZE",
     .help = "Documents taken at a time; a cycle goes on until nothing is due."},
    {WORKER(max_retries), .key = "max_retries", .type = OPTION_INT, .fallback = "5", .allowed = "0..1000",
     .alias = "SYNC_MAX_RETRIES",
     .help = "How often a document is tried again after an error that is its own. Servers that are down, "
             "slow or busy "
             "don't count."},
    {WORKER(base_backoff_ms), .key = "base_backoff_ms", .type = OPTION_MS, .fallback = "5000",
     .allowed = "1.." DAY_MS, .unit = "ms", .alias = "SYNC_BASE_BACKOFF_MS",
     .help = "The wait before the first retry."},
    {WORKER(backoff_multiplier), .key = "backoff_multiplier", .type = OPTION_REAL, .fallback = "2",
     .allowed = "1..100", .alias = "SYNC_BACKOFF_MULTIPLIER",
     .help = "By how much each further wait is longer."},
    {WORKER(max_backoff_ms), .key = "max_backoff_ms", .type = OPTION_MS, .fallback = "300000",
     .allowed = "1.." DAY_MS, .unit = "ms", .alias = "SYNC_MAX_BACKOFF_MS",
     .help = "The longest wait, unless the server asks for a longer one."},
    {WORKER(jitter), .key = "jitter", .type = OPTION_REAL, .fallback = "0.1", .allowed = "0..1",
     .help = "The part of each wait that is left to chance, so that retries don't come all at once."},

    /* ---- [api] ---- */
    {.section = SECTION_API,
     .key = "listen",
     .type = OPTION_LISTEN,
     .fallback = "127.0.0.1:4003",
     .help = "Address and port (`[::1]:4003`; port 0 takes a free one), `unix:/PATH` for a Unix socket, or "
             "`off`. Any address but loopback needs a token."},
    {IN(SECTION_API, config_api, token), .key = "token", .type = OPTION_SECRET, .fallback = "",
     .help = "The bearer token that callers must show. Prefer `token_file` or a variable."},
    {IN(SECTION_API, config_api, token), .key = "token_file", .type = OPTION_SECRET_FILE, .fallback = "",
     .help = "A file whose only line is the token."},
    {IN(SECTION_API, config_api, read_token), .key = "read_token", .type = OPTION_SECRET, .fallback = "",
     .help = "Another token, for those who may read everything and change nothing."},
    {IN(SECTION_API, config_api, read_token), .key = "read_token_file", .type = OPTION_SECRET_FILE,
     .fallback = "", .help = "A file whose only line is the token that may only read."},
    {IN(SECTION_API, config_api, public_status), .key = "public_status", .type = OPTION_CHOICE,
     .fallback = "counts", .allowed = "counts|all|no",
     .help = "What is answered without the token: `counts` answers `/api/sync/status` and "
             "`/api/sync/worker/status`, `all` also the lists `/api/sync/SOURCE` (ids, names and error "
             "messages of documents), `no` neither."},
    {IN(SECTION_API, config_api, socket_trust), .key = "socket_trust", .type = OPTION_BOOL, .fallback = "no",
     .help = "`yes` answers callers of a Unix socket without the token, unless a proxy passed the call on. "
             "With `no` they need it like all others."},
    {IN(SECTION_API, config_api, allow_origins), .key = "allow_origins", .type = OPTION_LIST, .fallback = "",
     .help = "Origins of other sites whose pages may call (`https://admin.example`), with commas."},
    {IN(SECTION_API, config_api, tls_certificate), .key = "tls_certificate", .type = OPTION_PATH,
     .fallback = "",
     .help =
         "A file with the certificate (and those between it and a known authority) in PEM form: calls are "
         "taken by HTTPS then."},
    {IN(SECTION_API, config_api, tls_key), .key = "tls_key", .type = OPTION_PATH, .fallback = "",
     .help = "A file with the certificate's private key in PEM form, without a password."},

    /* ---- [log] ---- */
    {IN(SECTION_LOG, config_log, level), .key = "level", .type = OPTION_CHOICE, .fallback = "info",
     .allowed = "debug|info|warn|error|off", .help = "The least important messages to show."},
    {IN(SECTION_LOG, config_log, format), .key = "format", .type = OPTION_CHOICE, .fallback = "text",
     .allowed = "text|json", .help = "Lines of key=value, or one JSON object per line."},

    /* ---- [plugins] ---- */
    {IN(SECTION_PLUGINS, config, plugin_paths), .key = "path", .type = OPTION_FOLDERS, .fallback = "",
     .help = "Folders to look for plugins in, before the one of the installation."},

    /* ---- [collection:NAME] ---- */
    {COLLECTION(enabled), .key = "enabled", .type = OPTION_BOOL, .fallback = "yes",
     .help = "`no` leaves its points as they are (`lockstep forget NAME` deletes them)."},
    {COLLECTION(plugin), .key = "plugin", .type = OPTION_NAME, .fallback_help = "the collection's name",
     .help = "What makes text and payload of a document. `fields` does what this section says, and needs no "
             "code."},
    {.section = SECTION_COLLECTION,
     .key = "source",
     .type = OPTION_REFERENCE,
     .fallback_help = "the first: [mongodb]",
     .help = "The source whose documents it holds."},
    {COLLECTION(qdrant_collection), .key = "qdrant_collection", .type = OPTION_QDRANT_NAME,
     .fallback_help = "the collection's name",
     .help =
         "Its name in Qdrant, before which `collection_prefix` is put. If there is none, one is made as "
         "`NAME_v1` with NAME as its alias, or as NAME (`alias` of [qdrant]); not before the source has a "
         "document."},
    {COLLECTION(distance), .key = "distance", .type = OPTION_CHOICE, .fallback = "Cosine",
     .allowed = "Cosine|Dot|Euclid|Manhattan",
     .help = "How Qdrant compares vectors, when the collection is made."},
    {COLLECTION(watched), .key = "watched", .type = OPTION_LIST, .fallback_help = "what the plugin declares",
     .help = "The fields that make the text that is embedded, each with a weight if it isn't 1: `name 3, "
             "tagline`."},
    {COLLECTION(sentences), .key = "sentences", .type = OPTION_LIST,
     .fallback_help = "what the plugin declares",
     .help = "Added to the text: `Available on {platforms}`. `{field| and }` joins by ` and ` instead of a "
             "comma. Left out "
             "unless each of its fields has something. A sentence with a comma outside braces needs quotes."},
    {COLLECTION(payload), .key = "payload", .type = OPTION_LIST, .fallback_help = "what the plugin declares",
     .help = "The fields that go into the payload besides the watched ones: `slug, status as state, "
             "address.city`. A dotted field becomes nested objects, as in the document."},
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
