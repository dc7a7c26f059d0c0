#!/bin/sh
# Does docs/howto/plugin.md show the example as it is compiled, and can that be built outside of the tree with nothing but
# pkg-config? Speaks TAP.
: "${top_srcdir:=.}" "${top_builddir:=.}"
echo "1..2"
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT

sed -n '/<!-- docs\/examples\/recipes.c -->/,/^```$/p' "$top_srcdir/docs/howto/plugin.md" |
    sed -e '1,/^```c$/d' -e '/^```$/d' >"$scratch/shown.c"
if diff -u "$top_srcdir/docs/examples/recipes.c" "$scratch/shown.c" >"$scratch/diff"; then
    echo "ok 1 - the guide shows the example that is compiled"
else
    echo "not ok 1 - the guide shows the example that is compiled"
    sed 's/^/# /' "$scratch/diff"
fi

if ! command -v pkg-config >/dev/null 2>&1; then
    echo "ok 2 # SKIP pkg-config is not installed"
    exit 0
fi
# the .pc file as installed, but for where the header is
sed "s|^includedir=.*|includedir=$top_srcdir/include|" "$top_builddir/etc/lockstep.pc" >"$scratch/lockstep.pc"
PKG_CONFIG_PATH=$scratch:$PKG_CONFIG_PATH
export PKG_CONFIG_PATH
mkdir "$scratch/out"
cp "$scratch/shown.c" "$scratch/out/recipes.c"
if (cd "$scratch/out" && ${CC:-cc} -shared -fPIC $(pkg-config --cflags lockstep) -o recipes.so recipes.c) \
    >"$scratch/said" 2>&1 &&
    LOCKSTEP_TEST_PLUGIN_FOLDER=$scratch/out "$top_builddir/test_example" >"$scratch/said" 2>&1; then
    echo "ok 2 - the example builds outside of the tree and loads"
else
    echo "not ok 2 - the example builds outside of the tree and loads"
    sed 's/^/# /' "$scratch/said"
fi
