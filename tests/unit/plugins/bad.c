/* bad.c - a plugin with one thing wrong, chosen by a macro; each is built under the name it would need. */
#include <lockstep/plugin.h>

#ifndef NAME
#define NAME "bad_magic"
#endif

#if defined BAD_UNDEFINED
const char *nobody_defines_this(void);

static lks_verdict text(struct lks_call *call, void *self)
{
    (void)self;
    call->host->write(call, nobody_defines_this(), 1);
    return LKS_OK;
}
#endif

#if defined BAD_OPTIONS
struct options {
    int64_t number;
    const char *text;
};
#endif

#if defined BAD_SYMBOL
extern const struct lks_plugin lks_plugin_misspelt;
const struct lks_plugin lks_plugin_misspelt = {
#else
const struct lks_plugin lks_plugin = {
#endif
#if defined BAD_MAGIC
    .magic = 0x12345678,
#elif defined BAD_MAJOR
    .magic = LKS_MAGIC,
    .size = sizeof(struct lks_plugin),
    .abi_major = LKS_ABI_MAJOR + 1,
    .bson_major = BSON_MAJOR_VERSION,
#elif defined BAD_MINOR
.magic = LKS_MAGIC, .size = sizeof(struct lks_plugin) + 8, .abi_major = LKS_ABI_MAJOR,
                    .abi_minor = LKS_ABI_MINOR + 1, .bson_major = BSON_MAJOR_VERSION,
#elif defined BAD_BSON
.magic = LKS_MAGIC, .size = sizeof(struct lks_plugin), .abi_major = LKS_ABI_MAJOR, .abi_minor = LKS_ABI_MINOR,
                    .bson_major = BSON_MAJOR_VERSION + 1,
#elif defined BAD_SIZE
.magic = LKS_MAGIC, .size = 20, .abi_major = LKS_ABI_MAJOR, .bson_major = BSON_MAJOR_VERSION,
#elif defined OLD_SIZE
/* as built when there was nothing after `payload`: the rest must not be read */
.magic = LKS_MAGIC, .size = offsetof(struct lks_plugin, reads), .abi_major = LKS_ABI_MAJOR,
                    .bson_major = BSON_MAJOR_VERSION, .flags = 0xffff,
#else
LKS_PLUGIN_ABI,
#endif
#if defined BAD_NAME
    .name = "another",
#else
    .name = NAME,
#endif
#if !defined BAD_VERSION
    .version = "1",
    .summary = "for tests",
#endif
    .watched = LKS_LIST("name 2"),
#if defined BAD_FLAGS
    .flags = 0x80,
#endif
#if defined BAD_UNDEFINED
    .text = text,
#endif
#if defined BAD_OPTIONS
    .options = LKS_OPTIONS({"Upper", LKS_INT, offsetof(struct options, number), "1", NULL, NULL},
                           {"watched", LKS_INT, offsetof(struct options, number), "1", NULL, NULL},
                           {"twice", LKS_INT, offsetof(struct options, number), "1", NULL, NULL},
                           {"twice", LKS_INT, offsetof(struct options, number), "1", NULL, NULL},
                           {"outside", LKS_INT, sizeof(struct options), "1", NULL, NULL},
                           {"misaligned", LKS_INT, 4, "1", NULL, NULL},
                           {"typeless", (lks_type)99, 0, "1", NULL, NULL},
                           {"bad_default", LKS_INT, offsetof(struct options, number), "many", NULL, NULL},
                           {"out_of_range", LKS_INT, offsetof(struct options, number), "11", "1..10", NULL},
                           {"no_range", LKS_INT, offsetof(struct options, number), "1", "one to ten", NULL},
                           {"no_word", LKS_STRING, offsetof(struct options, text), "c", "a|b", NULL}),
    .self_size = sizeof(struct options),
#endif
};
