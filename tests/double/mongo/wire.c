/*
 * wire.c - OP_MSG and OP_QUERY in, OP_MSG and OP_REPLY out. What arrives is checked here and trusted
 * afterwards. Owns nothing; a request refers to the bytes of its message.
 */
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>

enum { OPCODE_REPLY = 1, OPCODE_QUERY = 2004, OPCODE_MSG = 2013 };
enum { FLAG_CHECKSUM = 1, FLAG_MORE_TO_COME = 2, FLAG_EXHAUST_ALLOWED = 1 << 16, FLAGS_REQUIRED = 0xFFFF };

/* A document at `p` within the given bytes. */
static bool take_document(const uint8_t *p, size_t bytes, struct val *out)
{
    if (bytes < 5) return false;
    uint32_t n = rd32(p);
    if (n < 5 || n > bytes || !bval_validate(p, n)) return false;
    *out = val_doc(p);
    return true;
}

/* Puts the documents of a kind-1 section as an array into the writer. */
static bool take_sequence(const uint8_t *p, size_t bytes, struct bw *w)
{
    const uint8_t *nul = memchr(p, 0, bytes);
    if (!nul) return false;
    bw_arr(w, (const char *)p);
    const uint8_t *end = p + bytes;
    size_t n = 0;
    for (p = nul + 1; p < end; n++) {
        struct val doc;
        if (!take_document(p, (size_t)(end - p), &doc)) return false;
        bw_puti(w, n, doc);
        p += doc.n;
    }
    bw_end(w);
    return true;
}

static bool parse_sections(struct req *r, const uint8_t *p, const uint8_t *end)
{
    struct bw merged;
    bool sequences = false, body = false;
    bw_init(&merged, &r->a);
    for (const uint8_t *q = p; q < end;) {
        uint8_t kind = *q++;
        if (kind == 0) {
            if (body || !take_document(q, (size_t)(end - q), &r->body)) return false;
            body = true;
            q += r->body.n;
        } else if (kind == 1) {
            if (end - q < 5) return false;
            uint32_t n = rd32(q);
            if (n < 5 || n > (size_t)(end - q)) return false;
            sequences = true;
            q += n;
        } else {
            return false;
        }
    }
    if (!body || !sequences) return body;
    bw_merge(&merged, r->body);
    for (const uint8_t *q = p; q < end;) {
        if (*q++ == 0) {
            q += rd32(q);
        } else {
            if (!take_sequence(q + 4, rd32(q) - 4, &merged)) return false;
            q += rd32(q);
        }
    }
    r->body = bw_done(&merged);
    return true;
}

static bool parse_msg(struct req *r, const uint8_t *msg, size_t bytes)
{
    if (bytes < 16 + 4 + 1 + 5) return false;
    uint32_t flags = rd32(msg + 16);
    const uint8_t *end = msg + bytes;
    if (flags & FLAGS_REQUIRED & ~(uint32_t)(FLAG_CHECKSUM | FLAG_MORE_TO_COME)) return false;
    if (flags & FLAG_CHECKSUM) end -= 4; /* loopback: the sum is not verified */
    r->more_to_come = flags & FLAG_MORE_TO_COME;
    r->exhaust = flags & FLAG_EXHAUST_ALLOWED;
    return parse_sections(r, msg + 20, end);
}

static bool parse_query(struct req *r, const uint8_t *msg, size_t bytes)
{
    if (bytes < 16 + 4) return false;
    const uint8_t *p = msg + 20, *end = msg + bytes, *nul = memchr(p, 0, (size_t)(end - p));
    if (!nul || end - nul < 1 + 8 + 5) return false;
    const char *ns = (const char *)p, *dot = strstr(ns, ".$cmd");
    if (!dot || strcmp(dot, ".$cmd")) return false;
    r->op_query = true;
    r->db = pool_strndup(&r->a, ns, (size_t)(dot - ns));
    if (!take_document(nul + 9, (size_t)(end - nul - 9), &r->body)) return false;
    struct val wrapped = doc_get(r->body, "$query");
    if (val_is_doc(wrapped)) r->body = wrapped;
    return true;
}

bool wire_request(struct conn *c, const uint8_t *msg, size_t bytes, struct req **out)
{
    struct req *r = xmalloc(sizeof *r);
    request_init(r, c->s, c, val_empty_doc());
    r->message_id = (int32_t)rd32(msg + 4);
    uint32_t opcode = rd32(msg + 12);
    bool ok = opcode == OPCODE_MSG ? parse_msg(r, msg, bytes)
                                   : opcode == OPCODE_QUERY && parse_query(r, msg, bytes);
    if (!ok) {
        request_fini(r);
        free(r);
        return false;
    }
    *out = r;
    return true;
}

static void put_out(struct conn *c, const void *data, size_t bytes)
{
    if (c->out_bytes + bytes > c->out_cap) {
        c->out_cap = (c->out_bytes + bytes) * 2;
        c->out = xrealloc(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_bytes, data, bytes);
    c->out_bytes += bytes;
}

void wire_reply(struct conn *c, struct req *r)
{
    uint8_t head[36] = {0};
    size_t n = r->op_query ? 36 : 21;
    int32_t id = ++c->s->next_message_id;
    wr32(head, (uint32_t)(n + r->reply.n));
    wr32(head + 4, (uint32_t)id);
    wr32(head + 8, (uint32_t)r->message_id);
    if (r->op_query) {
        wr32(head + 12, OPCODE_REPLY);
        wr32(head + 16, 8); /* await-capable, as every server says since 1.6 */
        wr32(head + 32, 1);
    } else {
        wr32(head + 12, OPCODE_MSG);
        wr32(head + 16, r->exhausting ? FLAG_MORE_TO_COME : 0);
    }
    put_out(c, head, n);
    put_out(c, r->reply.p, r->reply.n);
    r->message_id = id;
}
