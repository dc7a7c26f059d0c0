# engine: decides; no I/O, no threads, no clock of its own
noinst_LTLIBRARIES += libengine.la
libengine_la_SOURCES = \
	%D%/ports.c %D%/ports.h \
	%D%/record.c %D%/record.h
libengine_la_LIBADD = libcollection.la libbase.la
