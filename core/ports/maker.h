/* maker.h - requests to the maker: what a collection makes of documents. */
#ifndef LOCKSTEP_PORTS_MAKER_H
#define LOCKSTEP_PORTS_MAKER_H

#include "collection/made.h"
#include "model/change.h"

/* Text, payload, hashes and point id of documents, for one collection. */
struct req_make {
    size_t collection;
    const struct source_document **docs; /* the array is owned, the documents are borrowed */
    size_t count;
    /* out */
    struct made *made; /* owned; one per document */
};

#endif
