#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What pintlectl orders and fetches: the log's level, a dump that replays, weights, top.

Same form of report as run.py, whose tools it uses.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
import threading

from ask import Asker
from run import PINTLECTL, PINTLED, Daemon, play, run

DRAWS = 200  # what has a share of 10 % is missed once in 10^9
SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


def log_level(checks, dir):
    daemon = Daemon(dir, "level", "--dev")

    def level(*args):
        code, text, err = daemon.ctl("log", "level", *args)
        return code, text.strip() or err

    def drained():
        """Drains something, which is told at level info; whether it was."""
        before = daemon.log_text().count("is drained")
        daemon.ctl("drain", "cluster", "c3")
        return daemon.log_text().count("is drained") > before

    checks.equal("log level shows the configured one", level(), (0, "info"))
    checks.check("and the log has lines of it", drained())
    checks.equal("another one lasts until the next start", level("warn"), (0, "warn until the next start, then info"))
    checks.check("and lets less through", not drained())
    checks.check("the log says who changed it", "admin: the log's level is warn until the next start" in daemon.log_text(),
                 daemon.log_text())
    code, text = level("debug", "--for", "1h", "-o", "json")
    shown = json.loads(text)
    checks.check("one for a time tells its end as JSON, too",
                 code == 0 and (shown["level"], shown["configured"]) == ("debug", "info")
                 and 3500 < shown["secondsLeft"] <= 3600, text)
    checks.check("and as text", level()[1].startswith("debug for ") and level()[1].endswith(", then info"), level())
    level("warn", "--for", "1s")
    checks.becomes("it ends by itself", level, lambda s: s == (0, "info"))
    checks.equal("a level that is none is a usage error", level("loud")[0], 2)
    checks.equal("so is a time that is none", level("debug", "--for", "soon")[0], 2)
    checks.equal("and a time for nothing", level("--for", "5m")[0], 2)
    checks.equal("none of them changed anything", level(), (0, "info"))
    daemon.stop()


def explained(daemon, name, who):
    """What explain tells, without what a process has counted."""
    told = json.loads(daemon.ctl("explain", name, "--from", who, "-o", "json")[1])
    told.pop("counted", None)
    return told


def answers(daemon):
    """What every name gives whom, as explain tells it, and all of them by asking."""
    clusters = [item["name"] for item in json.loads(daemon.get("/api/v1/clusters")[1])["items"]]
    routes = [item["assignedName"] for item in json.loads(daemon.get("/api/v1/names")[1])["items"]]
    services = [f"{item['name']}.{item['namespace']}.svc.clusterset.local"
                for item in json.loads(daemon.get("/api/v1/services")[1])["items"]]
    told = {(name, who): explained(daemon, name, who) for name in routes + services for who in clusters}
    ask = Asker(daemon.port)  # an answer may be a draw: enough of them show all
    asked = {name: sorted(set().union(*(ask(name).data for _ in range(DRAWS)))) for name in services + routes}
    asked |= {(name, "SRV"): sorted(daemon.dig(name, "SRV").data) for name in services}
    return told, asked


def sysdump(checks, dir):
    export, dump = dir / "exported", dir / "dump.tgz"
    subprocess.run([PINTLED, "--dev", "--export", export], check=True, capture_output=True)
    (export / "key.txt").write_text(SECRET + "\n")
    (export / "key.txt").chmod(0o600)
    with open(export / "pintle.yaml", "a") as config:
        config.write("tsigKeys: [{name: key.example, secretFile: key.txt}]\n")
    daemon = Daemon(dir, "dumped", "--clusters-dir", export)
    checks.becomes("the daemon is ready", lambda: daemon.get("/readyz")[0], lambda status: status == 200)
    daemon.ctl("drain", "cluster", "c3")
    code, text, err = daemon.ctl("sysdump", "-o", str(dump))
    checks.check("sysdump writes a file and says so", code == 0 and text == "" and "replays with" in err and dump.exists(),
                 (code, text, err))
    checks.equal("its owner alone reads it", oct(dump.stat().st_mode & 0o777), "0o600")
    with tarfile.open(dump) as tar:
        names = tar.getnames()
    (dir / "replay").mkdir()
    subprocess.run(["tar", "-xzf", dump, "-C", dir / "replay"], check=True)
    top = dir / "replay" / "pintle-sysdump"
    for wanted in ("README.txt", "status.json", "metrics.txt", "names.json", "drains.json", "clusters/c1/cluster.yaml",
                   "clusters/c3/objects-0001.json"):
        checks.check(f"{wanted} is in it", f"pintle-sysdump/{wanted}" in names, names)
    everything = b"".join(path.read_bytes() for path in top.rglob("*") if path.is_file())
    checks.check("and no secret", len(everything) > 10000 and SECRET.encode() not in everything)
    checks.equal("status is the page as it was", json.loads((top / "status.json").read_text())["clusters"]["up"], 3)
    checks.check("so are metrics", "pintle_cluster_up" in (top / "metrics.txt").read_text())
    daemon.ctl("undrain", "cluster", "c3")

    replayed = Daemon(dir, "replayed", "--clusters-dir", top / "clusters")
    checks.becomes("what is replayed is ready", lambda: replayed.get("/readyz")[0], lambda status: status == 200)
    before, after = answers(daemon), answers(replayed)
    checks.check("there is something to compare", len(before[0]) > 10 and sum(map(len, before[1].values())) > 5, before)
    differing = [(key, was.get(key), now.get(key)) for was, now in zip(before, after)
                 for key in sorted(set(was) | set(now), key=str) if was.get(key) != now.get(key)]
    checks.check("the same answers for everybody", not differing, differing[:2])
    checks.equal("a dump of the replay has the same objects",
                 objects(replayed), objects(daemon))

    code, _, err = daemon.ctl("sysdump", "-o", str(dir / "nowhere" / "dump.tgz"))
    checks.check("where nothing can be written the reason is told", code == 1 and "nowhere" in err, err)
    piped = subprocess.run(["tar", "-tzf", "-"], input=subprocess.run(
        [PINTLECTL, "sysdump", "-o", "-", "--admin", daemon.admin], capture_output=True, check=True).stdout,
        capture_output=True, check=True).stdout.decode()
    checks.check("- is standard output, and tar reads it", "pintle-sysdump/status.json" in piped, piped)
    daemon.stop()
    replayed.stop()
    code, _, err = run(PINTLECTL, "sysdump", "-o", dir / "none.tgz", "--admin", daemon.admin)
    checks.check("without a daemon there is no file", code == 3 and not list(dir.glob("none*")), (code, err))


def objects(daemon):
    found = {}
    for cluster in ("c1", "c2", "c3"):
        after = ""
        while after is not None:
            page = json.loads(daemon.get(f"/api/v1/clusters/{cluster}/objects?after={after}")[1])
            found.setdefault(cluster, []).extend(page["items"])
            after = page.get("next")
    return found


def parts_of_objects(checks, dir):
    """More objects than fit into one part of the page."""
    cluster = dir / "many" / "c1"
    cluster.mkdir(parents=True)
    (cluster / "services.yaml").write_text("---\n".join(
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: s{i}, namespace: n{i % 7}}}\n"
        f"spec: {{clusterIP: 10.9.{i // 256}.{i % 256}, ports: [{{port: 80}}]}}\n" for i in range(1234)))
    daemon = Daemon(dir, "many", "--clusters-dir", dir / "many")
    checks.becomes("the daemon is ready", lambda: daemon.get("/readyz")[0], lambda status: status == 200)
    code, _, err = daemon.ctl("sysdump", "-o", str(dir / "many.tgz"))
    checks.check("each object is dumped", code == 0 and ": 1234 objects" in err, err)
    with tarfile.open(dir / "many.tgz") as tar:
        lists = [json.load(tar.extractfile(name)) for name in tar.getnames() if "/objects-" in name]
    seen = [item["metadata"]["name"] for part in lists for item in part["items"]]
    checks.equal("once, in parts", (len(lists), len(seen), len(set(seen))), (3, 1234, 1234))
    for wrong in ("x", "99:a/b", "0:ab", "0:" + "a" * 600 + "/b"):
        checks.equal(f"a place that is none is refused: {wrong[:8]}",
                     daemon.get(f"/api/v1/clusters/c1/objects?after={wrong}")[0], 400)
    checks.equal("so is a cluster that is none", daemon.get("/api/v1/clusters/c9/objects")[0], 404)
    daemon.stop()


def weights(checks, dir):
    """What is wrong before anything is asked; stories of tests/lab have API servers."""
    def ctl(*args):
        done = subprocess.run([PINTLECTL, "weights", "set", *args], env=os.environ | {"PATH": str(dir)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr

    for route in ("a/b/c", "TCPRoute/a/b/c", "/a", "a/", "", "Service/a/b"):
        code, err = ctl(route, "a=1")
        checks.check(f"a route that cannot be one is a usage error: {route}", code == 2 and "a route is" in err, err)
    for wrong in ("a", "a=", "=1", "a=x", "a=-1", "a=1000001", "a=1,", "a=1,a=2", "a=1;b=2"):
        code, err = ctl("default/a", wrong)
        checks.check(f"so are weights that are none: {wrong}", code == 2 and "BACKEND=WEIGHT" in err, err)
    code, err = ctl("default/a", "a=0,b=1000000")
    checks.check("without kubectl that is told", code == 1 and "no kubectl in $PATH" in err, err)


def both_weights(checks, dir):
    """explain's tables: what a backend weighs, and whose address an address is."""
    shared = ("apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: default, annotations: {{pintle.dev/weight: '{weight}'}}}}\n"
              "spec: {{clusterIP: 10.96.{n}.1, ports: [{{port: 80}}]}}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
              "metadata: {{name: web-1, namespace: default, labels: {{kubernetes.io/service-name: web}}}}\naddressType: IPv4\n"
              "ports: [{{port: 80}}]\nendpoints: [{{addresses: [10.{n}.0.1]}}]\n---\napiVersion: multicluster.x-k8s.io/v1alpha1\n"
              "kind: ServiceExport\nmetadata: {{name: web, namespace: default}}\n")
    route = ("---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: shop, namespace: default}\nspec: {rules: "
             "[{backendRefs: [{group: multicluster.x-k8s.io, kind: ServiceImport, name: web, port: 80, weight: 90}, "
             "{name: web, port: 80, weight: 0}]}]}\n")
    for n, weight, more in ((1, 25, route), (2, 75, "")):
        (dir / "both" / f"c{n}").mkdir(parents=True)
        (dir / "both" / f"c{n}" / "all.yaml").write_text(shared.format(n=n, weight=weight) + more)
    daemon = Daemon(dir, "both", "--clusters-dir", dir / "both")
    name = json.loads(daemon.get("/api/v1/names")[1])["items"][0]["assignedName"]
    for asked, wanted in (("web.default.svc.clusterset.local", ("25", "75")), (name, ("90 (25)", "90 (75)"))):
        _, text, err = daemon.ctl("explain", asked)
        lines = [" ".join(line.split()) for line in text.splitlines()]
        checks.check(f"explain has the clusters' weights: {asked}", all(any(
            re.match(rf"{i} \w+ c{i + 1} default/web {re.escape(weight)} - 1/1 yes", line) for line in lines)
            for i, weight in enumerate(wanted)), text + err)
        checks.check("and at each address the line of its backend", all(any(
            line.startswith(f"10.{i + 1}.0.1 c{i + 1} {i} ") for line in lines) for i in (0, 1)), text + err)
    checks.check("of a backend of weight 0 no Pods are counted", "2 Service - default/web 0 - - no weight 0" in lines, text + err)
    daemon.stop()


def one_line(checks, daemon):
    """What is made here as JSON is one line, as what the daemon made is."""
    for words in (("top",), ("top", "names"), ("top", "clients"), ("top", "routes"), ("version",), ("config", "defaults"), ("status",)):
        code, text, err = daemon.ctl(*words, "-o", "json") if words[0] != "config" else run(PINTLECTL, *words, "-o", "json")
        checks.check(f"{' '.join(words)} -o json is one line", code == 0 and text.endswith("}\n") and text.count("\n") == 1, (text[-80:], err))


def busiest(checks, daemon, name):
    code, text, err = daemon.ctl("top", "names", "-o", "json")
    shown = {item["name"]: item for item in json.loads(text)["names"]} if code == 0 else {}
    checks.equal("top names has both names that are asked for", set(shown), {f"{name}.", f"nobody.{name}."})
    checks.check("one of which does not exist", shown[f"nobody.{name}."]["nxdomain"] == shown[f"nobody.{name}."]["total"] > 0
                 and shown[f"{name}."]["nxdomain"] == 0 < shown[f"{name}."]["perSecond"], shown)
    code, text, err = daemon.ctl("top", "clients")
    checks.check("top clients has networks", code == 0 and re.search(
        r"^127\.0\.0\.0/24 +\d+\.\d +100\.0 % +\d+\.\d % +0\.0 %$", text, re.M), text + err)
    code, _, err = daemon.ctl("top", "nonsense")
    checks.check("what it does not show is a usage error", code == 2 and "names, clients or routes" in err, err)


def shares(checks, daemon):
    code, text, err = daemon.ctl("top", "routes", "-o", "json")
    rows = {(row["backend"], row["cluster"]): row for row in json.loads(text)["routes"]
            if row["route"] == "c1/HTTPRoute/default/inventory"} if code == 0 else {}
    old, new = rows.get(("default/inventory-ver1", "c1")), rows.get(("default/inventory-ver2", "c2"))
    checks.check("top routes has what stood first beside what should have", len(rows) == 2 and abs(old["wanted"] - 0.1) < 1e-6
                 and abs(old["seen"] - 0.1) < 0.05 and abs(new["seen"] - 0.9) < 0.05 and new["perSecond"] > 0, text + err)
    code, text, err = daemon.ctl("top", "routes")
    checks.check("as a table", code == 0 and re.search(
        r"^c1/HTTPRoute/default/inventory +default/inventory-ver2 +c2 +\d+\.\d +\d+\.\d % +\d+\.\d % +90\.0 % +\d+$",
        text, re.M), text + err)
    counted = {labels: float(value) for labels, value in re.findall(
        r"^pintle_route_answers_total{(.*)} (\S+)$", daemon.get("/metrics")[1], re.M)}
    mine = [n for labels, n in counted.items() if 'backend="default/inventory-ver2"' in labels]
    checks.check("and the metrics count the same", len(mine) == 1 and mine[0] >= new["answers"], counted)


def top(checks, dir):
    daemon = Daemon(dir, "top", "--dev")
    name = json.loads(daemon.get("/api/v1/names")[1])["items"][0]["assignedName"]
    ask, ends = Asker(daemon.port), threading.Event()

    def crowd():
        while not ends.is_set():
            ask(name)
            ask("nobody." + name, "TXT")

    asker = threading.Thread(target=crowd)
    asker.start()
    try:
        code, text, err = daemon.ctl("top", "-o", "json")
        shown = json.loads(text) if code == 0 else {}
        by = {key: {item["name"]: item for item in shown.get(key, [])} for key in ("rcodes", "types", "transports")}
        checks.check("top tells questions a second", code == 0 and shown["perSecond"] > 0 and shown["seconds"] >= 1
                     and shown["total"] >= shown["perSecond"] * shown["seconds"] * 0.99, (text, err))
        checks.check("by RCODE, type and transport", by["rcodes"]["NOERROR"]["perSecond"] > 0
                     and by["rcodes"]["NXDOMAIN"]["perSecond"] > 0 and {"A", "TXT"} <= set(by["types"])
                     and set(by["transports"]) == {"udp"}, by)
        checks.check("which add up", all(abs(sum(item["perSecond"] for item in items.values()) - shown["perSecond"]) < 0.01
                                         for items in by.values()), by)
        code, text, err = daemon.ctl("top")
        checks.check("as a table, once where there is no terminal", code == 0 and re.search(
            r"^rcode +NOERROR +\d+\.\d +\d+\.\d % +\d+$", text, re.M) and text.count("QUESTIONS") == 1, text + err)
        busiest(checks, daemon, name)
        shares(checks, daemon)
        one_line(checks, daemon)
    finally:
        ends.set()
        asker.join()
    daemon.stop()
    code, _, err = run(PINTLECTL, "top", "--admin", daemon.admin)
    checks.check("without a daemon: exit code 3", code == 3, err)


if __name__ == "__main__":
    sys.exit(play("ctl", log_level, sysdump, parts_of_objects, weights, both_weights, top))
