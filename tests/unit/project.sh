#!/bin/sh
# Do the files of the project agree: one version, paths that exist, one line length? Speaks TAP.
: "${top_srcdir:=.}"
cd "$top_srcdir" || exit 99

say() {
    if [ -z "$3" ]; then echo "ok $1 - $2"; else printf '%s\n' "$3" | sed 's/^/# /'; echo "not ok $1 - $2"; fi
}

echo 1..4
version=$(sed -n 's/^AC_INIT(\[lockstep\], \[\([^]]*\)\].*/\1/p' configure.ac)
say 1 "the version is in configure.ac alone" "$([ -n "$version" ] || echo 'configure.ac: AC_INIT has no version'
    grep -rnwF -- "$version" configure.ac Makefile.am README.md CONTRIBUTING.md SECURITY.md core include plugins etc tools docs/reference |
        grep -v '^configure.ac:[0-9]*:AC_INIT')"
say 2 "the change log has a section of it, and one for what comes" "$(
    for heading in "$version" Unreleased; do
        grep -qF "## [$heading]" CHANGELOG.md || echo "CHANGELOG.md: no section ## [$heading]"
    done)"
# NAME stands for any name: then the folder must be there. build/ is made.
say 3 "paths in CONTRIBUTING.md exist" "$(grep -oE '`[a-zA-Z.]+/[^` ]*`' CONTRIBUTING.md | tr -d '`' | sed 's,/[^/]*NAME[^/]*$,,' | grep -v '^build/' |
    while read -r path; do [ -e "$path" ] || echo "CONTRIBUTING.md: $path is not there"; done)"
columns=$(sed -n 's/^ColumnLimit: //p' .clang-format)
say 4 "editors and clang-format break lines of C at the same column" "$(
    sed -n '/^\[\*.{c,h}\]/,/^$/p' .editorconfig | grep -qx "max_line_length = $columns" ||
        echo ".editorconfig: not max_line_length = $columns, as .clang-format has it")"
