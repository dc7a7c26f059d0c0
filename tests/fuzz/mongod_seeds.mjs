#!/usr/bin/env node
// mongod_seeds.mjs - writes the recorded conversations as seeds for fuzz_mongod: each file's commands as one row of
// documents, and each command as a message. Needs the npm package `bson`.
// usage: mongod_seeds.mjs FOLDER RECORDING.jsonl...
import fs from 'node:fs';
import path from 'node:path';
import { BSON, EJSON } from 'bson';

const [folder, ...files] = process.argv.slice(2);
fs.mkdirSync(folder, { recursive: true });

function message(doc) {
  const head = Buffer.alloc(21);
  head.writeInt32LE(21 + doc.length, 0);
  head.writeInt32LE(2013, 12);
  return Buffer.concat([head, doc]);
}

for (const file of files) {
  const row = [Buffer.from([2])], text = [];
  const lines = fs.readFileSync(file, 'utf8').trim().split('\n').map(l => JSON.parse(l));
  lines.forEach((line, i) => {
    const send = line.send ?? line.body;
    if (typeof send !== 'object' || typeof send.documents === 'string' || typeof send.updates === 'string') return;
    const [field, documents] = line.sequence ?? [];
    const doc = Buffer.from(BSON.serialize(EJSON.parse(JSON.stringify(field ? { ...send, [field]: documents } : send), { relaxed: false })));
    row.push(doc);
    text.push(JSON.stringify(field ? { ...send, [field]: documents } : send));
    fs.writeFileSync(path.join(folder, `${path.basename(file, '.jsonl')}-${i}`), Buffer.concat([Buffer.from([0]), message(doc)]));
    fs.writeFileSync(path.join(folder, `${path.basename(file, '.jsonl')}-${i}-command`), Buffer.concat([Buffer.from([2]), doc]));
  });
  fs.writeFileSync(path.join(folder, path.basename(file, '.jsonl')), Buffer.concat(row));
  fs.writeFileSync(path.join(folder, `${path.basename(file, '.jsonl')}-lines`), `\x03${text.join('\n')}`);
  text.forEach((t, i) => fs.writeFileSync(path.join(folder, `${path.basename(file, '.jsonl')}-line-${i}`), `\x03${text[1] ?? ''}\n${t}`));
}
