// qdrant.mjs - Qdrant's official JavaScript client must work against the server named by QDRANT_URL as it is.
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { QdrantClient } from '@qdrant/js-client-rest';

const client = new QdrantClient({ url: process.env.QDRANT_URL, apiKey: process.env.QDRANT_API_KEY });
const name = 'clients_tools';
const other = 'clients_others';
const id = n => `00000000-0000-5000-8000-${String(n).padStart(12, '0')}`;

beforeEach(async () => {
  await client.deleteCollection(name);
  await client.deleteCollection(other);
  await client.createCollection(name, { vectors: { size: 4, distance: 'Cosine' } });
});
after(async () => {
  await client.deleteCollection(name);
  await client.deleteCollection(other);
});

const seed = () => client.upsert(name, {
  wait: true,
  points: [
    { id: id(1), vector: [1, 0, 0, 0], payload: { name: 'one', n: 1, tags: ['a', 'b'] } },
    { id: id(2), vector: [0, 1, 0, 0], payload: { name: 'two', n: 2, tags: ['b'] } },
    { id: id(3), vector: [1, 1, 0, 0], payload: { name: 'three', n: 3, tags: ['c'] } },
    { id: 4, vector: [0, 0, 0, 1], payload: { name: 'four', n: 4, nested: { deep: [null, true, 0.5] } } },
  ],
});
const ids = points => points.map(p => p.id);
const payloadOf = async point => (await client.retrieve(name, { ids: [point], with_payload: true }))[0].payload;

test('a collection is made, described, listed and deleted', async () => {
  assert.deepEqual(await client.collectionExists(name), { exists: true });
  const info = await client.getCollection(name);
  assert.equal(info.config.params.vectors.size, 4);
  assert.equal(info.config.params.vectors.distance, 'Cosine');
  assert.equal(info.points_count, 0);
  assert.ok((await client.getCollections()).collections.some(c => c.name === name));
  await assert.rejects(client.createCollection(name, { vectors: { size: 4, distance: 'Cosine' } }), e => e.status === 409);
  assert.equal(await client.deleteCollection(name), true);
  assert.deepEqual(await client.collectionExists(name), { exists: false });
  await assert.rejects(client.getCollection(name), e => e.status === 404);
});

test('points are upserted, retrieved and replaced whole', async () => {
  assert.equal((await seed()).status, 'completed');
  const [four, one] = (await client.retrieve(name, { ids: [id(1), 4], with_payload: true, with_vector: true }))
    .sort((a, b) => String(b.id).localeCompare(String(a.id)));
  assert.deepEqual(four.payload, { name: 'four', n: 4, nested: { deep: [null, true, 0.5] } });
  assert.deepEqual(one.vector, [1, 0, 0, 0]);
  await client.upsert(name, { wait: true, points: [{ id: id(1), vector: [0, 0, 2, 0], payload: { only: true } }] });
  assert.deepEqual(await payloadOf(id(1)), { only: true });
  assert.deepEqual((await client.retrieve(name, { ids: [id(1)], with_vector: true }))[0].vector, [0, 0, 1, 0]);
  assert.deepEqual(await client.retrieve(name, { ids: [id(99)] }), []);
});

test('scrolling goes through all points page by page', async () => {
  await seed();
  const seen = [];
  let offset;
  do {
    const page = await client.scroll(name, { limit: 3, offset, with_payload: ['n'] });
    seen.push(...page.points);
    offset = page.next_page_offset ?? undefined;
  } while (offset !== undefined);
  assert.equal(seen.length, 4);
  assert.deepEqual(seen.map(p => p.payload.n).sort(), [1, 2, 3, 4]);
  const filtered = await client.scroll(name, { filter: { must: [{ key: 'n', range: { gte: 2 } }], must_not: [{ key: 'tags', match: { value: 'c' } }] } });
  assert.deepEqual(ids(filtered.points).map(String).sort(), [id(2), '4'].sort());
});

test('the nearest points come first, in both ways of asking', async () => {
  await seed();
  const found = await client.search(name, { vector: [1, 0.1, 0, 0], limit: 3, with_payload: true });
  assert.deepEqual(ids(found), [id(1), id(3), id(2)]);
  assert.ok(found[0].score > 0.99 && found[0].score <= 1.00001);
  assert.equal(found[0].payload.name, 'one');
  const queried = await client.query(name, { query: [1, 0.1, 0, 0], limit: 2, filter: { must: [{ key: 'tags', match: { any: ['b', 'c'] } }, { key: 'n', range: { gt: 1 } }] } });
  assert.deepEqual(ids(queried.points), [id(3), id(2)]);
  assert.deepEqual(ids((await client.query(name, { query: [1, 0, 0, 0], score_threshold: 0.9 })).points), [id(1)]);
  const batch = await client.queryBatch(name, { searches: [{ query: [1, 0, 0, 0], limit: 1 }, { query: [0, 0, 0, 1], limit: 1 }] });
  assert.deepEqual(batch.map(r => r.points[0].id), [id(1), 4]);
});

test('payloads are set, overwritten, thinned out and cleared', async () => {
  await seed();
  await client.setPayload(name, { wait: true, payload: { extra: 1 }, points: [id(1)] });
  assert.deepEqual(await payloadOf(id(1)), { name: 'one', n: 1, tags: ['a', 'b'], extra: 1 });
  await client.overwritePayload(name, { wait: true, payload: { n: 7 }, points: [id(1)] });
  assert.deepEqual(await payloadOf(id(1)), { n: 7 });
  await client.deletePayload(name, { wait: true, keys: ['tags'], points: [id(2)] });
  assert.deepEqual(await payloadOf(id(2)), { name: 'two', n: 2 });
  await client.clearPayload(name, { wait: true, points: [id(3)] });
  assert.deepEqual(await payloadOf(id(3)), {});
  await client.setPayload(name, { wait: true, payload: { found: true }, filter: { must: [{ key: 'n', match: { value: 7 } }] } });
  assert.deepEqual(await payloadOf(id(1)), { n: 7, found: true });
});

test('vectors change without the payload', async () => {
  await seed();
  await client.updateVectors(name, { wait: true, points: [{ id: id(1), vector: [0, 0, 3, 0] }] });
  const [point] = await client.retrieve(name, { ids: [id(1)], with_vector: true, with_payload: true });
  assert.deepEqual([point.vector, point.payload.name], [[0, 0, 1, 0], 'one']);
});

test('a payload index is made, shown and deleted', async () => {
  await client.createPayloadIndex(name, { wait: true, field_name: 'n', field_schema: 'integer' });
  await client.createPayloadIndex(name, { wait: true, field_name: 'tags', field_schema: 'keyword' });
  await seed();
  const schema = (await client.getCollection(name)).payload_schema;
  assert.deepEqual([schema.n.data_type, schema.tags.data_type], ['integer', 'keyword']);
  const ordered = await client.scroll(name, { order_by: { key: 'n', direction: 'desc' }, limit: 2 });
  assert.deepEqual(ids(ordered.points), [4, id(3)]);
  await client.deletePayloadIndex(name, 'n', { wait: true });
  assert.equal((await client.getCollection(name)).payload_schema.n, undefined);
});

test('an alias is made, switched at once and listed', async () => {
  await seed();
  await client.createCollection(other, { vectors: { size: 4, distance: 'Dot' } });
  await client.updateCollectionAliases({ actions: [{ create_alias: { collection_name: name, alias_name: 'clients_live' } }] });
  assert.equal((await client.count('clients_live')).count, 4);
  await client.updateCollectionAliases({ actions: [
    { delete_alias: { alias_name: 'clients_live' } },
    { create_alias: { collection_name: other, alias_name: 'clients_live' } },
  ] });
  assert.equal((await client.count('clients_live')).count, 0);
  assert.deepEqual((await client.getCollectionAliases(other)).aliases, [{ alias_name: 'clients_live', collection_name: other }]);
  assert.ok((await client.getAliases()).aliases.some(a => a.alias_name === 'clients_live' && a.collection_name === other));
  await client.deleteCollection(other);
  assert.ok(!(await client.getAliases()).aliases.some(a => a.alias_name === 'clients_live'));
});

test('points are counted, and deleted by id or filter', async () => {
  await seed();
  assert.equal((await client.count(name, { exact: true })).count, 4);
  assert.equal((await client.count(name, { filter: { must: [{ key: 'tags', match: { value: 'b' } }] } })).count, 2);
  await client.delete(name, { wait: true, points: [id(1), id(99)] });
  assert.equal((await client.count(name)).count, 3);
  await client.delete(name, { wait: true, filter: { must: [{ key: 'n', range: { lte: 3 } }] } });
  assert.deepEqual(ids((await client.scroll(name, {})).points), [4]);
});

test('a batch of operations is done in order', async () => {
  const done = await client.batchUpdate(name, { wait: true, operations: [
    { upsert: { points: [{ id: 1, vector: [1, 0, 0, 0], payload: { a: 1 } }, { id: 2, vector: [0, 1, 0, 0], payload: { a: 2 } }] } },
    { set_payload: { payload: { b: 1 }, points: [1] } },
    { overwrite_payload: { payload: { c: 1 }, points: [2] } },
    { delete: { points: [1] } },
  ] });
  assert.deepEqual(done.map(r => r.status), Array(4).fill('completed'));
  assert.deepEqual((await client.scroll(name, {})).points.map(p => [p.id, p.payload]), [[2, { c: 1 }]]);
});

test('what the server refuses reaches the caller with its reason', async () => {
  await assert.rejects(client.upsert(name, { wait: true, points: [{ id: 1, vector: [1, 2, 3] }] }), e => {
    assert.equal(e.status, 400);
    assert.match(e.data.status.error, /expected dim: 4, got 3/);
    return true;
  });
  await assert.rejects(client.count('clients_missing'), e => e.status === 404 && /clients_missing/.test(e.data.status.error));
  assert.equal((await client.count(name)).count, 0);
});
