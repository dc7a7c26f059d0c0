/* provider.c - which provider goes with a setting. */
#include "embed/provider.h"

const struct provider *provider_of(enum embed_provider provider)
{
    switch (provider) {
    case EMBED_OPENAI:
        return &provider_openai;
    case EMBED_OLLAMA:
        return &provider_ollama;
    case EMBED_TEI:
        return &provider_tei;
    case EMBED_WORDS:
    case EMBED_HASH:
        break;
    }
    return NULL;
}
