# admin: the HTTP API
noinst_LTLIBRARIES += libadmin.la
libadmin_la_SOURCES = \
	%D%/admin.h \
	%D%/answers_document.c \
	%D%/answers_metrics.c \
	%D%/answers_search.c \
	%D%/answers_state.c \
	%D%/call.c %D%/call.h \
	%D%/guard.c %D%/guard.h \
	%D%/routes.c \
	%D%/server.c \
	%D%/shape.c %D%/shape.h \
	%D%/target.c %D%/target.h
libadmin_la_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(MICROHTTPD_CFLAGS)
libadmin_la_LIBADD = libservice.la libbase.la $(JANSSON_LIBS) $(MICROHTTPD_LIBS)
