/*
 * bench_embed.c - how fast the built-in embedders are, and how much memory they take.
 *
 * `bench_embed [SECONDS]` prints, for words and for hash, texts a second on one core: the pure computation,
 * and through the port as the engine uses it. For a person to read; nothing is judged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/queue.h"
#include "embed/embed.h"
#include "embed/hash_vector.h"
#include "embed/words.h"

static const char *const texts[] = {
    "Figma Figma Figma Design together Design together Made for teams",
    "An open source relational database with a long record of reliability",
    "make pictures from words",
    "Designed for developers and designers in software, media industries Deployment options: Cloud",
    "help desk for a small shop",
    "Continuous integration that runs your tests on every commit and shows you what broke",
    "Available interfaces: Web, Desktop, CLI Pricing model: Free, Paid Current status: active",
    "Send transactional e-mail through a simple API",
};
#define TEXT_COUNT (sizeof texts / sizeof texts[0])

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long resident_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    if (file) (void)fclose(file);
    return pages * 4;
}

static void pure(const char *name, const struct words *words, double seconds)
{
    float vector[4096];
    size_t done = 0;
    double begin = now(), end = begin;
    while (end - begin < seconds) {
        for (size_t k = 0; k < 1000; k++, done++) {
            const char *text = texts[done % TEXT_COUNT];
            if (words)
                words_embed(words, text, strlen(text), vector);
            else
                hash_embed(text, strlen(text), vector, 384);
        }
        end = now();
    }
    (void)printf("%-6s computed          %9.0f texts/s\n", name, (double)done / (end - begin));
}

static void come_back(void *self, struct req *req)
{
    queue_push(self, req);
}

static struct req *ask(size_t embedder)
{
    enum { COUNT = 64 };
    struct req *req = req_new(REQ_EMBED, NULL);
    if (!req) return NULL;
    req->embed.embedder = embedder;
    req->embed.count = COUNT;
    req->embed.texts = calloc(COUNT, sizeof *req->embed.texts);
    size_t *bytes = calloc(COUNT, sizeof *bytes);
    for (size_t i = 0; req->embed.texts && bytes && i < COUNT; i++) {
        req->embed.texts[i] = texts[i % TEXT_COUNT];
        bytes[i] = strlen(texts[i % TEXT_COUNT]);
    }
    req->embed.text_bytes = bytes;
    return req;
}

static void through_port(const char *name, struct embedders *embedders, size_t embedder, struct queue *inbox,
                         double seconds)
{
    struct port port = embed_port(embedders);
    size_t done = 0;
    double begin = now(), end = begin;
    for (int i = 0; i < 8; i++) port.submit(port.self, ask(embedder));
    while (end - begin < seconds) {
        struct req *req = queue_take(inbox, -1);
        done += req->embed.count;
        req_free(req);
        port.submit(port.self, ask(embedder));
        end = now();
    }
    for (int i = 0; i < 8; i++) req_free(queue_take(inbox, -1));
    (void)printf("%-6s through the port  %9.0f texts/s\n", name, (double)done / (end - begin));
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    const char *top = getenv("top_srcdir");
    char path[1000];
    (void)snprintf(path, sizeof path, "%s/core/embed/words.vec", top ? top : ".");
    struct lks_err err;
    struct words *words = NULL;
    long before = resident_kb();
    double begin = now();
    if (words_open(path, &words, &err) != LKS_E_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    (void)printf("words  opened in %.1f ms, %ld kB resident (most of it the file's own pages)\n",
                 (now() - begin) * 1e3, resident_kb() - before);
    pure("words", words, seconds);
    pure("hash", NULL, seconds);
    words_close(words);

    struct queue inbox;
    struct embedders *embedders = NULL;
    struct embed_config configs[2] = {{.provider = EMBED_WORDS, .path = path},
                                      {.provider = EMBED_HASH, .path = "", .dimensions = 384}};
    for (size_t i = 0; i < 2; i++)
        configs[i].url = configs[i].model = configs[i].query_model = configs[i].document_prefix =
            configs[i].query_prefix = configs[i].api_key = "";
    if (!queue_init(&inbox, offsetof(struct req, next))) return EXIT_FAILURE;
    if (embed_open(configs, 2, NULL, (struct inbox){&inbox, come_back}, &embedders, &err) != LKS_E_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    through_port("words", embedders, 0, &inbox, seconds);
    through_port("hash", embedders, 1, &inbox, seconds);
    embed_close(embedders);
    queue_fini(&inbox);
    return EXIT_SUCCESS;
}
