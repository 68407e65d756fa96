#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pintlectl sysdump: what is in it, that it answers again as before, and that no secret is in it, wherever one was.

Same form of report as run.py, whose tools it uses.
"""

import base64
import json
import os
import subprocess
import sys

from run import Daemon, play

OBJECTS = """
apiVersion: v1
kind: Pod
metadata: {name: asker, namespace: shop}
status: {phase: Running, podIP: 127.0.0.1, podIPs: [{ip: 127.0.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: on-the-node, namespace: shop}
spec: {hostNetwork: true}
status: {phase: Running, podIP: 10.9.0.9}
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: apps
  annotations: {example.com/password: planted-in-annotation, kubectl.kubernetes.io/last-applied-configuration: '{"x":"planted-in-applied"}'}
spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.2, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 80}]
endpoints: [{addresses: [10.1.0.1], conditions: {ready: true}}]
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: apps}
stringData: {password: planted-in-secret}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: db, namespace: apps}
data: {password: planted-in-configmap}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: default}
spec: {hostnames: [shop.example.com], rules: [{backendRefs: [{name: web, port: 80}]}]}
---
apiVersion: pintle.dev/v1alpha1
kind: ResolvePolicy
metadata: {name: guard, namespace: default}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: shop}], allow: [{namespaces: [shop]}]}
"""
ZONE = """$TTL 60
@ IN SOA ns hostmaster 7 3600 600 604800 60 ; planted-in-remark
  IN NS ns
  IN MX 10 mail
ns IN A 192.0.2.53
mail IN AAAA 2001:db8::25
txt IN TXT "a \\"quoted\\" text; no remark" "two"
odd\\.label IN A 192.0.2.9
*.wild IN CNAME mail
new IN TYPE65280 \\# 3 abcdef
"""
CONFIG = """
clusterSet: demo
clusters:
  - {{name: c1, directory: c1, clients: [127.0.0.0/8]}}
  - {{name: c2, context: far, kubeconfig: kubeconfig}}
  - {{name: c3, etcd: {{endpoints: ["http://127.0.0.1:9"], user: u, passwordFile: etcd.secret}}}}
defaultCluster: c1
zones:
  custom: [example.com]
  files: [{{zone: corp.example, file: corp.zone}}, {{zone: 0/25.2.0.192.in-addr.arpa, file: corp.zone}}]
geo: {{map: [{{nets: [198.51.100.0/24], clusters: [c2, c1]}}]}}
trustedForwarders: [192.0.2.0/24]
dns: {{ns: [ns1.example.com], addresses: [192.0.2.53]}}
admin: {{tokenFile: token.secret}}
cookies: {{secretFile: cookies.secret}}
tsigKeys: [{{name: key.example, secretFile: tsig.secret}}]
health: {{commands: [{{name: pg, run: [/bin/true, planted-in-argument, "--password=planted-in-flag"]}}]}}
log: {{level: debug}}
records:
  - name: pdns
    provider: powerdns
    zones: [example.org]
    policy: sync
    txtEncryptKeyFile: txt.secret
    powerdns: {{url: "http://127.0.0.1:9", apiKeyFile: pdns.secret}}
  - name: hook
    provider: webhook
    zones: [example.net]
    policy: sync
    webhook: {{url: "http://127.0.0.1:9"}}
  - name: aws
    provider: route53
    zones: [example.edu]
    policy: sync
    route53: {{endpoint: "http://127.0.0.1:9", accessKeyFile: access.secret, secretKeyFile: aws.secret}}
"""
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: far, cluster: {server: "https://user:planted-in-server@127.0.0.1:9", proxy-url: "http://user:planted-in-proxy@127.0.0.1:9"}}]
users: [{name: far, user: {token: planted-in-kubeconfig, username: admin, password: planted-in-password}}]
contexts: [{name: far, context: {cluster: far, user: far}}]
"""
ENVIRONMENT = {"AWS_SECRET_ACCESS_KEY": "planted-in-environment", "https_proxy": "http://user:planted-in-env-proxy@127.0.0.1:9"}
ASKED = (("txt.corp.example", "TXT"), ("corp.example", "MX"), ("corp.example", "SOA"), ("odd\\.label.corp.example", "A"),
         ("a.wild.corp.example", "AAAA"), ("new.corp.example", "TYPE65280"), ("nothing.corp.example", "A"),
         ("shop.example.com", "A"), ("web.default.svc.cluster.local", "A"), ("ns1.example.com", "A"),
         ("0/25.2.0.192.in-addr.arpa", "MX"))


def secrets():
    """What is in files, by name: texts that the daemon can use."""
    long = {name: base64.b64encode(f"planted-in-{name}-0123456789".encode()[:32].ljust(32, b"x")).decode() for name in ("tsig", "txt")}
    plain = {name: f"planted-in-{name}" for name in ("etcd", "token", "pdns", "access", "aws")}
    return {**long, **plain, "cookies": "0123456789abcdef0123456789abcdef"}


def world(dir):
    (dir / "c1").mkdir()
    (dir / "c1" / "objects.yaml").write_text(OBJECTS)
    (dir / "corp.zone").write_text(ZONE)
    (dir / "kubeconfig").write_text(KUBECONFIG)
    for name, text in secrets().items():
        (dir / f"{name}.secret").write_text(text + "\n")
        (dir / f"{name}.secret").chmod(0o600)
    (dir / "pintle.yaml").write_text(CONFIG.format())
    return dir / "pintle.yaml"


def told(daemon):
    """Everything that is asked, but for the id of the message and the time it took."""
    return {what: (lambda seen: (seen.status, sorted(row[2:] for row in seen.answer)))(daemon.dig(*what)) for what in ASKED}


def unpack(checks, daemon, dir, env):
    file = dir / "dump.tgz"
    done = subprocess.run([os.environ.get("PINTLECTL", "build/pintlectl"), "sysdump", "-o", file, "--admin", daemon.admin],
                          env={**os.environ, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    checks.check("sysdump goes well", done.returncode == 0, done)
    subprocess.run(["tar", "-xzf", file, "-C", dir], check=True)
    return dir / "pintle-sysdump"


def dumped(checks, dir):
    config = world(dir)
    os.environ.update(ENVIRONMENT)
    daemon = Daemon(dir, "dumped", "--config", config)
    token = {"PINTLE_TOKEN_FILE": str(dir / "token.secret")}
    checks.becomes("the daemon answers from its cluster", lambda: daemon.dig("shop.example.com").status, lambda seen: seen == "NOERROR", 60)
    checks.becomes("and from its zones", lambda: daemon.dig("corp.example", "SOA").status, lambda seen: seen == "NOERROR", 60)
    checks.becomes("what is out of reach has been told", daemon.log_text,
                   lambda text: all(word in text for word in ("cluster=c2", "cluster=c3", "example.org", "example.net", "example.edu"))
                   or all(f" {word}" in text for word in ("c2", "c3", "example.org", "example.net", "example.edu")), 60)
    top = unpack(checks, daemon, dir, token)
    everything = {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
    checks.check("there is much to look through", len(everything) >= 14 and sum(map(len, everything.values())) > 20000, list(everything))
    planted = [*secrets().values(), "planted-in"]
    planted += [base64.b64encode(text.encode()).decode().rstrip("=") for text in planted]
    found = [(str(path), text) for path, data in everything.items() for text in planted if text.encode() in data]
    checks.equal("no secret is in it", found, [])

    log = (top / "log.txt").read_text()
    checks.check("the log's lines are those that were written", "answering DNS on" in log and log.endswith("\n")
                 and set(log.splitlines()) <= set(daemon.log_text().splitlines()), log[-500:])
    pods = [item for path in sorted((top / "clusters" / "c1").glob("objects-*.json")) for item in json.loads(path.read_text())["items"]
            if item["kind"] == "Pod"]
    checks.equal("Pods that a policy asks for are there with their addresses",
                 [(pod["metadata"]["name"], pod["status"]["podIPs"]) for pod in pods],
                 [("asker", [{"ip": "127.0.0.1"}]), ("on-the-node", [{"ip": "10.9.0.9"}])])
    replay = (top / "clusters" / "pintle.yaml").read_text()
    checks.check("so are geo rules, forwarders and name servers", all(
        text in replay for text in ("198.51.100.0/24", "192.0.2.0/24", "ns1.example.com", "static-1.zone")), replay)
    readme = (top / "README.txt").read_text()
    names = {path.name for path in everything}
    missing = [word for word in ("log.txt", "status.json", "metrics.txt", "findings.json", "config.json", "clusters.json", "names.json",
                                 "drains.json", "log.json", "pintle.yaml") if word not in readme or word not in names]
    checks.check("the README tells of each file, and how to replay", not missing and "pintled --clusters-dir clusters" in readme, missing)

    before = told(daemon)
    daemon.stop()
    replayed = Daemon(dir, "replayed", "--clusters-dir", top / "clusters")
    checks.becomes("the replay answers", lambda: replayed.dig("shop.example.com").status, lambda seen: seen == "NOERROR", 60)
    checks.becomes("and its zones", lambda: replayed.dig("corp.example", "SOA").status, lambda seen: seen == "NOERROR", 60)
    after = told(replayed)
    checks.check("there is something to compare", sum(bool(rows) for _, rows in before.values()) >= 9, before)
    checks.equal("every answer is the same", {what: after[what] for what in ASKED if after[what] != before[what]}, {})
    again = dir / "again"
    again.mkdir()
    second = unpack(checks, replayed, again, {})
    checks.equal("a dump of the replay has the same objects and zones", *[
        {str(path.relative_to(place)): path.read_bytes() for path in (place / "clusters").rglob("*") if path.suffix in (".json", ".zone")}
        for place in (second, top)])
    replayed.stop()


def wrong(checks, dir):
    """Pages behind the dump, asked wrongly."""
    daemon = Daemon(dir, "wrong", "--dev")
    for path, wanted in (("zones", 400), ("zones?zone=a..b", 400), ("zones?zone=a&after=x", 400), ("zones?zone=a&after=1234567890", 400),
                         ("zones?zone=example.com", 200), ("log/lines", 200), ("log/lines/x", 404)):
        checks.equal(f"/api/v1/{path}", daemon.get(f"/api/v1/{path}")[0], wanted)
    checks.equal("a zone that has no file has no text", json.loads(daemon.get("/api/v1/zones?zone=pintle.internal")[1]), {"text": ""})
    daemon.stop()


if __name__ == "__main__":
    sys.exit(play("dumps", dumped, wrong))
