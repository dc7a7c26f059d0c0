/* faults.mjs - what real use of the dashboard showed: rows, problems, links, notices and dialogs that misled. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { key, pause, until } from './webdriver.mjs';
import { World, shots } from './world.mjs';
import { overflow, smallTargets, structure } from './checks.mjs';

const long = `A name that does not end ${'and goes on '.repeat(60)}`;
let w, browser, folder;

before(async () => {
  folder = await shots();
  w = await World.open({
    before: async world => {
      await world.poison('Desktop');
      await world.insert([
        { id: 'twin', name: 'Twin one', slug: 'twin-one', description: 'the first of two', interface: ['Web'] },
        { id: 'twin', name: 'Twin two', slug: 'twin-two', description: 'the second of two', interface: ['Web'] },
        { id: `long-${'x'.repeat(300)}`, name: long, slug: 'long', description: 'a long one', interface: ['Desktop'] },
      ]);
      await world.insert([{ id: 'first', title: 'A note', body: 'about drawing with a pen' },
        { id: 'second', title: '', headline: 'Another', body: 'about music' }], 'ui.notes');
      world.total += 3;
    },
  });
  browser = w.browser;
  await w.settled();
  await w.settled('notes');
  await w.visit();
});
after(async () => { await w?.close(); });

const rowsOf = id => browser.run(i => [...document.querySelectorAll('#list-body tr')].filter(r => r.dataset.id === i)
  .map(r => ({ doc: r.dataset.doc, name: r.querySelector('th.name').textContent, status: r.querySelector('.status').dataset.status })), id);

test('problems of one code and collection are shown once each, however often they are read', async () => {
  const { problems } = await w.ask('GET', 'api/sync/worker/problems');
  const failures = problems.filter(p => p.code === 'DOCUMENTS_FAILED' && p.collection === 'interface');
  assert.ok(failures.length >= 2, 'there are two of one code and collection');
  assert.equal(new Set(problems.map(p => p.id)).size, problems.length, 'their ids differ');
  for (let i = 0; i < 4; i++) {
    await w.ask('POST', 'api/sync/tools/twin-one/retry', {});
    await browser.run(() => window.dispatchEvent(new Event('online')));
    await pause(900);
  }
  const now = (await w.ask('GET', 'api/sync/worker/problems')).problems.length;
  await until('as many as there are', async () => (await browser.all('#problems-list li')).length === now);
});

test('two documents with one business id have rows of their own, and each can be acted on', async () => {
  await w.visit('search=twin');
  const twins = await rowsOf('twin');
  assert.deepEqual(twins.map(t => t.name), ['Twin one', 'Twin two']);
  assert.notEqual(twins[0].doc, twins[1].doc);
  assert.deepEqual(twins.map(t => t.status), ['synced', 'failed']);
  await browser.click(`#list-body tr[data-doc='${twins[1].doc}'] button[data-focus="sync"]`);
  await until('the outcome', async () => /^Twin two: 4 collections failed/.test(await w.notice()));
  await browser.click(`#list-body tr[data-doc='${twins[1].doc}'] th.name a`);
  await w.says('#detail-title', 'Twin two');
  await w.says('#detail-body', /VALIDATION_ERROR/);
  await browser.click('#detail-close');
  await browser.click(`#list-body tr[data-doc='${twins[0].doc}'] th.name a`);
  await w.says('#detail-title', 'Twin one');
  await browser.click('#detail-close');
  await browser.click('#pick-all');
  await browser.click('#sync-selected');
  await w.says('#confirm-title', 'Sync 2 documents now?');
  await w.answer(true);
  await until('the outcome', async () => /^1 of 2 documents in sync, 1 failed/.test(await w.notice()));
  assert.match(await w.notice(), /Twin two: /);
});

test('a link of a row that stays leads to where the page is now', async () => {
  await w.visit('search=twin&sort=name');
  await w.rows();
  await browser.click('#clear-filters');
  await until('more rows', async () => (await w.rows()).length > 2);
  await browser.fill('#find', 'twin');
  await until('the twins', async () => (await w.rows()).join() === 'twin,twin');
  await browser.choose('#page-size', '50');
  await until('the page size', async () => (await browser.url()).includes('limit=50'));
  const href = await browser.run(() => document.querySelector('#list-body th.name a').getAttribute('href'));
  assert.match(href, /limit=50/);
});

test('the question before a reset says what a reset does', async () => {
  await w.visit('search=twin');
  await browser.click('#list-body button[data-focus="reset"]');
  await w.says('#confirm-text', /again, even if nothing has changed\..*bill for/);
  await w.answer(false);
});

test('long names are cut', async () => {
  await w.visit('search=long');
  await until('its row', async () => (await w.rows()).length === 1);
  const height = await browser.run(() => document.querySelector('#list-body tr').getBoundingClientRect().height);
  assert.ok(height < 90, `the row is ${height} high`);
  assert.deepEqual(await overflow(browser), []);
  await browser.click('#list-body button[data-focus="reset"]');
  assert.ok((await browser.textOf('#confirm-title')).length < 170);
  await w.answer(false);
  await browser.click('#list-body button[data-focus="sync"]');
  await until('the outcome', async () => /1 collection failed/.test(await w.notice()));
  await browser.screenshot(join(folder, 'long-names.png'));
  await w.visit('doc=long');
  await until('its title', async () => /^A name that/.test(await browser.textOf('#detail-title')));
  assert.ok((await browser.textOf('#detail-title')).length <= 80);
});

test('red notices never cover the page, and go away', async () => {
  await w.visit('status=failed');
  const ids = await browser.run(() => [...document.querySelectorAll('#list-body tr')].slice(0, 6).map(r => r.dataset.doc));
  for (const doc of ids) await browser.run(d => [...document.querySelectorAll('#list-body tr')].find(r => r.dataset.doc === d).querySelector('button[data-focus="sync"]').click(), doc);
  await until('notices', async () => (await browser.all('#notices .notice[data-kind="failed"]')).length >= 5);
  const share = await browser.run(() => document.getElementById('notices').getBoundingClientRect().height / innerHeight);
  assert.ok(share <= 0.41, `they take ${share} of the page`);
  await browser.screenshot(join(folder, 'notices.png'));
  const reached = await browser.run(() => {
    const last = document.querySelector('#next-page');
    last.scrollIntoView({ block: 'start' });
    return last.getBoundingClientRect().bottom < document.getElementById('notices').getBoundingClientRect().top;
  });
  assert.ok(reached, 'the end of the page can be scrolled above them');
  await browser.run(() => document.activeElement.blur());
  await until('they are gone', async () => (await browser.all('#notices .notice')).length === 0);
});

test('search shows a title and a snippet, whatever field the title is', async () => {
  await w.visit('source=notes');
  await w.settled('notes');
  await browser.click('#tab-search');
  await browser.fill('#query', 'drawing');
  await browser.keys(key.enter);
  await until('hits', async () => (await browser.all('#search-results .result li')).length >= 2);
  const titles = await browser.run(() => [...document.querySelectorAll('#search-results .result:first-child li a')].map(a => a.textContent).sort());
  assert.deepEqual(titles, ['A note', 'Another']);
  assert.match(await browser.textOf('#search-results'), /about drawing with a pen/);
  await browser.screenshot(join(folder, 'search.png'));
  await browser.click('#tab-documents');
  await until('titles in the list', async () => (await browser.textOf('#list-body')).includes('A note'));
});

test('names that are spoken have the words that are seen; fingers hit checkboxes', async () => {
  for (const place of ['', 'view=search&q=draw', 'view=jobs', 'search=twin', 'doc=twin-one']) {
    await w.visit(place);
    await pause(300);
    assert.deepEqual(await structure(browser), [], place);
  }
  await browser.size(360, 740, true);
  for (const place of ['', 'view=jobs', 'search=long', 'doc=long', 'source=notes']) {
    await w.visit(place);
    await pause(300);
    assert.deepEqual(await overflow(browser), [], place);
    assert.deepEqual(await smallTargets(browser), [], place);
  }
  await browser.screenshot(join(folder, 'phone-long.png'), { whole: true });
});
