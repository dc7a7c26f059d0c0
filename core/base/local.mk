# base: leaves that know nothing of Lockstep
noinst_LTLIBRARIES += libbase.la
libbase_la_SOURCES = \
	%D%/arena.c %D%/arena.h \
	%D%/buf.c %D%/buf.h \
	%D%/canonical.c %D%/canonical.h \
	%D%/clock.c %D%/clock.h \
	%D%/docid.c %D%/docid.h \
	%D%/err.c %D%/err.h \
	%D%/ini.c %D%/ini.h \
	%D%/extjson.c %D%/extjson.h \
	%D%/hash.c %D%/hash.h \
	%D%/histogram.c %D%/histogram.h \
	%D%/json.c %D%/json.h %D%/number.c \
	%D%/json_memory.c %D%/json_memory.h \
	%D%/invariant.c %D%/invariant.h \
	%D%/log.c %D%/log.h \
	%D%/machine.c %D%/machine.h \
	%D%/meter.c %D%/meter.h \
	%D%/float.c %D%/float.h \
	%D%/order.c %D%/order.h \
	%D%/queue.c %D%/queue.h \
	%D%/secret.c %D%/secret.h \
	%D%/siphash.c %D%/siphash.h \
	%D%/utf8.c %D%/utf8.h \
	%D%/uuid.c %D%/uuid.h
libbase_la_LIBADD = $(BSON_LIBS) $(CRYPTO_LIBS) $(INIH_LIBS) -lm
libbase_la_CPPFLAGS = $(CORE_CPPFLAGS)
