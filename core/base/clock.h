/* clock.h - the monotonic clock, for waiting and measuring; it never jumps. Any thread. */
#ifndef LOCKSTEP_BASE_CLOCK_H
#define LOCKSTEP_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since some moment in the past. */
int64_t clock_ms(void);
/* The moment in so many milliseconds, as pthread_cond_timedwait() takes it with CLOCK_MONOTONIC. */
struct timespec clock_in_ms(int64_t wait_ms);

#endif
