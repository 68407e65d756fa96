// SPDX-License-Identifier: Apache-2.0
// The flow: name -> route -> cluster -> address, as wide as its share; what answers of the last minute showed, inside.

import { get } from './api.js';
import { h, percent, replace, svg, table } from './dom.js';
import { fillClusters, known, nameField } from './known.js';
import { observed } from './store.js';

export const title = 'Flow';
export const wantsQueries = true;
export const wantsLists = true;
const LOAD_MS = 5000;
const FIRST = 6;
const MANY = 12; // addresses of one backend that are drawn; the table has all
const X = [4, 262, 500, 738];
const W = [230, 210, 210, 218];
const ROW = 46;
const NODE = 36;
const THICK = 22;
let parts = null;
let timer = 0;
const choice = { name: '', from: '' };
let answers = [];
let problem = '';
const narrow = matchMedia('(max-width: 600px)'); // there the table comes open: the drawing does not fit

const backendOf = (answer, address) => {
  const pointed = answer.backends[address.backend];
  return pointed?.cluster === address.cluster ? address.backend : answer.backends.findIndex((b) => b.cluster === address.cluster);
};

function cut(text, letters) {
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
}

function node(column, y, title1, sub, isDown) {
  const letters = Math.floor(W[column] / 7.6);
  const box = { x: X[column], y: y - NODE / 2, width: W[column], height: NODE };
  return svg('g', null, svg('rect', { class: `node${isDown ? ' down' : ''}`, ...box, rx: 5 }),
    svg('svg', { ...box, width: W[column] - 4 }, // what is wider than the letters on average is cut off
      svg('text', { x: 8, y: NODE / 2 + (sub ? -3 : 4) }, cut(title1, letters)), sub ? svg('text', { class: 'sub', x: 8, y: NODE / 2 + 12 }, cut(sub, letters + 3)) : null));
}

function ribbon(column, y1, y2, want, seen, color) {
  const x1 = X[column] + W[column];
  const x2 = X[column + 1];
  const d = `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`;
  return [svg('path', { d, class: `want c${color}`, 'stroke-width': Math.max(1, want * THICK) }),
    seen > 0 ? svg('path', { d, class: `seen c${color}`, 'stroke-width': Math.max(1, seen * THICK) }) : null];
}

const seenOf = (seen, addresses) => addresses.reduce((sum, a) => sum + (seen.shares.get(a.address) ?? 0), 0);

// What is drawn of a backend's addresses: the last one stands for the rest when there are many.
function drawn(addresses) {
  const all = addresses.map((a) => ({ ...a, of: [a] }));
  if (all.length <= MANY) return all;
  const rest = addresses.slice(MANY - 1);
  return [...all.slice(0, MANY - 1), { address: `${rest.length} more addresses`, via: 'endpoint', of: rest, first: rest.reduce((sum, a) => sum + a.first, 0) }];
}

// Heights of all nodes, endpoints one below the other, the rest in the middle of what they lead to.
function layout(answer) {
  const groups = answer.backends.map((backend, i) => ({ backend, i, addresses: drawn(answer.addresses.filter((a) => backendOf(answer, a) === i)) }));
  let row = 0;
  for (const group of groups) {
    const first = row;
    for (const address of group.addresses) address.y = ROW * (row++ + 0.5);
    if (group.addresses.length === 0) row++;
    group.y = ROW * ((first + row) / 2);
  }
  return { groups, height: Math.max(1, row) * ROW };
}

// Behind a Gateway nobody counts endpoints.
function says(backend) {
  const ready = backend.total > 0 || !backend.used ? `${backend.ready ?? 0} of ${backend.total ?? 0} ready` : '';
  return [backend.weight === undefined ? '' : `weight ${backend.weight}`, ready].filter(Boolean).join(', ') || backend.reason;
}

function drawing(answer, seen) {
  const { groups, height } = layout(answer);
  const middle = height / 2;
  const [place, kind, space, route] = (answer.object ?? '').split('/');
  const object = route ? [`${kind} ${space}/${route}`, `of ${place}`] : [answer.object ?? answer.rule ?? '', 'Service'];
  const shapes = [...ribbon(0, middle, middle, 1, seen.n > 0 ? 1 : 0, 0)];
  const nodes = [node(0, middle, answer.name.replace(/\.$/, ''), `${answer.type}, TTL ${answer.ttl} s`), node(1, middle, object[0], object[1])];
  for (const { backend, i, addresses, y } of groups) {
    const want = addresses.reduce((sum, a) => sum + a.first, 0);
    const had = seenOf(seen, addresses.flatMap((a) => a.of));
    shapes.push(...ribbon(1, middle, y, want, had, i % 6));
    nodes.push(node(2, y, `${backend.cluster ?? ''} ${backend.name ?? ''}`, says(backend), !backend.used));
    for (const a of addresses) {
      const share = seenOf(seen, a.of);
      shapes.push(...ribbon(2, y, a.y, a.first, share, i % 6));
      nodes.push(node(3, a.y, `${a.address} ${a.via === 'endpoint' ? '' : a.via}`, seen.n === 0 ? `wanted ${percent(a.first)}` : `wanted ${percent(a.first)}, seen ${percent(share)}`));
    }
  }
  const label = `${answer.name}: ${answer.addresses.length} addresses in ${new Set(answer.addresses.map((a) => a.cluster)).size} clusters; the table below has the shares`;
  return svg('svg', { viewBox: `0 0 960 ${height}`, role: 'img', 'aria-label': label }, shapes, nodes);
}

function shares(answer, seen) {
  return table({ caption: `Shares of ${answer.name}`, rows: answer.addresses, empty: 'No addresses.', columns: [
    { title: 'Address', cell: (a) => a.address },
    { title: 'Wanted', class: 'n', cell: (a) => percent(a.first) },
    { title: 'Seen', class: 'n', cell: (a) => (seen.n === 0 ? '–' : percent(seen.shares.get(a.address) ?? 0)) },
    { title: 'Cluster', cell: (a) => a.cluster },
    { title: 'Backend', cell: (a) => answer.backends[backendOf(answer, a)]?.name ?? '–' }] });
}

function figure(answer, wasOpen) {
  const view = answer.view?.cluster ?? '';
  const seen = observed(answer.name, answer.type, view);
  const askers = view === '' ? 'askers of no cluster' : `askers of ${view}`;
  const heading = h('h3', null, h('a', { href: `#explain?name=${encodeURIComponent(answer.name)}&from=${choice.from}` }, answer.name));
  if (!answer.addresses?.length || !answer.backends?.length) {
    return h('section', { class: 'card' }, heading, h('p', { class: 'note' }, `${answer.rcode}: ${answer.status}`));
  }
  return h('section', { class: 'card', 'data-name': answer.name }, heading,
    h('p', { class: 'note' }, `${seen.n === 0 ? `No answer to ${askers} in the last minute` : `${seen.n} answers to ${askers} in the last minute`}${seen.others > 0 ? `; ${seen.others} to others, who may be wanted to get other shares.` : '.'}`),
    h('div', { class: 'flow scroll', tabindex: '0', role: 'region', 'aria-label': `Flow of ${answer.name}` }, drawing(answer, seen)),
    h('details', { open: wasOpen }, h('summary', null, 'As a table'), shares(answer, seen)));
}

function draw() {
  const open = new Map([...parts.out.querySelectorAll('section[data-name]')].map((s) => [s.dataset.name, s.querySelector('details').open]));
  replace(parts.out, answers.length === 0 ? h('p', { class: 'note' }, problem || (choice.name ? 'Asking.' : 'No names yet.')) : answers.map((a) => figure(a, open.get(a.name) ?? narrow.matches)));
}

async function load() {
  const wanted = choice.name ? [choice.name] : known().slice(0, FIRST);
  const asked = await Promise.allSettled(wanted.map((name) => get(`explain?${new URLSearchParams({ name, type: 'A', ...(choice.from ? { from: choice.from } : {}) })}`)));
  problem = asked.find((a) => a.status === 'rejected')?.reason.message ?? '';
  answers = asked.filter((a) => a.status === 'fulfilled').map((a) => a.value);
  if (parts) draw();
}

function choose(key, value) {
  choice[key] = value;
  answers = [];
  load();
}

export function mount(main, query) {
  for (const key of ['name', 'from']) choice[key] = query.get(key) ?? choice[key];
  const name = nameField({ type: 'search', value: choice.name, placeholder: `the first ${FIRST}`, onchange: (e) => choose('name', e.target.value.trim()) });
  parts = { out: h('div'), askers: h('select', { onchange: (e) => choose('from', e.target.value) }) };
  main.append(h('h2', null, 'Flow'), h('form', { class: 'row', onsubmit: (e) => e.preventDefault() },
    h('label', null, 'Name', name.input), name.list, h('label', null, 'Seen from', parts.askers)),
  h('p', { class: 'note' }, 'Pale: the share an address should stand first with. Full: the share it did stand first with.'), parts.out);
  fillClusters(parts.askers, 'the default', choice.from);
  load();
  timer = setInterval(load, LOAD_MS);
}

export function unmount() {
  clearInterval(timer);
  parts = null;
}

export function update(name) {
  if (name === 'queries') draw();
  else if (name === 'clusters') fillClusters(parts.askers, 'the default', choice.from);
  else if (name === 'lists' && answers.length === 0) load();
}
