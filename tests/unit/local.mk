include tests/unit/collection.mk

check_PROGRAMS += test_record
TESTS += test_record
test_record_SOURCES = %D%/test_record.c
test_record_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_record_LDADD = libengine.la libbase.la $(CHECK_LIBS)

# log
check_PROGRAMS += test_machine
TESTS += test_machine
test_machine_SOURCES = %D%/test_machine.c
test_machine_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_machine_LDADD = libbase.la $(CHECK_LIBS)
check_PROGRAMS += test_log
TESTS += test_log
test_log_SOURCES = %D%/test_log.c
test_log_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_log_LDADD = libbase.la $(JANSSON_LIBS) $(CHECK_LIBS)

# queue
check_PROGRAMS += test_queue
TESTS += test_queue
test_queue_SOURCES = %D%/test_queue.c
test_queue_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_queue_LDADD = libbase.la $(CHECK_LIBS)

# http
check_PROGRAMS += test_http
TESTS += test_http
test_http_SOURCES = %D%/test_http.c %D%/tiny_server.c %D%/tiny_server.h
test_http_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(ZLIB_CFLAGS)
test_http_LDADD = libhttp.la libbase.la $(ZLIB_LIBS) $(CHECK_LIBS)

# golden_compare
check_PROGRAMS += test_golden_compare
TESTS += test_golden_compare
test_golden_compare_SOURCES = %D%/test_golden_compare.c
test_golden_compare_CPPFLAGS = $(libgolden_la_CPPFLAGS) $(CHECK_CFLAGS)
test_golden_compare_LDADD = libgolden.la $(CHECK_LIBS)

check_PROGRAMS += test_ini
TESTS += test_ini
test_ini_SOURCES = %D%/test_ini.c
test_ini_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_ini_LDADD = libbase.la $(CHECK_LIBS)

check_PROGRAMS += test_secrets
TESTS += test_secrets
test_secrets_SOURCES = %D%/test_secrets.c
test_secrets_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_secrets_LDADD = libconfig.la libmongo.la libhttp.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += test_config
TESTS += test_config
test_config_SOURCES = %D%/test_config.c
test_config_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_config_LDADD = libconfig.la libbase.la $(CHECK_LIBS)

# http over TLS
check_PROGRAMS += test_http_tls
TESTS += test_http_tls
test_http_tls_SOURCES = %D%/test_http_tls.c
test_http_tls_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(CRYPTO_CFLAGS)
test_http_tls_LDADD = libhttp.la libbase.la -lssl $(CRYPTO_LIBS) $(CHECK_LIBS)

# float
check_PROGRAMS += test_histogram
TESTS += test_histogram
test_histogram_SOURCES = %D%/test_histogram.c
test_histogram_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_histogram_LDADD = libbase.la $(CHECK_LIBS)

check_PROGRAMS += test_float
TESTS += test_float
test_float_SOURCES = %D%/test_float.c
test_float_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_float_LDADD = libbase.la $(CHECK_LIBS) -lm

# qdrant: bodies, replies, verdicts
check_PROGRAMS += test_qdrant_text
TESTS += test_qdrant_text
test_qdrant_text_SOURCES = %D%/test_qdrant_text.c
test_qdrant_text_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
test_qdrant_text_LDADD = libqdrant.la libhttp.la libengine.la libbase.la $(JANSSON_LIBS) $(CHECK_LIBS)

# qdrant: the port over a server that misbehaves
check_PROGRAMS += test_qdrant_port
TESTS += test_qdrant_port
test_qdrant_port_SOURCES = %D%/test_qdrant_port.c %D%/tiny_server.c %D%/tiny_server.h
test_qdrant_port_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_qdrant_port_LDADD = libqdrant.la libengine.la libhttp.la libbase.la $(CHECK_LIBS)

# qdrant: over a Qdrant, the stand-in and perhaps a real one
check_PROGRAMS += test_qdrant_adapter
TESTS += test_qdrant_adapter
test_qdrant_adapter_SOURCES = %D%/test_qdrant_adapter.c %D%/stand_in.c %D%/stand_in.h
test_qdrant_adapter_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_qdrant_adapter_LDADD = libqdrant.la libengine.la libhttp.la libbase.la $(CHECK_LIBS) -lm

# docid
check_PROGRAMS += test_docid
TESTS += test_docid
test_docid_SOURCES = %D%/test_docid.c
test_docid_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_docid_LDADD = libbase.la $(CHECK_LIBS)

# json
check_PROGRAMS += test_json
TESTS += test_json
test_json_SOURCES = %D%/test_json.c
test_json_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_json_LDADD = libbase.la $(CHECK_LIBS)

# uuid
check_PROGRAMS += test_uuid
TESTS += test_uuid
test_uuid_SOURCES = %D%/test_uuid.c
test_uuid_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_uuid_LDADD = libbase.la $(CHECK_LIBS)

check_PROGRAMS += test_mongo_metadata
TESTS += test_mongo_metadata
test_mongo_metadata_SOURCES = %D%/test_mongo_metadata.c
test_mongo_metadata_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(MONGOC_CFLAGS)
test_mongo_metadata_LDADD = libmongo.la $(CHECK_LIBS)



# words, hash
check_PROGRAMS += test_words
TESTS += test_words
test_words_SOURCES = %D%/test_words.c
test_words_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_words_LDADD = libembed.la libbase.la $(CHECK_LIBS)


# embed
check_PROGRAMS += test_embed_verdict test_embed test_embed_cache
TESTS += test_embed_verdict test_embed test_embed_cache
test_embed_cache_SOURCES = %D%/test_embed_cache.c
test_embed_cache_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_embed_cache_LDADD = libembed.la libbase.la $(CHECK_LIBS)
test_embed_verdict_SOURCES = %D%/test_embed_verdict.c
test_embed_verdict_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_embed_verdict_LDADD = libembed.la libengine.la libbase.la $(CHECK_LIBS)
test_embed_SOURCES = %D%/test_embed.c %D%/tiny_server.c %D%/tiny_server.h
test_embed_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
test_embed_LDADD = libembed.la libengine.la libbase.la $(JANSSON_LIBS) $(CHECK_LIBS)

# the embedders over the stand-in
check_PROGRAMS += test_embed_double
TESTS += test_embed_double
test_embed_double_SOURCES = %D%/test_embed_double.c %D%/stand_in.c %D%/stand_in.h
test_embed_double_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_embed_double_LDADD = libembed.la libengine.la libbase.la $(CHECK_LIBS) -lm

# engine: rules and order
check_PROGRAMS += test_engine_rules test_engine_order
TESTS += test_engine_rules test_engine_order
test_engine_rules_SOURCES = %D%/test_engine_rules.c
test_engine_rules_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_engine_rules_LDADD = libengine.la libbase.la $(CHECK_LIBS)
test_engine_order_SOURCES = %D%/test_engine_order.c
test_engine_order_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_engine_order_LDADD = libengine.la libbase.la $(CHECK_LIBS)

# double_qdrant: the Qdrant stand-in beyond what the recordings show
check_PROGRAMS += test_double_qdrant
TESTS += test_double_qdrant
test_double_qdrant_SOURCES = %D%/test_double_qdrant.c
test_double_qdrant_CPPFLAGS = $(libdouble_qdrant_la_CPPFLAGS) $(CHECK_CFLAGS)
test_double_qdrant_LDADD = libdouble_qdrant.la $(CHECK_LIBS)

check_PROGRAMS += test_double_cluster
TESTS += test_double_cluster
test_double_cluster_SOURCES = %D%/test_double_cluster.c
test_double_cluster_CPPFLAGS = $(libdouble_qdrant_la_CPPFLAGS) $(CHECK_CFLAGS)
test_double_cluster_LDADD = libdouble_qdrant.la $(CHECK_LIBS)

# mongo: the ports over the wire
check_PROGRAMS += test_mongo_reads
TESTS += test_mongo_reads
test_mongo_reads_SOURCES = %D%/test_mongo_reads.c %D%/mongo_fixture.c %D%/mongo_fixture.h %D%/stand_in.c %D%/stand_in.h
test_mongo_reads_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(MONGOC_CFLAGS)
test_mongo_reads_LDADD = libmongo.la $(CHECK_LIBS)

check_PROGRAMS += test_mongo_records
TESTS += test_mongo_records
test_mongo_records_SOURCES = %D%/test_mongo_records.c %D%/mongo_fixture.c %D%/mongo_fixture.h %D%/stand_in.c %D%/stand_in.h
test_mongo_records_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(MONGOC_CFLAGS)
test_mongo_records_LDADD = libmongo.la $(CHECK_LIBS)

check_PROGRAMS += test_mongo_due
TESTS += test_mongo_due
test_mongo_due_SOURCES = %D%/test_mongo_due.c %D%/mongo_fixture.c %D%/mongo_fixture.h %D%/stand_in.c %D%/stand_in.h
test_mongo_due_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(MONGOC_CFLAGS)
test_mongo_due_LDADD = libmongo.la $(CHECK_LIBS)

check_PROGRAMS += test_mongo_beside
TESTS += test_mongo_beside
test_mongo_beside_SOURCES = %D%/test_mongo_beside.c %D%/mongo_fixture.c %D%/mongo_fixture.h %D%/stand_in.c %D%/stand_in.h
test_mongo_beside_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(MONGOC_CFLAGS)
test_mongo_beside_LDADD = libmongo.la $(CHECK_LIBS)

check_PROGRAMS += test_mongo_state
TESTS += test_mongo_state
test_mongo_state_SOURCES = %D%/test_mongo_state.c %D%/mongo_fixture.c %D%/mongo_fixture.h %D%/stand_in.c %D%/stand_in.h
test_mongo_state_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(MONGOC_CFLAGS)
test_mongo_state_LDADD = libmongo.la $(CHECK_LIBS)

check_PROGRAMS += test_mongo_stream
TESTS += test_mongo_stream
test_mongo_stream_SOURCES = %D%/test_mongo_stream.c %D%/mongo_fixture.c %D%/mongo_fixture.h %D%/stand_in.c %D%/stand_in.h
test_mongo_stream_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(MONGOC_CFLAGS)
test_mongo_stream_LDADD = libmongo.la $(CHECK_LIBS)

# the MongoDB stand-in
check_PROGRAMS += test_double_mongod
TESTS += test_double_mongod
test_double_mongod_SOURCES = %D%/test_double_mongod.c
test_double_mongod_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests -I$(top_srcdir)/tests/double/mongo $(CHECK_CFLAGS)
test_double_mongod_LDADD = libdoublemongo.la $(CHECK_LIBS)

# events: the ring of what happens
check_PROGRAMS += test_events
TESTS += test_events
test_events_SOURCES = %D%/test_events.c
test_events_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
test_events_LDADD = libservice.la libengine.la libbase.la $(JANSSON_LIBS) $(CHECK_LIBS)

# service: documents in JSON
check_PROGRAMS += test_documents_json
TESTS += test_documents_json
test_documents_json_SOURCES = %D%/test_documents_json.c
test_documents_json_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
test_documents_json_LDADD = libservice.la libengine.la libbase.la $(JANSSON_LIBS) $(CHECK_LIBS)

# service: what a point holds beside what it should
check_PROGRAMS += test_document_compare
TESTS += test_document_compare
test_document_compare_SOURCES = %D%/test_document_compare.c
test_document_compare_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
test_document_compare_LDADD = libservice.la libmongo.la libqdrant.la libembed.la libhttp.la libengine.la \
	libcollection.la libbase.la $(JANSSON_LIBS) $(CHECK_LIBS) -lm

# service: filters of searches
check_PROGRAMS += test_search_filter
TESTS += test_search_filter
test_search_filter_SOURCES = %D%/test_search_filter.c
test_search_filter_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_search_filter_LDADD = libservice.la libengine.la libbase.la $(JANSSON_LIBS) $(CHECK_LIBS)

# mongo: lists for people
check_PROGRAMS += test_mongo_list
TESTS += test_mongo_list
test_mongo_list_SOURCES = %D%/test_mongo_list.c %D%/mongo_fixture.c %D%/mongo_fixture.h %D%/stand_in.c %D%/stand_in.h
test_mongo_list_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(MONGOC_CFLAGS)
test_mongo_list_LDADD = libmongo.la $(CHECK_LIBS)

# what the adapter says on the wire
check_PROGRAMS += test_mongo_commands
TESTS += test_mongo_commands
test_mongo_commands_SOURCES = %D%/test_mongo_commands.c %D%/wiretap.c %D%/wiretap.h %D%/mongo_fixture.c %D%/mongo_fixture.h %D%/stand_in.c %D%/stand_in.h
test_mongo_commands_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(MONGOC_CFLAGS)
test_mongo_commands_LDADD = libmongo.la $(CHECK_LIBS)

# engine: stopping while it starts, and what it must look at or leave behind
check_PROGRAMS += test_engine_counts
TESTS += test_engine_counts
test_engine_counts_SOURCES = %D%/test_engine_counts.c %D%/idle_world.c %D%/idle_world.h
test_engine_counts_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_engine_counts_LDADD = libengine.la libcollection.la libbase.la $(CHECK_LIBS)
check_PROGRAMS += test_engine_key_owners
TESTS += test_engine_key_owners
test_engine_key_owners_SOURCES = %D%/test_engine_key_owners.c %D%/idle_world.c %D%/idle_world.h
test_engine_key_owners_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_engine_key_owners_LDADD = libengine.la libcollection.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += test_engine_deferred
TESTS += test_engine_deferred
test_engine_deferred_SOURCES = %D%/test_engine_deferred.c %D%/idle_world.c %D%/idle_world.h
test_engine_deferred_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_engine_deferred_LDADD = libengine.la libcollection.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += test_engine_duplicates
TESTS += test_engine_duplicates
test_engine_duplicates_SOURCES = %D%/test_engine_duplicates.c %D%/idle_world.c %D%/idle_world.h
test_engine_duplicates_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_engine_duplicates_LDADD = libengine.la libcollection.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += test_engine_epochs
TESTS += test_engine_epochs
test_engine_epochs_SOURCES = %D%/test_engine_epochs.c %D%/idle_world.c %D%/idle_world.h
test_engine_epochs_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_engine_epochs_LDADD = libengine.la libcollection.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += test_engine_start
TESTS += test_engine_start
test_engine_start_SOURCES = %D%/test_engine_start.c %D%/idle_world.c %D%/idle_world.h
test_engine_start_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_engine_start_LDADD = libengine.la libcollection.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += test_engine_vectors
TESTS += test_engine_vectors
test_engine_vectors_SOURCES = %D%/test_engine_vectors.c %D%/idle_world.c %D%/idle_world.h
test_engine_vectors_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_engine_vectors_LDADD = libengine.la libcollection.la libbase.la $(CHECK_LIBS)

check_PROGRAMS += test_engine_trace
TESTS += test_engine_trace
test_engine_trace_SOURCES = %D%/test_engine_trace.c %D%/idle_world.c %D%/idle_world.h
test_engine_trace_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_engine_trace_LDADD = libengine.la libcollection.la libbase.la $(CHECK_LIBS)

# control: between those who ask and the engine
check_PROGRAMS += test_control
TESTS += test_control
test_control_SOURCES = %D%/test_control.c %D%/idle_world.c %D%/idle_world.h
test_control_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
test_control_LDADD = libservice.la libengine.la libcollection.la libbase.la $(JANSSON_LIBS) $(CHECK_LIBS)

# counts: how many documents are in which state
check_PROGRAMS += test_counts
TESTS += test_counts
test_counts_SOURCES = %D%/test_counts.c
test_counts_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(MONGOC_CFLAGS)
test_counts_LDADD = libservice.la libmongo.la libengine.la libcollection.la libbase.la $(JANSSON_LIBS) $(MONGOC_LIBS) $(CHECK_LIBS)
