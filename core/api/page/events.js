/*
 * events.js - the daemon's server-sent events, read with fetch: an EventSource cannot send a token. Reconnects by
 * itself, from the last event.
 */
import { address, askForToken, authorization, failure } from './api.js';

const FIRST_WAIT_MS = 1000, LONGEST_WAIT_MS = 15000;
const SILENCE_MS = 45000; // three heartbeats
const HIDDEN_MS = 60000;

/* Splits a stream of text into events; `take` gets {event, data, id}. */
function reader(take) {
  let rest = '', event = '', data = [], id = null;
  const line = text => {
    if (text === '') {
      if (data.length) take({ event: event || 'message', data: data.join('\n'), id });
      event = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id') id = value;
  };
  return chunk => {
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    lines.forEach(line);
  };
}

/**
 * Reads the events of `source()` while the page exists. `take(name, object)` gets each; `report(state, ms, refusal)`
 * gets `connecting`, `live`, `waiting` (ms until the next try, and the daemon's error, if any) and `token`;
 * `fresh()` is called when the connection is live again and events may have been missed.
 */
export function followEvents({ source, take, report, fresh }) {
  let lastId = null, wait = FIRST_WAIT_MS, abort = null, wake = null, generation = 0;
  let asleep = false, hiding = null;

  const sleep = ms => new Promise(done => {
    const timer = setTimeout(done, ms);
    wake = () => { clearTimeout(timer); done(); };
  });

  async function stream(mine) {
    abort = new AbortController();
    let silence = null;
    const heard = () => { clearTimeout(silence); silence = setTimeout(() => abort.abort(), SILENCE_MS); };
    try {
      heard();
      const headers = { Accept: 'text/event-stream', ...authorization() };
      if (lastId) headers['Last-Event-ID'] = lastId;
      const response = await fetch(address('/api/sync/events', { source: source() }), { headers, signal: abort.signal, cache: 'no-store' });
      if (!response.ok) throw await failure(response);
      report('live');
      wait = FIRST_WAIT_MS;
      if (!lastId) fresh();
      const feed = reader(({ event, data, id }) => {
        if (mine !== generation) return;
        if (id) lastId = id;
        if (event === 'reset') fresh();
        else take(event, JSON.parse(data));
      });
      const decoder = new TextDecoder();
      for (const body = response.body.getReader();;) {
        const { done, value } = await body.read();
        if (done) return;
        heard();
        feed(decoder.decode(value, { stream: true }));
      }
    } finally {
      clearTimeout(silence);
    }
  }

  async function follow() {
    const mine = generation;
    report('connecting');
    while (mine === generation) {
      let refusal = null;
      try {
        await stream(mine);
      } catch (e) {
        if (e.status === 401) {
          report('token');
          if (!await askForToken()) await sleep(2 ** 31 - 1); // until restart()
          continue;
        }
        if (e.status) { // it answers, but refuses events: poll instead
          refusal = e.message;
          fresh();
        }
      }
      if (mine !== generation) return;
      const ms = wait * (0.75 + Math.random() / 2);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
      report('waiting', ms, refusal);
      await sleep(ms);
    }
  }

  function stop() {
    generation++;
    abort?.abort();
    wake?.();
  }
  /** Starts again, for another source or token. */
  function restart() {
    stop();
    asleep = false;
    lastId = null;
    wait = FIRST_WAIT_MS;
    follow();
  }

  // A browser has six connections for all pages of a host, including hidden ones and those of the Back button. So a hidden
  // page closes its connection after a while, and reads later what it has missed.
  const sleepNow = () => { asleep = true; stop(); };
  const wakeUp = () => {
    clearTimeout(hiding);
    if (asleep) { asleep = false; wait = FIRST_WAIT_MS; follow(); } else if (wait > FIRST_WAIT_MS) wake?.();
  };
  addEventListener('pagehide', sleepNow);
  addEventListener('pageshow', e => { if (e.persisted) wakeUp(); });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) hiding = setTimeout(sleepNow, HIDDEN_MS);
    else wakeUp();
  });
  addEventListener('online', () => wake?.());
  return { restart };
}
