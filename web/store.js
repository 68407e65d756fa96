// SPDX-License-Identifier: Apache-2.0
// What is known: the newest of each kind, a few minutes of traffic, the last questions.

const SECONDS = 300;
const QUERIES = 500;
const WINDOW_MS = 60000;

export const store = {
  status: null, records: undefined, names: null, services: null, more: [], drains: null,
  traffic: [], // {at, rate, rcodes: {name: rate}, p50, p99, n, every}
  queries: [], every: 0, leftOut: 0, isPaused: false,
  seen: new Map(), // name -> [{at, address}]
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

function addQueries(batch) {
  store.every = batch.every;
  store.leftOut += batch.leftOut;
  const oldest = Date.now() - WINDOW_MS;
  for (const query of batch.items) {
    if (query.answers.length > 0) {
      const list = store.seen.get(query.name) ?? [];
      list.push({ at: query.at, type: query.type, address: query.answers[0] });
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

// How often each address stood first in the answers of the last minute: {n, shares: Map(address -> share)}.
export function observed(name, type) {
  const list = (store.seen.get(name) ?? []).filter((one) => one.type === type);
  const counts = new Map();
  for (const { address } of list) counts.set(address, (counts.get(address) ?? 0) + 1);
  return { n: list.length, shares: new Map([...counts].map(([address, n]) => [address, n / list.length])) };
}

export function take(name, data) {
  if (name === 'clusters') store.status = data;
  else if (name === 'records') store.records = data;
  else if (name === 'traffic') addTraffic(data);
  else if (name === 'queries') addQueries(data);
}

const clusterFindings = (c) => [
  !c.synced && !c.restored && { level: 'bad', where: c.name, text: 'was never listed', hint: c.hint || c.error },
  c.synced && !c.up && { level: 'bad', where: c.name, text: `is out of reach, its last state is served: ${c.error}`, hint: c.hint },
  c.restored && { level: 'warn', where: c.name, text: 'was not listed yet; its state of before the restart is served', hint: c.hint || c.error },
  c.up && c.error && { level: 'warn', where: c.name, text: c.error, hint: c.hint },
  c.held.length > 0 && { level: 'warn', where: c.name, text: `a list of ${c.held.join(', ')} is not believed yet`, hint: 'it names nothing, or less than half of what was known; a second one that says the same is' },
  c.overLimit.length > 0 && { level: 'bad', where: c.name, text: `more ${c.overLimit.join(', ')} than clusters[].maxObjects`, hint: 'those beyond the limit are not served' },
  c.drained && { level: 'warn', where: c.name, text: 'is drained by hand', hint: `pintlectl undrain cluster ${c.name}` },
];

const serviceFindings = (s) => {
  const where = `${s.namespace}/${s.name}`;
  const ready = s.clusters.reduce((n, c) => n + c.ready, 0);
  return [
    ready === 0 && { level: 'bad', where, text: 'has no ready endpoint in any cluster', hint: 'kubectl get endpointslices' },
    ...(ready === 0 ? [] : s.clusters.filter((c) => c.total > 0 && c.ready === 0)
      .map((c) => ({ level: 'warn', where, text: `none of ${c.total} endpoints in ${c.cluster} is ready`, hint: '' }))),
  ];
};

const zoneFindings = (entry) => (entry.zones ?? []).flatMap((z) => [
  z.error && { level: 'bad', where: z.zone, text: z.error, hint: '' },
  z.blocked > 0 && { level: 'warn', where: z.zone, text: `${z.blocked} changes wait for an approval`, hint: `pintlectl records approve ${z.approval}` },
  z.conflicts > 0 && { level: 'warn', where: z.zone, text: `${z.conflicts} records conflict with others' in the zone`, hint: 'pintlectl records drift' },
]);

// What a person should look at, worst first.
export function findings() {
  const all = [
    store.status && !store.status.ready && { level: 'bad', where: 'pintled', text: 'is not ready', hint: '/readyz?verbose says why' },
    ...(store.status?.clusters.items ?? []).flatMap(clusterFindings),
    ...(store.services ?? []).flatMap(serviceFindings),
    ...(store.records?.items ?? []).flatMap(zoneFindings),
    ...store.more,
  ].filter(Boolean);
  return [...all.filter((f) => f.level === 'bad'), ...all.filter((f) => f.level !== 'bad')];
}
