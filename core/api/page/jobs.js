/* jobs.js - the daemon's jobs: list, progress, stop and start. */
import { byId, el, keyed, say, timeNode } from './dom.js';
import { call, callSource } from './api.js';
import { collections, known, learn, linkTo, on, place } from './state.js';
import { duration, number, plural, rate, short } from './format.js';
import { busy, confirm, errorText, notice, writes } from './notices.js';

const MOST_FINDINGS = 50;
const going = job => job.state === 'queued' || job.state === 'running';
let trouble = null;

/* ---- reading ---- */

async function read() {
  if (place('view') !== 'jobs' || !known.source) return;
  try {
    const answer = await callSource('GET', '/api/jobs');
    trouble = null;
    learn('jobs', answer.jobs);
  } catch (e) {
    trouble = e;
    draw();
  }
}

function heard(job) {
  if (known.jobs) learn('jobs', [job, ...known.jobs.filter(j => j.id !== job.id)].sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt)));
}

/* ---- drawing ---- */

function progressText(job) {
  const p = job.progress ?? {};
  const parts = [];
  if (p.text) parts.push(p.text);
  if (p.done || p.total) parts.push(`${number(p.done)}${p.total ? ` of ${number(p.total)}` : ''}`);
  if (p.ratePerSecond) parts.push(rate(p.ratePerSecond));
  if (p.etaMs) parts.push(`${duration(p.etaMs)} left`);
  return parts.join(', ');
}

/* Counts that are not 0, in words: `3 embedded, 165 unchanged`. */
function countText(counts) {
  return Object.entries(counts).filter(([, v]) => v).map(([k, v]) => (typeof v === 'number' ? `${number(v)} ${words(k)}` : `${words(k)}: ${v}`)).join(', ') || 'nothing';
}
const words = key => key.replace(/[A-Z]/g, c => ` ${c.toLowerCase()}`).replaceAll('-', ' ');

function verifyText({ findings, documents, points }) {
  return `${findings ? plural(findings, 'finding') : 'Nothing'} in ${plural(documents, 'document')} and ${plural(points, 'point')}.`;
}

function countList(text, { collections: each, list }) {
  return [el('p', null, text),
    each && el('ul', { class: 'each' }, Object.entries(each).map(([name, counts]) => el('li', null, `${name}: ${countText(counts)}`))),
    list?.length ? findingList(list) : null];
}

function findingList(list) {
  const shown = list.slice(0, MOST_FINDINGS);
  return el('details', null, el('summary', null, plural(list.length, 'finding')),
    el('ul', null, shown.map(f => el('li', null, `${words(f.kind)} in ${f.collection}: `,
      f.id ? el('a', linkTo({ doc: f.id, at: f.collection }), short(f.id)) : el('code', null, f.pointId), f.detail && `, ${f.detail}`))),
    list.length > shown.length && el('p', { class: 'muted' }, `and ${number(list.length - shown.length)} more`));
}

/* The result: findings, repaired and left ones of a verify; counts by collection of a sync. */
function resultParts(job) {
  const r = job.result;
  if (!r) return null;
  if (job.job === 'verify') {
    return [r.found && countList(verifyText(r.found), r.found), r.repaired && countList('Repaired:', r.repaired),
      r.left && countList(`After the repair: ${verifyText(r.left)}`, r.left),
      r.inStep === true && el('p', { class: 'good' }, 'Everything is in sync.')];
  }
  return countList(`${plural(r.documents ?? 0, 'document')}.`, r);
}

function optionText(options) {
  return Object.entries(options ?? {}).filter(([, v]) => v !== null && v !== false && v !== '')
    .map(([k, v]) => (v === true ? k : `${k} ${Array.isArray(v) ? v.join(', ') : v}`)).join(', ');
}

async function stop(job) {
  if (!await confirm(`Stop ${job.job}?`, 'What is done stays done; the rest is left as it is.', 'Stop')) return;
  try {
    await call('DELETE', `/api/jobs/${encodeURIComponent(job.id)}`, { person: true });
    notice('done', `${job.job} is stopping`);
  } catch (e) {
    notice('failed', `${job.job} was not stopped`, [errorText(e)]);
  }
  read();
}

const states = { queued: 'warning', running: 'busy', done: 'good', failed: 'failed', stopped: 'warning' };

function jobNode(job) {
  const p = job.progress ?? {};
  const bar = going(job) && el('progress', { 'aria-label': `Progress of ${job.job}`, max: p.total || null, value: p.total ? Math.min(p.done, p.total) : null });
  const ended = job.endedAt ? ['ended ', timeNode(Date.parse(job.endedAt), 'since')] : job.startedAt ? ['began ', timeNode(Date.parse(job.startedAt), 'since')] : 'queued';
  return el('li', { 'data-job': job.id },
    el('p', { class: 'job-head' }, el('strong', null, job.job), el('span', { class: 'pill', 'data-state': states[job.state] }, job.state),
      el('span', { class: 'muted' }, [job.source, optionText(job.options)].filter(Boolean).join(', '), ', ', ended),
      el('span', { class: 'space' }),
      going(job) && el('button', { type: 'button', 'data-focus': 'stop', ...writes(), onclick: e => busy(e.currentTarget, () => stop(job)) }, 'Stop')),
    bar, going(job) && el('p', null, progressText(job)),
    resultParts(job),
    job.error && el('p', { class: 'error' }, job.errorCode ? `${job.error} (${job.errorCode})` : job.error));
}

function draw() {
  const jobs = known.jobs ?? [];
  keyed(byId('jobs-list'), jobs.map(job => ({ ...job, readOnly: known.readOnly })), j => j.id, jobNode);
  say(byId('jobs-empty'), trouble ? `No list of jobs: ${errorText(trouble)}.` : jobs.length ? '' : 'No job has run since the daemon started.');
}

/* ---- starting ---- */

function drawForm() {
  const verify = byId('job-kind').value === 'verify';
  byId('job-repair-label').hidden = !verify;
  byId('job-force-label').hidden = verify;
  keyed(byId('job-collection'), ['', ...collections()], n => n, name => el('option', { value: name }, name || 'all'));
}

async function start() {
  const job = byId('job-kind').value, collection = byId('job-collection').value, options = {};
  if (collection) options.collections = [collection];
  if (job === 'verify' && byId('job-repair').checked) options.repair = true;
  if (job === 'sync' && byId('job-force').checked) options.force = true;
  if (options.force && !await confirm('Embed everything again?', 'Every text is embedded again, even if it is equal. This may take long, and the embedder may bill for it.', 'Embed everything')) return;
  try {
    await callSource('POST', '/api/jobs', { body: { job, options }, person: true });
    notice('done', `${job} was started`);
  } catch (e) {
    notice('failed', `${job} was not started`, [errorText(e)]);
  }
  read();
}

export function startJobs() {
  byId('job-kind').addEventListener('change', drawForm);
  byId('job-form').addEventListener('submit', e => { e.preventDefault(); busy(e.submitter, start); });
  on('jobs readOnly', draw);
  on('job', heard);
  on('collections', drawForm);
  on('place source refresh token', read);
}
