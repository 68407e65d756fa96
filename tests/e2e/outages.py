#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What API servers, networks, clocks and disks do to pintled: clocks that jump, a network that swallows what is sent, lists
that fail half-way under load, a Service of 100,000 endpoints.

    outages.py [clocks|blackhole|storm|crowd ...]

pintled on fake API servers (lists.py) and directories, with shim.c between it and libc. Same form of report as run.py.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from ask import Asker
from lists import SERVICES, SLICES, Fake, kubeconfig, name_of
from run import ROOT, Daemon, apart, play
from shim import Shim

MARK = "PINTLE_OUTAGES_ENTERED"
YEARS_10_MS = 10 * 365 * 86400 * 1000
DAY_MS = 86400 * 1000
BACK_S = 60
NOTICE_S = 60
STORM_S = 15
STORM_SERVICES = 10000
RATE_MAX = 0.25  # lists of one kind in a second, in the long run
CROWD = 100_000
MAX_ANSWERS = 16


def metric(daemon, pattern):
    """The sum of all rows that match."""
    rows = re.findall(rf"^{pattern} (\S+)$", daemon.get("/metrics")[1], re.M)
    return sum(map(float, rows)) if rows else None


def lists_of(daemon, cluster="c1", kind="Service"):
    return metric(daemon, rf'pintle_cluster_lists_total\{{cluster="{cluster}",kind="{kind}",reason="\w+"\}}')


def is_up(daemon):
    return metric(daemon, r'pintle_cluster_up\{cluster="c1"\}')


def first(daemon, number=1):
    """How a name of c1 is answered: addresses, EDE, longest TTL."""
    reply = Asker(daemon.port)(name_of("c1", number))
    return reply.data, reply.ede, max((record.ttl for record in reply.answer), default=None)


def show(fake, number, address):
    """Another address for a Service of lists.py."""
    fake.order(do="put", path=SERVICES, object={
        "metadata": {"name": f"c1-{number}", "namespace": "shop",
                     "annotations": {"service.cilium.io/global": "true", "pintle.dev/ttl": "600"}},
        "spec": {"clusterIP": "None", "ports": [{"port": 80}]}})
    fake.order(do="put", path=SLICES, object={
        "metadata": {"name": f"c1-{number}", "namespace": "shop",
                     "labels": {"kubernetes.io/service-name": f"c1-{number}"}},
        "addressType": "IPv4", "ports": [{"port": 80}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}]})


def config(dir, name, **more):
    path = dir / f"{name}.json"
    path.write_text(json.dumps({
        "apiVersion": "pintle.dev/v1alpha1", "kind": "PintleConfig", "shutdown": {"lameduck": "0s"},
        "clusters": [{"name": "c1", "context": "c1", "kubeconfig": str(dir / "kubeconfig")}], **more}))
    return path


# --- Clocks ---------------------------------------------------------------------------------------


def clocks(checks, dir):
    """The wall clock jumps; nothing that Pintle waits for or counts goes by it."""
    if not Shim.is_there():
        return
    fake, shim, daemon = Fake(True), Shim(dir / "shim"), None
    try:
        show(fake, 1, "10.1.0.1")
        (dir / "kubeconfig").write_text(kubeconfig({"c1": fake}))
        daemon = shim.start(dir, "clocks", "--config", config(dir, "clocks", stale={"policy": "drop", "after": "1h"}))
        play_clocks(checks, fake, shim, daemon)
    finally:
        if daemon is not None:
            checks.equal("clocks: pintled ends at once", daemon.stop(), 0)
        fake.child.send_signal(signal.SIGCONT)
        fake.stop()


def play_clocks(checks, fake, shim, daemon):
    checks.becomes("clocks: the name is answered", lambda: first(daemon), lambda v: v == (["10.1.0.1"], None, 600))
    checks.becomes("clocks: all is listed", lambda: metric(daemon, r'pintle_cluster_synced\{cluster="c1"\}'), lambda v: v == 1)
    n_lists = lists_of(daemon)
    for n, (what, wrong_ms) in enumerate((("ten years ahead", YEARS_10_MS), ("ten years back", -YEARS_10_MS), ("right again", 0))):
        shim.order(wrong_ms=wrong_ms)
        year = time.gmtime(time.time() + wrong_ms / 1000).tm_year
        show(fake, 1, f"10.1.1.{n}")
        checks.becomes(f"clock {what}: a change shows, and is fresh", lambda: first(daemon)[:2], lambda v: v == ([f"10.1.1.{n}"], None))
        checks.check(f"clock {what}: pintled saw it", str(year) in time.strftime(
            "%Y", time.gmtime(metric(daemon, r'pintle_cluster_last_event_timestamp_seconds\{cluster="c1"\}'))), year)
        checks.equal(f"clock {what}: the cluster is up", is_up(daemon), 1)
        checks.equal(f"clock {what}: nothing was listed again", lists_of(daemon), n_lists)
    fake.child.send_signal(signal.SIGSTOP)
    checks.becomes("a server that is silent: noticed", lambda: is_up(daemon), lambda v: v == 0, NOTICE_S)
    for what, wrong_ms in (("a day ahead", DAY_MS), ("a day back", -DAY_MS)):
        shim.order(wrong_ms=wrong_ms)
        time.sleep(1.5)  # timers that went by it would be due
        checks.equal(f"clock {what}, stale: drop after an hour: the answer stays, with EDE 3 and 30 s", first(daemon), (["10.1.1.2"], 3, 30))
        age = metric(daemon, r'pintle_cluster_stale_seconds\{cluster="c1"\}')
        checks.check(f"clock {what}: the age of what is answered is that of the outage", 0 < age < 600, age)
    shim.order(wrong_ms=0)
    fake.child.send_signal(signal.SIGCONT)
    checks.becomes("the server goes on: fresh", lambda: first(daemon), lambda v: v == (["10.1.1.2"], None, 600), BACK_S)


# --- A network that swallows ----------------------------------------------------------------------


class FarFake(Fake):
    """A fake API server in a network namespace of its own, at 10.255.0.2."""

    def __init__(self):
        os.environ["FAKE_API_ADDRESS"] = "0.0.0.0"
        try:
            self.child = subprocess.Popen(["unshare", "--net", "/usr/bin/python3", ROOT / "tests" / "sync" / "fake_api.py"],
                                          text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        finally:
            del os.environ["FAKE_API_ADDRESS"]
        self.port = int(self.child.stdout.readline())
        ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self.child.pid))
        ip("addr", "add", "10.255.0.1/24", "dev", "near")
        ip("link", "set", "near", "up")
        self.ip("link", "set", "lo", "up")
        self.ip("addr", "add", "10.255.0.2/24", "dev", "far")
        self.ip("link", "set", "far", "up")

    def ip(self, *args):
        ip(*args, at=["nsenter", f"--net=/proc/{self.child.pid}/ns/net"])

    def swallow(self, does):
        """Nothing comes back from there any more, no reset either; or again."""
        self.ip("route", "add" if does else "del", "blackhole", "10.255.0.1/32")


def ip(*args, at=()):
    subprocess.run([*at, "ip", *args], check=True, capture_output=True, text=True)


def is_entered():
    return MARK in os.environ


def enter():
    """Starts anew in a network of its own, where that can be had."""
    if is_entered() or any(shutil.which(program) is None for program in ("unshare", "nsenter", "ip")):
        return
    if space := apart("--net"):
        os.environ[MARK] = "1"
        os.execvp(space[0], [*space, sys.executable, *sys.argv])


def blackhole(checks, dir):
    """An established watch hears nothing more, and is told so by nobody."""
    if not is_entered():
        print("skip: no network namespace can be had")
        return
    try:
        fake = FarFake()
    except subprocess.CalledProcessError as err:
        print(f"skip: no veth can be had: {err.stderr}")
        return
    daemon = None
    try:
        show(fake, 1, "10.1.0.1")
        (dir / "kubeconfig").write_text(kubeconfig({"c1": fake}).replace("127.0.0.1", "10.255.0.2"))
        daemon = Daemon(dir, "blackhole", "--config", config(dir, "blackhole"))
        play_blackhole(checks, fake, daemon)
    finally:
        if daemon is not None:
            checks.equal("blackhole: pintled ends at once", daemon.stop(), 0)
        fake.stop()


def play_blackhole(checks, fake, daemon):
    checks.becomes("blackhole: the name is answered", lambda: first(daemon)[:2], lambda v: v == (["10.1.0.1"], None))
    checks.becomes("blackhole: all is listed", lambda: metric(daemon, r'pintle_cluster_synced\{cluster="c1"\}'), lambda v: v == 1)
    n_lists = lists_of(daemon)
    fake.swallow(True)
    show(fake, 1, "10.1.0.2")
    took = checks.becomes("blackhole: a watch that hears nothing more is noticed", lambda: is_up(daemon), lambda v: v == 0, NOTICE_S)
    print(f"        after {took:.1f} s")
    checks.equal("blackhole: the answer stays, with EDE 3 and 30 s", first(daemon), (["10.1.0.1"], 3, 30))
    checks.check("blackhole: the log says what it means", "its last known state is kept; to do: check the network on the way" in
                 daemon.log_text(), daemon.log_text())
    fake.swallow(False)
    took = checks.becomes("blackhole: what happened meanwhile shows", lambda: first(daemon)[:2], lambda v: v == (["10.1.0.2"], None), BACK_S)
    print(f"        after {took:.1f} s")
    checks.equal("blackhole: the watch went on where it was, nothing was listed again", lists_of(daemon), n_lists)


# --- Lists that fail ------------------------------------------------------------------------------


class Asking(threading.Thread):
    """Asks for some names as fast as they are answered, and notes what is wrong."""

    def __init__(self, daemon, numbers):
        super().__init__()
        self.asker, self.numbers, self.ends = Asker(daemon.port), list(numbers), False
        self.n, self.wrong = 0, []

    def run(self):
        while not self.ends:
            number = self.numbers[self.n % len(self.numbers)]
            reply = self.asker(name_of("c1", number))
            self.n += 1
            if reply.data != [address_of(number)]:
                self.wrong.append(f"{number}: {reply}")

    def end(self):
        self.ends = True
        self.join()


def address_of(number):
    return f"10.{100 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


def storm(checks, dir):
    """10,000 Services whose second page fails with 500, for as long as it takes, under questions."""
    fake, daemon = Fake(False), None
    try:
        for number in range(STORM_SERVICES):
            fake.order(do="put", path=SERVICES, object={
                "metadata": {"name": f"c1-{number}", "namespace": "shop",
                             "annotations": {"service.cilium.io/global": "true", "pintle.dev/address": "clusterIP"}},
                "spec": {"clusterIP": address_of(number), "ports": [{"port": 80}]}})
            if number % 1000 == 0:
                show_ready(fake, number)
        (dir / "kubeconfig").write_text(kubeconfig({"c1": fake}))
        daemon = Daemon(dir, "storm", "--config", config(dir, "storm", defaultCluster="c1"))
        play_storm(checks, fake, daemon)
    finally:
        if daemon is not None:
            checks.equal("storm: pintled ends at once", daemon.stop(), 0)
        fake.stop()


def show_ready(fake, number):
    fake.order(do="put", path=SLICES, object={
        "metadata": {"name": f"c1-{number}", "namespace": "shop", "labels": {"kubernetes.io/service-name": f"c1-{number}"}},
        "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": True}}]})


def play_storm(checks, fake, daemon):
    numbers = range(0, STORM_SERVICES, 1000)
    checks.becomes("storm: names are answered", lambda: [first(daemon, n)[0] for n in numbers],
                   lambda v: v == [[address_of(n)] for n in numbers], BACK_S)
    n_before = lists_of(daemon)
    asking = Asking(daemon, numbers)
    asking.start()
    try:
        fake.order(do="fault", match=f"{SERVICES}?limit=500&continue", status=500, times=1 << 30)
        fake.order(do="fault", match=f"{SERVICES}?watch=1", status=410)
        fake.order(do="drop")
        began = time.monotonic()
        time.sleep(STORM_S)
        took, n_lists = time.monotonic() - began, lists_of(daemon) - n_before
        fake.order(do="mend")
        show_ready(fake, 1)
        checks.becomes("storm: mended, the next change shows", lambda: lists_of(daemon) and fake_is_seen(fake, daemon), bool, BACK_S)
    finally:
        asking.end()
    checks.check(f"storm: {n_lists:.0f} lists in {took:.0f} s, at most one in 4 s and two more", 2 <= n_lists <= 2 + RATE_MAX * took, n_lists)
    checks.check("storm: told why", 'kind="Service",reason="failed"' in daemon.get("/metrics")[1]
                 and "nothing is removed" in daemon.log_text(), daemon.log_text())
    checks.check(f"storm: {asking.n} questions meanwhile, each answered as before", asking.n > 100 and not asking.wrong, asking.wrong[:5])
    mass_delete(checks, fake, daemon)


def mass_delete(checks, fake, daemon):
    """What a watch deletes is believed, however much it is."""
    kept = range(0, STORM_SERVICES, 1000)
    asking = Asking(daemon, kept)
    asking.start()
    try:
        began = time.monotonic()
        for number in range(STORM_SERVICES):
            if number not in kept:
                fake.order(do="delete", path=SERVICES, namespace="shop", name=f"c1-{number}")
        said = time.monotonic() - began
        took = checks.becomes("storm: a deletion of nearly all is believed when a watch tells it",
                              lambda: Asker(daemon.port)(name_of("c1", STORM_SERVICES - 1)).status, lambda v: v == "NXDOMAIN", BACK_S)
    finally:
        asking.end()
    print(f"        {STORM_SERVICES - len(kept)} events in {said:.1f} s, the last one shows {took:.2f} s later")
    checks.check(f"storm: {asking.n} questions for the rest meanwhile, each answered", asking.n > 100 and not asking.wrong, asking.wrong[:5])


def fake_is_seen(fake, daemon):
    fake.order(do="put", path=SERVICES, object={
        "metadata": {"name": "c1-late", "namespace": "shop", "annotations": {"service.cilium.io/global": "true"}},
        "spec": {"clusterIP": "10.99.0.1", "ports": [{"port": 80}]}})
    return Asker(daemon.port)("c1-late.shop.svc.c1.cluster.local").data == ["10.99.0.1"]


# --- A crowd --------------------------------------------------------------------------------------


def crowd(checks, dir):
    """100,000 endpoints in one Service: what is answered is capped, and the neighbour does not notice."""
    folder = dir / "clusters" / "c1"
    folder.mkdir(parents=True)
    meta = {"name": "many", "namespace": "shop"}
    labels = {"kubernetes.io/service-name": "many"}
    for name, ip_ in (("many", "10.96.0.1"), ("few", "10.96.0.2"), ("bare", "None")):
        (folder / f"{name}.json").write_text(json.dumps({
            "apiVersion": "v1", "kind": "Service", "metadata": {**meta, "name": name, "annotations": {
                "service.cilium.io/global": "true", "pintle.dev/address": "endpoints"}},
            "spec": {"clusterIP": ip_, "ports": [{"port": 80}]}}))
    for n in range(CROWD // 1000):
        for name in ("many", "bare"):
            (folder / f"{name}-{n}.json").write_text(json.dumps({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {**meta, "name": f"{name}-{n}", "labels": {**labels, "kubernetes.io/service-name": name}}, "ports": [{"port": 80}],
                "endpoints": [{"addresses": [f"10.{n // 2}.{n % 2 * 128 + i // 250}.{i % 250 + 1}"]} for i in range(1000)]}))
    daemon = Daemon(dir, "crowd", "--clusters-dir", dir / "clusters")
    try:
        play_crowd(checks, daemon)
    finally:
        checks.equal("crowd: pintled ends at once", daemon.stop(), 0)


def play_crowd(checks, daemon):
    ask = Asker(daemon.port)
    many, bare, few = (f"{name}.shop.svc.clusterset.local" for name in ("many", "bare", "few"))
    checks.becomes(f"crowd: twice {CROWD} endpoints are read",
                   lambda: metric(daemon, r'pintle_cluster_events_total\{cluster="c1",kind="EndpointSlice"\}'),
                   lambda n: n == 2 * CROWD // 1000, BACK_S)
    checks.becomes("crowd: a name of 100,000 endpoints shows maxAnswers of them", lambda: len(ask(many).data), lambda n: n == MAX_ANSWERS, BACK_S)
    whole = ask(bare)
    checks.check("crowd: a headless one over UDP: what fits, and TC", whole.flags & 0x0200 and whole.size <= 1232, whole)
    whole = ask(bare, tcp=True)
    checks.check("crowd: over TCP one message at most", 3000 < len(whole.data) and whole.size <= 65535, whole)
    slow = max(ask(few).took for _ in range(200))
    checks.check(f"crowd: its neighbour is answered, at worst in {slow * 1000:.1f} ms", slow < 1, slow)


if __name__ == "__main__":
    enter()
    if is_entered():
        ip("link", "set", "lo", "up")
    parts = {part.__name__: part for part in (clocks, blackhole, storm, crowd)}
    sys.exit(play("outages", *(parts[name] for name in sys.argv[1:] or parts)))
