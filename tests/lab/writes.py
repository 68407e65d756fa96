# SPDX-License-Identifier: Apache-2.0
"""What Pintle writes to clusters, by service accounts that have the roles of deploy/rbac and nothing
else: names on routes, imports that kube-proxy can serve (cases 1 to 17), one writer at a time. docs/guide.md shows one of them."""

import json
import time

import lab
import mcs
from stage import LIVE_SECONDS, assigned_name

CONTEXTS = ("c1", "c2")
RBAC = lab.ROOT / "deploy" / "rbac"
USER = "pintle-writer-test"
HOME = "pintle-system"
# of a Lease that nobody renews, and what it takes to notice
LEASE_SECONDS = 15 + 8
# Of one that is given back: sooner than it would end.
AT_ONCE_SECONDS = 10
OURS = "pintle.dev/assigned-domain-name"
LATTICE = "application-networking.k8s.aws/lattice-assigned-domain-name"
GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"


def bind(stage, context, user, role, kind="ClusterRole"):
    """Binds a role of deploy/rbac to the user."""
    scope = {"namespace": HOME} if kind == "Role" else {}
    stage.apply_objects(context, [{
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind + "Binding", "metadata": {"name": f"{user}-{role}", **scope},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": HOME, "name": user}]}])


def make_user(stage, context, user, roles):
    """A service account with just these roles. Returns its token."""
    for name in ("read", "write-lease", *roles):
        stage.kubectl(context, "apply", "-f", str(RBAC / f"{name}.yaml"))
    stage.apply_objects(context, [{"apiVersion": "v1", "kind": "ServiceAccount",
                                   "metadata": {"namespace": HOME, "name": user}}])
    bind(stage, context, user, "pintle-read")
    bind(stage, context, user, "pintle-lease", "Role")
    for name in roles:
        bind(stage, context, user, f"pintle-{name}")
    return stage.kubectl(context, "-n", HOME, "create", "token", user, "--duration=2h").strip()


def write_kubeconfig(stage, roles, user=USER):
    """A kubeconfig whose contexts are these users."""
    config = json.loads(stage.kubectl("c1", "config", "view", "--raw", "-o", "json"))
    for context in CONTEXTS:
        token = make_user(stage, context, user, roles)
        config["users"].append({"name": f"{user}-{context}", "user": {"token": token}})
        for entry in config["contexts"]:
            if entry["name"] == context:
                entry["context"]["user"] = f"{user}-{context}"
    path = stage.dir / f"{user}-kubeconfig"
    path.write_text(json.dumps(config))
    return path


def daemon(stage, name, kubeconfig, **switches):
    return stage.pintle(name, config={
        "clusterSet": "demo",
        "clusters": [{"name": c, "context": c, "kubeconfig": str(kubeconfig)} for c in CONTEXTS],
        "writeBack": switches})


def holder(stage, context):
    """Who holds the Lease, by the API server's word."""
    found = stage.items(context, f"/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases")
    return next((item["spec"].get("holderIdentity") or "" for item in found
                 if item["metadata"]["name"] == "pintle-writer"), "")


def annotations(stage, context, name):
    found = stage.items(context, f"{GATEWAY_API}/namespaces/default/httproutes")
    return next((item["metadata"].get("annotations") or {} for item in found
                 if item["metadata"]["name"] == name), {})


def story_writes(stage):
    stage.apply("story1")
    kubeconfig = write_kubeconfig(stage, ("write-annotations", "write-mcs"))
    try:
        names_on_routes(stage, kubeconfig)
        one_of_two(stage, kubeconfig)
    finally:
        for context in CONTEXTS:
            stage.kubectl(context, "-n", HOME, "delete", "lease", "pintle-writer",
                          "--ignore-not-found")


def names_on_routes(stage, kubeconfig):
    """Both annotations; corrected, kept over a restart without a write, taken away."""
    checks = stage.checks
    wanted = assigned_name("demo", "c1", "HTTPRoute", "default", "inventory")
    one = daemon(stage, "names", kubeconfig, annotations=True, latticeAnnotation=True)
    checks.becomes("the route says its assigned name by both annotations", (wanted, wanted),
                   lambda: tuple(annotations(stage, "c1", "inventory").get(key)
                                 for key in (OURS, LATTICE)), LEASE_SECONDS)
    stage.kubectl("c1", "annotate", "httproute", "inventory", "--overwrite", f"{OURS}=wrong")
    checks.becomes("what somebody writes over it is corrected", wanted,
                   lambda: annotations(stage, "c1", "inventory").get(OURS))
    stage.kubectl("c1", "delete", "httproute", "inventory")
    stage.apply("story1")
    checks.becomes("a route made again says the same name", wanted,
                   lambda: annotations(stage, "c1", "inventory").get(OURS))
    stage.end(one)
    checks.becomes("the Lease is given back at the end", "", lambda: holder(stage, "c1"), AT_ONCE_SECONDS)

    def version():
        return [item["metadata"]["resourceVersion"] for item in stage.items(
            "c1", f"{GATEWAY_API}/namespaces/default/httproutes")]
    before = version()
    again = daemon(stage, "again", kubeconfig, annotations=True, latticeAnnotation=True)
    checks.eventually("a restart takes the Lease", LEASE_SECONDS,
                      lambda: holder(stage, "c1"), lambda name: name != "")
    time.sleep(1)
    checks.check("and writes nothing that is there already", version() == before,
                 (before, version()))
    stage.end(again)
    clean = daemon(stage, "clean", kubeconfig, cleanup=True)
    checks.becomes("what is switched off is taken away", (None, None),
                   lambda: tuple(annotations(stage, "c1", "inventory").get(key)
                                 for key in (OURS, LATTICE)), LEASE_SECONDS)
    stage.end(clean)


def one_of_two(stage, kubeconfig):
    """Two daemons; the one that writes is killed, then asked to end, then frozen."""
    checks = stage.checks
    both = {name: daemon(stage, name, kubeconfig, annotations=True) for name in ("left", "right")}

    def writers():
        """Whose log says last that it writes to c1."""
        found = set()
        for name, one in both.items():
            lines = [line for line in one.log_text().splitlines()
                     if "cluster c1: Lease" in line]
            if one.is_running() and lines and "is ours" in lines[-1]:
                found.add(name)
        return found
    checks.eventually("of two daemons one writes", LEASE_SECONDS, writers,
                      lambda found: len(found) == 1)
    time.sleep(6)  # a renewal of each
    checks.check("and it stays the one", len(writers()) == 1, writers())
    first, = writers()
    other = "right" if first == "left" else "left"
    both[first].child.kill()
    both[first].child.wait()
    stage.daemons.remove(both[first])
    stage.kubectl("c1", "annotate", "httproute", "inventory", "--overwrite", f"{OURS}=wrong")
    wanted = assigned_name("demo", "c1", "HTTPRoute", "default", "inventory")
    checks.becomes("killed, and the other one takes over what is to be written", wanted,
                   lambda: annotations(stage, "c1", "inventory").get(OURS), LEASE_SECONDS)
    checks.check("by the Lease", writers() == {other}, writers())
    del both[first]
    both["third"] = daemon(stage, "third", kubeconfig, annotations=True)
    leaver = both[other]
    stage.end(leaver)
    checks.becomes("asked to end, it gives the Lease back and the next one has it at once",
                   {"third"}, writers, AT_ONCE_SECONDS)
    del both[other]
    stage.end(both["third"])


# -- Gateways of a class of ours

CONTROLLER = "pintle.dev/gateway-controller"
OTHER = {"parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "elsewhere"},
         "controllerName": "example.com/other",
         "conditions": [{"type": "Accepted", "status": "True", "reason": "Fine", "message": "m",
                         "observedGeneration": 9, "lastTransitionTime": "2026-01-02T03:04:05Z"}]}


def gateway_objects():
    """A class of ours, a Gateway, and routes that come to it or do not."""
    api = "gateway.networking.k8s.io/v1"

    def route(name, kind="HTTPRoute", section=None, service="cart", **spec):
        ref = {"name": "names", **({"sectionName": section} if section else {})}
        return {"apiVersion": api, "kind": kind,
                "metadata": {"namespace": "names", "name": name},
                "spec": {"parentRefs": [ref], "rules": [
                    {"backendRefs": [{"name": service, "port": 80}]}], **spec}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "names"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "names", "name": "cart"},
         "spec": {"ports": [{"port": 80}]}},
        {"apiVersion": api, "kind": "GatewayClass", "metadata": {"name": "names"},
         "spec": {"controllerName": CONTROLLER}},
        {"apiVersion": api, "kind": "Gateway", "metadata": {"namespace": "names", "name": "names"},
         "spec": {"gatewayClassName": "names", "listeners": [
             {"name": "web", "port": 80, "protocol": "HTTP"},
             {"name": "host", "port": 81, "protocol": "HTTP", "hostname": "a.example.com"}]}},
        route("good"), route("absent", section="gone"), route("lost", service="nowhere"),
        route("host", section="host", hostnames=["b.example.org"]),
        route("grpc", kind="GRPCRoute")]


def said(conditions):
    """{type: reason} with a '!' before what is not true."""
    return {c["type"]: ("" if c["status"] == "True" else "!") + c["reason"] for c in conditions}


def named(stage, plural, name, namespace="names"):
    where = f"/namespaces/{namespace}" if namespace else ""
    found = stage.items("c1", f"{GATEWAY_API}{where}/{plural}")
    return next((item for item in found if item["metadata"]["name"] == name), {})


def parents_of(stage, name, plural="httproutes"):
    """What we say of a route, by its parents."""
    return [said(p["conditions"]) for p in
            named(stage, plural, name).get("status", {}).get("parents", [])
            if p["controllerName"] == CONTROLLER]


def since(stage, name):
    """When the route was accepted."""
    parent, = named(stage, "httproutes", name)["status"]["parents"]
    return next(c["lastTransitionTime"] for c in parent["conditions"] if c["type"] == "Accepted")


def listeners_of(stage):
    status = named(stage, "gateways", "names").get("status", {})
    return {item["name"]: item["attachedRoutes"] for item in status.get("listeners", [])}


def story_gateway_status(stage):
    kubeconfig = write_kubeconfig(stage, ("write-status",))
    stage.apply_objects("c1", gateway_objects())
    one = daemon(stage, "statuses", kubeconfig, status=True)
    two = daemon(stage, "statuses-too", kubeconfig, status=True)
    try:
        statuses_said(stage)
        statuses_kept(stage, (one, two))
        statuses_taken_away(stage, kubeconfig, (one, two))
    finally:
        for kind in ("gateway", "httproute", "grpcroute"):
            stage.kubectl("c1", "-n", "names", "delete", kind, "--all")
        stage.kubectl("c1", "delete", "gatewayclass", "names")
        for context in CONTEXTS:
            stage.kubectl(context, "-n", HOME, "delete", "lease", "pintle-writer",
                          "--ignore-not-found")


def statuses_said(stage):
    checks = stage.checks
    good = {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}
    checks.becomes("the class is accepted", {"Accepted": "Accepted"}, lambda: said(
        named(stage, "gatewayclasses", "names", None).get("status", {}).get("conditions", [])),
        LEASE_SECONDS)
    checks.becomes("so is its Gateway, and it is programmed",
                   {"Accepted": "Accepted", "Programmed": "Programmed"}, lambda: said(
                       named(stage, "gateways", "names").get("status", {}).get("conditions", [])))
    for name, wanted in (("good", good), ("absent", {**good, "Accepted": "!NoMatchingParent"}),
                         ("lost", {**good, "ResolvedRefs": "!BackendNotFound"}),
                         ("host", {**good, "Accepted": "!NoMatchingListenerHostname"})):
        checks.becomes(f"route {name}: {wanted}", [wanted], lambda: parents_of(stage, name))
    checks.becomes("a GRPCRoute is accepted, too", [good],
                   lambda: parents_of(stage, "grpc", "grpcroutes"))
    checks.becomes("its listeners count the routes that come to them", {"web": 3, "host": 4},
                   lambda: listeners_of(stage))


def statuses_kept(stage, both):
    """Another controller's entry, a change, a backend that comes, the writer killed."""
    checks = stage.checks
    before = since(stage, "lost")
    time.sleep(1.1)  # times are whole seconds
    stage.kubectl("c1", "-n", "names", "patch", "httproute", "good", "--subresource=status",
                  "--type=json", "-p", json.dumps([
                      {"op": "add", "path": "/status/parents/0", "value": OTHER}]))
    stage.apply_objects("c1", [{
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "names", "name": "nowhere"},
        "spec": {"ports": [{"port": 80}]}}])
    checks.becomes("a backend that comes is seen", "ResolvedRefs",
                   lambda: (parents_of(stage, "lost") or [{}])[0].get("ResolvedRefs"))
    stage.kubectl("c1", "-n", "names", "patch", "httproute", "good", "--type=json", "-p",
                  '[{"op": "add", "path": "/spec/parentRefs/0/sectionName", "value": "web"}]')

    def entry():
        route = named(stage, "httproutes", "good")
        parents = route.get("status", {}).get("parents", [])
        ours = [p for p in parents if p["controllerName"] == CONTROLLER]
        generations = {c.get("observedGeneration") == route["metadata"]["generation"]
                       for p in ours for c in p["conditions"]}
        return ([p["parentRef"].get("sectionName") for p in ours], generations,
                [p for p in parents if p["controllerName"] != CONTROLLER])
    checks.becomes("a parentRef that changes moves our entry, and theirs stays as it was",
                   (["web"], {True}, [OTHER]), entry)
    checks.check("a condition whose status stays keeps its time",
                 since(stage, "lost") == before, (before, since(stage, "lost")))
    first = next(one for one in both if "cluster c1: Lease" in one.log_text()
                 and "is ours" in one.log_text())
    first.child.kill()
    first.child.wait()
    stage.daemons.remove(first)
    stage.kubectl("c1", "-n", "names", "delete", "httproute", "host")
    checks.becomes("the writer is killed, and the other one goes on", {"web": 3, "host": 2},
                   lambda: listeners_of(stage), LEASE_SECONDS)


def statuses_taken_away(stage, kubeconfig, both):
    checks = stage.checks
    for one in both:
        if one in stage.daemons:
            stage.end(one)
            lines = [line for line in one.log_text().splitlines()
                     if " warn " in line and "403" in line]
            checks.check("the role of deploy/rbac is enough", not lines, "\n".join(lines))
    clean = daemon(stage, "statuses-clean", kubeconfig, cleanup=True)
    waits = {"Accepted": "!Pending", "Programmed": "!Pending"}
    checks.becomes("switched off, the Gateway waits for a controller", (waits, {}), lambda: (said(
        named(stage, "gateways", "names").get("status", {}).get("conditions", [])),
        listeners_of(stage)), LEASE_SECONDS)
    checks.becomes("so does the class", {"Accepted": "!Pending"}, lambda: said(
        named(stage, "gatewayclasses", "names", None).get("status", {}).get("conditions", [])))
    checks.becomes("and of the route's parents theirs alone is left", [OTHER],
                   lambda: named(stage, "httproutes", "good")["status"]["parents"])
    stage.end(clean)


# -- Events

def events_about(stage, context, namespace, name):
    """{reason: type} of the Events about an object."""
    found = stage.items(context, f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
    return {item["reason"]: item["type"] for item in found
            if item.get("regarding", {}).get("name") == name
            and item.get("reportingController") == "pintle.dev/pintled"}


def count_events(stage, context, namespace):
    return len([item for item in stage.items(
        context, f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
        if item.get("reportingController") == "pintle.dev/pintled"])


def story_events(stage):
    """What keeps an export and a route back is told once, by whoever writes."""
    checks = stage.checks
    kubeconfig = write_kubeconfig(stage, ("write-events",))
    stage.apply_objects("c1", [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "told"}},
        {"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
         "metadata": {"namespace": "told", "name": "nothing"}},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
         "metadata": {"namespace": "told", "name": "odd",
                      "annotations": {"pintle.dev/ttl": "never"}},
         "spec": {"rules": [{"backendRefs": [{"name": "a", "port": 80}]}]}}])
    one = daemon(stage, "teller", kubeconfig, events=True)
    checks.becomes("an export of nothing is told", {"NoService": "Warning"},
                   lambda: events_about(stage, "c1", "told", "nothing"), LEASE_SECONDS)
    checks.becomes("so is an annotation that cannot be used", {"UnreadableAnnotation": "Warning"},
                   lambda: events_about(stage, "c1", "told", "odd"))
    stage.end(one)
    again = daemon(stage, "teller-again", kubeconfig, events=True)
    checks.eventually("a restart takes the Lease", LEASE_SECONDS,
                      lambda: holder(stage, "c1"), lambda name: name != "")
    time.sleep(2)
    checks.check("and tells nothing twice", count_events(stage, "c1", "told") == 2,
                 count_events(stage, "c1", "told"))
    stage.end(again)
    said_no = [line for line in again.log_text().splitlines() if " warn " in line
               and "403" in line]
    checks.check("the role of deploy/rbac is enough", not said_no, "\n".join(said_no))
    stage.kubectl("c1", "delete", "namespace", "told", "--wait=false")
    for context in CONTEXTS:
        stage.kubectl(context, "-n", HOME, "delete", "lease", "pintle-writer",
                      "--ignore-not-found")


# -- imports

def derived(stage, context, case):
    """The derived Service of a case's import, or None."""
    found = stage.items(context, f"/api/v1/namespaces/{mcs.namespace(case)}/services"
                        "?labelSelector=multicluster.kubernetes.io/service-name%3Dhello")
    return found[0] if found else None


def import_of(stage, context, case):
    found = stage.items(context, "/apis/multicluster.x-k8s.io/v1beta1/namespaces/"
                        f"{mcs.namespace(case)}/serviceimports")
    return found[0] if found else None


def spec_of(stage, context, case):
    """The spec of a case's import; empty while there is none."""
    return (import_of(stage, context, case) or {}).get("spec", {})


def behind(stage, context, case, port):
    """Where kube-proxy sends who asks for that port of the import: ready (address, port) pairs."""
    service = derived(stage, context, case)
    if service is None:
        return None
    name = next((p["name"] for p in service["spec"]["ports"] if p["port"] == port), None)
    slices = stage.items(
        context, f"/apis/discovery.k8s.io/v1/namespaces/{mcs.namespace(case)}/endpointslices"
        f"?labelSelector=kubernetes.io/service-name%3D{service['metadata']['name']}")
    return {(address, p["port"]) for item in slices if item["addressType"] == "IPv4"
            for p in item["ports"] if p["name"] == name
            for endpoint in item["endpoints"] or [] if endpoint["conditions"]["ready"]
            for address in endpoint["addresses"]}


class Imports:
    """The suite's two clusters, with a Pintle for a controller."""

    def __init__(self, stage, kubeconfig):
        self.stage = stage
        self.checks = stage.checks
        self.daemon = daemon(stage, "mcs-writer", kubeconfig, mcs=True, status=True)
        spaces = [{"apiVersion": "v1", "kind": "Namespace",
                   "metadata": {"name": mcs.namespace(case)}} for case in range(1, 18)]
        stage.apply_objects("c1", spaces + mcs.exporter_objects())
        stage.apply_objects("c2", spaces)
        second = int(time.time())
        lab.wait_until("the next second", 2, lambda: int(time.time()) > second)
        stage.apply_objects("c2", mcs.other_objects())
        for case, count in ((1, 1), (5, 2), (7, 4), (11, 1), (12, 1), (15, 1), (16, 1), (17, 1)):
            stage.endpoints("c1", mcs.namespace(case), "hello", count)
        for case in (11, 15, 16, 17):
            stage.endpoints("c2", mcs.namespace(case), "hello", 1)

    def pods(self, context, case, count=1):
        return self.stage.endpoints(context, mcs.namespace(case), "hello", count)

    def from_all(self, what, wanted, look, seconds=mcs.SUITE_SECONDS):
        for context in CONTEXTS:
            self.checks.becomes(f"{what}, in {context}", wanted, lambda: look(context), seconds)

    def ask(self, context, case, rrtype="A", name=None):
        return self.daemon.dig(name or mcs.hello(case), rrtype, context)


def story_mcs_writes(stage):
    kubeconfig = write_kubeconfig(stage, ("write-mcs", "write-status"))
    play = Imports(stage, kubeconfig)
    cluster_set_ip(play)
    headless(play)
    come_and_go(play)
    unions(play)
    conditions_said(play)
    for context in CONTEXTS:
        stage.kubectl(context, "delete", "namespace", "--wait=false",
                      *(mcs.namespace(case) for case in range(1, 18)))
    stage.end(play.daemon)
    said = [line for line in play.daemon.log_text().splitlines() if " warn " in line
            and "403" in line]
    stage.checks.check("the roles of deploy/rbac are enough", not said, "\n".join(said))


def cluster_set_ip(play):
    def ips(context):
        return spec_of(play.stage, context, 1).get("ips") or []
    for context in CONTEXTS:
        play.checks.eventually(f"case 1: the import has an address of each family, in {context}",
                               mcs.SUITE_SECONDS, lambda: ips(context), lambda got: len(got) == 2)
        four = [ip for ip in ips(context) if "." in ip]
        six = [ip for ip in ips(context) if ":" in ip]
        play.checks.becomes(f"case 1: A is spec.ips, asked in {context}", four,
                            lambda: play.ask(context, 1).addresses)
        play.checks.becomes(f"case 2: AAAA is spec.ips, asked in {context}", six,
                            lambda: play.ask(context, 1, "AAAA").addresses)
        play.checks.check(f"case 1: they are the derived Service's, in {context}",
                          derived(play.stage, context, 1)["spec"]["clusterIPs"] == ips(context))
    play.from_all("case 3: the bare name has exactly one SRV",
                  [["0", "100", "42", mcs.hello(1) + "."]],
                  lambda c: play.ask(c, 1, "SRV").rdata("SRV"))
    pod, = play.pods("c1", 1)
    play.from_all("case 1: kube-proxy sends port 42 to the exporter's pod", {(pod, 42)},
                  lambda c: behind(play.stage, c, 1, 42))
    play.checks.becomes(
        "case 4: cluster.local shows the ClusterIP alone",
        {play.stage.cluster_ip("c1", mcs.namespace(1), "hello")},
        lambda: set(play.ask("c1", 1, name=mcs.hello(1).replace("clusterset", "cluster")).addresses))


def conditions_of(play, context, case, kind="serviceexports"):
    """{type: (status, reason)} of the case's export, or of another kind."""
    found = play.stage.items(context, "/apis/multicluster.x-k8s.io/v1beta1/namespaces/"
                             f"{mcs.namespace(case)}/{kind}")
    return {c["type"]: (c["status"], c["reason"]) for item in found
            for c in item.get("status", {}).get("conditions") or []}


def conditions_said(play):
    fine = {"Valid": ("True", "Valid"), "Ready": ("True", "Exported"),
            "Conflict": ("False", "NoConflicts")}
    play.checks.becomes("case 1: the export is valid, ready and without conflict", fine,
                        lambda: conditions_of(play, "c1", 1))
    play.checks.becomes("case 13: the export of an ExternalName is not valid",
                        ("False", "InvalidServiceType"),
                        lambda: conditions_of(play, "c1", 13).get("Valid"))
    for case, reason in ((14, "PortConflict"), (15, "PortConflict"), (16, "PortConflict"),
                         (17, "PortConflict")):
        wanted = "TypeConflict,SessionAffinityConflict" if case == 14 else reason
        play.from_all(f"case {case}: both exports say the conflict", ("True", wanted),
                      lambda c: conditions_of(play, c, case).get("Conflict"))
    play.from_all("case 1: the import is ready, and names its exporter",
                  (("True", "Ready"), [{"cluster": "c1"}]),
                  lambda c: (conditions_of(play, c, 1, "serviceimports").get("Ready"),
                             (import_of(play.stage, c, 1) or {}).get("status", {}).get("clusters")))


def headless(play):
    pods = play.pods("c1", 5, 2)
    play.from_all("case 5: a headless import has no address",
                  ("Headless", None),
                  lambda c: (lambda spec: (spec.get("type"), spec.get("ips")))(
                      spec_of(play.stage, c, 5)))
    play.from_all("case 5: its name is exactly the ready pods", pods,
                  lambda c: set(play.ask(c, 5).addresses))
    play.from_all("case 7: a StatefulSet's pods have names of their own",
                  [True, True],
                  lambda c: [len(play.ask(c, 7, name=f"hello-ss-{i}.c1.{mcs.hello(7)}").addresses)
                             == 1 for i in range(2)])
    play.from_all("case 8: one SRV for each pod", 4,
                  lambda c: len(play.ask(c, 7, "SRV").rdata("SRV")))


def delete_export(play, context, case):
    play.stage.kubectl(context, "-n", mcs.namespace(case), "delete",
                       "serviceexports.multicluster.x-k8s.io", "hello")


def come_and_go(play):
    play.from_all("case 9: not exported, so not there", (True, None),
                  lambda c: (play.ask(c, 9).is_denial, import_of(play.stage, c, 9)))
    play.from_all("case 10: exported, so imported", True,
                  lambda c: import_of(play.stage, c, 10) is not None)
    delete_export(play, "c1", 10)
    play.from_all("case 10: withdrawn, and nothing is left of it", (True, None, None),
                  lambda c: (play.ask(c, 10).is_denial, import_of(play.stage, c, 10),
                             derived(play.stage, c, 10)))
    one, two = play.pods("c1", 11), play.pods("c2", 11)
    play.from_all("case 11: kube-proxy serves both exporters' pods",
                  {(pod, 42) for pod in one | two}, lambda c: behind(play.stage, c, 11, 42))
    delete_export(play, "c1", 11)
    play.from_all("case 11: one of two withdraws, the other one's pods stay",
                  {(pod, 42) for pod in two}, lambda c: behind(play.stage, c, 11, 42))
    play.from_all("case 12: in both clusters, exported by c1 alone: never c2's",
                  {(pod, 42) for pod in play.pods("c1", 12)},
                  lambda c: behind(play.stage, c, 12, 42))
    play.from_all("case 13: an ExternalName is not imported", (True, None),
                  lambda c: (play.ask(c, 13).is_denial, import_of(play.stage, c, 13)))
    pods = play.pods("c1", 12)
    play.stage.scale("c1", "deployment/hello", 2, mcs.namespace(12))
    play.checks.check("a second pod comes", len(play.pods("c1", 12, 2)) == 2, pods)
    play.from_all("and kube-proxy knows of it everywhere",
                  {(pod, 42) for pod in play.pods("c1", 12, 2)},
                  lambda c: behind(play.stage, c, 12, 42), LIVE_SECONDS)


def unions(play):
    play.from_all("case 14: ClusterIP is older than headless, so ClusterSetIP", "ClusterSetIP",
                  lambda c: spec_of(play.stage, c, 14).get("type"))
    two = play.pods("c2", 15)
    play.from_all("case 15: the ports of both are served", ([42, 42, 142], True),
                  lambda c: (sorted(p["port"] for p in spec_of(play.stage, c, 15).get("ports", [])),
                             behind(play.stage, c, 15, 142) == {(pod, 142) for pod in two}))
    pods = {(pod, 42) for pod in play.pods("c1", 16)} | {(pod, 43) for pod in play.pods("c2", 16)}
    play.from_all("case 16: the older export's port, which leads to the other one's as well",
                  ([42], pods),
                  lambda c: ([p["port"] for p in spec_of(play.stage, c, 16).get("ports", [])],
                             behind(play.stage, c, 16, 42)))
    play.from_all("case 17: behind a port that c2 alone has, c2 alone",
                  {(pod, 4242) for pod in play.pods("c2", 17)},
                  lambda c: behind(play.stage, c, 17, 4242))
    for context in CONTEXTS:
        for name, port in (("_tcp2._tcp", 4242), ("_tcp._tcp", 42)):
            play.checks.becomes(
                f"case 17: SRV of {name}, asked in {context}", {port},
                lambda: {int(rdata[2]) for rdata in play.ask(
                    context, 17, "SRV", f"{name}.{mcs.hello(17)}").rdata("SRV")})
