#!/bin/sh
# mutants.sh [NAME...] - deliberate bugs, one at a time: the simulation must catch each. Speaks TAP.
#
# Each file of tests/sim/mutants is a patch with a sentence about what it breaks: most of the engine, some of what
# the simulation does in place of an adapter. It is compiled beside a finished build, which stays as it is.
#   SEEDS=3000       worlds a mutant may survive at most
: "${top_srcdir:=.}" "${top_builddir:=.}" "${CC:=cc}" "${SEEDS:=3000}" "${CFLAGS:=-O1 -g}"
top_srcdir=$(cd "$top_srcdir" && pwd) && top_builddir=$(cd "$top_builddir" && pwd) || exit 99
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM
flags="$CFLAGS -D_GNU_SOURCE -I$top_builddir -I$top_srcdir/core -I$top_srcdir/include $(pkg-config --cflags libbson-1.0)"
libs="$work/libbase.a $(pkg-config --libs libbson-1.0) -lm"

# What no patch touches is compiled once, and taken from here, so that nobody's make changes it meanwhile.
mkdir "$work/base" && cp "$top_builddir/.libs/libbase.a" "$work/" || {
    echo "Bail out! build tests/sim/run first (make check TESTS=)"
    exit 99
}
object_of() { echo "$1" | tr / _ | sed 's,c$,o,'; }
sources=$(cd "$top_srcdir" && ls core/engine/*.c core/collection/made.c tests/sim/*.c)
for file in $sources; do
    # shellcheck disable=SC2086 # several words each
    $CC $flags -c -o "$work/base/$(object_of "$file")" "$top_srcdir/$file" || {
        echo "Bail out! $file does not compile"
        exit 99
    }
done

# Patches, compiles what is patched, and links it with all the rest. The log says why not.
build() {
    rm -rf "$work/tree" "$work/objects" && mkdir -p "$work/tree/core" "$work/tree/tests" && : >"$work/log"
    cp -R "$work/base" "$work/objects" || return 1
    cp -R "$top_srcdir/core/engine" "$work/tree/core/" && cp -R "$top_srcdir/tests/sim" "$work/tree/tests/" || return 1
    patch -s -p1 -d "$work/tree" <"$1" >>"$work/log" 2>&1 || return 1
    for file in $(sed -n 's,^+++ b/,,p' "$1"); do
        # shellcheck disable=SC2086
        $CC -I"$work/tree/core" -I"$work/tree/tests/sim" $flags -c -o "$work/objects/$(object_of "$file")" \
            "$work/tree/$file" >>"$work/log" 2>&1 || return 1
    done
    # shellcheck disable=SC2086
    $CC $CFLAGS -o "$work/run" "$work"/objects/*.o $libs >>"$work/log" 2>&1
}

[ $# -gt 0 ] || set -- $(cd "$top_srcdir/tests/sim/mutants" && ls ./*.diff | sed 's,^\./,,; s/\.diff$//')
echo "1..$#"
number=0 failed=0
for name; do
    number=$((number + 1))
    diff=$top_srcdir/tests/sim/mutants/$name.diff
    if ! build "$diff"; then
        echo "not ok $number - $name can be built"
        sed 's/^/# /' "$work/log" | head -20
        failed=1
        continue
    fi
    "$work/run" --seeds "$SEEDS" --first >"$work/out" 2>/dev/null
    status=$?
    caught=$(sed -n 's/^# seed \([0-9]*\): \([^:]*\):.*/\2, by world \1/p' "$work/out" | head -1)
    if [ -n "$caught" ]; then
        echo "ok $number - $name is caught: $caught"
    elif [ $status -gt 125 ]; then
        echo "ok $number - $name is caught: it crashes"
    else
        echo "not ok $number - $name is caught: it survives $SEEDS worlds"
        sed -n '1s/^/# /p' "$diff"
        failed=1
    fi
done
exit $failed
