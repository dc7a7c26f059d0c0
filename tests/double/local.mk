include tests/double/mongo.mk

# the Qdrant stand-in: a library, for its tests and its fuzzer, and the program
check_LTLIBRARIES += libdouble_qdrant.la
libdouble_qdrant_la_SOURCES = \
	%D%/qdrant_store/pool.c %D%/qdrant_store/pool.h \
	%D%/qdrant_store/collection.c %D%/qdrant_store/collection.h \
	%D%/qdrant_store/filter.c %D%/qdrant_store/filter.h \
	%D%/qdrant_store/filter_eval.c %D%/qdrant_store/filter_values.c \
	%D%/qdrant_store/index.c %D%/qdrant_store/index.h \
	%D%/qdrant_store/json.c %D%/qdrant_store/json.h %D%/qdrant_store/json_value.c \
	%D%/qdrant_store/jsonpath.c %D%/qdrant_store/jsonpath.h \
	%D%/qdrant_store/order.c %D%/qdrant_store/order.h \
	%D%/qdrant_store/payload.c %D%/qdrant_store/payload.h \
	%D%/qdrant_store/pointid.c %D%/qdrant_store/pointid.h \
	%D%/qdrant_store/reader.c %D%/qdrant_store/reader.h \
	%D%/qdrant_store/select.c %D%/qdrant_store/select.h \
	%D%/qdrant_store/settings.c %D%/qdrant_store/settings.h \
	%D%/qdrant_store/vectors.c \
	%D%/qdrant_http/about.c %D%/qdrant_http/aliases.c \
	%D%/qdrant_http/call.c %D%/qdrant_http/call.h \
	%D%/qdrant_http/cluster.c %D%/qdrant_http/cluster.h \
	%D%/qdrant_http/collections.c %D%/qdrant_http/control.c \
	%D%/qdrant_http/costs.c %D%/qdrant_http/costs.h \
	%D%/qdrant_http/fault_answer.c %D%/qdrant_http/fault_answer.h \
	%D%/qdrant_http/faults.c %D%/qdrant_http/faults.h \
	%D%/qdrant_http/handlers.h \
	%D%/qdrant_http/http.c %D%/qdrant_http/http.h \
	%D%/qdrant_http/journal.c %D%/qdrant_http/journal.h \
	%D%/qdrant_http/message.c %D%/qdrant_http/message.h \
	%D%/qdrant_http/nodes.c %D%/qdrant_http/nodes.h \
	%D%/qdrant_http/ordering.c %D%/qdrant_http/ordering.h \
	%D%/qdrant_http/points_groups.c %D%/qdrant_http/points_query.c %D%/qdrant_http/points_read.c %D%/qdrant_http/points_write.c \
	%D%/qdrant_http/query.h %D%/qdrant_http/query_read.c %D%/qdrant_http/query_run.c \
	%D%/qdrant_http/routes.c \
	%D%/qdrant_http/scoring.c %D%/qdrant_http/scoring.h \
	%D%/qdrant_http/server.c %D%/qdrant_http/server.h \
	%D%/qdrant_http/show.c %D%/qdrant_http/show.h \
	%D%/qdrant_http/start.c %D%/qdrant_http/start.h \
	%D%/qdrant_http/strict.c %D%/qdrant_http/strict.h \
	%D%/qdrant_http/update.h %D%/qdrant_http/update_apply.c %D%/qdrant_http/update_read.c
libdouble_qdrant_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/double $(MICROHTTPD_CFLAGS) $(ZLIB_CFLAGS)
libdouble_qdrant_la_LIBADD = libbase.la $(MICROHTTPD_LIBS) $(ZLIB_LIBS) -lm

check_PROGRAMS += %D%/qdrant
%C%_qdrant_SOURCES = %D%/qdrant_http/main.c
%C%_qdrant_CPPFLAGS = $(libdouble_qdrant_la_CPPFLAGS)
%C%_qdrant_LDADD = libdouble_qdrant.la

# the stand-in for embedding servers
check_PROGRAMS += %D%/embedder
%C%_embedder_SOURCES = \
	%D%/embedder_http/control.c %D%/embedder_http/embedder.c %D%/embedder_http/embedder.h \
	%D%/embedder_http/hashing.c %D%/embedder_http/log.c %D%/embedder_http/main.c
%C%_embedder_CPPFLAGS = $(libdouble_qdrant_la_CPPFLAGS)
%C%_embedder_LDADD = libdouble_qdrant.la
