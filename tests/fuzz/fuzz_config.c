/*
 * fuzz_config.c - any bytes as a configuration file: it is taken as a whole, or every problem is reported in
 * words that can be shown; and what was taken is shown without its secrets, and read again.
 *
 * Seed: etc/lockstep.ini.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include <bson/bson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "fuzz/driver.h"

const char fuzz_name[] = "fuzz_config";
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("[mongodb]\nuri = mongodb://u:p@h:1/d\ndatabase = d\ncollection = c\nwatch = "
              "poll\n[collection:tools]\n"),
    FUZZ_SEED("[mongodb]\ndatabase = d\ncollection = c\n[source:more]\ncollection = m\nid_field = "
              "_id\nmetadata = sidecar\n"
              "[qdrant]\nurl = https://h:6333\napi_key = abcdefghijklmnopqrstuvwxyz\npoint_id = "
              "prefixed-sha1\npoint_id_prefix = p\n"
              "[embedding]\nprovider = openai\nmodel = m\napi_key = abcdefghijklmnopqrstuvwxyz\n"
              "[worker]\ninterval_ms = 1000\njitter = 0.5\n[api]\nlisten = [::1]:4003\ntoken = "
              "t\n[log]\nformat = json\n"
              "[collection:x]\nplugin = fields\nwatched = a 2, b.c,\n  d 1.5\nsentences = \"A {a|, }, b "
              "{b}\"\npayload = e as f\n"
              "embedding.provider = hash\nembedding.dimensions = 64\nsource = more\nenabled = no\n"),
    {NULL, 0},
};

static int memory_file(const void *data, size_t bytes, char *path, size_t path_bytes)
{
    int fd = memfd_create("lockstep.ini", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) abort();
    snprintf(path, path_bytes, "/proc/self/fd/%d", fd);
    return fd;
}

static enum lks_code load(const void *data, size_t bytes, struct config **config)
{
    static char *environment[] = {NULL};
    struct config_problems problems;
    struct lks_err err = {.code = LKS_E_OK};
    char path[40];
    int fd = memory_file(data, bytes, path, sizeof path);
    enum lks_code code = config_load(config, path, environment, 0, &problems, &err);
    for (size_t i = 0; i < problems.count; i++)
        if (!bson_utf8_validate(problems.texts[i], strlen(problems.texts[i]), false)) abort();
    if (code == LKS_E_CONFIG && problems.count == 0) abort(); /* nothing to go by */
    config_problems_fini(&problems);
    close(fd);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct config *config = NULL;
    struct buf shown;
    if (load(data, bytes, &config) != LKS_E_OK) return 0;
    buf_init(&shown, 0);
    config_show(config, &shown);
    if (shown.failed || !bson_utf8_validate(shown.data, shown.bytes, false)) abort();
    for (size_t i = 0; i < config->embedder_count; i++) {
        const char *key = config->embedders[i].api_key;
        if (strlen(key) > 20 && strstr(shown.data, key)) abort();
    }
    buf_fini(&shown);
    config_free(config);
    return 0;
}
