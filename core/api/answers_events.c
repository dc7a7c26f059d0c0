/* answers_events.c - the route of the server-sent events. */
#include "api/call.h"
#include "api/streams.h"

#define RETRY_AFTER_S "10"

void answer_events(struct call *call)
{
    const struct service_source *source = NULL;
    const char *last_id = call_header(call, "Last-Event-ID");
    if (call_query(call, "source") && !(source = call_source(call))) return;
    call->stream = stream_new(call->streams, call->connection, source ? source->all.name : NULL,
                              last_id ? last_id : call_query(call, "lastEventId"));
    if (!call->stream) {
        call_answer_header(call, "Retry-After", RETRY_AFTER_S);
        call_fail(call, 503, "TOO_MANY_STREAMS", "too many clients listen to events already");
        return;
    }
    call->status = 200;
    call->type = "text/event-stream";
    call_answer_header(call, "X-Accel-Buffering", "no"); /* for a proxy that would hold events back */
}
