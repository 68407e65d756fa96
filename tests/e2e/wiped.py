#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Secrets that were exchanged are gone: the daemon's memory is looked through for those it had before.

Same form of report as run.py, whose tools it uses.
"""

import base64
import hashlib
import http.client
import http.server
import re
import signal
import ssl
import socketserver
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import tls
from run import SLOW, play, ports
from transfers import KEY
from tsig import is_signed

CONFIG = """
clusterSet: demo
listen:
  - {{address: "127.0.0.1:{plain}"}}
  - {{address: "127.0.0.1:{dot}", tls: {{certificate: dot.crt, key: dot.key}}}}
cookies: {{secretFile: cookie.secret}}
clusters:
  - {{name: c1, directory: c1}}
  - {{name: c2, context: far, kubeconfig: kubeconfig}}
  - {{name: c4, context: plugged, kubeconfig: kubeconfig}}
  - {{name: c3, etcd: {{endpoints: ["http://127.0.0.1:{port}"], user: u, passwordFile: etcd.secret}}}}
sandbox: {{dumps: true}}
cache: {{size: 1Mi}}
workers: 1
shutdown: {{lameduck: 0s}}
admin: {{tokenFile: admin.secret, tls: {{certificate: tls.crt, key: tls.key}}}}
tsigKeys: [{{name: key.example, secretFile: tsig.secret}}]
records:
  - name: pdns
    provider: powerdns
    zones: [example.org]
    policy: sync
    powerdns: {{url: "http://127.0.0.1:{port}", apiKeyFile: pdns.secret}}
  - name: aws
    provider: route53
    zones: [example.edu]
    policy: sync
    route53: {{endpoint: "http://127.0.0.1:{port}", accessKeyFile: access.secret, secretKeyFile: aws.secret}}
  - name: dns
    provider: rfc2136
    zones: [example.net]
    policy: sync
    rfc2136: {{server: "127.0.0.1:{dns}", tsig: {{name: {key}, secretFile: update.secret}}}}
"""
KUBECONFIG = """
current-context: far
clusters: [{{name: k, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users:
  - {{name: u, user: {{token: {token}}}}}
  - {{name: p, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {plugin}, interactiveMode: Never}}}}}}
contexts:
  - {{name: far, context: {{cluster: k, user: u}}}}
  - {{name: plugged, context: {{cluster: k, user: p}}}}
"""
PLUGIN = """#!/bin/sh
read -r token <"$0.secret"
printf '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}' "$token"
"""
WRITABLE = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) rw")
NO_NAMES = ssl._create_unverified_context()  # pylint: disable=protected-access
NOTHING = bytes(256 << 10)
OVERLAP = 256  # more than any secret has
LOOK_S = 12  # at least 60 looks, of a second each where others compute
SECONDS = 60  # of patience for what waits for its turn: a retry, a connection that ends


class Others:
    """An API server, a PowerDNS, Route 53, an etcd and a DNS server that know nothing, and remember what was said to them."""

    def __init__(self):
        self.heard = []
        self.asked = []  # of the DNS server

        class Handler(http.server.BaseHTTPRequestHandler):
            """Says no."""
            protocol_version = "HTTP/1.1"

            def answer(handler):  # noqa: N805: pylint: disable=no-self-argument
                body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
                self.heard.append(f"{handler.headers}{body}")
                handler.send_response(401 if "Authorization: Bearer" in self.heard[-1] else 503)
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            do_GET = do_POST = do_PUT = do_PATCH = answer

            def log_message(handler, *args):  # noqa: N805: pylint: disable=no-self-argument
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

        class Dns(socketserver.StreamRequestHandler):
            """Hangs up."""

            def handle(handler):  # noqa: N805: pylint: disable=no-self-argument
                self.asked.append(handler.rfile.read(int.from_bytes(handler.rfile.read(2), "big")))

        self.dns = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dns)
        threading.Thread(target=self.dns.serve_forever, daemon=True).start()

    def has_heard(self, text):
        return any(text in said for said in self.heard)

    def has_been_asked(self, secret):
        """Whether a message was signed with it."""
        return any(is_signed(message, secret, b"") for message in self.asked)


class Secrets:
    """One generation of them, each told from those of all others."""

    def __init__(self, generation):
        self.generation = generation
        self.text = {name: self.draw(name).hex() for name in ("kubeconfig", "plugin", "etcd", "admin", "pdns", "access", "aws")}
        self.raw = {"tsig": self.draw("tsig"), "update": self.draw("update"), "cookie": self.draw("cookie")[:16],
                    "cookie-beside": self.draw("cookie-beside")[:16]}
        self.keys = {}
        self.certificate = b""

    def draw(self, name):
        return hashlib.sha256(f"{self.generation} {name}".encode()).digest()

    def draw_key(self, dir, stem):
        """A key and its certificate, as files."""
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                        "-keyout", dir / "new.key", "-out", dir / "new.crt", "-subj", "/CN=localhost"],
                       check=True, capture_output=True, timeout=60 * SLOW)
        told = subprocess.run(["openssl", "ec", "-in", dir / "new.key", "-noout", "-text"], check=True, capture_output=True, text=True)
        key = bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"priv:(.*?)pub:", told.stdout, re.S).group(1)))[-32:]
        files = {f"{stem}.key": (dir / "new.key").read_text(), f"{stem}.crt": (dir / "new.crt").read_text()}
        self.keys[stem] = [key, key[::-1], files[f"{stem}.key"].splitlines()[1].encode()]
        return files

    def write(self, dir, port):
        """Each file is exchanged as a whole, as people and volumes do."""
        files = {f"{name}.secret": text for name, text in self.text.items() if name != "kubeconfig"}
        files["kubeconfig"] = KUBECONFIG.format(port=port, token=self.text["kubeconfig"], plugin=dir / "plugin")
        for name in ("tsig", "update"):
            files[f"{name}.secret"] = base64.b64encode(self.raw[name]).decode()
        files["cookie.secret"] = f"{self.raw['cookie'].hex()}\n{self.raw['cookie-beside'].hex()}"
        for stem in ("tls", "dot"):
            files |= self.draw_key(dir, stem)
        self.certificate = ssl.PEM_cert_to_DER_cert(files["dot.crt"])
        for name, text in files.items():
            (dir / f".{name}").write_text(text + "\n")
            (dir / f".{name}").chmod(0o600)
            (dir / f".{name}").rename(dir / name)

    def shapes(self):
        """What gives each of them away: its text, its bytes, the digits of a number."""
        of = {name: [text.encode()] for name, text in self.text.items()}
        for name, data in self.raw.items():
            of[name] = [data, base64.b64encode(data)[:-4], data.hex().encode()]
        return of | self.keys


def memory(pid):
    """(mapping, what is there) for all that the process can write to, a piece at a time, which overlap; without what was never written."""
    with open(f"/proc/{pid}/maps", "rb") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            span = WRITABLE.match(line)
            first, end = (int(at, 16) for at in span.groups()) if span else (0, 0)
            for at in range(first, end, len(NOTHING)):
                try:
                    mem.seek(at)
                    piece = mem.read(min(len(NOTHING) + OVERLAP, end - at))
                except OSError:
                    break  # it is gone, or nobody may read it
                if piece != bytes(len(piece)):
                    yield line.split()[-1].decode(), piece


def left(pid, secrets):
    """Which are found, and where."""
    shapes = [(name, shape) for name, shapes in secrets.shapes().items() for shape in shapes]
    return sorted({(name, where) for where, piece in memory(pid) for name, shape in shapes if shape in piece})


def ask(daemon, token, path="/api/v1/status"):
    request = urllib.request.Request(f"https://{daemon.admin}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=60 * SLOW, context=NO_NAMES) as reply:
            return reply.status
    except urllib.error.HTTPError as err:
        return err.code
    except (OSError, http.client.HTTPException):
        return 0


def ask_dns(daemon):
    """By each way that questions take; a worker has a secret of cookies until its next one. The certificate, or what was amiss."""
    for words in ((), ("+tcp",)):
        daemon.dig("nobody.example", "A", *words)
    try:
        with tls.client(daemon.dot)[1] as stream:
            stream.sendall(tls.frame(1))
            tls.receive(stream, 2)
            return stream.getpeercert(binary_form=True)
    except OSError as err:  # a handshake may have to wait for longer than a client does
        return err


def use(checks, daemon, others, secrets):
    """Each is used at least once, where it can be seen from outside."""
    checks.becomes(f"the admin page takes token {secrets.generation}", lambda: ask(daemon, secrets.text["admin"]),
                   lambda status: status == 200, SECONDS * SLOW)
    for name in ("kubeconfig", "plugin", "etcd", "pdns", "access"):
        checks.becomes(f"{name}: number {secrets.generation} is said", lambda name=name: others.has_heard(secrets.text[name]),
                       lambda is_said: is_said, SECONDS * SLOW)
    checks.becomes(f"update: number {secrets.generation} signs", lambda: others.has_been_asked(secrets.raw["update"]),
                   lambda is_signed: is_signed, SECONDS * SLOW)
    checks.becomes(f"cookie: number {secrets.generation} is read", lambda: daemon.log_text().count("cookies: new secret"),
                   lambda n: n == secrets.generation, SECONDS * SLOW)
    checks.becomes(f"dot: number {secrets.generation} is shown", lambda: ask_dns(daemon),
                   lambda certificate: certificate == secrets.certificate, SECONDS * SLOW)


def exchanged(checks, dir):
    others = Others()
    (dir / "c1").mkdir()
    generations = [Secrets(n) for n in range(3)]
    generations[0].write(dir, others.port)
    (dir / "plugin").write_text(PLUGIN)
    (dir / "plugin").chmod(0o700)
    (dir / "pintle.yaml").write_text(CONFIG.format(port=others.port, plain=ports.free_port(), dot=ports.free_port(),
                                                  dns=others.dns.server_address[1], key=KEY))
    daemon = tls.TlsDaemon(dir, "secrets")
    try:
        use(checks, daemon, others, generations[0])
        seen = {name for name, _ in left(daemon.child.pid, generations[0])}
        checks.check("a secret in use is found, so the search works", {"kubeconfig", "admin", "tls", "dot", "cookie", "plugin"} <= seen, seen)
        for secrets in generations[1:]:
            token = generations[secrets.generation - 1].text["admin"]
            secrets.write(dir, others.port)
            daemon.child.send_signal(signal.SIGHUP)
            checks.becomes("the token before is refused", lambda token=token: ask(daemon, token), lambda status: status == 401,
                           SECONDS * SLOW)
            use(checks, daemon, others, secrets)
        for secrets in generations[:-1]:
            checks.becomes(f"nothing is left of number {secrets.generation}", lambda secrets=secrets: left(daemon.child.pid, secrets),
                           lambda found: not found, LOOK_S * SLOW)
    finally:
        checks.check("it ends well", daemon.stop() == 0, daemon.log_text()[-500:])


if __name__ == "__main__":
    sys.exit(play("secrets", exchanged))
