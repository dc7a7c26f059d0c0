/* page.h - the dashboard's files, which are part of the program. Private to this room. */
#ifndef LOCKSTEP_API_PAGE_H
#define LOCKSTEP_API_PAGE_H

#include "api/call.h"

struct page_file {
    const char *name; /* "index.html" */
    const char *type; /* its content type */
    const char *tag;  /* changes with its contents */
    const unsigned char *data, *gzip;
    size_t bytes, gzip_bytes;
};

/* Made from core/api/page/ by make_page.c. */
extern const struct page_file page_files[];
extern const size_t page_file_count;

/* The way to the file that the path names (`/` is index.html); NULL if there is none. */
const struct route *page_route(const struct call *call);

#endif
