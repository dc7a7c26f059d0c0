/* checks.mjs - what a page must be like for keyboards, screen readers and eyes. Each gives a list of what is wrong. */

/** Names, labels, roles and structure, of what is shown now. */
export const structure = browser => browser.run(() => {
  const wrong = [];
  const shown = node => node.checkVisibility({ checkVisibilityCSS: true });
  const where = node => `${node.tagName.toLowerCase()}${node.id ? `#${node.id}` : ''}${node.className && typeof node.className === 'string' ? `.${node.className.split(' ').join('.')}` : ''}`;
  const text = id => document.getElementById(id)?.textContent.trim() ?? '';
  const name = node => (node.getAttribute('aria-labelledby') ?? '').split(' ').map(text).join(' ').trim() || node.getAttribute('aria-label')
    || [...node.labels ?? []].map(l => l.textContent.trim()).join(' ') || node.textContent.trim() || node.title;
  const all = selector => [...document.querySelectorAll(selector)].filter(shown);

  const ids = [...document.querySelectorAll('[id]')].map(n => n.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) wrong.push(`the id ${id} is there twice`);
  for (const attribute of ['aria-labelledby', 'aria-describedby', 'aria-controls']) {
    for (const node of document.querySelectorAll(`[${attribute}]`)) {
      for (const id of node.getAttribute(attribute).split(' ')) if (!document.getElementById(id)) wrong.push(`${where(node)}: ${attribute} names ${id}, which is not there`);
    }
  }
  for (const node of all('button, a[href], input, select, [role="button"], [role="img"], dialog, progress, nav, section')) {
    if (!name(node)) wrong.push(`${where(node)} has no name`);
  }
  // Who speaks to a page says what is seen on a button (WCAG 2.5.3, label in name).
  for (const node of all('button[aria-label], a[aria-label], [role="button"][aria-label]')) {
    const seen = node.innerText.trim().toLowerCase();
    if (seen.length > 1 && !/^[\d,.]+$/.test(seen) && !node.getAttribute('aria-label').toLowerCase().includes(seen)) wrong.push(`${where(node)} says "${seen}" but is called "${node.getAttribute('aria-label')}"`);
  }
  for (const node of all('input, select')) {
    if (!node.labels?.length && !node.getAttribute('aria-label')) wrong.push(`${where(node)} has no label`);
  }
  for (const node of all('img')) if (!node.hasAttribute('alt')) wrong.push(`${where(node)} has no alt`);
  for (const node of all('[onclick]')) wrong.push(`${where(node)} has an inline handler`);
  for (const node of document.querySelectorAll('[style]')) if (!node.style.length) wrong.push(`${where(node)} has an inline style`);
  for (const node of all('[tabindex]')) if (node.tabIndex > 0) wrong.push(`${where(node)} comes before others in the Tab order`);
  if (document.querySelectorAll('h1').length !== 1) wrong.push('there is not one h1');
  for (const landmark of ['main', 'header', 'nav']) if (!document.querySelector(landmark)) wrong.push(`there is no ${landmark}`);
  if (document.documentElement.lang !== 'en') wrong.push('the language is not said');
  let level = 0;
  for (const node of all('h1, h2, h3')) {
    const now = Number(node.tagName[1]);
    if (now > level + 1) wrong.push(`${where(node)} skips a level`);
    level = now;
  }
  for (const table of all('table')) {
    if (!table.querySelector('th[scope="col"]')) wrong.push(`${where(table)} has no column heads`);
    for (const row of table.tBodies[0].rows) if (!row.querySelector('th[scope="row"]')) wrong.push(`${where(table)} has a row without a head`);
  }
  return wrong;
});

/** Text whose colour is too near to that of its ground (WCAG AA: 4.5, or 3 for large letters). */
export const contrast = browser => browser.run(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  // The browser itself turns any notation of a colour into numbers.
  const numbers = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { rgb: [r, g, b], a: a / 255 };
  };
  const over = (top, below) => top.rgb.map((v, i) => v * top.a + below[i] * (1 - top.a));
  const ground = node => {
    const layers = [];
    for (let n = node; n; n = n.parentElement) {
      const c = numbers(getComputedStyle(n).backgroundColor);
      if (c.a) layers.push(c);
      if (c.a === 1) break;
    }
    return layers.reduceRight((below, top) => over(top, below), [255, 255, 255]);
  };
  const light = rgb => rgb.map(v => v / 255).map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const wrong = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest('option, noscript, :disabled, [aria-disabled], .away, .skip')) continue;
    const style = getComputedStyle(node), below = ground(node);
    const letters = over(numbers(style.color), below);
    const [a, b] = [light(letters), light(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) wrong.add(`${ratio.toFixed(2)}: "${walker.currentNode.data.trim().slice(0, 30)}" in ${node.tagName.toLowerCase()}.${node.className}`);
  }
  return [...wrong];
});

/** What sticks out to the right, of the page or of its card. */
export const overflow = browser => browser.run(() => {
  const right = node => node.getBoundingClientRect().right;
  const frame = node => node.parentElement.closest('.card, .problems, dialog');
  const width = document.documentElement.clientWidth;
  return [...document.querySelectorAll('body *')].filter(n => n.checkVisibility() && !n.closest('.table-frame, pre, .plot, .away'))
    .filter(n => (right(n) > width + 1 && !n.closest('.notices')) || (frame(n) && right(n) > right(frame(n)) + 1))
    .map(n => `${n.tagName.toLowerCase()}#${n.id}.${n.className}`).slice(0, 10);
});

/** What a finger can hardly hit (WCAG AA: 24 by 24 pixels). */
export const smallTargets = browser => browser.run(() => [...document.querySelectorAll('button, select, input, .tabs a')]
  .filter(n => n.checkVisibility() && !n.closest('.away') && !n.matches('.link, .away')).map(n => [n, n.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24).map(([n, box]) => `${n.textContent.trim() || n.id}: ${Math.round(box.width)} by ${Math.round(box.height)}`));
