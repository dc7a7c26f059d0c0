/*
 * embed.h - turning texts into vectors: built in (words, hash) or by a server (openai, ollama, tei).
 *
 * Implements the embedder port of ports/ports.h. Each embedder has one thread of its own, on which texts are
 * batched, replies read and the built-in embedders compute, so that neither the engine's nor the HTTP loop's
 * thread ever waits. Retries nothing (that is the engine's), but finds the one text in a batch that a server
 * refuses, and lets its neighbours pass.
 */
#ifndef LOCKSTEP_EMBED_EMBED_H
#define LOCKSTEP_EMBED_EMBED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/meter.h"
#include "http/http.h"
#include "ports/ports.h"

enum embed_provider { EMBED_OPENAI, EMBED_OLLAMA, EMBED_TEI, EMBED_WORDS, EMBED_HASH };

/* How openai's vectors are asked for. AUTO: in base64, once that was found to be the same vectors. */
enum embed_encoding { EMBED_ENCODING_AUTO, EMBED_ENCODING_FLOAT, EMBED_ENCODING_BASE64 };

/* Settings of one embedder, as config/ resolves them: no string is NULL, "" means not set. Copied by
 * embed_open(). */
struct embed_config {
    enum embed_provider provider;
    const char *url; /* no slash at its end */
    const char *model;
    const char *query_model;     /* "": as model */
    const char *document_prefix; /* put before each document's text, and no part of what the caller passes */
    const char *query_prefix;
    const char *path;         /* words: the file; "": the installed one */
    size_t dimensions;        /* asked of the model; 0: its own. hash: 0 means 256 */
    const char *api_key;      /* "": none. Appears in no message */
    const char *api_key_file; /* "": none; read again when the key is refused, and every minute */
    int64_t timeout_ms;       /* of a request; 0: 60,000 */
    int64_t load_timeout_ms;  /* of those that may have to wait for the model to load; 0: 300,000 */
    int64_t hang_ms;          /* after which a request may hang, see remote_hang.c; 0: 5,000 */
    enum embed_encoding encoding;
    size_t batch_size;       /* texts in a request; 0: what the provider is known to bear */
    size_t max_batch_tokens; /* estimated tokens in a request; 0: likewise */
    size_t concurrency;      /* requests at a time; 0: 4 */
    size_t cache_bytes;      /* for all embedders together (the greatest holds); 0: no cache */
};

struct embedders;

/*
 * Starts one embedder per config; `embedder` in requests is the index. `http` may be NULL if none speaks to a
 * server; it must outlive embed_close(). Completions go to `inbox`. No server is asked anything yet.
 * LKS_E_CONFIG: the word vectors can't be read, or don't have the dimensions that are asked for.
 */
enum lks_code embed_open(const struct embed_config *configs, size_t count, struct http *http,
                         struct inbox inbox, struct embedders **out, struct lks_err *err);

/*
 * Posts back what is under way (LKS_E_CANCELLED) and stops. HTTP calls that still run are given up by
 * http_close(), which therefore comes after this. Nobody may submit or query any more. NULL is fine.
 */
void embed_close(struct embedders *embedders);

/* REQ_EMBED and REQ_EMBED_PROBE. Valid until embed_close(). */
struct port embed_port(struct embedders *embedders);

/*
 * The vector of a search's text, with `query_prefix` and `query_model`. Waits for the server, so never from
 * the engine's thread; any other thread may. *vector is to be freed by free(). Codes as in embed_verdict.h.
 */
enum lks_code embed_query(struct embedders *embedders, size_t embedder, const char *text, float **vector,
                          size_t *dimensions, struct lks_err *err);

/* How many dimensions the vectors of documents have: as configured, or as a probe of the server says. Waits
 * like embed_query(). */
enum lks_code embed_dimensions(struct embedders *embedders, size_t embedder, size_t *dimensions,
                               struct lks_err *err);

/*
 * What the content hash and `_lockstep.model` say about an embedder: model, configured dimensions and
 * document_prefix; for words and hash their name and version. Never a URL, never what a probe learned. For
 * words the file is read (its version is its contents). *out is to be freed by free().
 */
enum lks_code embed_fingerprint(const struct embed_config *config, char **out, struct lks_err *err);

/* For metrics: totals since embed_open(). Any thread. */
struct embed_stats {
    uint64_t texts;    /* embedded or failed, without those from the cache */
    uint64_t cached;   /* texts answered from the cache */
    uint64_t failed;   /* texts that failed */
    uint64_t requests; /* HTTP requests sent for documents and probes; built in: batches that were computed */
    uint64_t tokens;   /* as servers counted them */
    uint64_t text_bytes;        /* of the texts that were not in the cache */
    struct meter_reading meter; /* of `requests` */
};
void embed_stats(struct embedders *embedders, size_t embedder, struct embed_stats *out);

#endif
