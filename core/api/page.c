/* page.c - serves the dashboard's files: to anybody, since they hold nothing but the page. */
#include "api/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/encode.h"

/* The page takes scripts, styles and pictures from here alone, none of them inline, and is shown in no frame.
 */
#define PAGE_POLICY                                                                                          \
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

static const struct page_file *find(const struct call *call)
{
    const char *name = call->segment_count == 0   ? "index.html"
                       : call->segment_count == 1 ? call->segments[0]
                                                  : "";
    for (size_t i = 0; i < page_file_count; i++)
        if (strcmp(page_files[i].name, name) == 0) return &page_files[i];
    return NULL;
}

static void answer_page(struct call *call)
{
    const struct page_file *file = find(call);
    bool small = encode_accepts_gzip(call);
    size_t bytes = small ? file->gzip_bytes : file->bytes;
    char tag[48];
    snprintf(tag, sizeof tag, "\"%s%s\"", file->tag, small ? "-gzip" : "");
    call_answer_header(call, "ETag", tag);
    call_answer_header(call, "Vary",
                       call_answers(call, "Vary") ? "Origin, Accept-Encoding" : "Accept-Encoding");
    call_answer_header(call, "Cache-Control", "no-cache"); /* to be kept, and asked for each time */
    call_answer_header(call, "Content-Security-Policy", PAGE_POLICY);
    if (encode_has_tag(call, tag)) {
        call_text(call, 304, file->type, NULL, 0);
        return;
    }
    char *copy = malloc(bytes + 1);
    if (copy) memcpy(copy, small ? file->gzip : file->data, bytes);
    if (small) call_answer_header(call, "Content-Encoding", "gzip");
    call_text(call, 200, file->type, copy, bytes);
}

const struct route *page_route(const struct call *call)
{
    static const struct route route = {"GET", "/", ACCESS_OPEN, answer_page};
    return find(call) ? &route : NULL;
}
