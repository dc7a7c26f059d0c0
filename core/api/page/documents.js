/* documents.js - the table: search, filters, sort, pages, selection. Its state is in the page's address. */
import { byId, el, keyed, say, settled, timeNode } from './dom.js';
import { call, pathOf } from './api.js';
import { collections, go, known, linkTo, on, place, publish } from './state.js';
import { number, plural, short } from './format.js';
import { badgeRow, dropTip } from './badges.js';
import { MOST_AT_ONCE, resetOne, syncAllPending, syncOne, syncSeveral } from './actions.js';
import { busy, errorText, writes } from './notices.js';

const columns = [
  { title: 'Name', sort: 'name' },
  { title: 'Id', sort: 'id' },
  { title: 'Status', sort: 'status' },
  { title: 'Collections' },
  { title: 'Updated', sort: 'updated' },
  { title: 'Problem' },
  { title: 'Actions', away: true },
];

let rows = [];
let pagination = { page: 1, limit: 20, total: 0, totalPages: 0 };
let trouble = null, asked = 0, listed = false; // listed: a list has arrived
const selected = new Map(); // _id -> document

/* A document's title, and its name in calls: the _id, since several documents may have one business id. */
const subjectOf = doc => ({ ref: `_id:${doc._id}`, name: short(doc.title ?? doc.name ?? doc.id) });

const sortKey = () => place('sort', 'name');

/* ---- reading ---- */

const query = () => ({
  status: place('status'), collection: place('collection'), search: place('search'), sort: sortKey(),
  page: place('page', '1'), limit: place('limit', '20'),
});

async function read() {
  if (!known.source || place('view', 'documents') !== 'documents') return;
  const mine = ++asked;
  byId('list').setAttribute('aria-busy', 'true');
  try {
    const answer = await call('GET', pathOf(known.source), { query: query() });
    if (mine !== asked) return;
    trouble = null;
    ({ data: rows, pagination } = answer);
    listed = true;
    if (rows.length === 0 && pagination.page > 1) go({ page: Math.max(1, pagination.totalPages) }, { replace: true });
  } catch (e) {
    if (mine !== asked) return;
    trouble = e;
    if (e.status && e.status < 500) rows = []; // while a server is down, the last rows stay
  }
  byId('list').removeAttribute('aria-busy');
  draw();
}
const readSoon = settled(read, 300, 2000);

/* Applies an event to a shown document; the rest comes with the next reading. */
function heard({ source, _id, overallStatus, collections: states, deleted }) {
  if (source !== known.source) return;
  const row = rows.find(r => r._id === _id);
  if (row && !deleted) {
    const now = row.syncMetadata.collections;
    row.syncMetadata.overallStatus = overallStatus;
    for (const [name, status] of Object.entries(states ?? {})) now[name] = { ...now[name], status };
    drawRows();
  }
  readSoon();
}

/* ---- the rows ---- */

function firstError(doc) {
  const chosen = place('collection');
  const all = Object.entries(doc.syncMetadata.collections).filter(([, c]) => c.lastError);
  return all.find(([name]) => name === chosen) ?? all[0] ?? null;
}

function errorCell(doc) {
  const found = firstError(doc);
  if (!found) return null;
  const [name, c] = found;
  const retry = c.nextRetryAt ? [el('span', { class: 'muted' }, ' next try ', timeNode(Date.parse(c.nextRetryAt), 'until'))] : null;
  return el('div', { class: 'wrong', title: `${name}: ${c.lastError} (${c.errorCode})` },
    el('span', { class: 'text' }, el('strong', null, name, ': '), c.lastError), retry);
}

const cell = (className, ...children) => el('td', { role: 'cell', class: className }, children);

const lastSync = doc => Math.max(0, ...Object.values(doc.syncMetadata.collections).map(c => Date.parse(c.lastSyncedAt ?? '') || 0));

function rowNode({ doc, names, chosen }) {
  const status = doc.syncMetadata.overallStatus;
  const updated = doc.syncMetadata.updatedAt ? Date.parse(doc.syncMetadata.updatedAt) : lastSync(doc);
  const subject = subjectOf(doc), { name } = subject;
  return el('tr', { role: 'row', 'data-id': doc.id, 'data-doc': doc._id, 'aria-selected': String(chosen) },
    cell('pick', el('input', { type: 'checkbox', 'data-focus': 'pick', 'aria-label': `Select ${name}`, checked: chosen, onchange: e => pick(doc, e.currentTarget.checked) })),
    el('th', { role: 'rowheader', scope: 'row', class: 'name' }, el('a', { ...linkTo({ doc: subject.ref, at: null }), 'data-focus': 'name', title: doc.title ?? doc.name ?? doc.id }, name)),
    cell('id', el('code', { title: doc.id }, doc.id)),
    cell('state', el('span', { class: 'status', 'data-status': status }, status)),
    cell('letters', badgeRow(names, doc.syncMetadata.collections, collection => go({ doc: subject.ref, at: collection }))),
    cell('when', updated ? timeNode(updated, 'since') : 'never'),
    cell('error-cell', errorCell(doc)),
    cell('row-actions',
      el('button', { type: 'button', 'data-focus': 'sync', 'aria-label': `Sync Now: ${name}`, ...writes(), onclick: e => busy(e.currentTarget, () => syncOne(subject)) }, 'Sync Now'),
      el('button', { type: 'button', class: 'quiet', 'data-focus': 'reset', 'aria-label': `Reset ${name}`, ...writes(), onclick: e => busy(e.currentTarget, () => resetOne(subject)) }, 'Reset')));
}

function drawRows() {
  const names = collections();
  keyed(byId('list-body'), rows.map(doc => ({ doc, names, chosen: selected.has(doc._id), filter: place('collection'), readOnly: known.readOnly })), r => r.doc._id, rowNode);
  dropTip();
}

/* ---- around them ---- */

function headNode({ title, sort, away, order }) {
  if (!sort) return el('th', { role: 'columnheader', scope: 'col' }, away ? el('span', { class: 'away' }, title) : title);
  return el('th', { role: 'columnheader', scope: 'col', 'aria-sort': order },
    el('button', { type: 'button', class: 'sort', 'data-focus': sort, onclick: () => go({ sort: order === 'ascending' ? `-${sort}` : sort, page: null }) },
      title, el('span', { class: 'arrow', 'aria-hidden': 'true' }, { ascending: ' ↑', descending: ' ↓', none: '' }[order])));
}

function pickAllNode({ all, some }) {
  const box = el('input', { type: 'checkbox', id: 'pick-all', 'data-focus': 'pick-all', 'aria-label': 'Select all on this page', checked: all, onchange: e => pickAll(e.currentTarget.checked) });
  box.indeterminate = some && !all;
  return el('td', { role: 'cell', class: 'pick' }, box);
}

function drawHead() {
  const chosen = rows.filter(r => selected.has(r._id)).length;
  const pick = { title: 'pick', all: rows.length > 0 && chosen === rows.length, some: chosen > 0 };
  const heads = columns.map(c => ({ ...c, order: sortKey() === c.sort ? 'ascending' : sortKey() === `-${c.sort}` ? 'descending' : 'none' }));
  keyed(byId('list-head'), [pick, ...heads], c => c.title, c => (c === pick ? pickAllNode(c) : headNode(c)));
}

function emptyText() {
  if (trouble) return trouble.status === 401 ? 'The daemon shows documents only with a token.' : `No list: ${errorText(trouble)}.`;
  if (rows.length) return '';
  if (!listed) return 'Reading…';
  return place('status') || place('collection') || place('search') ? 'No document matches.' : 'There are no documents.';
}

function drawPager() {
  const { page, totalPages, total, limit } = pagination;
  const first = (page - 1) * limit + 1;
  say(byId('list-count'), rows.length ? `${number(first)} to ${number(first + rows.length - 1)} of ${plural(total, 'document')}` : '');
  say(byId('page-text'), `Page ${number(page)} of ${number(Math.max(1, totalPages))}`);
  byId('previous-page').disabled = page <= 1;
  byId('next-page').disabled = page >= totalPages;
}

function drawSelection() {
  const n = selected.size, tooMany = n > MOST_AT_ONCE;
  byId('selection').hidden = n === 0;
  say(byId('selection-text'), `${number(n)} selected${tooMany ? `; at most ${MOST_AT_ONCE} at once` : ''}`);
  byId('sync-selected').disabled = tooMany || known.readOnly;
}

function drawFilters() {
  const names = ['', ...collections()];
  keyed(byId('collection-filter'), names, n => n, name => el('option', { value: name }, name || 'any'));
  byId('collection-filter').value = place('collection');
  byId('status-filter').value = place('status');
  byId('page-size').value = place('limit', '20');
  if (document.activeElement !== byId('find')) byId('find').value = place('search');
  byId('clear-filters').hidden = !(place('status') || place('collection') || place('search'));
}

function draw() {
  drawRows();
  drawHead();
  drawPager();
  drawSelection();
  const text = emptyText();
  say(byId('list-empty'), text);
  byId('list-empty').hidden = !text;
}

/* ---- selection ---- */

function pick(doc, chosen) {
  if (chosen) selected.set(doc._id, subjectOf(doc));
  else selected.delete(doc._id);
  draw();
}
function pickAll(chosen) {
  for (const doc of rows) {
    if (chosen) selected.set(doc._id, subjectOf(doc));
    else selected.delete(doc._id);
  }
  draw();
}
function pickNone() {
  selected.clear();
  draw();
}

/* ---- start ---- */

let seen = '';
/* Reads when the query changed; opening a document does not count. */
function placed() {
  drawFilters();
  const key = JSON.stringify([place('view'), known.source, query()]);
  if (key === seen) return;
  seen = key;
  read();
}

function startToolbar() {
  const search = settled(() => go({ search: byId('find').value.trim(), page: null }, { replace: true }), 250);
  byId('find').addEventListener('input', search);
  byId('filters').addEventListener('submit', e => { e.preventDefault(); search(); });
  byId('status-filter').addEventListener('change', e => go({ status: e.currentTarget.value, page: null }));
  byId('collection-filter').addEventListener('change', e => go({ collection: e.currentTarget.value, page: null }));
  byId('clear-filters').addEventListener('click', () => {
    byId('find').value = '';
    go({ status: null, collection: null, search: null, page: null });
    byId('find').focus();
  });
  byId('sync-all').addEventListener('click', e => busy(e.currentTarget, syncAllPending));
  byId('page-size').addEventListener('change', e => go({ limit: e.currentTarget.value, page: null }));
  byId('previous-page').addEventListener('click', () => go({ page: pagination.page - 1 }));
  byId('next-page').addEventListener('click', () => go({ page: pagination.page + 1 }));
  byId('clear-selection').addEventListener('click', () => { pickNone(); byId('find').focus(); });
  byId('sync-selected').addEventListener('click', e => busy(e.currentTarget, async () => {
    if (await syncSeveral([...selected.values()])) pickNone();
  }));
}

export function startDocuments() {
  startToolbar();
  on('place', placed);
  on('source', () => { selected.clear(); rows = []; listed = false; draw(); placed(); });
  on('collections', () => { drawFilters(); draw(); });
  on('document', heard);
  on('acted refresh', readSoon);
  on('token', read);
  on('readOnly', draw);
  draw();
  publish('place');
}
