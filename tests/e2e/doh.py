#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DNS over HTTPS as clients see it: curl, dig, kdig, h2load and frames by hand against a real pintled.

Which requests are questions, what answers say, what ends a connection, and that floods cost a client its connection
and us no memory. Prints one line per check and, last, "N passed, N failed". Needs curl, dig, h2load and kdig.
"""

import base64
import os
import pathlib
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
from starved import starved_s  # noqa: E402
import tls  # noqa: E402  (certificates and a daemon that speaks TLS)

TYPE = "application/dns-message"
N_LOAD = 20000
N_FLOOD = 10000
N_LONG = 200
RSS_SPARE_KIB = (8 << 10) * int(os.environ.get("PINTLE_SLOW", "1"))  # ThreadSanitizer keeps books of its own
IDLE_S = 10
SLOW_S = 0.6
DEAD_S = 3

CONFIG = """\
listen:
  - {{address: 127.0.0.1:{plain}}}
  - {{address: 127.0.0.1:{dot}, https: {{certificate: tls.crt, key: tls.key}}}}
  - {{address: 127.0.0.1:0, https: {{certificate: tls.crt, key: tls.key, path: /other}}}}
zones: {{files: [{{zone: t.example, file: t.zone}}]}}
clusters: [{{name: c1, directory: c1}}]
forward: [{{zone: slow.test, to: ["127.0.0.1:{upstream}"]}}]
shutdown: {{lameduck: 0s}}
workers: 1
"""
ZONE = """\
$TTL 300
@     SOA ns1 host 1 3600 600 86400 30
@     NS  ns1
ns1   A   127.0.0.1
www   A   192.0.2.1
short A   192.0.2.1
short 20 TXT "x"
alias 40 CNAME nothing
"""


def message(name, qtype, ident=0, opcode=0, extra=b""):
    """A query in wire format."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    flags = opcode << 11 | 0x100
    return struct.pack("!HHHHHH", ident, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", qtype, 1) + extra


def text_of(query):
    """A query as it stands in dns=."""
    return base64.urlsafe_b64encode(query).decode().rstrip("=")


class Response:
    """What curl got."""

    def __init__(self, head, body, code):
        lines = head.replace("\r", "").strip().split("\n")
        found = re.match(r"HTTP/(\S+) (\d+)", lines[0]) if lines else None
        self.version, self.status = (found.group(1), int(found.group(2))) if found else ("", 0)
        self.fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        self.body, self.code = body, code

    @property
    def rcode(self):
        """Of the answer; None: there is none."""
        return self.body[3] & 15 if len(self.body) >= 12 else None

    def __repr__(self):
        return f"{self.version} {self.status} {self.fields} {self.body.hex()} curl={self.code}"


class Client:
    """curl on one version of HTTP."""

    def __init__(self, port, option, dir):
        self.port, self.option, self.dir = port, option, dir

    def ask(self, target, *args, body=None):
        head, out, up = self.dir / "head", self.dir / "body", self.dir / "up"
        for path in (head, out):
            path.write_bytes(b"")
        if body is not None:
            up.write_bytes(body)
            args += ("--data-binary", f"@{up}")
        done = subprocess.run(["curl", "-sk", "-m", "10", self.option, "-D", head, "-o", out, *args,
                               f"https://127.0.0.1:{self.port}{target}"], capture_output=True, timeout=30)
        return Response(head.read_text(), out.read_bytes(), done.returncode)

    def get(self, query, path="/dns-query"):
        return self.ask(f"{path}?dns={text_of(query)}")

    def post(self, body, kind=TYPE):
        return self.ask("/dns-query", "-H", f"content-type: {kind}", body=body)


class Upstream:
    """A resolver that takes its time, and leaves questions for "dead" unanswered."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(2048)
            except OSError:
                return
            if not query[12:].lower().startswith(b"\4dead"):
                threading.Timer(SLOW_S, self.answer, (query, peer)).start()

    def answer(self, query, peer):
        end = query.index(b"\0", 12) + 5
        self.socket.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:end]
                           + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x63", peer)


# --- the rules ----------------------------------------------------------------------------------

def rules(checks, client, version):
    def refused(what, reply, *statuses):
        checks.check(f"{version} {what}", reply.status in statuses and reply.body == b"", reply)

    www = message("www.t.example", 1)
    reply = client.get(www)
    checks.check(f"{version} D1 GET", reply.status == 200 and reply.rcode == 0 and reply.version == version, reply)
    checks.check(f"{version} D1 its fields", reply.fields.get("content-type") == TYPE
                 and reply.fields.get("cache-control") == "max-age=300"
                 and reply.fields.get("content-length") == str(len(reply.body))
                 and "access-control-allow-origin" not in reply.fields, reply)
    checks.equal(f"{version} D1 the id comes back", reply.body[:2], b"\0\0")
    reply = client.post(message("www.t.example", 1, 4711))
    checks.check(f"{version} D2 POST", reply.status == 200 and reply.body[:2] == struct.pack("!H", 4711), reply)
    for what, name, qtype, age in (("a TTL of its own", "short.t.example", 16, 20),
                                   ("NXDOMAIN by its SOA", "no.t.example", 1, 30),
                                   ("NODATA by its SOA", "www.t.example", 16, 30),
                                   ("an alias to nothing", "alias.t.example", 1, 30),
                                   ("a refusal", "elsewhere.example", 1, 0)):
        reply = client.get(message(name, qtype))
        checks.equal(f"{version} D1 max-age of {what}", reply.fields.get("cache-control"), f"max-age={age}")
    refused("D3 no dns=", client.ask("/dns-query"), 400)
    refused("D3 no base64", client.ask("/dns-query?dns=%%%"), 400)
    refused("D3 padded base64", client.ask("/dns-query?dns=" + base64.urlsafe_b64encode(www[:28]).decode()), 400)
    refused("D3 three bytes", client.get(b"abc"), 400)
    refused("D3 three bytes by POST", client.post(b"abc"), 400)
    refused("D4 text/plain", client.post(www, "text/plain"), 415)
    for method in ("PUT", "DELETE", "OPTIONS"):
        reply = client.ask("/dns-query", "-X", method)
        refused(f"D5 {method}", reply, 405)
        checks.equal(f"{version} D5 {method} is told what is allowed", reply.fields.get("allow"), "GET, HEAD, POST")
    reply = client.ask(f"/dns-query?dns={text_of(www)}", "--head")
    checks.check(f"{version} D5 HEAD", reply.status == 200 and reply.body.endswith(b"\r\n\r\n")
                 and reply.fields.get("cache-control") == "max-age=300", reply)  # curl writes the head there
    refused("D6 other path", client.ask("/"), 404)
    refused("D6 a path of another listener", client.get(www, "/other"), 404)
    refused("D7 a body of 70,000", client.post(b"x" * 70000), 413)
    statuses = [client.post(b"x" * 400000).status for _ in range(5)]
    checks.equal(f"{version} D7 who is still sending gets to read the refusal", statuses, [413] * 5)
    refused("D7 a parameter of 90 kB", client.ask("/dns-query?dns=" + "A" * 90000), 0, 414, 431)
    reply = client.post(www[:20])
    checks.check(f"{version} D8 half a question", reply.status == 200 and reply.rcode == 1, reply)
    refused("D8 an answer", client.post(b"\0\0\x80\0" + www[4:]), 400)
    for what, query in (("AXFR", message("t.example", 252)), ("IXFR", message("t.example", 251)),
                        ("NOTIFY", message("t.example", 6, opcode=4)), ("UPDATE", message("t.example", 6, opcode=5))):
        reply = client.post(query)
        checks.check(f"{version} D9 {what} is refused", reply.status == 200 and reply.rcode in (4, 5), reply)
    url = f"https://127.0.0.1:{client.port}/dns-query?dns={text_of(www)}"
    connects = subprocess.run(["curl", "-sk", client.option, "-o", "/dev/null", "-o", "/dev/null", "-w",
                               "%{http_code} %{num_connects}\n", url, url], capture_output=True, text=True, timeout=30)
    checks.equal(f"{version} one connection serves many", connects.stdout, "200 1\n200 0\n")


def long_requests(checks, daemon, client):
    """What is too long is refused before it is decoded or kept."""
    before = rss_kib(daemon)
    config = client.dir / "many"
    config.write_text("".join(
        f'url = "https://127.0.0.1:{client.port}/dns-query?dns={"A" * 60000}"\noutput = /dev/null\n'
        for _ in range(N_LONG)))
    done = subprocess.run(["curl", "-sk", "-m", "60", client.option, "-w", "%{http_code}\n", "-K", config],
                          capture_output=True, text=True, timeout=90)
    statuses = set(done.stdout.split())
    checks.check(f"D7 {N_LONG} long parameters, {client.option}", statuses <= {"414", "431", "000"}, statuses)
    checks.check("D7 memory stays", rss_kib(daemon) <= before + RSS_SPARE_KIB, f"{before} {rss_kib(daemon)}")


def resolvers(checks, daemon, dir):
    for args in (["dig", "+https"], ["dig", "+https-get"],
                 ["kdig", "+https", f"+tls-ca={dir / 'tls.crt'}", f"+tls-hostname={tls.HOST}"],
                 ["kdig", "+https", "+https-get", f"+tls-ca={dir / 'tls.crt'}", f"+tls-hostname={tls.HOST}"]):
        code, out, err = e2e.run(*args, "+short", "-p", str(daemon.dot), "@127.0.0.1", "www.t.example")
        checks.check(f"{args[0]} {' '.join(args[1:3] if args[0] == 'dig' else args[1:2])}",
                     code == 0 and out.strip() == "192.0.2.1", out + err)
    told = tls.s_client(daemon.dot, "-alpn", "h2")
    checks.check("S2 ALPN: h2", "ALPN protocol: h2" in told, told)
    told = tls.s_client(daemon.dot, "-alpn", "http/1.1")
    checks.check("S2 ALPN: http/1.1", "ALPN protocol: http/1.1" in told, told)
    told = tls.s_client(daemon.dot, "-alpn", "dot")
    checks.check("S2 ALPN: only what we do not speak here is refused", "no application protocol" in told, told)


# --- load ---------------------------------------------------------------------------------------

def rss_kib(daemon):
    status = pathlib.Path(f"/proc/{daemon.child.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def load(checks, daemon, dir):
    (dir / "q.bin").write_bytes(message("www.t.example", 1))

    def run(n, *args, tries=3):
        start = time.monotonic()
        done = subprocess.run(["h2load", "-n", str(n), *args, "-d", dir / "q.bin", "-H", f"content-type: {TYPE}",
                               f"https://127.0.0.1:{daemon.dot}/dns-query"], capture_output=True, text=True,
                              timeout=120)
        found = re.search(r"(\d+) succeeded, (\d+) failed", done.stdout)
        got = (int(found.group(1)), int(found.group(2))) if found else done.stdout + done.stderr
        if got != (n, 0) and tries > 1 and starved_s(start) > tls.HANDSHAKE_S / 2:
            return run(n, *args, tries=tries - 1)  # 100 handshakes have their time, also where nobody gets the processor
        return got

    run(N_LOAD // 4, "-c", "100", "-m", "100")  # what the first connections bring along stays
    run(N_LOAD // 4, "-c", "20", "--h1")
    before, n_fds = rss_kib(daemon), daemon.n_fds()
    checks.equal(f"D10 {N_LOAD} requests on 100 connections", run(N_LOAD, "-c", "100", "-m", "100"), (N_LOAD, 0))
    checks.equal(f"D10 {N_LOAD // 4} by HTTP/1.1", run(N_LOAD // 4, "-c", "20", "--h1"), (N_LOAD // 4, 0))
    checks.check("D10 memory stays", rss_kib(daemon) <= before + RSS_SPARE_KIB, f"{before} {rss_kib(daemon)}")
    checks.becomes("D10 nothing stays open", daemon.n_fds, lambda n: n <= n_fds, 5)
    counted = daemon.metric(r'pintle_dns_queries_total\{transport="https",qtype="A",rcode="NOERROR"\}')
    checks.check("queries are counted as https", counted is not None and counted >= N_LOAD, counted)


# --- HTTP/2 by hand -----------------------------------------------------------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 1, 3, 4, 6, 7, 8, 9
CALM = 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def get_block(query):
    """HPACK by hand: a GET over https, nothing enters the table."""
    path = f"/dns-query?dns={text_of(query)}".encode()
    return b"\x82\x87\x04" + bytes([len(path)]) + path + b"\x01\x01x"


class Raw:
    """An HTTP/2 connection that says what it is told to."""

    def __init__(self, port, settings=b""):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        self.stream = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20))
        self.stream.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
        self.data = b""

    def send(self, data):
        """False: the other side has closed."""
        try:
            self.stream.sendall(data)
            return True
        except OSError:
            return False

    def frames(self):
        """(kind, flags, stream, payload) until the connection ends."""
        while True:
            while len(self.data) >= 9:
                n = int.from_bytes(self.data[:3], "big")
                if len(self.data) < 9 + n:
                    break
                kind, flags, stream = struct.unpack("!BBI", self.data[3:9])
                payload, self.data = self.data[9:9 + n], self.data[9 + n:]
                yield kind, flags, stream, payload
            try:
                more = self.stream.recv(65536)
            except OSError:
                return
            if not more:
                return
            self.data += more

    def goaway(self):
        """The error code of the GOAWAY before the end, or None."""
        code = None
        for kind, _, _, payload in self.frames():
            if kind == GOAWAY:
                code = struct.unpack("!I", payload[4:8])[0]
        return code


def floods(checks, daemon):
    block = get_block(message("www.t.example", 1))
    cancel = struct.pack("!I", 8)
    ids = range(1, 2 * N_FLOOD, 2)
    kinds = {
        "rapid reset": [frame(HEADERS, 5, i, block) + frame(RST, 0, i, cancel) for i in ids],
        "SETTINGS": [frame(SETTINGS)] * 10 * N_FLOOD,
        "PING": [frame(PING, 0, 0, b"01234567")] * N_FLOOD,
        "CONTINUATION": [frame(HEADERS, 1, 1, block)] + [frame(CONTINUATION, 0, 1)] * N_FLOOD,
        "HPACK bomb": [frame(HEADERS, 5, 1, block + b"\x40\x01a\x7f\xbd\x1d" + b"b" * 3900)]
                      + [frame(HEADERS, 5, i, block + b"\xbe" * 16000) for i in ids[1:200]],
    }
    def counted():
        return daemon.metric(r'pintle_dns_events_total\{event="https_floods"\}')

    before, n_before = rss_kib(daemon), counted()
    for name, frames in kinds.items():
        raw = Raw(daemon.dot)
        for at in range(0, len(frames), 100):
            if not raw.send(b"".join(frames[at:at + 100])):
                break
        code = raw.goaway()
        # A reset may overtake the GOAWAY: we close while the client still sends.
        checks.check(f"D11 {name}: GOAWAY or the end", code in (CALM, None), code)
        raw.stream.close()
    raw = Raw(daemon.dot)
    raw.send(frame(WINDOW, 0, 0, b"\0\0\0\0"))
    checks.equal("D11 WINDOW_UPDATE 0: PROTOCOL_ERROR", raw.goaway(), 1)
    raw.stream.close()
    checks.equal("D11 floods are counted", counted() - n_before, len(kinds))
    checks.check("D11 memory stays", rss_kib(daemon) <= before + RSS_SPARE_KIB, f"{before} {rss_kib(daemon)}")


def never_reading(checks, daemon):
    """Windows of nothing: whoever never takes its answers is closed like anybody idle, and told."""
    block = get_block(message("www.t.example", 1))
    raw = Raw(daemon.dot, struct.pack("!HI", 4, 0))
    raw.send(b"".join(frame(HEADERS, 5, i, block) for i in range(1, 200, 2)))
    start = time.monotonic()
    kinds = [(kind, stream) for kind, _, stream, _ in raw.frames()]
    took, late = time.monotonic() - start, starved_s(start)
    checks.check("D11 answers never read: heads alone", sum(kind == HEADERS for kind, _ in kinds) == 100
                 and not any(kind == 0 for kind, _ in kinds), len(kinds))
    checks.check(f"D11 and the end after {IDLE_S} s", IDLE_S - 1 < took < IDLE_S + 2 + late, took)
    checks.check("an idle client is told with a GOAWAY", kinds[-1][0] == GOAWAY, kinds[-1:])
    raw.stream.close()


def cut_short(checks, daemon):
    """Requests octet by octet, in TLS records of their own; clients that leave in the middle."""
    block = get_block(message("www.t.example", 1))
    raw = Raw(daemon.dot)
    for octet in frame(HEADERS, 5, 1, block):
        raw.send(bytes([octet]))
    body = next(payload for kind, _, _, payload in raw.frames() if kind == 0)
    checks.check("one octet per record", body[3] & 15 == 0 and body.endswith(bytes([192, 0, 2, 1])), body.hex())
    raw.stream.close()
    before = daemon.n_fds()
    for i in range(100):
        raw = Raw(daemon.dot)
        raw.send((frame(HEADERS, 4, 1, block) + frame(HEADERS, 5, 3, block))[:i * 3])
        raw.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.stream.close()
    checks.becomes("clients that reset in the middle leave nothing behind", daemon.n_fds, lambda n: n <= before, 5)


def late(checks, daemon):
    """A slow question holds up nobody on its connection; one that is cancelled or unanswered harms nobody."""
    raw = Raw(daemon.dot)
    asked = {1: message("a.slow.test", 1), **{i: message("www.t.example", 1) for i in range(3, 200, 2)}}
    start, done = time.monotonic(), []
    raw.send(b"".join(frame(HEADERS, 5, i, get_block(query)) for i, query in asked.items()))
    for kind, _, stream, payload in raw.frames():
        if kind == 0:
            done.append((stream, payload[3] & 15, time.monotonic() - start))
        if len(done) == len(asked):
            break
    checks.check("a slow question comes last, the others at once", done[-1][0] == 1 and done[-2][2] < SLOW_S / 2 + starved_s(start)
                 and all(rcode == 0 for _, rcode, _ in done), done[-2:])
    start = time.monotonic()
    raw.send(frame(HEADERS, 5, 301, get_block(message("dead.a.slow.test", 1))) + frame(RST, 0, 301, b"\0\0\0\x08")
             + frame(HEADERS, 5, 303, get_block(message("dead.b.slow.test", 1))))
    stream, rcode = next((stream, payload[3] & 15) for kind, _, stream, payload in raw.frames() if kind == 0)
    took = time.monotonic() - start
    checks.check(f"a dead upstream is a SERVFAIL within {DEAD_S} s", (stream, rcode) == (303, 2) and took - starved_s(start) < DEAD_S, took)
    raw.stream.close()
    raw = Raw(daemon.dot)  # left with its question pending
    raw.send(frame(HEADERS, 5, 1, get_block(message("b.slow.test", 1))))
    raw.stream.close()
    time.sleep(2 * SLOW_S)


def all_parts(checks, dir):
    (dir / "c1").mkdir()
    (dir / "t.zone").write_text(ZONE)
    upstream = Upstream()
    (dir / "pintle.yaml").write_text(CONFIG.format(plain=0, dot=0, upstream=upstream.port))
    tls.make_certificate(dir)
    daemon = tls.TlsDaemon(dir, "doh", "https")
    try:
        clients = {"2": Client(daemon.dot, "--http2", dir), "1.1": Client(daemon.dot, "--http1.1", dir)}
        for version, client in clients.items():
            rules(checks, client, version)
            long_requests(checks, daemon, client)
        counted = daemon.metric(r'pintle_dns_events_total\{event="https_refused"\}')
        checks.check("refused requests are counted", counted is not None and counted >= 30, counted)
        resolvers(checks, daemon, dir)
        load(checks, daemon, dir)
        floods(checks, daemon)
        cut_short(checks, daemon)
        late(checks, daemon)
        never_reading(checks, daemon)
        checks.equal("and it still answers", clients["2"].get(message("www.t.example", 1)).status, 200)
    finally:
        checks.equal("the daemon ends well", daemon.stop(), 0)


if __name__ == "__main__":
    # A sanitized daemon must give memory back as a plain one does.
    os.environ["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1")))
    sys.exit(e2e.play("doh", all_parts))
