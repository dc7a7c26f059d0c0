/*
 * detail.js - one document: its record, what each collection makes of it, the point in Qdrant, and the differences.
 * Open while the address has `doc`, so that it can be linked.
 */
import { byId, el, replace, settled, timeNode } from './dom.js';
import { call, pathOf } from './api.js';
import { collections, go, known, on, place } from './state.js';
import { bytes, clock, number, plural, short } from './format.js';
import { mark } from './badges.js';
import { embedAgain, resetOne, syncOne } from './actions.js';
import { busy, errorText, writes } from './notices.js';

let shown = null, asked = 0;
const opened = new Set(); // open folds, which stay open when the document is read again

const json = value => JSON.stringify(value, null, 2) ?? 'nothing';

/* `payload.a.b` in an object that has `a.b`; keys may hold dots, so the longest that fits is taken. */
function at(object, path) {
  if (object === null || typeof object !== 'object') return undefined;
  if (path in object) return object[path];
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const key = path.slice(0, dot);
    if (key in object) return at(object[key], path.slice(dot + 1));
  }
  return undefined;
}

function facts(pairs) {
  return el('dl', { class: 'facts' }, pairs.filter(([, v]) => v !== null && v !== undefined && v !== '')
    .map(([name, value]) => [el('dt', null, name), el('dd', null, value)]));
}

const timeOf = text => (text ? [timeNode(Date.parse(text), 'since'), el('span', { class: 'muted' }, ` ${clock(Date.parse(text))}`)] : null);

function recordFacts(state) {
  if (!state) return el('p', { class: 'muted' }, 'There is no record yet.');
  const next = state.nextRetryAt ? [timeNode(Date.parse(state.nextRetryAt), 'until'), el('span', { class: 'muted' }, ` ${clock(Date.parse(state.nextRetryAt))}`)]
    : state.status === 'failed' ? 'none scheduled: use Sync Now or Reset, or change the document' : null;
  return facts([
    ['Error', state.lastError && el('span', { class: 'error' }, `${state.lastError} (${state.errorCode})`)],
    ['Failed attempts', state.retryCount ? number(state.retryCount) : null],
    ['Next retry', next],
    ['Last sync', timeOf(state.lastSyncedAt) ?? 'never'],
    ['Last attempt', timeOf(state.lastSyncAttemptAt)],
    ['Vector version', state.vectorVersion ? number(state.vectorVersion) : null],
    ['Point id', state.pointId && el('code', null, state.pointId)],
  ]);
}

function fold(key, title, content) {
  const out = el('details', { open: opened.has(key) }, el('summary', null, title), content);
  out.addEventListener('toggle', () => { if (out.open) opened.add(key); else opened.delete(key); });
  return out;
}

/* ---- the difference ---- */

function differenceRow(c, path) {
  const made = c.point.lockstep;
  const side = value => (value === undefined ? el('span', { class: 'muted' }, 'nothing') : el('code', null, typeof value === 'string' ? value : JSON.stringify(value)));
  if (path === 'text') return ['another text than the embedded one (below)', made?.hash ? ['a vector of the text with hash ', el('code', null, made.hash.slice(0, 12))] : 'a vector of an unknown text'];
  if (path === 'owner') return ['a point of its own', made?.doc ? ['a point of ', el('code', null, `${made.source} ${made.doc}`)] : 'a point that Lockstep did not make'];
  if (path === 'payload') return ['the same fields', 'the same fields, but a stamp that names others'];
  const key = path.replace(/^payload\./, '');
  return [side(at(c.payload, key)), side(at(c.point.payload, key))];
}

function differences(c) {
  if (c.result === 'error') return el('p', { class: 'error' }, `The document is refused: ${c.error} (${c.errorCode})`);
  if (c.pointError) return el('p', { class: 'error' }, `Qdrant could not be read: ${c.pointError}`);
  if (c.result === 'none') return el('p', null, c.point ? 'The document calls for no point, but Qdrant has one.' : 'Its text is empty, so it has no point here, and Qdrant has none.');
  if (!c.point) return el('p', { class: 'error' }, 'Qdrant has no point of this document.');
  if (!c.differences.length) return el('p', { class: 'good' }, 'Qdrant has exactly what the document calls for.');
  return el('div', { class: 'table-frame' }, el('table', { class: 'difference' },
    el('caption', null, `${plural(c.differences.length, 'difference')} to the point in Qdrant`),
    el('thead', null, el('tr', null, ['Where', 'The document makes', 'Qdrant has'].map(t => el('th', { scope: 'col' }, t)))),
    el('tbody', null, c.differences.map(path => {
      const [wanted, held] = differenceRow(c, path);
      return el('tr', null, el('th', { scope: 'row' }, el('code', null, path)), el('td', null, wanted), el('td', null, held));
    }))));
}

function collectionPart(doc, name, compared) {
  const state = doc.syncMetadata.collections[name];
  const parts = [recordFacts(state)];
  if (compared) {
    parts.push(differences(compared));
    if (compared.text) parts.push(fold(`${name} text`, `Text (${bytes(compared.textBytes)})`, el('pre', { class: 'prose', tabindex: 0 }, compared.text)));
    if (compared.payload) parts.push(fold(`${name} payload`, 'Payload', el('pre', { tabindex: 0 }, json(compared.payload))));
    if (compared.point) parts.push(fold(`${name} point`, 'Point in Qdrant', el('pre', { tabindex: 0 }, json(compared.point))));
  }
  return el('section', { class: 'part', 'data-collection': name, 'aria-label': name },
    el('h3', null, mark(collections(), name), name, state && el('span', { class: 'status', 'data-status': state.status }, state.status)),
    parts);
}

let drawn = '';
function draw(doc, compared, trouble) {
  const text = JSON.stringify([doc, compared, known.readOnly, trouble && errorText(trouble)]);
  if (text === drawn) return; // keeps focus and selected text
  drawn = text;
  const name = short(doc.title ?? doc.name ?? doc.id), subject = { ref: `_id:${doc._id}`, name };
  byId('detail-title').textContent = name;
  const button = (text, action, className) => el('button', { type: 'button', class: className, ...writes(), onclick: e => busy(e.currentTarget, () => action(subject)) }, text);
  const status = doc.syncMetadata.overallStatus;
  const names = Object.keys(doc.syncMetadata.collections);
  const others = (compared ?? []).map(c => c.collection).filter(n => !names.includes(n));
  replace(byId('detail-body'),
    el('p', { class: 'actions' }, button('Sync Now', syncOne), button('Embed again', embedAgain, 'quiet'), button('Reset', resetOne, 'quiet')),
    facts([['Status', el('span', { class: 'status', 'data-status': status }, status)], ['Id', el('code', null, doc.id)],
      ['Slug', doc.slug && doc.slug !== doc.id ? el('code', null, doc.slug) : null],
      ['Changed fields', doc.syncMetadata.lastModifiedFields?.length ? doc.syncMetadata.lastModifiedFields.join(', ') : null],
      ['Updated', timeOf(doc.syncMetadata.updatedAt)]]),
    trouble && el('p', { class: 'error', role: 'alert' }, `No comparison with Qdrant: ${errorText(trouble)}.`),
    [...names, ...others].map(n => collectionPart(doc, n, compared?.find(c => c.collection === n))));
}

/* ---- reading ---- */

/* Until the document is read only its name in the address is known. */
const titleOf = id => (id.startsWith('_id:') ? 'Document' : short(id));

async function read(id, first) {
  const mine = ++asked;
  try {
    const answer = await call('GET', pathOf(known.source, id, 'compare'), { person: first });
    if (mine === asked) draw(answer, answer.collections, null);
  } catch (e) {
    if (mine === asked) await readRecord(mine, id, e);
  }
  if (mine === asked && first && place('at')) byId('detail-body').querySelector(`[data-collection="${CSS.escape(place('at'))}"]`)?.scrollIntoView();
}

/* Qdrant may be down: the record is shown all the same. */
async function readRecord(mine, id, trouble) {
  try {
    const doc = await call('GET', pathOf(known.source, id));
    if (mine === asked) draw(doc, null, trouble);
  } catch (e) {
    if (mine !== asked) return;
    byId('detail-title').textContent = titleOf(id);
    replace(byId('detail-body'), el('p', { class: 'error', role: 'alert' }, e.status === 404 ? 'There is no such document.' : `Not shown: ${errorText(e)}.`));
  }
}

const again = settled(() => { if (shown) read(shown, false); }, 400, 2000);

function placed() {
  const dialog = byId('detail'), id = place('doc') || null;
  if (!known.source || id === shown) return;
  shown = id;
  if (!id) { dialog.close(); return; }
  drawn = '';
  opened.clear();
  if (place('at')) opened.add(`${place('at')} text`);
  byId('detail-title').textContent = titleOf(id);
  replace(byId('detail-body'), el('p', { class: 'muted' }, 'Reading…'));
  if (!dialog.open) dialog.showModal();
  byId('detail-title').focus();
  read(id, true);
}

export function startDetail() {
  const dialog = byId('detail');
  byId('detail-close').addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', e => { if (e.target === dialog) dialog.close(); }); // the backdrop
  dialog.addEventListener('close', () => { shown = null; if (place('doc')) go({ doc: null, at: null }); });
  on('place source', placed);
  on('acted refresh', again);
  on('document', e => { if (e.source === known.source && shown && (e.id === shown || `_id:${e._id}` === shown)) again(); });
}
