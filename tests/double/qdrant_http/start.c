/* start.c - see start.h. */
#include "qdrant_http/start.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

bool start_number(const char *text, long least, long most, long *out)
{
    char *end;

    *out = strtol(text, &end, 10);
    return end != text && !*end && *out >= least && *out <= most;
}

int start_serving(const struct http_service *service, struct faults *faults, uint16_t *port)
{
    struct http *http;
    sigset_t signals;
    int caught;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread, so that only sigwait hears them */
    http = http_open(port, service);
    if (!http) return 1;
    printf("listening on 127.0.0.1:%u\n", *port);
    fflush(stdout);
    sigwait(&signals, &caught);
    faults_stop(faults);
    http_close(http);
    return 0;
}
