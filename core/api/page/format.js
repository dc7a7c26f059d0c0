/* format.js - numbers, times and names as words. Pure, but for the difference to the daemon's clock. */

const whole = new Intl.NumberFormat('en');

let clockOffset = 0;
/** The daemon's time, by the Date header of its replies. Small differences are ignored: the header has whole seconds. */
export function learnClock(header) {
  const at = Date.parse(header ?? '');
  const offset = at - Date.now();
  if (!Number.isNaN(at)) clockOffset = Math.abs(offset) > 3000 ? offset : 0;
}
export const now = () => Date.now() + clockOffset;

export const number = n => whole.format(n);

/** A share in percent, rounded down: 100 only if nothing is missing. */
export function percent(part, all) {
  if (!all) return '100 %';
  const share = Math.floor(part / all * 1000) / 10;
  return `${part === all ? 100 : share.toFixed(1)} %`;
}

function twoUnits(s, big, bigName, small, smallName) {
  const rest = Math.floor(s % big / small);
  return `${Math.floor(s / big)} ${bigName}${rest ? ` ${rest} ${smallName}` : ''}`;
}

export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10000) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return twoUnits(s, 60, 'min', 1, 's');
  if (s < 86400) return twoUnits(s, 3600, 'h', 60, 'min');
  return twoUnits(s, 86400, 'd', 3600, 'h');
}

function coarse(ms) {
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}
export const since = ms => (ms < 1500 ? 'just now' : `${coarse(ms)} ago`);
export const until = ms => (ms <= 500 ? 'now' : `in ${coarse(ms)}`);

const two = n => String(n).padStart(2, '0');
/** Local date and time, to the second. */
export function clock(ms) {
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}
export function hourMinute(ms) {
  const d = new Date(ms);
  return `${two(d.getHours())}:${two(d.getMinutes())}`;
}

export function bytes(n) {
  if (n < 1024) return `${n} bytes`;
  return n < 1048576 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1048576).toFixed(1)} MiB`;
}

/** A rate, per second or per minute. */
export function rate(perSecond) {
  if (perSecond === 0) return '0/s';
  if (perSecond >= 10) return `${number(Math.round(perSecond))}/s`;
  if (perSecond >= 0.1) return `${perSecond.toFixed(1)}/s`;
  return `${(perSecond * 60).toFixed(1)}/min`;
}

export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/* Candidates for the short name, best first: the initial, those of further words, other letters, two of them. */
function* shortNames(name) {
  const characters = [...name].filter(c => /[\p{L}\p{N}]/u.test(c)).map(c => c.toUpperCase());
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  for (const word of words) yield [...word][0].toUpperCase();
  yield* characters;
  for (const c of characters.slice(1)) yield characters[0] + c.toLowerCase();
}

/** A short name for each, no two alike: tools, functionality, usecases, interface are T, F, U, I. */
export function initials(names) {
  const taken = new Set(), out = {};
  names.forEach((name, i) => {
    let short = [...shortNames(name)].find(s => !taken.has(s)) ?? String(i + 1);
    while (taken.has(short)) short += "'";
    taken.add(short);
    out[name] = short;
  });
  return out;
}

/** A name cut to the length of a title, button or message. */
export const short = (text, most = 80) => (text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text);
