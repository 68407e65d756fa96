# SPDX-License-Identifier: Apache-2.0
"""What views cost in memory: the same Services, seen alike by everybody, and by the askers of 150 clusters."""

import os
import time

from data import CLUSTERS, NAMESPACE, ZONE, address, service_manifest, service_name, write
from servers import Failed, Pintle

N_CLUSTERS = 150
N_NETWORKS = 10
N_ZONES = 3             # of each cluster: each is a view of its own
ZONAL_EVERY = 10        # one Service in so many has trafficDistribution
N_ENDPOINT = 2          # of a Service in each of its two clusters
SETTLE_S = 1.0
TARGET = 2.0

HEAD = """apiVersion: pintle.dev/v1alpha1
kind: PintleConfig
steering: {{address: {address}}}
networks:
{networks}
clusters:
{clusters}
"""


def clusters_of(i):
    """The two clusters that have the i-th Service."""
    first = i % N_CLUSTERS
    return first, (first + 1 + i // N_CLUSTERS) % N_CLUSTERS


def manifest(i, part):
    """One cluster's part of the i-th Service; of some the endpoints have zones that matter."""
    addresses = [address(100 + part, i * N_ENDPOINT + k) for k in range(N_ENDPOINT)]
    text = service_manifest(part, i, addresses)
    if i % ZONAL_EVERY == 0:
        text = text.replace("spec:\n", "spec:\n  trafficDistribution: PreferClose\n", 1)
        for k, ip in enumerate(addresses):
            text = text.replace(f"[{ip}], ", f"[{ip}], zone: z{k}, ")
    return text


def write_manifests(root, n):
    """A directory for each cluster."""
    for c in range(N_CLUSTERS):
        os.makedirs(os.path.join(root, f"c{c + 1}"))
    for i in range(n):
        for part, c in enumerate(clusters_of(i)):
            write(os.path.join(root, f"c{c + 1}", service_name(i) + ".yaml"), manifest(i, part))


def write_config(path, root, has_views):
    """The same clusters: on one network and showing endpoints to everybody, or each with views of its own."""
    lines = []
    for c in range(N_CLUSTERS):
        more = ""
        if has_views:
            zones = ", ".join(f"{{net: 10.{c}.{z}.0/24, zone: z{z}}}" for z in range(N_ZONES))
            more = f", network: n{c % N_NETWORKS}, clients: [10.{c}.0.0/16, {zones}]"
        lines.append(f"  - {{name: c{c + 1}, directory: {root}/c{c + 1}{more}}}")
    networks = [f"  - {{name: n{k}, gateways: [192.0.2.{k + 1}]}}" for k in range(N_NETWORKS)]
    write(path, HEAD.format(address="auto" if has_views else "endpoints",
                            networks="\n".join(networks), clusters="\n".join(lines)))


def measure(bench, root, has_views):
    """Memory of a server that has compiled all names, MiB."""
    work = os.path.join(bench.work, "views", "many" if has_views else "one")
    os.makedirs(work)
    config = os.path.join(work, "pintle.yaml")
    write_config(config, root, has_views)
    server = Pintle(work, None, bench.pintled(), source=["--config", config])
    try:
        server.start(f"{service_name(bench.args.names - 1)}.{NAMESPACE}.svc.{ZONE}")
        time.sleep(SETTLE_S)
        return server.ready_s, server.pss_mib()
    finally:
        server.stop()


def run(bench):
    """The row."""
    n = bench.args.names
    assert len(CLUSTERS) == 2
    root = os.path.join(bench.work, "views", "clusters")
    print("\n== views", flush=True)
    write_manifests(root, n)
    one_s, one_mib = measure(bench, root, False)
    many_s, many_mib = measure(bench, root, True)
    n_views = N_CLUSTERS * (1 + N_ZONES) + 1
    title = f"memory of views: {n} Services in {N_CLUSTERS} clusters"
    print(f"\n{title}\n{'views':<8}{'MiB':>8}{'x one':>8}{'target':>9}{'ready':>9}")
    print(f"{'1':<8}{one_mib:>8.1f}{1:>8.2f}{'':>9}{one_s:>7.2f} s")
    print(f"{n_views:<8}{many_mib:>8.1f}{many_mib / one_mib:>8.2f}{'<= 2':>9}{many_s:>7.2f} s", flush=True)
    bench.results.append({"row": title, "server": "Pintle", "views": n_views, "mib_of_one": one_mib,
                          "mib": many_mib, "target": "<= 2"})
    if many_mib > TARGET * one_mib:
        raise Failed(f"{n_views} views take {many_mib / one_mib:.2f} times the memory of one")
