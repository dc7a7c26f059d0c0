#!/usr/bin/env bash
# clients.sh - runs clients nobody here wrote against the stand-in servers: MongoDB's official Node driver and
# Qdrant's official JavaScript client, as they come from their registry. So that what they are asked is known to
# be right, they also run against the real servers that LOCKSTEP_TEST_MONGODB_URI (a replica set) and
# LOCKSTEP_TEST_QDRANT_URL name. Prints TAP, one test a case.
set -u
. "$(dirname "$0")/../standin.sh"
sources=$top_srcdir/tests/clients
modules=$top_builddir/tests/clients/modules # what is installed stays here for the next run

skip() {
    echo "1..1"
    echo "ok 1 - clients nobody here wrote # SKIP needs node >= 18 and a package registry: $1"
    exit 0
}

# Installs the clients at the versions of the lock file; a run that has them already needs no registry.
install_clients() {
    local log=$work/npm.log
    mkdir -p "$modules"
    cmp -s "$sources/package-lock.json" "$modules/installed-lock.json" && return
    cp "$sources/package.json" "$sources/package-lock.json" "$modules/"
    if ! (cd "$modules" && chmod u+w package.json package-lock.json && npm ci --no-audit --no-fund) >"$log" 2>&1; then
        # Without a network the clients are missing; any other reason is a defect of ours.
        if grep -Eq 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|network|E40[13]|E50[0-9]' "$log"; then
            skip "$(grep -m1 -E 'code|error' "$log")"
        fi
        sed 's/^/# /' "$log"
        echo "1..1"
        echo "not ok 1 - the clients install"
        exit 0
    fi
    cp "$sources/package-lock.json" "$modules/installed-lock.json"
}

# The test files stand next to what they import: Node looks for packages from there.
run() {
    cp "$sources/$1" "$modules/$1" && chmod u+w "$modules/$1"
    (cd "$modules" && timeout 300 node --no-deprecation --test-reporter=tap "$1" 2>&1)
    # with failed tests node ends with 1; everything else is a crash
    local status=$?
    [ $status -le 1 ] || echo "not ok - $1 ended with status $status"
}

all() {
    standin_start mongod && MONGODB_URI="mongodb://$address/" run mongodb.mjs
    standin_start qdrant && QDRANT_URL="http://$address" run qdrant.mjs
    standin_start qdrant --api-key secret && QDRANT_URL="http://$address" QDRANT_API_KEY=secret run qdrant.mjs
    [ -z "${LOCKSTEP_TEST_MONGODB_URI:-}" ] || MONGODB_URI=$LOCKSTEP_TEST_MONGODB_URI run mongodb.mjs
    [ -z "${LOCKSTEP_TEST_QDRANT_URL:-}" ] || QDRANT_URL=$LOCKSTEP_TEST_QDRANT_URL run qdrant.mjs
}

command -v node >/dev/null || skip "there is no node"
command -v npm >/dev/null || skip "there is no npm"
[ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ] || skip "this is node $(node --version)"
install_clients

tap_merge all
