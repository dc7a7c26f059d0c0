/* host.h - a plugin's callback, called: what it may use, and what it left behind. Private to plugin/. */
#ifndef LOCKSTEP_PLUGIN_HOST_H
#define LOCKSTEP_PLUGIN_HOST_H

#include <stdatomic.h>

#include "plugin/plugin.h"

/* What one document may take through alloc(), string() and strings() together, and through put(). Past it the
 * document is refused with VALIDATION_ERROR. */
#define HOST_ALLOC_MAX_BYTES ((size_t)16 << 20)
#define HOST_PUT_MAX_BYTES ((size_t)8 << 20)

enum host_call { HOST_OPEN, HOST_TEXT, HOST_PAYLOAD_MORE };

/* Who calls. Borrowed. */
struct host_caller {
    const struct lks_plugin *plugin;
    const char *collection;
    void *self;
    _Atomic(const char *) *running; /* says which call runs while it does */
};

/*
 * Makes the call and returns its verdict, or, if the host had to refuse something, what that comes to. With
 * other than LKS_OK and LKS_SKIP `err` names collection, plugin, call, document and reason. `m` and `doc` are
 * NULL for HOST_OPEN.
 */
lks_verdict host_run(const struct host_caller *caller, enum host_call call, struct making *m,
                     const bson_t *doc, struct lks_err *err);

#endif
