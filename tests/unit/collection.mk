# tests of collection/, plugin/ and the plugins
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
