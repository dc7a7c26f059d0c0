/* watermark.c - a doubly linked list of marks, the oldest at the head; a released mark is folded into its
 * successor. */
#include "engine/watermark.h"

#include <stdlib.h>

void watermark_init(struct watermark *w, void (*free_position)(void *))
{
    *w = (struct watermark){.free_position = free_position};
}

void watermark_fini(struct watermark *w)
{
    for (struct mark *m = w->head, *next; m; m = next) {
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

static struct mark *append(struct watermark *w, void *position, int holds)
{
    struct mark *m = malloc(sizeof *m);
    if (!m) {
        w->free_position(position);
        return NULL;
    }
    *m = (struct mark){.prev = w->tail, .of = w, .position = position, .holds = holds};
    if (w->tail)
        w->tail->next = m;
    else
        w->head = m;
    w->tail = m;
    return m;
}

static void unlink_mark(struct mark *m)
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

struct mark *watermark_hold(struct watermark *w, void *position)
{
    return append(w, position, 1);
}

void watermark_retract(struct mark *mark)
{
    mark->of->free_position(mark->position);
    unlink_mark(mark);
}

void watermark_pass(struct watermark *w, void *position)
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

void watermark_retain(struct mark *mark)
{
    mark->holds++;
}

void watermark_release(struct mark *mark)
{
    struct watermark *w = mark->of;
    if (--mark->holds > 0) return;
    if (mark->prev && mark->prev->holds == 0) {
        w->free_position(mark->prev->position);
        unlink_mark(mark->prev);
    }
    if (mark->next && mark->next->holds == 0) {
        struct mark *next = mark->next;
        w->free_position(mark->position);
        unlink_mark(mark);
        mark = next;
    }
    if (mark == w->head) {
        make_safe(w, mark->position);
        unlink_mark(mark);
    }
}

bool watermark_idle(const struct watermark *w)
{
    return w->head == NULL;
}
