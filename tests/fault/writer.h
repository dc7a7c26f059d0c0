/* writer.h - an application on a thread of its own, which edits documents at random until it is stopped. */
#ifndef LOCKSTEP_TESTS_FAULT_WRITER_H
#define LOCKSTEP_TESTS_FAULT_WRITER_H

#include <stdint.h>

#include "live/harness.h"

struct writer;

/* Edits `ids` documents of w->tools by random_edit(), with a pause of about `pause_ms` after each. */
struct writer *writer_start(struct live *w, uint64_t seed, uint64_t ids, int pause_ms);
/* Waits for its last write. How many writes MongoDB took. */
uint64_t writer_stop(struct writer *writer);

#endif
