#!/bin/sh
# Does tools/gdb/lockstep.py show what programs hold? Speaks TAP.
: "${top_srcdir:=.}" "${top_builddir:=.}"
if ! command -v gdb >/dev/null 2>&1; then
    echo "1..0 # SKIP gdb is not installed (apt-get install gdb): its printers were NOT checked"
    exit 0
fi

# stopped PROGRAM FUNCTION COMMAND...: what gdb says where FUNCTION is called for the first time
stopped() {
    program=$1 function=$2
    shift 2
    for command; do set -- "$@" -ex "$command"; shift; done
    CK_FORK=no timeout 60 gdb -nx -batch -ex 'set debuginfod enabled off' -x "$top_srcdir/tools/gdb/lockstep.py" \
        -ex "break $function" -ex 'run --seeds 1 --jobs 1' "$@" "$top_builddir/$program" 2>&1
}

# shows NUMBER NAME TEXT PATTERN
shows() {
    if printf '%s\n' "$3" | grep -qE "$4"; then
        echo "ok $1 - $2"
    else
        printf '%s\n' "$3" | sed 's/^/# /'
        echo "not ok $1 - $2: no $4"
    fi
}

if ! stopped test_docid main 'print 40 + 2' | grep -q '= 42'; then
    echo "1..0 # SKIP gdb cannot run a program here: its printers were NOT checked"
    exit 0
fi
echo 1..3
said=$(stopped test_docid docid_json 'print *id' 'print id')
shows 1 "an id is shown as its value" "$said" '^\$1 = minKey$'
shows 2 "a pointer to an id likewise" "$said" '^\$2 = minKey$'
said=$(stopped tests/sim/run req_free 'print *req')
shows 3 "a request is shown by what its kind uses, without zeros" "$said" '^\$1 = \{kind = REQ_LEASE, .*lease = \{op = LEASE_[^{]*\}\}$'
