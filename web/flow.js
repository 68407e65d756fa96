// SPDX-License-Identifier: Apache-2.0
// The flow: name -> route -> cluster -> address, as wide as its share; what answers showed, inside.

import { get, Refused } from './api.js';
import { counted, note, part } from './counted.js';
import { h, count, number, percent, replace, svg, table } from './dom.js';
import { fillClusters, known, nameField } from './known.js';
import { observed, store } from './store.js';

export const title = 'Flow';
export const wantsQueries = true;
export const wantsLists = true;
const LOAD_MS = 2000;
const FIRST = 6;
const MANY = 12; // backends, and addresses of one, that are drawn; the tables have all
const X = [4, 262, 500, 738];
const W = [230, 210, 210, 218];
const ROW = 46;
const NODE = 36;
const LINE = 15;
const GROUP = 60; // a backend with three lines
const THICK = 22;
let parts = null;
let timer = 0;
let asking = null; // what was asked and is not answered
const choice = { name: '', from: '' };
let answers = [];
let problem = '';
const narrow = matchMedia('(max-width: 600px)'); // there the table comes open: the drawing does not fit

const keyOf = (answer) => `${answer.name} ${answer.type} ${choice.from}`;
const backendOf = (answer, address) => {
  const pointed = answer.backends[address.backend];
  return pointed?.cluster === address.cluster ? address.backend : answer.backends.findIndex((b) => b.cluster === address.cluster);
};

function cut(text, letters) {
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
}

// A box of some lines, the first of which names it.
function node(column, y, lines, isDown) {
  const letters = Math.floor(W[column] / 7.6);
  const height = NODE + (lines.length - 2) * LINE;
  const box = { x: X[column], y: y - height / 2, width: W[column], height };
  return svg('g', null, svg('rect', { class: `node${isDown ? ' down' : ''}`, ...box, rx: 5 }),
    svg('svg', { ...box, width: W[column] - 4 }, // what is wider than the letters on average is cut off
      lines.map((line, i) => svg('text', { class: i === 0 ? null : 'sub', x: 8, y: 15 + i * LINE }, cut(line, letters + (i === 0 ? 0 : 3))))));
}

function ribbon(column, y1, y2, want, seen, color) {
  const x1 = X[column] + W[column];
  const x2 = X[column + 1];
  const d = `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`;
  return [svg('path', { d, class: `want c${color}`, 'stroke-width': Math.max(1, want * THICK) }),
    seen > 0 ? svg('path', { d, class: `seen c${color}`, 'stroke-width': Math.max(1, seen * THICK) }) : null];
}

/*
 * What is known of an answer's addresses: wanted and seen shares of some of them, seen null where it is not known.
 * Backends of routes are counted; how a backend's part falls to its addresses, and all else, is of the sample.
 */
function sharesOf(answer) {
  const sample = observed(answer.name, answer.type, answer.view?.cluster ?? '');
  const exact = counted(keyOf(answer));
  const partOf = (a) => {
    const { namespace, name } = answer.backends[backendOf(answer, a)] ?? {};
    const own = part(a.cluster ?? '', `${namespace}/${name}`);
    return exact?.parts.has(own) ? own : part(a.cluster ?? '', 'gateway');
  };
  const all = Map.groupBy(answer.addresses, partOf);
  const first = (addresses) => addresses.reduce((sum, a) => sum + a.first, 0);
  const sampled = (addresses) => addresses.reduce((sum, a) => sum + (sample.shares.get(a.address) ?? 0), 0);
  const whole = new Map([...all].map(([name, some]) => [name, sampled(some)]));
  const seenOfPart = (name, some) => {
    const { seen } = exact.parts.get(name) ?? { seen: null };
    if (seen === null || seen === 0 || some.length === all.get(name).length) return seen;
    return whole.get(name) > 0 ? seen * sampled(some) / whole.get(name) : null;
  };
  const seen = (addresses) => {
    if (!exact) return sample.n > 0 ? sampled(addresses) : null;
    return [...Map.groupBy(addresses, partOf)].reduce((sum, [name, some]) => {
      const one = seenOfPart(name, some);
      return sum === null || one === null ? null : sum + one;
    }, exact.answers > 0 ? 0 : null);
  };
  const wanted = (addresses) => [...Map.groupBy(addresses, partOf)].reduce((sum, [name, some]) => {
    const one = exact?.parts.get(name)?.wanted ?? null;
    return sum + (one === null || some.length < all.get(name).length ? first(some) : one);
  }, 0);
  const answers = (addresses) => (exact ? [...new Set(addresses.map(partOf))].reduce((sum, name) => sum + (exact.parts.get(name)?.answers ?? 0), 0) : null);
  return { seen, wanted, answers, sample, exact, isSeen: exact ? exact.answers > 0 : sample.n > 0, isSplit: [...all.values()].some((some) => some.length > 1) };
}

// What is drawn of many: those that give most, and one that stands for the rest.
function drawn(all, wanted, restOf) {
  if (all.length <= MANY) return all;
  const most = new Set(all.toSorted((a, b) => wanted(b) - wanted(a)).slice(0, MANY - 1));
  return [...all.filter((one) => most.has(one)), restOf(all.filter((one) => !most.has(one)))];
}

// Backends with what is behind them. Rows that only say whose the name is are none.
const backendsOf = (answer) => answer.backends.map((backend, i) => ({ ...backend, i, addresses: answer.addresses.filter((a) => backendOf(answer, a) === i) }))
  .filter((b) => b.addresses.length > 0 || !b.kind?.endsWith('Route'));

const addressRow = (a) => ({ title: `${a.address} ${a.via === 'endpoint' ? '' : a.via}`, of: [a] });
const backendTitle = (b) => `${b.cluster ?? ''} ${b.name ?? ''}`.trim();

// The rows of the drawing with their heights: endpoints one below the other, the rest in the middle of what they lead to.
function layout(answer, shares) {
  const backends = backendsOf(answer).map((b) => ({ title: backendTitle(b), says: says(b), isDown: !b.used, i: b.i, addresses: b.addresses }));
  const groups = drawn(backends, (b) => shares.wanted(b.addresses), (rest) => ({ title: `${rest.length} more backends`,
    says: `${rest.filter((b) => !b.isDown).length} of them used`, isDown: rest.every((b) => b.isDown), isRest: true, i: MANY - 1, addresses: rest.flatMap((b) => b.addresses) }));
  let y = 0;
  for (const group of groups) {
    const begin = y;
    const rest = (more) => ({ title: `${more.length} more addresses`, of: more.flatMap((row) => row.of) });
    const rows = group.addresses.map(addressRow);
    group.rows = group.isRest && rows.length > 1 ? [{ ...rest(rows), title: `${rows.length} addresses` }] : drawn(rows, (row) => shares.wanted(row.of), rest);
    const step = Math.max(ROW, GROUP / Math.max(1, group.rows.length));
    for (const row of group.rows) {
      row.y = y + step / 2;
      y += step;
    }
    y = Math.max(y, begin + GROUP);
    group.y = (begin + y) / 2;
  }
  return { groups, height: Math.max(y, GROUP) };
}

// Behind a Gateway nobody counts endpoints.
function says(backend) {
  const ready = backend.total > 0 || !backend.used ? `${backend.ready ?? 0} of ${backend.total ?? 0} ready` : '';
  return [backend.weight === undefined ? '' : `weight ${backend.weight}`, ready].filter(Boolean).join(', ') || backend.reason;
}

const both = (wanted, seen) => `wanted ${percent(wanted)}${seen === null ? '' : `, seen ${percent(seen)}`}`;

function drawing(answer, shares) {
  const { groups, height } = layout(answer, shares);
  const middle = height / 2;
  const [place, kind, space, route] = (answer.object ?? '').split('/');
  const object = route ? [`${kind} ${space}/${route}`, `of ${place}`] : [answer.object ?? answer.rule ?? '', 'Service'];
  const shapes = [...ribbon(0, middle, middle, 1, shares.isSeen ? 1 : 0, 0)];
  const nodes = [node(0, middle, [answer.name.replace(/\.$/, ''), `${answer.type}, TTL ${answer.ttl} s`]), node(1, middle, object)];
  for (const { title: name, says: sub, isDown, i, addresses, rows, y } of groups) {
    const [wanted, seen] = [shares.wanted(addresses), shares.seen(addresses)];
    shapes.push(...ribbon(1, middle, y, wanted, seen ?? 0, i % 6));
    nodes.push(node(2, y, [name, sub, both(wanted, seen)].filter(Boolean), isDown));
    for (const row of rows) {
      const [want, had] = [shares.wanted(row.of), shares.seen(row.of)];
      shapes.push(...ribbon(2, y, row.y, want, had ?? 0, i % 6));
      nodes.push(node(3, row.y, [row.title, both(want, had)]));
    }
  }
  const label = `${answer.name}: ${answer.addresses.length} addresses in ${new Set(answer.addresses.map((a) => a.cluster)).size} clusters; the tables below have the shares`;
  return svg('svg', { viewBox: `0 0 960 ${height}`, role: 'img', 'aria-label': label }, shapes, nodes);
}

const share = (n) => (n === null ? '–' : percent(n));

function tables(answer, shares) {
  const answers = { title: 'Answers', class: 'n', cell: (b) => number(shares.answers(b.addresses)) };
  return [table({ caption: `Backends of ${answer.name}`, rows: backendsOf(answer), columns: [
    { title: 'Backend', class: 'wide', cell: (b) => b.name ?? '–' }, { title: 'Cluster', cell: (b) => b.cluster ?? '–' },
    { title: 'Wanted', class: 'n', cell: (b) => share(shares.wanted(b.addresses)) }, { title: 'Seen', class: 'n', cell: (b) => share(shares.seen(b.addresses)) },
    ...(shares.exact ? [answers] : []), { title: 'Weight and endpoints', cell: says }] }),
  table({ caption: `Addresses of ${answer.name}`, rows: answer.addresses, empty: 'No addresses.', columns: [
    { title: 'Address', cell: (a) => a.address },
    { title: 'Wanted', class: 'n', cell: (a) => share(shares.wanted([a])) }, { title: 'Seen', class: 'n', cell: (a) => share(shares.seen([a])) },
    { title: 'Cluster', cell: (a) => a.cluster }, { title: 'Backend', class: 'wide', cell: (a) => answer.backends[backendOf(answer, a)]?.name ?? '–' }] })];
}

const clock = (ms) => new Date(ms).toLocaleTimeString('en-GB');

// Of what the seen shares are, in words.
function basis(answer, { exact, sample, isSplit }) {
  const view = answer.view?.cluster ?? '';
  const askers = view === '' ? 'askers of no cluster' : `askers of ${view}`;
  const sampled = sample.n === 0 ? `no answer to ${askers} in the last minute` : `a sample of the last minute, ${count(sample.n, 'answer')} to ${askers}`;
  if (!exact) return `Seen in: ${sampled}${sample.others > 0 ? `; ${number(sample.others)} to others, who may be wanted to get other shares.` : '.'}`;
  if (exact.answers === 0) return 'Counted: no answer yet since these shares are in force.';
  const since = exact.since === null ? `since these shares are in force, none of them since ${clock(exact.opened)}` : `since ${clock(exact.since)}`;
  return `Counted: ${count(exact.answers, 'answer')} ${since}, to all who are shown these shares.${isSplit ? ` How a backend's part falls to its addresses: ${sampled}.` : ''}`;
}

function figure(answer, wasOpen) {
  const heading = h('h3', null, h('a', { href: `#explain?name=${encodeURIComponent(answer.name)}&from=${choice.from}` }, answer.name));
  if (!answer.addresses?.length || !answer.backends?.length) {
    return h('section', { class: 'card' }, heading, h('p', { class: 'note' }, `${answer.rcode}: ${answer.status}`));
  }
  const shares = sharesOf(answer);
  return h('section', { class: 'card', 'data-name': answer.name }, heading,
    h('p', { class: 'note' }, basis(answer, shares)),
    h('div', { class: 'flow scroll', tabindex: '0', role: 'region', 'aria-label': `Flow of ${answer.name}` }, drawing(answer, shares)),
    h('details', { open: wasOpen }, h('summary', null, 'As tables'), tables(answer, shares)));
}

function draw() {
  const open = new Map([...parts.out.querySelectorAll('section[data-name]')].map((s) => [s.dataset.name, s.querySelector('details').open]));
  replace(parts.out, answers.length === 0 ? h('p', { class: 'note' }, problem || (choice.name ? 'Asking.' : 'No names yet.')) : answers.map((a) => figure(a, open.get(a.name) ?? narrow.matches)));
}

async function load() {
  const what = `${choice.name} ${choice.from}`;
  if (document.hidden || asking === what) return;
  asking = what;
  const wanted = choice.name ? [choice.name] : known().slice(0, FIRST);
  const asked = await Promise.allSettled(wanted.map((name) => get(`explain?${new URLSearchParams({ name, type: 'A', ...(choice.from ? { from: choice.from } : {}) })}`)));
  if (asking !== what) return; // somebody chose another name since
  asking = null;
  problem = asked.find((a) => a.status === 'rejected')?.reason.message ?? '';
  const told = asked.filter((a) => a.status === 'fulfilled').map((a) => a.value);
  const isSilent = asked.some((a) => a.status === 'rejected' && !(a.reason instanceof Refused));
  if (answers.length > 0 && asked.length > 0 && (isSilent || told.length === 0)) return; // what is shown stays until there is something newer
  answers = told;
  for (const answer of answers) note(keyOf(answer), answer.counted);
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
  h('p', { class: 'note' }, 'Pale: the share an address should stand first with. Full: the share it did stand first with; answers of routes are all counted, others are seen in a sample of the last minute.'), parts.out);
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
