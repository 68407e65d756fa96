#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Static zones: pintled beside a real Knot DNS on the same file, and what happens when a file changes.

Every name and type is asked of both over UDP and TCP; rcode, AA, TC, answer, authority and, in referrals, glue
must be the same. Needs knotd (Debian's knot). Prints one line per check and, last, "N passed, N failed".
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
from ports import free_port  # noqa: E402

KNOTD = shutil.which("knotd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
BATCH = 400

ZONE = """\
$TTL 1h
@           IN SOA ns1 hostmaster ( 2026010101 2h 30m 1d 5m ) ; remark (
            NS    ns1
            NS    ns2.sub
            MX    10 mail
            MX    20 Mail.Other.
  300       IN A  192.0.2.1
            IN 400 AAAA 2001:db8::1
            TXT   "v=spf1 -all"
            CAA   0 issue "ca.example"
ns1         A     192.0.2.53
mail        A     192.0.2.25
            AAAA  2001:db8::25
www         CNAME @
chain       CNAME chain1
chain1      CNAME chain2
chain2      A     192.0.2.77
dangling    CNAME nowhere
tosub       CNAME host.sub
outside     CNAME www.example.net.
towild      CNAME any.wild
txt         TXT   "a b" ( "c;d" e\\"f
                  "g" )
*.wild      TXT   "wild"
            MX    5 mail
here.wild   A     192.0.2.5
*.cwild     CNAME mail
*.under.ent A     192.0.2.6
a.b.c.ent   A     192.0.2.9
sub         NS    ns.sub
sub         NS    ns.elsewhere.example.
sub         DS    12345 8 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
ns.sub      A     192.0.2.54
            AAAA  2001:db8::54
ns2.sub     A     192.0.2.55
self        NS    self
self        A     192.0.2.56
old         DNAME new
old         TXT   "of the owner itself"
host.new    A     192.0.2.60
long        DNAME """ + ".".join(["x" * 60] * 3) + """
away        DNAME example.net.
svc         HTTPS 1 . alpn=h2,h3 port=8443
svcb        SVCB  2 mail port=53
u           TYPE65280 \\# 4 0102 0304
generic     TYPE1 \\# 4 01020304
multi       A     192.0.2.101
            A     192.0.2.102
            A     192.0.2.103
UPPER       A     192.0.2.7
esc\\.aped   A     192.0.2.8
\\097bc      A     192.0.2.10
loc         LOC   52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
naptr       NAPTR 100 10 "u" "sip+E2U" "!^.*$!sip:info@foo.example!i" .
sshfp       SSHFP 1 1 0123456789abcdef0123456789abcdef01234567
tlsa        TLSA  3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
uri         URI   10 1 "https://corp.example/"
rp          RP    admin.people text.people
hinfo       HINFO "cpu" "os"
$INCLUDE parts/more.zone deep.corp.example.
$ORIGIN after.corp.example.
@           A     192.0.2.90
"""
MORE = """\
p           PTR   @
_s._tcp     SRV   0 5 80 srv
            SRV   0 5 81 mail.corp.example.
srv         A     192.0.2.80
srv         A     192.0.2.80
ptr         PTR   srv
big         TXT   """ + " ".join('"' + "t" * 250 + '"' for _ in range(8)) + "\n"

NAMES = """@ ns1 mail www chain chain1 dangling tosub outside towild txt wild *.wild any.wild a.any.wild here.wild
x.here.wild foo.cwild cwild under.ent x.under.ent c.ent b.c.ent x.c.ent a.b.c.ent ent nothing x.nothing sub host.sub a.b.sub
ns.sub self x.self old a.old host.old a.host.old b.away long """.split() + [
    "y" * 62 + ".long", "svc", "svcb", "u", "generic", "multi", "upper",
    "esc\\.aped", "abc", "loc", "naptr", "sshfp", "tlsa", "uri", "rp", "hinfo", "deep", "p.deep", "_tcp.deep",
    "_s._tcp.deep", "srv.deep", "ptr.deep", "big.deep", "after", "x.after"]
TYPES = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "CNAME", "DS", "SRV", "HTTPS", "DNAME", "TYPE65280"]
OWN_TYPES = {"svcb": "SVCB", "loc": "LOC", "naptr": "NAPTR", "sshfp": "SSHFP", "tlsa": "TLSA", "uri": "URI",
             "rp": "RP", "hinfo": "HINFO", "p.deep": "PTR", "ptr.deep": "PTR", "@": "CAA"}


class Knot:
    """One knotd on the same file."""

    def __init__(self, dir, zone):
        self.port = free_port()
        home = dir / "knot"
        home.mkdir()
        (home / "knot.conf").write_text(f"""\
server:
    rundir: "{home}"
    listen: 127.0.0.1@{self.port}
database:
    storage: "{home}"
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: "{zone.parent}"
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
zone:
  - domain: corp.example
    file: "{zone.name}"
""")
        with open(dir / "knot.log", "wb") as log:
            self.child = subprocess.Popen([KNOTD, "-c", str(home / "knot.conf")], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)
        end = time.monotonic() + e2e.WAIT_S
        while ask_all(self.port, [("corp.example", "SOA")], [])[0].status != "NOERROR":
            if self.child.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError("knotd did not start:\n" + (dir / "knot.log").read_text())
            time.sleep(e2e.POLL_S)

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
        self.child.wait()


def ask_all(port, questions, options):
    """The answers to many questions, in their order."""
    answers = []
    for at in range(0, len(questions), BATCH):
        batch = "".join(f"{name} {rrtype}\n" for name, rrtype in questions[at:at + BATCH])
        with tempfile.NamedTemporaryFile("w", suffix=".dig") as file:
            file.write(batch)
            file.flush()
            done = subprocess.run(
                ["dig", "-r", "@127.0.0.1", "-p", str(port), "-f", file.name, "+tries=1", "+time=3", "+noall",
                 "+comments", "+answer", "+authority", "+additional", "+norec", "+ignore", "+nocookie",
                 "+nosplit", *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        parts = re.split(r"(?m)^(?=;; Got answer:|;; communications error|;; no servers)", done.stdout)
        answers += [e2e.Answer(part) for part in parts[1:]] if len(parts) > 1 else [e2e.Answer("")]
    return answers


def picture(answer, name, rrtype):
    """What must be the same: owners and names without regard to case, order does not matter."""
    def rows(section):
        return sorted((row[0].lower(), row[1], row[3], row[4] if row[3] == "TXT" else row[4].lower())
                      for row in section if len(row) == 5)
    is_referral = "aa" not in answer.flags and answer.authority
    return {"question": f"{name} {rrtype}", "rcode": answer.status,
            "flags": [flag for flag in answer.flags if flag in ("aa", "tc")],
            "answer": rows(answer.answer), "authority": rows(answer.authority),
            "glue": rows(answer.section("ADDITIONAL")) if is_referral else []}


def compare(checks, ours, theirs):
    """Both servers, every name and type, over UDP and TCP."""
    questions = []
    for name in NAMES:
        full = "corp.example" if name == "@" else f"{name}.corp.example"
        types = TYPES + ([OWN_TYPES[name]] if name in OWN_TYPES else [])
        questions += [(full, rrtype) for rrtype in types]
    questions += [("CORP.example", "SOA"), ("wWw.CoRp.ExAmPlE", "A")]
    for transport, options in (("UDP", ["+notcp", "+bufsize=1232"]), ("UDP without EDNS", ["+notcp", "+noedns"]),
                               ("TCP", ["+tcp"])):
        wanted = ask_all(theirs, questions, options)
        seen = ask_all(ours, questions, options)
        checks.equal(f"{transport}: both answer all {len(questions)} questions", (len(seen), len(wanted)),
                     (len(questions), len(questions)))
        differences = []
        for question, one, other in zip(questions, seen, wanted):
            mine, knots = picture(one, *question), picture(other, *question)
            if mine != knots and not is_known_difference(mine, knots):
                differences.append((mine, knots))
        checks.check(f"{transport}: every answer is Knot's", not differences,
                     f"{len(differences)} differ; " + "\n".join(
                         f"ours {mine}\n        Knot {knots}" for mine, knots in differences[:4]))


def is_known_difference(mine, knots):
    """Truncated answers hold what each server likes to keep: TC is what counts. A DNAME whose result is too long is
    YXDOMAIN (RFC 6672, section 2.2, and BIND), where Knot says NXDOMAIN."""
    is_cut = mine["flags"] == knots["flags"] and "tc" in mine["flags"] and mine["rcode"] == knots["rcode"]
    is_long = (mine["rcode"], knots["rcode"]) == ("YXDOMAIN", "NXDOMAIN") and mine["answer"] == knots["answer"]
    return is_cut or is_long


def write_files(dir):
    """The zone, a part of it, one cluster, and the configuration."""
    (dir / "zones" / "parts").mkdir(parents=True)
    (dir / "c1").mkdir()
    (dir / "zones" / "corp.zone").write_text(ZONE)
    (dir / "zones" / "parts" / "more.zone").write_text(MORE)
    (dir / "pintle.yaml").write_text("""\
apiVersion: pintle.dev/v1alpha1
kind: PintleConfig
clusters: [{name: c1, directory: c1}]
zones:
  files: [{zone: corp.example, file: zones/corp.zone}]
shutdown: {lameduck: 0}
""")
    # Knot wants included files relative to its own storage; both read the same directory.
    return dir / "zones" / "corp.zone"


def explain(checks, daemon):
    """explain tells where in the file a name stands."""
    code, out, _ = daemon.ctl("explain", "corp.example", "MX")
    checks.check("explain names file and line", code == 0 and re.search(r"corp\.zone:\d+", out), out)
    code, out, _ = daemon.ctl("explain", "x.sub.corp.example", "A")
    checks.check("explain knows a delegation", code == 0 and "referral" in out, out)


def reload_zone(checks, daemon, zone):
    """Editors rename, people append, parts change, links are swapped; a fault changes nothing."""
    def a(name):
        return daemon.dig(f"{name}.corp.example").data
    e2e.replace(zone, "192.0.2.53", "192.0.2.153")
    checks.becomes("a zone file that changes is served at once", lambda: a("ns1"), lambda d: d == ["192.0.2.153"], 3)
    with open(zone, "a", encoding="utf-8") as file:
        file.write("fresh A 192.0.2.200\n")
    checks.becomes("a record that is appended shows", lambda: a("fresh.after"), lambda d: d == ["192.0.2.200"], 3)
    e2e.replace(zone.parent / "parts" / "more.zone", "192.0.2.80", "192.0.2.180")
    checks.becomes("so does a change of an included file", lambda: a("srv.deep"), lambda d: d == ["192.0.2.180"], 3)
    text = zone.read_text()
    zone.write_text(text + "broken A 300.1.2.3\n")
    line = text.count("\n") + 1
    told = f"corp.zone:{line}: "
    checks.becomes("a fault is told with file and line", daemon.log_text, lambda log: told in log, 3)
    checks.equal("and what was read before is served on", a("fresh.after"), ["192.0.2.200"])
    zone.touch()
    checks.becomes("the metrics say so", lambda: daemon.get("/metrics")[1],
                   lambda page: 'pintle_zonefile_up{zone="corp.example"} 0' in page)
    checks.equal("the same fault is told once", daemon.log_text().count(told), 1)
    zone.write_text(text.replace("fresh A", "mended A"))
    checks.becomes("a mended file is taken", lambda: a("mended.after"), lambda d: d == ["192.0.2.200"], 3)
    checks.becomes("what it has no more is gone", lambda: daemon.dig("fresh.after.corp.example").status,
                   lambda status: status == "NXDOMAIN", 3)
    zone.unlink()
    time.sleep(0.1)
    checks.equal("a file that is gone leaves its zone", a("mended.after"), ["192.0.2.200"])
    zone.write_text(text)
    checks.becomes("and is taken when it is there again", lambda: a("fresh.after"), lambda d: d == ["192.0.2.200"], 3)


def refuse(checks, dir):
    """What --check and the start say about files that cannot be served."""
    config = dir / "pintle.yaml"
    zone = dir / "zones" / "corp.zone"
    checks.equal("--check reads zone files", e2e.run(e2e.PINTLED, "--config", config, "--check")[0], 0)
    good = zone.read_text()
    zone.write_text("$TTL 60\nwww A 1.2.3.4\n")
    code, _, err = e2e.run(e2e.PINTLED, "--config", config, "--check")
    checks.check("a zone without SOA and NS is refused", code == 1 and "no SOA" in err and "no name server" in err, err)
    (dir / "secret").write_text("www A 1.2.3.4\n")
    zone.write_text(good + "$INCLUDE ../secret\n")
    code, _, err = e2e.run(e2e.PINTLED, "--config", config, "--check")
    checks.check("a file outside the zone's directory is not included", code == 1 and "outside the directory" in err, err)
    zone.write_text(good + "$INCLUDE nowhere\n")
    code, _, err = e2e.run(e2e.PINTLED, "--config", config)
    checks.check("a missing part is told with the line that wants it",
                 code == 1 and f"corp.zone:{good.count(chr(10)) + 1}: $INCLUDE" in err, err)
    zone.write_text(good)


def all_parts(checks, dir):
    zone = write_files(dir)
    refuse(checks, dir)
    port = free_port()
    daemon = e2e.Daemon(dir, "zones", "--config", dir / "pintle.yaml", "--listen", f"127.0.0.1:{port}")
    try:
        if KNOTD:
            knot = Knot(dir, zone)
            try:
                compare(checks, port, knot.port)
            finally:
                knot.stop()
        else:
            checks.check("knotd is installed (./x setup test)", False, "no knotd in PATH or /usr/sbin")
        explain(checks, daemon)
        reload_zone(checks, daemon, zone)
    finally:
        checks.equal("the daemon ends well", daemon.stop(), 0)


if __name__ == "__main__":
    sys.exit(e2e.play("zones", all_parts))
