/* aliases.c - other names for collections. It holds the server's lock while it reads or changes them. */
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/handlers.h"

static void write_alias(struct buf *out, const struct alias *a, bool *first)
{
    if (!*first) buf_putc(out, ',');
    *first = false;
    buf_puts(out, "{\"alias_name\":");
    json_write_string(out, a->name, strlen(a->name));
    buf_puts(out, ",\"collection_name\":");
    json_write_string(out, a->collection, strlen(a->collection));
    buf_putc(out, '}');
}

static void list(struct call *c, const char *collection)
{
    struct buf *out = call_begin(c);
    bool first = true;

    buf_puts(out, "{\"aliases\":[");
    for (size_t i = 0; i < c->server->alias_count; i++)
        if (!collection || strcmp(c->server->aliases[i].collection, collection) == 0)
            write_alias(out, &c->server->aliases[i], &first);
    buf_puts(out, "]}");
    call_end(c);
}

void aliases_list(struct call *c)
{
    pthread_rwlock_rdlock(&c->server->lock);
    list(c, NULL);
    pthread_rwlock_unlock(&c->server->lock);
}

void aliases_of(struct call *c)
{
    pthread_rwlock_rdlock(&c->server->lock);
    list(c, c->name);
    pthread_rwlock_unlock(&c->server->lock);
}

struct change {
    const char *key;
    const char *first;  /* names of the two members */
    const char *second; /* NULL if there is but one */
};

static const struct change changes[] = {{"create_alias", "collection_name", "alias_name"},
                                        {"delete_alias", "alias_name", NULL},
                                        {"rename_alias", "old_alias_name", "new_alias_name"}};

/* The kind of an action and its names; -1 if it has none of the forms. */
static int read_action(const struct json *v, const char **first, const char **second)
{
    for (int i = 0; i < 3; i++) {
        const struct json *segment = json_get(v, changes[i].key);
        const struct json *a = segment ? json_get(segment, changes[i].first) : NULL;
        const struct json *b = segment && changes[i].second ? json_get(segment, changes[i].second) : NULL;

        if (!a || a->type != JSON_STRING || (changes[i].second && (!b || b->type != JSON_STRING))) continue;
        *first = a->u.string;
        *second = b ? b->u.string : NULL;
        return i;
    }
    return -1;
}

static bool apply(struct call *c, int kind, const char *first, const char *second)
{
    struct server *s = c->server;
    struct alias *a;

    if (kind == 0) {
        if (!server_collection(s, first)) {
            call_error(c, 404, "Not found: Collection `%s` doesn't exist!", first);
        } else if (server_collection(s, second)) {
            call_error(c, 409, "Wrong input: Collection `%s` already exists!", second);
        } else {
            server_set_alias(s, second, first);
        }
        return !c->answered;
    }
    if (kind == 1) {
        server_drop_alias(s, first);
        return true;
    }
    a = server_alias(s, first);
    if (!a) {
        call_error(c, 404, "Not found: Alias %s does not exists!", first);
        return false;
    }
    if (server_collection(s, second)) {
        call_error(c, 409, "Wrong input: Collection `%s` already exists!", second);
        return false;
    }
    server_set_alias(s, second, a->collection);
    if (strcmp(first, second) != 0) server_drop_alias(s, first);
    return true;
}

void aliases_update(struct call *c)
{
    const struct json *actions;

    if (!call_parse(c, READER_EXACT)) return;
    if (c->body.type != JSON_OBJECT)
        reader_mismatch(&c->reader, &c->body, "struct ChangeAliasesOperation");
    else if (reader_need(&c->reader, &c->body, "actions", &actions) && actions->type != JSON_ARRAY)
        reader_mismatch(&c->reader, actions, "a sequence");
    for (uint32_t i = 0; !c->reader.error && i < actions->count; i++) {
        const char *a;
        const char *b;

        if (read_action(&actions->u.items[i], &a, &b) < 0)
            reader_fail(&c->reader, reader_after_element(&c->reader, &actions->u.items[i]),
                        "data did not match any variant of untagged enum AliasOperations");
    }
    if (!call_readable(c) || !call_wait_timeout(c)) return;
    pthread_rwlock_wrlock(&c->server->lock);
    for (uint32_t i = 0; i < actions->count; i++) {
        const char *first;
        const char *second;
        int kind = read_action(&actions->u.items[i], &first, &second);

        if (!apply(c, kind, first, second)) break;
    }
    pthread_rwlock_unlock(&c->server->lock);
    if (!c->answered) call_true(c, true);
}
