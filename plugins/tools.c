/* tools.c - answers "What is X?" from what a tool is called and how it describes itself. */
#include <lockstep/plugin.h>

#include "catalogue.h"

const struct lks_plugin lks_plugin = {
    LKS_PLUGIN_ABI,
    .name = "tools",
    .version = "1",
    .summary = "what a tool is: its name and descriptions",
    .watched = LKS_LIST("name 3", "description 2", "longDescription 1.5", "tagline 1"),
    .payload = CATALOGUE_PAYLOAD,
};
