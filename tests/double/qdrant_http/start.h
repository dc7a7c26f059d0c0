/*
 * start.h - what the stand-ins that speak HTTP share at their start: a port that is given, signals that end.
 */
#ifndef DOUBLE_QDRANT_HTTP_START_H
#define DOUBLE_QDRANT_HTTP_START_H

#include "qdrant_http/faults.h"
#include "qdrant_http/http.h"

/* An option's number; false if it is none, or out of bounds. */
bool start_number(const char *text, long least, long most, long *out);
/* Serves on this port (0: a free one, which is put there), says which on standard output, and ends, waking
 * what the faults hold up, at SIGINT or SIGTERM. The exit status. */
int start_serving(const struct http_service *service, struct faults *faults, uint16_t *port);

#endif
