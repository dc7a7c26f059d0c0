#!/usr/bin/env bash
# golden.sh - plays every recorded conversation against the stand-in servers, and against the real ones that
# LOCKSTEP_TEST_MONGODB_URI and LOCKSTEP_TEST_QDRANT_URL name. Prints TAP, one test a recorded step.
set -u
. "$(dirname "$0")/../standin.sh"
replay=$top_builddir/tests/golden/replay
recordings=$top_srcdir/tests/data/golden

# played ARG...: a run of the replayer, which must come to its end.
played() {
    "$replay" "$@"
    local status=$?
    [ $status -le 1 ] || echo "not ok - replay ended with status $status"
}

files() { printf "%s\n" "$recordings"/*/$1; }

# The recordings of each kind of server.
mapfile -t replica_set < <(for f in $(files '*.jsonl'); do
    case ${f##*/} in q* | 30-* | 34-*) ;; *) echo "$f" ;; esac; done)
mapfile -t qdrant < <(for f in $(files 'q*.jsonl'); do case ${f##*/} in q20-*) ;; *) echo "$f" ;; esac; done)
mapfile -t standalone < <(files '30-*.jsonl')
mapfile -t with_auth < <(files '34-*.jsonl')
mapfile -t qdrant_with_keys < <(files 'q20-*.jsonl')

stand_ins() {
    standin_start mongod && played mongodb "$address" "${replica_set[@]}"
    standin_start mongod --standalone && played mongodb "$address" "${standalone[@]}"
    standin_start mongod --auth && played mongodb "$address" "${with_auth[@]}"
    standin_start qdrant && played http "http://$address" "${qdrant[@]}"
    standin_start qdrant --api-key secret --read-only-api-key reader &&
        played http "http://$address" "${qdrant_with_keys[@]}"
}

# A real MongoDB gets the recordings of its own kind. What it is, it says itself.
real_mongodb() {
    local uri=$1 facts version
    local -a fitting=() todo=()
    facts=$("$replay" ask mongodb "$uri" 2>&1) || { echo "not ok - a real MongoDB: $facts"; return; }
    case $facts in
        *auth=yes*) fitting=("${with_auth[@]}") ;;
        kind=replica-set*) fitting=("${replica_set[@]}") ;;
        *) fitting=("${standalone[@]}") ;;
    esac
    version=${facts##*version=}
    case $version in 4.4.* | '') ;; *) todo=(--todo "recorded from 4.4, this is $version") ;; esac
    echo "# real MongoDB: $facts; ${#fitting[@]} recordings are of such a server"
    played "${todo[@]}" mongodb "$uri" "${fitting[@]}"
}

# A real Qdrant with API keys other than the recorded ones can't be spoken to here.
real_qdrant() {
    local url=${1%/} root version
    local -a todo=()
    root=$(curl -sS --max-time 10 "$url/" 2>&1)
    version=$(sed -n 's/.*"version":"\([^"]*\)".*/\1/p' <<<"$root")
    [ -n "$version" ] || { echo "not ok - a real Qdrant: $root"; return; }
    case $version in 1.18.*) ;; *) todo=(--todo "recorded from 1.18, this is $version") ;; esac
    if [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 10 "$url/collections")" = 401 ]; then
        echo "# real Qdrant $version wants a key: q20 alone, with the keys it was recorded with"
        played "${todo[@]}" http "$url" "${qdrant_with_keys[@]}"
    else
        echo "# real Qdrant $version"
        played "${todo[@]}" http "$url" "${qdrant[@]}"
    fi
}

everything() {
    stand_ins
    [ -z "${LOCKSTEP_TEST_MONGODB_URI:-}" ] || real_mongodb "$LOCKSTEP_TEST_MONGODB_URI"
    [ -z "${LOCKSTEP_TEST_QDRANT_URL:-}" ] || real_qdrant "$LOCKSTEP_TEST_QDRANT_URL"
}

tap_merge everything
