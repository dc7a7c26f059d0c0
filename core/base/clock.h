/*
 * clock.h - the monotonic clock, for waiting and measuring, which never jumps; the one that goes on while the
 * machine is suspended, for leases and deadlines; and that on the wall. Any thread.
 */
#ifndef LOCKSTEP_BASE_CLOCK_H
#define LOCKSTEP_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds since some moment in the past. */
int64_t clock_ms(void);
/* The same in microseconds. */
int64_t clock_us(void);
/*
 * Milliseconds since some moment in the past, the time in which the machine was suspended included: what a
 * lease, or a deadline that another process relies on, is measured by. It never goes back. Not for waiting:
 * waits take durations, by the clock above.
 */
int64_t clock_boot_ms(void);
/* Milliseconds since 1970 UTC: for dates, not for waiting. */
int64_t clock_wall_ms(void);
/* The moment in this many milliseconds, as pthread_cond_timedwait() takes it for a condition of
 * clock_cond_init(). */
struct timespec clock_in_ms(int64_t wait_ms);
/* A condition whose waits are measured by the monotonic clock; pthread_cond_destroy() ends it. False when the
 * system refuses, which Linux never does. */
bool clock_cond_init(pthread_cond_t *cond);

#endif
