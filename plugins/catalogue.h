/* catalogue.h - what the four collections of the tools catalogue share: the payload that every point carries.
 */
#ifndef LOCKSTEP_PLUGINS_CATALOGUE_H
#define LOCKSTEP_PLUGINS_CATALOGUE_H

#define CATALOGUE_PAYLOAD                                                                                    \
    LKS_LIST("id as toolId", "name", "slug", "categories", "functionality", "interface", "industries",       \
             "userTypes", "deployment", "pricingModel", "status", "pricing", "pricingUrl", "website",        \
             "documentation", "logoUrl")

#endif
