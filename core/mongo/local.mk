# mongo: the ports `source` and `store` over libmongoc, and what commands ask of MongoDB
noinst_LTLIBRARIES += libmongo.la
libmongo_la_SOURCES = \
	%D%/adopt.c \
	%D%/mongo_ask.c \
	%D%/beside.c \
	%D%/command.c %D%/mongo_internal.h \
	%D%/contradictions.c %D%/contradictions.h \
	%D%/mongo_counts.c \
	%D%/due.c \
	%D%/facts.c \
	%D%/failures.c \
	%D%/edit.c \
	%D%/find.c \
	%D%/mongo_forget.c \
	%D%/ids.c \
	%D%/keys.c \
	%D%/lease.c \
	%D%/leave.c \
	%D%/metadata.c %D%/metadata.h \
	%D%/list.c %D%/list.h \
	%D%/list_filter.c \
	%D%/list_join.c \
	%D%/mongo.c %D%/mongo.h \
	%D%/pipeline.c %D%/pipeline.h \
	%D%/prepare.c \
	%D%/reads.c \
	%D%/records.c \
	%D%/requeue.c \
	%D%/silence.c \
	%D%/state.c \
	%D%/stream.c \
	%D%/mongo_tombstones.c \
	%D%/uri.c
libmongo_la_CPPFLAGS = $(CORE_CPPFLAGS) $(MONGOC_CFLAGS)
libmongo_la_LIBADD = libengine.la libbase.la $(MONGOC_LIBS) -lm
