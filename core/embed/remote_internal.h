/* remote_internal.h - what the files remote*.c share: the state of one embedder that speaks to a server. */
#ifndef LOCKSTEP_EMBED_REMOTE_INTERNAL_H
#define LOCKSTEP_EMBED_REMOTE_INTERNAL_H

#include "embed/batch.h"
#include "embed/embed_verdict.h"
#include "embed/embedder.h"

#define MODEL_BYTES 200
#define COMPANY_MOST 256

struct remote {
    const struct provider *provider;
    size_t batch_size;   /* as configured, reported by the server, or known of the provider */
    size_t batch_cap;    /* at most this for now: halved when a request took too long */
    double window;       /* how many requests at a time: additive up, halved when the server is busy */
    uint64_t good;       /* requests that went well so far */
    size_t flying;       /* of `away`, those that take a place of the window */
    size_t beside;       /* and those that hang, and take none */
    int64_t proof_us;    /* when the newest request was sent that was answered */
    int64_t answered_us; /* when something was answered after the model may have had to load */
    int64_t probed_us;   /* when the last probe was sent to find out */
    int64_t text_us;     /* how long a text takes, guessed high */
    bool info_known;     /* /info was asked, or need not be */
    bool info_away;
    bool probe_open;               /* a probe of our own is ready or under way */
    char wrong_model[MODEL_BYTES]; /* what the server has instead of the configured model */

    struct item *line; /* texts that wait: line[head..tail) */
    size_t head, tail, space;
    struct embed_batch *ready;    /* made already, to be sent before the line */
    struct embed_batch *suspects; /* waiting for a proof that the server embeds */
    struct embed_batch *away;     /* under way, by away_next */
    size_t dimensions;            /* of the last vectors; 0: none yet */
    float *plain;                 /* owned: the fixed word's vector, as numbers; to compare base64 with */
    size_t plain_count;
    bool checking;     /* a BATCH_CHECK is ready or under way */
    bool base64_works; /* it was answered */
    uint64_t probes;   /* of our own, so far */
    bool loading;      /* nothing was answered since the start, or since a circuit opened */
    size_t bytes_max;  /* of the texts in a request, as a refusal taught; 0: any number */

    /* Texts that failed while others did not, and with how many they may be sent at most. */
    struct company {
        uint64_t text; /* hash */
        size_t most;   /* 0: unused */
    } company[COMPANY_MOST];
    size_t company_count, company_next;
};

/* remote_outcome.c: a text, or all that hang on a batch, a list or the line, come to their end. */
/* One text less without an outcome; with the last one the engine's request is posted. */
void remote_job_less(struct embedder *e, struct embed_job *job);
void remote_item_over(struct embedder *e,
                      struct embed_job *job); /* it has its vector, or its error is noted */
void remote_item_fail(struct embedder *e, const struct item *item, const struct lks_err *err);
void remote_fail_items(struct embedder *e, struct embed_batch *b,
                       const struct lks_err *err); /* keeps the batch */
void remote_fail_probe(struct embedder *e, struct embed_batch *b,
                       const struct lks_err *err); /* keeps the batch */
void remote_fail_line(struct embedder *e, const struct lks_err *err);
void remote_fail_list(struct embedder *e, struct embed_batch **list,
                      const struct lks_err *err); /* frees them */
void remote_out_of_memory(struct lks_err *err);
void remote_push(struct embed_batch **list, struct embed_batch *b);
/* Posts the engine's request if all its texts without an outcome hang, and there are others. */
void remote_release(struct embedder *e, struct embed_job *job);

/* remote_send.c */
/* Sends a probe of our own at once. */
void remote_probe_now(struct embedder *e);

/* remote_hang.c: looks for requests that hang. When it has to be called again by itself. */
int64_t remote_watch(struct embedder *e);
/* A request was answered with vectors. Before `loading` ends. */
void remote_answered(struct remote *r, const struct embed_batch *b);
/* The text is under way already, since a request was posted without it. */
bool remote_attach(struct embedder *e, const struct item *item);

/* remote_company.c: how many texts may travel together with this one; SIZE_MAX: any number. */
size_t company_of(const struct remote *r, const struct item *item);
/* By what its text is remembered. */
uint64_t company_text(const struct item *item);
/* From now on it travels with fewer than `count` others: half of them. */
void company_halve(struct remote *r, const struct item *item, size_t count);
/* From now on it travels alone. */
void company_alone(struct remote *r, const struct item *item);
/* It went well. */
void company_forget(struct remote *r, const struct item *item);

/* What a reply without a usable vector means for its text: LKS_E_EMBEDDING_REJECTED. */
void remote_flawed(const struct answer *answer, struct lks_err *err);
/* remote_check.c: may vectors be asked for in base64? After a probe of the engine was answered in numbers. */
void remote_check_begin(struct embedder *e, const float *vector, size_t dimensions);
/* The same word came in base64, or not (frees the batch). */
void remote_check_end(struct embedder *e, struct embed_batch *b, const struct verdict *v);
/* False, with `err`, if the model gives other dimensions than configured. */
bool remote_right_dimensions(const struct embedder *e, size_t dimensions, struct lks_err *err);

#endif
