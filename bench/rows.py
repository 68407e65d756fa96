# SPDX-License-Identifier: Apache-2.0
"""The rows of CPU per query: which servers, which names, which targets."""

import os
import random
import subprocess

import ratio
from ask import Asker
from data import TTL_S, Cached, PodMix, Routes, Services
from peers import Bind, Dnsdist, Knot, Nsd, PowerDns, Recursor, Tls, Unbound
from servers import CoreDns, Failed, Gdnsd, Missing, Pintle

N_SHARE = 1000         # questions that the 10/90 check asks of one name


def authorities(bench, root, data):
    """Every server that answers from master files, and Pintle last."""
    core, zones = bench.server_core, data.zones()
    return [lambda: Gdnsd(root, core, zones),
            lambda: Knot(root, core, zones),
            lambda: Nsd(root, core, zones),
            lambda: Bind(root, core, zones),
            lambda: PowerDns(root, core, zones),
            lambda: CoreDns(root, core, bench.find_coredns(), zones),
            lambda: Pintle(root, core, bench.pintled(), data=data)]


def a_udp(bench):
    """A over UDP: every name has the same number of addresses, all of them in the answer."""
    data = Services(bench.args.names)
    root = os.path.join(bench.work, "a-udp")
    return ratio.Row("a-udp", f"A over UDP: {data.n} names, {sum(data.split)} addresses each", data,
                     authorities(bench, root, data), ratio.check_services(data),
                     {"gdnsd": "1.07", "knot": "1.27", "nsd": "1.29", "bind": "1.68",
                      "powerdns": "1.65", "coredns": "10.3", "pintle": 1.07})


def pod_mix(bench):
    """What pods ask."""
    data = PodMix(bench.args.names)
    root = os.path.join(bench.work, "pod-mix")
    row = ratio.Row("pod-mix", f"pod mix over UDP: {data.n} names; 30 % A, 30 % AAAA, 30 % search "
                     "path, 10 % SRV", data,
                     authorities(bench, root, data), ratio.check_services(data),
                     {"gdnsd": "1.10", "knot": "1.12", "nsd": "1.14", "bind": "1.49",
                      "powerdns": "1.58", "coredns": "11.2", "pintle": 1.10})
    row.warm_up = ("--queries", str(2 * len(data.questions())))   # for caches of whole answers
    return row


def check_routes(routes):
    """A check that names give one address each, and one of them about 10 to 90."""
    def check(server):
        with Asker(server.port) as asker:
            for i in random.Random(1).sample(range(routes.n), min(ratio.N_CHECKED, routes.n)):
                rcode, got = asker.ask(routes.names[i])
                if rcode != 0 or len(got) != 1 or got[0] not in routes.addresses(i):
                    raise Failed(f"{server.label}: {routes.names[i]} gives rcode {rcode}, {got}; "
                                 f"expected one of {routes.addresses(i)}")
            blue = routes.addresses(0)[0]
            n_blue = sum(asker.ask(routes.names[0])[1] == [blue] for _ in range(N_SHARE))
            if not 0.06 < n_blue / N_SHARE < 0.14:
                raise Failed(f"{server.label}: weight 10 of 100 got {n_blue} of {N_SHARE}")
    return check


def weighted(bench):
    """Weighted 10/90, one address chosen for each query."""
    data = Routes(bench.args.names)
    root, core = os.path.join(bench.work, "weighted"), bench.server_core
    return ratio.Row("weighted", f"weighted 10/90 over UDP, single: {data.n} names", data,
                     [lambda: Gdnsd(root, core, routes=data),
                      lambda: Pintle(root, core, bench.pintled(), data=data)],
                     check_routes(data), {"gdnsd": "1.13", "pintle": 1.13})


def a_tcp(bench):
    """A over long-lived TCP connections."""
    data = Services(bench.args.names)
    root = os.path.join(bench.work, "a-tcp")
    row = ratio.Row("a-tcp", f"A over TCP: {bench.args.connections} connections, up to "
                    f"{bench.args.pipeline} queries in flight on each", data,
                    authorities(bench, root, data), ratio.check_services(data),
                    {"gdnsd": "1.15", "knot": "2.03", "nsd": "2.94", "bind": "1.76",
                     "powerdns": "1.00", "coredns": "8.2", "pintle": 1.00})
    row.transport, row.base = "tcp", "powerdns"
    return row


def certificate(bench):
    """A self-signed pair (ECDSA P-256) for all servers of this run."""
    paths = [os.path.join(bench.work, f"tls.{end}") for end in ("crt", "key")]
    if not os.path.exists(paths[1]):
        try:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=bench.test",
                            "-addext", "subjectAltName=DNS:bench.test,IP:127.0.0.1", "-days", "2",
                            "-out", paths[0], "-keyout", paths[1]], check=True,
                           capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as why:
            raise Missing(f"openssl makes no certificate: {why}") from why
        os.chmod(paths[1], 0o640)  # Pintle refuses a key that all can read
    return paths


class Fronted(ratio.Row):
    """A row some of whose servers need another one behind them; it is not measured."""

    def __init__(self, bench, name, title, data, targets, zones=None):
        super().__init__(name, title, data, [], ratio.check_services(data), targets)
        self.root = os.path.join(bench.work, name)
        self.behind = Knot(os.path.join(self.root, "behind"), bench.load_core,
                           zones or data.zones())
        self.warm_up = ("--queries", str(3 * data.n))

    def run(self, bench):
        """Starts the server behind the others for as long as the row takes."""
        try:
            self.behind.start(self.data.names[-1])
            return ratio.run(bench, self)
        finally:
            self.behind.stop()


def over_tls(bench, transport, targets):
    """A over long-lived connections with TLS, against the UDP floor."""
    data = Services(bench.args.names)
    what = {"dot": "DoT", "doh": "DoH, HTTP/2"}[transport]
    lasting = {zone: text.replace(f"$TTL {TTL_S}\n", f"$TTL {Cached.TTL_S}\n")
               for zone, text in data.zones().items()}   # a cache in front shall hold it
    row = Fronted(bench, f"a-{transport}", f"A over {what}: {bench.args.connections} connections, "
                  f"up to {bench.args.pipeline} queries in flight on each", data, targets, lasting)
    row.transport = transport
    pair, core, zones = certificate(bench), bench.server_core, data.zones()
    upstream = (None, row.behind.port)
    row.makers = [lambda: Bind(row.root, core, zones, Tls(*pair)),
                  lambda: Unbound(row.root, core, zones, Tls(*pair)),
                  lambda: Dnsdist(row.root, core, tls=Tls(*pair), upstream=upstream),
                  lambda: CoreDns(row.root, core, bench.find_coredns(), zones, tls=Tls(*pair)),
                  lambda: Pintle(row.root, core, bench.pintled(), data=data, tls=Tls(*pair, transport))]
    return row


def a_dot(bench):
    """DNS over TLS."""
    return over_tls(bench, "dot", {"bind": "2.8", "dnsdist": "2.6", "coredns": "8.9",
                                   "unbound": "4.4", "pintle": 2.00})


def a_doh(bench):
    """DNS over HTTPS."""
    return over_tls(bench, "doh", {"bind": "4.9", "coredns": "17", "unbound": "4.7",
                                   "pintle": 3.50})


def cached(bench):
    """A forwarded name answered from the cache."""
    data = Cached(bench.args.names)
    row = Fronted(bench, "cached", f"cached answer of a forwarded name over UDP: {data.n} names",
                  data, {"recursor": "1.52", "dnsdist": "1.47", "coredns": "3.2", "pintle": 1.20})
    core, upstream = bench.server_core, (data.ZONE, row.behind.port)
    address = f"127.0.0.1:{row.behind.port}"
    block = f"forward . {address}\n  cache {{\n    success {4 * data.n} 86400\n  }}"
    row.makers = [lambda: Unbound(row.root, core, upstream=upstream),
                  lambda: Dnsdist(row.root, core, upstream=upstream),
                  lambda: Recursor(row.root, core, upstream=upstream),
                  lambda: CoreDns(row.root, core, bench.find_coredns(), block=(".", block)),
                  lambda: Pintle(row.root, core, bench.pintled(), data=data,
                                 flags=["--forward", address])]
    return row


ROWS = {"a-udp": a_udp, "pod-mix": pod_mix, "weighted": weighted, "a-tcp": a_tcp,
        "cached": cached, "a-dot": a_dot, "a-doh": a_doh}


def run(bench, name):
    """One row by its name."""
    row = ROWS[name](bench)
    servers = row.run(bench) if isinstance(row, Fronted) else ratio.run(bench, row)
    if not any(server.name == "pintle" for server in servers):
        bench.note(f"{name}: Pintle was not measured")
