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
libs="$top_builddir/.libs/libengine.a $top_builddir/.libs/libbase.a $(pkg-config --libs libbson-1.0) -lm"
if [ ! -f "$top_builddir/.libs/libengine.a" ] || [ ! -f "$top_builddir/tests/sim/world.o" ]; then
    echo "Bail out! build tests/sim/run first (make check TESTS=)"
    exit 99
fi

# Patches, compiles what is patched, and links it with all the rest. The log says why not.
build() {
    rm -rf "$work/tree" && mkdir -p "$work/tree/core" "$work/tree/tests" && : >"$work/log"
    cp -R "$top_srcdir/core/engine" "$work/tree/core/" && cp -R "$top_srcdir/tests/sim" "$work/tree/tests/" || return 1
    patch -s -p1 -d "$work/tree" <"$1" >>"$work/log" 2>&1 || return 1
    objects=
    mutated=$(sed -n 's,^+++ b/,,p' "$1")
    for file in $mutated; do
        object=$work/$(basename "$file" .c).mutant.o
        # shellcheck disable=SC2086 # several words each
        $CC $flags -I"$work/tree/core" -I"$work/tree/tests/sim" -c -o "$object" "$work/tree/$file" >>"$work/log" 2>&1 || return 1
        objects="$objects $object"
    done
    for file in "$top_srcdir"/tests/sim/*.c; do
        name_c=$(basename "$file")
        case " $(echo $mutated) " in
        *" tests/sim/$name_c "*) ;;
        *) objects="$objects $top_builddir/tests/sim/${name_c%.c}.o" ;;
        esac
    done
    # shellcheck disable=SC2086
    $CC $CFLAGS -o "$work/run" $objects $libs >>"$work/log" 2>&1
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
    caught=$("$work/run" --seeds "$SEEDS" --first 2>/dev/null | sed -n 's/^# seed \([0-9]*\): \([^:]*\):.*/\2, by world \1/p' | head -1)
    if [ -n "$caught" ]; then
        echo "ok $number - $name is caught: $caught"
    else
        echo "not ok $number - $name is caught: it survives $SEEDS worlds"
        sed -n '1s/^/# /p' "$diff"
        failed=1
    fi
done
exit $failed
