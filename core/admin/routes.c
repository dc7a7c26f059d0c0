/* routes.c - the table of what can be asked, and by whom. */
#include "admin/call.h"

const struct route routes[] = {
    {"GET", "/healthz", ACCESS_OPEN, answer_healthz},
    {"GET", "/readyz", ACCESS_OPEN, answer_readyz},
    {"GET", "/metrics", ACCESS_TOKEN, answer_metrics},
    {"GET", "/api/search", ACCESS_TOKEN, answer_search},
    {"GET", "/api/sync/status", ACCESS_STATUS, answer_status},
    {"GET", "/api/sync/worker/status", ACCESS_STATUS, answer_worker},
    {"POST", "/api/sync/worker/run", ACCESS_TOKEN, answer_worker_run},
    {"POST", "/api/sync/batch", ACCESS_TOKEN, answer_batch},
    {"GET", "/api/sync/*/*", ACCESS_TOKEN, answer_entry},
    {"POST", "/api/sync/*/*/retry", ACCESS_TOKEN, answer_retry},
};
const size_t route_count = sizeof routes / sizeof *routes;
