# SPDX-License-Identifier: Apache-2.0
"""What every story plays on: the checks and their lines, the lab's objects, the daemons under test."""

import collections
import hashlib
import json
import time

import lab
import pintle

MANIFESTS = lab.HERE / "manifests"

# How long a change of an object may take to show. It takes milliseconds; a busy machine may not.
LIVE_SECONDS = 30
START_SECONDS = 60
# An outage is noticed within 10 s (sockets closed) or 60 s (silence), design of staleness; the
# rest is the time that this script's own questions take, and a machine that is busy.
KILLED_SECONDS = 10 + 10
FROZEN_SECONDS = 60 + 15
BACK_SECONDS = 60


class Checks:
    """One line per check, the reason below a failed one, and the closing line."""

    def __init__(self):
        self.n_passed = 0
        self.n_failed = 0
        self.story = ""
        self.bad_stories = []

    def check(self, what, is_good, detail=""):
        number = self.n_passed + self.n_failed + 1
        print(f"{'ok' if is_good else 'not ok'} {number} - {self.story}: {what}", flush=True)
        if is_good:
            self.n_passed += 1
        else:
            self.n_failed += 1
            if self.story not in self.bad_stories:
                self.bad_stories.append(self.story)
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

    def apply_objects(self, context, objects):
        self.kubectl(context, "apply", "-f", "-", stdin=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": objects}))

    def items(self, cluster, path):
        """The objects below a path of a cluster's API."""
        return self.lab.cluster(cluster).get_items(path)

    def pod_address(self, cluster, namespace, pod):
        return lab.wait_until(
            f"address of {cluster} {namespace}/{pod}", START_SECONDS,
            lambda: next((item["status"].get("podIP") for item in self.items(
                cluster, f"/api/v1/namespaces/{namespace}/pods")
                if item["metadata"]["name"] == pod), None))

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


def assigned_name(cluster_set, cluster, kind, namespace, name):
    """What an assigned name must be: the id depends on the route's names alone."""
    path = f"{cluster_set}/{cluster}/{kind}/{namespace}/{name}"
    return f"{name}-{namespace}-{hashlib.sha256(path.encode()).hexdigest()[:16]}.pintle.internal"


def split_becomes(stage, daemon, name, wanted, ver1, ver2, what):
    """30 questions from c1: `wanted` of them, one more or less, are for version 1."""
    slack = 1 if 0 < wanted < 30 else 0

    def look():
        firsts = daemon.firsts(name, "c1")
        return share(firsts, ver1), share(firsts, ver2), collections.Counter(firsts)
    stage.checks.eventually(
        f"{what}: {wanted} +/- {slack} of 30 first addresses are version 1's", LIVE_SECONDS, look,
        lambda got: abs(got[0] - wanted) <= slack and got[0] + got[1] == 30)
