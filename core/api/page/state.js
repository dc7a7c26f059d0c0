/*
 * state.js - what the page knows, the subscribers to its changes, and the place in the page (the part of the
 * address after #, so that a view can be linked). Draws nothing and calls nothing.
 */
export const STATUSES = ['synced', 'pending', 'stale', 'failed'];

export const known = {
  sources: [],
  source: null,   // its name; null until the daemon has listed the sources
  status: null,   // counts and worker, as in GET /api/sync/status
  engine: null,   // as in GET /api/sync/worker/state
  history: null,
  problems: null,
  away: false,    // the daemon does not answer
  jobs: null,
  readOnly: false, // the token may only read
};

const listeners = new Map();

/** Calls `f` whenever one of these topics is published: the keys of `known`, `place`, and others. */
export function on(topics, f) {
  for (const topic of topics.split(' ')) {
    if (!listeners.has(topic)) listeners.set(topic, []);
    listeners.get(topic).push(f);
  }
}
export function publish(topic, value) {
  for (const f of listeners.get(topic) ?? []) f(value);
}
export function learn(topic, value) {
  known[topic] = value;
  publish(topic, value);
}

export const collections = () => Object.keys(known.status?.perCollection ?? {});

/* ---- the place ---- */

const parse = () => new URLSearchParams(location.hash.includes('=') ? location.hash.slice(1) : '');
let here = parse();

/** A value of the address, or its default. */
export const place = (name, otherwise = '') => here.get(name) ?? otherwise;

/** The address with these values changed; '' or null removes one. */
export function addressWith(changes) {
  const next = new URLSearchParams(here);
  for (const [name, value] of Object.entries(changes)) {
    if (value === '' || value === null || value === undefined) next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  return text ? `#${text}` : '#view=documents';
}

/** The attributes of a link that changes these values of the address, relative to the address at the time of the click. */
export const linkTo = changes => ({ href: addressWith(changes), 'data-go': JSON.stringify(changes) });
on('place', () => {
  for (const a of document.querySelectorAll('a[data-go]')) a.setAttribute('href', addressWith(JSON.parse(a.dataset.go)));
});

/** Changes the address; `replace` adds no step to the history. */
export function go(changes, { replace = false } = {}) {
  const address = addressWith(changes);
  if (address === location.hash) return;
  if (replace) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
  moved();
}

function moved() {
  here = parse();
  publish('place');
}
addEventListener('popstate', () => { if (!location.hash || location.hash.includes('=')) moved(); });
