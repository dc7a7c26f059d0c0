# scenario: files that say what happens and what is expected then, run by one program
check_PROGRAMS += %D%/run
%C%_run_SOURCES = %D%/commands.c %D%/main.c %D%/match.c %D%/reader.c %D%/scenario.h %D%/subjects.c
%C%_run_CPPFLAGS = $(live_cppflags) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
%C%_run_LDADD = $(live_libs)

scenarios = \
	%D%/api-compare.txt \
	%D%/api-lists.txt \
	%D%/api-state.txt \
	%D%/api.txt \
	%D%/beside.txt \
	%D%/by-hand.txt \
	%D%/changes.txt \
	%D%/commands.txt \
	%D%/embedders.txt \
	%D%/handover.txt \
	%D%/held.txt \
	%D%/ids.txt \
	%D%/jobs.txt \
	%D%/mongodb.txt \
	%D%/others.txt \
	%D%/outages.txt \
	%D%/promises.txt \
	%D%/qdrant.txt \
	%D%/records.txt \
	%D%/refused.txt \
	%D%/settings.txt
TESTS += $(scenarios)
EXTRA_DIST += $(scenarios)
TXT_LOG_DRIVER = $(LOG_DRIVER)
$(scenarios:.txt=.log): %D%/run
TXT_LOG_COMPILER = $(top_builddir)/%D%/run
TESTS += %D%/errors.sh
dist_check_SCRIPTS += %D%/errors.sh
