# engine: decides; no I/O, no threads, no clock of its own
noinst_LTLIBRARIES += libengine.la
libengine_la_SOURCES = \
	%D%/behind.c \
	%D%/circuit.c %D%/circuit.h \
	%D%/classify.c %D%/classify.h \
	%D%/doc.c \
	%D%/docs.c \
	%D%/engine.c %D%/engine.h \
	%D%/epochs.c \
	%D%/heal.c \
	%D%/internal.h \
	%D%/lane.c %D%/lane.h \
	%D%/own_point.c \
	%D%/deferred.c \
	%D%/owed.c \
	%D%/part.c \
	%D%/ports.c %D%/ports.h \
	%D%/probes.c \
	%D%/receive.c \
	%D%/refused.c \
	%D%/record.c %D%/record.h \
	%D%/relieve.c \
	%D%/replicas.c \
	%D%/retry.c %D%/retry.h \
	%D%/rivals.c \
	%D%/scan.c \
	%D%/send.c \
	%D%/start.c \
	%D%/stream.c \
	%D%/sweep.c \
	%D%/sweep_records.c \
	%D%/tombs.c \
	%D%/turn.c %D%/turn.h \
	%D%/usable.c %D%/usable.h \
	%D%/watermark.c %D%/watermark.h \
	%D%/why.c \
	%D%/worker.c
libengine_la_LIBADD = libcollection.la libbase.la -lm
libengine_la_CPPFLAGS = $(CORE_CPPFLAGS)
