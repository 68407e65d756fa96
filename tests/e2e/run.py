#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pintled and pintlectl as people use them: real processes, cluster directories, the real dig.

Prints one line per check and, alone on the last line, "N passed, N failed". PINTLED and PINTLECTL name the
programs (default: build/). Every wait is a poll with an end.
"""

import collections
import http.server
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from apart import apart  # noqa: E402, F401: for those that import this
import mmdb  # noqa: E402: pylint: disable=wrong-import-position
import ports  # noqa: E402: pylint: disable=wrong-import-position
import starved  # noqa: E402: pylint: disable=wrong-import-position
PINTLED = os.environ.get("PINTLED", str(ROOT / "build" / "pintled"))
PINTLECTL = os.environ.get("PINTLECTL", str(ROOT / "build" / "pintlectl"))

INVENTORY = "inventory-default-1951cbe339d38e1f.pintle.internal"
GLOBAL = "userlist-svc.song.svc.clusterset.local"
VER1, VER2 = "10.96.1.1", "10.20.1.21"  # as c1 sees them: its own ClusterIP, the endpoint in c2
SLOW = int(os.environ.get("PINTLE_SLOW", "1"))  # how many times slower the build is than a plain one
WAIT_S = 20
START_S = 60  # of a sanitized build on a busy machine
POLL_S = 0.02
LOOKS_PER_S = 5  # at least


class Checks:
    """Counts and prints."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, is_good, seen=""):
        if is_good:
            self.passed += 1
            print(f"ok      {what}", flush=True)
        else:
            self.failed += 1
            print(f"not ok  {what}\n        {str(seen)[:1500]}", flush=True)
        return is_good

    def equal(self, what, seen, wanted):
        return self.check(what, seen == wanted, f"wanted {wanted!r}\n        got    {seen!r}")

    def becomes(self, what, look, is_good, seconds=WAIT_S):
        """Looks until it is good or time is up; returns how long it took.

        A machine that stood still meanwhile has moved the clock and nothing else: without looks time is not up.
        """
        start = time.monotonic()
        n_looks_left = seconds * LOOKS_PER_S
        while True:
            seen = look()
            took = time.monotonic() - start
            n_looks_left -= 1
            if is_good(seen) or (took > seconds and n_looks_left <= 0):
                self.check(what, is_good(seen), f"after {took:.1f} s: {seen}")
                return took
            time.sleep(POLL_S)


class Answer:
    """What dig printed."""

    def __init__(self, text):
        self.text = text
        status = re.search(r"status: (\w+)", text)
        flags = re.search(r"flags: ([a-z ]*);", text)
        ede = re.search(r"EDE: (\d+)", text)
        self.status = status.group(1) if status else "NONE"
        self.flags = flags.group(1).split() if flags else []
        self.ede = int(ede.group(1)) if ede else None
        self.answer = self.section("ANSWER")
        self.authority = self.section("AUTHORITY")

    def section(self, name):
        found = re.search(rf";; {name} SECTION:\n(.*?)\n\n", self.text + "\n\n", re.S)
        return [line.split(None, 4) for line in found.group(1).split("\n")] if found else []

    @property
    def data(self):
        return [row[4] for row in self.answer]

    @property
    def has_soa(self):
        return len(self.authority) == 1 and self.authority[0][3] == "SOA"


class Daemon:
    """One pintled on free ports."""

    def __init__(self, dir, name, *args, admin="127.0.0.1:0"):
        self.out = dir / f"{name}.out"
        self.log = dir / f"{name}.log"
        self.port = self.admin = None
        with open(self.out, "wb") as out, open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                [PINTLED, "--listen", f"127.0.0.1:{ports.free_port()}", "--admin", admin, *map(str, args)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        starved.watch(self.child.pid)
        end = time.monotonic() + START_S
        while self.admin is None and self.child.poll() is None and time.monotonic() < end:
            time.sleep(POLL_S)
            port = re.search(r"answering DNS on 127\.0\.0\.1:(\d+)", self.log_text())
            admin = re.search(r"admin on https?://(\S+)/", self.log_text())
            if port and admin:
                self.port, self.admin = int(port.group(1)), admin.group(1)
        if self.admin is None:
            self.stop()
            raise RuntimeError(f"{name} did not start:\n{self.log_text()}")

    def log_text(self):
        return self.log.read_text(errors="replace")

    def dig(self, name, rrtype="A", *options):
        done = subprocess.run(
            ["dig", "-r", "@127.0.0.1", "-p", str(self.port), "+tries=1", "+time=3", "+noall", "+comments",
             "+answer", "+authority", *options, name, rrtype],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return Answer(done.stdout)

    def firsts(self, name, n=30):
        return collections.Counter((self.dig(name).data or ["none"])[0] for _ in range(n))

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=30 * SLOW) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as err:
            return err.code, err.read().decode(errors="replace")

    def ctl(self, *args):
        done = subprocess.run([PINTLECTL, *args, "--admin", self.admin], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def stop(self, signo=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(signo)
        try:
            return self.child.wait(3 * WAIT_S * SLOW)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return "had to be killed"


def run(*args):
    """A program to its end: (exit code, standard output, standard error)."""
    done = subprocess.run(list(map(str, args)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def replace(path, old, new):
    """Changes a file the way an editor does: a new one in its place."""
    text = path.read_text()
    if old not in text:
        raise RuntimeError(f"{path} does not say {old!r}")
    fresh = path.with_name("." + path.name + ".new")
    fresh.write_text(text.replace(old, new))
    fresh.rename(path)


# --- Dev mode -------------------------------------------------------------------------------------


def check_answers(checks, daemon):
    counts = daemon.firsts(INVENTORY)
    checks.check("10/90: of 30 questions in a row 3 +/- 1 show version 1, the others version 2",
                 2 <= counts[VER1] <= 4 and counts[VER1] + counts[VER2] == 30, counts)
    one = daemon.dig(INVENTORY)
    checks.check("its answer is one address, authoritative, TTL 5",
                 len(one.data) == 1 and "aa" in one.flags and one.answer[0][1] == "5", one.text)
    mixed = daemon.dig("InVentory-DEFAULT-1951cbe339d38e1f.Pintle.Internal")
    checks.check("the letters' case is kept as asked and means nothing",
                 mixed.answer and mixed.answer[0][0].startswith("InVentory-DEFAULT"), mixed.text)
    both = daemon.dig(GLOBAL)
    checks.check("a global service answers from c1 and c2",
                 "10.96.2.1" in both.data and any(ip.startswith("10.20.2.") for ip in both.data), both.text)
    far = daemon.dig("helloworld.sample.svc.clusterset.local")
    checks.equal("another network is reached through its gateway",
                 sorted(far.data), ["10.20.4.11", "10.96.4.1", "203.0.113.10"])
    checks.equal("a headless pod has a name of its own",
                 daemon.dig("redis-1.c2.redis.redis.svc.clusterset.local").data, ["10.20.3.11"])
    checks.equal("a headless service shows every ready endpoint",
                 len(daemon.dig("redis.redis.svc.clusterset.local").data), 6)
    srv = daemon.dig("_client._tcp.redis.redis.svc.clusterset.local", "SRV")
    checks.check("SRV carries the port", len(srv.data) == 6 and all(" 6379 " in d for d in srv.data), srv.text)
    code, text, _ = daemon.ctl("names", "list", "-o", "json")
    rates = [item["assignedName"] for item in json.loads(text)["items"] if item["name"] == "rates"]
    checks.equal("a route by path answers its Gateway's address", daemon.dig(rates[0]).data, ["192.0.2.80"])
    tcp = daemon.dig(GLOBAL, "A", "+tcp")
    checks.check("TCP answers too", tcp.status == "NOERROR" and tcp.data, tcp.text)
    wide = daemon.dig("redis.redis.svc.clusterset.local", "A", "+noedns")
    checks.check("without EDNS there is no OPT in the answer",
                 wide.status == "NOERROR" and "OPT PSEUDOSECTION" not in wide.text, wide.text)


def check_negatives(checks, daemon):
    gone = daemon.dig("nobody.pintle.internal")
    checks.check("a name that does not exist is NXDOMAIN with the zone's SOA",
                 gone.status == "NXDOMAIN" and gone.has_soa, gone.text)
    checks.check("negative answers are kept 5 s at most",
                 gone.has_soa and int(gone.authority[0][1]) <= 5
                 and int(gone.authority[0][4].split()[-1]) <= 5, gone.text)
    nodata = daemon.dig(GLOBAL, "AAAA")
    checks.check("a type that a name lacks is NODATA with the zone's SOA",
                 nodata.status == "NOERROR" and not nodata.answer and nodata.has_soa, nodata.text)
    for name in ("svc.clusterset.local", "song.svc.clusterset.local"):
        empty = daemon.dig(name)
        checks.check(f"an empty non-terminal exists: {name}",
                     empty.status == "NOERROR" and not empty.answer and empty.has_soa, empty.text)
    soa = daemon.dig("clusterset.local", "SOA")
    checks.check("a zone has a SOA at its apex", soa.status == "NOERROR" and len(soa.answer) == 1, soa.text)
    root = daemon.dig(".", "NS")
    checks.check("'. NS', CoreDNS's health check, is REFUSED at once", root.status == "REFUSED", root.text)
    outside = daemon.dig("example.com")
    checks.check("a name outside our zones is REFUSED with EDE 20",
                 outside.status == "REFUSED" and outside.ede == 20, outside.text)


def check_metrics(checks, daemon):
    status, text = daemon.get("/metrics")
    checks.check("metrics: clusters are up, queries counted",
                 status == 200 and 'pintle_cluster_up{cluster="c1"} 1' in text
                 and re.search(r'pintle_dns_queries_total\{transport="udp",qtype="A",rcode="NOERROR"\} [1-9]', text)
                 and re.search(r'pintle_dns_queries_total\{transport="tcp",qtype="A",rcode="NOERROR"\} [1-9]', text),
                 text)
    types, wrong, seen = {}, [], set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            types[name] = kind
            if (kind == "counter") != name.endswith("_total"):
                wrong.append(f"{kind} {name}")
        elif line.startswith("# HELP "):
            if len(line.split(None, 3)) < 4:
                wrong.append(line)
        else:
            sample = re.fullmatch(r'([a-z_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? ([-+.e0-9]+|\+Inf)', line)
            base = sample and re.sub(r"_(bucket|sum|count)$", "", sample.group(1))
            if not sample or (sample.group(1) not in types and types.get(base) != "histogram"):
                wrong.append(line)
            elif line.rsplit(" ", 1)[0] in seen:
                wrong.append(f"twice: {line}")
            seen.add(line.rsplit(" ", 1)[0])
    checks.check("metrics: every sample has its HELP and TYPE, counters end in _total, nothing is there twice",
                 not wrong and len(types) > 20, wrong)


def check_admin(checks, daemon):
    for path in ("/livez", "/health", "/healthz", "/readyz", "/ready"):
        checks.equal(f"GET {path}", daemon.get(path)[0], 200)
    status, text = daemon.get("/readyz?verbose")
    checks.check("readyz?verbose names listeners and clusters",
                 status == 200 and "[+]listener-127.0.0.1:" in text and "[+]cluster-c3 ok" in text, text)
    checks.equal("an unknown page is 404", daemon.get("/nope")[0], 404)
    request = urllib.request.Request(f"http://{daemon.admin}/livez", data=b"x", method="POST")
    try:
        code = urllib.request.urlopen(request, timeout=30).status
    except urllib.error.HTTPError as err:
        code = err.code
    checks.equal("POST is 405", code, 405)
    head = urllib.request.Request(f"http://{daemon.admin}/api/v1/names", method="HEAD")
    with urllib.request.urlopen(head, timeout=30) as reply:
        checks.check("HEAD gives headers alone",
                     reply.read() == b"" and int(reply.headers["Content-Length"]) > 100
                     and reply.headers["X-Content-Type-Options"] == "nosniff", reply.headers)
    checks.equal("a wrong name to explain is 400", daemon.get("/api/v1/explain?name=a..b")[0], 400)
    status, text = daemon.get("/api/v1/clusters")
    checks.equal("the clusters page lists all", [c["name"] for c in json.loads(text)["items"]], ["c1", "c2", "c3"])
    check_metrics(checks, daemon)


def check_ctl(checks, daemon):
    code, text, _ = daemon.ctl("status")
    checks.check("status: all is well, exit 0", code == 0 and "3 of 3 clusters up" in text, text)
    code, text, _ = daemon.ctl("status", "--wait", "--wait-duration", "5s", "-o", "json")
    *lines, last = map(json.loads, text.splitlines())
    checks.check("status --wait -o json is a line for each cluster, then the API's status",
                 code == 0 and [line["state"] for line in lines] == ["up"] * 3 and last["clusters"]["up"] == 3, text)
    code, text, _ = daemon.ctl("status", "-o", "json")
    checks.check("status -o json is that alone", code == 0 and json.loads(text)["clusters"]["up"] == 3, text)
    code, text, _ = daemon.ctl("names", "list")
    checks.check("names list tells the assigned name with its route",
                 code == 0 and re.search(rf"c1\s+HTTPRoute\s+default\s+inventory\s+{INVENTORY}", text), text)
    code, text, _ = daemon.ctl("names", "list", "--no-headers")
    checks.check("--no-headers leaves out the headings", "ASSIGNED" not in text and INVENTORY in text, text)
    code, text, _ = daemon.ctl("names", "list", "INVENTORY", "c1")
    checks.check("names list WORD...: those with all the words", code == 0 and INVENTORY in text and "rates" not in text,
                 text)
    code, text, _ = daemon.ctl("names", "list", "rates", "-o", "json")
    checks.check("... as JSON, too", [item["name"] for item in json.loads(text)["items"]] == ["rates"], text)
    code, text, err = daemon.ctl("names", "list", "nobody")
    checks.check("... and none at all is said", code == 0 and not text and "no route has these words" in err, text + err)
    code, text, _ = daemon.ctl("services", "list", "song.svc", "user")
    checks.check("services list WORD... likewise", code == 0 and "userlist-svc" in text and "redis" not in text, text)
    code, text, _ = daemon.ctl("services", "list", "redis.redis", "--affinity", "-o", "json")
    checks.check("... as JSON, too", [item["name"] for item in json.loads(text)["items"]] == ["redis"], text)
    code, text, err = daemon.ctl("services", "list", "nobody")
    checks.check("... and none at all is said", code == 0 and not text and "has these words" in err, text + err)
    code, text, _ = daemon.ctl("explain", "userlist-svc.song")
    checks.check("explain of a name without its zone says which one may be meant",
                 "note: perhaps userlist-svc.song.svc.clusterset.local. is meant" in text, text)
    code, text, _ = daemon.ctl("names", "list", "-o", "yaml")
    checks.check("names list -o yaml", code == 0 and f"assignedName: {INVENTORY}" in text, text)
    code, text, _ = daemon.ctl("explain", INVENTORY, "A", "--from", "c1")
    checks.check("explain tells backends, weights and each address's probability",
                 code == 0 and re.search(rf"{VER1}\s+c1\s.*10 %", text) and re.search(rf"{VER2}\s+c2\s.*90 %", text),
                 text)
    code, text, _ = daemon.ctl("explain", "helloworld.sample.svc.clusterset.local", "--from", "10.30.1.1")
    checks.check("explain --from an address takes that cluster's view",
                 code == 0 and "cluster c3, network far" in text, text)
    code, _, err = daemon.ctl("explain", INVENTORY, "--from", "c9")
    checks.check("explain --from an unknown cluster is a usage error", code == 2 and "c9" in err, err)
    code, text, _ = daemon.ctl("version")
    checks.check("version tells both versions", code == 0 and text.count("0.") >= 2, text)


def dev_mode(checks, dir):
    daemon = Daemon(dir, "dev", "--dev")
    try:
        checks.becomes("--dev is ready", lambda: daemon.get("/readyz")[0], lambda code: code == 200)
        checks.becomes("the banner names listener, clusters and three things to try",
                       lambda: daemon.out.read_text(),
                       lambda text: f"127.0.0.1:{daemon.port}" in text and "c3 (1 services)" in text
                       and INVENTORY in text and GLOBAL in text and "--export" in text)
        check_answers(checks, daemon)
        check_negatives(checks, daemon)
        check_admin(checks, daemon)
        check_ctl(checks, daemon)
        code, _, err = run(PINTLED, "--dev", "--listen", f"127.0.0.1:{daemon.port}", "--admin", "127.0.0.1:0")
        checks.check("a second daemon on the same DNS port fails and says so",
                     code == 1 and str(daemon.port) in err and "in use" in err, f"exit {code}: {err}")
        code, _, err = run(PINTLED, "--dev", "--listen", "127.0.0.1:0", "--admin", daemon.admin)
        checks.check("a second daemon on the same admin port fails and says so",
                     code == 1 and daemon.admin in err and "--admin" in err, f"exit {code}: {err}")
        checks.equal("the first one still answers", daemon.dig(INVENTORY).status, "NOERROR")
        daemon.child.send_signal(signal.SIGHUP)
        checks.becomes("SIGHUP ends nothing", daemon.log_text, lambda text: "SIGHUP" in text)
    finally:
        checks.equal("SIGTERM ends it with exit code 0", daemon.stop(), 0)


# --- Directories ----------------------------------------------------------------------------------


def live_changes(checks, daemon, demo):
    route = demo / "c1" / "inventory.yaml"
    replace(route, "weight: 10}", "weight: 90}")
    replace(route, "ServiceImport, name: inventory-ver2, weight: 90}", "ServiceImport, name: inventory-ver2, weight: 10}")
    took = checks.becomes("weights turned round: the split moves while it runs",
                          lambda: daemon.firsts(INVENTORY), lambda counts: 26 <= counts[VER1] <= 28)
    print(f"        {took * 1000:.0f} ms, with the thirty questions")
    replace(route, "weight: 90}", "weight: 0}")
    checks.becomes("weight 0 is never shown", lambda: daemon.firsts(INVENTORY, 10),
                   lambda counts: counts == {VER2: 10})
    replace(route, "weight: 0}", "weight: 50}")
    replace(demo / "c2" / "inventory.yaml", "ready: true", "ready: false")
    checks.becomes("a backend without a ready endpoint gives its share away",
                   lambda: daemon.firsts(INVENTORY, 10), lambda counts: counts == {VER1: 10})
    replace(demo / "c2" / "inventory.yaml", "ready: false", "ready: true")
    checks.becomes("and has it back when it is ready", lambda: daemon.firsts(INVENTORY, 10)[VER2],
                   lambda count: count > 0)


def one_change(checks, daemon, demo):
    """The file is renamed into place, then asked for; dig alone takes most of the time."""
    slice_file = demo / "c2" / "inventory.yaml"
    times, digs = [], []
    for i in range(10):
        old, new = f"10.20.1.{21 + i}", f"10.20.1.{22 + i}"
        start = time.monotonic()
        daemon.dig(INVENTORY)
        digs.append(time.monotonic() - start)
        replace(slice_file, old, new)
        start = time.monotonic()
        while time.monotonic() - start < WAIT_S and daemon.dig(INVENTORY).data not in ([new], [VER1]):
            pass
        times.append(time.monotonic() - start)
    replace(slice_file, "10.20.1.31", VER2)
    checks.check("a file that changes is served within 100 ms and one dig (median of 10)",
                 sorted(times)[5] < 0.1 + max(0.15, sorted(digs)[5]), [[f"{t * 1000:.0f} ms" for t in took] for took in (times, digs)])
    print(f"        median {sorted(times)[5] * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms, dig included, which takes "
          f"{sorted(digs)[5] * 1000:.0f} ms")


def broken_file(checks, daemon, demo):
    path = demo / "c1" / "userlist.yaml"
    good = path.read_text()
    path.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: [\n")
    checks.becomes("a broken file is reported with file, line and column", daemon.log_text,
                   lambda text: re.search(r"c1/userlist\.yaml:\d+:\d+: ", text) is not None)
    checks.check("what it said before stays in force", "10.96.2.1" in daemon.dig(GLOBAL).data)
    path.write_text(good.replace("10.96.2.1", "10.96.2.7"))
    checks.becomes("and the repaired file counts again", lambda: daemon.dig(GLOBAL).data,
                   lambda data: "10.96.2.7" in data)
    path.unlink()
    checks.becomes("a deleted file takes its objects along", lambda: sorted(daemon.dig(GLOBAL).data),
                   lambda data: data == ["10.20.2.11", "10.20.2.12"])
    path.write_text(good)
    checks.becomes("and a new one brings them", lambda: daemon.dig(GLOBAL).data,
                   lambda data: "10.96.2.1" in data)


def directories(checks, dir):
    demo = dir / "demo"
    code, text, _ = run(PINTLED, "--dev", "--export", demo)
    files = sorted(str(p.relative_to(demo)) for p in demo.rglob("*") if p.is_file())
    checks.check("--export writes the clusters", code == 0 and "c1/inventory.yaml" in files
                 and "c3/cluster.yaml" in files and "README.md" in files and str(demo) in text, files)
    before = (demo / "c1" / "inventory.yaml").read_text()
    code, _, err = run(PINTLED, "--dev", "--export", demo)
    checks.check("--export overwrites nothing", code == 1 and "already" in err
                 and (demo / "c1" / "inventory.yaml").read_text() == before, err)
    checks.equal("--check is content with the export", run(PINTLED, "--check", "--clusters-dir", demo)[0], 0)
    checks.equal("--check --config too", run(PINTLED, "--check", "--config", demo / "pintle.yaml")[0], 0)

    daemon = Daemon(dir, "directories", "--clusters-dir", demo, "--workers", 1)
    try:
        code, text, err = daemon.ctl("status", "--wait", "--wait-duration", "20s")
        checks.check("--clusters-dir: status --wait sees three clusters", code == 0 and "c3" in text, text + err)
        counts = daemon.firsts(INVENTORY)
        checks.check("the exported clusters answer as --dev does", 2 <= counts[VER1] <= 4, counts)
        live_changes(checks, daemon, demo)
        one_change(checks, daemon, demo)
        broken_file(checks, daemon, demo)
        (demo / "c2").rename(demo / "gone")
        checks.becomes("a cluster directory that vanishes is a cluster out of reach", lambda: daemon.get("/metrics")[1],
                       lambda text: 'pintle_cluster_up{cluster="c2"} 0' in text)
        checks.becomes("97: the age of what it said is a metric", lambda: daemon.get("/metrics")[1],
                       lambda text: re.search(r'pintle_cluster_stale_seconds\{cluster="c2"\} (0\.[0-9]*[1-9]|[1-9])', text)
                       and 'pintle_cluster_stale_seconds{cluster="c1"} 0.000' in text)
        stale = daemon.dig("redis-1.c2.redis.redis.svc.clusterset.local")
        checks.check("its last answers stay, with EDE 3", stale.data == ["10.20.3.11"] and stale.ede == 3, stale.text)
        checks.equal("and the daemon stays ready", daemon.get("/readyz")[0], 200)
        checks.equal("but status says that something is wrong", daemon.ctl("status")[0], 1)
        (demo / "gone").rename(demo / "c2")
        checks.becomes("it comes back", lambda: daemon.get("/metrics")[1],
                       lambda text: 'pintle_cluster_up{cluster="c2"} 1' in text
                       and 'pintle_cluster_stale_seconds{cluster="c2"} 0.000' in text)
        fresh = daemon.dig("redis-1.c2.redis.redis.svc.clusterset.local")
        checks.becomes("and its answers are fresh again",
                       lambda: daemon.dig("redis-1.c2.redis.redis.svc.clusterset.local"),
                       lambda answer: answer.data == ["10.20.3.11"] and answer.ede is None)
        checks.check("(it answered all the time)", fresh.data == ["10.20.3.11"], fresh.text)
    finally:
        checks.equal("SIGINT ends it with exit code 0", daemon.stop(signal.SIGINT), 0)


def never_listed(checks, dir):
    config = dir / "never.yaml"
    config.write_text("apiVersion: pintle.dev/v1alpha1\nkind: PintleConfig\nready: {grace: 2s}\n"
                      "shutdown: {lameduck: 1s}\n"
                      "clusters: [{name: nowhere, directory: ./does-not-exist}]\n")
    daemon = Daemon(dir, "never", "--config", config)
    try:
        early = daemon.dig("a.b.svc.clusterset.local")
        checks.check("before the first listing a missing name is SERVFAIL with EDE 14, never NXDOMAIN",
                     early.status == "SERVFAIL" and early.ede == 14, early.text)
        status, text = daemon.get("/readyz")
        checks.check("readyz says 503 and what is missing", status == 503 and "[-]cluster-nowhere" in text, text)
        checks.equal("livez does not care", daemon.get("/livez")[0], 200)
        code, text, err = daemon.ctl("status", "--wait", "--wait-duration", "1s")
        checks.check("status --wait gives up with exit code 4 and shows what it saw",
                     code == 4 and "never listed" in text, f"exit {code}\n{text}{err}")
        checks.becomes("after the grace period it is NXDOMAIN, still with EDE 14",
                       lambda: daemon.dig("a.b.svc.clusterset.local"),
                       lambda answer: answer.status == "NXDOMAIN" and answer.ede == 14)
        daemon.child.send_signal(signal.SIGTERM)
        checks.becomes("SIGTERM: readyz says no", lambda: daemon.get("/readyz")[1],
                       lambda text: "shutdown" in text, 1)
        checks.equal("while answers go on for the lameduck time",
                     daemon.dig("clusterset.local", "SOA").status, "NOERROR")
        checks.equal("then it ends with exit code 0", daemon.child.wait(WAIT_S), 0)
    finally:
        daemon.stop(signal.SIGKILL)


# --- Probes ---------------------------------------------------------------------------------------


class Page(http.server.BaseHTTPRequestHandler):
    """Answers /live, 200 or what the server was told."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(self.server.status if self.path == "/live" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()


def serve(address, port):
    http.server.ThreadingHTTPServer.allow_reuse_address = True
    server = http.server.ThreadingHTTPServer((address, port), Page)
    server.status = 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def hang_up(server):
    server.shutdown()
    server.server_close()


HEALTH_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  annotations:
    service.cilium.io/global: "true"
    pintle.dev/health-check: |
      {{path: /live, port: {port}, intervalSeconds: 1, timeoutSeconds: 1, unhealthyThresholdCount: 2,
       healthyThresholdCount: 1}}
spec: {{clusterIP: 10.96.7.7, ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{name: http, port: 80}}]
endpoints: [{{addresses: [10.99.0.1]}}]
"""


def health(checks, dir):
    """Two gateways that stand for a cluster in another network are asked over HTTP by Pintle itself."""
    gateways = ["127.0.0.2", "127.0.0.3"]
    name = "web.shop.svc.clusterset.local"
    folder = dir / "health"
    (folder / "c2").mkdir(parents=True)
    first = serve(gateways[0], 0)
    second = serve(gateways[1], first.server_address[1])
    config = folder / "pintle.yaml"
    config.write_text("networks: [{name: far, gateways: [127.0.0.2, 127.0.0.3]}]\n"
                      "clusters: [{name: c2, directory: c2, network: far}]\n"
                      "health: {maxPerSecond: 50}\n")
    (folder / "c2" / "web.yaml").write_text(HEALTH_SERVICE.format(port=first.server_address[1]))
    daemon = Daemon(dir, "health", "--config", config)

    def answers():
        return sorted(daemon.dig(name).data)

    try:
        checks.becomes("both gateways are answered", answers, lambda data: data == gateways)
        checks.becomes("both are found healthy", lambda: daemon.get("/metrics")[1],
                       lambda text: 'pintle_health_addresses{state="healthy"} 2' in text)
        hang_up(second)
        took = checks.becomes("a server that is gone leaves the answer", answers,
                              lambda data: data == gateways[:1])
        checks.check("soon after two probes", took < 10, took)
        code, text, err = daemon.ctl("explain", name)
        checks.check("explain says since when and why", code == 0 and "unhealthy since 20" in text
                     and "[left out]" in text and "healthy since" in text, text + err)
        second = serve(gateways[1], first.server_address[1])
        checks.becomes("and comes back when it is back", answers, lambda data: data == gateways)
        first.status = 503
        checks.becomes("a status that is not wanted is a failure, too", answers,
                       lambda data: data == gateways[1:])
        hang_up(second)
        checks.becomes("when all are down all are answered", answers, lambda data: data == gateways)
        replace(folder / "c2" / "web.yaml", "  annotations:\n", "  annotations:\n    pintle.dev/all-down: none\n")
        checks.becomes("or none, as an annotation wants it", lambda: daemon.dig(name),
                       lambda answer: answer.status == "NOERROR" and not answer.answer and answer.has_soa)
        first.status = 200
        checks.becomes("until one is back", answers, lambda data: data == gateways[:1])
        text = daemon.get("/metrics")[1]
        checks.check("probes are counted", re.search(
            r'pintle_health_probes_total\{protocol="HTTP",result="failed"\} [1-9]', text), text)
        replace(folder / "c2" / "web.yaml", "      {path", "      {enabled: false, path")
        checks.becomes("a check that is switched off ends", lambda: daemon.get("/metrics")[1],
                       lambda text: 'pintle_health_addresses{state="healthy"} 0' in text
                       and 'pintle_health_addresses{state="unhealthy"} 0' in text)
        checks.equal("SIGINT: exit code 0", daemon.stop(signal.SIGINT), 0)
    finally:
        daemon.stop(signal.SIGKILL)
        first.server_close()
        second.server_close()


# --- Where strangers come from --------------------------------------------------------------------


def write_place(path, place):
    """A geo database, put in its place as its maker's tools do."""
    fresh = path.with_suffix(".new")
    mmdb.write(fresh, {"203.0.112.0/23": place, "2001:db8::/32": ("NA", "US")})
    fresh.rename(path)


def places(checks, dir):
    demo, database, config = dir / "places", dir / "geo.mmdb", dir / "places.yaml"
    run(PINTLED, "--dev", "--export", demo)
    config.write_text("apiVersion: pintle.dev/v1alpha1\nkind: PintleConfig\nsteering: {address: endpoints}\n"
                      "trustedForwarders: [127.0.0.1]\nclusters:\n"
                      "  - {name: c1, directory: places/c1, clients: [10.1.0.0/16]}\n"
                      "  - {name: c2, directory: places/c2, clients: [10.2.0.0/16]}\n"
                      "geo:\n  database: geo.mmdb\n  map:\n"
                      "  - {countries: [DE], clusters: [c1]}\n  - {continents: [EU], clusters: [c2, c1]}\n")
    code, _, err = run(PINTLED, "--config", config, "--check")
    checks.check("--check tells of a geo database that is not there", code == 1 and "geo.mmdb" in err, err)
    daemon = Daemon(dir, "places", "--config", config)

    def ask():
        answer = daemon.dig(GLOBAL, "A", "+subnet=203.0.113.7/32")
        scope = re.search(r"CLIENT-SUBNET: \S+/\d+/(\d+)", answer.text)
        return sorted(answer.data), int(scope.group(1)) if scope else None

    try:
        daemon.ctl("status", "--wait")
        own = {name: sorted(daemon.dig(GLOBAL, "A", f"+subnet={net}").data)
               for name, net in (("c1", "10.1.9.9/32"), ("c2", "10.2.9.9/32"), ("all", "198.51.100.1/32"))}
        checks.check("without the database strangers see everything", ask()[0] == own["all"], (ask(), own))
        wanted = {}
        for cluster, place in (("c1", ("EU", "DE")), ("c2", ("EU", "FR"))):
            write_place(database, place)
            checks.becomes(f"a geo database that appears or changes takes effect: {cluster}", ask,
                           lambda seen: seen[0] and seen[0] not in (own["all"], wanted.get("c1")) and seen[1] == 23)
            wanted[cluster] = ask()[0]
        checks.equal("both clusters together are what everybody sees",
                     sorted(wanted["c1"] + wanted["c2"]), own["all"])
        code, text, err = daemon.ctl("explain", GLOBAL, "--from", "203.0.113.7", "-o", "json")
        checks.check("explain tells the stranger's preference",
                     code == 0 and json.loads(text)["view"].get("prefers") == "c2,c1", text + err)
        checks.equal("--check is content with the database", run(PINTLED, "--config", config, "--check")[0], 0)
    finally:
        daemon.stop()


# --- When the system gives no more ----------------------------------------------------------------


def few_descriptors(checks, dir):
    demo = dir / "few"
    run(PINTLED, "--dev", "--export", demo)
    ours = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, ours[1]))
    daemon = Daemon(dir, "few-descriptors", "--clusters-dir", demo, "--log-level", "debug")
    resource.setrlimit(resource.RLIMIT_NOFILE, ours)
    pid = daemon.child.pid
    checks.check("it takes all descriptors that it may have, and says so at debug",
                 resource.prlimit(pid, resource.RLIMIT_NOFILE) == (ours[1], ours[1])
                 and "descriptors was 200" in daemon.log_text(), daemon.log_text())
    host, _, port = daemon.admin.rpartition(":")
    clients = []
    try:
        checks.becomes("all clusters are listed", lambda: daemon.get("/readyz")[0], lambda code: code == 200)
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 4, before[1]))
        clients = [socket.create_connection((host, int(port))) for _ in range(12)]
        checks.becomes("admin clients beyond the descriptors wait, and that is said", daemon.log_text,
                       lambda text: "admin: cannot accept connections" in text)
        said = len(daemon.log_text())
        replace(demo / "c1" / "inventory.yaml", "weight: 10", "weight: 0")
        time.sleep(1.5)
        checks.check("it is not said again and again", len(daemon.log_text()) - said < 2000, daemon.log_text())
        checks.equal("DNS goes on", daemon.dig(INVENTORY).status, "NOERROR")
        for client in clients:
            client.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        checks.becomes("a change made meanwhile is seen once there are descriptors",
                       lambda: daemon.firsts(INVENTORY, 10), lambda firsts: set(firsts) == {VER2})
        checks.becomes("and admin answers again", lambda: daemon.get("/livez")[0], lambda code: code == 200)
        checks.equal("SIGINT: exit code 0", daemon.stop(signal.SIGINT), 0)
    finally:
        for client in clients:
            client.close()
        daemon.stop(signal.SIGKILL)


# --- What is told to people who err ---------------------------------------------------------------


def errors(checks, dir):
    code, _, err = run(PINTLED)
    checks.check("no clusters at all: usage, with the ways to name some",
                 code == 2 and all(flag in err for flag in ("--dev", "--clusters-dir", "--contexts")), err)
    code, _, err = run(PINTLED, "--listne", "127.0.0.1")
    checks.check("an unknown flag: usage, with the nearest one", code == 2 and "--listen" in err, err)
    checks.equal("--help is no error", run(PINTLED, "--help")[0], 0)
    code, text, _ = run(PINTLED, "--version")
    checks.check("--version", code == 0 and re.fullmatch(r"pintled \d+\.\d+\.\d+\n", text), text)

    for flags in (["--listen", "nonsense"], ["--admin", "127.0.0.1:x"], ["--workers", "x"], ["--log-level", "y"],
                  ["--log-format", "xml"], ["--workers"], ["--dev", "--workers", "--check"], ["stray"]):
        code, _, err = run(PINTLED, "--dev", *flags)
        checks.check(f"{' '.join(flags)}: usage, exit 2", code == 2 and err, f"exit {code}: {err}")

    config = dir / "wrong.yaml"
    config.write_text("listn: []\nclusters:\n  - {name: c1, directory: c1}\n  - {name: C_2, context: c2}\n"
                      "workers: many\n")
    for flags in (["--check"], []):
        code, _, err = run(PINTLED, "--config", config, *flags)
        wanted = [f'{config}:1:1: unknown key "listn", did you mean "listen"?', f"{config}:4:12: ",
                  f"{config}:5:10: workers: "]
        checks.check(f"a wrong configuration: all findings, exit 1 ({' '.join(flags) or 'run'})",
                     code == 1 and [line.startswith(w) for line, w in zip(err.splitlines(), wanted)] == [True] * 3
                     and len(err.splitlines()) == 3, err)
    code, _, err = run(PINTLED, "--config", dir / "absent.yaml")
    checks.check("a configuration that is not there is named", code == 1 and "absent.yaml" in err, err)

    fifo = dir / "fifo.yaml"
    os.mkfifo(fifo)
    for what in (fifo, dir, "/dev/zero"):
        code, _, err = run("timeout", 5, PINTLED, "--config", what)
        checks.check(f"{what} is no configuration, and that is said at once", code == 1 and str(what) in err, err)
    (dir / "piped" / "c1").mkdir(parents=True)
    code, text, err = run("bash", "-c", 'cd "$0" && "$1" --check --config <(sleep 0.1; echo "$2")', dir, PINTLED,
                          "clusters: [{name: c1, directory: piped/c1}]")
    checks.check("a configuration from a pipe is read, its paths start here", code == 0 and "1 clusters" in text, err)

    folder = dir / "bad"
    (folder / "c1").mkdir(parents=True)
    (folder / "c1" / "cluster.yaml").write_text("netwrok: near\n")
    code, _, err = run(PINTLED, "--clusters-dir", folder, "--check")
    checks.check("a wrong cluster.yaml is told with file, line, column and the nearest key",
                 code == 1 and "cluster.yaml:1:1: " in err and "network" in err, err)

    code, _, err = run(PINTLECTL, "status", "--admin", "127.0.0.1:1")
    checks.check("pintlectl without a daemon: exit code 3", code == 3 and "127.0.0.1:1" in err, err)
    checks.equal("pintlectl --wait without a daemon: exit code 3",
                 run(PINTLECTL, "status", "--wait-duration", "1s", "--admin", "127.0.0.1:1")[0], 3)
    for words in (["stauts"], [], ["status", "--admin"], ["status", "--admin", "a/b"], ["status", "--bogus"],
                  ["status", "-o", "xml"], ["status", "--wait-duration", "x"], ["explain"]):
        checks.equal(f"pintlectl {' '.join(words)}: exit code 2", run(PINTLECTL, *words)[0], 2)
    checks.equal("pintlectl help is no error", run(PINTLECTL, "help")[0], 0)


def guarded(checks, part, *args):
    """Plays a part; one that breaks off is a failure like others, and the next one has its turn."""
    try:
        part(checks, *args)
    except Exception as err:  # noqa: BLE001  (whatever it is, it is a failure of that part)
        checks.check(f"{part.__name__} runs to its end", False, "".join(traceback.format_exception(err))[-1500:])


def play(name, *parts):
    """Plays each part with the checks and one temporary directory, prints the sum; the program's exit code."""
    checks = Checks()
    for program in (PINTLED, PINTLECTL):
        if not os.access(program, os.X_OK):
            print(f"{program} is not built (./x build)")
            return 1
    with tempfile.TemporaryDirectory(prefix=f"pintle-{name}-") as temporary:
        for part in parts:
            guarded(checks, part, pathlib.Path(temporary))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(play("e2e", errors, dev_mode, directories, health, never_listed, places, few_descriptors))
