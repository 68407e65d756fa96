#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records that objects of two clusters want, in a real Knot DNS and in zone files: pintled keeps them, pintlectl shows
them, and kdig asks for them.

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
import servers  # noqa: E402
from servers import check, wait_for  # noqa: E402

spec = importlib.util.spec_from_file_location("provider_dns", PROVIDERS / "dns.py")  # dns is dnspython's name
dns = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dns)

PINTLED, PINTLECTL = os.environ["PINTLED"], os.environ["PINTLECTL"]
SLOW = servers.SLOW
MANY = 14
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
# What external-dns v0.20 says of them: docs/monitoring/metrics.md there.
EXTERNAL_DNS = {
    "controller_consecutive_soft_errors": ("gauge", "Number of consecutive soft errors in reconciliation loop."),
    "controller_last_reconcile_timestamp_seconds": ("gauge", "Timestamp of last attempted sync with the DNS provider"),
    "controller_last_sync_timestamp_seconds": ("gauge", "Timestamp of last successful sync with the DNS provider"),
    "controller_no_op_runs_total": (
        "counter", "Number of reconcile loops ending up with no changes on the DNS provider side."),
    "controller_verified_records": ("gauge", "Number of DNS records that exists both in source and registry (vector)."),
    "registry_endpoints_total": ("gauge", "Number of Endpoints in the registry"),
    "registry_errors_total": ("counter", "Number of Registry errors."),
    "registry_records": ("gauge", "Number of registry records partitioned by label name (vector)."),
    "source_endpoints_total": ("gauge", "Number of Endpoints in all sources"),
    "source_errors_total": ("counter", "Number of Source errors."),
    "source_records": ("gauge", "Number of source records partitioned by label name (vector)."),
}


def service(name, hostname, *addresses, ttl=None):
    notes = {"external-dns.kubernetes.io/hostname": hostname}
    if ttl:
        notes["external-dns.kubernetes.io/ttl"] = ttl
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop", "annotations": notes},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
            "status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}}}


class World:
    """A Knot, a daemon with two clusters in directories, and zone files."""

    def __init__(self):
        self.root = pathlib.Path(servers.scratch())
        self.knot = dns.Server(self.root, "knot")
        self.admin = f"127.0.0.1:{servers.free_port()}"
        for name in ("c1", "c2", "out"):
            (self.root / name).mkdir()
        entry = {"policy": "sync", "owner": "pintle-e2e", "interval": 2}
        config = {
            "apiVersion": "pintle.dev/v1alpha1", "kind": "PintleConfig", "clusterSet": "demo",
            "listen": [{"address": "127.0.0.1:0"}], "admin": {"address": self.admin},
            "compat": {"metrics": ["external-dns"]},
            "clusters": [{"name": name, "directory": str(self.root / name)} for name in ("c1", "c2")],
            "records": [
                dict(entry, name="knot", provider="rfc2136", zones=[dns.ZONE],
                     rfc2136={"server": f"127.0.0.1:{self.knot.port}",
                              "tsig": {"name": dns.KEY, "secretFile": str(self.knot.secret_file)}}),
                dict(entry, name="files", provider="zonefile", zones=[dns.ZONE], maxDeletes="100%",
                     zonefile={"directory": str(self.root / "out")}),
            ]}
        (self.root / "pintle.yaml").write_text(json.dumps(config))

    def start(self):
        self.child = servers.spawn(PINTLED, "--config", str(self.root / "pintle.yaml"), log=self.root / "pintled.log")
        wait_for("the daemon", lambda: self.ctl("status").returncode == 0, self.root / "pintled.log")

    def put(self, cluster, *objects):
        """One file that is all of a cluster, replaced at once."""
        path = self.root / cluster / "all.json"
        path.with_suffix(".new").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
        path.with_suffix(".new").rename(path)

    def ctl(self, *words):
        return subprocess.run([PINTLECTL, *words, "--admin", self.admin, "--color", "never"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120 * SLOW, check=False)

    def ask(self, name, kind="A"):
        """What Knot says, as a person would ask."""
        done = subprocess.run(["kdig", "@127.0.0.1", "-p", str(self.knot.port), "+short", "+retry=0", "+timeout=2", name, kind],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
        return sorted(done.stdout.split())

    def rows(self):
        """Knot's zone without what is ours."""
        return self.knot.transfer(dns.ZONE)

    def file(self):
        path = self.root / "out" / f"{dns.ZONE}.zone"
        return path.read_text() if path.exists() else ""

    def zone(self, records):
        with urllib.request.urlopen(f"http://{self.admin}/api/v1/records", timeout=30) as reply:
            items = json.load(reply)["items"]
        return next(item["zones"][0] for item in items if item["records"] == records)

    def settled(self, look, what):
        """Waits for it, and says how long it took."""
        since = time.monotonic()
        until = since + 30 * SLOW
        while time.monotonic() < until:
            if look():
                return check(f"{what} ({time.monotonic() - since:.1f} s)", True)
            time.sleep(0.05)
        return check(what, False, (self.rows(), self.file(), self.ctl("records", "list").stdout))


def comes_and_follows(world):
    world.put("c1", service("app", "app.example.com", "192.0.2.1", ttl="1m"), service("www", "www.example.com", "192.0.2.7"))
    world.put("c2", service("app", "app.example.com", "192.0.2.2", ttl="1m"))
    world.settled(lambda: world.ask("app.example.com") == ["192.0.2.1", "192.0.2.2"], "both clusters' addresses are in Knot")
    world.settled(lambda: "app.example.com 60 IN A 192.0.2.2" in world.file(), "and in the zone file")
    owner = " ".join(world.ask("a-app.example.com", "TXT"))
    check("the TXT record says whose it is, and which cluster gave what",
          "external-dns/owner=pintle-e2e" in owner and "external-dns/resource=service/shop/app" in owner
          and "pintle-origins=c1:" in owner, owner)
    check("what was there before is not touched", world.ask("www.example.com") == ["198.51.100.80"], world.ask("www.example.com"))
    listed = world.ctl("records", "list", "knot").stdout
    check("and it is said", "www.example.com" in listed and "conflict" in listed, listed)
    world.put("c2", service("app", "app.example.com", "192.0.2.3", ttl="1m"))
    world.settled(lambda: world.ask("app.example.com") == ["192.0.2.1", "192.0.2.3"], "an address that changes is followed")
    world.put("c2")
    world.settled(lambda: world.ask("app.example.com") == ["192.0.2.1"], "a cluster that goes takes just its address along")


def repairs(world):
    subprocess.run(["knsupdate", "-y", f"hmac-sha256:{dns.KEY}:{dns.base64.b64encode(dns.SECRET).decode()}"], text=True,
                   input=f"server 127.0.0.1 {world.knot.port}\nzone {dns.ZONE}\ndel app.{dns.ZONE} A\n"
                         f"add app.{dns.ZONE} 60 A 203.0.113.66\nsend\n", check=True, capture_output=True, timeout=30)
    world.settled(lambda: world.ask("app.example.com") == ["192.0.2.1"], "what somebody changed by hand is put right")
    seen = world.ctl("records", "drift", "knot", "-o", "json").stdout
    with urllib.request.urlopen(f"http://{world.admin}/api/v1/records/drift?records=knot", timeout=30) as reply:
        items = json.load(reply)["items"]
    found = [value["text"] for item in items for value in (item["found"] or {"values": []})["values"]]
    check("and remembered", "203.0.113.66" in found, (items, seen))


def blocks(world):
    many = [service(f"n{i}", f"n{i}.example.com", "192.0.2.9") for i in range(MANY)]
    keep = [service("app", "app.example.com", "192.0.2.1", ttl="1m")]
    world.put("c1", *keep, *many)
    world.settled(lambda: world.zone("knot")["owned"] == MANY + 1 == world.zone("files")["owned"], f"{MANY} more come")
    world.put("c1", *keep)
    world.settled(lambda: world.zone("knot")["blocked"] == MANY, f"{MANY} deletions are more than 10 and 20 %: blocked")
    world.settled(lambda: "n3.example.com" not in world.file(), "not where maxDeletes is 100 %")
    check("none is gone", world.ask("n3.example.com") == ["192.0.2.9"], world.ask("n3.example.com"))
    plan = world.ctl("records", "plan", "knot", "--detailed-exitcode")
    check("the plan has changes, exit 2", plan.returncode == 2 and "n3.example.com" in plan.stdout, (plan.returncode, plan.stdout))
    hashed = world.zone("knot")["approval"]
    done = world.ctl("records", "approve", hashed)
    check("it can be approved", done.returncode == 0, (done.returncode, done.stdout, done.stderr))
    world.settled(lambda: world.zone("knot")["owned"] == 1 and world.ask("n3.example.com") == [], "then they go")
    again = world.ctl("records", "approve", hashed)
    check("once", again.returncode != 0, (again.returncode, again.stdout, again.stderr))


def goes_alone(world):
    """A server that hangs blocks only its own zones."""
    world.knot.child.send_signal(signal.SIGSTOP)
    world.put("c1", service("app", "app.example.com", "192.0.2.11", ttl="1m"))
    world.settled(lambda: "app.example.com 60 IN A 192.0.2.11" in world.file(), "while Knot hangs, the zone file is kept")
    world.knot.child.send_signal(signal.SIGCONT)
    world.settled(lambda: world.ask("app.example.com") == ["192.0.2.11"], "and Knot catches up")


def adopts(world):
    """What another owner has is taken over after somebody looked, and nothing but the TXT record changes."""
    key = f"hmac-sha256:{dns.KEY}:{dns.base64.b64encode(dns.SECRET).decode()}"
    subprocess.run(["knsupdate", "-y", key], text=True, check=True, capture_output=True, timeout=30,
                   input=f"server 127.0.0.1 {world.knot.port}\nzone {dns.ZONE}\nadd old.{dns.ZONE} 300 A 192.0.2.40\n"
                         f"add a-old.{dns.ZONE} 300 TXT \"heritage=external-dns,external-dns/owner=default,"
                         f"external-dns/resource=service/shop/old\"\nsend\n")
    world.put("c1", service("app", "app.example.com", "192.0.2.11", ttl="1m"), service("old", "old.example.com", "192.0.2.40"))
    world.settled(lambda: "other-owner" in world.ctl("records", "list", "knot", "-o", "json").stdout, "another owner's record is left")
    before = [row for row in world.rows() if not row.startswith("a-old")]
    done = world.ctl("records", "adopt", dns.ZONE, "--from-owner", "default", "--yes")
    if "say" in done.stderr:  # two entries have the zone
        done = world.ctl("records", "adopt", "knot", "--from-owner", "default", "--yes")
    owner = " ".join(world.ask("a-old.example.com", "TXT"))
    check("until it is adopted", done.returncode == 0 and "owner=pintle-e2e" in owner, (done.stdout, done.stderr, owner))
    check("with no change but that", before == [row for row in world.rows() if not row.startswith("a-old")])


def leaves(world, before):
    world.put("c1")
    world.settled(lambda: world.rows() == before, "when nothing is wanted, the zone is as it was")
    world.child.send_signal(signal.SIGTERM)
    check("the daemon ends well", world.child.wait(timeout=60 * SLOW) == 0, world.child.returncode)
    log = (world.root / "pintled.log").read_text()
    check("no secret is in its log", dns.SECRET.decode() not in log and dns.base64.b64encode(dns.SECRET).decode() not in log)


def metrics(world):
    """All of /metrics is as Prometheus reads it, and external-dns's families are as external-dns has them."""
    with urllib.request.urlopen(f"http://{world.admin}/metrics", timeout=30) as reply:
        text = reply.read().decode()
    helps, kinds, samples, bad, family = {}, {}, {}, [], None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family, helps_text = line[7:].split(" ", 1)
            bad += [line] if family in helps else []
            helps[family] = helps_text
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            bad += [line] if name != family or name in kinds else []
            kinds[name] = kind
        else:
            found = SAMPLE.fullmatch(line)
            name = re.sub("_(bucket|sum|count)$", "", found[1]) if found and kinds.get(family) in ("histogram", "summary") \
                else found and found[1]
            bad += [line] if name is None or name != family or (found[1], found[2]) in samples else []
            if found:
                samples[found[1], found[2]] = float(found[3])
    check(f"/metrics has {len(kinds)} families and {len(samples)} samples, each once and below its HELP and TYPE",
          not bad and set(helps) == set(kinds) and set(kinds.values()) <= {"counter", "gauge", "histogram", "summary"}, bad[:5])
    seen = {name[len("external_dns_"):]: (kinds[name], helps[name]) for name in kinds if name.startswith("external_dns_")}
    check("those of external-dns are called, typed and described as there", seen == EXTERNAL_DNS,
          {name: (seen.get(name), EXTERNAL_DNS.get(name)) for name in seen.keys() | EXTERNAL_DNS.keys()
           if seen.get(name) != EXTERNAL_DNS.get(name)})
    check("and count", samples["external_dns_source_records", 'record_type="a"'] > 0
          and samples["external_dns_controller_verified_records", 'record_type="a"'] > 0
          and samples["external_dns_registry_endpoints_total", None] > 0
          and abs(time.time() - samples["external_dns_controller_last_reconcile_timestamp_seconds", None]) < 60 * SLOW,
          {name: value for name, value in samples.items() if name[0].startswith("external_dns_")})


def main():
    world = World()
    before = world.rows()
    world.start()
    comes_and_follows(world)
    metrics(world)
    repairs(world)
    blocks(world)
    goes_alone(world)
    adopts(world)
    leaves(world, before)
    servers.finish()


if __name__ == "__main__":
    main()
