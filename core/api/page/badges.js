/*
 * badges.js - a document's state in each collection as a row of letters, with tooltips. A row of badges
 * is one stop of the Tab key; arrow keys go from one to the next.
 */
import { byId, el, replace } from './dom.js';
import { clock, initials, number, now, since, until } from './format.js';

function described(name, state) {
  const times = number(state.retryCount ?? 0);
  const next = state.nextRetryAt ? Date.parse(state.nextRetryAt) : null;
  const facts = [
    ['Last sync', state.lastSyncedAt ? `${clock(Date.parse(state.lastSyncedAt))} (${since(now() - Date.parse(state.lastSyncedAt))})` : 'never'],
    ['Failed attempts', times],
    ['Next retry', next ? `${until(next - now())} (${clock(next)})` : state.status === 'failed' ? 'none scheduled' : 'none'],
  ];
  if (state.errorCode) facts.push(['Code', state.errorCode]);
  if (state.lastError) facts.push(['Error', state.lastError]);
  return [el('strong', null, name, ': ', el('span', { class: 'status', 'data-status': state.status }, state.status)),
    el('dl', null, facts.map(([k, v]) => [el('dt', null, k), el('dd', null, v)]))];
}

/* ---- the tooltip: one for the page ---- */

let shownFor = null;

function showTip(target, content) {
  const tip = byId('tooltip');
  replace(tip, content);
  tip.hidden = false;
  shownFor = target;
  target.setAttribute('aria-describedby', 'tooltip');
  const at = target.getBoundingClientRect(), size = tip.getBoundingClientRect();
  const below = at.bottom + 6 + size.height <= innerHeight;
  tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  tip.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - size.height - 6)}px`;
}

export function hideTip() {
  if (!shownFor) return;
  shownFor.removeAttribute('aria-describedby');
  shownFor = null;
  byId('tooltip').hidden = true;
}
/** Hides the tooltip of a removed element. */
export const dropTip = () => { if (shownFor && !shownFor.isConnected) hideTip(); };
addEventListener('keydown', e => { if (e.key === 'Escape') hideTip(); });
addEventListener('scroll', hideTip, { passive: true, capture: true });

/** Gives an element a tooltip, for the pointer and for the keyboard. */
export function withTip(target, content) {
  target.addEventListener('pointerenter', () => showTip(target, content()));
  target.addEventListener('pointerleave', () => { if (document.activeElement !== target) hideTip(); });
  target.addEventListener('focus', () => showTip(target, content()));
  target.addEventListener('blur', hideTip);
  return target;
}

/* ---- badges ---- */

/** A collection's letter alone, as a mark. */
export const mark = (names, name) => el('span', { class: 'letter', 'aria-hidden': 'true' }, initials(names)[name] ?? '?');

/** One badge per collection. `names` are all collections of the source, `states` the document's, `open(name)` handles a
 * click. */
export function badgeRow(names, states, open) {
  const letters = initials(names);
  const badges = names.filter(name => states[name]).map((name, i) => withTip(
    el('button', {
      type: 'button', class: 'badge', 'data-status': states[name].status, 'data-collection': name, 'data-focus': `badge ${name}`,
      tabindex: i === 0 ? 0 : -1, 'aria-label': `${name}: ${states[name].status}`, onclick: () => open(name),
    }, letters[name]), () => described(name, states[name])));
  const row = el('div', { class: 'badges', role: 'group', 'aria-label': 'Collections' }, badges);
  row.addEventListener('keydown', e => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    const at = badges.indexOf(document.activeElement);
    if (!step || at < 0) return;
    e.preventDefault();
    const next = badges[(at + step + badges.length) % badges.length];
    badges.forEach(b => { b.tabIndex = b === next ? 0 : -1; });
    next.focus();
  });
  return row;
}
