/* search.js - search, with the hits of each collection. */
import { byId, el, replace, say } from './dom.js';
import { callSource } from './api.js';
import { collections, go, known, linkTo, on, place } from './state.js';
import { plural, short } from './format.js';
import { mark } from './badges.js';
import { errorText } from './notices.js';

let asked = 0, seen = '';

function hitNode(hit, best) {
  const meter = el('span', { class: 'meter', 'aria-hidden': 'true' }, el('span'));
  meter.firstElementChild.style.width = `${best > 0 ? Math.max(0, hit.score / best) * 100 : 0}%`;
  return el('li', null, el('a', linkTo({ doc: hit.id ?? hit.pointId, at: null }), short(hit.title)),
    el('span', { class: 'score' }, hit.score.toFixed(3)), hit.snippet && el('p', { class: 'snippet' }, hit.snippet), meter);
}

function resultNode(title, note, hits, names) {
  const best = Math.max(...hits.map(h => h.score), 0);
  return el('section', { class: 'result', 'aria-label': title },
    el('h3', null, names && mark(names, title), title, note && el('span', { class: 'muted' }, note)),
    hits.length ? el('ol', null, hits.map(h => hitNode(h, best))) : el('p', { class: 'muted' }, 'Nothing found.'));
}

function draw(answer) {
  const names = collections();
  const errors = Object.entries(answer.errors ?? {});
  replace(byId('search-results'),
    resultNode('All together', ' fused by rank', answer.fused ?? []),
    Object.entries(answer.collections).map(([name, hits]) => resultNode(name, null, hits, names)),
    errors.map(([name, e]) => el('section', { class: 'result', 'aria-label': name }, el('h3', null, mark(names, name), name),
      el('p', { class: 'error' }, `${e.error} (${e.code})`))));
}

async function read(q, limit) {
  const mine = ++asked;
  say(byId('search-text'), 'Searching…');
  const began = performance.now();
  try {
    const answer = await callSource('GET', '/api/search', { query: { q, limit }, person: true });
    if (mine !== asked) return;
    draw(answer);
    say(byId('search-text'), `${plural((answer.fused ?? []).length, 'document')} for “${q}”, in ${Math.round(performance.now() - began)} ms.`);
  } catch (e) {
    if (mine !== asked) return;
    byId('search-results').replaceChildren();
    say(byId('search-text'), `Not searched: ${errorText(e)}.`);
  }
}

function placed() {
  if (place('view') !== 'search' || !known.source) return;
  const q = place('q'), limit = place('hits', '10'), key = JSON.stringify([known.source, q, limit]);
  if (key === seen) return;
  seen = key;
  byId('query').value = q;
  byId('hits').value = limit;
  if (q) read(q, limit);
}

export function startSearch() {
  byId('search-form').addEventListener('submit', e => {
    e.preventDefault();
    seen = ''; // the same query may have other hits by now
    const q = byId('query').value.trim(), hits = byId('hits').value;
    if (q === place('q') && hits === place('hits', '10')) placed();
    else go({ q, hits: hits === '10' ? null : hits });
  });
  on('place source', placed);
}
