/*
 * real.c - the same tests against real servers: LOCKSTEP_TEST_MONGODB_URI and LOCKSTEP_TEST_QDRANT_URL.
 *
 * A test has a database, and collections with a prefix, of its own there, and takes them away at its end.
 * What needs a knob that only the stand-ins have ends the test there and says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/real.h"

static struct live *current; /* a test has one world at a time */

static void name_ours(struct live *w)
{
    snprintf(w->database, sizeof w->database, "%s", "live");
    if (w->mongod.real) snprintf(w->database, sizeof w->database, "lockstep_live_%d", (int)getpid());
    *w->prefix = '\0';
    if (w->qdrant.real) snprintf(w->prefix, sizeof w->prefix, "lockstep-live-%d-", (int)getpid());
}

void real_choose(struct live *w)
{
    bool kept = w->stand_ins || w->keep_data;
    current = w;
    w->mongod.real = kept || w->standalone ? NULL : getenv("LOCKSTEP_TEST_MONGODB_URI");
    w->qdrant.real =
        kept || w->qdrant_version || w->qdrant_api_key ? NULL : getenv("LOCKSTEP_TEST_QDRANT_URL");
    name_ours(w);
}

_Noreturn void real_skip(const char *what)
{
    printf("# SKIP the rest of %s: %s needs a stand-in, and this is a real server\n", current->test, what);
    fflush(stdout);
    live_close(current);
    exit(EXIT_SUCCESS);
}

/* ---- Qdrant ---- */

const char *real_path(const struct live *w, const struct live_process *server, const char *path, char *out,
                      size_t bytes)
{
    static const char collections[] = "/collections/";
    size_t head = sizeof collections - 1;
    if (!server->real || server != &w->qdrant || strncmp(path, collections, head) != 0) return path;
    if (strncmp(path + head, w->prefix, strlen(w->prefix)) == 0) return path;
    if (strcmp(path + head, "aliases") == 0) real_skip("an alias of its own making");
    snprintf(out, bytes, "%s%s%s", collections, w->prefix, path + head);
    return out;
}

static void drop_collections(struct live *w)
{
    json_t *reply = NULL, *each;
    size_t i;
    char path[300];
    ask(w, &w->qdrant, "GET", "/collections", NULL, &reply);
    json_array_foreach(json_object_get(json_object_get(reply, "result"), "collections"), i, each)
    {
        const char *name = json_string_value(json_object_get(each, "name"));
        if (!name || strncmp(name, w->prefix, strlen(w->prefix)) != 0) continue;
        snprintf(path, sizeof path, "/collections/%s", name);
        ask(w, &w->qdrant, "DELETE", path, NULL, NULL);
    }
    json_decref(reply);
}

void real_clean(struct live *w)
{
    if (w->qdrant.real && w->http) drop_collections(w);
    if (!w->mongod.real || !w->client) return;
    mongoc_database_t *database = mongoc_client_get_database(w->client, w->database);
    mongoc_database_drop(database, NULL);
    mongoc_database_destroy(database);
}
