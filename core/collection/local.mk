# collection: pure; a declaration and a document in, text, payload, point id and hashes out
noinst_LTLIBRARIES += libcollection.la
libcollection_la_SOURCES = \
	%D%/made.c %D%/made.h
libcollection_la_LIBADD = libbase.la
