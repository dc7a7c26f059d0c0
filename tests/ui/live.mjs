/* live.mjs - the page keeps up by itself: with changes, with a daemon that goes and comes, and with one that wants a token. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { key, until } from './webdriver.mjs';
import { overflow } from './checks.mjs';
import { World, shots } from './world.mjs';

let w, browser, folder;
const token = 'the-whole-token', readToken = 'the-reading-token';

before(async () => {
  folder = await shots();
  w = await World.open();
  browser = w.browser;
  await w.settled();
});
after(async () => { await w?.close(); });

test('a changed document is seen without anybody asking', async () => {
  await w.visit('search=figma');
  await w.app('set', 'figma', 'name', '"Figma the Second"');
  await w.says('#list-body tr[data-id="figma"] th.name', 'Figma the Second');
});

test('a failure is seen as it happens, and its repairing too', async () => {
  await w.visit('search=gimp');
  await w.poison('Hologram');
  await w.app('set', 'gimp', 'interface', '["Hologram"]');
  await until('red', async () => (await w.badges('gimp'))[3] === 'failed');
  await w.says('#list-body tr[data-id="gimp"] .wrong', /interface: .*refuses/);
  await w.says('#problems-list', /interface/);
  await w.repair(w.embedder);
  await w.app('set', 'gimp', 'interface', '["Desktop"]');
  await until('green', async () => (await w.badges('gimp'))[3] === 'synced');
  await w.says('#problems-none', 'None.');
});

test('a collection whose server is down is shown as paused until it is back', async () => {
  await w.visit();
  await w.fault(w.qdrant, { collection: 'functionality*', status: 503, count: 0 });
  const some = await w.rows();
  for (const id of some) await w.app('set', id, 'functionality', '["Prototyping"]');
  await w.says('#counts tr[data-collection="functionality"] .pill', /paused|trying again/);
  await w.says('#problems-list', /functionality/);
  assert.deepEqual(await browser.run(() => [...document.querySelectorAll('#counts .pill')].map(p => p.closest('tr').dataset.collection)), ['functionality']);
  await browser.size(1200, 900);
  assert.deepEqual(await overflow(browser), []);
  await browser.size(1440, 900);
  await browser.screenshot(join(folder, 'paused.png'));
  await w.repair(w.qdrant);
  await until('none is paused', async () => (await browser.all('#counts .pill')).length === 0);
  await w.ask('POST', 'api/sync/batch', { toolIds: some });
  await w.says('#health', '100 % in sync');
});

test('documents that come and go change the counts', async () => {
  await w.visit();
  const { total } = await w.status();
  await w.insert([{ id: 'newcomer', name: 'Newcomer', description: 'new' }]);
  await w.says('#counts tr[data-collection=""] .muted', (total + 1).toLocaleString('en'));
  await w.app('delete', 'newcomer');
  await w.says('#counts tr[data-collection=""] .muted', total.toLocaleString('en'));
});

test('the last hour is drawn', async () => {
  await w.visit();
  await w.says('#plot-throughput .value', /\/s now, \d+ in all|in all/);
  await until('a curve', async () => (await browser.all('#plot-throughput path.line')).length > 0);
  assert.match(await (await browser.find('#plot-throughput svg')).attribute('aria-label'), /^Throughput: \d+ documents settled/);
});

test('a daemon that is gone is reported, what was seen stays, and it comes back by itself', async () => {
  await w.visit();
  const rows = await w.rows();
  await w.killDaemon();
  await w.says('#connection-text', 'the daemon does not answer, trying again');
  await w.says('#problems-list', /^error ?The daemon does not answer/);
  assert.deepEqual(await w.rows(), rows);
  await browser.screenshot(join(folder, 'away.png'));
  await browser.click(`#list-body tr[data-id="${rows[0]}"] button[data-focus="sync"]`);
  await until('an action says so too', async () => /^Not done: .*the daemon does not answer/.test(await w.notice()));
  await w.app('set', rows[0], 'name', '"Renamed meanwhile"');
  await w.startDaemon();
  await w.live();
  await w.says('#problems-none', 'None.');
  await until('what happened meanwhile', async () => (await browser.textOf('#list-body')).includes('Renamed meanwhile')
    || (await w.ask('GET', 'api/sync/tools?sort=name')).data.map(d => d.id).join() === (await w.rows()).join());
});

test('a page that is opened before the daemon is there waits for it', async () => {
  await w.visit();
  await w.stopDaemon();
  await browser.run(() => document.getElementById('find').focus());
  await w.says('#connection-text', /trying again/);
  await w.startDaemon();
  await w.live();
});

test('a daemon that wants a token is asked with one; a wrong one is reported', async () => {
  await w.stopDaemon();
  w.api = { token, read_token: readToken, public_status: 'no' };
  await w.startDaemon();
  await browser.go('about:blank');
  await browser.go(w.url);
  await w.says('#token-title', 'This daemon requires a token');
  assert.equal(await browser.run(() => document.activeElement.id), 'token-input');
  await browser.screenshot(join(folder, 'token.png'));
  await browser.fill('#token-input', 'another');
  await browser.click('#token button[value="yes"]');
  await w.says('#token-error', 'The daemon refused this token.');
  await browser.fill('#token-input', token);
  await browser.keys(key.enter); // means "use it", not the first button
  await w.live();
  assert.ok((await w.rows()).length > 0);
  assert.equal(await browser.run(() => sessionStorage.getItem('lockstep.token')), token);
  assert.equal(await browser.run(() => Object.values(localStorage).join()), '');
  assert.ok(!(await browser.url()).includes(token));
  await browser.reload();
  await w.live();
});

test('with a token that may only read nothing can be changed, and the page says so', async () => {
  await browser.run(t => sessionStorage.setItem('lockstep.token', t), readToken);
  await w.visit();
  await w.says('#access', 'this token may only read');
  const enabled = () => browser.run(() => [...document.querySelectorAll('#run-worker, #sync-all, #list-body .row-actions button, #job-form button')].filter(b => !b.disabled).length);
  await until('all buttons are off', async () => (await enabled()) === 0);
  await browser.screenshot(join(folder, 'read-only.png'));
  const [id] = await w.rows();
  await browser.click(`#list-body tr[data-id="${id}"] th.name a`);
  await until('those of the document, too', async () => (await browser.run(() => [...document.querySelectorAll('#detail-body .actions button')].map(b => b.disabled).join())) === 'true,true,true');
  await browser.click('#detail-close');
  await browser.click('#token-button');
  await browser.fill('#token-input', token);
  await browser.keys(key.enter);
  await until('they are on again', async () => (await enabled()) > 5);
  assert.equal(await browser.run(() => document.getElementById('access').hidden), true);
  await browser.run(() => sessionStorage.clear());
});

test('who has no token may say so, and can enter it later', async () => {
  await w.stopDaemon();
  w.api = { token };
  await w.startDaemon();
  await browser.go('about:blank');
  await browser.go(w.url);
  await browser.click('#token button[value="no"]');
  await w.says('#connection-text', 'a token is needed');
  await w.says('#health', /in sync/); // the counts are public
  await browser.click('#token-button');
  await browser.fill('#token-input', token);
  await browser.click('#token button[value="yes"]');
  await w.live();
  assert.equal(await (await browser.all('#token-button'))[0].shown(), false);
});

test('a backfill shows how far it is', async () => {
  const made = Array.from({ length: 3000 }, (_, i) => ({ id: `made-${i}`, name: `Made ${i}`, description: 'made', interface: [`Panel ${i}`] }));
  const other = await World.open({
    before: async world => {
      await world.insert(made);
      // What is in work stays there, so that the scan has to wait.
      await world.fault(world.embedder, { text: 'Panel', hang: true, count: 0 });
    },
  });
  try {
    await other.visit();
    await other.says('#scan-text', /^Backfill: [1-9][\d,]* of 3,168/);
    assert.ok(await (await other.browser.find('#scan-bar')).property('value') < 3168);
    await other.browser.screenshot(join(folder, 'backfill.png'));
    await other.repair(other.embedder);
    await until('it is over', async () => !(await (await other.browser.all('#scan'))[0].shown()));
    await other.says('#health', '100 % in sync');
  } finally {
    await other.close();
  }
});
