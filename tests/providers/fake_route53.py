# SPDX-License-Identifier: Apache-2.0
"""A Route 53 that is stricter than the ones one can install: it checks signatures, keeps names as Route 53 writes them,
gives small pages, does a batch whole or not at all, and deletes only what is named exactly."""

import hashlib
import hmac
import http.server
import re
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ET

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
ACCESS_KEY, SECRET_KEY, TOKEN = "AKIDTEST", "not/a+secret", "session/token+of==a-test"
PAGE = 7
ZONES = [("Z0PUBLIC", "example.com.", False), ("Z0INSIDE", "example.com.", True), ("Z0TWICEA", "twice.example.", False),
         ("Z0TWICEB", "twice.example.", False)]


def escaped(name):
    """As Route 53 shows it."""
    name = name.lower().rstrip(".") + "."
    return re.sub(r"[^a-z0-9_.\\-]", lambda found: f"\\{ord(found.group()):03o}", name)


def order(record):
    return list(reversed(record["Name"].rstrip(".").split("."))), record["Type"], record.get("SetIdentifier", "")


def plain(element):
    """An element as nested dictionaries and lists."""
    tag = element.tag.split("}")[-1]
    if tag in ("ResourceRecords", "Changes"):
        return [plain(child) for child in element]
    if len(element):
        return {child.tag.split("}")[-1]: plain(child) for child in element}
    return element.text or ""


def to_xml(name, value):
    if isinstance(value, dict):
        return f"<{name}>{''.join(to_xml(key, inner) for key, inner in value.items())}</{name}>"
    if isinstance(value, list):
        return f"<{name}>{''.join(to_xml('ResourceRecord', inner) for inner in value)}</{name}>"
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<{name}>{text}</{name}>"


class Refused(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class FakeRoute53:
    def __init__(self):
        outer = self
        self.sets = {zone: [] for zone, _, _ in ZONES}
        self.batches, self.times, self.problems = [], [], []
        self.secret, self.token = SECRET_KEY, None
        self.lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    with outer.lock:
                        outer.times.append(time.monotonic())
                        outer.check_signature(self, body)
                        status, text = 200, outer.handle(self, body)
                except Refused as no:
                    status = no.status
                    text = (f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type>{to_xml("Code", no.code)}'
                            f'{to_xml("Message", no.message)}</Error><RequestId>1</RequestId></ErrorResponse>')
                data = ('<?xml version="1.0"?>\n' + text).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def check_signature(self, request, body):
        """AWS Signature Version 4, computed anew from what came over the wire."""
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/route53/aws4_request, "
                             r"SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})", request.headers["Authorization"] or "")
        if not found or found[1] != ACCESS_KEY:
            raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        path, _, query = request.path.partition("?")
        headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in found[4].split(";"))
        canonical = "\n".join([request.command, urllib.parse.quote(path), query, headers, found[4],
                               hashlib.sha256(body).hexdigest()])
        date, scope = request.headers["X-Amz-Date"], f"{found[2]}/{found[3]}/route53/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in (found[2], found[3], "route53", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        token = request.headers["X-Amz-Security-Token"]
        if (token or None) != self.token or (token and "x-amz-security-token" not in found[4]):
            raise Refused("ExpiredToken", "The security token included in the request is expired", 403)
        if hmac.new(key, text.encode(), hashlib.sha256).hexdigest() != found[5] or not date.startswith(found[2]):
            raise Refused("SignatureDoesNotMatch", "The request signature we calculated does not match", 403)
        if query != "&".join(sorted(query.split("&"))) or "host" not in found[4]:
            self.problems.append(f"not canonical: {request.path}")

    def handle(self, request, body):
        path, _, query = request.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        found = re.fullmatch(r"/2013-04-01/hostedzone/(\w+)/rrset(/?)", path)
        if path == "/2013-04-01/hostedzonesbyname":
            return self.list_zones(asked)
        if not found or found[1] not in self.sets:
            raise Refused("NoSuchHostedZone", "No hosted zone found", 404)
        if request.command == "POST":
            self.change(found[1], body)
            return f'<ChangeResourceRecordSetsResponse xmlns="{NAMESPACE}"><ChangeInfo><Id>/change/C1</Id></ChangeInfo>' \
                   "</ChangeResourceRecordSetsResponse>"
        return self.list_sets(found[1], asked)

    def list_zones(self, asked):
        """One zone a page, from the name on."""
        name = asked["dnsname"].rstrip(".") + "."
        rest = sorted((zone for zone in ZONES if (zone[1], zone[0]) >= (name, asked.get("hostedzoneid", ""))),
                      key=lambda zone: (zone[1], zone[0]))
        shown = "".join(f"<HostedZone><Id>/hostedzone/{zone}</Id><Name>{called}</Name><Config><PrivateZone>"
                        f"{str(inside).lower()}</PrivateZone></Config></HostedZone>" for zone, called, inside in rest[:1])
        more = f"<NextDNSName>{rest[1][1]}</NextDNSName><NextHostedZoneId>{rest[1][0]}</NextHostedZoneId>" if rest[1:] else ""
        return (f'<ListHostedZonesByNameResponse xmlns="{NAMESPACE}"><HostedZones>{shown}</HostedZones>'
                f"<IsTruncated>{str(bool(rest[1:])).lower()}</IsTruncated>{more}</ListHostedZonesByNameResponse>")

    def list_sets(self, zone, asked):
        start = ([], "", "")
        if "name" in asked:
            start = order({"Name": escaped(asked["name"]), "Type": asked["type"], "SetIdentifier": asked.get("identifier", "")})
        rest = [one for one in sorted(self.sets[zone], key=order) if order(one) >= start]
        shown = "".join(to_xml("ResourceRecordSet", one) for one in rest[:PAGE])
        more = ""
        if rest[PAGE:]:
            more = to_xml("NextRecordName", rest[PAGE]["Name"]) + to_xml("NextRecordType", rest[PAGE]["Type"])
            if "SetIdentifier" in rest[PAGE]:
                more += to_xml("NextRecordIdentifier", rest[PAGE]["SetIdentifier"])
        return (f'<ListResourceRecordSetsResponse xmlns="{NAMESPACE}"><ResourceRecordSets>{shown}</ResourceRecordSets>'
                f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}</ListResourceRecordSetsResponse>")

    def change(self, zone, body):
        changes = plain(ET.fromstring(body))["ChangeBatch"]["Changes"]
        records = characters = 0
        sets = list(self.sets[zone])
        for change in changes:
            record = change["ResourceRecordSet"]
            values = [inner["Value"] for inner in record.get("ResourceRecords", [])]
            times = 2 if change["Action"] == "UPSERT" else 1
            records += times * max(len(values), 1)
            characters += times * sum(len(value) for value in values)
            self.check(record, values)
            record["Name"] = escaped(record["Name"])
            same = [one for one in sets if order(one) == order(record)]
            which = f"[name='{record['Name']}', type='{record['Type']}']"
            if change["Action"] == "CREATE" and same:
                raise Refused("InvalidChangeBatch", f"[Tried to create resource record set {which} but it already exists]")
            if change["Action"] == "DELETE" and not same:
                raise Refused("InvalidChangeBatch", f"[Tried to delete resource record set {which} but it was not found]")
            if change["Action"] == "DELETE" and same[0] != record:
                raise Refused("InvalidChangeBatch", f"[Tried to delete resource record set {which} but the values provided "
                                                    "do not match the current values]")
            sets = [one for one in sets if order(one) != order(record)]
            if change["Action"] != "DELETE":
                sets.append(record)
        if records > 1000 or characters > 32000:
            self.problems.append(f"a batch of {records} records and {characters} characters")
            raise Refused("InvalidChangeBatch", f"[{records} records, {characters} characters]")
        self.batches.append(len(changes))
        self.sets[zone] = sets

    @staticmethod
    def check(record, values):
        alias = record.get("AliasTarget")
        if (alias is None) == (not values) or ("TTL" in record) == (alias is not None):
            raise Refused("InvalidInput", "Expected exactly one of AliasTarget, or TTL and ResourceRecords")
        if record["Type"] == "A" and any(not re.fullmatch(r"(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])(\.\d{1,3}){3}", value)
                                         for value in values):
            raise Refused("InvalidChangeBatch", f"[Invalid Resource Record: 'ARRDATAIllegalIPv4Address' in {values}]")
        steered = [key for key in ("Weight", "Region", "Failover", "GeoLocation", "MultiValueAnswer",
                                   "GeoProximityLocation") if key in record]
        if len(steered) != (1 if "SetIdentifier" in record else 0):
            raise Refused("InvalidInput", f"SetIdentifier and one routing policy go together, not {steered}")
