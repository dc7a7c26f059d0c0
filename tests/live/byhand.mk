# what a person does by hand: narrow syncs, retry, verify, forget
check_PROGRAMS += tests/live/byhand
TESTS += tests/live/byhand
tests_live_byhand_SOURCES = tests/live/test_byhand.c
tests_live_byhand_CPPFLAGS = $(live_cppflags)
tests_live_byhand_LDADD = $(live_libs)
