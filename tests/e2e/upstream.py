#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The forwarder with a hostile upstream: each row is one thing that a resolver or a forger may do.

Prints one line per check and, last, "N passed, N failed".
"""

import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from ask import AA, AD, CD, RA, RD, TC, Asker, subnet  # noqa: E402
from hostile import FORGED, GOOD, Upstream  # noqa: E402
from run import PINTLED, Daemon, guarded, play  # noqa: E402
from ports import free_port  # noqa: E402

PATIENCE_S = 0.3  # nobody is waited for less long before the next one is asked
CONFIG = """\
clusters:
  - {{name: c1, directory: c1}}
zones: {{files: [{{zone: corp.example, file: corp.zone}}]}}
forward:
  - {{zone: ".", to: ["127.0.0.1:{first}"]}}
  - {{zone: b, to: ["127.0.0.1:{second}"]}}
  - {{zone: two.test, to: ["127.0.0.1:{closed}", "127.0.0.1:{first}"]}}
  - {{zone: own.onion, to: ["127.0.0.1:{first}"]}}
  - {{zone: gone.test, to: ["127.0.0.1:{closed}"]}}
  - {{zone: trusted.test, to: ["127.0.0.1:{first}"], trusted: true}}
  - {{zone: dot.test, to: ["tls://127.0.0.1:{dot}"], tlsName: dns.test, ca: good.crt}}
  - {{zone: ip.dot.test, to: ["tls://127.0.0.1:{dot}"], ca: good.crt}}
  - {{zone: name.dot.test, to: ["tls://127.0.0.1:{dot}"], tlsName: other.test, ca: good.crt}}
  - {{zone: old.dot.test, to: ["tls://127.0.0.1:{old}"], tlsName: dns.test, ca: old.crt}}
  - {{zone: self.dot.test, to: ["tls://127.0.0.1:{dot}"], tlsName: dns.test, ca: self.crt}}
  - {{zone: next.dot.test, to: ["tls://127.0.0.1:{hello}", "tls://127.0.0.1:{dot}"], tlsName: dns.test, ca: good.crt}}
allowRecursion: [127.0.0.1/32]
cache: {{size: 8Mi, serveStale: 60}}
"""
ZONE = """\
$TTL 60
@ IN SOA ns hostmaster 1 2 3 4 5
@ NS ns
ns A 192.0.2.53
www CNAME good-alias.test.
far CNAME slow-alias.test.
dead CNAME silent-alias.test.
back CNAME back-and-forth.test.
"""


def forgeries(checks, ask, up):
    for kind in ("wrongid", "wrongquestion", "wrongcase", "noquestion", "wrongport", "query", "short"):
        r = ask(f"{kind}.test")
        checks.check(f"{kind}: the forged address is never given", r.data == [GOOD], r)
        r = ask(f"{kind}.test")
        checks.check(f"{kind}: nor kept", r.data == [GOOD], r)
    r = ask("flood.test")
    checks.check("many messages that are not the reply: TCP", r.data == [GOOD] and len(up.of("flood.test", "tcp")) == 1, r)
    r = ask("extra.test")
    checks.check("records of other names: not shown", r.data == [GOOD] and not r.authority and len(r.additional) == 1, r)
    r = ask("victim.test")
    checks.check("records of other names: not kept", r.data == [GOOD] and len(up.of("victim.test")) == 1, r)
    r = ask("dname.sub.test")
    checks.check("DNAME for an ancestor: the answer", r.data == [GOOD] or r.status == "SERVFAIL", r)
    r = ask("good-other.sub.test")
    checks.check("DNAME for an ancestor: not kept for other names",
                 r.data == [GOOD] and len(r.answer) == 1 and len(up.of("good-other.sub.test")) == 1, r)


def chains(checks, ask, up):
    r = ask("loop-a.test")
    checks.check("CNAME loop: answered in 5 s, at most 24 questions",
                 r.took < 5 and len(up.of("loop-a.test")) + len(up.of("loop-b.test")) <= 24, r)
    for name in ("back.corp.example", "back-and-forth.test"):
        r = ask(name)
        checks.check(f"a circle of ours and theirs is gone round once: {name}",
                     [record.type for record in r.answer] == [5, 5] and len(up.of("back-and-forth.test")) == 1, r)
    r = ask("chain.test")
    checks.check("a chain of 60 CNAMEs in one reply: SERVFAIL", r.status == "SERVFAIL" and r.took < 8, r)
    r = ask("hop-0.test")
    n = sum(1 for s in up.seen if s.name.startswith("hop-"))
    checks.check("endless CNAME chain: answered in 8 s, at most 40 questions", r.took < 8 and n <= 40, f"{r} {n}")
    r = ask("maginot.test")
    checks.check("F-maginot: another zone's resolver is asked for what it is there for",
                 FORGED not in r.data and GOOD in r.data, r)
    r = ask("www.b")
    checks.check("F-maginot: nothing forged is kept", r.data == [GOOD], r)
    r = ask("www.corp.example")
    checks.check("an alias out of a zone of ours is followed", r.data == [GOOD] and len(r.answer) == 2, r)
    r = ask("far.corp.example")
    checks.check("the same while the answer is slow", r.data == [GOOD] and len(r.answer) == 2, r)
    r = ask("far.corp.example", tcp=True)
    checks.check("the same over TCP", r.data == [GOOD] and len(r.answer) == 2, r)
    r = ask("www.corp.example", flags=0)
    checks.check("without RD it is not", r.data == [] and len(r.answer) == 1, r)


def dead_names(checks, ask, up):
    r = ask("silent.test")
    checks.check("a silent name: SERVFAIL within 3 s, EDE 22", (r.status, r.ede) == ("SERVFAIL", 22) and r.took <= 3, r)
    n = len(up.of("silent.test"))
    checks.check("at most 3 tries", n <= 3, n)
    r = ask("silent.test")
    checks.check("asked again: at once, nobody is asked", r.status == "SERVFAIL" and r.took < 1
                 and len(up.of("silent.test")) == n, r)
    r = ask("dead.corp.example")
    checks.check("an alias to a silent name: SERVFAIL within 3 s", r.status == "SERVFAIL" and r.took <= 3, r)


def dead_resolver(checks, ask, up):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        rs = list(pool.map(lambda i: ask(f"silent-{i}.test"), range(12)))
    checks.check("twelve silent names: SERVFAIL", all(r.status == "SERVFAIL" and r.took <= 3.1 for r in rs), [str(r) for r in rs])
    r = ask("garbage.test")
    checks.check("garbage only: SERVFAIL", r.status == "SERVFAIL" and r.took <= 3.1, r)
    r = ask("good-after.test")
    checks.check("one dead name never marks the resolver dead", r.data == [GOOD] and r.took < 1.5, r)


def unreachable(checks, ask, up):
    r = ask("good.two.test")
    checks.check("F-icmp: the next resolver at once", r.data == [GOOD] and r.took < PATIENCE_S, r)
    r = ask("good.gone.test")
    checks.check("nobody there: SERVFAIL within 3 s, EDE 23", (r.status, r.ede) == ("SERVFAIL", 23) and r.took <= 3, r)


def streams(checks, ask, up):
    r = ask("tc.test")
    checks.check("TC: over TCP", r.data == [GOOD] and len(up.of("tc.test", "tcp")) == 1, r)
    for kind in ("tctc", "tcclose"):
        r = ask(f"{kind}.test")
        n = len(up.of(f"{kind}.test", "tcp"))
        checks.check(f"{kind}: SERVFAIL, at most 12 tries over TCP", r.status == "SERVFAIL" and n <= 12, f"{r} {n}")
    r = ask("huge.test")
    checks.check("3,900 records: TC and at most 1232 bytes, or SERVFAIL",
                 (r.flags & TC and r.size <= 1232) or r.status == "SERVFAIL", r)
    r = ask("huge.test", tcp=True)
    checks.check("3,900 records over TCP: all of them", len(r.data) == 3900, r)


def ttls(checks, ask, up):
    ask("highttl.test")
    r = ask("highttl.test")
    checks.check("TTL with the high bit is 0: not kept", r.answer[0].ttl == 0 and len(up.of("highttl.test")) == 2, r)
    r = ask("longttl.test")
    checks.check("a TTL of 68 years: at most 7 days", r.answer[0].ttl <= 604800, r)
    ask("zerottl.test")
    r = ask("zerottl.test")
    checks.check("TTL 0 is not kept", r.data == [GOOD] and len(up.of("zerottl.test")) == 2, r)


def denials(checks, ask, up):
    r = ask("nx.test")
    r = ask("nx.test", "AAAA")
    checks.check("NXDOMAIN with SOA: kept, for all types", r.status == "NXDOMAIN" and len(up.of("nx.test")) == 1
                 and len(r.authority) == 1, r)
    r = ask("a.b.nx.test")
    checks.check("A12: nothing is below a name that does not exist", r.status == "NXDOMAIN" and not up.of("a.b.nx.test"), r)
    checks.check("A12: its SOA stands there", len(r.authority) == 1, r)
    r = ask("nxbare.test")
    checks.check("NXDOMAIN without SOA", r.status in ("NXDOMAIN", "SERVFAIL"), r)
    ask("good-nodata.test", "TXT")
    r = ask("good-nodata.test", "TXT")
    checks.check("NODATA is kept", r.status == "NOERROR" and not r.answer and len(up.of("good-nodata.test")) == 1, r)


def failures(checks, ask, up):
    for kind in ("refused", "servfail"):
        r = ask(f"{kind}.test")
        checks.check(f"upstream {kind}: SERVFAIL or REFUSED", r.status in ("SERVFAIL", "REFUSED") and r.took < 1, r)
    for kind in ("formerr", "badvers"):
        r = ask(f"{kind}.test")
        checks.check(f"{kind} to EDNS: asked without", r.data == [GOOD] or r.status == "SERVFAIL", r)
    for kind in ("pointer", "rdlength", "ancount", "length"):
        r = ask(f"{kind}.test")
        checks.check(f"{kind}: a lie, SERVFAIL", r.status == "SERVFAIL" and not r.answer, r)
    r = ask("ede.test", payload=512)
    checks.check("1,400 letters of EDE: at most 512 bytes", r.size <= 512 and r.data == [GOOD], r)
    r = ask("agent.test")
    checks.check("a report agent of 255 bytes: SERVFAIL", r.status == "SERVFAIL", r)


def bits(checks, ask, up):
    r = ask("good-bits.test", do=True, flags=RD | CD)
    seen = up.of("good-bits.test")[0]  # a late reply has another one follow, without EDNS
    checks.check("DO and CD go through", seen.is_do and seen.is_cd and r.flags & CD, seen)
    checks.check("RA, no AA", r.flags & RA and not r.flags & AA, r)
    n = len(up.of("good-bits.test"))
    ask("good-bits.test")
    seen = up.of("good-bits.test")[n:]
    checks.check("without DO and CD it is another question", seen and not (seen[0].is_do or seen[0].is_cd), seen)
    checks.equal("the size that is announced", {s.size for s in up.seen if s.size is not None}, {1232})
    r = ask("ad.test", flags=RD | AD)
    checks.check("AD of a resolver that is not trusted", not r.flags & AD, r)
    r = ask("ad.trusted.test", flags=RD | AD)
    checks.check("AD of one that is", r.flags & AD, r)
    r = ask("good-never.test", flags=0)
    checks.check("RD=0: what is not there is refused", r.status == "REFUSED" and not up.of("good-never.test"), r)
    r = ask("good-bits.test", flags=0)
    checks.check("RD=0: what is there is shown", r.data == [GOOD], r)
    r = ask(".", "NS")
    checks.check(". NS is refused at once", r.status == "REFUSED" and r.took < 0.5, r)
    r = ask("localhost")
    checks.check("RFC 6761: localhost is here, and nobody is asked", r.data == ["127.0.0.1"] and r.flags & AA
                 and not up.of("localhost"), r)
    r = ask("localhost", source="127.0.0.9")
    checks.check("RFC 6761: who may not ask is refused", (r.status, r.ede) == ("REFUSED", 18), r)
    r = ask("good-name.onion")
    checks.check("RFC 7686: onion is not in the DNS, and nobody is asked", r.status == "NXDOMAIN" and len(r.authority) == 1
                 and not up.of("good-name.onion"), r)
    r = ask("good-name.own.onion")
    checks.check("RFC 7686: but who has a zone for it", r.data == [GOOD] and not r.flags & AA, r)
    r = ask("good-denied.test", source="127.0.0.9")
    checks.check("A21: who may not ask: REFUSED, EDE 18, no RA, nobody is asked", (r.status, r.ede) == ("REFUSED", 18)
                 and not r.flags & RA and not up.of("good-denied.test"), r)
    r = ask("ns.corp.example", source="127.0.0.9")
    checks.check("A21: our own names are for all", r.data == ["192.0.2.53"] and not r.flags & RA, r)


def at_once(checks, ask, up):
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        rs = list(pool.map(lambda i: ask("slow.test", tcp=i % 5 == 0), range(100)))
    checks.check("100 who ask the same: all answered", all(r.data == [GOOD] for r in rs), [str(r) for r in rs[:3]])
    checks.check("100 who ask the same: at most 2 questions", len(up.of("slow.test")) <= 2, len(up.of("slow.test")))

    def with_subnet(i):
        return ask("slow-ecs.test", options=subnet(f"198.51.{i}.0/24"))

    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        rs = list(pool.map(with_subnet, range(60)))
    checks.check("60 subnets: at most 2 questions", all(r.data == [GOOD] for r in rs) and len(up.of("slow-ecs.test")) <= 2,
                 len(up.of("slow-ecs.test")))
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        rs = list(pool.map(lambda i: ask(f"good-r{i}.random.test"), range(400)))
    seen = [s for s in up.seen if s.name.endswith(".random.test")]
    ports, ids = {s.port for s in seen}, {s.id for s in seen}
    checks.check("400 names: all answered", all(r.data == [GOOD] for r in rs), len(seen))
    checks.check("400 names: 95 % distinct ports, far apart", len(ports) >= 0.95 * 400 and max(ports) - min(ports) > 20000,
                 (len(ports), max(ports) - min(ports)))
    steps = [(b.id - a.id) % 65536 for a, b in zip(seen, seen[1:])]
    checks.check("400 names: 97 % distinct ids, no common difference",
                 len(ids) >= 0.97 * 400 and max(steps.count(s) for s in set(steps)) <= 4, len(ids))
    mixed = [s for s in seen if s.qname != s.qname.lower()]
    checks.check("400 names: in random case", len(mixed) > 390 and len({s.qname[-11:] for s in seen}) > 100, len(mixed))

    def insist(i):
        """Three hundred questions at once may be more than a busy server's socket holds."""
        try:
            return ask(f"silent-bomb{i}.test")
        except TimeoutError:
            return ask(f"silent-bomb{i}.test")

    with concurrent.futures.ThreadPoolExecutor(300) as pool:
        rs = list(pool.map(insist, range(300)))
    bombs = [s for s in up.seen if s.name.startswith("silent-bomb")]
    checks.check("F-bomb: 300 silent names of one client: all are told", all(r.status == "SERVFAIL" for r in rs),
                 len(rs))
    checks.check("F-bomb: no more than 3 tries for each", len(bombs) <= 900, len(bombs))


def stale(checks, ask, up):
    ask("stale.test")
    ask("stalenx.test")
    for name in ("stale.test", "stalenx.test"):
        up.switch[name] = "silent"
    time.sleep(3)
    r = ask("stale.test")
    checks.check("C1: expired, and the resolver is silent: within 1.8 s, TTL 30, EDE 3",
                 r.data == [GOOD] and r.took <= 1.8 and r.ede == 3 and r.answer[0].ttl == 30, r)
    r = ask("stalenx.test")
    checks.check("C1: the same for a denial: EDE 19", r.status == "NXDOMAIN" and r.took <= 1.8 and r.ede == 19, r)
    time.sleep(1.5)
    n = len(up.of("stale.test"))
    r = ask("stale.test")
    checks.check("C1: after the failure at once, nobody is asked", r.data == [GOOD] and r.ede == 3 and r.took < 1
                 and len(up.of("stale.test")) == n, r)
    up.switch["stale.test"] = "good"
    checks.becomes("C2: the resolver is back: fresh within 30 s", lambda: ask("stale.test").ede, lambda ede: ede is None, 30)


def failing_longer(checks, ask, up):
    name = "servfail-c7.test"
    ask(name)
    start = time.monotonic()
    while time.monotonic() - start < 17:
        ask(name)
        time.sleep(0.25)
    times = [s.time - start for s in up.of(name)]
    checks.check("C7: a failure is kept for 5 s, then for 10 s", len(times) == 3 and 4.5 < times[1] < 6 and 14 < times[2] < 17,
                 times)
    r = ask("late.test")
    checks.check("a reply that is late: SERVFAIL first", r.status == "SERVFAIL" and r.took <= 3, r)
    time.sleep(2)
    r = ask("late.test")
    checks.check("a reply that is late: for those who ask later", r.data == [GOOD], r)


def make_certificate(dir, stem, days):
    """For dns.test and 127.0.0.1; with a negative number of days it has expired."""
    key, request, certificate = dir / f"{stem}.key", dir / f"{stem}.csr", dir / f"{stem}.crt"
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", request, "-subj", "/CN=dns.test", "-addext", "subjectAltName=DNS:dns.test,IP:127.0.0.1"],
                   check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", str(days), "-copy_extensions",
                    "copy", "-out", certificate], check=True, capture_output=True)
    return certificate, key


def tls(checks, ask, dot, old, hello):
    r = ask("good.dot.test")
    checks.check("DoT: the answer, over TLS", r.data == [GOOD] and [s.proto for s in dot.of("good.dot.test")] == ["tls"], r)
    n_before = dot.n_streams
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        rs = list(pool.map(lambda i: ask(f"slow-{i}.dot.test"), range(50)))
    checks.check("DoT: 50 slow questions at once, on one connection for each thread",
                 all(r.data == [GOOD] and r.took < 2 for r in rs) and dot.n_streams - n_before <= 2, (dot.n_streams - n_before, str(rs[0])))
    r = ask("good.ip.dot.test")
    checks.check("DoT: by address", r.data == [GOOD], r)
    for zone, what in (("name", "another name in its certificate"), ("old", "a certificate that has expired"),
                       ("self", "a certificate that nobody we trust signed")):
        r = ask(f"good.{zone}.dot.test")
        seen = dot.of(f"good.{zone}.dot.test") + old.of(f"good.{zone}.dot.test")
        checks.check(f"DoT: {what}: SERVFAIL, EDE 23, and nothing in plain", (r.status, r.ede) == ("SERVFAIL", 23) and not seen, r)
    r = ask("good.next.dot.test")
    checks.check("DoT: closed after the ClientHello: the next one", r.data == [GOOD] and r.took < 1, r)
    for name in ("big", "many"):
        rs = [ask(f"good-{name}{i}.next.dot.test") for i in range(3)]
        checks.check(f"DoT: and again ({name})", all(r.data == [GOOD] for r in rs), [str(r) for r in rs])


def authorities(checks, daemon, ask, dir):
    """A CA's file with another content at the same path counts after a reload, and what it vouched for before does no more."""
    def says(stem):
        (dir / "next.crt").write_bytes((dir / f"{stem}.crt").read_bytes())
        (dir / "next.crt").rename(dir / "self.crt")
        return daemon.ctl("reload", "--wait")[0]

    checks.equal("DoT: the CA's file is exchanged for the one who signed", says("good"), 0)
    r = ask("good-signed.self.dot.test")
    checks.check("DoT: which lets the resolver in", r.data == [GOOD], r)
    checks.equal("DoT: and back", says("old"), 0)
    for name in ("good-unsigned", "good-signed"):
        r = ask(f"{name}.self.dot.test")
        checks.check(f"DoT: which keeps it out, and what it said: {name}", (r.status, r.ede) == ("SERVFAIL", 23), r)


def flush_all(daemon):
    """On a machine that is busy the threads may not be done in the two seconds that the daemon waits: it says so."""
    end = time.monotonic() + 60
    while True:
        code, out, err = daemon.ctl("cache", "flush")
        if code == 0 or "the cache is busy" not in err or time.monotonic() > end:
            return code, out, err


def by_hand(checks, daemon, ask, up):
    for name in ("good-a.hand.test", "good-b.sub.hand.test", "good-c.sub.hand.test", "nx-d.sub.hand.test"):
        ask(name)
    code, out, err = daemon.ctl("cache", "dump", "hand.test")
    names = sorted(line.split()[0] for line in out.splitlines()[1:])
    checks.check("cache dump NAME: that name and all below", code == 0 and names == [
        "good-a.hand.test.", "good-b.sub.hand.test.", "good-c.sub.hand.test.", "nx-d.sub.hand.test."], out + err)
    code, out, _ = daemon.ctl("cache", "dump")
    checks.check("cache dump: all there is", code == 0 and len(out.splitlines()) > 100, len(out.splitlines()))
    code, out, _ = daemon.ctl("explain", "name.onion")
    checks.check("explain: a special name", code == 0 and "NXDOMAIN: a special name" in out and "by zone" not in out, out)
    code, out, _ = daemon.ctl("explain", "good-a.hand.test")
    checks.check("explain: by which zone, to whom, what is cached", code == 0 and "by zone . to 127.0.0.1:" in out
                 and "fresh: answer, TTL left" in out, out)
    code, out, _ = daemon.ctl("explain", "good-a.hand.test", "--from", "192.0.2.99")
    checks.check("explain: who may not ask", code == 0 and "allowRecursion" in out, out)
    code, out, err = daemon.ctl("cache", "flush", "good-a.hand.test")
    ask("good-a.hand.test")
    checks.check("cache flush NAME: that one is asked again", code == 0 and "1 entries" in out
                 and len(up.of("good-a.hand.test")) == 2, out + err)
    code, out, err = daemon.ctl("cache", "flush", "sub.hand.test", "--tree")
    ask("good-b.sub.hand.test")
    ask("nx-d.sub.hand.test")
    checks.check("cache flush NAME --tree: and all below", code == 0 and "3 entries" in out
                 and len(up.of("good-b.sub.hand.test")) == 2 and len(up.of("nx-d.sub.hand.test")) == 2, out + err)
    code, out, err = flush_all(daemon)
    code2, out2, _ = daemon.ctl("cache", "dump", "-o", "json")
    checks.check("cache flush: everything", code == 0 and code2 == 0 and json.loads(out2)["items"] == [], out + err)
    for after in ("x", "0", "0:x", "0:99999999999999", "9:0", "-1:0"):
        status, text = daemon.get(f"/api/v1/cache?after={after}")
        checks.check(f"a part that is none ({after}): refused, or empty", status == 400 or (status == 200 and '"items":[]' in text),
                     text[:200])
    checks.equal("cache flush --tree wants a name", daemon.ctl("cache", "flush", "--tree")[0], 2)
    status = json.loads(daemon.get("/api/v1/status")[1])["forward"]
    zones = {zone["zone"]: zone["to"] for zone in status}
    checks.check("status: each resolver", zones["."][0]["up"] and zones["."][0]["answers"] > 100
                 and not zones["gone.test."][0]["up"], zones)
    metrics = daemon.get("/metrics")[1]
    checks.check("metrics: hits, misses and what is kept", all(name in metrics for name in (
        "pintle_cache_hits_total ", "pintle_cache_misses_total ", "pintle_cache_served_stale_total ",
        "pintle_cache_used_bytes ", "pintle_forward_upstream_up{zone=\"gone.test.\"")), metrics[:300])


def loops(checks, dir):
    """Two that forward to each other, and one that forwards to itself behind a wildcard."""
    ports = [free_port(), free_port()]
    (dir / "empty" / "c1").mkdir(parents=True)
    daemons = []
    for i in range(2):
        daemons.append(Daemon(dir, f"loop{i}", "--clusters-dir", dir / "empty", "--listen", f"127.0.0.1:{ports[i]}",
                              "--forward", f"127.0.0.1:{ports[1 - i]}"))
    r = Asker(ports[0])("www.loop.test")
    checks.check("F-loop: two that forward to each other: SERVFAIL within 3 s", r.status == "SERVFAIL" and r.took <= 3.1, r)
    n = 0
    for daemon in daemons:
        for line in daemon.get("/metrics")[1].splitlines():
            if line.startswith("pintle_forward_upstream_queries_total"):
                n += float(line.split()[-1])
    checks.check("F-loop: no storm", 0 < n <= 50, n)
    for daemon in daemons:
        daemon.stop(signal.SIGINT)
    owner = dir / "owner.yaml"  # has a zone, and forwards all else to the one that asks it
    (dir / "owner.zone").write_text("@ 60 SOA ns h 1 60 60 60 60\n@ 60 NS ns\nwww 60 A 192.0.2.80\n")
    owner.write_text(f'clusters: [{{name: c1, directory: empty/c1}}]\nzones: {{files: [{{zone: owned.test, file: owner.zone}}]}}\n'
                     f'forward: [{{to: ["127.0.0.1:{ports[0]}"]}}]\n')
    asking = dir / "asking.yaml"
    asking.write_text(f'clusters: [{{name: c1, directory: empty/c1}}]\n'
                      f'forward: [{{zone: owned.test, to: ["127.0.0.1:{ports[1]}"]}}, {{to: ["127.0.0.1:{free_port()}"]}}]\n')
    daemons = [Daemon(dir, "owner", "--config", owner, "--listen", f"127.0.0.1:{ports[1]}"),
               Daemon(dir, "asking", "--config", asking, "--listen", f"127.0.0.1:{ports[0]}")]
    time.sleep(0.3)  # whatever its own question was, it has come back by then; nothing waits for this
    r = Asker(ports[0])("www.owned.test")
    checks.check("F-loop: who forwards all else to us is asked about its own zone", r.status == "NOERROR",
                 (r, daemons[1].log_text()))
    for daemon in daemons:
        daemon.stop(signal.SIGINT)
    done = subprocess.run([PINTLED, "--clusters-dir", str(dir / "empty"), "--listen", "127.0.0.1:5399", "--forward",
                           "127.0.0.1:5399", "--check"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    checks.check("F-loop: a listener of its own is no resolver", done.returncode != 0 and "loop" in done.stderr, done.stderr)


def everything(checks, dir):
    first, second = Upstream(), Upstream()
    closed = free_port()
    dot = Upstream(certificate=make_certificate(dir, "good", 2))
    old = Upstream(certificate=make_certificate(dir, "old", -1))
    (dir / "self.crt").write_bytes((dir / "old.crt").read_bytes())
    hello = Upstream(certificate=(dir / "good.crt", dir / "good.key"), at_hello=True)
    (dir / "c1").mkdir()
    (dir / "corp.zone").write_text(ZONE)
    config = dir / "pintle.yaml"
    config.write_text(CONFIG.format(first=first.port, second=second.port, closed=closed, dot=dot.port,
                                   old=old.port, hello=hello.port))
    daemon = Daemon(dir, "forward", "--config", config, "--workers", os.environ.get("WORKERS", "2"))
    ask = Asker(daemon.port)
    at_a_time = (forgeries, chains, dead_names, unreachable, streams, ttls, denials, failures, bits, stale, failing_longer)
    with concurrent.futures.ThreadPoolExecutor(len(at_a_time)) as pool:
        list(pool.map(lambda part: guarded(checks, part, ask, first), at_a_time))
    for part in (at_once, dead_resolver):
        guarded(checks, part, ask, first)
    guarded(checks, tls, ask, dot, old, hello)
    guarded(checks, by_hand, daemon, ask, first)
    guarded(checks, authorities, daemon, ask, dir)
    guarded(checks, loops, dir)
    checks.equal("it ends when told to", daemon.stop(signal.SIGINT), 0)
    if checks.failed:
        print(daemon.log_text()[-3000:])


if __name__ == "__main__":
    sys.exit(play("upstream", everything))
