# model: the nouns; pure data
noinst_LTLIBRARIES += libmodel.la
libmodel_la_SOURCES = %D%/record.c %D%/record.h %D%/change.h %D%/stamp.h %D%/state.h %D%/tombstone.h
libmodel_la_LIBADD = libbase.la
libmodel_la_CPPFLAGS = $(CORE_CPPFLAGS)
