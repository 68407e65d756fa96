# SPDX-License-Identifier: Apache-2.0
"""Story 4: a custom domain with access rules, asked by pods through their CoreDNS.

The record in an outside DNS server is asserted where such records are written.
"""

import lab
import pintle
from pods import DNS_PORT, daemon_for_pods, dns_of, make_pods, pintle_address
from stage import START_SECONDS, assigned_name

HOST = "demo-cluster1.example.com"
ROUTE = ("eks-cluster1", "HTTPRoute", "apps", "demo-cluster1")
CLUSTERS = {"eks-cluster1": "c1", "eks-cluster2": "c2"}
GATEWAYS = {"eks-cluster1": "192.0.2.10", "eks-cluster2": "192.0.2.20"}
# Pintle looks every 10 s for kinds that a cluster did not have.
NEW_KIND_SECONDS = 10 + 5
REFUSED = ("REFUSED", (18,), ())


def resolve_policy(target, **spec):
    group = "gateway.networking.k8s.io"
    return {"apiVersion": "pintle.dev/v1alpha1", "kind": "ResolvePolicy",
            "metadata": {"namespace": "apps", "name": "ours"},
            "spec": {"targetRefs": [{"group": group, "kind": kind, "name": name}
                                    for kind, name in (target,)], **spec}}


class Story:
    """Who asks: two pods in each cluster, in namespaces apps and shop, through their CoreDNS."""

    def __init__(self, stage):
        self.stage = stage
        self.assigned = assigned_name("demo", *ROUTE)
        self.address = stage.cluster_ip("c1", "apps", "demo-cluster1")
        self.pods = {}
        for cluster, context in CLUSTERS.items():
            for name, pod in zip(("apps", "shop"), make_pods(
                    stage, context, ["apps/ask", "shop/ask"])):
                self.pods[cluster, name] = pod
        self.daemon = daemon_for_pods(stage, "custom-domain", CLUSTERS.values(), {
            "clusterSet": "demo", "zones": {"custom": ["example.com"]},
            "networks": [{"name": f"net-{name}", "gateways": [gateway]}
                         for name, gateway in GATEWAYS.items()],
            "clusters": [stage.cluster(name, context, network=f"net-{name}")
                         for name, context in CLUSTERS.items()]})
        self.dns = {cluster: dns_of(stage, context, ("example.com",))
                    for cluster, context in CLUSTERS.items()}

    def ask(self, cluster, namespace, name=HOST, rrtype="A", *options):
        found = self.dns[cluster].dig(self.pods[cluster, namespace], name, rrtype, *options)
        return found.rcode, found.ede, tuple(found.addresses)

    def becomes(self, what, cluster, namespace, wanted, *more):
        self.stage.checks.becomes(f"{what}, asked from {cluster}/{namespace}", wanted,
                                  lambda: self.ask(cluster, namespace, *more))

    def answer(self, cluster):
        """What who may ask sees: the ClusterIP at home, the network's gateway elsewhere."""
        shown = self.address if cluster == "eks-cluster1" else GATEWAYS["eks-cluster1"]
        return "NOERROR", (), (shown,)


def story_4(stage):
    checks = stage.checks
    stage.apply("story4")
    stage.endpoints("c1", "apps", "demo-cluster1", 2)
    stage.kubectl("c1", "delete", "crd", "resolvepolicies.pintle.dev")
    play = Story(stage)
    for name in (HOST, play.assigned):
        play.becomes(f"case 115: {name} is answered", "eks-cluster2", "apps",
                     play.answer("eks-cluster2"), name)
        for cluster, namespace in (("eks-cluster1", "apps"), ("eks-cluster1", "shop"),
                                   ("eks-cluster2", "shop")):
            play.becomes(f"case 115: {name} is refused, with EDE 18", cluster, namespace, REFUSED,
                         name)
    for options in (("A", "+tcp"), ("AAAA", ), ("CNAME", ), ("TXT", )):
        play.becomes(f"case 115: {' '.join(options)} is refused alike", "eks-cluster1", "apps",
                     REFUSED, HOST, *options)
    alias = play.dns["eks-cluster2"].dig(play.pods["eks-cluster2", "apps"], HOST)
    checks.check("case 111: the custom domain is an alias of the assigned name, TTL 300",
                 alias.answer[:1] == [[HOST + ".", "300", "IN", "CNAME", play.assigned + "."]],
                 alias)
    story_4_direct(stage, play)
    story_4_policies(stage, play)
    stage.kubectl("c1", "-n", "apps", "delete", "httproute", "demo-cluster1")
    play.becomes("case 114: the route is gone, and its domain with it", "eks-cluster2", "apps",
                 ("NXDOMAIN", (), ()))
    for dns in play.dns.values():
        stage.end(dns)
    stage.end(play.daemon)


def story_4_direct(stage, play):
    """Pods that go straight to Pintle: their Pod objects tell their namespace, not they."""
    def ask(namespace, *claims):
        found = pintle.dig(pintle_address(stage.lab.cluster("c2")), DNS_PORT, HOST, "A",
                           "-b", play.pods["eks-cluster2", namespace], *claims)
        return found.rcode, found.ede, tuple(found.addresses)
    stage.checks.becomes("a pod of apps that goes straight to Pintle is known by its Pod object",
                         play.answer("eks-cluster2"), lambda: ask("apps"))
    stage.checks.check("a pod that goes straight to Pintle and claims another namespace is refused",
                       ask("shop", "+ednsopt=65518:61707073") == REFUSED)


def define_our_kind(stage):
    """What docs/guide.md says to do before the first ResolvePolicy."""
    stage.kubectl("c1", "apply", "-f", str(lab.ROOT / "deploy" / "crd" / "resolvepolicies.yaml"))
    path = "/apis/pintle.dev/v1alpha1/resolvepolicies"
    lab.wait_until("ResolvePolicy served", START_SECONDS,
                   lambda: stage.lab.cluster("c1").request("GET", path)[0] == 200)


def story_4_policies(stage, play):
    both = [("eks-cluster1", "apps"), ("eks-cluster2", "apps")]
    stage.kubectl("c1", "-n", "apps", "delete", "iamauthpolicy", "demo-cluster1")
    for cluster, namespace in both:
        play.becomes("policy deleted: answered", cluster, namespace, play.answer(cluster))
    only_one = [{"clusters": ["eks-cluster1"], "namespaces": ["apps"]}]
    define_our_kind(stage)
    stage.apply_objects("c1", [resolve_policy(("Gateway", "demo"), allow=only_one)])
    stage.checks.becomes("a kind that a cluster learns while Pintle runs is obeyed", REFUSED,
                         lambda: play.ask(*both[1]), NEW_KIND_SECONDS)
    for target in (("HTTPRoute", "demo-cluster1"), ("Gateway", "demo")):
        stage.apply_objects("c1", [resolve_policy(target, allow=only_one)])
        what = f"ResolvePolicy on the {target[0]}"
        play.becomes(f"{what}: answered", *both[0], play.answer("eks-cluster1"))
        play.becomes(f"{what}: refused", *both[1], REFUSED)
        play.becomes(f"{what}: refused", "eks-cluster1", "shop", REFUSED)
    target = ("HTTPRoute", "demo-cluster1")
    stage.apply_objects("c1", [resolve_policy(target, allow=only_one, deny="NXDomain")])
    play.becomes("deny: NXDomain: as if there were no such name", *both[1], ("NXDOMAIN", (), ()))
    stage.apply_objects("c1", [resolve_policy(target, allow=only_one, mode="Audit")])
    play.becomes("mode: Audit: answered", *both[1], play.answer("eks-cluster2"))
    bad = resolve_policy(target)
    del bad["spec"]["targetRefs"]
    path = "/apis/pintle.dev/v1alpha1/namespaces/apps/resolvepolicies"
    status, text = stage.lab.cluster("c1").request("POST", path, bad)
    stage.checks.check("the API server refuses a ResolvePolicy without a target", status == 422,
                       f"{status} {text}")
    stage.kubectl("c1", "-n", "apps", "delete", "resolvepolicy", "ours")
