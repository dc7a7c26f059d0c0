/*
 * fuzz_qdrant_reply.c - any bytes as a reply of Qdrant's: judged without a crash, in words that can be shown.
 *
 * The first byte is the status, the second says what was asked, the rest
 * is the body; seeds: the responses of tests/data/golden/qdrant-1.18.
 */
#include <bson/bson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/driver.h"
#include "qdrant/qdrant_verdict.h"
#include "qdrant/reply.h"

#define SECRET "sesame-open"

const char fuzz_name[] = "fuzz_qdrant_reply";
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\0\0{\"result\":[{\"id\":\"5c56c793-69f3-4fbf-87e6-c4bf54c28c26\",\"payload\":{\"_lockstep\":{"
              "\"source\":\"db.c\","
              "\"doc\":\"{\\\"$oid\\\":\\\"507f1f77bcf86cd799439011\\\"}\",\"key\":\"a\",\"hash\":\"00\","
              "\"payload\":\"11\","
              "\"epoch\":7}}}],\"status\":\"ok\",\"time\":0.1}"),
    FUZZ_SEED("\0\1{\"result\":{\"points\":[{\"id\":7,\"payload\":{}}],\"next_page_offset\":8},\"status\":"
              "\"ok\",\"time\":1e-5}"),
    FUZZ_SEED("\0\2{\"result\":{\"count\":3},\"status\":\"ok\",\"time\":0}"),
    FUZZ_SEED("\0\3{\"result\":{\"status\":\"green\",\"points_count\":4,\"config\":{\"params\":{\"vectors\":{"
              "\"size\":384,"
              "\"distance\":\"Cosine\"}}},\"payload_schema\":{\"_lockstep.doc\":{\"data_type\":\"keyword\","
              "\"points\":4}}},"
              "\"status\":\"ok\",\"time\":0}"),
    FUZZ_SEED("\0\4{\"result\":{\"aliases\":[{\"alias_name\":\"tools\",\"collection_name\":\"tools_v1\"}]},"
              "\"status\":\"ok\"}"),
    FUZZ_SEED("\0\5{\"result\":{\"operation_id\":1,\"status\":\"completed\"},\"status\":\"ok\",\"time\":0}"),
    FUZZ_SEED("\4\0{\"status\":{\"error\":\"Wrong input: Vector dimension error: expected dim: 4, got "
              "3\"},\"time\":0}"),
    FUZZ_SEED("\xc\0<html>sesame-open</html>"),
    {NULL, 0},
};

static void check_message(const struct lks_err *err)
{
    if (!memchr(err->text, 0, sizeof err->text)) abort();
    if (strstr(err->text, SECRET)) abort();
    if (!bson_utf8_validate(err->text, strlen(err->text), false)) abort();
}

static void read_result(uint8_t what, struct slice result, struct qdrant_verdict *v)
{
    struct stamps list = {.count = 0};
    struct reply_info info;
    char next[POINT_ID_BYTES], *target;
    int64_t count;
    switch (what % 6) {
    case 0:
        if (reply_stamps(result, "db.c", &list, NULL) == REPLY_OK) stamps_unique(&list);
        break;
    case 1:
        if (reply_stamps(result, "db.c", &list, next) == REPLY_OK && !memchr(next, 0, sizeof next)) abort();
        break;
    case 2:
        if (reply_count(result, &count) == REPLY_OK && count < 0) abort();
        break;
    case 3:
        if (reply_info(result, &info) == REPLY_OK && !memchr(info.distance, 0, sizeof info.distance)) abort();
        break;
    case 4:
        target = reply_alias_target(result, "tools");
        free(target);
        break;
    default:
        verdict_operations(v, 1 + what % 3, "upsert into \"tools\"");
        check_message(&v->err);
    }
    stamps_fini(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const long statuses[] = {200, 200, 200, 200, 400, 401, 403, 404, 409, 422, 429, 500, 503, 507};
    struct http_call call = {
        .method = "PUT", .url = "http://127.0.0.1:1/collections/tools/points", .sent = true};
    struct qdrant_verdict v;
    if (bytes < 2) return 0;
    call.status = statuses[data[0] % (sizeof statuses / sizeof *statuses)];
    strcpy(call.content_type, data[0] & 0x80 ? "text/html" : "application/json");
    buf_init(&call.reply, 0);
    buf_put(&call.reply, data + 2, bytes - 2);
    verdict_read(&v, &call, "upsert into \"tools\"", SECRET);
    check_message(&v.err);
    if (v.code == LKS_E_OK) {
        if (v.result.data < call.reply.data ||
            v.result.data + v.result.bytes > call.reply.data + call.reply.bytes)
            abort();
        read_result(data[1], v.result, &v);
    }
    (void)reply_version(call.reply.data, call.reply.bytes);
    buf_fini(&call.reply);
    return 0;
}
