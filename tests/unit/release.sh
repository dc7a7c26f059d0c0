#!/bin/sh
# What does tools/release refuse? Tried in a repository of its own, so that nothing is built. Speaks TAP.
: "${top_srcdir:=.}"
if ! command -v git >/dev/null 2>&1; then
    echo "1..0 # SKIP git is not installed: what tools/release refuses was NOT checked"
    exit 0
fi
top_srcdir=$(cd "$top_srcdir" && pwd)
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" && mkdir tools && cp "$top_srcdir/tools/release" tools/ || exit 99

git() { command git -c user.name=test -c user.email=test@localhost -c commit.gpgsign=false "$@"; }
commit() { git add -A && git commit -q --allow-empty -m "$1"; }

number=0
# says WORDS NAME: the script ends with a failure and says so
says() {
    number=$((number + 1))
    said=$(tools/release 2>&1) && said="it succeeded: $said"
    case $said in
    *"$1"*) echo "ok $number - $2" ;;
    *) printf '%s\n' "$said" | sed 's/^/# /'; echo "not ok $number - $2: no \"$1\"" ;;
    esac
}

echo 1..7
git init -q . && echo 'AC_INIT([lockstep], [next])' >configure.ac && commit begin
says 'no version like 1.2.3' 'a version that is none'
echo 'AC_INIT([lockstep], [2.3.4])' >configure.ac
says 'not clean' 'a change that is not committed'
printf '## [Unreleased]\n\n- more\n\n## [12.3.4] - 2026-01-31\n\n- much\n' >CHANGELOG.md
commit 'another version has a section'
says 'no section "## [2.3.4]' 'a version without a section'
printf '## [2.3.4] - soon\n\n- much\n' >CHANGELOG.md
commit 'a section without a date'
says 'without a date' 'a section without a date'
printf '## [2.3.4] - 2026-02-28\n\n## [2.3.3] - 2026-01-31\n\n- much\n' >CHANGELOG.md
commit 'an empty section'
says 'is empty' 'a section without a word'
printf '## [2.3.4] - 2026-02-28\n\n- more\n\n## [2.3.3] - 2026-01-31\n\n- much\n' >CHANGELOG.md
commit 'all is well'
if [ "$(id -u)" -eq 0 ]; then next='normal user'; else next=autogen.sh; fi
says "$next" 'and nothing else, but to be built by root'
git tag v2.3.4
says 'tag v2.3.4 exists' 'a version that was released'
