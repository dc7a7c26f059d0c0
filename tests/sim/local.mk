# sim: the engine under a simulated world
check_PROGRAMS += tests/sim/run
TESTS += tests/sim/run
tests_sim_run_SOURCES = %D%/check.c %D%/mongo.c %D%/run.c %D%/servers.c %D%/sim.h %D%/world.c
tests_sim_run_LDADD = libengine.la libbase.la $(BSON_LIBS)
