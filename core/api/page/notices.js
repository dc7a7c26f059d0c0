/* notices.js - messages about actions, and confirmation before those that cost something. */
import { byId, el } from './dom.js';
import { known } from './state.js';
import { short } from './format.js';

const SHOWN_MS = { done: 12000, failed: 30000 }, MOST = 5;

/** Shows a message: `kind` is done, failed or busy. A finished one disappears by itself, unless it has the pointer or the
 * focus. The returned object changes it. */
export function notice(kind, title, lines = []) {
  const box = byId('notices');
  const node = el('div', { class: 'notice' });
  let timer = null;
  const remove = () => { clearTimeout(timer); node.remove(); };
  const wait = () => {
    clearTimeout(timer);
    const ms = SHOWN_MS[node.dataset.kind];
    if (ms && !node.matches(':hover, :focus-within')) timer = setTimeout(remove, ms);
  };
  const update = (newKind, newTitle, newLines = []) => {
    node.dataset.kind = newKind;
    node.replaceChildren(
      el('div', null, el('strong', null, short(newTitle, 160)), newLines.map(line => el('p', null, line))),
      el('button', { type: 'button', class: 'quiet', onclick: remove, 'aria-label': `Dismiss: ${short(newTitle)}` }, 'Dismiss'));
    wait();
  };
  update(kind, title, lines);
  box.append(node);
  while (box.children.length > MOST) box.firstElementChild.remove();
  for (const event of ['pointerenter', 'focusin']) node.addEventListener(event, () => clearTimeout(timer));
  for (const event of ['pointerleave', 'focusout']) node.addEventListener(event, () => setTimeout(wait));
  return { update };
}

/** An error as a sentence. */
export function errorText(e) {
  if (e.status === 403) return `${e.message} (this token may only read)`.replace(/^(.*read.only.*) \(.*\)$/i, '$1');
  return e.code && e.code !== 'NO_ANSWER' ? `${e.message} (${e.code})` : e.message;
}

/** Asks for confirmation; true if confirmed. */
export function confirm(title, text, yes) {
  const dialog = byId('confirm');
  byId('confirm-title').textContent = short(title, 160);
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = yes;
  dialog.returnValue = 'no';
  return new Promise(done => {
    dialog.addEventListener('close', () => done(dialog.returnValue === 'yes'), { once: true });
    dialog.showModal();
    byId('confirm-yes').focus();
  });
}

/** Runs `work` unless the button's work is running; meanwhile the button shows it, and keeps the focus. */
export async function busy(button, work) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  try {
    await work();
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

/** Attributes of a button that changes something: disabled with a read token. */
export const writes = () => (known.readOnly ? { disabled: true, title: 'this token may only read' } : {});
