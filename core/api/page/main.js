/* main.js - the entry: reads the state, follows the events, and shows the view in the address. */
import { byId, el, keyed, say, settled } from './dom.js';
import { call, callSource, askForToken, tokenMissing } from './api.js';
import { collections, go, known, learn, on, place, publish } from './state.js';
import { duration } from './format.js';
import { followEvents } from './events.js';
import { startDetail } from './detail.js';
import { startDocuments } from './documents.js';
import { startJobs } from './jobs.js';
import { startOverview } from './overview.js';
import { startPlots } from './plots.js';
import { startSearch } from './search.js';

const HISTORY_MS = 15000, PROBLEMS_MS = 15000, HIDDEN_STATUS_MS = 60000;

/* ---- reading what has no events, or was missed ---- */

/* If a reading fails, the last state stays: the state of the connection says why it is old. */
async function read(topic, path) {
  const source = known.source;
  try {
    const answer = await callSource('GET', path);
    if (source === known.source) learnAnswer(topic, answer);
  } catch (e) {
    if (topic === 'problems' && e.status >= 500 && source === known.source) learn(topic, [unknown(e)]);
  }
}

/* The problem shown if the problems cannot be read. */
const unknown = e => ({ severity: 'error', code: e.code, collection: null, since: null, text: `The daemon cannot list its problems: ${e.message}.`, cure: '' });

function learnAnswer(topic, answer) {
  if (topic === 'status') learnStatus(answer);
  else learn(topic, topic === 'problems' ? answer.problems : answer);
}

function learnStatus(status) {
  const before = collections().join();
  learn('status', status);
  if (collections().join() !== before) publish('collections');
}

const readStatus = () => read('status', '/api/sync/status');
const readEngine = () => read('engine', '/api/sync/worker/state');
const readHistory = () => read('history', '/api/sync/worker/history');
const readProblems = () => read('problems', '/api/sync/worker/problems');
const problemsSoon = settled(readProblems, 700, 3000);

function readAll() {
  readStatus();
  readEngine();
  readHistory();
  readProblems();
  publish('refresh');
}

/* ---- events ---- */

function take(name, object) {
  if (object.source && known.source && object.source !== known.source) return;
  if (name === 'status') { learnStatus(object); problemsSoon(); }
  else if (name === 'state') { learn('engine', object); problemsSoon(); }
  else if (name === 'cycle') readStatus();
  else if (name === 'document' || name === 'job') publish(name, object);
}

function report(state, ms, refusal) {
  const words = {
    connecting: 'connecting',
    live: 'live',
    token: 'a token is needed',
    waiting: refusal ? `read at intervals, without events: ${refusal}` : 'the daemon does not answer, trying again',
  };
  byId('connection').dataset.state = refusal ? 'token' : state;
  byId('connection').title = state === 'waiting' ? `next try in ${duration(ms)}` : '';
  say(byId('connection-text'), words[state]);
  const away = state === 'waiting' && !refusal;
  document.body.dataset.stale = String(away);
  if (known.away !== away && state !== 'connecting') learn('away', away);
}

/* ---- the source ---- */

/* Until the first reply nothing is known, not even the names of sources. */
async function firstStatus() {
  for (let wait = 1000; ; wait = Math.min(wait * 2, 15000)) {
    try {
      return await call('GET', '/api/sync/status', { query: { source: place('source') } });
    } catch (e) {
      if (e.code === 'UNKNOWN_SOURCE') { go({ source: null }, { replace: true }); continue; }
      if (e.status !== 401) report('waiting', wait, e.status ? e.message : null);
      await new Promise(done => {
        setTimeout(done, e.status === 401 ? 600000 : wait);
        if (e.status === 401) on('token', done);
      });
    }
  }
}

function drawSources() {
  keyed(byId('source'), known.sources, n => n, name => el('option', { value: name }, name));
  byId('source').value = known.source;
  byId('source').parentElement.hidden = known.sources.length < 2;
}

function useSource(name) {
  known.source = name;
  known.status = name === known.status?.source ? known.status : null;
  for (const topic of ['engine', 'history', 'problems', 'jobs']) learn(topic, null);
  drawSources();
  publish('source');
}

/* ---- views ---- */

const views = ['documents', 'search', 'jobs'];

function drawView() {
  const view = views.includes(place('view')) ? place('view') : 'documents';
  for (const name of views) {
    byId(name).hidden = name !== view;
    if (name === view) byId(`tab-${name}`).setAttribute('aria-current', 'page');
    else byId(`tab-${name}`).removeAttribute('aria-current');
  }
}

function startViews() {
  for (const name of views) {
    byId(`tab-${name}`).addEventListener('click', e => { e.preventDefault(); go({ view: name === 'documents' ? null : name }); });
  }
  document.querySelector('.skip').addEventListener('click', e => { e.preventDefault(); byId('views').focus(); });
  on('place', drawView);
  drawView();
}

function drawAccess() {
  const button = byId('token-button');
  byId('access').hidden = !known.readOnly;
  button.hidden = !tokenMissing() && !known.readOnly;
  say(button, known.readOnly ? 'Enter another token' : 'Enter token');
  for (const node of document.querySelectorAll('[data-writes]')) {
    node.disabled = known.readOnly;
    node.title = known.readOnly ? 'this token may only read' : '';
  }
}

function startToken(restart) {
  byId('token-button').addEventListener('click', () => askForToken({ again: true }));
  on('token', () => {
    drawAccess();
    if (!tokenMissing()) restart();
  });
  on('readOnly', drawAccess);
}

/* ---- begin ---- */

async function begin() {
  startViews();
  startOverview();
  startPlots();
  startDocuments();
  startDetail();
  startSearch();
  startJobs();
  const events = followEvents({ source: () => known.source, take, report, fresh: readAll });
  startToken(() => { if (known.source) events.restart(); });

  const status = await firstStatus();
  known.sources = status.sources;
  known.source = status.source;
  learnStatus(status);
  useSource(status.source);
  events.restart();

  byId('source').addEventListener('change', e => {
    const name = e.currentTarget.value;
    go({ source: name === known.sources[0] ? null : name, collection: null, page: null, doc: null });
  });
  on('place', () => {
    const name = place('source', known.sources[0]);
    if (name === known.source || !known.sources.includes(name)) return;
    useSource(name);
    events.restart();
  });
  setInterval(() => { if (!document.hidden) readHistory(); }, HISTORY_MS);
  setInterval(() => { if (!document.hidden) readProblems(); }, PROBLEMS_MS);
  setInterval(() => { if (document.hidden) readStatus(); }, HIDDEN_STATUS_MS); // for the title of its tab
}

begin();
