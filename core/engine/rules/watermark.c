/* watermark.c - a doubly linked list of marks, the oldest at the head; a released mark is folded into its
 * successor. */
#include "engine/rules/watermark.h"

#include <stdlib.h>

void watermark_init(struct watermark *w, void (*free_position)(void *))
{
    *w = (struct watermark){.free_position = free_position};
}

void watermark_fini(struct watermark *w)
{
    for (struct watermark_entry *m = w->head, *next; m; m = next) {
        next = m->next;
        w->free_position(m->position);
        free(m);
    }
    if (w->safe) w->free_position(w->safe);
    watermark_init(w, w->free_position);
}

static void make_safe(struct watermark *w, void *position)
{
    if (w->safe) w->free_position(w->safe);
    w->safe = position;
    w->moved = true;
}

static struct watermark_entry *append(struct watermark *w, void *position, int holds)
{
    struct watermark_entry *m = malloc(sizeof *m);
    if (!m) {
        w->free_position(position);
        return NULL;
    }
    *m = (struct watermark_entry){.prev = w->tail, .of = w, .position = position, .holds = holds};
    if (w->tail)
        w->tail->next = m;
    else
        w->head = m;
    w->tail = m;
    return m;
}

static void unlink_entry(struct watermark_entry *m)
{
    struct watermark *w = m->of;
    if (m->prev)
        m->prev->next = m->next;
    else
        w->head = m->next;
    if (m->next)
        m->next->prev = m->prev;
    else
        w->tail = m->prev;
    free(m);
}

struct watermark_entry *watermark_hold(struct watermark *w, void *position)
{
    return append(w, position, 1);
}

void watermark_retract(struct watermark_entry *entry)
{
    entry->of->free_position(entry->position);
    unlink_entry(entry);
}

void watermark_advance(struct watermark *w, void *position)
{
    if (!w->head) {
        make_safe(w, position);
    } else if (w->tail->holds == 0) {
        w->free_position(w->tail->position);
        w->tail->position = position;
    } else {
        append(w, position,
               0); /* when memory is out the position is dropped: the saved one lags, which is safe */
    }
}

void watermark_retain(struct watermark_entry *entry)
{
    entry->holds++;
}

void watermark_release(struct watermark_entry *entry)
{
    struct watermark *w = entry->of;
    if (--entry->holds > 0) return;
    if (entry->prev && entry->prev->holds == 0) {
        w->free_position(entry->prev->position);
        unlink_entry(entry->prev);
    }
    if (entry->next && entry->next->holds == 0) {
        struct watermark_entry *next = entry->next;
        w->free_position(entry->position);
        unlink_entry(entry);
        entry = next;
    }
    if (entry == w->head) {
        make_safe(w, entry->position);
        unlink_entry(entry);
    }
}

bool watermark_idle(const struct watermark *w)
{
    return w->head == NULL;
}
