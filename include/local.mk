pkgplugininclude_HEADERS = include/lockstep/plugin.h
pkgpluginincludedir = $(includedir)/lockstep
