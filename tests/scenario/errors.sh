#!/bin/sh
# Does a scenario that is malformed, or that expects what is not so, fail, and name file, line, expected and found value?
# Speaks TAP.
: "${top_builddir:=.}"
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp" "$top_builddir"/tests/live/wrong-[0-9]*' EXIT
unset CK_TAP_LOG_FILE_NAME CK_VERBOSITY CK_RUN_CASE CK_RUN_SUITE
count=0

# says MESSAGE LINE...: these lines, as a scenario, fail with this message.
says() {
    message=$1
    shift
    printf '%s\n' "$@" >"$tmp/wrong.txt"
    LOCKSTEP_TEST_PATIENCE_S=1 "$top_builddir/tests/scenario/run" "$tmp/wrong.txt" >"$tmp/out" 2>&1
    status=$?
    count=$((count + 1))
    if [ $status = 1 ] && grep -qF "wrong.txt:$message" "$tmp/out"; then
        echo "ok $count - $message"
    else
        sed 's/^/# /' "$tmp/out"
        echo "not ok $count - $message (exit status $status)"
    fi
}

echo 1..15
says '3: unknown command "dance"' 'scenario a' 'start daemon' 'dance'
says '1: a command before the first `scenario`' 'start daemon'
says '2: a bracket is never closed' 'scenario a' 'insert {"id":' '{'
says '2: a string is not closed' 'scenario a' 'insert {"id'
says '4: an `end` is missing' 'scenario a' 'repeat 2' 'repeat 3' 'end'
says '2: `records` takes both or embedded, not "none"' 'scenario a' 'records none'
says '2: there is no variable %much' 'scenario a' 'expect points tools %much'
says '2: %1: there is no such argument' 'scenario a' 'expect points tools %1'
says '4: not Extended JSON' 'define b' 'end' 'scenario a' 'insert {"id": }'
says '2: no document is {"id":"nobody"}' 'scenario a' 'update nobody {"$set": {"a": 1}}'
says '2: wait points tools 2: expected 2, found -1 (waited 1 s)' 'scenario a' 'wait points tools 2'
says '3: expect document a {"list.0.b": 2, "name": "B"}: list.0.b: expected 2, found 1' 'scenario a' \
    'insert {"id": "a", "name": "B", "list": [{"b": 1}]}' 'expect document a {"list.0.b": 2, "name": "B"}'
says '2: expect not running qdrant: it is so all the same' 'scenario a' 'expect not running qdrant'
says '2: lockstep config check => 1: expected exit status 1, found 0' 'scenario a' 'lockstep config check => 1'
says '2: ask qdrant GET /collections/none: expected status 200, found 404' 'scenario a' 'ask qdrant GET /collections/none'
