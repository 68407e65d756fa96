#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Zones that others delegate: a real parent (BIND) refers to pintled, and real resolvers (BIND, Unbound) find the way.

Runs in a network namespace of its own, where port 53 of the addresses kept for documentation is free. Same form of
report as run.py, whose tools it uses.
"""

import json
import os
import shutil
import subprocess
import sys

from run import Daemon, apart, play

INSIDE = "--inside"
PARENT, RESOLVER, UNBOUND = "192.0.2.1", "192.0.2.2", "192.0.2.3"
FIRST, SECOND = "192.0.2.53", "192.0.2.54"
SBIN = f"{os.environ['PATH']}:/usr/sbin"
GATEWAY = "203.0.113.80"
OBJECTS = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: shop, namespace: apps}}
spec:
  hostnames: [shop.app.example.com, ns1.app.example.com]
  parentRefs: [{{name: public}}]
  rules:
    - matches: [{{path: {{type: PathPrefix, value: /cart}}}}]
      backendRefs: [{{name: shop, port: 80}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: public, namespace: apps}}
spec:
  gatewayClassName: any
  listeners: [{{name: http, protocol: HTTP, port: 80}}]
status: {{addresses: [{{type: IPAddress, value: {GATEWAY}}}]}}
"""
ZONES = "zones: {custom: [app.example.com], assigned: r.app.example.com}\n"


def dig(server, name, rrtype="A", *options):
    """(status, sorted data of the answer); of a transfer that of A."""
    done = subprocess.run(["dig", "-r", f"@{server}", "+tries=1", "+time=5", "+noall", "+comments", "+answer", *options, name, rrtype],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    rows = [line.split(None, 4) for line in done.splitlines() if line and not line.startswith(";")]
    return done.split("status: ")[-1].split(",")[0], sorted(row[4] for row in rows if row[3] == ("A" if rrtype == "AXFR" else rrtype))


class Server:
    """A name server of somebody else, which dig finds answering."""

    def __init__(self, checks, dir, name, address, *command):
        with open(dir / f"{name}.log", "wb") as log:
            self.child = subprocess.Popen(command, cwd=dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        checks.becomes(f"{name} answers", lambda: dig(address, "version.bind", "TXT", "-c", "CH")[0], lambda status: status in
                       ("NOERROR", "REFUSED"), 60)

    def stop(self):
        self.child.terminate()
        self.child.wait(60)


def named(checks, dir, name, address, zones, options=""):
    config = dir / f"{name}.conf"
    config.write_text(f'options {{ directory "{dir}"; listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; pid-file none; '
                      f"session-keyfile none; dnssec-validation no; {options} }};\ncontrols {{ }};\n{zones}\n")
    return Server(checks, dir, name, address, shutil.which("named", path=SBIN), "-g", "-n", "1", "-c", str(config))


def parent(checks, dir, servers):
    glue = "".join(f"app IN NS {name}.app\n{name}.app IN A {address}\n" for name, address in servers)
    (dir / "parent.zone").write_text("$ORIGIN example.com.\n$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 604800 300\n"
                                     f"@ IN NS ns\nns IN A {PARENT}\n{glue}")
    return named(checks, dir, "parent", PARENT, 'zone "example.com" { type primary; file "parent.zone"; };', "recursion no;")


def bind(checks, dir):
    return named(checks, dir, "resolver", RESOLVER,
                 f'zone "example.com" {{ type static-stub; server-addresses {{ {PARENT}; }}; }};')


def unbound(checks, dir):
    config = dir / "unbound.conf"
    config.write_text(f"""\
server:
  interface: {UNBOUND}
  access-control: 192.0.2.0/24 allow
  do-daemonize: no
  do-not-query-localhost: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "{dir}"
  pidfile: ""
  module-config: "iterator"
  harden-referral-path: yes
  local-zone: "2.0.192.in-addr.arpa." nodefault
remote-control:
  control-enable: no
stub-zone:
  name: "example.com"
  stub-addr: {PARENT}
""")
    return Server(checks, dir, "unbound", UNBOUND, shutil.which("unbound", path=SBIN), "-d", "-c", str(config))


def start(dir, name, config, *args):
    (dir / "c1").mkdir(exist_ok=True)
    (dir / "c1" / "objects.yaml").write_text(OBJECTS)
    (dir / f"{name}.yaml").write_text(f"clusters: [{{name: c1, directory: c1}}]\n{config}")
    return Daemon(dir, name, "--config", dir / f"{name}.yaml", *args)


def complaints(daemon):
    code, text, err = daemon.ctl("analyze", "--live", "-o", "json")
    items = json.loads(text)["items"] if code in (0, 1) else [{"code": err}]
    return sorted((item["name"], item["message"].split()[3]) for item in items if item["code"] == "PTL0304")


def found_by(checks, address, what):
    checks.becomes(f"{what} finds a hostname and its alias", lambda: dig(address, "shop.app.example.com"),
                   lambda seen: seen == ("NOERROR", [GATEWAY]), 60)
    checks.becomes(f"{what} finds the servers", lambda: dig(address, "app.example.com", "NS")[0], lambda status: status == "NOERROR", 60)


def by_default(checks, dir):
    """Nothing is said of name servers: where pintled listens is where they are."""
    daemon = start(dir, "default", ZONES + "transfers: [{zone: app.example.com, allow: [127.0.0.0/8, 192.0.2.0/24]}]\n", "--listen", f"{FIRST}:53", "--listen", f"{SECOND}:53")
    checks.becomes("the daemon is ready", lambda: daemon.get("/readyz")[0], lambda status: status == 200)
    checks.equal("its name server is below the zone", dig(FIRST, "app.example.com", "NS"), ("NOERROR", ["ns1.app.example.com."]))
    for zone in ("app.example.com", "r.app.example.com"):
        checks.equal(f"and has the addresses that are listened on: {zone}", dig(SECOND, f"ns1.{zone}"), ("NOERROR", [FIRST, SECOND]))
    checks.equal("a transfer has them, too", dig(FIRST, "app.example.com", "AXFR")[1], [FIRST, SECOND])
    checks.equal("over IPv6 it has none, which is no NXDOMAIN", dig(FIRST, "ns1.app.example.com", "AAAA"), ("NOERROR", []))
    checks.equal("nothing is found to be missing", complaints(daemon), [])
    code, text, _ = daemon.ctl("analyze", "--live", "-o", "json")
    taken = [item["message"] for item in json.loads(text)["items"] if item["code"] == "PTL0303"]
    checks.check("a route does not get the name", code == 0 and taken == [
        "hostname ns1.app.example.com is a name server of the zone, which goes first"], (code, taken))
    others = [parent(checks, dir, [("ns1", FIRST)]), bind(checks, dir), unbound(checks, dir)]
    found_by(checks, RESOLVER, "BIND")
    found_by(checks, UNBOUND, "Unbound")
    for other in (*others, daemon):
        other.stop()


def without(checks, dir):
    """Name servers that nobody knows an address of are told, and resolvers do give up."""
    daemon = start(dir, "without", ZONES + "dns: {ns: [dns1.app.example.com, ns.example.net]}\n", "--listen", f"{FIRST}:53")
    checks.becomes("the daemon is ready", lambda: daemon.get("/readyz")[0], lambda status: status == 200)
    checks.equal("analyze names the server that lies here", complaints(daemon),
                 [("app.example.com", "dns1.app.example.com"), ("r.app.example.com", "dns1.app.example.com")])
    others = [parent(checks, dir, [("dns1", FIRST)]), bind(checks, dir)]
    checks.becomes("BIND gives up", lambda: dig(RESOLVER, "shop.app.example.com")[0], lambda status: status == "SERVFAIL", 60)
    others.pop().stop()
    # what analyze says to do
    config = dir / "without.yaml"
    config.write_text(config.read_text().replace("ns.example.net]", "dns2.app.example.com], addresses: [192.0.2.53, 192.0.2.54]"))
    code, _, err = daemon.ctl("reload", "--wait")
    checks.equal("dns.addresses is taken by a reload", (code, complaints(daemon)), (0, []))
    checks.equal("one each", [dig(FIRST, f"dns{i}.app.example.com")[1] for i in (1, 2)], [[FIRST], [SECOND]])
    others.append(bind(checks, dir))
    found_by(checks, RESOLVER, "and with them BIND")
    for other in (*others, daemon):
        other.stop()


def main():
    if sys.argv[1:] == [INSIDE]:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for address in (PARENT, RESOLVER, UNBOUND, FIRST, SECOND):
            subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
        return play("delegation", by_default, without)
    missing = [name for name in ("named", "unbound", "dig", "ip") if not shutil.which(name, path=SBIN)]
    if missing:
        sys.exit(f"not installed (./x setup test): {', '.join(missing)}")
    if space := apart("--net"):
        return subprocess.run([*space, sys.executable, __file__, INSIDE], check=False).returncode
    sys.exit("a network of its own is needed: root, or sysctl kernel.unprivileged_userns_clone=1")


if __name__ == "__main__":
    sys.exit(main())
