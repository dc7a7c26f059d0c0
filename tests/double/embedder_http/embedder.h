/*
 * embedder.h - a stand-in for an embedding server: OpenAI's, Ollama's and TEI's interface over vectors made
 * by feature hashing, so that the same text has the same vector everywhere and similar texts similar ones.
 *
 * Thread-safe. Like server.h of the Qdrant stand-in it knows no sockets.
 */
#ifndef DOUBLE_EMBEDDER_HTTP_EMBEDDER_H
#define DOUBLE_EMBEDDER_HTTP_EMBEDDER_H

#include "qdrant_http/faults.h"
#include "qdrant_http/message.h"

#define EMBEDDER_MOST_INPUTS 2048

struct embedder_log;

struct embedder {
    uint32_t dimensions; /* of the model; a request may ask for others */
    const char *model;   /* the only one there is, or NULL: any */
    const char *api_key;
    uint32_t most_inputs_tei;
    struct faults *faults;
    struct embedder_log *log; /* the texts that were embedded */
};

void embedder_init(struct embedder *e, uint32_t dimensions);
void embedder_fini(struct embedder *e);
/* Answers one request; `out` is initialised here. */
void embedder_handle(struct embedder *e, const struct request *request, struct response *out);

/* Writes the vector of a text: `dimensions` floats of length one. */
void embedder_vector(const char *text, size_t bytes, uint32_t dimensions, float *out);
/* How many tokens a text has: words, for want of a tokenizer. */
uint64_t embedder_tokens(const char *text, size_t bytes);

/* control.c: requests under /__double/; false if the target is none of them. */
bool embedder_control(struct embedder *e, const struct request *request, struct response *out);

/* log.c: the texts, oldest first, the newest 10,000 of them. */
struct embedder_log *embedder_log_new(void);
void embedder_log_free(struct embedder_log *log);
void embedder_log_add(struct embedder_log *log, const char *text, size_t bytes);
void embedder_log_write(struct embedder_log *log, struct buf *out);
void embedder_log_clear(struct embedder_log *log);

#endif
