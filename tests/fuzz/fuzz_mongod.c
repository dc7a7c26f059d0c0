/*
 * fuzz_mongod.c - feeds the MongoDB stand-in with bytes. The first byte says how: as they are, in pieces, or,
 * so that more gets past the headers, as a row of documents that are each sent as a command, in BSON or in
 * lines of Extended JSON.
 */
#include "double/mongo/conn.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { AS_BYTES, IN_PIECES, AS_COMMANDS, AS_LINES, HOWS };

/* A waiting request is asked again as if something had happened; what waits for time is left waiting. */
static void settle(struct conn *c)
{
    for (int i = 0; i < 3; i++) conn_step(c);
    c->out_bytes = 0;
}

static void feed_command(struct conn *c, const uint8_t *doc, uint32_t n)
{
    uint8_t *msg = calloc(1, 21 + (size_t)n);
    if (!msg) return;
    wr32(msg, 21 + n);
    wr32(msg + 12, 2013);
    memcpy(msg + 21, doc, n);
    conn_feed(c, msg, 21 + (size_t)n);
    free(msg);
    settle(c);
}

static void feed_lines(struct conn *c, const uint8_t *data, size_t bytes)
{
    while (bytes && !c->dead && !c->req) {
        const uint8_t *end = memchr(data, '\n', bytes);
        size_t n = end ? (size_t)(end - data) : bytes;
        bson_t doc;
        if (bson_init_from_json(&doc, (const char *)data, (ssize_t)n, NULL)) {
            feed_command(c, bson_get_data(&doc), doc.len);
            bson_destroy(&doc);
        }
        data += n + (end != NULL);
        bytes -= n + (end != NULL);
    }
}

static void feed_commands(struct conn *c, const uint8_t *data, size_t bytes)
{
    while (bytes >= 5 && !c->dead) {
        uint32_t n = rd32(data);
        if (n < 5 || n > bytes) n = (uint32_t)bytes;
        feed_command(c, data, n);
        /* a command that waits would keep all others from running */
        if (c->req) return;
        data += n;
        bytes -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct server s;
    struct options opt = {.oplog_bytes = (size_t)1 << 20};
    if (!bytes) return 0;
    server_init(&s, &opt);
    struct conn *c = conn_new(&s, -1);
    int how = data[0] % HOWS;
    data++, bytes--;
    if (how == AS_BYTES) {
        conn_feed(c, data, bytes);
        settle(c);
    } else if (how == IN_PIECES) {
        for (size_t at = 0; at < bytes && !c->dead; at += 13) {
            conn_feed(c, data + at, bytes - at < 13 ? bytes - at : 13);
            settle(c);
        }
    } else if (how == AS_COMMANDS) {
        feed_commands(c, data, bytes);
    } else {
        feed_lines(c, data, bytes);
    }
    server_fini(&s);
    return 0;
}
