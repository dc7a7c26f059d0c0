/* listen.c - see listen.h. Owns nothing that lasts. */
#include "api/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

/* ---- an address ---- */

static int listen_at(const struct addrinfo *at)
{
    int yes = 1, fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;
    close(fd);
    return -1;
}

static enum lks_code listen_tcp(const struct admin_config *config, int *fd, struct lks_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8], reason[128] = "no address fits";
    snprintf(port, sizeof port, "%u", config->port);
    int failed = getaddrinfo(*config->host ? config->host : NULL, port, &hints, &list);
    if (failed)
        return lks_fail(err, LKS_E_IO, "[api] listen: %s can't be resolved: %s", config->host,
                        gai_strerror(failed));
    *fd = -1;
    for (const struct addrinfo *at = list; at && *fd < 0; at = at->ai_next)
        if ((*fd = listen_at(at)) < 0) snprintf(reason, sizeof reason, "%s", strerror(errno));
    freeaddrinfo(list);
    if (*fd < 0)
        return lks_fail(err, LKS_E_IO, "[api] listen: can't listen on %s port %u: %s", config->host,
                        config->port, reason);
    return LKS_E_OK;
}

/* ---- a file ---- */

/* True if somebody answers at it. */
static bool is_alive(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) == 0;
    if (fd >= 0) close(fd);
    return alive;
}

/* NULL, or why it can't be had. */
static const char *clear_way(const struct sockaddr_un *at)
{
    struct stat info;
    if (lstat(at->sun_path, &info) != 0) return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(info.st_mode)) return "something else than a socket is there";
    if (is_alive(at)) return "another process listens there";
    return unlink(at->sun_path) == 0 ? NULL : strerror(errno);
}

static enum lks_code listen_unix(const char *path, int *fd, struct lks_err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at.sun_path)
        return lks_fail(err, LKS_E_IO, "[api] listen: unix:%s: the path may have %zu bytes", path,
                        sizeof at.sun_path - 1);
    memcpy(at.sun_path, path, strlen(path) + 1);
    const char *reason = clear_way(&at);
    *fd = reason ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* nobody gets in before listen(), by when the mode is right */
    if (!reason && (*fd < 0 || bind(*fd, (struct sockaddr *)&at, sizeof at) != 0 || chmod(path, 0660) != 0 ||
                    listen(*fd, BACKLOG) != 0))
        reason = strerror(errno);
    if (!reason) return LKS_E_OK;
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return lks_fail(err, LKS_E_IO, "[api] listen: can't listen on unix:%s: %s", path, reason);
}

static enum lks_code try_tcp(const struct admin_config *config, struct lks_err *err)
{
    int fd = -1;
    enum lks_code code = listen_tcp(config, &fd, err);
    if (fd >= 0) close(fd);
    return code;
}

/* The folder must be there and writable; what is in the way must be a socket that nobody listens at. */
static enum lks_code try_unix(const char *path, struct lks_err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stat info;
    const char *reason = NULL;
    if (strlen(path) >= sizeof at.sun_path) return listen_unix(path, &(int){-1}, err);
    memcpy(at.sun_path, path, strlen(path) + 1);
    char *folder = strdup(path);
    if (!folder) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    if (access(folder, W_OK | X_OK) != 0) reason = strerror(errno);
    free(folder);
    if (!reason && lstat(path, &info) == 0) {
        if (!S_ISSOCK(info.st_mode))
            reason = "something else than a socket is there";
        else if (is_alive(&at))
            reason = "another process listens there";
    }
    return reason ? lks_fail(err, LKS_E_IO, "[api] listen: can't listen on unix:%s: %s", path, reason)
                  : LKS_E_OK;
}

enum lks_code listen_try(const struct admin_config *config, struct lks_err *err)
{
    return *config->socket_path ? try_unix(config->socket_path, err) : try_tcp(config, err);
}

void listen_forget(const char *socket_path)
{
    if (*socket_path) unlink(socket_path);
}

enum lks_code listen_open(const struct admin_config *config, int *fd, struct lks_err *err)
{
    return *config->socket_path ? listen_unix(config->socket_path, fd, err) : listen_tcp(config, fd, err);
}

uint16_t listen_port(int fd)
{
    struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
    socklen_t bytes = sizeof at;
    char port[8] = "0";
    getsockname(fd, (struct sockaddr *)&at, &bytes);
    getnameinfo((struct sockaddr *)&at, bytes, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    return (uint16_t)strtoul(port, NULL, 10);
}
