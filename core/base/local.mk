# base: leaves that know nothing of Lockstep
noinst_LTLIBRARIES += libbase.la
libbase_la_SOURCES = \
	%D%/buf.c %D%/buf.h \
	%D%/err.c %D%/err.h \
	%D%/ini.c %D%/ini.h \
	%D%/log.c %D%/log.h \
	%D%/float.c %D%/float.h \
	%D%/queue.c %D%/queue.h \
	%D%/utf8.c %D%/utf8.h
libbase_la_LIBADD = $(BSON_LIBS) $(CRYPTO_LIBS) $(INIH_LIBS)
