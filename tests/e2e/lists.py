#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lists that name too little, or too much: an API server that lies once, and one that means it.

pintled on two fake API servers (tests/sync/fake_api.py). Same form of report as run.py, whose tools it uses.
"""

import json
import subprocess
import sys
import time

from run import Daemon, ROOT, play

SERVICES = "/api/v1/services"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
CONFIRM_S = 60  # from the first list to the second: 30 s to 33 s, on a machine that is busy more


class Fake:
    """One API server."""

    def __init__(self, streams):
        self.child = subprocess.Popen(["/usr/bin/python3", ROOT / "tests" / "sync" / "fake_api.py"], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.child.stdout.readline())
        self.order(do="streams", **{"is": streams})

    def order(self, **command):
        self.child.stdin.write(json.dumps(command) + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline().strip()
        return answer if answer == "ok" else json.loads(answer)

    def service(self, cluster, number):
        name = f"{cluster}-{number}"
        meta = {"name": name, "namespace": "shop"}
        self.order(do="put", path=SLICES, object={
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4",
            "ports": [{"port": 80}], "endpoints": [{"addresses": [f"10.1.0.{number}"], "conditions": {"ready": True}}]})
        self.order(do="put", path=SERVICES, object={
            "metadata": {**meta, "annotations": {"service.cilium.io/global": "true"}},
            "spec": {"clusterIP": f"10.96.0.{number}", "ports": [{"port": 80}]}})

    def list_again(self, few, times):
        """The next lists of Services name only that many; the watch in progress ends, and cannot be gone on with."""
        self.order(do="fault", match=f"{SERVICES}?limit", few=few, times=times)
        self.order(do="fault", match=f"{SERVICES}?sendInitialEvents", few=few, times=times)
        self.order(do="fault", match=f"{SERVICES}?watch=1", status=410)
        self.order(do="drop")

    def stop(self):
        self.child.kill()
        self.child.wait()


def kubeconfig(fakes):
    return json.dumps({
        "clusters": [{"name": n, "cluster": {"server": f"http://127.0.0.1:{f.port}"}} for n, f in fakes.items()],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": n, "context": {"cluster": n, "user": "u"}} for n in fakes]})


def name_of(cluster, number):
    return f"{cluster}-{number}.shop.svc.clusterset.local"


def held(daemon, cluster):
    wanted = f'pintle_cluster_list_held{{cluster="{cluster}",kind="Service"}} '
    return [line[len(wanted):] for line in daemon.get("/metrics")[1].splitlines() if line.startswith(wanted)]


def are_answered(daemon, cluster, numbers):
    return [daemon.dig(name_of(cluster, n)).data for n in numbers] == [[f"10.1.0.{n}"] for n in numbers]


def lists(checks, dir):
    fakes = {"c1": Fake(False), "c2": Fake(True)}
    daemon = None
    try:
        for name, fake in fakes.items():
            for number in range(1, 7):
                fake.service(name, number)
        (dir / "kubeconfig").write_text(kubeconfig(fakes))
        daemon = Daemon(dir, "held", "--kubeconfig", dir / "kubeconfig", "--contexts", "c1,c2")
        play_lists(checks, daemon, fakes)
        checks.equal("pintled ends at once", daemon.stop(), 0)
        daemon = None
        (dir / "room.yaml").write_text(json.dumps({
            "maxObjects": 8, "clusters": [{"name": n, "context": n, "kubeconfig": str(dir / "kubeconfig")} for n in fakes]}))
        daemon = Daemon(dir, "room", "--config", dir / "room.yaml")
        play_room(checks, daemon, fakes)
    finally:
        if daemon is not None:
            checks.equal("pintled ends at once", daemon.stop(), 0)
        for fake in fakes.values():
            fake.stop()


def play_lists(checks, daemon, fakes):
    for name in fakes:
        checks.becomes(f"{name}: all names are answered", lambda: are_answered(daemon, name, range(1, 7)), bool)
        checks.equal(f"{name}: no list is held", held(daemon, name), ["0"])
    began = time.monotonic()
    fakes["c1"].list_again(few=2, times=1)
    fakes["c2"].list_again(few=0, times=99)
    for name, few in (("c1", 2), ("c2", 0)):
        checks.becomes(f"{name}: a list of {few} where 6 were known is held", lambda: held(daemon, name), lambda v: v == ["1"])
        checks.equal(f"{name}: and takes nothing away", are_answered(daemon, name, range(1, 7)), True)
        checks.check(f"{name}: one line tells",
                     daemon.log_text().count(f"cluster {name}: Service: a list names {few}, 6 were known; the others are kept") == 1,
                     daemon.log_text())
    items = json.loads(daemon.get("/api/v1/status")[1])["clusters"]["items"]
    checks.equal("the status names the kind", [item["held"] for item in items], [["Service"], ["Service"]])
    checks.check("pintlectl status says why", "the last list of services names too few objects" in daemon.ctl("status")[1],
                 daemon.ctl("status"))
    fakes["c1"].service("c1", 7)
    checks.becomes("what the watch adds meanwhile counts at once", lambda: are_answered(daemon, "c1", [7]), bool)
    fakes["c1"].order(do="delete", path=SERVICES, namespace="shop", name="c1-1")
    checks.becomes("and what it deletes is gone", lambda: daemon.dig(name_of("c1", 1)).status, lambda s: s == "NXDOMAIN")
    checks.becomes("c1: a second list names all of them", lambda: held(daemon, "c1"), lambda v: v == ["0"], CONFIRM_S)
    checks.check("c1: it came 30 s later", time.monotonic() - began > 28, time.monotonic() - began)
    checks.equal("c1: nothing was lost", are_answered(daemon, "c1", range(2, 8)), True)
    checks.check("c1: one line tells", "cluster c1: Service: a list names 6 again" in daemon.log_text(), daemon.log_text())
    checks.becomes("c2: a second list says the same", lambda: held(daemon, "c2"), lambda v: v == ["0"], CONFIRM_S)
    checks.becomes("c2: its names are gone", lambda: daemon.dig(name_of("c2", 1)).status, lambda s: s == "NXDOMAIN")
    checks.check("c2: one line tells", "cluster c2: Service: a second list says the same, 6 of 6 are gone" in daemon.log_text(),
                 daemon.log_text())


def play_room(checks, daemon, fakes):
    """At most 8 objects of a kind: c1 has 6 and gets more than it may, c2 gets 2 meanwhile."""
    checks.becomes("c1 is answered", lambda: are_answered(daemon, "c1", range(2, 8)), bool)
    for number in range(21, 31):
        fakes["c1"].service("c1", number)
    for number in (1, 2):
        fakes["c2"].service("c2", number)
    over = 'pintle_cluster_over_limit{cluster="%s",kind="Service"} %d'
    checks.becomes("a metric says that c1 has too many", lambda: over % ("c1", 1) in daemon.get("/metrics")[1], bool)
    checks.equal("8 Services are there", json.loads(daemon.get("/api/v1/status")[1])["clusters"]["items"][0]["objects"]["Service"], 8)
    checks.becomes("a list is given up, and the status says what to do",
                   lambda: "services: a list names more than 8 objects, the limit" in daemon.ctl("status")[1], bool, CONFIRM_S)
    checks.equal("what was known is answered", are_answered(daemon, "c1", range(2, 8)), True)
    checks.becomes("c2 goes on", lambda: are_answered(daemon, "c2", (1, 2)), bool)
    checks.check("c2 is not over its limit", over % ("c2", 0) in daemon.get("/metrics")[1], daemon.get("/metrics")[1])
    for number in range(21, 31):
        fakes["c1"].order(do="delete", path=SERVICES, namespace="shop", name=f"c1-{number}")
        fakes["c1"].order(do="delete", path=SLICES, namespace="shop", name=f"c1-{number}")
    checks.becomes("once it has fewer, all is well", lambda: over % ("c1", 0) in daemon.get("/metrics")[1], bool, 2 * CONFIRM_S)
    checks.equal("nothing was lost", are_answered(daemon, "c1", range(2, 8)), True)


if __name__ == "__main__":
    sys.exit(play("lists", lists))
