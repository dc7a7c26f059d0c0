/* functionality.c - answers "Tools that do X" from what a tool can do and where it is filed. */
#include <lockstep/plugin.h>

#include "catalogue.h"

const struct lks_plugin lks_plugin = {
    LKS_PLUGIN_ABI,
    .name = "functionality",
    .version = "1",
    .summary = "what a tool does: functionality and categories",
    .watched = LKS_LIST("functionality 2.5", "categories 2"),
    .sentences = LKS_LIST("Features: {functionality}", "Categories: {categories}"),
    .payload = CATALOGUE_PAYLOAD,
};
