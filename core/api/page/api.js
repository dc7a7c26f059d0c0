/*
 * api.js - calls of the daemon's HTTP API, and their token. The token is kept in sessionStorage: it ends with the
 * tab, and no other page can read it.
 */
import { byId } from './dom.js';
import { learnClock } from './format.js';
import { known, learn, publish } from './state.js';

const key = 'lockstep.token';

export class ApiError extends Error {
  constructor(status, code, text) {
    super(text);
    this.status = status;
    this.code = code;
  }
}

let held = null;
try { held = sessionStorage.getItem(key); } catch { /* no storage: the token lasts as long as the page */ }

export function authorization() {
  return held ? { Authorization: `Bearer ${held}` } : {};
}

function keep(token) {
  held = token;
  if (known.readOnly) learn('readOnly', false);
  try {
    if (token) sessionStorage.setItem(key, token);
    else sessionStorage.removeItem(key);
  } catch { /* as above */ }
  publish('token');
}

/* The reply to a call with a token says what the token allows: `read` or `write`. */
function learnAccess(header) {
  const readOnly = header === 'read';
  if (held && header && known.readOnly !== readOnly) learn('readOnly', readOnly);
}

/* ---- asking for it ---- */

let asking = null, declined = false;

/** Shows the dialog; true once there is another token than before. After "not now" it is shown again only for an
 * action of the person (`again`). */
export function askForToken({ again = false, refused = false } = {}) {
  if (declined && !again) return Promise.resolve(false);
  asking ??= new Promise(done => {
    const dialog = byId('token'), input = byId('token-input');
    byId('token-error').textContent = refused ? 'The daemon refused this token.' : '';
    input.value = '';
    dialog.returnValue = 'no';
    byId('token-no').onclick = () => dialog.close('no');
    dialog.addEventListener('close', () => {
      asking = null;
      const token = input.value.trim();
      input.value = '';
      declined = dialog.returnValue !== 'yes' || !token;
      if (!declined) keep(token);
      publish('token');
      done(!declined);
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

/** True while the daemon requires a token and there is none. */
export const tokenMissing = () => declined && !held;

/* ---- calling ---- */

/** The address of a call: relative to the page, which may be below a path of a proxy. */
export function address(path, query) {
  const pairs = Object.entries({ ...query }).filter(([, v]) => v !== null && v !== undefined && v !== '');
  const text = new URLSearchParams(pairs).toString();
  return path.slice(1) + (text && `?${text}`);
}

/** `/api/sync/SOURCE/ID...`, with its parts escaped. */
export const pathOf = (...parts) => `/api/sync/${parts.map(encodeURIComponent).join('/')}`;

/** The error of a reply that is not 2xx. */
export async function failure(response) {
  let body = null;
  try { body = await response.json(); } catch { /* a proxy's page, or empty */ }
  if (body?.error) return new ApiError(response.status, body.code ?? '', body.error);
  return new ApiError(response.status, '', `the reply was ${response.status} ${response.statusText}`.trim());
}

async function once(method, url, body, signal) {
  const headers = authorization();
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(url, { method, headers, signal, cache: 'no-store', credentials: 'same-origin',
      body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new ApiError(0, 'NO_ANSWER', 'the daemon does not answer');
  }
  learnClock(response.headers.get('Date'));
  learnAccess(response.headers.get('Lockstep-Access'));
  if (!response.ok) throw await failure(response);
  return response.status === 204 ? null : response.json();
}

/**
 * Calls and returns the reply; throws an ApiError. If a token is required, the dialog asks for it; `person` says that
 * a person caused this call, so the dialog may be shown again.
 */
export async function call(method, path, { query, body, signal, person = false } = {}) {
  const url = address(path, query);
  for (;;) {
    const tried = held;
    try {
      return await once(method, url, body, signal);
    } catch (e) {
      if (e.status !== 401) throw e;
      if (held !== tried) continue; // entered meanwhile
      if (tried) keep(null);
      if (!await askForToken({ again: person, refused: Boolean(tried) })) throw e;
    }
  }
}

/** The same for paths that name no source. */
export const callSource = (method, path, options = {}) =>
  call(method, path, { ...options, query: { source: known.source, ...options.query } });
