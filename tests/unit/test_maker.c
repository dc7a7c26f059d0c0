/* test_maker.c - the maker port: every request comes back once, and a call that hangs stops its collection
 * alone. */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "plugin/crash.h"
#include "plugin/maker.h"
#include "plugin/plugin.h"
#include "suite.h"

#define SET(k, v) ((struct plugin_setting){.key = (k), .value = (v), .where = "test.ini:9"})
#define DEADLINE_MS 3000 /* what doesn't hang must be done by then, however slow the machine */

/* ---- an inbox to wait on ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct req *first, *last;
} box = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static void post(void *self, struct req *req)
{
    (void)self;
    pthread_mutex_lock(&box.lock);
    req->next = NULL;
    if (box.first) box.last->next = req;
    if (!box.first) box.first = req;
    box.last = req;
    pthread_cond_signal(&box.more);
    pthread_mutex_unlock(&box.lock);
}

static struct req *take(void)
{
    pthread_mutex_lock(&box.lock);
    while (!box.first) pthread_cond_wait(&box.more, &box.lock);
    struct req *req = box.first;
    box.first = req->next;
    pthread_mutex_unlock(&box.lock);
    return req;
}

/* ---- collections and documents ---- */

static char mark[64]; /* the file that lets a hung call go */
static struct plugin_set *set;
static struct binding *bindings[3];
static const struct collection *collections[4]; /* three bindings, then a declaration */
static struct maker *maker;
static struct source_document docs[64];
static size_t doc_count;

static struct binding *bind(const char *name, const char *plugin, const char *mode)
{
    struct binding *b;
    struct lks_err err;
    struct binding_settings s = {.name = name,
                                 .plugin = plugin,
                                 .where = "test.ini:1",
                                 .settings =
                                     (struct plugin_setting[]){SET("mode", mode), SET("needed", mark)},
                                 .setting_count = 2,
                                 .source = "d.c",
                                 .id_field = "id",
                                 .id_namespace = "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
                                 .max_text_bytes = 1000,
                                 .fingerprint = "f"};
    ck_assert_int_eq(binding_open(set, &s, &b, NULL, NULL, &err), LKS_E_OK);
    return b;
}

static const struct source_document *new_doc(const char *name)
{
    struct source_document *doc = &docs[doc_count];
    char json[200];
    snprintf(json, sizeof json, "{\"_id\":\"doc-%zu\",\"id\":\"i%zu\",\"name\":\"%s\"}", doc_count, doc_count,
             name);
    doc_count++;
    doc->body = fixture_doc(json);
    doc->id = docid_of(doc->body);
    return doc;
}

/* All four collections: "hangs" does so at documents called `hang`, "plain" doesn't; two serial ones may. */
static void open_maker(const char *plugin)
{
    struct lks_err err;
    char folder[1000];
    const char *top = getenv("top_builddir");
    char *absolute = realpath(top ? top : ".", NULL);
    ck_assert_ptr_nonnull(absolute);
    snprintf(folder, sizeof folder, "%s/tests/unit", absolute);
    free(absolute);
    snprintf(mark, sizeof mark, "/tmp/lockstep-maker-%ld", (long)getpid());
    unlink(mark);
    ck_assert_int_eq(plugins_load(LIST(folder), LIST("probe", "probe_serial"), 2, &set, NULL, NULL, &err),
                     LKS_E_OK);
    bindings[0] = bind("hangs", plugin, "hang");
    bindings[1] = bind("plain", plugin, "plain");
    bindings[2] = bind("third", "probe", "plain");
    for (size_t i = 0; i < 3; i++) collections[i] = binding_collection(bindings[i]);
    struct declaration_lists lists = {.watched = LIST("name")};
    collections[3] = fixture_collection("declared", &lists);
    ck_assert_int_eq(maker_open(collections, 4, &(struct maker_options){.deadline_ms = DEADLINE_MS},
                                (struct inbox){NULL, post}, &maker, &err),
                     LKS_E_OK);
}

static void close_maker(size_t hung)
{
    ck_assert_uint_eq(maker_close(maker), hung);
    for (size_t i = 0; i < 3; i++) binding_close(bindings[i]);
    fixture_free((struct collection *)collections[3]);
    plugins_free(set);
    while (doc_count) source_document_fini(&docs[--doc_count]);
    FILE *file = fopen(mark, "w"); /* lets go what hangs */
    if (file) fclose(file);
    unlink(mark);
}

static struct req *request(size_t collection, const char *const *names)
{
    struct req *req = req_new(REQ_MAKE, NULL);
    size_t count = 0;
    while (names[count]) count++;
    req->make.collection = collection;
    req->make.count = count;
    req->make.docs = calloc(count, sizeof *req->make.docs);
    for (size_t i = 0; i < count; i++) req->make.docs[i] = new_doc(names[i]);
    return req;
}

static void submit(struct req *req)
{
    struct port port = maker_port(maker);
    port.submit(port.self, req);
}

START_TEST(every_collection_makes_its_documents)
{
    open_maker("probe");
    for (size_t c = 0; c < 4; c++) submit(request(c, LIST("one", "two")));
    size_t seen[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        struct req *req = take();
        ck_assert_int_eq(req->err.code, LKS_E_OK);
        seen[req->make.collection]++;
        ck_assert_int_eq(req->make.made[0].kind, MADE_POINT);
        ck_assert_str_eq(req->make.made[0].text, req->make.collection == 3 ? "one" : "one one");
        ck_assert_str_eq(req->make.made[1].text, req->make.collection == 3 ? "two" : "two two");
        req_free(req);
    }
    for (size_t c = 0; c < 4; c++) ck_assert_uint_eq(seen[c], 1);
    close_maker(0);
}
END_TEST

START_TEST(a_call_that_hangs_stops_its_collection_and_no_other)
{
    open_maker("probe");
    struct req *bad = request(0, LIST("one", "hang", "three")), *behind = request(0, LIST("four"));
    submit(bad);
    submit(behind);
    for (size_t c = 1; c < 4; c++) submit(request(c, LIST("one")));
    for (size_t i = 0; i < 3; i++) { /* the others come first, while it hangs */
        struct req *req = take();
        ck_assert_uint_ne(req->make.collection, 0);
        ck_assert_int_eq(req->make.made[0].kind, MADE_POINT);
        req_free(req);
    }
    struct req *back = take();
    ck_assert_ptr_eq(back, bad);
    ck_assert_int_eq(back->err.code, LKS_E_OK);
    ck_assert_int_eq(back->make.made[0].kind, MADE_POINT); /* made before the call that hangs */
    ck_assert_int_eq(back->make.made[1].kind, MADE_FATAL);
    ck_assert_int_eq(back->make.made[2].kind, MADE_FATAL);
    ck_assert_ptr_nonnull(
        strstr(back->make.made[1].err->text,
               "collection `hangs`, plugin `probe`, text(), document doc-1: did not return"));
    req_free(back);
    back = take();
    ck_assert_ptr_eq(back, behind);
    ck_assert_int_eq(back->make.made[0].kind, MADE_FATAL);
    req_free(back);
    submit(request(0, LIST("five"))); /* also from now on */
    back = take();
    ck_assert_int_eq(back->make.made[0].kind, MADE_FATAL);
    req_free(back);
    submit(request(1, LIST("six")));
    back = take();
    ck_assert_int_eq(back->make.made[0].kind, MADE_POINT);
    req_free(back);
    close_maker(1);
}
END_TEST

START_TEST(collections_of_a_serial_plugin_share_its_fate)
{
    open_maker("probe_serial");
    submit(request(0, LIST("hang")));
    submit(request(1, LIST("one")));
    submit(request(2, LIST("one")));
    for (size_t i = 0; i < 3; i++) {
        struct req *req = take();
        ck_assert_int_eq(req->make.made[0].kind, req->make.collection == 2 ? MADE_POINT : MADE_FATAL);
        req_free(req);
    }
    close_maker(1);
}
END_TEST

START_TEST(closing_posts_back_everything)
{
    open_maker("probe");
    for (size_t i = 0; i < 10; i++) submit(request(i % 4, LIST("one", "two", "three")));
    size_t made = 0, cancelled = 0;
    ck_assert_uint_eq(maker_close(maker), 0);
    for (size_t i = 0; i < 10; i++) {
        struct req *req = take();
        made += req->err.code == LKS_E_OK;
        cancelled += req->err.code == LKS_E_CANCELLED;
        req_free(req);
    }
    ck_assert_uint_eq(made + cancelled, 10);
    ck_assert_ptr_null(box.first);
    maker = NULL;
    close_maker(0);
}
END_TEST

START_TEST(closing_while_a_call_hangs_waits_for_its_deadline_only)
{
    open_maker("probe");
    submit(request(0, LIST("hang")));
    size_t hung = maker_close(maker);
    struct req *req = take();
    ck_assert_int_eq(req->err.code, hung ? LKS_E_OK : LKS_E_CANCELLED); /* it may not have begun */
    if (hung) ck_assert_int_eq(req->make.made[0].kind, MADE_FATAL);
    req_free(req);
    maker = NULL;
    close_maker(0);
}
END_TEST

START_TEST(many_requests_at_once_are_all_answered)
{
    open_maker("probe");
    for (size_t i = 0; i < 48; i++) submit(request(i % 4, LIST("one")));
    for (size_t i = 0; i < 48; i++) {
        struct req *req = take();
        ck_assert_int_eq(req->make.made[0].kind, MADE_POINT);
        req_free(req);
    }
    close_maker(0);
}
END_TEST

/* ---- one document, and crashes ---- */

START_TEST(one_document_has_the_deadline_too)
{
    struct made made;
    open_maker("probe");
    maker_make(collections[0], new_doc("one")->body, 0, &made);
    ck_assert_int_eq(made.kind, MADE_POINT);
    ck_assert_str_eq(made.text, "one one");
    made_fini(&made);
    maker_make(collections[3], new_doc("two")->body, 0, &made);
    ck_assert_int_eq(made.kind, MADE_POINT);
    made_fini(&made);
    maker_make(collections[0], new_doc("hang")->body, 200, &made);
    ck_assert_int_eq(made.kind, MADE_FATAL);
    ck_assert_ptr_nonnull(
        strstr(made.err->text,
               "collection `hangs`, plugin `probe`, text(), document doc-2: did not return within 200 ms"));
    made_fini(&made);
    close_maker(0);
}
END_TEST

#ifndef LOCKSTEP_SANITIZED /* whose own handlers come first */
static const char *const crashes[] = {"crash", "recurse"};

START_TEST(a_crash_names_plugin_call_and_document)
{
    for (int json = 0; json < 2; json++) {
        int ends[2], status = 0;
        char said[2000] = "";
        size_t bytes = 0;
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            struct made made;
            dup2(ends[1], STDERR_FILENO);
            close(ends[0]);
            open_maker("probe");
            crash_watch(json);
            struct binding *b = bind("crashes", "probe", crashes[_i]);
            maker_make(binding_collection(b), new_doc("fine")->body, 0, &made);
            made_fini(&made);
            maker_make(binding_collection(b), new_doc("crash")->body, 0, &made);
            _exit(0);
        }
        close(ends[1]);
        for (ssize_t n; (n = read(ends[0], said + bytes, sizeof said - 1 - bytes)) > 0;) bytes += (size_t)n;
        close(ends[0]);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %d", status);
        ck_assert_str_eq(
            said, json ? "{\"level\":\"error\",\"message\":\"a plugin crashed: the process ends\",\"plugin\":"
                         "\"probe\",\"call\":\"text\",\"collection\":\"crashes\",\"document\":\"doc-1\","
                         "\"signal\":\"SIGSEGV\"}\n"
                       : "error a plugin crashed: the process ends plugin=\"probe\" call=\"text\" "
                         "collection=\"crashes\" document=\"doc-1\" signal=\"SIGSEGV\"\n");
    }
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("maker");
    TCase *tc = tcase_create("maker");
    tcase_add_test(tc, every_collection_makes_its_documents);
    tcase_add_test(tc, a_call_that_hangs_stops_its_collection_and_no_other);
    tcase_add_test(tc, collections_of_a_serial_plugin_share_its_fate);
    tcase_add_test(tc, closing_posts_back_everything);
    tcase_add_test(tc, closing_while_a_call_hangs_waits_for_its_deadline_only);
    tcase_add_test(tc, many_requests_at_once_are_all_answered);
    tcase_add_test(tc, one_document_has_the_deadline_too);
#ifndef LOCKSTEP_SANITIZED
    tcase_add_loop_test(tc, a_crash_names_plugin_call_and_document, 0, COUNT(crashes));
#endif
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
