#!/bin/sh
# Does tools/words find nothing? Speaks TAP.
: "${top_srcdir:=.}"
echo "1..1"
found=$(sh "$top_srcdir/tools/words") && echo "ok 1 - one word for one thing" && exit 0
echo "not ok 1 - one word for one thing"
echo "$found" | sed 's/^/# /'
