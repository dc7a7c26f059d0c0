/* interface.c - answers "Desktop tools" from how a tool is used, what it costs and how it stands. */
#include <lockstep/plugin.h>

#include "catalogue.h"

const struct lks_plugin lks_plugin = {
    LKS_PLUGIN_ABI,
    .name = "interface",
    .version = "1",
    .summary = "how a tool is used: interfaces, pricing model, status",
    .watched = LKS_LIST("interface 2", "pricingModel 1.5", "status 1"),
    .sentences = LKS_LIST("Available interfaces: {interface}", "Pricing model: {pricingModel}",
                          "Current status: {status}"),
    .payload = CATALOGUE_PAYLOAD,
};
