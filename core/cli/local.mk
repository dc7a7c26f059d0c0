# cli: the program's commands
bin_PROGRAMS += lockstep
lockstep_SOURCES = \
	%D%/cmd.c %D%/cmd.h \
	%D%/cmd_arguments.c %D%/cmd_arguments.h \
	%D%/cmd_check.c %D%/cmd_check.h \
	%D%/cmd_client.c %D%/cmd_client.h \
	%D%/cmd_config.c \
	%D%/cmd_forget.c \
	%D%/cmd_handover.c %D%/cmd_handover.h \
	%D%/cmd_one_shot.c %D%/cmd_one_shot.h \
	%D%/cmd_plugins.c \
	%D%/cmd_preview.c \
	%D%/cmd_progress.c %D%/cmd_progress.h \
	%D%/cmd_rehearsal.c %D%/cmd_rehearsal.h \
	%D%/cmd_resync.c %D%/cmd_resync.h \
	%D%/cmd_retry.c \
	%D%/cmd_run.c \
	%D%/cmd_search.c \
	%D%/cmd_selection.c %D%/cmd_selection.h \
	%D%/cmd_status.c \
	%D%/cmd_sync.c \
	%D%/cmd_verify.c \
	%D%/main.c
lockstep_CPPFLAGS = $(CORE_CPPFLAGS) $(JANSSON_CFLAGS)
lockstep_LDADD = libapi.la libservice.la libplugin.la libmongo.la libqdrant.la libembed.la libhttp.la libengine.la \
	libcollection.la libconfig.la libbase.la $(JANSSON_LIBS) $(LTDL_LIBS)
