// SPDX-License-Identifier: Apache-2.0
// All names: search, filter, sort.

import { h, anew, count, number, replace, state, table } from './dom.js';
import { fillClusters } from './known.js';
import { store } from './store.js';

export const title = 'Names';
export const wantsLists = true;
const SHOWN = 500;
let shown = SHOWN;
let parts = null;
const choice = { words: '', kind: '', cluster: '', sorted: { key: 'name', down: false } };

function all() {
  const routes = (store.names ?? []).flatMap((r) => [r.assignedName, ...r.hostnames].map((name) => ({
    name, kind: r.kind, object: `${r.namespace}/${r.name}`, clusters: [r.cluster], ready: null })));
  const services = (store.services ?? []).map((s) => ({
    name: `${s.name}.${s.namespace}.${s.below}`, kind: `Service (${s.type})`, object: `${s.namespace}/${s.name}`,
    clusters: s.clusters.map((c) => c.cluster), ready: s.clusters.reduce((n, c) => n + c.ready, 0), total: s.clusters.reduce((n, c) => n + c.total, 0) }));
  return [...routes, ...services];
}

function readyCell(row) {
  if (row.ready === null) return '–';
  const kind = row.ready === 0 ? 'bad' : row.ready < row.total ? 'warn' : 'good';
  return state(kind, `${row.ready} of ${row.total}`);
}

const columns = [
  { title: 'Name', key: 'name', sort: true, class: 'wide', cell: (r) => h('a', { href: `#explain?name=${encodeURIComponent(r.name)}` }, r.name) },
  { title: 'Made by', key: 'kind', sort: true, cell: (r) => r.kind },
  { title: 'Object', key: 'object', sort: true, class: 'wide', cell: (r) => r.object },
  { title: 'Clusters', key: 'clusters', sort: true, cell: (r) => r.clusters.join(', ') },
  { title: 'Ready endpoints', key: 'ready', sort: true, cell: readyCell },
];

function draw() {
  const words = choice.words.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = all().filter((r) => words.every((w) => `${r.name} ${r.object}`.toLowerCase().includes(w))
    && (choice.kind === '' || r.kind.startsWith(choice.kind)) && (choice.cluster === '' || r.clusters.includes(choice.cluster)));
  const { key, down } = choice.sorted;
  const value = (r) => (Array.isArray(r[key]) ? r[key].join() : r[key] ?? -1);
  rows.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (down ? -1 : 1));
  const focused = parts.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  if (focused) document.activeElement.blur();
  const isReady = store.names !== null && store.services !== null;
  parts.count.textContent = !isReady ? 'Loading' : rows.length > shown ? `${number(rows.length)} names, the first ${number(shown)} are shown` : count(rows.length, 'name');
  parts.more.hidden = !isReady || rows.length <= shown;
  if (!isReady) return;
  replace(parts.list, table({ caption: 'Names', columns, rows: rows.slice(0, shown), empty: words.length > 0 || choice.kind || choice.cluster ? 'No name is like that.'
    : 'No name yet: export a Service (kind ServiceExport, or Cilium\'s annotation service.cilium.io/global), or make a route.', sorted: choice.sorted,
    onsort: (k) => { choice.sorted = { key: k, down: choice.sorted.key === k && !choice.sorted.down }; anew(parts.list, draw); } }));
  if (focused) parts.list.querySelector(`[data-key=${focused}]`)?.focus();
}

function choose(label, key, options) {
  return h('label', null, label, h('select', { onchange: (e) => { choice[key] = e.target.value; anew(parts.list, draw); } },
    options.map(([value, text]) => h('option', { value, selected: choice[key] === value }, text))));
}

export function mount(main) {
  shown = SHOWN;
  parts = { list: h('div'), count: h('p', { class: 'note', role: 'status' }), clusters: h('select', { onchange: (e) => { choice.cluster = e.target.value; anew(parts.list, draw); } }),
    more: h('button', { type: 'button', class: 'button plain', hidden: true, onclick: () => { shown += SHOWN; anew(parts.list, draw); } }, `Show ${SHOWN} more`) };
  main.append(h('h2', null, 'Names'), h('form', { class: 'row', role: 'search', onsubmit: (e) => e.preventDefault() },
    h('label', null, 'Search', h('input', { type: 'search', class: 'long', value: choice.words, oninput: (e) => { choice.words = e.target.value; anew(parts.list, draw); } })),
    choose('Made by', 'kind', [['', 'anything'], ...['Service', 'HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute'].map((k) => [k, k])]),
    h('label', null, 'Cluster', parts.clusters)), parts.count, parts.list, h('p', null, parts.more));
  fillClusters(parts.clusters, 'any', choice.cluster);
  draw();
}

export function unmount() {
  parts = null;
}

export function update(name) {
  if (name === 'clusters') fillClusters(parts.clusters, 'any', choice.cluster);
  if (name === 'lists' && !parts.list.contains(document.activeElement)) draw();
}
