# SPDX-License-Identifier: Apache-2.0
"""Limits that story 1 meets elsewhere: other routes than HTTP, several exports of one Service,
ports, imports that are narrowed, backends in other namespaces."""

import collections
import json
import time

import lab
from stage import LIVE_SECONDS, START_SECONDS, assigned_name, share

AWS = "application-networking.k8s.aws"
GRANT = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant",
         "metadata": {"namespace": "shop", "name": "cart"},
         "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute",
                            "namespace": "default"}],
                  "to": [{"group": "", "kind": "Service"}]}}
# Kinds of which older Gateway APIs serve an alpha version alone.
OLD_VERSIONS = (("tcproutes", "TCPRoute", "v1alpha2"), ("tlsroutes", "TLSRoute", "v1alpha3"))

# A version that has gone is told by the second 404, 5 s after the first.
RENEWAL_SECONDS = 8


def name_of(kind, name, cluster="c1"):
    return assigned_name("demo", cluster, kind, "default", name)


def serve_version(stage, context, plural, version):
    """Makes a cluster serve one version of a Gateway API kind, as older CRDs do."""
    crd = f"{plural}.gateway.networking.k8s.io"
    versions = json.loads(stage.kubectl(
        context, "get", "crd", crd, "-o", "json"))["spec"]["versions"]
    stage.patch(context, "crd", crd, [
        {"op": "replace", "path": f"/spec/versions/{i}/served", "value": item["name"] == version}
        for i, item in enumerate(versions)])
    path = f"/apis/gateway.networking.k8s.io/{version}/{plural}"
    lab.wait_until(f"{plural} at {version}", START_SECONDS,
                   lambda: stage.lab.cluster(context).request("GET", path)[0] == 200)


def story_limits(stage):
    stage.apply("limits")
    for plural, kind, version in OLD_VERSIONS:
        serve_version(stage, "c3", plural, version)
        stage.apply_objects("c3", [{
            "apiVersion": f"gateway.networking.k8s.io/{version}", "kind": kind,
            "metadata": {"namespace": "default", "name": "old"},
            "spec": ({"hostnames": ["old.example.com"]} if kind == "TLSRoute" else {})
            | {"rules": [{"backendRefs": [{"name": "checkout", "port": 8080}]}]}}])
    cart = stage.endpoints("c1", "default", "cart", 1)
    two = stage.endpoints("c2", "default", "checkout", 2)
    three = stage.endpoints("c3", "default", "checkout", 2)
    daemon = stage.pintle("limits", config={
        "clusterSet": "demo", "steering": {"address": "endpoints"}, "networks": [{"name": "vpc-b"}],
        "clusters": [stage.cluster("c1", "c1"), stage.cluster("c2", "c2"),
                     stage.cluster("c3", "c3", network="vpc-b")]})

    def shows(what, name, wanted):
        stage.checks.becomes(what, wanted, lambda: set(daemon.dig(name, "A", "c1").addresses))

    shows("GRPCRoute with an exported Service", name_of("GRPCRoute", "checkout"), two | three)
    narrowed_imports(stage, shows, two, three)
    for kind, weight in (("TCPRoute", 30), ("TLSRoute", 50)):
        wanted = weight * 30 // 100
        stage.checks.eventually(
            f"{kind} by weight: {wanted} +/- 1 of 30 first addresses", LIVE_SECONDS,
            lambda: daemon.firsts(name_of(kind, "checkout"), "c1"),
            lambda firsts: abs(share(firsts, cart) - wanted) <= 1
            and share(firsts, cart) + share(firsts, two | three) == 30)
    for _, kind, version in OLD_VERSIONS:
        shows(f"{kind} of a cluster that serves {version} alone", name_of(kind, "old", "c3"), three)
    several_exports(stage, daemon, two, three)
    newer_definitions(stage, daemon, three)
    granted_backends(stage, daemon, shows, cart)
    stage.end(daemon)


def newer_definitions(stage, daemon, three):
    """A cluster's Gateway API is renewed: the version that is watched goes, v1 comes."""
    names = [name_of(kind, "old", "c3") for _, kind, _ in OLD_VERSIONS]
    for plural, *_ in OLD_VERSIONS:
        serve_version(stage, "c3", plural, "v1")
    seen = collections.Counter()
    began = time.monotonic()
    while time.monotonic() - began < RENEWAL_SECONDS:
        seen.update(frozenset(daemon.dig(name, "A", "c1").addresses) for name in names)
    stage.checks.check("v1 instead of an alpha version: the names are answered all the while",
                       set(seen) == {frozenset(three)}, seen)
    for (plural, kind, _), name in zip(OLD_VERSIONS, names):
        stage.kubectl("c3", "delete", f"{plural}.gateway.networking.k8s.io", "old")
        stage.checks.becomes(f"{kind} deleted at v1: its name is gone", "NXDOMAIN",
                             lambda: daemon.dig(name, "A", "c1").rcode)


def narrowed_imports(stage, shows, two, three):
    def annotate(text):
        stage.kubectl("c1", "annotate", "--overwrite", f"serviceimports.{AWS}", "checkout",
                      f"{AWS}/{text}")

    name = name_of("GRPCRoute", "checkout")
    for text, wanted in (("aws-eks-cluster-name=c2", two), ("aws-eks-cluster-name=c3", three),
                         ("aws-eks-cluster-name-", two | three), ("aws-vpc=vpc-b", three),
                         ("aws-vpc-", two | three)):
        annotate(text)
        shows(f"case 107: import annotated {text}", name, wanted)


def several_exports(stage, daemon, two, three):
    checks = stage.checks
    metrics = name_of("HTTPRoute", "metrics")

    def ports(name):
        return {rdata[2] for rdata in daemon.dig(name, "SRV", "c1").rdata("SRV")}

    checks.becomes("case 108: a second export of the Service, under a name of its own", two,
                   lambda: set(daemon.dig(metrics, "A", "c1").addresses))
    checks.becomes("case 109: port annotation 9200: that port alone", {"9200"},
                   lambda: ports(metrics))
    checks.check("case 109: the first export shows both ports",
                 ports(name_of("GRPCRoute", "checkout")) == {"8080", "9200"})
    stage.kubectl("c2", "annotate", "--overwrite", f"serviceexports.{AWS}", "checkout-metrics",
                  f"{AWS}/port=8080,9200")
    checks.becomes("case 109: a list of ports: each of them", {"8080", "9200"},
                   lambda: ports(metrics))
    checks.becomes("case 109: SRV by the name of a port", {"9200"},
                   lambda: ports(f"_metrics._tcp.{metrics}"))
    stage.kubectl("c2", "delete", f"serviceexports.{AWS}", "checkout")
    checks.becomes("one export deleted: c3's is left", three, lambda: set(daemon.dig(
        name_of("GRPCRoute", "checkout"), "A", "c1").addresses))
    checks.check("the other export of the Service stays",
                 set(daemon.dig(metrics, "A", "c1").addresses) == two)


def granted_backends(stage, daemon, shows, cart):
    borrowed = name_of("HTTPRoute", "borrowed")
    far = stage.endpoints("c1", "shop", "cart", 1)
    shows("a backend in another namespace without a ReferenceGrant gives its share away",
          borrowed, cart)
    code, text = daemon.ctl("explain", borrowed, "A", "--from", "c1")
    stage.checks.check("explain names the missing ReferenceGrant",
                       code == 0 and "ReferenceGrant" in text, f"exit {code}\n{text}")
    stage.apply_objects("c1", [GRANT])
    shows("ReferenceGrant made: both backends", borrowed, cart | far)
    stage.kubectl("c1", "-n", "shop", "delete", "referencegrant", "cart")
    shows("ReferenceGrant deleted: the own namespace's alone", borrowed, cart)
