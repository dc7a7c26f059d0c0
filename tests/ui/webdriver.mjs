/*
 * webdriver.mjs - the little of the W3C WebDriver protocol that the tests of the dashboard need, spoken to Debian's
 * chromedriver with Node's own fetch, so that nothing has to be installed for it but the browser.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PATIENCE_MS = 1000 * Number(process.env.LOCKSTEP_TEST_PATIENCE_S ?? 40);
const element = 'element-6066-11e4-a52e-4f735466cecf'; // the protocol's name for a reference

export const pause = ms => new Promise(done => setTimeout(done, ms));

/** Waits until `check()` gives something true, and returns it. What it throws counts as not yet. */
export async function until(what, check) {
  const end = Date.now() + PATIENCE_MS;
  let last = null;
  for (;;) {
    try {
      const found = await check();
      if (found) return found;
      last = null;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) throw new Error(`waited in vain for: ${what}${last ? ` (${last.message})` : ''}`);
    await pause(50);
  }
}

async function startDriverOnce(log) {
  const child = spawn('chromedriver', ['--port=0'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const failed = new Promise((_, fail) => {
    child.on('error', fail);
    child.on('exit', status => fail(new Error(`chromedriver ended with ${status}: ${said}`)));
  });
  failed.catch(() => {});
  const port = new Promise(done => {
    child.stdout.on('data', data => {
      said += data;
      const found = /successfully on port (\d+)/.exec(said);
      if (found) done(Number(found[1]));
    });
  });
  child.stderr.on('data', data => log(String(data)));
  return { child, port: await Promise.race([port, failed]) };
}

/** It looks for a free port and takes it later: another process may have it by then, as with other tests beside it. */
async function startDriver(log) {
  for (let left = 5;; left--) {
    try {
      return await startDriverOnce(log);
    } catch (e) {
      if (left === 0 || !/port not available/.test(e.message)) throw e;
      await pause(200);
    }
  }
}

/** An element of the page. */
class Element {
  constructor(browser, id) {
    this.browser = browser;
    this.id = id;
  }
  ask(method, path, body) { return this.browser.ask(method, `/element/${this.id}${path}`, body); }
  click() { return this.ask('POST', '/click', {}); }
  text() { return this.ask('GET', '/text'); }
  attribute(name) { return this.browser.run((node, key) => node.getAttribute(key), this, name); }
  property(name) { return this.ask('GET', `/property/${name}`); }
  shown() { return this.ask('GET', '/displayed'); }
  role() { return this.ask('GET', '/computedrole'); }
  label() { return this.ask('GET', '/computedlabel'); }
  type(text) { return this.ask('POST', '/value', { text }); }
  toJSON() { return { [element]: this.id }; }
}

export class Browser {
  /** A browser of its own profile; `width` and `height` are those of the page. */
  static async open({ width = 1440, height = 900, log = () => {} } = {}) {
    const browser = new Browser();
    browser.profile = await mkdtemp(join(tmpdir(), 'lockstep-ui-'));
    browser.driver = await startDriver(log);
    const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-proxy-server', '--hide-scrollbars',
      `--user-data-dir=${browser.profile}`, `--window-size=${width},${height}`];
    browser.base = '';
    const { sessionId } = await browser.ask('POST', '/session', { capabilities: { alwaysMatch: {
      browserName: 'chrome', 'goog:chromeOptions': { args }, 'goog:loggingPrefs': { browser: 'ALL' } } } });
    browser.base = `/session/${sessionId}`;
    await browser.size(width, height);
    return browser;
  }

  async close() {
    await this.ask('DELETE', '').catch(() => {});
    this.driver.child.removeAllListeners('exit');
    this.driver.child.kill();
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  async ask(method, path, body) {
    const url = `http://127.0.0.1:${this.driver.port}${this.base ?? ''}${path}`;
    const response = await fetch(url, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw Object.assign(new Error(`${value.error}: ${value.message.split('\n')[0]}`), { code: value.error });
    return value;
  }

  /** Chromium's own commands, for what the protocol lacks. */
  devtools(cmd, params = {}) { return this.ask('POST', '/goog/cdp/execute', { cmd, params }); }

  /** The page's size, also smaller than a window can be made. */
  size(width, height, mobile = false) {
    return this.devtools('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile });
  }
  scheme(value) {
    return this.devtools('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
  }

  go(url) { return this.ask('POST', '/url', { url }); }
  url() { return this.ask('GET', '/url'); }
  reload() { return this.ask('POST', '/refresh', {}); }
  back() { return this.ask('POST', '/back', {}); }

  /** Runs a function in the page; elements may be given and returned. */
  async run(f, ...args) {
    return this.unwrap(await this.ask('POST', '/execute/sync', { script: `return (${f}).apply(null, arguments)`, args }));
  }
  unwrap(value) {
    if (Array.isArray(value)) return value.map(v => this.unwrap(v));
    return value && typeof value === 'object' && value[element] ? new Element(this, value[element]) : value;
  }

  /** All elements that fit now. */
  all(selector) { return this.run(s => [...document.querySelectorAll(s)], selector); }
  /** The first that fits and can be seen, waited for. */
  find(selector) {
    return until(selector, () => this.run(s => [...document.querySelectorAll(s)].find(n => n.checkVisibility()) ?? null, selector));
  }
  /** The first that fits and has this text or this name. */
  named(selector, text) {
    return until(`${selector} "${text}"`, () => this.run((s, t) => [...document.querySelectorAll(s)].find(n => n.checkVisibility() &&
      (n.textContent.trim() === t || n.getAttribute('aria-label') === t)) ?? null, selector, text));
  }
  /** The text of an element as it is, shown or not; null if there is none. */
  textOf(selector) { return this.run(s => document.querySelector(s)?.textContent.replace(/\s+/g, ' ').trim() ?? null, selector); }
  /** Clicks what `find` or `named` finds; once more if the page redraws it at that moment. */
  click(selector, text) {
    return until(`a click on ${selector}`, async () => {
      const target = text === undefined ? await this.find(selector) : await this.named(selector, text);
      await target.click();
      return true;
    });
  }
  /** Puts text into a field, as typing it does. */
  async fill(selector, text) {
    const field = await this.find(selector);
    await field.ask('POST', '/clear', {});
    await field.type(text);
  }
  choose(selector, value) {
    return this.run((s, v) => {
      const node = document.querySelector(s);
      node.value = v;
      node.dispatchEvent(new Event('change', { bubbles: true }));
    }, selector, value);
  }
  /** Presses keys, one after the other: those of WebDriver's table, or characters. */
  keys(...values) {
    const actions = values.flatMap(value => [{ type: 'keyDown', value }, { type: 'keyUp', value }]);
    return this.ask('POST', '/actions', { actions: [{ type: 'key', id: 'keyboard', actions }] });
  }
  async hover(target) {
    await this.ask('POST', '/actions', { actions: [{ type: 'pointer', id: 'mouse', parameters: { pointerType: 'mouse' },
      actions: [{ type: 'pointerMove', duration: 0, origin: target, x: 0, y: 0 }] }] });
  }

  /** What the page wrote to its console since the last call. */
  async console() {
    return (await this.ask('POST', '/se/log', { type: 'browser' })).map(e => `${e.level} ${e.message}`);
  }
  async screenshot(file, { whole = false } = {}) {
    const shot = await this.devtools('Page.captureScreenshot', { format: 'png', captureBeyondViewport: whole });
    await writeFile(file, Buffer.from(shot.data, 'base64'));
  }
}

export const key = { tab: '\ue004', enter: '\ue007', escape: '\ue00c', left: '\ue012', right: '\ue014', space: ' ' };
