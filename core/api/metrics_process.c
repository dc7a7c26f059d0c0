/* metrics_process.c - the HTTP API's own requests; and the process, under the names that Prometheus' clients
 * use for it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "api/metrics.h"
#include "config.h"

/* ---- the API ---- */

static void put_api(struct buf *out, const struct call_counts *call_counts)
{
    static const char requests[] = "lockstep_http_requests_total",
                      took[] = "lockstep_http_request_duration_seconds";
    char path[CALL_COUNTS_PATH_BYTES], status[8];
    const char *method;
    metrics_family(out, requests, "counter", "Requests to the HTTP API, by route and status.");
    for (size_t row = 0; row < call_counts_rows(call_counts); row++) {
        call_counts_name(call_counts, row, &method, path);
        for (size_t column = 0; call_counts_status(column); column++) {
            uint64_t count = call_counts_count(call_counts, row, column);
            if (!count) continue; /* most never occur */
            snprintf(status, sizeof status, "%d", call_counts_status(column));
            metrics_sample(out, requests,
                           LABELS({"method", method}, {"route", path},
                                  {"status", call_counts_status(column) < 0 ? "other" : status}),
                           (double)count);
        }
    }
    metrics_family(out, took, "histogram",
                   "How long making an answer took, from the request's first line on, by route.");
    for (size_t row = 0; row < call_counts_rows(call_counts); row++) {
        struct histogram h = call_counts_took(call_counts, row);
        if (histogram_count(&h) == 0) continue;
        call_counts_name(call_counts, row, &method, path);
        metrics_histogram(out, took, LABELS({"method", method}, {"route", path}), &h);
    }
}

/* ---- the process ---- */

/* Fields of /proc/self/stat behind the name, which may hold anything. */
struct proc_stat {
    unsigned long long virtual_bytes, started_ticks;
    long resident_pages;
};

static bool read_stat(struct proc_stat *out)
{
    char text[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    size_t bytes = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[bytes] = '\0';
    const char *at = strrchr(text, ')');
    if (!at) return false;
    for (int field = 2; field < 22 && at; field++) at = strchr(at + 1, ' '); /* to field 22 of proc(5) */
    return at &&
           sscanf(at, " %llu %llu %ld", &out->started_ticks, &out->virtual_bytes, &out->resident_pages) == 3;
}

/* When the machine was started, in seconds since 1970; -1 if it isn't known. */
static double boot_seconds(void)
{
    char line[256];
    long long seconds = -1;
    FILE *f = fopen("/proc/stat", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "btime %lld", &seconds) == 1) break;
    if (f) fclose(f);
    return (double)seconds;
}

static int open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = -1; /* the folder itself is open */
    for (const struct dirent *e; folder && (e = readdir(folder)) != NULL;) count += e->d_name[0] != '.';
    if (folder) closedir(folder);
    return count;
}

static void put_one(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    if (value < 0) return;
    metrics_family(out, name, type, help);
    metrics_sample(out, name, NULL, value);
}

static void put_process(struct buf *out)
{
    struct timespec cpu;
    struct rlimit files = {.rlim_cur = 0};
    struct proc_stat stat = {.resident_pages = -1};
    bool reported = read_stat(&stat);
    double boot = boot_seconds();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    put_one(out, "process_cpu_seconds_total", "counter", "User and system CPU time that was spent.",
            (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    put_one(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
            reported ? (double)stat.resident_pages * (double)sysconf(_SC_PAGESIZE) : -1);
    put_one(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.",
            reported ? (double)stat.virtual_bytes : -1);
    put_one(out, "process_open_fds", "gauge", "Open files and connections.", open_files());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        put_one(out, "process_max_fds", "gauge", "Files and connections that may be open.",
                (double)files.rlim_cur);
    put_one(out, "process_start_time_seconds", "gauge", "When the process was started, since 1970.",
            reported && boot > 0 ? boot + (double)stat.started_ticks / (double)sysconf(_SC_CLK_TCK) : -1);
}

void metrics_process(struct buf *out, const struct call_counts *call_counts)
{
    metrics_family(out, "lockstep_build_info", "gauge", "1, with the program's version as a label.");
    metrics_sample(out, "lockstep_build_info", LABELS({"version", PACKAGE_VERSION}), 1);
    put_api(out, call_counts);
    put_process(out);
}
