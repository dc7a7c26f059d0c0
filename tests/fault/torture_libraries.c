/*
 * torture_libraries.c - what the libraries may refuse, each with the failure it gets: libcurl, libmongoc,
 * libmicrohttpd, OpenSSL, zlib; and jansson's allocations.
 * Left out are libbson's appends, which fail past 2 GiB alone (what is built here is bounded far below that),
 * and its parser, which no text of our own fails.
 */
#include "fault/torture.h"

#include <curl/curl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <mongoc/mongoc.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdlib.h>
#include <zlib.h>

/* ---- jansson ---- */

void *__real_malloc(size_t bytes);

static void *allocate_for_json(size_t bytes)
{
    return torture_strikes(TORTURE_ALLOCATION, "jansson") ? NULL : __real_malloc(bytes);
}

__attribute__((weak)) void json_memory_watch(void); /* base/json_memory.h, where it is linked */

__attribute__((constructor)) static void feed_jansson(void)
{
    json_set_alloc_funcs(allocate_for_json, free);
    if (json_memory_watch) json_memory_watch(); /* as the daemon does; allocates by our malloc() */
}

/* ---- libcurl's calls with an argument of any type: all are as wide as a pointer ---- */

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define OPTION_CALL(name, handle_type, option_type, type, failed)                                            \
    type __real_##name(handle_type *handle, option_type option, ...);                                        \
    type __wrap_##name(handle_type *handle, option_type option, ...);                                        \
    type __wrap_##name(handle_type *handle, option_type option, ...)                                         \
    {                                                                                                        \
        va_list more;                                                                                        \
        va_start(more, option);                                                                              \
        void *value = va_arg(more, void *);                                                                  \
        va_end(more);                                                                                        \
        return torture_strikes(TORTURE_CALL, #name) ? failed : __real_##name(handle, option, value);         \
    }
OPTION_CALL(curl_easy_setopt, CURL, CURLoption, CURLcode, CURLE_OUT_OF_MEMORY)
OPTION_CALL(curl_easy_getinfo, CURL, CURLINFO, CURLcode, CURLE_UNKNOWN_OPTION)
OPTION_CALL(curl_multi_setopt, CURLM, CURLMoption, CURLMcode, CURLM_UNKNOWN_OPTION)

/* ---- libmicrohttpd's start, likewise ---- */

struct MHD_Daemon *__wrap_MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accept,
                                           void *accept_with, MHD_AccessHandlerCallback handle,
                                           void *handle_with, ...);
struct MHD_Daemon *__wrap_MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accept,
                                           void *accept_with, MHD_AccessHandlerCallback handle,
                                           void *handle_with, ...)
{
    va_list more;
    va_start(more, handle_with);
    bool fails = torture_strikes(TORTURE_CALL, "MHD_start_daemon");
    struct MHD_Daemon *daemon =
        fails ? NULL : MHD_start_daemon_va(flags, port, accept, accept_with, handle, handle_with, more);
    va_end(more);
    return daemon;
}

/* ---- libmongoc: as if the server had gone ---- */

static void mongo_gone(bson_t *reply, bson_error_t *error)
{
    if (reply) bson_init(reply);
    if (error)
        bson_set_error(error, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET,
                       "Failed to read 4 bytes: socket error or timeout");
}

static __thread const mongoc_cursor_t *broken; /* the cursor that failed, until it is asked why */

bool __real_mongoc_cursor_error(mongoc_cursor_t *cursor, bson_error_t *error);
bool __wrap_mongoc_cursor_error(mongoc_cursor_t *cursor, bson_error_t *error);
bool __wrap_mongoc_cursor_error(mongoc_cursor_t *cursor, bson_error_t *error)
{
    if (broken != cursor) return __real_mongoc_cursor_error(cursor, error);
    broken = NULL;
    mongo_gone(NULL, error);
    return true;
}

/* ---- all others ---- */

// clang-format off
CALL(mongoc_client_command_with_opts, bool, (mongoc_client_t *client, const char *db, const bson_t *command, const mongoc_read_prefs_t *prefs, const bson_t *options, bson_t *reply, bson_error_t *error), (client, db, command, prefs, options, reply, error), false, mongo_gone(reply, error))
CALL(mongoc_client_read_command_with_opts, bool, (mongoc_client_t *client, const char *db, const bson_t *command, const mongoc_read_prefs_t *prefs, const bson_t *options, bson_t *reply, bson_error_t *error), (client, db, command, prefs, options, reply, error), false, mongo_gone(reply, error))
CALL(mongoc_client_write_command_with_opts, bool, (mongoc_client_t *client, const char *db, const bson_t *command, const bson_t *options, bson_t *reply, bson_error_t *error), (client, db, command, options, reply, error), false, mongo_gone(reply, error))
CALL(mongoc_client_select_server, mongoc_server_description_t *, (mongoc_client_t *client, bool for_writes, const mongoc_read_prefs_t *prefs, bson_error_t *error), (client, for_writes, prefs, error), NULL, mongo_gone(NULL, error))
CALL(mongoc_client_start_session, mongoc_client_session_t *, (mongoc_client_t *client, const mongoc_session_opt_t *options, bson_error_t *error), (client, options, error), NULL, mongo_gone(NULL, error))
CALL(mongoc_client_session_append, bool, (const mongoc_client_session_t *session, bson_t *options, bson_error_t *error), (session, options, error), false, mongo_gone(NULL, error))
CALL(mongoc_client_pool_new_with_error, mongoc_client_pool_t *, (const mongoc_uri_t *uri, bson_error_t *error), (uri, error), NULL, mongo_gone(NULL, error))
CALL(mongoc_client_pool_set_error_api, bool, (mongoc_client_pool_t *pool, int32_t version), (pool, version), false, (void)0)
CALL(mongoc_collection_insert_one, bool, (mongoc_collection_t *collection, const bson_t *document, const bson_t *options, bson_t *reply, bson_error_t *error), (collection, document, options, reply, error), false, mongo_gone(reply, error))
CALL(mongoc_collection_update_one, bool, (mongoc_collection_t *collection, const bson_t *which, const bson_t *change, const bson_t *options, bson_t *reply, bson_error_t *error), (collection, which, change, options, reply, error), false, mongo_gone(reply, error))
CALL(mongoc_collection_update_many, bool, (mongoc_collection_t *collection, const bson_t *which, const bson_t *change, const bson_t *options, bson_t *reply, bson_error_t *error), (collection, which, change, options, reply, error), false, mongo_gone(reply, error))
CALL(mongoc_bulk_operation_update_one_with_opts, bool, (mongoc_bulk_operation_t *bulk, const bson_t *which, const bson_t *change, const bson_t *options, bson_error_t *error), (bulk, which, change, options, error), false, mongo_gone(NULL, error))
CALL(mongoc_bulk_operation_execute, uint32_t, (mongoc_bulk_operation_t *bulk, bson_t *reply, bson_error_t *error), (bulk, reply, error), 0, mongo_gone(reply, error))
CALL(mongoc_cursor_next, bool, (mongoc_cursor_t *cursor, const bson_t **document), (cursor, document), false, broken = cursor)
CALL(mongoc_uri_new_with_error, mongoc_uri_t *, (const char *text, bson_error_t *error), (text, error), NULL, mongo_gone(NULL, error))
CALL(mongoc_uri_set_appname, bool, (mongoc_uri_t *uri, const char *name), (uri, name), false, (void)0)
CALL(mongoc_uri_set_option_as_bool, bool, (mongoc_uri_t *uri, const char *option, bool value), (uri, option, value), false, (void)0)
CALL(mongoc_uri_set_option_as_int32, bool, (mongoc_uri_t *uri, const char *option, int32_t value), (uri, option, value), false, (void)0)
CALL(bson_new_from_data, bson_t *, (const uint8_t *data, size_t length), (data, length), NULL, (void)0)

CALL(curl_global_init, CURLcode, (long flags), (flags), CURLE_FAILED_INIT, (void)0)
CALL(curl_easy_init, CURL *, (void), (), NULL, (void)0)
CALL(curl_multi_init, CURLM *, (void), (), NULL, (void)0)
CALL(curl_multi_add_handle, CURLMcode, (CURLM *multi, CURL *easy), (multi, easy), CURLM_OUT_OF_MEMORY, (void)0)
CALL(curl_multi_perform, CURLMcode, (CURLM *multi, int *running), (multi, running), CURLM_OUT_OF_MEMORY, (void)0)
CALL(curl_multi_poll, CURLMcode, (CURLM *multi, struct curl_waitfd *more, unsigned count, int timeout_ms, int *ready), (multi, more, count, timeout_ms, ready), CURLM_OUT_OF_MEMORY, (void)0)
CALL(curl_multi_wakeup, CURLMcode, (CURLM *multi), (multi), CURLM_WAKEUP_FAILURE, (void)0)
CALL(curl_slist_append, struct curl_slist *, (struct curl_slist *list, const char *text), (list, text), NULL, (void)0)

CALL(MHD_add_response_header, enum MHD_Result, (struct MHD_Response *response, const char *name, const char *value), (response, name, value), MHD_NO, (void)0)
CALL(MHD_create_response_from_buffer, struct MHD_Response *, (size_t bytes, void *data, enum MHD_ResponseMemoryMode mode), (bytes, data, mode), NULL, (void)0)
CALL(MHD_create_response_from_callback, struct MHD_Response *, (uint64_t bytes, size_t block, MHD_ContentReaderCallback read, void *with, MHD_ContentReaderFreeCallback end), (bytes, block, read, with, end), NULL, (void)0)
CALL(MHD_queue_response, enum MHD_Result, (struct MHD_Connection *to, unsigned status, struct MHD_Response *response), (to, status, response), MHD_NO, (void)0)

CALL(EVP_MD_fetch, EVP_MD *, (OSSL_LIB_CTX *context, const char *name, const char *properties), (context, name, properties), NULL, (void)0)
CALL(EVP_MD_CTX_new, EVP_MD_CTX *, (void), (), NULL, (void)0)
CALL(EVP_DigestInit_ex, int, (EVP_MD_CTX *context, const EVP_MD *type, ENGINE *engine), (context, type, engine), 0, (void)0)
CALL(EVP_DigestInit_ex2, int, (EVP_MD_CTX *context, const EVP_MD *type, const OSSL_PARAM *more), (context, type, more), 0, (void)0)
CALL(EVP_DigestUpdate, int, (EVP_MD_CTX *context, const void *data, size_t bytes), (context, data, bytes), 0, (void)0)
CALL(EVP_DigestFinal_ex, int, (EVP_MD_CTX *context, unsigned char *out, unsigned *bytes), (context, out, bytes), 0, (void)0)
CALL(BIO_new_mem_buf, BIO *, (const void *data, int bytes), (data, bytes), NULL, (void)0)

CALL(deflateInit2_, int, (z_streamp stream, int level, int method, int bits, int memory, int strategy, const char *version, int size), (stream, level, method, bits, memory, strategy, version, size), Z_MEM_ERROR, (void)0)
CALL(deflate, int, (z_streamp stream, int flush), (stream, flush), Z_STREAM_ERROR, (void)0)
// clang-format on
