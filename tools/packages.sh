# packages.sh - the Debian packages this project needs, and the one function that installs them.
#
# To be sourced by bash scripts (quickstart, tests/run). `need_packages runtime` is all it takes to build and
# run Lockstep and its stand-in servers; `need_packages tests` is what the tests take beyond that. The second compiler is a
# group of its own, and so is what tests/matrix needs, here (`matrix`) and in its chroots (`analysis`). What is
# there already is left alone, so that a machine that has everything needs neither network nor root.

# One entry for each thing needed: a package, or COMMAND=PACKAGE where the command may as well come from
# elsewhere (a compiler of one's own, a newer Node.js).
packages_runtime=(
    gcc=gcc make=make autoconf=autoconf automake=automake libtoolize=libtool pkg-config=pkg-config
    curl=curl ps=procps
    libc6-dev libltdl-dev libmongoc-dev libbson-dev libcurl4-openssl-dev libjansson-dev libinih-dev
    libmicrohttpd-dev libssl-dev uuid-dev zlib1g-dev check
)
packages_tests=(
    node=nodejs npm=npm         # the clients nobody here wrote
    chromium=chromium chromedriver=chromium-driver # the dashboard in a browser
    clang-format=clang-format   # the check of the code's format
    patch=patch                 # the deliberate bugs that the simulation must see
    xz=xz-utils                 # make dist
    gdb=gdb                     # the printers in tools/gdb
    git=git                     # what tools/release refuses
)

packages_clang=(clang=clang)
packages_fuzz=(clang=clang node=nodejs libclang-rt-dev)
packages_matrix=(mmdebstrap=mmdebstrap unshare=util-linux git=git)
packages_analysis=(clang=clang clang-tidy=clang-tidy gcovr=gcovr patch=patch xz=xz-utils)

# Prints those packages of the entries given as arguments that are not installed.
packages_missing() {
    local entry
    for entry in "$@"; do
        case $entry in
            *=*) command -v "${entry%%=*}" >/dev/null || echo "${entry#*=}" ;;
            *) [ "$(dpkg-query -W -f '${db:Status-Status}' "$entry" 2>/dev/null)" = installed ] || echo "$entry" ;;
        esac
    done
}

# Runs apt-get as root, asking nothing and waiting for another apt that holds the lock.
packages_apt() {
    local -a as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq "$@" </dev/null
}

# Prints the packages of the groups given as arguments, whether they are installed or not.
packages_names() {
    local group
    for group in "$@"; do
        local -n group_entries=packages_$group
        printf '%s\n' "${group_entries[@]##*=}"
    done
}

# need_packages GROUP: installs what is missing of one of the groups above. Fails, naming them, if some of it is
# still missing then (no network, no root and no sudo, no Debian); whether that matters is the caller's to say.
need_packages() {
    local -a missing
    local -n entries=packages_$1
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "This is no Debian: nothing is installed here, ./configure says what it misses." >&2
        return 0
    fi
    mapfile -t missing < <(packages_missing "${entries[@]}")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        echo "Missing, and neither root nor sudo to install: apt-get install ${missing[*]}" >&2
        return 1
    fi
    echo "Installing: ${missing[*]}"
    # A package's own chatter would bury what matters; it is shown if it fails.
    local log
    log=$(mktemp)
    if ! { packages_apt update && packages_apt install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
    fi
    rm -f "$log"
    mapfile -t missing < <(packages_missing "${entries[@]}")
    [ ${#missing[@]} -eq 0 ] || { echo "Still missing: ${missing[*]}" >&2; return 1; }
}
