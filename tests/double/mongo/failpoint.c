/* failpoint.c - the fail point failCommand, as the server has it. Owns its specification. */
#include "conn.h"
#include "text.h"

static int set_mode(struct req *r, struct val mode, struct failpoint *f)
{
    f->times = -1;
    f->skip = 0;
    f->probability = 1;
    if (val_str_is(mode, "off")) return f->on = false, 0;
    f->on = true;
    if (val_str_is(mode, "alwaysOn")) return 0;
    if (val_is_doc(mode)) {
        struct iter it;
        iter_init(&it, mode);
        if (iter_next(&it) && val_is_num(it.v)) {
            int64_t n = val_int(it.v);
            if (!strcmp(it.key, "times")) return f->times = n, f->on = n > 0, 0;
            if (!strcmp(it.key, "skip")) return f->skip = n, 0;
            if (!strcmp(it.key, "activationProbability")) return f->probability = val_double(it.v), 0;
        }
    }
    f->on = false;
    return merr_set(&r->err, MERR_BAD_VALUE, "unknown mode: %s",
                    val_is_str(mode) ? val_str(mode) : text_of(&r->a, mode, TEXT_BSON));
}

int failpoint_configure(struct req *r)
{
    struct failpoint *f = &r->s->fail;
    struct val name = doc_get(r->body, r->name), data = doc_get(r->body, "data");
    if (!val_str_is(name, "failCommand"))
        return merr_set(&r->err, 87, "%s not found", val_is_str(name) ? val_str(name) : "");
    if (set_mode(r, doc_get(r->body, "mode"), f)) return r->err.code;
    bw_i32(&r->reply, "count", f->entered);
    pool_reset(&f->a);
    f->data = val_is_doc(data) ? val_dup(&f->a, data) : val_empty_doc();
    return 0;
}

static bool names_command(const struct failpoint *f, const char *name)
{
    struct iter it;
    for (iter_init(&it, doc_get(f->data, "failCommands")); iter_next(&it);)
        if (val_str_is(it.v, name)) return true;
    return false;
}

static bool hits(struct req *r, struct failpoint *f)
{
    struct val app = doc_get(f->data, "appName"), ns = doc_get(f->data, "namespace"), coll;
    const char *name = command_find(r->name) ? command_find(r->name)->name : r->name;
    if (!f->on || !strcmp(name, "configureFailPoint") ||
        !(names_command(f, name) || names_command(f, r->name)))
        return false;
    if (val_is_str(app) && (!r->conn || strcmp(r->conn->app_name, val_str(app)) != 0)) return false;
    coll = doc_get(r->body, r->name);
    if (val_is_str(ns) && val_is_str(coll)) {
        size_t db = strlen(r->db);
        if (strncmp(val_str(ns), r->db, db) || val_str(ns)[db] != '.' ||
            strcmp(val_str(ns) + db + 1, val_str(coll)))
            return false;
    }
    if (f->skip > 0) return f->skip--, false;
    if (f->probability < 1 && (double)(server_random(r->s) >> 11) / 9007199254740992.0 >= f->probability)
        return false;
    if (f->times > 0 && --f->times == 0) f->on = false;
    f->entered++;
    return true;
}

/* A missing privilege is reported as the server reports it of a user, so that clients can name it. */
static void fail_with(struct req *r, int code)
{
    if (code == MERR_UNAUTHORIZED)
        merr_set(&r->err, code, "not authorized on %s to execute command %s", r->db,
                 text_of(&r->a, r->body, TEXT_BSON));
    else
        merr_set(&r->err, code, "Failing command due to 'failCommand' failpoint");
}

int failpoint_check(struct req *r)
{
    struct failpoint *f = &r->s->fail;
    if (!r->fail_checked) {
        r->fail_checked = true;
        if (!hits(r, f)) return 0;
        struct val d = val_dup(&r->a, f->data), labels = doc_get(d, "errorLabels");
        if (val_truthy(doc_get(d, "closeConnection"))) return MONGO_CLOSE;
        struct val wce = doc_get(d, "writeConcernError"), code = doc_get(d, "errorCode");
        if (val_is_arr(labels)) r->labels = labels, r->labels_given = true;
        if (val_is_doc(wce)) r->fail_write_concern = wce;
        if (val_is_num(code)) fail_with(r, (int)val_int(code));
        if (val_truthy(doc_get(d, "blockConnection")))
            r->blocked_until_ms = now_monotonic_ms() + val_int(doc_get(d, "blockTimeMS"));
    }
    if (r->blocked_until_ms > now_monotonic_ms()) {
        r->deadline_ms = r->blocked_until_ms;
        return MONGO_DEFER;
    }
    r->deadline_ms = 0;
    return r->err.code;
}
