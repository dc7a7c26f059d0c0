# LOCKSTEP_NEED(VARIABLE, PKG-CONFIG MODULE:OLDEST VERSION ... in order of preference, DEBIAN PACKAGE, [MISSING])
# Sets VARIABLE_CFLAGS (with -isystem, so that foreign headers don't meet our warnings) and VARIABLE_LIBS. The package
# of what is not there, or too old, is added to the shell variable MISSING [lockstep_missing].
AC_DEFUN([LOCKSTEP_NEED], [
  lockstep_found=no
  for lockstep_pair in $2; do
    lockstep_module=${lockstep_pair%%:*} lockstep_oldest=${lockstep_pair#*:}
    AS_IF([test $lockstep_found = no], [
      AC_MSG_CHECKING([for $lockstep_module >= $lockstep_oldest])
      $1_VERSION=`$PKG_CONFIG --modversion "$lockstep_module" 2>/dev/null`
      AS_IF([$PKG_CONFIG --atleast-version="$lockstep_oldest" "$lockstep_module" 2>/dev/null], [
        lockstep_found=yes
        $1_CFLAGS=`$PKG_CONFIG --cflags "$lockstep_module" | $SED 's/-I/-isystem /g'`
        $1_LIBS=`$PKG_CONFIG --libs "$lockstep_module"`
        $1_MODULE=$lockstep_module
        AC_MSG_RESULT([$$1_VERSION])
      ], [AC_MSG_RESULT([no${$1_VERSION:+, it is $$1_VERSION}])])
    ])
  done
  AS_IF([test $lockstep_found = no], [m4_default([$4], [lockstep_missing])="$m4_default([$4], [lockstep_missing]) $3"])
  AC_SUBST([$1_CFLAGS])
  AC_SUBST([$1_LIBS])
  AC_SUBST([$1_MODULE])
])

# A version is the first that has what the code uses; for libmongoc, libbson and inih the oldest it was tested with.
AC_DEFUN([LOCKSTEP_LIBRARIES], [
  lockstep_missing=
  lockstep_tests_missing=
  LOCKSTEP_NEED([MONGOC], [libmongoc-1.0:1.23 mongoc2:2.0], [libmongoc-dev])
  LOCKSTEP_NEED([BSON], [libbson-1.0:1.23 bson2:2.0], [libbson-dev])
  LOCKSTEP_NEED([CURL], [libcurl:7.68], [libcurl4-openssl-dev])
  LOCKSTEP_NEED([JANSSON], [jansson:2.14], [libjansson-dev])
  LOCKSTEP_NEED([INIH], [inih:55], [libinih-dev])
  LOCKSTEP_NEED([MICROHTTPD], [libmicrohttpd:0.9.71], [libmicrohttpd-dev])
  LOCKSTEP_NEED([CRYPTO], [libcrypto:3.0], [libssl-dev])
  LOCKSTEP_NEED([ZLIB], [zlib:1.2], [zlib1g-dev])
  LOCKSTEP_NEED([UUID], [uuid:2], [uuid-dev], [lockstep_tests_missing])
  LOCKSTEP_NEED([CHECK], [check:0.15], [check], [lockstep_tests_missing])
  AC_CHECK_HEADER([ltdl.h], [lockstep_ltdl=yes], [lockstep_ltdl=no])
  AS_IF([test $lockstep_ltdl = yes], [AC_CHECK_LIB([ltdl], [lt_dlopenext], [LTDL_LIBS=-lltdl], [lockstep_ltdl=no])])
  AS_IF([test $lockstep_ltdl = no], [lockstep_missing="$lockstep_missing libltdl-dev"])
  AC_SUBST([LTDL_LIBS])
  AS_IF([test -n "$lockstep_missing"], [
    AC_MSG_ERROR([libraries are missing or too old. On Debian or Ubuntu, install them with:
    apt-get install$lockstep_missing$lockstep_tests_missing])
  ])
  AS_IF([test -n "$lockstep_tests_missing"], [lockstep_tests="no, they need:$lockstep_tests_missing"], [lockstep_tests=yes])
  AC_SUBST([lockstep_tests_missing])
  AM_CONDITIONAL([WITH_TESTS], [test -z "$lockstep_tests_missing"])
])

# What is Linux's own is used where nothing portable does the same.
AC_DEFUN([LOCKSTEP_LINUX], [
  AS_CASE([$host_os], [linux*], [], [AC_MSG_ERROR([Lockstep needs Linux, and this is $host_os. What needs it:
    CLOCK_BOOTTIME          a lease must run out while the machine is suspended
    /proc/self/fd           connections to a MongoDB that no longer answers are shut
    /proc/self, /proc/stat  metrics of the process
    /proc/self/exe          SIGHUP executes the program again, with the new configuration
    pipe2(), SOCK_CLOEXEC   no descriptor leaks into a program that is started meanwhile])])
])

# LOCKSTEP_TRY_FLAGS(VARIABLE, FLAGS): adds FLAGS to VARIABLE if the compiler takes them without a warning, together
# with the user's CFLAGS and CPPFLAGS, which come last and so win.
AC_DEFUN([LOCKSTEP_TRY_FLAGS], [
  AC_MSG_CHECKING([whether $CC takes $2])
  lockstep_save_CFLAGS=$CFLAGS
  CFLAGS="-Werror $2 $CFLAGS"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <string.h>
    #if defined _FORTIFY_SOURCE && !defined __OPTIMIZE__
    #error fortified calls need optimization, and not every libc says so
    #endif]], [])],
    [lockstep_taken=yes; $1="$$1 $2"], [lockstep_taken=no])
  CFLAGS=$lockstep_save_CFLAGS
  AC_MSG_RESULT([$lockstep_taken])
])

# Protection that costs next to nothing. Fortified calls would hide what sanitizers look for.
AC_DEFUN([LOCKSTEP_HARDENING], [
  HARDEN_CFLAGS="-fstack-protector-strong"
  HARDEN_CPPFLAGS=
  HARDEN_LDFLAGS="-Wl,-z,relro -Wl,-z,now"
  LOCKSTEP_TRY_FLAGS([HARDEN_CFLAGS], [-fstack-clash-protection])
  LOCKSTEP_TRY_FLAGS([HARDEN_CFLAGS], [-fcf-protection])
  AS_IF([test "$enable_sanitizers" = no], [
    LOCKSTEP_TRY_FLAGS([HARDEN_CPPFLAGS], [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3])
    AS_IF([test -z "$HARDEN_CPPFLAGS"], [LOCKSTEP_TRY_FLAGS([HARDEN_CPPFLAGS], [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2])])
  ])
  AC_SUBST([HARDEN_CFLAGS])
  AC_SUBST([HARDEN_CPPFLAGS])
  AC_SUBST([HARDEN_LDFLAGS])
])

# Compiler warnings at the level the project keeps, --enable-werror, --enable-sanitizers=LIST.
AC_DEFUN([LOCKSTEP_COMPILER_FLAGS], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors (as in CI)])], [], [enable_werror=no])
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers=LIST], [build with sanitizers: address,undefined or thread])], [], [enable_sanitizers=no])

  WARN_CFLAGS="-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wvla -Wformat=2"
  # libbson 2 deprecates bson_append_array_begin for names that 1.23 does not have.
  AS_IF([test "$BSON_MODULE" = bson2], [WARN_CFLAGS="$WARN_CFLAGS -Wno-deprecated-declarations"])
  AS_IF([test "$enable_werror" = yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
  LANG_CFLAGS="-std=gnu17 -fno-common -fvisibility=hidden"
  # A thread's stack has 128 KB where libc is musl. Sanitizers make frames larger.
  FRAME_FLAGS=
  LOCKSTEP_TRY_FLAGS([FRAME_FLAGS], [-Wframe-larger-than=16384 -Werror=frame-larger-than=16384])
  # clang spells the error without the limit
  AS_IF([test -z "$FRAME_FLAGS"], [FRAME_FLAGS="-Wframe-larger-than=16384 -Werror=frame-larger-than"])
  SANITIZE_FLAGS=
  MODULE_LDFLAGS="-Wl,-z,defs"
  AS_CASE([$enable_sanitizers],
    [no], [],
    [yes], [enable_sanitizers=address,undefined])
  AS_IF([test "$enable_sanitizers" != no], [
    SANITIZE_FLAGS="-fsanitize=$enable_sanitizers -fno-omit-frame-pointer -fno-sanitize-recover=all"
    # clang leaves the sanitizer runtime to the program, so modules have undefined symbols there
    MODULE_LDFLAGS=
    FRAME_FLAGS=
    AC_DEFINE([LOCKSTEP_SANITIZED], [1], [Built with sanitizers.])
  ])
  LOCKSTEP_HARDENING
  AC_ARG_ENABLE([fuzzers],
    [AS_HELP_STRING([--enable-fuzzers], [build tests/fuzz (needs clang; with --enable-sanitizers it finds more)])],
    [], [enable_fuzzers=no])
  AS_IF([test "$enable_fuzzers" != no], [
    lockstep_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -fsanitize=fuzzer-no-link"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [],
      [AC_MSG_ERROR([--enable-fuzzers needs a compiler with libFuzzer: configure with CC=clang])])
    CFLAGS=$lockstep_save_CFLAGS
    SANITIZE_FLAGS="$SANITIZE_FLAGS -fsanitize=fuzzer-no-link"
    FUZZ_LDFLAGS="-fsanitize=fuzzer"
    MODULE_LDFLAGS=
  ])
  AM_CONDITIONAL([FUZZERS], [test "$enable_fuzzers" != no])
  AC_SUBST([FUZZ_LDFLAGS])
  AC_SUBST([WARN_CFLAGS])
  AC_SUBST([LANG_CFLAGS])
  AC_SUBST([FRAME_FLAGS])
  AC_SUBST([SANITIZE_FLAGS])
  AC_SUBST([MODULE_LDFLAGS])
])
