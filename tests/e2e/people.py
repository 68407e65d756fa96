#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who asks, and what people look at: policies by namespace, with the real programs and dig.

Same form of report as run.py, whose tools it uses.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from run import PINTLECTL, PINTLED, Checks, Daemon

WEB = "web-apps-9718a2c924e045fa.pintle.internal"  # default/c2/HTTPRoute/apps/web
OBJECTS = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps, annotations: {pintle.dev/address: endpoints}}
spec: {clusterIP: 10.96.2.1, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: apps, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 80}]
endpoints: [{addresses: [10.2.0.1]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: apps}
spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}
"""
POLICY = """\
apiVersion: pintle.dev/v1alpha1
kind: ResolvePolicy
metadata: {{name: only-apps, namespace: apps}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: web}}]
  allow: [{{clusters: [c2], namespaces: [apps]}}]
  mode: {mode}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: client, namespace: {namespace}}}
status: {{phase: Running, podIP: {ip}}}
"""


def start(dir):
    """A cluster whose askers are 127.0.0.7 and 127.0.0.8."""
    cluster = dir / "people" / "c2"
    cluster.mkdir(parents=True)
    (cluster / "objects.yaml").write_text(OBJECTS)
    (cluster / "cluster.yaml").write_text("clients: [127.0.0.7/32, 127.0.0.8/32]\n")
    return cluster, Daemon(dir, "people", "--clusters-dir", cluster.parent)


def namespaces(checks, cluster, daemon):
    def ask(ip):
        answer = daemon.dig(WEB, "A", "-b", ip)
        return answer.status, answer.ede, answer.data

    served, refused = ("NOERROR", None, ["10.2.0.1"]), ("REFUSED", 18, [])
    checks.becomes("without a policy everybody gets the answer", lambda: ask("127.0.0.7"), lambda s: s == served)
    (cluster / "pods.yaml").write_text(POD.format(namespace="apps", ip="127.0.0.7"))
    (cluster / "policy.yaml").write_text(POLICY.format(mode="Enforce"))
    checks.becomes("case 115: a policy asks for namespaces, and the Pod with that address is let in",
                   lambda: (ask("127.0.0.7"), ask("127.0.0.8")), lambda s: s == (served, refused))
    code, text, err = daemon.ctl("explain", WEB, "--from", "127.0.0.7")
    checks.check("explain tells whose namespace it is",
                 code == 0 and "namespace apps (a Pod has the address)" in text, text + err)
    code, text, err = daemon.ctl("explain", WEB, "--from", "c2", "--namespace", "shop")
    checks.check("explain takes a namespace", code == 0 and "namespace shop" in text and "REFUSED" in text, text + err)
    (cluster / "pods.yaml").write_text(POD.format(namespace="shop", ip="127.0.0.7"))
    checks.becomes("the Pod with that address is in another namespace now", lambda: ask("127.0.0.7"),
                   lambda s: s == refused)
    checks.check("Pods are counted", 'pintle_cluster_objects{cluster="c2",kind="Pod"} 1' in daemon.get("/metrics")[1],
                 daemon.get("/metrics")[1])
    (cluster / "policy.yaml").unlink()
    checks.becomes("the policy has gone, and the Pods with it",
                   lambda: (ask("127.0.0.8"), 'kind="Pod"} 0' in daemon.get("/metrics")[1]),
                   lambda s: s == (served, True))


def main():
    checks = Checks()
    for program in (PINTLED, PINTLECTL):
        if not os.access(program, os.X_OK):
            print(f"{program} is not built (./x build)")
            return 1
    with tempfile.TemporaryDirectory(prefix="pintle-people-") as temporary:
        cluster, daemon = start(pathlib.Path(temporary))
        for part in (namespaces,):
            try:
                part(checks, cluster, daemon)
            except (OSError, RuntimeError, ValueError, KeyError, IndexError, subprocess.SubprocessError) as err:
                checks.check(f"{part.__name__} runs to its end", False, repr(err))
        daemon.stop()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
