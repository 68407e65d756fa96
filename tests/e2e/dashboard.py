#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard's side of the daemon: its files, its stream of events, and who may see what.

What a browser makes of it is in tests/web. Same form of report as run.py, whose tools it uses.
"""

import base64
import gzip
import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

from run import Daemon, PINTLECTL, SLOW, play

ROUTE = "inventory-default-1951cbe339d38e1f.pintle.internal"
TOKEN = "correct-horse-battery-staple"
STREAMS_MAX = 16
CROWD = 80  # idle connections: more than are held, and fewer than wait in the kernel
WAIT_S = 60
HEADERS = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
           "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                                      "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"}


def ask(daemon, path, method="GET", to=None, **headers):
    """(status, headers, body) of one request."""
    host, port = (to or daemon.admin).rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=30 * SLOW)
    try:
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


class Events(threading.Thread):
    """Reads a stream; what came is in `events` as (name, id, data)."""

    def __init__(self, daemon, query, **headers):
        super().__init__(daemon=True)
        host, port = daemon.admin.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=30 * SLOW)
        self.connection.request("GET", f"/api/v1/stream?{query}", headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.reply = self.connection.getresponse()
        self.status, self.events, self.text = self.reply.status, [], ""
        if self.status == 200:
            self.start()

    def run(self):
        try:
            while data := self.reply.read1(65536):
                self.text += data.decode()
                *blocks, self.text = self.text.split("\n\n")
                for block in blocks:
                    fields = dict(line.split(": ", 1) for line in block.split("\n"))
                    if "data" in fields:
                        self.events.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # it was closed

    def of(self, name):
        return [data for event, _, data in self.events if event == name]

    def stop(self):
        self.connection.sock and self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.connection.close()


def files(checks, dir):
    daemon = Daemon(dir, "files", "--dev")
    try:
        status, headers, page = ask(daemon, "/")
        checks.equal("the page is there", (status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        for name, value in HEADERS.items():
            checks.equal(f"it says {name}", headers[name], value)
        checks.check("nothing in it comes from elsewhere, nothing is written in it",
                     not re.search(rb"https?://|<script>|<style|\son\w+=|style=", page), page)
        wanted = sorted(set(re.findall(rb'(?:src|href)="(/[^"]+)"', page)))
        script = ask(daemon, "/web/app.js")[2]
        wanted += [b"/web/" + name for name in re.findall(rb"from '\./([a-z]+\.js)'", script)]
        for path in wanted:
            status, headers, plain = ask(daemon, path.decode())
            checks.equal(f"{path.decode()} is there", (status, headers["X-Content-Type-Options"]), (200, "nosniff"))
            status, headers, packed = ask(daemon, path.decode(), Accept_Encoding="gzip")
            if headers["Content-Encoding"] == "gzip":
                checks.check(f"{path.decode()} packed is the same", gzip.decompress(packed) == plain)
        status, headers, plain = ask(daemon, "/web/vendor/uplot.js")
        again = ask(daemon, "/web/vendor/uplot.js", If_None_Match=headers["ETag"])
        checks.equal("who has a file is not sent it again", (again[0], again[2]), (304, b""))
        checks.check("who has another one is", ask(daemon, "/web/vendor/uplot.js", If_None_Match='"x"')[2] == plain)
        fastest = long_replies(daemon)
        checks.check("a long reply does not wait until the client acknowledges its beginning", fastest < 0.03, f"{fastest * 1000:.1f} ms")
        checks.equal("HEAD has no body", ask(daemon, "/", "HEAD")[2], b"")
        checks.equal("other files are not there", [ask(daemon, p)[0] for p in ("/web/../x", "/web/", "/web/x.js", "/x")], [404] * 4)
        status, headers, page = ask(daemon, "/plain")
        checks.check("without scripts there are tables", status == 200 and ROUTE.encode() in page and b"<table>" in page and b"in sync" in page, page)
        checks.equal("the API's pages have the same headers", ask(daemon, "/api/v1/status")[1]["Content-Security-Policy"], HEADERS["Content-Security-Policy"])
    finally:
        checks.equal("it ends well", daemon.stop(), 0)


def long_replies(daemon):
    """Seconds of the fastest of some long replies on one connection, where a client acknowledges late."""
    host, port = daemon.admin.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=30 * SLOW)
    took = []
    try:
        for _ in range(40):
            begin = time.monotonic()
            connection.request("GET", "/web/vendor/uplot.js")
            connection.getresponse().read()
            took.append(time.monotonic() - begin)
    finally:
        connection.close()
    return min(took[20:])


def stream(checks, dir):
    daemon = Daemon(dir, "stream", "--dev")
    try:
        checks.equal("a topic that is none", ask(daemon, "/api/v1/stream?topics=clusters,x")[0], 400)
        checks.equal("HEAD of a stream ends", ask(daemon, "/api/v1/stream", "HEAD")[0], 200)
        events = Events(daemon, "topics=clusters,traffic,records,queries")
        checks.equal("a stream is of events", events.reply.headers["Content-Type"], "text/event-stream")
        checks.becomes("all topics come at once", lambda: {e[0] for e in events.events},
                       lambda names: {"clusters", "traffic", "records"} <= names)
        checks.equal("the clusters' state comes whole", [c["name"] for c in events.of("clusters")[0]["clusters"]["items"]], ["c1", "c2", "c3"])
        checks.equal("there are no records", events.of("records")[0], None)
        named = Events(daemon, "topics=queries&filter=INVENTORY%20AAAA")

        def asked():
            for name, rrtype in ((ROUTE, "A"), (ROUTE, "AAAA"), ("nobody.pintle.internal", "A")):
                daemon.dig(name, rrtype)
            return [item for batch in events.of("queries") for item in batch["items"]]

        checks.becomes("questions come", asked, lambda items: len(items) >= 6)
        items = asked()
        first = next(item for item in items if item["type"] == "A" and item["name"] == f"{ROUTE}.")
        checks.check("with who asked, what was answered and how long it took",
                     first["rcode"] == "NOERROR" and first["answers"][0] in ("10.96.1.1", "10.20.1.21") and first["n"] == 1
                     and first["peer"].startswith("127.0.0.1:") and first["transport"] == "udp" and 0 <= first["tookUs"] < 60e6, first)
        checks.check("and why, for whose view", "why=drawn" in first["why"] and " view=c1" in first["why"], first)
        checks.check("denials too", any(item["rcode"] == "NXDOMAIN" and item["answers"] == [] for item in items), items)
        checks.becomes("a filter's words all count, in any case",
                       lambda: {(i["name"], i["type"]) for b in named.of("queries") for i in b["items"]}, lambda seen: seen == {(f"{ROUTE}.", "AAAA")})
        checks.becomes("answers are counted and timed", lambda: events.of("traffic")[-1],
                       lambda t: t["rcodes"]["NXDOMAIN"] > 0 and t["queries"] >= 6 and "p99" in [*t["tookUs"], *sum((list(x["tookUs"]) for x in events.of("traffic")), [])])
        last_id = [e[1] for e in events.events if e[0] == "clusters"][-1]
        events.stop()
        named.stop()
        resumed = Events(daemon, "topics=clusters,traffic", Last_Event_ID=last_id)
        checks.becomes("who comes back gets what goes on", lambda: len(resumed.of("traffic")), lambda n: n >= 2)
        checks.check("and not again what it has", resumed.events[0][0] == "traffic", resumed.events[0])
        resumed.stop()
        limits(checks, daemon)
    finally:
        checks.equal("it ends well", daemon.stop(), 0)


def tail(checks, dir):
    daemon = Daemon(dir, "tail", "--dev")
    try:
        child = subprocess.Popen([PINTLECTL, "tail", "inventory", "aaaa", "-n", "3", "-o", "json", "--admin", daemon.admin],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

        def asked():
            daemon.dig(ROUTE)
            daemon.dig(ROUTE, "AAAA")
            return child.poll()

        checks.becomes("tail ends when it has shown as many as it should", asked, lambda code: code is not None)
        child.kill()
        items = [json.loads(line) for line in child.communicate()[0].splitlines()]
        checks.equal("and shows those with all the words", [(i["name"], i["type"]) for i in items], [(f"{ROUTE}.", "AAAA")] * 3)
    finally:
        daemon.stop()


def limits(checks, daemon):
    def opened():
        many = [Events(daemon, "topics=traffic") for _ in range(STREAMS_MAX)]
        is_full = all(e.status == 200 for e in many) and ask(daemon, "/api/v1/stream?topics=traffic")[0] == 503
        for one in many:
            one.stop()
        return is_full

    checks.becomes("no more streams than there may be, and their places come back", opened, bool)
    checks.becomes("twice", opened, bool)
    host, port = daemon.admin.rsplit(":", 1)
    with socket.socket() as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # reads nothing, and has hardly any room in its kernel
        sock.connect((host, int(port)))
        sock.sendall(b"GET /api/v1/stream?topics=queries HTTP/1.1\r\nHost: localhost\r\n\r\n")
        asker.connect(("127.0.0.1", daemon.port))
        reader = Events(daemon, "topics=traffic")
        checks.becomes("others go on beside one that does not read", lambda: len(reader.of("traffic")), lambda n: n >= 3)
        reader.stop()
        question = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\5redis\5redis\3svc\nclusterset\5local\0\0\1\0\1"

        def is_full():
            for _ in range(400):
                asker.send(question)
                time.sleep(0.0005)
            return not opened()

        checks.check("it has its place", is_full())
        checks.becomes("until too much has not been read", is_full, lambda is_there: not is_there, 4 * WAIT_S)
    daemon.dig(ROUTE)
    checks.equal("questions are answered after all that", daemon.dig(ROUTE).status, "NOERROR")


def own_address():
    """An address of this machine that is no loopback one, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
            address = sock.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


def access(checks, dir):
    (dir / "c1").mkdir()
    (dir / "token").write_text(TOKEN + "\n")
    (dir / "token").chmod(0o600)
    base = "clusters: [{name: c1, directory: c1}]\n"
    (dir / "token.yaml").write_text(base + "admin: {tokenFile: token, changes: token}\n")
    (dir / "plain.yaml").write_text(base)
    daemon = Daemon(dir, "token", "--config", dir / "token.yaml")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    try:
        for path in ("/livez", "/readyz", "/metrics", "/", "/web/app.js", "/api"):
            checks.equal(f"{path} wants no token", ask(daemon, path)[0], 200)
        for path in ("/api/v1/status", "/api/v1/stream", "/plain", "/api/v1/records"):
            status, headers, _ = ask(daemon, path)
            wanted = "Basic" if path == "/plain" else "Bearer"
            checks.equal(f"{path} wants one", (status, headers["WWW-Authenticate"]), (401, f'{wanted} realm="pintled"'))
        checks.equal("with it they are shown", ask(daemon, "/api/v1/status", **bearer)[0], 200)
        for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", "Basic !!", f"Digest {TOKEN}", TOKEN):
            checks.equal(f"not with \"{wrong}\"", ask(daemon, "/api/v1/status", Authorization=wrong)[0], 401)
        basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
        checks.equal("as a password, too", ask(daemon, "/plain", Authorization=f"Basic {basic}")[0], 200)
        checks.equal("a change wants it", ask(daemon, "/api/v1/drains", "POST")[0], 401)
        checks.equal("no change from a web page", ask(daemon, "/api/v1/drains", "POST", Origin="http://a.example", **bearer)[0], 403)
        events = Events(daemon, "topics=clusters", **bearer)
        checks.becomes("a stream with it", lambda: len(events.of("clusters")), bool)
        events.stop()
        code, _, stderr = daemon.ctl("status")
        checks.check("pintlectl says what is wanted", code == 5 and "token" in stderr, (code, stderr))
        os.environ["PINTLE_TOKEN_FILE"] = str(dir / "token")
        code, _, stderr = daemon.ctl("status")
        checks.check("and takes it from a file", code == 0, (code, stderr))
        del os.environ["PINTLE_TOKEN_FILE"]
        checks.check("the token is in no log", TOKEN not in daemon.log_text())
    finally:
        checks.equal("it ends well", daemon.stop(), 0)
    rebinding(checks, dir)


def rebinding(checks, dir):
    daemon = Daemon(dir, "plain", "--config", dir / "plain.yaml", admin="0.0.0.0:0")
    port = daemon.admin.rsplit(":", 1)[1]
    daemon.admin = f"127.0.0.1:{port}"
    try:
        checks.equal("this machine sees all", ask(daemon, "/api/v1/status")[0], 200)
        checks.equal("as localhost, too", ask(daemon, "/api/v1/status", Host=f"localhost:{port}")[0], 200)
        checks.equal("not by a name that somebody else gave it", ask(daemon, "/api/v1/status", Host=f"evil.example:{port}")[0], 403)
        elsewhere = own_address()
        if elsewhere is not None:
            to = f"{elsewhere}:{port}"
            checks.equal("from elsewhere health and metrics are seen", [ask(daemon, p, to=to)[0] for p in ("/livez", "/readyz", "/metrics")], [200] * 3)
            checks.equal("and nothing else", [ask(daemon, p, to=to)[0] for p in ("/api/v1/status", "/api/v1/stream", "/plain")], [403] * 3)
    finally:
        checks.equal("it ends well", daemon.stop(), 0)


def raw(daemon, text, wait_s=30 * SLOW):
    """The first line of what comes back, "" when the connection just ends, None when neither happens."""
    host, port = daemon.admin.rsplit(":", 1)
    with socket.create_connection((host, int(port)), wait_s) as sock:
        try:
            sock.sendall(text)
            return sock.recv(65536).split(b"\r\n")[0].decode()
        except TimeoutError:
            return None
        except OSError:
            return ""


class Dripper(threading.Thread):
    """Sends a byte at a time, and notes when it was cut off."""

    def __init__(self, daemon, begin, byte):
        super().__init__(daemon=True)
        host, port = daemon.admin.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), 60)
        self.begin, self.byte, self.since, self.took = begin, byte, time.monotonic(), None
        self.start()

    def run(self):
        try:
            self.sock.sendall(self.begin)
            self.sock.settimeout(0.3)
            while True:
                self.sock.sendall(self.byte)
                try:
                    if self.sock.recv(4096) == b"":
                        break
                except TimeoutError:
                    pass
        except OSError:
            pass
        self.took = time.monotonic() - self.since


def resident_kib(daemon):
    text = open(f"/proc/{daemon.child.pid}/status", encoding="ascii").read()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


def strangers(checks, dir):
    """Whoever can connect, and web pages of others in a browser on this machine."""
    daemon = Daemon(dir, "strangers", "--dev")
    host, port = daemon.admin.rsplit(":", 1)
    held = []
    try:
        drippers = [Dripper(daemon, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"x"),
                    Dripper(daemon, b"GET /metr", b"x"),
                    Dripper(daemon, b"POST /api/v1/drains HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                    b"Content-Length: 60000\r\n\r\n{", b" ")]
        for _ in range(200):
            held.append(socket.create_connection((host, int(port)), 60))
        checks.becomes("beside 200 who say nothing the API answers", lambda: ask(daemon, "/api/v1/status")[0], lambda s: s == 200)
        checks.equal("and DNS", daemon.dig(ROUTE).status, "NOERROR")
        checks.check("their number is bounded", len(os.listdir(f"/proc/{daemon.child.pid}/fd")) < 120, os.listdir(f"/proc/{daemon.child.pid}/fd"))
        checks.becomes("who sends a byte at a time is cut off", lambda: [d.took for d in drippers], lambda took: None not in took)
        checks.becomes("and so are they", lambda: len(os.listdir(f"/proc/{daemon.child.pid}/fd")), lambda n: n < 64)

        status = b"GET /api/v1/status HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n"
        for what, text in (("a header of 9000 letters", status % (b"localhost", b"X-Long: " + b"x" * 9000 + b"\r\n")),
                           ("2000 headers", status % (b"localhost", b"X-Many: x\r\n" * 2000)),
                           ("a path of 20000 letters", b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                           ("a body of 10 GB", b"POST /api/v1/drains HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n"),
                           ("a length below 0", b"POST /api/v1/drains HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"),
                           ("a NUL", b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n"), ("no HTTP", b"\x16\x03\x01\x02\0\x01\r\n\r\n")):
            said = raw(daemon, text)
            checks.check(f"{what}: refused", said is not None and (said == "" or re.match(r"HTTP/1\.[01] (4|50)", said)), said)

        for name in ("localhost", "LOCALHOST:9153", f"127.0.0.1:{port}", "[::1]"):
            checks.check(f"asked as {name}", raw(daemon, status % (name.encode(), b"")).startswith("HTTP/1.1 200"))
        for name in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1.", "localhost@evil.example", "xlocalhost", "-"):
            said = raw(daemon, status % (name.encode(), b""))
            checks.check(f"not as {name}", said.split()[1] in ("400", "403"), said)
        said = raw(daemon, b"GET http://evil.example/api/v1/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        checks.check("nor in a whole URL", said.split()[1] in ("400", "403"), said)

        json_type = {"Content-Type": "application/json"}
        for what, headers in (("its Origin", {"Origin": "http://evil.example", **json_type}), ("our own Origin", {"Origin": f"http://{daemon.admin}", **json_type}),
                              ("no Origin, as null", {"Origin": "null", **json_type}), ("a form", {"Content-Type": "text/plain"}),
                              ("its name", {"Host": "evil.example", **json_type}), ("Sec-Fetch-Site", {"Sec-Fetch-Site": "cross-site", **json_type})):
            checks.check(f"no change by a page with {what}", ask(daemon, "/api/v1/drains", "POST", **headers)[0] in (400, 403))
        replied = ask(daemon, "/api/v1/drains", "OPTIONS", Origin="http://evil.example", Access_Control_Request_Method="POST")
        checks.check("a preflight permits nothing", replied[0] == 405 and "Access-Control-Allow-Origin" not in replied[1], replied)
        for path in ("/api/v1/status", "/api/v1/stream", "/plain"):
            checks.equal(f"a page of another site cannot have {path} opened", ask(daemon, path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0], 403)
        checks.equal("a link may be followed", ask(daemon, "/plain", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0], 200)
        checks.equal("our own page may ask", ask(daemon, "/api/v1/status", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors")[0], 200)

        before = resident_kib(daemon)
        greedy = socket.create_connection((host, int(port)), 60)
        held.append(greedy)
        greedy.setblocking(False)
        try:
            for _ in range(2000):
                greedy.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        except BlockingIOError:
            pass
        checks.equal("who asks and never reads keeps nobody waiting", ask(daemon, "/api/v1/status")[0], 200)
        checks.check("and costs little", resident_kib(daemon) - before < 8192, (before, resident_kib(daemon)))
        checks.equal("DNS after all that", daemon.dig(ROUTE).status, "NOERROR")
    finally:
        for sock in held:
            sock.close()
        checks.equal("it ends well", daemon.stop(), 0)


def beside_streams(checks, dir):
    """Streams are the oldest connections there are, and make no room: others do, at once."""
    daemon = Daemon(dir, "beside", "--dev")
    host, port = daemon.admin.rsplit(":", 1)
    streams = [Events(daemon, "topics=traffic") for _ in range(STREAMS_MAX)]

    def took():
        began = time.monotonic()
        held = [socket.create_connection((host, int(port)), 60) for _ in range(CROWD)]
        status = ask(daemon, "/readyz")[0]
        seconds = time.monotonic() - began
        for sock in held:
            sock.close()
        return status == 200 and seconds

    # idle connections end by themselves after 10 s, which is what a probe waited for
    checks.becomes("a crowd of idle connections beside all streams keeps no probe waiting", took, lambda s: s and s < 5)
    n_before = [len(e.of("traffic")) for e in streams]
    checks.becomes("the streams go on", lambda: [len(e.of("traffic")) for e in streams],
                   lambda now: all(n > before for n, before in zip(now, n_before)))
    for one in streams:
        one.stop()
    checks.equal("and it ends well", daemon.stop(), 0)


if __name__ == "__main__":
    sys.exit(play("dashboard", files, stream, tail, access, strangers, beside_streams))
