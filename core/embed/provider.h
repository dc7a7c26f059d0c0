/* provider.h - how to ask each kind of server, and how to read what it answers. Private to embed/. Pure. */
#ifndef LOCKSTEP_EMBED_PROVIDER_H
#define LOCKSTEP_EMBED_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "embed/embed.h"

/* One request's texts; everything borrowed. */
struct ask {
    const struct embed_config *config;
    const char *model;
    const char *prefix; /* put before each text */
    const char *const *texts;
    const size_t *text_bytes;
    size_t count;
    bool base64; /* openai: ask for encoding_format base64 */
};

/* A reply's vectors, placed by text. */
struct answer {
    float **vectors; /* owned, `count` of them; NULL: missing, or with a number that is none */
    bool *taken;     /* owned, `count` of them: the reply had something for this text */
    size_t count;
    size_t dimensions; /* of all of them */
    char flaw[100];    /* of the last vector that was unusable: which element, and what stands there */
    int64_t tokens;    /* 0 if not reported */
};

struct provider {
    const char *name;
    size_t batch_size;       /* texts in a request, unless set or reported by the server */
    size_t max_batch_tokens; /* 0: no limit of its own */
    /* The address to POST to. */
    void (*url)(const struct embed_config *config, struct buf *out);
    void (*body)(const struct ask *ask, struct buf *out);
    /*
     * Reads the vectors of `count` texts. LKS_E_OK: each text has a vector, or NULL where its own was
     * unusable. LKS_E_EMBEDDING_UNAVAILABLE: this is no answer to that request, or memory
     * was out (err says how, and has LKS_E_NOMEM then).
     */
    enum lks_code (*read)(const char *reply, size_t bytes, struct answer *out, struct lks_err *err);
};

/* NULL for words and hash. */
const struct provider *provider_of(enum embed_provider provider);

/* Makes room for `count` vectors; false when memory is out. */
bool answer_init(struct answer *answer, size_t count);
void answer_fini(struct answer *answer);

/* For the providers: JSON pieces of a body. */
void body_string(struct buf *out, const char *text, size_t bytes); /* with quotes; `text` is UTF-8 */
void body_texts(struct buf *out, const struct ask *ask);           /* ["...", ...] with prefixes */

/* The address of TEI's GET /info. */
void tei_info_url(const struct embed_config *config, struct buf *out);
/* TEI's GET /info: the most inputs in a request (0: not known) and the model's name ("" if not known). */
void tei_read_info(const char *reply, size_t bytes, size_t *batch, char *model, size_t model_bytes);

extern const struct provider provider_openai, provider_ollama, provider_tei;

#endif
