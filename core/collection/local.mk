# collection: pure; a declaration and a document in, text, payload, point id and hashes out
noinst_LTLIBRARIES += libcollection.la
libcollection_la_SOURCES = \
	%D%/collection.c %D%/collection.h \
	%D%/declaration.c %D%/declaration.h \
	%D%/made.c %D%/made.h \
	%D%/making.h \
	%D%/path.c %D%/path.h \
	%D%/payload.c \
	%D%/point_id.c \
	%D%/sentence.c \
	%D%/text.c %D%/text.h \
	%D%/view.c %D%/view.h
libcollection_la_LIBADD = libbase.la
libcollection_la_CPPFLAGS = $(CORE_CPPFLAGS)
