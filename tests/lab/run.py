#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The stories Pintle exists for, on real control planes, asked with the real dig.

    run.py [--lab DIR] [STORY...]

Starts three clusters (tests/lab/lab.py), or uses a running lab, plays the stories in order and
prints one line per check. PINTLED and PINTLECTL name the programs (default: build/ of this tree).
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import traceback

import lab
import pintle

MANIFESTS = lab.HERE / "manifests"

# How long a change of an object may take to show. It takes milliseconds; a busy machine may not.
LIVE_SECONDS = 10
START_SECONDS = 60
# An outage is noticed within 10 s (sockets closed) or 60 s (silence), design of staleness; the
# rest is the time that this script's own questions take.
KILLED_SECONDS = 10 + 2
FROZEN_SECONDS = 60 + 5
BACK_SECONDS = 60


class Checks:
    """One line per check, the reason below a failed one, and the closing line."""

    def __init__(self):
        self.n_passed = 0
        self.n_failed = 0
        self.story = ""

    def check(self, what, is_good, detail=""):
        number = self.n_passed + self.n_failed + 1
        print(f"{'ok' if is_good else 'not ok'} {number} - {self.story}: {what}", flush=True)
        if is_good:
            self.n_passed += 1
        else:
            self.n_failed += 1
            for line in str(detail).splitlines():
                print(f"#   {line}", flush=True)
        return bool(is_good)

    def eventually(self, what, seconds, look, is_good):
        """Polls look() until is_good(its value), at most `seconds`; says how long it took."""
        began = time.monotonic()
        while True:
            value = look()
            took_s = time.monotonic() - began
            if is_good(value):
                return self.check(f"{what} ({took_s:.1f} s)", True)
            if took_s > seconds:
                return self.check(f"{what}", False, f"after {seconds} s: {value}")
            time.sleep(0.1)

    def becomes(self, what, wanted, look, seconds=LIVE_SECONDS):
        return self.eventually(what, seconds, lambda: (look(), "wanted:", wanted),
                               lambda pair: pair[0] == wanted)

    def close(self):
        print(f"{self.n_passed} passed, {self.n_failed} failed", flush=True)
        return 1 if self.n_failed or not self.n_passed else 0


class Stage:
    """What a story plays on: the lab, the checks, and the daemons it starts."""

    def __init__(self, clusters, checks, dir):
        self.lab = clusters
        self.checks = checks
        self.dir = dir
        self.daemons = []

    def kubectl(self, context, *args, stdin=None):
        done = self.lab.kubectl("--context", context, *args, stdin=stdin)
        if done.returncode != 0:
            raise lab.LabError(f"kubectl --context {context} {' '.join(args)}: {done.stderr}")
        return done.stdout

    def apply(self, story):
        for path in sorted((MANIFESTS / story).glob("*.yaml")):
            self.kubectl(path.stem, "apply", "-f", str(path))

    def patch(self, context, kind, name, patch, *args):
        self.kubectl(context, "patch", kind, name, "--type=json", "-p", json.dumps(patch), *args)

    def scale(self, context, what, replicas, namespace="default"):
        self.kubectl(context, "-n", namespace, "scale", what, f"--replicas={replicas}")

    def endpoints(self, cluster, namespace, service, n_wanted):
        """The ready addresses of a Service, once the cluster itself knows that many."""
        path = (f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
                f"?labelSelector=kubernetes.io/service-name%3D{service}")

        def ready():
            found = {address for item in self.lab.cluster(cluster).get_items(path)
                     for endpoint in item.get("endpoints") or []
                     if endpoint["conditions"].get("ready", True)
                     for address in endpoint["addresses"]}
            return len(found) == n_wanted and (found, )
        return lab.wait_until(f"{n_wanted} endpoints of {cluster} {namespace}/{service}",
                              START_SECONDS, ready)[0]

    def cluster_ip(self, cluster, namespace, service):
        return self.kubectl(cluster, "-n", namespace, "get", "service", service,
                            "-o", "jsonpath={.spec.clusterIP}")

    def cluster(self, name, context, **more):
        """An entry of a config's clusters."""
        return {"name": name, "context": context, "kubeconfig": str(self.lab.kubeconfig), **more}

    def pintle(self, name, flags=None, config=None):
        """Starts a daemon and waits until it is ready; without that there is nothing to play."""
        daemon = pintle.Pintle(self.dir, name)
        self.daemons.append(daemon)
        if config is None:
            daemon.start_with_flags(*flags)
        else:
            daemon.start_with_config(config)
        if not self.checks.eventually(
                f"{name} gets ready", START_SECONDS, lambda: daemon.get("/readyz?verbose"),
                lambda got: got[0] == 200):
            raise lab.LabError("no daemon to ask")
        return daemon

    def end(self, daemon):
        self.daemons.remove(daemon)
        code = daemon.stop()
        if not self.checks.check(f"{daemon.name} ends as asked, without a complaint", code == 0,
                                 f"exit: {code}"):
            self.show_log(daemon)

    def show_log(self, daemon):
        print(f"# the end of {daemon.log}:\n#   "
              + "\n#   ".join(daemon.log_text().splitlines()[-40:]), flush=True)


def share(firsts, addresses):
    return sum(1 for first in firsts if first in addresses)


# -- story 1: blue/green between two clusters

INVENTORY = ("c1", "HTTPRoute", "default", "inventory")


def assigned_name(cluster_set, cluster, kind, namespace, name):
    """What an assigned name must be: the id depends on the route's names alone."""
    path = f"{cluster_set}/{cluster}/{kind}/{namespace}/{name}"
    return f"{name}-{namespace}-{hashlib.sha256(path.encode()).hexdigest()[:16]}.pintle.internal"


def set_weights(stage, first, second):
    stage.patch("c1", "httproute", "inventory", [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{i}/weight", "value": weight}
        for i, weight in enumerate((first, second))])


def set_up_inventory(stage):
    """Applies story 1. Returns the addresses that c1's askers get of either version."""
    stage.apply("story1")
    stage.kubectl("c1", "patch", "gateway", "my-hotel", "--subresource=status", "--type=merge",
                  "-p", '{"status": {"addresses": [{"type": "IPAddress", "value": "192.0.2.80"}]}}')
    stage.endpoints("c1", "default", "inventory-ver1", 2)
    ver2 = stage.endpoints("c2", "default", "inventory-ver2", 2)
    return {stage.cluster_ip("c1", "default", "inventory-ver1")}, ver2


def split_becomes(stage, daemon, name, wanted, ver1, ver2, what):
    """30 questions from c1: `wanted` of them, one more or less, are for version 1."""
    slack = 1 if 0 < wanted < 30 else 0

    def look():
        firsts = daemon.firsts(name, "c1")
        return share(firsts, ver1), share(firsts, ver2), collections.Counter(firsts)
    stage.checks.eventually(
        f"{what}: {wanted} +/- {slack} of 30 first addresses are version 1's", LIVE_SECONDS, look,
        lambda got: abs(got[0] - wanted) <= slack and got[0] + got[1] == 30)


def inventory_config(stage):
    return {"clusterSet": "demo", "ready": {"grace": "3s"},
            "clusters": [stage.cluster(c, c) for c in ("c1", "c2", "c3")]}


def story_1_by_flags(stage):
    check = stage.checks.check
    set_up_inventory(stage)
    daemon = stage.pintle("by-flags", flags=[
        "--kubeconfig", stage.lab.kubeconfig, "--contexts", "c1,c2"])
    code, text = daemon.ctl("status", "--wait")
    check("pintlectl status --wait is content and names both clusters",
          code == 0 and "c1" in text and "c2" in text, f"exit {code}\n{text}")
    name = daemon.assigned_name(*INVENTORY)
    check("names list tells the route's assigned name",
          name == assigned_name("default", *INVENTORY), name)
    # The asker is in no known cluster, so both versions show their endpoints.
    ver1 = stage.endpoints("c1", "default", "inventory-ver1", 2)
    firsts = daemon.firsts(name or "unknown.pintle.internal")
    check("asked 30 times, 3 +/- 1 first addresses are of version 1, the rest of version 2",
          2 <= share(firsts, ver1) <= 4
          and share(firsts, stage.endpoints("c2", "default", "inventory-ver2", 2))
          == 30 - share(firsts, ver1), collections.Counter(firsts))
    stage.end(daemon)


def story_1(stage):
    checks = stage.checks
    ver1, ver2 = set_up_inventory(stage)
    daemon = stage.pintle("blue-green", config=inventory_config(stage))
    name = assigned_name("demo", *INVENTORY)
    checks.becomes("names list tells the route's assigned name", name,
                   lambda: daemon.assigned_name(*INVENTORY))
    split_becomes(stage, daemon, name, 3, ver1, ver2, "10/90 from c1")
    checks.becomes(
        "from c2: version 1 by its endpoints, version 2 by its ClusterIP",
        stage.endpoints("c1", "default", "inventory-ver1", 2)
        | {stage.cluster_ip("c2", "default", "inventory-ver2")},
        lambda: set(daemon.firsts(name, "c2", 60)))
    over_tcp = daemon.dig(name, "A", "c1", "+tcp")
    checks.check("over TCP the same addresses", over_tcp.rcode == "NOERROR"
                 and over_tcp.addresses and set(over_tcp.addresses) <= ver1 | ver2, over_tcp)
    code, text = daemon.ctl("explain", name, "A", "--from", "c1")
    checks.check("explain names both backends", code == 0 and "inventory-ver1" in text
                 and "inventory-ver2" in text, f"exit {code}\n{text}")
    story_1_changes(stage, daemon, name, ver1, ver2)
    story_1_other_names(stage, daemon)
    stage.end(daemon)


def story_1_changes(stage, daemon, name, ver1, ver2):
    for weights, wanted in (((50, 50), 15), ((90, 10), 27), ((0, 1), 0), ((10, 90), 3)):
        set_weights(stage, *weights)
        split_becomes(stage, daemon, name, wanted, ver1, ver2,
                      f"weights patched to {weights[0]}/{weights[1]}")

    export = "serviceexports.application-networking.k8s.aws"
    stage.kubectl("c2", "delete", export, "inventory-ver2")
    split_becomes(stage, daemon, name, 30, ver1, ver2, "export deleted, its share goes elsewhere")
    stage.apply("story1")
    split_becomes(stage, daemon, name, 3, ver1, ver2, "export is back")

    stage.scale("c2", "deployment/inventory-ver2", 0)
    split_becomes(stage, daemon, name, 30, ver1, ver2, "replicas 0 in c2")
    stage.scale("c2", "deployment/inventory-ver2", 2)
    ver2 = stage.endpoints("c2", "default", "inventory-ver2", 2)
    split_becomes(stage, daemon, name, 3, ver1, ver2, "replicas 2 again")

    stage.kubectl("c1", "delete", "httproute", "inventory")
    stage.checks.becomes("route deleted, its name is gone", "NXDOMAIN",
                         lambda: daemon.dig(name, "A", "c1").rcode)
    stage.apply("story1")
    split_becomes(stage, daemon, name, 3, ver1, ver2, "route made again has the same name")


def story_1_other_names(stage, daemon):
    checks = stage.checks
    rates = assigned_name("demo", "c1", "HTTPRoute", "default", "rates")
    checks.becomes("a route that goes by path answers its Gateway's address", ["192.0.2.80"],
                   lambda: daemon.dig(rates, "A", "c1").addresses)
    nobody = daemon.dig("nobody.pintle.internal", "A", "c1")
    checks.check("an unknown name is NXDOMAIN with a SOA", nobody.rcode == "NXDOMAIN"
                 and [rr[3] for rr in nobody.authority] == ["SOA"] and "aa" in nobody.flags, nobody)
    no_data = daemon.dig(rates, "TXT", "c1")
    checks.check("a type that a name has not is NODATA with a SOA", no_data.rcode == "NOERROR"
                 and not no_data.answer and [rr[3] for rr in no_data.authority] == ["SOA"], no_data)
    checks.check("the health check of CoreDNS's forward plugin is refused at once",
                 daemon.dig(".", "NS", "c1").rcode == "REFUSED")


# -- outages of API servers, played on story 1's objects

class Outage:
    """c2's API server away, noticed, and back."""

    def __init__(self, stage, daemon, ver1, ver2):
        self.stage = stage
        self.checks = stage.checks
        self.daemon = daemon
        self.name = assigned_name("demo", *INVENTORY)
        self.ver1 = ver1
        self.ver2 = ver2
        self.strangers = collections.Counter()

    def look(self):
        """pintle_cluster_up of c2; on the way, whatever is answered beside what c2 last said."""
        found = self.daemon.dig(self.name, "A", "c1")
        if found.rcode != "NOERROR" or not set(found.addresses) <= self.ver1 | self.ver2:
            self.strangers[f"{found.rcode} {found.addresses}"] += 1
        return self.daemon.cluster_up("c2")

    def edes_of_c2(self):
        """The EDE codes of answers that hold an address of c2."""
        answers = [self.daemon.dig(self.name, "A", "c1") for _ in range(10)]
        return {answer.ede for answer in answers if set(answer.addresses) & self.ver2}

    def goes(self, how, seconds):
        self.strangers.clear()
        self.checks.becomes(f"{how}: noticed, pintle_cluster_up 0", 0, self.look, seconds)
        self.checks.becomes(f"{how}: answers with c2's data say EDE 3", {(3,)}, self.edes_of_c2)
        split_becomes(self.stage, self.daemon, self.name, 3, self.ver1, self.ver2,
                      f"{how}: answers kept")
        self.checks.check(f"{how}: no other answer was seen on the way", not self.strangers,
                          self.strangers)
        rates = assigned_name("demo", "c1", "HTTPRoute", "default", "rates")
        ede = self.daemon.dig(rates, "A", "c1").ede
        self.checks.check(f"{how}: names of other clusters do not say EDE 3", ede == (), ede)
        self.checks.check(f"{how}: still ready", self.daemon.is_ready())
        set_weights(self.stage, 50, 50)
        split_becomes(self.stage, self.daemon, self.name, 15, self.ver1, self.ver2,
                      f"{how}: c1's changes still act")
        set_weights(self.stage, 10, 90)

    def comes_back(self, how, replicas):
        self.checks.becomes(f"{how}: noticed, pintle_cluster_up 1", 1,
                            lambda: self.daemon.cluster_up("c2"), BACK_SECONDS)
        self.checks.becomes(f"{how}: EDE 3 is gone", {()}, self.edes_of_c2)
        self.stage.scale("c2", "deployment/inventory-ver2", replicas)
        self.ver2 = self.stage.endpoints("c2", "default", "inventory-ver2", replicas)
        self.checks.becomes(f"{how}: c2's changes act again", self.ver2, lambda: set(
            self.daemon.firsts(self.name, "c1", 60)) - self.ver1)


def story_outages(stage):
    ver1, ver2 = set_up_inventory(stage)
    daemon = stage.pintle("outages", config=inventory_config(stage))
    c2 = stage.lab.cluster("c2")
    play = Outage(stage, daemon, ver1, ver2)
    split_becomes(stage, daemon, play.name, 3, ver1, ver2, "before")
    stage.checks.check("before: all clusters are up",
                       [daemon.cluster_up(c) for c in ("c1", "c2", "c3")] == [1, 1, 1],
                       daemon.get("/metrics")[1][:2000])
    c2.kill_api()
    try:
        play.goes("API server killed", KILLED_SECONDS)
    finally:
        c2.start_api()
    play.comes_back("API server started again", 3)
    c2.stop_api()
    try:
        play.goes("API server frozen", FROZEN_SECONDS)
    finally:
        c2.cont_api()
    play.comes_back("API server goes on", 2)
    stage.end(daemon)


def story_late_cluster(stage):
    """A cluster that was never seen: unknown is not empty, until the grace period is over."""
    checks = stage.checks
    ver1, ver2 = set_up_inventory(stage)
    c2 = stage.lab.cluster("c2")
    c2.kill_api()
    try:
        daemon = stage.pintle("late", config=inventory_config(stage))
        name = assigned_name("demo", *INVENTORY)
        seen = []

        def ask_for_nobody():
            found = daemon.dig("nobody.default.svc.clusterset.local", "A", "c1")
            seen.append((found.rcode, found.ede))
            return seen[-1]
        checks.becomes("grace over, an unknown name is NXDOMAIN with EDE 14: a cluster is missing",
                       ("NXDOMAIN", (14,)), ask_for_nobody)
        checks.check("until then it was SERVFAIL with EDE 14, never NXDOMAIN",
                     len(seen) > 1 and set(seen[:-1]) == {("SERVFAIL", (14,))},
                     collections.Counter(seen))
        split_becomes(stage, daemon, name, 30, ver1, ver2, "started while c2 is away")
    finally:
        c2.start_api()
    checks.becomes("c2 comes up, pintle_cluster_up 1", 1, lambda: daemon.cluster_up("c2"),
                   BACK_SECONDS)
    split_becomes(stage, daemon, name, 3, ver1, ver2, "c2 is there")
    stage.end(daemon)


# -- story 2: one service in every cluster

USERLIST = "userlist-svc.song.svc.clusterset.local"


def annotate(stage, contexts, key, value):
    """Sets an annotation of userlist-svc, or removes it (value None)."""
    for context in contexts:
        stage.kubectl(context, "-n", "song", "annotate", "--overwrite", "service", "userlist-svc",
                      f"service.cilium.io/{key}-" if value is None
                      else f"service.cilium.io/{key}={value}")


def story_2(stage):
    stage.apply("story2")
    one = stage.endpoints("c1", "song", "userlist-svc", 2)
    two = stage.endpoints("c2", "song", "userlist-svc", 2)
    daemon = stage.pintle("every-cluster", config={
        "steering": {"address": "endpoints"},
        "clusters": [stage.cluster("cluster1", "bastion02"),
                     stage.cluster("cluster2", "bastion03")]})
    code, text = daemon.ctl("status", "--wait")
    stage.checks.check("status shows both clusters", code == 0 and "cluster1" in text
                       and "cluster2" in text, f"exit {code}\n{text}")

    def expect(what, from_one, from_two):
        for asker, wanted in (("cluster1", from_one), ("cluster2", from_two)):
            stage.checks.becomes(f"{what}, asked from {asker}", wanted, lambda: set(
                daemon.dig(USERLIST, "A", asker).addresses))

    both = one | two
    expect("global in both: all pods", both, both)
    story_2_annotations(stage, expect, one, two)
    story_2_replicas(stage, expect, one, two)
    story_2_redis(stage, daemon)
    stage.checks.becomes("a service of cluster2 alone, asked from cluster1",
                         stage.endpoints("c2", "song", "elasticsearch", 2), lambda: set(daemon.dig(
                             "elasticsearch.song.svc.clusterset.local", "A", "cluster1").addresses))
    stage.end(daemon)


def story_2_annotations(stage, expect, one, two):
    both = one | two
    annotate(stage, ["c1"], "affinity", "local")
    expect("affinity local in cluster1", one, both)
    annotate(stage, ["c1"], "affinity", "remote")
    expect("affinity overwritten with remote in cluster1", two, both)
    annotate(stage, ["c2"], "affinity", "local")
    expect("affinity local in cluster2 beside it", two, two)
    annotate(stage, ["c1", "c2"], "affinity", "none")
    expect("affinity none in both", both, both)
    annotate(stage, ["c1", "c2"], "affinity", None)
    expect("affinity removed", both, both)
    annotate(stage, ["c1"], "shared", "false")
    expect("shared false in cluster1", both, two)
    annotate(stage, ["c1"], "shared", None)
    expect("shared removed", both, both)
    annotate(stage, ["c2"], "global", None)
    expect("global removed in cluster2", one, two)
    annotate(stage, ["c2"], "global", "true")
    expect("global again in cluster2", both, both)


def story_2_replicas(stage, expect, one, two):
    stage.scale("c1", "deployment/userlist", 0, "song")
    expect("replicas 0 in cluster1", two, two)
    annotate(stage, ["c1"], "affinity", "local")
    expect("replicas 0 and affinity local in cluster1", two, two)
    stage.scale("c1", "deployment/userlist", 2, "song")
    one = stage.endpoints("c1", "song", "userlist-svc", 2)
    expect("replicas 2 and affinity local in cluster1", one, one | two)
    annotate(stage, ["c1"], "affinity", None)
    expect("as in the beginning", one | two, one | two)


def story_2_redis(stage, daemon):
    base = "redis-cluster.song.svc.clusterset.local"
    nodes = {}
    for cluster, context in (("cluster1", "c1"), ("cluster2", "c2")):
        for i in range(3):
            pod = f"redis-cluster-{i}"
            nodes[f"{pod}.{cluster}.{base}"] = lab.wait_until(
                f"address of {pod}", START_SECONDS, lambda: stage.kubectl(
                    context, "-n", "song", "get", "pod", pod, "-o", "jsonpath={.status.podIP}"))
    stage.checks.becomes("headless: the name of the service is all six nodes", set(nodes.values()),
                         lambda: set(daemon.dig(base, "A", "cluster1").addresses))
    for asker in ("cluster1", "cluster2"):
        stage.checks.becomes(
            f"headless: each node is reached by its own name, asked from {asker}",
            {name: [address] for name, address in nodes.items()},
            lambda: {name: daemon.dig(name, "A", asker).addresses for name in nodes})
    stage.scale("c2", "statefulset/redis-cluster", 2, "song")
    stage.checks.becomes("headless: a node that left has no name any more", "NXDOMAIN",
                         lambda: daemon.dig(f"redis-cluster-2.cluster2.{base}", "A").rcode)


# -- story 5: clusters on separate networks

HELLOWORLD = "helloworld.sample.svc.clusterset.local"


def story_5(stage):
    checks = stage.checks
    stage.apply("story5")
    local = {}
    for cluster in ("c1", "c2"):
        stage.scale(cluster, f"deployment/helloworld-v{cluster[1]}", 1, "sample")
        stage.endpoints(cluster, "sample", "helloworld", 1)
        local[cluster] = stage.cluster_ip(cluster, "sample", "helloworld")
    gateways = {"c1": "192.0.2.10", "c2": "192.0.2.20"}
    daemon = stage.pintle("networks", config={
        "networks": [{"name": f"net-{c}", "gateways": [gateways[c]]} for c in gateways],
        "clusters": [stage.cluster(c, c, network=f"net-{c}") for c in ("c1", "c2", "c3")]})

    for asker, wanted in (("c1", {local["c1"], gateways["c2"]}),
                          ("c2", {local["c2"], gateways["c1"]}),
                          ("c3", set(gateways.values()))):
        checks.becomes(f"asked from {asker}: its own directly, the others by their gateways",
                       wanted, lambda: set(daemon.dig(HELLOWORLD, "A", asker).addresses))
        firsts = collections.Counter(daemon.firsts(HELLOWORLD, asker, 20))
        checks.check(f"asked 20 times from {asker}: both versions come first equally often",
                     set(firsts) == wanted and abs(firsts[min(wanted)] - 10) <= 1, firsts)
    srv = daemon.dig(f"_http._tcp.{HELLOWORLD}", "SRV", "c1")
    checks.check("SRV tells port 5000", [rdata[2] for rdata in srv.rdata("SRV")]
                 and {rdata[2] for rdata in srv.rdata("SRV")} == {"5000"}, srv)

    stage.scale("c1", "deployment/helloworld-v1", 3, "sample")
    checks.eventually(
        "a gateway weighs what stands behind it: 30 +/- 1 of 40 with 3 endpoints against 1",
        LIVE_SECONDS, lambda: collections.Counter(daemon.firsts(HELLOWORLD, "c2", 40)),
        lambda firsts: abs(firsts[gateways["c1"]] - 30) <= 1)
    stage.scale("c1", "deployment/helloworld-v1", 0, "sample")
    for asker, wanted in (("c1", gateways["c2"]), ("c2", local["c2"]), ("c3", gateways["c2"])):
        checks.becomes(f"replicas 0 in c1, asked from {asker}: the other version alone", {wanted},
                       lambda: set(daemon.dig(HELLOWORLD, "A", asker).addresses))
    stage.scale("c1", "deployment/helloworld-v1", 1, "sample")
    stage.end(daemon)


# -- clusters that cannot be read

def write_bad_kubeconfig(stage, path):
    """c1 as it is, and the same server with what people get wrong."""
    config = json.loads(stage.lab.kubeconfig.read_text())
    clusters = {item["name"]: item["cluster"] for item in config["clusters"]}
    c1 = stage.lab.cluster("c1")
    more_clusters = {
        "wrong-ca": clusters["c1"] | {
            "certificate-authority-data": clusters["c2"]["certificate-authority-data"]},
        "gone": clusters["c1"] | {"server": f"https://127.0.0.1:{lab.free_port()}"}}
    config["clusters"] += [{"name": name, "cluster": c} for name, c in more_clusters.items()]
    config["users"].append({"name": "nobody", "user": {
        "client-certificate-data": lab.b64(c1.pki.path("nobody.crt")),
        "client-key-data": lab.b64(c1.pki.path("nobody.key"))}})
    for context, cluster, user in (("wrong-ca", "wrong-ca", "c1-admin"),
                                   ("gone", "gone", "c1-admin"), ("refused", "c1", "nobody"),
                                   ("stranger", "c1", "c2-admin")):
        config["contexts"].append({"name": context, "context": {"cluster": cluster, "user": user}})
    path.write_text(json.dumps(config))


def story_bad_access(stage):
    checks = stage.checks
    set_up_inventory(stage)
    path = stage.dir / "bad-kubeconfig"
    write_bad_kubeconfig(stage, path)
    # what the log must say: the trouble, and where the way out lies
    words = {"wrong-ca": ("certificate", "certificate-authority"), "gone": ("connect", "'server'"),
             "refused": ("403", "clusterrole"), "stranger": ("401", "kubeconfig")}
    daemon = stage.pintle("bad-access", flags=[
        "--kubeconfig", path, "--contexts", ",".join(["c1", *words])])
    checks.becomes("the good cluster is up beside four bad ones", 1,
                   lambda: daemon.cluster_up("c1"))
    name = assigned_name("default", "c1", "HTTPRoute", "default", "rates")
    checks.becomes("the good cluster's names are answered", ["192.0.2.80"],
                   lambda: daemon.dig(name).addresses, BACK_SECONDS)
    for cluster, both in words.items():
        if cluster != "refused":  # that one is reached: it answers, if only to refuse
            checks.becomes(f"{cluster}: pintle_cluster_up 0", 0,
                           lambda: daemon.cluster_up(cluster))
        checks.eventually(
            f"{cluster}: a line of the log names it and says {' and '.join(both)}", LIVE_SECONDS,
            lambda: [line for line in daemon.log_text().splitlines() if cluster in line],
            lambda lines: any(all(w in line.lower() for w in both) for line in lines))
    stage.end(daemon)


STORIES = {
    "1-flags": story_1_by_flags,
    "1": story_1,
    "2": story_2,
    "5": story_5,
    "outages": story_outages,
    "late": story_late_cluster,
    "access": story_bad_access,
}


def play(clusters, names, dir):
    checks = Checks()
    for name in names:
        checks.story = f"story {name}" if name[0].isdigit() else name
        stage = Stage(clusters, checks, dir)
        try:
            STORIES[name](stage)
        except lab.LabError as err:
            checks.check("played to its end", False, err)
        except Exception:  # one broken story must not hide the others
            checks.check("played to its end", False, traceback.format_exc())
        for daemon in list(stage.daemons):
            stage.show_log(daemon)
            daemon.stop()
    return checks.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lab", metavar="DIR", help="use the lab that runs there, and leave it")
    parser.add_argument("stories", nargs="*", metavar="STORY", default=list(STORIES),
                        help=f"{' '.join(STORIES)} (all)")
    args = parser.parse_args()
    for name in args.stories:
        if name not in STORIES:
            parser.error(f"no story {name}; there are {' '.join(STORIES)}")
    for program in (pintle.PINTLED, pintle.PINTLECTL):
        if not os.access(program, os.X_OK):
            parser.error(f"{program} is not there: build first, or set PINTLED and PINTLECTL")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="pintle-lab-") as temporary:
        dir = pathlib.Path(temporary)
        if args.lab:
            return play(lab.Lab.open(args.lab), args.stories, dir)
        began = time.monotonic()
        clusters = lab.Lab.up(dir / "lab", 3)
        print(f"# 3 control planes up in {time.monotonic() - began:.1f} s", flush=True)
        try:
            return play(clusters, args.stories, dir)
        finally:
            clusters.stop()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except lab.LabError as err:
        sys.exit(f"lab: {err}")
    except KeyboardInterrupt:
        sys.exit(130)
