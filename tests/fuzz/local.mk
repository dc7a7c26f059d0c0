
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
