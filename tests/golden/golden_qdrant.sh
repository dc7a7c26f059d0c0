#!/usr/bin/env bash
# golden_qdrant.sh - plays what a real Qdrant answered against the stand-in, and against the real server that
# LOCKSTEP_TEST_QDRANT_URL names. Prints TAP, one test a recorded step.
set -u
. "$(dirname "$0")/../standin.sh"
recordings=$top_srcdir/tests/data/golden/qdrant-1.18
with_keys=("$recordings"/q20-*.jsonl)
open=()
for file in "$recordings"/*.jsonl; do
    case ${file##*/} in q20-*) ;; *) open+=("$file") ;; esac
done

# A real server that wants keys gets the recording of one that did, others all the rest.
real() {
    local url=${1%/} root version status
    local -a todo=()
    root=$(curl -sS --max-time 10 "$url/" 2>&1)
    version=$(sed -n 's/.*"version":"\([^"]*\)".*/\1/p' <<<"$root")
    status=$(curl -s -o /dev/null -w '%{http_code}' --max-time 10 "$url/collections")
    case $version in 1.18.*) ;; *) todo=(--todo "recorded from 1.18, this is ${version:-unknown}") ;; esac
    case $status in
        401)
            echo "# real Qdrant that wants a key: q20 alone, with the keys it was recorded with"
            played "${todo[@]}" http "$url" "${with_keys[@]}"
            ;;
        200)
            echo "# real Qdrant $version: q20 is of a server that wants a key"
            played "${todo[@]}" http "$url" "${open[@]}"
            ;;
        *) echo "not ok - a real Qdrant: status $status, $root" ;;
    esac
}

all() {
    standin_start qdrant && played http "http://$address" "${open[@]}"
    standin_start qdrant --api-key secret --read-only-api-key reader && played http "http://$address" "${with_keys[@]}"
    [ -z "${LOCKSTEP_TEST_QDRANT_URL:-}" ] || real "$LOCKSTEP_TEST_QDRANT_URL"
}

tap_merge all
