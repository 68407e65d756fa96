# SPDX-License-Identifier: Apache-2.0
"""The other DNS servers of Debian: one worker each, nothing on that costs without need."""

import os
import re
import shutil

from data import write
from servers import Missing, Server, free_port, output_of

CACHE_ENTRIES = 100000


class Tls:
    """A certificate, and the ports that a server shall speak TLS on."""

    def __init__(self, certificate, key, transport=None):
        self.certificate = certificate
        self.key = key
        self.transport = transport     # dot, doh, or None for both
        self.dot_port = free_port()
        self.doh_port = free_port()


class Peer(Server):
    """A server of a Debian package. `zones` are texts of master files by name of the zone."""

    program_name = ""
    package = ""
    version = ((), "")     # arguments that make it print its version, and where that is

    def __init__(self, root, cores, zones=None, tls=None, upstream=None):
        super().__init__(root, cores)
        self.program = (shutil.which(self.program_name)
                        or shutil.which(self.program_name, path="/usr/sbin:/usr/local/sbin"))
        if self.program is None:
            raise Missing(f"{self.program_name} is not installed "
                          f"(Debian: apt-get install {self.package})")
        arguments, pattern = self.version
        found = re.search(pattern, output_of([self.program, *arguments]))
        self.label = f"{self.label} {found.group(1) if found else ''}".strip()
        self.zones = {}
        self.tls = tls
        self.upstream = upstream
        for zone, text in (zones or {}).items():
            self.zones[zone] = os.path.join(self.root, f"{zone}.zone")
            write(self.zones[zone], text)
        os.makedirs(os.path.join(self.root, "run"))
        self.config = os.path.join(self.root, "config")
        write(self.config, self.configure())

    def configure(self):
        """The configuration file's text."""
        raise NotImplementedError


class Knot(Peer):
    """Knot DNS."""

    name, label, program_name, package = "knot", "Knot", "knotd", "knot"
    version = (["--version"], r"version (\S+)")

    def configure(self):
        zones = "".join(f"  - domain: {zone}\n    file: {path}\n    zonefile-load: whole\n"
                        f"    journal-content: none\n" for zone, path in self.zones.items())
        return f"""server:
    rundir: {self.root}/run
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    tcp-max-clients: 2000
    tcp-reuseport: off
database:
    storage: {self.root}/run
log:
  - target: stderr
    any: warning
zone:
{zones}"""

    def command(self):
        return [self.program, "-c", self.config]


class Nsd(Peer):
    """NSD."""

    name, label, program_name, package = "nsd", "NSD", "nsd", "nsd"
    version = (["-v"], r"version (\S+)")

    def configure(self):
        zones = "".join(f"zone:\n  name: {zone}\n  zonefile: {path}\n"
                        for zone, path in self.zones.items())
        return f"""server:
  server-count: 1
  ip-address: 127.0.0.1@{self.port}
  username: ""
  chroot: ""
  database: ""
  zonesdir: {self.root}
  pidfile: {self.root}/run/pid
  xfrdfile: {self.root}/run/xfrd
  zonelistfile: {self.root}/run/zones
  xfrdir: {self.root}/run
  tcp-count: 2000
  tcp-query-count: 0
  minimal-responses: yes
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
{zones}"""

    def command(self):
        return [self.program, "-d", "-c", self.config]


class Bind(Peer):
    """BIND 9."""

    name, label, program_name, package = "bind", "BIND", "named", "bind9"
    version = (["-v"], r"BIND (\d+\.\d+\.\d+)")

    def configure(self):
        zones = "".join(f'zone "{zone}" {{ type primary; file "{path}"; notify no; }};\n'
                        for zone, path in self.zones.items())
        head, listen = "", ""
        if self.tls:
            head = (f'tls pair {{ cert-file "{self.tls.certificate}"; '
                    f'key-file "{self.tls.key}"; }};\n')
            listen = (f"  listen-on port {self.tls.dot_port} tls pair {{ 127.0.0.1; }};\n"
                      f"  listen-on port {self.tls.doh_port} tls pair http default "
                      "{ 127.0.0.1; };\n  http-listener-clients 0;\n")
        return f"""{head}options {{
  directory "{self.root}/run";
  pid-file none;
  session-keyfile none;
  listen-on port {self.port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
{listen}  recursion no;
  allow-transfer {{ none; }};
  minimal-responses yes;
  tcp-clients 2000;
  dnssec-validation no;
  querylog no;
}};
controls {{ }};
{zones}"""

    def command(self):
        return [self.program, "-g", "-4", "-n", "1", "-c", self.config]


class PowerDns(Peer):
    """PowerDNS Authoritative Server with its bind backend and its packet cache."""

    name, label, program_name, package = "powerdns", "PowerDNS", "pdns_server", \
        "pdns-server pdns-backend-bind"
    version = (["--version"], r"Server (\d\S+)")

    def configure(self):
        named = os.path.join(self.root, "named.conf")
        write(named, "".join(f'zone "{zone}" {{ type master; file "{path}"; }};\n'
                             for zone, path in self.zones.items()))
        write(os.path.join(self.root, "pdns.conf"), f"""launch=bind
bind-config={named}
local-address=127.0.0.1
local-port={self.port}
socket-dir={self.root}/run
receiver-threads=1
distributor-threads=1
max-tcp-connections=2000
max-cache-entries={10 * CACHE_ENTRIES}
max-packet-cache-entries={10 * CACHE_ENTRIES}
cache-ttl=3600
negquery-cache-ttl=3600
query-cache-ttl=3600
daemon=no
guardian=no
security-poll-suffix=
loglevel=3
""")
        return ""

    def command(self):
        return [self.program, f"--config-dir={self.root}"]


class Unbound(Peer):
    """Unbound: with authority for zones, or a cache in front of `upstream`."""

    name, label, program_name, package = "unbound", "Unbound", "unbound", "unbound"
    version = (["-V"], r"Version (\S+)")

    def configure(self):
        zones = "".join(f"auth-zone:\n  name: {zone}\n  zonefile: {path}\n"
                        "  for-downstream: yes\n  for-upstream: no\n"
                        for zone, path in self.zones.items())
        if self.upstream:
            zone, port = self.upstream
            zones += f"forward-zone:\n  name: {zone}\n  forward-addr: 127.0.0.1@{port}\n"
        listen = ""
        if self.tls:
            listen = f"""  interface: 127.0.0.1@{self.tls.dot_port}
  interface: 127.0.0.1@{self.tls.doh_port}
  tls-port: {self.tls.dot_port}
  https-port: {self.tls.doh_port}
  tls-service-pem: {self.tls.certificate}
  tls-service-key: {self.tls.key}
"""
        return f"""server:
  num-threads: 1
  interface: 127.0.0.1@{self.port}
{listen}  port: {self.port}
  do-ip6: no
  username: ""
  chroot: ""
  directory: {self.root}
  pidfile: {self.root}/run/pid
  use-syslog: no
  verbosity: 0
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "test." nodefault
  access-control: 127.0.0.0/8 allow
  minimal-responses: yes
  msg-cache-size: 128m
  rrset-cache-size: 256m
  incoming-num-tcp: 2000
  so-rcvbuf: 4m
remote-control:
  control-enable: no
{zones}"""

    def command(self):
        return [self.program, "-d", "-c", self.config]


class Dnsdist(Peer):
    """dnsdist: its packet cache in front of `upstream`."""

    name, label, program_name, package = "dnsdist", "dnsdist", "dnsdist", "dnsdist"
    version = (["--version"], r"dnsdist (\S+)")

    def configure(self):
        listen = ""
        if self.tls:
            pair = f'"{self.tls.certificate}", "{self.tls.key}"'
            listen = (f'addTLSLocal("127.0.0.1:{self.tls.dot_port}", {pair})\n'
                      f'addDOHLocal("127.0.0.1:{self.tls.doh_port}", {pair}, "/dns-query")\n')
        return f"""setLocal("127.0.0.1:{self.port}")
{listen}setACL({{"127.0.0.0/8"}})
setMaxTCPClientThreads(1)
setMaxTCPConnectionsPerClient(0)
setMaxTCPQueriesPerConnection(0)
setSecurityPollSuffix("")
newServer({{address="127.0.0.1:{self.upstream[1]}", healthCheckMode="up"}})
cache = newPacketCache({CACHE_ENTRIES}, {{maxTTL=86400, numberOfShards=1}})
getPool(""):setCache(cache)
"""

    def command(self):
        return [self.program, "--supervised", "--disable-syslog", "-C", self.config]


class Recursor(Peer):
    """PowerDNS Recursor: its packet cache in front of `upstream`."""

    name, label, program_name, package = "recursor", "PowerDNS Rec.", "pdns_recursor", \
        "pdns-recursor"
    version = (["--version"], r"Recursor (\d\S+)")

    def configure(self):
        zone, port = self.upstream
        write(os.path.join(self.root, "recursor.conf"), f"""local-address=127.0.0.1
local-port={self.port}
socket-dir={self.root}/run
forward-zones={zone}=127.0.0.1:{port}
allow-from=127.0.0.0/8
dont-query=
threads=1
distributor-threads=0
pdns-distributes-queries=no
dnssec=off
daemon=no
write-pid=no
security-poll-suffix=
quiet=yes
loglevel=3
max-cache-entries={10 * CACHE_ENTRIES}
max-packetcache-entries={10 * CACHE_ENTRIES}
packetcache-ttl=86400
""")
        return ""

    def command(self):
        return [self.program, f"--config-dir={self.root}"]
