/*
 * test_mongo_metadata.c - syncMetadata to records and back, the filters and updates as exact BSON, and the
 * change stream's commands. No server.
 */
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mongo/metadata.h"
#include "mongo/mongo_internal.h"
#include "mongo/pipeline.h"
#include "suite.h"

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define POINT "d5e8bb35-5f2c-5b0d-9d0e-0123456789ab"

static char *const names[] = {"tools", "usecases", NULL};

/* Extended JSON whose quotes are single. */
static bson_t *doc(const char *text)
{
    bson_error_t error;
    char *json = strdup(text);
    for (char *c = json; *c; c++)
        if (*c == '\'') *c = '"';
    bson_t *out = bson_new_from_json((const uint8_t *)json, -1, &error);
    ck_assert_msg(out, "%s in %s", error.message, json);
    free(json);
    return out;
}

static void assert_bson(const bson_t *got, const char *expected)
{
    bson_t *want = doc(expected);
    char *a = bson_as_canonical_extended_json(got, NULL), *b = bson_as_canonical_extended_json(want, NULL);
    ck_assert_str_eq(a, b);
    bson_free(a);
    bson_free(b);
    bson_destroy(want);
}

/* For what no parser takes back ({"$type": ...}): compares the text, without blanks, quotes single. */
static void assert_text(const bson_t *got, const char *expected)
{
    char *json = bson_as_canonical_extended_json(got, NULL), *to = json;
    for (char *c = json; *c; c++)
        if (*c != ' ') *to++ = *c == '"' ? '\'' : *c;
    *to = '\0';
    ck_assert_str_eq(json, expected);
    bson_free(json);
}

static struct record record_of(const char *text)
{
    struct record record;
    bson_t *d = doc(text);
    ck_assert(metadata_parse(d, names, 2, &record));
    bson_destroy(d);
    return record;
}

/* ---- reading ---- */

START_TEST(a_whole_record_is_read)
{
    struct record r = record_of(
        "{'_id':1,'syncMetadata':{'overallStatus':'failed','collections':{"
        "'tools':{'status':'synced','lastSyncedAt':{'$date':{'$numberLong':'1700000000123'}},"
        "'lastSyncAttemptAt':{'$date':{'$numberLong':'1700000000124'}},'lastError':null,'errorCode':null,"
        "'retryCount':0,'nextRetryAt':null,'contentHash':'" HASH_A "','payloadHash':'" HASH_B
        "','pointId':'" POINT "','vectorVersion':{'$numberLong':'7'}},"
        "'usecases':{'status':'failed','lastError':'too slow','errorCode':'EMBEDDING_TIMEOUT',"
        "'retryCount':3,'nextRetryAt':{'$date':{'$numberLong':'1700000099999'}}}}}}");
    ck_assert(r.present);
    ck_assert(!r.sidecar);
    ck_assert(r.entries[0].present);
    ck_assert_int_eq(r.entries[0].status, SYNC_SYNCED);
    ck_assert_int_eq(r.entries[0].last_synced_ms, INT64_C(1700000000123));
    ck_assert_int_eq(r.entries[0].last_attempt_ms, INT64_C(1700000000124));
    ck_assert_int_eq(r.entries[0].error, LKS_E_OK);
    ck_assert_ptr_null(r.entries[0].last_error);
    ck_assert(r.entries[0].next_retry_ms == NO_TIME);
    ck_assert_str_eq(r.entries[0].content_hash, HASH_A);
    ck_assert_str_eq(r.entries[0].payload_hash, HASH_B);
    ck_assert_str_eq(r.entries[0].point_id, POINT);
    ck_assert_int_eq(r.entries[0].vector_version, 7);
    ck_assert_int_eq(r.entries[1].status, SYNC_FAILED);
    ck_assert_int_eq(r.entries[1].error, LKS_E_EMBEDDING_TIMEOUT);
    ck_assert_str_eq(r.entries[1].last_error, "too slow");
    ck_assert_int_eq(r.entries[1].retry_count, 3);
    ck_assert_int_eq(r.entries[1].next_retry_ms, INT64_C(1700000099999));
    record_fini(&r);
}
END_TEST

START_TEST(the_names_of_changed_fields_are_read_as_a_hash)
{
    char *fields[] = {"name", "tags", NULL};
    struct record r =
        record_of("{'_id':1,'syncMetadata':{'collections':{},'lastModifiedFields':['tags','name']}}");
    ck_assert(r.modified_hash == record_names_hash(fields));
    record_fini(&r);
    r = record_of("{'_id':1,'syncMetadata':{'collections':{},'lastModifiedFields':['tags','name',5]}}");
    ck_assert(r.modified_hash && r.modified_hash != record_names_hash(fields));
    record_fini(&r);
    r = record_of("{'_id':1,'syncMetadata':{'collections':{},'lastModifiedFields':'name'}}");
    ck_assert(r.modified_hash == 0);
    record_fini(&r);
}
END_TEST

START_TEST(a_record_contradicts_itself_where_its_overall_status_is_not_that_of_its_entries)
{
    static const struct {
        const char *metadata;
        bool contradicts;
    } cases[] = {
        {"{'overallStatus':'synced','collections':{'tools':{'status':'synced'},'usecases':{'status':'synced'}"
         "}}",
         false},
        {"{'overallStatus':'failed','collections':{'tools':{'status':'failed'},'usecases':{'status':'stale'}}"
         "}",
         false},
        {"{'overallStatus':'pending','collections':{'tools':{'status':'synced'}}}", false},
        {"{'overallStatus':'synced','collections':{'tools':{'status':'synced'}}}", true},
        {"{'overallStatus':'pending','collections':{'tools':{'status':'synced'},'usecases':{'status':'synced'"
         "}}}",
         true},
        {"{'collections':{'tools':{'status':'synced'},'usecases':{'status':'synced'}}}", true},
        {"{'overallStatus':5,'collections':{'tools':{'status':'synced'},'usecases':{'status':'synced'}}}",
         true},
        {"{'overallStatus':'odd','collections':{}}", true},
        {"{'overallStatus':'odd'}", false}, /* it is none */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = bson_strdup_printf("{'_id':1,'syncMetadata':%s}", cases[i].metadata);
        struct record r = record_of(text);
        ck_assert_msg(r.contradicts == cases[i].contradicts, "%s", text);
        record_fini(&r);
        bson_free(text);
    }
}
END_TEST

/* What may stand there, and which of record and entries are present then. */
static const struct {
    const char *doc;
    bool record, tools;
} messes[] = {
    {"{}", false, false},
    {"{'syncMetadata':null}", false, false},
    {"{'syncMetadata':5}", false, false},
    {"{'syncMetadata':'synced'}", false, false},
    {"{'syncMetadata':[]}", false, false},
    {"{'syncMetadata':[{'collections':{}}]}", false, false},
    {"{'syncMetadata':{}}", false, false},
    {"{'syncMetadata':{'collections':null}}", false, false},
    {"{'syncMetadata':{'collections':[]}}", false, false},
    {"{'syncMetadata':{'collections':{}}}", true, false},
    {"{'syncMetadata':{'collections':{'tools':null}}}", true, false},
    {"{'syncMetadata':{'collections':{'tools':'synced'}}}", true, false},
    {"{'syncMetadata':{'collections':{'tools':[{'status':'synced'}]}}}", true, false},
    {"{'syncMetadata':{'collections':{'tools':{}}}}", true, false},
    {"{'syncMetadata':{'collections':{'tools':{'status':1}}}}", true, false},
    {"{'syncMetadata':{'collections':{'tools':{'status':'SYNCED'}}}}", true, false},
    {"{'syncMetadata':{'collections':{'tools':{'status':null,'contentHash':'" HASH_A "'}}}}", true, false},
    {"{'syncMetadata':{'collections':{'others':{'status':'synced'}}}}", true, false},
    {"{'syncMetadata':{'collections':{'tools':{'status':'synced'}}}}", true, true},
};

START_TEST(what_is_no_record_or_entry_counts_as_absent)
{
    struct record r = record_of(messes[_i].doc);
    ck_assert_uint_eq(r.entry_count, 2);
    ck_assert(r.present == messes[_i].record);
    ck_assert(r.entries[0].present == messes[_i].tools);
    ck_assert(!r.entries[1].present);
    if (!messes[_i].tools) {
        ck_assert_int_eq(r.entries[0].status, SYNC_PENDING);
        ck_assert_str_eq(r.entries[0].content_hash, "");
        ck_assert(r.entries[0].last_synced_ms == NO_TIME);
    }
    record_fini(&r);
}
END_TEST

START_TEST(fields_of_wrong_types_count_as_null_or_zero)
{
    struct record r = record_of(
        "{'syncMetadata':{'collections':{'tools':{'status':'stale','lastSyncedAt':'yesterday',"
        "'lastSyncAttemptAt':{'$timestamp':{'t':1,'i':1}},'lastError':['x'],'errorCode':7,'retryCount':-3,"
        "'nextRetryAt':1700000000,'contentHash':'" HASH_A
        "a','payloadHash':{'$oid':'000000000000000000000001'},"
        "'pointId':5,'vectorVersion':{'$numberDouble':'NaN'}}}}}");
    const struct entry *e = &r.entries[0];
    ck_assert(e->present);
    ck_assert_int_eq(e->status, SYNC_STALE);
    ck_assert(e->last_synced_ms == NO_TIME && e->last_attempt_ms == NO_TIME && e->next_retry_ms == NO_TIME);
    ck_assert_ptr_null(e->last_error);
    ck_assert_int_eq(e->error, LKS_E_OK);
    ck_assert_int_eq(e->retry_count, 0);
    ck_assert_int_eq(e->vector_version, 0);
    ck_assert_str_eq(e->content_hash, "");
    ck_assert_str_eq(e->payload_hash, "");
    ck_assert_str_eq(e->point_id, "");
    record_fini(&r);
}
END_TEST

START_TEST(counts_of_any_number_type_are_read)
{
    struct record r =
        record_of("{'syncMetadata':{'collections':{'tools':{'status':'failed','retryCount':{'$numberDouble':"
                  "'4.0'},'vectorVersion':{'$numberInt':'9'}},'usecases':{'status':'failed',"
                  "'retryCount':{'$numberLong':'99999999999'}}}}}");
    ck_assert_int_eq(r.entries[0].retry_count, 4);
    ck_assert_int_eq(r.entries[0].vector_version, 9);
    ck_assert_int_eq(r.entries[1].retry_count, INT32_MAX);
    record_fini(&r);
}
END_TEST

/* ---- writing ---- */

static struct record full_record(void)
{
    struct record r;
    ck_assert(record_init(&r, 2));
    r.present = true;
    struct entry *e = &r.entries[0];
    e->present = true;
    e->status = SYNC_SYNCED;
    e->last_synced_ms = 1000;
    e->last_attempt_ms = 2000;
    e->vector_version = 3;
    memcpy(e->content_hash, HASH_A, sizeof HASH_A);
    memcpy(e->payload_hash, HASH_B, sizeof HASH_B);
    memcpy(e->point_id, POINT, sizeof POINT);
    return r;
}

#define TOOLS_ENTRY                                                                                          \
    "{'status':'synced','lastSyncedAt':{'$date':{'$numberLong':'1000'}},"                                    \
    "'lastSyncAttemptAt':{'$date':{'$numberLong':'2000'}},'lastError':null,'errorCode':null,"                \
    "'retryCount':{'$numberInt':'0'},'nextRetryAt':null,'contentHash':'" HASH_A "','payloadHash':'" HASH_B   \
    "','pointId':'" POINT "','vectorVersion':{'$numberLong':'3'}}"

START_TEST(a_first_record_is_written_whole)
{
    struct record before, after = full_record();
    ck_assert(record_init(&before, 2));
    bson_t update = BSON_INITIALIZER;
    metadata_update(&update, &before, &after, names, false, 5000);
    assert_bson(&update,
                "{'$set':{'syncMetadata':{'overallStatus':'pending','collections':{'tools':" TOOLS_ENTRY
                "},'lastModifiedFields':[],'createdAt':{'$date':{'$numberLong':'5000'}},"
                "'updatedAt':{'$date':{'$numberLong':'5000'}}}}}");
    bson_destroy(&update);
    record_fini(&before);
    record_fini(&after);
}
END_TEST

/* With basic codes the original application's schema is kept to, and what is read is the precise code. */
START_TEST(basic_error_codes_are_written_with_their_reason_and_read_as_the_reason)
{
    static const struct {
        enum lks_code code;
        const char *shown;
    } codes[] = {{LKS_E_EMBEDDING_TIMEOUT, "EMBEDDING_TIMEOUT"},
                 {LKS_E_EMBEDDING_RATE_LIMIT, "EMBEDDING_RATE_LIMIT"},
                 {LKS_E_EMBEDDING_UNAVAILABLE, "UNKNOWN"},
                 {LKS_E_EMBEDDING_REJECTED, "UNKNOWN"},
                 {LKS_E_QDRANT_UNAVAILABLE, "QDRANT_UNAVAILABLE"},
                 {LKS_E_QDRANT_TIMEOUT, "QDRANT_TIMEOUT"},
                 {LKS_E_QDRANT_REJECTED, "UNKNOWN"},
                 {LKS_E_VALIDATION, "VALIDATION_ERROR"},
                 {LKS_E_PLUGIN, "UNKNOWN"},
                 {LKS_E_UNKNOWN, "UNKNOWN"}};
    const char *code = codes[_i].shown;
    struct record before, after = full_record(), back;
    bson_t update = BSON_INITIALIZER, written;
    bson_iter_t iter, at;
    uint32_t bytes;
    const uint8_t *data;
    after.entries[0].status = SYNC_FAILED;
    ck_assert(entry_set_error(&after.entries[0], codes[_i].code, "why"));
    ck_assert(record_init(&before, 2));
    metadata_update(&update, &before, &after, names, true, 5000);
    ck_assert(bson_iter_init(&iter, &update));
    ck_assert(bson_iter_find_descendant(&iter, "$set.syncMetadata.collections.tools.errorCode", &at));
    ck_assert_str_eq(bson_iter_utf8(&at, NULL), code);
    ck_assert(bson_iter_init(&iter, &update));
    ck_assert(bson_iter_find_descendant(&iter, "$set.syncMetadata.collections.tools.errorReason", &at));
    ck_assert_str_eq(bson_iter_utf8(&at, NULL), lks_code_name(codes[_i].code));
    ck_assert(bson_iter_init_find(&iter, &update, "$set"));
    bson_iter_document(&iter, &bytes, &data);
    ck_assert(bson_init_static(&written, data, bytes));
    ck_assert(metadata_parse(&written, names, 2, &back));
    ck_assert_int_eq(back.entries[0].error, codes[_i].code);
    ck_assert(metadata_equal(&after, &back));
    record_fini(&back);
    record_fini(&before);
    record_fini(&after);
    bson_destroy(&update);
}
END_TEST

START_TEST(of_a_record_only_entries_that_changed_are_written)
{
    struct record before = full_record(), after = full_record();
    after.entries[1].present = true;
    after.entries[1].status = SYNC_FAILED;
    after.entries[1].retry_count = 2;
    after.entries[1].next_retry_ms = 7000;
    ck_assert(entry_set_error(&after.entries[1], LKS_E_QDRANT_TIMEOUT, "slow \xff one"));
    after.modified_fields = calloc(2, sizeof *after.modified_fields);
    after.modified_fields[0] = strdup("name");
    bson_t update = BSON_INITIALIZER;
    metadata_update(&update, &before, &after, names, false, 5000);
    assert_bson(&update,
                "{'$set':{'syncMetadata.overallStatus':'failed','syncMetadata.collections.usecases':"
                "{'status':'failed','lastSyncedAt':null,'lastSyncAttemptAt':null,"
                "'lastError':'slow \\ufffd one','errorCode':'QDRANT_TIMEOUT','retryCount':{'$numberInt':'2'},"
                "'nextRetryAt':{'$date':{'$numberLong':'7000'}},'contentHash':null,'payloadHash':null,"
                "'pointId':null,'vectorVersion':{'$numberLong':'0'}},"
                "'syncMetadata.lastModifiedFields':['name'],"
                "'syncMetadata.updatedAt':{'$date':{'$numberLong':'5000'}}}}");
    bson_destroy(&update);
    record_fini(&before);
    record_fini(&after);
}
END_TEST

START_TEST(an_entry_that_is_gone_is_unset)
{
    struct record before = full_record(), after;
    ck_assert(record_init(&after, 2));
    after.present = true;
    bson_t update = BSON_INITIALIZER;
    metadata_update(&update, &before, &after, names, false, 5000);
    assert_bson(&update, "{'$set':{'syncMetadata.overallStatus':'pending',"
                         "'syncMetadata.updatedAt':{'$date':{'$numberLong':'5000'}}},"
                         "'$unset':{'syncMetadata.collections.tools':''}}");
    bson_destroy(&update);
    record_fini(&before);
    record_fini(&after);
}
END_TEST

START_TEST(what_is_written_reads_back_the_same)
{
    struct record before, after = full_record(), again;
    bson_iter_t iter, set;
    ck_assert(record_init(&before, 2));
    after.entries[1].present = true;
    after.entries[1].status = SYNC_STALE;
    after.entries[1].next_retry_ms = -1;
    ck_assert(entry_set_error(&after.entries[1], LKS_E_PLUGIN, "no"));
    bson_t update = BSON_INITIALIZER, *document;
    metadata_update(&update, &before, &after, names, false, 5000);
    ck_assert(bson_iter_init_find(&iter, &update, "$set") && bson_iter_recurse(&iter, &set) &&
              bson_iter_next(&set));
    document = bson_new();
    bson_append_iter(document, "syncMetadata", -1, &set);
    ck_assert(metadata_parse(document, names, 2, &again));
    ck_assert(again.present);
    ck_assert(metadata_equal(&again, &after));
    again.entries[1].next_retry_ms = 0;
    ck_assert(!metadata_equal(&again, &after));
    bson_destroy(document);
    bson_destroy(&update);
    record_fini(&before);
    record_fini(&after);
    record_fini(&again);
}
END_TEST

/* ---- filters ---- */

START_TEST(the_filter_says_what_was_read)
{
    struct record before = full_record();
    bson_t filter = BSON_INITIALIZER;
    before.entries[0].retry_count = 2;
    metadata_filter(&filter, &before, names);
    assert_bson(&filter,
                "{'syncMetadata.collections.tools.status':'synced',"
                "'syncMetadata.collections.tools.contentHash':'" HASH_A "',"
                "'syncMetadata.collections.tools.payloadHash':'" HASH_B "',"
                "'syncMetadata.collections.tools.pointId':'" POINT "',"
                "'syncMetadata.collections.tools.vectorVersion':{'$numberLong':'3'},"
                "'syncMetadata.collections.tools.retryCount':{'$numberLong':'2'},"
                "'syncMetadata.collections.tools.lastSyncedAt':{'$date':{'$numberLong':'1000'}},"
                "'syncMetadata.collections.tools.lastSyncAttemptAt':{'$date':{'$numberLong':'2000'}},"
                "'syncMetadata.collections.usecases.status':null}");
    bson_destroy(&filter);
    record_fini(&before);
}
END_TEST

START_TEST(in_the_filter_zero_and_nothing_also_match_what_is_missing)
{
    struct record before;
    bson_t filter = BSON_INITIALIZER;
    ck_assert(record_init(&before, 1));
    before.entries[0].present = true;
    before.entries[0].status = SYNC_STALE;
    metadata_filter(&filter, &before, names);
    assert_bson(&filter, "{'syncMetadata.collections.tools.status':'stale',"
                         "'syncMetadata.collections.tools.contentHash':null,"
                         "'syncMetadata.collections.tools.payloadHash':null,"
                         "'syncMetadata.collections.tools.pointId':null,"
                         "'syncMetadata.collections.tools.vectorVersion':{'$in':[{'$numberInt':'0'},null]},"
                         "'syncMetadata.collections.tools.retryCount':{'$in':[{'$numberInt':'0'},null]},"
                         "'syncMetadata.collections.tools.lastSyncedAt':null,"
                         "'syncMetadata.collections.tools.lastSyncAttemptAt':null}");
    bson_destroy(&filter);
    record_fini(&before);
}
END_TEST

static const struct {
    const char *doc, *filter;
} exact[] = {
    {"{'_id':1}", "{'syncMetadata':{'$exists':false}}"},
    {"{'_id':1,'syncMetadata':null}", "{'syncMetadata':{'$eq':null}}"},
    {"{'_id':1,'syncMetadata':{'collections':{'tools':{'status':'stale','pointId':5}}}}",
     "{'syncMetadata':{'$eq':{'collections':{'tools':{'status':'stale','pointId':{'$numberInt':'5'}}}}}}"},
};

START_TEST(an_exact_filter_repeats_what_is_there)
{
    bson_t filter = BSON_INITIALIZER, *d = doc(exact[_i].doc);
    metadata_exact(&filter, d);
    assert_bson(&filter, exact[_i].filter);
    bson_destroy(&filter);
    bson_destroy(d);
}
END_TEST

#define STATUS_T "'syncMetadata.collections.tools.status'"
#define RETRY_T "'syncMetadata.collections.tools.nextRetryAt'"
#define RETRIED                                                                                              \
    "{" STATUS_T ":{'$in':['stale','failed']}," RETRY_T ":{'$lte':{'$date':{'$numberLong':'9'}}}},"          \
    "{" STATUS_T ":'stale'," RETRY_T ":{'$not':{'$type':'date'}}}"

START_TEST(due_are_the_unrecorded_the_pending_and_those_whose_time_has_come)
{
    static const bool wanted[] = {true, false}, none[] = {false, false};
    struct due_rule rule = {.wanted = wanted, .now_ms = 9};
    bson_t filter = BSON_INITIALIZER, recorded = BSON_INITIALIZER, empty = BSON_INITIALIZER;
    ck_assert(metadata_due(&filter, names, 2, &rule));
    assert_text(&filter, "{'$or':[{" STATUS_T ":{'$nin':['synced','stale','failed']}}," RETRIED "]}");
    rule.recorded_only = rule.rejected_too = true;
    ck_assert(metadata_due(&recorded, names, 2, &rule));
    assert_text(&recorded, "{'$or':[{" STATUS_T ":'pending'}," RETRIED ",{" STATUS_T ":'failed'," RETRY_T
                           ":{'$not':{'$type':'date'}},'syncMetadata.collections.tools.errorCode':"
                           "'VALIDATION_ERROR'}]}");
    rule.wanted = none;
    ck_assert(!metadata_due(&empty, names, 2, &rule));
    ck_assert(bson_empty(&empty));
    bson_destroy(&filter);
    bson_destroy(&recorded);
    bson_destroy(&empty);
}
END_TEST

static const struct {
    const char *entry;
    bool due, recorded_due, rejected_due;
    int64_t next_ms;
} dues[] = {
    {"{}", true, false, true, NO_TIME},
    {"{'status':'pending','nextRetryAt':{'$date':{'$numberLong':'99'}}}", true, true, true, NO_TIME},
    {"{'status':'synced'}", false, false, false, NO_TIME},
    {"{'status':'stale'}", true, true, true, NO_TIME},
    {"{'status':'stale','nextRetryAt':{'$date':{'$numberLong':'9'}}}", true, true, true, NO_TIME},
    {"{'status':'stale','nextRetryAt':{'$date':{'$numberLong':'10'}}}", false, false, false, 10},
    {"{'status':'failed'}", false, false, false, NO_TIME},
    {"{'status':'failed','errorCode':'VALIDATION_ERROR'}", false, false, true, NO_TIME},
    {"{'status':'failed','errorCode':'EMBEDDING_REJECTED'}", false, false, false, NO_TIME},
    {"{'status':'failed','nextRetryAt':{'$date':{'$numberLong':'8'}}}", true, true, true, NO_TIME},
    {"{'status':'failed','errorCode':'VALIDATION_ERROR','nextRetryAt':{'$date':{'$numberLong':'12'}}}", false,
     false, false, 12},
};

START_TEST(an_entry_is_due_by_status_and_time)
{
    static const bool wanted[] = {true, false};
    char text[256];
    int64_t next_ms = NO_TIME;
    snprintf(text, sizeof text, "{'syncMetadata':{'collections':{'tools':%s}}}", dues[_i].entry);
    struct record r = record_of(text);
    struct due_rule rule = {.wanted = wanted, .now_ms = 9};
    ck_assert(metadata_is_due(&r, &rule, &next_ms) == dues[_i].due);
    ck_assert(next_ms == dues[_i].next_ms);
    rule.recorded_only = true;
    ck_assert(metadata_is_due(&r, &rule, &next_ms) == dues[_i].recorded_due);
    rule = (struct due_rule){.wanted = wanted, .now_ms = 9, .rejected_too = true};
    ck_assert(metadata_is_due(&r, &rule, &next_ms) == dues[_i].rejected_due);
    record_fini(&r);
}
END_TEST

/* ---- the stream's commands ---- */

#define STAGES                                                                                               \
    "{'$project':{'_id':1,'operationType':1,'clusterTime':1,'wallTime':1,'documentKey':1,'keys':"            \
    "{'$ifNull':[{'$concatArrays':["                                                                         \
    "{'$map':{'input':{'$objectToArray':'$updateDescription.updatedFields'},'as':'f','in':'$$f.k'}},"        \
    "{'$ifNull':['$updateDescription.removedFields',[]]},"                                                   \
    "{'$map':{'input':{'$ifNull':['$updateDescription.truncatedArrays',[]]},'as':'t','in':'$$t.field'}}"     \
    "]},{'$ifNull':[{'$map':{'input':{'$objectToArray':'$fullDocument'},'as':'f','in':'$$f.k'}},[]]}]}}},"   \
    "{'$match':{'$or':[{'operationType':{'$ne':'update'}},{'$expr':{'$or':[{'$eq':[{'$size':'$keys'},0]},"   \
    "{'$anyElementTrue':[{'$map':{'input':'$keys','as':'k','in':{'$and':[{'$ne':['$$k','syncMetadata']},"    \
    "{'$or':[{'$lt':['$$k','syncMetadata.']},{'$gte':['$$k','syncMetadata/']}]}]}}}]}]}}]}}"
#define TAIL "'cursor':{'batchSize':1},'readConcern':{'level':'majority'}}"

START_TEST(the_stream_is_opened_lean_and_without_our_own_writes)
{
    bson_t *token = doc("{'_data':'8200'}");
    bson_t *after = pipeline_open_command("tools", token, 0), *now = pipeline_open_command("tools", NULL, 0),
           *at = pipeline_open_command("tools", NULL, UINT64_C(5) << 32 | 7);
    assert_bson(after,
                "{'aggregate':'tools','pipeline':[{'$changeStream':{'startAfter':{'_data':'8200'}}}," STAGES
                "]," TAIL);
    assert_bson(now, "{'aggregate':'tools','pipeline':[{'$changeStream':{}}," STAGES "]," TAIL);
    assert_bson(at, "{'aggregate':'tools','pipeline':[{'$changeStream':{'startAtOperationTime':"
                    "{'$timestamp':{'t':5,'i':7}}}}," STAGES "]," TAIL);
    bson_destroy(token);
    bson_destroy(after);
    bson_destroy(now);
    bson_destroy(at);
}
END_TEST

START_TEST(a_probe_asks_for_the_history_alone)
{
    bson_t *probe = pipeline_probe_command("tools", UINT64_C(5) << 32 | 7);
    assert_bson(probe, "{'aggregate':'tools','pipeline':[{'$changeStream':{'startAtOperationTime':"
                       "{'$timestamp':{'t':5,'i':7}}}},{'$project':{'_id':1}}]," TAIL);
    bson_destroy(probe);
}
END_TEST

static const struct {
    const char *token;
    cluster_time at;
} tokens[] = {
    {"{'_data':'826B02DB6B0000000E2B022C0100296E5A1004D1'}", UINT64_C(0x6B02DB6B) << 32 | 14},
    {"{'_data':'826b02db6b0000000e2b0229296E04'}", UINT64_C(0x6B02DB6B) << 32 | 14},
    {"{'_data':'826B02DB6B000000'}", 0},
    {"{'_data':'146B02DB6B0000000E2B0229296E04'}", 0},
    {"{'_data':'82zz02DB6B0000000E2B0229296E04'}", 0},
    {"{'_data':5}", 0},
    {"{}", 0},
};

START_TEST(a_token_begins_with_its_time_or_with_none)
{
    bson_t *token = doc(tokens[_i].token);
    ck_assert_uint_eq(pipeline_token_time(token), tokens[_i].at);
    bson_destroy(token);
}
END_TEST

/* ---- errors ---- */

#define LACKS "(code 13); the URI's user lacks "

static const struct {
    uint32_t domain, code;
    const char *message, *expected;
} failures[] = {
    {MONGOC_ERROR_SERVER, 13,
     "not authorized on shop to execute command { find: \"tools\", filter: { name: \"secret\" } }",
     "MongoDB, reading: not authorized on shop " LACKS "the privilege find on the collection tools"},
    {MONGOC_ERROR_SERVER, 13,
     "not authorized on shop to execute command { aggregate: \"tools\", pipeline: [ { $changeStream: {} } ] "
     "}",
     "MongoDB, reading: not authorized on shop " LACKS
     "the privilege changeStream and find on the collection tools"},
    {MONGOC_ERROR_SERVER, 13, "not authorized on shop to execute command { createIndexes: \"tools\" }",
     "MongoDB, reading: not authorized on shop " LACKS "the privilege createIndex on the collection tools"},
    {MONGOC_ERROR_SERVER, 13, "not authorized on admin to execute command { frob: 1",
     "MongoDB, reading: not authorized on admin " LACKS "the privilege readWrite"},
    {MONGOC_ERROR_SERVER, 13, "command find requires authentication",
     "MongoDB, reading: command find requires authentication " LACKS "a privilege, or it names no user"},
    {MONGOC_ERROR_SERVER, 50, "operation exceeded time limit",
     "MongoDB, reading: operation exceeded time limit (code 50)"},
    {MONGOC_ERROR_STREAM, 13, "socket", "MongoDB, reading: socket (code 13)"},
};

START_TEST(an_error_names_what_is_missing_and_no_contents)
{
    struct lks_err err = {0};
    bson_error_t error;
    bson_set_error(&error, failures[_i].domain, failures[_i].code, "%s", failures[_i].message);
    ck_assert_int_eq(mongo_fail(&err, &error, "reading"), LKS_E_MONGO);
    ck_assert_str_eq(err.text, failures[_i].expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mongo");
    TCase *tc = tcase_create("metadata");
    tcase_add_test(tc, a_whole_record_is_read);
    tcase_add_test(tc, a_record_contradicts_itself_where_its_overall_status_is_not_that_of_its_entries);
    tcase_add_test(tc, the_names_of_changed_fields_are_read_as_a_hash);
    tcase_add_loop_test(tc, what_is_no_record_or_entry_counts_as_absent, 0, COUNT(messes));
    tcase_add_test(tc, fields_of_wrong_types_count_as_null_or_zero);
    tcase_add_test(tc, counts_of_any_number_type_are_read);
    tcase_add_test(tc, a_first_record_is_written_whole);
    tcase_add_loop_test(tc, basic_error_codes_are_written_with_their_reason_and_read_as_the_reason, 0, 10);
    tcase_add_test(tc, of_a_record_only_entries_that_changed_are_written);
    tcase_add_test(tc, an_entry_that_is_gone_is_unset);
    tcase_add_test(tc, what_is_written_reads_back_the_same);
    tcase_add_test(tc, the_filter_says_what_was_read);
    tcase_add_test(tc, in_the_filter_zero_and_nothing_also_match_what_is_missing);
    tcase_add_loop_test(tc, an_exact_filter_repeats_what_is_there, 0, COUNT(exact));
    tcase_add_test(tc, due_are_the_unrecorded_the_pending_and_those_whose_time_has_come);
    tcase_add_loop_test(tc, an_entry_is_due_by_status_and_time, 0, COUNT(dues));
    suite_add_tcase(suite, tc);
    tc = tcase_create("pipeline");
    tcase_add_test(tc, the_stream_is_opened_lean_and_without_our_own_writes);
    tcase_add_test(tc, a_probe_asks_for_the_history_alone);
    tcase_add_loop_test(tc, a_token_begins_with_its_time_or_with_none, 0, COUNT(tokens));
    suite_add_tcase(suite, tc);
    tc = tcase_create("errors");
    tcase_add_loop_test(tc, an_error_names_what_is_missing_and_no_contents, 0, COUNT(failures));
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
