/* answers_list.h - what lists have in common: pages. Private to this room. */
#ifndef LOCKSTEP_API_ANSWERS_LIST_H
#define LOCKSTEP_API_ANSWERS_LIST_H

#include "api/call.h"

/* `page`, `limit` and `search` of the query. False: 400 was answered. */
bool list_read_page(struct call *call, struct mongo_list_request *request, long *page);
/* `{page, limit, total, totalPages}`, and `atLeast: true` where counting took too long. */
json_t *list_pagination(const struct mongo_list *list, const struct mongo_list_request *request, long page);

#endif
