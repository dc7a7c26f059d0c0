#!/usr/bin/env bash
# golden_mongodb.sh - plays what a real MongoDB answered against the stand-in, and against the real server that
# LOCKSTEP_TEST_MONGODB_URI names. Prints TAP, one test a recorded step.
set -u
. "$(dirname "$0")/../standin.sh"
recordings=$top_srcdir/tests/data/golden/mongodb-4.4
standalone=("$recordings"/30-*.jsonl)
with_auth=("$recordings"/34-*.jsonl)
replica_set=()
for file in "$recordings"/*.jsonl; do
    case ${file##*/} in 30-* | 34-*) ;; *) replica_set+=("$file") ;; esac
done

# A real server gets the recordings of its own kind. What it is, it says itself.
real() {
    local facts version
    local -a fitting=() todo=()
    facts=$("$replay" ask mongodb "$1" 2>&1) || { echo "not ok - a real MongoDB: $facts"; return; }
    case $facts in
        *auth=yes*) fitting=("${with_auth[@]}") ;;
        kind=replica-set*) fitting=("${replica_set[@]}") ;;
        *) fitting=("${standalone[@]}") ;;
    esac
    version=${facts##*version=}
    case $version in 4.4.* | '') ;; *) todo=(--todo "recorded from 4.4, this is $version") ;; esac
    echo "# real MongoDB: $facts; ${#fitting[@]} recordings are of such a server"
    played "${todo[@]}" mongodb "$1" "${fitting[@]}"
}

all() {
    standin_start mongod && played mongodb "$address" "${replica_set[@]}"
    standin_start mongod --standalone && played mongodb "$address" "${standalone[@]}"
    standin_start mongod --auth && played mongodb "$address" "${with_auth[@]}"
    [ -z "${LOCKSTEP_TEST_MONGODB_URI:-}" ] || real "$LOCKSTEP_TEST_MONGODB_URI"
}

tap_merge all
