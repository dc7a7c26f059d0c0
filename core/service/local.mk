# service: what a person can ask for, once, for the command line and the HTTP API alike
noinst_LTLIBRARIES += libservice.la
libservice_la_SOURCES = \
	%D%/compare.c %D%/compare.h \
	%D%/control.c %D%/control.h \
	%D%/counts.c %D%/counts.h \
	%D%/events.c %D%/events.h \
	%D%/document_compare.c %D%/document_compare.h \
	%D%/documents.c %D%/documents.h \
	%D%/documents_again.c \
	%D%/documents_json.c %D%/documents_json.h \
	%D%/fields.c %D%/fields.h \
	%D%/forget.c %D%/forget.h \
	%D%/history.c %D%/history.h \
	%D%/job.c \
	%D%/job_options.c \
	%D%/job_run.c \
	%D%/job_resync.c %D%/job_touch.h \
	%D%/jobs.c %D%/jobs.h %D%/jobs_internal.h \
	%D%/lookup.c %D%/lookup.h \
	%D%/plan.c %D%/plan.h \
	%D%/problems.c %D%/problems.h \
	%D%/report.c %D%/report.h \
	%D%/search.c %D%/search.h \
	%D%/search_filter.c \
	%D%/search_notes.c \
	%D%/service.h \
	%D%/title.c %D%/title.h \
	%D%/verify.c %D%/verify.h
libservice_la_CPPFLAGS = $(CORE_CPPFLAGS) $(JANSSON_CFLAGS)
libservice_la_LIBADD = libqdrant.la libembed.la libengine.la libbase.la $(JANSSON_LIBS)
