# What ./quickstart plays the application with; never installed.
noinst_PROGRAMS += %D%/quickstart-mongo
tools_quickstart_mongo_SOURCES = %D%/quickstart-mongo.c
tools_quickstart_mongo_CPPFLAGS = $(AM_CPPFLAGS) $(MONGOC_CFLAGS)
tools_quickstart_mongo_LDADD = $(MONGOC_LIBS) $(BSON_LIBS)
EXTRA_DIST += quickstart
