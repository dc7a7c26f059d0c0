
# the Qdrant stand-in's request handling
EXTRA_DIST += %D%/qdrant_seeds.mjs
if FUZZERS
noinst_PROGRAMS += %D%/fuzz_qdrant
tests_fuzz_fuzz_qdrant_SOURCES = %D%/fuzz_qdrant.c \
	$(tests_double_qdrant_store_sources) $(tests_double_qdrant_server_sources)
tests_fuzz_fuzz_qdrant_CPPFLAGS = $(tests_double_qdrant_CPPFLAGS)
tests_fuzz_fuzz_qdrant_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_qdrant_LDADD = $(tests_double_qdrant_LDADD)
endif
