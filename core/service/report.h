/* report.h - what long work comes to, in JSON: the same in the command line's --json and in the results of
 * jobs. All of it is new, and NULL without memory. */
#ifndef LOCKSTEP_SERVICE_REPORT_H
#define LOCKSTEP_SERVICE_REPORT_H

#include <jansson.h>

#include "engine/engine.h"
#include "service/forget.h"
#include "service/plan.h"
#include "service/verify.h"

/* Text that need not be UTF-8, or NULL: null. */
json_t *report_text(const char *text);
/* "2026-01-31T12:00:00.000Z"; null for NO_TIME. */
json_t *report_date(int64_t wall_ms);

/* What an engine did since `before` (NULL: since it began): `{documents, collections: {NAME: {embedded,
 * upserted, payloads, deleted, unchanged, failed, waiting, deletesHeld: {withoutDocument, points}}}}`, of a
 * set of collections (0: all). `deletesHeld` is there only where deletes are held. */
json_t *report_work(const char *const *names, const struct engine_snapshot *before,
                    const struct engine_snapshot *after, uint64_t only);
/* The same of an engine on the calling thread, since it began. */
json_t *report_engine(const char *const *names, struct engine *e);
/* How many parts of documents failed or were put aside, by such a report. */
uint64_t report_not_in_sync(const json_t *work);
/* How many points have no document and are not deleted, by such a report: the largest of its collections. */
uint64_t report_held(const json_t *work);
/* `{toolId, success, totalDuration, overallStatus, collections: [...]}` */
json_t *report_resynced(const char *const *names, const char *id, const struct engine_resynced *resynced);
/* The same fields for a document that could not be worked on: `id` as it was named. */
json_t *report_untouched(const char *id, const struct lks_err *err);
/* What a sync would do: `{documents, collections: {NAME: {ACTION: {count, reasons: {REASON: count}},
 * refusals: [{id, error}], doesNotFit}}}`; the last two only where there is something to say. */
json_t *report_plan(const struct compare_source *source, const struct plan *plan);
/* The plain form of an `_id` in canonical Extended JSON; "?" for a text that is none, and for NULL. */
json_t *report_id(const char *doc);
/* `{id, collection, action, reason, error}`; `doc` is the `_id` in canonical Extended JSON; no error where
 * `why` is NULL. */
json_t *report_target(const char *collection, const char *doc, enum plan_action action,
                      enum plan_reason reason, const char *detail);
/* `{documents, points, findings, collections: {NAME: {inStep, refused, KIND...}}, list}`; `list` (may be
 * NULL) is borrowed. */
json_t *report_verify(const struct compare_source *source, const struct verify_report *report, json_t *list);
/* `{kind, collection, id, pointId, detail}` */
json_t *report_finding(const char *collection, const struct verify_finding *finding);
/* `{collection, entries, points, collectionDeleted, pointsOfOthers}` */
json_t *report_forget(const char *name, const struct forget_sum *done);

/* A problem: severity, code, id, collection, since, text, cure. `id` distinguishes it from others of its
 * code. */
struct problem;
json_t *report_problem(const struct problem *p);

#endif
