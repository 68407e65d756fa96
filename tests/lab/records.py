# SPDX-License-Identifier: Apache-2.0
"""Story 4 outside: hostnames of routes of two API servers, as records in Knot (RFC 2136), PowerDNS and Route 53 (moto),
kept by service accounts that have the roles of deploy/rbac and nothing else.

One of two daemons writes; whichever it is, each change reaches a server once, which its SOA serial tells.
"""

import importlib.util
import json
import shutil
import subprocess
import sys

import lab
import pintle
import writes
from stage import LIVE_SECONDS, assigned_name

PROVIDERS = lab.ROOT / "tests" / "providers"
ZONE = "example.com"
HOST, OTHER_HOST = f"demo-cluster1.{ZONE}", f"demo-cluster2.{ZONE}"
# A name that went does not come back here: moto refuses a set that it once had while any later name is there, which
# Route 53 does not. Knot and BIND have names that come back in tests/providers/dns.py.
NEW_HOST = f"hotel.{ZONE}"
CLUSTERS = {"eks-cluster1": "c1", "eks-cluster2": "c2"}
USER = "pintle-records-test"
ROUTES = "httproutes.gateway.networking.k8s.io"
TTL = "external-dns.kubernetes.io/ttl"
PROVIDERS_TTL = 300  # what they all give to records that say none
PROGRAMS = ("knotd", "kdig", "pdns_server", "dig")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


def prepare():
    """Sees to what may have to be fetched, before the network is left."""
    for program in PROGRAMS:
        if shutil.which(program, path=SBIN) is None:
            raise lab.LabError(f"{program} is missing: ./x setup lab")
    if subprocess.run(["sh", str(PROVIDERS / "moto.sh")], check=False).returncode != 0:
        raise lab.LabError("moto could not be installed (its words are above)")


def provider_module(name):
    """A test of providers, for the server that it plays with."""
    if str(PROVIDERS) not in sys.path:
        sys.path.append(str(PROVIDERS))
    spec = importlib.util.spec_from_file_location(f"provider_{name}", PROVIDERS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Outside:
    """Other people's DNS: Knot with records of somebody else, PowerDNS and Route 53 without any."""

    def __init__(self, dir):
        self.dir = dir
        dir.mkdir()
        self.dns = provider_module("dns")
        try:
            self.knot = self.dns.Server(dir, "knot", n_big=1)
            self.powerdns = provider_module("powerdns").PowerDNS(str(dir))
            self.powerdns.make_zone(ZONE, [])
            self.route53 = provider_module("route53").Moto(str(dir))
        except SystemExit:
            raise lab.LabError("one of the DNS servers did not come up (its words are above)") from None
        self.foreign = set(self.knot.transfer(ZONE))

    def config(self):
        key = self.dir / "powerdns.key"
        key.write_text(provider_module("powerdns").KEY)
        key.chmod(0o600)
        entry = {"zones": [ZONE], "policy": "sync", "owner": "pintle-lab", "targets": "assigned", "sources": ["httproute"]}
        return [
            {"name": "knot", "provider": "rfc2136", **entry, "rfc2136": {
                "server": f"127.0.0.1:{self.knot.port}",
                "tsig": {"name": self.dns.KEY, "secretFile": str(self.knot.secret_file)}}},
            {"name": "pdns", "provider": "powerdns", **entry, "powerdns": {
                "url": f"http://127.0.0.1:{self.powerdns.web}", "apiKeyFile": str(key)}},
            {"name": "aws", "provider": "route53", **entry, "route53": self.route53.settings}]

    def asked(self):
        """Ports of those who answer DNS questions."""
        return {"Knot": self.knot.port, "PowerDNS": self.powerdns.dns}

    def alias(self, name):
        """(TTL, target) of the CNAME of a name at each of them, None where there is none."""
        found = {}
        for server, port in self.asked().items():
            answer = pintle.dig("127.0.0.1", port, name, "CNAME").answer
            found[server] = next(((int(rr[1]), rr[4].rstrip(".")) for rr in answer if rr[3] == "CNAME"), None)
        ttl, targets = self.route53.sets().get((name, "CNAME"), (None, None))
        found["Route 53"] = targets and (ttl, targets[0].rstrip("."))
        return found

    def serial(self):
        """Of Knot's zone: one more with each update."""
        return int(pintle.dig("127.0.0.1", self.knot.port, ZONE, "SOA").rdata("SOA")[0][2])

    def stop(self):
        for child in (self.knot.child, self.powerdns.child, self.route53.child):
            child.kill()
            child.wait()


def at_all(ttl, target):
    return dict.fromkeys(("Knot", "PowerDNS", "Route 53"), target and (ttl, target))


def far_objects():
    """The same kind of route in the other cluster."""
    meta = {"namespace": "apps", "name": "demo-cluster2"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"namespace": "apps", "name": "demo"},
         "spec": {"gatewayClassName": "any", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"name": "http", "port": 80}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": {**meta, "labels": {"kubernetes.io/service-name": "demo-cluster2"}},
         "ports": [{"name": "http", "port": 80}], "endpoints": [{"addresses": ["10.20.9.9"]}]},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta,
         "spec": {"hostnames": [OTHER_HOST], "parentRefs": [{"name": "demo"}],
                  "rules": [{"backendRefs": [{"name": "demo-cluster2", "port": 80}]}]}}]


class Story:
    """The servers outside, and the daemons that may write to them."""

    def __init__(self, stage, outside, kubeconfig):
        self.stage, self.checks, self.outside = stage, stage.checks, outside
        self.kubeconfig = str(kubeconfig)
        self.host = HOST
        self.assigned = assigned_name("demo", "eks-cluster1", "HTTPRoute", "apps", "demo-cluster1")
        self.far_assigned = assigned_name("demo", "eks-cluster2", "HTTPRoute", "apps", "demo-cluster2")
        self.daemons = {}

    def start(self, name):
        self.daemons[name] = self.stage.pintle(name, config={
            "clusterSet": "demo", "writeBack": {"events": True}, "records": self.outside.config(),
            "recordsLease": {"cluster": "eks-cluster1"},
            "clusters": [{"name": name, "context": context, "kubeconfig": self.kubeconfig}
                         for name, context in CLUSTERS.items()]})

    def becomes(self, what, name, ttl, target, seconds=LIVE_SECONDS):
        self.checks.becomes(f"{what}, in all three", at_all(ttl, target), lambda: self.outside.alias(name), seconds)

    def patch(self, path, value):
        self.stage.patch("c1", "httproute", "demo-cluster1", [{"op": "add", "path": path, "value": value}], "-n", "apps")

    def set_ttl(self, ttl):
        self.stage.kubectl("c1", "-n", "apps", "annotate", "--overwrite", "httproute", "demo-cluster1", f"{TTL}={ttl}")

    def writers(self):
        """Who says of itself that it writes records."""
        return {name for name, daemon in self.daemons.items() if daemon.is_running()
                and json.loads(daemon.get("/api/v1/records")[1])["items"][0]["isWriter"]}

    def one_writes(self, what, seconds=writes.LEASE_SECONDS):
        self.checks.eventually(f"{what}: one writes", seconds, self.writers, lambda found: len(found) == 1)
        return next(iter(self.writers()), next(iter(self.daemons)))

    def changes_once(self, what, ttl, seconds=LIVE_SECONDS):
        """A new TTL gets everywhere, and reaches Knot by one update."""
        before = self.outside.serial()
        self.set_ttl(ttl)
        self.becomes(what, self.host, ttl, self.assigned, seconds)
        self.checks.check(f"{what}, by one update", self.outside.serial() == before + 1,
                          f"serial {before}, then {self.outside.serial()}")


def rights(stage):
    """What the shipped roles give, and what they do not, by the API servers' word."""
    user = f"--as=system:serviceaccount:{writes.HOME}:{USER}"
    lease = "leases.coordination.k8s.io/pintle-records"
    for wanted, space, verb, resource in (
            ("yes", "apps", "list", ROUTES), ("yes", "apps", "watch", "ingresses.networking.k8s.io"),
            ("yes", "apps", "list", "dnsendpoints.externaldns.k8s.io"), ("yes", "apps", "create", "events.events.k8s.io"),
            ("yes", writes.HOME, "update", lease), ("no", writes.HOME, "delete", lease), ("no", "apps", "update", lease),
            ("no", "apps", "patch", ROUTES), ("no", "apps", "patch", f"{ROUTES}/demo-cluster1"),
            ("no", "apps", "get", "secrets"), ("no", "apps", "delete", "events.events.k8s.io")):
        done = stage.lab.kubectl("--context", "c1", "-n", space, "auth", "can-i", verb, resource, user)
        stage.checks.check(f"may it {verb} {resource} in {space}? {wanted}", done.stdout.strip() == wanted,
                           done.stdout + done.stderr)


def comes_and_leads(play):
    checks = play.checks
    play.becomes("the custom domain of a route is an alias of its assigned name", HOST, PROVIDERS_TTL, play.assigned)
    play.becomes("so is that of the other API server's", OTHER_HOST, PROVIDERS_TTL, play.far_assigned)
    daemon = next(iter(play.daemons.values()))
    wanted = {"eks-cluster1": {play.stage.cluster_ip("c1", "apps", "demo-cluster1")},
              "eks-cluster2": play.stage.endpoints("c1", "apps", "demo-cluster1", 2)}
    for server, port in play.outside.asked().items():
        alias = pintle.dig("127.0.0.1", port, HOST, "A")
        target = next((rr[4] for rr in alias.answer if rr[3] == "CNAME"), "nothing")
        for asker, addresses in wanted.items():
            checks.becomes(f"{server}, asked for its address, leads to Pintle's answer for {asker}", addresses,
                           lambda: set(daemon.dig(target, "A", asker).addresses))
    checks.check("what was there before is as it was", play.outside.foreign <= set(play.outside.knot.transfer(ZONE)))


def follows(play):
    checks, stage = play.checks, play.stage
    play.changes_once("another TTL", 60)
    play.patch("/spec/hostnames", [f"shop.{ZONE}", f"www.{ZONE}"])
    play.becomes("another hostname", f"shop.{ZONE}", 60, play.assigned)
    play.becomes("the former one goes", HOST, None, None)
    told = {"RecordReady": "Normal", "RecordDeleted": "Normal", "RecordError": "Warning"}
    checks.becomes("Events on the route tell that it is there, that the former is gone, and of a name that is another's",
                   told, lambda: writes.events_about(stage, "c1", "apps", "demo-cluster1"))
    checks.becomes("and on the other API server, of its route", {"RecordReady": "Normal"},
                   lambda: writes.events_about(stage, "c2", "apps", "demo-cluster2"))
    text = stage.kubectl("c1", "-n", "apps", "get", "events", "--field-selector", "involvedObject.name=demo-cluster1")
    checks.check("kubectl get events shows them", all(reason in text for reason in told)
                 and f"www.{ZONE} CNAME cannot be" in text, text)
    play.patch("/spec/hostnames", [NEW_HOST])
    play.host = NEW_HOST
    play.becomes("a third one", NEW_HOST, 60, play.assigned)
    play.becomes("the second one goes", f"shop.{ZONE}", None, None)


def hands_over(play):
    checks = play.checks
    first = play.one_writes("two daemons")
    play.changes_once("a change while two daemons see it", 120)
    play.daemons[first].child.kill()
    play.daemons[first].child.wait()
    play.stage.daemons.remove(play.daemons.pop(first))
    play.changes_once("the writer is killed: what changes then", 180, writes.LEASE_SECONDS + LIVE_SECONDS)
    second = play.one_writes("the writer is killed")
    play.start("keeper-3")
    checks.check("who comes later stands by", play.writers() == {second}, play.writers())
    before = play.outside.serial()
    play.stage.end(play.daemons.pop(second))
    checks.becomes("the writer ends: the next one has the Lease at once", {"keeper-3"}, play.writers,
                   writes.AT_ONCE_SECONDS)
    play.changes_once("a change after that", 240)
    checks.check("the hand-over itself wrote nothing", play.outside.serial() == before + 1,
                 f"serial {before}, then {play.outside.serial()}")


def story_records(stage):
    stage.apply("story4")
    stage.endpoints("c1", "apps", "demo-cluster1", 2)
    stage.kubectl("c1", "-n", "apps", "delete", "iamauthpolicy", "demo-cluster1")
    stage.apply_objects("c2", far_objects())
    kubeconfig = writes.write_kubeconfig(stage, ("write-events",), USER)
    rights(stage)
    outside = Outside(stage.dir / "outside")
    try:
        play = Story(stage, outside, kubeconfig)
        play.start("keeper-1")
        play.start("keeper-2")
        comes_and_leads(play)
        follows(play)
        hands_over(play)
        stage.kubectl("c1", "-n", "apps", "delete", "httproute", "demo-cluster1")
        play.becomes("the route is gone, and its record with it", play.host, None, None)
        play.becomes("the other API server's stays", OTHER_HOST, PROVIDERS_TTL, play.far_assigned)
        stage.checks.check("nobody else's record was touched", outside.foreign <= set(outside.knot.transfer(ZONE)))
        for daemon in play.daemons.values():
            stage.end(daemon)
        stage.checks.check("the roles of deploy/rbac are enough", not (refused := [
            line for log in stage.dir.glob("keeper-*.log") for line in log.read_text(errors="replace").splitlines()
            if " warn " in line and "403" in line]), "\n".join(refused))
    finally:
        outside.stop()
        stage.kubectl("c2", "-n", "apps", "delete", "httproute/demo-cluster2", "service/demo-cluster2",
                      "endpointslice/demo-cluster2", "gateway/demo", "--ignore-not-found")
        for context in CLUSTERS.values():
            stage.kubectl(context, "-n", writes.HOME, "delete", "lease", "pintle-writer", "pintle-records",
                          "--ignore-not-found")
