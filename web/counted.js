// SPDX-License-Identifier: Apache-2.0
// What the daemon counts of a route's answers, by what stood first: exact, over the last minutes by differences of readings.

export const WINDOW_MS = 300000;
const STEP_MS = 10000; // of the readings that are kept
const PARTS = 250; // the last of so many stands for all others
const readings = new Map(); // what was asked -> [{at, series, answers, parts: Map(part -> {answers, wanted})}], oldest first

// The addresses of a backend in a cluster.
export const part = (cluster, backend) => `${cluster} ${backend}`;

function read(counted) {
  const reading = { at: Date.now(), series: counted.series, answers: counted.answers, parts: new Map() };
  for (const { cluster, backend, answers, wanted } of counted.items) {
    const key = part(cluster, backend);
    const old = reading.parts.get(key) ?? { answers: 0, wanted: 0 };
    reading.parts.set(key, { answers: old.answers + answers, wanted: old.wanted + wanted });
  }
  return reading;
}

// The daemon may be another one when it comes back.
export const forget = () => readings.clear();

// Takes the `counted` of explain, as it is now, for what was asked.
export function note(key, counted) {
  const isTold = counted && counted.items.length < PARTS && counted.items.every((item) => item.backend !== '');
  if (!isTold) {
    readings.delete(key);
    return;
  }
  const now = read(counted);
  let list = readings.get(key) ?? [];
  const last = list.at(-1);
  if (last && (last.series !== now.series || now.answers < last.answers)) list = [{ at: last.at, answers: 0, parts: new Map() }]; // it began at 0 since then
  if (list.length > 2 && now.at - list.at(-2).at < STEP_MS) list.pop();
  list.push(now);
  while (list.length > 2 && now.at - list[1].at >= WINDOW_MS) list.shift();
  readings.set(key, list);
}

/*
 * What was counted: {answers, since: when that begins in ms, null: with the shares that are in force,
 * opened: when this page looked first, parts: Map(part -> {answers, wanted, seen}), the last two shares of all, null before an answer};
 * null where nothing is counted.
 */
export function counted(key) {
  const list = readings.get(key);
  if (!list) return null;
  const now = list.at(-1);
  const isQuiet = now.answers === list[0].answers;
  const before = isQuiet ? { answers: 0, parts: new Map() } : list[0];
  const answers = now.answers - before.answers;
  const of = (n) => (answers > 0 ? n / answers : null);
  const parts = new Map();
  for (const [name, one] of now.parts) {
    const old = before.parts.get(name) ?? { answers: 0, wanted: 0 };
    parts.set(name, { answers: one.answers - old.answers, wanted: of(one.wanted - old.wanted), seen: of(one.answers - old.answers) });
  }
  return { answers, since: isQuiet ? null : list[0].at, opened: list[0].at, parts };
}
