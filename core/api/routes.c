/* routes.c - the table of what can be asked, and by whom. The first path that fits counts: names before `*`.
 */
#include "api/call.h"

const struct route routes[] = {
    {"GET", "/healthz", ACCESS_OPEN, answer_healthz},
    {"GET", "/readyz", ACCESS_OPEN, answer_readyz},
    {"GET", "/metrics", ACCESS_READ, answer_metrics},
    {"GET", "/api/jobs", ACCESS_READ, answer_jobs},
    {"POST", "/api/jobs", ACCESS_WRITE, answer_job_new},
    {"GET", "/api/jobs/*", ACCESS_READ, answer_job},
    {"DELETE", "/api/jobs/*", ACCESS_WRITE, answer_job_stop},
    {"GET", "/api/search", ACCESS_READ, answer_search},
    {"GET", "/api/sync/events", ACCESS_READ, answer_events},
    {"GET", "/api/sync/status", ACCESS_COUNTS, answer_status},
    {"GET", "/api/sync/worker/status", ACCESS_COUNTS, answer_worker},
    {"GET", "/api/sync/worker/state", ACCESS_READ, answer_worker_state},
    {"GET", "/api/sync/worker/history", ACCESS_READ, answer_worker_history},
    {"GET", "/api/sync/worker/problems", ACCESS_READ, answer_worker_problems},
    {"POST", "/api/sync/worker/run", ACCESS_WRITE, answer_worker_run},
    {"POST", "/api/sync/batch", ACCESS_WRITE, answer_batch},
    {"POST", "/api/sync/all-pending", ACCESS_WRITE, answer_all_pending},
    {"POST", "/api/sync/reset/*", ACCESS_WRITE, answer_reset},
    {"GET", "/api/sync/*", ACCESS_LISTS, answer_list},
    {"GET", "/api/sync/*/*", ACCESS_READ, answer_entry},
    {"GET", "/api/sync/*/*/compare", ACCESS_READ, answer_compare},
    {"POST", "/api/sync/*/*/retry", ACCESS_WRITE, answer_retry},
    {"GET", "/api/*", ACCESS_READ, answer_documents},
    {"POST", "/api/*", ACCESS_WRITE, answer_create},
    {"GET", "/api/*/*", ACCESS_READ, answer_document},
    {"PATCH", "/api/*/*", ACCESS_WRITE, answer_patch},
    {"DELETE", "/api/*/*", ACCESS_WRITE, answer_delete},
};
const size_t route_count = sizeof routes / sizeof *routes;
