# tests of collection/, plugin/ and the plugins, and of the tree itself
dist_check_SCRIPTS += %D%/links.sh %D%/format.sh %D%/arrows.sh %D%/guide.sh %D%/hashes.sh %D%/gdb.sh %D%/project.sh %D%/release.sh %D%/words.sh
TESTS += %D%/links.sh %D%/format.sh %D%/arrows.sh %D%/guide.sh %D%/hashes.sh %D%/gdb.sh %D%/project.sh %D%/release.sh %D%/words.sh
tests/unit/guide.log: test_example
tests/unit/gdb.log: test_docid tests/sim/run

# text
check_PROGRAMS += test_text
TESTS += test_text
test_text_SOURCES = %D%/test_text.c %D%/fixture.c %D%/fixture.h %D%/suite.h
test_text_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_text_LDADD = libcollection.la libbase.la $(CHECK_LIBS)

# payload
check_PROGRAMS += test_payload
TESTS += test_payload
test_payload_SOURCES = %D%/test_payload.c %D%/fixture.c %D%/fixture.h %D%/suite.h
test_payload_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_payload_LDADD = libcollection.la libbase.la $(CHECK_LIBS)

# point_id
check_PROGRAMS += test_point_id
TESTS += test_point_id
test_point_id_SOURCES = %D%/test_point_id.c %D%/fixture.c %D%/fixture.h %D%/suite.h
test_point_id_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_point_id_LDADD = libcollection.la libbase.la $(CHECK_LIBS)

# touches
check_PROGRAMS += test_touches
TESTS += test_touches
test_touches_SOURCES = %D%/test_touches.c %D%/fixture.c %D%/fixture.h %D%/suite.h
test_touches_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_touches_LDADD = libcollection.la libbase.la $(CHECK_LIBS)

# plugins to be refused, and one that does what its options say; -rpath makes them shared objects
probe_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
check_LTLIBRARIES += \
	%D%/bad_magic.la \
	%D%/bad_major.la \
	%D%/bad_minor.la \
	%D%/bad_bson.la \
	%D%/bad_size.la \
	%D%/bad_name.la \
	%D%/bad_version.la \
	%D%/bad_flags.la \
	%D%/bad_symbol.la \
	%D%/bad_options.la \
	%D%/bad_undefined.la \
	%D%/old_size.la %D%/probe.la %D%/probe_serial.la
%C%_bad_magic_la_SOURCES = %D%/plugins/bad.c
%C%_bad_magic_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_MAGIC -DNAME='"bad_magic"'
%C%_bad_magic_la_LDFLAGS = $(probe_ldflags)
%C%_bad_major_la_SOURCES = %D%/plugins/bad.c
%C%_bad_major_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_MAJOR -DNAME='"bad_major"'
%C%_bad_major_la_LDFLAGS = $(probe_ldflags)
%C%_bad_minor_la_SOURCES = %D%/plugins/bad.c
%C%_bad_minor_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_MINOR -DNAME='"bad_minor"'
%C%_bad_minor_la_LDFLAGS = $(probe_ldflags)
%C%_bad_bson_la_SOURCES = %D%/plugins/bad.c
%C%_bad_bson_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_BSON -DNAME='"bad_bson"'
%C%_bad_bson_la_LDFLAGS = $(probe_ldflags)
%C%_bad_size_la_SOURCES = %D%/plugins/bad.c
%C%_bad_size_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_SIZE -DNAME='"bad_size"'
%C%_bad_size_la_LDFLAGS = $(probe_ldflags)
%C%_bad_name_la_SOURCES = %D%/plugins/bad.c
%C%_bad_name_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_NAME -DNAME='"bad_name"'
%C%_bad_name_la_LDFLAGS = $(probe_ldflags)
%C%_bad_version_la_SOURCES = %D%/plugins/bad.c
%C%_bad_version_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_VERSION -DNAME='"bad_version"'
%C%_bad_version_la_LDFLAGS = $(probe_ldflags)
%C%_bad_flags_la_SOURCES = %D%/plugins/bad.c
%C%_bad_flags_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_FLAGS -DNAME='"bad_flags"'
%C%_bad_flags_la_LDFLAGS = $(probe_ldflags)
%C%_bad_symbol_la_SOURCES = %D%/plugins/bad.c
%C%_bad_symbol_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_SYMBOL -DNAME='"bad_symbol"'
%C%_bad_symbol_la_LDFLAGS = $(probe_ldflags)
%C%_bad_options_la_SOURCES = %D%/plugins/bad.c
%C%_bad_options_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_OPTIONS -DNAME='"bad_options"'
%C%_bad_options_la_LDFLAGS = $(probe_ldflags)
%C%_bad_undefined_la_SOURCES = %D%/plugins/bad.c
%C%_bad_undefined_la_CPPFLAGS = $(AM_CPPFLAGS) -DBAD_UNDEFINED -DNAME='"bad_undefined"'
%C%_bad_undefined_la_LDFLAGS = $(probe_ldflags)
%C%_old_size_la_SOURCES = %D%/plugins/bad.c
%C%_old_size_la_CPPFLAGS = $(AM_CPPFLAGS) -DOLD_SIZE -DNAME='"old_size"'
%C%_old_size_la_LDFLAGS = $(probe_ldflags)
%C%_probe_la_SOURCES = %D%/plugins/probe.c
%C%_probe_la_CPPFLAGS = $(AM_CPPFLAGS) -DPROBE_NAME='"probe"'
%C%_probe_la_LDFLAGS = $(probe_ldflags)
%C%_probe_serial_la_SOURCES = %D%/plugins/probe.c
%C%_probe_serial_la_CPPFLAGS = $(AM_CPPFLAGS) -DPROBE_NAME='"probe_serial"' -DPROBE_SERIAL
%C%_probe_serial_la_LDFLAGS = $(probe_ldflags)

# loader
check_PROGRAMS += test_loader
TESTS += test_loader
test_loader_SOURCES = %D%/test_loader.c %D%/fixture.c %D%/fixture.h %D%/suite.h
test_loader_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_loader_LDADD = libplugin.la libengine.la libcollection.la libbase.la $(CHECK_LIBS)

# maker
check_PROGRAMS += test_maker
TESTS += test_maker
test_maker_SOURCES = %D%/test_maker.c %D%/fixture.c %D%/fixture.h %D%/suite.h
test_maker_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_maker_LDADD = libplugin.la libengine.la libcollection.la libbase.la $(CHECK_LIBS)

# the example of docs/howto/plugin.md
check_LTLIBRARIES += docs/examples/recipes.la
docs_examples_recipes_la_SOURCES = docs/examples/recipes.c
docs_examples_recipes_la_LDFLAGS = $(probe_ldflags)
check_PROGRAMS += test_example
TESTS += test_example
test_example_SOURCES = %D%/test_example.c %D%/fixture.c %D%/fixture.h %D%/suite.h
test_example_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_example_LDADD = libplugin.la libengine.la libcollection.la libbase.la $(CHECK_LIBS)
