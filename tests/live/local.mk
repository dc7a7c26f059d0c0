# live: the daemon as a process, over the wire, against the stand-ins
include tests/live/servers.mk
noinst_LTLIBRARIES += %D%/liblive.la
%C%_liblive_la_SOURCES = \
	%D%/calls.c %D%/calls.h \
	%D%/documents.c \
	%D%/edits.c %D%/edits.h \
	%D%/ends.c %D%/ends.h \
	%D%/equal.c \
	%D%/harness.h \
	%D%/real.c %D%/real.h \
	%D%/wire.c \
	%D%/world.c \
	core/daemon/app.c
live_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests \
	$(CHECK_CFLAGS) $(MONGOC_CFLAGS) $(JANSSON_CFLAGS)
%C%_liblive_la_CPPFLAGS = $(live_cppflags)
live_libs = %D%/liblive.la libplugin.la libmongo.la libqdrant.la libembed.la libhttp.la libengine.la \
	libcollection.la libconfig.la libbase.la $(JANSSON_LIBS) $(LTDL_LIBS) $(CHECK_LIBS) -lm

live_tests = \
	%D%/api \
	%D%/api_doors \
	%D%/api_documents \
	%D%/api_events \
	%D%/api_limits \
	%D%/api_lists \
	%D%/api_secrets \
	%D%/api_state \
	%D%/api_transport \
	%D%/chaos \
	%D%/harness \
	%D%/status \
	%D%/tombstones
check_PROGRAMS += $(live_tests)
TESTS += $(live_tests)
%C%_tombstones_SOURCES = %D%/test_tombstones.c
%C%_tombstones_CPPFLAGS = $(live_cppflags)
%C%_tombstones_LDADD = $(live_libs)
%C%_api_SOURCES = %D%/test_api.c
%C%_api_CPPFLAGS = $(live_cppflags)
%C%_api_LDADD = $(live_libs)
%C%_api_doors_SOURCES = %D%/test_api_doors.c
%C%_api_doors_CPPFLAGS = $(live_cppflags) $(CRYPTO_CFLAGS)
%C%_api_doors_LDADD = $(live_libs) $(CRYPTO_LIBS)
%C%_api_events_SOURCES = %D%/test_api_events.c
%C%_api_events_CPPFLAGS = $(live_cppflags)
%C%_api_events_LDADD = $(live_libs)
%C%_api_documents_SOURCES = %D%/test_api_documents.c
%C%_api_documents_CPPFLAGS = $(live_cppflags)
%C%_api_documents_LDADD = $(live_libs)
%C%_api_lists_SOURCES = %D%/test_api_lists.c
%C%_api_lists_CPPFLAGS = $(live_cppflags)
%C%_api_lists_LDADD = $(live_libs)
%C%_api_limits_SOURCES = %D%/test_api_limits.c
%C%_api_limits_CPPFLAGS = $(live_cppflags)
%C%_api_limits_LDADD = $(live_libs)
%C%_api_secrets_SOURCES = %D%/test_api_secrets.c
%C%_api_secrets_CPPFLAGS = $(live_cppflags)
%C%_api_secrets_LDADD = $(live_libs)
%C%_api_transport_SOURCES = %D%/test_api_transport.c
%C%_api_transport_CPPFLAGS = $(live_cppflags)
%C%_api_transport_LDADD = $(live_libs)
%C%_api_state_SOURCES = %D%/test_api_state.c
%C%_api_state_CPPFLAGS = $(live_cppflags)
%C%_api_state_LDADD = $(live_libs)
%C%_status_SOURCES = %D%/test_status.c
%C%_status_CPPFLAGS = $(live_cppflags)
%C%_status_LDADD = $(live_libs)
%C%_harness_SOURCES = %D%/test_harness.c
%C%_harness_CPPFLAGS = $(live_cppflags)
%C%_harness_LDADD = $(live_libs)
%C%_chaos_SOURCES = %D%/test_chaos.c
%C%_chaos_CPPFLAGS = $(live_cppflags)
%C%_chaos_LDADD = $(live_libs)

# /metrics, as a scraper reads it
check_PROGRAMS += %D%/metrics
TESTS += %D%/metrics %D%/promtool.sh
dist_check_SCRIPTS += %D%/promtool.sh
%C%_metrics_SOURCES = %D%/test_metrics.c %D%/exposition.c %D%/exposition.h
%C%_metrics_CPPFLAGS = $(live_cppflags)
%C%_metrics_LDADD = $(live_libs)

# docs/reference/openapi.json, held against the table of routes and against what the daemon answers
check_PROGRAMS += %D%/openapi
TESTS += %D%/openapi
%C%_openapi_SOURCES = %D%/test_openapi.c %D%/openapi.c %D%/openapi.h %D%/schema.c %D%/schema.h
%C%_openapi_CPPFLAGS = $(live_cppflags)
%C%_openapi_LDADD = libapi.la libservice.la $(live_libs) $(MICROHTTPD_LIBS)
