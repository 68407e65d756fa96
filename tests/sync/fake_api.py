#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small API server whose faults can be ordered.

Prints its port, then obeys one JSON command a line from standard input and answers each with one
line: "ok", or the requests seen so far. Python's standard library only.

  {"do": "put", "path": "/api/v1/services", "object": {...}}     add or change an object
  {"do": "delete", "path": ..., "namespace": "d", "name": "n"}   remove one
  {"do": "fault", "match": "limit=500", "times": 1, "status": 410, "headers": {}, "body": "..."}
      also "token": "t" for requests with that token only, "exact": true for the whole path, "truncate": N bytes of a true answer, "hang": true, "close": true, "event": {...}
  {"do": "serve", "path": ..., "is": false}                      a kind appears or goes
  {"do": "drop"}                                                 all watches are cut
  {"do": "bookmark"}                                             each watch gets one
  {"do": "compact"}                                              older versions are gone
  {"do": "version", "to": 5}                                     the next list has this version
  {"do": "seen"}                                                 the requests, as a JSON list
"""
import http.server
import json
import socket
import ssl
import sys
import threading
import time
import urllib.parse

CORE = ['/api/v1/services', '/api/v1/namespaces', '/api/v1/nodes',
        '/apis/discovery.k8s.io/v1/endpointslices']


class State:
    """Objects, events and orders, behind one lock."""

    def __init__(self):
        self.changed = threading.Condition()
        self.version = 100
        self.oldest = 0
        self.objects = {}
        self.served = set(CORE)
        self.events = []  # (version, path, type, object)
        self.faults = []
        self.seen = []
        self.drops = 0
        self.bookmarks = 0

    def change(self, path, kind, obj):
        self.version += 1
        obj['metadata']['resourceVersion'] = str(self.version)
        self.events.append((self.version, path, kind, json.loads(json.dumps(obj))))

    def command(self, order):
        do = order['do']
        if do == 'put':
            obj = order['object']
            key = (obj['metadata'].get('namespace', ''), obj['metadata']['name'])
            known = self.objects.setdefault(order['path'], {})
            self.change(order['path'], 'MODIFIED' if key in known else 'ADDED', obj)
            known[key] = obj
        elif do == 'delete':
            obj = self.objects[order['path']].pop((order.get('namespace', ''), order['name']))
            self.change(order['path'], 'DELETED', obj)
        elif do == 'fault':
            self.faults.append(order)
        elif do == 'serve':
            (self.served.add if order['is'] else self.served.discard)(order['path'])
        elif do == 'drop':
            self.drops += 1
        elif do == 'bookmark':
            self.bookmarks += 1
        elif do == 'compact':
            self.oldest = self.version
            self.events = []
        elif do == 'version':
            self.version = order['to']
            self.events = []
        elif do == 'seen':
            return json.dumps(self.seen)
        return 'ok'


STATE = State()


def status(code, reason, message):
    return json.dumps({'kind': 'Status', 'apiVersion': 'v1', 'status': 'Failure', 'code': code,
                       'reason': reason, 'message': message})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def send(self, code, body, headers=None, truncate=None):
        data = body.encode()
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data if truncate is None else data[:truncate])
        if truncate is not None:
            self.close_connection = True

    def take_fault(self):
        for fault in STATE.faults:
            hit = fault['match'] in self.path if not fault.get('exact') else fault['match'] == self.path
            if fault.get('token') not in (None, (self.headers.get('Authorization') or '')[7:]):
                continue
            if hit and fault.get('times', 1) > 0:
                fault['times'] = fault.get('times', 1) - 1
                return fault
        return None

    def do_GET(self):
        with STATE.changed:
            STATE.seen.append(self.path)
            fault = self.take_fault()
        if fault and fault.get('hang'):
            time.sleep(3600)
        if fault and fault.get('close'):
            self.close_connection = True
            return
        if fault and 'status' in fault:
            self.send(fault['status'], fault.get('body', ''), fault.get('headers'))
            return
        self.answer(fault or {})

    def answer(self, fault):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == '/livez':
            self.send(200, 'ok')
        elif url.path == '/apis':
            self.discovery()
        elif url.path not in STATE.served:
            self.send(404, '404 page not found')
        elif query.get('watch'):
            self.watch(url.path, int(query['resourceVersion']), fault)
        else:
            self.list(url.path, query, fault)

    def discovery(self):
        groups = {}
        with STATE.changed:
            for path in sorted(STATE.served):
                parts = path.split('/')
                if parts[1] == 'apis':
                    versions = groups.setdefault(parts[2], {})
                    versions.setdefault(parts[3], []).append({'resource': parts[4]})
        items = [{'metadata': {'name': name},
                  'versions': [{'version': v, 'resources': r} for v, r in versions.items()]}
                 for name, versions in groups.items()]
        tag = '"%d"' % hash(json.dumps(items))
        if self.headers.get('If-None-Match') == tag:
            self.send(304, '', {'ETag': tag})
        else:
            body = json.dumps({'kind': 'APIGroupDiscoveryList', 'items': items})
            self.send(200, body, {'ETag': tag})

    def list(self, path, query, fault):
        with STATE.changed:
            objects = sorted(STATE.objects.get(path, {}).items())
            version = STATE.version
        start = int(query.get('continue', '0:').split(':')[0])
        limit = min(int(query.get('limit', len(objects) or 1)), fault.get('page', 500))
        page = [obj for _, obj in objects[start:start + limit]]
        metadata = {'resourceVersion': str(version)}
        if start + limit < len(objects):
            metadata['continue'] = '%d:+/=' % (start + limit)
        self.send(200, json.dumps({'kind': 'XList', 'metadata': metadata, 'items': page}), {},
                  fault.get('truncate'))

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b'%x\r\n%s\r\n' % (len(data), data))
        self.wfile.flush()

    def watch(self, path, since, fault):
        with STATE.changed:
            if since < STATE.oldest:
                self.send(410, status(410, 'Expired', 'too old resource version'))
                return
            drops, bookmarks = STATE.drops, STATE.bookmarks
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        if 'event' in fault:
            self.chunk(fault['event'] + '\n')
        while True:
            with STATE.changed:
                news = [e for e in STATE.events if e[0] > since and e[1] == path]
                if not news and drops == STATE.drops and bookmarks == STATE.bookmarks:
                    STATE.changed.wait(1)
                    continue
                dropped, marked = drops != STATE.drops, bookmarks != STATE.bookmarks
                bookmarks, version = STATE.bookmarks, STATE.version
            for number, _, kind, obj in news:
                self.chunk(json.dumps({'type': kind, 'object': obj}) + '\n')
                since = number
            if marked:
                obj = {'metadata': {'resourceVersion': str(version)}}
                self.chunk(json.dumps({'type': 'BOOKMARK', 'object': obj}) + '\n')
                since = version
            if dropped:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def main():
    server = Server(('127.0.0.1', 0), Handler)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        if len(sys.argv) > 3:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for line in sys.stdin:
        with STATE.changed:
            answer = STATE.command(json.loads(line))
            STATE.changed.notify_all()
        print(answer, flush=True)


if __name__ == '__main__':
    main()
