# standin.sh - for test scripts that need the stand-in servers: starting and stopping them, and making one
# stream of TAP out of several. To be sourced by bash; $top_srcdir, $top_builddir and $work are set then.
top_srcdir=${top_srcdir:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
top_builddir=${top_builddir:-$PWD}
work=$(mktemp -d)
standin_pids=()
trap 'standin_stop; rm -rf "$work"' EXIT

# standin_start mongod|qdrant [OPTION...]: starts one on a free port, and sets $address to its HOST:PORT. If it
# isn't up within 20 seconds, that is a failed test.
standin_start() {
    local out=$work/standin${#standin_pids[@]} program=$1
    shift
    "$top_builddir/tests/double/$program" --port 0 "$@" >"$out.out" 2>"$out.err" 3>&- &
    standin_pids+=($!)
    for _ in $(seq 200); do
        address=$(sed -n 's/^listening on //p' "$out.out")
        [ -z "$address" ] || return 0
        kill -0 "${standin_pids[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    echo "not ok - $program $* did not start"
    sed 's/^/# /' "$out.err" "$out.out"
    return 1
}

# Ends all that were started.
standin_stop() {
    [ ${#standin_pids[@]} -eq 0 ] || kill "${standin_pids[@]}" 2>/dev/null
    wait "${standin_pids[@]}" 2>/dev/null
    standin_pids=()
}

# tap_merge FUNCTION: runs it, and makes one numbered stream with one plan of all the TAP that it prints. What
# Node's test runner adds for itself is left out; what it says of a failure becomes comments.
tap_merge() {
    exec 3> >(awk '
        /^TAP version/ || /^1\.\.[0-9]+$/ { next }
        /^# (Subtest:|(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) )/ { next }
        /^(not )?ok( |$)/ {
            failed = /^not/
            sub(/^(not )?ok *[0-9]* */, "")
            print (failed ? "not ok " : "ok ") ++n " " $0
            fflush()
            next
        }
        /^ / { if (failed) print "#" $0; next }
        /^#/ { print; fflush(); next }
        { print "# " $0; fflush() }
        END { print "1.." n + 0 }')
    local merging=$!
    "$@" >&3
    exec 3>&-
    wait "$merging"
}

# played ARG...: the replayer of recorded conversations, which must come to its end.
replay=$top_builddir/tests/golden/replay
played() {
    "$replay" "$@"
    local status=$?
    [ $status -le 1 ] || echo "not ok - replay ended with status $status"
}
