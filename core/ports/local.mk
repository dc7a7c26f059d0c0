# ports: the requests between the engine and its adapters
noinst_LTLIBRARIES += libports.la
libports_la_SOURCES = %D%/ports.c %D%/ports.h \
	%D%/embedder.h %D%/index.h %D%/maker.h %D%/request.h %D%/source.h %D%/store.h
libports_la_LIBADD = libmodel.la libcollection.la libbase.la
libports_la_CPPFLAGS = $(CORE_CPPFLAGS)
