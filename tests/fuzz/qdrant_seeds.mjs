#!/usr/bin/env node
// qdrant_seeds.mjs - writes seeds for fuzz_qdrant from recorded conversations: one for each step, and one for each
// conversation as a whole. usage: qdrant_seeds.mjs FOLDER FILE.jsonl...
import fs from 'node:fs';
import path from 'node:path';

const [folder, ...files] = process.argv.slice(2);
if (!folder || !files.length) {
  console.error('usage: qdrant_seeds.mjs FOLDER FILE.jsonl...');
  process.exit(2);
}
fs.mkdirSync(folder, { recursive: true });
for (const file of files) {
  const steps = fs.readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line)).filter(s => s.method);
  const requests = steps.map(s => `${s.method} ${s.path}\n${s.body_text ?? (s.body === undefined ? '' : JSON.stringify(s.body))}`);
  const name = path.basename(file, '.jsonl');
  requests.forEach((text, i) => fs.writeFileSync(path.join(folder, `${name}-${i}`), text));
  fs.writeFileSync(path.join(folder, name), requests.join('\x1e'));
}
