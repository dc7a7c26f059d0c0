/* recipes: answers "What can I cook with X?" for a collection of recipes. */
#include <lockstep/plugin.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What the INI section can say; one of these per [collection:NAME]. */
struct recipes {
    const char *greeting;
    int64_t max_minutes;
    bool drafts;
};

static lks_verdict text(struct lks_call *call, void *self)
{
    const struct recipes *options = self;
    const struct lks_host *host = call->host;

    if (!*host->string(call, "title")) return LKS_SKIP;
    if (!options->drafts && strcmp(host->string(call, "state"), "draft") == 0) return LKS_SKIP;
    host->write(call, options->greeting, strlen(options->greeting));
    host->weighted(call);
    host->sentence(call, "Made of {ingredients.name| and }");
    return LKS_OK;
}

/* The sum of all steps, which no field has. */
static lks_verdict payload_more(struct lks_call *call, void *self)
{
    const struct recipes *options = self;
    int64_t total = 0;

    for (const char *const *minutes = call->host->strings(call, "steps.minutes"); *minutes; minutes++)
        total += strtoll(*minutes, NULL, 10);
    if (total > options->max_minutes) {
        call->host->why(call, "the steps take %lld minutes, more than %lld", (long long)total,
                        (long long)options->max_minutes);
        return LKS_REJECT;
    }
    call->host->put(call, "minutes", &(bson_value_t){.value_type = BSON_TYPE_INT64, .value.v_int64 = total});
    return LKS_OK;
}

const struct lks_plugin lks_plugin = {
    LKS_PLUGIN_ABI,
    .name = "recipes",
    .version = "1",
    .summary = "what can be cooked: titles and ingredients",
    .watched = LKS_LIST("title 3", "ingredients.name", "state 0"),
    .payload = LKS_LIST("title", "photo as image", "country"),
    .reads = LKS_LIST("steps"),
    .options =
        LKS_OPTIONS({"greeting", LKS_STRING, offsetof(struct recipes, greeting), "Recipe:", NULL,
                     "What each text begins with."},
                    {"max_minutes", LKS_INT, offsetof(struct recipes, max_minutes), "600", "1..10000",
                     "Recipes that take longer are refused."},
                    {"drafts", LKS_BOOL, offsetof(struct recipes, drafts), "no", NULL, "Take drafts, too."}),
    .self_size = sizeof(struct recipes),
    .text = text,
    .payload_more = payload_more,
};
