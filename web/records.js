// SPDX-License-Identifier: Apache-2.0
// Records in other people's DNS servers: who owns them, what is planned, where a zone differs.

import { get } from './api.js';
import { h, replace, state, table } from './dom.js';
import { store } from './store.js';

export const title = 'Records';
let parts = null;
let list = null;

function zones() {
  return store.records.items.flatMap((entry) => (entry.zones ?? []).map((z) => ({ ...z, entry })));
}

function stateOf(z) {
  if (z.error) return state('bad', z.error);
  if (z.blocked > 0) return state('warn', `${z.blocked} wait for an approval`);
  if (z.conflicts > 0) return state('warn', `${z.conflicts} conflict`);
  return z.pending > 0 ? state('warn', `${z.pending} to do`) : state('good', 'as wanted');
}

function draw() {
  if (store.records === undefined) return;
  if (store.records === null) {
    replace(parts.zones, h('p', { class: 'note' }, 'No records are configured: the key "records" says which zones of others this daemon writes.'));
    return;
  }
  replace(parts.zones, table({ caption: 'Zones', rows: zones(), empty: 'No zones.', columns: [
    { title: 'Zone', cell: (z) => z.zone }, { title: 'Entry', cell: (z) => z.entry.records },
    { title: 'Provider', cell: (z) => z.entry.provider }, { title: 'Owner', cell: (z) => z.entry.owner },
    { title: 'Policy', cell: (z) => `${z.entry.policy}${z.entry.dryRun ? ', dry run' : ''}` },
    { title: 'State', class: 'wide', cell: stateOf },
    { title: 'Wanted', class: 'n', cell: (z) => z.wanted }, { title: 'Owned', class: 'n', cell: (z) => z.owned },
    { title: 'To delete', class: 'n', cell: (z) => `${z.deletes} of ${z.deletesMax} allowed` }] }));
  if (list === null) return;
  replace(parts.list, table({ caption: 'Records', rows: list, empty: 'No records.', columns: [
    { title: 'Name', class: 'wide', cell: (r) => r.name }, { title: 'Type', cell: (r) => r.type }, { title: 'Zone', cell: (r) => r.zone },
    { title: 'State', cell: (r) => state(r.error || r.conflict ? 'bad' : r.state === 'ready' ? 'good' : 'warn', r.conflict || r.error || r.state) },
    { title: 'Owner', cell: (r) => r.owner || '–' },
    { title: 'Wanted by', class: 'wide', cell: (r) => (r.objects ?? []).map((o) => `${o.cluster}/${o.kind} ${o.namespace}/${o.name}`).join(', ') || '–' }] }));
}

async function load() {
  if (!store.records) return; // none are configured, or it is not known yet
  try {
    const page = await get('records/list');
    list = page.items;
    if (parts) draw();
  } catch { /* the stream says that the connection is lost */ }
}

export function mount(main) {
  parts = { zones: h('div'), list: h('div') };
  main.append(h('section', null, h('h2', null, 'Zones of others'), parts.zones), h('section', null, h('h2', null, 'Records'), parts.list));
  draw();
  load();
}

export function unmount() {
  parts = null;
}

export function update(name) {
  if (name === 'records') {
    draw();
    load();
  }
}
