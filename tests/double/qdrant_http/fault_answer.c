/* fault_answer.c - see fault_answer.h. It owns nothing. */
#include "qdrant_http/fault_answer.h"

static void garble(struct response *out, const struct fault *fault)
{
    switch (fault->garble) {
    case GARBLE_NONE:
        break;
    case GARBLE_TRUNCATE:
        out->body.bytes /= 2;
        break;
    case GARBLE_NOISE:
        for (size_t i = 0; i < out->body.bytes; i += 3) out->body.data[i] = (char)(0x80 | i);
        break;
    case GARBLE_CUT:
        out->twist = TWIST_CUT;
        break;
    }
}

void fault_answer(struct faults *faults, const struct fault *fault, struct response *out,
                  const char *otherwise)
{
    if (fault->status) {
        buf_clear(&out->body);
        out->status = fault->status;
        out->content_type = NULL;
        if (fault->body) {
            buf_puts(&out->body, fault->body);
            /* handlers' types are static text; this one must outlive the fault */
            if (fault->content_type) response_header(out, "Content-Type", fault->content_type);
        } else {
            buf_puts(&out->body, otherwise);
            out->content_type = "application/json";
        }
    }
    for (size_t i = 0; i < fault->header_count; i++)
        response_header(out, fault->headers[i][0], fault->headers[i][1]);
    garble(out, fault);
    faults_wait(faults, fault);
    if (fault->reset) out->twist = TWIST_RESET;
}
