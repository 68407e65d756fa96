#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The admin side over TLS: who is let in by a certificate, what changes live, and what strangers can do to it.

Same form of report as run.py, whose tools it uses.
"""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request

from run import Daemon, PINTLECTL, PINTLED, SLOW, play, run

TOKENS = "correct-horse-battery-staple", "another-horse-another-staple"
CONNECTIONS = 200
BASE = "clusters: [{name: c1, directory: c1}]\nshutdown: {lameduck: 0s}\n"


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60)


def authority(dir, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 30,
            "-keyout", dir / f"{name}.key", "-out", dir / f"{name}.crt", "-subj", f"/CN={name}")


def certificate(dir, name, ca, use="clientAuth", days=30):
    """NAME.crt and NAME.key, which appear at once; whose the authority `ca` vouches for."""
    (dir / f"{name}.ext").write_text(f"subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage={use}\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", dir / f"{name}.key.new",
            "-out", dir / f"{name}.csr", "-subj", f"/CN={name}")
    openssl("x509", "-req", "-in", dir / f"{name}.csr", "-CA", dir / f"{ca}.crt", "-CAkey", dir / f"{ca}.key",
            "-CAcreateserial", "-days", days, "-extfile", dir / f"{name}.ext", "-out", dir / f"{name}.crt.new")
    (dir / f"{name}.key.new").chmod(0o600)
    for kind in ("key", "crt"):
        (dir / f"{name}.{kind}.new").rename(dir / f"{name}.{kind}")


def prepare(_, dir):
    (dir / "c1").mkdir()
    for name in ("servers", "people", "strangers"):
        authority(dir, name)
    certificate(dir, "server", "servers", "serverAuth")
    certificate(dir, "ann", "people")
    certificate(dir, "eve", "strangers")
    certificate(dir, "late", "people", days=-1)
    certificate(dir, "misused", "people", "serverAuth")
    shutil.copy(dir / "people.crt", dir / "clients.crt")


def start(dir, name, admin, more=""):
    (dir / f"{name}.yaml").write_text(f"{BASE}admin: {admin}\n{more}")
    return Daemon(dir, name, "--config", dir / f"{name}.yaml")


class Client:
    """Somebody who speaks TLS with the admin side, on one connection."""

    def __init__(self, daemon, dir, cert=None, **headers):
        context = ssl.create_default_context(cafile=dir / "servers.crt")
        if cert is not None:
            context.load_cert_chain(dir / f"{cert}.crt", dir / f"{cert}.key")
        host, port = daemon.admin.rsplit(":", 1)
        self.connection = http.client.HTTPSConnection(host, int(port), timeout=60 * SLOW, context=context)
        self.headers = headers

    def ask(self, path, method="GET", body=None):
        self.connection.request(method, path, body, self.headers)
        reply = self.connection.getresponse()
        return reply.status, reply.read()

    def status(self, path="/api/v1/status", method="GET", body=None):
        """HTTP's status, or "refused" where the handshake or the connection failed."""
        try:
            return self.ask(path, method, body)[0]
        except (OSError, http.client.HTTPException):
            return "refused"
        finally:
            self.connection.close()


def ends(stream):
    """Reads a stream to its end."""
    try:
        while stream.read1(65536):
            pass
    except (OSError, http.client.HTTPException):
        pass
    return True


def opened(client):
    client.connection.request("GET", "/api/v1/stream?topics=clusters", headers=client.headers)
    return client.connection.getresponse()


def ctl(daemon, *args):
    return run(PINTLECTL, *args, "--admin", f"https://{daemon.admin}")


def people(checks, dir, daemon):
    for path in ("/livez", "/readyz", "/metrics", "/", "/web/app.js"):
        checks.equal(f"{path} wants no certificate", Client(daemon, dir).status(path), 200)
    checks.equal("the rest wants one, of this machine, too", Client(daemon, dir).status(), 403)
    checks.equal("who shows one sees it", Client(daemon, dir, "ann").status(), 200)
    for who, why in (("eve", "a stranger's"), ("late", "one that has expired"), ("misused", "a server's")):
        checks.equal(f"not with {why}", Client(daemon, dir, who).status(), "refused")
    headers = {"Content-Type": "application/json"}
    checks.equal("a certificate changes things", Client(daemon, dir, "ann", **headers).status("/api/v1/reload", "POST", "{}"), 200)
    checks.equal("not for a web page", Client(daemon, dir, "ann", Origin=f"https://{daemon.admin}", **headers).status(
        "/api/v1/reload", "POST", "{}"), 403)
    keeps = Client(daemon, dir, "ann", **headers)
    checks.equal("one connection takes many requests", [keeps.ask("/metrics")[0] for _ in range(20)], [200] * 20)
    body = json.dumps({"x": "y" * 60000})
    checks.equal("a body of many records arrives", keeps.status("/api/v1/drains", "POST", body), 400)
    checks.equal("one that is too long does not", Client(daemon, dir, "ann", **headers).status("/api/v1/drains", "POST", body * 2), 413)
    context = ssl.create_default_context(cafile=dir / "servers.crt")
    context.set_alpn_protocols(["h2", "http/1.1"])
    host, port = daemon.admin.rsplit(":", 1)
    with context.wrap_socket(socket.create_connection((host, int(port)), 60), server_hostname="localhost") as stream:
        checks.equal("browsers are told to speak HTTP/1.1", stream.selected_alpn_protocol(), "http/1.1")
    with socket.create_connection((host, int(port)), 60) as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            said = plain.recv(4096)
        except ConnectionResetError:
            said = b""
        checks.check("plain HTTP gets none of it", b"HTTP/1" not in said, said)


def probes(checks, daemon):
    found = re.search(r"metrics on http://(\S+)/", daemon.log_text())
    port = found and found.group(1)
    with urllib.request.urlopen(f"http://{port}/readyz", timeout=60) as reply:
        checks.equal("probes stay plain where metrics.address says so", reply.status, 200)
    with urllib.request.urlopen(f"http://{port}/metrics", timeout=60) as reply:
        text = reply.read().decode()
    checks.check("the certificate has its figures", re.search(r'^pintle_tls_certificate_up\{listen="[^"]+"\} 1$', text, re.M), text[-500:])


def command_line(checks, dir, daemon):
    ca, ann = ("--ca", dir / "servers.crt"), ("--cert", dir / "ann.crt", "--key", dir / "ann.key")
    code, _, stderr = ctl(daemon, "status")
    checks.check("pintlectl does not trust whoever answers", code == 1 and "--ca FILE" in stderr, (code, stderr))
    code, _, stderr = ctl(daemon, "status", *ca)
    checks.check("it says that a certificate is wanted", code == 5 and "clientCA" in stderr, (code, stderr))
    code, stdout, stderr = ctl(daemon, "status", "-o", "json", *ca, *ann)
    checks.check("with one it is told", code == 0 and json.loads(stdout)["ready"] is True, (code, stderr))
    (dir / "both.pem").write_text((dir / "ann.crt").read_text() + (dir / "ann.key").read_text())
    checks.equal("certificate and key may be one file", ctl(daemon, "status", *ca, "--cert", dir / "both.pem")[0], 0)
    names = {"PINTLE_CA_FILE": "servers.crt", "PINTLE_CERT_FILE": "ann.crt", "PINTLE_KEY_FILE": "ann.key"}
    os.environ.update({name: str(dir / file) for name, file in names.items()})
    checks.equal("the environment may name them", ctl(daemon, "status")[0], 0)
    checks.equal("options go before it", ctl(daemon, "status", "--ca", dir / "people.crt")[0], 1)
    for name in names:
        del os.environ[name]
    code, _, stderr = ctl(daemon, "status", *ca, "--cert", dir / "ann.crt", "--key", dir / "eve.key")
    checks.check("it says which file cannot be used", code == 1 and "ann.crt" in stderr, (code, stderr))
    code, _, stderr = ctl(daemon, "status", *ca, "--cert", dir / "eve.crt", "--key", dir / "eve.key")
    checks.check("a stranger is refused", code != 0 and stderr, (code, stderr))
    code, _, stderr = ctl(daemon, "status", "--ca", dir / "ann.key")
    checks.check("an authority that is none is named", code == 1 and "ann.key" in stderr, (code, stderr))
    bare = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--user", "--map-root-user"]), "sh", "-c",
            'mount -t tmpfs none /etc/ssl/certs && exec "$0" "$@"']
    code, _, stderr = run(*bare, PINTLECTL, "status", "--admin", f"https://{daemon.admin}")
    checks.check("a system without authorities is told", code == 1 and "no certificates to trust (--ca FILE)" in stderr, (code, stderr))
    code, _, stderr = run(PINTLECTL, "status", "--admin", daemon.admin)
    checks.check("who forgets https:// is reminded", code == 1 and "https://" in stderr, (code, stderr))
    code, _, stderr = run(PINTLECTL, "status", "--admin", f"https://localhost:{daemon.admin.rsplit(':', 1)[1]}/", *ca, *ann)
    checks.check("by name, as a browser shows it", code == 0, (code, stderr))


def exchange(checks, dir, daemon):
    """Server's certificate and the people's authority become others."""
    stream = opened(Client(daemon, dir, "ann"))
    checks.equal("a stream with a certificate", stream.status, 200)
    idle = Client(daemon, dir, "ann")
    checks.equal("and a connection that stays", idle.ask("/api/v1/status")[0], 200)
    before = ssl.get_server_certificate(daemon.admin.rsplit(":", 1))
    shutil.copy(dir / "strangers.crt", dir / "clients.new")
    (dir / "clients.new").rename(dir / "clients.crt")
    certificate(dir, "server", "servers", "serverAuth")
    checks.becomes("a new certificate is used without a restart", lambda: ssl.get_server_certificate(daemon.admin.rsplit(":", 1)),
                   lambda now: now != before)
    checks.becomes("who is vouched for now is let in", Client(daemon, dir, "eve").status, lambda s: s == 200)
    checks.becomes("who was before is not", Client(daemon, dir, "ann").status, lambda s: s == "refused")
    checks.check("their streams end", ends(stream))
    checks.becomes("and what they left open", idle.status, lambda s: s == "refused")
    (dir / "clients.crt").write_text("nothing\n")
    checks.becomes("a file that is none is told", daemon.log_text, lambda text: "the certificate read before is used on" in text)
    checks.equal("and changes nothing", Client(daemon, dir, "eve").status(), 200)


def tls(checks, dir):
    daemon = start(dir, "mtls", "{tls: {certificate: server.crt, key: server.key, clientCA: clients.crt}}",
                   "metrics: {address: 127.0.0.1:0}\n")
    try:
        people(checks, dir, daemon)
        probes(checks, daemon)
        command_line(checks, dir, daemon)
        exchange(checks, dir, daemon)
    finally:
        checks.equal("it ends well", daemon.stop(), 0)


def tokens(checks, dir):
    token = dir / "token"

    def write(text):
        (dir / "fresh").write_text(text + "\n")
        (dir / "fresh").chmod(0o600)
        (dir / "fresh").rename(token)

    def bearer(text):
        return {"Authorization": f"Bearer {text}"}

    write(TOKENS[0])
    daemon = start(dir, "token", "{tokenFile: token, tls: {certificate: server.crt, key: server.key}}")
    try:
        checks.equal("a token is wanted behind TLS", Client(daemon, dir).status(), 401)
        checks.equal("and is enough", Client(daemon, dir, **bearer(TOKENS[0])).status(), 200)
        stream = opened(Client(daemon, dir, **bearer(TOKENS[0])))
        checks.equal("a stream with it", stream.status, 200)
        write(TOKENS[1])
        checks.becomes("another token counts without a restart", lambda: Client(daemon, dir, **bearer(TOKENS[1])).status(), lambda s: s == 200)
        checks.equal("the one before no more", Client(daemon, dir, **bearer(TOKENS[0])).status(), 401)
        checks.check("its streams end", ends(stream))
        write("short")
        checks.becomes("one that is too short is told", daemon.log_text, lambda text: "the token read before is used on" in text)
        checks.equal("and changes nothing", Client(daemon, dir, **bearer(TOKENS[1])).status(), 200)
        token.unlink()
        checks.becomes("nor does a file that is gone", lambda: daemon.log_text().count("read before is used on"), lambda n: n == 2)
        write(TOKENS[0])
        checks.becomes("the first one comes back", lambda: Client(daemon, dir, **bearer(TOKENS[0])).status(), lambda s: s == 200)
        os.environ["PINTLE_TOKEN_FILE"] = str(token)
        checks.equal("pintlectl brings it", ctl(daemon, "status", "--ca", dir / "servers.crt")[0], 0)
        del os.environ["PINTLE_TOKEN_FILE"]
        checks.check("no token is in the log", not any(text in daemon.log_text() for text in TOKENS))
    finally:
        checks.equal("it ends well", daemon.stop(), 0)


def faults(checks, dir):
    shutil.copy(dir / "people.crt", dir / "clients.crt")
    for admin, words in (("{tls: {certificate: server.crt}}", "want {certificate: FILE, key: FILE}"),
                         ("{tls: {clientCA: clients.crt}}", "want {certificate: FILE, key: FILE}"),
                         ("{tls: {certificate: server.crt, key: ann.key}}", "do not belong together"),
                         ("{tls: {certificate: server.crt, key: server.key, clientCA: none.crt}}", "none.crt"),
                         ("{tls: {certificate: server.crt, key: server.key, clientCA: ann.key}}", "ann.key"),
                         ("{changes: token, tls: {certificate: server.crt, key: server.key}}", "tls.clientCA")):
        (dir / "bad.yaml").write_text(f"{BASE}admin: {admin}\n")
        code, _, stderr = run(PINTLED, "--config", dir / "bad.yaml", "--check")
        checks.check(f"a fault is told: {admin}", code == 1 and words in stderr, (code, stderr))


def strangers(checks, dir):
    """Connections that say nothing, half of it, or nonsense."""
    shutil.copy(dir / "people.crt", dir / "clients.crt")
    daemon = start(dir, "strangers", "{tls: {certificate: server.crt, key: server.key, clientCA: clients.crt}}")
    host, port = daemon.admin.rsplit(":", 1)
    outgoing = ssl.MemoryBIO()
    half = ssl.create_default_context(cafile=dir / "servers.crt").wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        half.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    held, stop = [], threading.Event()

    def flood():
        for i in range(CONNECTIONS):
            if stop.is_set():
                return
            try:
                sock = socket.create_connection((host, int(port)), 60)
                sock.sendall((b"", hello, hello[:50], os.urandom(300), b"GET / HTTP/1.1\r\n\r\n")[i % 5])
                held.append(sock)
            except OSError:
                pass

    flooder = threading.Thread(target=flood, daemon=True)
    try:
        flooder.start()
        checks.becomes("who has a certificate is served among them", Client(daemon, dir, "ann").status, lambda s: s == 200)
        flooder.join(60 * SLOW)
        checks.becomes("and after them", Client(daemon, dir, "ann").status, lambda s: s == 200)
        checks.becomes("none of them stays", lambda: len(os.listdir(f"/proc/{daemon.child.pid}/fd")), lambda n: n < 64)
    finally:
        stop.set()
        for sock in held:
            sock.close()
        checks.equal("it ends well", daemon.stop(), 0)


if __name__ == "__main__":
    sys.exit(play("admin_tls", prepare, tls, tokens, faults, strangers))
