# what the servers may do, and how they may be met
servers_tests = \
	tests/live/beside \
	tests/live/embedders \
	tests/live/hostile \
	tests/live/hostile_ids \
	tests/live/model \
	tests/live/mongodb \
	tests/live/older_state \
	tests/live/others \
	tests/live/promises \
	tests/live/qdrant \
	tests/live/replicas \
	tests/live/upkeep
check_PROGRAMS += $(servers_tests)
TESTS += $(servers_tests)
tests_live_mongodb_SOURCES = tests/live/test_mongodb.c
tests_live_mongodb_CPPFLAGS = $(live_cppflags)
tests_live_mongodb_LDADD = $(live_libs)
tests_live_beside_SOURCES = tests/live/test_beside.c
tests_live_beside_CPPFLAGS = $(live_cppflags)
tests_live_beside_LDADD = $(live_libs)
tests_live_others_SOURCES = tests/live/test_others.c
tests_live_others_CPPFLAGS = $(live_cppflags)
tests_live_others_LDADD = $(live_libs)
tests_live_qdrant_SOURCES = tests/live/test_qdrant.c
tests_live_qdrant_CPPFLAGS = $(live_cppflags)
tests_live_qdrant_LDADD = $(live_libs)
tests_live_replicas_SOURCES = tests/live/test_replicas.c
tests_live_replicas_CPPFLAGS = $(live_cppflags)
tests_live_replicas_LDADD = $(live_libs)
tests_live_embedders_SOURCES = tests/live/test_embedders.c
tests_live_embedders_CPPFLAGS = $(live_cppflags)
tests_live_embedders_LDADD = $(live_libs)
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
tests_live_promises_SOURCES = tests/live/test_promises.c
tests_live_promises_CPPFLAGS = $(live_cppflags)
tests_live_promises_LDADD = $(live_libs)
clean-local: clean-model
clean-model:
	rm -rf tests/live/model.env tests/live/model.env.log
tests_live_older_state_SOURCES = tests/live/test_older_state.c
tests_live_older_state_CPPFLAGS = $(live_cppflags)
tests_live_older_state_LDADD = $(live_libs)
