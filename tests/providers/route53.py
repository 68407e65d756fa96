#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Route 53 provider against a strict fake, through a server between them that fails, and against moto.

Keys come from files, the environment, a profile, STS, a container's agent and the metadata service. moto is installed
from PyPI where it is not there yet. Prints one line per check and, last, "N passed, N failed".
"""

import http.client
import http.server
import pathlib
import re
import sys
import threading
import time
import urllib.parse
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import fake_route53  # noqa: E402
import servers  # noqa: E402
from servers import Between, Driver, check, record_set, verdicts  # noqa: E402

ZONE = "example.com"
NO_KEYS = {name: "" for name in (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")}
NO_KEYS.update(AWS_EC2_METADATA_DISABLED="true", HOME="/nonexistent")


def make(name, kind, *values, **more):
    return [(None, record_set(f"{name}.{ZONE}", kind, *values, **more))]


STEERED = [
    make("weighted", "A", "192.0.2.1", ttl=60, set_id="v1", aws__weight=80),
    make("weighted", "A", "192.0.2.2", ttl=60, set_id="v2", aws__weight=20),
    make("latency", "A", "192.0.2.3", ttl=60, set_id="eu", aws__region="eu-west-1"),
    make("failover", "A", "192.0.2.4", ttl=60, set_id="one", aws__failover="PRIMARY", aws__health_check_id="hc-1"),
    make("failover", "A", "192.0.2.5", ttl=60, set_id="two", aws__failover="SECONDARY"),
    make("geo", "A", "192.0.2.6", ttl=60, set_id="eu", aws__geolocation_continent_code="EU"),
    make("geo", "A", "192.0.2.7", ttl=60, set_id="ny", aws__geolocation_country_code="US",
         aws__geolocation_subdivision_code="NY"),
    make("geo", "A", "192.0.2.8", ttl=60, set_id="rest", aws__geolocation_country_code="*"),
    make("multi", "A", "192.0.2.9", ttl=60, set_id="m1", aws__multi_value_answer="true"),
    make("near", "A", "192.0.2.10", ttl=60, set_id="n1", aws__geoproximity_coordinates="49.22,-74.01",
         aws__geoproximity_bias="10"),
    make("alias", "A", "lb-1.eu-west-1.elb.amazonaws.com", alias="true", aws__target_hosted_zone="Z32O12XQLNTSW2",
         aws__evaluate_target_health="true"),
    make("self", "A", f"weighted.{ZONE}", alias="true", aws__target_hosted_zone="Z0PUBLIC",
         aws__evaluate_target_health="false"),
]
SIMPLE = [
    make("simple", "A", "192.0.2.20", "192.0.2.21", ttl=30), make("*", "CNAME", "lb.example.net", ttl=30),
    make("\\@odd\\$", "TXT", '"a \\"b\\" \\\\ \\195\\164 <&>"', ttl=30), make("mail", "MX", "10 mx.example.net", ttl=30),
    make("_x._tcp", "SRV", "0 5 80 t.example.net", ttl=30), make("six", "AAAA", "2001:db8::1"),
]


def key(one):
    return one["name"], one["type"], one["set"]


def wanted(changes):
    sets = {}
    for change in changes:
        one = dict(change[0][1])
        one["ttl"] = one["ttl"] if one["ttl"] or one["properties"].get("alias") else 300
        sets[key(one)] = one
    return sets


def writing(fake, driver, between):
    outcome = driver.apply(ZONE, *STEERED, *SIMPLE)
    check("sets of every routing policy are made, and simple ones", set(verdicts(outcome)) == {"applied"}, outcome)
    seen = driver.sets(ZONE)
    expected = wanted(STEERED + SIMPLE)
    differ = {one: (seen.get(one), expected.get(one)) for one in set(seen) | set(expected)
              if seen.get(one) != expected.get(one)}
    check("and read back as they were meant", not differ, differ)
    names = [one["Name"] for one in fake.sets["Z0PUBLIC"]]
    check("names go with octal escapes", "\\052.example.com." in names and "\\100odd\\036.example.com." not in names
          and "\\100odd\\044.example.com." in names, names)
    text = [one["ResourceRecords"] for one in fake.sets["Z0PUBLIC"] if one["Type"] == "TXT"]
    check("so do values", text == [[{"Value": '"a \\"b\\" \\\\ \\303\\244 <&>"'}]], text)
    pages = between.requests(r"GET .*rrset\?")
    check("a listing is the last page's", len(pages) >= 3 and "name=" in pages[-1][2] and "identifier=" in "".join(
        page[2] for page in pages), [page[2] for page in pages])
    was = seen[f"weighted.{ZONE}", "A", "v1"]
    will = dict(was, values=["192.0.2.99"], properties={"aws/weight": "10"})
    outcome = driver.apply(ZONE, [(was, will)])
    check("one of two weighted sets is changed", verdicts(outcome) == ["applied"]
          and driver.sets(ZONE)[key(was)] == will, outcome)
    outcome = driver.apply(ZONE, [(will, None)])
    left = [one for one in driver.sets(ZONE) if one[0] == f"weighted.{ZONE}"]
    check("and goes, the other stays", left == [(f"weighted.{ZONE}", "A", "v2")], left)
    outcome = driver.apply(ZONE, [(seen[f"self.{ZONE}", "A", ""], None)], [(seen[f"alias.{ZONE}", "A", ""], None)])
    check("aliases go", verdicts(outcome) == ["applied"] * 2, outcome)


def refusals(fake, driver):
    many = [make(f"n{i}", "A", f"192.0.2.{i}") for i in range(1, 41)]
    many[7] = make("simple", "A", "198.51.100.1", ttl=30)
    many[21] = make("bad", "A", "192.0.2.1", aws__flavour="vanilla")
    many[22] = make("worse", "A", "lb.example.net", alias="true")
    stale = dict(driver.sets(ZONE)[f"mail.{ZONE}", "MX", ""], ttl=31)
    many[33] = [(stale, None)]
    outcome = driver.apply(ZONE, *many)
    seen = verdicts(outcome)
    check("of 40 changes the 36 good ones are done", seen.count("applied") == 36, outcome)
    check("what is there already is a conflict", seen[7] == "conflict" and "already exists" in outcome["results"][7][1])
    check("what is not as listed does not go", seen[33] == "conflict" and "do not match" in outcome["results"][33][1])
    check("a property that Route 53 has not is refused", seen[21] == "refused" and "aws/flavour" in outcome["results"][21][1])
    check("and an alias of nothing", seen[22] == "refused", outcome["results"][22])
    big = [make(f"big{i}", "TXT", *[f'"{k}{"x" * 180}"' for k in range(20)]) for i in range(20)]
    before = len(fake.batches)
    outcome = driver.apply(ZONE, *big)
    check("batches keep to 32,000 characters", set(verdicts(outcome)) == {"applied"} and len(fake.batches) - before >= 3,
          (outcome["fault"], outcome["message"]))
    wide = [make(f"wide{i}", "A", *[f"10.{i}.0.{k}" for k in range(100)]) for i in range(15)]
    outcome = driver.apply(ZONE, *wide)
    check("and to 1,000 records", set(verdicts(outcome)) == {"applied"}, outcome["results"][:2])
    seen = driver.sets(ZONE)
    updates = [[(one, dict(one, ttl=77))] for name, one in seen.items() if name[0].startswith("wide")]
    outcome = driver.apply(ZONE, *updates)
    check("of which an update counts twice", set(verdicts(outcome)) == {"applied"}, outcome["results"][:2])


def throttled(fake, driver, between):
    error = '<ErrorResponse xmlns="x"><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message>' \
            "</Error></ErrorResponse>"
    between.order("GET .*rrset", lambda handler: handler.say(400, error), 2)
    listing = driver.list(ZONE)
    check("Throttling is waited out", listing["fault"] == "none" and len(listing["sets"]) > 50, listing["message"])
    between.order("POST", lambda handler: handler.say(400, error.replace("Throttling", "PriorRequestNotComplete")), 2)
    outcome = driver.apply(ZONE, make("patient", "A", "192.0.2.1"))
    check("so is PriorRequestNotComplete, once is enough", verdicts(outcome) == ["applied"], outcome)
    between.order("GET .*rrset", lambda handler: handler.say(400, error), 100)
    listing = driver.list(ZONE)
    tries = len([one for one in between.faults if one[0] > 0][0:1]) and 100 - between.faults[-1][0]
    check("and told when it does not end", listing["fault"] == "throttled" and 3 <= tries <= 8, (listing["fault"], tries))
    between.calm()
    times = sorted(one[0] for one in between.seen)
    most = max(sum(1 for other in times if one <= other < one + 0.95) for one in times)  # a clock of whole milliseconds
    check("never more than 6 requests began within a second", most <= 6, most)


def faults(fake, driver, between, root):
    invalid = '<ErrorResponse><Error><Code>{}</Code><Message>no</Message></Error></ErrorResponse>'
    one = make("lost", "A", "192.0.2.1")

    def lose(handler):
        handler.passed()
        handler.hang_up()
    between.order("POST", lose)
    outcome = driver.apply(ZONE, one)
    check("an answer that is lost leaves the change unknown", verdicts(outcome) == ["unknown"], outcome)
    check("reading again tells that it was done", (f"lost.{ZONE}", "A", "") in driver.sets(ZONE))
    between.order("POST", lambda handler: handler.say(503, invalid.format("ServiceUnavailable")))
    outcome = driver.apply(ZONE, make("again", "A", "192.0.2.1"))
    check("a failure of the server is unknown too", outcome["fault"] == "failed" and verdicts(outcome) == ["unknown"], outcome)
    between.order("GET .*rrset", lambda handler: handler.say(403, invalid.format("AccessDenied")))
    listing = driver.list(ZONE)
    check("what is forbidden is told", listing["fault"] == "denied" and listing["message"] == "no", listing)
    second = [0]

    def break_page(handler):
        second[0] += 1
        status, headers, content = handler.passed()
        handler.say(status, content if second[0] != 2 else content[:-200], headers)
    between.order("GET .*rrset", break_page, 3)
    check("half a page is no listing", driver.list(ZONE)["fault"] == "malformed")

    def endless(handler):
        status, headers, content = handler.passed()
        text = re.sub(rb"<IsTruncated>.*", b"<IsTruncated>true</IsTruncated><NextRecordName>a.example.com.</NextRecordName>"
                      b"<NextRecordType>A</NextRecordType></ListResourceRecordSetsResponse>", content)
        handler.say(status, text, headers)
    between.order("GET .*rrset", endless, 50)
    listing = driver.list(ZONE)
    check("nor are pages that do not end", listing["fault"] == "malformed", listing["fault"])
    between.order("GET .*rrset", lambda handler: handler.say(200, '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'))
    between.faults = between.faults[-1:]
    check("nor is a document with a type", driver.list(ZONE)["fault"] == "malformed")
    between.calm()
    check("a zone that is not there is no empty one", driver.list("nobody.example")["fault"] == "no-zone")
    listing = driver.list("twice.example")
    check("two zones of one name need an id", listing["fault"] == "denied" and "id" in listing["message"], listing)
    files = {"accessKeyFile": f"{root}/access", "secretKeyFile": f"{root}/secret"}
    by_id = Driver(f"{root}/driver.log", NO_KEYS, kind="route53", endpoint=between.url,
                   zones=[{"zone": "twice.example", "id": "Z0TWICEB"}], **files)
    check("which then is read", by_id.list("twice.example")["fault"] == "none", by_id.list("twice.example"))
    inside = Driver(f"{root}/driver.log", NO_KEYS, kind="route53", endpoint=between.url, private=True, **files)
    check("a private zone is another one", inside.sets(ZONE) == {})
    bad = Driver(f"{root}/driver.log", NO_KEYS, kind="route53", endpoint=between.url,
                 zones=[{"zone": ZONE, "id": "Z/../x"}], **files)
    check("an id that is none is refused", "no id" in bad.opened["error"], bad.opened)


class Agent:
    """A container's agent, a metadata service and an STS."""

    def __init__(self):
        self.seen = []
        outer = self
        keys = {"AccessKeyId": fake_route53.ACCESS_KEY, "SecretAccessKey": fake_route53.SECRET_KEY,
                "Token": fake_route53.TOKEN, "Expiration": "2099-01-01T00:00:00Z"}
        as_json = servers.json.dumps(keys)
        as_xml = ("<AssumeRoleWithWebIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'>"
                  "<AssumeRoleWithWebIdentityResult><Credentials>"
                  f"<AccessKeyId>{keys['AccessKeyId']}</AccessKeyId><SecretAccessKey>{keys['SecretAccessKey']}"
                  f"</SecretAccessKey><SessionToken>{keys['Token']}</SessionToken><Expiration>2099-01-01T00:00:00Z"
                  "</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>")

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                outer.seen.append((self.command, self.path, dict(self.headers), body))
                status, text = 404, ""
                if self.path == "/agent" and self.headers.get("Authorization") == "let me in":
                    status, text = 200, as_json
                elif self.command == "PUT" and self.path == "/latest/api/token":
                    status, text = 200, "metadata-token"
                elif self.headers.get("X-aws-ec2-metadata-token") == "metadata-token":
                    status, text = 200, as_json if self.path.endswith("/the-role") else "the-role"
                elif self.command == "POST" and urllib.parse.parse_qs(body).get("WebIdentityToken") == ["a.b.c"]:
                    status, text = 200, as_xml
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


def credentials(fake, between, root):
    agent = Agent()

    def look(what, expected, **environment):
        driver = Driver(f"{root}/driver.log", dict(NO_KEYS, **environment), kind="route53", endpoint=between.url,
                        zones=[{"zone": ZONE, "id": "Z0PUBLIC"}])
        listing = driver.list(ZONE)
        driver.close()
        check(what, listing["fault"] == expected, (listing["fault"], listing["message"]))
        check("... without a secret in its words", fake_route53.SECRET_KEY not in str(listing)
              and fake_route53.TOKEN not in str(listing))
        return listing
    listing = look("without keys anywhere nothing is asked", "denied")
    check("and told where they could be", "no AWS credentials" in listing["message"], listing["message"])
    given = {"AWS_ACCESS_KEY_ID": fake_route53.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": fake_route53.SECRET_KEY}
    look("keys come from the environment", "none", **given)
    look("a wrong one is denied", "denied", **dict(given, AWS_SECRET_ACCESS_KEY="wrong"))
    look("the region is signed", "none", AWS_REGION="eu-north-1", **given)
    profile = servers.write(f"{root}/profile", "[default]\naws_access_key_id=x\n[work]\n# a comment\naws_access_key_id = "
                            f"{fake_route53.ACCESS_KEY}\naws_secret_access_key={fake_route53.SECRET_KEY}\n")
    look("or from a profile", "none", AWS_SHARED_CREDENTIALS_FILE=profile, AWS_PROFILE="work")
    look("which has to have both", "denied", AWS_SHARED_CREDENTIALS_FILE=profile)
    fake.token = fake_route53.TOKEN
    look("a session token that is missing is denied", "denied", **given)
    look("one that is there is signed", "none", AWS_SESSION_TOKEN=fake_route53.TOKEN, **given)
    look("keys come from a container's agent", "none", AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{agent.url}/agent",
         AWS_CONTAINER_AUTHORIZATION_TOKEN="let me in")
    look("which wants its token", "denied", AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{agent.url}/agent")
    look("but not from anywhere without TLS", "denied", AWS_CONTAINER_CREDENTIALS_FULL_URI="http://192.0.2.1/agent")
    web = servers.write(f"{root}/web", "a.b.c\n")
    look("or from STS, for the pod's token", "none", AWS_ROLE_ARN="arn:aws:iam::1:role/dns&x", AWS_WEB_IDENTITY_TOKEN_FILE=web,
         AWS_ENDPOINT_URL_STS=agent.url)
    forms = [urllib.parse.parse_qs(one[3]) for one in agent.seen if one[0] == "POST"]
    check("with a form that says it all", forms and forms[0]["RoleArn"] == ["arn:aws:iam::1:role/dns&x"]
          and forms[0]["Action"] == ["AssumeRoleWithWebIdentity"], forms)
    look("or from the metadata service, version 2", "none", AWS_EC2_METADATA_DISABLED="false",
         AWS_EC2_METADATA_SERVICE_ENDPOINT=agent.url)
    fake.token = None


class Moto:
    """Route 53 as others play it, with one zone. Its keys are in `settings`."""

    def __init__(self, root):
        self.port, self.zone = servers.free_port(), None
        self.settings = {"endpoint": f"http://127.0.0.1:{self.port}",
                         "accessKeyFile": servers.write(f"{root}/access", f"{fake_route53.ACCESS_KEY}\n"),
                         "secretKeyFile": servers.write(f"{root}/secret", f"{fake_route53.SECRET_KEY}\n")}
        log = f"{root}/moto.log"
        self.child = servers.spawn("sh", str(HERE / "moto.sh"), "-H", "127.0.0.1", "-p", str(self.port), log=log)
        servers.START_S = 240 * servers.SLOW  # it may have to be installed
        servers.wait_for("moto", self.make_zone, log)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, f"/2013-04-01/{path}", body, {
            "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/route53/aws4_request, SignedHeaders=host, "
                             "Signature=0"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def make_zone(self):
        status, content = self.ask("POST", "hostedzone", f'<CreateHostedZoneRequest xmlns="{fake_route53.NAMESPACE}"><Name>'
                                   f"{ZONE}.</Name><CallerReference>{time.time()}</CallerReference></CreateHostedZoneRequest>")
        if status == 201:
            self.zone = re.search(rb"<Id>/hostedzone/(\w+)</Id>", content).group(1).decode()
        return status == 201

    def sets(self):
        """{(name, type): (TTL, values)}, by its own API; for zones that fit one page."""
        status, content = self.ask("GET", f"hostedzone/{self.zone}/rrset")
        assert status == 200, content
        tree = xml.etree.ElementTree.fromstring(content)
        space = {"r": tree.tag.partition("}")[0].lstrip("{")}
        return {(one.findtext("r:Name", None, space).rstrip("."), one.findtext("r:Type", None, space)):
                (int(one.findtext("r:TTL", "0", space)), sorted(value.text for value in one.iterfind(".//r:Value", space)))
                for one in tree.iterfind(".//r:ResourceRecordSet", space)}


def moto(root):
    """What both sides say fits."""
    played = Moto(root)
    driver = Driver(f"{root}/driver.log", NO_KEYS, kind="route53", **played.settings)
    check("moto: a new zone has its NS alone", [one[1] for one in driver.sets(ZONE)] == ["NS"], driver.sets(ZONE))
    known = [one for one in STEERED if "near." not in one[0][1]["name"]]
    many = known + SIMPLE[:2] + [make(f"page{i:04d}", "A", "192.0.2.1", ttl=60) for i in range(350)]
    outcome = driver.apply(ZONE, *many)
    check("moto: every routing policy, and 350 more", set(verdicts(outcome)) == {"applied"}, outcome["message"])
    seen, expected = driver.sets(ZONE), wanted(many)
    differ = {one: (seen.get(one), expected[one]) for one in expected if seen.get(one) != expected[one]}
    check("moto: all of it is read back", not differ and len(seen) == len(expected) + 1, (len(seen), differ))
    was = seen[f"simple.{ZONE}", "A", ""]
    outcome = driver.apply(ZONE, [(was, dict(was, values=["192.0.2.50"]))])
    check("moto: a set is replaced", driver.sets(ZONE)[f"simple.{ZONE}", "A", ""]["values"] == ["192.0.2.50"], outcome)
    gone = [[(seen[f"page{i:04d}.{ZONE}", "A", ""], None)] for i in range(350)]
    outcome = driver.apply(ZONE, *gone)
    check("moto: sets go", set(verdicts(outcome)) == {"applied"} and len(driver.sets(ZONE)) == len(seen) - 350, outcome["message"])
    check("moto: its own API says so", played.sets()[f"simple.{ZONE}", "A"] == (30, ["192.0.2.50"]), played.sets())
    check("the driver ends well", driver.close() == 0)


def main():
    root = servers.scratch()
    fake = fake_route53.FakeRoute53()
    between = Between(fake.port)
    servers.write(f"{root}/access", f"{fake_route53.ACCESS_KEY}\n")
    servers.write(f"{root}/secret", f"{fake_route53.SECRET_KEY}\n")
    driver = Driver(f"{root}/driver.log", NO_KEYS, kind="route53", endpoint=between.url, accessKeyFile=f"{root}/access",
                    secretKeyFile=f"{root}/secret")
    check("it opens", driver.opened == {"error": ""}, driver.opened)
    check("an empty zone is an empty listing", driver.sets(ZONE) == {})
    writing(fake, driver, between)
    refusals(fake, driver)
    throttled(fake, driver, between)
    faults(fake, driver, between, root)
    credentials(fake, between, root)
    check("every request was canonical, and no batch too large", not fake.problems, fake.problems)
    check("the driver ends well", driver.close() == 0)
    if "fake" not in sys.argv[1:]:
        moto(root)
    servers.finish()


if __name__ == "__main__":
    main()
