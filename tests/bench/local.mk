# bench: measurements, built with the tests and run by hand

# points a second through the index port
check_PROGRAMS += %D%/bench_upsert
%C%_bench_upsert_SOURCES = %D%/bench_upsert.c tests/unit/tiny_server.c tests/unit/tiny_server.h
%C%_bench_upsert_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
%C%_bench_upsert_LDADD = libqdrant.la libhttp.la libengine.la libbase.la

# texts a second of the built-in embedders
check_PROGRAMS += %D%/bench_embed
%C%_bench_embed_SOURCES = %D%/bench_embed.c
%C%_bench_embed_LDADD = libembed.la libengine.la libbase.la

# documents a second that one thread makes
check_PROGRAMS += %D%/bench_make
%C%_bench_make_SOURCES = %D%/bench_make.c
%C%_bench_make_LDADD = libcollection.la libbase.la

# the parts of tests/bench/run
check_PROGRAMS += %D%/bench
%C%_bench_SOURCES = %D%/bench.c %D%/bench.h %D%/baseline.c %D%/client.c %D%/latency.c %D%/model.c
%C%_bench_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) $(MONGOC_CFLAGS)
%C%_bench_LDADD = libplugin.la libmongo.la libqdrant.la libembed.la libengine.la libcollection.la libbase.la \
	$(MONGOC_LIBS) $(LTDL_LIBS)
EXTRA_DIST += %D%/run

# the application of tests/bench/overload
check_PROGRAMS += %D%/bench_writes
%C%_bench_writes_SOURCES = %D%/bench_writes.c
%C%_bench_writes_CPPFLAGS = $(AM_CPPFLAGS) $(MONGOC_CFLAGS)
%C%_bench_writes_LDADD = $(MONGOC_LIBS)
check_PROGRAMS += %D%/bench_lag
%C%_bench_lag_SOURCES = %D%/bench_lag.c
%C%_bench_lag_CPPFLAGS = $(AM_CPPFLAGS) $(MONGOC_CFLAGS) $(JANSSON_CFLAGS)
%C%_bench_lag_LDADD = libhttp.la libbase.la $(MONGOC_LIBS) $(JANSSON_LIBS)
EXTRA_DIST += %D%/overload

# who asks in tests/bench/status
check_PROGRAMS += %D%/bench_status
%C%_bench_status_SOURCES = %D%/bench_status.c
EXTRA_DIST += %D%/status
