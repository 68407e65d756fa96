# SPDX-License-Identifier: Apache-2.0
"""Cases 1 to 17: the MCS conformance suite's questions, asked by pods through their CoreDNS.

Context 0 of that suite is c1 here, context 1 is c2; each case has a namespace of its own. What a
controller makes of exports, the ServiceImports, is made by hand. What Pintle itself would have to
write back to clusters is not asked yet:

    case 10, 13   the ServiceImport goes, or never comes, by itself
    case 13       ServiceExport Valid=False
    case 14 to 17 ServiceExport Conflict=True
"""

import json
import time

import lab
from pods import daemon_for_pods, dns_of, make_pods

# how long the suite waits for an answer
SUITE_SECONDS = 20
CONTEXTS = ("c1", "c2")
PORTS = (("tcp", 42, "TCP"), ("udp", 42, "UDP"))
EXPORTED_BY_BOTH = (11, 14, 15, 16, 17)


def namespace(case):
    return f"mcs-conformance-{case}"


def hello(case):
    return f"hello.{namespace(case)}.svc.clusterset.local"


def set_ips(case, context):
    """The clusterset addresses of a case's import; each cluster has its own."""
    return [f"10.20{context[1]}.42.{case}", f"fd00:42::{context[1]}:{case}"]


def port_list(ports, with_target=False):
    return [{"name": name, "port": port, "protocol": protocol}
            | ({"targetPort": port} if with_target else {}) for name, port, protocol in ports]


def service(case, ports=PORTS, **spec):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": namespace(case), "name": "hello"},
            "spec": {"selector": {"app": "hello"}, "ipFamilyPolicy": "PreferDualStack",
                     "sessionAffinity": "ClientIP",
                     "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}},
                     "ports": port_list(ports, True), **spec}}


def headless(case, ports=PORTS):
    return service(case, ports, clusterIP="None", sessionAffinity="None",
                   sessionAffinityConfig=None)


def external_name(case):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": namespace(case), "name": "hello"},
            "spec": {"type": "ExternalName", "externalName": "example.com"}}


def workload(case, kind, name, replicas, **spec):
    return {"apiVersion": "apps/v1", "kind": kind,
            "metadata": {"namespace": namespace(case), "name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "hello"}},
                     "template": {"metadata": {"labels": {"app": "hello"}}, "spec": {
                         "containers": [{"name": "hello", "image": "none"}]}}, **spec}}


def export(case):
    return {"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
            "metadata": {"namespace": namespace(case), "name": "hello"}}


def service_import(case, ips=(), ports=PORTS, kind="ClusterSetIP"):
    return {"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
            "metadata": {"namespace": namespace(case), "name": "hello"},
            "spec": {"type": kind, "ports": port_list(ports)} | ({"ips": list(ips)} if ips else {})}


def exporter_objects():
    """c1's side: Services, pods and exports."""
    objects = []
    for case in (1, 9, 10, 11, 12, 14, 15, 16, 17):
        objects += [service(case, (("tcp", 42, "TCP"),) if case in (16, 17) else PORTS),
                    workload(case, "Deployment", "hello", 1)]
    for case in (5, 7):
        objects += [headless(case), workload(case, "Deployment", "hello", 2)]
    objects += [workload(7, "StatefulSet", "hello-ss", 2, serviceName="hello"), external_name(13)]
    return objects + [export(case) for case in (1, 5, 7, 10, 11, 12, 13, *EXPORTED_BY_BOTH[1:])]


def other_objects():
    """c2's side, younger than c1's."""
    ports = {15: (("tcp", 42, "TCP"), ("stcp", 142, "SCTP")), 16: (("tcp", 43, "TCP"),),
             17: (("tcp2", 4242, "TCP"),)}
    objects = [headless(14)]
    for case in (11, 12, 15, 16, 17):
        objects += [service(case, ports.get(case, PORTS)), workload(case, "Deployment", "hello", 1)]
    return objects + [export(case) for case in EXPORTED_BY_BOTH]


def imports(context):
    """What a controller makes in every cluster. Without addresses where a case looks behind them."""
    union = {15: PORTS + (("stcp", 142, "SCTP"),), 16: (("tcp", 42, "TCP"),),
             17: (("tcp", 42, "TCP"), ("tcp2", 4242, "TCP"))}
    return ([service_import(case, set_ips(case, context), union.get(case, PORTS))
             for case in (1, 10, 14, 15, 16)]
            + [service_import(case, (), union.get(case, PORTS)) for case in (11, 12, 17)]
            + [service_import(case, kind="Headless") for case in (5, 7)])


class Conformance:
    """The two clusters, their CoreDNS and the pod in each that asks."""

    def __init__(self, stage):
        self.stage = stage
        self.checks = stage.checks
        self._make()
        self.pods = {c: make_pods(stage, c, [f"{namespace(1)}/request"])[0] for c in CONTEXTS}
        self.daemon = daemon_for_pods(stage, "mcs", CONTEXTS, {
            "clusters": [stage.cluster(c, c) for c in CONTEXTS]})
        self.dns = {c: dns_of(stage, c) for c in CONTEXTS}

    def _make(self):
        """c1's objects first: the older export wins, and ages are told in whole seconds."""
        spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace(case)}}
                  for case in range(1, 18)]
        for context in CONTEXTS: # another story's may be going still
            lab.wait_until(f"the namespaces of before to be gone in {context}", 120,
                           lambda context=context: "mcs-conformance-" not in self.stage.kubectl(
                               context, "get", "namespaces", "-o", "name"))
        self.stage.apply_objects("c1", spaces + exporter_objects() + imports("c1"))
        self.stage.apply_objects("c2", spaces)
        second = int(time.time())
        lab.wait_until("the next second", 2, lambda: int(time.time()) > second)
        self.stage.apply_objects("c2", other_objects() + imports("c2"))
        for case, count in ((5, 2), (7, 4), (11, 1), (12, 1), (15, 1), (16, 1), (17, 1)):
            self.stage.endpoints("c1", namespace(case), "hello", count)
        for case in (11, 12, 15, 16, 17):
            self.stage.endpoints("c2", namespace(case), "hello", 1)

    def ask(self, context, name, rrtype="A"):
        return self.dns[context].dig(self.pods[context], name, rrtype)

    def from_all(self, what, wanted, look):
        """look(context) becomes wanted, or what wanted(context) gives, from both clusters."""
        for context in CONTEXTS:
            self.checks.becomes(
                f"{what}, asked from {context}", wanted(context) if callable(wanted) else wanted,
                lambda: look(context), SUITE_SECONDS)

    def addresses_from_all(self, what, name, wanted, rrtype="A"):
        self.from_all(what, wanted, lambda c: set(self.ask(c, name, rrtype).addresses))

    def cluster_ip(self, context, case):
        return self.stage.cluster_ip(context, namespace(case), "hello")

    def endpoints(self, context, case, n_wanted):
        return self.stage.endpoints(context, namespace(case), "hello", n_wanted)

    def delete_export(self, context, case):
        self.stage.kubectl(context, "-n", namespace(case), "delete",
                           "serviceexports.multicluster.x-k8s.io", "hello")

    def srv(self, context, name):
        """The SRV records: a set of (port, target), and the addresses in the additional section."""
        found = self.ask(context, name, "SRV")
        return ({(int(rdata[2]), rdata[3]) for rdata in found.rdata("SRV")},
                {rr[4] for rr in found.additional if rr[3] in ("A", "AAAA")})


def story_mcs(stage):
    play = Conformance(stage)
    cluster_set_ip(play)
    headless_names(play)
    exports_come_and_go(play)
    conflicts(play)
    for dns in play.dns.values():
        stage.end(dns)
    stage.end(play.daemon)
    for context in CONTEXTS:
        stage.kubectl(context, "delete", "namespace", "--wait=false",
                      *(namespace(case) for case in range(1, 18)))


def cluster_set_ip(play):
    play.addresses_from_all("case 1: A is the import's IPv4 address", hello(1),
                            lambda c: {set_ips(1, c)[0]})
    play.addresses_from_all("case 2: AAAA is the import's IPv6 address", hello(1),
                            lambda c: {set_ips(1, c)[1]}, "AAAA")
    play.from_all("case 3: the bare name has exactly one SRV", [["0", "100", "42", hello(1) + "."]],
                  lambda c: play.ask(c, hello(1), "SRV").rdata("SRV"))
    local = hello(1).replace("clusterset.local", "cluster.local")
    own = {play.cluster_ip("c1", 1)}
    play.checks.becomes("case 4: cluster.local shows the ClusterIP alone, import or not", own,
                        lambda: set(play.ask("c1", local).addresses), SUITE_SECONDS)
    play.checks.becomes("case 4: so Pintle itself", own,
                        lambda: set(play.daemon.dig(local, "A", "c1").addresses), SUITE_SECONDS)


def make_dual_stack(play, case):
    """Gives the pods of a case an IPv6 address each, as a dual-stack network does."""
    path = f"/api/v1/namespaces/{namespace(case)}/pods"
    given = set()
    for i, pod in enumerate(play.stage.items("c1", path)):
        addresses = [pod["status"]["podIP"], f"fd00:10::{case}:{i + 1}"]
        given.add(addresses[1])
        play.stage.kubectl("c1", "-n", namespace(case), "patch", "pod", pod["metadata"]["name"],
                           "--subresource=status", "--type=merge", "-p",
                           '{"status": {"podIPs": [{"ip": "%s"}, {"ip": "%s"}]}}' % tuple(addresses))
    return given


def headless_names(play):
    pods = play.endpoints("c1", 5, 2)
    play.addresses_from_all("case 5: a headless name is exactly the ready pods", hello(5), pods)
    six = make_dual_stack(play, 5)
    play.addresses_from_all("case 6: AAAA is exactly their IPv6 addresses", hello(5), six, "AAAA")
    play.addresses_from_all("case 6: A is what it was", hello(5), pods)

    path = (f"/apis/discovery.k8s.io/v1/namespaces/{namespace(7)}/endpointslices"
            "?labelSelector=kubernetes.io/service-name%3Dhello")
    labels = {}
    for item in play.stage.items("c1", path):
        if item["addressType"] == "IPv4":
            for endpoint in item["endpoints"]:
                address, = endpoint["addresses"]
                labels[endpoint.get("hostname") or address.replace(".", "-")] = address
    play.checks.check("case 7: two of the endpoints have a hostname",
                      {"hello-ss-0", "hello-ss-1"} < set(labels) and len(labels) == 4, labels)
    play.from_all("case 7: each endpoint's own name is exactly its address",
                  {label: [address] for label, address in labels.items()},
                  lambda c: {label: play.ask(c, f"{label}.c1.{hello(7)}").addresses
                             for label in labels})
    play.from_all("case 8: one SRV for each ready address, port 42, by hostname or address",
                  ({(42, f"{label}.c1.{hello(7)}.") for label in labels}, set(labels.values())),
                  lambda c: play.srv(c, hello(7)))


def exports_come_and_go(play):
    play.from_all("case 9: a Service that is not exported, asked 20 times: NXDOMAIN with SOA",
                  {True}, lambda c: {play.ask(c, hello(9)).is_denial for _ in range(20)})
    play.addresses_from_all("case 10: exported", hello(10), lambda c: {set_ips(10, c)[0]})
    play.delete_export("c1", 10)
    for context in CONTEXTS:
        play.stage.kubectl(context, "-n", namespace(10), "delete",
                           "serviceimports.multicluster.x-k8s.io", "hello")
    play.from_all("case 10: the last export and the imports are gone: NXDOMAIN with SOA", True,
                  lambda c: play.ask(c, hello(10)).is_denial)

    one, two = play.endpoints("c1", 11, 1), play.endpoints("c2", 11, 1)
    own = {c: {play.cluster_ip(c, 11)} for c in CONTEXTS}
    # sessionAffinity ClientIP: each asker stays with one of them
    play.from_all("case 11: exported by both, an asker gets one of both", (1, True), lambda c: (
        lambda found: (len(found), found <= own[c] | (two if c == "c1" else one)))(
            set(play.ask(c, hello(11)).addresses)))
    play.delete_export("c1", 11)
    play.addresses_from_all("case 11: one of two withdraws, the other one answers", hello(11),
                            lambda c: two if c == "c1" else own["c2"])
    play.addresses_from_all(
        "case 12: in both clusters, exported by c1 alone: never c2's", hello(12),
        lambda c: {play.cluster_ip("c1", 12)} if c == "c1" else play.endpoints("c1", 12, 1))
    play.from_all("case 13: an export of an ExternalName Service makes no name", True,
                  lambda c: play.ask(c, hello(13)).is_denial)


def conflicts(play):
    play.addresses_from_all("case 14: ClusterIP is older than headless, so ClusterSetIP", hello(14),
                            lambda c: {set_ips(14, c)[0]})
    for name, port in (("_tcp._tcp", 42), ("_stcp._sctp", 142)):
        play.from_all(f"case 15: the ports of both are served, {name}", {(port, hello(15) + ".")},
                      lambda c: play.srv(c, f"{name}.{hello(15)}")[0])
    play.from_all("case 16: two numbers of one port name: the older export's",
                  {(42, hello(16) + ".")}, lambda c: play.srv(c, f"_tcp._tcp.{hello(16)}")[0])
    own = play.stage.kubectl("c2", "-n", namespace(17), "get", "service", "hello",
                             "-o", "jsonpath={.spec.clusterIPs}")
    behind = {"c1": play.endpoints("c2", 17, 1), "c2": set(json.loads(own))}
    play.from_all("case 17: a port that c2 alone has: 4242, behind it c2 alone",
                  lambda c: ({4242}, behind[c]),
                  lambda c: (lambda found: ({port for port, _ in found[0]}, found[1]))(
                      play.srv(c, f"_tcp2._tcp.{hello(17)}")))
