/* commands.h - the commands, by the file that has them. Each returns as struct command says. */
#ifndef DOUBLE_MONGO_COMMANDS_H
#define DOUBLE_MONGO_COMMANDS_H

#include "query.h"
#include "server.h"

/* cmd_read.c */
int cmd_find(struct req *r);
int cmd_get_more(struct req *r);
int cmd_kill_cursors(struct req *r);
int cmd_aggregate(struct req *r);
int cmd_count(struct req *r);
int cmd_distinct(struct req *r);
/* cmd_write.c */
int cmd_insert(struct req *r);
int cmd_update(struct req *r);
int cmd_delete(struct req *r);
/* cmd_fam.c */
int cmd_find_and_modify(struct req *r);
/* cmd_catalog.c */
int cmd_create(struct req *r);
int cmd_drop(struct req *r);
int cmd_drop_database(struct req *r);
int cmd_rename_collection(struct req *r);
int cmd_coll_mod(struct req *r);
int cmd_list_collections(struct req *r);
int cmd_list_databases(struct req *r);
int cmd_coll_stats(struct req *r);
int cmd_db_stats(struct req *r);
/* cmd_index.c */
int cmd_create_indexes(struct req *r);
int cmd_drop_indexes(struct req *r);
int cmd_list_indexes(struct req *r);
/* cmd_hello.c */
int cmd_is_master(struct req *r);
int cmd_repl_set_get_status(struct req *r);
int cmd_repl_set_step_down(struct req *r);
/* cmd_admin.c */
int cmd_ping(struct req *r);
int cmd_build_info(struct req *r);
int cmd_get_parameter(struct req *r);
int cmd_connection_status(struct req *r);
int cmd_end_sessions(struct req *r);
int cmd_start_session(struct req *r);
int cmd_server_status(struct req *r);
int cmd_host_info(struct req *r);
int cmd_whatsmyuri(struct req *r);
int cmd_list_commands(struct req *r);
int cmd_sasl_start(struct req *r);
int cmd_double(struct req *r);

/* view.c: the collection that a view shows, with the view's stages put before *stages; other collections as
 * they are. */
struct coll *view_base(struct req *r, struct coll *view, struct val *stages);
/* What a find on a view asks for, as stages. */
int view_stages(struct req *r, const struct query_spec *spec, struct val *stages);
/* cmd_aggregate.c: runs stages over a collection or view and replies with a cursor. */
int run_pipeline(struct req *r, const char *ns, struct val stages, int64_t batch);

/* The first unfinished statement of the commands that write: shared helpers of cmd_write.c and cmd_fam.c. */
struct update_call {
    struct val q, u, array_filters, sort, hint;
    bool multi, upsert;
};
struct update_outcome {
    int64_t matched, modified;
    struct rec *before, *after; /* of the one document; references to be given up */
    bool upserted;
    struct val upserted_id; /* in the request's pool */
};
int update_one_or_many(struct req *r, const char *ns, const struct update_call *call,
                       struct update_outcome *out);

#endif
