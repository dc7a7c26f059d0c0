#!/bin/sh
# mutants.sh [--all | NAME...] - deliberate bugs, one at a time: the simulation must catch each. Speaks TAP.
#
# Each file of tests/sim/mutants is a patch with a sentence about what it breaks, and within how many worlds that must be
# seen: most patch the engine, some what the simulation does in place of an adapter. One that is patched is compiled, and
# linked with all the rest of a finished build, which stays as it is. Without arguments only those are tried that are
# caught soon: a simulation that has gone blind must not pass `make check`.
#   SEEDS=N          worlds that each may survive, whatever its file says
: "${top_srcdir:=.}" "${top_builddir:=.}" "${CC:=cc}"
soon=300
top_srcdir=$(cd "$top_srcdir" && pwd) && top_builddir=$(cd "$top_builddir" && pwd) || exit 99
mutants=$top_srcdir/tests/sim/mutants
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}
command -v patch >/dev/null 2>&1 || skip_all "patch is not installed"
command -v pkg-config >/dev/null 2>&1 || skip_all "pkg-config is not installed"

# A copy, so that nobody's make changes it meanwhile.
if ! cp "$top_builddir/.libs/libengine.a" "$top_builddir/.libs/libbase.a" "$work/" ||
    ! cp "$top_builddir"/tests/sim/*.o "$work/"; then
    echo "Bail out! build tests/sim/run first (make check TESTS=)"
    exit 99
fi
if nm -u "$work"/*.a 2>/dev/null | grep -q '__asan_\|__ubsan_\|__tsan_\|__sanitizer_'; then
    skip_all "a build with sanitizers says nothing more about deliberate bugs, only later"
fi

flags="-O1 -D_GNU_SOURCE -I$work/tree/core -I$work/tree/tests/sim -I$top_builddir -I$top_srcdir/core
    -I$top_srcdir/include -I$top_srcdir/tests/sim $(pkg-config --cflags libbson-1.0)"
libs="$work/libengine.a $work/libbase.a $(pkg-config --libs libbson-1.0 libcrypto) -lm"

# Patches and compiles the files of one mutant, and links them in place of what they were. The log says why not.
build() {
    rm -rf "$work/tree" "$work/objects" && mkdir -p "$work/tree" "$work/objects" && : >"$work/log"
    cp "$work"/*.o "$work/objects/" || return 1
    for file in $(sed -n 's,^+++ b/,,p' "$1"); do
        folder=$work/tree/${file%/*}
        mkdir -p "$folder" && cp "$top_srcdir/$file" "$folder/" && chmod u+w "$work/tree/$file" || return 1
    done
    patch -s -p1 -d "$work/tree" <"$1" >>"$work/log" 2>&1 || return 1
    for file in $(sed -n 's,^+++ b/,,p' "$1"); do
        case $file in
        tests/sim/*) object=${file##*/} object=${object%c}o ;;
        *) object=patched-${file##*/} object=${object%c}o ;; # the library's own stays unused
        esac
        # shellcheck disable=SC2086 # several words each
        $CC $flags -c -o "$work/objects/$object" "$work/tree/$file" >>"$work/log" 2>&1 || return 1
    done
    # shellcheck disable=SC2086
    $CC -o "$work/run" "$work"/objects/*.o $libs >>"$work/log" 2>&1
}

worlds_of() {
    sed -n 's/^Worlds: \([0-9]*\)$/\1/p' "$mutants/$1.diff"
}

names() {
    for file in "$mutants"/*.diff; do
        name=${file##*/} name=${name%.diff}
        if [ "$1" = --all ] || [ "$(worlds_of "$name")" -le "$soon" ]; then echo "$name"; fi
    done
}

case ${1:---soon} in
--*) set -- $(names "${1:---soon}") ;;
esac
echo "1..$#"
number=0 failed=0
for name; do
    number=$((number + 1))
    worlds=${SEEDS:-$(worlds_of "$name")}
    if ! build "$mutants/$name.diff"; then
        echo "not ok $number - $name can be built"
        sed 's/^/# /' "$work/log" | head -20
        failed=1
        continue
    fi
    "$work/run" --seeds "$worlds" --first >"$work/out" 2>/dev/null
    status=$?
    caught=$(sed -n 's/^# seed \([0-9]*\): \([^:]*\):.*/\2, by world \1/p' "$work/out" | head -1)
    if [ -n "$caught" ]; then
        echo "ok $number - $name is caught: $caught"
    elif [ $status -gt 125 ]; then
        echo "ok $number - $name is caught: it crashes"
    else
        echo "not ok $number - $name is caught: it survives $worlds worlds"
        sed -n '1s/^/# /p' "$mutants/$name.diff"
        failed=1
    fi
done
exit $failed
