# What ./quickstart plays the application with; never installed.
noinst_PROGRAMS += %D%/quickstart-mongo
tools_quickstart_mongo_SOURCES = %D%/quickstart-mongo.c
tools_quickstart_mongo_CPPFLAGS = $(AM_CPPFLAGS) $(MONGOC_CFLAGS)
tools_quickstart_mongo_LDADD = $(MONGOC_LIBS) $(BSON_LIBS)
EXTRA_DIST += quickstart %D%/check-fast %D%/check-musl %D%/compile-commands %D%/gdb/lockstep.py %D%/release \
	%D%/words %D%/words.exempt %D%/words.identifiers %D%/words.phrases

# For who changes the code.
.PHONY: help check-fast check-musl compile_commands.json
help:
	@printf '  %-28s%s\n' \
	  'make' 'the program, here' \
	  'make check' 'all tests; TESTS="test_ini tests/scenario/ids.txt" for some' \
	  'make check-fast' 'unit tests, checks of the sources, 500 simulated worlds: within a minute' \
	  'make check-musl' 'does core/ compile with musl-gcc?' \
	  'make compile_commands.json' 'for clangd and other tools, in the source folder' \
	  'make docs-reference' 'the reference of the configuration, from the table of options' \
	  'make install, uninstall' 'DESTDIR and prefix as usual' \
	  'make distcheck' 'the archive, and whether it builds and passes its tests elsewhere' \
	  'tests/run' 'everything, from a bare Debian, with sanitizers' \
	  'tests/matrix' 'compilers, Debian releases, static analysis, coverage' \
	  'tests/nightly' 'what takes too long for every change' \
	  'tools/release' 'archive, checksum and notes of the version in configure.ac'

check-fast: all
	@MAKE='$(MAKE)' $(srcdir)/%D%/check-fast $(TESTS)

check-musl: all
	@$(srcdir)/%D%/check-musl .

compile_commands.json: Makefile
	@MAKE='$(MAKE)' $(srcdir)/%D%/compile-commands all-am $(check_LTLIBRARIES) $(check_PROGRAMS) >$@.tmp && mv $@.tmp $(srcdir)/$@
