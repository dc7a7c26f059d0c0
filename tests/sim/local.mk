# sim: the engine under a simulated world
check_PROGRAMS += tests/sim/run
TESTS += tests/sim/run %D%/mutants.sh
EXTRA_DIST += %D%/mutants.sh %D%/mutants
tests_sim_run_SOURCES = %D%/check.c %D%/daemons.c %D%/elsewhere.c %D%/making.c %D%/mongo.c %D%/promises.c %D%/qdrant.c \
	%D%/reads.c %D%/run.c %D%/shrink.c %D%/sim.h %D%/stream.c %D%/world.c %D%/writes.c
tests_sim_run_LDADD = libengine.la libbase.la $(BSON_LIBS)
