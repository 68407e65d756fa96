# SPDX-License-Identifier: Apache-2.0
"""Changing any object acts without a restart: one object of each kind, with its time.

A change is made by one request to the API server. What is told is the time from the server's reply
to the first answer that shows the change, asked over and over without a pause.
"""

import socket
import statistics
import struct
import time

from pods import DNS_PORT, daemon_for_pods, pintle_address
from stage import assigned_name

N_ROUNDS = 5
# bench/ shows single milliseconds, and so does this on an idle machine. Three clusters run beside it,
# and a change makes work for each of their controllers: the limits only tell "at once" from "later", when
# something is next looked at by itself, and a single one may meet a pause of the whole machine.
MEDIAN_MS = 50
LONGEST_MS = 5000
GIVE_UP_S = 10
NAMESPACE = "latency"
ADDRESSES = {"old": "10.10.1.201", "new": "10.10.1.202", "other": "10.10.1.203"}
ASKER = "10.10.1.250"     # of a node of c1
STRANGER = "10.10.199.9"  # in the range of the node that comes and goes
MERGE = "application/merge-patch+json"
GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"
REFUSED, NXDOMAIN = 5, 3


def query(name):
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def read_answer(packet, n_question_bytes):
    """The set of A addresses, or the rcode where there are none. Owners are pointers or absent."""
    n_answers = struct.unpack_from("!H", packet, 6)[0]
    at, found = n_question_bytes, set()
    for _ in range(n_answers):
        while packet[at] and packet[at] < 0xC0:
            at += 1 + packet[at]
        at += 1 if packet[at] == 0 else 2
        rrtype, n_bytes = struct.unpack_from("!H6xH", packet, at)
        if rrtype == 1:
            found.add(socket.inet_ntoa(packet[at + 10:at + 14]))
        at += 10 + n_bytes
    return found or packet[3] & 15


class Asker:
    """Asks one listener as fast as it answers."""

    def __init__(self, source, server):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._socket.settimeout(1)
        self._socket.connect((server, DNS_PORT))

    def ask(self, name):
        question = query(name)
        self._socket.send(question)
        return read_answer(self._socket.recv(4096), len(question))

    def until(self, name, wanted):
        """Milliseconds until the answer is `wanted`; None and what it was when it never is."""
        began = time.monotonic()
        while True:
            found = self.ask(name)
            took_s = time.monotonic() - began
            if found == wanted:
                return took_s * 1000, found
            if took_s > GIVE_UP_S:
                return None, found


def meta(name):
    return {"namespace": NAMESPACE, "name": name}


def service(name, **annotations):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": meta(name) | {"annotations": {
                f"pintle.dev/{key}": value for key, value in annotations.items()}},
            "spec": {"ports": [{"name": "http", "port": 80}]}}


def slice_of(name, address):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": meta(f"{name}-1") | {"labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}]}


def route(name, backends, **spec):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": meta(name), "spec": {"rules": [{"backendRefs": backends}], **spec}}


def backend(name, weight=1, **more):
    return {"name": name, "port": 80, "weight": weight, **more}


IMPORTED = {"group": "application-networking.k8s.aws", "kind": "ServiceImport"}
BY_PATH = [{"matches": [{"path": {"type": "PathPrefix", "value": "/a"}}],
            "backendRefs": [backend("old")]}]


def objects():
    """What stands before the first change. Every Service has one endpoint and shows it."""
    made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            for name in (NAMESPACE, "other")]
    for name, address in ADDRESSES.items():
        made += [service(name, address="endpoints"), slice_of(name, address)]
    far = service("far", address="endpoints")
    far["metadata"]["namespace"] = "other"
    far_slice = slice_of("far", ADDRESSES["new"])
    far_slice["metadata"]["namespace"] = "other"
    aws = "application-networking.k8s.aws/v1alpha1"
    return made + [
        far, far_slice, service("cluster-ip", address="endpoints"),
        slice_of("cluster-ip", ADDRESSES["old"]),
        service("sliced", address="endpoints"), slice_of("sliced", ADDRESSES["old"]),
        route("weights", [backend("old"), backend("new", 0)]),
        route("granted", [backend("far", namespace="other")]),
        route("guarded", [backend("old")]),
        route("annotated", [backend("cluster-ip")]),
        route("sliced", [backend("sliced")]),
        route("aws", [backend("aws", **IMPORTED)]),
        {"apiVersion": aws, "kind": "ServiceImport", "metadata": meta("aws"),
         "spec": {"type": "ClusterSetIP", "ports": [{"port": 80, "protocol": "TCP"}]}},
        {"apiVersion": aws, "kind": "ServiceExport", "metadata": meta("aws") | {"annotations": {
            "application-networking.k8s.aws/service-name": "old"}}},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": meta("edge"),
         "spec": {"gatewayClassName": "any", "listeners": [
             {"name": "http", "protocol": "HTTP", "port": 80}]}},
        route("paths", [], parentRefs=[{"name": "edge"}], rules=BY_PATH),
    ]


class Change:
    """Two requests that undo each other, and what a name answers after each."""

    def __init__(self, what, name, there, back):
        self.what = what
        self.name = name
        self.steps = (there, back)  # (method, path, body, wanted) each

    @classmethod
    def made(cls, what, name, path, item, wanted, without):
        """An object that is made and deleted."""
        return cls(what, name, ("POST", path, item, wanted),
                   ("DELETE", f"{path}/{item['metadata']['name']}", None, without))

    @classmethod
    def patched(cls, what, name, path, *sides):
        """An object of which something is patched to and fro; sides are (patch, wanted)."""
        return cls(what, name, *(("PATCH", path, patch, wanted) for patch, wanted in sides))


def paths():
    core, spaced = "/api/v1", f"/namespaces/{NAMESPACE}"
    return {
        "services": f"{core}{spaced}/services", "nodes": f"{core}/nodes",
        "slices": f"/apis/discovery.k8s.io/v1{spaced}/endpointslices",
        "routes": f"{GATEWAY_API}{spaced}/httproutes", "gateways": f"{GATEWAY_API}{spaced}/gateways",
        "grants": f"{GATEWAY_API}/namespaces/other/referencegrants",
        "policies": f"/apis/pintle.dev/v1alpha1{spaced}/resolvepolicies",
        "iam": f"/apis/application-networking.k8s.aws/v1alpha1{spaced}/iamauthpolicies",
        "aws-exports": f"/apis/application-networking.k8s.aws/v1alpha1{spaced}/serviceexports",
        "aws-imports": f"/apis/application-networking.k8s.aws/v1alpha1{spaced}/serviceimports",
        "records": f"/apis/externaldns.k8s.io/v1alpha1{spaced}/dnsendpoints",
        "exports": f"/apis/multicluster.x-k8s.io/v1beta1{spaced}/serviceexports",
        "imports": f"/apis/multicluster.x-k8s.io/v1beta1{spaced}/serviceimports",
    }


def changes_of_routes(at, old, new):
    group = "gateway.networking.k8s.io"
    guarded = {"group": group, "kind": "HTTPRoute", "name": "guarded"}

    def weights(first, second):
        return {"spec": {"rules": [{"backendRefs": [
            backend("old", first), backend("new", second)]}]}}

    def gateway(address):
        return {"status": {"addresses": [{"type": "IPAddress", "value": address}]}}
    return [
        Change.patched("route: weights", assigned("weights"), f"{at['routes']}/weights",
                       (weights(0, 1), new), (weights(1, 0), old)),
        Change.made("route: made, deleted", assigned("coming"), at["routes"],
                    route("coming", [backend("old")]), old, NXDOMAIN),
        Change.made("grant", assigned("granted"), at["grants"], {
            "apiVersion": f"{group}/v1", "kind": "ReferenceGrant", "metadata": {"name": "all"},
            "spec": {"from": [{"group": group, "kind": "HTTPRoute", "namespace": NAMESPACE}],
                     "to": [{"group": "", "kind": "Service"}]}}, new, 0),
        Change.made("policy: ResolvePolicy", assigned("guarded"), at["policies"], {
            "apiVersion": "pintle.dev/v1alpha1", "kind": "ResolvePolicy", "metadata": meta("none"),
            "spec": {"targetRefs": [guarded], "allow": []}}, REFUSED, old),
        Change.made("policy: IAMAuthPolicy", assigned("guarded"), at["iam"], {
            "apiVersion": "application-networking.k8s.aws/v1alpha1", "kind": "IAMAuthPolicy",
            "metadata": meta("none"), "spec": {"targetRef": guarded, "policy":
                                               '{"Version": "2012-10-17", "Statement": []}'}},
                    REFUSED, old),
        Change.patched("gateway status", assigned("paths"), f"{at['gateways']}/edge/status",
                       (gateway("192.0.2.81"), {"192.0.2.81"}),
                       (gateway("192.0.2.80"), {"192.0.2.80"})),
        Change.made("DNSEndpoint", "latency.example.com", at["records"], {
            "apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint",
            "metadata": meta("records"), "spec": {"endpoints": [
                {"dnsName": "latency.example.com", "recordType": "A", "recordTTL": 5,
                 "targets": ["192.0.2.90"]}]}}, {"192.0.2.90"}, NXDOMAIN),
    ]


def changes_of_services(at, old, new, cluster_ip):
    name = "other." + NAMESPACE + ".svc.clusterset.local"

    def address(mode):
        return {"metadata": {"annotations": {"pintle.dev/address": mode}}}

    def endpoint(which):
        return {"endpoints": [{"addresses": [ADDRESSES[which]], "conditions": {"ready": True}}]}

    def service_name(which):
        return {"metadata": {"annotations": {
            "application-networking.k8s.aws/service-name": which}}}

    def export_name(value):
        return {"metadata": {"annotations": {"application-networking.k8s.aws/export-name": value}}}
    other = {ADDRESSES["other"]}
    return [
        Change.patched("service annotation", assigned("annotated"), f"{at['services']}/cluster-ip",
                       (address("clusterIP"), {cluster_ip}), (address("endpoints"), old)),
        Change.patched("slice", assigned("sliced"), f"{at['slices']}/sliced-1",
                       (endpoint("new"), new), (endpoint("old"), old)),
        Change.made("export: MCS", name, at["exports"], {
            "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
            "metadata": meta("other")}, other, NXDOMAIN),
        Change.made("import: MCS", name.replace("other.", "imported."), at["imports"], {
            "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
            "metadata": meta("imported"), "spec": {
                "type": "ClusterSetIP", "ips": ["10.201.9.9"],
                "ports": [{"port": 80, "protocol": "TCP"}]}}, {"10.201.9.9"}, NXDOMAIN),
        Change.patched("export: AWS", assigned("aws"), f"{at['aws-exports']}/aws",
                       (service_name("new"), new), (service_name("old"), old)),
        Change.patched("import: AWS", assigned("aws"), f"{at['aws-imports']}/aws",
                       (export_name("nobody"), 0), (export_name(None), old)),
    ]


def assigned(name):
    return assigned_name("default", "c1", "HTTPRoute", NAMESPACE, name)


def measure(stage, asker, change):
    """Plays a change to and fro. One check, with its times."""
    cluster = stage.lab.cluster("c1")
    times = []
    asker.until(change.name, change.steps[1][3])
    for method, path, body, wanted in change.steps * N_ROUNDS:
        status, text = cluster.request(method, path, body, content_type=(
            MERGE if method == "PATCH" else "application/json"))
        if not 200 <= status < 300:
            stage.checks.check(change.what, False, f"{method} {path}: {status} {text}")
            return
        took_ms, found = asker.until(change.name, wanted)
        if took_ms is None:
            stage.checks.check(change.what, False, f"after {method} {path}: {found}, not {wanted}")
            return
        times.append(took_ms)
    median_ms = statistics.median(times)
    stage.checks.check(
        f"{change.what}: change -> answer, median {median_ms:.1f} ms, longest {max(times):.1f} ms "
        f"of {len(times)}", median_ms < MEDIAN_MS and max(times) < LONGEST_MS, times)


def story_latency(stage):
    stage.apply_objects("c1", objects())
    stage.lab.cluster("c1").request(
        "PATCH", f"{paths()['gateways']}/edge/status",
        {"status": {"addresses": [{"type": "IPAddress", "value": "192.0.2.80"}]}},
        content_type=MERGE)
    daemon = daemon_for_pods(stage, "live", ("c1",), {
        "zones": {"custom": ["example.com"]},
        "clusters": [stage.cluster(c, c) for c in ("c1", "c2", "c3")]})
    asker, stranger = (Asker(source, pintle_address(stage.lab.cluster("c1")))
                       for source in (ASKER, STRANGER))
    old, new = {ADDRESSES["old"]}, {ADDRESSES["new"]}
    at = paths()
    cluster_ip = stage.cluster_ip("c1", NAMESPACE, "cluster-ip")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "latency"},
            "spec": {"podCIDR": "10.10.199.0/24", "podCIDRs": ["10.10.199.0/24"],
                     "unschedulable": True}}
    local = f"old.{NAMESPACE}.svc.cluster.local"
    home = {stage.cluster_ip("c1", NAMESPACE, "old")}
    changes = changes_of_routes(at, old, new) + changes_of_services(at, old, new, cluster_ip)
    for change in changes:
        measure(stage, asker, change)
    measure(stage, stranger, Change.made(
        "node: the asker's range", local, at["nodes"], node, home, NXDOMAIN))
    stage.end(daemon)
    stage.kubectl("c1", "delete", "namespace", "--wait=false", NAMESPACE, "other")
