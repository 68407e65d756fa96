#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The PowerDNS provider against a real pdns_server (SQLite), also through a server between them that fails.

Needs pdns_server with its sqlite3 backend, and dig. Prints one line per check and, last, "N passed, N failed".
"""

import http.client
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import servers  # noqa: E402
from servers import Between, Driver, check, record_set, verdicts  # noqa: E402

KEY, ZONE = "not-a-secret-but-a-test", "example.com"
SCHEMA = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"
FOREIGN = [
    ("www", "A", 300, ["198.51.100.7"]), ("mail", "MX", 600, ["10 mx1.example.net.", "20 mx2.example.net."]),
    ("text", "TXT", 60, ['"with \\"quotes\\" and \\\\ inside"']), ("*.wild", "A", 60, ["198.51.100.8"]),
    ("_sip._tcp", "SRV", 60, ["0 5 5060 sip.example.net."]), ("caa", "CAA", 60, ['0 issue "ca.example.net"']),
]


class PowerDNS:
    def __init__(self, root):
        self.root, self.dns, self.web = root, servers.free_port(), servers.free_port()
        database = sqlite3.connect(f"{root}/pdns.sqlite3")
        database.executescript(pathlib.Path(SCHEMA).read_text())
        database.close()
        servers.write(f"{root}/pdns.conf", f"""launch=gsqlite3
gsqlite3-database={root}/pdns.sqlite3
gsqlite3-pragma-synchronous=0
local-address=127.0.0.1
local-port={self.dns}
socket-dir={root}
webserver=yes
webserver-address=127.0.0.1
webserver-port={self.web}
webserver-allow-from=127.0.0.0/8
api=yes
api-key={KEY}
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
setuid=
setgid=
""")
        self.log = f"{root}/pdns.log"
        environment = dict(os.environ, PATH=f"{os.environ.get('PATH', '')}:/usr/sbin")
        self.child = servers.spawn("pdns_server", f"--config-dir={root}", "--daemon=no", "--guardian=no", log=self.log,
                                   env=environment)
        servers.wait_for("pdns_server", lambda: self.api("GET", "")[0] == 200, self.log)

    def api(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=30)
        connection.request(method, f"/api/v1/servers/localhost{path}", None if body is None else json.dumps(body),
                           {"X-API-Key": KEY, "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text

    def make_zone(self, name, records=FOREIGN):
        rrsets = [{"name": f"{owner}.{name}.", "type": kind, "ttl": ttl, "changetype": "REPLACE",
                   "records": [{"content": value, "disabled": False} for value in values]}
                  for owner, kind, ttl, values in records]
        status, text = self.api("POST", "/zones", {"name": f"{name}.", "kind": "Native", "soa_edit_api": "",
                                                   "nameservers": [f"ns1.{name}."], "rrsets": rrsets})
        assert status == 201, text

    def dig(self, name, kind):
        out = subprocess.run(["dig", "+short", "+time=5", "@127.0.0.1", "-p", str(self.dns), name, kind],
                             capture_output=True, text=True, check=False)
        return sorted(out.stdout.split("\n")[:-1])

    def rrset(self, name, kind):
        zone = json.loads(self.api("GET", f"/zones/{ZONE}.")[1])
        return [one for one in zone["rrsets"] if (one["name"], one["type"]) == (f"{name}.", kind)]


def own(name, *values, kind="A"):
    """A set and the TXT beside it, as a change that makes them."""
    txt = record_set(f"a-{name.replace('*', 'any')}", "TXT", '"heritage=external-dns,external-dns/owner=demo"', ttl=60)
    return [(None, record_set(name, kind, *values, ttl=60)), (None, txt)]


def reading(pdns, driver):
    sets = driver.sets(ZONE)
    check("a zone is listed as it is, without its SOA",
          sorted(sets) == sorted([(f"{owner}.{ZONE}", kind, "") for owner, kind, _, _ in FOREIGN] + [(ZONE, "NS", "")]),
          sorted(sets))
    check("values are canonical", sets[f"mail.{ZONE}", "MX", ""]["values"] == ["10 mx1.example.net", "20 mx2.example.net"]
          and sets[f"text.{ZONE}", "TXT", ""]["values"] == ['"with \\"quotes\\" and \\\\ inside"'], sets)
    check("so is the TTL", sets[f"mail.{ZONE}", "MX", ""]["ttl"] == 600, sets)
    check("a zone that is not there is no empty zone", driver.list("nobody.example")["fault"] == "no-zone",
          driver.list("nobody.example"))


def writing(pdns, driver):
    before = driver.sets(ZONE)
    name = f"app.{ZONE}"
    outcome = driver.apply(ZONE, own(name, "192.0.2.1", "192.0.2.2"), own(f"*.apps.{ZONE}", "192.0.2.3"),
                           [(None, record_set(f"alias.{ZONE}", "CNAME", "lb.example.net"))],
                           [(None, record_set(f"six.{ZONE}", "AAAA", "2001:db8::1"))])
    check("sets are made", verdicts(outcome) == ["applied"] * 4 and outcome["fault"] == "none", outcome)
    check("the server answers with them", pdns.dig(name, "A") == ["192.0.2.1", "192.0.2.2"], pdns.dig(name, "A"))
    check("wildcards too", pdns.dig(f"x.apps.{ZONE}", "A") == ["192.0.2.3"])
    check("and a CNAME", pdns.dig(f"alias.{ZONE}", "CNAME") == ["lb.example.net."], pdns.dig(f"alias.{ZONE}", "CNAME"))
    check("a TTL of 0 is the provider's", driver.sets(ZONE)[f"six.{ZONE}", "AAAA", ""]["ttl"] == 300)
    comment = {"content": "do not touch", "account": "ops", "modified_at": 1700000000}
    status, text = pdns.api("PATCH", f"/zones/{ZONE}.", {"rrsets": [
        {"name": f"{name}.", "type": "A", "ttl": 60, "changetype": "REPLACE", "comments": [comment],
         "records": [{"content": "192.0.2.1", "disabled": False}, {"content": "192.0.2.2", "disabled": False}]}]})
    check("somebody leaves a comment", status == 204, text)
    was = driver.sets(ZONE)[name, "A", ""]
    outcome = driver.apply(ZONE, [(was, record_set(name, "A", "192.0.2.9", ttl=30))])
    seen = pdns.rrset(name, "A")
    check("a set is replaced", verdicts(outcome) == ["applied"] and pdns.dig(name, "A") == ["192.0.2.9"], outcome)
    check("and its comment stays", [one["content"] for one in seen[0]["comments"]] == ["do not touch"], seen)
    was = driver.sets(ZONE)
    outcome = driver.apply(ZONE, [(was[f"alias.{ZONE}", "CNAME", ""], None),
                                  (None, record_set(f"alias.{ZONE}", "A", "192.0.2.5", ttl=60))])
    check("a CNAME makes room for an address in one change",
          verdicts(outcome) == ["applied"] and pdns.dig(f"alias.{ZONE}", "A") == ["192.0.2.5"], outcome)
    now = driver.sets(ZONE)
    gone = [[(one, None)] for key, one in now.items() if key not in before]
    outcome = driver.apply(ZONE, *gone)
    check("sets go", set(verdicts(outcome)) == {"applied"}, outcome)
    check("and nobody else's has changed", driver.sets(ZONE) == before, driver.sets(ZONE))


def types(pdns, driver):
    """What is written is read as it was meant, so that a plan finds nothing to do."""
    sets = [record_set(f"t{i}.{ZONE}", kind, *values, ttl=60) for i, (kind, values) in enumerate((
        ("AAAA", ["2001:db8::1"]), ("CAA", ['0 issue "ca.example.net"']), ("CNAME", ["a\\.b.example.net"]),
        ("DNAME", ["example.net"]), ("MX", ["0 .", "10 mx.example.net"]), ("NS", ["ns.example.net"]),
        ("PTR", ["host.example.net"]), ("SRV", ["0 5 443 srv.example.net"]),
        ("TXT", ['"one" "two"', f'"{"x" * 255}" "y"', '"\\195\\164 \\" \\\\ ;"'])))]
    for one in sets:
        one["values"].sort()
    outcome = driver.apply(ZONE, *[[(None, one)] for one in sets])
    seen = driver.sets(ZONE)
    differ = [(one, seen.get((one["name"], one["type"], ""))) for one in sets if seen.get((one["name"], one["type"], "")) != one]
    check("sets of all types are read as they were written", not differ and set(verdicts(outcome)) == {"applied"},
          (outcome, differ))
    driver.apply(ZONE, *[[(one, None)] for one in sets])


def odd_names(pdns, driver):
    """Names that would mean something in a path, in JSON or in a file are names as any."""
    names = ["\\@at", "dollar\\$", "quote\\\"d", "back\\\\slash", "semi\\;", "a/b", "%2e%2e", "xn--bcher-kva", "b\\195\\188cher",
             "two\\032words", "dot\\.ted", ".".join(["x" * 63] * 3 + ["y" * 40])]
    before = driver.sets(ZONE)
    outcome = driver.apply(ZONE, *[own_change(name) for name in names])
    done = {name for name, verdict in zip(names, verdicts(outcome)) if verdict == "applied"}
    seen = {name for name, kind, _ in set(driver.sets(ZONE)) - set(before)}
    check("odd names come as they are, or are refused by the server, each alone", set(verdicts(outcome)) <= {"applied", "refused"}
          and "a/b" in done and seen == {f"{name}.{ZONE}" for name in done}, (outcome, sorted(seen)))
    sets = driver.sets(ZONE)
    driver.apply(ZONE, *[[(one, None)] for key, one in sets.items() if key not in before])
    check("and go", driver.sets(ZONE) == before, set(driver.sets(ZONE)) ^ set(before))


def over_tls(pdns, root):
    own, other = servers.certificate(f"{root}/own", "IP:127.0.0.1"), servers.certificate(f"{root}/other", "IP:127.0.0.2")
    for what, tls, ca, fault in (("with the CA that is named", own, own, "none"), ("not with the system's", own, None, "denied"),
                                 ("nor with another one", own, other, "denied"),
                                 ("nor with a certificate for somebody else", other, other, "denied")):
        between = Between(pdns.web, tls)
        driver = Driver(f"{root}/driver.log", kind="powerdns", url=between.url, apiKeyFile=f"{root}/api.key",
                        **({} if ca is None else {"ca": ca[0]}))
        listing = driver.list(ZONE)
        outcome = driver.apply(ZONE, own_change("tls"))
        check(f"TLS: {what}", listing["fault"] == fault and outcome["fault"] == fault
              and verdicts(outcome) == ["applied" if fault == "none" else "retry"], (listing["fault"], outcome))
        driver.close()
    sets = Driver(f"{root}/driver.log", kind="powerdns", url=f"http://127.0.0.1:{pdns.web}",
                  apiKeyFile=f"{root}/api.key").sets(ZONE)
    check("TLS: only the first one wrote", (f"tls.{ZONE}", "A", "") in sets)


def own_change(name):
    return [(None, record_set(f"{name}.{ZONE}", "A", "192.0.2.1", ttl=60))]


def refusals(pdns, driver, between):
    many = [own(f"n{i}.{ZONE}", f"192.0.2.{i}") for i in range(1, 41)]
    many[17] = [(None, record_set(f"bad.{ZONE}", "A", "192.0.2.300", ttl=60))]
    many[29] = [(None, record_set(f"www.{ZONE}", "CNAME", "elsewhere.example.net", ttl=60))]
    since = len(between.requests("PATCH"))
    outcome = driver.apply(ZONE, *many)
    seen = verdicts(outcome)
    check("of 40 changes the 38 good ones are done", seen.count("applied") == 38, outcome)
    check("the one that makes no sense is refused, in the server's words",
          seen[17] == "refused" and "192.0.2.300" in outcome["results"][17][1], outcome["results"][17])
    check("the one that meets somebody else's record is a conflict", seen[29] == "conflict", outcome["results"][29])
    check("in few requests", len(between.requests("PATCH")) - since <= 25, len(between.requests("PATCH")) - since)
    check("what was there stays", pdns.dig(f"www.{ZONE}", "A") == ["198.51.100.7"])
    sets = driver.sets(ZONE)
    driver.apply(ZONE, *[[(one, None)] for (name, _, _), one in sets.items() if name.startswith(("n", "a-n"))
                         and name != f"ns1.{ZONE}"])


def faults(pdns, driver, between, root):
    wrong = Driver(f"{root}/driver.log", kind="powerdns", url=between.url,
                   apiKeyFile=servers.write(f"{root}/wrong.key", "wrong"))
    check("a wrong key is told", wrong.list(ZONE)["fault"] == "denied", wrong.list(ZONE))
    open_file = servers.write(f"{root}/open.key", KEY, 0o644)
    os.chmod(open_file, 0o644)
    exposed = Driver(f"{root}/driver.log", kind="powerdns", url=between.url, apiKeyFile=open_file)
    check("a key that everybody may read is not used", exposed.list(ZONE)["fault"] == "denied", exposed.list(ZONE))
    lost = record_set(f"lost.{ZONE}", "A", "192.0.2.77", ttl=60)

    def lose(handler):
        handler.passed()
        handler.hang_up()
    between.order("PATCH", lose)
    outcome = driver.apply(ZONE, [(None, lost)], )
    check("an answer that is lost after the change leaves it unknown", verdicts(outcome) == ["unknown"]
          and outcome["fault"] == "unreachable", outcome)
    check("reading again tells that it was done", (f"lost.{ZONE}", "A", "") in driver.sets(ZONE))
    check("and doing it again is no harm", verdicts(driver.apply(ZONE, [(None, lost)])) == ["applied"])
    driver.apply(ZONE, [(lost, None)])
    between.order("PATCH", lambda handler: handler.say(500, '{"error": "database is locked"}'))
    outcome = driver.apply(ZONE, [(None, lost)], *[own(f"m{i}.{ZONE}", "192.0.2.1") for i in range(600)])
    check("a server that fails stops the run", outcome["fault"] == "failed" and verdicts(outcome)[0] == "unknown"
          and set(verdicts(outcome)[500:]) == {"retry"} and outcome["message"] == "database is locked", outcome["message"])
    between.order("GET", lambda handler: handler.say(429, "", [("Retry-After", "7")]))
    listing = driver.list(ZONE)
    check("one that is asked too often says when", listing["fault"] == "throttled" and listing["retryAfterMs"] == 7000,
          listing)
    elsewhere = Between(pdns.web)
    between.order("GET|PATCH", lambda handler: handler.say(
        307, "", [("Location", f"{elsewhere.url}{handler.path}")]), 2)
    listing, outcome = driver.list(ZONE), driver.apply(ZONE, [(None, lost)])
    check("a redirect is not followed", listing["fault"] == "malformed" and outcome["fault"] == "malformed"
          and verdicts(outcome) == ["retry"], (listing, outcome))
    check("so the key goes nowhere else", not elsewhere.seen, elsewhere.seen)

    def cut(handler):
        status, headers, content = handler.passed()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:len(content) // 2])
        handler.hang_up()
    between.order("GET", cut)
    check("half a zone is no zone", driver.list(ZONE)["fault"] == "unreachable")
    between.order("GET", lambda handler: handler.say(200, handler.passed()[2][:-40]))
    check("nor is one whose text ends early", driver.list(ZONE)["fault"] == "malformed")
    between.order("GET", lambda handler: handler.say(200, '{"name": "example.com."}'))
    check("nor one without its sets", driver.list(ZONE)["fault"] == "malformed")
    between.order("GET", lambda handler: handler.say(200, '{"rrsets": [{"name": "a..b", "type": "A", "records": '
                                                          '[{"content": "192.0.2.1"}]}]}'))
    check("nor one with a name that is none", driver.list(ZONE)["fault"] == "malformed")

    def drip(handler):
        """Gives a byte now and then."""
        content = handler.passed()[2]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for at in range(8):
            handler.wfile.write(content[at:at + 1])
            handler.wfile.flush()
            time.sleep(0.2)
        handler.wfile.write(content[8:])
    between.order("GET", drip)
    started = time.monotonic()
    check("a body that comes slowly is waited for", driver.list(ZONE)["fault"] == "none" and time.monotonic() - started > 1.5)
    between.order("PATCH", lambda handler: handler.say(422, '{"error": "RRset lost.example.com. IN A: no"}'), 2)
    outcome = driver.apply(ZONE, [(None, lost)])
    check("a set that is no good is refused", verdicts(outcome) == ["refused"] and outcome["fault"] == "none", outcome)
    between.calm()
    between.order("PATCH", lambda handler: handler.say(403, '{"error": "\\u0007no\\nway"}'))
    outcome = driver.apply(ZONE, [(None, lost)])
    check("a server's words are one line", outcome["message"] == " no way" and outcome["fault"] == "denied", outcome)
    between.calm()
    silent = servers.free_port()
    down = Driver(f"{root}/driver.log", kind="powerdns", url=f"http://127.0.0.1:{silent}", apiKeyFile=f"{root}/api.key")
    outcome = down.apply(ZONE, [(None, lost)])
    check("where nobody listens nothing was done", outcome["fault"] == "unreachable"
          and verdicts(outcome) == ["retry"], outcome)
    check("no message has the key in it", all(KEY not in str(one) for one in (listing, outcome)))


def large(pdns, driver, root):
    """A zone of 10 MB, of which the answer is read as a stream."""
    name = "large.example"
    pdns.make_zone(name, [])
    database = sqlite3.connect(f"{root}/pdns.sqlite3", timeout=60)
    zone_id = database.execute("SELECT id FROM domains WHERE name=?", (name,)).fetchone()[0]
    database.executemany("INSERT INTO records(domain_id,name,type,content,ttl,prio,disabled,auth) VALUES(?,?,'TXT',?,60,0,0,1)",
                         [(zone_id, f"host-{i}.{name}", " ".join([f'"{i:0200d}"'] * 6)) for i in range(8000)])
    database.commit()
    database.close()
    size = len(pdns.api("GET", f"/zones/{name}.")[1])
    started = time.monotonic()
    listing = driver.list(name)
    took = time.monotonic() - started
    check(f"a zone of {size >> 20} MiB is read ({took:.1f} s)", len(listing["sets"]) == 8001 and size > 8 << 20,
          (listing["fault"], listing["message"], size))


def main():
    root = servers.scratch()
    pdns = PowerDNS(root)
    pdns.make_zone(ZONE)
    between = Between(pdns.web)
    key = servers.write(f"{root}/api.key", f"{KEY}\n")
    driver = Driver(f"{root}/driver.log", kind="powerdns", url=between.url, apiKeyFile=key)
    check("it opens", driver.opened == {"error": ""}, driver.opened)
    reading(pdns, driver)
    writing(pdns, driver)
    types(pdns, driver)
    odd_names(pdns, driver)
    refusals(pdns, driver, between)
    faults(pdns, driver, between, root)
    over_tls(pdns, root)
    large(pdns, driver, root)
    check("the driver ends well", driver.close() == 0)
    servers.finish()


if __name__ == "__main__":
    main()
