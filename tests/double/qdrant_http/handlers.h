/* handlers.h - what each route does; every one answers its call. The table that names them is routes.c. */
#ifndef DOUBLE_QDRANT_HTTP_HANDLERS_H
#define DOUBLE_QDRANT_HTTP_HANDLERS_H

#include "qdrant_http/call.h"

typedef void handler(struct call *c);

/* about.c */
handler about_root, about_health, about_ready, about_cluster, about_telemetry, about_metrics, about_issues;
/* collections.c */
handler collections_list, collections_get, collections_exists, collections_create, collections_patch,
    collections_delete, collections_cluster, index_create, index_delete;
/* aliases.c */
handler aliases_list, aliases_of, aliases_update;
/* points_write.c */
handler points_upsert, points_delete, points_set_payload, points_overwrite_payload, points_delete_payload,
    points_clear_payload, points_update_vectors, points_delete_vectors, points_batch;
/* points_read.c */
handler points_get, points_retrieve, points_scroll, points_count, points_facet;
/* points_query.c */
handler points_query, points_query_batch, points_search, points_search_batch, points_recommend,
    points_recommend_batch, points_discover, points_discover_batch, points_refuse;
/* points_groups.c */
handler points_query_groups, points_search_groups;
/* control.c */
handler control_add_fault, control_list_faults, control_clear_faults, control_clear_fault, control_counters,
    control_reset, control_restart, control_nodes, control_stop_node, control_start_node;

#endif
