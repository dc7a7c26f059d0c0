/* cmd_progress.c - see cmd_progress.h. Owns nothing but the line it stands on; never writes to standard
 * output. */
#include "cli/cmd_progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR_WIDTH 30
#define BAR_EVERY_MS 200
#define LINE_EVERY_MS 2000

void progress_begin(struct progress *p, bool quiet)
{
    int64_t now = clock_ms();
    *p =
        (struct progress){.terminal = isatty(STDERR_FILENO), .quiet = quiet, .began_ms = now, .next_ms = now};
    if (!p->terminal) p->next_ms = now + LINE_EVERY_MS; /* what is done by then needs no line */
}

static void put_rate(const struct progress *p, uint64_t done, int64_t total, int64_t now)
{
    int64_t elapsed_ms = now - p->began_ms;
    if (elapsed_ms < 1000 || done == 0) return;
    fprintf(stderr, ", %llu/s", (unsigned long long)(done * 1000 / (uint64_t)elapsed_ms));
    if (total <= 0 || done >= (uint64_t)total) return;
    int64_t left_s = (int64_t)((double)elapsed_ms * ((double)total - (double)done) / (double)done / 1000);
    fprintf(stderr, ", %lld:%02lld left", (long long)(left_s / 60), (long long)(left_s % 60));
}

static void put_count(const char *label, const char *noun, uint64_t done, int64_t total)
{
    fprintf(stderr, "%s: %llu", label, (unsigned long long)done);
    if (total > 0) fprintf(stderr, " of %lld", (long long)total);
    fprintf(stderr, " %s", noun);
}

void progress_show(struct progress *p, const char *label, const char *noun, uint64_t done, int64_t total)
{
    int64_t now = clock_ms();
    if (p->quiet || now < p->next_ms) return;
    p->next_ms = now + (p->terminal ? BAR_EVERY_MS : LINE_EVERY_MS);
    if (p->terminal) {
        double target = total > 0 ? (double)done / (double)total : 0;
        int filled = (int)((target > 1 ? 1 : target) * BAR_WIDTH);
        fprintf(stderr, "\r\033[K[%.*s%.*s] ", filled, "##############################", BAR_WIDTH - filled,
                "                              ");
        p->bar_shown = true;
    }
    put_count(label, noun, done, total);
    put_rate(p, done, total, now);
    if (!p->terminal) fputc('\n', stderr);
    fflush(stderr);
}

void progress_clear(struct progress *p)
{
    if (p->bar_shown) fputs("\r\033[K", stderr);
    p->bar_shown = false;
}
