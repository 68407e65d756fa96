# SPDX-License-Identifier: Apache-2.0
"""Ten Pintles that serve from one etcd what one of them has synced (row fleet): what it costs the API servers, how long
a start takes, how long a change."""

import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request

import change
import crowd_api
from api import LAB
from ask import StreamAsker
from crowd import PROGRAM
from data import write
from servers import Failed, Missing, Pintle, spawn

N_CLUSTERS = 50
N_SERVICES = 200  # of each cluster
N_EACH = 5        # endpoints of each Service
N_READERS = 10
PREFIX = "/pintle"
QUIET_S = 30      # that requests are counted for
CHANCE = 3        # standard deviations between two such counts; one request of each to each would be seven
SYNC_LIMIT_S = 120


class Apis:
    """crowd_api.py as a child."""

    def __init__(self):
        self.process = spawn([sys.executable, PROGRAM, str(N_CLUSTERS), str(N_SERVICES), str(N_EACH)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.kubeconfig = self.process.stdout.readline().decode("ascii")

    def tell(self, line):
        """One command and its answer."""
        self.process.stdin.write(line.encode("ascii") + b"\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def rate(self):
        """Requests a second, of all of them together."""
        before, began = self.tell("count"), time.monotonic()
        time.sleep(QUIET_S)
        return (self.tell("count") - before) / (time.monotonic() - began)

    def stop(self):
        """Ends it."""
        self.process.stdin.close()
        self.process.wait()


def etcd_of(bench):
    """One member, by the lab's program."""
    sys.path.insert(0, LAB)
    import lab      # pylint: disable=import-outside-toplevel
    import members  # pylint: disable=import-outside-toplevel
    try:
        return members.Etcd(pathlib.Path(bench.work) / "etcd", 1, lab.build_program()).up()
    except lab.LabError as why:
        raise Missing(f"no etcd: {why}") from why


class Served(Pintle):
    """A Pintle with a configuration of its own."""

    def __init__(self, bench, name, cores, config):
        self.name = name
        super().__init__(os.path.join(bench.work, "fleet"), cores, bench.pintled(),
                         source=["--config", os.path.join(bench.work, "fleet", name, "pintle.yaml")])
        write(os.path.join(self.root, "pintle.yaml"), json.dumps({
            "apiVersion": "pintle.dev/v1alpha1", "kind": "PintleConfig", "shutdown": {"lameduck": "0s"}, **config}))

    def start_whole(self):
        """Seconds from its start until every name has exactly its addresses."""
        last = crowd_api.name_of(N_CLUSTERS - 1, N_SERVICES - 1)
        self.start(f"{last}.ns.svc.clusterset.local")
        took_s = time.monotonic() - self.started_s
        with StreamAsker(self.port) as asker:
            for c in range(N_CLUSTERS):
                for i in range(N_SERVICES):
                    found = asker.ask(f"{crowd_api.name_of(c, i)}.ns.svc.clusterset.local")
                    if sorted(found[1]) != sorted(crowd_api.address_of(c, i * N_EACH + k) for k in range(N_EACH)):
                        raise Failed(f"{self.name}: {crowd_api.name_of(c, i)} gives {found}")
        return took_s


def published(pintle):
    """Waits until all clusters stand in etcd."""
    end = time.monotonic() + SYNC_LIMIT_S
    while time.monotonic() < end:
        with urllib.request.urlopen(f"http://127.0.0.1:{pintle.admin_port}/api/v1/clusters", timeout=5) as page:
            status = json.load(page)["publisher"]
        if status["role"] == "publisher" and status["keys"] >= N_CLUSTERS * N_SERVICES and status["pending"] == 0:
            return time.monotonic() - pintle.started_s
        time.sleep(0.1)
    raise Failed(f"not published after {SYNC_LIMIT_S} s: {status}")


def changes_ms(bench, apis, pintle, first):
    """Each change of a row: from the API server's event to the answer, ms, sorted."""
    took = []
    with change.Watcher(bench.program("change"), pintle.port, bench.load_core) as watcher:
        for n in range(first, first + bench.args.changes):
            c, i = n % N_CLUSTERS, n // N_CLUSTERS % N_SERVICES
            wanted = f"10.200.{n // 250}.{n % 250 + 1}"
            watcher.wish(f"{crowd_api.name_of(c, i)}.ns.svc.clusterset.local", wanted)
            sent_ns = apis.tell(f"change {c} {i} {wanted}")
            seen_ns = watcher.seen_ns()
            if seen_ns == 0:
                raise Failed(f"{pintle.name}: a change does not show")
            took.append((seen_ns - sent_ns) / 1e6)
            time.sleep(change.GAP_S[0])
    return sorted(took)


def print_changes(label, took):
    """One line."""
    print(f"{label:<34}" + "".join(f"{change.percentile(took, share):>9.2f}" for share in (50, 90, 99))
          + f"{took[-1]:>9.2f}", flush=True)


def play(bench, apis, etcd, running):
    """Starts and measures; `running` takes what has to be stopped."""
    spec = {"endpoints": list(etcd.clients.values()), "prefix": PREFIX}
    kubeconfig = os.path.join(bench.work, "fleet.kubeconfig")
    write(kubeconfig, apis.kubeconfig)
    publisher = Served(bench, "publisher", bench.server_core, {"publish": {"etcd": spec}, "clusters": [
        {"name": f"k{c}", "context": f"k{c}", "kubeconfig": kubeconfig} for c in range(N_CLUSTERS)]})
    running.append(publisher)
    print(f"publisher: all names right after {publisher.start_whole():.2f} s, in etcd after {published(publisher):.2f} s",
          flush=True)
    before = apis.rate()
    starts = []
    for n in range(N_READERS):
        reader = Served(bench, f"reader{n}", bench.server_core, {"clusters": [
            {"name": f"k{c}", "etcd": spec} for c in range(N_CLUSTERS)]})
        running.append(reader)
        starts.append(reader.start_whole())
    after = apis.rate()
    n_more = after - before
    print(f"requests at {N_CLUSTERS} API servers: {before:.1f}/s with the publisher, {after:.1f}/s with {N_READERS} more that "
          f"serve ({n_more:+.2f}/s)\nstart of one that serves, all {N_CLUSTERS * N_SERVICES} names right: {min(starts):.2f} to "
          f"{max(starts):.2f} s, PSS {sum(r.pss_mib() for r in running[1:]) / N_READERS:.0f} MiB\n\n"
          f"{'event -> answer, ms':<34}{'p50':>9}{'p90':>9}{'p99':>9}{'max':>9}", flush=True)
    direct = changes_ms(bench, apis, publisher, 0)
    print_changes("at the publisher", direct)
    served = changes_ms(bench, apis, running[-1], bench.args.changes)
    print_changes("through etcd", served)
    bench.results.append({"row": "fleet", "server": "Pintle", "requests_before": before, "requests_after": after,
                          "start_s": starts, "direct_ms": direct, "etcd_ms": served})
    if abs(n_more) > CHANCE * (2 * before / QUIET_S) ** 0.5:
        bench.complain(f"fleet: {N_READERS} that serve cost the API servers {n_more:+.2f} requests a second")


def run(bench):
    """The row."""
    print(f"\n== fleet: {N_READERS} Pintles from one etcd, {N_CLUSTERS} clusters, {N_CLUSTERS * N_SERVICES} Services, "
          f"{N_CLUSTERS * N_SERVICES * N_EACH} endpoints", flush=True)
    etcd = etcd_of(bench)
    running = []
    try:
        apis = Apis()
        try:
            play(bench, apis, etcd, running)
        finally:
            for pintle in running:
                pintle.stop()
            apis.stop()
    finally:
        etcd.stop()
