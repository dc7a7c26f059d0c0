/*
 * test_golden_compare.c - the replayer of recorded conversations must see every kind of difference, and
 * nothing else: a comparison that can't fail would let the stand-in servers drift from the real ones.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "golden/compare.h"
#include "golden/ejson.h"
#include "golden/mask.h"
#include "golden/play.h"
#include "suite.h"

/* Extended JSON with ' for ", so that the tables can be read. */
static json_t *json_of(const char *text)
{
    char *copy = strdup(text);
    json_t *json;

    for (char *c = copy; *c; c++)
        if (*c == '\'') *c = '"';
    json = json_parse(copy, strlen(copy));
    ck_assert_msg(json != NULL, "not JSON: %s", text);
    free(copy);
    return json;
}

static bson_t *bson_of(const char *text)
{
    bson_t *bson = bson_new();
    json_t *json = json_of(text);
    struct lks_err err;

    ck_assert_msg(ejson_document(json, bson, &err) == LKS_E_OK, "%s", err.text);
    json_decref(json);
    return bson;
}

/* Holds what was found against what should have been: nothing, or a line that begins so. */
static void expect(struct diffs *found, const char *wanted, const char *about)
{
    const char *text = found->text.data ? found->text.data : "";

    if (!wanted)
        ck_assert_msg(found->count == 0, "%s: found %s", about, text);
    else
        ck_assert_msg(found->count > 0 && strstr(text, wanted) != NULL, "%s: wanted \"%s\", found \"%s\"",
                      about, wanted, text);
}

/* One reply after the other in the same conversation; `wanted` is the difference that must be found. */
struct reply {
    const char *recorded, *got, *wanted;
};

static void compare_in(struct known *known, const struct reply *r, enum compare_extent extent)
{
    bson_t *recorded = bson_of(r->recorded), *got = bson_of(r->got);
    struct diffs found;

    diffs_init(&found, "reply");
    known_learn(known, recorded, got);
    compare_bson(known, recorded, got, extent, &found);
    expect(&found, r->wanted, r->recorded);
    diffs_fini(&found);
    bson_destroy(recorded);
    bson_destroy(got);
}

#define OID_A "{'$oid':'0123456789abcdef01234567'}"
#define OID_B "{'$oid':'abcdef0123456789abcdef01'}"
#define TIME_A "{'$timestamp':{'t':1700000000,'i':1}}"
#define TIME_B "{'$timestamp':{'t':1800000000,'i':9}}"

static const struct reply alone[] = {
    {"{'n':{'$numberInt':'1'}}", "{'n':{'$numberInt':'1'}}", NULL},
    {"{'n':{'$numberInt':'1'}}", "{'n':{'$numberInt':'2'}}",
     "reply.n: expected { \"$numberInt\" : \"1\" }, got"},
    {"{'n':{'$numberInt':'1'}}", "{'n':{'$numberLong':'1'}}", "reply.n: expected int32"},
    {"{'n':{'$numberInt':'1'}}", "{'n':{'$numberDouble':'1.0'}}", "got double"},
    {"{'n':{'$numberLong':'5'}}", "{'n':{'$numberLong':'6'}}", "reply.n: expected"},
    {"{'n':{'$numberDouble':'NaN'}}", "{'n':{'$numberDouble':'NaN'}}", NULL},
    {"{'n':{'$numberDouble':'0.0'}}", "{'n':{'$numberDouble':'-0.0'}}", "reply.n: expected"},
    {"{'n':{'$numberDouble':'1.5'}}", "{'n':{'$numberDouble':'1.25'}}", "reply.n: expected"},
    {"{'n':{'$numberDecimal':'1.0'}}", "{'n':{'$numberDecimal':'1.00'}}", "reply.n: expected"},
    {"{'s':'a'}", "{'s':'b'}", "reply.s: expected \"a\", got \"b\""},
    {"{'s':null}", "{'s':'b'}", "expected null"},
    {"{'b':true}", "{'b':false}", "reply.b"},
    {"{'x':{'$binary':{'base64':'AAA=','subType':'00'}}}",
     "{'x':{'$binary':{'base64':'AAE=','subType':'00'}}}", "reply.x"},
    {"{'x':{'$binary':{'base64':'AAA=','subType':'00'}}}",
     "{'x':{'$binary':{'base64':'AAA=','subType':'05'}}}", "reply.x"},
    {"{'a':true,'b':true}", "{'a':true}", "reply.b: missing, expected true"},
    {"{'a':true}", "{'a':true,'b':true}", "reply.b: not expected, got true"},
    {"{'a':true,'b':true}", "{'b':true,'a':true}", "keys in another order: expected a b, got b a"},
    {"{'d':{'e':[{'f':'x'}]}}", "{'d':{'e':[{'f':'y'}]}}", "reply.d.e.0.f: expected \"x\""},
    {"{'a':['x','y']}", "{'a':['x']}", "reply.a.1: missing"},
    {"{'a':['x']}", "{'a':['x','y']}", "reply.a.1: not expected"},
    {"{'a':[]}", "{'a':{}}", "expected array"},
    /* moments and instances: any value, but of the same type */
    {"{'operationTime':" TIME_A "}", "{'operationTime':" TIME_B "}", NULL},
    {"{'operationTime':" TIME_A "}", "{'operationTime':{'$numberInt':'1'}}", "expected timestamp"},
    {"{'$clusterTime':{'a':true}}", "{'$clusterTime':{'b':true}}", NULL},
    {"{'hosts':['a']}", "{'hosts':['b','c']}", NULL},
    {"{'lastWriteDate':{'$date':{'$numberLong':'1'}}}", "{'lastWriteDate':{'$date':{'$numberLong':'2'}}}",
     NULL},
    {"{'at':{'$date':{'$numberLong':'1'}}}", "{'at':{'$date':{'$numberLong':'2'}}}", NULL},
    {"{'at':{'$date':{'$numberLong':'1'}}}", "{'at':'1970'}", "expected date"},
    {"{'_id':" OID_A "}", "{'_id':" OID_B "}", NULL},
    {"{'_id':" OID_A "}", "{'_id':'x'}", "expected ObjectId"},
    {"{'a':" OID_A ",'b':" OID_A "}", "{'a':" OID_A ",'b':" OID_B "}", "reply.b: an id that was equal"},
    {"{'a':" OID_A ",'b':" OID_B "}", "{'a':" OID_A ",'b':" OID_A "}", "reply.b: an id that differed"},
    /* messages: up to what is volatile in them */
    {"{'errmsg':'cursor id 7712345678901 not found'}", "{'errmsg':'cursor id 1234567890123456 not found'}",
     NULL},
    {"{'errmsg':'cursor id 7712345678901 not found'}", "{'errmsg':'cursor 7712345678901 not found'}",
     "reply.errmsg"},
    {"{'s':'7712345678901'}", "{'s':'1234567890123'}", "reply.s"},
    /* cursors: open or closed */
    {"{'cursor':{'id':{'$numberLong':'7'}}}", "{'cursor':{'id':{'$numberLong':'8'}}}", NULL},
    {"{'cursor':{'id':{'$numberLong':'0'}}}", "{'cursor':{'id':{'$numberLong':'8'}}}",
     "expected a closed cursor"},
    {"{'cursor':{'id':{'$numberLong':'7'}}}", "{'cursor':{'id':{'$numberLong':'0'}}}",
     "expected an open cursor"},
    {"{'d':{'id':{'$numberLong':'7'}}}", "{'d':{'id':{'$numberLong':'8'}}}", "reply.d.id"},
};

START_TEST(a_reply_differs_in_what_the_rules_say)
{
    struct known *known = known_new();

    compare_in(known, &alone[_i], COMPARE_ALL);
    known_free(known);
}
END_TEST

#define EVENT(token) "{'cursor':{'nextBatch':[{'_id':{'_data':'" token "'}}]}}"
#define POST_BATCH(token) "{'cursor':{'postBatchResumeToken':{'_data':'" token "'}}}"

static const struct {
    const char *name;
    struct reply replies[3];
} sequences[] = {
    {"tokens may have any text", {{EVENT("82AA"), EVENT("QQ"), NULL}, {EVENT("82AB"), EVENT("QR"), NULL}}},
    {"an equal token stays equal",
     {{EVENT("82AA"), EVENT("QQ"), NULL}, {EVENT("82AA"), EVENT("QR"), "a token that was equal"}}},
    {"another token is another one",
     {{EVENT("82AA"), EVENT("QQ"), NULL}, {EVENT("82AB"), EVENT("QQ"), "a token that differed"}}},
    {"a later token is greater",
     {{EVENT("82AA"), EVENT("QQ"), NULL}, {EVENT("82AB"), EVENT("QP"), "tokens have another order"}}},
    {"a post-batch token may stand still",
     {{EVENT("82AA"), EVENT("QQ"), NULL}, {POST_BATCH("82AB"), POST_BATCH("QQ"), NULL}}},
    {"a post-batch token never goes back",
     {{EVENT("82AA"), EVENT("QQ"), NULL},
      {POST_BATCH("82AB"), POST_BATCH("QP"), "tokens have another order"}}},
    {"an event comes after the post-batch token before it",
     {{POST_BATCH("82AA"), POST_BATCH("QQ"), NULL}, {EVENT("82AB"), EVENT("QQ"), "a token that differed"}}},
    {"a cursor id names the same cursor later",
     {{"{'cursor':{'id':{'$numberLong':'7'}}}", "{'cursor':{'id':{'$numberLong':'8'}}}", NULL},
      {"{'killed':[{'$numberLong':'7'}]}", "{'killed':[{'$numberLong':'8'}]}", NULL},
      {"{'killed':[{'$numberLong':'7'}]}", "{'killed':[{'$numberLong':'7'}]}", "reply.killed.0"}}},
};

START_TEST(a_conversation_holds_together)
{
    struct known *known = known_new();

    for (size_t i = 0; i < 3 && sequences[_i].replies[i].recorded; i++)
        compare_in(known, &sequences[_i].replies[i], COMPARE_ALL);
    known_free(known);
}
END_TEST

START_TEST(what_the_client_chose_must_come_back_as_it_was)
{
    static const struct reply replies[] = {
        {"{'_id':" OID_A "}", "{'_id':" OID_A "}", NULL},
        {"{'_id':" OID_A "}", "{'_id':" OID_B "}", "an id that the client sent came back changed"},
        {"{'at':{'$date':{'$numberLong':'1'}}}", "{'at':{'$date':{'$numberLong':'2'}}}",
         "a time that the client sent came back changed"},
    };
    struct known *known = known_new();
    bson_t *sent =
        bson_of("{'insert':'c','documents':[{'_id':" OID_A ",'at':{'$date':{'$numberLong':'1'}}}]}");
    bson_t out = BSON_INITIALIZER;

    known_substitute(known, sent, &out);
    ck_assert(bson_equal(sent, &out));
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) compare_in(known, &replies[i], COMPARE_ALL);
    bson_destroy(&out);
    bson_destroy(sent);
    known_free(known);
}
END_TEST

START_TEST(values_of_earlier_replies_are_put_into_later_commands)
{
    static const struct reply first = {
        "{'cursor':{'id':{'$numberLong':'77'},'postBatchResumeToken':{'_data':'82AA'}},'operationTime'"
        ":" TIME_A ",'topologyVersion':{'processId':" OID_A
        ",'counter':{'$numberLong':'4'}},'upserted':" OID_A "}",
        "{'cursor':{'id':{'$numberLong':'99'},'postBatchResumeToken':{'_data':'QQ'}},'operationTime':" TIME_B
        ",'topologyVersion':{'processId':" OID_B ",'counter':{'$numberLong':'9'}},'upserted':" OID_B "}",
        NULL,
    };
    static const struct {
        const char *recorded, *sent;
    } commands[] = {
        {"{'getMore':{'$numberLong':'77'}}", "{'getMore':{'$numberLong':'99'}}"},
        {"{'getMore':{'$numberLong':'78'}}", "{'getMore':{'$numberLong':'78'}}"},
        {"{'killCursors':'c','cursors':[{'$numberLong':'77'}]}",
         "{'killCursors':'c','cursors':[{'$numberLong':'99'}]}"},
        {"{'p':[{'$changeStream':{'resumeAfter':{'_data':'82AA'}}}]}",
         "{'p':[{'$changeStream':{'resumeAfter':{'_data':'QQ'}}}]}"},
        {"{'p':{'resumeAfter':{'_data':'82AB'}}}", "{'p':{'resumeAfter':{'_data':'82AB'}}}"},
        {"{'startAtOperationTime':" TIME_A "}", "{'startAtOperationTime':" TIME_B "}"},
        {"{'topologyVersion':{'processId':" OID_A ",'counter':{'$numberLong':'4'}}}",
         "{'topologyVersion':{'processId':" OID_B ",'counter':{'$numberLong':'9'}}}"},
        {"{'q':{'_id':" OID_A "}}", "{'q':{'_id':" OID_B "}}"},
    };
    struct known *known = known_new();

    compare_in(known, &first, COMPARE_ALL);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        bson_t *recorded = bson_of(commands[i].recorded), *wanted = bson_of(commands[i].sent);
        bson_t out = BSON_INITIALIZER;

        known_substitute(known, recorded, &out);
        ck_assert_msg(bson_equal(wanted, &out), "%s", commands[i].recorded);
        bson_destroy(&out);
        bson_destroy(recorded);
        bson_destroy(wanted);
    }
    known_free(known);
}
END_TEST

START_TEST(a_session_is_another_one_in_each_run_and_the_same_one_within)
{
    static const char lsid[] = "{'lsid':{'id':{'$binary':{'base64':'AAECAwQFBgcICQoLDA0ODw==','subType':'04'}"
                               "}},'txnNumber':{'$numberLong':'1'}}";
    struct known *known = known_new();
    bson_t *recorded = bson_of(lsid), first = BSON_INITIALIZER, second = BSON_INITIALIZER;

    known_substitute(known, recorded, &first);
    known_substitute(known, recorded, &second);
    ck_assert(!bson_equal(recorded, &first));
    ck_assert(bson_equal(&first, &second));
    bson_destroy(recorded);
    bson_destroy(&first);
    bson_destroy(&second);
    known_free(known);
}
END_TEST

START_TEST(reports_are_compared_as_far_as_clients_read_them)
{
    static const struct reply status = {"{'ok':{'$numberDouble':'1.0'},'set':'a'}",
                                        "{'ok':{'$numberDouble':'1.0'}}", NULL};
    static const struct reply failed = {"{'ok':{'$numberDouble':'1.0'}}", "{'ok':{'$numberDouble':'0.0'}}",
                                        "reply.ok"};
    static const struct reply listed = {
        "{'cursor':{'firstBatch':[{'name':'a'}]},'ok':{'$numberDouble':'1.0'}}",
        "{'cursor':{'firstBatch':[]},'ok':{'$numberDouble':'1.0'}}", NULL};
    static const struct reply no_list = {"{'cursor':{'firstBatch':[]},'ok':{'$numberDouble':'1.0'}}",
                                         "{'cursor':{},'ok':{'$numberDouble':'1.0'}}",
                                         "reply.cursor.firstBatch"};
    struct known *known = known_new();

    ck_assert_int_eq(compare_extent_of("replSetGetStatus"), COMPARE_OK);
    ck_assert_int_eq(compare_extent_of("listCollections"), COMPARE_SHAPE);
    ck_assert_int_eq(compare_extent_of("find"), COMPARE_ALL);
    compare_in(known, &status, COMPARE_OK);
    compare_in(known, &failed, COMPARE_OK);
    compare_in(known, &listed, COMPARE_SHAPE);
    compare_in(known, &failed, COMPARE_SHAPE);
    compare_in(known, &no_list, COMPARE_SHAPE);
    known_free(known);
}
END_TEST

static const struct reply answers[] = {
    {"{'result':true,'status':'ok','time':0.1}", "{'time':7.5,'status':'ok','result':true}", NULL},
    {"{'result':true}", "{'result':false}", "response.result: expected true, got false"},
    {"{'result':true}", "{'result':1}", "response.result"},
    {"{'result':null}", "{'result':{}}", "response.result"},
    {"{'result':[1,2]}", "{'result':[1]}", "expected 2 elements, got 1"},
    {"{'result':{'a':1}}", "{'result':{}}", "response.result.a: missing"},
    {"{'result':{}}", "{'result':{'a':1}}", "response.result.a: not expected"},
    {"{'score':0.999999}", "{'score':1.0000001}", NULL},
    {"{'score':0.99}", "{'score':1.0}", "response.score"},
    {"{'score':1}", "{'score':1.0}", NULL},
    {"{'id':100000000}", "{'id':100000001}", "response.id"},
    {"{'n':18446744073709552000}", "{'n':18446744073709551615}", NULL},
    {"{'result':{'operation_id':5}}", "{'result':{'operation_id':9}}", NULL},
    {"{'result':{'operation_id':5}}", "{'result':{'operation_id':'x'}}", "response.result.operation_id"},
    {"{'payload':{'version':5}}", "{'payload':{'version':9}}", "response.payload.version"},
    {"{'usage':null}", "{'usage':{'cpu':1}}", NULL},
    {"{'status':{'error':'Not found: Collection `c`'}}", "{'status':{'error':'Not found: Collection `d`'}}",
     "response.status.error"},
    {"{'status':{'error':'JSON payload (35651653 bytes) is larger than allowed (limit: 33554432 bytes).'}}",
     "{'status':{'error':'JSON payload (99951653 bytes) is larger than allowed (limit: 33554432 bytes).'}}",
     NULL},
};

START_TEST(an_answer_differs_in_what_the_rules_say)
{
    json_t *recorded = json_of(answers[_i].recorded), *got = json_of(answers[_i].got);
    struct diffs found;

    diffs_init(&found, "response");
    compare_json(recorded, got, &found);
    expect(&found, answers[_i].wanted, answers[_i].recorded);
    diffs_fini(&found);
    json_decref(recorded);
    json_decref(got);
}
END_TEST

START_TEST(messages_are_masked_where_they_are_volatile_only)
{
    static const struct {
        enum mask_kind kind;
        const char *recorded, *got;
        bool equal;
    } cases[] = {
        {MASK_MONGODB, "token 826B02DA52000000032B022C0100", "token 826B02DA52000000052B022C0100", true},
        {MASK_MONGODB, "index 1", "index 2", false},
        {MASK_MONGODB, "{ ts: Timestamp(1795349478, 3), t: -1 }", "{ ts: Timestamp(1895349478, 12), t: -1 }",
         true},
        {MASK_MONGODB, "took 12ms", "took 7ms", true},
        {MASK_MONGODB, "dup key: { id: \"a\" }", "dup key: { id: \"b\" }", false},
        {MASK_HTTP, "{\"time\":1.2e-05}", "{\"time\":3}", true},
        {MASK_HTTP, "point 00000000-0000-5000-8000-000000000001",
         "point 00000000-0000-5000-8000-000000000002", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(mask_equal(cases[i].kind, cases[i].recorded, cases[i].got) == cases[i].equal, "%s",
                      cases[i].recorded);
}
END_TEST

START_TEST(waiting_is_compared_with_room_for_a_busy_machine)
{
    static const struct {
        const char *recorded;
        int64_t took_ms;
        const char *wanted;
    } cases[] = {
        {"{'elapsed_ms':600}", 580, NULL},      {"{'elapsed_ms':600}", 1500, NULL},
        {"{'elapsed_ms':600}", 1, "took only"}, {"{'elapsed_ms':35}", 8000, "took 8000 ms, recorded 35"},
        {"{'elapsed_ms':35}", 1, NULL},         {"{}", 100000, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct step step = {.line = json_of(cases[i].recorded)};
        struct diffs found;

        diffs_init(&found, "reply");
        play_compare_elapsed(&step, cases[i].took_ms, &found);
        expect(&found, cases[i].wanted, cases[i].recorded);
        diffs_fini(&found);
        json_decref(step.line);
    }
}
END_TEST

START_TEST(query_operators_stay_documents_and_values_become_values)
{
    bson_t *bson =
        bson_of("{'a':{'$type':'string'},'b':{'$regex':'x','$options':'i'},"
                "'c':{'$regularExpression':{'pattern':'x','options':'i'}},'d':{'$minKey':1},"
                "'e':{'$numberDouble':'-Infinity'},'f':{'$binary':{'base64':'AQID','subType':'00'}}}");
    bson_iter_t v;

    ck_assert(bson_iter_init_find(&v, bson, "a") && BSON_ITER_HOLDS_DOCUMENT(&v));
    ck_assert(bson_iter_init_find(&v, bson, "b") && BSON_ITER_HOLDS_DOCUMENT(&v));
    ck_assert(bson_iter_init_find(&v, bson, "c") && BSON_ITER_HOLDS_REGEX(&v));
    ck_assert(bson_iter_init_find(&v, bson, "d") && BSON_ITER_HOLDS_MINKEY(&v));
    ck_assert(bson_iter_init_find(&v, bson, "e") && bson_iter_double(&v) < -1e308);
    ck_assert(bson_iter_init_find(&v, bson, "f") && BSON_ITER_HOLDS_BINARY(&v));
    bson_destroy(bson);
}
END_TEST

START_TEST(a_body_is_sent_with_the_digits_it_was_recorded_with)
{
    char line[] = "{\"step\":\"a \\\" "
                  "b\",\"body\":{\"n\":18446744073709551615,\"k\":1,\"k\":[2,\"}\"]},\"status\":200}";
    struct step step = {.line = json_parse(line, strlen(line)), .text = line};
    size_t bytes = 0;
    const char *raw = step_raw(&step, "body", &bytes);

    ck_assert_ptr_nonnull(raw);
    ck_assert_msg(bytes == strlen("{\"n\":18446744073709551615,\"k\":1,\"k\":[2,\"}\"]}") &&
                      strncmp(raw, "{\"n\":18446744073709551615,\"k\":1,\"k\":[2,\"}\"]}", bytes) == 0,
                  "%.*s", (int)bytes, raw);
    raw = step_raw(&step, "status", &bytes);
    ck_assert(raw && bytes == 3 && strncmp(raw, "200", 3) == 0);
    ck_assert_ptr_null(step_raw(&step, "n", &bytes));
    json_decref(step.line);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("golden_compare");
    TCase *tests = tcase_create("golden_compare");

    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, a_reply_differs_in_what_the_rules_say, 0, sizeof alone / sizeof *alone);
    tcase_add_loop_test(tests, a_conversation_holds_together, 0, sizeof sequences / sizeof *sequences);
    tcase_add_test(tests, what_the_client_chose_must_come_back_as_it_was);
    tcase_add_test(tests, values_of_earlier_replies_are_put_into_later_commands);
    tcase_add_test(tests, a_session_is_another_one_in_each_run_and_the_same_one_within);
    tcase_add_test(tests, reports_are_compared_as_far_as_clients_read_them);
    tcase_add_loop_test(tests, an_answer_differs_in_what_the_rules_say, 0, sizeof answers / sizeof *answers);
    tcase_add_test(tests, messages_are_masked_where_they_are_volatile_only);
    tcase_add_test(tests, waiting_is_compared_with_room_for_a_busy_machine);
    tcase_add_test(tests, query_operators_stay_documents_and_values_become_values);
    tcase_add_test(tests, a_body_is_sent_with_the_digits_it_was_recorded_with);
    return suite_run(suite);
}
