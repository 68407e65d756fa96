# SPDX-License-Identifier: Apache-2.0
"""Story 3: instances that fail are left out and come back; one route, many clusters and networks."""

import collections
import json

import lab
from stage import LIVE_SECONDS, START_SECONDS, assigned_name, share

GATEWAYS = ["203.0.113.31", "203.0.113.32"]


def set_ready(stage, cluster, address, is_ready):
    """What kubelet says of a pod: its readiness probe fails, or does not any more."""
    pod = lab.wait_until(f"the pod of {address}", START_SECONDS, lambda: next(
        (item for item in stage.items(cluster, "/api/v1/namespaces/default/pods")
         if item["status"].get("podIP") == address), None))
    conditions = [c | {"status": str(is_ready)} if c["type"] in ("Ready", "ContainersReady") else c
                  for c in pod["status"]["conditions"]]
    stage.kubectl(cluster, "patch", "pod", pod["metadata"]["name"], "--subresource=status",
                  "--type=merge", "-p", json.dumps({"status": {"conditions": conditions}}))


def story_3(stage):
    stage.apply("story3")
    ready = {c: stage.endpoints(c, "default", "fleet", 3) for c in ("c1", "c2", "c3")}
    name = assigned_name("demo", "c1", "HTTPRoute", "default", "fleet")
    daemon = stage.pintle("fleet", config={
        "clusterSet": "demo", "networks": [{"name": "far", "gateways": GATEWAYS}],
        "clusters": [stage.cluster("c1", "c1"), stage.cluster("c2", "c2"),
                     stage.cluster("c3", "c3", network="far")]})
    home = {"c1": {stage.cluster_ip("c1", "default", "fleet")},
            "c2": {stage.cluster_ip("c2", "default", "fleet")},
            "c3": {stage.cluster_ip("c3", "default", "fleet")}}
    # c1 and c2 are on one network, c3 is behind gateways; the network of c1 and c2 has none
    wanted = {"c1": (home["c1"], ready["c2"], set(GATEWAYS)),
              "c2": (ready["c1"], home["c2"], set(GATEWAYS))}
    for asker, parts in wanted.items():
        shares_become(stage, daemon, name, asker, parts, (10, 20, 30))
    stage.checks.becomes("asked from c3, of whose network alone there is a way: its own", home["c3"],
                         lambda: set(daemon.firsts(name, "c3", 10)))
    failing_instances(stage, daemon, name, ready["c2"])
    stage.end(daemon)


def shares_become(stage, daemon, name, asker, parts, weights):
    def look():
        firsts = daemon.firsts(name, asker, 60)
        return [share(firsts, part) for part in parts], collections.Counter(firsts)
    stage.checks.eventually(
        f"one route, three clusters, two networks, asked 60 times from {asker}: "
        f"{'/'.join(map(str, weights))} +/- 1", LIVE_SECONDS, look,
        lambda got: sum(got[0]) == 60 and all(
            abs(n - weight) <= 1 for n, weight in zip(got[0], weights)))


def failing_instances(stage, daemon, name, pods):
    def from_c2():
        return {address for _ in range(30) for address in daemon.dig(name, "A", "c1").addresses
                if address.startswith("10.20.")}
    left = sorted(pods)
    for n_failed in (1, 2, 3):
        set_ready(stage, "c2", left.pop(), False)
        stage.checks.becomes(f"{n_failed} of 3 instances in c2 not ready: left out", set(left),
                             from_c2)
    shares_become(stage, daemon, name, "c1", (
        {stage.cluster_ip("c1", "default", "fleet")}, set(GATEWAYS)), (15, 45))
    for address in sorted(pods):
        set_ready(stage, "c2", address, True)
    stage.checks.becomes("ready again: they are back", pods, from_c2)
