#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The webhook provider against external-dns's own webhook server with its in-memory provider, also through a server
between them that fails. The server is built from Go modules where it is not there yet (minutes, the first time).

Prints one line per check and, last, "N passed, N failed".
"""

import http.client
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import servers  # noqa: E402
from servers import Between, Driver, check, record_set, verdicts  # noqa: E402

ZONE, OTHER = "example.com", "other.example"
TYPE = "application/external.dns.webhook+json;version=1"


class Webhook:
    def __init__(self, root):
        self.port, self.log = servers.free_port(), f"{root}/webhook.log"
        subprocess.run(["sh", str(HERE / "webhook.sh")], check=True)  # builds it
        servers.spawn("sh", str(HERE / "webhook.sh"), f"127.0.0.1:{self.port}", ZONE, OTHER, log=self.log)
        servers.wait_for("the webhook", lambda: self.ask("GET", "/")[0] == 200, self.log)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, None if body is None else json.dumps(body), {"Accept": TYPE, "Content-Type": TYPE})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text

    def endpoints(self):
        return {(one["dnsName"], one["recordType"], one.get("setIdentifier", "")): one
                for one in json.loads(self.ask("GET", "/records")[1])}


def own(name, *values, ttl=60, **more):
    """A set and the TXT beside it, as a change that makes them."""
    txt = record_set(f"a-{name}.{ZONE}", "TXT", '"heritage=external-dns,external-dns/owner=demo"', ttl=ttl,
                     set_id=more.get("set_id", ""))
    return [(None, record_set(f"{name}.{ZONE}", "A", *values, ttl=ttl, **more)), (None, txt)]


def reading(webhook, driver):
    check("an empty zone is an empty listing", driver.sets(ZONE) == {})
    status, text = webhook.ask("POST", "/records", {"create": [
        {"dnsName": f"foreign.{ZONE}", "targets": ["192.0.2.7", "192.0.2.6"], "recordType": "A"},
        {"dnsName": f"alias.{ZONE}", "targets": ["lb.example.net."], "recordType": "CNAME", "recordTTL": 77},
        {"dnsName": f"w.{ZONE}", "targets": ["192.0.2.1"], "recordType": "A", "setIdentifier": "one", "recordTTL": 60,
         "labels": {"owner": "x"}, "providerSpecific": [{"name": "aws/weight", "value": "10"}]},
        {"dnsName": f"there.{OTHER}", "targets": ["192.0.2.9"], "recordType": "A"}]})
    check("somebody else writes", status == 204, text)
    sets = driver.sets(ZONE)
    check("one zone is listed out of all", sorted(sets) == [
        (f"alias.{ZONE}", "CNAME", ""), (f"foreign.{ZONE}", "A", ""), (f"w.{ZONE}", "A", "one")], sorted(sets))
    check("values are canonical", sets[f"alias.{ZONE}", "CNAME", ""]["values"] == ["lb.example.net"]
          and sets[f"foreign.{ZONE}", "A", ""]["values"] == ["192.0.2.6", "192.0.2.7"], sets)
    check("a TTL that is not said is the usual one", sets[f"foreign.{ZONE}", "A", ""]["ttl"] == 300
          and sets[f"alias.{ZONE}", "CNAME", ""]["ttl"] == 77, sets)
    check("set ids and properties come along", sets[f"w.{ZONE}", "A", "one"]["properties"] == {"aws/weight": "10"}, sets)
    check("a zone that the webhook is not for is told", driver.list("nobody.example")["fault"] == "no-zone")
    adjusted = driver.ask(do="adjust", zone=ZONE, sets=[record_set(f"lower.{ZONE}", "A", "192.0.2.1", ttl=60),
                                                        record_set(f"b.{ZONE}", "A", "192.0.2.1", ttl=60)])
    check("what is wanted is shown as it would be kept",
          [(one["name"], one["ttl"]) for one in adjusted["sets"]] == [(f"b.{ZONE}", 60), (f"lower.{ZONE}", 120)], adjusted)


def writing(webhook, driver):
    before = webhook.endpoints()
    outcome = driver.apply(ZONE, own("app", "192.0.2.1"), own("v", "192.0.2.2", set_id="v1", aws__weight=80),
                           own("v", "192.0.2.3", set_id="v2", aws__weight=20), [(None, record_set(f"d.{ZONE}", "A", "192.0.2.4"))])
    check("sets are made", verdicts(outcome) == ["applied"] * 4, outcome)
    there = webhook.endpoints()
    check("as external-dns would have made them", there[f"v.{ZONE}", "A", "v2"]["providerSpecific"]
          == [{"name": "aws/weight", "value": "20"}] and there[f"d.{ZONE}", "A", ""]["recordTTL"] == 300, there)
    sets = driver.sets(ZONE)
    was = sets[f"app.{ZONE}", "A", ""]
    outcome = driver.apply(ZONE, [(was, dict(was, values=["192.0.2.11"]))])
    check("a set is replaced", webhook.endpoints()[f"app.{ZONE}", "A", ""]["targets"] == ["192.0.2.11"], outcome)
    outcome = driver.apply(ZONE, [(was, dict(was, values=["192.0.2.12"]))])
    check("one that is not as listed is perhaps not", verdicts(outcome) == ["unknown"], outcome)
    many = [own(f"n{i}", f"192.0.2.{i}") for i in range(1, 41)]
    many[20] = own("picky", "192.0.2.250")
    outcome = driver.apply(ZONE, *many)
    check("of 40 changes the one that is not liked is found", verdicts(outcome).count("applied") == 39
          and verdicts(outcome)[20] == "unknown", verdicts(outcome))
    sets = driver.sets(ZONE)
    gone = [[(one, None)] for key, one in sets.items() if key not in before]
    outcome = driver.apply(ZONE, *gone)
    check("sets go", set(verdicts(outcome)) == {"applied"}, outcome["message"])
    check("and nobody else's has changed", webhook.endpoints() == before, webhook.endpoints())


def faults(webhook, driver, between):
    one = own("lost", "192.0.2.1")

    def lose(handler):
        handler.passed()
        handler.hang_up()
    between.order("POST /records", lose)
    outcome = driver.apply(ZONE, one)
    check("an answer that is lost leaves the change unknown", verdicts(outcome) == ["unknown"]
          and outcome["fault"] == "unreachable", outcome)
    check("reading again tells that it was done", (f"lost.{ZONE}", "A", "") in driver.sets(ZONE))

    def typed(kind, text):
        return lambda handler: handler.say(200, text, [("Content-Type", kind)])
    for what, match, kind, text in (
            ("another version of the protocol", "GET /$", TYPE.replace("=1", "=2"), "{}"),
            ("a web page", "GET /$", "text/html", "<html>"),
            ("a listing of another type", "GET /records", "application/json", "[]"),
            ("a listing that ends early", "GET /records", TYPE, '[{"dnsName":"a.example.com","recordType":"A","targets":["1.'),
            ("one that is no list", "GET /records", TYPE, '{"items":[]}'),
            ("one with something behind it", "GET /records", TYPE, "[]}[]"),
            ("an endpoint without a type", "GET /records", TYPE, '[{"dnsName":"a.example.com","targets":["192.0.2.1"]}]'),
            ("nothing at all", "GET /records", TYPE, "")):
        between.order(match, typed(kind, text))
        listing = driver.list(ZONE)
        check(f"{what} is no listing", listing["fault"] == "malformed", listing)
    between.order("GET /records", typed(TYPE.replace(";", "; ").upper(), "null\n"))
    listing = driver.list(ZONE)
    check("null is an empty list", listing["fault"] == "none" and not listing["sets"], listing)
    between.order("GET /records", lambda handler: handler.say(500))
    check("a failure is told", driver.list(ZONE)["fault"] == "failed")
    between.order("POST /records", lambda handler: handler.say(400))
    outcome = driver.apply(ZONE, own("bad", "192.0.2.1"))
    check("what it does not understand is refused", verdicts(outcome) == ["refused"], outcome)
    elsewhere = Between(webhook.port)
    between.order("POST /records", lambda handler: handler.say(307, "", [("Location", f"{elsewhere.url}/records")]))
    outcome = driver.apply(ZONE, own("bad", "192.0.2.1"))
    check("redirects are not followed", outcome["fault"] == "malformed" and verdicts(outcome) == ["retry"]
          and not elsewhere.seen, outcome)
    between.order("POST /records", lambda handler: handler.say(500), 1000)
    since = len(between.requests("POST"))
    outcome = driver.apply(ZONE, *[own(f"f{i}", "192.0.2.1") for i in range(400)])
    check("one that fails always is not asked for ever", len(between.requests("POST")) - since <= 100
          and set(verdicts(outcome)) <= {"unknown", "retry"}, len(between.requests("POST")) - since)
    between.calm()


def main():
    root = servers.scratch()
    webhook = Webhook(root)
    between = Between(webhook.port)
    driver = Driver(f"{root}/driver.log", kind="webhook", url=f"{between.url}/")
    check("it opens", driver.opened == {"error": ""}, driver.opened)
    reading(webhook, driver)
    writing(webhook, driver)
    faults(webhook, driver, between)
    for url in ("ftp://127.0.0.1", "http://user:pass@127.0.0.1", "http://"):
        check(f"'{url}' is no URL to open", Driver(f"{root}/driver.log", kind="webhook", url=url).opened["error"] != "")
    check("the driver ends well", driver.close() == 0)
    servers.finish()


if __name__ == "__main__":
    main()
