/*
 * merr - an error as the server reports it: code, message, and fields that some codes carry (keyPattern).
 *
 * Functions of the stand-in return 0 or the server's code (not enum lks_code: these codes go onto the wire)
 * and fill a struct merr that the caller owns.
 */
#ifndef DOUBLE_MONGO_ERR_H
#define DOUBLE_MONGO_ERR_H

#include "bval.h"

enum mcode {
    MERR_OK = 0,
    MERR_INTERNAL = 1,
    MERR_BAD_VALUE = 2,
    MERR_NO_SUCH_KEY = 4,
    MERR_GRAPH_CONTAINS_CYCLE = 5,
    MERR_FAILED_TO_PARSE = 9,
    MERR_UNAUTHORIZED = 13,
    MERR_TYPE_MISMATCH = 14,
    MERR_OVERFLOW = 15,
    MERR_INVALID_LENGTH = 16,
    MERR_AUTHENTICATION_FAILED = 18,
    MERR_ILLEGAL_OPERATION = 20,
    MERR_NAMESPACE_NOT_FOUND = 26,
    MERR_INDEX_NOT_FOUND = 27,
    MERR_PATH_NOT_VIABLE = 28,
    MERR_CONFLICTING_UPDATE = 40,
    MERR_CURSOR_NOT_FOUND = 43,
    MERR_NAMESPACE_EXISTS = 48,
    MERR_MAX_TIME_EXPIRED = 50,
    MERR_DOLLAR_PREFIXED = 52,
    MERR_INVALID_ID_FIELD = 53,
    MERR_EMPTY_FIELD_NAME = 56,
    MERR_COMMAND_NOT_FOUND = 59,
    MERR_WRITE_CONCERN_FAILED = 64,
    MERR_IMMUTABLE_FIELD = 66,
    MERR_CANNOT_CREATE_INDEX = 67,
    MERR_INVALID_OPTIONS = 72,
    MERR_INVALID_NAMESPACE = 73,
    MERR_NO_REPLICATION = 76,
    MERR_UNKNOWN_REPL_WRITE_CONCERN = 79,
    MERR_INDEX_OPTIONS_CONFLICT = 85,
    MERR_INDEX_KEY_SPECS_CONFLICT = 86,
    MERR_UNSATISFIABLE_WRITE_CONCERN = 100,
    MERR_WRITE_CONFLICT = 112,
    MERR_DOCUMENT_VALIDATION = 121,
    MERR_CAPPED_POSITION_LOST = 136,
    MERR_COMMAND_NOT_SUPPORTED_ON_VIEW = 166,
    MERR_OPTION_NOT_SUPPORTED_ON_VIEW = 167,
    MERR_INVALID_PIPELINE_OPERATOR = 168,
    MERR_INVALID_INDEX_SPEC = 197,
    MERR_TRANSACTION_TOO_OLD = 225,
    MERR_CURSOR_KILLED = 237,
    MERR_NOT_IMPLEMENTED = 238,
    MERR_NO_SUCH_TRANSACTION = 251,
    MERR_TRANSACTION_COMMITTED = 256,
    MERR_INVALID_RESUME_TOKEN = 260,
    MERR_OPERATION_IN_TRANSACTION = 263,
    MERR_CHANGE_STREAM_FATAL = 280,
    MERR_CHANGE_STREAM_HISTORY_LOST = 286,
    MERR_CANNOT_GROW_CAPPED = 10003,
    MERR_NOT_MASTER = 10107,
    MERR_TOO_LARGE = 10334,
    MERR_DUPLICATE_KEY = 11000,
    MERR_INTERRUPTED_BY_STATE_CHANGE = 11602,
    MERR_NOT_MASTER_NO_SLAVE_OK = 13435
};

struct merr {
    int code;
    char *msg; /* owned */
    bool has_extra;
    struct bw extra; /* fields that follow the code, e.g. keyPattern and keyValue */
};

void merr_init(struct merr *e);
void merr_fini(struct merr *e);
void merr_clear(struct merr *e);
/* Sets code and message, returns the code. */
int merr_set(struct merr *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Puts "text" before the message. */
void merr_prefix(struct merr *e, const char *text);
/* The writer for the fields that go with this error. */
struct bw *merr_extra(struct merr *e);
/* "BadValue" for 2, "Location40324" for codes without a name; `buf` takes the latter. */
const char *merr_code_name(int code, char buf[32]);

#endif
