
# the Qdrant stand-in's request handling
EXTRA_DIST += %D%/qdrant_seeds.mjs
if FUZZERS
noinst_PROGRAMS += %D%/fuzz_qdrant
%C%_fuzz_qdrant_SOURCES = %D%/fuzz_qdrant.c
%C%_fuzz_qdrant_CPPFLAGS = $(libdouble_qdrant_la_CPPFLAGS)
%C%_fuzz_qdrant_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_qdrant_LDADD = libdouble_qdrant.la
endif
