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
    api) echo "service" ;;
    daemon) echo "api service engine ports model mongo qdrant embed http plugin collection config" ;;
    cli) echo "daemon service engine ports model mongo qdrant embed http plugin collection config lockstep" ;;
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

rooms="base config model collection ports engine engine/rules engine/documents engine/feeds engine/session http qdrant embed mongo plugin service api daemon cli"
echo "1..24"
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
[ -z "$bad" ] && echo "ok 20 - http is the only user of libcurl" || { echo "not ok 20 - http is the only user of libcurl"; echo "$bad"; }

# What would make the engine, or a collection, depend on more than its input.
bad=$(includes $(find core/engine core/ports core/model core/collection -name '*.[ch]') |
    grep -E ' (pthread|time|sys/time|threads|sys/socket|unistd|mongoc/.*)\.h$' | sed 's/^/# /')
[ -z "$bad" ] && echo "ok 21 - engine and collection have no clock, thread or socket" ||
    { echo "not ok 21 - engine and collection have no clock, thread or socket"; echo "$bad"; }

# Plugins see include/ and libbson alone.
bad=$(includes $(find plugins docs/examples -name '*.[ch]' 2>/dev/null) |
    grep -E ' (mongoc|curl|jansson|base|collection|engine|plugin)[/.]' | sed 's/^/# /')
[ -z "$bad" ] && echo "ok 22 - plugins see include/ and libbson alone" ||
    { echo "not ok 22 - plugins see include/ and libbson alone"; echo "$bad"; }

# Calls, from the objects: no file is called back, no folder either, the engine's go down only (io, session, feeds, documents,
# rules), and the others' only where includes may.
objects() {
    for file in $(find core -name '*.c'); do
        base=$(basename "$file" .c) folder=$top_builddir/$(dirname "$file")
        for object in "$folder"/.libs/lib*_la-"$base.o" "$folder"/lib*_la-"$base.o" "$folder/lockstep-$base.o"; do
            [ -f "$object" ] && nm "$object" | awk -v file="$file" 'NF >= 2 { print file, $(NF - 1), $NF }' && break
        done
    done
}
symbols=$(objects)
bad=$(echo "$symbols" | awk '
    function rank(file) {
        return file ~ /rules/ ? 0 : file ~ /documents/ ? 1 : file ~ /feeds/ ? 2 : file ~ /session/ ? 3 : file ~ /io/ ? 4 : 5
    }
    function folder(file) {
        sub(/\/[^\/]*$/, "", file)
        return file
    }
    { files[$1] }
    $2 ~ /^[TDBR]$/ { home[$3] = $1 }
    $2 == "U" { uses[$1, $3] }
    END {
        for (use in uses) {
            split(use, part, SUBSEP)
            to = home[part[2]]
            if (!to || to == part[1]) continue
            if (part[1] ~ /^core\/engine/ && rank(to) > rank(part[1]) && to ~ /^core\/engine/) print "# " part[1] " calls up: " part[2] " of " to
            calls[part[1], to]
            if (folder(part[1]) == folder(to)) continue
            calls[folder(part[1]), folder(to)]
            files[folder(part[1])]
            files[folder(to)]
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
beyond=$(echo "$symbols" | awk '
    $2 ~ /^[TDBR]$/ { home[$3] = $1 }
    $2 == "U" { uses[$1, $3] }
    END {
        for (use in uses) {
            split(use, part, SUBSEP)
            if (!(part[2] in home)) continue
            split(part[1], from, "/")
            split(home[part[2]], to, "/")
            if (from[2] != to[2]) print from[2], to[2] "/", part[1], part[2]
        }
    }' | while read -r from to file name; do
    allowed "$from" "$to" && continue
    [ "$from" = api ] && allowed service "$to" && continue # what the services hand out is named and freed
    echo "# $file calls $name of core/$to"
done)
if [ -z "$symbols" ]; then
    echo "ok 23 # SKIP there are no objects, or nm is not installed"
elif [ -z "$bad$beyond" ]; then
    echo "ok 23 - calls go down only"
else
    echo "not ok 23 - calls go down only"
    printf '%s\n' "$bad" "$beyond" | grep .
fi

# Names: of .c files, of the structs in headers, of functions with external linkage.
bad=$(
    find core -name '*.c' | sed 's|.*/||' | sort | uniq -d | sed 's/^/# two files: /'
    find core -name '*.h' -exec sed -nE 's/^(struct [a-z0-9_]+) \{$/\1/p' {} + | sort | uniq -d | sed 's/^/# two of: /'
    echo "$symbols" | awk '$2 ~ /^[TDBR]$/ && seen[$3]++ { print "# two of: " $3 }'
)
[ -z "$bad" ] && echo "ok 24 - names of files, structs and functions are unique" ||
    { echo "not ok 24 - names of files, structs and functions are unique"; echo "$bad"; }
