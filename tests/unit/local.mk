
check_PROGRAMS += test_record
TESTS += test_record
test_record_SOURCES = %D%/test_record.c
test_record_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_record_LDADD = libengine.la libbase.la $(CHECK_LIBS)
