/*
 * watermark.h - how far a position (a resume token, a place in a scan) may be saved.
 *
 * Positions come in order. Some are held: their effect is not durable yet. The safe position is the last one
 * before which nothing is held. Runs of released positions are folded into one, so memory follows what is
 * held.
 */
#ifndef LOCKSTEP_ENGINE_RULES_WATERMARK_H
#define LOCKSTEP_ENGINE_RULES_WATERMARK_H

#include <stdbool.h>
#include <stddef.h>

struct watermark_entry {
    struct watermark_entry *prev, *next;
    struct watermark *of;
    void *position; /* owned */
    int holds;
};

struct watermark {
    struct watermark_entry *head, *tail;
    void *safe; /* owned; NULL: none yet */
    bool moved; /* `safe` changed since the owner cleared this */
    void (*free_position)(void *position);
};

void watermark_init(struct watermark *w, void (*free_position)(void *));
/* Frees all positions and marks; marks that are still held become invalid. */
void watermark_fini(struct watermark *w);
/* A position whose effect has to be waited for; comes with one hold. Takes `position`; NULL (and position
 * freed) when memory is out. */
struct watermark_entry *watermark_hold(struct watermark *w, void *position);
/* A position with nothing to wait for. Takes it. */
void watermark_advance(struct watermark *w, void *position);
/* One more hold on a mark that is held. */
void watermark_retain(struct watermark_entry *entry);
/* One hold less; with the last one the mark may be gone. */
void watermark_release(struct watermark_entry *entry);
/* Takes the newest mark away again, as if it had never been held: its position is not passed. */
void watermark_retract(struct watermark_entry *entry);
/* Nothing is held. */
bool watermark_idle(const struct watermark *w);

#endif
