// mongodb.mjs - MongoDB's official Node driver must work against the server named by MONGODB_URI as it is.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Long, MongoClient, MongoServerError, ObjectId } from 'mongodb';

const client = new MongoClient(process.env.MONGODB_URI, { serverSelectionTimeoutMS: 5000, monitorCommands: true });
const db = client.db('clients');
const tools = db.collection('tools');

before(() => client.connect());
beforeEach(() => tools.drop().catch(() => {}));
after(() => client.close());

// Makes the server fail some commands, as a real one does with test commands enabled; false if it can't.
async function failCommand(mode, data) {
  try {
    await client.db('admin').command({ configureFailPoint: 'failCommand', mode, data });
    return true;
  } catch (e) {
    if (e.code === 59) return false;
    throw e;
  }
}

// The next event of a change stream, but not for ever.
async function next(stream, ms = 20000) {
  let timer;
  const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error('no event came')), ms); });
  try {
    return await Promise.race([stream.next(), late]);
  } finally {
    clearTimeout(timer);
  }
}

// A stream that is open on the server: the driver itself opens it with the first read.
async function opened(stream) {
  await stream.tryNext();
  return stream;
}

test('documents are inserted, found, changed and deleted', async () => {
  const one = await tools.insertOne({ name: 'one', n: 1, made: new Date(0), nested: { a: [1, 'b', null] } });
  assert.ok(one.insertedId instanceof ObjectId);
  const many = await tools.insertMany([{ name: 'two', n: 2 }, { name: 'three', n: 3 }, { name: 'big', n: Long.fromString('9007199254740993') }]);
  assert.equal(many.insertedCount, 4 - 1);
  assert.deepEqual(await tools.findOne({ name: 'one' }, { projection: { _id: 0 } }),
    { name: 'one', n: 1, made: new Date(0), nested: { a: [1, 'b', null] } });
  assert.equal(await tools.findOne({ name: 'none' }), null);
  assert.deepEqual((await tools.find({ n: { $lte: 3 } }).sort({ n: -1 }).skip(1).limit(1).toArray()).map(d => d.name), ['two']);
  assert.equal((await tools.findOne({ name: 'big' }, { promoteLongs: false })).n.toString(), '9007199254740993');

  assert.deepEqual(pick(await tools.updateOne({ name: 'one' }, { $set: { 'nested.b': 2 }, $inc: { n: 10 } }), 'matchedCount', 'modifiedCount'), [1, 1]);
  assert.deepEqual(pick(await tools.updateOne({ name: 'one' }, { $set: { n: 11 } }), 'matchedCount', 'modifiedCount'), [1, 0]);
  assert.deepEqual(pick(await tools.updateMany({ n: { $in: [2, 3] } }, { $unset: { n: '' } }), 'matchedCount', 'modifiedCount'), [2, 2]);
  const upsert = await tools.updateOne({ name: 'new' }, { $setOnInsert: { n: 7 } }, { upsert: true });
  assert.equal(upsert.upsertedCount, 1);
  assert.deepEqual(await tools.findOne({ _id: upsert.upsertedId }, { projection: { _id: 0 } }), { name: 'new', n: 7 });
  assert.equal((await tools.replaceOne({ name: 'new' }, { name: 'newer' })).modifiedCount, 1);

  assert.equal(await tools.countDocuments({ n: { $exists: true } }), 2);
  assert.equal(await tools.estimatedDocumentCount(), 5);
  assert.deepEqual((await tools.distinct('name')).sort(), ['big', 'newer', 'one', 'three', 'two']);
  assert.equal((await tools.deleteOne({ name: 'one' })).deletedCount, 1);
  assert.equal((await tools.deleteMany({})).deletedCount, 4);
});

const pick = (object, ...keys) => keys.map(k => object[k]);

test('a bulk write reports what it did, and which write failed', async () => {
  const done = await tools.bulkWrite([
    { insertOne: { document: { _id: 1, n: 1 } } },
    { insertOne: { document: { _id: 2, n: 2 } } },
    { updateOne: { filter: { _id: 1 }, update: { $set: { n: 5 } } } },
    { updateOne: { filter: { _id: 3 }, update: { $set: { n: 3 } }, upsert: true } },
    { replaceOne: { filter: { _id: 2 }, replacement: { m: 2 } } },
    { deleteOne: { filter: { _id: 1 } } },
  ]);
  assert.deepEqual(pick(done, 'insertedCount', 'matchedCount', 'modifiedCount', 'upsertedCount', 'deletedCount'), [2, 2, 2, 1, 1]);
  assert.deepEqual(await tools.find().sort({ _id: 1 }).toArray(), [{ _id: 2, m: 2 }, { _id: 3, n: 3 }]);

  const writes = [{ insertOne: { document: { _id: 4 } } }, { insertOne: { document: { _id: 2 } } }, { insertOne: { document: { _id: 5 } } }];
  await assert.rejects(tools.bulkWrite(writes, { ordered: false }), e => {
    assert.equal(e.code, 11000);
    assert.equal(e.result.insertedCount, 2);
    assert.equal(e.writeErrors[0].index, 1);
    return true;
  });
  assert.equal(await tools.countDocuments(), 4);
});

test('a unique index is kept, listed and dropped', async () => {
  await tools.insertMany([{ id: 'a' }, { id: 'b' }]);
  assert.equal(await tools.createIndex({ id: 1 }, { unique: true }), 'id_1');
  assert.equal(await tools.createIndex({ id: 1, n: -1 }, { name: 'both' }), 'both');
  assert.deepEqual((await tools.indexes()).map(i => i.name), ['_id_', 'id_1', 'both']);
  await assert.rejects(tools.insertOne({ id: 'a' }), e => {
    assert.ok(e instanceof MongoServerError);
    assert.equal(e.code, 11000);
    assert.deepEqual(e.keyPattern, { id: 1 });
    assert.deepEqual(e.keyValue, { id: 'a' });
    return true;
  });
  await tools.dropIndex('id_1');
  await tools.insertOne({ id: 'a' });
});

test('findOneAndUpdate gives the document before or after, and takes pipelines', async () => {
  await tools.insertOne({ _id: 'lease', epoch: 1 });
  const before = await tools.findOneAndUpdate({ _id: 'lease' }, { $inc: { epoch: 1 } });
  assert.deepEqual(before, { _id: 'lease', epoch: 1 });
  const taken = await tools.findOneAndUpdate({ _id: 'lease' },
    [{ $set: { epoch: { $add: ['$epoch', 1] }, until: { $add: ['$$NOW', 10000] } } }], { returnDocument: 'after' });
  assert.equal(taken.epoch, 3);
  assert.ok(taken.until instanceof Date && Math.abs(taken.until - Date.now() - 10000) < 60000);
  assert.equal(await tools.findOneAndUpdate({ _id: 'none' }, { $set: { a: 1 } }), null);
  assert.deepEqual(await tools.findOneAndUpdate({ _id: 'new' }, { $set: { a: 1 } }, { upsert: true, returnDocument: 'after' }), { _id: 'new', a: 1 });
  assert.deepEqual(await tools.findOneAndDelete({ _id: 'new' }), { _id: 'new', a: 1 });
});

test('an aggregation groups and sorts', async () => {
  await tools.insertMany([{ kind: 'a', n: 1 }, { kind: 'b', n: 2 }, { kind: 'a', n: 3 }]);
  const groups = await tools.aggregate([
    { $match: { n: { $gt: 0 } } },
    { $group: { _id: '$kind', sum: { $sum: '$n' }, count: { $sum: 1 } } },
    { $sort: { _id: 1 } },
  ]).toArray();
  assert.deepEqual(groups, [{ _id: 'a', sum: 4, count: 2 }, { _id: 'b', sum: 2, count: 1 }]);
});

test('a cursor reads on batch by batch, and can be closed before its end', async () => {
  await tools.insertMany(Array.from({ length: 95 }, (_, i) => ({ _id: i })));
  const all = await tools.find({}, { batchSize: 10 }).sort({ _id: 1 }).toArray();
  assert.deepEqual(all.map(d => d._id), Array.from({ length: 95 }, (_, i) => i));
  const killed = new Promise(done => client.on('commandSucceeded', e => e.commandName === 'killCursors' && done(e.reply)));
  const cursor = tools.find({}, { batchSize: 10 });
  for (let i = 0; i < 15; i++) assert.ok(await cursor.next());
  await cursor.close();
  assert.equal((await killed).cursorsKilled.length, 1);
});

test('an unknown command is refused, not silently done', async () => {
  await assert.rejects(db.command({ noSuchCommand: 1 }), e => e.code === 59 && e.codeName === 'CommandNotFound');
  await assert.rejects(tools.aggregate([{ $noSuchStage: {} }]).toArray(), e => e.code === 40324);
});

test('a change stream shows inserts, updates, replacements and deletes in order', async () => {
  await tools.insertOne({ _id: 0 });
  const stream = await opened(tools.watch([], { fullDocument: 'updateLookup', maxAwaitTimeMS: 300 }));
  await tools.insertOne({ _id: 1, a: 1, b: 1 });
  await tools.updateOne({ _id: 1 }, { $set: { a: 2 }, $unset: { b: '' } });
  await tools.replaceOne({ _id: 1 }, { c: 3 });
  await tools.deleteOne({ _id: 1 });
  const events = [await next(stream), await next(stream), await next(stream), await next(stream)];
  assert.deepEqual(events.map(e => e.operationType), ['insert', 'update', 'replace', 'delete']);
  assert.deepEqual(events.map(e => e.documentKey), Array(4).fill({ _id: 1 }));
  assert.deepEqual(events[0].fullDocument, { _id: 1, a: 1, b: 1 });
  assert.deepEqual(events[0].ns, { db: 'clients', coll: 'tools' });
  assert.deepEqual(events[1].updateDescription.updatedFields, { a: 2 });
  assert.deepEqual(events[1].updateDescription.removedFields, ['b']);
  assert.equal(events[1].fullDocument, null, 'deleted by the time it was looked up');
  assert.deepEqual(events[2].fullDocument, { _id: 1, c: 3 });
  const tokens = events.map(e => e._id._data);
  assert.deepEqual([...tokens].sort(), tokens);
  await stream.close();
});

test('a change stream passes a pipeline, and a whole database can be watched', async () => {
  await tools.insertOne({ _id: 0 });
  const filtered = await opened(tools.watch([{ $match: { operationType: 'delete' } }, { $project: { documentKey: 1 } }], { maxAwaitTimeMS: 300 }));
  const whole = await opened(db.watch([], { maxAwaitTimeMS: 300 }));
  await tools.insertOne({ _id: 1 });
  await db.collection('others').insertOne({ _id: 'elsewhere' });
  await tools.deleteOne({ _id: 1 });
  const event = await next(filtered);
  assert.deepEqual(event.documentKey, { _id: 1 });
  assert.equal(event.operationType, undefined);
  assert.deepEqual([(await next(whole)).ns.coll, (await next(whole)).ns.coll, (await next(whole)).operationType], ['tools', 'others', 'delete']);
  await filtered.close();
  await whole.close();
  await db.collection('others').drop();
});

test('a waiting change stream wakes for an event', async () => {
  await tools.insertOne({ _id: 0 });
  const stream = tools.watch([], { maxAwaitTimeMS: 15000 });
  const asked = new Promise(done => client.on('commandStarted', e => e.commandName === 'getMore' && done()));
  const waiting = next(stream, 10000);
  await asked;
  await tools.insertOne({ _id: 1 });
  assert.equal((await waiting).documentKey._id, 1);
  await stream.close();
});

test('a change stream resumes from a token, also after the post-batch one', async () => {
  await tools.insertOne({ _id: 0 });
  const stream = await opened(tools.watch([], { maxAwaitTimeMS: 300 }));
  await tools.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
  const first = await next(stream);
  await stream.close();
  const resumed = tools.watch([], { resumeAfter: first._id, maxAwaitTimeMS: 300 });
  assert.deepEqual([(await next(resumed)).documentKey._id, (await next(resumed)).documentKey._id], [2, 3]);
  await resumed.tryNext();
  const token = resumed.resumeToken;
  await resumed.close();
  await tools.insertOne({ _id: 4 });
  const later = tools.watch([], { startAfter: token });
  assert.equal((await next(later)).documentKey._id, 4);
  await later.close();
});

test('a change stream survives a connection that is cut, and loses nothing', async t => {
  await tools.insertOne({ _id: 0 });
  const stream = await opened(tools.watch([], { maxAwaitTimeMS: 300 }));
  await tools.insertOne({ _id: 1 });
  assert.equal((await next(stream)).documentKey._id, 1);
  if (!await failCommand({ times: 1 }, { failCommands: ['getMore'], closeConnection: true })) return t.skip('the server has no failCommand');
  await tools.insertMany([{ _id: 2 }, { _id: 3 }]);
  assert.deepEqual([(await next(stream)).documentKey._id, (await next(stream)).documentKey._id], [2, 3]);
  await stream.close();
});

test('a change stream survives errors that the server calls resumable', async t => {
  await tools.insertOne({ _id: 0 });
  const stream = await opened(tools.watch([], { maxAwaitTimeMS: 300 }));
  const data = { failCommands: ['getMore'], errorCode: 43, errorLabels: ['ResumableChangeStreamError'] };
  if (!await failCommand({ times: 1 }, data)) return t.skip('the server has no failCommand');
  await tools.insertOne({ _id: 1 });
  assert.equal((await next(stream)).documentKey._id, 1);
  await stream.close();
});

test('a change stream goes on after all connections were dropped at once', async t => {
  await tools.insertOne({ _id: 0 });
  const stream = await opened(tools.watch([], { maxAwaitTimeMS: 300 }));
  const control = new MongoClient(process.env.MONGODB_URI);
  const dropped = await control.db('admin').command({ lockstepDouble: 'dropConnections' }).then(() => true, e => e.code === undefined);
  await control.close();
  if (!dropped) return t.skip('the server is no stand-in');
  // by another client: where its monitor hears of it first, the driver does not retry a write on a stale connection
  const writer = await MongoClient.connect(process.env.MONGODB_URI);
  await writer.db('clients').collection('tools').insertOne({ _id: 1 });
  await writer.close();
  assert.equal((await next(stream)).documentKey._id, 1);
  await stream.close();
});

test('a dropped collection ends its stream with an invalidate event', async () => {
  await tools.insertOne({ _id: 0 });
  const stream = await opened(tools.watch([], { maxAwaitTimeMS: 300 }));
  await tools.drop();
  assert.equal((await next(stream)).operationType, 'drop');
  const invalidate = await next(stream);
  assert.equal(invalidate.operationType, 'invalidate');
  await stream.close();
  await tools.insertOne({ _id: 1 });
  const after = tools.watch([], { startAfter: invalidate._id });
  assert.equal((await next(after)).documentKey._id, 1);
  await after.close();
});

test('a write whose reply is lost is retried and done once', async t => {
  await tools.insertOne({ _id: 0, n: 0 });
  if (!await failCommand({ times: 1 }, { failCommands: ['update'], closeConnection: true })) return t.skip('the server has no failCommand');
  assert.equal((await tools.updateOne({ _id: 0 }, { $inc: { n: 1 } })).modifiedCount, 1);
  assert.equal((await tools.findOne({ _id: 0 })).n, 1);
  await failCommand({ times: 1 }, { failCommands: ['insert'], errorCode: 91, errorLabels: ['RetryableWriteError'] });
  await tools.insertOne({ _id: 1 });
  await failCommand({ times: 1 }, { failCommands: ['find'], closeConnection: true });
  assert.equal((await tools.findOne({ _id: 1 }))._id, 1);
});

test('an error that is not retryable reaches the caller', async t => {
  await tools.insertOne({ _id: 0 });
  if (!await failCommand({ times: 1 }, { failCommands: ['insert'], errorCode: 8000 })) return t.skip('the server has no failCommand');
  await assert.rejects(tools.insertOne({ _id: 1 }), e => e.code === 8000);
  await failCommand('off', {});
  await tools.insertOne({ _id: 1 });
});

test('a transaction is seen as a whole or not at all', async () => {
  await tools.insertOne({ _id: 1, n: 0 });
  const stream = await opened(tools.watch([], { maxAwaitTimeMS: 300 }));
  await client.withSession(async session => {
    session.startTransaction();
    await tools.insertOne({ _id: 2 }, { session });
    await tools.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
    assert.equal(await stream.tryNext(), null, 'not before it is committed');
    await session.commitTransaction();
  });
  const events = [await next(stream), await next(stream)];
  assert.deepEqual(events.map(e => [e.operationType, e.documentKey._id]), [['insert', 2], ['update', 1]]);
  assert.deepEqual(events[0].lsid, events[1].lsid);
  assert.ok(events[0].clusterTime.eq(events[1].clusterTime));

  await client.withSession(async session => {
    session.startTransaction();
    await tools.insertOne({ _id: 3 }, { session });
    await session.abortTransaction();
  });
  assert.equal(await tools.countDocuments(), 2);
  await stream.close();
});

test('the driver sees a primary it may write to', async () => {
  const hello = await client.db('admin').command({ isMaster: 1 }); // 4.4.1 does not know `hello` yet
  assert.equal(hello.ismaster, true);
  assert.ok(hello.setName && hello.hosts.includes(hello.me));
  assert.ok((await client.db('admin').command({ buildInfo: 1 })).version);
  assert.deepEqual((await db.listCollections({ name: 'tools' }).toArray()).map(c => c.name), []);
  await tools.insertOne({ _id: 1 });
  assert.deepEqual((await db.listCollections({ name: 'tools' }).toArray()).map(c => c.name), ['tools']);
});
