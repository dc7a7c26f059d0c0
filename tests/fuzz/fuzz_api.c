/*
 * fuzz_api.c - any bytes as a request to the HTTP API, up to where a route would answer: refused with a
 * reason in JSON, or let through to a route whose parts are what they must be. Nobody gets in without a
 * token.
 *
 * The input is a request as it goes over the wire: `METHOD TARGET`, lines `Name: value`, an empty line, the
 * body; its first byte says how the server is set up.
 */
#include <stdlib.h>
#include <string.h>

#include "api/encode.h"
#include "api/guard.h"
#include "base/utf8.h"
#include "fuzz/driver.h"

#define TOKEN "open-sesame"
#define READ_TOKEN "look-around"

const char fuzz_name[] = "fuzz_api";
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("0GET /api/sync/tools?status=failed&page=2&limit=50&search=a%20b+c&sort=-updated\nHost: "
              "localhost\n\n"),
    FUZZ_SEED("1GET /api/sync/tools/a%2Fb\nHost: x\nAuthorization: Bearer " READ_TOKEN
              "\nAccept-Encoding: gzip\n\n"),
    FUZZ_SEED("1POST /api/sync/tools/figma/retry\nAuthorization: Bearer " TOKEN
              "\nContent-Length: 50\n\n{\"force\":true,\"collections\":[\"tools\",\"usecases\"]}"),
    FUZZ_SEED("2POST /api/sync/batch\nOrigin: "
              "https://a.example\n\n{\"toolIds\":[\"a\"],\"collections\":[\"tools\"]}"),
    FUZZ_SEED(
        "3OPTIONS /api/sync/worker/run\nOrigin: https://a.example\nAccess-Control-Request-Method: POST\n\n"),
    FUZZ_SEED("1HEAD /\nIf-None-Match: W/\"a\", \"b\"\nAccept-Encoding: br;q=1, gzip;q=0.5\n\n"),
    FUZZ_SEED("4GET http://localhost/../api/./sync/%2e%2e/x%00%ff?limit=9\nHost: "
              "[::1]:4003\nX-Forwarded-For: 1\n\n"),
    FUZZ_SEED(
        "0DELETE /api/tools/figma\nHost: 127.0.0.1\nSec-Fetch-Site: same-site\nHost: b\n\n{\"\xff\":1}"),
    {NULL, 0},
};

static void must(int holds)
{
    if (!holds) abort();
}

/* ---- a call out of bytes ---- */

/* The next line, cut off; NULL at the end. */
static char *line(char **rest)
{
    char *begin = *rest, *end = strchr(begin, '\n');
    if (!*begin) return NULL;
    *rest = end ? end + 1 : begin + strlen(begin);
    if (end) *end = '\0';
    return begin;
}

static void read_head(struct call *call, char *text)
{
    char *rest = text, *first = line(&rest), *space = first ? strchr(first, ' ') : NULL;
    if (space) *space = '\0';
    call->method = strdup(first ? first : "");
    call->target = strdup(space ? space + 1 : "");
    for (char *header; (header = line(&rest)) && *header && call->header_count < CALL_MAX_HEADERS;) {
        char *colon = strchr(header, ':');
        if (!colon) continue;
        *colon = '\0';
        call->headers[call->header_count++] = (struct call_pair){header, colon + 1 + strspn(colon + 1, " ")};
    }
}

/* ---- what must hold ---- */

static void check_refusal(const struct call *call)
{
    static const int known[] = {204, 400, 401, 403, 404, 405, 413, 414, 431};
    int as_known = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) as_known |= call->status == known[i];
    must(as_known);
    if (call->status == 204) return;
    json_t *body = json_loadb(call->text, call->bytes, 0, NULL);
    must(*json_string_value(json_object_get(body, "error")) &&
         *json_string_value(json_object_get(body, "code")));
    must(call->status != 405 || *call->allow);
    json_decref(body);
}

static void check_passage(const struct guard *guard, const struct call *call)
{
    const char *shown = call_header(call, "Authorization");
    enum access access = call->route->access;
    must(call->segment_count <= CALL_MAX_SEGMENTS);
    for (size_t i = 0; i < call->segment_count; i++)
        must(*call->segments[i] && utf8_valid(call->segments[i], strlen(call->segments[i])));
    for (size_t i = 0; i < call->query_count; i++)
        must(utf8_valid(call->query[i].value, strlen(call->query[i].value)));
    if (!*guard->token || access == ACCESS_OPEN || (access == ACCESS_COUNTS && guard->public_counts) ||
        (access == ACCESS_LISTS && guard->public_lists))
        return;
    if (guard->local && guard->local_trust && !shown) return;
    must(shown && (strstr(shown, TOKEN) || access != ACCESS_WRITE));
    must(strstr(shown, TOKEN) || strstr(shown, READ_TOKEN));
}

/* What routes read out of a call. */
static void read_as_routes_do(struct call *call)
{
    long number;
    uint64_t set;
    const struct service_source *source = call_source(call);
    json_t *body = call_object(call);
    if (body && source) (void)call_collections(call, source, json_object_get(body, "collections"), &set);
    must(!body || call->status || source);
    if (call_query_number(call, "limit", 1, 100, 20, &number)) must(number >= 1 && number <= 100);
    if (call->status)
        check_refusal(call);
    else
        call_json(call, 200, json_pack("{s:O}", "data", body));
    json_decref(body);
    if (call->status == 200) call_tag(call);
    encode_answer(call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const none[] = {NULL}, *const origins[] = {"https://a.example", NULL},
                             *const names[] = {"tools", "usecases"};
    static const struct service_source source = {.all = {.name = "tools", .names = names, .count = 2}};
    static const struct service service = {.sources = &source, .source_count = 1};
    if (bytes == 0) return 0;
    const unsigned how = data[0];
    const struct guard guard = {.token = how & 1 ? TOKEN : "",
                                .read_token = how & 1 ? READ_TOKEN : "",
                                .public_counts = how >> 3 & 1,
                                .public_lists = how >> 4 & 1,
                                .local_trust = how >> 5 & 1,
                                .local = how >> 2 & 1,
                                .allow_origins = how & 2 ? origins : none};
    struct call call = {.service = &service};
    char *text = malloc(bytes);
    if (!text) return 0;
    memcpy(text, data + 1, bytes - 1);
    text[bytes - 1] = '\0';
    buf_init(&call.body, CALL_MAX_BODY_BYTES);
    const char *body = strstr(text, "\n\n");
    if (body) buf_put(&call.body, data + 1 + (body + 2 - text), bytes - 1 - (size_t)(body + 2 - text));
    read_head(&call, text);
    guard_head(&guard, &call);
    must((call.status != 0) != (call.route != NULL && call.status == 0));
    if (call.status) {
        check_refusal(&call);
    } else {
        check_passage(&guard, &call);
        read_as_routes_do(&call);
    }
    call_fini(&call);
    free(text);
    return 0;
}
