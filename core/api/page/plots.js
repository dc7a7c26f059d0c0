/* plots.js - the last hour as two small plots: documents settled per second, and the latency of changes. */
import { byId, el, replace, svg } from './dom.js';
import { known, on } from './state.js';
import { duration, hourMinute, now, number, rate } from './format.js';

const HOUR_MS = 3600000;
const WIDTH = 320, HEIGHT = 64; // of the drawing, which is stretched to its place

/* Splits into runs without gaps: a line is drawn only where there are values. */
function runs(points, value) {
  const out = [];
  let run = [];
  for (const p of points) {
    const v = value(p);
    if (v === null || v === undefined) { if (run.length) out.push(run); run = []; } else run.push([p.at, v]);
  }
  if (run.length) out.push(run);
  return out;
}

/* The value at the top of the drawing: the largest, unless a few peaks would flatten all the rest. */
function scaleOf(values) {
  const sorted = values.filter(v => v > 0).sort((a, b) => a - b);
  if (!sorted.length) return { top: 0, peak: 0 };
  const peak = sorted.at(-1), usual = sorted[Math.floor((sorted.length - 1) * 0.95)];
  return { top: peak > usual * 3 ? usual * 1.5 : peak, peak };
}

function path(run, x, y, closed) {
  const line = run.map(([at, v], i) => `${i ? 'L' : 'M'}${x(at).toFixed(1)} ${y(v).toFixed(1)}`).join('');
  if (!closed) return run.length === 1 ? `${line}h1.5` : line;
  return `${line}L${x(run.at(-1)[0]).toFixed(1)} ${HEIGHT}L${x(run[0][0]).toFixed(1)} ${HEIGHT}Z`;
}

/**
 * Draws into a figure. `series`: [{name, kind: area|line, className, value(point)}]; `shown(v)` formats a value;
 * `now` and `summary` are the caption's parts.
 */
function plot(figure, { title, points, series, shown, current, summary }) {
  const end = now(), begin = end - HOUR_MS;
  const at = points.map(p => ({ ...p, at: Date.parse(p.at) })).filter(p => p.at >= begin);
  const { top, peak } = scaleOf(at.flatMap(p => series.map(s => s.value(p) ?? 0)));
  const x = t => (t - begin) / HOUR_MS * WIDTH;
  const y = v => HEIGHT - (top ? Math.min(v / top, 1) * (HEIGHT - 4) : 0);
  const drawing = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `${title}: ${summary}` },
    [0.25, 0.5, 0.75].map(share => svg('line', { class: 'grid', x1: share * WIDTH, x2: share * WIDTH, y1: 0, y2: HEIGHT })),
    svg('line', { class: 'axis', x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }));
  for (const s of series) {
    for (const run of runs(at, s.value)) {
      if (s.kind === 'area') drawing.append(svg('path', { class: `area ${s.className}`, d: path(run, x, y, true) }));
      drawing.append(svg('path', { class: `line ${s.className}`, d: path(run, x, y, false) }));
    }
  }
  const cursor = svg('line', { class: 'cursor', y1: 0, y2: HEIGHT, visibility: 'hidden' });
  drawing.append(cursor);
  const value = el('span', { class: 'value' }, current);
  const frame = el('div', { class: 'plot' }, drawing, el('span', { class: 'most', 'aria-hidden': 'true' }, top ? shown(top) : '', peak > top && ` (peak ${shown(peak)})`));
  frame.addEventListener('pointermove', e => {
    const box = frame.getBoundingClientRect();
    const t = begin + (e.clientX - box.left) / box.width * HOUR_MS;
    const near = at.reduce((best, p) => (!best || Math.abs(p.at - t) < Math.abs(best.at - t) ? p : best), null);
    if (!near) return;
    cursor.setAttribute('x1', x(near.at));
    cursor.setAttribute('x2', x(near.at));
    cursor.setAttribute('visibility', 'visible');
    value.textContent = `${hourMinute(near.at)}: ${series.map(s => `${s.name} ${s.value(near) === null ? 'none' : shown(s.value(near))}`).join(', ')}`;
  });
  frame.addEventListener('pointerleave', () => { cursor.setAttribute('visibility', 'hidden'); value.textContent = current; });
  replace(figure, el('figcaption', null, el('span', { class: 'title' }, title), value), frame,
    el('div', { class: 'scale', 'aria-hidden': 'true' }, el('span', null, hourMinute(begin)), el('span', null, hourMinute(end - HOUR_MS / 2)), el('span', null, hourMinute(end))));
}

const last = (points, value) => { for (let i = points.length - 1; i >= 0; i--) if (value(points[i]) !== null) return value(points[i]); return null; };

function draw() {
  const history = known.history;
  if (!history) return;
  const { points, stepMs } = history;
  const perSecond = key => p => (p[key] ?? 0) * 1000 / stepMs;
  const sum = points.reduce((n, p) => n + p.synced, 0), failed = points.reduce((n, p) => n + p.failed, 0);
  const settled = points.length ? perSecond('synced')(points.at(-1)) : 0;
  const busiest = Math.max(...points.map(perSecond('synced')), 0);
  plot(byId('plot-throughput'), {
    title: 'Throughput', points, shown: rate, current: `${rate(settled)} now, ${number(sum)} in all`,
    summary: `${number(sum)} documents settled, ${number(failed)} failed attempts, at most ${rate(busiest)}, now ${rate(settled)}`,
    series: [{ name: 'settled', kind: 'area', className: 'synced', value: perSecond('synced') },
      { name: 'failed', kind: 'line', className: 'failed', value: p => (p.failed ? perSecond('failed')(p) : null) }],
  });
  const p50 = last(points, p => p.latencyMsP50), p99 = last(points, p => p.latencyMsP99);
  const latest = p50 === null ? 'no change yet' : `half within ${duration(p50)}, 99 % within ${duration(p99)}`;
  plot(byId('plot-latency'), {
    title: 'From change to search', points, shown: duration, current: latest, summary: latest,
    series: [{ name: '99 %', kind: 'line', className: 'p99', value: p => p.latencyMsP99 }, { name: 'half', kind: 'line', className: 'p50', value: p => p.latencyMsP50 }],
  });
}

export function startPlots() {
  on('history', draw);
}
