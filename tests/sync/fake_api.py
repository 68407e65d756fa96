#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small API server whose faults can be ordered.

Prints its port, then obeys one JSON command a line from standard input and answers each with one
line: "ok", or the requests seen so far. Python's standard library only.

  {"do": "put", "path": "/api/v1/services", "object": {...}}     add or change an object
  {"do": "delete", "path": ..., "namespace": "d", "name": "n"}   remove one
  {"do": "fault", "match": "limit=500", "times": 1, "status": 410, "headers": {}, "body": "..."}
      also "token": "t" for requests with that token only, "exact": true for the whole path, "truncate": N bytes of a true answer, "few": N objects only, "sorted": true for keys in order, "hang": true, "delay": seconds, "close": true, "event": {...},
      "frames": "0000000161" bytes in hex that a watch begins with where the client takes protobuf, with "always": true anyway
  {"do": "mend"}                                                 no faults any more
  {"do": "serve", "path": ..., "is": false}                      a kind appears or goes
  {"do": "drop"}                                                 all watches are cut
  {"do": "bookmark"}                                             each watch gets one
  {"do": "compact"}                                              older versions are gone
  {"do": "version", "to": 5}                                     the next list has this version
  {"do": "streams", "is": true}                                  lists can be streamed (sendInitialEvents)
  {"do": "deny", "verb": "watch", "resource": "services"}        access reviews say no to that
  {"do": "seen"}                                                 the requests, as a JSON list

FAKE_API_ADDRESS in the environment is where it listens (127.0.0.1); with FAKE_API_OLD_TLS it speaks TLS 1.1 at most.
"""
import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time
import urllib.parse
import warnings

CORE = ['/api/v1/services', '/api/v1/namespaces', '/api/v1/nodes',
        '/apis/discovery.k8s.io/v1/endpointslices']


KINDS = {'services': 'Service', 'namespaces': 'Namespace', 'nodes': 'Node', 'endpointslices': 'EndpointSlice',
         'dnsendpoints': 'DNSEndpoint', 'ingresses': 'Ingress'}


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
        self.denied = set()
        self.seen = []
        self.drops = 0
        self.bookmarks = 0
        self.streams = False

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
        elif do == 'mend':
            self.faults.clear()
        elif do == 'serve':
            (self.served.add if order['is'] else self.served.discard)(order['path'])
        elif do == 'deny':
            self.denied.add((order['verb'], order['resource']))
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
        elif do == 'streams':
            self.streams = order['is']
        elif do == 'seen':
            return json.dumps(self.seen)
        return 'ok'


    def write(self, method, url, body):
        path, key = collection(url)
        if isinstance(body, list):
            return 200, '{}'  # a JSON patch is taken, and changes nothing here
        if method == 'POST':
            key = (key[0], body['metadata']['name'])
        known = self.objects.setdefault(path, {})
        old = known.get(key)
        metadata = body.setdefault('metadata', {})
        if method == 'DELETE':
            if old is None:
                return 404, status(404, 'NotFound', 'not found')
            wanted = body.get('preconditions', {}).get('uid')
            if wanted not in (None, old['metadata'].get('uid', wanted)):
                return 409, status(409, 'Conflict', 'the UID is not the one of the precondition')
            self.change(path, 'DELETED', known.pop(key))
            return 200, '{}'
        if (method == 'POST') == (old is not None) and method != 'PATCH':
            return 409, status(409, 'AlreadyExists', 'there is one')
        if method == 'PUT' and metadata.get('resourceVersion') != old['metadata']['resourceVersion']:
            return 409, status(409, 'Conflict', 'the object has been modified')
        if method == 'PATCH' and old is not None:
            metadata = {**old['metadata'], **metadata}
            body = {**old, **body, 'metadata': metadata}
        metadata.setdefault('uid', f'uid-{self.version}')
        self.change(path, 'MODIFIED' if old else 'ADDED', body)
        known[key] = body
        return 201 if old is None else 200, json.dumps(body)


STATE = State()


def collection(url):
    """Where an object is listed over all namespaces, and its key there."""
    parts = urllib.parse.urlsplit(url).path.split('/')
    at = parts.index('namespaces')
    path = '/'.join(parts[:at] + parts[at + 2:at + 3])
    return path, (parts[at + 1], parts[at + 3] if len(parts) > at + 3 else '')


def typed(path):
    """Which list that is; clients of Go look at it."""
    *_, group, version, name = path.split('/')
    return {'kind': KINDS.get(name, 'X') + 'List', 'apiVersion': version if group == 'api' else f'{group}/{version}'}


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

    def fails(self):
        """Notes the request; the fault that it gets, or None when that was all of the answer."""
        with STATE.changed:
            STATE.seen.append(self.path)
            self.since = STATE.drops, STATE.bookmarks  # what is ordered once the request was seen reaches it
            fault = self.take_fault()
        if fault and fault.get('hang'):
            time.sleep(3600)
        if fault and 'delay' in fault:
            time.sleep(fault['delay'])
        if fault and fault.get('close'):
            self.close_connection = True
            return None
        if fault and 'status' in fault:
            self.send(fault['status'], fault.get('body', ''), fault.get('headers'))
            return None
        return fault or {}

    def do_GET(self):
        fault = self.fails()
        if fault is not None:
            self.answer(fault)

    def review(self):
        """Who asks, or whether that one may."""
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode()
        if self.fails() is None:
            return
        if self.path.endswith('/selfsubjectreviews'):
            answer = {'userInfo': {'username': 'tester'}}
        else:
            asked = json.loads(body)['spec']['resourceAttributes']
            with STATE.changed:
                answer = {'allowed': (asked['verb'], asked['resource']) not in STATE.denied}
        self.send(201, json.dumps({'status': answer}))

    def echo(self):
        """What was sent, sent back."""
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode()
        self.send(200, json.dumps([self.command, self.headers.get('Content-Type'),
                                   self.headers.get('Expect'), body]))

    def write(self):
        """POST, PUT on the version it names, PATCH as an apply that merges metadata, DELETE."""
        if self.path == '/echo':
            self.echo()
            return
        if 'selfsubject' in self.path:
            self.review()
            return
        body = json.loads(self.rfile.read(int(self.headers.get('Content-Length') or 0)) or '{}')
        with STATE.changed:
            STATE.seen.append(f'{self.command} {self.path}')
            fault = self.take_fault()
            code, answer = ((fault['status'], fault.get('body', '')) if fault
                            else STATE.write(self.command, self.path, body))
            STATE.changed.notify_all()
        self.send(code, answer, (fault or {}).get('headers'))

    do_POST = do_PUT = do_PATCH = do_DELETE = write

    def answer(self, fault):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == '/livez':
            self.send(200, 'ok')
        elif url.path == '/version':
            self.send(200, json.dumps({'gitVersion': 'v1.99.0'}))
        elif url.path == '/apis':
            self.discovery()
        elif any(served.rpartition('/')[0] == url.path for served in STATE.served):
            self.resources(url.path)
        elif '/leases/' in url.path:
            path, key = collection(self.path)
            found = STATE.objects.get(path, {}).get(key)
            self.send(200 if found else 404, json.dumps(found) if found else
                      status(404, 'NotFound', 'not found'))
        elif url.path not in STATE.served:
            self.send(404, '404 page not found')
        elif query.get('watch'):
            self.watch(url.path, query, fault)
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

    def resources(self, path):
        """The kinds of a group's version, as client-go asks for them."""
        with STATE.changed:
            names = [served.rpartition('/')[2] for served in STATE.served if served.rpartition('/')[0] == path]
        items = [{'name': name, 'kind': KINDS.get(name, 'X'), 'namespaced': True, 'verbs': ['list']} for name in sorted(names)]
        self.send(200, json.dumps({'kind': 'APIResourceList', 'apiVersion': 'v1', 'resources': items,
                                   'groupVersion': '/'.join(path.split('/')[2:])}))

    def list(self, path, query, fault):
        with STATE.changed:
            objects = sorted(STATE.objects.get(path, {}).items())[:fault.get('few')]
            version = STATE.version
        start = int(query.get('continue', '0:').split(':')[0])
        limit = min(int(query.get('limit', len(objects) or 1)), fault.get('page', 500))
        page = [obj for _, obj in objects[start:start + limit]]
        metadata = {'resourceVersion': str(version)}
        if start + limit < len(objects):
            metadata['continue'] = '%d:+/=' % (start + limit)
            metadata['remainingItemCount'] = len(objects) - start - limit
        body = {**typed(path), 'metadata': metadata, 'items': page}
        self.send(200, json.dumps(body, sort_keys='sorted' in fault), {}, fault.get('truncate'))

    def chunk(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.wfile.write(b'%x\r\n%s\r\n' % (len(data), data))
        self.wfile.flush()

    def initial_events(self, path, fault):
        """What a streamed list begins with; the version that it stands for."""
        with STATE.changed:
            objects = sorted(STATE.objects.get(path, {}).items())[:fault.get('few')]
            version = STATE.version
        for n, (_, obj) in enumerate(objects):
            if n == fault.get('stop'):
                return None
            self.chunk(json.dumps({'type': 'ADDED', 'object': obj}) + '\n')
        if not fault.get('endless'):
            self.chunk(json.dumps({'type': 'BOOKMARK', 'object': {'metadata': {
                'resourceVersion': str(version),
                'annotations': {'k8s.io/initial-events-end': 'true'}}}}) + '\n')
        return version

    def watch(self, path, query, fault):
        is_list = 'sendInitialEvents' in query
        since = int(query.get('resourceVersion') or 0)
        with STATE.changed:
            if is_list and not STATE.streams:
                self.send(422, status(422, 'Invalid', 'sendInitialEvents is forbidden for watch'))
                return
            if since < STATE.oldest and not is_list:
                self.send(410, status(410, 'Expired', 'too old resource version'))
                return
        drops, bookmarks = self.since
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        if 'frames' in fault and ('always' in fault or 'protobuf' in self.headers.get('Accept', '')):
            self.chunk(bytes.fromhex(fault['frames']))
        if is_list:
            since = self.initial_events(path, fault)
            if since is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
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
    server = Server((os.environ.get('FAKE_API_ADDRESS', '127.0.0.1'), 0), Handler)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        if 'FAKE_API_OLD_TLS' in os.environ:
            warnings.simplefilter('ignore')  # it is known that nobody should
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers('ALL:@SECLEVEL=0')
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
