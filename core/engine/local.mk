# engine: decides; no I/O, no threads, no clock of its own
noinst_LTLIBRARIES += libengine.la
libengine_la_SOURCES = \
	%D%/engine.c %D%/engine.h \
	%D%/rules/batch_queue.c %D%/rules/batch_queue.h \
	%D%/rules/circuit.c %D%/rules/circuit.h \
	%D%/rules/classify.c %D%/rules/classify.h \
	%D%/rules/point_lock.c %D%/rules/point_lock.h \
	%D%/rules/retry.c %D%/rules/retry.h \
	%D%/rules/usable.c %D%/rules/usable.h \
	%D%/rules/watermark.c %D%/rules/watermark.h \
	%D%/documents/deferred.c \
	%D%/documents/dirty_reason.c \
	%D%/documents/documents.h \
	%D%/documents/document.c \
	%D%/documents/document_table.c \
	%D%/documents/duplicate_ids.c \
	%D%/documents/load_shedding.c \
	%D%/documents/machines.c \
	%D%/documents/owed.c \
	%D%/documents/own_point.c \
	%D%/documents/refused.c \
	%D%/documents/target.c \
	%D%/documents/target_outcome.c \
	%D%/feeds/feeds.h \
	%D%/feeds/change_stream.c \
	%D%/feeds/count_check.c \
	%D%/feeds/health_probes.c \
	%D%/documents/lag.c \
	%D%/feeds/replicas.c \
	%D%/feeds/retry_cycle.c \
	%D%/feeds/scan.c \
	%D%/feeds/scan_request.c \
	%D%/feeds/sweep.c \
	%D%/feeds/sweep_records.c \
	%D%/feeds/tombstones.c \
	%D%/session/epochs.c \
	%D%/session/session.h \
	%D%/session/checkpoint.c \
	%D%/session/lease_keep.c \
	%D%/session/phases.c \
	%D%/session/shutdown.c \
	%D%/session/store_pause.c \
	%D%/io/batch_io.c \
	%D%/io/embedder_io.c \
	%D%/io/index_io.c \
	%D%/io/io.h \
	%D%/io/maker_io.c \
	%D%/io/source_io.c \
	%D%/io/store_io.c
libengine_la_LIBADD = libports.la libcollection.la libbase.la -lm
libengine_la_CPPFLAGS = $(CORE_CPPFLAGS)
