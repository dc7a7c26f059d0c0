# The stand-in for MongoDB: a library, so that the fuzzer can use it, and the program.
check_LTLIBRARIES += libdoublemongo.la
libdoublemongo_la_SOURCES = \
	%D%/mongo/agg.c %D%/mongo/agg.h %D%/mongo/agg_group.c %D%/mongo/agg_int.h %D%/mongo/agg_parse.c \
	%D%/mongo/bval.c %D%/mongo/bval.h %D%/mongo/bwrite.c \
	%D%/mongo/cmd_admin.c %D%/mongo/cmd_aggregate.c %D%/mongo/cmd_catalog.c %D%/mongo/cmd_fam.c %D%/mongo/cmd_hello.c \
	%D%/mongo/cmd_index.c %D%/mongo/cmd_read.c %D%/mongo/cmd_write.c %D%/mongo/command.c %D%/mongo/commands.h \
	%D%/mongo/collation.c %D%/mongo/collation.h %D%/mongo/conn.c %D%/mongo/conn.h %D%/mongo/cursor.c %D%/mongo/cursor.h \
	%D%/mongo/err.c %D%/mongo/err.h \
	%D%/mongo/expr.c %D%/mongo/expr.h %D%/mongo/expr_arith.c %D%/mongo/expr_array.c %D%/mongo/expr_convert.c \
	%D%/mongo/expr_int.h %D%/mongo/expr_logic.c %D%/mongo/expr_string.c \
	%D%/mongo/failpoint.c %D%/mongo/journal.c %D%/mongo/journal.h \
	%D%/mongo/keystring.c %D%/mongo/keystring.h \
	%D%/mongo/match.c %D%/mongo/match.h %D%/mongo/match_parse.c %D%/mongo/match_text.c \
	%D%/mongo/oplog.c %D%/mongo/oplog.h %D%/mongo/path.c %D%/mongo/path.h %D%/mongo/pool.c \
	%D%/mongo/project.c %D%/mongo/project.h %D%/mongo/query.c %D%/mongo/query.h \
	%D%/mongo/regexp.c %D%/mongo/regexp.h %D%/mongo/reply.c %D%/mongo/request.c %D%/mongo/schema.c %D%/mongo/schema.h \
	%D%/mongo/server.c %D%/mongo/server.h %D%/mongo/session.c %D%/mongo/session.h \
	%D%/mongo/skiplist.c %D%/mongo/skiplist.h %D%/mongo/sortkey.c %D%/mongo/sortkey.h \
	%D%/mongo/store.c %D%/mongo/store.h %D%/mongo/store_index.c %D%/mongo/store_index.h \
	%D%/mongo/stream.c %D%/mongo/stream.h %D%/mongo/text.c %D%/mongo/text.h \
	%D%/mongo/token.c %D%/mongo/token.h \
	%D%/mongo/update.c %D%/mongo/update.h %D%/mongo/update_int.h %D%/mongo/update_ops.c %D%/mongo/update_parse.c \
	%D%/mongo/view.c %D%/mongo/wire.c %D%/mongo/write.c
libdoublemongo_la_CPPFLAGS = $(AM_CPPFLAGS) $(UUID_CFLAGS)
libdoublemongo_la_LIBADD = libbase.la $(BSON_LIBS) $(UUID_LIBS) -lm

check_PROGRAMS += tests/double/mongod
tests_double_mongod_SOURCES = %D%/mongo/main.c
tests_double_mongod_LDADD = libdoublemongo.la
