/* overview.js - the upper half of the page: health, counts, worker, stream, scan, and problems. */
import { byId, el, keyed, replace, say, timeNode } from './dom.js';
import { STATUSES, collections, go, known, on, place } from './state.js';
import { bytes, clock, duration, number, percent, plural, rate } from './format.js';
import { mark } from './badges.js';
import { cycleText, runWorker } from './actions.js';
import { callSource } from './api.js';
import { busy, confirm, errorText, notice } from './notices.js';

/* ---- counts ---- */

/* Shows the documents of this kind; a second click shows all again. */
function filterBy(collection, status) {
  const same = place('collection') === collection && place('status') === status;
  go({ view: 'documents', page: null, collection: same ? null : collection, status: same ? null : status });
}

function countCell(row, status) {
  const { collection, counts } = row;
  const pressed = row.collection === row.chosen.collection && status === row.chosen.status;
  const what = `${status}${collection ? ` in ${collection}` : ''}`;
  return el('td', { role: 'cell', class: 'number' },
    el('button', {
      type: 'button', class: 'count', 'data-status': status, 'data-zero': String(counts[status] === 0), 'data-focus': status,
      'aria-pressed': String(pressed), 'aria-label': `${number(counts[status])} ${what}: show them`,
      onclick: () => filterBy(collection, status),
    }, number(counts[status])));
}

/* The bar is for the pointer; the numbers beside it are the accessible buttons. */
function bar(row) {
  const out = el('div', { class: 'bar', 'aria-hidden': 'true' });
  for (const status of STATUSES) {
    const n = row.counts[status];
    if (!n) continue;
    const part = el('span', { class: 'part', 'data-status': status, title: `${number(n)} ${status}`, onclick: () => filterBy(row.collection, status) });
    part.style.flexGrow = n;
    out.append(part);
  }
  return el('td', { role: 'cell', class: 'bar-column' }, out);
}

const circuitWords = { open: 'paused', probing: 'trying again' }; // its provider failed too often

function countRow(row) {
  const name = row.collection
    ? el('th', { role: 'rowheader', scope: 'row' }, mark(row.names, row.collection), el('span', { class: 'name', title: row.collection }, row.collection),
      circuitWords[row.circuit] && el('span', { class: 'pill', 'data-state': 'warning', title: row.error }, circuitWords[row.circuit]))
    : el('th', { role: 'rowheader', scope: 'row' }, el('span', { class: 'name' }, 'All together'), el('span', { class: 'muted' }, number(row.total)));
  return el('tr', { role: 'row', 'data-collection': row.collection }, name, bar(row), STATUSES.map(s => countCell(row, s)));
}

function drawCounts() {
  const s = known.status;
  if (!s) { keyed(byId('counts-body'), [], r => r.collection, countRow); return; }
  const chosen = { collection: place('collection'), status: place('status') };
  const names = collections();
  const rows = [{ collection: '', counts: s, total: s.total }, ...names.map(collection => {
    const engine = known.engine?.collections?.[collection];
    return { collection, counts: s.perCollection[collection], circuit: engine?.circuit, error: engine?.error ?? null };
  })].map(r => ({ ...r, names, chosen, counts: Object.fromEntries(STATUSES.map(k => [k, r.counts[k]])) }));
  keyed(byId('counts-body'), rows, r => r.collection, countRow);

  const health = percent(s.synced, s.total);
  replace(byId('health'), el('strong', null, health), ' in sync');
  byId('health').title = `${number(s.synced)} of ${plural(s.total, 'document')} are synced in every collection`;
  byId('health').dataset.state = s.failed ? 'failed' : s.synced < s.total ? 'waiting' : 'good';
  document.title = `${health} - Lockstep`;
}

/* ---- the worker and the stream ---- */

function nextCycle(worker) {
  if (worker.processing) return 'runs now';
  if (worker.state === 'stopped') return 'none: the worker is stopped';
  if (!worker.lastRunAt) return `within ${duration(worker.config.intervalMs)}`;
  return timeNode(Date.parse(worker.lastRunAt) + worker.config.intervalMs, 'until');
}

const modeWords = { stream: 'change stream', poll: 'polling: there are no change streams', off: 'off' };

function streamText(stream) {
  if (stream.mode === 'off') return 'off';
  if (stream.error) return stream.error;
  if (!stream.open) return `${modeWords[stream.mode]}, not open`;
  return modeWords[stream.mode];
}

function workerFacts(worker, engine) {
  const facts = [
    ['Last cycle', worker.lastRunAt ? [timeNode(Date.parse(worker.lastRunAt), 'since'), worker.lastCycleStats ? `, took ${duration(worker.lastCycleStats.duration)}` : ''] : 'none yet'],
    ['', worker.lastCycleStats ? cycleText(worker.lastCycleStats) : null],
    ['Next', nextCycle(worker)],
    ['Interval', duration(worker.config.intervalMs)],
  ];
  if (engine) {
    facts.push(['Stream', streamText(engine.stream)]);
    if (engine.stream.lagMs !== null) facts.push(['Lag', duration(engine.stream.lagMs)]);
    if (engine.oldestUnsyncedSeconds) facts.push(['Oldest change waiting', duration(engine.oldestUnsyncedSeconds * 1000)]);
    if (engine.documentsInWork) facts.push(['In work', `${plural(engine.documentsInWork, 'document')}, ${bytes(engine.bytesInWork)}`]);
    if (engine.phase !== 'run') facts.push(['Phase', engine.leaseHolder ? `${engine.phase}; lease: ${engine.leaseHolder}` : engine.phase]);
  }
  return facts.filter(([, value]) => value !== null);
}

function drawWorker() {
  const worker = known.status?.worker;
  if (!worker) return;
  const pill = byId('worker-state');
  say(pill, worker.state);
  pill.dataset.state = { processing: 'busy', running: 'good', stopped: 'warning' }[worker.state];
  replace(byId('worker'), workerFacts(worker, known.engine).map(([name, value]) => [el('dt', null, name), el('dd', null, value)]));
  drawScan(known.engine?.scan);
}

function drawScan(scan) {
  const running = Boolean(scan?.running);
  byId('scan').hidden = !running;
  if (!running) return;
  const progress = byId('scan-bar');
  const parts = [`${scan.comparing && !known.status.pending ? 'Comparing' : 'Backfill'}: ${number(scan.done)}`];
  if (scan.total) {
    parts[0] += ` of ${number(scan.total)}`;
    progress.max = scan.total;
    progress.value = Math.min(scan.done, scan.total);
  } else {
    progress.removeAttribute('value');
  }
  if (scan.ratePerSecond !== null) parts.push(rate(scan.ratePerSecond));
  if (scan.etaMs !== null) parts.push(`${duration(scan.etaMs)} left`);
  say(byId('scan-text'), parts.join(', '));
}

/* ---- problems ---- */

/* Names are in backquotes; a collection's name links to its documents. */
function withNames(text, collection) {
  return text.split('`').map((part, i) => {
    if (i % 2 === 0) return part;
    if (part !== collection) return el('code', null, part);
    return el('button', { type: 'button', class: 'link', 'data-focus': 'show', onclick: () => go({ view: 'documents', page: null, collection, status: 'failed' }) }, part);
  });
}

function problemItem(p) {
  return el('li', { 'data-severity': p.severity },
    el('span', { class: 'pill', 'data-state': p.severity === 'error' ? 'failed' : 'warning' }, p.severity),
    el('div', null,
      el('p', null, withNames(p.text, p.collection), p.since && el('span', { class: 'muted' }, ` since ${clock(Date.parse(p.since))}`)),
      el('p', { class: 'cure' }, withNames(p.cure, p.collection)),
      p.code === 'DELETES_HELD' && el('button', { type: 'button', 'data-focus': 'allow', onclick: e => busy(e.currentTarget, () => allowDeletes(p)) }, 'Allow deletes')));
}

async function allowDeletes(p) {
  if (!await confirm('Delete these points?', `${p.text.split('`').join('')} Their documents are searched for once more; points without a document are deleted from all collections.`, 'Allow deletes')) return;
  try {
    await callSource('POST', '/api/jobs', { body: { job: 'sync', options: { allowDeletes: true } }, person: true });
    notice('done', 'Deletes are allowed; the job sync was started');
  } catch (e) {
    notice('failed', 'Deletes were not allowed', [errorText(e)]);
  }
}

const noAnswer = {
  severity: 'error', code: 'NO_ANSWER', collection: null, since: null,
  text: 'The daemon does not answer; this page shows its last state.',
  cure: 'Check whether it runs (`systemctl status lockstep`) and what it logged. This page retries by itself.',
};

function drawProblems() {
  const problems = known.away ? [noAnswer, ...known.problems ?? []] : known.problems;
  byId('problems').dataset.state = problems === null ? 'unknown' : problems.length ? 'some' : 'none';
  say(byId('problems-none'), problems === null ? 'Not known yet.' : problems.length ? '' : 'None.');
  keyed(byId('problems-list'), problems ?? [], p => p.id ?? p.code, problemItem);
}

export function startOverview() {
  on('status engine place', drawCounts);
  on('status engine', drawWorker);
  on('problems away', drawProblems);
  byId('run-worker').addEventListener('click', e => busy(e.currentTarget, runWorker));
}
