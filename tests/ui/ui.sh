#!/usr/bin/env bash
# ui.sh - the dashboard in Debian's Chromium, against a daemon with stand-ins: each file of tests here opens a
# world of its own (world.mjs). Screenshots stay in tests/ui/screenshots of the build folder. Prints TAP.
set -u
. "$(dirname "$0")/../standin.sh"
export top_srcdir top_builddir
top_srcdir=$(cd "$top_srcdir" && pwd) top_builddir=$(cd "$top_builddir" && pwd)

skip() {
    echo "1..1"
    echo "ok 1 - the dashboard in a browser # SKIP $1"
    exit 0
}

# With failed tests node ends with 1; everything else is a crash.
run() {
    timeout 600 node --no-deprecation --test-reporter=tap "$top_srcdir/tests/ui/$1" 2>&1
    local status=$?
    [ $status -le 1 ] || echo "not ok - $1 ended with status $status"
}

all() {
    local file
    for file in ${LOCKSTEP_TEST_UI:-look.mjs act.mjs detail.mjs faults.mjs live.mjs}; do run "$file"; done
}

command -v node >/dev/null || skip "there is no node (package nodejs)"
[ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ] || skip "needs node 18, and this is $(node --version)"
command -v chromium >/dev/null || skip "there is no chromium (package chromium)"
command -v chromedriver >/dev/null || skip "there is no chromedriver (package chromium-driver)"
export no_proxy=127.0.0.1,localhost

tap_merge all
