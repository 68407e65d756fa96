#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a plan of records shows is what is done then, and what goes wrong on the way to a DNS server changes neither:
pintled, a real Knot DNS, and a wire between them whose faults can be ordered. docs/guide.md shows such a plan.

Needs knotd, kdig, knsupdate. Prints one line per check and, last, "N passed, N failed".
"""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "providers")]
import fake_route53  # noqa: E402
import servers  # noqa: E402
from records import PINTLECTL, PINTLED, SLOW, dns, service  # noqa: E402
from servers import check, wait_for  # noqa: E402

ZONE, OWNER = dns.ZONE, "pintle-e2e"
QUIET_S = 2.2  # of looks at the zone, one a second


def endpoint(name, kind, *targets, host=None, ttl=None):
    record = {"dnsName": f"{host or name}.{ZONE}", "recordType": kind, "targets": list(targets),
              **({"recordTTL": ttl} if ttl else {})}
    return {"apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint", "metadata": {"namespace": "shop", "name": name},
            "spec": {"endpoints": [record]}}


def weighted(name, host, address, set_id, weight):
    one = service(name, host, address, ttl="60")
    prefix = "external-dns.kubernetes.io/"
    one["metadata"]["annotations"].update({f"{prefix}set-identifier": set_id, f"{prefix}aws-weight": str(weight)})
    return one


class World:
    """Clusters in directories, a Knot behind a wire, a Route 53, and a daemon that is begun again and again."""

    def __init__(self):
        self.root = pathlib.Path(servers.scratch())
        self.knot = dns.Server(self.root, "knot")
        self.wire = dns.Wire(self.knot.port)
        self.aws = fake_route53.FakeRoute53()
        self.admin = f"127.0.0.1:{servers.free_port()}"
        self.child = None
        self.keys = [servers.write(f"{self.root}/{name}", text) for name, text in (
            ("access", fake_route53.ACCESS_KEY), ("aws-secret", fake_route53.SECRET_KEY))]
        for name in ("c1", "c2", "out"):
            (self.root / name).mkdir()

    def start(self, **more):
        """Each time with other settings of the entries."""
        entry = dict({"policy": "sync", "owner": OWNER, "interval": 1, "zones": [ZONE], "maxDeletes": "100%",
                      "txtWildcardReplacement": "any"}, **more)
        config = {
            "apiVersion": "pintle.dev/v1alpha1", "kind": "PintleConfig", "clusterSet": "demo",
            "listen": [{"address": "127.0.0.1:0"}], "admin": {"address": self.admin}, "shutdown": {"lameduck": 0},
            "clusters": [{"name": name, "directory": str(self.root / name)} for name in ("c1", "c2")],
            "records": [
                dict(entry, name="knot", provider="rfc2136",
                     rfc2136={"server": f"127.0.0.1:{self.wire.port}",
                              "tsig": {"name": dns.KEY, "secretFile": str(self.knot.secret_file)}}),
                dict(entry, name="aws", provider="route53", interval=3600,
                     route53={"endpoint": f"http://127.0.0.1:{self.aws.port}", "accessKeyFile": self.keys[0],
                              "secretKeyFile": self.keys[1], "zones": [{"zone": ZONE, "id": "Z0PUBLIC"}]}),
                dict(entry, name="files", provider="zonefile", interval=3600,
                     zonefile={"directory": str(self.root / "out"), "ns": ["ns1.example.net."]}),
            ]}
        (self.root / "pintle.yaml").write_text(json.dumps(config))
        self.child = servers.spawn(PINTLED, "--config", str(self.root / "pintle.yaml"), log=self.root / "pintled.log")
        wait_for("the daemon", lambda: self.page("")["items"], self.root / "pintled.log")

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(timeout=60 * SLOW)
        if code != 0:
            check("the daemon ends well", False, code)

    def put(self, cluster, *objects):
        """One file that is all of a cluster, replaced at once."""
        path = self.root / cluster / "all.json"
        path.with_suffix(".new").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
        path.with_suffix(".new").rename(path)

    def ctl(self, *words):
        return subprocess.run([PINTLECTL, *words, "--admin", self.admin, "--color", "never"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120 * SLOW, check=False)

    def page(self, path):
        with urllib.request.urlopen(f"http://{self.admin}/api/v1/records{path}", timeout=30) as reply:
            return json.load(reply)

    def zone(self, records="knot"):
        return next(item["zones"][0] for item in self.page("")["items"] if item["records"] == records)

    def states(self):
        return {(row["name"], row["type"]): row for row in self.page("/list?records=knot")["items"]}

    def rows(self):
        return self.knot.transfer(ZONE)

    def serial(self):
        done = subprocess.run(["kdig", "@127.0.0.1", "-p", str(self.knot.port), "+short", ZONE, "SOA"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        return int(done.stdout.split()[2])

    def settled(self, what, look):
        since = time.monotonic()
        while time.monotonic() < since + 30 * SLOW:
            if look():
                return check(f"{what} ({time.monotonic() - since:.1f} s)", True)
            time.sleep(0.05)
        return check(what, False, (self.zone(), self.states(), "\n".join(self.rows())))

    def is_done(self):
        """Whether a run after this moment leaves nothing to do."""
        plan = self.ctl("records", "plan", "knot", "--detailed-exitcode")
        return plan.returncode == 0 and self.zone()["state"] == "idle"

    def by_hand(self, *lines):
        key = f"hmac-sha256:{dns.KEY}:{dns.base64.b64encode(dns.SECRET).decode()}"
        text = "\n".join([f"server 127.0.0.1 {self.knot.port}", f"zone {ZONE}", *lines, "send", ""])
        subprocess.run(["knsupdate", "-y", key], text=True, input=text, check=True, capture_output=True, timeout=30)

    def aws_names(self):
        """What Route 53 has; its escapes are octal."""
        return {re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), one["Name"]).rstrip(".")
                for one in self.aws.sets["Z0PUBLIC"]}

    def quiet(self, what):
        """Some looks later the zone is the same, serial and all."""
        before = (self.serial(), self.rows())
        time.sleep(QUIET_S)
        check(what, (self.serial(), self.rows()) == before, set(before[1]) ^ set(self.rows()))


# --- what is shown is what is done --------------------------------------------------------------------


def first_objects():
    """Of all sorts: what stays, what changes, what goes."""
    return [service(f"keep{i}", f"keep{i}.{ZONE}", f"192.0.2.{i + 1}", ttl="60") for i in range(6)] + [
        service("moves", f"moves.{ZONE}", "192.0.2.20", ttl="60"), service("slower", f"slower.{ZONE}", "192.0.2.21", ttl="60"),
        service("gone", f"gone.{ZONE}", "192.0.2.22", ttl="60"), service("alias", f"alias.{ZONE}", "192.0.2.23", ttl="60"),
        endpoint("policy", "TXT", "v=spf1 -all", ttl=60), endpoint("mail", "MX", "10 mx.example.net", ttl=60),
        service("both", f"both.{ZONE}", "192.0.2.24", ttl="60")]


def second_objects():
    return first_objects()[:6] + [
        service("moves", f"moves.{ZONE}", "192.0.2.120", "192.0.2.121", ttl="60"),
        service("slower", f"slower.{ZONE}", "192.0.2.21", ttl="5m"),
        endpoint("alias", "CNAME", "lb.example.net", ttl=60), endpoint("policy", "TXT", "v=spf1 mx -all", ttl=60),
        service("both", f"both.{ZONE}", "192.0.2.24", "2001:db8::24", ttl="60"),
        service("new", f"new.{ZONE}", "192.0.2.30", ttl="60"), service("www", f"www.{ZONE}", "192.0.2.31", ttl="60"),
        service("theirs", f"theirs.{ZONE}", "192.0.2.32", ttl="60"), service("star", f"*.star.{ZONE}", "192.0.2.33", ttl="60")]


def lines_of(one):
    """A set as a transfer shows it."""
    if one is None:
        return set()
    names = one["type"] in ("CNAME", "MX", "NS")
    return {f"{one['name']}. {one['ttl']} IN {one['type']} {value['text']}{'.' if names else ''}" for value in one["values"]}


def without_ttl(rows):
    """TXT records of ownership without their TTL, which no plan shows."""
    return {re.sub(r"^(\S+) \d+ (IN TXT \"heritage)", r"\1 \2", row) for row in rows}


def foretold(rows, changes):
    """The zone after what a plan shows."""
    rows = without_ttl(rows)
    for change in changes:
        key = {"name": change["name"], "type": change["type"]}
        old, new = (dict(key, **change[which]) if change[which] else None for which in ("old", "new"))
        gone = lines_of(old)
        coming = lines_of(new)
        if not gone <= rows:
            check("what a plan changes is there", False, (gone, change))
        rows = (rows - gone) | coming
        for txt in change["txts"]:
            for value, is_new in ((txt["old"], False), (txt["new"], True)):
                line = {f"{txt['name']}. IN TXT {value}"} if value else set()
                rows = rows | line if is_new else rows - line
    return rows


def shown_is_done(world):
    foreign = world.rows()
    world.put("c1", *first_objects())
    world.start()
    world.settled("the first objects' records come", lambda: world.zone()["owned"] == 13 and world.is_done())
    world.stop()
    world.by_hand(f"add theirs.{ZONE} 60 A 203.0.113.9",
                  f'add a-theirs.{ZONE} 60 TXT "heritage=external-dns,external-dns/owner=them,external-dns/resource=service/x/y"')
    world.put("c1", *second_objects())
    before, serial = world.rows(), world.serial()
    world.start(dryRun=True)
    world.settled("a dry run plans", lambda: world.zone()["wanted"] > 13 and len(world.page("/plan?records=knot")["changes"]) >= 7)
    plan = world.page("/plan?records=knot")
    text = world.ctl("records", "plan", "knot", "--detailed-exitcode")
    check("there is something to do, and pintlectl says so", text.returncode == 2
          and all(change["name"] in text.stdout for change in plan["changes"]), text.stdout)
    check("of each sort", {change["op"] for change in plan["changes"]} == {"create", "update", "delete"}
          and {one["kind"] for one in plan["conflicts"]} == {"foreign", "other-owner"}, plan)
    world.quiet("a dry run changes nothing")
    check("nor has it before", (world.rows(), world.serial()) == (before, serial))
    world.stop()
    world.start()
    world.settled("without dryRun it is done", world.is_done)
    after, told = without_ttl(world.rows()), foretold(before, plan["changes"])
    check(f"the zone is as the plan of {len(plan['changes'])} changes said: no record more, none less", after == told,
          {"only planned": sorted(told - after), "only done": sorted(after - told)})
    check("and nobody else's has changed", set(foreign) <= set(world.rows()))
    world.quiet("then it stays")


# --- texts of objects -----------------------------------------------------------------------------------

LONG = ".".join(["x" * 61] * 3 + ["y" * 55])  # with the zone 253 characters: there is no room for "a-" in front
NAMES = (  # an annotation, and the name's first labels in the zone; None: there is none
    ("UPPER.Example.COM.", "upper"), ("*.any.example.com", "*.any"), ("xn--bcher-kva.example.com", "xn--bcher-kva"),
    ("_under.example.com", "_under"), ("b\u00fccher.example.com", "b\u00c3\u00bccher"), ("two words.example.com", "twowords"),
    ("quote\".example.com", 'quote"'), ("line\nbreak.example.com", "line\nbreak"), ("$ORIGIN.example.com", "$origin"),
    ("at@.example.com", "at@"), ("semi;.example.com", "semi;"), ("<b>&amp;.example.com", "<b>&amp;"),
    ("%2e%2e.example.com", "%2e%2e"), ("a/b.example.com", "a/b"), ("star\\052.example.com", "star4"), ("x(y).example.com", "x(y)"),
    ("cut.example.com 60 A 6.6.6.6", None), ("cut.example.com\n@ 60 A 6.6.6.6", None), ("a..b.example.com", None),
    (".dot.example.com", None), ("a/../b.example.com", None), (f"{'z' * 63}.example.com", None), (f"{'z' * 64}.example.com", None),
    (f"{LONG}.example.com", None), ("x" * 5000 + ".example.com", None), ("back\\.example.com", None),
)


def plain(name):
    """A name as it is meant, whatever was escaped by whom."""
    return re.sub(r"\\(\d{3}|.)", lambda found: chr(int(found[1])) if len(found[1]) == 3 else found[1], name).rstrip(".")

def owners(world):
    return {plain(row.split()[0]) for row in world.rows()}


def texts(world):
    """Whatever an annotation says, nothing but that name comes of it."""
    before = owners(world)
    objects = [service(f"odd{i}", text, f"192.0.2.{i + 1}", ttl="60") for i, (text, _) in enumerate(NAMES)]
    world.put("c1", *second_objects(), *objects, service("plain", f"plain.{ZONE}", "192.0.2.99"),
              service("number", f"number.{ZONE}", "192.0.2.98", ttl="60"), service("zero", f"zero.{ZONE}", "192.0.2.97", ttl="0"),
              service("minute", f"minute.{ZONE}", "192.0.2.96", ttl="1m"))
    world.settled("names that make sense come", lambda: f"upper.{ZONE}" in owners(world) and world.is_done())
    rows = world.rows()
    good = [name for _, name in NAMES if name] + ["plain", "number", "zero", "minute"]
    want = {f"{name}.{ZONE}" for name in good} | {f"a-{re.sub('^[*]', 'any', name)}.{ZONE}" for name in good}
    check("and no other", owners(world) - before == want, owners(world) - before ^ want)
    check("a TTL is seconds, or with a unit; none and 0 are the provider's",
          {f"number.{ZONE}. 60 IN A 192.0.2.98", f"minute.{ZONE}. 60 IN A 192.0.2.96", f"zero.{ZONE}. 300 IN A 192.0.2.97",
           f"plain.{ZONE}. 300 IN A 192.0.2.99"} <= set(rows), [row for row in rows if " A 192.0.2.9" in row])
    path = world.root / "out" / f"{ZONE}.zone"
    world.settled("the zone file has them, too", lambda: f"upper.{ZONE} " in path.read_text())
    done = subprocess.run([shutil.which("named-compilezone", path=dns.SBIN), "-i", "none", "-k", "ignore", "-o", "-", ZONE, path],
                          capture_output=True, text=True, check=False)
    names = {plain(line.split()[0]) for line in done.stdout.splitlines() if line and line[0] != ";"}
    foreign = {f"{prefix}{name}.{ZONE}" for prefix in ("", "a-") for name in ("www", "theirs")}  # which are not in its way
    check("and others read them so", done.returncode == 0 and want <= names and names - owners(world) <= foreign
          and "6.6.6.6" not in done.stdout, (done.stderr, sorted(names ^ want)))
    world.settled("so does Route 53", lambda: want <= world.aws_names() and world.aws_names() - owners(world) <= foreign)
    world.put("c1", *second_objects())
    world.settled("they go as they came", lambda: owners(world) == before)


# --- objects that say more ------------------------------------------------------------------------------


def texts_of_texts(world):
    """A DNSEndpoint of type TXT is followed, as any other."""
    def says(*values):
        rows = [row for row in world.rows() if row.startswith(f"spf.{ZONE}. ") and " TXT " in row]
        return rows == [f'spf.{ZONE}. 60 IN TXT "{value}"' for value in values]

    rows = world.rows()
    world.put("c1", *second_objects(), endpoint("spf", "TXT", "v=spf1 include:example.net -all", ttl=60))
    world.settled("a TXT record of an object comes", lambda: says("v=spf1 include:example.net -all"))
    world.put("c1", *second_objects(), endpoint("spf", "TXT", "v=spf1 -all", ttl=60))
    world.settled("its text changes with the object", lambda: says("v=spf1 -all"))
    world.put("c1", *second_objects())
    world.settled("and it goes with it", lambda: says() and world.rows() == rows)


def weights(world):
    """Two Services with weights: two sets where a server has such, else the older one's alone, and no swinging."""
    world.put("c1", *second_objects(), weighted("v1", f"split.{ZONE}", "192.0.2.51", "app-v1", 80),
              weighted("v2", f"split.{ZONE}", "192.0.2.52", "app-v2", 20))

    def sets(kind, name):
        return sorted((one.get("SetIdentifier"), str(one.get("Weight"))) for one in world.aws.sets["Z0PUBLIC"]
                      if one["Type"] == kind and one["Name"] == f"{name}.{ZONE}.")
    want = [("app-v1", "80"), ("app-v2", "20")]
    world.settled("Route 53 has two weighted sets, and two TXT records with the same identifiers",
                  lambda: (sets("A", "split"), sets("TXT", "a-split")) == (want, want))
    world.settled("Knot has one", lambda: [row for row in world.rows() if row.startswith("split.")] == [
        f"split.{ZONE}. 60 IN A 192.0.2.51"] and world.zone()["state"] == "idle")
    plan = world.page("/plan?records=knot")
    check("the other one is told", any(one["kind"] == "two-objects" and one["object"]["name"] == "v2" for one in plan["conflicts"]),
          plan["conflicts"])
    world.quiet("and it stays so")
    world.put("c1", *second_objects())
    world.settled("both go", lambda: not sets("A", "split") and not sets("TXT", "a-split")
                  and not any("split" in row for row in world.rows()))


# --- a wire that fails ------------------------------------------------------------------------------------


def is_update(request):
    return request[2] >> 3 & 15 == dns.UPDATE


def lost(world):
    """The answer to an update does not come: what it did is found in the zone, and not done again."""
    serial, times = world.serial(), [0]

    def lose(request, _, message):
        if is_update(request) and times[0] < 1:
            times[0] += 1
            return None
        return [message]
    world.wire.fault = lose
    world.put("c1", *second_objects(), service("once", f"once.{ZONE}", "192.0.2.60", ttl="60"))
    world.settled("an update whose answer is lost is found done", lambda: times[0] == 1 and f"once.{ZONE}. 60 IN A 192.0.2.60"
                  in world.rows() and world.zone()["fault"] == "none" and world.is_done())
    world.quiet("and nothing follows")
    world.wire.fault = None
    check("it was done once", world.serial() == serial + 1, (serial, world.serial()))


def sworn(world):
    """A server says that it is done, and it is not: the next look finds out."""
    times = [0]

    def swear(request):
        times[0] += is_update(request)
        return dns.answered(request) if is_update(request) and times[0] == 1 else None
    world.wire.swallow = swear
    world.put("c1", *second_objects(), service("sworn", f"sworn.{ZONE}", "192.0.2.61", ttl="60"))
    world.settled("what a server only says is done by the second try", lambda: f"sworn.{ZONE}. 60 IN A 192.0.2.61" in world.rows())
    world.quiet("and not by a third")
    check("two updates were sent", times[0] == 2, times)
    world.wire.swallow = None


def mistrusted(world):
    """Answers that nobody has signed, or somebody else has: nothing is planned on them, and they are asked for seldom."""
    for what, fault in (("unsigned", lambda r, i, m: [dns.strip(m)]),
                        ("signed with another secret", lambda r, i, m: [dns.resign(m, r, secret=b"f" * 32)]),
                        ("cut", lambda r, i, m: None)):
        before = (world.serial(), world.rows())
        world.wire.fault = fault
        world.put("c1", *second_objects()[:3])
        world.settled(f"answers that are {what} are a fault", lambda: world.zone()["state"] == "backoff")
        asked = world.wire.n_answers
        time.sleep(1.5)
        check(f"{what}: few questions, no change", world.wire.n_answers - asked <= 8
              and (world.serial(), world.rows()) == before and world.zone()["error"], (world.wire.n_answers - asked, world.zone()))
        world.put("c1", *second_objects())
        world.wire.fault = None
        world.settled(f"{what}: it goes on afterwards", lambda: world.zone()["state"] == "idle" and world.is_done())


def unheard(world):
    """Of a cluster that cannot be read since the start nothing goes; of the other one it does."""
    world.put("c2", service("far", f"far.{ZONE}", "192.0.2.70", ttl="60"), service("shared", f"both.{ZONE}", "192.0.2.71", ttl="60"))
    world.settled("the other cluster's record comes", lambda: any(row.startswith("far.") for row in world.rows()) and world.is_done())
    world.stop()
    (world.root / "c2").rename(world.root / "away")
    world.put("c1", *second_objects()[1:])
    world.start()
    world.settled("what the cluster that is heard took back goes", lambda: not any(row.startswith("keep0.") for row in world.rows()))
    world.quiet("while another one cannot be heard its record stays")
    check("it is there", any(row.startswith("far.") for row in world.rows()))
    (world.root / "away" / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": []}))
    (world.root / "away").rename(world.root / "c2")
    world.settled("it goes once the cluster is heard, and has none", lambda: not any(row.startswith("far.") for row in world.rows()))


def main():
    world = World()
    shown_is_done(world)
    texts(world)
    texts_of_texts(world)
    weights(world)
    lost(world)
    sworn(world)
    mistrusted(world)
    unheard(world)
    world.stop()
    servers.finish()


if __name__ == "__main__":
    main()
