/*
 * crash_points.c - kills the daemon at the step that LOCKSTEP_TEST_CRASH names. Linked into
 * tests/fault/lockstep alone, around the calls by which the engines' thread meets its adapters (ld's --wrap),
 * so that the program that gets installed knows nothing of it.
 *
 *     LOCKSTEP_TEST_CRASH=upsert:reply:3     SIGKILL at the third such step
 *
 * KIND is that of a request (ports/ports.h). The moments:
 *     submit   decided, and not sent
 *     sent     handed to the adapter: it may or may not get as far as the server
 *     reply    the server has answered, and the engine has not heard of it
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "embed/embed.h"
#include "engine/engine.h"
#include "mongo/mongo.h"
#include "qdrant/qdrant.h"

struct crash_point {
    char kind[32], moment[16];
    unsigned left; /* 0: none is wanted, or it is not read yet */
};

static struct crash_point wanted;

static void step(const struct req *req, const char *moment)
{
    if (wanted.left == 0 || strcmp(moment, wanted.moment) != 0 ||
        strcmp(req_kind_name(req->kind), wanted.kind) != 0 || --wanted.left > 0)
        return;
    fprintf(stderr, "crash point %s:%s\n", wanted.kind, wanted.moment);
    kill(getpid(), SIGKILL);
}

__attribute__((constructor)) static void read_request(void)
{
    const char *request = getenv("LOCKSTEP_TEST_CRASH");
    if (!request || sscanf(request, "%31[a-z_]:%15[a-z]:%u", wanted.kind, wanted.moment, &wanted.left) == 3)
        return;
    fprintf(stderr, "LOCKSTEP_TEST_CRASH: KIND:MOMENT:COUNT is wanted, not %s\n", request);
    exit(2);
}

/* ---- the way out ---- */

#define MOST_PORTS 64

static struct port real_ports[MOST_PORTS]; /* filled before the first request */
static size_t port_count;

static void submit(void *self, struct req *req)
{
    const struct port *real = self;
    const struct req copy = {.kind = req->kind}; /* once submitted it is the adapter's */
    step(req, "submit");
    real->submit(real->self, req);
    step(&copy, "sent");
}

static struct port watched(struct port real)
{
    if (port_count == MOST_PORTS) abort();
    real_ports[port_count] = real;
    return (struct port){&real_ports[port_count++], submit};
}

/* The linker's names for the wrapped call and the real one. */
#define WATCH(function, type)                                                                                \
    struct port __real_##function(type *of);                                                                 \
    struct port __wrap_##function(type *of);                                                                 \
    struct port __wrap_##function(type *of)                                                                  \
    {                                                                                                        \
        return watched(__real_##function(of));                                                               \
    }
WATCH(mongo_source_port, struct mongo)
WATCH(mongo_store_port, struct mongo)
WATCH(embed_port, struct embedders)
WATCH(qdrant_port, struct qdrant)

/* ---- the way back ---- */

void __real_engine_handle(struct engine *e, struct req *req);
void __wrap_engine_handle(struct engine *e, struct req *req);

void __wrap_engine_handle(struct engine *e, struct req *req)
{
    step(req, "reply");
    __real_engine_handle(e, req);
}
