// SPDX-License-Identifier: Apache-2.0
// The overview: clusters, how many questions, with which answers, how fast.

import { h, age, count, number, replace, state, table, took } from './dom.js';
import { findings, store } from './store.js';
import { Chart } from './chart.js';

export const title = 'Overview';
let parts = null;

function word(c) {
  if (c.drained) return state('warn', 'drained');
  if (c.synced && c.up) return state('good', 'in sync');
  if (c.synced) return state('bad', 'out of reach');
  return c.restored ? state('warn', 'restored') : state('bad', 'not listed yet');
}

function card(c) {
  const endpoints = c.objects.EndpointSlice;
  return h('li', { class: 'card' },
    h('h3', null, c.name),
    h('p', null, word(c), ' ', h('span', { class: 'quiet' }, `network ${c.network}`)),
    h('dl', { class: 'facts' },
      h('dt', null, 'Last event'), h('dd', null, age(c.lastEventAgeSeconds)),
      h('dt', null, 'Services'), h('dd', null, number(c.objects.Service)),
      h('dt', null, 'Endpoint slices'), h('dd', null, number(endpoints)),
      h('dt', null, 'Source'), h('dd', null, c.source)),
    c.error ? h('p', { class: 'problem' }, c.error, c.hint ? h('span', { class: 'quiet' }, ` ${c.hint}`) : null) : null);
}

function figure(name, value, note) {
  return h('li', { class: 'card' }, h('h3', null, name), h('p', { class: 'big' }, value), h('p', { class: 'quiet' }, note));
}

function figures() {
  const status = store.status;
  const now = store.traffic.at(-1);
  const sampled = store.traffic.findLast((t) => t.p50 !== undefined);
  return [
    figure('Questions', now ? `${number(now.rate)} / s` : '–', 'all transports'),
    figure('Time to answer', took(sampled?.p50), 'p50 of a sample'),
    figure('At worst of 100', took(sampled?.p99), 'p99 of the same sample'),
    figure('Clusters', `${status.clusters.up} of ${status.clusters.total}`, 'in reach'),
    figure('Names', number(status.names.services + status.names.routes), `${number(status.names.routes)} of routes, ${number(status.names.endpoints)} endpoints`),
  ];
}

// A sentence that leads to the findings.
function wrong() {
  const all = findings();
  const parts = [['bad', 'error'], ['warn', 'warning']].map(([level, word]) => [all.filter((f) => f.level === level).length, word]).filter(([n]) => n > 0);
  if (parts.length === 0) return store.found === null ? 'Findings' : 'Nothing is wrong';
  return `To look at: ${parts.map(([n, word]) => count(n, word)).join(' and ')}`;
}

function rcodeTable() {
  const now = store.traffic.at(-1);
  const rows = now ? Object.entries(now.rcodes).filter(([, n]) => n > 0) : [];
  return table({ caption: 'Answers a second by response code', rows, empty: 'No questions in the last second.', columns: [
    { title: 'Response code', cell: ([name]) => name }, { title: 'A second', class: 'n', cell: ([, n]) => number(n) }] });
}

export function mount(main) {
  parts = {
    figures: h('ul', { class: 'list cards figures' }), wrong: h('a', { href: '#findings' }, wrong()), cards: h('ul', { class: 'list cards' }), codes: h('div'),
    rate: new Chart('Questions a second', [{ label: 'questions', of: (t) => t.rate }]),
    rcodes: new Chart('Answers a second by response code', ['NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED'].map((r) => ({ label: r, of: (t) => t.rcodes[r] }))),
    took: new Chart('Time to answer, ms', [{ label: 'p50', of: (t) => (t.p50 === undefined ? null : t.p50 / 1000) }, { label: 'p99', of: (t) => (t.p99 === undefined ? null : t.p99 / 1000) }]),
  };
  main.append(
    h('section', null, h('h2', null, 'Now'), parts.figures, h('p', null, parts.wrong)),
    h('section', null, h('h2', null, 'Clusters'), parts.cards),
    h('section', null, h('h2', null, 'Last five minutes'), h('div', { class: 'charts' }, parts.rate.element, parts.rcodes.element, parts.took.element),
      h('details', null, h('summary', null, 'Response codes as a table'), parts.codes)));
  update('clusters');
}

export function unmount() {
  for (const chart of [parts.rate, parts.rcodes, parts.took]) chart.stop();
  parts = null;
}

export function update(name) {
  if (store.status === null) return;
  replace(parts.figures, figures());
  parts.wrong.textContent = wrong();
  if (name === 'clusters') replace(parts.cards, store.status.clusters.items.map(card));
  if (name === 'records' || name === 'lists') return;
  for (const chart of [parts.rate, parts.rcodes, parts.took]) chart.draw(store.traffic);
  replace(parts.codes, rcodeTable());
}
