# SPDX-License-Identifier: Apache-2.0
"""What the tests of providers share: checks, the driver, children that end with the test, and an HTTP server between
the driver and the real one whose faults can be ordered."""

import atexit
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from ports import free_port  # noqa: E402,F401  (others have it from here)

SLOW = int(os.environ.get("PINTLE_SLOW", "1"))
START_S = 30 * SLOW
passed, failed = 0, 0
lock = threading.Lock()


def check(what, ok, seen=None):
    """Counts and prints one check; from any thread."""
    global passed, failed
    with lock:
        passed, failed = passed + bool(ok), failed + (not ok)
        print(("ok    " if ok else "FAIL  ") + what + ("" if ok else f"\n      seen: {str(seen)[:3000]}"), flush=True)
    return ok


def finish():
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


def scratch():
    """A directory that goes with the test."""
    path = tempfile.mkdtemp(prefix="pintle-providers-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    return path


def spawn(*command, log, **options):
    """A child that is ended with the test."""
    with open(log, "ab") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **options)
    atexit.register(stop, child)
    return child


def stop(child):
    if child.poll() is None:
        child.kill()
    child.wait()


def wait_for(what, look, log=None):
    """Polls until look() gives something that is true; else the test is over."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            seen = look()
            if seen:
                return seen
        except OSError:
            pass
        time.sleep(0.05)
    print(f"FAIL  {what} did not come within {START_S} s")
    if log:
        with open(log, errors="replace") as file:
            print(file.read()[-3000:])
    sys.exit(1)


def certificate(path, name):
    """A certificate that signs itself, for an address; (certificate, key)."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=test", "-addext", f"subjectAltName={name}", "-keyout", f"{path}.key", "-out", f"{path}.crt"],
                   check=True, capture_output=True)
    return f"{path}.crt", f"{path}.key"


def configuration(kind, settings):
    """A provider's settings as an entry of the configuration, which YAML takes for JSON."""
    zones = [one["zone"] for one in settings.get("zones", [])] or ["example.com"]
    return json.dumps({"records": [{"name": "tested", "owner": "tests", "policy": "sync", "zones": zones, "provider": kind,
                                    kind: settings}]})


class Driver:
    """A provider in a process of its own, asked through pipes."""

    def __init__(self, log, env=None, *, kind, **settings):
        self.log = log
        with open(log, "ab") as err:
            self.child = subprocess.Popen([os.environ["PROVIDER_DRIVER"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=err, text=True, env=dict(os.environ, **(env or {})))
        atexit.register(stop, self.child)
        self.opened = self.ask(do="open", config=configuration(kind, settings))

    def ask(self, **command):
        self.child.stdin.write(json.dumps(command) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        return json.loads(line) if line else {"error": f"the driver ended: {self.child.wait()}"}

    def list(self, zone, **more):
        return self.ask(do="list", zone=zone, **more)

    def sets(self, zone):
        """The zone by (name, type, set id); {} with a failed check when it cannot be read."""
        listing = self.list(zone)
        if listing.get("fault") != "none":
            check("a zone is listed", False, listing)
        return {(one["name"], one["type"], one["set"]): one for one in listing.get("sets", [])}

    def apply(self, zone, *changes):
        """Each change is a list of (was, will)."""
        told = [[{"was": was, "will": will} for was, will in change] for change in changes]
        return self.ask(do="apply", zone=zone, changes=told)

    def close(self):
        self.child.stdin.close()
        return self.child.wait()


def record_set(name, kind, *values, ttl=0, set_id="", **properties):
    return {"name": name, "type": kind, "ttl": ttl, "set": set_id, "values": list(values),
            "properties": {key.replace("__", "/").replace("_", "-"): str(value) for key, value in properties.items()}}


def verdicts(outcome):
    return [result[0] for result in outcome.get("results", [])]


class Between:
    """An HTTP server that passes on what it is asked, or does what the next fault says.

    A fault is a function (handler, body) that answers in the place of the server; handler.passed() gives the real
    answer as (status, headers, body). It stays for `times` requests whose method and path match."""

    def __init__(self, port=None, tls=None):
        outer = self
        self.to, self.faults, self.seen = port, [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def passed(self):
                upstream = http.client.HTTPConnection("127.0.0.1", outer.to, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection",)}
                upstream.request(self.command, self.path, self.content, headers)
                answer = upstream.getresponse()
                content = answer.read()
                upstream.close()
                return answer.status, [(name, value) for name, value in answer.getheaders()], content

            def say(self, status, content=b"", headers=()):
                content = content.encode() if isinstance(content, str) else content
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                        self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def hang_up(self):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def any_method(self):
                self.content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append((time.monotonic(), self.command, self.path, dict(self.headers), self.content))
                for fault in outer.faults:
                    if fault[0] > 0 and re.search(fault[1], f"{self.command} {self.path}"):
                        fault[0] -= 1
                        return fault[2](self)
                status, headers, content = self.passed()
                return self.say(status, content, headers)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = any_method

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.scheme = "http" if tls is None else "https"
        if tls is not None:  # (certificate, key)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def order(self, match, fault, times=1):
        self.faults = [one for one in self.faults if one[0] > 0] + [[times, match, fault]]

    def calm(self):
        self.faults.clear()

    def requests(self, match):
        return [one for one in self.seen if re.search(match, f"{one[1]} {one[2]}")]
