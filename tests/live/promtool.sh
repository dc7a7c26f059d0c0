#!/bin/sh
# What does Prometheus' own checker say of /metrics and of the alert rules? promtool is in Debian's package
# `prometheus`; LOCKSTEP_TEST_PROMTOOL names it if it isn't in the path. Speaks TAP.
: "${top_srcdir:=.}" "${top_builddir:=.}"
promtool=${LOCKSTEP_TEST_PROMTOOL:-promtool}
if ! command -v "$promtool" >/dev/null 2>&1; then
    echo "1..0 # SKIP promtool is not installed (apt-get install prometheus): metrics and alerts were NOT checked by it"
    exit 0
fi
echo "1..2"
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT

# report NUMBER NAME: the result of the last command, with what it said if that was bad
report() {
    if [ "$status" = 0 ] && [ ! -s "$scratch/said" ]; then
        echo "ok $1 - $2"
    else
        echo "not ok $1 - $2"
        sed 's/^/# /' "$scratch/said"
    fi
}

LOCKSTEP_TEST_METRICS_FILE=$scratch/metrics CK_TAP_LOG_FILE_NAME=$scratch/tap \
    "$top_builddir/tests/live/metrics" >"$scratch/test" 2>&1 || cat "$scratch/tap" "$scratch/test" >&2
"$promtool" check metrics <"$scratch/metrics" >"$scratch/said" 2>&1
status=$?
report 1 "promtool finds nothing in /metrics"

"$promtool" check rules "$top_srcdir/etc/alerts.yml" >"$scratch/rules" 2>&1
status=$?
: >"$scratch/said"
[ "$status" = 0 ] || cp "$scratch/rules" "$scratch/said"
report 2 "promtool takes the alert rules"
