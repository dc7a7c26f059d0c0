/* kind.c - what a request to Qdrant is for, by its method and path: for counting. Pure. */
#include <string.h>

#include "qdrant/exchange.h"

enum qdrant_request_kind request_kind(const char *method, const char *path)
{
    static const struct {
        const char *method, *path;
        enum qdrant_request_kind kind;
    } table[] = {
        {"PUT", "/points", QDRANT_UPSERT},         {"PUT", "/points/vectors", QDRANT_UPSERT},
        {"POST", "/points/batch", QDRANT_PAYLOAD}, {"POST", "/points/delete", QDRANT_DELETE},
        {"POST", "/points/scroll", QDRANT_SCROLL}, {"POST", "/points/count", QDRANT_COUNT},
        {"POST", "/points/query", QDRANT_SEARCH},  {"POST", "/points/search", QDRANT_SEARCH},
        {"POST", "/points", QDRANT_RETRIEVE},
    };
    size_t bytes = strcspn(path, "?");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strlen(table[i].path) == bytes && strncmp(table[i].path, path, bytes) == 0 &&
            strcmp(table[i].method, method) == 0)
            return table[i].kind;
    return QDRANT_MANAGE;
}

const char *qdrant_request_name(enum qdrant_request_kind kind)
{
    static const char *const names[QDRANT_REQUEST_KINDS] = {
        [QDRANT_UPSERT] = "upsert", [QDRANT_PAYLOAD] = "payload",   [QDRANT_DELETE] = "delete",
        [QDRANT_SCROLL] = "scroll", [QDRANT_RETRIEVE] = "retrieve", [QDRANT_COUNT] = "count",
        [QDRANT_SEARCH] = "search", [QDRANT_MANAGE] = "manage"};
    return names[kind];
}

void qdrant_meter(struct qdrant *q, enum qdrant_request_kind kind, struct meter_reading *out)
{
    *out = meter_read(&q->meters[kind]);
}
