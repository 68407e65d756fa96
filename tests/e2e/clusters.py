#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeing the clusters: pintlectl clusters list, show, check and add, with a directory and a fake API server.

Same form of report as run.py, whose tools it uses.
"""

import json
import os
import pty
import re
import subprocess
import sys
import urllib.error
import urllib.request

from run import PINTLECTL, PINTLED, ROOT, Daemon, guarded, play, run

SERVICE = {"metadata": {"name": "web", "namespace": "apps"}, "spec": {"clusterIP": "10.96.2.1", "ports": [{"port": 80}]}}


class Fake:
    """tests/sync/fake_api.py as a child; each order is answered before the next."""

    def __init__(self):
        self.child = subprocess.Popen([sys.executable, str(ROOT / "tests" / "sync" / "fake_api.py")],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.child.stdout.readline())

    def do(self, **order):
        self.child.stdin.write(json.dumps(order) + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def kubeconfig(self, path, name):
        path.write_text(f"""\
current-context: {name}
clusters: [{{name: k, cluster: {{server: "http://127.0.0.1:{self.port}"}}}}]
users: [{{name: u, user: {{token: hush-hush}}}}]
contexts: [{{name: {name}, context: {{cluster: k, user: u}}}}]
""")
        return path

    def stop(self):
        self.child.kill()
        self.child.wait()


def start(dir, fake):
    """c1 is a directory, c2 the fake."""
    (dir / "c1").mkdir()
    fake.do(do="put", path="/api/v1/services", object=SERVICE)
    fake.kubeconfig(dir / "kubeconfig", "c2")
    config = dir / "clusters.yaml"
    config.write_text("clusters:\n  - {name: c1, directory: c1, network: near}\n"
                      "  - {name: c2, context: c2, kubeconfig: kubeconfig, network: far}\n")
    daemon = Daemon(dir, "clusters", "--config", config)
    daemon.ctl("status", "--timeout", "20s")
    return daemon


def shown(checks, daemon, _):
    code, text, _ = daemon.ctl("clusters", "list")
    rows = {line.split()[0]: line.split() for line in text.splitlines()[1:] if line.strip()}
    checks.check("clusters list: a row for each", code == 0 and sorted(rows) == ["c1", "c2"], text)
    checks.equal("network, state, staleness and objects of c2", rows["c2"][1:8], ["far", "up", "-", "1", "0", "0", "0"])
    code, text, _ = daemon.ctl("clusters", "list", "-o", "json")
    items = json.loads(text)["items"]
    checks.check("clusters list -o json: kinds with what was listed",
                 code == 0 and items[1]["kinds"][0]["objects"] == 1 and items[1]["staleSeconds"] is None, text)
    code, text, _ = daemon.ctl("clusters", "show", "c2")
    checks.check("clusters show: a row for each kind", code == 0 and "EndpointSlice" in text and "not served" in text, text)
    code, text, _ = daemon.ctl("clusters", "show", "c2", "-o", "yaml")
    checks.check("clusters show -o yaml: a check was never made", code == 0 and "state: never" in text, text)
    code, text, err = daemon.ctl("clusters", "show", "c3")
    checks.check("clusters show of none: says so, exit code 1", code == 1 and 'no cluster "c3"' in err, err)
    checks.equal("clusters show of nobody: usage", daemon.ctl("clusters", "show")[0], 2)
    checks.equal("pages below a cluster that are none: 404", daemon.get("/api/v1/clusters/c2/chec")[0], 404)


def checked(checks, daemon, fake):
    fake.do(do="deny", verb="get", resource="secrets")
    code, text, err = daemon.ctl("clusters", "check")
    checks.check("clusters check: all that may be asked is fine", code == 0 and "c1: ok" in text
                 and "may list and watch all 4 kinds" in text and "Kubernetes v1.99.0" in text, text + err)
    fake.do(do="deny", verb="list", resource="nodes")
    code, text, err = daemon.ctl("clusters", "check", "c2")
    checks.check("a verb that is lacking is named, exit code 1", code == 1 and "may not list nodes" in text
                 and "try: bind a ClusterRole with list on nodes" in text and "c1" not in text, text + err)
    code, text, _ = daemon.ctl("clusters", "check", "c2", "-o", "json")
    nodes = [k for k in json.loads(text)["items"][0]["kinds"] if k["resource"] == "nodes"]
    checks.equal("-o json says it by kind",
                 (code, nodes), (1, [{"resource": "nodes", "version": "v1", "list": False, "watch": True}]))
    checks.check("clusters show keeps the outcome", "last check:   fail" in daemon.ctl("clusters", "show", "c2")[1])
    fake.do(do="fault", match="/livez", times=9999, hang=True)
    code, text, err = daemon.ctl("clusters", "check", "c2", "--timeout", "1s")
    checks.check("a check that takes too long: exit code 4", code == 4 and "1 of 1 checks" in err, err)
    checks.equal("meanwhile the daemon answers at once", daemon.get("/livez")[0], 200)
    code, _, err = daemon.ctl("clusters", "check", "nobody")
    checks.check("a cluster that is none: exit code 1", code == 1 and 'no cluster "nobody"' in err, err)
    code, _, _ = run(PINTLECTL, "clusters", "check", "--admin", "127.0.0.1:1")
    checks.equal("no daemon: exit code 3", code, 3)


def added(checks, daemon, _):
    kubeconfig = daemon.log.parent / "kubeconfig"
    code, text, err = run(PINTLECTL, "clusters", "add", "--context", "c2", "--name", "c9", "--kubeconfig", kubeconfig)
    checks.check("clusters add prints objects, without a daemon", code == 0 and "kind: ClusterRole" in text
                 and "endpointslices" in text and f"| kubectl --kubeconfig {kubeconfig} --context c2 apply -f -" in text, text + err)
    code, text, err = run(PINTLECTL, "clusters", "add", "kubeconfig", "--context", "c2", "--name", "c9",
                          "--kubeconfig", kubeconfig)
    checks.check("clusters add kubeconfig: the server, and no secret",
                 code == 0 and "http://127.0.0.1" in text and "c9.token" in text and "hush" not in text, text + err)
    code, text, err = run(PINTLECTL, "clusters", "add", "--context", "c2", "--name", "c9", "--write-back", "mcs",
                          "--kubeconfig", kubeconfig)
    checks.check("--write-back prints the roles for it, too",
                 code == 0 and "name: pintle-write-mcs" in text and "name: pintle-lease" in text
                 and "pintle-write-annotations" not in text, text + err)
    code, text, err = run(PINTLECTL, "clusters", "add", "config", "--name", "c2", "--context", "c2", "--write-back=all",
                          "--kubeconfig", kubeconfig)
    checks.check("and the switches of the configuration", code == 0 and "writeBack: {annotations: true, status: true" in text,
                 text + err)
    checks.equal("what cannot be written back: usage", run(
        PINTLECTL, "clusters", "add", "--name", "c2", "--write-back", "x", "--kubeconfig", kubeconfig)[0], 2)
    checks.equal("pintled --write-back alone: usage", run(PINTLED, "--write-back", "all")[0], 2)
    checks.equal("a cluster needs a name: usage", run(PINTLECTL, "clusters", "add")[0], 2)
    checks.equal("a part that is none: usage", run(PINTLECTL, "clusters", "add", "x", "--context", "c2",
                                                  "--kubeconfig", kubeconfig)[0], 2)
    checks.equal("a context that is none: exit code 1", run(PINTLECTL, "clusters", "add", "--context", "c7",
                                                          "--kubeconfig", kubeconfig)[0], 1)
    checks.equal("--context elsewhere: usage", daemon.ctl("clusters", "list", "--context", "c2")[0], 2)
    checks.equal("pintled --print-grant alone: usage", run(PINTLED, "--print-grant", "objects")[0], 2)


def post(daemon, headers):
    request = urllib.request.Request(f"http://{daemon.admin}/api/v1/clusters/c2/check", data=b"{}",
                                     headers={"Content-Type": "application/json", **headers}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status
    except urllib.error.HTTPError as err:
        return err.code


def guarded_doors(checks, daemon, _):
    checks.equal("a check may be ordered from here", post(daemon, {}), 200)
    checks.equal("and not from a web page", post(daemon, {"Origin": "http://evil.example"}), 403)
    pages = "".join(daemon.get(f"/api/v1/clusters{path}")[1] for path in ("", "/c2", "/c2/check"))
    checks.check("no page and no log line holds the token", "hush-hush" not in pages + daemon.log_text(), pages)


def on_terminal(daemon, *args):
    """pintlectl with a terminal for its standard error: exit code, standard output, what the terminal got."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([PINTLECTL, *args, "--admin", daemon.admin], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=theirs, text=True, env={**os.environ, "TERM": "xterm"}) as child:
        os.close(theirs)
        drawn = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # nobody holds the other end any more
                piece = b""
            if not piece:
                break
            drawn += piece
        os.close(ours)
        return child.wait(30), child.stdout.read(), drawn.decode()


def waited(checks, dir):
    """A first list that takes its time: two pages, the second one late."""
    fake = Fake()
    late = 5 * int(os.environ.get("PINTLE_SLOW", "1"))
    for name in ("web", "shop"):
        fake.do(do="put", path="/api/v1/services", object={**SERVICE, "metadata": {"namespace": "apps", "name": name}})
    fake.do(do="fault", match="limit=500&continue=", delay=late)
    fake.do(do="fault", match="/api/v1/services?limit=500", page=1)
    fake.kubeconfig(dir / "late-kubeconfig", "c2")
    daemon = Daemon(dir, "waited", "--kubeconfig", dir / "late-kubeconfig", "--contexts", "c2")
    code, text, drawn = on_terminal(daemon, "status", "--wait", "--timeout", f"{late // 5 + 1}s")
    checks.check("status --wait --timeout: exit code 4, naming the list that is missing, and how far it is",
                 code == 4 and "pintlectl: not well after" in drawn and "c2 is listing (Service 1 of 2;" in drawn, drawn)
    checks.check("on a terminal the line is drawn over and taken away in the end",
                 drawn.count("c2: listing: Service 1 of 2;") > 1 and "\033[1A\r" in drawn
                 and drawn.rindex("\033[1A\r\033[J") > drawn.rindex("c2: listing:"), repr(drawn))
    checks.check("and the table tells what it saw", "listing" in text, text)
    code, text, err = daemon.ctl("status", "--wait", "-o", "json")
    *lines, last = map(json.loads, text.splitlines())
    checks.check("-o json is a line for each news, and the status at the end", code == 0 and err == "" and lines
                 and lines[0]["state"] == "listing" and lines[-1]["state"] == "up" and last["ready"] is True, text + err)
    kinds = {kind["kind"]: kind for kind in lines[-1]["kinds"]}
    checks.check("the line tells kinds and time", kinds["Service"]["objects"] == 2 and lines[-1]["syncSeconds"] > 0, text)
    code, text, err = daemon.ctl("status", "--wait")
    checks.check("where all is well nothing but the status is said", code == 0 and err == "" and "c2" in text, err)
    fake.stop()
    checks.becomes("a server that went is told of", lambda: daemon.ctl("status")[0], lambda code: code == 1)
    checks.check("and since when", re.search(r"^c2, for \d+ s: cannot reach", daemon.ctl("status")[1], re.MULTILINE))
    code, text, _ = daemon.ctl("explain", "web.apps.svc.c2.cluster.local")
    checks.check("explain names the cluster whose answers are stale", "stale (EDE 3): c2 is out of reach" in text, text)
    code, text, err = daemon.ctl("status", "--wait", "--timeout", "1s")
    checks.check("elsewhere lines are appended: since when it is away, why, and what to do",
                 code == 4 and err.startswith("c2: down for ") and "; its last known state is kept; to do: check that" in err and err.count("c2: down for") == 1 and "not well after 1 s: c2 is down for" in err, err)
    checks.equal("pintled ends", daemon.stop(), 0)
    code, text, err = daemon.ctl("status", "--wait", "--timeout", "1s")
    checks.check("nobody listens: told while it is waited for, exit code 3", code == 3 and err.count("waiting: nobody") == 1
                 and err.count("not well after 1 s: nobody listens") == 1, err)


def everything(checks, dir):
    fake = Fake()
    daemon = start(dir, fake)
    for part in (shown, added, checked, guarded_doors):
        guarded(checks, part, daemon, fake)
    checks.equal("pintled ends in the middle of a check", daemon.stop(), 0)
    fake.stop()


if __name__ == "__main__":
    sys.exit(play("clusters", everything, waited))
