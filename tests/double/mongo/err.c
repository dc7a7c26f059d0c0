/* err.c - the server's errors: codes, their names, messages. Owns the message, never logs. */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    int code;
    const char *name;
} names[] = {
    {1, "InternalError"},
    {2, "BadValue"},
    {4, "NoSuchKey"},
    {5, "GraphContainsCycle"},
    {6, "HostUnreachable"},
    {7, "HostNotFound"},
    {8, "UnknownError"},
    {9, "FailedToParse"},
    {10, "CannotMutateObject"},
    {11, "UserNotFound"},
    {12, "UnsupportedFormat"},
    {13, "Unauthorized"},
    {14, "TypeMismatch"},
    {15, "Overflow"},
    {16, "InvalidLength"},
    {17, "ProtocolError"},
    {18, "AuthenticationFailed"},
    {19, "CannotReuseObject"},
    {20, "IllegalOperation"},
    {21, "EmptyArrayOperation"},
    {22, "InvalidBSON"},
    {23, "AlreadyInitialized"},
    {24, "LockTimeout"},
    {25, "RemoteValidationError"},
    {26, "NamespaceNotFound"},
    {27, "IndexNotFound"},
    {28, "PathNotViable"},
    {29, "NonExistentPath"},
    {30, "InvalidPath"},
    {31, "RoleNotFound"},
    {39, "FileRenameFailed"},
    {40, "ConflictingUpdateOperators"},
    {43, "CursorNotFound"},
    {46, "LockBusy"},
    {47, "NoMatchingDocument"},
    {48, "NamespaceExists"},
    {49, "InvalidRoleModification"},
    {50, "MaxTimeMSExpired"},
    {51, "ManualInterventionRequired"},
    {52, "DollarPrefixedFieldName"},
    {53, "InvalidIdField"},
    {54, "NotSingleValueField"},
    {55, "InvalidDBRef"},
    {56, "EmptyFieldName"},
    {57, "DottedFieldName"},
    {59, "CommandNotFound"},
    {61, "ShardKeyNotFound"},
    {64, "WriteConcernFailed"},
    {65, "MultipleErrorsOccurred"},
    {66, "ImmutableField"},
    {67, "CannotCreateIndex"},
    {68, "IndexAlreadyExists"},
    {72, "InvalidOptions"},
    {73, "InvalidNamespace"},
    {74, "NodeNotFound"},
    {76, "NoReplicationEnabled"},
    {79, "UnknownReplWriteConcern"},
    {85, "IndexOptionsConflict"},
    {86, "IndexKeySpecsConflict"},
    {87, "FailPointSetFailed"},
    {89, "NetworkTimeout"},
    {91, "ShutdownInProgress"},
    {94, "NotYetInitialized"},
    {96, "OperationFailed"},
    {100, "UnsatisfiableWriteConcern"},
    {109, "InvalidStateTransition"},
    {111, "DuplicateField"},
    {112, "WriteConflict"},
    {115, "CommandNotSupported"},
    {117, "ConflictingOperationInProgress"},
    {121, "DocumentValidationFailure"},
    {122, "NotAReplicaSet"},
    {123, "NotAReplicaSet"},
    {134, "ReadConcernMajorityNotAvailableYet"},
    {135, "StaleTerm"},
    {136, "CappedPositionLost"},
    {146, "ExceededMemoryLimit"},
    {148, "ReadConcernMajorityNotEnabled"},
    {165, "ViewDepthLimitExceeded"},
    {166, "CommandNotSupportedOnView"},
    {167, "OptionNotSupportedOnView"},
    {168, "InvalidPipelineOperator"},
    {169, "CommandOnShardedViewNotSupportedOnMongod"},
    {175, "QueryPlanKilled"},
    {187, "PooledConnectionsDropped"},
    {189, "PrimarySteppedDown"},
    {197, "InvalidIndexSpecificationOption"},
    {202, "NetworkInterfaceExceededTimeLimit"},
    {211, "KeyNotFound"},
    {217, "IncompleteTransactionHistory"},
    {225, "TransactionTooOld"},
    {226, "AtomicityFailure"},
    {237, "CursorKilled"},
    {238, "NotImplemented"},
    {239, "SnapshotTooOld"},
    {244, "TransactionAborted"},
    {246, "SnapshotUnavailable"},
    {248, "ProducerConsumerQueueBatchTooLarge"},
    {251, "NoSuchTransaction"},
    {256, "TransactionCommitted"},
    {257, "TransactionTooLarge"},
    {260, "InvalidResumeToken"},
    {261, "TooManyLogicalSessions"},
    {262, "ExceededTimeLimit"},
    {263, "OperationNotSupportedInTransaction"},
    {265, "InvalidUUID"},
    {280, "ChangeStreamFatalError"},
    {286, "ChangeStreamHistoryLost"},
    {9001, "SocketException"},
    {10003, "CannotGrowDocumentInCappedNamespace"},
    {10107, "NotMaster"},
    {10334, "BSONObjectTooLarge"},
    {11000, "DuplicateKey"},
    {11600, "InterruptedAtShutdown"},

    {11601, "Interrupted"},
    {11602, "InterruptedDueToReplStateChange"},
    {12051, "CursorInUse"},
    {13435, "NotMasterNoSlaveOk"},
    {13436, "NotMasterOrSecondary"},
    {14031, "OutOfDiskSpace"},
};

void merr_init(struct merr *e)
{
    memset(e, 0, sizeof *e);
}

void merr_clear(struct merr *e)
{
    free(e->msg);
    if (e->has_extra) bw_fini(&e->extra);
    merr_init(e);
}

void merr_fini(struct merr *e)
{
    merr_clear(e);
}

int merr_set(struct merr *e, int code, const char *format, ...)
{
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    /* the arguments may point into the old message */
    char *msg = xmalloc((size_t)(n < 0 ? 0 : n) + 1);
    msg[0] = 0;
    if (n >= 0) vsnprintf(msg, (size_t)n + 1, format, again);
    va_end(again);
    merr_clear(e);
    e->code = code;
    e->msg = msg;
    return code;
}

void merr_prefix(struct merr *e, const char *text)
{
    size_t a = strlen(text), b = e->msg ? strlen(e->msg) : 0;
    char *msg = xmalloc(a + b + 1);
    memcpy(msg, text, a);
    if (b) memcpy(msg + a, e->msg, b);
    msg[a + b] = 0;
    free(e->msg);
    e->msg = msg;
}

struct bw *merr_extra(struct merr *e)
{
    if (!e->has_extra) bw_init(&e->extra, NULL), e->has_extra = true;
    return &e->extra;
}

const char *merr_code_name(int code, char buf[32])
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == code) return names[i].name;
    snprintf(buf, 32, "Location%d", code);
    return buf;
}
