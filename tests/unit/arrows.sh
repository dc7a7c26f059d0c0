#!/bin/sh
# Do the includes go only where the rooms may look? The map is in docs/explanation/architecture.md. Speaks TAP.
: "${top_srcdir:=.}"
cd "$top_srcdir" || exit 99

# may ROOM: the rooms whose headers it may include besides its own and base.
may() {
    case $1 in
    base | config | http | model) echo "" ;;
    collection) echo "lockstep" ;;
    ports) echo "model collection" ;;
    plugin) echo "ports model collection lockstep" ;;
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
        engine:ports) [ "$2" = ports/ports.h ] || [ "$2" = model/record.h ] && return 0 ;;
        "$target") return 0 ;;
        esac
    done
    return 1
}

# Prints FILE:LINE: HEADER for each include of our own headers, in quotes or angle brackets.
includes() {
    grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' "$@" /dev/null |
        sed -nE 's/^([^:]+:[0-9]+):[^"<]*["<]([^">]+)[">].*/\1 \2/p'
}

rooms="base config model collection ports engine http qdrant embed mongo plugin service admin cmd"
echo "1..17"
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
[ -z "$bad" ] && echo "ok 15 - http is the only user of libcurl" || { echo "not ok 15 - http is the only user of libcurl"; echo "$bad"; }

# What would make the engine, or a collection, depend on more than its input.
bad=$(includes $(find core/engine core/ports core/model core/collection -name '*.[ch]') |
    grep -E ' (pthread|time|sys/time|threads|sys/socket|unistd|mongoc/.*)\.h$' | sed 's/^/# /')
[ -z "$bad" ] && echo "ok 16 - engine and collection have no clock, thread or socket" ||
    { echo "not ok 16 - engine and collection have no clock, thread or socket"; echo "$bad"; }

# Plugins see include/ and libbson alone.
bad=$(includes $(find plugins docs/examples -name '*.[ch]' 2>/dev/null) |
    grep -E ' (mongoc|curl|jansson|base|collection|engine|plugin)[/.]' | sed 's/^/# /')
[ -z "$bad" ] && echo "ok 17 - plugins see include/ and libbson alone" ||
    { echo "not ok 17 - plugins see include/ and libbson alone"; echo "$bad"; }
