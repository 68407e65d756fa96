#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Networks and operators' hands: gateways by host name and by status, with a real small name
server, and drains.

Prints one line per check and, last, "N passed, N failed".
"""

import json
import pathlib
import re
import signal
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import nameserver  # noqa: E402
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)

# --- Gateways that are followed ---------------------------------------------------------------------

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{namespace: shop, name: cart}}
spec: {{clusterIP: {ip}, ports: [{{port: 80}}]}}
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceExport
metadata: {{namespace: shop, name: cart}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{namespace: shop, name: cart-1, labels: {{kubernetes.io/service-name: cart}}}}
addressType: IPv4
ports: [{{port: 80}}]
endpoints: [{endpoints}]
"""
EASTWEST = """\
apiVersion: v1
kind: Service
metadata: {namespace: istio-system, name: eastwest}
spec: {type: LoadBalancer, clusterIP: 10.96.2.9, ports: [{port: 15443}]}
status: {loadBalancer: {ingress: [{hostname: LB.Example.Net}]}}
"""
CONFIG = """\
networks:
  - {{name: far, gateways: [gw.example.net]}}
  - {{name: farther, gateways: [{{service: {{cluster: c3, namespace: istio-system, name: eastwest}}}}]}}
resolvers: ["127.0.0.1:{port}"]
clusters:
  - {{name: c1, directory: c1}}
  - {{name: c2, directory: c2, network: far}}
  - {{name: c3, directory: c3, network: farther}}
defaultCluster: c1
steering: {{answers: all}}
"""
CART = "cart.shop.svc.clusterset.local"


def write_clusters(folder, n_endpoints):
    """Clusters c1, c2, ... with so many endpoints of shop/cart each: 10.C.0.1 and on."""
    for c, n in enumerate(n_endpoints, start=1):
        (folder / f"c{c}").mkdir(parents=True)
        endpoints = ", ".join(f"{{addresses: [10.{c}.0.{i}]}}" for i in range(1, n + 1))
        (folder / f"c{c}" / "cart.yaml").write_text(SERVICE.format(ip=f"10.96.{c}.1", endpoints=endpoints))


def follow_gateway(checks, daemon, server):
    checks.becomes("138: the gateway's host name is resolved and shown", lambda: sorted(daemon.dig(CART).data),
                   lambda seen: seen == ["10.96.1.1", "203.0.113.9"])
    server.names["gw.example.net"] = ["203.0.113.10", "203.0.113.11", "2001:db8::9"]
    took = checks.becomes("138: its new addresses are shown when the TTL is over",
                          lambda: sorted(daemon.dig(CART).data),
                          lambda seen: seen == ["10.96.1.1", "203.0.113.10", "203.0.113.11"])
    checks.check("... which is a second", took < 3, took)
    checks.equal("AAAA too", daemon.dig(CART, "AAAA").data, ["2001:db8::9"])
    items = json.loads(daemon.ctl("explain", CART, "-o", "json")[1])["addresses"]
    checks.equal("137: two gateways share their network's weight",
                 {item["address"]: item["first"] for item in items},
                 {"10.96.1.1": 0.25, "203.0.113.10": 0.375, "203.0.113.11": 0.375})
    server.rcode = nameserver.SERVFAIL
    checks.becomes("a resolver that fails is counted", lambda: daemon.get("/metrics")[1],
                   lambda text: 'pintle_gateway_host_up{host="gw.example.net"} 0' in text)
    checks.equal("... and its last addresses stay", sorted(daemon.dig(CART).data),
                 ["10.96.1.1", "203.0.113.10", "203.0.113.11"])
    _, text, _ = daemon.ctl("explain", CART)
    checks.check("explain tells host name, age and trouble",
                 re.search(r"far +host gw.example.net +203\.0\.113\.10 203\.0\.113\.11 2001:db8::9 +\d+ s +"
                           r"no usable answer from a resolver", text), text)
    time.sleep(1.5)
    checks.equal("the failure is logged once", daemon.log_text().count("lookups: gateway gw.example.net: "), 1)
    server.rcode = nameserver.NOERROR
    server.names["gw.example.net"] = ["203.0.113.12"]
    checks.becomes("it is asked again until it answers", lambda: sorted(daemon.dig(CART).data),
                   lambda seen: seen == ["10.96.1.1", "203.0.113.12"])
    server.names["gw.example.net"] = ["127.0.0.1", "169.254.169.254", "203.0.113.13", "::1"]
    checks.becomes("what leads the asker to himself is left out", lambda: sorted(daemon.dig(CART).data),
                   lambda seen: seen == ["10.96.1.1", "203.0.113.13"])
    server.names["gw.example.net"] = ["169.254.171.33", "fd00:ec2:80::a9fe:ab21"]
    checks.becomes("a service of VPC Lattice is not left out", lambda: sorted(daemon.dig(CART).data),
                   lambda seen: seen == ["10.96.1.1", "169.254.171.33"])
    server.names["gw.example.net"] = ["127.0.0.1", "fd00:ec2::254"]
    checks.becomes("and told where there is nothing else", daemon.log_text,
                   lambda text: "gateway gw.example.net: its addresses cannot be reached by others; keeping its last" in text)
    checks.equal("... its last addresses stay", sorted(daemon.dig(CART).data), ["10.96.1.1", "169.254.171.33"])
    server.names["gw.example.net"] = ["203.0.113.12"]
    checks.becomes("until it says something else", lambda: sorted(daemon.dig(CART).data),
                   lambda seen: seen == ["10.96.1.1", "203.0.113.12"])
    checks.check("nothing else was asked for", {name for name, _ in server.asked} <= {"gw.example.net"}, server.asked)


def follow_status(checks, daemon, server, folder):
    manifest = folder / "c3" / "eastwest.yaml"
    server.names["lb.example.net"] = ["198.51.100.7"]
    fresh = folder / "eastwest.new"
    fresh.write_text(EASTWEST)
    fresh.rename(manifest)
    checks.becomes("a load balancer's host name in a Service's status is followed",
                   lambda: sorted(daemon.dig(CART).data), lambda seen: "198.51.100.7" in seen)
    e2e.replace(manifest, "hostname: LB.Example.Net", "ip: 198.51.100.8")
    checks.becomes("... and its address, when it has one", lambda: sorted(daemon.dig(CART).data),
                   lambda seen: seen == ["10.96.1.1", "198.51.100.8", "203.0.113.12"])
    checks.becomes("a host name that is not needed any more is not asked for", lambda: daemon.get("/metrics")[1],
                   lambda text: "lb.example.net" not in text)


def gateways(checks, dir):
    server = nameserver.NameServer()
    server.names["gw.example.net"] = ["203.0.113.9"]
    folder = dir / "gateways"
    write_clusters(folder, [1, 3, 2])
    (folder / "pintle.yaml").write_text(CONFIG.format(port=server.port))
    daemon = e2e.Daemon(dir, "gateways", "--config", folder / "pintle.yaml")
    try:
        follow_gateway(checks, daemon, server)
        follow_status(checks, daemon, server, folder)
    finally:
        checks.equal("it ends at once in the middle of lookups", daemon.stop(signal.SIGINT), 0)
        server.stop()


# --- Drains -----------------------------------------------------------------------------------------


def order(daemon, method, path, body=None, **headers):
    """A request that changes something, as a client other than pintlectl sends it: its status."""
    request = urllib.request.Request(f"http://{daemon.admin}{path}", data=body, method=method,
                                     headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status
    except urllib.error.HTTPError as err:
        return err.code


def drain_and_undrain(checks, daemon):
    both = ["10.96.1.1", "10.2.0.1"]
    checks.becomes("both clusters are listed", lambda: sorted(daemon.dig(CART).data), lambda seen: seen == sorted(both))
    code, text, err = daemon.ctl("drain", "cluster", "c2", "--for", "30m")
    checks.check("drain tells what is drained, and until when",
                 code == 0 and re.search(r"cluster c2 +20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", text), text + err)
    checks.equal("it is out of the next answer", daemon.dig(CART).data, ["10.96.1.1"])
    code, text, _ = daemon.ctl("explain", CART)
    checks.check("explain says so", re.search(r"c2 .*no +drained until 20\S+Z \(cluster c2\)", text), text)
    code, text, _ = daemon.ctl("status")
    checks.check("status says so", re.search(r"^drained: cluster c2 until 20\S+Z$", text, re.M)
                 and re.search(r"^c2 .*up, drained", text, re.M), text)
    code, text, _ = daemon.ctl("drain", "endpoint", "10.1.0.1")
    checks.equal("with everything drained there is NODATA", daemon.dig(CART).data, [])
    code, text, _ = daemon.ctl("drains", "-o", "json")
    checks.equal("drains lists all", [(d["what"], d["name"]) for d in json.loads(text)["items"]],
                 [("cluster", "c2"), ("endpoint", "10.1.0.1")])
    checks.equal("undrain", daemon.ctl("undrain", "endpoint", "10.1.0.1")[0], 0)
    checks.equal("... and it is in the next answer", daemon.dig(CART).data, ["10.96.1.1"])
    checks.equal("a drain that ends by itself", daemon.ctl("drain", "service", "shop/cart", "--for", "1s")[0], 0)
    checks.equal("... is in force", daemon.dig(CART).data, [])
    checks.becomes("... and over", lambda: daemon.dig(CART).data, lambda seen: seen == ["10.96.1.1"], 5)


def wrong_drains(checks, daemon):
    for words, said in ((("cluster", "c9"), 'there is no cluster "c9"; clusters: c1, c2'),
                        (("service", "shop/crt"), 'there is no service "shop/crt"; services: shop/cart'),
                        (("endpoint", "10.1.0.77"), "endpoints near that address: 10.1.0.1"),
                        (("zone", "eu-1a"), "there are no zones of endpoints"),
                        (("pod", "x"), "not one of cluster, zone, service, endpoint"),
                        (("cluster", "c1", "--for", "soon"), "no duration")):
        code, _, err = daemon.ctl("drain", *words)
        checks.check(f"drain {' '.join(words)}: {said}", code in (1, 2) and said in err, err)
    code, _, err = daemon.ctl("undrain", "cluster", "c1")
    checks.check("undrain tells what is drained", code == 1 and "c1 is not drained; drained are: cluster c2" in err, err)
    body = b'{"what":"cluster","name":"c1"}'
    json_type = {"Content_Type": "application/json"}
    checks.equal("an order from a web page is refused",
                 order(daemon, "POST", "/api/v1/drains", body, Origin="http://x.example", **json_type), 403)
    checks.equal("an order that a web form could send is refused",
                 order(daemon, "POST", "/api/v1/drains", body, Content_Type="text/plain"), 400)
    checks.equal("broken JSON is refused", order(daemon, "POST", "/api/v1/drains", b"{", **json_type), 400)
    checks.equal("PUT is no verb of drains", order(daemon, "PUT", "/api/v1/drains", body, **json_type), 405)
    checks.equal("nothing of that drained anything", daemon.dig(CART).data, ["10.96.1.1"])


def drains(checks, dir):
    folder, state = dir / "drains", dir / "state"
    write_clusters(folder, [1, 1])
    flags = ("--clusters-dir", folder, "--state-dir", state, "--config", folder / "pintle.yaml")
    (folder / "pintle.yaml").write_text("defaultCluster: c1\nsteering: {answers: all}\n")
    daemon = e2e.Daemon(dir, "drains", *flags)
    try:
        drain_and_undrain(checks, daemon)
        wrong_drains(checks, daemon)
    finally:
        daemon.stop(signal.SIGKILL)
    daemon = e2e.Daemon(dir, "drains-again", *flags)
    try:
        checks.becomes("a restart remembers", lambda: daemon.dig(CART).data, lambda seen: seen == ["10.96.1.1"])
        checks.equal("undrain after a restart", daemon.ctl("undrain", "cluster", "c2")[0], 0)
        checks.equal("... lets it in again", sorted(daemon.dig(CART).data), ["10.2.0.1", "10.96.1.1"])
    finally:
        daemon.stop(signal.SIGINT)
    (state / "drains.json").write_text('{"version": 2, "drains": []}')
    daemon = e2e.Daemon(dir, "drains-version", *flags)
    try:
        checks.check("a state file of another version is told", "drains.json: this version reads version 1"
                     in daemon.log_text(), daemon.log_text())
        checks.becomes("... and stops nobody", lambda: len(daemon.dig(CART).data), lambda n: n == 2)
    finally:
        daemon.stop(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(e2e.play("networks", gateways, drains))
