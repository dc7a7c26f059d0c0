/* fields.c - a collection declared in the INI file alone (watched, sentences, payload). It adds nothing of
 * its own. */
#include <lockstep/plugin.h>

const struct lks_plugin lks_plugin = {
    LKS_PLUGIN_ABI,
    .name = "fields",
    .version = "1",
    .summary = "declared in the configuration: watched, sentences, payload",
};
