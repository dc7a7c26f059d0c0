/*
 * silence.c - a server that has fallen silent. The driver notices by its heartbeats, but a command that is
 * under way waits for the socket time-out, which must be long for the sake of long commands. So we shut such
 * a server's connections down; the commands fail at once, and the next ones go to another member. This is
 * what the driver specification "Connection Monitoring and Pooling" calls interrupting connections in use.
 *
 * Runs on the driver's monitor threads. Owns nothing.
 */
#include <dirent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "mongo/mongo_internal.h"

static bool same_peer(const struct sockaddr_storage *a, const struct sockaddr *b)
{
    if (a->ss_family != b->sa_family) return false;
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;
    return a->ss_family == AF_INET6 && x->sin6_port == y->sin6_port &&
           memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
}

static bool is_connected_to(int fd, const struct addrinfo *addresses)
{
    struct sockaddr_storage peer;
    socklen_t bytes = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &bytes) != 0) return false;
    for (; addresses; addresses = addresses->ai_next)
        if (same_peer(&peer, addresses->ai_addr)) return true;
    return false;
}

static int64_t shut_connections(const struct addrinfo *addresses)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t count = 0;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (fd > 2 && is_connected_to(fd, addresses)) count += shutdown(fd, SHUT_RDWR) == 0;
    }
    if (folder) closedir(folder);
    return count;
}

static void heartbeat_failed(const mongoc_apm_server_heartbeat_failed_t *event)
{
    const mongoc_host_list_t *host = mongoc_apm_server_heartbeat_failed_get_host(event);
    int64_t timeout_us = (int64_t)(intptr_t)mongoc_apm_server_heartbeat_failed_get_context(event) * 1000;
    struct addrinfo *addresses = NULL, hints = {.ai_socktype = SOCK_STREAM};
    char port[8];
    /* any other failure has ended its connections by itself */
    if (mongoc_apm_server_heartbeat_failed_get_duration(event) < timeout_us || host->family == AF_UNIX)
        return;
    snprintf(port, sizeof port, "%u", host->port);
    if (getaddrinfo(host->host, port, &hints, &addresses) != 0) return;
    int64_t count = shut_connections(addresses);
    freeaddrinfo(addresses);
    if (count)
        log_warn("MongoDB does not answer: its connections are closed",
                 LOG_STR("server", host->host_and_port), LOG_INT("timeoutMs", timeout_us / 1000),
                 LOG_INT("connections", count));
}

void silence_watch(mongoc_client_pool_t *pool, int32_t connect_timeout_ms)
{
    mongoc_apm_callbacks_t *callbacks = mongoc_apm_callbacks_new();
    mongoc_apm_set_server_heartbeat_failed_cb(callbacks, heartbeat_failed);
    mongoc_client_pool_set_apm_callbacks(pool, callbacks, (void *)(intptr_t)connect_timeout_ms);
    mongoc_apm_callbacks_destroy(callbacks);
}
