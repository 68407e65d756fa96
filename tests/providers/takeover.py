#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A zone that a real external-dns keeps is taken over by Pintle, and back: same objects, same owner, not one change.
Then the same with another owner, where the owner's name in the TXT records is all that changes; with each form that
ownership can have; and one Pintle in the place of the external-dns of two clusters.

    fake API server (Services, DNSEndpoints) <- external-dns v0.20.0 -> a real Knot DNS
                                             <- pintled, pintlectl   ->

and, with some twenty objects each, a real PowerDNS and moto's Route 53 in Knot's place.

docs/external-dns.md tells people how; its commands are run here.

Needs knotd, kdig, pdns_server with its sqlite3 backend, moto; builds external-dns from its Go module where it is not
there yet (minutes, the first time).
Prints one line per check and, last, "N passed, N failed".
"""

import base64
import collections
import concurrent.futures
import html
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
import fake_route53  # noqa: E402
import powerdns  # noqa: E402
import route53  # noqa: E402
import servers  # noqa: E402
from dns import KEY, SECRET, ZONE, Server  # noqa: E402
from run import Daemon  # noqa: E402
from servers import SLOW, Between, check  # noqa: E402

N_SERVICES, N_ENDPOINTS = 40, 60
N = N_SERVICES + N_ENDPOINTS
SERVICES, ENDPOINTS = "/api/v1/services", "/apis/externaldns.k8s.io/v1alpha1/dnsendpoints"
INGRESSES = "/apis/networking.k8s.io/v1/ingresses"
KINDS = {SERVICES: ("v1", "Service"), ENDPOINTS: ("externaldns.k8s.io/v1alpha1", "DNSEndpoint"),
         INGRESSES: ("networking.k8s.io/v1", "Ingress")}
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
        for path in (ENDPOINTS, INGRESSES):
            self.do(do="serve", path=path, **{"is": True})

    def do(self, **order):
        self.child.stdin.write(json.dumps(order) + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def put(self, path, name, **more):
        api, kind = KINDS[path]
        metadata = {"namespace": "shop", "name": name, "uid": f"{kind}-{name}", "generation": 1,
                    "creationTimestamp": "2026-01-01T00:00:00Z", **more.pop("metadata", {})}
        self.do(do="put", path=path, object={"apiVersion": api, "kind": kind, "metadata": metadata, **more})

    def service(self, name, hostname, *addresses, ttl=None, notes=()):
        notes = {f"{PREFIX}hostname": hostname, **({f"{PREFIX}ttl": str(ttl)} if ttl else {}),
                 **{f"{PREFIX}{key}": value for key, value in dict(notes).items()}}
        ingress = [{"ip" if address[0].isdigit() else "hostname": address} for address in addresses]
        self.put(SERVICES, name, metadata={"annotations": notes},
                 spec={"type": "LoadBalancer", "clusterIP": "10.96.0.9", "ports": [{"port": 80, "protocol": "TCP"}]},
                 status={"loadBalancer": {"ingress": ingress}})

    def ingress(self, name, *addresses, hosts):
        ingress = [{"ip" if address[0].isdigit() else "hostname": address} for address in addresses]
        self.put(INGRESSES, name, spec={"rules": [{"host": host} for host in hosts]},
                 status={"loadBalancer": {"ingress": ingress}})

    def endpoint(self, name, kind, *targets, host=None, ttl=None, **more):
        record = {"dnsName": f"{host or name}.{ZONE}", "recordType": kind, "targets": list(targets),
                  **({"recordTTL": ttl} if ttl else {}), **more}
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


def run_external_dns(api, owner, *flags, env=()):
    """One run of it: whether it went well, and what it logged. It gives a server two seconds for an answer, which a
    busy machine does not always have: then it runs again, as it would by itself."""
    for _ in range(5):
        done = subprocess.run(
            ["sh", str(HERE / "external_dns.sh"), "--once", f"--kubeconfig={api.kubeconfig}", "--source=service",
             "--source=crd", "--service-type-filter=LoadBalancer", "--policy=sync", f"--txt-owner-id={owner}",
             "--metrics-address=127.0.0.1:0", *flags],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300 * SLOW, check=False,
            env=dict(os.environ, **dict(env)))
        log = done.stdout + done.stderr
        if done.returncode == 0 or "i/o timeout" not in log:
            break
    return done.returncode == 0, log


def external_dns(api, knot, owner, *flags):
    return run_external_dns(
        api, owner, "--provider=rfc2136", "--rfc2136-host=127.0.0.1", f"--rfc2136-port={knot.port}",
        f"--rfc2136-zone={ZONE}", f"--rfc2136-tsig-keyname={KEY}",
        f"--rfc2136-tsig-secret={base64.b64encode(SECRET).decode()}", "--rfc2136-tsig-secret-alg=hmac-sha256",
        "--rfc2136-tsig-axfr", *flags)


def is_idle(log):
    return "All records are already up to date" in log and "Adding RR" not in log and "Removing RR" not in log


class Pintle:
    """pintled as the keeper of the zone, asked through pintlectl."""

    def __init__(self, root, apis, server, owner, keys="", n=N):
        home, self.n = pathlib.Path(tempfile.mkdtemp(dir=root)), n
        clusters = ", ".join(f"{{name: c{i + 1}, context: c1, kubeconfig: {api.kubeconfig}}}"
                             for i, api in enumerate(apis if isinstance(apis, list) else [apis]))
        provider, settings = ("rfc2136", {
            "server": f"127.0.0.1:{server.port}",
            "tsig": {"name": KEY, "algorithm": "hmac-sha256", "secretFile": server.secret_file},
        }) if isinstance(server, Server) else (server.provider, server.settings)
        config = home / "pintle.yaml"
        config.write_text(f"""\
clusters: [{clusters}]
records:
  - name: public
    provider: {provider}
    zones: [{ZONE}]
    policy: sync
    owner: {owner}
    {keys}
    {provider}: {json.dumps(settings)}
shutdown: {{lameduck: 0s}}
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
    servers.wait_for("an empty plan", lambda: "no changes\n" in pintle.plan()[1], pintle.daemon.log)
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


# --- servers that are asked over HTTP ---------------------------------------------------------------


class Web:
    """A server behind HTTP, and what is asked of it."""

    def __init__(self, port):
        self.between = Between(port)

    def n_writes(self):
        return len(self.between.requests(self.writes))

    def run(self, api, owner):
        """external-dns: whether it went well, whether it wrote, its log."""
        before = self.n_writes()
        good, log = run_external_dns(api, owner, "--source=ingress", *self.flags, env=self.env)
        return good, self.n_writes() > before, log

    def owners(self):
        return collections.Counter(part for *_, values in self.rows() for value in values if "heritage=" in value
                                   for part in value.split(",") if part.startswith("external-dns/owner="))


class OnPowerDNS(Web):
    name, provider, writes, env = "PowerDNS", "powerdns", "^(PATCH|POST|PUT|DELETE) ", ()
    keys = "txtWildcardReplacement: any"

    def __init__(self, root):
        self.pdns = powerdns.PowerDNS(root)
        self.pdns.make_zone(ZONE)
        super().__init__(self.pdns.web)
        self.flags = ["--provider=pdns", f"--pdns-server={self.between.url}", f"--pdns-api-key={powerdns.KEY}",
                      f"--domain-filter={ZONE}", "--txt-wildcard-replacement=any"]  # it has no name a-*.example.com
        self.settings = {"url": self.between.url, "apiKeyFile": servers.write(f"{root}/api.key", powerdns.KEY)}

    def rows(self):
        """Each set as (name, type, set identifier, rest, values)."""
        zone = json.loads(self.pdns.api("GET", f"/zones/{ZONE}.")[1])
        return sorted((one["name"].rstrip("."), one["type"], "", one["ttl"],
                       tuple(sorted(record["content"] for record in one["records"]))) for one in zone["rrsets"])

    def fill_own(self, api):
        """What moto keeps otherwise: it has names in the case they come in. How many sets that is."""
        api.endpoint("up", "A", "203.0.113.2", host="MiXed.Case", ttl=120)
        return 1

    def stop(self):
        servers.stop(self.pdns.child)


class OnRoute53(Web):
    name, provider, writes, keys = "Route 53", "route53", "^POST .*/rrset", ""

    def __init__(self, root):
        self.moto = route53.Moto(root)
        super().__init__(self.moto.port)
        self.flags = ["--provider=aws", f"--domain-filter={ZONE}"]
        self.settings = dict(self.moto.settings, endpoint=self.between.url)
        self.env = {"AWS_ENDPOINT_URL_ROUTE_53": self.between.url, "AWS_REGION": "us-east-1",
                    "AWS_ACCESS_KEY_ID": fake_route53.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": fake_route53.SECRET_KEY}

    def rows(self):
        status, content = self.moto.ask("GET", f"hostedzone/{self.moto.zone}/rrset")
        assert status == 200 and b"<IsTruncated>false" in content, content
        rows = []
        for one in re.findall(r"<ResourceRecordSet>(.*?)</ResourceRecordSet>", content.decode(), re.DOTALL):
            fields = {key: html.unescape(text) for key, text in re.findall(r"<(\w+)>([^<]+)</\1>", one)}
            values = re.findall(r"<(?:Value|DNSName)>([^<]+)<", one)
            rest = tuple(sorted((key, text) for key, text in fields.items() if text.strip() and key not in (
                "Name", "Type", "SetIdentifier", "Value", "DNSName")))
            rows.append((fields["Name"].rstrip("."), fields["Type"], fields.get("SetIdentifier", ""), rest,
                         tuple(sorted(html.unescape(value) for value in values))))
        return sorted(rows)

    def fill_own(self, api):
        """What only it has; how many sets that is."""
        for i, weight in enumerate(("10", "0")):
            api.service(f"weighted{i}", f"weighted.{ZONE}", f"192.0.2.{60 + i}", ttl=60,
                        notes={"set-identifier": f"part-{i}", "aws-weight": weight})
        api.service("alias", f"alias.{ZONE}", f"web0.{ZONE}", notes={"alias": "true"})
        api.service("loth", f"loth.{ZONE}", f"web1.{ZONE}", notes={"alias": "true", "aws-evaluate-target-health": "false"})
        api.endpoint("many", "A", "192.0.2.70", host="many", ttl=60, setIdentifier="one", providerSpecific=[
            {"name": "aws/multi-value-answer", "value": ""}, {"name": "aws/health-check-id", "value": "abc-1"}])
        return 2 + 2 + 2 + 1

    def stop(self):
        servers.stop(self.moto.child)


def fill_web(api):
    """Twenty names or so, of three kinds; how many sets."""
    for i in range(6):
        targets = [[f"192.0.2.{i + 1}"], [f"192.0.2.{i + 1}", f"198.51.100.{i + 1}"], [f"lb{i}.example.net"]][i % 3]
        api.service(f"web{i}", f"web{i}.{ZONE}", *targets, ttl=[None, 60, 300][i % 3 if i % 2 else 0])
    for i in range(3):
        api.ingress(f"shop{i}", f"192.0.2.{i + 20}" if i else "lb.example.net", hosts=[f"shop{i}.{ZONE}", f"till{i}.{ZONE}"])
    api.endpoint("six", "AAAA", "2001:db8::1")
    api.endpoint("both4", "A", "203.0.113.3", host="both", ttl=60)
    api.endpoint("both6", "AAAA", "2001:db8::3", host="both", ttl=60)
    api.endpoint("star", "A", "203.0.113.1", host="*.star", ttl=120)
    api.endpoint("edge", "CNAME", "Edge.Example.NET", ttl=120)
    return 6 + 6 + 5


def differing(before, after):
    return {name for name, *_ in set(before) ^ set(after)}


def web_story(root, kind):
    """There and back, through a server that is asked over HTTP."""
    root = pathlib.Path(tempfile.mkdtemp(dir=root))
    api, server = Api(root), kind(root)
    try:
        foreign = set(server.rows())
        n = fill_web(api) + server.fill_own(api)
        good, _, log = server.run(api, "demo")
        rows = server.rows()
        check(f"{kind.name}: external-dns writes {n} sets", good and server.owners() == {"external-dns/owner=demo": n}
              and foreign <= set(rows), log[-2000:] + str(server.owners()))
        good, wrote, log = server.run(api, "demo")
        check(f"{kind.name}: its second run finds nothing to do", good and not wrote and is_idle(log), log[-2000:])
        web_taken(root, api, server, n)
        web_adopted(root, api, server, n + 1)
        check(f"{kind.name}: nobody else's record was touched", foreign <= set(server.rows()))
    finally:
        api.child.kill()
        api.child.wait()
        server.stop()


def web_taken(root, api, server, n):
    """The same owner: nothing to do, for either in the other's place; what changes is followed by whoever has it."""
    rows, n_writes, name = server.rows(), server.n_writes(), server.name
    for keys in ("dryRun: true", "dryRun: false"):
        pintle = Pintle(root, api, server, "demo", f"{keys}\n    {server.keys}", n)
        code, text, err = pintle.plan()
        states = [row for row in pintle.rows() if row["state"] != "ready"]
        check(f"{name}: Pintle's plan is empty, {keys}", code == 0 and "no changes\n" in text and not states,
              text + err + str(states))
        if keys.endswith("true"):
            pintle.stop()
    code, text, err = pintle.daemon.ctl("records", "apply")
    check(f"{name}: a run that is ordered finds nothing to do", code == 0 and "nothing to do" in text, text + err)
    check(f"{name}: nothing is written", server.rows() == rows and server.n_writes() == n_writes)
    api.service("web0", f"web0.{ZONE}", "192.0.2.200")
    api.endpoint("fresh", "A", "192.0.2.201", ttl=60)
    servers.wait_for("what has changed", lambda: {"web0", "fresh"} <= {
        row[0].split(".")[0] for row in set(server.rows()) - set(rows)}, pintle.daemon.log)
    servers.wait_for("an empty plan", lambda: pintle.plan()[0] == 0, pintle.daemon.log)
    check(f"{name}: Pintle ends well", pintle.stop() == 0)
    check(f"{name}: Pintle writes what changes, and nothing else", differing(rows, server.rows()) == {
        f"{prefix}{label}.{ZONE}" for prefix in ("", "a-") for label in ("web0", "fresh")}, differing(rows, server.rows()))
    good, wrote, log = server.run(api, "demo")
    check(f"{name}: external-dns, back in its place, finds nothing to do", good and not wrote and is_idle(log), log[-2000:])
    api.service("web1", f"web1.{ZONE}", "192.0.2.210")
    api.do(do="delete", path=ENDPOINTS, namespace="shop", name="fresh")
    api.endpoint("late", "AAAA", "2001:db8::9", ttl=60)
    good, wrote, log = server.run(api, "demo")
    check(f"{name}: what changes then it writes, also over what Pintle wrote", good and wrote and not [
        row for row in server.rows() if "fresh" in row[0]], log[-2000:])


def web_adopted(root, api, server, n):
    """Pintle goes on after it, then under another owner."""
    name, rows, n_writes = server.name, server.rows(), server.n_writes()
    pintle = Pintle(root, api, server, "demo", server.keys, n)
    code, text, err = pintle.plan()
    check(f"{name}: Pintle finds nothing to do then", code == 0 and "no changes\n" in text
          and pintle.stop() == 0 and server.rows() == rows and server.n_writes() == n_writes, text + err)
    if server.provider != "route53":
        return
    pintle = Pintle(root, api, server, "pintle", server.keys, n)
    code, _, err = pintle.daemon.ctl("records", "adopt", "--from-owner", "demo", "--yes")
    check(f"{name}: Pintle takes over from another owner", code == 0 and f"{n} records are taken over" in err, err)
    check(f"{name}: Pintle ends well", pintle.stop() == 0)
    renamed = sorted((*row[:4], tuple(value.replace("external-dns/owner=demo,", "external-dns/owner=pintle,")
                                      for value in row[4])) for row in rows)
    check(f"{name}: the owner's name is all that has changed", server.rows() == renamed, set(server.rows()) ^ set(renamed))
    good, wrote, log = server.run(api, "pintle")
    check(f"{name}: external-dns of that owner finds nothing to do", good and not wrote and is_idle(log), log[-2000:])


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
        parts = [pool.submit(story, root), *(pool.submit(web_story, root, kind) for kind in (OnRoute53, OnPowerDNS)),
                 *(pool.submit(form, root, *one) for one in FORMS), pool.submit(fleet, root)]
    for part in parts:
        part.result()
    servers.finish()


if __name__ == "__main__":
    main()
