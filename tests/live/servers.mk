# what the servers may do, and how they may be met
servers_tests = \
	tests/live/mongodb \
	tests/live/qdrant
check_PROGRAMS += $(servers_tests)
TESTS += $(servers_tests)
tests_live_mongodb_SOURCES = tests/live/test_mongodb.c
tests_live_mongodb_CPPFLAGS = $(live_cppflags)
tests_live_mongodb_LDADD = $(live_libs)
tests_live_qdrant_SOURCES = tests/live/test_qdrant.c
tests_live_qdrant_CPPFLAGS = $(live_cppflags)
tests_live_qdrant_LDADD = $(live_libs)
