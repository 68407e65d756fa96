// SPDX-License-Identifier: Apache-2.0
/* global uPlot */
// A chart of the last minutes: uPlot draws it, the legend says each line's colour and dashes in words and shape.

import { h, svg, number } from './dom.js';

const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia('(prefers-color-scheme: dark)');

function legend(series) {
  return h('ul', { class: 'list legend' }, series.map((one, i) => h('li', null,
    svg('svg', { width: 32, height: 10, 'aria-hidden': 'true' }, svg('line', { x1: 0, y1: 5, x2: 32, y2: 5, 'stroke-width': 3, class: `c${i}`, 'stroke-dasharray': DASHES[i].join(' ') || null })),
    ` ${one.label}`)));
}

export class Chart {
  constructor(title, series) {
    this.title = title;
    this.series = series;
    this.box = h('div', { class: 'chart', role: 'img', 'aria-label': title }, h('p', { class: 'quiet' }, 'Two seconds, please.'));
    this.element = h('div', { class: 'card' }, h('h3', null, title), this.box, series.length > 1 ? legend(series) : null);
    this.observer = new ResizeObserver(() => this.size());
    this.observer.observe(this.box);
    this.onscheme = () => this.remake();
    dark.addEventListener('change', this.onscheme);
  }

  stop() {
    this.observer.disconnect();
    dark.removeEventListener('change', this.onscheme);
    this.plot?.destroy();
    this.plot = null;
  }

  size() {
    if (this.plot && this.box.clientWidth > 0) this.plot.setSize({ width: this.box.clientWidth, height: this.box.clientHeight });
  }

  remake() {
    this.plot?.destroy();
    this.plot = null;
    if (this.data) this.make();
  }

  make() {
    const axis = { stroke: color('--quiet'), grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line'), width: 1 } };
    this.plot = new uPlot({
      width: this.box.clientWidth || 300, height: this.box.clientHeight || 190, legend: { show: false }, cursor: { show: false },
      scales: { y: { range: (u, min, max) => [0, max > 0 ? max * 1.1 : 1] } },
      axes: [{ ...axis, values: (u, ticks) => ticks.map((t) => new Date(t * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })), space: 80 },
        { ...axis, size: 56 }],
      series: [{}, ...this.series.map((one, i) => ({ label: one.label, stroke: color(`--s${i}`), width: 2, dash: DASHES[i], spanGaps: true, points: { show: false } }))],
    }, this.data, this.box);
  }

  draw(traffic) {
    this.data = [traffic.map((t) => t.at), ...this.series.map((one) => traffic.map((t) => one.of(t) ?? null))];
    const newest = this.series.map((one, i) => `${one.label} ${number(this.data[i + 1].findLast((n) => n !== null))}`).join(', ');
    this.box.setAttribute('aria-label', `${this.title}: ${newest}`);
    if (traffic.length < 2) return;
    if (this.plot) this.plot.setData(this.data);
    else {
      this.box.replaceChildren();
      this.make();
    }
  }
}
