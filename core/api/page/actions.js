/* actions.js - the actions: each asks for confirmation if it costs something, shows its progress, and reports its result. */
import { call, callSource, pathOf } from './api.js';
import { known, publish } from './state.js';
import { confirm, errorText, notice } from './notices.js';
import { duration, number, plural } from './format.js';

export const MOST_AT_ONCE = 50; // the limit of one batch call
const PART = 10;                // documents per request, so that progress is visible

/* The result of one document, as lines. */
function outcomeLines(result) {
  const right = [], written = [], lines = [];
  if (result.error) lines.push(`${result.error}${result.errorCode ? ` (${result.errorCode})` : ''}`);
  for (const c of result.collections ?? []) {
    if (!c.success) lines.push(`${c.collection} failed: ${c.error} (${c.errorCode})`);
    else if (c.skipped) right.push(c.collection);
    else written.push(`${c.collection} (${duration(c.duration)})`);
  }
  if (written.length) lines.push(`Written: ${written.join(', ')}.`);
  if (right.length) lines.push(`Right already: ${right.join(', ')}.`);
  return lines;
}

function outcomeTitle(name, result) {
  if (result.success) return (result.collections ?? []).every(c => c.skipped) ? `${name}: nothing to do` : `${name} is in sync`;
  const failed = (result.collections ?? []).filter(c => !c.success).length;
  return failed ? `${name}: ${plural(failed, 'collection')} failed` : `${name} could not be synced`;
}

/* Shows a busy notice, then the result. `work` gets the notice and returns [title, lines, kind]. */
async function shown(title, work) {
  const message = notice('busy', title);
  try {
    const [done, lines = [], kind = 'done'] = await work(message);
    message.update(kind, done, lines);
  } catch (e) {
    message.update('failed', `Not done: ${title.replace(/…$/, '')}`, [errorText(e)]);
  }
  publish('acted');
}

/** Sync Now of one document: at once, whatever its backoff says. `options`: collections, force. */
export function syncOne(doc, options = {}) {
  return shown(`Syncing ${doc.name}…`, async () => {
    const result = await call('POST', pathOf(known.source, doc.ref, 'retry'), { body: options, person: true });
    return [outcomeTitle(doc.name, result), outcomeLines(result), result.success ? 'done' : 'failed'];
  });
}

export async function embedAgain(doc) {
  const yes = await confirm(`Embed ${doc.name} again?`,
    'Every collection embeds it again, even if nothing has changed. The embedder may bill for it.', 'Embed again');
  if (yes) await syncOne(doc, { force: true });
}

export async function resetOne(doc) {
  const yes = await confirm(`Reset ${doc.name}?`,
    'Its errors, retry counts and waits are discarded. Every collection makes vector and point again, even if nothing has changed. The embedder may bill for it.', 'Reset');
  if (!yes) return;
  await shown(`Resetting ${doc.name}…`, async () => {
    const answer = await call('POST', `/api/sync/reset/${encodeURIComponent(doc.ref)}`, { query: { source: known.source }, person: true });
    return [`${doc.name} was reset`, [answer.message]];
  });
}

/** Sync Now of several; true if it was done. */
export async function syncSeveral(docs) {
  const what = plural(docs.length, 'document');
  const yes = await confirm(`Sync ${what} now?`,
    'They are synced at once, without waiting for their next retry. Changed texts are embedded; the embedder may bill for it.', `Sync ${what}`);
  if (!yes) return false;
  await shown(`Syncing ${what}…`, async message => {
    const results = [];
    for (let at = 0; at < docs.length; at += PART) {
      if (at) message.update('busy', `Syncing ${what}: ${number(at)} done…`);
      const part = docs.slice(at, at + PART);
      const answer = await callSource('POST', '/api/sync/batch', { body: { toolIds: part.map(d => d.ref) }, person: true });
      answer.results.forEach((r, i) => results.push({ ...r, name: part[i].name })); // in the order they were named

    }
    const bad = results.filter(r => !r.success);
    const skipped = results.filter(r => r.success && r.collections.every(c => c.skipped)).length;
    const lines = skipped ? [`${plural(skipped, 'document')} ${skipped === 1 ? 'was' : 'were'} right already.`] : [];
    for (const r of bad.slice(0, 5)) lines.push(`${r.name}: ${outcomeLines(r)[0] ?? 'not done'}`);
    if (bad.length > 5) lines.push(`and ${plural(bad.length - 5, 'other')}`);
    return [bad.length ? `${number(results.length - bad.length)} of ${what} in sync, ${number(bad.length)} failed` : `${what} in sync`,
      lines, bad.length ? 'failed' : 'done'];
  });
  return true;
}

export async function syncAllPending() {
  const s = known.status;
  const waiting = s ? s.pending + s.stale + s.failed : null;
  const yes = await confirm('Sync all documents that are not in sync?',
    `${waiting === null ? 'All pending, stale and failed documents' : plural(waiting, 'pending, stale or failed document')
    } are tried at once, and retry counts of failed ones start again. Changed texts are embedded; the embedder may bill for it.`, 'Sync all pending');
  if (!yes) return;
  await shown('Requesting a sync of all pending documents…', async () => {
    const answer = await callSource('POST', '/api/sync/all-pending', { person: true });
    return [`${plural(answer.queued, 'document')} queued`, [answer.message]];
  });
}

export function runWorker() {
  return shown('A worker cycle runs…', async () => {
    const { stats } = await callSource('POST', '/api/sync/worker/run', { person: true });
    return [`Worker cycle done in ${duration(stats.duration)}`, [cycleText(stats)], stats.failed ? 'failed' : 'done'];
  });
}

/** What a cycle did. */
export function cycleText(stats) {
  if (!stats.processed) return 'No document was due.';
  const parts = [`${number(stats.successful)} in sync`];
  if (stats.failed) parts.push(`${number(stats.failed)} failed`);
  if (stats.skipped) parts.push(`${number(stats.skipped)} right already`);
  return `${number(stats.processed)} tried: ${parts.join(', ')}.`;
}
