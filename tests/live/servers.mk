# what the servers may do, and how they may be met
servers_tests = \
	tests/live/hostile \
	tests/live/hostile_ids \
	tests/live/model \
	tests/live/older_state \
	tests/live/others \
	tests/live/replicas \
	tests/live/upkeep
check_PROGRAMS += $(servers_tests)
TESTS += $(servers_tests)
tests_live_others_SOURCES = tests/live/test_others.c
tests_live_others_CPPFLAGS = $(live_cppflags)
tests_live_others_LDADD = $(live_libs)
tests_live_replicas_SOURCES = tests/live/test_replicas.c
tests_live_replicas_CPPFLAGS = $(live_cppflags)
tests_live_replicas_LDADD = $(live_libs)
tests_live_hostile_SOURCES = tests/live/test_hostile.c tests/live/hostile.c tests/live/hostile.h
tests_live_hostile_CPPFLAGS = $(live_cppflags)
tests_live_hostile_LDADD = $(live_libs)
tests_live_model_SOURCES = tests/live/test_model.c
tests_live_model_CPPFLAGS = $(live_cppflags)
tests_live_model_LDADD = $(live_libs)
tests_live_hostile_ids_SOURCES = tests/live/test_hostile_ids.c tests/live/hostile.c tests/live/hostile.h
tests_live_hostile_ids_CPPFLAGS = $(live_cppflags)
tests_live_hostile_ids_LDADD = $(live_libs)
tests_live_upkeep_SOURCES = tests/live/test_upkeep.c tests/live/tls.c tests/live/tls.h
tests_live_upkeep_CPPFLAGS = $(live_cppflags)
tests_live_upkeep_LDADD = $(live_libs) -lssl $(CRYPTO_LIBS) -lpthread
clean-local: clean-model
clean-model:
	rm -rf tests/live/model.env tests/live/model.env.log
tests_live_older_state_SOURCES = tests/live/test_older_state.c
tests_live_older_state_CPPFLAGS = $(live_cppflags)
tests_live_older_state_LDADD = $(live_libs)
# long work: jobs of the daemon, and commands that hand it over
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
