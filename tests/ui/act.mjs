/* act.mjs - everything that an operator can do in the dashboard, and that it was done. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { until } from './webdriver.mjs';
import { World, shots } from './world.mjs';

let w, browser, folder;

before(async () => {
  folder = await shots();
  // What has a desktop app fails in `interface` until the embedder is repaired.
  w = await World.open({ before: world => world.poison('Desktop') });
  browser = w.browser;
  await w.settled();
});
after(async () => { await w?.close(); });

const failedDocuments = async () => (await w.ask('GET', 'api/sync/tools?status=failed&limit=100&sort=name')).data;
const row = (id, what) => `#list-body tr[data-id="${id}"] button[data-focus="${what}"]`;
const embedded = async () => (await w.server(w.embedder, 'GET', '/__double/counters')).texts.embedded;

test('Sync Now of a document that fails says why, and what became of the others', async () => {
  const [doc] = await failedDocuments();
  await w.visit('status=failed');
  await browser.click(row(doc.id, 'sync'));
  await until('the outcome', async () => /1 collection failed/.test(await w.notice()));
  const text = await w.notice();
  assert.match(text, /interface failed: .*EMBEDDING_REJECTED/);
  assert.match(text, /Right already: tools, functionality, usecases\./);
  assert.equal((await w.record(doc.id)).collections.interface.retryCount, doc.syncMetadata.collections.interface.retryCount + 1);
});

test('Sync Now of a document whose cause is repaired turns its badge green', async () => {
  const [doc] = await failedDocuments();
  await w.visit(`search=${encodeURIComponent(doc.id)}`);
  assert.deepEqual((await w.badges(doc.id))[3], 'failed');
  await w.repair(w.embedder);
  await browser.click(row(doc.id, 'sync'));
  await until('the outcome', async () => (await w.notice()).startsWith(`${doc.name} is in sync`));
  await until('green', async () => (await w.badges(doc.id)).every(s => s === 'synced'));
  assert.equal((await w.record(doc.id)).overallStatus, 'synced');
});

test('a document that is in sync needs nothing, and nothing is embedded', async () => {
  await w.visit('search=figma');
  const texts = await embedded();
  const known = (await w.record('figma')).overallStatus;
  if (known !== 'synced') await w.ask('POST', 'api/sync/tools/figma/retry', {});
  const now = await embedded();
  await browser.click(row('figma', 'sync'));
  await until('the outcome', async () => (await w.notice()).startsWith('Figma: nothing to do'));
  assert.equal(await embedded(), now);
  assert.ok(now >= texts);
});

test('Embed again asks first, and embeds everything again', async () => {
  await w.visit('doc=figma');
  const versions = async () => Object.values((await w.record('figma')).collections).map(c => c.vectorVersion);
  const before = await versions();
  await browser.click('#detail-body button', 'Embed again');
  await w.says('#confirm-text', /bill for it/);
  await w.answer(false);
  await browser.click('#detail-body button', 'Embed again');
  await w.answer(true);
  await until('the outcome', async () => (await w.notice()).startsWith('Figma is in sync'));
  assert.deepEqual(await versions(), before.map(v => v + 1));
  await w.says('#detail .part[data-collection="tools"] .facts', new RegExp(`Vector version ?${before[0] + 1}\\D`));
});

test('Reset asks first; no changes nothing, yes starts again', async () => {
  await w.poison('Desktop');
  const [doc] = await failedDocuments();
  await w.ask('POST', `api/sync/tools/${doc.id}/retry`, {}).catch(() => {});
  const tried = (await w.record(doc.id)).collections.interface;
  assert.ok(tried.retryCount > 1);
  await w.visit('status=failed');
  await browser.click(row(doc.id, 'reset'));
  await w.says('#confirm-title', `Reset ${doc.name}?`);
  await w.answer(false);
  assert.deepEqual((await w.record(doc.id)).collections.interface, tried);
  await w.repair(w.embedder);
  await browser.click(row(doc.id, 'reset'));
  await w.answer(true);
  await until('the outcome', async () => (await w.notice()).startsWith(`${doc.name} was reset`));
  await until('it starts again', async () => (await w.record(doc.id)).overallStatus === 'synced');
});

test('several are selected, counted, and synced at once', async () => {
  const docs = (await failedDocuments()).slice(0, 12);
  assert.equal(docs.length, 12);
  await w.visit('status=failed');
  for (const d of docs) await browser.click(`#list-body tr[data-id="${d.id}"] input`);
  await w.says('#selection-text', '12 selected');
  await browser.screenshot(join(folder, 'selection.png'));
  await browser.click('#sync-selected');
  await w.says('#confirm-title', 'Sync 12 documents now?');
  await w.answer(true);
  await until('the outcome', async () => (await w.notice()).startsWith('12 documents in sync'));
  for (const d of docs) assert.equal((await w.record(d.id)).overallStatus, 'synced', d.id);
  await until('none is selected', async () => !(await (await browser.all('#selection'))[0].shown()));
});

test('no more than fifty go at once, and the page says so', async () => {
  await w.visit('limit=100');
  await browser.click('#pick-all');
  await w.says('#selection-text', '100 selected; at most 50 at once');
  assert.equal(await (await browser.find('#sync-selected')).property('disabled'), true);
  await browser.click('#clear-selection');
});

test('Sync All Pending asks with the number, and brings all into sync', async () => {
  const s = await w.status();
  assert.ok(s.failed > 0);
  await w.visit();
  await browser.click('#sync-all');
  await w.says('#confirm-text', new RegExp(`^${s.failed + s.stale + s.pending} pending, stale or failed documents? `));
  await w.answer(true);
  await until('the outcome', async () => /^\d+ documents? queued/.test(await w.notice()));
  await until('all in sync', async () => (await w.status()).synced === s.total);
  await w.says('#health', '100 % in sync');
});

test('Force Worker Run runs a cycle, and says what it did', async () => {
  const { lastRunAt } = (await w.status()).worker;
  await w.visit();
  await browser.click('#run-worker');
  await until('the outcome', async () => /^Worker cycle done in /.test(await w.notice()));
  assert.notEqual((await w.status()).worker.lastRunAt, lastRunAt);
});

test('a refusal is shown in the words of the daemon, and stays until it is dismissed', async () => {
  await w.visit('search=figma');
  await w.app('delete', 'figma');
  // The row may be gone before it can be clicked, so the click is the page's own.
  await browser.run(async () => {
    const { syncOne } = await import('/actions.js');
    syncOne({ id: 'figma', name: 'Figma' });
  });
  await until('the refusal', async () => /^Not done: Syncing Figma.*NOT_FOUND/.test(await w.notice()));
  await browser.click('#notices .notice[data-kind="failed"] button');
  await until('it is gone', () => browser.run(() => !document.querySelector('#notices .notice[data-kind="failed"]')));
});
