#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is noted about questions: the query log, and dnstap with a real collector (fstrm_capture, dnstap-read).

Same form of report as run.py, whose tools it uses.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

from run import PINTLECTL, Daemon, play
from ports import free_port
from tls import TlsDaemon

SLOW = int(os.environ.get("PINTLE_SLOW", "1"))
NAME = "web.apps.svc.clusterset.local"
OBJECTS = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: apps, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [{addresses: [10.1.0.1]}]
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceExport
metadata: {name: web, namespace: apps}
"""
SHOP = "shop-apps-%s.pintle.internal" % hashlib.sha256(b"default/c1/HTTPRoute/apps/shop").hexdigest()[:16]
ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: apps}
spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}
"""
POLICY = """\
apiVersion: pintle.dev/v1alpha1
kind: ResolvePolicy
metadata: {name: guard, namespace: apps}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: shop}]
  allow: [{clusters: [c1]}]
"""
LINE = re.compile(r'^\[INFO\] 127\.0\.0\.\d:\d+ - \d+ "(\S+) IN (\S+) (udp|tcp) \d+ (true|false) (\d+)" '
                  r'([A-Z]+) (\S+) \d+ \d+\.\d{9}s(?: (why=.*))?$')


# Two endpoints each: one name is drawn from, one goes by the asker's address.
MORE = "".join(f"""\
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: apps, annotations: {{pintle.dev/address: endpoints, pintle.dev/answers: single}}}}
spec: {{clusterIP: 10.96.1.{n}, sessionAffinity: {affinity}, ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: apps, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: 80}}]
endpoints: [{{addresses: [10.1.{n}.1]}}, {{addresses: [10.1.{n}.2]}}]
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceExport
metadata: {{name: {name}, namespace: apps}}
""" for n, name, affinity in ((1, "drawn", "None"), (2, "sticky", "ClientIP")))


def start(dir, name, config):
    cluster = dir / "c1"
    cluster.mkdir(exist_ok=True)
    (cluster / "objects.yaml").write_text(OBJECTS)
    file = dir / f"{name}.yaml"
    file.write_text(f"clusters: [{{name: c1, directory: c1}}]\n{config}")
    return Daemon(dir, name, "--config", file)


def query_log(checks, dir):
    daemon = start(dir, "log", "queryLog: {file: queries.log}\ndns: {version: pintle}\n")
    log = dir / "queries.log"
    try:
        checks.becomes("the name is answered", lambda: daemon.dig(NAME).status, lambda s: s == "NOERROR")
        daemon.dig(NAME, "AAAA", "+tcp", "+dnssec")
        daemon.dig("www.example.org", "A", "+noedns")

        def lines():
            return [m.groups()[:7] for m in map(LINE.match, log.read_text().splitlines()) if m]

        want = [("A", f"{NAME}.", "udp", "false", "1232", "NOERROR", "qr,aa,rd"),
                ("AAAA", f"{NAME}.", "tcp", "true", "1232", "NOERROR", "qr,aa,rd"),
                ("A", "www.example.org.", "udp", "false", "512", "REFUSED", "qr,rd")]
        checks.becomes("the query log has a line for each question, as CoreDNS writes them", lines,
                       lambda found: all(w in found for w in want))
        reasons(checks, dir, daemon, log)
        log.rename(dir / "queries.log.1")
        checks.becomes("after the file was moved away, lines go to a new one",
                       lambda: daemon.dig("moved.example.org") and log.exists() and log.read_text(),
                       lambda text: text and "moved.example.org." in text)
        metrics = daemon.get("/metrics")[1]
        checks.equal("what is noted is counted",
                    bool(re.search(r"^pintle_tap_noted_total [1-9]", metrics, re.M))
                    and "pintle_tap_lost_total 0" in metrics, True)
    finally:
        checks.equal("pintled ends at once", daemon.stop(), 0)


def reasons(checks, dir, daemon, log):
    """Each line says why, in words that stay, and explain takes it as it is."""
    def whys():
        found = {}
        for m in map(LINE.match, log.read_text().splitlines()):
            if m:
                found.setdefault((m.group(2), m.group(1)), set()).add(m.group(8))
        return found

    (dir / "c1" / "route.yaml").write_text(ROUTE + MORE)
    checks.becomes("a route is answered", lambda: daemon.dig(SHOP, "A", "-b", "127.0.0.7").status, lambda s: s == "NOERROR")
    (dir / "c1" / "policy.yaml").write_text(POLICY)
    checks.becomes("... and then refused", lambda: daemon.dig(SHOP, "A", "-b", "127.0.0.7").status, lambda s: s == "REFUSED")
    for name, qtype, more in ((f"none.{NAME}", "A", ()), ("version.bind", "TXT", ("-c", "CH")), (NAME, "AXFR", ("+tcp",)),
                              (NAME, "A", ("+opcode=5",))):
        daemon.dig(name, qtype, *more)
    want = {(f"{SHOP}.", "A"): {"why=whole zone=assigned from=127.0.0.7",
                                "why=policy zone=assigned policy=c1/ResolvePolicy/apps/guard from=127.0.0.7"},
            (f"{NAME}.", "A"): {"why=whole zone=clusterset from=127.0.0.1"},
            (f"{NAME}.", "AAAA"): {"why=no-data zone=clusterset from=127.0.0.1"},
            (f"none.{NAME}.", "A"): {"why=no-name zone=clusterset from=127.0.0.1"},
            ("www.example.org.", "A"): {"why=refused from=127.0.0.1"}}
    for name, why in (("drawn.apps.svc.clusterset.local", "drawn zone=clusterset"),
                      ("sticky.apps.svc.clusterset.local", "sticky zone=clusterset"),
                      ("10-1-0-1.apps.pod.c1.cluster.local", "synthesised zone=cluster")):
        checks.becomes(f"{name} is answered", lambda name=name: daemon.dig(name).status, lambda s: s == "NOERROR")
        want[(f"{name}.", "A")] = {f"why={why} from=127.0.0.1"}
    checks.becomes("lines say why", whys, lambda found: all(want[key] <= found.get(key, set()) for key in want))
    checks.check("... of a message that is no question, too", "why=malformed" in log.read_text(), log.read_text()[-1500:])
    daemon.dig("sticky.apps.svc.clusterset.local")
    daemon.dig("version.bind", "CH", "TXT")
    checks.becomes("... and of class CH, whatever was asked before", lambda: log.read_text().splitlines(), lambda lines: {
        line.split(" why=")[1] for line in lines if '"TXT CH version.bind. ' in line} == {"whole"})
    line = [line for line in log.read_text().splitlines() if "why=policy" in line][-1]
    code, text, err = daemon.ctl("explain", "--query", line)
    checks.check("explain takes a line and says the same",
                 code == 0 and text.startswith(f"{SHOP}. A\n") and "REFUSED: a policy" in text, text + err)
    for line in {line.split(" why=")[1]: line for line in log.read_text().splitlines() if "why=" in line and " IN " in line}.values():
        m = LINE.match(line)
        if not m or "AXFR" in line or "malformed" in line:
            continue
        code, text, err = daemon.ctl("explain", "--query", line)
        now = "policy" if m.group(2) == f"{SHOP}." else m.group(8).split()[0][len("why="):]
        checks.check(f"the reason of the line is that of the explanation: {m.group(8)}", code == 0 and re.search(
            rf"^why: {now}(, as it was noted|; \S+ was noted: things are not as they were)$", text, re.M), text + err)
        same = now == m.group(8).split()[0][len("why="):]
        checks.equal("... which says whether that was noted", "as it was noted" in text, same)
        code, text, err = daemon.ctl("explain", m.group(2), m.group(1), "--query", m.group(8), "-o", "json")
        checks.equal("the reason alone, as dnstap has it, beside the name", code == 0 and json.loads(text).get("why"), now)
    checks.equal("what is no line is a usage error", daemon.ctl("explain", "--query", "nothing")[0], 2)
    checks.equal("a name and a line are one too many", daemon.ctl("explain", NAME, "--query", line)[0], 2)


def elsewhere(checks, dir):
    """A name of others, and a cluster whose view the asker gets; nobody listens where it is forwarded to."""
    daemon = start(dir, "away", 'queryLog: {file: away.log}\ndefaultCluster: c1\n'
                   f'forward: [{{zone: ".", to: ["127.0.0.1:{free_port()}"]}}]\n')
    try:
        checks.becomes("the name is answered", lambda: daemon.dig(NAME).status, lambda s: s == "NOERROR")
        daemon.dig("www.example.org", "A", "+time=20", "+tries=1")
        log = dir / "away.log"
        checks.becomes("a name that is forwarded, and a view that is lent", log.read_text,
                       lambda text: "why=forwarded view=c1 from=127.0.0.1" in text
                       and "why=whole zone=clusterset view=c1 from=127.0.0.1" in text)
        line = [line for line in log.read_text().splitlines() if "why=forwarded" in line][-1]
        code, text, err = daemon.ctl("explain", "--query", line)
        checks.check("explain says the same", code == 0 and "\nwhy: forwarded, as it was noted\n" in text, text + err)
        watched(checks, daemon)
        (dir / "c1").rename(dir / "gone")
        checks.becomes("... and data of a cluster out of reach", lambda: daemon.dig(NAME) and log.read_text(),
                       lambda text: "view=c1 from=127.0.0.1 stale" in text)
    finally:
        daemon.stop()
        (dir / "gone").rename(dir / "c1")


def watched(checks, daemon):
    """What `tail` shows goes to `explain` as it is."""
    tail = subprocess.Popen([PINTLECTL, "tail", "-o", "json", "-n", "1", "--admin", daemon.admin], stdout=subprocess.PIPE,
                            text=True)
    try:
        checks.becomes("tail has a question", lambda: daemon.dig(NAME) and tail.poll(), lambda code: code == 0)
        line = tail.stdout.readline()
        checks.equal("with its reason", json.loads(line).get("why"), "why=whole zone=clusterset view=c1 from=127.0.0.1")
        done = subprocess.run([PINTLECTL, "explain", "--query", "-", "--admin", daemon.admin], input=line, capture_output=True,
                              text=True, timeout=60, check=False)
        checks.check("which explain says, too", done.returncode == 0 and "\nwhy: whole, as it was noted\n" in done.stdout,
                     done.stdout + done.stderr)
    finally:
        tail.kill()
        tail.wait()


def listened(checks, dir):
    """Who comes to a cluster's listener has its view from no address; the line tells which view it was."""
    home = dir / "listened"
    (home / "c1").mkdir(parents=True)
    (home / "c1" / "objects.yaml").write_text("---\n".join((OBJECTS, ROUTE, POLICY)))
    (home / "pintle.yaml").write_text("clusters: [{name: c1, directory: c1}]\nqueryLog: {file: queries.log}\n"
                                      "listen: [{address: \"127.0.0.1:0\", cluster: c1}]\n")
    daemon = TlsDaemon(home, "listened", transport="udp")
    log = home / "queries.log"
    try:
        checks.becomes("a cluster's listener", lambda: daemon.dig(SHOP) and log.read_text(),
                       lambda text: "why=whole zone=assigned view=c1 from=127.0.0.1" in text)
        line = [line for line in log.read_text().splitlines() if "why=whole" in line][-1]
        code, text, err = daemon.ctl("explain", "--query", line)
        checks.check("is taken from the line's view", code == 0 and "\nwhy: whole, as it was noted\n" in text, text + err)
        code, text, err = daemon.ctl("explain", SHOP, "--from", "127.0.0.1", "-o", "json")
        checks.equal("... which its address alone would not have", code == 0 and json.loads(text)["why"], "policy")
    finally:
        daemon.stop()


def sampled(checks, dir):
    daemon = start(dir, "some", "workers: 1\nqueryLog: {file: tenths.log, sample: 10}\n")
    try:
        for _ in range(40):
            daemon.dig("www.example.org")
    finally:
        daemon.stop()
    checks.equal("sample: 10 notes every tenth question", len((dir / "tenths.log").read_text().splitlines()), 4)


def dnstap(checks, dir):
    """Left out under ThreadSanitizer (the one build that is SLOW): it sees nothing of the barriers in libfstrm's own queue."""
    if SLOW > 1:
        print("left out: dnstap, of which other builds are asked")
        return
    socket, file = dir / "tap.sock", dir / "taps.fstrm"
    daemon = start(dir, "tap", "dnstap: {socket: tap.sock, identity: here}\n")
    capture = None
    try:
        checks.becomes("a collector that is not there keeps nobody from answers",
                       lambda: daemon.dig(NAME).status, lambda s: s == "NOERROR")
        with open(dir / "capture.log", "wb") as log:  # it says when somebody has come
            capture = subprocess.Popen(["fstrm_capture", "-dddd", "-t", "protobuf:dnstap.Dnstap", "-u", socket, "-w", file],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        checks.becomes("one that comes later is found", lambda: (dir / "capture.log").read_text(errors="replace"),
                       lambda text: "FSTRM_CONTROL_START" in text)
        daemon.dig("tapped.example.org", "TXT", "+tcp")
        daemon.stop()
        capture.terminate()
        capture.wait(10)
        read = subprocess.run(["dnstap-read", "-y", file], capture_output=True, text=True, check=False)
        taps = [t for t in read.stdout.split("---\n") if "tapped.example.org" in t]
        checks.equal("the collector gets question and answer", [re.findall(r"^  type: (\S+)", t, re.M) for t in taps],
                    [["CLIENT_QUERY"], ["CLIENT_RESPONSE"]])
        text = "".join(taps)
        extras = [(m[1][0], m[2]) for m in re.finditer(rb"\x1a(.)(why=[ -~]+)", file.read_bytes(), re.S)]  # field 3, length, text
        checks.equal("extra says why", extras and extras[-1][1][:extras[-1][0]], b"why=refused from=127.0.0.1")
        checks.equal("with who asked, how, and who answered",
                    (text.count("identity: \"here\"") + text.count("identity: here"), text.count("socket_protocol: TCP"),
                     text.count("query_address: \"127.0.0.1\"") + text.count("query_address: 127.0.0.1"),
                     "status: REFUSED" in text), (2, 2, 2, True))
    finally:
        daemon.stop()
        if capture is not None and capture.poll() is None:
            capture.kill()


def tools(checks, _dir):
    for tool in ("fstrm_capture", "dnstap-read"):
        checks.check(f"{tool} is installed", shutil.which(tool))


if __name__ == "__main__":
    sys.exit(play("taps", tools, query_log, sampled, dnstap, elsewhere, listened))
