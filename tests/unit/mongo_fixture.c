/* mongo_fixture.c - starting the stand-in, talking to it as an application does, and as the engine does. */
#include "mongo_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fixture_server_count(void)
{
    return getenv("LOCKSTEP_TEST_MONGODB_URI") ? 2 : 1;
}

static void start_stand_in(struct fixture *f, const char *option)
{
    const char *const options[] = {option, NULL};
    ck_assert_msg(stand_in_start(&f->server, "mongod", options), "the stand-in for MongoDB does not start");
    snprintf(f->uri, sizeof f->uri, "mongodb://%s/?directConnection=true", f->server.address);
}

static void post(void *self, struct req *req)
{
    queue_push(self, req);
}

void fixture_start(struct fixture *f, int server, const char *option)
{
    static const char *const collections[] = {"tools", "usecases"};
    static const char *const fields[] = {"name", "website", NULL};
    bson_error_t error;
    *f = (struct fixture){.stand_in = server == 0};
    mongoc_init();
    ck_assert(queue_init(&f->done, offsetof(struct req, next)));
    if (f->stand_in)
        start_stand_in(f, option);
    else
        snprintf(f->uri, sizeof f->uri, "%s", getenv("LOCKSTEP_TEST_MONGODB_URI"));
    snprintf(f->database, sizeof f->database, "lockstep_test_%d_%lx", (int)getpid(), random());
    mongoc_uri_t *uri = mongoc_uri_new_with_error(f->uri, &error);
    ck_assert_msg(uri, "%s", error.message);
    f->client = mongoc_client_new_from_uri_with_error(uri, &error);
    ck_assert_msg(f->client, "%s", error.message);
    mongoc_client_set_error_api(f->client, 2);
    mongoc_uri_destroy(uri);
    f->config = (struct mongo_config){
        .uri = f->uri,
        .database = f->database,
        .collection = "c",
        .source = "tools",
        .id_field = "id",
        .collections = collections,
        .collection_count = 2,
        .fields = fields,
        .metadata = MONGO_EMBEDDED,
        .create_indexes = true,
        .watch = MONGO_WATCH_AUTO,
        .owner = "first",
    };
}

void fixture_open(struct fixture *f)
{
    struct lks_err err = {0};
    struct inbox inbox = {.self = &f->done, .post = post};
    mongo_close(f->mongo);
    ck_assert_msg(mongo_open(&f->config, inbox, &f->mongo, &err) == LKS_E_OK, "%s", err.text);
}

struct mongo *fixture_open_other(struct fixture *f, const char *owner)
{
    struct lks_err err = {0};
    struct inbox inbox = {.self = &f->done, .post = post};
    struct mongo_config config = f->config;
    struct mongo *other;
    config.owner = owner;
    ck_assert_msg(mongo_open(&config, inbox, &other, &err) == LKS_E_OK, "%s", err.text);
    return other;
}

void fixture_end(struct fixture *f)
{
    mongo_close(f->mongo);
    if (!f->stand_in) {
        bson_t *reply = fixture_command(f, NULL, "{'dropDatabase':1}");
        bson_destroy(reply);
    }
    mongoc_client_destroy(f->client);
    if (f->stand_in) stand_in_stop(&f->server);
    queue_fini(&f->done);
}

bson_t *fixture_doc(const char *text)
{
    bson_error_t error;
    char *json = strdup(text);
    for (char *c = json; *c; c++)
        if (*c == '\'') *c = '"';
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    ck_assert_msg(doc, "%s in %s", error.message, json);
    free(json);
    return doc;
}

struct docid *fixture_id(const char *value)
{
    char *text = bson_strdup_printf("{'_id':%s}", value);
    bson_t *doc = fixture_doc(text);
    struct docid *id = docid_of(doc);
    ck_assert_ptr_nonnull(id);
    bson_destroy(doc);
    bson_free(text);
    return id;
}

char *fixture_with_database(const struct fixture *f, const char *text)
{
    char *out = bson_malloc0(strlen(text) + 4 * sizeof f->database);
    char *to = out;
    for (; *text; text++) {
        if (text[0] != '%' || text[1] != 's') {
            *to++ = *text;
            continue;
        }
        memcpy(to, f->database, strlen(f->database));
        to += strlen(f->database);
        text++;
    }
    return out;
}

bson_t *fixture_command(struct fixture *f, const char *db, const char *text)
{
    bson_t *command = fixture_doc(text), reply;
    bson_error_t error;
    bool ok = mongoc_client_command_with_opts(f->client, db ? db : f->database, command, NULL, NULL, &reply,
                                              &error);
    ck_assert_msg(ok, "%s: %s", text, error.message);
    bson_iter_t iter;
    ck_assert_msg(!bson_iter_init_find(&iter, &reply, "writeErrors"), "%s", text);
    bson_destroy(command);
    bson_t *copy = bson_copy(&reply);
    bson_destroy(&reply);
    return copy;
}

void fixture_insert(struct fixture *f, const char *collection, const char *text)
{
    char *command = bson_strdup_printf("{'insert':'%s','documents':[%s],'writeConcern':{'w':'majority'}}",
                                       collection, text);
    bson_destroy(fixture_command(f, NULL, command));
    bson_free(command);
}

void fixture_update(struct fixture *f, const char *id, const char *update)
{
    char *command = bson_strdup_printf(
        "{'update':'c','updates':[{'q':{'_id':%s},'u':%s}],'writeConcern':{'w':'majority'}}", id, update);
    bson_destroy(fixture_command(f, NULL, command));
    bson_free(command);
}

bson_t *fixture_find(struct fixture *f, const char *collection, const char *id)
{
    char *text = bson_strdup_printf("{'_id':%s}", id);
    bson_t *filter = fixture_doc(text), *found = NULL;
    const bson_t *row;
    mongoc_collection_t *c = mongoc_client_get_collection(f->client, f->database, collection);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, filter, NULL, NULL);
    if (mongoc_cursor_next(cursor, &row)) found = bson_copy(row);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(c);
    bson_destroy(filter);
    bson_free(text);
    return found;
}

struct req *fixture_run_on(struct fixture *f, struct mongo *m, struct req *req)
{
    struct port port = req->kind < REQ_RECORD ? mongo_source_port(m) : mongo_store_port(m);
    port.submit(port.self, req);
    struct req *back = queue_take(&f->done, -1);
    ck_assert_ptr_eq(back, req);
    return back;
}

struct req *fixture_run(struct fixture *f, struct req *req)
{
    return fixture_run_on(f, f->mongo, req);
}

struct req *fixture_ok(struct fixture *f, struct req *req)
{
    fixture_run(f, req);
    ck_assert_msg(req->err.code == LKS_E_OK, "%s: %s", req_kind_name(req->kind), req->err.text);
    return req;
}

#define EACH_ID_IN_ORDER                                                                                     \
    "{'$minKey':1}", "null", "{'$numberDouble':'NaN'}", "{'$numberInt':'-3'}", "{'$numberDouble':'0.5'}",    \
        "{'$numberLong':'7'}", "{'$numberDecimal':'7.5'}", "''", "'a'", "'b'", "{'a':1}", "{'a':2}",         \
        "{'$binary':{'base64':'AA==','subType':'00'}}", "{'$oid':'000000000000000000000001'}",               \
        "{'$oid':'000000000000000000000002'}", "false", "true", "{'$date':{'$numberLong':'-1'}}",            \
        "{'$timestamp':{'t':1,'i':1}}", "{'$maxKey':1}"
const char *const fixture_mixed_ids[] = {EACH_ID_IN_ORDER};
const size_t fixture_mixed_count = sizeof fixture_mixed_ids / sizeof *fixture_mixed_ids;

void fixture_insert_mixed(struct fixture *f)
{
    for (size_t i = fixture_mixed_count; i-- > 0;) {
        char *text = bson_strdup_printf("{'_id':%s,'name':'n'}", fixture_mixed_ids[i]);
        fixture_insert(f, "c", text);
        bson_free(text);
    }
}

void fixture_assert_id(const struct docid *id, const char *expected)
{
    struct docid *want = fixture_id(expected);
    char *a = docid_json(id), *b = docid_json(want);
    ck_assert_str_eq(a, b);
    free(a);
    free(b);
    docid_free(want);
}

struct req *fixture_read(struct fixture *f, const struct docid **ids, size_t count)
{
    struct req *req = req_new(REQ_READ, NULL);
    req->read.ids = calloc(count, sizeof *req->read.ids);
    memcpy(req->read.ids, ids, count * sizeof *ids);
    req->read.count = count;
    return fixture_ok(f, req);
}

struct req *fixture_read_one(struct fixture *f, const char *id)
{
    struct docid *one = fixture_id(id);
    const struct docid *ids[] = {one};
    struct req *req = fixture_read(f, ids, 1);
    docid_free(one);
    return req;
}

int64_t fixture_due_count(struct fixture *f, int64_t now_ms, bool recorded_only, int64_t *next_ms)
{
    struct req *req = req_new(REQ_DUE, NULL);
    req->due.now_ms = now_ms;
    req->due.recorded_only = recorded_only;
    req->due.max_docs = 100;
    fixture_ok(f, req);
    ck_assert(req->due.end);
    int64_t count = (int64_t)req->due.count;
    if (next_ms) *next_ms = req->due.next_ms;
    req_free(req);
    return count;
}

void fixture_assert_record_counts(struct fixture *f, int64_t with_point)
{
    struct req *req = fixture_ok(f, req_new(REQ_COUNT_RECORDS, NULL));
    ck_assert_int_eq(req->record_counts.with_point[0], with_point);
    ck_assert_int_eq(req->record_counts.with_point[1], 0);
    req_free(req);
}
