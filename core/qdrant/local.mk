# qdrant: the index port, and plain calls, over REST
noinst_LTLIBRARIES += libqdrant.la
libqdrant_la_SOURCES = \
	%D%/qdrant_ask.c %D%/qdrant_ask.h \
	%D%/body.c %D%/body.h \
	%D%/ensure.c \
	%D%/exchange.c %D%/exchange.h \
	%D%/kind.c \
	%D%/look.c \
	%D%/qdrant.c %D%/qdrant.h \
	%D%/read.c \
	%D%/reply.c %D%/reply.h \
	%D%/qdrant_scan.c %D%/qdrant_scan.h \
	%D%/qdrant_verdict.c %D%/qdrant_verdict.h \
	%D%/wait.c \
	%D%/whole.c %D%/whole.h \
	%D%/write.c
libqdrant_la_CPPFLAGS = $(CORE_CPPFLAGS) $(JANSSON_CFLAGS)
libqdrant_la_LIBADD = $(JANSSON_LIBS)
# programs name libhttp.la, libengine.la and libbase.la behind it
