// SPDX-License-Identifier: Apache-2.0
// What a person should look at: the API's findings, and what the stream says of clusters and records.

import { h, age, anew, count, replace, state } from './dom.js';
import { findings, store } from './store.js';

export const title = 'Findings';
const SHOWN = 200;
const WORDS = { bad: 'error', warn: 'warning', note: 'note' };
const choice = { words: '', level: '' };
let parts = null;

function card(f) {
  return h('li', { class: 'card' }, h('p', null, state(f.level, WORDS[f.level]), ' ', h('strong', null, f.where), f.code ? h('span', { class: 'quiet mono' }, ` ${f.code}`) : null),
    h('p', null, f.text), f.detail ? h('p', { class: 'problem' }, f.detail) : null,
    f.hint ? h('p', { class: 'quiet' }, `To do: ${f.hint}`) : null,
    f.ageSeconds !== undefined ? h('p', { class: 'quiet' }, `Known since ${age(f.ageSeconds)}`) : null);
}

function draw() {
  const all = findings();
  const words = choice.words.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = all.filter((f) => (choice.level === '' || f.level === choice.level)
    && words.every((w) => `${f.where} ${f.text} ${f.code ?? ''}`.toLowerCase().includes(w)));
  const total = all.length + (store.found?.leftOut ?? 0);
  parts.count.textContent = store.found === null ? 'Looking' : `${rows.length === all.length ? '' : `${rows.length} of `}${count(total, 'finding')}${rows.length > SHOWN ? `, the first ${SHOWN} are shown` : ''}`;
  if (store.found === null && all.length === 0) return;
  replace(parts.list, all.length === 0 ? h('li', null, state('good', 'Nothing is wrong.'))
    : rows.length === 0 ? h('li', null, 'No finding is like that.') : rows.slice(0, SHOWN).map(card));
}

export function mount(main) {
  parts = { list: h('ul', { class: 'list' }), count: h('p', { class: 'note', role: 'status' }) };
  main.append(h('h2', null, 'Findings'), h('form', { class: 'row', role: 'search', onsubmit: (e) => e.preventDefault() },
    h('label', null, 'Search', h('input', { type: 'search', class: 'long', value: choice.words, oninput: (e) => { choice.words = e.target.value; anew(parts.list, draw); } })),
    h('label', null, 'Severity', h('select', { onchange: (e) => { choice.level = e.target.value; anew(parts.list, draw); } },
      [['', 'any'], ...Object.entries(WORDS)].map(([value, text]) => h('option', { value, selected: choice.level === value }, text))))),
  parts.count, parts.list, h('p', { class: 'note' }, 'The same on the command line: pintlectl analyze --live. docs/codes.md has a section for each code.'));
  draw();
}

export function unmount() {
  parts = null;
}

export function update(name) {
  if (name !== 'queries' && name !== 'traffic') draw();
}
