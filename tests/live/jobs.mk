# long work: jobs of the daemon, and commands that hand it over
check_PROGRAMS += tests/live/jobs
TESTS += tests/live/jobs
tests_live_jobs_SOURCES = tests/live/test_jobs.c
tests_live_jobs_CPPFLAGS = $(live_cppflags)
tests_live_jobs_LDADD = $(live_libs)
check_PROGRAMS += tests/live/handover
TESTS += tests/live/handover
tests_live_handover_SOURCES = tests/live/test_handover.c
tests_live_handover_CPPFLAGS = $(live_cppflags)
tests_live_handover_LDADD = $(live_libs)
# how the daemon ends, reloads, and finds another member
check_PROGRAMS += tests/live/stops
TESTS += tests/live/stops
tests_live_stops_SOURCES = tests/live/test_stops.c
tests_live_stops_CPPFLAGS = $(live_cppflags)
tests_live_stops_LDADD = $(live_libs)
