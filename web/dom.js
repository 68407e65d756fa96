// SPDX-License-Identifier: Apache-2.0
// Elements without a framework. Text is always text: nothing here takes HTML.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// Makes `old` what `fresh` is, but for the element that has the focus, which stays where it is while it is of the same thing.
function settle(old, fresh) {
  const focus = document.activeElement;
  if (old === focus) old.replaceChildren(...fresh.childNodes);
  else if (!old.contains(focus) || old.dataset.name !== fresh.dataset.name || old.children.length !== fresh.children.length) old.replaceWith(fresh);
  else {
    const pairs = [...old.children].map((child, i) => [child, fresh.children[i]]);
    for (const [child, other] of pairs) settle(child, other);
  }
}

// Somebody asked for something else in `parent`, which draw() shows: that goes before text of it that is selected.
export function anew(parent, draw) {
  if (parent.contains(getSelection().anchorNode)) getSelection().removeAllRanges();
  draw();
}

const scrolled = (parent) => [...parent.querySelectorAll('.scroll')].filter((e) => e.scrollLeft > 0 || e.scrollTop > 0).map((e) => [e.getAttribute('aria-label'), e.scrollLeft, e.scrollTop]);

/*
 * Replaces what `parent` holds. Not while somebody has a link or button of it in hand, or has text of it selected; boxes
 * that can be scrolled stay where they are, and keep the focus.
 */
export function replace(parent, ...children) {
  const fresh = children.flat(Infinity).filter(Boolean);
  const focus = document.activeElement;
  const isIn = parent !== focus && parent.contains(focus);
  const selection = getSelection();
  if (isIn && (!focus.matches('.scroll, summary') || fresh.length !== parent.children.length)) return false;
  if (!selection.isCollapsed && parent.contains(selection.anchorNode)) return false;
  const places = scrolled(parent);
  if (isIn) [...parent.children].forEach((child, i) => settle(child, fresh[i]));
  else parent.replaceChildren(...fresh);
  for (const [label, left, top] of places) parent.querySelector(`.scroll[aria-label="${CSS.escape(label)}"]`)?.scrollTo(left, top);
  return true;
}

export const number = (n) => (n === undefined || n === null ? '–' : n.toLocaleString('en-GB', { maximumFractionDigits: n < 10 ? 1 : 0 }));
export const count = (n, word) => `${number(n)} ${word}${n === 1 ? '' : 's'}`;
export const percent = (share) => `${Math.round(share * 1000) / 10} %`;

export function age(seconds) {
  if (seconds === null || seconds === undefined) return 'never';
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} days ago`;
}

export function took(us) {
  if (us === undefined) return '–';
  return us < 1000 ? `${us} µs` : `${(us / 1000).toFixed(us < 10000 ? 1 : 0)} ms`;
}

// A word with a shape before it, so that no meaning hangs on the colour.
export function state(kind, text) {
  const shape = { good: '●', bad: '▲', warn: '◆', note: '■' }[kind];
  return h('span', { class: `state ${kind}` }, h('span', { 'aria-hidden': 'true' }, `${shape} `), text);
}

/*
 * A table: columns are {title, key, cell(row), class, sort}. With `sorted` ({key, down}) and `onsort` the titles of
 * columns that have a `sort` are buttons. The box around it can be scrolled with the keyboard.
 */
export function table({ caption, columns, rows, empty, sorted, onsort }) {
  const head = columns.map((c) => {
    const isSorted = sorted && sorted.key === c.key;
    const title = c.sort && onsort
      ? h('button', { type: 'button', 'data-key': c.key, onclick: () => onsort(c.key) }, c.title) : c.title;
    return h('th', { scope: 'col', class: c.class, 'aria-sort': isSorted ? (sorted.down ? 'descending' : 'ascending') : null }, title);
  });
  const body = rows.map((row) => h('tr', null, columns.map((c, i) => h(i === 0 ? 'th' : 'td',
    { scope: i === 0 ? 'row' : null, class: c.class }, c.cell(row)))));
  if (body.length === 0) body.push(h('tr', null, h('td', { colspan: columns.length, class: 'quiet' }, empty ?? 'Nothing here.')));
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h('table', null, h('caption', { class: 'hidden' }, caption), h('thead', null, h('tr', null, head)), h('tbody', null, body)));
}
