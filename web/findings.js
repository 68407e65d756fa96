// SPDX-License-Identifier: Apache-2.0
// What a person should look at.

import { h, replace, state } from './dom.js';
import { findings } from './store.js';

export const title = 'Findings';
let list = null;

function draw() {
  const all = findings();
  replace(list, all.length === 0 ? h('li', null, state('good', 'Nothing is wrong.'))
    : all.map((f) => h('li', { class: 'card' }, state(f.level, f.level === 'bad' ? 'wrong' : 'look'), ' ', h('strong', null, f.where), ` ${f.text}`,
      f.hint ? h('p', { class: 'quiet' }, f.hint) : null)));
}

export function mount(main) {
  list = h('ul', { class: 'list' });
  main.append(h('h2', null, 'Findings'), list);
  draw();
}

export function update() {
  draw();
}
