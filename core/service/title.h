/* title.h - what a document is called, and what a hit of a search says of it. */
#ifndef LOCKSTEP_SERVICE_TITLE_H
#define LOCKSTEP_SERVICE_TITLE_H

#include "service/compare.h"
#include "service/search.h"

/*
 * The text at the dotted path `field` ("": none), else that of the first of `name`, `title`, `headline`,
 * `subject` and `label` which has one, else the `_id` as a person writes it. free() it; NULL when memory is
 * out.
 */
char *title_of(const char *field, const struct docid *id, const bson_t *body);

/*
 * Gives each hit its title, out of its payload or, where that has none, out of the document; and a snippet of
 * the watched fields in the payload. A MongoDB that doesn't answer leaves the `_id` as title. LKS_E_NOMEM.
 */
enum lks_code titles_fill(const struct compare_source *source, const char *field, struct search_results *out,
                          struct lks_err *err);

#endif
