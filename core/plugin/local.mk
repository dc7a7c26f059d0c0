# plugin: the loader, the host functions, and the maker port
noinst_LTLIBRARIES += libplugin.la
libplugin_la_SOURCES = \
	%D%/available.c \
	%D%/binding.c \
	%D%/check.c %D%/check.h \
	%D%/crash.c %D%/crash.h \
	%D%/plugin_guard.c %D%/plugin_guard.h \
	%D%/host.c %D%/host.h \
	%D%/loader.c \
	%D%/maker.c %D%/maker.h \
	%D%/plugin_options.c %D%/plugin_options.h \
	%D%/plugin.h \
	%D%/problem.c %D%/problem.h
libplugin_la_LIBADD = libengine.la libcollection.la libbase.la $(LTDL_LIBS)
libplugin_la_CPPFLAGS = $(CORE_CPPFLAGS)
