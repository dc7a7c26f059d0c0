/*
 * pipeline.c - building the change stream's commands.
 *
 * Two stages: one reduces an event to what the engine asks of it, its changed paths as a list of names (those
 * of all fields, where a document came whole); the other drops updates that changed nothing but our own
 * metadata. It never looks at contents.
 */
#include "mongo/pipeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * An update's keys are literal dotted strings, so they are compared as strings; between "syncMetadata." and
 * "syncMetadata/" (the next character) lies all that begins with the former. No substring is cut: $substrCP
 * and $substrBytes fail on names with broken or long UTF-8, and one failure would end the stream.
 */
#define KEYS                                                                                                 \
    "{'$ifNull':[{'$concatArrays':["                                                                         \
    "{'$map':{'input':{'$objectToArray':'$updateDescription.updatedFields'},'as':'f','in':'$$f.k'}},"        \
    "{'$ifNull':['$updateDescription.removedFields',[]]},"                                                   \
    "{'$map':{'input':{'$ifNull':['$updateDescription.truncatedArrays',[]]},'as':'t','in':'$$t.field'}}"     \
    "]},{'$ifNull':[{'$map':{'input':{'$objectToArray':'$fullDocument'},'as':'f','in':'$$f.k'}},[]]}]}"
static const char project_stage[] = "{'$project':{'_id':1,'operationType':1,'clusterTime':1,'wallTime':1,"
                                    "'documentKey':1,'keys':" KEYS "}}";
/* An update whose list of keys is empty is kept: it says nothing about who made it. */
static const char match_stage[] =
    "{'$match':{'$or':[{'operationType':{'$ne':'update'}},{'$expr':{'$or':[{'$eq':[{'$size':'$keys'},0]},"
    "{'$anyElementTrue':[{'$map':{'input':'$keys','as':'k','in':{'$and':[{'$ne':['$$k','syncMetadata']},"
    "{'$or':[{'$lt':['$$k','syncMetadata.']},{'$gte':['$$k','syncMetadata/']}]}]}}}]}]}}]}}";

/* Parses one of the texts above, whose quotes are single for readability. */
static bson_t *stage(const char *text)
{
    char json[1024];
    bson_error_t error;
    size_t bytes = strlen(text);
    for (size_t i = 0; i <= bytes && i < sizeof json; i++) json[i] = text[i] == '\'' ? '"' : text[i];
    return bson_new_from_json((const uint8_t *)json, (ssize_t)bytes, &error);
}

static void append_stage(bson_t *pipeline, const char *index, const char *text)
{
    bson_t *doc = stage(text);
    BSON_APPEND_DOCUMENT(pipeline, index, doc);
    bson_destroy(doc);
}

/*
 * {aggregate, pipeline: [{$changeStream}, ...], cursor: {batchSize: 1}, readConcern: {level: majority}}. With
 * a batch of 0 the server would not look at the history yet, and so not say that it is gone.
 */
static bson_t *stream_command(const char *collection, const bson_t *token, cluster_time at,
                              const char *second, const char *third)
{
    bson_t *command = bson_new(), pipeline, first, options, inner;
    BSON_APPEND_UTF8(command, "aggregate", collection);
    BSON_APPEND_ARRAY_BEGIN(command, "pipeline", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &first);
    BSON_APPEND_DOCUMENT_BEGIN(&first, "$changeStream", &options);
    if (token)
        BSON_APPEND_DOCUMENT(&options, "startAfter", token);
    else if (at)
        BSON_APPEND_TIMESTAMP(&options, "startAtOperationTime", (uint32_t)(at >> 32), (uint32_t)at);
    bson_append_document_end(&first, &options);
    bson_append_document_end(&pipeline, &first);
    append_stage(&pipeline, "1", second);
    if (third) append_stage(&pipeline, "2", third);
    bson_append_array_end(command, &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(command, "cursor", &inner);
    BSON_APPEND_INT32(&inner, "batchSize", 1);
    bson_append_document_end(command, &inner);
    BSON_APPEND_DOCUMENT_BEGIN(command, "readConcern", &inner);
    BSON_APPEND_UTF8(&inner, "level", "majority");
    bson_append_document_end(command, &inner);
    return command;
}

bson_t *pipeline_open_command(const char *collection, const bson_t *token, cluster_time at)
{
    return stream_command(collection, token, at, project_stage, match_stage);
}

bson_t *pipeline_probe_command(const char *collection, cluster_time at)
{
    return stream_command(collection, NULL, at, "{'$project':{'_id':1}}", NULL);
}

void pipeline_fingerprint(char out[17])
{
    bson_t *command = pipeline_open_command("", NULL, 0);
    const uint8_t *data = bson_get_data(command);
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a: distinguishes versions, guards against nobody */
    for (uint32_t i = 0; i < command->len; i++) hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    bson_destroy(command);
    snprintf(out, 17, "%016" PRIx64, hash);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

cluster_time pipeline_token_time(const bson_t *token)
{
    bson_iter_t iter;
    uint32_t bytes;
    cluster_time at = 0;
    if (!bson_iter_init_find(&iter, token, "_data") || !BSON_ITER_HOLDS_UTF8(&iter)) return 0;
    const char *data = bson_iter_utf8(&iter, &bytes);
    /* a KeyString: 0x82 for a timestamp, then its 8 bytes */
    if (bytes < 18 || memcmp(data, "82", 2) != 0) return 0;
    for (int i = 2; i < 18; i++) {
        int digit = hex_digit(data[i]);
        if (digit < 0) return 0;
        at = at << 4 | (unsigned)digit;
    }
    return at;
}
