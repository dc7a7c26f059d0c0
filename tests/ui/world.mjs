/*
 * world.mjs - what a test of the dashboard is about: a daemon of its own with stand-ins for MongoDB, Qdrant and an
 * embedding server, the application that writes documents, and a browser.
 */
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Browser, until } from './webdriver.mjs';

const source = process.env.top_srcdir, build = process.env.top_builddir;
const run = promisify(execFile);
export const collections = ['tools', 'functionality', 'usecases', 'interface'];
export const evil = '<img src=x onerror="window.broken=1">&amp;';

const freePort = () => new Promise((done, fail) => {
  const server = createServer();
  server.on('error', fail);
  server.listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => done(port)); });
});

export class World {
  /** Documents, faults and settings can be prepared in `before`, ahead of the daemon's start. */
  static async open({ before = async () => {}, api = {} } = {}) {
    const w = new World();
    w.folder = await mkdtemp(join(tmpdir(), 'lockstep-ui-'));
    w.children = [];
    try {
      w.mongo = await w.standIn('mongod');
      w.qdrant = await w.standIn('qdrant');
      w.embedder = await w.standIn('embedder');
      w.port = await freePort();
      w.url = `http://127.0.0.1:${w.port}/`;
      w.api = api;
      w.total = Number(await w.app('load', join(source, 'tests/data/tools.jsonl')));
      await before(w);
      await w.startDaemon();
      w.browser = await Browser.open();
    } catch (e) {
      await w.close();
      throw e;
    }
    return w;
  }

  async close() {
    await this.browser?.close();
    for (const child of this.children) child.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  /* ---- processes ---- */

  async start(name, program, args) {
    const child = spawn(join(build, program), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.children.push(child);
    child.said = '';
    const log = createWriteStream(join(this.folder, `${name}.log`), { flags: 'a' });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', data => { child.said += data; log.write(data); });
    child.ended = new Promise(done => child.on('exit', done));
    return child;
  }

  async standIn(name) {
    const child = await this.start(name, `tests/double/${name}`, ['--port', '0']);
    return until(`${name} listens`, () => /^listening on (\S+)$/m.exec(child.said)?.[1]);
  }

  async writeSettings() {
    const lines = [
      '[mongodb]', `uri = mongodb://${this.mongo}/?directConnection=true`, 'database = ui', 'collection = tools',
      '[source:notes]', 'collection = notes',
      '[qdrant]', `url = http://${this.qdrant}`, 'timeout_ms = 1500',
      '[embedding]', 'provider = words', `path = ${join(source, 'core/embed/words.vec')}`,
      '[worker]', 'interval_ms = 3600000', 'lease_ms = 4000', 'base_backoff_ms = 3600000', 'max_backoff_ms = 3600000',
      '[api]', `listen = 127.0.0.1:${this.port}`, ...Object.entries(this.api).map(([k, v]) => `${k} = ${v}`),
      '[plugins]', `path = ${join(build, 'plugins')}`,
      ...collections.flatMap(name => [`[collection:${name}]`, `plugin = ${name}`]),
      // the last of them, interface, has an embedder that can be made to fail
      'embedding.provider = openai', `embedding.url = http://${this.embedder}`, 'embedding.model = stand-in',
      '[collection:notes]', 'source = notes', 'plugin = fields', 'watched = title, body'];
    await writeFile(join(this.folder, 'lockstep.ini'), `${lines.join('\n')}\n`);
  }

  async startDaemon() {
    await this.writeSettings();
    this.daemon = await this.start('daemon', 'lockstep', ['--config', join(this.folder, 'lockstep.ini'), 'run']);
    const { daemon } = this;
    let ended = false;
    daemon.ended.then(() => { ended = true; });
    await until('the daemon answers', async () => {
      if (ended) throw new Error(`the daemon ended: ${daemon.said.slice(-2000)}`);
      return (await fetch(`${this.url}healthz`)).ok;
    });
  }

  /** Without last words, as in a crash. */
  async killDaemon() {
    this.daemon.kill('SIGKILL');
    await this.daemon.ended;
  }

  async stopDaemon() {
    this.daemon.kill('SIGTERM');
    await this.daemon.ended;
  }

  /* ---- the application and the servers ---- */

  /** The application's side: load FILE, set ID FIELD JSON, delete ID, ... */
  async app(...args) {
    const { stdout } = await run(join(build, 'tools/quickstart-mongo'), [`mongodb://${this.mongo}`, this.where ?? 'ui.tools', ...args]);
    return stdout.trim();
  }

  async insert(documents, where = 'ui.tools') {
    const file = join(this.folder, 'insert.jsonl');
    await writeFile(file, documents.map(d => `${JSON.stringify(d)}\n`).join(''));
    this.where = where;
    try { await this.app('load', file); } finally { this.where = null; }
  }

  async server(address, method, path, body) {
    const response = await fetch(`http://${address}${path}`, { method, body: body && JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json().catch(() => null);
  }
  /** Makes a stand-in fail; its faults are described in its control.c. */
  fault(address, rule) { return this.server(address, 'POST', '/__double/faults', rule); }
  async repair(address) { await fetch(`http://${address}/__double/faults`, { method: 'DELETE' }); }
  /** A text that the embedder of `interface` never takes. */
  poison(text) { return this.fault(this.embedder, { text, status: 400, count: 0 }); }

  /** Asks the daemon as a program would; the body of its answer. */
  async ask(method, path, body) {
    const headers = { 'Content-Type': 'application/json' };
    if (this.api.token) headers.Authorization = `Bearer ${this.api.token}`;
    const response = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    const answer = response.status === 204 ? null : await response.json();
    if (!response.ok) throw Object.assign(new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`), { answer });
    return answer;
  }
  status(name = 'tools') { return this.ask('GET', `api/sync/status?source=${name}`); }
  record(id) { return this.ask('GET', `api/sync/tools/${encodeURIComponent(id)}`).then(e => e.syncMetadata); }

  /** Waits until no document is waiting any more: each is synced, or failed. */
  settled(name = 'tools') {
    return until('all settled', async () => { const s = await this.status(name); return s.total > 0 && s.pending + s.stale === 0 && s; });
  }

  /* ---- the page ---- */

  /** Opens the page at a place, and waits until it is live. */
  async visit(place = '') {
    await this.browser.go('about:blank'); // a change of the place alone would not read the page again
    await this.browser.go(`${this.url}${place ? `#${place}` : ''}`);
    await this.live();
  }
  live() { return until('live', async () => (await this.browser.textOf('#connection-text')) === 'live' && (await this.rowCount()) !== null); }
  rowCount() { return this.browser.run(() => (document.getElementById('list').hasAttribute('aria-busy') ? null : document.querySelectorAll('#list-body tr').length)); }

  /** Waits until an element says this (a text, or an expression). */
  async says(selector, wanted) {
    let last = null;
    return until(`${selector} says ${wanted}`, async () => {
      last = await this.browser.textOf(selector);
      if (wanted instanceof RegExp ? wanted.test(last ?? '') : last === wanted) return last;
      throw new Error(`it says "${last}"`);
    });
  }
  /** Ids of the rows that are shown. */
  rows() { return this.browser.run(() => [...document.querySelectorAll('#list-body tr')].map(r => r.dataset.id)); }
  /** Statuses of a row's badges, in their order. */
  badges(id) {
    return this.browser.run(i => [...document.querySelectorAll(`#list-body tr[data-id="${CSS.escape(i)}"] .badge`)].map(b => b.dataset.status), id);
  }
  notice() { return this.browser.textOf('#notices .notice:last-child > div'); }
  answer(yes) { return this.browser.click(yes ? '#confirm-yes' : '#confirm button[value="no"]'); }

  /** The daemon's last words, for a test that failed. */
  async log() { return (await readFile(join(this.folder, 'daemon.log'), 'utf8').catch(() => '')).slice(-3000); }
}

/** Where screenshots go. */
export async function shots() {
  const folder = join(build, 'tests/ui/screenshots');
  await mkdir(folder, { recursive: true });
  return folder;
}
