// SPDX-License-Identifier: Apache-2.0
// Why somebody gets the addresses they get: what `pintlectl explain` says.

import { get } from './api.js';
import { h, percent, state, table } from './dom.js';
import { fillClusters, nameField } from './known.js';

export const title = 'Explain';
export const wantsLists = true;
let out = null;
let askers = null;
let turn = 0;

const PATIENCE_MS = 1000;

const TYPES = ['A', 'AAAA', 'SRV', 'HTTPS', 'CNAME', 'TXT', 'PTR', 'NS', 'SOA', 'MX'];

// Of the backendRef, of the cluster, or "90 (25)": of both.
function weight(b) {
  return b.weight !== undefined && b.clusterWeight !== undefined ? `${b.weight} (${b.clusterWeight})` : b.weight ?? b.clusterWeight ?? '–';
}

function backends(list) {
  return table({ caption: 'Backends', rows: list, empty: 'No backends.', columns: [
    { title: 'Backend', cell: (b) => `${b.kind ?? ''} ${b.namespace ? `${b.namespace}/` : ''}${b.name ?? ''}` },
    { title: 'Cluster', cell: (b) => b.cluster ?? '–' },
    { title: 'Weight', class: 'n', cell: weight },
    { title: 'Ready', class: 'n', cell: (b) => (b.total === undefined || (b.total === 0 && !b.cluster) ? '–' : `${b.ready} of ${b.total}`) },
    { title: 'Used', cell: (b) => (b.used ? state('good', 'yes') : state('warn', 'no')) },
    { title: 'Why', class: 'wide', cell: (b) => b.reason || '–' }] });
}

function addresses(list) {
  return table({ caption: 'Addresses', rows: list, empty: 'No addresses.', columns: [
    { title: 'Address', cell: (a) => h('code', null, a.address) },
    { title: 'Cluster', cell: (a) => a.cluster ?? '–' },
    { title: 'By', cell: (a) => a.via ?? '–' },
    { title: 'Stands first', class: 'n', cell: (a) => (a.first === undefined ? '–' : percent(a.first)) },
    { title: 'Is in the answer', class: 'n', cell: (a) => (a.inAnswer === undefined ? '–' : percent(a.inAnswer)) }] });
}

function policies(list) {
  return table({ caption: 'Policies', rows: list, empty: 'No policies.', columns: [
    { title: 'Policy', cell: (p) => `${p.kind} ${p.namespace}/${p.name}` },
    { title: 'Verdict', cell: (p) => (p.verdict.startsWith('denied') ? state('bad', p.verdict) : state('good', p.verdict)) },
    { title: 'Lets in', class: 'wide', cell: (p) => p.letsIn ?? '–' }] });
}

function facts(answer) {
  const rows = [['Answer', `${answer.rcode}, ${answer.status}`], ['Zone', answer.zone], ['Seen from', `${answer.view?.cluster ?? 'no cluster'}, network ${answer.view?.network ?? 'default'}`],
    ['Made by', answer.object], ['Rule', answer.rule], ['TTL', answer.ttl], ['Addresses in an answer', answer.picks],
    ['Stale', answer.stale ? `yes: ${(answer.staleClusters ?? []).join(', ')}` : null],
    ...(answer.notes ?? []).map((note) => ['Note', note])];
  return h('dl', { class: 'facts card' }, rows.filter(([, v]) => v !== undefined && v !== null && v !== '').map(([k, v]) => [h('dt', null, k), h('dd', null, String(v))]));
}

async function ask(query) {
  const words = new URLSearchParams([...query].filter(([, v]) => v !== ''));
  const mine = ++turn; // an answer that comes after the next question is nobody's
  const say = (...what) => { if (mine === turn) out.replaceChildren(...what); };
  const patience = setTimeout(() => say(h('p', { class: 'note' }, 'Waiting for the daemon.')), PATIENCE_MS);
  try {
    const answer = await get(`explain?${words}`);
    say(h('h3', null, `${answer.name} ${answer.type}`), facts(answer),
      answer.addresses?.length ? h('p', { class: 'note' }, h('a', { href: `#flow?${new URLSearchParams({ name: answer.name, from: query.get('from') ?? '' })}` }, 'Its flow, with the shares that were seen')) : '',
      ...(answer.backends ? [h('h3', null, 'Backends'), backends(answer.backends)] : []),
      ...(answer.addresses ? [h('h3', null, 'Addresses'), addresses(answer.addresses)] : []),
      ...(answer.policies ? [h('h3', null, 'Policies'), policies(answer.policies)] : []),
      h('details', null, h('summary', null, 'All of it, as JSON'), h('pre', { class: 'scroll', tabindex: '0' }, JSON.stringify(answer, null, 2))));
  } catch (error) {
    say(h('p', { class: 'problem' }, error.message));
  } finally {
    clearTimeout(patience);
  }
}

export function mount(main, query) {
  askers = h('datalist', { id: 'askers' });
  out = h('section', { 'aria-live': 'polite' });
  const name = nameField({ name: 'name', required: true, value: query.get('name') ?? '' });
  const form = h('form', { class: 'row', onsubmit: (event) => {
    event.preventDefault();
    const words = new URLSearchParams([...new FormData(form)].filter(([, v]) => v !== ''));
    history.replaceState(null, '', `#explain?${words}`);
    ask(words);
  } },
  h('label', null, 'Name', name.input), name.list,
  h('label', null, 'Type', h('select', { name: 'type' }, TYPES.map((t) => h('option', { selected: query.get('type') === t }, t)))),
  h('label', null, 'Asked from', h('input', { name: 'from', list: 'askers', placeholder: 'address or cluster', value: query.get('from') ?? '' })),
  askers,
  h('button', { class: 'button' }, 'Explain'));
  main.append(h('h2', null, 'Explain'), form, out);
  fillClusters(askers, null, '');
  if (query.get('name')) ask(query);
}

export function update(name) {
  if (name === 'clusters') fillClusters(askers, null, '');
}
