#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The zone file provider: what it writes is read by it, by Knot DNS and by BIND, and never what somebody else wrote.

Needs knotc and named-checkzone. Prints one line per check and, last, "N passed, N failed".
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import servers  # noqa: E402
from servers import Driver, check, record_set, verdicts  # noqa: E402

SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
ZONE = "example.com"
FIRST = """\
; pintle records v1 example.com
; Written whole by Pintle: what is changed here by hand is lost.
$ORIGIN .
example.com 300 IN SOA ns1.example.net hostmaster.example.com 1 3600 600 1209600 60
example.com 300 IN NS ns1.example.net
a-app.example.com 60 IN TXT "heritage=external-dns,external-dns/owner=demo"
app.example.com 60 IN A 192.0.2.1
app.example.com 60 IN A 192.0.2.2
"""


def own(name, *values, kind="A", ttl=60):
    txt = record_set(f"a-{name}", "TXT", '"heritage=external-dns,external-dns/owner=demo"', ttl=60)
    return [(None, record_set(name, kind, *values, ttl=ttl)), (None, txt)]


def loads(path):
    """What other programs say of the file; "" when they take it."""
    home = path.parent / "knot"
    home.mkdir(exist_ok=True)
    (home / "knot.conf").write_text(f'server:\n    rundir: "{home}"\ndatabase:\n    storage: "{home}"\n'
                                    f'zone:\n  - domain: {ZONE}\n    file: "{path}"\n')
    said = ""
    for command in (["knotc", "-c", f"{home}/knot.conf", "zone-check", ZONE],
                    ["named-checkzone", "-q", "-i", "none", ZONE, path]):
        program = shutil.which(command[0], path=SBIN)
        done = subprocess.run([program] + command[1:], capture_output=True, text=True, check=False)
        said += "" if done.returncode == 0 else f"{command[0]}: {done.stdout}{done.stderr}"
    return said


def writing(root, driver):
    path = pathlib.Path(root) / f"{ZONE}.zone"
    listing = driver.list(ZONE)
    check("no file is an empty zone", listing["fault"] == "none" and listing["sets"] == [], listing)
    outcome = driver.apply(ZONE, own(f"app.{ZONE}", "192.0.2.2", "192.0.2.1"))
    check("sets are made", verdicts(outcome) == ["applied"], outcome)
    check("the file is as it should be", path.read_text() == FIRST, path.read_text())
    check("others take it", loads(path) == "", loads(path))
    listing = driver.list(ZONE)
    check("it is read back", [one["name"] for one in listing["sets"]] == [f"a-app.{ZONE}", f"app.{ZONE}"]
          and listing["sets"][1]["values"] == ["192.0.2.1", "192.0.2.2"], listing)
    check("an unchanged file is told", driver.list(ZONE, version=listing["version"])["unchanged"])
    before = path.stat()
    outcome = driver.apply(ZONE, own(f"app.{ZONE}", "192.0.2.9"), [(None, record_set(f"b.{ZONE}", "A", "192.0.2.300"))])
    check("what is there already is a conflict, what is no address is refused",
          verdicts(outcome) == ["conflict", "refused"] and outcome["fault"] == "none", outcome)
    check("and the file is not touched", path.stat().st_mtime_ns == before.st_mtime_ns and path.read_text() == FIRST)
    kinds = {"AAAA": "2001:db8::1", "CAA": '0 issue "ca.example.net"', "CNAME": "lb.example.net", "DNAME": "new.example.net",
             "DS": "1 8 2 " + "ab" * 32, "MX": "10 mx.example.net", "NAPTR": '1 2 "u" "E2U+sip" "!^.*$!sip:x@y!" .',
             "NS": "ns.example.net", "PTR": "host.example.net", "SRV": "0 5 5060 sip.example.net",
             "SSHFP": "4 2 " + "cd" * 32, "TLSA": "3 1 1 " + "ef" * 32, "TXT": '"with \\"quotes\\"; \\\\ and \\255" "two"',
             "URI": '1 2 "https://x/y"'}
    changes = [[(None, record_set(f"t{i}.{ZONE}", kind, value, ttl=30))] for i, (kind, value) in enumerate(kinds.items())]
    changes += [[(None, record_set(f"*.wild.{ZONE}", "A", "192.0.2.3", ttl=30))],
                [(None, record_set(f"odd\\.label\\032x.{ZONE}", "A", "192.0.2.4", ttl=30))]]
    outcome = driver.apply(ZONE, *changes)
    check("all types are written", set(verdicts(outcome)) == {"applied"}, outcome)
    check("and others take them", loads(path) == "", loads(path))
    check("and are read back", {(one["type"], one["values"][0]) for one in driver.list(ZONE)["sets"]}
          >= set(kinds.items()), driver.list(ZONE))
    check("the serial has grown by one", " 2 3600 600" in path.read_text())


def refusing(root, driver):
    path = pathlib.Path(root) / "foreign.example.zone"
    for what, text in (("somebody else's file", "$TTL 60\n@ SOA a b 1 2 3 4 5\n"), ("an empty file", ""),
                       ("another zone's file", FIRST), ("a file that a hand has changed",
                                                        FIRST.replace("example.com", "foreign.example") + "www A 192.0.2.1\n"),
                       ("a file that is cut", FIRST.replace("example.com", "foreign.example")[:-5])):
        path.write_text(text)
        listing = driver.list("foreign.example")
        outcome = driver.apply("foreign.example", own("app.foreign.example", "192.0.2.1"))
        check(f"{what} is refused", listing["fault"] in ("denied", "malformed") and listing["message"]
              and verdicts(outcome) == ["retry"], (listing, outcome))
        check(f"{what} stays as it is", path.read_text() == text)
    check("no name of a file", driver.list("../example.com")["fault"] == "no-zone")
    nowhere = Driver(f"{root}/driver.log", kind="zonefile", directory=f"{root}/nowhere")
    check("a directory that is not there is no empty zone", nowhere.list(ZONE)["fault"] == "unreachable")
    os.mkdir(f"{root}/shut.example.zone")
    check("a directory in the place of a file", driver.list("shut.example")["fault"] == "failed", driver.list("shut.example"))


def history(driver):
    """Random changes: what is wanted is what is there; the same wish twice writes nothing."""
    rng, ours = random.Random(7), {}
    for step in range(150):
        wanted = {key: one for key, one in ours.items() if rng.random() < 0.8}
        for _ in range(rng.randrange(5)):
            name, kind = f"h{rng.randrange(20)}.r.example", rng.choice(("A", "TXT"))
            wanted[name, kind, ""] = record_set(name, kind, *sorted({f"192.0.2.{rng.randrange(9)}" for _ in range(3)}
                                                                   if kind == "A" else {f'"{rng.randrange(9)}"'}), ttl=60)
        changes = [[(ours.get(key), wanted.get(key))] for key in sorted(set(ours) | set(wanted))
                   if ours.get(key) != wanted.get(key)]
        outcome = driver.apply("r.example", *changes)
        if set(verdicts(outcome)) - {"applied"} or driver.sets("r.example") != wanted:
            check(f"step {step} of a random history", False, (changes, outcome, driver.sets("r.example"), wanted))
            return
        ours = wanted
    check("a random history of 150 steps", True)


def crashes(root, driver):
    """Killed at any moment, the file has all of a call's changes or none."""
    rng, made = random.Random(11), set()
    for turn in range(12):
        victim = Driver(f"{root}/driver.log", kind="zonefile", directory=root)
        changes = [[{"was": was, "will": will} for was, will in own(f"k{turn}-{i}.c.example", "192.0.2.1")]
                   for i in range(300)]
        victim.child.stdin.write(json.dumps({"do": "apply", "zone": "c.example", "changes": changes}) + "\n")
        victim.child.stdin.flush()
        time.sleep(rng.random() * 0.06)
        victim.child.kill()
        victim.child.wait()
        names = {name for name, _, _ in driver.sets("c.example")}
        new = {name for name in names - made if name.removeprefix("a-").startswith(f"k{turn}-")}
        if not made <= names or len(new) not in (0, 600) or names - made - new:
            check("a file is whole whenever its writer is killed", False, (turn, len(new), len(made), len(names)))
            return
        made |= new
    check(f"a file is whole whenever its writer is killed; {len(made) // 2} records in 12 times", True)


def main():
    root = servers.scratch()
    driver = Driver(f"{root}/driver.log", kind="zonefile", directory=root, ns=["ns1.example.net."])
    writing(root, driver)
    refusing(root, driver)
    history(driver)
    crashes(root, driver)
    check("the driver ends well", driver.close() == 0)
    servers.finish()


if __name__ == "__main__":
    main()
