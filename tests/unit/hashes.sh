#!/bin/sh
# Are the hashes that docs/reference/documents.md computes by hand those that its commands print, and those that the program makes of
# its document? Speaks TAP.
: "${top_srcdir:=.}" "${top_builddir:=.}"
echo "1..2"
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT

# block NAME: the fenced block behind the comment <!-- NAME -->
block() {
    sed -n "/<!-- $1 -->/,/^\`\`\`\$/p" "$top_srcdir/docs/reference/documents.md" | sed -e '1,/^```[a-z]*$/d' -e '/^```$/d'
}

block hashes.sh >"$scratch/shown"
sed -n 's/^\$ //p' "$scratch/shown" >"$scratch/commands"
grep -v '^\$ ' "$scratch/shown" >"$scratch/expected"
sh "$scratch/commands" >"$scratch/printed" 2>&1
if [ "$(wc -l <"$scratch/expected")" -eq 2 ] && diff "$scratch/expected" "$scratch/printed" >"$scratch/diff"; then
    echo "ok 1 - the commands print what the guide shows"
else
    sed 's/^/# /' "$scratch/diff"
    echo "not ok 1 - the commands print what the guide shows"
fi

block hashes.json >"$scratch/figma.json"
cat >"$scratch/lockstep.ini" <<INI
[mongodb]
database = catalogue
collection = tools
[embedding]
provider = openai
url = http://127.0.0.1:9/v1
model = text-embedding-3-small
[plugins]
path = $(cd "$top_builddir" && pwd)/plugins
[collection:tools]
INI
"$top_builddir/lockstep" --config "$scratch/lockstep.ini" preview --collection tools --json "$scratch/figma.json" \
    >"$scratch/preview" 2>&1
sed -nE 's/^ *"(content|payload)Hash": "([0-9a-f]*)",*$/\2  -/p' "$scratch/preview" >"$scratch/made"
if diff "$scratch/expected" "$scratch/made" >"$scratch/diff"; then
    echo "ok 2 - the program makes the same hashes of the document"
else
    sed 's/^/# /' "$scratch/diff" "$scratch/preview"
    echo "not ok 2 - the program makes the same hashes of the document"
fi
