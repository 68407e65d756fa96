#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The chart on real API servers: the restricted Pod Security Standard says yes, `helm install` installs, and the pod it
makes, run as kubelet would, reads two clusters and writes to one of them with the rights it was given.

Same form of report as charts.py. Needs root; plays in a network of its own.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import yaml

import render
from render import CHART, KUSTOMIZE, ROOT, SETS, SPACE, of_kind, one, pod_of, workload
from run import PINTLECTL, guarded, play  # noqa: E402: pylint: disable=wrong-import-order
from kubelet import Pod  # noqa: E402: pylint: disable=wrong-import-order

sys.path.insert(0, str(ROOT / "tests" / "lab"))
import coredns  # noqa: E402: pylint: disable=wrong-import-position
import ground  # noqa: E402: pylint: disable=wrong-import-position
import lab  # noqa: E402: pylint: disable=wrong-import-position

LONG_S = 60
WEB = """\
apiVersion: v1
kind: Namespace
metadata: {{name: demo}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: demo, annotations: {{service.cilium.io/global: "true", pintle.dev/address: endpoints}}}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: demo, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{name: http, port: 80}}]
endpoints: [{{addresses: ["{address}"]}}]
"""
ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: demo}
spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}
"""
VALUES = {
    "service": {"clusterIP": "10.97.0.53"},
    "kubeconfigs": {"existingSecret": "pintle-kubeconfigs"},
    "config": {
        "clusters": [{"name": "c1", "inCluster": True},
                     {"name": "c2", "context": "c2", "kubeconfig": "/etc/pintle/kubeconfigs/c2.kubeconfig"}],
        "ready": {"minClusters": 2}, "writeBack": {"annotations": True}, "shutdown": {"lameduck": "0s"}}}


class Ground:
    """Two control planes, and how Helm and kubectl reach them."""

    def __init__(self, clusters, dir):
        self.lab, self.dir = clusters, dir
        self.block = ""  # for the Corefile, as Helm prints it
        self.daemons = []  # CoreDns wants such a list
        self.values = dir / "values.yaml"
        self.values.write_text(yaml.safe_dump(VALUES))

    def try_kubectl(self, context, *args, stdin=None):
        return self.lab.kubectl("--context", context, *args, stdin=stdin)

    def kubectl(self, context, *args, stdin=None):
        done = self.try_kubectl(context, *args, stdin=stdin)
        if done.returncode != 0:
            raise lab.LabError(f"kubectl --context {context} {' '.join(args)}: {done.stderr}")
        return done.stdout

    def get(self, context, *args):
        return json.loads(self.kubectl(context, *args, "-o", "json"))

    def helm(self, *args):
        return render.tool("helm.sh", *args, "--kubeconfig", self.lab.kubeconfig, "--kube-context", "c1",
                           "--namespace", SPACE, env={f"HELM_{part}_HOME": str(self.dir / "helm")
                                                      for part in ("CACHE", "CONFIG", "DATA")})

    def replicas(self):
        """The pods of the chart's Deployment that are meant to stay."""
        pods = self.get("c1", "-n", SPACE, "get", "pods", "-l", "app.kubernetes.io/name=pintle")["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


# --- What the API server says beforehand -------------------------------------------------------------


def known(objects):
    """Without the kinds of the Prometheus operator, which is not here."""
    return [item for item in objects if not item["apiVersion"].startswith("monitoring.coreos.com/")]


def dry_run(land, objects, verb="apply"):
    done = land.try_kubectl("c1", verb, "--dry-run=server", "-f", "-", stdin=json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": objects}))
    return done.returncode, done.stdout + done.stderr


def admission(checks, land):
    land.kubectl("c1", "create", "namespace", SPACE)
    land.kubectl("c1", "label", "namespace", SPACE, "pod-security.kubernetes.io/enforce=restricted",
                 "pod-security.kubernetes.io/warn=restricted")
    sets = [(path.stem.removesuffix("-values"), render.template("--values", path)) for path in SETS]
    sets += [(f"kustomize {name}", render.kustomized(KUSTOMIZE / name)) for name in ("base", "daemonset", "fleet")]
    for what, objects in sets:
        is_wide = pod_of(objects)["spec"].get("hostNetwork", False)
        code, said = dry_run(land, known(objects))
        checks.check(f"{what}: the API server takes every object (server-side dry run)",
                     code == 0 and said.count("(server dry run)") == len(known(objects)), said)
        checks.check(f"{what}: Pod Security {'warns of hostNetwork' if is_wide else 'has no warning'}",
                     ("would violate PodSecurity" in said) == is_wide, said)
        code, said = dry_run(land, [pod_of(objects)], "create")
        if is_wide:
            checks.check(f"{what}: its pod is refused under restricted, for that alone", code != 0
                         and 'violates PodSecurity "restricted:latest": host namespaces' in said
                         and "capabilities" not in said and "runAsNonRoot" not in said, said)
        else:
            checks.check(f"{what}: its pod is let in under restricted", code == 0, said)
    loose = pod_of(sets[0][1])
    loose["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    code, said = dry_run(land, [loose], "create")
    checks.check("a pod with less would not be", code != 0 and "allowPrivilegeEscalation" in said, said)


# --- Installed ---------------------------------------------------------------------------------------


def second_cluster(checks, land):
    """The Secret of docs/kubernetes.md, by its commands."""
    def add(*part):
        done = subprocess.run([PINTLECTL, "clusters", "add", *part, "--context", "c2", "--name", "c2", "--kubeconfig",
                               str(land.lab.kubeconfig)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=True)
        return done.stdout
    land.kubectl("c2", "apply", "-f", "-", stdin=add("--write-back", "annotations"))
    config, token = land.dir / "c2.kubeconfig", land.dir / "c2.token"
    config.write_text(add("kubeconfig"))
    token.write_text(land.kubectl("c2", "-n", "pintle", "create", "token", "pintle", "--duration=1h").strip())
    land.kubectl("c1", "--namespace", SPACE, "create", "secret", "generic", "pintle-kubeconfigs",
                 f"--from-file={config}", f"--from-file={token}")
    for context, address in (("c1", "10.10.200.7"), ("c2", "10.20.200.7")):
        land.kubectl(context, "apply", "-f", "-", stdin=WEB.format(address=address))
    land.kubectl("c1", "apply", "-f", "-", stdin=ROUTE)
    checks.check("kubeconfig and token of c2 are in a Secret", "tokenFile: c2.token" in config.read_text(),
                 config.read_text())


def install(checks, land):
    code, out, err = land.helm("install", "pintle", CHART, "--values", land.values, "--wait", "--timeout", "5m")
    checks.check("helm install --wait: the pods were let in, and are ready as far as kwok tells", code == 0, out + err)
    for line in ("dig @10.97.0.53 SERVICE.NAMESPACE.svc.clusterset.local",
                 f"kubectl -n {SPACE} exec deployment/pintle -- pintlectl status"):
        checks.check(f"its notes say: {line}", line in out, out)
    found = re.search(r"^clusterset\.local .*?^}$", out, re.M | re.S)
    land.block = found.group() + "\n" if found else ""
    checks.equal("and the block for the Corefile is that of README.md", land.block.replace("10.97.0.53", coredns.EXAMPLE),
                 coredns.stub_block())
    pods = land.replicas()
    checks.check("two pods, on two nodes", len({pod["spec"]["nodeName"] for pod in pods}) == 2, pods)
    slices = land.get("c1", "-n", SPACE, "get", "endpointslices", "-l", "kubernetes.io/service-name=pintle")["items"]
    checks.equal("behind port 53 of the Service is port 5353 of both", (
        {(port["name"], port["port"], port["protocol"]) for item in slices for port in item["ports"]},
        {address for item in slices for end in item["endpoints"] for address in end["addresses"]}), (
            {("dns", 5353, "UDP"), ("dns-tcp", 5353, "TCP")}, {pod["status"]["podIP"] for pod in pods}))
    budget = land.get("c1", "-n", SPACE, "get", "pdb", "pintle")
    checks.equal("the PodDisruptionBudget counts them", budget["status"]["expectedPods"], 2)


def through_coredns(land, pod):
    """A real CoreDNS at c1's kube-dns address. The Service's address becomes the pod's, as kube-proxy would have it."""
    server = coredns.CoreDns(land, land.lab.cluster("c1"), "", block=land.block.replace(
        "10.97.0.53", f"{pod.address}:{pod.port('dns')}"))
    try:
        server.start()
        return sorted(server.dig("10.10.200.99", "web.demo.svc.clusterset.local").addresses) == [
            "10.10.200.7", "10.20.200.7"]
    finally:
        server.stop()


def runs(checks, land):
    pod = Pod(lambda *args: land.kubectl("c1", *args), land.replicas()[0], land.lab.cluster("c1"), land.dir / "pod")
    pod.start()
    try:
        checks.becomes("the container starts: kubelet's startup probe", lambda: pod.probe("startupProbe")[0],
                       lambda code: code == 200 or pod.child.poll() is not None, LONG_S)
        if not checks.equal("and goes on", pod.child.poll(), None):
            return
        checks.becomes("it reads both clusters: kubelet's readiness probe", lambda: pod.probe("readinessProbe"),
                       lambda got: got[0] == 200, LONG_S)
        checks.equal("kubelet's liveness probe", pod.probe("livenessProbe")[0], 200)
        checks.equal("uid, gid, groups", [pod.status("Uid"), pod.status("Gid"), pod.status("Groups")],
                     [["65532"] * 4, ["65532"] * 4, ["65532"]])
        checks.equal("no capability, and no way to one", [pod.status(key) for key in (
            "CapEff", "CapPrm", "CapBnd", "NoNewPrivs")], [["0" * 16]] * 3 + [["1"]])
        checks.becomes("a global Service has the addresses of both clusters",
                       lambda: pod.dig("web.demo.svc.clusterset.local"), lambda got: got == ["10.10.200.7", "10.20.200.7"])
        checks.equal("over TCP, too", pod.dig("web.demo.svc.clusterset.local", "A", "dns-tcp", "+tcp"),
                     ["10.10.200.7", "10.20.200.7"])
        checks.check("a pod that asks its CoreDNS, which has the block of the notes, is answered", through_coredns(land, pod))
        code, text = pod.exec("/pintlectl", "status")
        checks.check("kubectl exec ... pintlectl status", code == 0 and "2 of 2 clusters up" in text, text)
        checks.check("Prometheus reads metrics at the pod's address", 'pintle_cluster_up{cluster="c2"} 1' in pod.get(
            "/metrics")[1])
        checks.equal("the API is not there", pod.get("/api/v1/status")[0], 404)
        checks.becomes("it writes to its own cluster: the chart's roles are enough", lambda: land.get(
            "c1", "-n", "demo", "get", "httproute", "web")["metadata"].get("annotations", {}).get(
                "pintle.dev/assigned-domain-name", ""), lambda name: name.endswith(".pintle.internal"), LONG_S)
        checks.becomes("and to c2, with what `clusters add --write-back` printed", pod.log_text,
                       lambda text: "cluster c2: Lease pintle-system/pintle-writer is ours" in text, LONG_S)
        checks.check("nothing was forbidden", "403" not in pod.log_text(), pod.log_text())
        checks.becomes("what it knows is in the state directory", lambda: pod.get("/metrics")[1],
                       lambda text: "pintle_state_up 1" in text)
        checks.check("and there is a state file", (land.dir / "pod" / "state" / "catalog.pintle").is_file())
    finally:
        checks.equal("SIGTERM ends it", pod.stop(), 0)
    if checks.failed:
        print(pod.log_text()[-3000:])


def upgrade(checks, land):
    before = {pod["metadata"]["name"] for pod in land.replicas()}
    code, out, err = land.helm("upgrade", "pintle", CHART, "--values", land.values, "--set", "config.clusterSet=other",
                               "--wait", "--timeout", "5m")
    checks.check("helm upgrade", code == 0, out + err)
    checks.becomes("with another configuration both pods are new ones", lambda: {
        pod["metadata"]["name"] for pod in land.replicas()}, lambda now: len(now) == 2 and not now & before, LONG_S)
    code, out, err = land.helm("upgrade", "pintle", CHART, "--values", land.values, "--set", "mode=daemonset",
                               "--wait", "--timeout", "5m")
    checks.check("helm upgrade to a DaemonSet", code == 0, out + err)
    checks.becomes("one on each node", lambda: [pod["metadata"]["ownerReferences"][0]["kind"] for pod in land.replicas()],
                   lambda kinds: kinds == ["DaemonSet"] * 2, LONG_S)
    code, out, err = land.helm("uninstall", "pintle", "--wait", "--timeout", "5m")
    kinds = ("serviceaccounts,configmaps,services,deployments,daemonsets,poddisruptionbudgets,"
             "clusterroles,clusterrolebindings,roles,rolebindings")
    left = land.get("c1", "get", kinds, "-A", "-l", "app.kubernetes.io/instance=pintle")["items"]
    checks.check("helm uninstall leaves nothing of it", code == 0 and not left, (out, err, left))


def by_kustomize(checks, land):
    objects = render.kustomized(KUSTOMIZE / "base")
    land.kubectl("c2", "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        *of_kind(objects, "Namespace"), *[i for i in objects if i["kind"] != "Namespace"]]}))
    name = workload(objects)["metadata"]["name"]
    checks.becomes("kustomize's base, applied: both pods are let in", lambda: land.get(
        "c2", "-n", SPACE, "get", "deployment", name)["status"].get("readyReplicas", 0), lambda n: n == 2, LONG_S)
    account = f"--as=system:serviceaccount:{SPACE}:{one(objects, 'ServiceAccount')['metadata']['name']}"
    for verb, what, wanted in (("list", "services", "yes"), ("watch", "endpointslices.discovery.k8s.io", "yes"),
                               ("get", "secrets", "no"), ("patch", "httproutes.gateway.networking.k8s.io", "no")):
        said = land.try_kubectl("c2", "auth", "can-i", verb, what, "-A", account).stdout.strip()
        checks.equal(f"may its service account {verb} {what}?", said, wanted)


def everything(checks, dir):
    clusters = lab.Lab.up(dir / "lab", 2)
    try:
        land = Ground(clusters, dir)
        for part in (admission, second_cluster, install, runs, upgrade, by_kustomize):
            guarded(checks, part, land)
            if checks.failed:
                break  # the next one plays on what this one has made
    finally:
        clusters.stop()


if __name__ == "__main__":
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        sys.exit("incluster: run as root, with util-linux: the pod is run in a root file system of its own")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ["PINTLE_LAB_PROGRAM"] = lab.build_program()  # before the network is left
    os.environ["PINTLE_COREDNS"] = coredns.build_program()
    ground.enter()
    sys.exit(play("incluster", everything))
