// SPDX-License-Identifier: Apache-2.0
// The page: which view is shown, and the one stream that feeds all of them.

import { Refused, Stream, get, setToken, hasToken, forgetToken } from './api.js';
import { h } from './dom.js';
import { forget } from './counted.js';
import { store, take, findings } from './store.js';
import * as overview from './overview.js';
import * as flow from './flow.js';
import * as names from './names.js';
import * as explain from './explain.js';
import * as records from './records.js';
import * as queries from './queries.js';
import * as found from './findings.js';

const LOOK_MS = 10000;
const OLD_MS = 60000;
const NAME_MS = 3; // for each name that is listed: 10,000 of them no more than every 30 s
const views = { overview, flow, names, explain, records, queries, findings: found };
const main = document.getElementById('main');
const live = document.getElementById('live');
let view = null;
let stream = null;
let streamKey = '';
let isRefused = false;
let listed = { generation: null, at: 0 };
let isListing = false;

function say(text) {
  if (live.textContent !== text) live.textContent = text;
}

function tell() {
  const count = document.getElementById('count');
  const n = findings().filter((f) => f.level !== 'note').length;
  count.hidden = n === 0;
  count.textContent = String(n);
  if (store.status !== null) {
    document.getElementById('set').textContent = store.status.clusterSet;
    const version = document.getElementById('version');
    const shown = `pintled ${store.status.version}`;
    if (version.textContent !== '' && version.textContent !== shown) location.reload(); // its page may be another one
    version.textContent = shown;
  }
}

function onEvent(name, data) {
  take(name, data);
  tell();
  view?.update?.(name);
  if (name === 'clusters') loadLists();
}

function onState(state, error) {
  const lost = document.getElementById('lost');
  if (error?.status === 401 || error?.status === 403) {
    lost.hidden = true;
    refuse(error);
  } else if (state === 'live') {
    say('● live');
    lost.hidden = true;
  } else if (lost.hidden) {
    say('▲ connection lost');
    forget();
    lost.textContent = `${error instanceof Refused ? `${error.message}.` : 'The daemon does not answer.'} Trying again; what is shown is of ${new Date().toLocaleTimeString('en-GB')}.`;
    lost.hidden = false;
  }
}

// One stream, for what the view needs; none while nobody looks.
function watch() {
  const topics = `clusters,traffic,records${view?.wantsQueries ? ',queries' : ''}`;
  const filter = view?.filter?.() ?? '';
  const key = document.hidden || isRefused ? '' : `${topics} ${filter}`;
  if (key === streamKey) return;
  streamKey = key;
  stream?.stop();
  stream = key === '' ? null : new Stream(topics, filter, { event: onEvent, state: onState });
}

// Names and services are many: only for views that show them, when something was published since, and not all the time
// where something always is.
async function loadLists() {
  const generation = store.status?.generation ?? null;
  if (listed.at !== 0 && listed.generation === null) listed.generation = generation; // the list was faster than the stream
  const since = Date.now() - listed.at;
  const isNew = listed.at === 0 || since > OLD_MS || (listed.generation !== generation && since >= Math.max(LOOK_MS, NAME_MS * ((store.names?.length ?? 0) + (store.services?.length ?? 0))));
  if (document.hidden || isRefused || isListing || !view?.wantsLists || !isNew) return;
  isListing = true;
  try {
    store.names = (await get('names')).items;
    const services = [];
    let after = '';
    do {
      const page = await get(`services${after === '' ? '' : `?after=${encodeURIComponent(after)}`}`);
      services.push(...page.items);
      after = page.next ?? '';
    } while (after !== '' && services.length < 20000);
    store.services = services;
    listed = { generation: generation ?? store.status?.generation ?? null, at: Date.now() };
    view?.update?.('lists');
  } catch (error) {
    if (error.status === 401 || error.status === 403) refuse(error);
  } finally {
    isListing = false;
  }
}

async function loadFindings() {
  if (document.hidden || isRefused) return;
  try {
    store.found = await get('findings');
    tell();
    view?.update?.('findings');
  } catch (error) {
    if (error.status === 401 || error.status === 403) refuse(error);
  }
}

function look() {
  loadLists();
  loadFindings();
}

function refuse(error) {
  if (isRefused) return;
  isRefused = true;
  watch();
  say('▲ not permitted');
  const wrong = error.status === 401 && hasToken();
  const input = h('input', { type: 'password', autocomplete: 'current-password', required: true, name: 'token' });
  const form = h('form', { class: 'row', onsubmit: (event) => {
    event.preventDefault();
    setToken(input.value);
    start();
  } }, h('label', null, 'Token', input), h('button', { class: 'button' }, 'Log in'));
  main.replaceChildren(h('h2', null, 'Who are you?'),
    h('p', { class: 'problem', role: 'alert' }, wrong ? 'That token is not the right one.' : error.message),
    ...(error.status === 401 ? [form, h('p', { class: 'note' }, 'The token is what admin.tokenFile holds. It is kept for this tab only.')] : []));
  forgetToken();
}

function show(moveFocus) {
  const [key, query] = location.hash.slice(1).split('?');
  const name = key in views ? key : 'overview';
  for (const link of document.querySelectorAll('#tabs a')) {
    if (link.getAttribute('href') === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (isRefused) return;
  view?.unmount?.();
  view = views[name];
  document.title = `${view.title} – Pintle`;
  main.replaceChildren();
  view.mount(main, new URLSearchParams(query ?? ''), watch);
  watch();
  loadLists();
  if (moveFocus) main.focus();
}

function start() {
  isRefused = false;
  show(false);
  loadFindings();
}

addEventListener('hashchange', () => show(true));
document.addEventListener('visibilitychange', () => {
  watch();
  look();
});
setInterval(look, LOOK_MS);
start();
