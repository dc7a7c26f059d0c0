# config: the INI file and the environment, as one typed, checked configuration
noinst_LTLIBRARIES += libconfig.la
libconfig_la_SOURCES = \
	%D%/config.h \
	%D%/load.c \
	%D%/options.c %D%/options.h \
	%D%/draft.c %D%/draft.h \
	%D%/reference.c \
	%D%/resolve.c \
	%D%/show.c \
	%D%/value.c
libconfig_la_LIBADD = libbase.la

# the reference in docs/ is made from the table of options; tests/unit/test_config holds them together
EXTRA_PROGRAMS = make_reference
make_reference_SOURCES = %D%/make_reference.c
make_reference_LDADD = libconfig.la
CLEANFILES += make_reference$(EXEEXT)
dist_man_MANS += docs/reference/lockstep.ini.5
nobase_dist_doc_DATA += docs/reference/configuration.md
docs-reference: make_reference$(EXEEXT)
	./make_reference$(EXEEXT) markdown > $(srcdir)/docs/reference/configuration.md
	./make_reference$(EXEEXT) man > $(srcdir)/docs/reference/lockstep.ini.5
.PHONY: docs-reference
libconfig_la_CPPFLAGS = $(CORE_CPPFLAGS)
