/* notices.js - what became of what somebody asked for, in words; and asking before what costs. */
import { byId, el } from './dom.js';

const SHOWN_MS = 12000, MOST = 5;

/** Shows a message: `kind` is done, failed or busy. Errors stay until they are dismissed. What is returned can
 * change it. */
export function notice(kind, title, lines = []) {
  const box = byId('notices');
  const node = el('div', { class: 'notice' });
  let timer = null;
  const remove = () => { clearTimeout(timer); node.remove(); };
  const update = (newKind, newTitle, newLines = []) => {
    clearTimeout(timer);
    node.dataset.kind = newKind;
    node.replaceChildren(
      el('div', null, el('strong', null, newTitle), newLines.map(line => el('p', null, line))),
      el('button', { type: 'button', class: 'quiet', onclick: remove, 'aria-label': `Dismiss: ${newTitle}` }, 'Dismiss'));
    if (newKind === 'done') timer = setTimeout(remove, SHOWN_MS);
  };
  update(kind, title, lines);
  box.append(node);
  while (box.children.length > MOST) box.firstElementChild.remove();
  node.addEventListener('pointerenter', () => clearTimeout(timer));
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
  byId('confirm-title').textContent = title;
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
