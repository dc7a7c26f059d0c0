/*
 * wire.c - MongoDB's wire protocol over a blocking socket. Owns the socket and replies that came before they
 * were asked for. Never speaks by itself.
 */
#include "golden/wire.h"

#include <endian.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

#define OP_REPLY 1
#define OP_QUERY 2004
#define OP_MSG 2013
#define HEADER_BYTES 16
#define REPLY_HEADER_BYTES 36
#define MESSAGE_MAX_BYTES 48000000

struct early {
    int32_t request;
    struct wire_reply reply;
    struct early *next;
};

struct wire {
    int fd;
    bool closed;
    int32_t last_request;
    struct early *early;
};

int64_t wire_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum lks_code wire_open(struct wire **w, const char *host, const char *port, struct lks_err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int fd = -1, reason;

    *w = NULL;
    reason = getaddrinfo(host, port, &hints, &found);
    if (reason != 0) return lks_fail(err, LKS_E_IO, "%s:%s: %s", host, port, gai_strerror(reason));
    for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            reason = errno;
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd < 0) return lks_fail(err, LKS_E_IO, "%s:%s: %s", host, port, strerror(reason));
    *w = calloc(1, sizeof **w);
    if (!*w) {
        close(fd);
        return lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    (*w)->fd = fd;
    return LKS_E_OK;
}

void wire_close(struct wire *w)
{
    if (!w) return;
    while (w->early) {
        struct early *next = w->early->next;

        bson_destroy(w->early->reply.doc);
        free(w->early);
        w->early = next;
    }
    close(w->fd);
    free(w);
}

bool wire_is_closed(const struct wire *w)
{
    return w->closed;
}

static void put_int32(struct buf *b, int32_t value)
{
    uint32_t little = htole32((uint32_t)value);

    buf_put(b, &little, sizeof little);
}

static int32_t get_int32(const uint8_t *bytes)
{
    uint32_t little;

    memcpy(&little, bytes, sizeof little);
    return (int32_t)le32toh(little);
}

static enum lks_code send_all(struct wire *w, const struct buf *message, struct lks_err *err)
{
    size_t sent = 0;

    if (message->failed) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    while (sent < message->bytes) {
        ssize_t n = send(w->fd, message->data + sent, message->bytes - sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            w->closed = true;
            return lks_fail(err, LKS_E_NOT_FOUND, "connection closed: %s", strerror(errno));
        }
        sent += (size_t)n;
    }
    return LKS_E_OK;
}

/* Puts the header before the body, and sends both. */
static enum lks_code send_message(struct wire *w, int32_t opcode, const struct buf *body, int32_t *request,
                                  struct lks_err *err)
{
    struct buf message;
    enum lks_code code;

    buf_init(&message, 0);
    *request = ++w->last_request;
    put_int32(&message, (int32_t)(HEADER_BYTES + body->bytes));
    put_int32(&message, *request);
    put_int32(&message, 0);
    put_int32(&message, opcode);
    buf_put(&message, body->data, body->bytes);
    code = body->failed ? lks_fail(err, LKS_E_NOMEM, "out of memory") : send_all(w, &message, err);
    buf_fini(&message);
    return code;
}

static void put_sequence(struct buf *body, const struct wire_sequence *sequence)
{
    bson_iter_t item;
    struct buf documents;

    buf_init(&documents, 0);
    if (bson_iter_init(&item, sequence->documents))
        while (bson_iter_next(&item))
            if (BSON_ITER_HOLDS_DOCUMENT(&item)) {
                const uint8_t *data;
                uint32_t bytes;

                bson_iter_document(&item, &bytes, &data);
                buf_put(&documents, data, bytes);
            }
    buf_putc(body, 1);
    put_int32(body, (int32_t)(4 + strlen(sequence->identifier) + 1 + documents.bytes));
    buf_put(body, sequence->identifier, strlen(sequence->identifier) + 1);
    buf_put(body, documents.data, documents.bytes);
    buf_fini(&documents);
}

enum lks_code wire_send_msg(struct wire *w, const bson_t *command, const struct wire_sequence *sequence,
                            int32_t *request, struct lks_err *err)
{
    enum lks_code code;
    struct buf body;

    buf_init(&body, 0);
    put_int32(&body, 0); /* flags */
    buf_putc(&body, 0);
    buf_put(&body, bson_get_data(command), command->len);
    if (sequence) put_sequence(&body, sequence);
    code = send_message(w, OP_MSG, &body, request, err);
    buf_fini(&body);
    return code;
}

enum lks_code wire_send_query(struct wire *w, const char *ns, const bson_t *command, int32_t *request,
                              struct lks_err *err)
{
    enum lks_code code;
    struct buf body;

    buf_init(&body, 0);
    put_int32(&body, 4); /* a secondary may answer */
    buf_put(&body, ns, strlen(ns) + 1);
    put_int32(&body, 0);  /* skip nothing */
    put_int32(&body, -1); /* one document */
    buf_put(&body, bson_get_data(command), command->len);
    code = send_message(w, OP_QUERY, &body, request, err);
    buf_fini(&body);
    return code;
}

static enum lks_code receive_bytes(struct wire *w, uint8_t *out, size_t bytes, int64_t deadline_ms,
                                   struct lks_err *err)
{
    while (bytes > 0) {
        int64_t left = deadline_ms - wire_now_ms();
        struct pollfd p = {.fd = w->fd, .events = POLLIN};
        ssize_t n;

        if (left <= 0 || poll(&p, 1, (int)(left < 1000 ? left : 1000)) < 0) {
            if (left > 0 && errno == EINTR) continue;
            w->closed = true; /* a reply that comes later would be taken for another's */
            return lks_fail(err, LKS_E_IO, "no reply in time");
        }
        if (p.revents == 0) continue;
        n = recv(w->fd, out, bytes, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            w->closed = true;
            return lks_fail(err, LKS_E_NOT_FOUND, "connection closed by server");
        }
        out += n;
        bytes -= (size_t)n;
    }
    return LKS_E_OK;
}

/* Takes the document out of a message whose header said `opcode`. */
static enum lks_code parse(int32_t opcode, const uint8_t *message, size_t bytes, struct wire_reply *reply,
                           struct lks_err *err)
{
    size_t at = opcode == OP_REPLY ? REPLY_HEADER_BYTES : HEADER_BYTES + 5;
    bson_t doc;

    if (opcode != OP_REPLY && opcode != OP_MSG)
        return lks_fail(err, LKS_E_IO, "a message of opcode %d came", opcode);
    if (bytes < at + 5) return lks_fail(err, LKS_E_IO, "a message of %zu bytes came", bytes);
    if (opcode == OP_MSG && message[HEADER_BYTES + 4] != 0)
        return lks_fail(err, LKS_E_IO, "a reply that begins with a section of kind %d",
                        message[HEADER_BYTES + 4]);
    reply->op_reply = opcode == OP_REPLY;
    reply->flags = (uint32_t)get_int32(message + HEADER_BYTES);
    if (!bson_init_static(&doc, message + at,
                          (size_t)get_int32(message + at) <= bytes - at ? (size_t)get_int32(message + at)
                                                                        : 0) ||
        !bson_validate(&doc, BSON_VALIDATE_NONE, NULL))
        return lks_fail(err, LKS_E_IO, "the reply's document is broken");
    reply->doc = bson_copy(&doc);
    return LKS_E_OK;
}

static enum lks_code receive_message(struct wire *w, int64_t deadline_ms, int32_t *request,
                                     struct wire_reply *reply, struct lks_err *err)
{
    uint8_t header[HEADER_BYTES], *message;
    enum lks_code code = receive_bytes(w, header, sizeof header, deadline_ms, err);
    int32_t bytes;

    if (code != LKS_E_OK) return code;
    bytes = get_int32(header);
    if (bytes < HEADER_BYTES || bytes > MESSAGE_MAX_BYTES) {
        w->closed = true;
        return lks_fail(err, LKS_E_IO, "a message that says it has %d bytes", bytes);
    }
    message = malloc((size_t)bytes);
    if (!message) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    memcpy(message, header, sizeof header);
    *request = get_int32(header + 8);
    code = receive_bytes(w, message + sizeof header, (size_t)bytes - sizeof header, deadline_ms, err);
    if (code == LKS_E_OK) code = parse(get_int32(header + 12), message, (size_t)bytes, reply, err);
    free(message);
    return code;
}

/* Gives out a reply that came earlier. */
static bool take_early(struct wire *w, int32_t request, struct wire_reply *reply)
{
    for (struct early **at = &w->early; *at; at = &(*at)->next)
        if ((*at)->request == request) {
            struct early *found = *at;

            *reply = found->reply;
            *at = found->next;
            free(found);
            return true;
        }
    return false;
}

enum lks_code wire_receive(struct wire *w, int32_t request, int64_t timeout_ms, struct wire_reply *reply,
                           struct lks_err *err)
{
    int64_t deadline_ms = wire_now_ms() + timeout_ms;

    memset(reply, 0, sizeof *reply);
    if (take_early(w, request, reply)) return LKS_E_OK;
    if (w->closed) return lks_fail(err, LKS_E_NOT_FOUND, "connection closed by server");
    for (;;) {
        int32_t answered = 0;
        struct early *early;
        enum lks_code code = receive_message(w, deadline_ms, &answered, reply, err);

        if (code != LKS_E_OK || answered == request) return code;
        early = calloc(1, sizeof *early);
        if (!early) {
            bson_destroy(reply->doc);
            return lks_fail(err, LKS_E_NOMEM, "out of memory");
        }
        *early = (struct early){answered, *reply, w->early};
        w->early = early;
        memset(reply, 0, sizeof *reply);
    }
}
