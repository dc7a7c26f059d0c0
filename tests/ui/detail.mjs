/* detail.mjs - one document in all detail, and jobs. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { key, until } from './webdriver.mjs';
import { World, collections, evil, shots } from './world.mjs';

let w, browser, folder;

before(async () => {
  folder = await shots();
  w = await World.open({
    before: world => world.insert([{ id: 'evil/&?', name: evil, slug: 'evil', description: evil, website: evil, functionality: [evil] }]),
  });
  browser = w.browser;
  await w.settled();
});
after(async () => { await w?.close(); });

test('a document can be linked to: its record, what each collection makes, the point in Qdrant', async () => {
  const answer = await w.ask('GET', 'api/sync/tools/figma/compare');
  await w.visit('doc=figma');
  await until('all collections', async () => (await browser.all('#detail .part')).length === collections.length);
  for (const c of answer.collections) {
    const part = `#detail .part[data-collection="${c.collection}"]`;
    const texts = await browser.run(s => [...document.querySelectorAll(`${s} pre`)].map(n => n.textContent), part);
    assert.equal(texts[0], c.text);
    assert.deepEqual(JSON.parse(texts[1]), c.payload);
    if (c.point) assert.deepEqual(JSON.parse(texts[2]), c.point);
  }
  assert.ok((await browser.textOf('#detail .part[data-collection="tools"]')).includes('Qdrant has exactly what the document calls for.'));
  await browser.keys(key.escape);
  await until('closed', async () => !(await browser.url()).includes('doc='));
  await w.visit('doc=nobody');
  await w.says('#detail-body', 'There is no such document.');
});

test('what was changed in Qdrant behind our back shows as a difference', async () => {
  const { collections: made } = await w.ask('GET', 'api/sync/tools/figma/compare');
  const { pointId } = made.find(c => c.collection === 'tools');
  await w.server(w.qdrant, 'POST', '/collections/tools_v1/points/payload?wait=true', { payload: { website: 'elsewhere' }, points: [pointId] });
  await w.visit('doc=figma');
  await w.says('#detail .part[data-collection="tools"] .difference caption', '1 difference to the point in Qdrant');
  await w.says('#detail .part[data-collection="tools"] .difference tbody', /^payload\.website ?https:\/\/.*figma.* ?elsewhere$/);
  await browser.screenshot(join(folder, 'detail.png'));
});

test('whatever a document says is text in its details too', async () => {
  await w.visit('search=evil');
  await browser.click('#list-body th.name a');
  await w.says('#detail-title', evil);
  await until('the comparison', () => browser.run(() => document.querySelectorAll('#detail pre').length > 0));
  assert.ok((await browser.textOf('#detail-body')).includes(evil));
  assert.equal(await browser.run(() => document.querySelectorAll('dialog img').length), 0);
  assert.equal(await browser.run(() => window.broken ?? null), null);
});

test('a job is started, shown, and comes to its end: one that finds nothing, one that repairs', async () => {
  const { collections: made } = await w.ask('GET', 'api/sync/tools/gimp/compare');
  await w.ask('POST', 'api/sync/tools/figma/retry', { force: true }); // what was changed above
  await w.visit('view=jobs');
  await w.says('#jobs-empty', 'No job has run since the daemon started.');
  await browser.click('#job-form button');
  await w.says('#jobs-list li', /^verify ?done.*Everything is in sync\.$/);
  const [first] = (await w.ask('GET', 'api/jobs')).jobs;
  assert.equal(first.state, 'done');
  assert.equal(first.result.inStep, true);

  await w.server(w.qdrant, 'POST', '/collections/tools_v1/points/delete?wait=true', { points: [made.find(c => c.collection === 'tools').pointId] });
  await browser.click('#job-repair');
  await browser.click('#job-form button');
  await w.says('#jobs-list li', /^verify ?done.*repair.*1 finding.*Everything is in sync\.$/);
  assert.equal((await browser.all('#jobs-list > li')).length, 2);
  await browser.click('#jobs-list li summary');
  await browser.screenshot(join(folder, 'jobs.png'));
  await browser.click('#jobs-list li details a');
  await w.says('#detail-title', 'GIMP');
  await browser.click('#detail-close');
  const { collections: repaired } = await w.ask('GET', 'api/sync/tools/gimp/compare');
  assert.deepEqual(repaired.map(c => c.differences), collections.map(() => []));
});

test('a job that goes on can be stopped', async () => {
  await w.visit('view=jobs');
  await w.fault(w.qdrant, { kind: 'scroll', delay_ms: 1000, count: 0 });
  await w.fault(w.qdrant, { kind: 'retrieve', delay_ms: 1000, count: 0 });
  await browser.click('#job-form button');
  await browser.click('#jobs-list > li:first-child button', 'Stop');
  await w.says('#confirm-title', 'Stop verify?');
  await w.answer(true);
  await w.says('#jobs-list > li:first-child', /^verify ?stopped/);
  await w.repair(w.qdrant);
  assert.equal((await w.ask('GET', 'api/jobs')).jobs[0].state, 'stopped');
});
