/* look.mjs - what the dashboard shows: the same as the API says, safely, to every kind of reader, in every size. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { key, pause, until } from './webdriver.mjs';
import { World, collections, evil, shots } from './world.mjs';
import { contrast, overflow, smallTargets, structure } from './checks.mjs';

const odd = 'odd/id ?#%25&"';
let w, browser, folder;

before(async () => {
  folder = await shots();
  w = await World.open({
    before: async world => {
      // What the server says of it is shown too, and is no more to be believed than a document.
      await world.fault(world.embedder, { text: 'Desktop', status: 400, count: 0, body: { error: { message: `not this one: ${evil}` } } });
      await world.insert([{ id: odd, name: evil, slug: 'odd', description: evil, interface: ['Desktop'], functionality: [evil], website: evil }]);
      await world.insert([{ id: 'first', title: 'A note', body: 'about drawing' }, { id: 'second', title: 'Another', body: 'about music' }], 'ui.notes');
      world.total += 1;
    },
  });
  browser = w.browser;
  await w.settled();
  await w.visit();
});
after(async () => { await w?.close(); });

const failedIds = async () => (await w.ask('GET', 'api/sync/tools?status=failed&limit=100&sort=name')).data.map(d => d.id);

test('counts, health and statuses are those of the API', async () => {
  const s = await w.status();
  assert.equal(s.total, w.total);
  assert.ok(s.failed > 5 && s.synced > 5, 'there are both kinds');
  await w.says('#health', `${(Math.floor(s.synced / s.total * 1000) / 10).toFixed(1)} % in sync`);
  for (const [name, counts] of [['', s], ...Object.entries(s.perCollection)]) {
    const shown = await browser.run(n => [...document.querySelectorAll(`#counts tr[data-collection="${n}"] .count`)].map(b => Number(b.textContent)), name);
    assert.deepEqual(shown, [counts.synced, counts.pending, counts.stale, counts.failed], name);
  }
  assert.equal(await browser.textOf('#worker-state'), 'running');
  await w.says('#worker', /Interval ?1 h/);
});

test('what is wrong stands there in words, with what to do', async () => {
  const { problems } = await w.ask('GET', 'api/sync/worker/problems');
  assert.ok(problems.length > 0);
  await until('all problems', async () => (await browser.all('#problems-list li')).length === problems.length);
  const text = await browser.textOf('#problems-list');
  for (const p of problems) {
    assert.ok(text.includes(p.text.replaceAll('`', '')), p.text);
    assert.ok(text.includes(p.cure.replaceAll('`', '')), p.cure);
  }
});

test('badges carry the letters T F U I and the status of each collection', async () => {
  await w.visit('status=failed');
  const [id] = await w.rows();
  const record = await w.record(id);
  assert.deepEqual(await w.badges(id), collections.map(c => record.collections[c].status));
  assert.equal(await browser.run(() => [...document.querySelector('#list-body .badges').children].map(b => b.textContent).join('')), 'TFUI');
});

test('a badge says more to the pointer and to the keyboard', async () => {
  await w.visit('status=failed');
  const [id] = await w.rows(), { collections: states } = await w.record(id);
  const failed = await browser.find('#list-body tr:first-child .badge[data-status="failed"]');
  const name = await failed.attribute('data-collection');
  assert.equal(await failed.attribute('aria-label'), `${name}: failed`);
  await browser.hover(failed);
  await w.says('#tooltip', new RegExp(`${name}: failed.*Last sync ?never.*Failed attempts ?${states[name].retryCount}.*Next retry.*Code ?EMBEDDING_REJECTED.*Error ?`));
  assert.ok((await browser.textOf('#tooltip')).includes(evil), 'the error as it is');
  await browser.keys(key.escape);
  assert.equal(await (await browser.all('#tooltip'))[0].shown(), false);

  await browser.run(() => document.querySelector('#list-body .badge').focus());
  await w.says('#tooltip', /^tools: synced/);
  await browser.keys(key.right);
  await w.says('#tooltip', /^functionality: synced/);
  assert.equal(await browser.run(() => document.activeElement.getAttribute('aria-describedby')), 'tooltip');
  assert.equal(await browser.run(() => document.querySelectorAll('#list-body tr:first-child .badge[tabindex="0"]').length), 1, 'one stop of Tab');
});

test('what documents and servers say is text, never markup', async () => {
  await w.visit(`search=${encodeURIComponent('odd/')}`);
  assert.deepEqual(await w.rows(), [odd]);
  assert.equal(await browser.textOf('#list-body th.name'), evil);
  await browser.click('#list-body button[data-focus="reset"]');
  await w.says('#confirm-title', `Reset ${evil}?`);
  await w.answer(false);
  assert.equal(await browser.run(() => document.querySelectorAll('main img, dialog img, #notices img').length), 0);
  assert.equal(await browser.run(() => window.broken ?? null), null);
});

test('a count and a piece of a bar filter the table, and a second click shows all again', async () => {
  await w.visit();
  const s = await w.status();
  await browser.click('#counts tr[data-collection="interface"] .count[data-status="failed"]');
  await w.says('#list-count', new RegExp(`of ${s.perCollection.interface.failed} documents`));
  assert.match(await browser.url(), /collection=interface&status=failed/);
  assert.ok((await browser.run(() => [...document.querySelectorAll('#list-body .badge[data-collection="interface"]')].every(b => b.dataset.status === 'failed'))));
  assert.equal(await (await browser.find('#counts tr[data-collection="interface"] .count[data-status="failed"]')).attribute('aria-pressed'), 'true');
  assert.equal(await (await browser.find('#status-filter')).property('value'), 'failed');
  await browser.click('#counts tr[data-collection="interface"] .count[data-status="failed"]');
  await w.says('#list-count', new RegExp(`of ${s.total} documents`));
  await browser.click('#counts tr[data-collection=""] .part[data-status="synced"]');
  await w.says('#list-count', new RegExp(`of ${s.synced} documents`));
  await browser.click('#clear-filters');
  await w.says('#list-count', new RegExp(`of ${s.total} documents`));
});

test('search, sort and pages are those of the API, and are in the address', async () => {
  await w.visit();
  await browser.fill('#find', 'apache');
  const found = (await w.ask('GET', 'api/sync/tools?search=apache&sort=name')).data.map(d => d.id);
  assert.ok(found.length > 1);
  await until('what is found', async () => (await w.rows()).join() === found.join());
  await browser.reload();
  await w.live();
  assert.equal(await (await browser.find('#find')).property('value'), 'apache');
  assert.deepEqual(await w.rows(), found);
  await browser.click('#clear-filters');

  for (const [column, sort] of [['id', 'id'], ['status', 'status'], ['updated', 'updated'], ['name', 'name']]) {
    const head = `#list-head button[data-focus="${column}"]`;
    await browser.click(head);
    await until(`sorted by ${sort}`, async () => (await w.rows()).join() === (await w.ask('GET', `api/sync/tools?sort=${sort}`)).data.map(d => d.id).join());
    assert.equal(await browser.run(s => document.querySelector(s).closest('th').getAttribute('aria-sort'), head), 'ascending');
  }
  await browser.click('#list-head button[data-focus="name"]');
  const down = (await w.ask('GET', 'api/sync/tools?sort=-name&page=2')).data.map(d => d.id);
  await browser.click('#next-page');
  await until('page 2, descending', async () => (await w.rows()).join() === down.join());
  assert.match(await browser.textOf('#page-text'), /^Page 2 of \d+$/);
  await browser.back();
  await w.says('#page-text', /^Page 1 of/);
  await browser.choose('#page-size', '100');
  await until('100 rows', async () => (await w.rows()).length === 100);
});

test('search shows what users find, per collection and fused', async () => {
  await w.visit('view=search');
  await browser.fill('#query', 'make pictures from words');
  await browser.click('#search-form button');
  const answer = await w.ask('GET', 'api/search?q=make+pictures+from+words&limit=10&source=tools');
  await until('hits', async () => (await browser.all('#search-results li')).length > 0);
  const found = await browser.run(() => Object.fromEntries([...document.querySelectorAll('#search-results section')]
    .map(s => [s.getAttribute('aria-label'), [...s.querySelectorAll('li a')].map(a => a.textContent)])));
  for (const [name, hits] of Object.entries(answer.collections)) assert.deepEqual(found[name], hits.map(h => h.name), name);
  assert.deepEqual(found['All together'], answer.fused.map(h => h.name));
  await browser.screenshot(join(folder, 'search.png'));
  await browser.click('#search-results section li a');
  await w.says('#detail-title', answer.fused[0].name);
});

test('another source can be chosen', async () => {
  await w.settled('notes');
  await w.visit();
  await browser.choose('#source', 'notes');
  await until('its documents', async () => (await w.rows()).join() === 'first,second');
  assert.equal(await browser.textOf('#health'), '100 % in sync');
  assert.equal((await browser.all('#counts-body tr')).length, 2);
});

test('keyboards and screen readers find their way', async () => {
  for (const place of ['', 'view=search&q=draw', 'view=jobs', 'doc=figma']) {
    await w.visit(place);
    await pause(200);
    assert.deepEqual(await structure(browser), [], place);
  }
  await w.visit();
  await browser.keys(key.tab);
  assert.equal(await browser.run(() => document.activeElement.className), 'skip');
  await browser.keys(key.enter, key.tab);
  assert.equal(await browser.run(() => document.activeElement.id), 'tab-documents');
  assert.equal(await browser.run(() => document.querySelector('#connection').getAttribute('role')), 'status');
  assert.equal(await (await browser.find('#list-head th')).role(), 'columnheader');
  assert.equal(await (await browser.find('#list')).label(), 'Documents');
});

test('dark and light: as the system says, or as chosen; letters can be read in both', async () => {
  const ground = () => browser.run(() => getComputedStyle(document.body).backgroundColor);
  const seen = {};
  for (const scheme of ['light', 'dark']) {
    await browser.scheme(scheme);
    for (const place of ['', 'view=search&q=draw', 'view=jobs', 'doc=figma&at=interface']) {
      await w.visit(place);
      await pause(300);
      assert.deepEqual(await contrast(browser), [], `${scheme} ${place}`);
    }
    await w.visit();
    seen[scheme] = await ground();
    await pause(300);
    await browser.screenshot(join(folder, `${scheme}.png`));
  }
  assert.notEqual(seen.light, seen.dark);
  await browser.click('#theme', 'Light');
  assert.equal(await ground(), seen.light);
  await w.visit();
  assert.equal(await ground(), seen.light, 'it is remembered');
  await browser.click('#theme', 'Dark');
  await browser.scheme('light');
  assert.equal(await ground(), seen.light, 'and follows the system again');
});

test('on a phone nothing sticks out, and a finger hits what it aims at', async () => {
  await browser.size(360, 740, true);
  for (const place of ['', 'view=search&q=draw', 'view=jobs', 'doc=figma']) {
    await w.visit(place);
    await pause(300);
    assert.deepEqual(await overflow(browser), [], place);
    assert.deepEqual(await smallTargets(browser), [], place);
  }
  await w.visit();
  await pause(300);
  await browser.screenshot(join(folder, 'phone.png'), { whole: true });
  await w.visit('doc=figma');
  await pause(300);
  await browser.screenshot(join(folder, 'phone-detail.png'));
  await browser.size(1440, 900);
});

test('on screens between, nothing sticks out either', async () => {
  for (const width of [700, 900, 1151, 1320, 1920]) {
    await browser.size(width, 900);
    await w.visit();
    assert.deepEqual(await overflow(browser), [], `${width} pixels`);
  }
  await browser.size(1440, 900);
});

test('nothing comes from another host, and nothing broke the policy of the page', async () => {
  await browser.console();
  await w.visit();
  await w.visit('view=search&q=draw');
  const hosts = await browser.run(() => [...new Set(performance.getEntriesByType('resource').map(e => new URL(e.name).host))]);
  assert.deepEqual(hosts, [`127.0.0.1:${w.port}`]);
  assert.deepEqual((await browser.console()).filter(line => !/^(DEBUG|INFO)/.test(line)), []);
  const policy = (await fetch(w.url)).headers.get('content-security-policy');
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
});

test('failed documents are what the filter shows', async () => {
  await w.visit('status=failed&limit=100');
  assert.deepEqual(await w.rows(), await failedIds());
});
