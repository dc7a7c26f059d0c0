
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

# what comes from outside: the configuration, and replies of servers
if FUZZERS
noinst_PROGRAMS += %D%/fuzz_config %D%/fuzz_qdrant_reply %D%/fuzz_embed_reply
%C%_fuzz_config_SOURCES = %D%/fuzz_config.c
%C%_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_config_LDADD = libconfig.la libbase.la
%C%_fuzz_qdrant_reply_SOURCES = %D%/fuzz_qdrant_reply.c
%C%_fuzz_qdrant_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_qdrant_reply_LDADD = libqdrant.la libhttp.la libengine.la libcollection.la libbase.la
%C%_fuzz_embed_reply_SOURCES = %D%/fuzz_embed_reply.c
%C%_fuzz_embed_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_embed_reply_LDADD = libembed.la libhttp.la libengine.la libcollection.la libbase.la -lm
endif
