// SPDX-License-Identifier: Apache-2.0
// The daemon's API: pages as JSON, and its stream of events. The token lives as long as the tab.

const KEY = 'pintle.token';
const RETRY_MS = 2000;
const SILENT_MS = 10000; // figures come every second
const BEGIN_MS = 20000; // until an answer begins: the longest lists take seconds to make
const ANSWER_MS = 60000; // until all of it is there
const FAULTS = { TimeoutError: 'The daemon takes too long to answer: it is busy, or stands still. Ask again.',
  SyntaxError: 'What came is no answer of the daemon: something else is at this address, or in between.' };

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const setToken = (token) => sessionStorage.setItem(KEY, token);
export const hasToken = () => sessionStorage.getItem(KEY) !== null;
export const forgetToken = () => sessionStorage.removeItem(KEY);

function headers(more) {
  const token = sessionStorage.getItem(KEY);
  return token === null ? more : { ...more, Authorization: `Bearer ${token}` };
}

async function check(response) {
  if (response.ok) return;
  let message = `the daemon says ${response.status}`;
  try {
    message = (await response.json()).error ?? message;
  } catch { /* no JSON: the status must do */ }
  throw new Refused(response.status, message);
}

// The response, once its head is there.
async function request(path, more, begin, signal) {
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(new DOMException('', 'TimeoutError')), begin);
  const response = await fetch(`/api/v1/${path}`, { headers: headers(more), signal: AbortSignal.any([signal, silent.signal]) })
    .finally(() => clearTimeout(timer));
  await check(response);
  return response;
}

export async function get(path) {
  try {
    const response = await request(path, {}, BEGIN_MS, AbortSignal.timeout(ANSWER_MS));
    return await response.json();
  } catch (error) {
    throw error instanceof Refused ? error : new Error(FAULTS[error.name] ?? 'The daemon does not answer.');
  }
}

// One event: {name, id, data}; null for pings.
function parse(block) {
  const event = { name: 'message', id: null, data: '' };
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) event.name = line.slice(7);
    else if (line.startsWith('id: ')) event.id = line.slice(4);
    else if (line.startsWith('data: ')) event.data += line.slice(6);
  }
  return event.data === '' ? null : event;
}

/*
 * Reads events until stop(). EventSource cannot send a token, so this reads the stream itself, and comes back after
 * a break with the id of the last event. on.event(name, data), on.state('live' | 'lost', error).
 */
export class Stream {
  constructor(topics, filter, on) {
    this.query = `stream?${new URLSearchParams({ topics, ...(filter ? { filter } : {}) })}`;
    this.on = on;
    this.lastId = null;
    this.abort = new AbortController();
    this.run();
  }

  stop() {
    this.abort.abort();
  }

  async read() {
    const more = this.lastId === null ? {} : { 'Last-Event-ID': this.lastId };
    const response = await request(this.query, more, SILENT_MS, this.abort.signal);
    this.on.state('live');
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const silent = setTimeout(() => reader.cancel().catch(() => {}), SILENT_MS); // a connection may die without a word
      const { value, done } = await reader.read().finally(() => clearTimeout(silent));
      if (done) return;
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event === null) continue;
        this.lastId = event.id ?? this.lastId;
        this.on.event(event.name, JSON.parse(event.data));
      }
    }
  }

  async run() {
    while (!this.abort.signal.aborted) {
      let error = null;
      try {
        await this.read();
      } catch (caught) {
        error = caught;
      }
      if (this.abort.signal.aborted) return;
      this.on.state('lost', error);
      if (error instanceof Refused && (error.status === 401 || error.status === 403)) return;
      await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
    }
  }
}
