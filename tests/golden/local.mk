# golden: the replayer of recorded conversations, and the test that plays them all
check_LTLIBRARIES += libgolden.la
libgolden_la_SOURCES = \
	%D%/compare.h %D%/compare_bson.c %D%/compare_json.c \
	%D%/described.c %D%/described.h \
	%D%/diffs.c %D%/diffs.h \
	%D%/ejson.c %D%/ejson.h \
	%D%/known.c %D%/known.h \
	%D%/mask.c %D%/mask.h \
	%D%/play.c %D%/play.h %D%/play_http.c %D%/play_mongodb.c \
	%D%/recording.c %D%/recording.h \
	%D%/skips.c %D%/skips.h \
	%D%/tap.c %D%/tap.h \
	%D%/wire.c %D%/wire.h
libgolden_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests $(CURL_CFLAGS) $(JANSSON_CFLAGS) $(UUID_CFLAGS)
libgolden_la_LIBADD = libbase.la $(BSON_LIBS) $(JANSSON_LIBS) $(CURL_LIBS) $(UUID_LIBS) -lm

check_PROGRAMS += %D%/replay
%C%_replay_SOURCES = %D%/main.c
%C%_replay_CPPFLAGS = $(libgolden_la_CPPFLAGS) -DGOLDEN_SKIPS='"$(abs_top_srcdir)/%D%/skips"'
%C%_replay_LDADD = libgolden.la
EXTRA_DIST += %D%/skips

TESTS += %D%/golden_mongodb.sh %D%/golden_qdrant.sh
EXTRA_DIST += %D%/golden_mongodb.sh %D%/golden_qdrant.sh tests/standin.sh
