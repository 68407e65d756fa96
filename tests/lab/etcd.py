# SPDX-License-Identifier: Apache-2.0
"""Many Pintles, one sync: two publishers watch real API servers, others serve from a real etcd.

Whatever happens to etcd or to the publishers, readers show what the API servers had last, or have
now, and nothing else; and once all is well again they show what the API servers have.
"""

import collections
import re
import signal
import time

import lab
import members
from stage import BACK_SECONDS, KILLED_SECONDS, LIVE_SECONDS

PREFIX = "/pintle/demo"
N_READERS = 10
# A member that is silent is left after 4 s, an election takes 1 to 2 s, a lease lasts 12 s.
ETCD_SECONDS = 30
TAKE_OVER_SECONDS = 12 + 10
COMPARED_SECONDS = 33 + 20  # the publisher looks at its keys each half a minute
SETTLED_LOOKS = 8  # a second apart


def service(name, addresses):
    """A headless global Service without a selector, and the slice that we write for it."""
    meta = {"namespace": "market", "annotations": {"service.cilium.io/global": "true"}}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, **meta},
         "spec": {"clusterIP": "None", "ports": [{"port": 80}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
         "metadata": {"name": f"{name}-1", "namespace": "market",
                      "labels": {"kubernetes.io/service-name": name}},
         "addressType": "IPv4", "ports": [{"port": 80}],
         "endpoints": [{"addresses": [address]} for address in sorted(addresses)]}]


class Play:
    """The objects as they are, who serves them, and what was ever answered beside them."""

    def __init__(self, stage, etcd):
        self.stage = stage
        self.checks = stage.checks
        self.etcd = etcd
        self.wanted = {}  # service -> addresses
        self.allowed = {}  # service -> what may be answered meanwhile
        self.strangers = collections.Counter()
        self.readers = []
        self.n_changes = 0

    def spec(self, user):
        path = self.stage.dir / "etcd.password"
        path.write_text(members.PASSWORD + "\n")
        return {"endpoints": list(self.etcd.clients.values()), "prefix": PREFIX, "user": user,
                "passwordFile": str(path)}

    def publisher(self, name):
        return self.stage.pintle(name, config={
            "clusters": [self.stage.cluster("c1", "c1"), self.stage.cluster("c2", "c2")],
            "publish": {"etcd": self.spec("writer")}})

    def reader(self, name):
        daemon = self.stage.pintle(name, config={"ready": {"grace": "5s", "minClusters": 2}, "clusters": [
            {"name": "c1", "etcd": self.spec("reader")},
            {"name": "c2", "etcd": self.spec("reader")}]})
        self.readers.append(daemon)
        return daemon

    def change(self, *names, cluster="c1"):
        """Other addresses for these services of a cluster; those of before may show until caught_up()."""
        for name in names:
            self.n_changes += 1
            addresses = {f"10.10.{1 + self.n_changes % 250}.{i}" for i in (7, 9)}
            self.stage.apply_objects(cluster, service(name, addresses))
            self.wanted[name] = addresses
            self.allowed.setdefault(name, [set()]).append(addresses)

    def settle(self):
        """From now on nothing may be answered but what there is."""
        self.allowed = {name: [wanted] for name, wanted in self.wanted.items()}

    def remove(self, name, cluster="c1"):
        self.stage.kubectl(cluster, "-n", "market", "delete", "service", name)
        self.stage.kubectl(cluster, "-n", "market", "delete", "endpointslice", f"{name}-1",
                           "--ignore-not-found")
        self.allowed[name].append(set())
        self.wanted[name] = set()

    def ask(self, daemon, name):
        found = daemon.dig(f"{name}.market.svc.clusterset.local", "A", "c1")
        addresses = set(found.addresses)
        if found.rcode not in ("NOERROR", "NXDOMAIN") or addresses not in self.allowed[name]:
            self.strangers[f"{daemon.name} {name} {found.rcode} {sorted(addresses)}"] += 1
        return addresses, found.ede

    def caught_up(self, what, seconds=ETCD_SECONDS, readers=None):
        """Every reader shows every service as it is, without EDE, and showed nothing else."""
        self.strangers.clear()

        def differences():
            return [f"{daemon.name} {name} {got}" for daemon in readers or self.readers
                    for name, wanted in self.wanted.items()
                    if (got := self.ask(daemon, name)) != (wanted, ())]
        self.checks.becomes(f"{what}: readers show what the API servers have", [], differences,
                            seconds)
        self.checks.check(f"{what}: they showed nothing but that or what was before",
                          not self.strangers, dict(self.strangers))
        if not readers:
            self.settle()

    def edes(self, daemon):
        return {self.ask(daemon, name)[1] for name in self.wanted if self.wanted[name]}

    def stale(self, what, daemon, seconds=KILLED_SECONDS):
        self.strangers.clear()
        self.checks.becomes(f"{what}: answers are kept and say EDE 3", {(3,)},
                            lambda: self.edes(daemon), seconds)
        self.checks.check(f"{what}: as they were", not self.strangers, dict(self.strangers))

    def metric(self, daemon, name):
        found = re.search(rf"^{name} (\S+)$", daemon.get("/metrics")[1], re.MULTILINE)
        return float(found.group(1)) if found else None


def watches_of(stage, cluster):
    """How many watches an API server has open."""
    text = stage.lab.cluster(cluster).get("/metrics")[1]
    return sum(float(match.group(1)) for match in re.finditer(
        r'^apiserver_longrunning_requests\{[^}]*verb="WATCH"[^}]*\} (\S+)$', text, re.MULTILINE))


def settled_watches(stage):
    """Those of c1 and c2 once nobody opens any more: controllers come back slowly to a server that
    was killed."""
    seen = []
    end = time.monotonic() + BACK_SECONDS
    while len(seen) < SETTLED_LOOKS or any(look != seen[-1] for look in seen[-SETTLED_LOOKS:]):
        seen.append([watches_of(stage, cluster) for cluster in ("c1", "c2")])
        if time.monotonic() > end:
            break
        time.sleep(1)
    return seen[-1]


def begin(stage, play):
    for cluster in ("c1", "c2"):
        stage.apply_objects(cluster, [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "market"}}])
    play.change("cart", "till", "shelf", "scale")
    play.change("depot", cluster="c2")
    first = play.publisher("publisher-1")
    play.checks.becomes("the first publisher leads", 1.0,
                        lambda: play.metric(first, "pintle_publisher_is_leader"))
    second = play.publisher("publisher-2")
    play.checks.becomes("the second one stands by", 0.0,
                        lambda: play.metric(second, "pintle_publisher_is_leader"))
    before = settled_watches(stage)
    for i in range(N_READERS):
        play.reader(f"reader-{i + 1}")
    play.caught_up(f"{N_READERS} readers", LIVE_SECONDS)
    after = [watches_of(stage, cluster) for cluster in ("c1", "c2")]
    play.checks.check(f"{N_READERS} readers cost the API servers nothing",
                      all(a <= b for a, b in zip(after, before)), f"{before} watches, then {after}")
    for daemon in play.readers[3:]:
        stage.end(daemon)
    del play.readers[3:]
    return first, second


def etcd_faults(play):
    """One member of three away, the leader killed, the leader silent, all restarted, history gone."""
    etcd = play.etcd
    leader = etcd.leader()
    other = next(name for name in etcd.names if name != leader)
    etcd.kill(other)
    play.change("cart")
    play.caught_up("one of three members killed")
    etcd.start(other)
    leader = etcd.leader()
    etcd.kill(leader)
    etcd.token = "of nobody"
    play.checks.check("the leader killed: whoever asks at once, with a token that is forgotten, gets an answer",
                      f"{PREFIX}/c1/meta" in etcd.keys(PREFIX + "/"))
    play.change("cart", "till")
    play.caught_up("the leader killed")
    etcd.start(leader)
    leader = etcd.leader()
    etcd.freeze(leader)
    try:
        play.change("till", "shelf")
        play.caught_up("the leader frozen", 2 * ETCD_SECONDS)
    finally:
        etcd.thaw(leader)
    play.change("shelf")
    play.caught_up("the leader goes on, and leads no more")
    for name in etcd.names:
        etcd.kill(name)
        play.change("cart")
        etcd.start(name)
        etcd.leader()
    play.caught_up("each member restarted, watches cut")


def compaction(play):
    """A reader sleeps while things change, go, and their history is forgotten."""
    sleeper = play.readers[0]
    sleeper.child.send_signal(signal.SIGSTOP)
    try:
        for name in play.etcd.names:  # its watch is cut before it could be told of anything
            play.etcd.kill(name)
            play.etcd.start(name)
            play.etcd.leader()
        for _ in range(3):
            play.change("cart", "till")
        play.remove("scale")
        play.caught_up("while one reader sleeps", readers=play.readers[1:])
        play.etcd.compact()
    finally:
        sleeper.child.send_signal(signal.SIGCONT)
    play.settle()
    play.checks.becomes("history compacted: the sleeper has caught up", True, lambda: all(
        play.ask(sleeper, name) == (wanted, ()) for name, wanted in play.wanted.items()),
        2 * ETCD_SECONDS)
    play.checks.check("history compacted: it listed again",
                      "is listed again" in sleeper.log_text(), sleeper.log_text()[-2000:])


def tokens(play):
    """Passwords changed on the way, and every token forgotten by etcd."""
    play.etcd.must("/v3/auth/role/grant", {"name": "reader", "perm": {
        "permType": "READ", "key": members.b64("/x"), "range_end": members.b64("/y")}})
    play.change("cart")
    play.caught_up("tokens of before do not count any more")
    play.checks.check("no password in any log", not any(
        members.PASSWORD in daemon.log_text() for daemon in play.stage.daemons))


def publishers(stage, play, first, second):
    """The publisher killed and replaced; all of them gone; a reader started then; API servers away."""
    first.child.kill()
    first.child.wait()
    stage.daemons.remove(first)
    play.settle()
    play.checks.becomes("publisher killed: the second one leads", 1.0, lambda: play.metric(
        second, "pintle_publisher_is_leader"), TAKE_OVER_SECONDS)
    play.caught_up("publisher killed", TAKE_OVER_SECONDS)
    puts = play.metric(second, "pintle_publisher_puts_total")
    play.checks.check("publisher killed: its successor wrote states alone", puts <= 8, puts)
    play.change("cart")
    play.caught_up("the second publisher")
    c2 = stage.lab.cluster("c2")
    c2.kill_api()
    try:
        play.checks.becomes("an API server killed: readers say EDE 3 for its cluster", (3,),
                            lambda: play.ask(play.readers[0], "depot")[1], KILLED_SECONDS + 3)
        play.checks.check("an API server killed: the other cluster is fresh",
                          play.ask(play.readers[0], "cart")[1] == ())
    finally:
        c2.start_api()
    play.caught_up("the API server is back", BACK_SECONDS)
    stage.end(second)
    play.stale("no publisher is left", play.readers[0])
    late = play.reader("reader-late")
    play.stale("a reader started then", late)
    third = play.publisher("publisher-3")
    play.change("till")
    play.caught_up("a publisher started again", TAKE_OVER_SECONDS)
    return third


def hands(play, publisher):
    """What people do to the keys: a value broken, all of them deleted."""
    play.etcd.put(f"{PREFIX}/c1/s/market/cart", b"\xff nonsense")
    play.checks.becomes("a broken value: told", True,
                        lambda: "cannot be read" in play.readers[0].log_text())
    play.checks.check("a broken value: the service is as it was",
                      play.ask(play.readers[0], "cart")[0] == play.wanted["cart"])
    play.etcd.delete(f"{PREFIX}/c1/s/market/till")
    play.allowed["till"].append(set())
    play.checks.becomes("a key that somebody deletes: written again", play.wanted["till"],
                        lambda: play.ask(play.readers[0], "till")[0], COMPARED_SECONDS)
    play.checks.check("a broken value: written again", "are ours, writing them again" in publisher.log_text()
                      and play.metric(publisher, "pintle_publisher_repairs_total") >= 1)
    play.change("cart")
    play.caught_up("a change after both")
    play.etcd.delete(f"{PREFIX}/")
    play.stale("all keys deleted", play.readers[0])
    play.checks.eventually("all keys deleted: the publisher writes them again", 2 * ETCD_SECONDS,
                           lambda: play.etcd.keys(f"{PREFIX}/"), lambda keys: f"{PREFIX}/c1/meta" in keys)
    play.caught_up("all keys written again", TAKE_OVER_SECONDS)
    play.checks.check("still the only publisher", play.metric(
        publisher, "pintle_publisher_is_leader") == 1.0)


def story_etcd(stage):
    etcd = members.Etcd(stage.dir / "etcd", 3, stage.lab.program,
                        flags=["--auth-token-ttl", "5"]).up()
    try:
        etcd.want_passwords(PREFIX + "/")
        play = Play(stage, etcd)
        first, second = begin(stage, play)
        etcd_faults(play)
        compaction(play)
        tokens(play)
        third = publishers(stage, play, first, second)
        hands(play, third)
        for daemon in list(stage.daemons):
            stage.end(daemon)
    finally:
        etcd.stop()


def story_etcd_tls(stage):
    """A member that wants a certificate of its clients."""
    pki = stage.lab.cluster("c1").pki
    etcd = members.Etcd(stage.dir / "etcd-tls", 1, stage.lab.program, pki=pki).up()
    files = {"ca": str(pki.path("ca.crt")), "certificate": str(pki.path("admin.crt")),
             "key": str(pki.path("admin.key"))}
    spec = {"endpoints": list(etcd.clients.values()), "prefix": PREFIX}
    try:
        publisher = stage.pintle("tls-publisher", config={
            "clusters": [stage.cluster("c3", "c3")], "publish": {"etcd": {**spec, **files}}})
        reader = stage.pintle("tls-reader", config={
            "clusters": [{"name": "c3", "etcd": {**spec, **files}}]})
        stage.checks.becomes("with a certificate: synced", 1, lambda: reader.cluster_up("c3"))
        bare = stage.pintle("tls-bare", config={
            "ready": {"grace": "1s", "minClusters": 0},
            "clusters": [{"name": "c3", "etcd": {**spec, "ca": files["ca"]}}]})
        stage.checks.becomes("without one: told", True, lambda: "etcd: " in bare.log_text())
        stage.checks.check("without one: out of reach", bare.cluster_up("c3") == 0)
        for daemon in (publisher, reader, bare):
            stage.end(daemon)
    finally:
        etcd.stop()
