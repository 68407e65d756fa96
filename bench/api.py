# SPDX-License-Identifier: Apache-2.0
"""Changes at a real API server: CoreDNS's kubernetes plugin and Pintle on the same objects."""

import concurrent.futures
import http.client
import json
import os
import random
import ssl
import sys
import time

import change
from ask import Asker
from data import NAMESPACE, ZONE, address, service_name
from servers import CoreDns, Failed, Missing, Pintle

LAB = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "lab")
N_ENDPOINT = 5         # of each Service: 50,000 with the default number of names
N_WRITER = 6           # connections that fill the cluster
CHECK_LIMIT_S = 60
CLUSTER_ZONE = "cluster.local"
LABELS = {"endpointslice.kubernetes.io/managed-by": "bench"}
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


def addresses_of(i):
    """The endpoints that the i-th Service starts with."""
    return [address(1, i * N_ENDPOINT + k) for k in range(N_ENDPOINT)]


def fill_share(cluster, numbers):
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
                 ports=[port], endpoints=endpoint_list(addresses_of(i)))


def fill(cluster, n):
    """Fills the cluster over several connections."""
    Api(cluster).post("/api/v1/namespaces", "v1", "Namespace", NAMESPACE)
    with concurrent.futures.ThreadPoolExecutor(N_WRITER) as pool:
        for done in [pool.submit(fill_share, cluster, range(k, n, N_WRITER))
                     for k in range(N_WRITER)]:
            done.result()


def wait_all_right(server, n, zone, changed):
    """Waits until every name gives exactly its addresses; returns when that was, seconds on."""
    start_s = time.monotonic()
    with Asker(server.port) as asker:
        for i in range(n):
            name = f"{service_name(i)}.{NAMESPACE}.svc.{zone}"
            wanted = sorted(changed.get(i) or addresses_of(i))
            while sorted(asker.ask(name)[1]) != wanted:
                if time.monotonic() - start_s > CHECK_LIMIT_S:
                    raise Failed(f"{server.label}: {name} gives {asker.ask(name)}, not {wanted}")
                time.sleep(0.01)
    return time.monotonic() - start_s


def api_changes(api, n, zone, changed, seed):
    """Each change gives one endpoint of one Service a new address."""
    chosen = random.Random(seed)

    def make_change(k):
        i = chosen.randrange(n)
        new = address(change.NEW_NET + seed, k)
        changed[i] = [new] + addresses_of(i)[1:]
        body = {"endpoints": endpoint_list(changed[i])}
        return f"{service_name(i)}.{NAMESPACE}.svc.{zone}", new, lambda: api.send(
            "PATCH", f"{SLICES}/{service_name(i)}", body, "application/merge-patch+json")
    return make_change


def run(bench, find_coredns):
    """The row. Both servers see the same objects, one after the other."""
    sys.path.insert(0, LAB)
    try:
        from lab import Lab, LabError  # pylint: disable=import-outside-toplevel
    except ImportError as why:
        raise Missing(f"tests/lab is not there: {why}") from why
    n = bench.args.names
    title = f"change -> answer, API server: {n} Services, {n * N_ENDPOINT} endpoints"
    print("\n== change --lab", flush=True)
    try:
        lab = Lab.up(os.path.join(bench.work, "lab"), 1)
    except LabError as why:
        raise Failed(str(why)) from why
    try:
        cluster = lab.cluster("c1")
        start_s = time.monotonic()
        fill(cluster, n)
        print(f"- {3 * n} objects created in {time.monotonic() - start_s:.0f} s", flush=True)
        lines, changed, root = [], {}, os.path.join(bench.work, "api")
        block = f"kubernetes {CLUSTER_ZONE} {{\n    kubeconfig {lab.kubeconfig} c1\n  }}"
        source = ["--kubeconfig", str(lab.kubeconfig), "--contexts", "c1"]
        makers = [(CLUSTER_ZONE, lambda: CoreDns(root, None, find_coredns(),
                                                 block=(CLUSTER_ZONE, block))),
                  (ZONE, lambda: Pintle(root, None, bench.pintled(), source=source))]
        for seed, (zone, make) in enumerate(makers):
            try:
                server = make()
                lines.append((server, measure(bench, server, Api(cluster), zone, changed, seed)))
            except (Missing, Failed) as why:
                bench.complain(f"{title}: {why}")
        change.print_head(title)
        for server, findings in lines:
            target = "p99 <= 1.2 ms" if server.name == "pintle" else "(0.3, 1.2)"
            change.report(bench, title, server, findings, {"accepted": target})
    finally:
        lab.down()


def measure(bench, server, api, zone, changed, seed):
    """Starts one server, waits until all it says is right, and times the changes."""
    n = bench.args.names
    try:
        server.start(f"{service_name(n - 1)}.{NAMESPACE}.svc.{zone}")
        check_s = wait_all_right(server, n, zone, changed)
        print(f"- {server.label}: first answer after {server.ready_s:.2f} s, all {n} names right "
              f"{check_s:.2f} s later, {server.pss_mib():.1f} MiB", flush=True)
        with change.Watcher(bench.program("change"), server.port, None) as watcher:
            return change.time_changes(watcher, bench.args.changes,
                                       api_changes(api, n, zone, changed, seed))
    finally:
        server.stop()
