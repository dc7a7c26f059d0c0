/* match_text.c - a filter as the server's planner prints it in its complaints. Pure. */
#include "match.h"
#include "text.h"

static void line(struct buf *out, const struct match *m, int level);

static void kids(struct buf *out, const struct match *m, const char *name, int level)
{
    buf_printf(out, "%s\n", name);
    for (size_t i = 0; i < m->kid_count; i++) line(out, m->kids[i], level + 1);
}

static void leaf(struct buf *out, const struct match *m)
{
    static const char *const names[] = {
        [M_EQ] = "$eq", [M_LT] = "$lt", [M_LTE] = "$lte", [M_GT] = "$gt", [M_GTE] = "$gte"};
    switch (m->op) {
    case M_EQ:
    case M_LT:
    case M_LTE:
    case M_GT:
    case M_GTE:
        buf_printf(out, " %s ", names[m->op]);
        text_val(out, m->arg, TEXT_BSON);
        break;
    case M_IN:
        buf_puts(out, " $in [ ");
        for (size_t i = 0; i < m->list_count; i++) {
            text_val(out, m->list[i], TEXT_BSON);
            buf_putc(out, ' ');
        }
        buf_putc(out, ']');
        break;
    case M_EXISTS:
        buf_puts(out, " exists");
        break;
    case M_SIZE:
        buf_printf(out, " $size : %lld", (long long)m->divisor);
        break;
    case M_MOD:
        buf_printf(out, " mod %lld %% x == %lld", (long long)m->divisor, (long long)m->remainder);
        break;
    default:
        buf_puts(out, " ...");
    }
    buf_putc(out, '\n');
}

static void line(struct buf *out, const struct match *m, int level)
{
    for (int i = 0; i < level; i++) buf_puts(out, "    ");
    switch (m->op) {
    case M_AND:
        kids(out, m, "$and", level);
        break;
    case M_OR:
        kids(out, m, "$or", level);
        break;
    case M_NOR:
        kids(out, m, "$nor", level);
        break;
    case M_NOT:
        kids(out, m, "$not", level);
        break;
    case M_EXPR:
        buf_puts(out, "$expr ...\n");
        break;
    case M_TRUE:
    case M_FALSE:
        buf_puts(out, m->op == M_TRUE ? "$alwaysTrue: 1\n" : "$alwaysFalse: 1\n");
        break;
    default:
        buf_puts(out, m->path ? m->path->text : "");
        leaf(out, m);
    }
}

char *match_text(struct pool *a, const struct match *m)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    line(&b, m, 0);
    char *text = pool_strndup(a, b.data ? b.data : "", b.bytes);
    buf_fini(&b);
    return text;
}
