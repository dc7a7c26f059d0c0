# embed: texts into vectors, built in or by a server
noinst_LTLIBRARIES += libembed.la
libembed_la_SOURCES = \
	%D%/address.c %D%/address.h \
	%D%/answer.c %D%/answer.h \
	%D%/batch.c %D%/batch.h \
	%D%/cache.c %D%/cache.h \
	%D%/embed.c %D%/embed.h \
	%D%/embedder.c %D%/embedder.h \
	%D%/encoding.c %D%/encoding.h \
	%D%/hash_vector.c %D%/hash_vector.h \
	%D%/local.c \
	%D%/ollama.c \
	%D%/openai.c \
	%D%/provider.c %D%/provider.h \
	%D%/remote.c %D%/remote.h %D%/remote_internal.h \
	%D%/remote_check.c \
	%D%/remote_company.c \
	%D%/remote_outcome.c \
	%D%/remote_hang.c \
	%D%/remote_query.c \
	%D%/remote_reply.c \
	%D%/remote_send.c \
	%D%/tei.c \
	%D%/tokens.c %D%/tokens.h \
	%D%/embed_verdict.c %D%/embed_verdict.h \
	%D%/words.c %D%/words.h
libembed_la_CPPFLAGS = $(CORE_CPPFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS) $(ZLIB_CFLAGS)
libembed_la_LIBADD = libhttp.la libbase.la $(JANSSON_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS) -lm

# the word vectors of the built-in embedder (NOTICE says where they come from)
dist_pkgdata_DATA += %D%/words.vec
