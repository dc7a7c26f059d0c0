# fault: the daemon killed, starved and cut off
check_PROGRAMS += %D%/lockstep
%C%_lockstep_SOURCES = $(lockstep_SOURCES) %D%/crash_points.c
%C%_lockstep_CPPFLAGS = $(lockstep_CPPFLAGS)
%C%_lockstep_LDADD = $(lockstep_LDADD)
%C%_lockstep_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=mongo_source_port -Wl,--wrap=mongo_store_port \
	-Wl,--wrap=embed_port -Wl,--wrap=qdrant_port -Wl,--wrap=engine_handle

# the same program with an allocation or a call that fails: the linker hands those it makes itself to torture.h
check_PROGRAMS += %D%/tortured
torture_sources = %D%/torture.c %D%/torture.h %D%/torture_calls.c %D%/torture_libraries.c
%C%_tortured_SOURCES = $(lockstep_SOURCES) $(torture_sources)
%C%_tortured_CPPFLAGS = $(lockstep_CPPFLAGS) -I$(top_srcdir)/tests $(MONGOC_CFLAGS) $(MICROHTTPD_CFLAGS) $(CRYPTO_CFLAGS) \
	$(ZLIB_CFLAGS)
%C%_tortured_LDADD = $(lockstep_LDADD)
%C%_tortured_LDFLAGS = $(AM_LDFLAGS) -Wl,@%D%/torture.wraps
%C%_tortured_DEPENDENCIES = $(lockstep_DEPENDENCIES) %D%/torture.wraps
CLEANFILES += %D%/torture.wraps
%D%/torture.wraps: $(torture_sources)
	$(AM_V_at)$(MKDIR_P) %D%
	$(AM_V_GEN)for f in $(torture_sources); do sed -nE -e 's/^(CALL|ALLOCATION)\(([A-Za-z_0-9]+),.*/--wrap=\2/p' \
	    -e 's/^OPTION_CALL\(([a-z_]+),.*/--wrap=\1/p' -e 's/^[a-zA-Z].*__wrap_([A-Za-z_0-9]+)\(.*[,;]$$/--wrap=\1/p' \
	    $(top_srcdir)/$$f; done >$@

# memory: what is refused one allocation within a test
memory_tests = %D%/memory %D%/memory_adapters %D%/memory_documents %D%/memory_http
check_PROGRAMS += $(memory_tests)
TESTS += $(memory_tests)
memory_sources = $(torture_sources) tests/unit/mongo_fixture.c tests/unit/mongo_fixture.h tests/unit/stand_in.c tests/unit/stand_in.h
memory_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests $(CHECK_CFLAGS) $(MONGOC_CFLAGS) $(JANSSON_CFLAGS) $(MICROHTTPD_CFLAGS) \
	$(CRYPTO_CFLAGS) $(ZLIB_CFLAGS) $(CURL_CFLAGS)
memory_libraries = libservice.la libmongo.la libqdrant.la libembed.la libengine.la libhttp.la libbase.la
memory_ldadd = $(memory_libraries) $(JANSSON_LIBS) $(MICROHTTPD_LIBS) $(LTDL_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS) $(CURL_LIBS) $(CHECK_LIBS)
memory_ldflags = $(AM_LDFLAGS) -Wl,@%D%/torture.wraps
%C%_memory_SOURCES = %D%/test_memory.c $(memory_sources) tests/unit/idle_world.c tests/unit/idle_world.h
%C%_memory_CPPFLAGS = $(memory_cppflags)
%C%_memory_LDADD = $(memory_ldadd)
%C%_memory_LDFLAGS = $(memory_ldflags)
%C%_memory_DEPENDENCIES = $(memory_libraries) %D%/torture.wraps
%C%_memory_adapters_SOURCES = %D%/test_memory_adapters.c $(memory_sources)
%C%_memory_adapters_CPPFLAGS = $(memory_cppflags)
%C%_memory_adapters_LDADD = $(memory_ldadd)
%C%_memory_adapters_LDFLAGS = $(memory_ldflags)
%C%_memory_adapters_DEPENDENCIES = $(memory_libraries) %D%/torture.wraps

%C%_memory_documents_SOURCES = %D%/test_memory_documents.c $(torture_sources) tests/unit/fixture.c tests/unit/fixture.h
%C%_memory_documents_CPPFLAGS = $(memory_cppflags)
%C%_memory_documents_LDADD = libplugin.la libcollection.la $(memory_ldadd)
%C%_memory_documents_LDFLAGS = $(memory_ldflags)
%C%_memory_documents_DEPENDENCIES = libplugin.la libcollection.la $(memory_libraries) %D%/torture.wraps docs/examples/recipes.la tests/unit/probe.la

%C%_memory_http_SOURCES = %D%/test_memory_http.c $(torture_sources) tests/unit/stand_in.c tests/unit/stand_in.h \
	tests/unit/tiny_server.c tests/unit/tiny_server.h
%C%_memory_http_CPPFLAGS = $(memory_cppflags)
%C%_memory_http_LDADD = $(memory_ldadd)
%C%_memory_http_LDFLAGS = $(memory_ldflags)
%C%_memory_http_DEPENDENCIES = $(memory_libraries) %D%/torture.wraps

noinst_LTLIBRARIES += %D%/libfault.la
%C%_libfault_la_SOURCES = %D%/network.c %D%/network.h %D%/proxy.c %D%/proxy.h %D%/writer.c %D%/writer.h
%C%_libfault_la_CPPFLAGS = $(live_cppflags)
EXTRA_DIST += %D%/run %D%/torture
fault_libs = %D%/libfault.la $(live_libs)

fault_tests = %D%/calls %D%/daemons %D%/history %D%/kill %D%/network %D%/refused %D%/starved
check_PROGRAMS += $(fault_tests)
TESTS += $(fault_tests)
%C%_kill_SOURCES = %D%/test_kill.c
%C%_kill_CPPFLAGS = $(live_cppflags)
%C%_kill_LDADD = $(fault_libs)
%C%_network_SOURCES = %D%/test_network.c
%C%_network_CPPFLAGS = $(live_cppflags)
%C%_network_LDADD = $(fault_libs)
%C%_starved_SOURCES = %D%/test_starved.c
%C%_starved_CPPFLAGS = $(live_cppflags)
%C%_starved_LDADD = $(fault_libs)
%C%_refused_SOURCES = %D%/test_refused.c
%C%_refused_CPPFLAGS = $(live_cppflags)
%C%_refused_LDADD = $(fault_libs)
%C%_daemons_SOURCES = %D%/test_daemons.c
%C%_daemons_CPPFLAGS = $(live_cppflags)
%C%_daemons_LDADD = $(fault_libs)
%C%_history_SOURCES = %D%/test_history.c
%C%_history_CPPFLAGS = $(live_cppflags)
%C%_history_LDADD = $(fault_libs)
%C%_calls_SOURCES = %D%/test_calls.c
%C%_calls_CPPFLAGS = $(live_cppflags)
%C%_calls_LDADD = $(fault_libs)
