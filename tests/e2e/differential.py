#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same questions to pintled, Knot and BIND on the same random zone: where those two agree, Pintle says the same.

    differential.py [QUESTIONS [SEED]]     default: 2000 questions, a seed of its own; the seed is printed

Compared are opcode, rcode, flags, question, the RRsets of answer and authority with their TTLs, and EDNS. Needs knotd,
named (Debian's knot and bind9) and dnspython. Prints one line per check and, last, "N passed, N failed".
"""

import collections
import pathlib
import random
import socket
import struct
import subprocess
import sys
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402  (the helpers of the main end-to-end test)
from ports import free_port  # noqa: E402
from zones import KNOTD, Knot  # noqa: E402

NAMED = "/usr/sbin/named"
ORIGIN = "corp.example"
ASK_S = 3
UDP_OCTETS = 1232  # what all three are told to send at most
EDE_OCTETS = 6
LABELS = ["a", "b", "c", "d", "ww", "*", "_tcp", "x1", "long-label-of-more-letters"]
TYPES = ["A", "AAAA", "MX", "TXT", "SRV", "NS", "CNAME", "PTR", "CAA", "HTTPS"]
ASKED = TYPES + ["SOA", "DS", "DNAME", "TYPE65280", "NAPTR", "TYPE1000"]


def rdata(rng, rrtype, names):
    """Something that a record of that type may hold."""
    number = rng.randrange(1, 250)
    target = rng.choice(names + ["outside.example.net."])
    return {
        "A": f"192.0.2.{number}", "AAAA": f"2001:db8::{number:x}", "MX": f"{number} {target}",
        "TXT": " ".join(f'"{"t" * rng.randrange(1, 200)}"' for _ in range(rng.randrange(1, 4))),
        "SRV": f"{number} 5 80 {target}", "NS": target, "CNAME": target, "PTR": target, "DNAME": target,
        "CAA": f'0 issue "ca{number}.example"', "HTTPS": f"{number} {target} alpn=h2 port=8443",
    }[rrtype]


def make_zone(rng):
    """A zone of about 300 names: empty non-terminals, wildcards, aliases, delegations and DNAMEs among them."""
    names = []
    for _ in range(300):
        labels = [rng.choice(LABELS[:5] + LABELS[6:]) for _ in range(rng.randrange(1, 4))]
        if rng.random() < 0.15:
            labels[0] = "*"
        names.append(".".join(labels))
    names = sorted(set(names))
    full = [f"{name}.{ORIGIN}." for name in names if "*" not in name]
    lines = [f"@ 3600 IN SOA ns1 hostmaster 1 7200 3600 1209600 300", "@ 3600 IN NS ns1", "ns1 3600 IN A 192.0.2.53"]
    closed = []  # below delegations and DNAMEs nothing else may stand
    for name in names:
        if any(name == top or name.endswith("." + top) for top in closed):
            continue
        kind = rng.random()
        below = any(other.endswith("." + name) for other in names)
        if kind < 0.15:
            lines.append(f"{name} 60 IN CNAME {rdata(rng, 'CNAME', full)}")
        elif kind < 0.22 and "*" not in name and not below:
            closed.append(name)
            lines += [f"{name} 120 IN NS ns.{name}", f"ns.{name} 120 IN A 192.0.2.99"]
        elif kind < 0.26 and "*" not in name and not below:
            closed.append(name)
            lines.append(f"{name} 90 IN DNAME {rng.choice(full)}")
        else:
            for rrtype in rng.sample([t for t in TYPES if t not in ("NS", "CNAME")], rng.randrange(1, 4)):
                ttl = rng.choice([5, 60, 300])
                lines += sorted({f"{name} {ttl} IN {rrtype} {rdata(rng, rrtype, full)}"
                                 for _ in range(rng.randrange(1, 4))})
    return names, "\n".join(lines) + "\n"


def make_question(rng, names):
    """Names that are there, below and beside; mixed case; with and without EDNS and DO."""
    name = rng.choice(names).replace("*", rng.choice(["any", "*", "wild.card"]))
    if rng.random() < 0.3:
        name = f"{rng.choice(LABELS)}.{name}"
    if rng.random() < 0.1:
        name = name.partition(".")[2] or name
    if rng.random() < 0.2:
        name = name.upper()
    message = dns.message.make_query(f"{name}.{ORIGIN}.", rng.choice(ASKED), use_edns=rng.choice([None, 0, 0]),
                                     want_dnssec=False, payload=rng.choice([512, 1232, 4096]))
    if message.edns >= 0 and rng.random() < 0.3:
        message.ednsflags |= dns.flags.DO
    message.flags = dns.flags.RD if rng.random() < 0.2 else 0
    return message


def ask(port, query):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(ASK_S)
        sock.connect(("127.0.0.1", port))
        sock.send(query.to_wire())
        wire = sock.recv(65535)
        return dns.message.from_wire(wire, one_rr_per_rrset=False), len(wire)


def section(rrsets):
    return sorted((str(rrset.name).lower(), dns.rdatatype.to_text(rrset.rdtype), rrset.ttl,
                   tuple(sorted(rdata.to_text().lower() if rrset.rdtype != dns.rdatatype.TXT else rdata.to_text()
                                for rdata in rrset))) for rrset in rrsets)


def picture(answer):
    """What must be the same. A cut answer holds what each server likes to keep: then only TC counts."""
    is_cut = bool(answer.flags & dns.flags.TC)
    return {
        "opcode": answer.opcode(), "rcode": dns.rcode.to_text(answer.rcode()),
        "flags": dns.flags.to_text(answer.flags & ~dns.flags.RA),
        "question": [str(q) for q in answer.question],  # byte for byte: 0x20 comes back
        "answer": [] if is_cut else section(answer.answer),
        "authority": [] if is_cut else section(answer.authority),
        "edns": (answer.edns, answer.ednsflags if answer.edns >= 0 else None),
    }


def ask_whole(port, query):
    """The same over TCP."""
    with socket.create_connection(("127.0.0.1", port), ASK_S) as sock:
        wire = query.to_wire()
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        stream = sock.makefile("rb")
        wire = stream.read(struct.unpack("!H", stream.read(2))[0])
        return dns.message.from_wire(wire, one_rr_per_rrset=False), len(wire)


def fits(query, octets):
    """Whether that many may go over UDP; with EDNS Pintle keeps room for an extended error without text."""
    limit = max(512, min(query.payload, UDP_OCTETS))
    return octets <= limit - (EDE_OCTETS if query.edns >= 0 else 0)


class Named:
    """One BIND on the same file."""

    def __init__(self, dir, zone):
        self.port = free_port()
        home = dir / "named"
        home.mkdir()
        home.chmod(0o777)
        (home / "named.conf").write_text(f"""\
options {{
    directory "{home}"; pid-file none; session-keyfile "{home}/key"; listen-on port {self.port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }}; recursion no; minimal-responses no-auth; edns-udp-size 1232; max-udp-size 1232;
    answer-cookie no; dnssec-validation no; check-names primary ignore;
}};
controls {{ }};
zone "{ORIGIN}" {{ type primary; file "{zone}"; check-integrity no; check-mx ignore; check-sibling no;
    check-srv-cname ignore; check-mx-cname ignore; }};
""")
        with open(dir / "named.log", "wb") as log:
            self.child = subprocess.Popen([NAMED, "-g", "-c", str(home / "named.conf"), "-n", "1"],
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + e2e.WAIT_S
        query = dns.message.make_query(f"{ORIGIN}.", "SOA")
        while True:
            try:
                if ask(self.port, query)[0].answer:
                    return
            except (OSError, dns.exception.DNSException):
                pass
            if self.child.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError("named did not start:\n" + (dir / "named.log").read_text())
            time.sleep(e2e.POLL_S)

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
        self.child.wait()


def compare(checks, rng, names, ports, n):
    """Asks all three; where Knot and BIND agree, so must we."""
    n_agreed, differences, fields = 0, [], collections.Counter()
    for _ in range(n):
        query = make_question(rng, names)
        replies = [ask(port, query) for port in ports]
        ours, knots, binds = (picture(answer) for answer, _ in replies)
        if "TC" in ours["flags"] and "TC" not in knots["flags"]:  # names in it may be compressed in fewer places
            whole, octets = ask_whole(ports[0], query)
            ours = ours if fits(query, octets) else picture(whole)
        same = {key for key in knots if knots[key] == binds[key]}
        n_agreed += same == set(knots)
        wrong = [key for key in same if ours[key] != knots[key]]
        if "rcode" in same and wrong:
            fields.update(wrong)
            differences.append(f"{query.question[0]} {wrong}\n          ours {ours}\n          Knot {knots}")
    checks.check(f"of {n} questions Knot and BIND agree on most ({n_agreed})", n_agreed > n * 0.8, n_agreed)
    checks.check("where they agree, Pintle says the same", not differences,
                 f"{len(differences)} differ, {dict(fields)}\n        " + "\n        ".join(differences[:4]))


def differential(checks, dir):
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    print(f"seed {seed}")
    if not checks.check("knotd and named are installed (./x setup test)", KNOTD and pathlib.Path(NAMED).exists()):
        return
    dir.chmod(0o755)
    (dir / "c1").mkdir()
    names, text = make_zone(rng)
    zone = dir / "corp.zone"
    zone.write_text(text)
    (dir / "pintle.yaml").write_text("clusters: [{name: c1, directory: c1}]\n"
                                     f"zones: {{files: [{{zone: {ORIGIN}, file: corp.zone}}]}}\n")
    daemons = []
    try:
        port = free_port()
        daemons.append(e2e.Daemon(dir, "pintle", "--config", dir / "pintle.yaml", "--listen", f"127.0.0.1:{port}"))
        daemons += [Knot(dir, zone), Named(dir, zone)]
        compare(checks, rng, names, (port, daemons[1].port, daemons[2].port), n)
    finally:
        for daemon in daemons:
            daemon.stop()


if __name__ == "__main__":
    sys.exit(e2e.play("differential", differential))
