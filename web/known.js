// SPDX-License-Identifier: Apache-2.0
// What is known by name, for fields: names are offered as one types, for there may be thousands.

import { h } from './dom.js';
import { store } from './store.js';

const OFFERED = 100;

export const known = () => [...(store.names ?? []).flatMap((r) => [r.assignedName, ...r.hostnames]),
  ...(store.services ?? []).map((s) => `${s.name}.${s.namespace}.${s.below}`)];

export function nameField(attributes) {
  const list = h('datalist', { id: 'known' });
  const offer = () => {
    const typed = input.value.toLowerCase();
    const names = [];
    for (const name of known()) {
      if (name.includes(typed)) names.push(name);
      if (names.length === OFFERED) break;
    }
    list.replaceChildren(...names.map((value) => h('option', { value })));
  };
  const input = h('input', { class: 'long', list: 'known', autocomplete: 'off', spellcheck: 'false', oninput: offer, onfocus: offer, ...attributes });
  return { input, list };
}

// The clusters, in a select or a datalist; again when there are others, unless somebody is choosing.
export function fillClusters(list, first, chosen) {
  const names = (store.status?.clusters.items ?? []).map((c) => c.name);
  if (list === document.activeElement || list.dataset.names === names.join()) return;
  list.dataset.names = names.join();
  list.replaceChildren(...(first === null ? [] : [h('option', { value: '' }, first)]), ...names.map((n) => h('option', { value: n, selected: n === chosen }, n)));
}
