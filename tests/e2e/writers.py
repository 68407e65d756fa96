#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several daemons, one zone: an etcd says who writes, whatever becomes of the writer, and nothing is written twice; what
a publisher does not know is deleted by nobody; two that nobody told of each other do not fight. A real
etcd, a real Knot DNS, whose serial counts the updates.

Prints one line per check and, last, "N passed, N failed".
"""

import base64
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

PINTLED = os.environ["PINTLED"]
SLOW = servers.SLOW
WAIT_S = 60 * SLOW
RUNS = 2  # of each daemon, whole ones, in which nothing may happen
LEADER = "/pintle/leader.pintle-records"


def encode(text):
    return base64.b64encode(text.encode()).decode()


def service(name, address):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "shop",
                         "annotations": {"external-dns.kubernetes.io/hostname": f"{name}.example.com"}},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
            "status": {"loadBalancer": {"ingress": [{"ip": address}]}}}


def ingress(name, address):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"rules": [{"host": f"{name}.example.com"}]},
            "status": {"loadBalancer": {"ingress": [{"ip": address}]}}}


def becomes(what, look, seconds=WAIT_S):
    """Waits for it, and says how long it took."""
    since = time.monotonic()
    seen = None
    while time.monotonic() < since + seconds:
        try:
            seen = look()
        except OSError as err:
            seen = None, err
        if seen is True:
            return check(f"{what} ({time.monotonic() - since:.1f} s)", True)
        time.sleep(0.05)
    return check(what, False, seen)


class Etcd:
    """One member, asked through its gateway."""

    def __init__(self, root):
        self.client = f"http://127.0.0.1:{servers.free_port()}"
        self.log = root / "etcd.log"
        peer = f"http://127.0.0.1:{servers.free_port()}"
        self.child = servers.spawn(
            "etcd", "--name", "m1", "--data-dir", str(root / "etcd"), "--listen-client-urls", self.client, "--advertise-client-urls",
            self.client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"m1={peer}",
            log=self.log)
        wait_for("etcd", lambda: self.get("/none") is None and True, self.log)

    def call(self, path, body):
        until = time.monotonic() + WAIT_S
        while True:  # a moment without a leader is no failure of what is tested
            try:
                with urllib.request.urlopen(self.client + path, json.dumps(body).encode(), timeout=10) as reply:
                    return json.load(reply)
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def get(self, key):
        found = self.call("/v3/kv/range", {"key": encode(key)}).get("kvs")
        return base64.b64decode(found[0]["value"]).decode(errors="replace") if found else None

    def keys(self, prefix):
        found = self.call("/v3/kv/range", {"key": encode(prefix), "range_end": encode(prefix[:-1] + chr(ord(prefix[-1]) + 1)),
                                           "keys_only": True}).get("kvs", [])
        return [base64.b64decode(kv["key"]).decode() for kv in found]

    def put(self, key, value):
        self.call("/v3/kv/put", {"key": encode(key), "value": encode(value)})

    def delete(self, key):
        self.call("/v3/kv/deleterange", {"key": encode(key)})


class Daemon:
    """A pintled of its own directory."""

    def __init__(self, world, name, **config):
        self.world, self.name, self.home = world, name, world.root / name
        self.home.mkdir()
        (self.home / "c1").mkdir()
        self.admin = f"127.0.0.1:{servers.free_port()}"
        self.config = {"apiVersion": "pintle.dev/v1alpha1", "kind": "PintleConfig", "clusterSet": "demo",
                       "listen": [{"address": "127.0.0.1:0"}], "admin": {"address": self.admin},
                       "shutdown": {"lameduck": "0s"}, **config}
        (self.home / "pintle.yaml").write_text(json.dumps(self.config))
        self.child = None

    def start(self):
        self.child = servers.spawn(PINTLED, "--config", str(self.home / "pintle.yaml"), log=self.home / "log")
        wait_for(self.name, lambda: self.get("/healthz"), self.home / "log")
        return self

    def end(self, how=signal.SIGTERM):
        self.child.send_signal(how)
        return self.child.wait(timeout=WAIT_S)

    def put(self, *objects):
        """One file that is all of its cluster, replaced at once."""
        path = self.home / "c1" / "all.json"
        path.with_suffix(".new").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
        path.with_suffix(".new").rename(path)

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=30) as reply:
            return reply.read().decode()

    def metric(self, name):
        found = re.search(rf"^{name}(\{{[^}}]*\}})? (\S+)$", self.get("/metrics"), re.MULTILINE)
        return float(found.group(2))

    def is_writer(self):
        return self.metric("pintle_records_writer") == 1

    def entry(self):
        return json.loads(self.get("/api/v1/records"))["items"][0]


class World:
    def __init__(self):
        self.root = pathlib.Path(servers.scratch())
        self.knot = dns.Server(self.root, "knot")
        self.etcd = Etcd(self.root)
        self.spec = {"endpoints": [self.etcd.client], "prefix": "/pintle"}

    def records(self, **more):
        return [dict({"name": "knot", "provider": "rfc2136", "policy": "sync", "owner": "pintle-e2e", "interval": 1,
                      "zones": [dns.ZONE], "rfc2136": {"server": f"127.0.0.1:{self.knot.port}",
                                                       "tsig": {"name": dns.KEY, "secretFile": str(self.knot.secret_file)}}}, **more)]

    def twin(self, name):
        """One of several that would write; each has its own copy of the cluster."""
        return Daemon(self, name, clusters=[{"name": "c1", "directory": str(self.root / name / "c1")}],
                      records=self.records(), recordsLease={"etcd": self.spec})

    def ask(self, name, kind="A"):
        done = subprocess.run(["kdig", "@127.0.0.1", "-p", str(self.knot.port), "+short", "+retry=2", "+timeout=5", name, kind],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        return sorted(done.stdout.split())

    def serial(self):
        return int(subprocess.run(["kdig", "@127.0.0.1", "-p", str(self.knot.port), "+short", "+retry=2", "+timeout=5", dns.ZONE,
                                   "SOA"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                  check=True).stdout.split()[2])

    def quiet(self, what, *daemons):
        """Each of them runs some times more, and Knot takes no update."""
        before = self.serial()
        runs = {daemon.name: daemon.metric("pintle_records_runs_total") for daemon in daemons}
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and not all(
                daemon.metric("pintle_records_runs_total") >= runs[daemon.name] + 1 + RUNS for daemon in daemons):
            time.sleep(0.05)
        check(f"{what}: no update in {RUNS} runs of each", self.serial() == before, (before, self.serial()))

    def one_writer(self, what, wanted, others, seconds=WAIT_S):
        """That one becomes the writer; at no moment are there two."""
        since = time.monotonic()
        pairs = 0
        while time.monotonic() < since + seconds:
            is_writer = wanted.is_writer()  # asked first: who has stopped by the next question never wrote with it
            if is_writer:
                pairs += sum(other.is_writer() for other in others)
                break
            time.sleep(0.05)
        took = time.monotonic() - since
        check(f"{what} ({took:.1f} s)", is_writer and pairs == 0, (is_writer, pairs, wanted.entry()))
        return took


def writes_alone(world):
    """Two daemons; the second one wants something that the first does not, and writes nothing."""
    one, two = world.twin("one"), world.twin("two")
    one.put(service("app", "192.0.2.1"))
    two.put(service("app", "192.0.2.1"), service("extra", "192.0.2.66"))
    one.start()
    becomes("the first daemon writes", lambda: world.ask("app.example.com") == ["192.0.2.1"])
    before = world.serial()
    two.start()
    becomes("the second one plans", lambda: two.entry()["zones"][0]["state"] == "pending" or two.entry())
    world.quiet("a daemon that stands by", one, two)
    check("not in its first moments either", world.serial() == before and not world.ask("extra.example.com"), world.serial())
    check("it says who writes", two.entry()["holder"] == one.entry()["holder"] != "" and not two.is_writer(), two.entry())
    two.put(service("app", "192.0.2.1"))
    becomes("and has nothing more to plan", lambda: two.entry()["zones"][0]["pending"] == 0 or two.entry())
    return one, two


def changes_cost(world, *daemons):
    """How many updates one changed Service is, all of them told; returns that."""
    before = world.serial()
    address = f"192.0.2.{10 + before % 90}"
    for daemon in daemons:
        daemon.put(service("app", address))
    becomes("a change is written", lambda: world.ask("app.example.com") == [address])
    world.quiet("and once it is", *daemons)
    return world.serial() - before


def killed(world, one, two, cost):
    before = world.serial()
    one.end(signal.SIGKILL)
    took = world.one_writer("the writer is killed, the other takes over", two, [])
    check("not before the lease of 15 s has ended, less what had passed of it", took > 5, took)
    world.quiet("the new writer finds all in place", two)
    check("case 128: the takeover cost no update", world.serial() == before, (before, world.serial()))
    check("a change costs one writer what it cost before", (seen := changes_cost(world, two)) == cost, (seen, cost))
    one.put(json.loads((two.home / "c1" / "all.json").read_text())["items"][0])
    one.start()
    becomes("the one that was killed stands by", lambda: one.entry()["holder"] == two.entry()["holder"] or one.entry())
    world.quiet("both", one, two)


def ended(world, one, two, cost):
    before = world.serial()
    check("the writer ends well", two.end() == 0)
    took = world.one_writer("the other takes over", one, [])
    check("without waiting for the lease", took < 8 * SLOW, took)
    world.quiet("it finds all in place", one)
    check("that cost no update", world.serial() == before, (before, world.serial()))
    two.start()
    becomes("who was ended stands by", lambda: two.entry()["holder"] == one.entry()["holder"] or two.entry())
    check("a change costs two daemons what it costs one", (seen := changes_cost(world, one, two)) == cost, (seen, cost))


def key_deleted(world, one, two):
    holder = world.etcd.get(LEADER)
    world.etcd.delete(LEADER)
    becomes("somebody deletes the key: there is one again", lambda: world.etcd.get(LEADER) is not None)
    becomes("and one writer", lambda: one.is_writer() + two.is_writer() == 1 or (one.entry(), two.entry(), holder))
    becomes("who is the one that the key names",
            lambda: (one if one.is_writer() else two).entry()["holder"] == world.etcd.get(LEADER) or world.etcd.get(LEADER))


def silent(world, one, two):
    """etcd says nothing any more: nobody can know, so nobody writes, before anybody else could."""
    world.etcd.child.send_signal(signal.SIGSTOP)
    since = time.monotonic()
    try:
        becomes("etcd is silent: nobody writes", lambda: not one.is_writer() and not two.is_writer())
        check("within 10 s of the last word", time.monotonic() - since < 12 * SLOW, time.monotonic() - since)
        before = world.serial()
        for daemon in (one, two):
            daemon.put(service("app", "192.0.2.5"))
        world.quiet("what changes meanwhile waits", one, two)
        check("and that is told", any(daemon.entry()["writerError"] for daemon in (one, two)), (one.entry(), two.entry()))
    finally:
        world.etcd.child.send_signal(signal.SIGCONT)
    becomes("etcd is back: it is written", lambda: world.ask("app.example.com") == ["192.0.2.5"])
    becomes("by one", lambda: one.is_writer() + two.is_writer() == 1 or (one.entry(), two.entry()))
    world.quiet("and once", one, two)
    check("with one writer's updates", world.serial() - before <= 2, (before, world.serial()))


def rivals(world):
    """Two that nobody told of each other, with one owner and other objects: one of them gives way, and says so."""
    pair = [Daemon(world, name, clusters=[{"name": "c1", "directory": str(world.root / name / "c1")}], records=world.records())
            for name in ("left", "right")]
    for i, daemon in enumerate(pair):
        daemon.put(service("shared", f"192.0.2.{80 + i}"), service("calm", "192.0.2.90"))
        daemon.start()
    becomes("two writers with one owner are noticed", lambda: sum(daemon.metric("pintle_records_rivals") for daemon in pair) >= 1)
    world.quiet("once one has given way", *pair)
    logs = "".join((daemon.home / "log").read_text() for daemon in pair)
    check("it says what to do", "does another writer have owner pintle-e2e, too?" in logs, logs[-2000:])
    listed = [json.loads(daemon.get("/api/v1/records/list?records=knot"))["items"] for daemon in pair]
    found = [item["conflict"] for items in listed for item in items if item["name"] == "shared.example.com"]
    check("and which record it is", "rival" in found, listed)
    check("what both want alike is not touched", world.ask("calm.example.com") == ["192.0.2.90"])
    for daemon in pair:
        daemon.end()


def unknown(world):
    """A reader with records, and a publisher without any; then one that does not know of Ingresses."""
    publisher = Daemon(world, "publisher", clusters=[{"name": "c1", "directory": str(world.root / "publisher" / "c1")}],
                       publish={"etcd": world.spec})
    reader = Daemon(world, "reader", clusters=[{"name": "c1", "etcd": world.spec}], records=world.records())
    publisher.put(service("svc", "192.0.2.20"), ingress("web", "192.0.2.21"))
    publisher.start()
    reader.start()
    becomes("what a publisher without records has, a reader keeps",
            lambda: (world.ask("svc.example.com"), world.ask("web.example.com")) == (["192.0.2.20"], ["192.0.2.21"]))
    publisher.put(service("svc", "192.0.2.20"))
    becomes("an Ingress that goes takes its record with it", lambda: not world.ask("web.example.com"))
    publisher.put(service("svc", "192.0.2.20"), ingress("web", "192.0.2.21"))
    becomes("and one that comes brings it", lambda: world.ask("web.example.com") == ["192.0.2.21"])
    reader.end()
    publisher.end()
    meta = json.loads(world.etcd.get("/pintle/c1/meta"))
    check("a publisher says what it does not know: nothing", meta["unknown"] == [], meta)
    # as an older one leaves it, that looked at Ingresses only while it wrote records itself
    del meta["unknown"]
    world.etcd.put("/pintle/c1/meta", json.dumps(meta))
    gone = [key for key in world.etcd.keys("/pintle/c1/o/") if "Ingress" in key]
    for key in gone:
        world.etcd.delete(key)
    reader.start()
    becomes("a reader of it plans", lambda: reader.entry()["zones"][0]["runs"] > 0 or reader.entry())
    world.quiet("what nobody knows", reader)
    check("is not deleted", len(gone) == 1 and world.ask("web.example.com") == ["192.0.2.21"], (gone, world.ask("web.example.com")))
    check("and that is told", reader.entry()["unsynced"] == ["c1"]
          and "does not know all objects of kind Ingress" in (reader.home / "log").read_text(), reader.entry())
    publisher.put(service("svc", "192.0.2.20"))
    publisher.start()
    becomes("once a publisher knows that there is none, its record goes", lambda: not world.ask("web.example.com"))
    check("and the other's stays", world.ask("svc.example.com") == ["192.0.2.20"] and reader.entry()["unsynced"] == [], reader.entry())
    reader.end()
    publisher.end()


def main():
    world = World()
    one, two = writes_alone(world)
    cost = changes_cost(world, one, two)
    check("case 128: a change is one update", cost == 1, cost)
    killed(world, one, two, cost)
    ended(world, one, two, cost)
    key_deleted(world, one, two)
    silent(world, one, two)
    for daemon in (one, two):
        daemon.put()
    becomes("what nobody wants goes", lambda: not world.ask("app.example.com"))
    for daemon in (one, two):
        daemon.end()
    unknown(world)
    rivals(world)
    servers.finish()


if __name__ == "__main__":
    main()
