/* usecases.c - answers "Tools for X industry" from whom a tool is made for and where it runs. */
#include <lockstep/plugin.h>

#include "catalogue.h"

const struct lks_plugin lks_plugin = {
    LKS_PLUGIN_ABI,
    .name = "usecases",
    .version = "1",
    .summary = "whom a tool is for: industries, users, deployment",
    .watched = LKS_LIST("industries 2", "userTypes 2", "deployment 1.5"),
    .sentences = LKS_LIST("Designed for {userTypes| and } in {industries} industries",
                          "Deployment options: {deployment}"),
    .payload = CATALOGUE_PAYLOAD,
};
