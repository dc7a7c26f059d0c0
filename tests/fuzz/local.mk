
# the Qdrant stand-in's request handling
EXTRA_DIST += %D%/qdrant_seeds.mjs
if FUZZERS
noinst_PROGRAMS += %D%/fuzz_qdrant
%C%_fuzz_qdrant_SOURCES = %D%/fuzz_qdrant.c
%C%_fuzz_qdrant_CPPFLAGS = $(libdouble_qdrant_la_CPPFLAGS)
%C%_fuzz_qdrant_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_qdrant_LDADD = libdouble_qdrant.la
endif

# the MongoDB stand-in's wire format and commands
EXTRA_DIST += %D%/mongod_seeds.mjs
if FUZZERS
noinst_PROGRAMS += %D%/fuzz_mongod
tests_fuzz_fuzz_mongod_SOURCES = %D%/fuzz_mongod.c
tests_fuzz_fuzz_mongod_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests -I$(top_srcdir)/tests/double/mongo
tests_fuzz_fuzz_mongod_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_mongod_LDADD = libdoublemongo.la
endif

# documents, as collections read them
if FUZZERS
noinst_PROGRAMS += %D%/fuzz_document
%C%_fuzz_document_SOURCES = %D%/fuzz_document.c
%C%_fuzz_document_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_document_LDADD = libcollection.la libbase.la
endif

# what comes from outside: the configuration, and replies of servers. With libFuzzer, and with a small driver in make check
fuzz_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
fuzz_qdrant_libs = libqdrant.la libhttp.la libengine.la libcollection.la libbase.la
fuzz_embed_libs = libembed.la libhttp.la libengine.la libcollection.la libbase.la -lm
fuzz_api_libs = libapi.la libservice.la libmongo.la libqdrant.la libembed.la libhttp.la libengine.la \
	libcollection.la libbase.la
fuzz_short = %D%/api %D%/config %D%/qdrant_reply %D%/embed_reply
check_PROGRAMS += $(fuzz_short)
TESTS += $(fuzz_short)
%C%_api_SOURCES = %D%/fuzz_api.c %D%/driver.c %D%/driver.h
%C%_api_CPPFLAGS = $(fuzz_cppflags) $(JANSSON_CFLAGS)
%C%_api_LDADD = $(fuzz_api_libs) $(JANSSON_LIBS)
%C%_config_SOURCES = %D%/fuzz_config.c %D%/driver.c %D%/driver.h
%C%_config_CPPFLAGS = $(fuzz_cppflags)
%C%_config_LDADD = libconfig.la libbase.la
%C%_qdrant_reply_SOURCES = %D%/fuzz_qdrant_reply.c %D%/driver.c %D%/driver.h
%C%_qdrant_reply_CPPFLAGS = $(fuzz_cppflags)
%C%_qdrant_reply_LDADD = $(fuzz_qdrant_libs)
%C%_embed_reply_SOURCES = %D%/fuzz_embed_reply.c %D%/driver.c %D%/driver.h
%C%_embed_reply_CPPFLAGS = $(fuzz_cppflags)
%C%_embed_reply_LDADD = $(fuzz_embed_libs)
if FUZZERS
noinst_PROGRAMS += %D%/fuzz_api %D%/fuzz_config %D%/fuzz_qdrant_reply %D%/fuzz_embed_reply
%C%_fuzz_api_SOURCES = %D%/fuzz_api.c
%C%_fuzz_api_CPPFLAGS = $(fuzz_cppflags) $(JANSSON_CFLAGS)
%C%_fuzz_api_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_api_LDADD = $(fuzz_api_libs) $(JANSSON_LIBS)
%C%_fuzz_config_SOURCES = %D%/fuzz_config.c
%C%_fuzz_config_CPPFLAGS = $(fuzz_cppflags)
%C%_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_config_LDADD = libconfig.la libbase.la
%C%_fuzz_qdrant_reply_SOURCES = %D%/fuzz_qdrant_reply.c
%C%_fuzz_qdrant_reply_CPPFLAGS = $(fuzz_cppflags)
%C%_fuzz_qdrant_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_qdrant_reply_LDADD = $(fuzz_qdrant_libs)
%C%_fuzz_embed_reply_SOURCES = %D%/fuzz_embed_reply.c
%C%_fuzz_embed_reply_CPPFLAGS = $(fuzz_cppflags)
%C%_fuzz_embed_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_embed_reply_LDADD = $(fuzz_embed_libs)
endif
