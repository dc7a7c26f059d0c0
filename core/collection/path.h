/*
 * path.h - dotted paths into documents: what they reach, and which changes they notice.
 *
 * "a.b" is the member `b` of `a`; where `a` is an array, that of each document in it; "a.0" is the first
 * element of an array (or the member "0" of a document). Names that contain dots can't be reached.
 */
#ifndef LOCKSTEP_COLLECTION_PATH_H
#define LOCKSTEP_COLLECTION_PATH_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>

/* Levels of arrays and documents that are looked into; MongoDB takes 100. */
#define PATH_MAX_DEPTH 128

/* NULL if `path` can be one, else what is wrong with it, for a person ("has an empty part"). Static storage.
 */
const char *path_problem(const char *path);

/* Length of the first component. */
size_t path_head(const char *path);

/* False ends the walk. */
typedef bool (*path_visit)(void *context, const bson_iter_t *value);

/*
 * Calls `visit` for each value that `rest` (NULL: the value itself) reaches from the value `iter` stands on,
 * in order. *spread is set if an array was passed on the way, so that there may be several. False if a visit
 * was.
 */
bool path_each(const bson_iter_t *iter, const char *rest, bool *spread, path_visit visit, void *context);

/*
 * May a change of `changed` (a key as change events have them: dotted, with array indexes) change what `path`
 * reaches? True also where that can't be determined.
 */
bool path_resynced(const char *path, const char *changed);

/*
 * Appends to `to` the part of the document at `iter` (an iterator before its first member) that `paths`
 * reach: whole members where a path ends, only the branches on the way otherwise. The order of members is
 * kept.
 */
bool path_project(bson_iter_t *iter, const char *const *paths, size_t count, bson_t *to);

/*
 * Appends to `to`, under the name `iter` stands on, what `rests` (each after that name) reach of its value,
 * as it lies in the document: objects stay objects, an array keeps those of its elements that are reached.
 * Appends nothing where nothing is reached. False when memory is out. Pure.
 */
bool path_nest(const bson_iter_t *iter, const char *const *rests, size_t count, bson_t *to);

#endif
