#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small etcd, as its JSON gateway shows it, that can be told to lie.

Prints its port, then obeys one JSON command a line from standard input and answers each with one
line: "ok", or what was asked for. Python's standard library only. Keys are text, values base64.

  {"do": "put", "key": "/p/c1/meta", "value": "..."}    one revision each
  {"do": "delete", "key": ...}
  {"do": "get", "key": ...}                             its value, "" when there is none
  {"do": "save"}                                        a backup
  {"do": "restore"}                                     all is as it was then; watches are cut
  {"do": "lie", "how": "more"}                          pages are empty, and there is always another
  {"do": "lie", "how": "again"}                         each page is the first one
  {"do": "lie", "how": "line"}                          each watch begins with an event of no key
  {"do": "lie", "how": ""}                              the truth again
  {"do": "count", "path": "/v3/kv/range"}               how often that was called
  {"do": "late", "key": "s/d/web", "apply": "now"}      the next transaction that writes a key with such an end gets no
                                                        answer; it is carried out "now", "later" or "never"
  {"do": "apply"}                                       what is to be carried out later is, now
  {"do": "held"}                                        how many transactions got no answer
  {"do": "values", "key": "s/d/web"}                    what such keys held, oldest first, as JSON
"""
import base64
import copy
import http.server
import json
import sys
import threading

LEASE_TTL_S = '12'


def text_of(encoded):
    return base64.b64decode(encoded).decode()


def encode(text):
    return base64.b64encode(text.encode()).decode()


class Store:
    """Keys at revisions, behind one lock."""

    def __init__(self):
        self.changed = threading.Condition()
        self.keys = {}      # key -> (create, mod, value, lease)
        self.history = []   # (revision, [event])
        self.revision = 1
        self.saved = None
        self.epoch = 0      # another one cuts all watches
        self.leases = 0
        self.lie = ''
        self.calls = {}
        self.late = None
        self.n_held = 0
        self.waiting = []

    def put(self, key, value, lease, events):
        create = self.keys[key][0] if key in self.keys else self.revision + 1
        self.keys[key] = (create, self.revision + 1, value, lease)
        events.append({'kv': self.kv(key)})

    def remove(self, key, events):
        if self.keys.pop(key, None) is not None:
            events.append({'type': 'DELETE', 'kv': {'key': encode(key),
                                                    'mod_revision': str(self.revision + 1)}})

    def commit(self, events):
        if events:
            self.revision += 1
            self.history.append((self.revision, events))
            self.changed.notify_all()

    def kv(self, key):
        create, mod, value, lease = self.keys[key]
        return {'key': encode(key), 'create_revision': str(create), 'mod_revision': str(mod),
                'version': '1', 'value': value, 'lease': lease}

    def header(self):
        return {'cluster_id': '1', 'member_id': '1', 'revision': str(self.revision)}

    def range(self, body):
        first = text_of(body['key']).rstrip('\0')
        is_behind = text_of(body['key']).endswith('\0')
        end = text_of(body['range_end']) if 'range_end' in body else None
        limit = int(body.get('limit', 0)) or len(self.keys)
        keys = [k for k in sorted(self.keys)
                if (k == first if end is None else first <= k < end)
                and not (is_behind and k == first and self.lie != 'again')]
        if self.lie == 'more' and end is not None and is_behind:
            return {'header': self.header(), 'more': True}
        has_more = len(keys) > limit or (self.lie in ('more', 'again') and end is not None)
        return {'header': self.header(), 'kvs': [self.kv(k) for k in keys[:limit]],
                'more': has_more, 'count': str(len(keys))}

    def holds(self, compare):
        create, mod = self.keys.get(text_of(compare['key']), (0, 0))[:2]
        return (int(compare['mod_revision']) == mod if compare['target'] == 'MOD'
                else int(compare['create_revision']) == create)

    def txn(self, body):
        succeeded = all(self.holds(c) for c in body.get('compare', []))
        events = []
        responses = []
        for op in body.get('success' if succeeded else 'failure', []):
            if 'request_put' in op:
                put = op['request_put']
                self.put(text_of(put['key']), put.get('value', ''), put.get('lease', '0'), events)
                responses.append({'response_put': {}})
            elif 'request_delete_range' in op:
                self.remove(text_of(op['request_delete_range']['key']), events)
                responses.append({'response_delete_range': {}})
            else:
                responses.append({'response_range': self.range(op['request_range'])})
        self.commit(events)
        return {'header': self.header(), 'succeeded': succeeded, 'responses': responses}

    def is_late(self, body):
        return self.late is not None and any(
            text_of(op['request_put']['key']).endswith(self.late['key'])
            for op in body['success'] if 'request_put' in op)

    def hold(self, body):
        if self.late['apply'] == 'now':
            self.txn(body)
        elif self.late['apply'] == 'later':
            self.waiting.append(body)
        self.late = None
        self.n_held += 1

    def values(self, end):
        return json.dumps([text_of(e['kv'].get('value', '')) for _, events in self.history
                           for e in events if text_of(e['kv']['key']).endswith(end)])

    def grant(self):
        self.leases += 1
        return {'header': self.header(), 'ID': str(self.leases), 'TTL': LEASE_TTL_S}

    def revoke(self, lease):
        events = []
        for key in [k for k, v in self.keys.items() if v[3] == lease]:
            self.remove(key, events)
        self.commit(events)
        return {'header': self.header()}

    def command(self, order):
        do = order['do']
        events = []
        if do == 'put':
            self.put(order['key'], order['value'], '0', events)
            self.commit(events)
        elif do == 'delete':
            self.remove(order['key'], events)
            self.commit(events)
        elif do == 'get':
            return self.keys.get(order['key'], (0, 0, ''))[2]
        elif do == 'save':
            self.saved = copy.deepcopy((self.keys, self.history, self.revision))
        elif do == 'restore':
            self.keys, self.history, self.revision = copy.deepcopy(self.saved)
            self.epoch += 1
            self.changed.notify_all()
        elif do == 'lie':
            self.lie = order['how']
        elif do == 'count':
            return str(self.calls.get(order['path'], 0))
        elif do == 'late':
            self.late = order
        elif do == 'apply':
            for body in self.waiting:
                self.txn(body)
            self.waiting = []
        elif do == 'held':
            return str(self.n_held)
        elif do == 'values':
            return self.values(order['key'])
        return 'ok'


STORE = Store()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = -1  # an answer is one write
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get('Content-Length') or 0)) or '{}')
        if self.path == '/v3/watch':
            self.watch(body['create_request'])
            return
        with STORE.changed:
            STORE.calls[self.path] = STORE.calls.get(self.path, 0) + 1
            is_late = self.path == '/v3/kv/txn' and STORE.is_late(body)
            if is_late:
                STORE.hold(body)
        if is_late:
            threading.Event().wait(3600)  # nobody tells
            return
        with STORE.changed:
            answer = {
                '/v3/kv/range': lambda: STORE.range(body),
                '/v3/kv/txn': lambda: STORE.txn(body),
                '/v3/lease/grant': STORE.grant,
                '/v3/lease/keepalive': lambda: {'result': {
                    'header': STORE.header(), 'ID': body['ID'], 'TTL': LEASE_TTL_S}},
                '/v3/lease/revoke': lambda: STORE.revoke(body['ID']),
            }[self.path]()
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def line(self, result):
        data = json.dumps({'result': result}).encode() + b'\n'
        self.wfile.write(b'%x\r\n%s\r\n' % (len(data), data))
        self.wfile.flush()

    def watch(self, request):
        since = int(request['start_revision']) - 1
        first, end = text_of(request['key']), text_of(request['range_end'])
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        with STORE.changed:
            STORE.calls[self.path] = STORE.calls.get(self.path, 0) + 1
            epoch = STORE.epoch
            header = STORE.header()
        self.line({'header': header, 'created': True})
        if STORE.lie == 'line':
            self.line({'header': header, 'events': [{'kv': {'key': ''}}]})
        while True:
            with STORE.changed:
                news = [(r, e) for r, e in STORE.history if r > since]
                if epoch == STORE.epoch and not news:
                    STORE.changed.wait(1)
                    continue
                header = STORE.header()
                if epoch != STORE.epoch:
                    self.close_connection = True
                    return
            for revision, events in news:
                since = revision
                told = [e for e in events if first <= text_of(e['kv']['key']) < end]
                if told:
                    self.line({'header': header, 'events': told})


def main():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    for line in sys.stdin:
        with STORE.changed:
            answer = STORE.command(json.loads(line))
        print(answer, flush=True)


main()
