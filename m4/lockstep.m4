# LOCKSTEP_NEED(VARIABLE, PKG-CONFIG MODULES in order of preference, DEBIAN PACKAGE)
# Sets VARIABLE_CFLAGS (with -isystem, so that foreign headers don't meet our warnings) and VARIABLE_LIBS.
AC_DEFUN([LOCKSTEP_NEED], [
  lockstep_found=no
  for lockstep_module in $2; do
    AS_IF([test $lockstep_found = no], [
      AC_MSG_CHECKING([for $lockstep_module])
      AS_IF([$PKG_CONFIG --exists "$lockstep_module" 2>/dev/null], [
        lockstep_found=yes
        $1_CFLAGS=`$PKG_CONFIG --cflags "$lockstep_module" | $SED 's/-I/-isystem /g'`
        $1_LIBS=`$PKG_CONFIG --libs "$lockstep_module"`
        $1_VERSION=`$PKG_CONFIG --modversion "$lockstep_module"`
        $1_MODULE=$lockstep_module
        AC_MSG_RESULT([$$1_VERSION])
      ], [AC_MSG_RESULT([no])])
    ])
  done
  AS_IF([test $lockstep_found = no], [lockstep_missing="$lockstep_missing $3"])
  AC_SUBST([$1_CFLAGS])
  AC_SUBST([$1_LIBS])
  AC_SUBST([$1_MODULE])
])

AC_DEFUN([LOCKSTEP_LIBRARIES], [
  lockstep_missing=
  LOCKSTEP_NEED([MONGOC], [libmongoc-1.0 mongoc2], [libmongoc-dev])
  LOCKSTEP_NEED([BSON], [libbson-1.0 bson2], [libbson-dev])
  LOCKSTEP_NEED([CURL], [libcurl], [libcurl4-openssl-dev])
  LOCKSTEP_NEED([JANSSON], [jansson], [libjansson-dev])
  LOCKSTEP_NEED([INIH], [inih], [libinih-dev])
  LOCKSTEP_NEED([MICROHTTPD], [libmicrohttpd], [libmicrohttpd-dev])
  LOCKSTEP_NEED([CRYPTO], [libcrypto], [libssl-dev])
  LOCKSTEP_NEED([UUID], [uuid], [uuid-dev])
  LOCKSTEP_NEED([ZLIB], [zlib], [zlib1g-dev])
  LOCKSTEP_NEED([CHECK], [check], [check])
  AC_CHECK_HEADER([ltdl.h], [lockstep_ltdl=yes], [lockstep_ltdl=no])
  AS_IF([test $lockstep_ltdl = yes], [AC_CHECK_LIB([ltdl], [lt_dlopenext], [LTDL_LIBS=-lltdl], [lockstep_ltdl=no])])
  AS_IF([test $lockstep_ltdl = no], [lockstep_missing="$lockstep_missing libltdl-dev"])
  AC_SUBST([LTDL_LIBS])
  AS_IF([test -n "$lockstep_missing"], [
    AC_MSG_ERROR([libraries are missing. On Debian or Ubuntu, install them with:
    apt-get install$lockstep_missing])
  ])
])

# Compiler warnings at the level the project keeps, --enable-werror, --enable-sanitizers=LIST.
AC_DEFUN([LOCKSTEP_COMPILER_FLAGS], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors (as in CI)])], [], [enable_werror=no])
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers=LIST], [build with sanitizers: address,undefined or thread])], [], [enable_sanitizers=no])

  WARN_CFLAGS="-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wvla -Wformat=2"
  AS_IF([test "$enable_werror" = yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
  LANG_CFLAGS="-std=gnu17 -fno-common -fvisibility=hidden"
  HARDEN_CFLAGS="-fstack-protector-strong"
  # A thread's stack has 128 KB where libc is musl. Sanitizers make frames larger.
  FRAME_FLAGS="-Werror=frame-larger-than=16384 -Wframe-larger-than=16384"
  HARDEN_LDFLAGS="-Wl,-z,relro -Wl,-z,now"
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
  AC_SUBST([HARDEN_CFLAGS])
  AC_SUBST([HARDEN_LDFLAGS])
  AC_SUBST([SANITIZE_FLAGS])
  AC_SUBST([MODULE_LDFLAGS])
])
