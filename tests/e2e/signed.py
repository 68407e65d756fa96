#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DO, CD and AD through the forwarder, unchanged and without validation: BIND serves signed zones, a second BIND validates
them, pintled asks that one.

Needs named, dnssec-keygen, dnssec-signzone (Debian's bind9) and dnspython. Prints one line per check and, last, "N passed,
N failed".
"""

import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from run import POLL_S, WAIT_S, Checks, Daemon  # noqa: E402  (makes ports known)
from ports import free_port  # noqa: E402

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
ASK_S = 8
START_S = 0.5  # a server that is starting may not hear the first question
GOOD, BOGUS = "signed.test", "bogus.test"
ZONE = """\
$TTL 300
@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300
@ IN NS ns1
ns1 IN A 192.0.2.53
{names}
alias IN CNAME www1
*.wild IN A 192.0.2.9
"""
# One for each check: what one of them leaves in the cache is no other one's.
NAMES = "\n".join(f"www{i} IN A 192.0.2.{i}" for i in range(1, 20))
RRSIG, NSEC = dns.rdatatype.RRSIG, dns.rdatatype.NSEC


def run(*args, cwd):
    done = subprocess.run(args, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{args[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def sign(home, zone, *times):
    """Writes and signs the zone; returns its key for a trust anchor."""
    key = run("dnssec-keygen", "-a", "ECDSAP256SHA256", "-f", "KSK", zone, cwd=home).split()[-1]
    run("dnssec-keygen", "-a", "ECDSAP256SHA256", zone, cwd=home)
    (home / f"{zone}.zone").write_text(ZONE.format(names=NAMES))
    run("dnssec-signzone", "-P", "-S", *times, "-o", zone, "-f", f"{zone}.signed", f"{zone}.zone", cwd=home)
    fields = re.search(r"DNSKEY (\d+ \d+ \d+) (.*)", (home / f"{key}.key").read_text())
    return fields.group(1), fields.group(2).replace(" ", "")


class Named:
    """One BIND."""

    def __init__(self, dir, name, options, zones):
        self.port = free_port()
        self.home, self.log = dir / name, dir / f"{name}.log"
        self.home.mkdir(exist_ok=True)
        self.home.chmod(0o777)
        (self.home / "named.conf").write_text(f"""\
options {{
    directory "{self.home}"; pid-file none; session-keyfile "{self.home}/key"; managed-keys-directory "{self.home}";
    listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; {options}
}};
controls {{ }};
{zones}
""")
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen([shutil.which("named", path=PATH), "-g", "-n", "1", "-c", self.home / "named.conf"],
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self, name):
        """Until it knows the name."""
        end = time.monotonic() + WAIT_S
        while self.child.poll() is None and time.monotonic() < end:
            try:
                if ask(self.port, name, timeout=START_S).answer:
                    return
            except (OSError, dns.exception.DNSException):
                pass
            time.sleep(POLL_S)
        raise RuntimeError("named did not start:\n" + self.log.read_text(errors="replace")[-3000:])

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
        self.child.wait()


def ask(port, name, rrtype="A", do=False, cd=False, ad=False, tcp=False, timeout=ASK_S):
    query = dns.message.make_query(name, rrtype, use_edns=0, want_dnssec=do, payload=1232)
    query.flags = dns.flags.RD | (dns.flags.CD if cd else 0) | (dns.flags.AD if ad else 0)
    over = dns.query.tcp if tcp else dns.query.udp
    return over(query, "127.0.0.1", timeout=timeout, port=port)


def records(answer, section, rrtype):
    """Texts of one type's records."""
    return sorted(record.to_text() for rrset in getattr(answer, section) if rrset.rdtype == rrtype for record in rrset)


def n_signatures(answer):
    return sum(len(rrset) for part in (answer.answer, answer.authority) for rrset in part if rrset.rdtype in (RRSIG, NSEC))


def signatures(checks, port, auth):
    """RRSIGs come when DO was set, and only then, whoever asked before."""
    for what, order, name in (("without DO first", (False, True, False, True), f"www1.{GOOD}"),
                              ("with DO first", (True, False, True, False), f"www2.{GOOD}")):
        answers = [(do, ask(port, name, do=do)) for do in order]
        checks.check(f"{what}: the address each time", all(records(a, "answer", dns.rdatatype.A) for _, a in answers))
        checks.equal(f"{what}: a signature for those with DO, and for them alone",
                     [n_signatures(a) for _, a in answers], [1 if do else 0 for do in order])
        checks.check(f"{what}: DO stands in those answers alone",
                     all(bool(a.ednsflags & dns.flags.DO) == do for do, a in answers), [a.ednsflags for _, a in answers])
    theirs, ours = ask(auth, f"www2.{GOOD}", do=True), ask(port, f"www2.{GOOD}", do=True)
    checks.equal("the signature is the zone's, byte for byte", records(ours, "answer", RRSIG), records(theirs, "answer", RRSIG))
    keys = ask(port, GOOD, "DNSKEY", do=True)
    origin = dns.name.from_text(GOOD)
    keyset = keys.get_rrset(keys.answer, origin, 1, dns.rdatatype.DNSKEY)
    name = dns.name.from_text(f"www2.{GOOD}")
    rrset = ours.get_rrset(ours.answer, name, 1, dns.rdatatype.A)
    rrsig = ours.get_rrset(ours.answer, name, 1, RRSIG, dns.rdatatype.A)
    try:
        rrset.update_ttl(rrsig[0].original_ttl)
        dns.dnssec.validate(rrset, rrsig, {origin: keyset})
        verdict = None
    except (dns.exception.DNSException, AttributeError, TypeError) as err:
        verdict = repr(err)
    checks.equal("a client that validates finds it good", verdict, None)


def denials(checks, port, auth):
    for what, name, rrtype in (("NXDOMAIN", f"no.{GOOD}", "A"), ("NODATA", f"www3.{GOOD}", "TXT"),
                               ("a wildcard", f"some.wild.{GOOD}", "A"), ("an alias", f"alias.{GOOD}", "A")):
        for tcp in (False, True):
            over = "TCP" if tcp else "UDP"
            plain, signed = ask(port, name, rrtype, tcp=tcp), ask(port, name, rrtype, do=True, tcp=tcp)
            theirs = ask(auth, name, rrtype, do=True, tcp=tcp)
            checks.equal(f"{what} over {over}: without DO no RRSIG, no NSEC", n_signatures(plain), 0)
            checks.equal(f"{what} over {over}: with DO the zone's own, all of them",
                         [records(signed, part, t) for part in ("answer", "authority") for t in (RRSIG, NSEC)],
                         [records(theirs, part, t) for part in ("answer", "authority") for t in (RRSIG, NSEC)])
            checks.equal(f"{what} over {over}: the same code", (plain.rcode(), signed.rcode()), (theirs.rcode(), theirs.rcode()))


def checking_disabled(checks, port):
    """What a validator refuses is seen with CD alone, and stays apart in the cache."""
    for what, order, name in (("without CD first", (False, True, False, True), f"www4.{BOGUS}"),
                              ("with CD first", (True, False, True, False), f"www5.{BOGUS}")):
        answers = [ask(port, name, cd=cd) for cd in order]
        checks.equal(f"bogus, {what}: SERVFAIL, with CD the data",
                     [(dns.rcode.to_text(a.rcode()), bool(a.answer)) for a in answers],
                     [("NOERROR", True) if cd else ("SERVFAIL", False) for cd in order])
        checks.equal(f"bogus, {what}: CD comes back", [bool(a.flags & dns.flags.CD) for a in answers], list(order))
    answer = ask(port, f"www6.{BOGUS}", cd=True, do=True, ad=True)
    checks.check("bogus with CD and DO: the signature, and no AD", n_signatures(answer) == 1 and not answer.flags & dns.flags.AD,
                 answer)


def authentic_data(checks, port, validator, is_trusted):
    checks.check("the validator itself says AD", ask(validator, f"www7.{GOOD}", ad=True).flags & dns.flags.AD)
    for do, ad in ((False, False), (False, True), (True, False), (True, True)):
        want = is_trusted and (do or ad)
        for turn in ("new", "cached"):
            answer = ask(port, f"www8.{GOOD}", do=do, ad=ad)
            checks.equal(f"{'trusted' if is_trusted else 'not trusted'}, DO {int(do)}, AD {int(ad)}, {turn}: AD {int(want)}",
                         bool(answer.flags & dns.flags.AD), want)


def start(dir, name, validator, is_trusted):
    (dir / "c1").mkdir(exist_ok=True)
    config = dir / f"{name}.yaml"
    config.write_text(f"""\
clusters: [{{name: c1, directory: c1}}]
forward: [{{zone: ".", to: ["127.0.0.1:{validator.port}"], trusted: {str(is_trusted).lower()}}}]
""")
    return Daemon(dir, name, "--config", config)


def run_all(checks, dir):
    home = dir / "auth"
    home.mkdir()
    anchors = {GOOD: sign(home, GOOD), BOGUS: sign(home, BOGUS, "-s", "20200101000000", "-e", "20200201000000")}
    named, daemons = [], []
    try:
        auth = Named(dir, "auth", "recursion no; dnssec-validation no;", "\n".join(
            f'zone "{zone}" {{ type primary; file "{zone}.signed"; }};' for zone in anchors))
        named.append(auth)
        auth.wait(f"www1.{GOOD}")
        validator = Named(dir, "validator", "recursion yes; dnssec-validation yes; qname-minimization off;", "\n".join(
            [f'zone "{zone}" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {auth.port}; }}; }};' for zone in anchors]
            + ["trust-anchors {"] + [f'{zone}. static-key {numbers} "{key}";' for zone, (numbers, key) in anchors.items()] + ["};"]))
        named.append(validator)
        validator.wait(f"www1.{GOOD}")
        for is_trusted in (False, True):
            daemons.append(start(dir, f"trusted-{is_trusted}", validator, is_trusted))
        signatures(checks, daemons[0].port, auth.port)
        denials(checks, daemons[0].port, auth.port)
        checking_disabled(checks, daemons[0].port)
        for is_trusted in (False, True):
            authentic_data(checks, daemons[is_trusted].port, validator.port, is_trusted)
    finally:
        for one in named + daemons:
            one.stop()


def main():
    checks = Checks()
    missing = [p for p in ("named", "dnssec-keygen", "dnssec-signzone") if not shutil.which(p, path=PATH)]
    if checks.check("named, dnssec-keygen and dnssec-signzone are installed (./x setup test)", not missing, missing):
        with tempfile.TemporaryDirectory(prefix="pintle-signed-") as temporary:
            pathlib.Path(temporary).chmod(0o755)
            try:
                run_all(checks, pathlib.Path(temporary))
            except (OSError, RuntimeError, socket.timeout, dns.exception.DNSException) as err:
                checks.check("it runs to its end", False, repr(err))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
