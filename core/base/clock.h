/* clock.h - the monotonic clock, for waiting and measuring, which never jumps; and that on the wall. Any
 * thread. */
#ifndef LOCKSTEP_BASE_CLOCK_H
#define LOCKSTEP_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since some moment in the past. */
int64_t clock_ms(void);
/* The same in microseconds. */
int64_t clock_us(void);
/* Milliseconds since 1970 UTC: for dates, not for waiting. */
int64_t clock_wall_ms(void);
/* The moment in so many milliseconds, as pthread_cond_timedwait() takes it with CLOCK_MONOTONIC. */
struct timespec clock_in_ms(int64_t wait_ms);

#endif
