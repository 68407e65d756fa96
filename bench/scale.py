# SPDX-License-Identifier: Apache-2.0
"""What size costs: a query with more names (row size), a change with more endpoints (row publish), parts (micro)."""

import json
import os
import subprocess

import ratio
from data import Services, address, service_name, NAMESPACE
from servers import Failed, Pintle

SIZES = (1000, 10000, 100000, 1000000)
QUICK_SIZES = SIZES[:3]
SIZE_TARGET = 1.5
ENDPOINTS = (10000, 100000, 1000000)
QUICK_ENDPOINTS = ENDPOINTS[:2]
PUBLISH_TARGET = 1.5
N_EACH = 4             # endpoints of a Service
N_IN_FILE = 500        # Services in a file
N_ASKED_MAX = 200000   # names asked of the largest sizes
LIMIT_S = 900


class Many(Services):
    """n exported Services of 4 endpoints, in Lists of JSON: directories of a million files take long."""

    split = (N_EACH,)
    config = "steering: {address: endpoints}\n"

    def __init__(self, n):
        super().__init__(n, split=(N_EACH,))
        self.names = [name.replace(service_name(i), self.service(i))
                      for i, name in enumerate(self.names)]

    @staticmethod
    def service(i):
        """Of one width for every size."""
        return f"svc-{i:07d}"

    def addresses(self, i):
        first = i * N_EACH
        return [address(first + k >> 16, first + k) for k in range(N_EACH)]

    def questions(self):
        """As many as the generator holds without being slowed down by its own memory."""
        step = max(1, self.n // N_ASKED_MAX)
        return [f"{name} A 0 {N_EACH}" for name in self.names[::step]]

    def objects(self, i):
        """The three objects of one Service."""
        meta = {"name": self.service(i), "namespace": NAMESPACE}
        port = {"name": "http", "port": 8080, "protocol": "TCP"}
        ip = f"11.{i >> 16}.{i >> 8 & 255}.{i & 255}"
        return [{"apiVersion": "v1", "kind": "Service", "metadata": meta,
                 "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": [{**port, "targetPort": 8080}]}},
                {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport",
                 "metadata": meta},
                {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                 "metadata": {**meta, "labels": {"kubernetes.io/service-name": meta["name"]}},
                 "addressType": "IPv4", "ports": [port], "endpoints": [
                     {"addresses": [a], "conditions": {"ready": True}}
                     for a in self.addresses(i)]}]

    def write_manifests(self, root):
        """Files of many Services each."""
        directory = os.path.join(root, "c1")
        os.makedirs(directory)
        for first in range(0, self.n, N_IN_FILE):
            items = [one for i in range(first, min(first + N_IN_FILE, self.n))
                     for one in self.objects(i)]
            with open(os.path.join(directory, f"{first:07d}.json"), "w", encoding="ascii") as file:
                json.dump({"apiVersion": "v1", "kind": "List", "items": items}, file)


def measure_size(bench, n):
    """The cheapest round of a server with n names, and how it started."""
    data = Many(n)
    root = os.path.join(bench.work, "size", str(n))
    row = ratio.Row("size", "", data, [], ratio.check_services(data), {})
    row.name = f"size-{n}"
    ratio.write_questions(bench, row)
    server = ratio.start_server(bench, lambda: Pintle(root, bench.server_core, bench.pintled(),
                                                      data=data), data.names[-1], row.check)
    if server is None:
        raise Failed(f"size: no server with {n} names")
    try:
        ratio.measure(bench, row, server, max(ratio.WARM_UP_S, n / 400000))
        found = [ratio.measure(bench, row, server, bench.args.seconds)
                 for _ in range(bench.args.rounds)]
        return server.ready_s, server.pss_mib(), found
    finally:
        server.stop()


def run_size(bench):
    """Row size."""
    print("\n== size", flush=True)
    sizes = QUICK_SIZES if bench.args.quick else SIZES
    lines = [(n, *measure_size(bench, n)) for n in sizes]
    print(f"\nA over UDP by number of names, {N_EACH} addresses each\n{'names':>9}{'ns/query':>10}"
          f"{'x first':>9}{'target':>9}{'ready':>10}{'MiB':>9}  rounds, ns/query")
    first_ns = None
    for n, ready_s, mib, found in lines:
        best_ns = min(one["ns"] for one in found)
        first_ns = first_ns or best_ns
        times = best_ns / first_ns
        print(f"{n:>9}{best_ns:>10.0f}{times:>9.2f}{'<= 1.5':>9}{ready_s:>8.2f} s{mib:>9.1f}  "
              + " ".join(f"{one['ns']:.0f}" for one in found), flush=True)
        bench.results.append({"row": "size", "server": "Pintle", "name": "pintle", "names": n,
                              "ns_per_query": best_ns, "ratio": times, "target": "<= 1.5",
                              "ready_s": ready_s, "mib": mib})
        if bench.args.strict and times > SIZE_TARGET:
            bench.complain(f"size: a query costs {times:.2f} times as much with {n} names")


def output_of(bench, program, *arguments):
    """What one of our programs prints, on the server's core."""
    done = subprocess.run(["taskset", "-c", ",".join(map(str, bench.server_core)),
                           bench.program(program), *arguments], capture_output=True, text=True,
                          timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise Failed(f"bench/{program} {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def run_publish(bench):
    """Row publish: the builder's own time for one change of one endpoint."""
    print("\n== publish", flush=True)
    sizes = QUICK_ENDPOINTS if bench.args.quick else ENDPOINTS
    print(f"\none change, builder's CPU time, by number of endpoints (5 to a Service)\n"
          f"{'endpoints':>10}{'read us':>10}{'publish us':>12}{'x first':>9}{'target':>9}"
          f"{'p99 us':>10}")
    first_us = None
    for n in sizes:
        found = dict(pair.split("=") for pair in output_of(bench, "publish", str(n)).split())
        publish_us = float(found["publish_us"])
        first_us = first_us or publish_us
        times = publish_us / first_us
        print(f"{n:>10}{float(found['apply_us']):>10.1f}{publish_us:>12.1f}{times:>9.2f}"
              f"{'flat':>9}{float(found['publish_p99_us']):>10.1f}", flush=True)
        bench.results.append({"row": "publish", "server": "Pintle", "name": "pintle", **found,
                              "ratio": times, "target": "flat"})
        if bench.args.strict and times > PUBLISH_TARGET:
            bench.complain(f"publish: a change costs {times:.2f} times as much with {n} endpoints")


def run_micro(bench):
    """Row micro: answers and their parts without sockets."""
    print("\n== micro", flush=True)
    for program, title in (("answer", "one answer, in batches of 64"), ("parts", "its parts")):
        text = output_of(bench, program)
        print(f"\n{title}, ns\n{text}", end="", flush=True)
        bench.results.append({"row": "micro", "title": title, "lines": text.splitlines()})
