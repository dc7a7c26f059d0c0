/* fault_answer.h - what becomes of an answer under a fault. */
#ifndef DOUBLE_QDRANT_HTTP_FAULT_ANSWER_H
#define DOUBLE_QDRANT_HTTP_FAULT_ANSWER_H

#include "qdrant_http/faults.h"
#include "qdrant_http/message.h"

/* Waits, replaces and garbles as the fault says; `otherwise` is the body of an error without one of its own.
 */
void fault_answer(struct faults *faults, const struct fault *fault, struct response *out,
                  const char *otherwise);

#endif
