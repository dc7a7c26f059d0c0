# engine: decides; no I/O, no threads, no clock of its own
noinst_LTLIBRARIES += libengine.la
libengine_la_SOURCES = \
	%D%/lag.c \
	%D%/circuit.c %D%/circuit.h \
	%D%/classify.c %D%/classify.h \
	%D%/document.c \
	%D%/document_table.c \
	%D%/engine.c %D%/engine.h \
	%D%/epochs.c \
	%D%/count_check.c \
	%D%/internal.h \
	%D%/batch_queue.c %D%/batch_queue.h \
	%D%/own_point.c \
	%D%/deferred.c \
	%D%/owed.c \
	%D%/target.c \
	%D%/ports.c %D%/ports.h \
	%D%/probes.c \
	%D%/receive.c \
	%D%/refused.c \
	%D%/record.c %D%/record.h \
	%D%/load_shedding.c \
	%D%/replicas.c \
	%D%/retry.c %D%/retry.h \
	%D%/duplicate_ids.c \
	%D%/scan.c \
	%D%/send.c \
	%D%/start.c \
	%D%/stream.c \
	%D%/sweep.c \
	%D%/sweep_records.c \
	%D%/tombstones.c \
	%D%/point_lock.c %D%/point_lock.h \
	%D%/usable.c %D%/usable.h \
	%D%/watermark.c %D%/watermark.h \
	%D%/dirty_reason.c \
	%D%/worker.c
libengine_la_LIBADD = libcollection.la libbase.la -lm
libengine_la_CPPFLAGS = $(CORE_CPPFLAGS)
