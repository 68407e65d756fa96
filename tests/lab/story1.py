# SPDX-License-Identifier: Apache-2.0
"""Story 1: blue/green between two clusters."""

import collections

from stage import assigned_name, share, split_becomes

INVENTORY = ("c1", "HTTPRoute", "default", "inventory")


def set_weights(stage, first, second):
    stage.patch("c1", "httproute", "inventory", [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{i}/weight", "value": weight}
        for i, weight in enumerate((first, second))])


def set_up_inventory(stage):
    """Applies story 1. Returns the addresses that c1's askers get of either version."""
    stage.apply("story1")
    stage.kubectl("c1", "patch", "gateway", "my-hotel", "--subresource=status", "--type=merge",
                  "-p", '{"status": {"addresses": [{"type": "IPAddress", "value": "192.0.2.80"}]}}')
    stage.endpoints("c1", "default", "inventory-ver1", 2)
    ver2 = stage.endpoints("c2", "default", "inventory-ver2", 2)
    return {stage.cluster_ip("c1", "default", "inventory-ver1")}, ver2


def inventory_config(stage):
    return {"clusterSet": "demo", "ready": {"grace": "3s"},
            "clusters": [stage.cluster(c, c) for c in ("c1", "c2", "c3")]}


def story_1_by_flags(stage):
    check = stage.checks.check
    set_up_inventory(stage)
    daemon = stage.pintle("by-flags", flags=[
        "--kubeconfig", stage.lab.kubeconfig, "--contexts", "c1,c2"])
    code, text = daemon.ctl("status", "--wait")
    check("pintlectl status --wait is content and names both clusters",
          code == 0 and "c1" in text and "c2" in text, f"exit {code}\n{text}")
    name = daemon.assigned_name(*INVENTORY)
    check("names list tells the route's assigned name",
          name == assigned_name("default", *INVENTORY), name)
    # The asker is in no known cluster, so both versions show their endpoints.
    ver1 = stage.endpoints("c1", "default", "inventory-ver1", 2)
    firsts = daemon.firsts(name or "unknown.pintle.internal")
    check("asked 30 times, 3 +/- 1 first addresses are of version 1, the rest of version 2",
          2 <= share(firsts, ver1) <= 4
          and share(firsts, stage.endpoints("c2", "default", "inventory-ver2", 2))
          == 30 - share(firsts, ver1), collections.Counter(firsts))
    stage.end(daemon)


def story_1(stage):
    checks = stage.checks
    ver1, ver2 = set_up_inventory(stage)
    daemon = stage.pintle("blue-green", config=inventory_config(stage))
    name = assigned_name("demo", *INVENTORY)
    checks.becomes("names list tells the route's assigned name", name,
                   lambda: daemon.assigned_name(*INVENTORY))
    split_becomes(stage, daemon, name, 3, ver1, ver2, "10/90 from c1")
    checks.becomes(
        "from c2: version 1 by its endpoints, version 2 by its ClusterIP",
        stage.endpoints("c1", "default", "inventory-ver1", 2)
        | {stage.cluster_ip("c2", "default", "inventory-ver2")},
        lambda: set(daemon.firsts(name, "c2", 60)))
    over_tcp = daemon.dig(name, "A", "c1", "+tcp")
    checks.check("over TCP the same addresses", over_tcp.rcode == "NOERROR"
                 and over_tcp.addresses and set(over_tcp.addresses) <= ver1 | ver2, over_tcp)
    code, text = daemon.ctl("explain", name, "A", "--from", "c1")
    checks.check("explain names both backends", code == 0 and "inventory-ver1" in text
                 and "inventory-ver2" in text, f"exit {code}\n{text}")
    code, text = daemon.ctl("query", name, "-n", "1000", "--server", f"127.0.0.1:{daemon.ports['c1']}",
                            "--from", "10.10.1.1/32")
    checks.check("query counts 1000 answers and finds the wanted split", code == 0, text)
    story_1_changes(stage, daemon, name, ver1, ver2)
    story_1_other_names(stage, daemon)
    stage.end(daemon)


def story_1_changes(stage, daemon, name, ver1, ver2):
    for weights, wanted in (((50, 50), 15), ((90, 10), 27), ((0, 1), 0), ((10, 90), 3)):
        set_weights(stage, *weights)
        split_becomes(stage, daemon, name, wanted, ver1, ver2,
                      f"weights patched to {weights[0]}/{weights[1]}")

    export = "serviceexports.application-networking.k8s.aws"
    stage.kubectl("c2", "delete", export, "inventory-ver2")
    split_becomes(stage, daemon, name, 30, ver1, ver2, "export deleted, its share goes elsewhere")
    stage.apply("story1")
    split_becomes(stage, daemon, name, 3, ver1, ver2, "export is back")

    stage.scale("c2", "deployment/inventory-ver2", 0)
    split_becomes(stage, daemon, name, 30, ver1, ver2, "replicas 0 in c2")
    stage.scale("c2", "deployment/inventory-ver2", 2)
    ver2 = stage.endpoints("c2", "default", "inventory-ver2", 2)
    split_becomes(stage, daemon, name, 3, ver1, ver2, "replicas 2 again")

    stage.kubectl("c1", "delete", "httproute", "inventory")
    stage.checks.becomes("route deleted, its name is gone", "NXDOMAIN",
                         lambda: daemon.dig(name, "A", "c1").rcode)
    stage.apply("story1")
    split_becomes(stage, daemon, name, 3, ver1, ver2, "route made again has the same name")


def story_1_other_names(stage, daemon):
    checks = stage.checks
    rates = assigned_name("demo", "c1", "HTTPRoute", "default", "rates")
    checks.becomes("a route that goes by path answers its Gateway's address", ["192.0.2.80"],
                   lambda: daemon.dig(rates, "A", "c1").addresses)
    nobody = daemon.dig("nobody.pintle.internal", "A", "c1")
    checks.check("an unknown name is NXDOMAIN with a SOA", nobody.rcode == "NXDOMAIN"
                 and [rr[3] for rr in nobody.authority] == ["SOA"] and "aa" in nobody.flags, nobody)
    no_data = daemon.dig(rates, "TXT", "c1")
    checks.check("a type that a name has not is NODATA with a SOA", no_data.rcode == "NOERROR"
                 and not no_data.answer and [rr[3] for rr in no_data.authority] == ["SOA"], no_data)
    checks.check("the health check of CoreDNS's forward plugin is refused at once",
                 daemon.dig(".", "NS", "c1").rcode == "REFUSED")
