// SPDX-License-Identifier: Apache-2.0
// What is known: the newest of each kind, a few minutes of traffic, the last questions.

import { count } from './dom.js';

const SECONDS = 300;
const QUERIES = 500;
const WINDOW_MS = 60000;

export const store = {
  status: null, records: undefined, names: null, services: null,
  found: null, // the page of /api/v1/findings
  traffic: [], // {at, rate, rcodes: {name: rate}, p50, p99, n, every}
  queries: [], every: 0, leftOut: 0, isPaused: false,
  seen: new Map(), // name -> [{at, type, address, view}]
};
let last = null;

function addTraffic(now) {
  const before = last;
  last = now;
  if (before === null || now.queries < before.queries || now.atMs - before.atMs < 500) return;
  const seconds = (now.atMs - before.atMs) / 1000;
  const rcodes = {};
  for (const [name, n] of Object.entries(now.rcodes)) rcodes[name] = (n - before.rcodes[name]) / seconds;
  store.traffic.push({ at: now.atMs / 1000, rate: (now.queries - before.queries) / seconds, rcodes,
    hits: (now.cacheHits - before.cacheHits) / seconds, p50: now.tookUs.p50, p99: now.tookUs.p99 });
  if (store.traffic.length > SECONDS) store.traffic.shift();
}

// Whose view was answered: "why=drawn zone=assigned view=c1".
const viewOf = (why) => / view=(\S+)/.exec(why ?? '')?.[1] ?? '';

function addQueries(batch) {
  store.every = batch.every;
  store.leftOut += batch.leftOut;
  const oldest = Date.now() - WINDOW_MS;
  for (const query of batch.items) {
    if (query.answers.length > 0) {
      const list = store.seen.get(query.name) ?? [];
      list.push({ at: query.at, type: query.type, address: query.answers[0], view: viewOf(query.why) });
      store.seen.set(query.name, list);
    }
  }
  for (const [name, list] of store.seen) {
    const fresh = list.filter((one) => one.at >= oldest).slice(-5000);
    if (fresh.length === 0) store.seen.delete(name);
    else store.seen.set(name, fresh);
  }
  if (!store.isPaused) store.queries = [...batch.items.toReversed(), ...store.queries].slice(0, QUERIES);
}

// How often each address stood first in what askers of a view were answered in the last minute, and how many answers
// others got: {n, others, shares: Map(address -> share)}.
export function observed(name, type, view) {
  const all = (store.seen.get(name) ?? []).filter((one) => one.type === type);
  const list = all.filter((one) => one.view === view);
  const counts = new Map();
  for (const { address } of list) counts.set(address, (counts.get(address) ?? 0) + 1);
  return { n: list.length, others: all.length - list.length, shares: new Map([...counts].map(([address, n]) => [address, n / list.length])) };
}

export function take(name, data) {
  if (name === 'clusters') store.status = data;
  else if (name === 'records') store.records = data;
  else if (name === 'traffic') addTraffic(data);
  else if (name === 'queries') addQueries(data);
}

// What the stream says and /api/v1/findings does not.
const clusterFindings = (c) => [
  c.restored && { level: 'warn', where: `cluster ${c.name}`, text: 'was not listed yet; its state of before the restart is served', hint: c.hint || c.error },
  c.up && c.error && { level: 'warn', where: `cluster ${c.name}`, text: c.error, hint: c.hint },
  c.drained && { level: 'warn', where: `cluster ${c.name}`, text: 'is drained by hand', hint: `pintlectl undrain cluster ${c.name}` },
];

const zoneFindings = (entry) => (entry.zones ?? []).flatMap((z) => {
  const where = `records ${entry.records}, zone ${z.zone}`;
  return [
    z.error && { level: 'bad', where, text: z.error, hint: '' },
    z.blocked > 0 && { level: 'warn', where, text: `${count(z.blocked, 'change')} ${z.blocked === 1 ? 'waits' : 'wait'} for an approval`, hint: `pintlectl records approve ${z.approval}` },
    z.conflicts > 0 && { level: 'warn', where, text: `${count(z.conflicts, 'record')} ${z.conflicts === 1 ? 'conflicts' : 'conflict'} with others' in the zone`, hint: 'pintlectl records drift' },
  ];
});

const LEVELS = { error: 'bad', warning: 'warn', info: 'note' };

// The object as people write it: Kind namespace/name in its cluster.
const found = (f) => ({ level: LEVELS[f.severity], code: f.code, text: f.message, hint: f.fix, detail: f.detail, ageSeconds: f.ageSeconds,
  where: `${f.kind === 'Cluster' ? 'cluster' : f.kind ?? ''} ${f.namespace ? `${f.namespace}/` : ''}${f.name ?? ''}${f.cluster && f.kind !== 'Cluster' ? ` in ${f.cluster}` : ''}`.trim() });

// What a person should look at, worst first.
export function findings() {
  const all = [
    store.status && !store.status.ready && { level: 'bad', where: 'pintled', text: 'is not ready', hint: '/readyz?verbose says why' },
    ...(store.found?.items ?? []).map(found),
    ...(store.status?.clusters.items ?? []).flatMap(clusterFindings),
    ...(store.records?.items ?? []).flatMap(zoneFindings),
  ].filter(Boolean);
  return ['bad', 'warn', 'note'].flatMap((level) => all.filter((f) => f.level === level));
}
