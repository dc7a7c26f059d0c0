#!/bin/sh
# Is every C file of the tree as .clang-format has it? Speaks TAP.
: "${top_srcdir:=.}"
formatter=
for candidate in clang-format-14 clang-format; do
    command -v "$candidate" >/dev/null 2>&1 && formatter=$candidate && break
done
if [ -z "$formatter" ]; then
    echo "1..0 # SKIP clang-format 14 is not installed (apt-get install clang-format-14): the style was NOT checked"
    exit 0
fi
version=$("$formatter" --version | sed 's/.*version \([0-9]*\).*/\1/')
if [ "$version" != 14 ]; then
    echo "1..0 # SKIP clang-format is $version, 14 is needed: the style was NOT checked"
    exit 0
fi
cd "$top_srcdir" || exit 99
echo "1..1"
bad=$(find core include plugins tests docs -name '*.[ch]' -exec "$formatter" --dry-run --Werror {} + 2>&1 |
    sed -n 's/^\([^: ]*\.[ch]\):.*/\1/p' | sort -u)
if [ -n "$bad" ]; then
    echo "not ok 1 - every C file is formatted as .clang-format has it"
    echo "$bad" | sed 's/^/# clang-format -i /'
else
    echo "ok 1 - every C file is formatted as .clang-format has it"
fi
