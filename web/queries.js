// SPDX-License-Identifier: Apache-2.0
// Questions as they are answered: pause, filter, save.

import { h, replace, state, table, took } from './dom.js';
import { store } from './store.js';

export const title = 'Queries';
export const wantsQueries = true;
const SHOWN = 100;
let parts = null;
let words = '';
let shown = 0;

export const filter = () => words;

const time = (ms) => `${new Date(ms).toLocaleTimeString('en-GB')}.${String(ms % 1000).padStart(3, '0')}`;
// "why=drawn zone=assigned view=c1 from=10.1.0.7": who it counts as is what explain is to be asked from.
const part = (q, key) => new RegExp(`(?:^| )${key}=(\\S+)`).exec(q.why ?? '')?.[1] ?? '';
const link = (q) => (q.name === '' ? '–' : h('a', { href: `#explain?${new URLSearchParams({ name: q.name, type: q.type, from: part(q, 'from') })}` }, q.name));
const code = (rcode) => state(rcode === 'NOERROR' ? 'good' : rcode === 'NXDOMAIN' ? 'warn' : 'bad', rcode);

function draw() {
  parts.note.textContent = store.isPaused ? 'Paused.'
    : store.every > 1 ? `There are many: one question in ${store.every} is shown.` : '';
  replace(parts.list, table({ caption: 'Questions, newest first', rows: store.queries.slice(0, SHOWN), empty: 'No question yet.', columns: [
    { title: 'Time', cell: (q) => h('span', { class: 'mono' }, time(q.at)) },
    { title: 'Name', class: 'wide', cell: link }, { title: 'Type', cell: (q) => q.type },
    { title: 'Answer', cell: (q) => code(q.rcode) },
    { title: 'Shows', class: 'wide', cell: (q) => (q.answers.length === 0 ? '–' : q.answers.slice(0, 3).join(' ') + (q.n > 3 ? ` and ${q.n - 3} more` : '')) },
    { title: 'Why', cell: (q) => [part(q, 'why') || '–', part(q, 'view') && h('span', { class: 'quiet' }, ` for ${part(q, 'view')}`)] },
    { title: 'Took', class: 'n', cell: (q) => took(q.tookUs) },
    { title: 'By', cell: (q) => q.transport }, { title: 'From', cell: (q) => h('span', { class: 'mono' }, q.peer) }] }));
}

function save() {
  const url = URL.createObjectURL(new Blob([JSON.stringify(store.queries, null, 1)], { type: 'application/json' }));
  h('a', { href: url, download: 'queries.json' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export function mount(main, query, watch) {
  parts = { list: h('div'), note: h('p', { class: 'note', role: 'status' }) };
  const pause = h('button', { type: 'button', class: 'button', 'aria-pressed': String(store.isPaused), onclick: () => {
    store.isPaused = !store.isPaused;
    pause.setAttribute('aria-pressed', String(store.isPaused));
    draw();
  } }, 'Pause');
  const input = h('input', { type: 'search', class: 'long', value: words, placeholder: 'name, type, NXDOMAIN, address' });
  main.append(h('h2', null, 'Questions'), h('form', { class: 'row', onsubmit: (event) => {
    event.preventDefault();
    words = input.value.trim();
    store.queries = [];
    watch();
    draw();
  } }, h('label', null, 'All of these words', input), h('button', { class: 'button' }, 'Filter'), pause,
  h('button', { type: 'button', class: 'button plain', onclick: save }, 'Save as JSON')), parts.note, parts.list);
  draw();
}

export function unmount() {
  parts = null;
}

export function update(name) {
  if (name === 'queries' && !store.isPaused && performance.now() - shown > 400) {
    shown = performance.now();
    draw();
  }
}
