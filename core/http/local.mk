# http: the only user of libcurl
noinst_LTLIBRARIES += libhttp.la
libhttp_la_SOURCES = \
	%D%/http.c %D%/http.h \
	%D%/http_secret.c %D%/http_secret.h \
	%D%/http_text.c \
	%D%/transfer.c %D%/transfer.h
libhttp_la_CPPFLAGS = $(CORE_CPPFLAGS) $(CURL_CFLAGS) $(ZLIB_CFLAGS)
libhttp_la_LIBADD = libbase.la $(CURL_LIBS) $(ZLIB_LIBS)
