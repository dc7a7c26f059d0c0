/*
 * torture_calls.c - what the C library, threads and the loader may refuse, each with the failure it gets.
 * Left out is what can't fail on Linux as it is used here (clocks, mutexes locked, condition variables made).
 */
#include "fault/torture.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <ltdl.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what reports a failure later ---- */

static __thread FILE *spoiled;      /* whose ferror() must say so */
static __thread bool loader_failed; /* the next who asks the loader why gets an answer of ours */

static void spoil(FILE *file, int reason)
{
    spoiled = file;
    errno = reason;
}

int __real_ferror(FILE *file);
int __wrap_ferror(FILE *file);
int __wrap_ferror(FILE *file)
{
    if (spoiled != file) return __real_ferror(file);
    spoiled = NULL;
    return 1;
}

static const char *loader_error(const char *real)
{
    const char *said = loader_failed ? "the loader was made to fail" : real;
    loader_failed = false;
    return said;
}

char *__real_dlerror(void);
char *__wrap_dlerror(void);
char *__wrap_dlerror(void)
{
    return (char *)loader_error(__real_dlerror());
}

const char *__real_lt_dlerror(void);
const char *__wrap_lt_dlerror(void);
const char *__wrap_lt_dlerror(void)
{
    return loader_error(__real_lt_dlerror());
}

/* ---- calls with any number of arguments ---- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    if (!torture_strikes(TORTURE_CALL, "open")) return __real_open(path, flags, mode);
    errno = EMFILE;
    return -1;
}

/* ---- all others ---- */

// clang-format off
ALLOCATION(malloc, void *, (size_t bytes), (bytes), NULL, errno = ENOMEM)
ALLOCATION(calloc, void *, (size_t count, size_t bytes), (count, bytes), NULL, errno = ENOMEM)
ALLOCATION(realloc, void *, (void *old, size_t bytes), (old, bytes), NULL, errno = ENOMEM)
ALLOCATION(strdup, char *, (const char *text), (text), NULL, errno = ENOMEM)
ALLOCATION(strndup, char *, (const char *text, size_t bytes), (text, bytes), NULL, errno = ENOMEM)

/* files */
CALL(fopen, FILE *, (const char *path, const char *mode), (path, mode), NULL, errno = EMFILE)
CALL(opendir, DIR *, (const char *path), (path), NULL, errno = EMFILE)
CALL(fstat, int, (int fd, struct stat *out), (fd, out), -1, errno = EIO)
CALL(stat, int, (const char *path, struct stat *out), (path, out), -1, errno = EACCES)
CALL(lstat, int, (const char *path, struct stat *out), (path, out), -1, errno = EACCES)
CALL(access, int, (const char *path, int mode), (path, mode), -1, errno = EACCES)
CALL(chmod, int, (const char *path, mode_t mode), (path, mode), -1, errno = EPERM)
CALL(unlink, int, (const char *path), (path), -1, errno = EPERM)
CALL(readlink, ssize_t, (const char *path, char *out, size_t size), (path, out, size), -1, errno = EACCES)
CALL(realpath, char *, (const char *path, char *out), (path, out), NULL, errno = EACCES)
CALL(getcwd, char *, (char *out, size_t size), (out, size), NULL, errno = EACCES)
CALL(mmap, void *, (void *at, size_t size, int protection, int flags, int fd, off_t offset), (at, size, protection, flags, fd, offset), MAP_FAILED, errno = ENOMEM)
CALL(getline, ssize_t, (char **line, size_t *size, FILE *file), (line, size, file), -1, spoil(file, EIO))
CALL(fgets, char *, (char *out, int size, FILE *file), (out, size, file), NULL, spoil(file, EIO))
CALL(fread, size_t, (void *out, size_t size, size_t count, FILE *file), (out, size, count, file), 0, spoil(file, EIO))
CALL(fflush, int, (FILE *file), (file), EOF, spoil(file, ENOSPC))
CALL(fputs, int, (const char *text, FILE *file), (text, file), EOF, spoil(file, ENOSPC))
CALL(fwrite, size_t, (const void *data, size_t size, size_t count, FILE *file), (data, size, count, file), 0, spoil(file, ENOSPC))
CALL(write, ssize_t, (int fd, const void *data, size_t bytes), (fd, data, bytes), -1, errno = ENOSPC)

/* sockets */
CALL(socket, int, (int family, int type, int protocol), (family, type, protocol), -1, errno = EMFILE)
CALL(connect, int, (int fd, const struct sockaddr *to, socklen_t size), (fd, to, size), -1, errno = ECONNREFUSED)
CALL(bind, int, (int fd, const struct sockaddr *at, socklen_t size), (fd, at, size), -1, errno = EADDRINUSE)
CALL(listen, int, (int fd, int backlog), (fd, backlog), -1, errno = EADDRINUSE)
CALL(getsockname, int, (int fd, struct sockaddr *out, socklen_t *size), (fd, out, size), -1, errno = ENOBUFS)
CALL(setsockopt, int, (int fd, int level, int option, const void *value, socklen_t size), (fd, level, option, value, size), -1, errno = ENOBUFS)
CALL(send, ssize_t, (int fd, const void *data, size_t bytes, int flags), (fd, data, bytes, flags), -1, errno = ECONNRESET)
CALL(sendto, ssize_t, (int fd, const void *data, size_t bytes, int flags, const struct sockaddr *to, socklen_t size), (fd, data, bytes, flags, to, size), -1, errno = ENOBUFS)
CALL(recv, ssize_t, (int fd, void *out, size_t bytes, int flags), (fd, out, bytes, flags), -1, errno = ECONNRESET)
CALL(getaddrinfo, int, (const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out), (host, port, hints, out), EAI_MEMORY, (void)0)
CALL(getnameinfo, int, (const struct sockaddr *of, socklen_t size, char *host, socklen_t host_size, char *port, socklen_t port_size, int flags), (of, size, host, host_size, port, port_size, flags), EAI_MEMORY, (void)0)

/* the process */
CALL(gethostname, int, (char *out, size_t size), (out, size), -1, errno = ENAMETOOLONG)
CALL(getrandom, ssize_t, (void *out, size_t bytes, unsigned flags), (out, bytes, flags), -1, errno = ENOSYS)
CALL(getrlimit, int, (int what, struct rlimit *out), (what, out), -1, errno = EPERM)
CALL(setrlimit, int, (int what, const struct rlimit *to), (what, to), -1, errno = EPERM)
CALL(fork, pid_t, (void), (), -1, errno = EAGAIN)
CALL(newlocale, locale_t, (int mask, const char *name, locale_t base), (mask, name, base), (locale_t)0, errno = ENOMEM)
CALL(nanosleep, int, (const struct timespec *wanted, struct timespec *left), (wanted, left), -1, errno = EINTR; if (left) *left = *wanted)

/* threads */
CALL(pthread_create, int, (pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *with), (thread, attributes, run, with), EAGAIN, (void)0)
CALL(pthread_mutex_init, int, (pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes), (mutex, attributes), ENOMEM, (void)0)
CALL(pthread_cond_init, int, (pthread_cond_t *cond, const pthread_condattr_t *attributes), (cond, attributes), ENOMEM, (void)0)
CALL(pthread_key_create, int, (pthread_key_t *key, void (*end)(void *)), (key, end), EAGAIN, (void)0)
CALL(sem_init, int, (sem_t *sem, int shared, unsigned value), (sem, shared, value), -1, errno = ENOSPC)

/* the loader; who fails says why once */
CALL(dlopen, void *, (const char *path, int flags), (path, flags), NULL, loader_failed = true)
CALL(lt_dlinit, int, (void), (), 1, loader_failed = true)
CALL(lt_dlopen, lt_dlhandle, (const char *path), (path), NULL, loader_failed = true)
CALL(lt_dlsym, void *, (lt_dlhandle of, const char *name), (of, name), NULL, loader_failed = true)
// clang-format on
