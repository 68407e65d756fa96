#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pintlectl analyze: each code is found where it should be and not where it should not, offline and live.

A case is a small world: files of two clusters, and what is to be found in it. Same form of report as run.py.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from run import PINTLECTL, PINTLED, Daemon, guarded, play, ports

DOCS = pathlib.Path(os.environ["PINTLE_SOURCE_DIR"]) / "docs" / "codes.md"
SLICE = """\
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: http, port: {port}}}]
endpoints: [{{addresses: [10.1.0.1], conditions: {{ready: {ready}}}}}]
"""


def service(name="web", spec="clusterIP: 10.96.0.1, selector: {app: web}", notes="", port=80, endpoints="true",
            target=None):
    """A Service and its slice; endpoints None: no slice, "none": an empty one."""
    text = ("---\napiVersion: v1\nkind: Service\n"
            f"metadata: {{name: {name}, namespace: default, annotations: {{{notes}}}}}\n"
            f"spec: {{{spec}, ports: [{{name: http, port: {port}, targetPort: {target or port}}}]}}\n")
    if endpoints is None:
        return text
    slice = SLICE.format(name=name, ready=endpoints if endpoints != "none" else "true",
                         port=target if isinstance(target, int) else port)
    return text + (slice if endpoints != "none" else re.sub(r"endpoints:.*", "endpoints: []", slice))


def route(backends="{name: web, port: 80}", more="", name="shop", notes="", rule=""):
    return ("---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
            f"metadata: {{name: {name}, namespace: default, annotations: {{{notes}}}}}\n"
            f"spec:\n  {more or 'hostnames: []'}\n  rules: [{{{rule}backendRefs: [{backends}]}}]\n")


def export(name="web"):
    return f"---\napiVersion: multicluster.x-k8s.io/v1alpha1\nkind: ServiceExport\nmetadata: {{name: {name}, namespace: default}}\n"


def imported(name="web", group="multicluster.x-k8s.io/v1alpha1", spec="type: ClusterSetIP, ports: []"):
    return f"---\napiVersion: {group}\nkind: ServiceImport\nmetadata: {{name: {name}, namespace: default}}\nspec: {{{spec}}}\n"


def gateway(listener="name: http, port: 80, protocol: HTTP"):
    return ("---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw, namespace: default}\n"
            f"spec: {{gatewayClassName: x, listeners: [{{{listener}}}]}}\n")


def policy(clusters="[c1]", target="shop", extra=""):
    return ("---\napiVersion: pintle.dev/v1alpha1\nkind: ResolvePolicy\nmetadata: {name: guard, namespace: default}\n"
            f"spec: {{targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: {target}}}], "
            f"allow: [{{clusters: {clusters}}}]{extra}}}\n")


def record(name, type="A", targets="[192.0.2.1]"):
    return ("---\napiVersion: externaldns.k8s.io/v1alpha1\nkind: DNSEndpoint\nmetadata: {name: dns, namespace: default}\n"
            f"spec: {{endpoints: [{{dnsName: {name}, recordType: {type}, targets: {targets}}}]}}\n")


AWS = "application-networking.k8s.aws/v1alpha1"
GOOD = service() + route()
IMPORT_REF = "{group: multicluster.x-k8s.io, kind: ServiceImport, name: web}"
AWS_REF = "{group: application-networking.k8s.aws, kind: ServiceImport, name: web}"
CUSTOM = "zones: {custom: [example.com]}\n"
REACHED = "dns: {addresses: [192.0.2.53]}\n"
FAR = "networks: [{name: near}, {name: far%s}]\n"
# code, object, files {"cluster/file": text}, configuration, a part of the message
CASES = (
    ("PTL0101", "c1/HTTPRoute/default/shop", {"c1/a.yaml": service() + route("{name: gone, port: 80}, {name: web}")}, "",
     "backend Service default/gone: Service not found"),
    ("PTL0102", "c1/HTTPRoute/default/shop", {"c1/a.yaml": GOOD.replace("{name: web, port: 80}", AWS_REF)}, "", "not found"),
    ("PTL0103", "c1/HTTPRoute/default/shop", {"c1/a.yaml": GOOD.replace("{name: web, port: 80}", IMPORT_REF)}, "",
     "no cluster exports it"),
    ("PTL0104", "c1/HTTPRoute/default/shop", {"c1/a.yaml": route("{name: web, namespace: other, port: 80}")}, "",
     "ReferenceGrant"),
    ("PTL0105", "c1/HTTPRoute/default/shop", {"c1/a.yaml": service(endpoints="false") + route()}, "",
     "none of its 1 endpoints is ready"),
    ("PTL0106", "c1/HTTPRoute/default/shop", {"c1/a.yaml": service() + route("{name: web, port: 80, weight: 0}")}, "",
     "all 1 backends have weight 0"),
    ("PTL0106", "c2/Service/default/web", {"c2/a.yaml": service(notes="pintle.dev/weight: '0'") + export()}, "",
     "its weight is 0 in the only cluster that shares it"),
    ("PTL0107", "c1/HTTPRoute/default/shop", {"c1/a.yaml": service() + route("{name: web, port: 81}")}, "", "no port 81"),
    ("PTL0108", "c1/HTTPRoute/default/shop",
     {"c1/a.yaml": service(spec="type: ExternalName, externalName: x.example", endpoints=None) + SLICE.format(
         name="other", port=80, ready="true") + route()}, "", "ExternalName"),
    ("PTL0109", "c1/HTTPRoute/default/shop", {"c1/a.yaml": service() + route(more="parentRefs: [{name: gw}]")}, "",
     "Gateway default/gw does not exist"),
    ("PTL0110", "c1/HTTPRoute/default/shop",
     {"c1/a.yaml": service() + gateway() + route(more="parentRefs: [{name: gw, sectionName: https}]")}, "",
     "no listener of that sectionName"),
    ("PTL0111", "c1/HTTPRoute/default/shop",
     {"c1/a.yaml": service() + gateway() + route(more="parentRefs: [{name: gw}]",
                                                rule="matches: [{path: {type: PathPrefix, value: /x}}], ")}, "", "no Gateway"),
    ("PTL0112", "c1/HTTPRoute/default/shop", {"c1/a.yaml": service() + route("")}, "", "no backendRefs"),
    ("PTL0201", "c1/Service/default/web",
     {"c1/a.yaml": service(endpoints=None) + export() + SLICE.format(name="x", port=80, ready="true")}, "", "selector"),
    ("PTL0202", "c1/Service/default/web", {"c1/a.yaml": service(endpoints="none") + export()}, "", "matches no Pod"),
    ("PTL0203", "c1/Service/default/web", {"c1/a.yaml": service(endpoints="false") + export()}, "", "none of its 1"),
    ("PTL0204", "c1/ServiceExport/default/web", {"c1/a.yaml": export()}, "", "no Service default/web"),
    ("PTL0205", "c1/ServiceExport/default/web",
     {"c1/a.yaml": service() + export(), "c2/a.yaml": service(port=81) + export()}, "", "differ in ports"),
    ("PTL0206", "c1/Service/default/web", {"c1/a.yaml": service(target=8080) + export()}, "", "ports differ"),
    ("PTL0207", "c1/Service/default/web",
     {"c1/a.yaml": (service(target="named") + export()).replace("ports: [{name: http, port: 80}]\nendp",
                                                               "ports: [{name: other, port: 80}]\nendp")}, "",
     "none of its EndpointSlices has a port named http"),
    ("PTL0208", "c1/ServiceImport/default/web", {"c1/a.yaml": imported()}, "", "no cluster exports default/web"),
    ("PTL0209", "c1/ServiceExport/default/web",
     {"c1/a.yaml": service(spec="type: ExternalName, externalName: x.example", endpoints=None) + export()}, "",
     "ExternalName"),
    ("PTL0301", "c1/HTTPRoute/default/shop", {"c1/a.yaml": service() + route(more="hostnames: [shop.example.org]")}, CUSTOM,
     "shop.example.org lies in none of zones.custom"),
    ("PTL0302", "c1/HTTPRoute/default/shop2",
     {"c1/a.yaml": service() + route(more="hostnames: [shop.example.com]")
      + route(more="hostnames: [shop.example.com]", name="shop2")}, CUSTOM, "belongs to c1/HTTPRoute/default/shop"),
    ("PTL0303", "c1/HTTPRoute/default/shop", {"c1/a.yaml": service() + route(more="hostnames: [www.example.com]")},
     "zones: {custom: [example.com], files: [{zone: example.com, file: zone.txt}]}\n", "in the zone's file"),
    ("PTL0304", "Zone/example.com", {"c1/a.yaml": GOOD}, CUSTOM, "its name server ns1.example.com has no address"),
    ("PTL0405", "Network/far", {"c1/a.yaml": "", "c2/a.yaml": service() + export()}, FAR % "", "for 1 names, default/web"),
    ("PTL0405", "Network/far", {"c1/a.yaml": "", "c2/a.yaml": service() + export()},
     "networks: [{name: near}, {name: farr, gateways: [203.0.113.10]}]\n", "; no cluster is in network farr"),
    ("PTL0407", "Cluster/c1", {"c1/a.yaml": GOOD, "c1/cluster.yaml": "clients: [10.0.0.0/8]\n",
                               "c2/cluster.yaml": "clients: [10.1.0.0/16]\n"}, "", "10.1.0.0/16 lies in the ranges"),
    ("PTL0501", "c1/ResolvePolicy/default/guard",
     {"c1/a.yaml": GOOD + policy().replace("allow: [{clusters: [c1]}]", "allow: maybe")}, "", "refuses everybody"),
    ("PTL0502", "c1/ResolvePolicy/default/guard", {"c1/a.yaml": GOOD + policy("[c9]")}, "", "refuses everybody"),
    ("PTL0503", "c1/ResolvePolicy/default/guard", {"c1/a.yaml": GOOD + policy(target="shpo")}, "", "HTTPRoute default/shpo"),
    ("PTL0601", "c1/Service/default/web", {"c1/a.yaml": service(notes='pintle.dev/ttl: "a day"')}, "", "'a day' cannot be used"),
    ("PTL0602", "c1/Service/default/web", {"c1/a.yaml": service(notes="pintle.dev/adress: auto")}, "",
     "did you mean pintle.dev/address?"),
    ("PTL0603", "c1/HTTPRoute/default/shop", {"c1/a.yaml": service() + route(notes='pintle.dev/affinity: "c9,c1"')}, "", "names c9"),
    ("PTL0701", "c1/DNSEndpoint/default/dns", {"c1/a.yaml": record("a.example.org")}, CUSTOM, "a.example.org lies in none"),
    ("PTL0702", "c1/DNSEndpoint/default/dns", {"c1/a.yaml": record("a.example.com", targets="[not-an-address]")}, CUSTOM,
     "c1/DNSEndpoint/default/dns: a.example.com.: A: "),
    ("PTL0702", "c1/DNSEndpoint/default/dns",
     {"c1/a.yaml": record("a.sub.example.com", "TXT") + record("sub.example.com", "NS", "[ns.example.net]").replace("name: dns", "name: cut")},
     CUSTOM, "a.sub.example.com.: sub.example.com. above it is delegated"),
)
# Found in files alone.
OFFLINE = (
    ("PTL0801", "c1/a.yaml", {"c1/a.yaml": "kind: [\n"}, "", "a.yaml:2:1"),
    ("PTL0802", "c1/Service/default/web", {"c1/a.yaml": GOOD, "c1/b.yaml": service()}, "", "b.yaml:2 has it, too; that of"),
    ("PTL0803", "", {"c1/a.txt": ""}, "", "no manifest"),
    ("PTL0804", "PintleConfig", {"c1/a.yaml": GOOD}, "forwrad: []\n", "did you mean"),
    ("PTL0805", "Cluster/c2", {"c1/a.yaml": GOOD}, "CONTEXT", "not in files"),
)
# Found by a daemon alone: in live() but for PTL0403, which takes a server's list (tests/zones/test_analyze.c).
LIVE = {"PTL0401", "PTL0402", "PTL0403", "PTL0404", "PTL0406", "PTL0408", "PTL0901", "PTL0902"}


def world(dir, files, config):
    """Writes the files of clusters c1 and c2 and a configuration that names both."""
    shutil.rmtree(dir, ignore_errors=True)
    for cluster in ("c1", "c2"):
        (dir / cluster).mkdir(parents=True)
    for name, text in files.items():
        (dir / name).write_text(text)
    (dir / "zone.txt").write_text("@ 60 SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n")
    networks = (", network: near", ", network: far") if config.startswith("networks:") else ("", "")
    second = "context: nowhere, kubeconfig: none" if config == "CONTEXT" else "directory: c2"
    (dir / "pintle.yaml").write_text(("" if config == "CONTEXT" else config)
                                     + f"clusters: [{{name: c1, directory: c1{networks[0]}}}, "
                                     f"{{name: c2, {second}{networks[1]}}}]\n")
    return dir / "pintle.yaml"


def ctl(*args):
    got = subprocess.run([PINTLECTL, *map(str, args)], capture_output=True, text=True, timeout=120)
    return got.returncode, got.stdout, got.stderr


def resource(item):
    parts = ["" if item.get("kind") == "Cluster" else item.get("cluster", "")]
    parts += [item.get(key, "") for key in ("kind", "namespace", "name")]
    return "/".join(part for part in parts if part)


def items_of(text):
    return json.loads(text)["items"] if text.startswith("{") else []


def offline(checks, dir):
    """Every case, and the code is not found in the good world."""
    good = {item["code"] for item in items_of(ctl("analyze", "--config", world(dir / "w", {"c1/a.yaml": GOOD}, CUSTOM + REACHED),
                                                  "-o", "json")[1])}
    checks.equal("a good world has no finding", good, set())
    for code, what, files, config, message in CASES + OFFLINE:
        exit_code, text, err = ctl("analyze", "--config", world(dir / "w", files, config), "-o", "json")
        found = [item for item in items_of(text) if item["code"] == code]
        is_found = any(resource(item).endswith(what) and message in item["message"] for item in found)
        checks.check(f"{code} offline: {message or what}", is_found, text + err)
        is_bad = any(item["severity"] == "error" for item in items_of(text))
        checks.equal(f"{code} offline: exit code", exit_code, 1 if is_bad else 0)
        has_place = [item for item in found if item.get("file", "").endswith("a.yaml") and item.get("line")]
        if code in ("PTL0101", "PTL0204", "PTL0602", "PTL0801"):
            checks.check(f"{code} offline: file and line", bool(has_place), text)


def ways(checks, dir):
    """What else the command takes and says."""
    config = world(dir / "w", {"c1/a.yaml": service(notes="pintle.dev/adress: auto") + route("{name: gone}")}, "")
    code, text, err = ctl("analyze", "-f", dir / "w")
    checks.check("a directory of clusters, as text", code == 1 and "Error [PTL0101] c1/HTTPRoute/default/shop (" in text
                 and "fix: create the Service" in text and "docs/codes.md#ptl0101" in text, text + err)
    code, text, err = ctl("analyze", "-f", f"{dir}/w/c1/a.yaml")
    checks.check("a single file", code == 1 and "PTL0602" in text and re.search(r"a\.yaml:\d+\)", text) is not None, text + err)
    code, text, err = ctl("analyze", "-f", f"{dir}/w/c1")
    checks.check("a directory of manifests", code == 1 and "manifests/HTTPRoute/default/shop" in text, text + err)
    world(dir / "w", {"c1/a.yaml": service(notes="pintle.dev/adress: auto")}, "")
    checks.equal("a warning alone is no failure", ctl("analyze", "--config", config)[0], 0)
    checks.equal("... but with --failure-threshold warning",
                 ctl("analyze", "--config", config, "--failure-threshold", "warning")[0], 1)
    world(dir / "w", {"c1/a.yaml": GOOD}, "")
    code, text, err = ctl("analyze", "-f", dir / "w")
    checks.check("nothing is found", code == 0 and text.startswith("✔ No findings: 2 clusters, 3 objects"), text + err)
    checks.equal("a path that is not there", ctl("analyze", "-f", dir / "none")[0], 1)
    for args in ([], ["--live", "-f", "x"], ["-L", "--live"], ["-f", "x", "--failure-threshold", "bad"], ["-f", "a", "-f", "b"]):
        checks.equal(f"usage: analyze {' '.join(args)}", ctl("analyze", *args)[0], 2)
    code, text, err = ctl("analyze", "--live", "--admin", "127.0.0.1:1")
    checks.equal("no daemon", code, 3)
    world(dir / "w", {"c1/a.yaml": route("{name: gone}", name="a\\\"b\\e[31m".replace("\\\"", "x").replace("\\e", "y"))}, "")
    checks.check("a name that no API server takes is no reason to fail", "Traceback" not in ctl("analyze", "-f", dir / "w")[2], "")


def codes(checks, dir):
    """One table: each code has a section and a case, and there are no others."""
    code, text, err = ctl("analyze", "-L", "-o", "json")
    table = {item["code"]: item for item in items_of(text)}
    checks.check("codes are listed", code == 0 and len(table) > 40, text + err)
    sections = dict(re.findall(r"^### (\S+)\n\n\*\*(.*?)\*\* \(", DOCS.read_text(), re.M))
    checks.equal("each code has a section, each section a code", sorted(sections), sorted(table))
    for name, item in table.items():
        title = sections.get(name, "")
        checks.check(f"{name}: the section has its title", title.lower() == item["title"].lower(), title)
        checks.equal(f"{name}: the link leads there", item["doc"], f"docs/codes.md#{name.lower()}")
    shown = {case[0] for case in CASES + OFFLINE} | LIVE
    checks.equal("each code is shown by a test", sorted(shown), sorted(table))
    words = re.findall(r'X\(\w+,\s*"([a-z-]+[a-z])",', (DOCS.parent.parent / "include/pintle/zones/reason.h").read_text())
    rows = re.findall(r"^\| `([a-z-]+)` \| ", DOCS.read_text().split("## Why an answer is as it is")[1], re.M)
    checks.equal("each reason has its row", rows, words)
    code, text, err = ctl("analyze", "-L")
    checks.check("... as a table", code == 0 and text.startswith("CODE") and "PTL0101" in text, text + err)


def live(checks, dir):
    """The same from a running daemon, with ages; what goes is gone."""
    config = world(dir / "live", {"c1/a.yaml": service() + route("{name: gone, port: 80}"), "c2/a.yaml": service() + export()},
                   'networks: [{name: near}, {name: far, gateways: [{gateway: {cluster: c1, namespace: x, name: gw}}]}]\n')
    daemon = Daemon(dir, "live", "--config", config)

    def look():
        code, text, err = daemon.ctl("analyze", "--live", "-o", "json")
        return code, {item["code"]: item for item in items_of(text)}, text + err

    checks.becomes("a missing Service is found", lambda: look()[1].get("PTL0101", {}).get("name"), lambda s: s == "shop")
    code, items, text = look()
    checks.check("it has an age", code == 1 and items["PTL0101"].get("ageSeconds", -1) >= 0, text)
    since = items["PTL0101"].get("since")
    checks.check("a gateway without an address is found", "PTL0406" in items and "PTL0405" in items, text)
    checks.equal("since when does not move", look()[1]["PTL0101"].get("since"), since)
    (dir / "live" / "c1" / "a.yaml").write_text(GOOD)
    checks.becomes("it is mended", lambda: "PTL0101" in look()[1], lambda s: not s)
    (dir / "live" / "c1" / "b.yaml").write_text("kind: [\n")
    checks.becomes("a file that cannot be read is found, with its place",
                   lambda: look()[1].get("PTL0408", {}).get("detail", ""), lambda s: "b.yaml:2:1" in s)
    checks.check("... and its fix is what its source says", look()[1]["PTL0408"]["fix"].startswith("correct the file, "), look())
    text = daemon.ctl("status")[1]
    checks.check("status counts the findings", re.search(r"^findings: errors \d+, warnings \d+; 'pintlectl analyze", text, re.M), text)
    (dir / "live" / "c1" / "b.yaml").unlink()
    (dir / "live" / "c1").rename(dir / "live" / "away")
    checks.becomes("a cluster out of reach is found, and why", lambda: look()[1].get("PTL0402", {}).get("detail", ""),
                   lambda s: "c1" in s)
    text = daemon.ctl("analyze", "--live")[1]
    checks.check("... as text", "Warning [PTL0402] Cluster/c1" in text, text)
    daemon.stop()
    config = world(dir / "few", {"c1/a.yaml": GOOD + service("web2", endpoints=None)}, "maxObjects: 1\n")
    shutil.rmtree(dir / "few" / "c2")
    daemon = Daemon(dir, "few", "--config", config)
    checks.becomes("a cluster that was never listed is found", lambda: look()[1].get("PTL0401", {}).get("name"),
                   lambda s: s == "c2")
    checks.check("... and its fix names it", "'pintlectl clusters check c2' tells more" in look()[1]["PTL0401"]["fix"], look())
    checks.becomes("more objects than are read are found", lambda: look()[1].get("PTL0404", {}).get("message", ""),
                   lambda s: "Service" in s)
    daemon.stop()


def resolvers(checks, dir):
    """A resolver that does not answer, and two that ask each other: found, noted by explain, told by status."""
    world(dir / "asking", {"c1/a.yaml": GOOD}, "")
    one, two, dead = (ports.free_port() for _ in range(3))
    flags = ("--clusters-dir", dir / "asking")
    for code, pairs, word in (("PTL0901", ((one, dead),), "does not answer"),
                              ("PTL0902", ((one, two), (two, one)), "sends our questions back")):
        daemons = {to: Daemon(dir, f"asks-{to}", *flags, "--listen", f"127.0.0.1:{port}", "--forward", f"127.0.0.1:{to}")
                   for port, to in pairs}

        def found():
            """Whose resolver has the code."""
            daemons[pairs[0][1]].dig(f"www{time.monotonic_ns()}.example.com")
            return [to for to, daemon in daemons.items()
                    if (code, f"127.0.0.1:{to}") in ((item["code"], item["name"])
                                                     for item in items_of(daemon.ctl("analyze", "--live", "-o", "json")[1]))]

        checks.becomes(f"{code} live", found, lambda tos: tos)
        for to in found():
            text = daemons[to].ctl("explain", "www.example.com")[1]
            checks.check(f"{code}: explain notes it", f"note: resolver 127.0.0.1:{to} {word}" in text, text)
            text = daemons[to].ctl("explain", "www.example.com", "--from", "192.0.2.99")[1]
            checks.check("... but not for who is refused anyhow", "allowRecursion" in text and "note: resolver" not in text, text)
            text = daemons[to].ctl("status")[1]
            checks.check(f"{code}: status tells it", f"resolver 127.0.0.1:{to} of zone .: it {word}" in text, text)
        for daemon in daemons.values():
            daemon.stop()


def everything_live(checks, dir):
    """One daemon sees all cases of files, one after the other, as the command does offline."""
    config = world(dir / "all", {}, CUSTOM)
    daemon = Daemon(dir, "all", "--config", config)
    for code, what, files, needs, message in CASES:
        if needs not in ("", CUSTOM) or any("cluster.yaml" in name for name in files):
            continue
        for name in ("c1/a.yaml", "c2/a.yaml"):
            (dir / "all" / name).write_text(files.get(name, ""))

        def found():
            items = items_of(daemon.ctl("analyze", "--live", "-o", "json")[1])
            return any(item["code"] == code and resource(item) == what and message in item["message"] for item in items)

        checks.becomes(f"{code} live: {message or what}", found, lambda s: s)
    daemon.stop()


def main(checks, dir):
    for part in (codes, offline, ways, live, resolvers, everything_live):
        guarded(checks, part, dir)


if __name__ == "__main__":
    assert PINTLED
    sys.exit(play("analyze", main))
