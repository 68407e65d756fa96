# SPDX-License-Identifier: Apache-2.0
"""A real API server: CoreDNS's kubernetes plugin and Pintle on the same objects, started and changed."""

import concurrent.futures
import http.client
import json
import os
import random
import ssl
import sys
import time

import change
from ask import Asker, StreamAsker
from data import NAMESPACE, ZONE, address, service_name
from servers import CoreDns, Failed, Missing, Pintle

LAB = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "lab")
N_WRITER = 6           # connections that fill the cluster
CHECK_LIMIT_S = 120
PROBE_EVERY = 50       # one name of so many tells whether a start is over; all are checked after that
STARTS = 3             # of each server; the fastest one counts
DATAGRAM_MAX = 25      # addresses that fit into an answer over UDP
# The others' figures when the targets were set: start, memory, changes since they were accepted.
TARGETS = {5: "(0.98 s, 157 MiB) -> no slower, 52 MiB, p99 <= 1.2 ms",
           100: "(3.25 s, 507 MiB) -> no slower, 169 MiB, p99 <= 10 ms"}
CLUSTER_ZONE = "cluster.local"
LABELS = {"endpointslice.kubernetes.io/managed-by": "bench"}
MERGE_PATCH = "application/merge-patch+json"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"


class Api:
    """One connection to an API server of the lab, kept open."""

    def __init__(self, cluster):
        context = ssl.create_default_context(cafile=cluster.pki.path("ca.crt"))
        context.load_cert_chain(cluster.pki.path("admin.crt"), cluster.pki.path("admin.key"))
        self.link = http.client.HTTPSConnection("127.0.0.1", cluster.api_port, timeout=20,
                                                context=context)

    def send(self, method, path, body, content_type="application/json"):
        """One request, which must succeed; the moments of sending and of its whole answer."""
        sent_ns = time.monotonic_ns()
        self.link.request(method, path, json.dumps(body).encode("ascii"),
                          {"Content-Type": content_type})
        response = self.link.getresponse()
        text = response.read()
        accepted_ns = time.monotonic_ns()
        if response.status // 100 != 2:
            raise Failed(f"{method} {path}: {response.status} {text[:300]!r}")
        return {"sent": sent_ns, "accepted": accepted_ns}

    def post(self, path, api_version, kind, name, **rest):
        """Creates one object of the bench's namespace."""
        labels = rest.pop("labels", {})
        self.send("POST", path, {"apiVersion": api_version, "kind": kind, **rest, "metadata": {
            "name": name, "labels": labels}})


def endpoint_list(addresses):
    """An EndpointSlice's endpoints, all ready."""
    return [{"addresses": [a], "conditions": {"ready": True}} for a in addresses]


def addresses_of(i, n_each):
    """The endpoints that the i-th Service starts with when each has so many."""
    at = i * n_each
    return [address(1 + (at + k >> 16), at + k) for k in range(n_each)]


def fill_share(cluster, numbers, n_each):
    """Creates the Services with these numbers: headless, exported, with endpoints of our own."""
    api = Api(cluster)
    port = {"name": "http", "port": 8080, "protocol": "TCP"}
    for i in numbers:
        name = service_name(i)
        api.post(f"/api/v1/namespaces/{NAMESPACE}/services", "v1", "Service", name,
                 spec={"clusterIP": "None", "ports": [{**port, "targetPort": 8080}]})
        api.post(f"/apis/multicluster.x-k8s.io/v1alpha1/namespaces/{NAMESPACE}/serviceexports",
                 "multicluster.x-k8s.io/v1alpha1", "ServiceExport", name)
        api.post(SLICES, "discovery.k8s.io/v1", "EndpointSlice", name,
                 labels={**LABELS, "kubernetes.io/service-name": name}, addressType="IPv4",
                 ports=[port], endpoints=endpoint_list(addresses_of(i, n_each)))


def resize_share(cluster, numbers, n_each):
    """Gives the Services with these numbers as many endpoints."""
    api = Api(cluster)
    for i in numbers:
        api.send("PATCH", f"{SLICES}/{service_name(i)}",
                 {"endpoints": endpoint_list(addresses_of(i, n_each))}, MERGE_PATCH)


def share_out(work, cluster, n, n_each):
    """Does the work for n Services over several connections."""
    with concurrent.futures.ThreadPoolExecutor(N_WRITER) as pool:
        for done in [pool.submit(work, cluster, range(k, n, N_WRITER), n_each)
                     for k in range(N_WRITER)]:
            done.result()


def asker_of(server, n_each):
    """Over UDP where a whole answer fits."""
    return (Asker if n_each <= DATAGRAM_MAX else StreamAsker)(server.port)


def wait_right(server, world, numbers, zone):
    """Waits until these names give exactly their addresses."""
    deadline_s = time.monotonic() + CHECK_LIMIT_S
    with asker_of(server, world.n_each) as asker:
        for i in numbers:
            name = f"{service_name(i)}.{NAMESPACE}.svc.{zone}"
            wanted = sorted(world.changed.get(i) or addresses_of(i, world.n_each))
            while sorted(asker.ask(name)[1]) != wanted:
                if time.monotonic() > deadline_s:
                    raise Failed(f"{server.label}: {name} gives {asker.ask(name)}, not {wanted}")
                time.sleep(0.01)


class World:
    """What the API server holds: n Services with n_each endpoints, but for those changed since."""

    def __init__(self, cluster, n):
        self.cluster = cluster
        self.n = n
        self.n_each = None
        self.changed = {}

    def grow(self, n_each):
        """Makes it so; returns the title of what is measured then."""
        start_s = time.monotonic()
        if self.n_each is None:
            Api(self.cluster).post("/api/v1/namespaces", "v1", "Namespace", NAMESPACE)
        share_out(fill_share if self.n_each is None else resize_share, self.cluster, self.n, n_each)
        self.n_each, self.changed = n_each, {}
        title = f"API server: {self.n} Services, {self.n * n_each} endpoints"
        print(f"- {title}, made in {time.monotonic() - start_s:.0f} s", flush=True)
        return title

    def changes(self, zone, seed):
        """Each change gives one endpoint of one Service a new address."""
        api, chosen = Api(self.cluster), random.Random(seed)

        def make_change(k):
            i = chosen.randrange(self.n)
            new = address(change.NEW_NET + seed, k)
            self.changed[i] = [new] + addresses_of(i, self.n_each)[1:]
            body = {"endpoints": endpoint_list(self.changed[i])}
            return f"{service_name(i)}.{NAMESPACE}.svc.{zone}", new, lambda: api.send(
                "PATCH", f"{SLICES}/{service_name(i)}", body, MERGE_PATCH)
        return make_change


def start(bench, make, world, zone):
    """Starts it several times; the one that runs, the shortest time and the memory then."""
    best_s, n_starts = None, 1 if bench.args.quick else STARTS
    for k in range(n_starts):
        server = make(k)
        try:
            server.start(f"{service_name(world.n - 1)}.{NAMESPACE}.svc.{zone}")
            wait_right(server, world, range(0, world.n, PROBE_EVERY), zone)
            took_s = time.monotonic() - server.started_s
            best_s = took_s if best_s is None else min(best_s, took_s)
            wait_right(server, world, range(world.n), zone)
            server.settle()
            pss_mib = server.pss_mib()
            print(f"- {server.label}: every probe right after {took_s:.2f} s, {pss_mib:.1f} MiB once "
                  "every name is", flush=True)
        except BaseException:
            server.stop()
            raise
        if k < n_starts - 1:
            server.stop()
    return server, best_s, pss_mib


def measure(bench, title, world, makers):
    """Both servers, one after the other, on the objects that there are now."""
    lines = []
    for seed, (zone, make) in enumerate(makers):
        server = None
        try:
            server, start_s, pss_mib = start(bench, make, world, zone)
            flags = [] if world.n_each <= DATAGRAM_MAX else ["--tcp"]
            with change.Watcher(bench.program("change"), server.port, None, flags) as watcher:
                found = change.time_changes(watcher, bench.args.changes, world.changes(zone, seed))
            lines.append((server, start_s, pss_mib, found))
        except (Missing, Failed) as why:
            bench.complain(f"{title}: {why}")
        finally:
            if server is not None:
                server.stop()
    print_start(bench, title, world, lines)
    change.print_head(f"change -> answer, {title}")
    for server, _, _, found in lines:
        change.report(bench, f"change -> answer, {title}", server, found, {})


def print_start(bench, title, world, lines):
    """The table of starts, with the targets beside Pintle's."""
    print(f"\nstart, {title}\n{'server':<16}{'start s':>9}{'PSS MiB':>9}{'bytes each':>12}  target")
    for server, start_s, pss_mib, _ in lines:
        target = TARGETS.get(world.n_each, "") if server.name == "pintle" else ""
        each = pss_mib * 2**20 / (world.n * world.n_each)
        print(f"{server.label:<16}{start_s:>9.2f}{pss_mib:>9.1f}{each:>12.0f}  {target}", flush=True)
        bench.results.append({"row": f"start, {title}", "server": server.label, "start_s": start_s,
                              "pss_mib": pss_mib, "bytes_per_endpoint": each})


def run(bench, find_coredns, sizes):
    """The row, for each number of endpoints of a Service, ascending."""
    sys.path.insert(0, LAB)
    try:
        from lab import Lab, LabError  # pylint: disable=import-outside-toplevel
    except ImportError as why:
        raise Missing(f"tests/lab is not there: {why}") from why
    print("\n== a real API server", flush=True)
    try:
        lab = Lab.up(os.path.join(bench.work, "lab"), 1)
    except LabError as why:
        raise Failed(str(why)) from why
    try:
        world = World(lab.cluster("c1"), bench.args.names)
        block = f"kubernetes {CLUSTER_ZONE} {{\n    kubeconfig {lab.kubeconfig} c1\n  }}"
        source = ["--kubeconfig", str(lab.kubeconfig), "--contexts", "c1"]
        for n_each in sizes:
            def root(k, n_each=n_each):
                return os.path.join(bench.work, f"api-{n_each}-{k}")
            measure(bench, world.grow(n_each), world, [
                (CLUSTER_ZONE, lambda k: CoreDns(root(k), None, find_coredns(),
                                                 block=(CLUSTER_ZONE, block))),
                (ZONE, lambda k: Pintle(root(k), None, bench.pintled(), source=source))])
    finally:
        lab.down()
