/*
 * make_page.c - prints the dashboard's files as a table in C: `make_page FILE...`. Run while the program is
 * built, never installed. Owns nothing that lasts; the same files give the same text.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/hash.h"

static const char *const types[][2] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".txt", "text/plain; charset=utf-8"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
};

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcmp(dot, types[i][0]) == 0) return types[i][1];
    return NULL;
}

static bool read_file(const char *path, struct buf *out)
{
    char chunk[8192];
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;) buf_put(out, chunk, got);
    bool good = !ferror(file) && !out->failed;
    (void)fclose(file);
    return good;
}

static bool compress_file(const struct buf *in, struct buf *out)
{
    z_stream z = {.next_in = (unsigned char *)in->data, .avail_in = (uInt)in->bytes};
    if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) return false;
    size_t most = deflateBound(&z, in->bytes);
    bool good = buf_reserve(out, most);
    if (good) {
        z.next_out = (unsigned char *)out->data;
        z.avail_out = (uInt)most;
        good = deflate(&z, Z_FINISH) == Z_STREAM_END;
        out->bytes = z.total_out;
    }
    deflateEnd(&z);
    return good;
}

static void print_bytes(const char *name, int number, const struct buf *b)
{
    printf("static const unsigned char %s_%d[] = {", name, number);
    for (size_t i = 0; i < b->bytes; i++) printf("%s%u,", i % 24 ? "" : "\n    ", (unsigned char)b->data[i]);
    puts("0};");
}

/* Its bytes as arrays, and its line of the table in `table`. */
static bool print_file(const char *path, int number, struct buf *table)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *type = type_of(name);
    struct buf data, small;
    char tag[SHA256_HEX_BYTES];
    buf_init(&data, 0);
    buf_init(&small, 0);
    bool good = type && read_file(path, &data) && data.bytes > 0 && compress_file(&data, &small) &&
                hash_sha256_hex(&(struct hash_span){data.data, data.bytes}, 1, tag);
    if (good) {
        print_bytes("data", number, &data);
        print_bytes("gzip", number, &small);
        buf_printf(table, "    {\"%s\", \"%s\", \"%.16s\", data_%d, gzip_%d, %zu, %zu},\n", name, type, tag,
                   number, number, data.bytes, small.bytes);
    } else {
        (void)fprintf(stderr, "make_page: %s: %s\n", path,
                      type ? "can't be read, or is empty"
                           : "no content type is known for the ending of its name");
    }
    buf_fini(&data);
    buf_fini(&small);
    return good;
}

int main(int argc, char **argv)
{
    struct buf table;
    bool good = argc > 1;
    buf_init(&table, 0);
    puts("/* Made by make_page.c; not to be edited. */\n#include \"api/page.h\"\n");
    for (int i = 1; i < argc; i++) good &= print_file(argv[i], i, &table);
    printf("\nconst struct page_file page_files[] = {\n%s};\n", table.data ? table.data : "");
    puts("const size_t page_file_count = sizeof page_files / sizeof *page_files;");
    good &= !table.failed && fflush(stdout) == 0 && !ferror(stdout);
    buf_fini(&table);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
