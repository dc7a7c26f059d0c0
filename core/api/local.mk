# api: the HTTP API
noinst_LTLIBRARIES += libapi.la
libapi_la_SOURCES = \
	%D%/server.h \
	%D%/answers_document.c \
	%D%/answers_document_compare.c \
	%D%/answers_document_edit.c \
	%D%/answers_list.c %D%/answers_list.h \
	%D%/answers_jobs.c \
	%D%/answers_metrics.c \
	%D%/answers_search.c \
	%D%/answers_state.c \
	%D%/answers_worker.c \
	%D%/call.c %D%/call.h \
	%D%/cors.c %D%/cors.h \
	%D%/encode.c %D%/encode.h \
	%D%/answers_events.c \
	%D%/guard.c %D%/guard.h \
	%D%/listen.c %D%/listen.h \
	%D%/metrics.c %D%/metrics.h \
	%D%/metrics_engine.c \
	%D%/metrics_process.c \
	%D%/metrics_servers.c \
	%D%/page.c %D%/page.h \
	%D%/peers.c %D%/peers.h \
	%D%/routes.c \
	%D%/server.c \
	%D%/shape.c %D%/shape.h \
	%D%/streams.c %D%/streams.h \
	%D%/call_counts.c %D%/call_counts.h \
	%D%/request_target.c %D%/request_target.h \
	%D%/notify_calls.c %D%/notify_calls.h \
	%D%/tls.c %D%/tls.h
libapi_la_CPPFLAGS = $(CORE_CPPFLAGS) $(JANSSON_CFLAGS) $(MICROHTTPD_CFLAGS) $(CRYPTO_CFLAGS) \
	$(ZLIB_CFLAGS)
libapi_la_LIBADD = libservice.la libbase.la $(JANSSON_LIBS) $(MICROHTTPD_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS)

# the dashboard: its files become a table in C, so that the program needs no folder for them
page_files = \
	%D%/page/index.html \
	%D%/page/icon.svg \
	%D%/page/base.css \
	%D%/page/dialogs.css \
	%D%/page/documents.css \
	%D%/page/overview.css \
	%D%/page/actions.js \
	%D%/page/api.js \
	%D%/page/badges.js \
	%D%/page/detail.js \
	%D%/page/documents.js \
	%D%/page/dom.js \
	%D%/page/events.js \
	%D%/page/format.js \
	%D%/page/jobs.js \
	%D%/page/main.js \
	%D%/page/notices.js \
	%D%/page/overview.js \
	%D%/page/plots.js \
	%D%/page/search.js \
	%D%/page/state.js \
	%D%/page/theme.js
EXTRA_DIST += $(page_files)
nodist_libapi_la_SOURCES = %D%/page_files.c
noinst_PROGRAMS += make_page
make_page_SOURCES = %D%/make_page.c
make_page_CPPFLAGS = $(CORE_CPPFLAGS) $(ZLIB_CFLAGS)
make_page_LDADD = libbase.la $(ZLIB_LIBS)
CLEANFILES += %D%/page_files.c
%D%/page_files.c: make_page$(EXEEXT) $(page_files)
	@$(MKDIR_P) %D%
	$(AM_V_GEN)files=; for f in $(page_files); do \
	  if test -f "$$f"; then files="$$files $$f"; else files="$$files $(srcdir)/$$f"; fi; done; \
	./make_page$(EXEEXT) $$files > $@.tmp && mv $@.tmp $@
