#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Alerts and dashboard: what promtool says of them, and whether a real daemon shows what they ask for.

Same form of report as charts.py. PINTLED names the program.
"""

import json
import re
import shutil
import subprocess
import sys

import yaml

import render
from run import play  # noqa: E402: pylint: disable=wrong-import-order
from tls import TlsDaemon  # noqa: E402: pylint: disable=wrong-import-order

ALERTS = render.CHART / "files" / "alerts.yaml"
DASHBOARD = render.CHART / "files" / "dashboard.json"
TESTS = render.HERE / "alerts_test.yaml"
SUFFIX = re.compile(r"_(bucket|sum|count)$")
SCRAPED = {"instance"}  # labels that come from the scrape

# Everything that has metrics of its own: a directory, an API server (that is away), records, a resolver, files, TLS.
CONFIG = """\
listen:
  - {{address: "127.0.0.1:0"}}
  - {{address: "127.0.0.1:0", tls: {{certificate: tls.crt, key: tls.key}}}}
zones: {{custom: [example.com], files: [{{zone: corp.example, file: corp.zone}}]}}
clusters:
  - {{name: c1, directory: c1}}
  - {{name: c2, context: c2, kubeconfig: kubeconfig}}
forward: [{{zone: ".", to: ["127.0.0.1:{dead}"]}}]
stateDir: state
records:
  - {{name: files, provider: zonefile, zones: [example.com], policy: sync, owner: test, zonefile: {{directory: out}}}}
"""
ZONE = "@ 300 SOA ns1 hostmaster 1 3600 600 86400 5\n@ 300 NS ns1\nns1 300 A 192.0.2.1\n"
ROUTE = """\
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: a}, spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: shop, name: a-1,
  labels: {kubernetes.io/service-name: a}}, addressType: IPv4, ports: [{port: 80}], endpoints: [{addresses: [10.1.0.1]}]}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: shop, name: cart},
  spec: {rules: [{backendRefs: [{name: a, port: 80}]}]}}
"""
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c2, cluster: {{server: "https://127.0.0.1:{dead}"}}}}]
users: [{{name: c2, user: {{client-certificate: tls.crt, client-key: tls.key}}}}]
contexts: [{{name: c2, context: {{cluster: c2, user: c2}}}}]
"""


def promtool(*args, stdin=None):
    source = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(["promtool", *map(str, args)], capture_output=True, text=True, timeout=120, check=False,
                          **source)
    return done.returncode, done.stdout + done.stderr


def rules():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def alerts(checks, dir):
    code, said = promtool("check", "rules", ALERTS)
    checks.check("promtool check rules", code == 0 and f"{len(rules())} rules found" in said, said)
    for path in (ALERTS, TESTS):
        shutil.copy(path, dir / path.name)
    code, said = promtool("test", "rules", dir / TESTS.name)
    checks.check("promtool test rules", code == 0, said)
    fired = {case["alertname"] for test in yaml.safe_load(TESTS.read_text())["tests"]
             for case in test.get("alert_rule_test", []) if case["exp_alerts"]}
    checks.equal("each alert has a test in which it fires", fired, {rule["alert"] for rule in rules()})
    checks.check("each alert has a severity, a summary and a description", all(
        rule["labels"]["severity"] in ("warning", "critical") and rule["annotations"]["summary"]
        and rule["annotations"]["description"] for rule in rules()))


def expressions():
    return [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"]
            for target in panel.get("targets", [])]


def dashboard(checks, dir):
    board = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    checks.check("dashboard: ids are unique, each panel has a title", len(ids) == len(set(ids)) and all(
        panel["title"] for panel in board["panels"]), ids)
    taken = [(x, y) for grid in (panel["gridPos"] for panel in board["panels"])
             for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])]
    checks.check("dashboard: panels do not overlap, nor leave the page", len(taken) == len(set(taken))
                 and max(x for x, _ in taken) < 24)
    as_rules = [{"record": f"panel:{i}", "expr": expr.replace("$__rate_interval", "5m").replace("$instance", ".*")}
                for i, expr in enumerate(expressions())]
    path = dir / "dashboard.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": as_rules}]}))
    code, said = promtool("check", "rules", path)
    checks.check("dashboard: promtool reads every expression", code == 0 and f"{len(as_rules)} rules found" in said, said)


# --- Beside a real daemon ----------------------------------------------------------------------------


def start(dir):
    home = dir / "live"
    (home / "c1").mkdir(parents=True)
    (home / "c1" / "route.yaml").write_text(ROUTE)
    (home / "out").mkdir()
    (home / "corp.zone").write_text(ZONE)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", home / "tls.key", "-out", home / "tls.crt", "-subj", "/CN=pintle"],
                   check=True, capture_output=True)
    (home / "tls.key").chmod(0o640)
    (home / "kubeconfig").write_text(KUBECONFIG.format(dead=1))  # nobody listens on port 1
    (home / "pintle.yaml").write_text(CONFIG.format(dead=1))
    return TlsDaemon(home, "live")


def shown(text):
    """{family or sample: the sets of label names it has}; a family without a sample, one that counts what was not
    seen, has none."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            found.setdefault(line.split()[2], [])
        elif not line.startswith("#"):
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? ", line).groups()
            found.setdefault(name, []).append(set(re.findall(r'(\w+)="', labels or "")))
    return found


def names_in(expr):
    return set(re.findall(r"\b(?:pintle|process)_\w+", expr))


def live(checks, dir):
    daemon = start(dir)
    try:
        daemon.dig("example.net")  # a question that is forwarded to nobody
        checks.becomes("a daemon with everything shows what it does", lambda: daemon.get("/metrics")[1],
                       lambda text: 'pintle_cluster_requests_total{cluster="c2",' in text
                       and "pintle_cluster_credentials_expire_seconds{" in text and "pintle_records_up{" in text
                       and "pintle_forward_upstream_up{" in text and "pintle_route_answers_total{" in text)
        text = daemon.get("/metrics")[1]
    finally:
        daemon.stop()
    code, said = promtool("check", "metrics", stdin=text)
    checks.check("promtool check metrics has nothing to say of it", code == 0 and not said.strip(), said)
    found = shown(text)
    for what, exprs in (("alerts", [rule["expr"] for rule in rules()]), ("dashboard", expressions())):
        wanted = set().union(*map(names_in, exprs))
        checks.check(f"{what}: all {len(wanted)} metrics are ones that a daemon shows", wanted <= set(found),
                     sorted(wanted - set(found)))
    used = {label for expr in [*(rule["expr"] for rule in rules()), *expressions()]
            for group in re.findall(r"\b(?:by|without|on) \(([^)]*)\)", expr) for label in group.split(",") if label.strip()}
    known = {label for sets in found.values() for labels in sets for label in labels}
    checks.equal("labels that are summed over are ones that it has, or that come from the scrape",
                 sorted({label.strip() for label in used} - known - SCRAPED - {"pod", "node", "endpoint", "container"}), [])
    strange = []
    for series in (s["series"] for test in yaml.safe_load(TESTS.read_text())["tests"] for s in test["input_series"]):
        name, labels = series.split("{")[0], set(re.findall(r'(\w+)="', series)) - SCRAPED
        if name.startswith("pintle_") and not any(labels <= has for has in found.get(name, [])):
            strange.append(series)
    checks.equal("the alerts' tests are about series that a daemon has", strange, [])


if __name__ == "__main__":
    sys.exit(play("monitoring", alerts, dashboard, live))
