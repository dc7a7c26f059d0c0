#!/bin/sh
# Do the includes go only where the rooms may look? The map is in docs/explanation/architecture.md. Speaks TAP.
#
# Calls are checked in a build, by nm.
: "${top_srcdir:=.}" "${top_builddir:=.}"
top_builddir=$(cd "$top_builddir" && pwd) || exit 99
cd "$top_srcdir" || exit 99

# may ROOM: the rooms whose headers it may include besides its own and base.
may() {
    case $1 in
    base | config | http | model) echo "" ;;
    collection) echo "lockstep" ;;
    ports) echo "model collection" ;;
    plugin) echo "ports model collection lockstep" ;;
    engine/rules) echo "engine/engine.h ports model" ;;
    engine/documents) echo "engine/rules engine/engine.h ports model collection" ;;
    engine/feeds) echo "engine/documents engine/rules ports model" ;;
    engine/session) echo "engine/feeds engine/documents engine/rules ports model" ;;
    engine) echo "ports model collection" ;;
    mongo) echo "ports model collection" ;;
    qdrant | embed) echo "ports model http" ;;
    service) echo "engine ports model mongo qdrant embed collection config" ;;
    admin) echo "service" ;;
    cmd) echo "every" ;;
    *) echo "" ;;
    esac
}

# allowed ROOM HEADER
allowed() {
    case $2 in
    config.h | base/* | "$1"/*) return 0 ;;
    */*) ;;
    *) return 0 ;; # beside the file itself
    esac
    target=${2%%/*}
    for other in $(may "$1"); do
        case $other in
        every) return 0 ;;
        "$target" | "${2%/*}" | "$2") return 0 ;;
        esac
    done
    return 1
}

# Prints FILE:LINE: HEADER for each include of our own headers, in quotes or angle brackets.
includes() {
    grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' "$@" /dev/null |
        sed -nE 's/^([^:]+:[0-9]+):[^"<]*["<]([^">]+)[">].*/\1 \2/p'
}

rooms="base config model collection ports engine engine/rules engine/documents engine/feeds engine/session http qdrant embed mongo plugin service admin cmd"
echo "1..22"
number=0
for room in $rooms; do
    number=$((number + 1))
    files=$(find "core/$room" -name '*.[ch]' 2>/dev/null)
    bad=$([ -z "$files" ] || includes $files | while read -r where header; do
        case $header in
        lockstep/* | core/*) ;;
        */*) [ -d "core/${header%%/*}" ] || continue ;; # a system's header
        *) continue ;;
        esac
        allowed "$room" "$header" || echo "# $where: #include \"$header\""
    done)
    if [ -n "$bad" ]; then
        echo "not ok $number - $room includes only what it may"
        echo "$bad"
    else
        echo "ok $number - $room includes only what it may"
    fi
done

# Libraries that one room alone knows.
bad=$(includes $(find core -name '*.[ch]' ! -path 'core/http/*') | grep ' curl/' | sed 's/^/# /')
[ -z "$bad" ] && echo "ok 19 - http is the only user of libcurl" || { echo "not ok 19 - http is the only user of libcurl"; echo "$bad"; }

# What would make the engine, or a collection, depend on more than its input.
bad=$(includes $(find core/engine core/ports core/model core/collection -name '*.[ch]') |
    grep -E ' (pthread|time|sys/time|threads|sys/socket|unistd|mongoc/.*)\.h$' | sed 's/^/# /')
[ -z "$bad" ] && echo "ok 20 - engine and collection have no clock, thread or socket" ||
    { echo "not ok 20 - engine and collection have no clock, thread or socket"; echo "$bad"; }

# Plugins see include/ and libbson alone.
bad=$(includes $(find plugins docs/examples -name '*.[ch]' 2>/dev/null) |
    grep -E ' (mongoc|curl|jansson|base|collection|engine|plugin)[/.]' | sed 's/^/# /')
[ -z "$bad" ] && echo "ok 21 - plugins see include/ and libbson alone" ||
    { echo "not ok 21 - plugins see include/ and libbson alone"; echo "$bad"; }

# Calls in the engine, from the objects: down only (io, session, feeds, documents, rules), and no file is called back.
objects() {
    for file in $(find core/engine -name '*.c'); do
        base=$(basename "$file" .c) folder=$top_builddir/$(dirname "$file")
        for object in "$folder/.libs/libengine_la-$base.o" "$folder/libengine_la-$base.o"; do
            [ -f "$object" ] && nm "$object" | awk -v file="$file" 'NF >= 2 { print file, $(NF - 1), $NF }' && break
        done
    done
}
bad=$(objects | awk '
    function rank(file) {
        return file ~ /rules/ ? 0 : file ~ /documents/ ? 1 : file ~ /feeds/ ? 2 : file ~ /session/ ? 3 : file ~ /io/ ? 4 : 5
    }
    { files[$1] }
    $2 ~ /^[TDBR]$/ { home[$3] = $1 }
    $2 == "U" { uses[$1, $3] }
    END {
        for (use in uses) {
            split(use, part, SUBSEP)
            to = home[part[2]]
            if (!to || to == part[1]) continue
            if (rank(to) > rank(part[1])) print "# " part[1] " calls up: " part[2] " of " to
            calls[part[1], to]
        }
        do { # files that call none of those that are left go, until only cycles are left
            gone = 0
            for (file in files) {
                free = 1
                for (other in files) if ((file, other) in calls) free = 0
                if (free) { delete files[file]; gone = 1 }
            }
        } while (gone)
        for (file in files) print "# in a cycle of calls, or calls one: " file
    }')
if ! objects | grep -q .; then
    echo "ok 22 # SKIP there are no objects, or nm is not installed"
elif [ -z "$bad" ]; then
    echo "ok 22 - calls of the engine go down only"
else
    echo "not ok 22 - calls of the engine go down only"
    echo "$bad"
fi
