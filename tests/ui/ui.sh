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

axe_version=4.14.1 axe_sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c

# axe-core, by the ordinary client of its package registry; kept in the build folder. Sets LOCKSTEP_TEST_AXE, or says
# why not.
axe_get() {
    local kept=$top_builddir/tests/ui/axe/axe.min.js
    [ -z "${LOCKSTEP_TEST_AXE:-}" ] || return 0
    if [ ! -f "$kept" ]; then
        command -v npm >/dev/null || { why="there is no npm"; return 1; }
        why="axe-core $axe_version cannot be had"
        mkdir -p "$work/axe" "${kept%/*}"
        (cd "$work/axe" && timeout 120 npm pack --silent "axe-core@$axe_version" >npm.log 2>&1 &&
            tar xzf "axe-core-$axe_version.tgz" && cp package/axe.min.js "$kept.new" && mv "$kept.new" "$kept") || return 1
    fi
    why="axe-core $axe_version has another checksum than expected"
    [ "$(sha256sum <"$kept")" = "$axe_sum  -" ] || { rm -f "$kept"; return 1; }
    export LOCKSTEP_TEST_AXE=$kept
}

# With failed tests node ends with 1; everything else is a crash.
run() {
    if [ "$1" = axe.mjs ] && ! axe_get; then
        echo "ok 1 - axe-core looks at the dashboard # SKIP $why"
        return
    fi
    timeout 600 node --no-deprecation --test-reporter=tap "$top_srcdir/tests/ui/$1" 2>&1
    local status=$?
    [ $status -le 1 ] || echo "not ok - $1 ended with status $status"
}

all() {
    local file
    for file in ${LOCKSTEP_TEST_UI:-look.mjs act.mjs detail.mjs faults.mjs axe.mjs live.mjs}; do run "$file"; done
}

command -v node >/dev/null || skip "there is no node (package nodejs)"
[ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ] || skip "needs node 18, and this is $(node --version)"
command -v chromium >/dev/null || skip "there is no chromium (package chromium)"
command -v chromedriver >/dev/null || skip "there is no chromedriver (package chromium-driver)"
export no_proxy=127.0.0.1,localhost

tap_merge all
