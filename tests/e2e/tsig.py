#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A signature is looked at the same way however the question came: over UDP, TCP, TLS, HTTP/1.1 and HTTP/2.

Needs curl with HTTP/2. Prints one line per check and, last, "N passed, N failed".
"""

import base64
import hashlib
import hmac
import pathlib
import re
import ssl
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run as e2e  # noqa: E402
import tls  # noqa: E402
from transfers import (ANY, BADKEY, BADSIG, BADTIME, FORMERR, KEY, NOERROR, NOTAUTH, SECRETS, TSIG, Stream,  # noqa: E402
                       ask_udp, post, query, rcode, sign, tsig_error, wire_name)

BADTRUNC = 22
ZONE, NAME, A = "corp.example", "www.corp.example", 1
MAC_AT = len(wire_name("hmac-sha256")) + 10  # of the RDATA


class TlsStream(Stream):
    def __init__(self, port):
        super().__init__(port)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)


def ask_stream(kind, port, message):
    stream = kind(port)
    try:
        return stream.ask(message)
    finally:
        stream.close()


def post_h2(port, message):
    done = subprocess.run(["curl", "-sk", "--http2", "--max-time", "10", "-H", "Content-Type: application/dns-message",
                           "--data-binary", "@-", f"https://127.0.0.1:{port}/dns-query"],
                          input=message, capture_output=True, check=True)
    return done.stdout


# --- what is asked ----------------------------------------------------------------------------------


def tsig_at(message):
    """Where the TSIG begins, by its owner; -1: there is none."""
    return message.rfind(wire_name(KEY) + struct.pack(">2H", TSIG, ANY))


def shorten(message, mac_bytes):
    """The message with less of its MAC."""
    at = tsig_at(message) + len(wire_name(KEY)) + 8
    rdata = message[at + 2:]
    full = struct.unpack(">H", rdata[MAC_AT - 2:MAC_AT])[0]
    rdata = rdata[:MAC_AT - 2] + struct.pack(">H", mac_bytes) + rdata[MAC_AT:MAC_AT + mac_bytes] + rdata[MAC_AT + full:]
    return message[:at] + struct.pack(">H", len(rdata)) + rdata


def twice(message):
    """The message with its TSIG once more."""
    return message[:10] + struct.pack(">H", 2) + message[12:] + message[tsig_at(message):]


def signed(**how):
    return sign(query(NAME, A), KEY, **how)[0]


GOOD, MAC = sign(query(NAME, A), KEY)
ROWS = (  # what, message, rcode, TSIG error (None: the answer has no TSIG)
    ("a wrong secret", signed(secret=b"x" * 32), NOTAUTH, BADSIG),
    ("an unknown key", sign(query(NAME, A), "unknown.example", secret=b"x" * 32)[0], NOTAUTH, BADKEY),
    ("a clock 10 minutes late", signed(late_s=600), NOTAUTH, BADTIME),
    ("a clock 10 minutes ahead", signed(late_s=-600), NOTAUTH, BADTIME),
    ("another name than was signed", GOOD.replace(b"\3www", b"\3wwx", 1), NOTAUTH, BADSIG),
    ("another type than was signed", GOOD.replace(struct.pack(">2H", A, 1), struct.pack(">2H", 28, 1), 1), NOTAUTH, BADSIG),
    ("half of the MAC", shorten(GOOD, 16), NOTAUTH, BADTRUNC),
    ("less than half of it", shorten(GOOD, 15), FORMERR, None),
    ("none of it", shorten(GOOD, 0), FORMERR, None),
    ("two signatures", twice(GOOD), FORMERR, None),
)


def is_signed(reply, secret=SECRETS[KEY], asked=MAC):
    """Whether a message's MAC is good, by the key and, of an answer, by the question's MAC."""
    at = tsig_at(reply)
    if at < 0:
        return False
    bare = reply[:10] + struct.pack(">H", struct.unpack(">H", reply[10:12])[0] - 1) + reply[12:at]
    rdata = reply[at + len(wire_name(KEY)) + 10:]
    algorithm, when = rdata[:MAC_AT - 10], rdata[MAC_AT - 10:MAC_AT - 2]
    n_bytes = struct.unpack(">H", rdata[MAC_AT - 2:MAC_AT])[0]
    mac, rest = rdata[MAC_AT:MAC_AT + n_bytes], rdata[MAC_AT + n_bytes:]
    variables = wire_name(KEY) + struct.pack(">HI", ANY, 0) + algorithm + when + rest[2:6]
    whole = (struct.pack(">H", len(asked)) + asked if asked else b"") + bare + variables
    return hmac.compare_digest(mac, hmac.new(secret, whole, hashlib.sha256).digest())


def transport(checks, what, ask):
    reply = ask(GOOD)
    checks.check(f"{what}: the right key is answered, signed with it",
                 (rcode(reply), tsig_error(reply)) == (NOERROR, 0) and b"\xc0\0\2\7" in reply and is_signed(reply), reply)
    plain = ask(query(NAME, A))
    checks.check(f"{what}: without a key the answer has none", rcode(plain) == NOERROR and tsig_error(plain) is None, plain)
    for fault, message, code, error in ROWS:
        reply = ask(message)
        checks.equal(f"{what}: {fault}", (rcode(reply), tsig_error(reply), b"\xc0\0\2\7" in reply), (code, error, False))


def all_parts(checks, dir):
    tls.make_certificate(dir)
    (dir / "c1").mkdir()
    (dir / "static.zone").write_text("$TTL 60\n@ SOA ns1 h 1 60 60 86400 5\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.7\n")
    secret = dir / "secret"
    secret.write_bytes(base64.b64encode(SECRETS[KEY]))
    secret.chmod(0o600)
    (dir / "pintle.yaml").write_text(f"""\
clusters: [{{name: c1, directory: c1}}]
zones: {{files: [{{zone: {ZONE}, file: static.zone}}]}}
tsigKeys: [{{name: {KEY}, algorithm: hmac-sha256, secretFile: secret}}]
listen:
  - {{address: 127.0.0.1:0}}
  - {{address: 127.0.0.1:0, tls: {{certificate: tls.crt, key: tls.key}}}}
  - {{address: 127.0.0.1:0, https: {{certificate: tls.crt, key: tls.key}}}}
shutdown: {{lameduck: 0}}
""")
    daemon = tls.TlsDaemon(dir, "tsig")
    try:
        checks.becomes("the daemon is ready", lambda: daemon.get("/readyz")[0], lambda code: code == 200)
        https = int(re.search(r"answering DNS on 127\.0\.0\.1:(\d+) \(https", daemon.log_text()).group(1))
        for what, ask in (("UDP", lambda message: ask_udp(daemon.port, message)),
                          ("TCP", lambda message: ask_stream(Stream, daemon.port, message)),
                          ("DoT", lambda message: ask_stream(TlsStream, daemon.dot, message)),
                          ("DoH, HTTP/1.1", lambda message: post(https, message)),
                          ("DoH, HTTP/2", lambda message: post_h2(https, message))):
            transport(checks, what, ask)
    finally:
        checks.equal("the daemon ends well", daemon.stop(), 0)


if __name__ == "__main__":
    sys.exit(e2e.play("tsig", all_parts))
