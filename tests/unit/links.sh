#!/bin/sh
# Does every relative link of the documents lead to a file, in the source and once they are installed? And do the
# installed files name real folders? Speaks TAP.
: "${top_srcdir:=.}" "${top_builddir:=.}"
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

# anchors FILE: of its headings, as GitHub makes them
anchors() {
    sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

# dead FILE...: prints links without a file, or without a heading, behind them
dead() {
    for file; do
        grep -oE '\]\([^)]*\)' "$file" | sed 's,^](,,; s,)$,,' | grep -vE '^https?:' | while read -r link; do
            page=$(dirname "$file")/${link%%#*}
            case $link in '#'*) page=$file ;; esac
            [ -e "$page" ] || echo "$file: $link"
            case $link in *#*) anchors "$page" | grep -qxF "${link#*#}" || echo "$file: $link: no such heading" ;; esac
        done
    done
}

say() {
    if [ -z "$3" ]; then echo "ok $1 - $2"; else printf '%s\n' "$3" | sed 's/^/# /'; echo "not ok $1 - $2"; fi
}

# paths in backquotes that are not there
absent() {
    grep -oE '`[a-z_]+/[A-Za-z0-9_./-]*`' "$1" | tr -d '`' | sort -u | while read -r path; do
        [ -e "$top_srcdir/$path" ] || [ -e "$top_srcdir/core/$path" ] || echo "$1: $path"
    done
}

echo 1..4
say 1 "links of the source" "$(dead "$top_srcdir"/*.md $(find "$top_srcdir/docs" -name '*.md')
    absent "$top_srcdir/README.md"; absent "$top_srcdir/docs/explanation/architecture.md")"

unset MAKEFLAGS MFLAGS MAKELEVEL
(cd "$top_builddir" && make -s DESTDIR="$tmp" prefix=/usr exec_prefix=/opt install-nobase_dist_docDATA \
    install-pkgconfigDATA install-systemdsystemunitDATA) >"$tmp/log" 2>&1 || sed 's/^/# /' "$tmp/log"
doc=$(dirname "$(find "$tmp" -name README.md | head -n 1)")
say 2 "links of the installed documents" "$(dead $(find "$doc" -name '*.md'); [ -s "$doc/README.md" ] || echo "README.md is not there"
    (cd "$top_srcdir" && find docs -name '*.md') | while read -r page; do [ -e "$doc/$page" ] || echo "$page is not in docs/local.mk"; done)"

unit=$(find "$tmp" -name lockstep.service | head -n 1)
say 3 "the unit names no variable of configure's" "$(grep -nE '@[a-z]+@|\$\{(exec_)?prefix\}' "$unit" 2>&1
    grep -q '^ExecStart=/.*/lockstep run$' "$unit" || grep -n ExecStart "$unit")"

pc=$(dirname "$(find "$tmp" -name lockstep.pc | head -n 1)")
folder=$(PKG_CONFIG_PATH=$pc pkg-config --variable=plugindir lockstep 2>&1)
case $folder in
/*/lockstep/plugins) say 4 "pkg-config names the plugin folder" "" ;;
*) say 4 "pkg-config names the plugin folder" "plugindir: $folder" ;;
esac
