#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A zone that a real external-dns keeps is taken over by Pintle, and back: same objects, same owner, not one change.
Then the same with another owner, where the owner's name in the TXT records is all that changes; with each form that
ownership can have; and one Pintle in the place of the external-dns of two clusters.

    fake API server (Services, DNSEndpoints) <- external-dns v0.20.0 -> a real Knot DNS
                                             <- pintled, pintlectl   ->

Needs knotd, kdig; builds external-dns from its Go module where it is not there yet (minutes, the first time).
Prints one line per check and, last, "N passed, N failed".
"""

import base64
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
import servers  # noqa: E402
from dns import KEY, SECRET, ZONE, Server  # noqa: E402
from run import Daemon  # noqa: E402
from servers import SLOW, check  # noqa: E402

N_SERVICES, N_ENDPOINTS = 40, 60
N = N_SERVICES + N_ENDPOINTS
SERVICES, ENDPOINTS = "/api/v1/services", "/apis/externaldns.k8s.io/v1alpha1/dnsendpoints"
PREFIX = "external-dns.alpha.kubernetes.io/"
WAIT_S = 60 * SLOW


# --- what is wanted ---------------------------------------------------------------------------------


class Api:
    """tests/sync/fake_api.py as a child."""

    def __init__(self, root):
        self.child = subprocess.Popen([sys.executable, str(HERE.parent / "sync" / "fake_api.py")],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = int(self.child.stdout.readline())
        self.kubeconfig = servers.write(f"{root}/kubeconfig", f"""\
apiVersion: v1
kind: Config
current-context: c1
clusters: [{{name: k, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{token: t}}}}]
contexts: [{{name: c1, context: {{cluster: k, user: u}}}}]
""")
        self.do(do="serve", path=ENDPOINTS, **{"is": True})

    def do(self, **order):
        self.child.stdin.write(json.dumps(order) + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def put(self, path, name, **more):
        api, kind = ("v1", "Service") if path == SERVICES else ("externaldns.k8s.io/v1alpha1", "DNSEndpoint")
        metadata = {"namespace": "shop", "name": name, "uid": f"{kind}-{name}", "generation": 1,
                    "creationTimestamp": "2026-01-01T00:00:00Z", **more.pop("metadata", {})}
        self.do(do="put", path=path, object={"apiVersion": api, "kind": kind, "metadata": metadata, **more})

    def service(self, name, hostname, *addresses, ttl=None):
        notes = {f"{PREFIX}hostname": hostname, **({f"{PREFIX}ttl": str(ttl)} if ttl else {})}
        ingress = [{"ip" if address[0].isdigit() else "hostname": address} for address in addresses]
        self.put(SERVICES, name, metadata={"annotations": notes},
                 spec={"type": "LoadBalancer", "clusterIP": "10.96.0.9", "ports": [{"port": 80, "protocol": "TCP"}]},
                 status={"loadBalancer": {"ingress": ingress}})

    def endpoint(self, name, kind, *targets, host=None, ttl=None):
        record = {"dnsName": f"{host or name}.{ZONE}", "recordType": kind, "targets": list(targets),
                  **({"recordTTL": ttl} if ttl else {})}
        self.put(ENDPOINTS, name, spec={"endpoints": [record]}, status={"observedGeneration": 1})


def fill(api):
    for i in range(N_SERVICES):
        targets = [[f"192.0.2.{i + 1}"], [f"192.0.2.{i + 1}", f"198.51.100.{i + 1}"], [f"lb{i}.example.net"]][i % 3]
        api.service(f"web{i}", f"web{i}.{ZONE}", *targets, ttl=[None, 60, 300][i % 3 if i % 2 else 0])
    for i in range(N_ENDPOINTS):
        kind, *targets = [("A", f"203.0.113.{i + 1}"), ("AAAA", f"2001:db8::{i + 1:x}"),
                          ("CNAME", f"Edge{i}.Example.NET"), ("A", f"203.0.113.{i + 1}", f"203.0.113.{i + 101}")][i % 4]
        api.endpoint(f"crd{i}", kind, *targets, ttl=[None, 120][i % 2], host="*.star" if i == 0 else None)


# --- who writes it ----------------------------------------------------------------------------------


def external_dns(api, knot, owner, *flags):
    """One run of it: whether it went well, and what it logged. It gives a server two seconds for an answer, which a
    busy machine does not always have: then it runs again, as it would by itself."""
    for _ in range(5):
        done = subprocess.run(
            ["sh", str(HERE / "external_dns.sh"), "--once", f"--kubeconfig={api.kubeconfig}", "--source=service",
             "--source=crd", "--service-type-filter=LoadBalancer", "--provider=rfc2136", "--rfc2136-host=127.0.0.1",
             f"--rfc2136-port={knot.port}", f"--rfc2136-zone={ZONE}", f"--rfc2136-tsig-keyname={KEY}",
             f"--rfc2136-tsig-secret={base64.b64encode(SECRET).decode()}", "--rfc2136-tsig-secret-alg=hmac-sha256",
             "--rfc2136-tsig-axfr", "--policy=sync", f"--txt-owner-id={owner}", "--metrics-address=127.0.0.1:0",
             *flags],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300 * SLOW, check=False)
        log = done.stdout + done.stderr
        if done.returncode == 0 or "i/o timeout" not in log:
            break
    return done.returncode == 0, log


def is_idle(log):
    return "All records are already up to date" in log and "Adding RR" not in log and "Removing RR" not in log


class Pintle:
    """pintled as the keeper of the zone, asked through pintlectl."""

    def __init__(self, root, apis, knot, owner, keys="", n=N):
        home, self.n = pathlib.Path(tempfile.mkdtemp(dir=root)), n
        clusters = ", ".join(f"{{name: c{i + 1}, context: c1, kubeconfig: {api.kubeconfig}}}"
                             for i, api in enumerate(apis if isinstance(apis, list) else [apis]))
        config = home / "pintle.yaml"
        config.write_text(f"""\
clusters: [{clusters}]
records:
  - name: public
    provider: rfc2136
    zones: [{ZONE}]
    policy: sync
    owner: {owner}
    {keys}
    rfc2136:
      server: "127.0.0.1:{knot.port}"
      tsig: {{name: {KEY}, algorithm: hmac-sha256, secretFile: {knot.secret_file}}}
""")
        self.daemon = Daemon(home, "pintled", "--config", config)
        servers.wait_for("a plan of Pintle's", self.has_planned, self.daemon.log)

    def has_planned(self):
        zone = self.overview()
        return zone["wanted"] == self.n and zone["state"] == "idle"

    def overview(self):
        return json.loads(self.daemon.get("/api/v1/records")[1])["items"][0]["zones"][0]

    def plan(self):
        return self.daemon.ctl("records", "plan", "--detailed-exitcode")

    def rows(self):
        return json.loads(self.daemon.ctl("records", "list", "-o", "json")[1])["items"]

    def stop(self):
        return self.daemon.stop()


def serial(knot):
    done = subprocess.run(["kdig", "@127.0.0.1", "-p", str(knot.port), "+short", ZONE, "SOA"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=True)
    return int(done.stdout.split()[2])


def owned(rows, owner):
    return [row for row in rows if f"external-dns/owner={owner}," in row or f'external-dns/owner={owner}"' in row]


# --- the story --------------------------------------------------------------------------------------


def written(api, knot):
    before = knot.transfer(ZONE)
    good, log = external_dns(api, knot, "demo")
    rows = knot.transfer(ZONE)
    check("external-dns writes the zone", good and len(owned(rows, "demo")) == N,
          log[-2000:] + f"\n{len(owned(rows, 'demo'))} owned")
    check("and leaves alone what was there", set(before) <= set(rows))
    good, log = external_dns(api, knot, "demo")
    check("its second run finds nothing to do", good and is_idle(log) and knot.transfer(ZONE) == rows, log[-2000:])
    return rows


def taken_and_back(root, api, knot, rows):
    at = serial(knot)
    pintle = Pintle(root, api, knot, "demo")
    code, text, err = pintle.plan()
    check("Pintle in its place, same owner: its plan is empty", code == 0 and "no changes" in text, text + err)
    states = [row for row in pintle.rows() if row["state"] == "ready"]
    check("each of the records is there as wanted", len(states) == N and len(pintle.rows())
          == len(states), [row for row in pintle.rows() if row["state"] != "ready"][:3])
    code, text, err = pintle.daemon.ctl("records", "apply")
    check("a run that is ordered finds nothing to do", code == 0 and "nothing to do" in text, text + err)
    check("Pintle ends well", pintle.stop() == 0)
    check("not a record has changed, nor the serial", knot.transfer(ZONE) == rows and serial(knot) == at)
    good, log = external_dns(api, knot, "demo")
    check("external-dns, back in its place, finds nothing to do", good and is_idle(log) and serial(knot) == at,
          log[-2000:])


def adopted(root, api, knot, rows):
    """Another owner. Gives the Pintle that keeps the zone then."""
    at = serial(knot)
    pintle = Pintle(root, api, knot, "pintle")
    code, text, err = pintle.plan()
    check("with another owner each record is a conflict, and nothing is done",
          code == 0 and text.count("other-owner") == N and serial(knot) == at, text[-2000:] + err)
    code, text, err = pintle.daemon.ctl("records", "adopt", "--from-owner", "demo")
    check("adopt shows what it would take over, and does nothing unasked",
          code == 1 and text.count("owner demo => pintle") == N and "--yes" in err
          and serial(knot) == at, text[-2000:] + err)
    code, text, err = pintle.daemon.ctl("records", "adopt", "--from-owner", "demo", "--yes")
    check("told to, it takes them over", code == 0 and f"{N} records are taken over" in err, err)
    now = knot.transfer(ZONE)
    renamed = sorted(row.replace("external-dns/owner=demo,", "external-dns/owner=pintle,") for row in rows)
    check("the owner's name is all that has changed", now == renamed, sorted(set(now) ^ set(renamed))[:6])
    servers.wait_for("an empty plan", lambda: pintle.plan()[0] == 0, pintle.daemon.log)
    code, text, err = pintle.plan()
    check("and its plan is empty then", "no changes\n" in text and serial(knot) > at, text + err)
    return pintle


def kept(api, knot, pintle):
    """What changes goes where it should, and nowhere else."""
    before = knot.transfer(ZONE)
    api.service("web0", f"web0.{ZONE}", "192.0.2.200")
    api.endpoint("fresh", "A", "192.0.2.201", ttl=60)
    api.do(do="delete", path=ENDPOINTS, namespace="shop", name="crd3")
    servers.wait_for("what has changed", lambda: any("192.0.2.201" in row for row in knot.transfer(ZONE))
                     and any("192.0.2.200" in row for row in knot.transfer(ZONE))
                     and not any(row.startswith(f"crd3.{ZONE}") for row in knot.transfer(ZONE)), pintle.daemon.log)
    servers.wait_for("an empty plan", lambda: pintle.plan()[0] == 0, pintle.daemon.log)
    changed = {row.split()[0] for row in set(before) ^ set(knot.transfer(ZONE))}
    check("a change, a new name and one that goes touch these names alone",
          changed == {f"{prefix}{name}.{ZONE}." for prefix in ("", "a-") for name in ("web0", "fresh", "crd3")},
          changed)
    code, text, err = pintle.daemon.ctl("records", "list", f"fresh.{ZONE}")
    check("pintlectl shows the new one with its object",
          code == 0 and "crd/shop/fresh in c1" in text and " ready" in text, text + err)


def given_back(root, api, knot):
    """Pintle writes the old owner's name again, then external-dns goes on."""
    rows = knot.transfer(ZONE)
    pintle = Pintle(root, api, knot, "demo")
    code, _, err = pintle.daemon.ctl("records", "adopt", "--from-owner", "pintle", "--yes")
    check("Pintle gives the name back as it took it", code == 0 and f"{N} records are taken over" in err, err)
    check("Pintle ends well", pintle.stop() == 0)
    now = knot.transfer(ZONE)
    renamed = sorted(row.replace("external-dns/owner=pintle,", "external-dns/owner=demo,") for row in rows)
    check("again the owner's name is all that has changed", now == renamed, sorted(set(now) ^ set(renamed))[:6])
    at = serial(knot)
    good, log = external_dns(api, knot, "demo")
    check("external-dns finds nothing to do, also about what Pintle has made",
          good and is_idle(log) and serial(knot) == at, log[-2000:])
    api.do(do="delete", path=ENDPOINTS, namespace="shop", name="fresh")
    good, log = external_dns(api, knot, "demo")
    left = [row for row in knot.transfer(ZONE) if "fresh" in row]
    check("what Pintle made external-dns removes whole", good and not left, left + [log[-1000:]])


# --- other forms of ownership -----------------------------------------------------------------------

ENCRYPTED = "0123456789abcdef0123456789ABCDEF"
TYPES = [f"--managed-record-types={kind}" for kind in ("A", "AAAA", "CNAME", "TXT", "NS")]
RESTLESS = [*TYPES, "--managed-record-types=MX", "--managed-record-types=SRV"]
FORMS = [
    ("a prefix", ["--txt-prefix=own-"], "txtPrefix: own-"),
    ("a prefix with the type in it", ["--txt-prefix=%{record_type}-own-"], 'txtPrefix: "%{record_type}-own-"'),
    ("a prefix that is a label", ["--txt-prefix=%{record_type}.own."], 'txtPrefix: "%{record_type}.own."'),
    ("a suffix", ["--txt-suffix=-own"], "txtSuffix: -own"),
    ("a word for wildcards", ["--txt-wildcard-replacement=any"], "txtWildcardReplacement: any"),
    ("encryption", ["--txt-encrypt-enabled", f"--txt-encrypt-aes-key={ENCRYPTED}"], "txtEncryptKeyFile: KEY"),
    ("more types", TYPES, ""),
    ("types that external-dns writes each time", RESTLESS, ""),
]


def few(api):
    """Something of each type; how many sets that is."""
    api.service("web", f"web.{ZONE}", "192.0.2.1", "192.0.2.2", ttl=60)
    api.service("lb", f"lb.{ZONE}", "lb.example.net")
    api.endpoint("six", "AAAA", "2001:db8::1")
    api.endpoint("star", "A", "203.0.113.1", host="*.star", ttl=120)
    api.endpoint("up", "A", "203.0.113.2", host="MiXed.Case", ttl=120)
    return 5


def more(api, flags):
    """What external-dns manages when it is told to; how many sets that is."""
    if flags not in (TYPES, RESTLESS):
        return 0
    api.endpoint("txt", "TXT", "v=spf1 include:example.net ~all", ttl=60)
    api.endpoint("ns", "NS", "ns1.example.net", host="below", ttl=60)
    if flags is RESTLESS:
        api.endpoint("srv", "SRV", f"10 5 5060 web.{ZONE}", host="_sip._udp", ttl=60)
        api.endpoint("mx", "MX", f"10 web.{ZONE}", ttl=60)
    return 4 if flags is RESTLESS else 2


def form(root, name, flags, keys):
    """A zone whose ownership is written in that form: nothing to do for the other, either way."""
    root = pathlib.Path(tempfile.mkdtemp(dir=root))
    knot, api = Server(root, "knot", n_big=1), Api(root)
    keys = keys.replace("KEY", servers.write(f"{root}/key", ENCRYPTED))
    try:
        n = few(api) + more(api, flags)
        good, log = external_dns(api, knot, "demo", *flags)
        rows, at = knot.transfer(ZONE), serial(knot)
        n_plain = 0 if "--txt-encrypt-enabled" in flags else n
        check(f"{name}: external-dns writes {n} sets", good and len(owned(rows, "demo")) == n_plain, log[-2000:])
        good, log = external_dns(api, knot, "demo", *flags)
        check(f"{name}: and changes nothing then",
              good and serial(knot) == at and is_idle(log) == (flags is not RESTLESS), log[-2000:])
        pintle = Pintle(root, api, knot, "demo", keys, n)
        code, text, err = pintle.plan()
        states = [(row["name"], row["type"], row["state"]) for row in pintle.rows()]
        check(f"{name}: nor does Pintle", code == 0 and "no changes\n" in text and len(states) == n
              and {state for *_, state in states} == {"ready"}, f"{text}{err}{states}\n" + "\n".join(rows))
        api.service("web", f"web.{ZONE}", "192.0.2.1", "192.0.2.3", ttl=60)
        api.endpoint("made", "A", "203.0.113.9", host="*.made")
        servers.wait_for("what has changed", lambda: len([row for row in knot.transfer(ZONE) if "192.0.2.3" in row
                                                          or "203.0.113.9" in row]) == 2, pintle.daemon.log)
        check(f"{name}: Pintle ends well", pintle.stop() == 0)
        at = serial(knot)
        good, log = external_dns(api, knot, "demo", *flags)
        check(f"{name}: external-dns changes nothing about what Pintle has written",
              good and serial(knot) == at and is_idle(log) == (flags is not RESTLESS),
              log[-2000:] + "\n".join(knot.transfer(ZONE)))
    finally:
        stop(api, knot)


# --- one for many -----------------------------------------------------------------------------------


def fleet(root):
    """An external-dns in each of two clusters, and one Pintle in the place of both."""
    root = pathlib.Path(tempfile.mkdtemp(dir=root))
    homes = [pathlib.Path(tempfile.mkdtemp(dir=root)) for _ in range(2)]
    knot, apis = Server(root, "knot", n_big=1), [Api(home) for home in homes]
    try:
        for i, (api, owner) in enumerate(zip(apis, ("a", "b"))):
            api.service("own", f"own-{owner}.{ZONE}", f"192.0.2.{i + 1}", ttl=60)
            api.service("shared", f"shared.{ZONE}", f"203.0.113.{i + 1}", ttl=60)
            check(f"fleet: external-dns of cluster {i + 1} writes", external_dns(api, knot, owner)[0])
        rows = knot.transfer(ZONE)
        check("fleet: a name of both has but the first one's address", not any("203.0.113.2" in row for row in rows),
              rows)
        pintle = Pintle(root, apis, knot, "fleet", n=3)
        for owner, n in (("a", "2 records are"), ("b", "1 record is")):
            code, _, err = pintle.daemon.ctl("records", "adopt", ZONE, "--from-owner", owner, "--yes")
            check(f"fleet: Pintle takes over from {owner}", code == 0 and f"{n} taken over" in err, err)
        servers.wait_for("both addresses", lambda: any("203.0.113.2" in row for row in knot.transfer(ZONE)),
                         pintle.daemon.log)
        servers.wait_for("an empty plan", lambda: pintle.plan()[0] == 0, pintle.daemon.log)
        changed = set(rows) ^ set(knot.transfer(ZONE))
        check("fleet: the name of both gets the second one's address, and all TXT the new owner", all(
            "heritage" in row or row.startswith(f"shared.{ZONE}. 60 IN A 203.0.113.2") for row in changed)
            and len(owned(knot.transfer(ZONE), "fleet")) == 3, sorted(changed))
        apis[0].do(do="delete", path=SERVICES, namespace="shop", name="shared")
        servers.wait_for("what is left", lambda: not any("203.0.113.1 " in f"{row} " for row in knot.transfer(ZONE)),
                         pintle.daemon.log)
        left = [row for row in knot.transfer(ZONE) if row.startswith(f"shared.{ZONE}.")]
        check("fleet: what the first one gave goes with its object, and that alone",
              left == [f"shared.{ZONE}. 60 IN A 203.0.113.2"], left)
        check("fleet: Pintle ends well", pintle.stop() == 0)
    finally:
        stop(apis[1], knot)
        stop(apis[0], knot)


def stop(api, knot):
    api.child.kill()
    api.child.wait()
    servers.stop(knot.child)


def story(root):
    """The whole way there and back, with a hundred objects."""
    root = pathlib.Path(tempfile.mkdtemp(dir=root))
    knot, api = Server(root, "knot", n_big=1), Api(root)
    try:
        fill(api)
        foreign = set(knot.transfer(ZONE))
        rows = written(api, knot)
        taken_and_back(root, api, knot, rows)
        pintle = adopted(root, api, knot, rows)
        kept(api, knot, pintle)
        check("Pintle ends well", pintle.stop() == 0)
        given_back(root, api, knot)
        check("nobody else's record was touched", foreign <= set(knot.transfer(ZONE)))
    finally:
        stop(api, knot)


def main():
    subprocess.run(["sh", str(HERE / "external_dns.sh")], check=True)  # builds it
    root = servers.scratch()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # each has a server, a cluster and daemons of its own
        parts = [pool.submit(story, root), *(pool.submit(form, root, *one) for one in FORMS), pool.submit(fleet, root)]
    for part in parts:
        part.result()
    servers.finish()


if __name__ == "__main__":
    main()
