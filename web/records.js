// SPDX-License-Identifier: Apache-2.0
// Records in other people's DNS servers: who owns them, what is planned, where a zone differs.

import { get } from './api.js';
import { h, age, anew, count, number, replace, state, table } from './dom.js';
import { store } from './store.js';

export const title = 'Records';
const SHOWN = 500;
const PLANNED = 50; // changes of a plan, at first: the records come below it
let planShown = PLANNED;
const LISTED = 5000;
let parts = null;
let pages = null; // {list, plan, drift}: as they were when `loaded` was so
let loaded = '';
let isLoading = false;
const choice = { words: '' };

function zones() {
  return store.records.items.flatMap((entry) => (entry.zones ?? []).map((z) => ({ ...z, entry })));
}

// What moves when a zone's records or plan do.
const marks = () => zones().map((z) => [z.entry.records, z.zone, z.hash, z.approval, z.runs, z.pending, z.owned, z.conflicts, z.error].join()).join(';');

function stateOf(z) {
  if (z.error) return state('bad', z.error);
  if (z.entry.unsynced?.length > 0) return state('warn', `waits for ${z.entry.unsynced.join(', ')}`);
  if (z.blocked > 0) return [state('warn', `${z.blocked} wait for an approval`), h('p', { class: 'quiet' }, h('code', null, `pintlectl records approve ${z.approval}`))];
  if (z.conflicts > 0) return state('warn', `${z.conflicts} conflict`);
  return z.pending > 0 ? state('warn', `${z.pending} to do${z.entry.dryRun ? ' (dry run)' : ''}`) : state('good', 'as wanted');
}

function writer(entry) {
  if (entry.writerError) return state('bad', entry.writerError);
  return entry.isWriter ? 'this one' : entry.holder || 'another one';
}

const values = (side) => (side === null || side === undefined ? '–' : `${side.values.map((v) => v.text).join(', ')}${side.ttl > 0 ? ` (TTL ${side.ttl})` : ''}`);
const objects = (r) => (r.objects ?? []).map((o) => `${o.cluster}: ${o.kind} ${o.namespace}/${o.name}`).join(', ') || '–';

function drawZones() {
  replace(parts.zones, table({ caption: 'Zones', rows: zones(), empty: 'No zones.', columns: [
    { title: 'Zone', cell: (z) => z.zone }, { title: 'Entry', cell: (z) => z.entry.records },
    { title: 'State', class: 'wide', cell: stateOf },
    { title: 'Provider', cell: (z) => z.entry.provider }, { title: 'Owner', cell: (z) => z.entry.owner },
    { title: 'Policy', cell: (z) => `${z.entry.policy}${z.entry.dryRun ? ', dry run' : ''}` },
    { title: 'Wanted', class: 'n', cell: (z) => z.wanted }, { title: 'Owned', class: 'n', cell: (z) => z.owned },
    { title: 'To delete', class: 'n', cell: (z) => `${z.deletes} of ${z.deletesMax} allowed` },
    { title: 'Read', cell: (z) => age(z.listAgeSeconds) }, { title: 'Written by', cell: (z) => writer(z.entry) }] }));
}

const result = (c) => (c.isBlocked ? state('warn', 'waits for an approval') : c.result === 'applied' ? state('good', 'done')
  : c.message ? state('bad', c.message) : state('note', c.result || 'planned'));

// "1,000 create, 1 conflict; the first 50 are shown"
function inShort(rows, shown) {
  const kinds = [...Map.groupBy(rows, (row) => row.op)].map(([op, some]) => `${number(some.length)} ${op}`).join(', ');
  return `${kinds}${rows.length > shown ? `; the first ${number(shown)} are shown` : ''}`;
}

function drawPlan() {
  const { plan } = pages;
  const rows = [...plan.changes, ...(plan.conflicts ?? []).map((c) => ({ ...c, op: 'conflict' }))];
  parts.planned.textContent = inShort(rows, planShown);
  parts.morePlan.hidden = rows.length <= planShown;
  replace(parts.plan, table({ caption: 'Last plan', rows: rows.slice(0, planShown), empty: 'The last plan had nothing to do.', columns: [
    { title: 'Change', cell: (c) => c.op }, { title: 'Name', class: 'wide', cell: (c) => `${c.name} ${c.type}` }, { title: 'Zone', cell: (c) => `${c.zone} (${c.records})` },
    { title: 'Before', class: 'wide', cell: (c) => values(c.old) }, { title: 'After', class: 'wide', cell: (c) => values(c.new) },
    { title: 'Outcome', cell: (c) => (c.op === 'conflict' ? state('warn', `left alone: ${c.kind}${c.detail ? `, ${c.detail}` : ''}`) : result(c)) }] }));
}

function drawDrift() {
  parts.drifted.textContent = pages.drift.length > SHOWN ? `${total(pages.drift)} differences, the first ${SHOWN} are shown` : '';
  replace(parts.drift, table({ caption: 'Drift', rows: pages.drift.slice(0, SHOWN), empty: 'Nobody else has changed what is ours.', columns: [
    { title: 'Name', class: 'wide', cell: (r) => `${r.name} ${r.type}` }, { title: 'Zone', cell: (r) => `${r.zone} (${r.records})` },
    { title: 'Expected', class: 'wide', cell: (r) => values(r.expected) }, { title: 'Found', class: 'wide', cell: (r) => values(r.found) },
    { title: 'Since then', cell: (r) => (r.isRepaired ? state('good', 'put right') : state('warn', 'left as it is')) }, { title: 'Seen', cell: (r) => age(r.ageSeconds) }] }));
}

function drawList() {
  const words = choice.words.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = pages.list.filter((r) => words.every((w) => `${r.name} ${r.type} ${r.zone} ${r.owner} ${objects(r)} ${values(r.actual)}`.toLowerCase().includes(w)));
  parts.count.textContent = rows.length > SHOWN ? `${total(rows)} records, the first ${SHOWN} are shown` : count(rows.length, 'record');
  replace(parts.list, table({ caption: 'Records', rows: rows.slice(0, SHOWN), empty: words.length > 0 ? 'No record is like that.' : 'No records.', columns: [
    { title: 'Name', class: 'wide', cell: (r) => r.name }, { title: 'Type', cell: (r) => r.type }, { title: 'Zone', cell: (r) => `${r.zone} (${r.records})` },
    { title: 'State', cell: (r) => state(r.error || r.conflict ? 'bad' : r.state === 'ready' ? 'good' : 'warn', r.conflict || r.error || r.state) },
    { title: 'Values', class: 'wide', cell: (r) => values(r.actual) },
    { title: 'Owner', cell: (r) => r.owner || '–' }, { title: 'Wanted by', class: 'wide', cell: objects }] }));
}

function draw() {
  if (store.records === undefined) return;
  parts.more.hidden = store.records === null || pages === null;
  if (store.records === null) {
    replace(parts.zones, h('p', { class: 'note' }, 'No records are configured: the key "records" says which zones of others this daemon writes.'));
    return;
  }
  drawZones();
  if (pages === null) return;
  drawPlan();
  drawDrift();
  drawList();
}

// How many there are of what all() has read.
const total = (rows) => `${rows.length >= LISTED ? 'At least ' : ''}${number(rows.length)}`;

async function all(path) {
  const items = [];
  let after = '';
  do {
    const page = await get(`${path}${after === '' ? '' : `?after=${encodeURIComponent(after)}`}`);
    items.push(...page.items);
    after = page.next ?? '';
  } while (after !== '' && items.length < LISTED);
  return items;
}

async function load() {
  if (!store.records || isLoading || marks() === loaded) return; // none are configured, it is not known yet, or nothing moved
  isLoading = true;
  const now = marks();
  try {
    const [list, plan, drift] = await Promise.all([all('records/list'), get('records/plan'), all('records/drift')]);
    pages = { list, plan, drift };
    loaded = now;
    if (parts) draw();
  } catch { /* the stream says that the connection is lost */ }
  isLoading = false;
}

export function mount(main) {
  planShown = PLANNED;
  parts = { zones: h('div'), plan: h('div'), drift: h('div'), list: h('div'), count: h('p', { class: 'note', role: 'status' }),
    planned: h('p', { class: 'note', role: 'status' }), drifted: h('p', { class: 'note' }),
    morePlan: h('button', { type: 'button', class: 'button plain', hidden: true, onclick: () => { planShown += SHOWN; anew(parts.plan, drawPlan); } }, `Show ${SHOWN} more`) };
  parts.more = h('div', { hidden: true },
    h('section', null, h('h2', null, 'Drift'), parts.drifted, parts.drift),
    h('section', null, h('h2', null, 'Last plan'), parts.planned, parts.plan, h('p', null, parts.morePlan)),
    h('section', null, h('h2', null, 'Records'), h('form', { class: 'row', role: 'search', onsubmit: (e) => e.preventDefault() },
      h('label', null, 'Search', h('input', { type: 'search', class: 'long', value: choice.words, oninput: (e) => { choice.words = e.target.value; anew(parts.list, drawList); } }))), parts.count, parts.list));
  main.append(h('section', null, h('h2', null, 'Zones of others'), parts.zones), parts.more);
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
