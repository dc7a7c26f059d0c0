/* axe.mjs - axe-core's rules for what people with screen readers, keyboards and weak eyes need, on every view of the
 * dashboard: wide and on a phone, in the light and the dark. axe.min.js is named by LOCKSTEP_TEST_AXE (ui.sh). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pause, until } from './webdriver.mjs';
import { World, shots } from './world.mjs';

const long = `A name that does not end ${'and goes on '.repeat(60)}`;
let w, browser, folder, rules;

before(async () => {
  folder = await shots();
  rules = await readFile(process.env.LOCKSTEP_TEST_AXE, 'utf8');
  w = await World.open({
    before: async world => {
      await world.poison('Desktop');
      await world.insert([
        { id: 'twin', name: 'Twin one', slug: 'twin-one', description: 'the first of two', interface: ['Web'] },
        { id: 'twin', name: 'Twin two', slug: 'twin-two', description: 'the second of two', interface: ['Web'] },
        { id: `long-${'x'.repeat(300)}`, name: long, slug: 'long', description: 'a long one', interface: ['Desktop'] },
      ]);
      await world.insert([{ id: 'first', title: 'A note', body: 'about drawing with a pen' }], 'ui.notes');
      world.total += 3;
    },
  });
  browser = w.browser;
  await w.settled();
});
after(async () => { await w?.close(); });

/** What axe has against the page as it is now: "rule: what to do: where". */
async function violations() {
  await browser.ask('POST', '/execute/sync', { script: `if (!window.axe) { ${rules}\n }`, args: [] });
  const found = await browser.ask('POST', '/execute/async', {
    script: `const done = arguments[arguments.length - 1];
      axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })
        .then(r => done(r.violations.map(v => [v.id, v.help, v.nodes.map(n => n.target.join(' ') + ' ' + (n.any[0] ?? n.all[0] ?? n.none[0])?.message)])))
        .catch(e => done([['axe', String(e), []]]));`,
    args: [],
  });
  return found.map(([id, help, nodes]) => `${id}: ${help}: ${nodes.slice(0, 4).join(' | ')}${nodes.length > 4 ? ` and ${nodes.length - 4} more` : ''}`);
}

const settle = () => pause(400); // colours fade in
const views = [
  ['documents', ''], ['failed', 'status=failed'], ['nothing found', 'search=nothing-has-this'], ['twins', 'search=twin'], ['long name', 'search=long'],
  ['search', 'view=search&q=draw'], ['jobs', 'view=jobs'], ['document', 'doc=twin-one'], ['long document', 'doc=long'], ['another source', 'source=notes'],
];
const screens = [['wide', 1440, 900, false], ['phone', 360, 740, true]];

for (const [screen, width, height, mobile] of screens) {
  for (const scheme of ['light', 'dark']) {
    test(`axe has nothing against any view, ${screen}, ${scheme}`, async () => {
      await browser.size(width, height, mobile);
      await browser.scheme(scheme);
      const wrong = [];
      for (const [name, place] of views) {
        await w.visit(place);
        await settle();
        for (const v of await violations()) wrong.push(`${name}: ${v}`);
      }
      assert.deepEqual(wrong, []);
    });
  }

  test(`axe has nothing against notices and dialogs, ${screen}`, async () => {
    await browser.size(width, height, mobile);
    await browser.scheme('light');
    const wrong = [];
    const look = async name => {
      await settle();
      await browser.screenshot(join(folder, `axe-${screen}-${name}.png`));
      for (const v of await violations()) wrong.push(`${name}: ${v}`);
    };
    await w.visit('search=long');
    await browser.click('#list-body button[data-focus="reset"]');
    await w.says('#confirm-title', /^Reset /);
    await look('question');
    await w.answer(false);
    await browser.click('#list-body button[data-focus="sync"]');
    await until('the outcome', async () => /failed/.test(await w.notice()));
    await look('notice');
    await w.visit('doc=long');
    await until('its title', async () => /^A name/.test(await browser.textOf('#detail-title')));
    await look('document');
    await w.visit('status=failed');
    await browser.hover(await browser.find('#list-body tr:first-child .badge[data-status="failed"]'));
    await until('the tooltip', async () => (await browser.textOf('#tooltip'))?.includes('failed'));
    await look('tooltip');
    assert.deepEqual(wrong, []);
  });
}
