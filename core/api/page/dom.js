/* dom.js - creating and changing elements. Texts of servers are inserted as text, never as markup. */
import { since, until, clock, now } from './format.js';

export const byId = id => document.getElementById(id);

function add(parent, child) {
  if (child === null || child === undefined || child === false) return;
  if (Array.isArray(child)) child.forEach(c => add(parent, c));
  else parent.append(child instanceof Node ? child : String(child));
}

/** An element: `el('button', {class: 'quiet', type: 'button', onclick: f}, 'Close')`. Attributes that are null or
 * false are left out. */
export function el(tag, attributes, ...children) {
  const out = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) out.addEventListener(name.slice(2), value);
    else out.setAttribute(name, value === true ? '' : value);
  }
  add(out, children);
  return out;
}

export function svg(tag, attributes, ...children) {
  const out = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes ?? {})) out.setAttribute(name, value);
  add(out, children);
  return out;
}

/** Changes text only if it differs: a screen reader reads a text again when it is set again. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function replace(parent, ...children) {
  parent.replaceChildren();
  add(parent, children);
}

/**
 * Makes the children of `parent` those of `items`, in their order. An item's element is kept as long as its key
 * remains, so that focus and open parts stay; a changed item gets a new element.
 */
export function keyed(parent, items, keyOf, make) {
  const before = parent.lockstepKeyed ?? new Map();
  const now = new Map();
  let at = parent.firstElementChild;
  for (const item of items) {
    let key = String(keyOf(item));
    for (let n = 2; now.has(key); n++) key = `${keyOf(item)} #${n}`; // two items with one key get two elements
    const text = JSON.stringify(item);
    let entry = before.get(key);
    if (entry?.text !== text) {
      const node = make(item);
      if (entry) exchange(entry.node, node);
      if (entry && entry.node === at) at = node;
      entry = { text, node };
    }
    if (entry.node === at) at = at.nextElementSibling;
    else parent.insertBefore(entry.node, at);
    now.set(key, entry);
  }
  for (const [key, entry] of before) if (!now.has(key)) entry.node.remove();
  parent.lockstepKeyed = now;
}

/* Replaces an element; the focus moves to the same place in the new one. */
function exchange(old, fresh) {
  const held = old.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  old.replaceWith(fresh);
  if (held) fresh.querySelector(`[data-focus="${CSS.escape(held)}"]`)?.focus();
}

/** Calls `f` after `ms` without another call, at the latest `most` after the first. */
export function settled(f, ms, most = ms * 8) {
  let timer = null, since = 0;
  const run = () => { timer = null; since = 0; f(); };
  return () => {
    const now = performance.now();
    since ||= now;
    clearTimeout(timer);
    timer = setTimeout(run, Math.max(0, Math.min(ms, since + most - now)));
  };
}

/** A relative time, kept current by a ticker. */
export function timeNode(ms, shown) {
  const out = el('time', { datetime: new Date(ms).toISOString(), 'data-shown': shown });
  tickOne(out);
  return out;
}

function tickOne(node) {
  const ms = Date.parse(node.getAttribute('datetime'));
  say(node, node.dataset.shown === 'until' ? until(ms - now()) : since(now() - ms));
  if (node.title !== clock(ms)) node.title = clock(ms);
}
setInterval(() => document.querySelectorAll('time[data-shown]').forEach(tickOne), 1000);
