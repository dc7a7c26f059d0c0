# cmd: the program
bin_PROGRAMS += lockstep
lockstep_SOURCES = \
	%D%/app.c %D%/app.h \
	%D%/arguments.c %D%/arguments.h \
	%D%/cmd.c %D%/cmd.h \
	%D%/check.c %D%/check.h \
	%D%/config.c \
	%D%/daemon.c %D%/daemon.h \
	%D%/forget.c \
	%D%/handover.c %D%/handover.h \
	%D%/loop.c %D%/loop.h \
	%D%/main.c \
	%D%/making.c %D%/making.h \
	%D%/notify.c %D%/notify.h \
	%D%/one_shot.c %D%/one_shot.h \
	%D%/plugins.c \
	%D%/preview.c \
	%D%/progress.c %D%/progress.h \
	%D%/rehearsal.c %D%/rehearsal.h \
	%D%/recheck.c %D%/recheck.h \
	%D%/retry.c \
	%D%/run.c \
	%D%/search.c \
	%D%/selection.c %D%/selection.h \
	%D%/serve.c %D%/serve.h \
	%D%/signals.c %D%/signals.h \
	%D%/status.c \
	%D%/sync.c \
	%D%/resync.c %D%/resync.h \
	%D%/verify.c
lockstep_CPPFLAGS = $(CORE_CPPFLAGS) $(JANSSON_CFLAGS)
lockstep_LDADD = libadmin.la libservice.la libplugin.la libmongo.la libqdrant.la libembed.la libhttp.la libengine.la \
	libcollection.la libconfig.la libbase.la $(JANSSON_LIBS) $(LTDL_LIBS)
