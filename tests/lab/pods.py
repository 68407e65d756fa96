# SPDX-License-Identifier: Apache-2.0
"""Pods ask: through their cluster's CoreDNS with the block of docs/guide.md, from addresses of their own."""

import collections

import coredns
import ground
import pintle
from stage import LIVE_SECONDS, START_SECONDS, assigned_name, share
from story1 import INVENTORY, set_up_inventory

DNS_PORT = 5300
TAP = "10.254.9.9"


def pintle_address(cluster):
    """Where a cluster's CoreDNS finds Pintle; one address each, so that each has a sender's."""
    return f"10.254.{cluster.number}.53"


def forwarder(cluster):
    """The address that a cluster's CoreDNS asks from: one of a node's pods."""
    return f"10.{cluster.number * 10}.1.253"


def daemon_for_pods(stage, name, contexts, config):
    """A Pintle that pods of the contexts reach. config may name the clusters otherwise."""
    clusters = [stage.lab.cluster(context) for context in contexts]
    for cluster in clusters:
        ground.give_address(pintle_address(cluster), forwarder(cluster))
    return stage.pintle(name, config={
        "listen": [{"address": f"{pintle_address(c)}:{DNS_PORT}"} for c in clusters],
        "trustedForwarders": [f"{forwarder(c)}/32" for c in clusters], **config})


def dns_of(stage, context, zones=(), block=None):
    """The CoreDNS of a cluster, with the block of docs/guide.md for Pintle, or another one."""
    cluster = stage.lab.cluster(context)
    return coredns.CoreDns(stage, cluster, f"{pintle_address(cluster)}:{DNS_PORT}", zones,
                           block).start()


def make_pods(stage, context, names):
    """Pods that only ask, one for each namespace/name. Returns their addresses."""
    split = [name.split("/") for name in names]
    stage.apply_objects(context, [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        for namespace in sorted({namespace for namespace, _ in split})])
    stage.apply_objects(context, [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": pod},
         "spec": {"containers": [{"name": "ask", "image": "none"}]}} for namespace, pod in split])
    return [stage.pod_address(context, namespace, pod) for namespace, pod in split]


# -- the block itself: what reaches Pintle

def ecs(address):
    """EDNS Client Subnet of one whole IPv4 address (RFC 7871, section 6)."""
    return bytes((0, 1, 32, 0, *map(int, address.split("."))))


def story_stub_block(stage):
    checks = stage.checks
    one, = make_pods(stage, "c1", ["apps/request"])
    two, = make_pods(stage, "c2", ["shop/request"])
    askers = {"c1": (one, b"apps"), "c2": (two, b"shop")}
    tap = coredns.Tap(TAP)
    for context, (pod, namespace) in askers.items():
        cluster = stage.lab.cluster(context)
        dns = coredns.CoreDns(stage, cluster, f"{TAP}:{coredns.PORT}").start()

        def options(asker, *more):
            tap.seen.clear()
            dns.dig(asker, "any.ns.svc.clusterset.local", "A", *more)
            return [{code: value for code, value in seen.items() if code in (8, 0xFFEE)}
                    for _, seen in tap.seen]
        # CoreDNS answers before it knows all pods; from then on it is the same each time
        checks.becomes(f"{context}: the pod's address as ECS /32, its namespace as option 65518",
                       [{8: ecs(pod), 0xFFEE: namespace}], lambda: options(pod))
        checks.becomes(f"{context}: so for a question without EDNS",
                       [{8: ecs(pod), 0xFFEE: namespace}], lambda: options(pod, "+noedns"))
        checks.becomes(f"{context}: what the pod claims itself is overwritten",
                       [{8: ecs(pod), 0xFFEE: namespace}], lambda: options(
                           pod, "+subnet=10.99.9.9/32", "+ednsopt=65518:65766c"))
        stranger = f"10.{cluster.number * 10}.240.1"
        checks.becomes(f"{context}: an address that is no pod's goes without a namespace",
                       [{8: ecs(stranger)}], lambda: options(stranger))
        stage.end(dns)
    tap.close()


def story_pods(stage):
    """Story 1's questions as pods ask them, and who Pintle takes them for."""
    checks = stage.checks
    ver1, ver2 = set_up_inventory(stage)
    parking, review = make_pods(stage, "c1", ["default/ask-parking", "default/ask-review"])
    far, = make_pods(stage, "c2", ["default/ask-parking"])
    daemon = daemon_for_pods(stage, "for-pods", ("c1", "c2"), {
        "clusterSet": "demo", "clusters": [stage.cluster(c, c) for c in ("c1", "c2", "c3")]})
    near_dns, far_dns = dns_of(stage, "c1"), dns_of(stage, "c2")
    name = assigned_name("demo", *INVENTORY)
    for what, pod in (("parking", parking), ("review", review)):
        checks.eventually(
            f"pod {what} asks 30 times: 3 +/- 1 for version 1, the rest for version 2",
            LIVE_SECONDS, lambda: [near_dns.dig(pod, name).first for _ in range(30)],
            lambda firsts: abs(share(firsts, ver1) - 3) <= 1
            and share(firsts, ver1) + share(firsts, ver2) == 30)
    far_ver1 = stage.endpoints("c1", "default", "inventory-ver1", 2)
    far_ver2 = {stage.cluster_ip("c2", "default", "inventory-ver2")}
    checks.eventually(
        "a pod of c2 sees version 1 by its endpoints, its own by the ClusterIP", LIVE_SECONDS,
        lambda: {far_dns.dig(far, name).first for _ in range(60)},
        lambda firsts: firsts == far_ver1 | far_ver2)
    checks.becomes(
        "c1's CoreDNS asked from c2's pod: the pod counts, not the forwarder", far_ver1 | far_ver2,
        lambda: {near_dns.dig(far, name).first for _ in range(60)})
    checks.becomes(
        "so over TCP", far_ver1 | far_ver2,
        lambda: {near_dns.dig(far, name, "A", "+tcp").first for _ in range(60)})
    story_pods_untrusted(stage, daemon, name, ver1, far)
    plain = near_dns.dig(parking, name, "A", "+noedns")
    checks.check("a pod that asks without EDNS is answered alike",
                 plain.rcode == "NOERROR" and set(plain.addresses) <= ver1 | ver2, plain)
    stage.end(near_dns)
    stage.end(far_dns)
    plain_dns = dns_of(stage, "c2", block=PLAIN)
    checks.becomes(
        "c2's CoreDNS that only forwards: its own address makes it c2's, whoever asks it",
        far_ver1 | far_ver2, lambda: {plain_dns.dig(parking, name).first for _ in range(60)})
    stage.end(plain_dns)
    stage.end(daemon)


def story_pods_untrusted(stage, daemon, name, ver1, far):
    """A pod that goes straight to Pintle and claims to be another."""
    address = pintle_address(stage.lab.cluster("c1"))
    firsts = [pintle.dig(address, DNS_PORT, name, "A", "-b", far, "+subnet=10.10.1.1/32").first
              for _ in range(60)]
    stage.checks.check("a client subnet of somebody who is no trusted forwarder is ignored",
                       not share(firsts, ver1) and "NONE" not in firsts,
                       collections.Counter(firsts))


PLAIN = f"""pintle.internal {{
    errors
    forward . {coredns.EXAMPLE}
}}
"""


# -- case 102: shares behind a cache that shuffles

CACHED = PLAIN.replace("    errors\n", "    errors\n    cache 30\n    loadbalance\n")


def story_cache(stage):
    checks = stage.checks
    set_up_inventory(stage)
    for context, deployment in (("c1", "inventory-ver1"), ("c2", "inventory-ver2")):
        stage.scale(context, f"deployment/{deployment}", 10)
    ver1 = stage.endpoints("c1", "default", "inventory-ver1", 10)
    ver2 = stage.endpoints("c2", "default", "inventory-ver2", 10)
    pod, = make_pods(stage, "c1", ["default/ask-parking"])
    daemon = daemon_for_pods(stage, "cached", ("c1",), {
        "clusterSet": "demo", "steering": {"address": "endpoints"},
        "clusters": [stage.cluster(c, c) for c in ("c1", "c2", "c3")]})
    name = assigned_name("demo", *INVENTORY)
    checks.eventually("case 102: ten endpoints stand behind each weight", LIVE_SECONDS,
                      lambda: {address for _ in range(60)
                               for address in daemon.dig(name, "A", "c1").addresses},
                      lambda found: found == ver1 | ver2)
    dns = dns_of(stage, "c1", block=CACHED)

    def look():
        answers = [dns.dig(pod, name) for _ in range(30)]
        sets = {frozenset(answer.addresses) for answer in answers}
        return sets, share([answer.first for answer in answers], ver1), len(
            {tuple(answer.addresses) for answer in answers})

    def is_good(seen):
        sets, n_first, n_orders = seen
        # Eleven addresses of which 10 % are version 1's: one, or two in one set of ten.
        # 30 draws of 1 in 10: 3 +/- 3 sigma of 1.64.
        return (n_first <= 3 + 4.92 and len(sets) <= 2 < n_orders
                and all(len(a) == 11 and 1 <= len(a & ver1) <= 2 for a in sets))
    checks.eventually("case 102: 30 calls through cache 30 and loadbalance: few sets, shuffled; "
                      "version 1 first within 3 sigma of 10 %", START_SECONDS, look, is_good)
    stage.end(dns)
    n_sets = 10
    parts = [len(set(daemon.dig(name, "A", "c1").addresses) & ver1) for _ in range(n_sets)]
    checks.check("case 102: ten sets in a row, as caches take them, hold 11 times version 1 of 110",
                 abs(sum(parts) - 11) <= 1, parts)
    stage.end(daemon)
    for context, deployment in (("c1", "inventory-ver1"), ("c2", "inventory-ver2")):
        stage.scale(context, f"deployment/{deployment}", 2)
