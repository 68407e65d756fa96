# SPDX-License-Identifier: Apache-2.0
"""Fifty clusters in one daemon: three API servers, and a directory for each of the others."""

import json

from stage import BACK_SECONDS, KILLED_SECONDS, LIVE_SECONDS

SPACE = "fifty"
CONTEXTS = ("c1", "c2", "c3")
DIRECTORIES = [f"d{i:02}" for i in range(4, 51)]
START_SECONDS = 60


def objects(address):
    """A headless Service of one endpoint, exported."""
    meta = {"namespace": SPACE, "name": "web"}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": {"namespace": SPACE, "name": "web-1",
                      "labels": {"kubernetes.io/service-name": "web"}},
         "ports": [{"name": "http", "port": 80}],
         "endpoints": [{"addresses": [address], "conditions": {"ready": True}}]},
        {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport", "metadata": meta},
    ]


class Fifty:
    """What each cluster has to show, and the daemon that shows it."""

    def __init__(self, stage):
        self.stage = stage
        self.dir = stage.dir / SPACE
        self.wanted = {}
        self.daemon = None
        for n, name in enumerate((*CONTEXTS, *DIRECTORIES), 1):
            self.show(name, f"10.200.{n}.1")

    def show(self, cluster, address):
        self.wanted[cluster] = address
        if cluster in CONTEXTS:
            # the namespace may be there already
            self.stage.lab.kubectl("--context", cluster, "create", "namespace", SPACE)
            self.stage.apply_objects(cluster, objects(address))
            return
        path = self.dir / cluster / "web.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": objects(address)}))
        fresh.rename(path)

    def start(self):
        self.daemon = self.stage.pintle(SPACE, config={"ready": {"minClusters": 50}, "clusters": [
            *(self.stage.cluster(name, name) for name in CONTEXTS),
            *({"name": name, "directory": str(self.dir / name)} for name in DIRECTORIES)]})

    def ask(self, cluster):
        found = self.daemon.dig(f"web.{SPACE}.svc.{cluster}.cluster.local")
        return found.rcode, found.addresses, found.ede

    def wrong(self, stale=()):
        """What is answered otherwise than it should be: (cluster, answer)."""
        wanted = {cluster: ("NOERROR", [address], (3, ) if cluster in stale else ())
                  for cluster, address in self.wanted.items()}
        seen = {cluster: self.ask(cluster) for cluster in wanted}
        return [(cluster, seen[cluster]) for cluster in wanted if seen[cluster] != wanted[cluster]]


def story_fifty(stage):
    play, checks = Fifty(stage), stage.checks
    play.start()
    checks.becomes("each of 50 clusters shows its own address", [], play.wrong, START_SECONDS)
    checks.eventually("the clusterset's name shows theirs", LIVE_SECONDS,
                      lambda: play.daemon.dig(f"web.{SPACE}.svc.clusterset.local").addresses,
                      lambda got: got and set(got) <= set(play.wanted.values()))
    up = [name for name in play.wanted if play.daemon.cluster_up(name) == 1]
    checks.check("and all 50 are up", len(up) == 50, up)
    play.show("c2", "10.200.2.2")
    play.show("d27", "10.200.27.2")
    checks.becomes("a change at an API server and one in a directory show, nothing else moves", [],
                   play.wrong, LIVE_SECONDS)
    stage.lab.cluster("c1").kill_api()
    try:
        checks.becomes("c1 is lost: its answer stays, with EDE 3; 49 others are as they were", [],
                       lambda: play.wrong(stale=("c1", )), KILLED_SECONDS)
        play.show("d50", "10.200.50.2")
        checks.becomes("a change elsewhere shows meanwhile", [],
                       lambda: play.wrong(stale=("c1", )), LIVE_SECONDS)
    finally:
        stage.lab.cluster("c1").start_api()
    checks.becomes("c1 is back: all 50 are fresh", [], play.wrong, BACK_SECONDS)
    stage.end(play.daemon)
