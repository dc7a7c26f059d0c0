/* notices.js - what became of what somebody asked for, in words; and asking before what costs. */
import { byId, el } from './dom.js';
import { known } from './state.js';
import { short } from './format.js';

const SHOWN_MS = { done: 12000, failed: 30000 }, MOST = 5;

/** Shows a message: `kind` is done, failed or busy. What is over goes away by itself, unless the pointer or the focus is
 * on it. What is returned can change it. */
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

/** What went wrong, as a sentence. */
export function errorText(e) {
  if (e.status === 403) return `${e.message} (this token may only read)`.replace(/^(.*read.only.*) \(.*\)$/i, '$1');
  return e.code && e.code !== 'NO_ANSWER' ? `${e.message} (${e.code})` : e.message;
}

/** Asks; true if yes. */
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

/** Runs `work` unless the button is at work already; meanwhile it says so, and keeps the focus. */
export async function busy(button, work) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  try {
    await work();
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

/** Attributes of a button that changes something: it can't be pressed with a token that may only read. */
export const writes = () => (known.readOnly ? { disabled: true, title: 'this token may only read' } : {});
