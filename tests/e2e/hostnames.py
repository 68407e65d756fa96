#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A route's own hostname in the zones of others: the hotel of --dev, in a real Knot, a real PowerDNS and moto's Route 53 at
once. It appears there, follows the route, goes with it; and asked through the provider's own server it leads to Pintle.

Prints one line per check and, last, "N passed, N failed".
"""

import importlib.util
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.request

PROVIDERS = pathlib.Path(__file__).resolve().parent.parent / "providers"
sys.path.insert(0, str(PROVIDERS))
import powerdns  # noqa: E402
import servers  # noqa: E402
from servers import check, wait_for  # noqa: E402

spec = importlib.util.spec_from_file_location("provider_dns", PROVIDERS / "dns.py")  # dns is dnspython's name
dns = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dns)

PINTLED = os.environ["PINTLED"]
SLOW = servers.SLOW
ZONE, NAME, OTHER = dns.ZONE, f"rooms.{dns.ZONE}", f"suites.{dns.ZONE}"


def dig(port, name, kind):
    done = subprocess.run(["dig", "+short", "+tries=1", "+time=3", "@127.0.0.1", "-p", str(port), name, kind],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    return sorted(done.stdout.split())


class Route53:
    """moto: there is nobody to be asked by DNS, so its API is."""

    HEADERS = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/route53/aws4_request, SignedHeaders=host, "
                                "Signature=0", "Content-Type": "text/xml"}  # by which moto knows what it is to be

    def __init__(self, root):
        self.url = f"http://127.0.0.1:{servers.free_port()}"
        log = root / "moto.log"
        servers.START_S = 240 * SLOW  # it may have to be installed
        servers.spawn("sh", str(PROVIDERS / "moto.sh"), "-H", "127.0.0.1", "-p", self.url.rsplit(":", 1)[1], log=log)
        body = (f'<CreateHostedZoneRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Name>{ZONE}.</Name>'
                "<CallerReference>tests</CallerReference></CreateHostedZoneRequest>")

        def make():
            request = urllib.request.Request(f"{self.url}/2013-04-01/hostedzone", body.encode(), self.HEADERS)
            with urllib.request.urlopen(request, timeout=10) as reply:
                return re.search("<Id>(?:/hostedzone/)?([^<]+)</Id>", reply.read().decode())

        self.id = wait_for("moto", make, log).group(1)

    def ask(self, name, kind):
        request = urllib.request.Request(f"{self.url}/2013-04-01/hostedzone/{self.id}/rrset", headers=self.HEADERS)
        with urllib.request.urlopen(request, timeout=30) as reply:
            sets = re.findall("<ResourceRecordSet>.*?</ResourceRecordSet>", reply.read().decode(), re.S)
        return sorted(value for one in sets if f"<Name>{name}.</Name>" in one and f"<Type>{kind}</Type>" in one
                      for value in re.findall("<Value>([^<]+)</Value>", one))


class World:
    def __init__(self):
        self.root = pathlib.Path(servers.scratch())
        self.port, self.admin = servers.free_port(), f"127.0.0.1:{servers.free_port()}"
        knot = dns.Server(self.root, "knot")
        pdns = powerdns.PowerDNS(str(self.root))
        pdns.make_zone(ZONE)
        moto = Route53(self.root)
        self.asks = {"knot": lambda *about: dig(knot.port, *about), "powerdns": lambda *about: dig(pdns.dns, *about),
                     "route53": moto.ask}
        subprocess.run([PINTLED, "--dev", "--export", str(self.root / "hotel")], check=True, capture_output=True, timeout=60)
        self.file = self.root / "hotel" / "c1" / "inventory.yaml"
        self.plain = self.file.read_text()
        key = servers.write(str(self.root / "pdns.key"), powerdns.KEY)
        secrets = [servers.write(str(self.root / name), text) for name, text in (("id", "AKIATESTS"), ("secret", "tests"))]
        kinds = {
            "knot": {"provider": "rfc2136", "rfc2136": {"server": f"127.0.0.1:{knot.port}",
                                                        "tsig": {"name": dns.KEY, "secretFile": str(knot.secret_file)}}},
            "powerdns": {"provider": "powerdns", "powerdns": {"url": f"http://127.0.0.1:{pdns.web}", "apiKeyFile": key}},
            "route53": {"provider": "route53", "route53": {"endpoint": moto.url, "accessKeyFile": secrets[0],
                                                           "secretKeyFile": secrets[1]}},
        }
        config = {
            "apiVersion": "pintle.dev/v1alpha1", "kind": "PintleConfig", "clusterSet": "demo",
            "listen": [{"address": f"127.0.0.1:{self.port}"}], "admin": {"address": self.admin}, "defaultCluster": "c1",
            "clusters": [{"name": name, "directory": str(self.root / "hotel" / name)} for name in ("c1", "c2", "c3")],
            "records": [dict(kind, name=name, zones=[ZONE], policy="sync", interval=3600, targets="assigned", sources=["httproute"])
                        for name, kind in kinds.items()]}
        (self.root / "pintle.yaml").write_text(json.dumps(config))
        self.child = servers.spawn(PINTLED, "--config", str(self.root / "pintle.yaml"), log=self.root / "pintled.log")
        wait_for("the daemon", lambda: self.overview(), self.root / "pintled.log")

    def overview(self):
        with urllib.request.urlopen(f"http://{self.admin}/api/v1/records", timeout=30) as reply:
            return json.load(reply)["items"]

    def route(self, hostname):
        """Gives the route a hostname, or none; or takes the route away."""
        text = self.plain
        if hostname is None:
            text = "---\n".join(part for part in text.split("---\n") if "kind: HTTPRoute" not in part)
        elif hostname:
            text = text.replace("kind: HTTPRoute\n", "kind: HTTPRoute\n", 1).replace(
                "    - {name: my-hotel, sectionName: http}\n",
                f"    - {{name: my-hotel, sectionName: http}}\n  hostnames: [{hostname}]\n", 1)
        self.file.with_suffix(".new").write_text(text)
        self.file.with_suffix(".new").rename(self.file)

    def everywhere(self, what, name, look):
        """Waits until each server says it, and tells how long the slowest took."""
        since = time.monotonic()
        missing = dict(self.asks)
        while missing and time.monotonic() < since + 30 * SLOW:
            missing = {server: ask for server, ask in missing.items() if not look(ask(name, "CNAME"))}
            time.sleep(0.02)
        took = time.monotonic() - since
        check(f"{what} ({took:.1f} s)", not missing,
              ({server: ask(name, "CNAME") for server, ask in missing.items()}, self.overview()))


def main():
    world = World()
    world.route(NAME)
    world.everywhere("the route's hostname is in Knot, PowerDNS and Route 53", NAME, bool)
    targets = {server: ask(NAME, "CNAME") for server, ask in world.asks.items()}
    names = {target.rstrip(".") for found in targets.values() for target in found}
    check("all lead to the assigned name", len(names) == 1 and re.fullmatch(r"inventory-default-[0-9a-f]{16}\.pintle\.internal",
                                                                              next(iter(names), "")), targets)
    answer = dig(world.port, next(iter(names)), "A")
    check("which Pintle answers", answer and all(re.fullmatch(r"[0-9.]+", address) for address in answer), answer)
    owners = [" ".join(ask(f"cname-{NAME}", "TXT")) for ask in world.asks.values()]
    check("each says whose it is", all("external-dns/owner=demo" in text and "resource=httproute/default/inventory" in text
                                       for text in owners), owners)
    world.route(OTHER)
    world.everywhere("another hostname takes its place", OTHER, bool)
    world.everywhere("and the old one is gone", NAME, lambda found: not found)
    world.route(None)
    world.everywhere("it goes with the route", OTHER, lambda found: not found)
    left = [ask(f"cname-{OTHER}", "TXT") for ask in world.asks.values()]
    check("and so does its TXT record", left == [[], [], []], left)
    check("what was there before is still there", world.asks["knot"](f"www.{ZONE}", "A") == ["198.51.100.80"]
          and world.asks["powerdns"](f"www.{ZONE}", "A") == ["198.51.100.7"])
    world.child.send_signal(signal.SIGTERM)
    check("the daemon ends well", world.child.wait(timeout=60 * SLOW) == 0, world.child.returncode)
    log = (world.root / "pintled.log").read_text()
    check("no key is in its log", powerdns.KEY not in log and "AKIATESTS" not in log)
    servers.finish()


if __name__ == "__main__":
    main()
