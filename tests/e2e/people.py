#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who asks, and what people look at: policies by namespace, with the real programs and dig.

Same form of report as run.py, whose tools it uses.
"""

import json
import re
import socket
import sys
import threading
import time

from ask import Asker
from run import Daemon, guarded, play

WEB = "web-apps-9718a2c924e045fa.pintle.internal"  # default/c2/HTTPRoute/apps/web
OBJECTS = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps, annotations: {pintle.dev/address: endpoints}}
spec: {clusterIP: 10.96.2.1, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: apps, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 80}]
endpoints: [{addresses: [10.2.0.1]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: apps}
spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}
"""
POLICY = """\
apiVersion: pintle.dev/v1alpha1
kind: ResolvePolicy
metadata: {{name: only-apps, namespace: apps}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: web}}]
  allow: [{{clusters: [c2], namespaces: [apps]}}]
  mode: {mode}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: client, namespace: {namespace}}}
status: {{phase: Running, podIP: {ip}}}
"""


def start(dir):
    """A cluster whose askers are 127.0.0.7 and 127.0.0.8."""
    cluster = dir / "people" / "c2"
    cluster.mkdir(parents=True)
    (dir / "people" / "c1").mkdir()
    (cluster / "objects.yaml").write_text(OBJECTS)
    (cluster / "cluster.yaml").write_text("clients: [127.0.0.7/32, 127.0.0.8/32]\n")
    (dir / "people" / "c1" / "cluster.yaml").write_text("clients: [10.1.0.0/16]\n")
    config = dir / "people.yaml"
    config.write_text("trustedForwarders: [127.0.0.1/32]\nclusters:\n  - {name: c1, directory: people/c1}\n"
                      "  - {name: c2, directory: people/c2}\n")
    return cluster, Daemon(dir, "people", "--config", config)


def namespaces(checks, cluster, daemon):
    def ask(ip):
        answer = daemon.dig(WEB, "A", "-b", ip)
        return answer.status, answer.ede, answer.data

    served, refused = ("NOERROR", None, ["10.2.0.1"]), ("REFUSED", 18, [])
    checks.becomes("without a policy everybody gets the answer", lambda: ask("127.0.0.7"), lambda s: s == served)
    (cluster / "pods.yaml").write_text(POD.format(namespace="apps", ip="127.0.0.7"))
    (cluster / "policy.yaml").write_text(POLICY.format(mode="Enforce"))
    checks.becomes("case 115: a policy asks for namespaces, and the Pod with that address is let in",
                   lambda: (ask("127.0.0.7"), ask("127.0.0.8")), lambda s: s == (served, refused))
    code, text, err = daemon.ctl("explain", WEB, "--from", "127.0.0.7")
    checks.check("explain tells whose namespace it is",
                 code == 0 and "namespace apps (a Pod has the address)" in text, text + err)
    code, text, err = daemon.ctl("explain", WEB, "--from", "c2", "--namespace", "shop")
    checks.check("explain takes a namespace", code == 0 and "namespace shop" in text and "REFUSED" in text, text + err)
    (cluster / "pods.yaml").write_text(POD.format(namespace="shop", ip="127.0.0.7"))
    checks.becomes("the Pod with that address is in another namespace now", lambda: ask("127.0.0.7"),
                   lambda s: s == refused)
    checks.check("Pods are counted", 'pintle_cluster_objects{cluster="c2",kind="Pod"} 1' in daemon.get("/metrics")[1],
                 daemon.get("/metrics")[1])
    (cluster / "policy.yaml").unlink()
    checks.becomes("the policy has gone, and the Pods with it",
                   lambda: (ask("127.0.0.8"), 'kind="Pod"} 0' in daemon.get("/metrics")[1]),
                   lambda s: s == (served, True))


def audit(checks, cluster, daemon):
    def metric(mode):
        found = re.search(r'pintle_policy_denied_total\{cluster="c2",kind="ResolvePolicy",namespace="apps",'
                          rf'name="only-apps",mode="{mode}"\}} (\d+)', daemon.get("/metrics")[1])
        return int(found.group(1)) if found else None

    denied = metric("enforce")
    checks.check("refusals are counted by policy", denied is not None and denied > 0, denied)
    start = time.monotonic()
    (cluster / "policy.yaml").write_text(POLICY.format(mode="Audit"))
    checks.becomes("a policy that audits lets everybody pass, and counts",
                   lambda: (daemon.dig(WEB, "A", "-b", "127.0.0.8").status, metric("audit")),
                   lambda s: s[0] == "NOERROR" and (s[1] or 0) > 0)
    line = f"audit: would deny {WEB}. A to 127.0.0.8 (cluster c2, namespace unknown): ResolvePolicy c2/apps/only-apps"
    checks.becomes("the log says who would be denied", daemon.log_text, lambda s: line in s)
    ask = Asker(daemon.port)
    for _ in range(60):
        ask(WEB, source="127.0.0.8")
    checks.becomes("many of them take few lines, and the rest is a number", daemon.log_text,
                   lambda s: re.search(r"audit: and \d+ more like these", s) is not None)
    n_most = max(24, 11 + time.monotonic() - start)  # ten at once, then one a second
    checks.check("... few lines", daemon.log_text().count("audit: would deny") <= n_most, daemon.log_text().count("audit:"))
    checks.equal("refusals are not counted by a policy that audits", metric("enforce"), denied)
    (cluster / "policy.yaml").unlink()


GLOBAL = """\
apiVersion: v1
kind: Service
metadata: {{name: rebel-base, namespace: default, annotations: {{service.cilium.io/global: "true"{more}}}}}
spec: {{clusterIP: 10.96.{n}.1, ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: rebel-base-1, namespace: default, labels: {{kubernetes.io/service-name: rebel-base}}}}
addressType: IPv4
ports: [{{name: http, port: 8080}}]
endpoints: [{{addresses: [10.{n}.0.1]}}, {{addresses: [10.{n}.0.2], conditions: {{ready: {ready}}}}}]
"""


def services(checks, cluster, daemon):
    """Cilium's own words for Cilium's annotations."""
    first = cluster.parent / "c1"
    (first / "global.yaml").write_text(GLOBAL.format(n=1, ready="false", more=', service.cilium.io/affinity: "local"'))
    (cluster / "global.yaml").write_text(GLOBAL.format(n=2, ready="true", more=', pintle.dev/weight: "3"'))

    def rows(*args):
        return daemon.ctl("services", "list", *args)[1].splitlines()

    checks.becomes("services list shows each cluster's part", lambda: rows("--from", "c1"),
                   lambda s: len(s) == 2 and "80/TCP" in s[1] and "local" in s[1] and "c1 1/2, c2 2/2 (" in s[1])
    shown = rows("--affinity", "--from", "c1")
    checks.check("services list --affinity has the columns of Cilium's, and more",
                 shown[0].split() == ["ID", "FRONTEND", "SERVICE", "TYPE", "BACKEND", "CLUSTER", "WEIGHT", "SHARE",
                                      "REASON"], shown)
    wanted = ["1 => 10.1.0.1:8080/TCP (active) (preferred)", "2 => 10.1.0.2:8080/TCP (not ready)",
              "3 => 10.2.0.1:8080/TCP (active) ", "4 => 10.2.0.2:8080/TCP (active) "]
    checks.check("a line for each backend: active, preferred, and why it is left out",
                 len(shown) == 5 and all(w in row for w, row in zip(wanted, shown[1:]))
                 and "rebel-base.default.svc.clusterset.local:80/TCP ClusterIP" in shown[1]
                 and "the endpoint is not ready" in shown[2] and "affinity" in shown[3]
                 and "(preferred)" not in shown[3], shown)
    other = rows("--affinity", "--from", "c2")
    checks.check("another view, another choice, with the clusters' weights",
                 len(other) == 5 and "(preferred)" not in "".join(other) and " 25 %" in other[1]
                 and " 3 37.5 %" in other[3], other)
    code, text, _ = daemon.ctl("services", "list", "--from", "c1", "-o", "json")
    items = json.loads(text)["items"]
    checks.check("as JSON: the same", code == 0 and len(items) == 1 and items[0]["affinity"] == "local"
                 and [(b["state"], b["preferred"], b["used"]) for b in items[0]["backends"]]
                 == [("active", True, True), ("not ready", False, False), ("active", False, False),
                     ("active", False, False)], text)
    checks.check("as YAML: the same", "- namespace: default\n" in daemon.ctl("services", "list", "-o", "yaml")[1])
    checks.equal("a cluster that is none: usage", daemon.ctl("services", "list", "--from", "c9")[0], 2)
    for n in range(600):
        name = f"s{n:03}"
        (first / f"{name}.yaml").write_text(GLOBAL.format(n=1, ready="true", more="").replace("rebel-base", name))
    checks.becomes("more services than a page holds: all, in order",
                   lambda: [row.split()[1] for row in rows()[1:]],
                   lambda s: s == ["rebel-base", *(f"s{n:03}" for n in range(600))])
    for path in first.glob("s*.yaml"):
        path.unlink()


class Liar(threading.Thread):
    """A DNS server that always answers one address, or nothing at all."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            question, client = self.socket.recvfrom(4096)
            if self.address is None:
                continue
            end = question.index(b"\0", 12) + 5
            self.socket.sendto(question[:2] + b"\x84\0\0\1\0\1\0\0\0\0" + question[12:end] + b"\xc0\x0c\0\1\0\1"
                               + b"\0\0\0\5\0\4" + socket.inet_aton(self.address), client)


def query(checks, _, daemon):
    name = "rebel-base.default.svc.clusterset.local"
    code, text, err = daemon.ctl("query", name, "-n", "400", "-o", "json")
    seen = json.loads(text) if code == 0 else {}
    firsts = {a["address"]: a["first"] for a in seen.get("addresses", [])}
    checks.check("query counts the split and finds it as wanted",
                 code == 0 and seen["asWanted"] and seen["answered"] == 400
                 and all(abs(firsts[a] - n) <= 2 for a, n in
                         (("10.1.0.1", 100), ("10.2.0.1", 150), ("10.2.0.2", 150))), text + err)
    code, text, err = daemon.ctl("query", name, "-n", "100", "--from", "10.1.9.9/32", "-o", "json")
    seen = json.loads(text) if code == 0 else {"addresses": []}
    checks.check("--from asks as somebody else: c1's own view",
                 [(a["address"], a["first"]) for a in seen["addresses"]] == [("10.96.1.1", 100)], text + err)
    code, text, err = daemon.ctl("query", WEB, "-n", "10")
    checks.check("the table has counts beside what was wanted", code == 0 and "10.2.0.1" in text
                 and "as wanted" in text, text + err)
    code, text, err = daemon.ctl("query", "nothing.default.svc.clusterset.local", "-n", "5")
    checks.check("a name that does not exist is wanted not to", code == 0 and "NXDOMAIN: 5" in text, text + err)
    code, text, err = daemon.ctl("query", name, "-n", "50", "--server", Liar("10.1.0.1").at)
    checks.check("a real difference: exit code 1", code == 1 and "the difference is no chance" in text, text + err)
    code, text, err = daemon.ctl("query", name, "-n", "50", "--server", Liar("192.0.2.1").at)
    checks.check("an address that was never wanted: exit code 1", code == 1 and "192.0.2.1" in text, text + err)
    code, _, err = daemon.ctl("query", name, "--server", Liar(None).at)
    checks.check("no answer: exit code 4", code == 4 and "no answer" in err, err)
    checks.equal("a type without addresses: usage", daemon.ctl("query", name, "TXT")[0], 2)
    checks.equal("a number that is none: usage", daemon.ctl("query", name, "-n", "0")[0], 2)


def everybody(checks, dir):
    cluster, daemon = start(dir)
    for part in (namespaces, audit, services, query):
        guarded(checks, part, cluster, daemon)
    daemon.stop()


if __name__ == "__main__":
    sys.exit(play("people", everybody))
